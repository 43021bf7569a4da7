//! Tests of scans, associations and their loss.

use std::time::Duration;

use netsim::{DropReason, NetConfig, NetNote, StreamEvent};
use sim::air::{ApInfo, AuthMode, FromAir, Reason, ToAir};

use crate::station::{Bench, MAC, SERVER, config};

fn scan(bench: &mut Bench, ssid: Option<&str>, channel: Option<u8>) -> (u64, Vec<String>) {
    let (start, seen) = (bench.now, bench.heard.len());
    bench.ask(ToAir::Scan {
        ssid: ssid.map(str::to_owned),
        channel,
    });
    assert!(bench.until(Duration::from_secs(3), |b| b.heard.len() > seen));
    let Some((at, FromAir::ScanDone(found))) = bench.heard.last() else {
        panic!("{:?}", bench.heard)
    };
    (
        at.since(start).as_millis() as u64,
        found.iter().map(|ap| ap.ssid.clone()).collect(),
    )
}

fn neighbours() -> NetConfig {
    let ap = |ssid: &str, channel, rssi_dbm| ApInfo {
        ssid: ssid.into(),
        bssid: [2, 0, 0, 0, 0, channel],
        channel,
        rssi_dbm,
        auth: AuthMode::Wpa2Psk,
    };
    NetConfig {
        other_aps: vec![ap("far", 1, -88), ap("near", 11, -40)],
        ..config()
    }
}

#[test]
fn a_scan_lists_the_strongest_first_after_a_scans_time() {
    let mut bench = Bench::new(neighbours());
    let all = ["near", "oceanrig", "far"].map(str::to_owned).to_vec();
    assert_eq!(scan(&mut bench, None, None), (1_560, all));
    assert_eq!(
        scan(&mut bench, None, Some(6)),
        (120, vec!["oceanrig".to_owned()])
    );
    assert_eq!(
        scan(&mut bench, Some("far"), None),
        (1_560, vec!["far".to_owned()])
    );
    assert_eq!(scan(&mut bench, Some("none"), None).1, Vec::<String>::new());
}

#[test]
fn a_hidden_network_is_found_by_name_only() {
    let mut bench = Bench::new(neighbours());
    bench.net.set_hidden(true);
    assert_eq!(scan(&mut bench, None, None).1, ["near", "far"]);
    assert_eq!(scan(&mut bench, Some("oceanrig"), None).1, ["oceanrig"]);
    bench.connect("oceanrig", "salt-water");
    bench.run(Duration::from_secs(1));
    assert!(bench.is_connected());
}

#[test]
fn an_open_network_takes_no_password_and_a_closed_one_wants_it() {
    let mut open = config();
    (open.ap.auth, open.ap.password) = (AuthMode::Open, String::new());
    let mut bench = Bench::new(open);
    bench.connect("oceanrig", "salt-water");
    bench.run(Duration::from_secs(1));
    assert_eq!(bench.disconnects()[0].1, Reason(211));
    bench.connect("oceanrig", "");
    bench.run(Duration::from_secs(1));
    assert!(bench.is_connected());
    let mut bench = Bench::new(config());
    bench.connect("oceanrig", "");
    bench.run(Duration::from_secs(1));
    assert_eq!(bench.disconnects()[0].1, Reason(210));
}

#[test]
fn a_password_changed_in_flight_keeps_who_is_in_and_refuses_who_comes_back() {
    let mut bench = Bench::online(config());
    bench.net.set_password("fresh-water".into()).unwrap();
    assert!(bench.ping(SERVER).is_some());
    bench.net.deauthenticate(bench.now, Reason::AUTH_EXPIRE);
    bench.run(Duration::from_secs(1));
    assert_eq!(bench.disconnects()[0].1, Reason::AUTH_EXPIRE);
    bench.connect("oceanrig", "salt-water");
    bench.run(Duration::from_secs(5));
    assert_eq!(bench.disconnects()[1].1, Reason::FOUR_WAY_HANDSHAKE_TIMEOUT);
    assert!(bench.net.set_password("short".into()).is_err());
}

#[test]
fn an_access_point_that_goes_is_missed_after_six_seconds() {
    let mut bench = Bench::online(config());
    let off = bench.now;
    bench.net.set_access_point(off, false);
    bench.run(Duration::from_secs(10));
    assert_eq!(
        bench.disconnects(),
        [(off.as_millis() + 6_000, Reason::BEACON_TIMEOUT)]
    );
    bench.connect("oceanrig", "salt-water");
    bench.run(Duration::from_secs(3));
    assert_eq!(bench.disconnects()[1].1, Reason::NO_AP_FOUND);
    bench.net.set_access_point(bench.now, true);
    bench.connect("oceanrig", "salt-water");
    bench.run(Duration::from_secs(1));
    assert!(bench.is_connected());
}

#[test]
fn a_short_absence_costs_frames_and_not_the_association() {
    let mut bench = Bench::online(config());
    bench.net.set_access_point(bench.now, false);
    assert_eq!(bench.ping(SERVER), None);
    assert!(
        bench.noted(|n| *n
            == NetNote::FrameDropped {
                why: DropReason::AccessPointGone
            })
            > 0
    );
    bench.net.set_access_point(bench.now, true);
    assert!(bench.ping(SERVER).is_some());
    bench.run(Duration::from_secs(10));
    assert_eq!(bench.disconnects(), []);
    // The next absence has six seconds of its own.
    bench.net.set_access_point(bench.now, false);
    bench.run(Duration::from_millis(5_990));
    assert_eq!(bench.disconnects(), []);
    bench.run(Duration::from_millis(10));
    assert_eq!(bench.disconnects().len(), 1);
}

#[test]
fn another_channel_is_another_place() {
    let mut bench = Bench::online(config());
    bench.net.set_channel(11).unwrap();
    bench.run(Duration::from_secs(7));
    assert_eq!(bench.disconnects()[0].1, Reason::BEACON_TIMEOUT);
    bench.connect("oceanrig", "salt-water");
    bench.run(Duration::from_secs(1));
    assert!(matches!(bench.heard.last(), Some((_, FromAir::Connected { ap, .. })) if ap.channel == 11));
    assert!(bench.net.set_channel(0).is_err());
}

#[test]
fn signal_strength_is_heard_while_associated() {
    let mut bench = Bench::online(config());
    bench.net.set_rssi(-79);
    bench.run(Duration::from_millis(1));
    assert_eq!(
        bench.heard.last().map(|(_, m)| m.clone()),
        Some(FromAir::Rssi(-79))
    );
    bench.ask(ToAir::Disconnect);
    bench.run(Duration::from_millis(10));
    let count = bench.heard.len();
    bench.net.set_rssi(-60);
    bench.run(Duration::from_millis(10));
    assert_eq!(bench.heard.len(), count);
}

#[test]
fn leaving_is_answered_and_a_second_connect_leaves_first() {
    let mut bench = Bench::online(config());
    bench.connect("oceanrig", "salt-water");
    bench.run(Duration::from_secs(1));
    assert_eq!(bench.disconnects()[0].1, Reason::ASSOC_LEAVE);
    assert!(bench.is_connected());
    bench.ask(ToAir::Disconnect);
    bench.run(Duration::from_secs(1));
    assert_eq!(bench.disconnects()[1].1, Reason::ASSOC_LEAVE);
    bench.ask(ToAir::Frame(vec![0; 60]));
    bench.run(Duration::from_millis(1));
    assert_eq!(
        bench.noted(|n| *n
            == NetNote::FrameDropped {
                why: DropReason::NotAssociated
            }),
        1
    );
}

#[test]
fn a_station_that_vanishes_leaves_what_it_had_sent() {
    let mut bench = Bench::online(config());
    let socket = bench.dial((SERVER, 80));
    assert!(bench.until(Duration::from_secs(1), |b| b.tcp(socket).may_send()));
    bench.tcp(socket).send_slice(b"last words").unwrap();
    bench.run(Duration::from_millis(1));
    bench.ask(ToAir::Vanish);
    bench.run(Duration::from_secs(1));
    let heard = bench
        .events
        .iter()
        .any(|(_, e)| matches!(e, StreamEvent::Data { bytes, .. } if bytes == b"last words"));
    assert!(heard, "{:?}", bench.events);
    assert_eq!(bench.disconnects(), []);
    // The echo was not acknowledged, so the server gives the connection up. The access point removes the
    // station.
    bench.run(Duration::from_secs(301));
    assert!(matches!(
        bench.events.last(),
        Some((_, StreamEvent::Reset { .. }))
    ));
    assert_eq!(bench.net.stream_count(), 0);
    assert_eq!(
        bench.noted(|n| *n == NetNote::Disassociated { reason: Reason(4) }),
        1
    );
    bench.connect("oceanrig", "salt-water");
    bench.run(Duration::from_secs(2));
    assert_eq!(
        bench.noted(|n| matches!(n, NetNote::Associated { mac: MAC, .. })),
        2
    );
}
