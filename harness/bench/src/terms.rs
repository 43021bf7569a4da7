//! The scenario's terms of the network in those of the network simulator.

use std::net::Ipv4Addr;
use std::time::Duration;

use netsim::{Direction, DnsMode, Filter, Impairment, NetConfig, Protocol, SntpMode};
use scenario::action::{DnsFault, Leap, LinkFault, NtpFault, Only, TrafficDirection, TrafficKind};
use scenario::quantity::Share;
use scenario::{Located, TimeSpan};

/// How long a frame is held back for others to overtake it, if nothing is said.
const REORDER_BY: Duration = Duration::from_millis(50);

/// Which frames `only` means. A file that was checked names hosts that the network knows.
pub(crate) fn filter(only: &Only, config: &NetConfig) -> Filter {
    let mut port = only.port.map(|port| port.value);
    let mut protocol = |kind| match kind {
        // The time servers of this bench may listen on another port than 123.
        TrafficKind::Ntp if config.ntp_port != 123 => {
            port = port.or(Some(config.ntp_port));
            Protocol::Udp
        }
        TrafficKind::Arp => Protocol::Arp,
        TrafficKind::Dhcp => Protocol::Dhcp,
        TrafficKind::Dns => Protocol::Dns,
        TrafficKind::Ntp => Protocol::Ntp,
        TrafficKind::Icmp => Protocol::Icmp,
        TrafficKind::Tcp => Protocol::Tcp,
        TrafficKind::Udp => Protocol::Udp,
    };
    Filter {
        protocol: only.protocol.map(&mut protocol),
        host: only.host.as_ref().and_then(|host| address(host, config)),
        port,
    }
}

fn address(host: &str, config: &NetConfig) -> Option<Ipv4Addr> {
    let known = || {
        config
            .dns_records
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(host))
            .map(|(_, ip)| *ip)
    };
    host.parse().ok().or_else(known)
}

/// A bad link.
pub(crate) fn impairment(fault: &LinkFault, config: &NetConfig) -> Impairment {
    let ppm = |share: Option<Located<Share>>| share.map_or(0, |s| s.ppm);
    let time = |t: Option<Located<TimeSpan>>| t.map(|t| t.duration()).unwrap_or_default();
    Impairment {
        direction: fault.direction.map(|direction| match direction {
            TrafficDirection::FromDevice => Direction::FromStation,
            TrafficDirection::ToDevice => Direction::ToStation,
        }),
        filter: fault
            .only
            .as_ref()
            .map(|only| filter(only, config))
            .unwrap_or_default(),
        loss_ppm: ppm(fault.loss),
        duplicate_ppm: ppm(fault.duplicate),
        corrupt_ppm: ppm(fault.corrupt),
        reorder_ppm: ppm(fault.reorder),
        reorder_by: fault.reorder_by.map_or(REORDER_BY, |t| t.duration()),
        latency: time(fault.latency),
        jitter: time(fault.jitter),
        bandwidth_bps: fault.bandwidth.map(|b| b.0),
        queue_bytes: 0,
    }
}

/// What DNS answers, and how late.
pub(crate) fn dns(fault: &DnsFault) -> (DnsMode, Duration) {
    match fault {
        DnsFault::Silent => (DnsMode::Silent, Duration::ZERO),
        DnsFault::Nxdomain => (DnsMode::NxDomain, Duration::ZERO),
        DnsFault::Servfail => (DnsMode::ServFail, Duration::ZERO),
        DnsFault::Address(ip) => (DnsMode::Address(ip.value), Duration::ZERO),
        DnsFault::Slow(by) => (DnsMode::Normal, by.duration()),
    }
}

/// What becomes of the SNTP servers.
pub(crate) enum Sntp {
    /// Their clock is so far ahead of true time, nanoseconds.
    Clock(i64),
    /// They answer this.
    Mode(SntpMode),
}

/// What becomes of the SNTP servers by a fault.
pub(crate) fn sntp(fault: &NtpFault) -> Sntp {
    Sntp::Mode(match fault {
        NtpFault::Offset(offset) => return Sntp::Clock(offset.0),
        NtpFault::Silent => SntpMode::Silent,
        NtpFault::KissOfDeath(code) => {
            let mut letters = [b' '; 4];
            letters
                .iter_mut()
                .zip(code.bytes())
                .for_each(|(to, from)| *to = from);
            SntpMode::KissOfDeath(letters)
        }
        NtpFault::Stratum16 => SntpMode::Unsynchronised,
        NtpFault::Zero => SntpMode::ZeroTransmit,
        NtpFault::WrongOriginate => SntpMode::WrongOriginate,
        NtpFault::Leap(Leap::Insert) => SntpMode::Leap(1),
        NtpFault::Leap(Leap::Delete) => SntpMode::Leap(2),
    })
}
