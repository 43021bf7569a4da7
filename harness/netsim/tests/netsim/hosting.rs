//! Tests of servers outside the simulation: connections that wait for an answer, and hosted datagrams.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use netsim::{Connect, Datagram, NetNote, Refusal, StreamEvent};
use smoltcp::socket::tcp::State;

use crate::station::{Bench, SERVER, config};

const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 4, 1);
const STATION: Ipv4Addr = Ipv4Addr::new(192, 168, 4, 100);

fn hosted(udp_ports: &[u16]) -> Bench {
    let mut bench = Bench::online(config());
    bench
        .net
        .set_hosted(udp_ports.iter().copied().collect::<BTreeSet<_>>());
    bench
}

#[test]
fn a_connection_waits_for_the_answer_of_the_host() {
    let mut bench = hosted(&[]);
    let socket = bench.dial((GATEWAY, 8080));
    // Long enough for the station to repeat its SYN.
    bench.run(Duration::from_secs(4));
    assert_eq!(bench.tcp(socket).state(), State::SynSent);
    let (from, to) = ((STATION, 50_000), (GATEWAY, 8080));
    assert_eq!(bench.net.take_connects(), [Connect { from, to }], "asked once");
    bench.net.answer_connect(Connect { from, to }, true);
    assert!(bench.echo(socket, b"through", Duration::from_secs(1)).is_some());
    assert!(matches!(
        bench.events[0].1,
        StreamEvent::Opened { from: f, to: t, .. } if (f, t) == (from, to)
    ));
}

#[test]
fn a_connection_that_the_host_refuses_is_reset() {
    let mut bench = hosted(&[]);
    let socket = bench.dial((SERVER, 443));
    bench.run(Duration::from_millis(100));
    let asked = bench.net.take_connects()[0];
    bench.net.answer_connect(asked, false);
    bench.run(Duration::from_millis(100));
    assert_eq!(bench.tcp(socket).state(), State::Closed);
    assert_eq!(
        bench.noted(|n| *n
            == NetNote::TcpRefused {
                to: (SERVER, 443),
                why: Refusal::NobodyListens
            }),
        1
    );
    assert_eq!(bench.events, []);
    // A second answer has no effect.
    bench.net.answer_connect(asked, true);
    assert_eq!(bench.net.stream_count(), 0);
}

/// Sends a datagram and answers it as the host.
fn exchange(bench: &mut Bench, to: (Ipv4Addr, u16), says: &[u8]) -> (Vec<Datagram>, Option<Vec<u8>>) {
    let nobody = bench.datagram(4000, to, b"ask");
    let came = bench.net.take_datagrams();
    if let Some(datagram) = came.first() {
        let reply = Datagram {
            from: datagram.to,
            to: (datagram.from.0, 4001),
            bytes: says.to_vec(),
        };
        bench.net.send_datagram(&reply);
        let answer = bench.datagram(4001, (GATEWAY, 9), b"listening");
        bench.net.take_datagrams();
        return (came, answer);
    }
    (came, nobody)
}

#[test]
fn datagrams_for_the_gateway_go_to_the_host_and_back() {
    let mut bench = hosted(&[]);
    let (came, answer) = exchange(&mut bench, (GATEWAY, 5683), b"told");
    let expected = Datagram {
        from: (STATION, 4000),
        to: (GATEWAY, 5683),
        bytes: b"ask".to_vec(),
    };
    assert_eq!(came, [expected]);
    assert_eq!(answer.as_deref(), Some(&b"told"[..]));
    // A datagram to another address gets no answer, and one that does not fit into a frame is dropped.
    assert_eq!(exchange(&mut bench, (SERVER, 5683), b"").0, []);
    let long = Datagram {
        from: (GATEWAY, 1),
        to: (STATION, 1),
        bytes: vec![0; 1473],
    };
    bench.net.send_datagram(&long);
    bench.run(Duration::from_millis(10));
    assert_eq!(bench.noted(|n| matches!(n, NetNote::FrameDropped { .. })), 1);
}

#[test]
fn dns_and_sntp_stay_with_the_network_unless_asked_for() {
    let mut bench = hosted(&[]);
    assert_eq!(bench.resolve("cloud.test"), Some(SERVER.into()));
    assert_eq!(exchange(&mut bench, (GATEWAY, 123), b"").0, []);

    let mut bench = hosted(&[53, 123]);
    assert_eq!(bench.resolve("cloud.test"), None, "the host says nothing");
    let queries = bench.net.take_datagrams();
    assert!(queries.iter().all(|d| d.to == (GATEWAY, 53)) && !queries.is_empty());
    let (came, _) = exchange(&mut bench, (SERVER, 123), b"time");
    assert_eq!(came[0].to, (SERVER, 123), "whatever the address");
}

#[test]
fn without_a_host_everything_is_as_it_was() {
    let mut bench = Bench::online(config());
    let socket = bench.dial((SERVER, 80));
    assert!(bench.echo(socket, b"hello", Duration::from_secs(1)).is_some());
    assert_eq!(exchange(&mut bench, (GATEWAY, 5683), b"").0, []);
    assert_eq!(bench.net.take_connects(), []);
}
