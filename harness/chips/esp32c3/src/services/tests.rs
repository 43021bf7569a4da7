//! The services through the interface of the run loop, with a guest simulated by the test.

use std::time::Duration;

use sim::air::{ApInfo, Reason};

use super::played::*;
use super::*;

#[test]
fn functions_in_the_wrong_order_are_refused_with_the_vendors_codes() {
    let mut guest = Guest::new();
    assert_eq!(guest.call("esp_wifi_start", &[]), 0x3001);
    assert_eq!(guest.call("esp_wifi_set_mode", &[1]), 0x3001);
    assert_eq!(guest.call("esp_wifi_init_internal", &[CONFIG]), 0);
    assert_eq!(guest.call("esp_wifi_init_internal", &[CONFIG]), 0x3013);
    assert_eq!(guest.call("esp_wifi_connect_internal", &[]), 0x3002);
    assert_eq!(guest.call("esp_wifi_scan_start", &[0, 0]), 0x3002);
    assert_eq!(guest.call("esp_wifi_set_config", &[0, SCRATCH]), 0x3005);
    assert_eq!(guest.call("esp_wifi_set_mode", &[4]), 0x102);
    guest.call("esp_wifi_set_mode", &[1]);
    guest.call("esp_wifi_start", &[]);
    assert_eq!(guest.call("esp_wifi_connect_internal", &[]), 0x300A);
    assert_eq!(guest.call("esp_wifi_deinit_internal", &[]), 0x3003);
    assert_eq!(guest.call("esp_wifi_stop", &[]), 0);
    assert_eq!(guest.call("esp_wifi_stop", &[]), 0);
    assert_eq!(guest.call("esp_wifi_deinit_internal", &[]), 0);
    assert_eq!(guest.call("esp_wifi_get_mode", &[SCRATCH]), 0x3001);
    assert_eq!(guest.services.take_events(), []);
}

#[test]
fn a_configuration_with_the_wrong_magic_is_refused() {
    let mut guest = Guest::new();
    guest.mem.write_u32(CONFIG + 152, 0).unwrap();
    assert_eq!(guest.call("esp_wifi_init_internal", &[CONFIG]), 0x102);
}

#[test]
fn start_and_stop_post_their_events_before_they_return() {
    let mut guest = Guest::ready();
    assert_eq!(guest.call("esp_wifi_start", &[]), 0);
    assert_eq!(guest.seen, [Seen::Event(2, vec![])]);
    guest.call("esp_wifi_connect_internal", &[]);
    guest.hear(FromAir::Connected { ap: ap(), aid: 1 });
    guest.seen.clear();
    assert_eq!(guest.call("esp_wifi_stop", &[]), 0);
    assert_eq!(guest.events(), [5, 3]);
    assert!(!guest.services.wants_delivery());
}

#[test]
fn mode_and_configuration_read_back() {
    let mut guest = Guest::ready();
    assert_eq!(guest.call("esp_wifi_get_mode", &[SCRATCH + 400]), 0);
    assert_eq!(guest.mem.read_u32(SCRATCH + 400), Ok(1));
    assert_eq!(guest.call("esp_wifi_get_config", &[0, SCRATCH + 400]), 0);
    assert_eq!(guest.mem.get(SCRATCH + 400, 184), guest.mem.get(SCRATCH, 184));
    guest.mem.put(SCRATCH + 32, b"short\0\0\0");
    assert_eq!(guest.call("esp_wifi_set_config", &[0, SCRATCH]), 0x300B);
    assert_eq!(guest.call("esp_wifi_set_config", &[2, SCRATCH]), 0x3004);
    assert_eq!(guest.call("esp_wifi_set_ps", &[2]), 0);
    assert_eq!(guest.call("esp_wifi_set_ps", &[3]), 0x102);
}

#[test]
fn a_connection_comes_and_goes() {
    let mut guest = Guest::ready();
    guest.call("esp_wifi_start", &[]);
    guest.seen.clear();
    assert_eq!(guest.call("esp_wifi_connect_internal", &[]), 0);
    assert_eq!(
        guest.services.take_to_air(),
        [ToAir::Connect {
            ssid: "bench".to_owned(),
            password: "password".to_owned(),
            bssid: None,
            mac: [0x7C, 0xDF, 0xA1, 1, 2, 3],
        }]
    );
    assert_eq!(guest.call("esp_wifi_connect_internal", &[]), 0x3007);
    assert_eq!(guest.call("esp_wifi_sta_get_rssi", &[SCRATCH]), u32::MAX);
    guest.hear(FromAir::Connected { ap: ap(), aid: 7 });
    assert!(matches!(&guest.seen[..], [Seen::Event(4, data)] if data.len() == 48 && data[44] == 7));
    guest.hear(FromAir::Rssi(-71));
    assert_eq!(guest.call("esp_wifi_sta_get_rssi", &[SCRATCH]), 0);
    assert_eq!(guest.mem.read_u32(SCRATCH), Ok(-71i32 as u32));
    assert_eq!(guest.call("esp_wifi_sta_get_ap_info", &[SCRATCH]), 0);
    assert_eq!(guest.mem.get(SCRATCH + 39, 6), [6, 0, 0, 0, 0, (-71i8) as u8]);
    guest.seen.clear();
    guest.hear(lost(Reason::BEACON_TIMEOUT));
    assert!(matches!(&guest.seen[..], [Seen::Event(5, data)] if data.len() == 41 && data[39] == 200));
    assert_eq!(guest.call("esp_wifi_sta_get_ap_info", &[SCRATCH]), 0x300F);
    assert_eq!(guest.call("esp_wifi_connect_internal", &[]), 0);
}

#[test]
fn the_confirmation_of_a_goodbye_is_not_the_answer_to_the_next_attempt() {
    let mut guest = Guest::connected();
    guest.call("esp_wifi_stop", &[]);
    guest.call("esp_wifi_start", &[]);
    assert_eq!(guest.call("esp_wifi_connect_internal", &[]), 0);
    guest.seen.clear();
    guest.hear(lost(Reason::ASSOC_LEAVE));
    assert_eq!(guest.seen, []);
    guest.hear(FromAir::Connected { ap: ap(), aid: 1 });
    assert_eq!(guest.events(), [4]);
    // The guest asked for the disconnection, so it gets the event.
    assert_eq!(guest.call("esp_wifi_disconnect_internal", &[]), 0);
    guest.hear(lost(Reason::ASSOC_LEAVE));
    assert_eq!(guest.events(), [4, 5]);
    assert_eq!(guest.call("esp_wifi_disconnect_internal", &[]), 0);
    guest.services.take_to_air();
    assert_eq!(guest.services.take_to_air(), []);
}

#[test]
fn an_open_network_of_the_same_name_is_refused() {
    let mut guest = Guest::ready();
    guest.call("esp_wifi_start", &[]);
    guest.call("esp_wifi_connect_internal", &[]);
    guest.services.take_to_air();
    guest.seen.clear();
    guest.hear(FromAir::Connected {
        ap: ApInfo {
            auth: sim::air::AuthMode::Open,
            ..ap()
        },
        aid: 1,
    });
    assert!(matches!(&guest.seen[..], [Seen::Event(5, data)] if data[39] == 211));
    assert_eq!(guest.services.take_to_air(), [ToAir::Disconnect]);
    guest.hear(lost(Reason::ASSOC_LEAVE));
    assert_eq!(guest.events(), [5]);
}

#[test]
fn a_scan_hands_out_its_records_once() {
    let mut guest = Guest::ready();
    guest.call("esp_wifi_start", &[]);
    guest.seen.clear();
    guest.mem.put(SCRATCH, &[0; 16]);
    guest.mem.put(SCRATCH + 8, &[6]);
    assert_eq!(guest.call("esp_wifi_scan_start", &[SCRATCH, 0]), 0);
    assert_eq!(
        guest.services.take_to_air(),
        [ToAir::Scan {
            ssid: None,
            channel: Some(6)
        }]
    );
    assert_eq!(guest.call("esp_wifi_scan_start", &[SCRATCH, 0]), 0x3006);
    guest.hear(FromAir::ScanDone(vec![
        ap(),
        ApInfo {
            rssi_dbm: -80,
            ..ap()
        },
    ]));
    assert_eq!(guest.seen, [Seen::Event(1, vec![0, 0, 0, 0, 2, 1, 0, 0])]);
    guest.call("esp_wifi_scan_get_ap_num", &[SCRATCH]);
    assert_eq!(guest.mem.read_u16(SCRATCH), Ok(2));
    for rssi in [-52i8, -80] {
        assert_eq!(guest.call("esp_wifi_scan_get_ap_record", &[SCRATCH]), 0);
        assert_eq!(guest.mem.get(SCRATCH + 44, 1), [rssi as u8]);
    }
    assert_eq!(guest.call("esp_wifi_scan_get_ap_record", &[SCRATCH]), u32::MAX);
}

#[test]
fn frames_leave_at_the_speed_of_the_air_and_are_confirmed() {
    let mut guest = Guest::connected();
    guest.mem.put(SCRATCH, &frame(100));
    assert_eq!(guest.call("esp_wifi_internal_tx", &[0, SCRATCH, 100]), 0);
    assert_eq!(guest.call("esp_wifi_internal_tx", &[0, SCRATCH, 60]), 0);
    // Two dynamic buffers: the third has none.
    assert_eq!(guest.call("esp_wifi_internal_tx", &[0, SCRATCH, 60]), 0x101);
    assert_eq!(guest.call("esp_wifi_internal_tx", &[0, SCRATCH, 13]), 0x102);
    guest.mem.put(SCRATCH, &[0; 100]);
    assert_eq!(guest.services.take_to_air(), []);
    guest.pass(Duration::from_nanos(164_800));
    assert_eq!(guest.services.take_to_air(), [ToAir::Frame(frame(100))]);
    assert_eq!(guest.seen, [Seen::TxDone(100, true)]);
    guest.pass(Duration::from_millis(1));
    assert_eq!(guest.services.take_to_air(), [ToAir::Frame(frame(60))]);
    assert_eq!(guest.seen.len(), 2);
}

#[test]
fn a_lost_connection_fails_what_has_not_left() {
    let mut guest = Guest::connected();
    guest.mem.put(SCRATCH, &frame(100));
    guest.call("esp_wifi_internal_tx", &[0, SCRATCH, 100]);
    guest.hear(lost(Reason::BEACON_TIMEOUT));
    assert_eq!(guest.events(), [5]);
    assert!(guest.seen.contains(&Seen::TxDone(100, false)));
    guest.pass(Duration::from_millis(5));
    assert_eq!(guest.services.take_to_air(), []);
    assert_eq!(guest.call("esp_wifi_internal_tx", &[0, SCRATCH, 100]), 0x3015);
}

#[test]
fn frames_arrive_in_the_guests_own_memory() {
    let mut guest = Guest::connected();
    guest.hear(FromAir::Frame(frame(200)));
    assert_eq!(guest.seen, []);
    guest.pass(Duration::from_millis(1));
    assert_eq!(guest.seen, [Seen::Malloc(200), Seen::Received(frame(200), HEAP)]);
    guest.call("esp_wifi_internal_free_rx_buffer", &[HEAP]);
    assert_eq!(guest.seen.last(), Some(&Seen::Free(HEAP)));
    // Freeing a buffer twice is the guest's error and does not reach the allocator.
    guest.call("esp_wifi_internal_free_rx_buffer", &[HEAP]);
    assert_eq!(guest.seen.len(), 3);
    let report = ServiceEvent::ForeignBuffer {
        addr: HEAP,
        caller: CALLER + 0x20,
    };
    assert_eq!(guest.services.take_events(), [report]);
}

#[test]
fn a_callback_may_free_the_frame_before_it_returns() {
    let mut guest = Guest::connected();
    guest.frees_at_once = true;
    guest.hear(FromAir::Frame(frame(60)));
    guest.pass(Duration::from_millis(1));
    assert_eq!(
        guest.seen,
        [
            Seen::Malloc(60),
            Seen::Received(frame(60), HEAP),
            Seen::Free(HEAP)
        ]
    );
}

#[test]
fn a_guest_that_does_not_take_frames_loses_them_and_that_is_reported() {
    let mut guest = Guest::connected();
    // Four static buffers wait for a guest with interrupts disabled.
    guest.cpu.set_mstatus(0x1880);
    for _ in 0..6 {
        guest.services.receive(guest.now, FromAir::Frame(frame(60)));
    }
    guest.now += Duration::from_millis(2);
    guest.services.poll(guest.now);
    let dropped = ServiceEvent::FrameDropped { len: 60 };
    assert_eq!(guest.services.take_events(), vec![dropped.clone(); 2]);
    guest.cpu.set_mstatus(0x1888);
    // Three dynamic buffers can be held: the fourth frame has none.
    guest.deliver();
    let received = guest
        .seen
        .iter()
        .filter(|s| matches!(s, Seen::Received(..)))
        .count();
    assert_eq!(
        (received, guest.services.take_events()),
        (3, vec![dropped.clone()])
    );
    // No memory is a lost frame too.
    guest.call("esp_wifi_internal_free_rx_buffer", &[HEAP]);
    guest.heap = 0;
    guest.hear(FromAir::Frame(frame(60)));
    guest.pass(Duration::from_millis(5));
    assert_eq!(guest.services.take_events(), vec![dropped]);
}

#[test]
fn the_access_points_queue_is_long_and_not_endless() {
    let mut guest = Guest::connected();
    for _ in 0..257 {
        guest.services.receive(guest.now, FromAir::Frame(frame(60)));
    }
    assert_eq!(
        guest.services.take_events(),
        [ServiceEvent::FrameDropped { len: 60 }]
    );
    guest.services.receive(guest.now, FromAir::Frame(frame(1515)));
    assert_eq!(
        guest.services.take_events(),
        [ServiceEvent::FrameDropped { len: 1515 }]
    );
}

#[test]
fn nothing_is_delivered_while_interrupts_are_disabled() {
    let mut guest = Guest::connected();
    guest.cpu.set_mstatus(0x1880);
    guest.services.receive(guest.now, lost(Reason(3)));
    let before = guest.cpu.clone();
    let cx = Context {
        mem: &mut guest.mem,
        now: guest.now,
    };
    assert!(!guest.services.deliver(&mut guest.cpu, cx));
    assert_eq!(guest.cpu, before);
    assert!(guest.services.wants_delivery());
    guest.cpu.set_mstatus(0x1888);
    guest.deliver();
    assert_eq!(guest.events(), [5]);
}

#[test]
fn a_reset_makes_the_station_vanish() {
    let mut guest = Guest::connected();
    guest.services.reset();
    assert_eq!(guest.services.take_to_air(), [ToAir::Vanish]);
    assert_eq!(guest.services.next_deadline(), None);
    assert_eq!(guest.call("esp_wifi_start", &[]), 0x3001);
    guest.services.reset();
    assert_eq!(guest.services.take_to_air(), []);
}

#[test]
fn a_driver_function_without_a_model_is_reported() {
    let mut guest = Guest::ready();
    assert_eq!(guest.call("esp_now_init", &[]), 0x106);
    let report = ServiceEvent::DriverFunction {
        name: "esp_now_init".to_owned(),
        caller: CALLER + 0x20,
    };
    assert_eq!(guest.services.take_events(), [report]);
}

#[test]
fn a_panic_is_seen_and_goes_on() {
    let mut guest = Guest::new();
    guest.cpu.set_pc(0x4203_0000);
    guest.cpu.set_x(reg::RA, 0x4200_0010);
    guest.mem.put_code(0x4200_000C, &0x0000_00EFu32.to_le_bytes());
    let cx = Context {
        mem: &mut guest.mem,
        now: guest.now,
    };
    assert_eq!(
        guest.services.on_hook(&mut guest.cpu, cx),
        Outcome::Unhook(0x4203_0000)
    );
    assert_eq!(guest.cpu.pc(), 0x4203_0000);
    let events = guest.services.take_events();
    let Some(ServiceEvent::Panicked { backtrace }) = events.first() else {
        panic!("{events:?}")
    };
    assert!(
        backtrace.to_string().ends_with("#1 0x42000010 main+0x10"),
        "{backtrace}"
    );
}

#[test]
fn a_jump_to_a_return_pad_that_nobody_owns_is_the_guests_fault() {
    let mut guest = Guest::new();
    guest.cpu.set_pc(RETURN_PADS.start + 8);
    let cx = Context {
        mem: &mut guest.mem,
        now: guest.now,
    };
    let fault = Outcome::AccessFault {
        addr: RETURN_PADS.start + 8,
        store: false,
    };
    assert_eq!(guest.services.on_hook(&mut guest.cpu, cx), fault);
}
