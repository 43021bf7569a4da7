//! Tests of a station's normal operation: association, lease, DNS, SNTP, TCP.

use std::net::Ipv4Addr;
use std::time::Duration;

use netsim::{DnsAnswer, NetNote, StreamEvent, StreamId};
use sim::air::{FromAir, Reason};
use smoltcp::socket::tcp::State;

use crate::station::{Bench, MAC, SERVER, config};

#[test]
fn a_station_joins_leases_and_resolves() {
    let mut bench = Bench::online(config());
    let Some((at, FromAir::Connected { ap, aid })) = bench.heard.first().cloned() else {
        panic!("not connected")
    };
    assert!((200..=400).contains(&at.as_millis()), "joined after {at}");
    assert_eq!(
        (ap.ssid.as_str(), ap.channel, ap.rssi_dbm, aid),
        ("oceanrig", 6, -52, 1)
    );
    let lease = (
        Ipv4Addr::new(192, 168, 4, 100),
        vec![Ipv4Addr::new(192, 168, 4, 1)],
    );
    assert_eq!(bench.lease, Some(lease));
    assert_eq!(bench.resolve("cloud.test"), Some(SERVER.into()));
    assert_eq!(bench.resolve("nowhere.test"), None);
    let kinds: Vec<&NetNote> = bench.notes.iter().map(|(_, n)| n).collect();
    let ip = Ipv4Addr::new(192, 168, 4, 100);
    let expected = [
        NetNote::ConnectAsked {
            ssid: "oceanrig".into(),
        },
        NetNote::Associated {
            mac: MAC,
            channel: 6,
            rssi_dbm: -52,
        },
        NetNote::DhcpDiscover { mac: MAC },
        NetNote::DhcpOffer { ip },
        NetNote::DhcpRequest { ip },
        NetNote::DhcpAck { ip },
        NetNote::DnsQuery {
            name: "cloud.test".into(),
            answer: DnsAnswer::Address(SERVER),
        },
        NetNote::DnsQuery {
            name: "nowhere.test".into(),
            answer: DnsAnswer::NxDomain,
        },
    ];
    assert_eq!(kinds, expected.iter().collect::<Vec<_>>());
}

#[test]
fn a_request_takes_its_round_trips_and_both_sides_say_goodbye() {
    let mut bench = Bench::online(config());
    // The ping resolves the MAC address of the gateway first.
    assert!(bench.ping(Ipv4Addr::new(192, 168, 4, 1)).is_some());
    let start = bench.now;
    let socket = bench.dial((SERVER, 80));
    assert!(bench.until(Duration::from_secs(1), |b| b.tcp(socket).may_send()));
    assert_eq!(bench.now.since(start), Duration::from_millis(44));
    let time = bench
        .echo(socket, b"GET / HTTP/1.1\r\n\r\n", Duration::from_secs(1))
        .unwrap();
    assert_eq!(time, Duration::from_millis(44));
    bench.tcp(socket).close();
    assert!(bench.until(Duration::from_secs(1), |b| b.tcp(socket).state()
        == State::TimeWait));
    bench.run(Duration::from_millis(100));
    let id = StreamId(1);
    let events: Vec<StreamEvent> = bench.events.iter().map(|(_, e)| e.clone()).collect();
    let from = (Ipv4Addr::new(192, 168, 4, 100), 50_000);
    let expected = [
        StreamEvent::Opened {
            id,
            from,
            to: (SERVER, 80),
        },
        StreamEvent::Data {
            id,
            bytes: b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        },
        StreamEvent::HalfClosed { id },
        StreamEvent::Closed { id },
    ];
    assert_eq!(events, expected);
    assert_eq!(bench.net.stream_count(), 0);
}

#[test]
fn sntp_tells_civil_time() {
    let mut bench = Bench::online(config());
    assert!(bench.ping(Ipv4Addr::new(192, 168, 4, 1)).is_some());
    bench.net.set_sntp(netsim::SntpMode::Normal, 3_000_000_000);
    let asked = bench.now;
    let mut request = [0; 48];
    request[0] = 0x23;
    request[40..].copy_from_slice(b"whenisit");
    let reply = bench
        .datagram(50_123, (Ipv4Addr::new(203, 0, 113, 123), 123), &request)
        .unwrap();
    assert_eq!((reply[0], reply[1], &reply[24..32]), (0x24, 2, &b"whenisit"[..]));
    // The server saw the request 22 ms after it was sent; its clock is 3 s ahead.
    let true_time = bench.net.civil_time(asked + Duration::from_millis(22));
    let seconds = u32::from_be_bytes(reply[40..44].try_into().unwrap());
    assert_eq!(u64::from(seconds), true_time.as_secs() as u64 + 2_208_988_800 + 3);
    // Four times 11 ms, and the delay of the server's answer.
    assert_eq!(bench.now.since(asked), Duration::from_micros(44_010));
    assert_eq!(
        bench.noted(|n| matches!(
            n,
            NetNote::SntpPoll {
                answered: Some(_),
                ..
            }
        )),
        1
    );
}

#[test]
fn a_wrong_password_and_an_unknown_network_are_refused_late() {
    let mut bench = Bench::new(config());
    bench.connect("oceanrig", "wrong-water");
    bench.run(Duration::from_secs(10));
    let [(at, reason)] = bench.disconnects()[..] else {
        panic!("{:?}", bench.heard)
    };
    assert_eq!(reason, Reason::FOUR_WAY_HANDSHAKE_TIMEOUT);
    assert!((3_000..=4_200).contains(&at), "{at} ms");
    bench.connect("elsewhere", "salt-water");
    bench.run(Duration::from_secs(10));
    assert_eq!(bench.disconnects()[1], (10_000 + 1_560, Reason::NO_AP_FOUND));
    bench.connect("oceanrig", "salt-water");
    bench.run(Duration::from_secs(1));
    assert!(bench.is_connected());
}
