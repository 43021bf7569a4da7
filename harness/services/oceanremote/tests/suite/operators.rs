//! What a person does at the dashboard, the device's status there, and the server's clock.

use oceanremote::*;
use sim::Instant;

use crate::desk::*;

fn changed(from: Option<DeviceStatus>, to: DeviceStatus) -> Event {
    Event::DeviceStatusChanged {
        device: "oc-1".into(),
        from,
        to,
    }
}

#[test]
fn the_dashboard_follows_the_last_sign_of_life() {
    use DeviceStatus::{Away, Offline, Online};
    let (mut desk, _, session) = Desk::registered(config());
    let cloud = &mut desk.cloud;
    assert_eq!(cloud.status("oc-1", at(9)), Some(Online));
    assert_eq!(cloud.status("oc-1", at(10)), Some(Away));
    assert_eq!(cloud.status("oc-1", at(300)), Some(Away));
    assert_eq!(
        cloud.status("oc-1", Instant::from_nanos(300_000_000_001)),
        Some(Offline)
    );
    assert_eq!(cloud.status("nobody", at(0)), None);
    assert_eq!(cloud.next_status_change("oc-1", at(0)), Some(at(10)));
    assert_eq!(cloud.next_due(at(0)), Some(at(10)));
    cloud.take_journal();

    // Late to the journal, but each change with its moment.
    cloud.advance(at(1000));
    let offline = Instant::from_nanos(300_000_000_001);
    let want = [
        Entry {
            at: at(10),
            event: changed(Some(Online), Away),
        },
        Entry {
            at: offline,
            event: changed(Some(Away), Offline),
        },
    ];
    assert_eq!(cloud.take_journal(), want);
    assert_eq!(cloud.next_due(at(1000)), Some(at(3600)), "the end of the session");
    desk.poll(at(1001), &session, "");
    assert_eq!(desk.events(), [changed(Some(Offline), Online)]);
}

#[test]
fn an_expiry_is_told_at_its_moment_and_once() {
    let (mut desk, permanent, session) = Desk::registered(config());
    desk.events();
    desk.poll(at(4000), &session, "");
    let journal = desk.cloud.take_journal();
    let expired = Event::SessionExpired {
        device: "oc-1".into(),
        session,
    };
    let told: Vec<&Entry> = journal.iter().filter(|e| e.event == expired).collect();
    assert_eq!(
        told,
        [&Entry {
            at: at(3600),
            event: expired.clone()
        }]
    );
    assert!(journal.is_sorted_by_key(|e| e.at));
    desk.renew(at(4001), &permanent);
    let events = desk.events();
    assert!(!events.contains(&expired));
    assert!(
        !events
            .iter()
            .any(|e| matches!(e, Event::SessionInvalidated { .. })),
        "it had ended by itself"
    );
}

#[test]
fn an_expired_and_a_forgotten_session_answer_differently() {
    let (mut desk, _, session) = Desk::registered(config());
    desk.cloud.expire_session(at(1), "oc-1").expect("it has one");
    assert_error(&desk.poll(at(1), &session, ""), 401, "Session expired");
    assert_eq!(
        desk.cloud.expire_session(at(1), "oc-1"),
        Err(CloudError::NoSession("oc-1".into()))
    );
    let (mut desk, _, session) = Desk::registered(config());
    desk.events();
    desk.cloud.invalidate_session(at(1), "oc-1").expect("it has one");
    let reason = SessionEnd::Forgotten;
    let told = Event::SessionInvalidated {
        device: "oc-1".into(),
        session: session.clone(),
        reason,
    };
    assert_eq!(desk.events(), [told]);
    assert_error(&desk.poll(at(1), &session, ""), 401, "Invalid token");
}

#[test]
fn a_deleted_device_is_not_found() {
    let (mut desk, permanent, session) = Desk::registered(config());
    desk.cloud.delete_device(at(1), "oc-1").expect("it is known");
    assert_error(&desk.poll(at(2), &session, ""), 404, "Device not found");
    assert_error(&desk.renew(at(2), &permanent), 404, "Device not found");
    assert_error(&desk.state(at(2), &permanent), 401, "Invalid token");
    assert_error(
        &desk.register(at(2), "oc_reg_test", "oc-1"),
        401,
        "Token already used or expired",
    );
    assert_eq!(
        desk.cloud.delete_device(at(3), "oc-1"),
        Err(CloudError::UnknownDevice("oc-1".into()))
    );
}

#[test]
fn a_new_registration_token_lets_a_device_in_again() {
    let (mut desk, permanent, session) = Desk::registered(config());
    let token = desk
        .cloud
        .regenerate_registration_token(at(1), "oc-1")
        .expect("it is known");
    assert_eq!(desk.cloud.registration_token("oc-1"), Some(&*token));
    let unused = token;
    let token = desk
        .cloud
        .regenerate_registration_token(at(2), "oc-1")
        .expect("it is known");
    assert_error(&desk.register(at(3), &unused, "oc-1"), 401, "Invalid token");
    assert_error(
        &desk.register(at(3), "oc_reg_test", "oc-1"),
        401,
        "Token already used or expired",
    );
    let reply = desk.register(at(4), &token, "oc-1");
    assert_eq!(reply.status, 200);
    assert_error(&desk.renew(at(5), &permanent), 403, "Token revoked");
    assert_error(&desk.poll(at(5), &session, ""), 401, "Session expired");
    assert_eq!(desk.poll(at(5), &field(&reply, "session"), "").status, 200);
}

#[test]
fn the_dashboard_extends_or_rotates_a_session() {
    let (mut desk, _, session) = Desk::registered(config());
    assert_error(&desk.poll(at(3600), &session, ""), 401, "Session expired");
    desk.cloud
        .renew_by_dashboard(at(3700), "oc-1")
        .expect("it had a session");
    assert_eq!(
        desk.poll(at(7299), &session, "").status,
        200,
        "manual renewal works"
    );
    assert_error(&desk.poll(at(7300), &session, ""), 401, "Session expired");
    desk.cloud
        .renew_by_dashboard(at(7400), "oc-1")
        .expect("it had a session");
    desk.cloud.expire_session(at(7401), "oc-1").expect("it has one");
    assert_error(&desk.poll(at(7402), &session, ""), 401, "Session expired");
    desk.cloud
        .renew_by_dashboard(at(7403), "oc-1")
        .expect("it had a session");
    assert_eq!(desk.poll(at(7404), &session, "").status, 200);

    let switches = Switches {
        dashboard_renewal: DashboardRenewal::Rotates,
        ..Switches::default()
    };
    let (mut desk, _, session) = Desk::registered(CloudConfig { switches, ..config() });
    desk.cloud
        .renew_by_dashboard(at(1), "oc-1")
        .expect("it has a session");
    assert_error(&desk.poll(at(2), &session, ""), 401, "Session expired");

    let mut desk = Desk::new(config());
    assert_eq!(
        desk.cloud.renew_by_dashboard(at(1), "oc-1"),
        Err(CloudError::NoSession("oc-1".into()))
    );
}

#[test]
fn sessions_live_by_the_server_s_clock() {
    let (mut desk, _, session) = Desk::registered(config());
    desk.events();
    desk.cloud.step_clock(at(60), 3_600_000_000_000);
    let events = desk.events();
    assert!(events.contains(&Event::ClockChanged {
        offset_ns: 3_600_000_000_000
    }));
    assert!(events.contains(&Event::SessionExpired {
        device: "oc-1".into(),
        session: session.clone()
    }));
    assert_error(&desk.poll(at(61), &session, ""), 401, "Session expired");
    // Set right again, the session is valid again.
    desk.cloud.set_skew(at(62), 0);
    assert_eq!(desk.poll(at(63), &session, "").status, 200);
    assert_eq!(desk.cloud.next_due(at(400)), Some(at(3600)));
    assert_eq!(desk.cloud.date(at(63)), "Thu, 01 Jan 2026 00:01:03 GMT");
    desk.cloud.set_skew(at(64), -5_000_000_000);
    assert_eq!(desk.cloud.date(at(64)), "Thu, 01 Jan 2026 00:00:59 GMT");
    assert_eq!(
        desk.cloud.set_drift(at(64), -1_000_000),
        Err(CloudError::InvalidDrift(-1_000_000))
    );
    desk.cloud.set_drift(at(64), 10_000).expect("a valid drift");
    assert_eq!(desk.cloud.clock().offset_ns(at(164)), -4_000_000_000);
    // 60 min of a clock that gains 1 % are over early: 64 s + (3600 - 59) s / 1.01.
    desk.cloud.advance(at(365));
    assert_eq!(
        desk.cloud.next_due(at(365)),
        Some(Instant::from_nanos(3_569_940_594_060))
    );
}

#[test]
fn the_date_stays_within_what_http_can_say() {
    let early = CloudConfig {
        clock_offset_ns: i64::MIN,
        ..config()
    };
    assert_eq!(
        Desk::new(early).cloud.date(at(0)),
        "Thu, 01 Jan 1970 00:00:00 GMT"
    );
}

#[test]
fn commands_have_limits() {
    let mut desk = Desk::new(config());
    for relay in [0, 17] {
        assert_eq!(
            desk.cloud.command_relay(at(0), "oc-1", relay, true),
            Err(CloudError::InvalidRelay(relay))
        );
    }
    for n in 1..=256 {
        assert_eq!(desk.cloud.command_relay(at(0), "oc-1", 16, true), Ok(n));
    }
    let full = desk.cloud.command_relay(at(0), "oc-1", 16, true);
    assert_eq!(full, Err(CloudError::TooManyCommands("oc-1".into())));
    let nobody = desk.cloud.command_relay(at(0), "oc-2", 1, true);
    assert_eq!(nobody, Err(CloudError::UnknownDevice("oc-2".into())));
}
