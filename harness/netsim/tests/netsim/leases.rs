//! Tests of leases over hours: renewal, refusal, silence.

use std::net::Ipv4Addr;
use std::time::Duration;

use netsim::{DhcpMode, NetConfig, NetNote};
use sim::air::ToAir;

use crate::station::{Bench, SERVER, config};

const IP: Ipv4Addr = Ipv4Addr::new(192, 168, 4, 100);

#[test]
fn a_lease_is_renewed_for_hours() {
    let mut bench = Bench::online(NetConfig {
        lease_time_s: 600,
        ..config()
    });
    let ack = |n: &NetNote| *n == NetNote::DhcpAck { ip: IP };
    assert_eq!(bench.noted(ack), 1);
    bench.run(Duration::from_secs(3 * 3_600));
    // Renewals are at T1, every 300 s plus the round trip: the 36th is just after the end.
    assert_eq!(bench.noted(ack), 1 + 35);
    assert_eq!(
        bench.noted(|n| matches!(n, NetNote::DhcpDiscover { .. } | NetNote::DhcpExpired { .. })),
        1
    );
    assert!(bench.lease.is_some() && bench.ping(SERVER).is_some());
}

#[test]
fn a_refused_renewal_starts_over() {
    let mut bench = Bench::online(NetConfig {
        lease_time_s: 600,
        ..config()
    });
    bench.net.set_dhcp(DhcpMode::Nak);
    assert!(
        bench.until(Duration::from_secs(301), |b| b.lease.is_none()),
        "the refusal was not heard"
    );
    bench.net.set_dhcp(DhcpMode::Normal);
    assert!(bench.until(Duration::from_secs(60), |b| b.lease.is_some()));
}

#[test]
fn a_silent_server_costs_the_lease_at_its_end() {
    let mut bench = Bench::online(NetConfig {
        lease_time_s: 600,
        ..config()
    });
    bench.net.set_dhcp(DhcpMode::Silent);
    bench.run(Duration::from_secs(590));
    assert!(bench.lease.is_some());
    bench.run(Duration::from_secs(20));
    assert!(bench.lease.is_none());
    assert_eq!(bench.noted(|n| *n == NetNote::DhcpExpired { ip: IP }), 1);
}

#[test]
fn a_lease_time_set_in_flight_holds_for_the_next_lease() {
    let mut bench = Bench::online(config());
    bench.net.set_lease_time(120);
    bench.run(Duration::from_secs(3_601));
    let before = bench.noted(|n| matches!(n, NetNote::DhcpAck { .. }));
    bench.run(Duration::from_secs(300));
    let renewals = bench.noted(|n| matches!(n, NetNote::DhcpAck { .. })) - before;
    assert!(
        (4..=5).contains(&renewals),
        "{renewals} renewals in 300 s of a lease of 120 s"
    );
}

/// An ARP request of the station for `target`, as an announcement of its own address (RFC 5227) or for
/// another.
fn arp(sender: Ipv4Addr, target: Ipv4Addr) -> ToAir {
    let mac = crate::station::MAC;
    let mut frame = [[0xff; 6], mac].concat();
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(mac);
    frame.extend(sender.octets());
    frame.extend([0; 6]);
    frame.extend(target.octets());
    ToAir::Frame(frame)
}

#[test]
fn nobody_claims_the_stations_address_unless_told_to() {
    let mut bench = Bench::online(config());
    let answers = |bench: &mut Bench, sender, target| {
        bench.net.from_station(bench.now, arp(sender, target));
        let until = bench.now + Duration::from_millis(10);
        bench.net.poll(until);
        bench.now = until;
        let heard = bench.net.take_to_station();
        heard
            .iter()
            .filter(|m| matches!(m, sim::air::FromAir::Frame(f) if f[12..14] == [8, 6]))
            .count()
    };
    let gateway = Ipv4Addr::new(192, 168, 4, 1);
    assert_eq!(answers(&mut bench, IP, gateway), 1);
    assert_eq!(answers(&mut bench, IP, Ipv4Addr::new(192, 168, 4, 77)), 0);
    assert_eq!(answers(&mut bench, Ipv4Addr::UNSPECIFIED, IP), 0);
    assert_eq!(answers(&mut bench, IP, IP), 0);
    bench.net.set_address_conflict(true);
    assert_eq!(answers(&mut bench, Ipv4Addr::UNSPECIFIED, IP), 1);
    assert_eq!(answers(&mut bench, IP, IP), 1);
}
