//! Tests that a service listens at its address and port only.

use std::net::Ipv4Addr;
use std::time::Duration;

use netsim::{NetNote, Refusal};
use smoltcp::socket::tcp::State;

use crate::station::{Bench, SERVER, config};

const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 4, 1);
const TIME: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 123);

/// Opens a connection to `to`. Returns if it is established, and the number of notes that no server listens.
fn dial(bench: &mut Bench, to: (Ipv4Addr, u16)) -> (bool, usize) {
    let socket = bench.dial(to);
    bench.run(Duration::from_millis(300));
    let stands = bench.tcp(socket).state() == State::Established;
    let refusal = NetNote::TcpRefused {
        to,
        why: Refusal::NobodyListens,
    };
    (stands, bench.noted(|n| *n == refusal))
}

#[test]
fn a_service_listens_at_its_address_and_port_and_nowhere_else() {
    let mut bench = Bench::online(config());
    assert_eq!(dial(&mut bench, (SERVER, 80)), (true, 0));
    let nowhere = [
        (SERVER, 4711),
        // The time server's host has no such port.
        (TIME, 443),
        (TIME, 80),
        // No name has these addresses.
        (Ipv4Addr::new(10, 0, 0, 1), 80),
        (Ipv4Addr::new(8, 8, 8, 8), 53),
        // The gateway serves DNS over UDP only, and no pages.
        (GATEWAY, 53),
        (GATEWAY, 80),
    ];
    for to in nowhere {
        assert_eq!(dial(&mut bench, to), (false, 1), "{to:?}");
    }
    // No host has another address of the subnet, so there is no refusal.
    assert_eq!(dial(&mut bench, (Ipv4Addr::new(192, 168, 4, 50), 80)), (false, 0));
}

#[test]
fn whoever_listens_everywhere_ends_that() {
    let mut bench = Bench::online(config());
    bench.net.set_listening_everywhere(true);
    assert_eq!(dial(&mut bench, (GATEWAY, 80)), (true, 0));
    bench.net.set_listening_everywhere(false);
    assert_eq!(dial(&mut bench, (GATEWAY, 81)), (false, 1));
}

#[test]
fn time_is_told_at_the_time_servers_only() {
    let mut bench = Bench::online(config());
    let mut request = [0; 48];
    request[0] = 0x23;
    assert!(bench.datagram(50_001, (TIME, 123), &request).is_some());
    for (to, from) in [
        (SERVER, 50_002),
        (GATEWAY, 50_003),
        (Ipv4Addr::new(10, 0, 0, 1), 50_004),
    ] {
        assert_eq!(bench.datagram(from, (to, 123), &request), None, "{to}");
        assert_eq!(bench.noted(|n| *n == NetNote::UdpUnheard { to: (to, 123) }), 1);
    }
}

#[test]
fn names_are_told_at_the_gateway_and_at_declared_resolvers_only() {
    let resolver = Ipv4Addr::new(9, 9, 9, 9);
    let mut with_resolver = config();
    with_resolver.resolvers.insert(resolver);
    let mut bench = Bench::online(with_resolver);
    let mut query = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    query.extend(b"\x05cloud\x04test\x00\x00\x01\x00\x01");
    for (to, from) in [(GATEWAY, 50_001), (resolver, 50_002)] {
        assert!(bench.datagram(from, (to, 53), &query).is_some(), "{to}");
    }
    for (to, from) in [(SERVER, 50_003), (Ipv4Addr::new(8, 8, 8, 8), 50_004)] {
        assert_eq!(bench.datagram(from, (to, 53), &query), None, "{to}");
        assert_eq!(bench.noted(|n| *n == NetNote::UdpUnheard { to: (to, 53) }), 1);
    }
}
