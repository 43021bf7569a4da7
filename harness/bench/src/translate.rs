//! From what is seen of the device, and the notes of the network, to events.

use std::net::Ipv4Addr;

use dut::Observation;
use netsim::{DnsAnswer, DropReason, NetConfig, NetNote, Refusal, ResetBy};
use vocabulary::{Kind, LinkEvent, TcpChange, WifiEvent};

/// The event that an observation is; the air is the network's affair.
pub(crate) fn observation(seen: Observation) -> Option<Kind> {
    Some(match seen {
        Observation::Air(_) => return None,
        Observation::PowerLost => Kind::Power { on: false },
        Observation::Serial { port, bytes } => Kind::SerialChunk { port, bytes },
        Observation::Pin { gpio, level } => Kind::Pin { gpio, level },
        Observation::Reset(cause) => Kind::Reset { cause },
        Observation::GuestFault { message, backtrace } => Kind::GuestFault { message, backtrace },
        Observation::Unmodelled(access) => Kind::Unmodelled(access),
        Observation::Exited { code, signal } => Kind::Exited { code, signal },
        Observation::PortLost => Kind::Note {
            text: "the connection to the device was lost".to_owned(),
        },
        Observation::PortBack { gap } => Kind::Note {
            text: format!(
                "the connection to the device is back after {} ms",
                gap.as_millis()
            ),
        },
        Observation::Remark { text, help } => Kind::Note {
            text: format!("{text}: {help}"),
        },
    })
}

/// The event that a note of the network is, if it is worth one.
pub(crate) fn net_note(note: &NetNote, config: &NetConfig) -> Option<Kind> {
    let dhcp = |message: &str, ip| {
        Kind::Link(LinkEvent::Dhcp {
            message: message.to_owned(),
            ip,
        })
    };
    let tcp = |id: u64, to: String, change| Kind::Link(LinkEvent::Tcp { id, to, change });
    Some(match note {
        NetNote::ScanAsked { .. } => Kind::Wifi(WifiEvent::Scan),
        NetNote::Associated {
            channel, rssi_dbm, ..
        } => Kind::Wifi(WifiEvent::Associated {
            ssid: config.ap.ssid.clone(),
            channel: *channel,
            rssi_dbm: *rssi_dbm,
        }),
        NetNote::AssociationRefused { reason } => Kind::Wifi(WifiEvent::Refused { reason: *reason }),
        NetNote::Disassociated { reason } => Kind::Wifi(WifiEvent::Disassociated { reason: *reason }),
        NetNote::DhcpDiscover { .. } => dhcp("discover", None),
        NetNote::DhcpOffer { ip } => dhcp("offer", Some(*ip)),
        NetNote::DhcpRequest { ip } => dhcp("request", Some(*ip)),
        NetNote::DhcpAck { ip } => dhcp("ack", Some(*ip)),
        NetNote::DhcpNak { ip } => dhcp("nak", Some(*ip)),
        NetNote::DhcpRelease { ip } => dhcp("release", Some(*ip)),
        NetNote::DhcpDecline { ip } => dhcp("decline", Some(*ip)),
        NetNote::DhcpExpired { ip } => dhcp("expired", Some(*ip)),
        NetNote::DnsQuery { name, answer } => Kind::Link(LinkEvent::Dns {
            name: name.clone(),
            answer: dns_answer(*answer),
        }),
        NetNote::SntpAsked { .. } => Kind::Link(LinkEvent::SntpAsked),
        NetNote::SntpPoll { answered, .. } => Kind::Link(LinkEvent::Sntp {
            answer: answered.map_or_else(|| "no time".to_owned(), |time| time.to_string()),
        }),
        NetNote::TcpOpened { id, to, .. } => tcp(id.0, format!("{}:{}", to.0, to.1), TcpChange::Opened),
        NetNote::TcpClosed { id } => tcp(id.0, String::new(), TcpChange::Closed),
        NetNote::TcpReset { id, by } => {
            let who = match by {
                ResetBy::Station => "by the device",
                ResetBy::Server => "by the server",
                ResetBy::Silence => "by silence",
            };
            tcp(id.0, who.to_owned(), TcpChange::Reset)
        }
        NetNote::TcpRefused { to, .. } => tcp(0, format!("{}:{}", to.0, to.1), TcpChange::Refused),
        NetNote::FrameDropped { why } => Kind::Link(LinkEvent::Dropped {
            why: drop_reason(*why).to_owned(),
        }),
        NetNote::ConnectAsked { .. } | NetNote::Vanished | NetNote::UdpUnheard { .. } => return None,
    })
}

/// The remark on a note of the network that tells of a place where nobody listens, and the place.
pub(crate) fn unheard(note: &NetNote) -> Option<((&'static str, Ipv4Addr, u16), String)> {
    let (protocol, to, did) = match note {
        NetNote::TcpRefused {
            to,
            why: Refusal::NobodyListens,
        } => ("tcp", to, "connected to"),
        NetNote::UdpUnheard { to } => ("udp", to, "sent a datagram to"),
        _ => return None,
    };
    let text = format!("the device {did} {}:{}, where nothing listens", to.0, to.1);
    Some(((protocol, to.0, to.1), text))
}

pub(crate) fn dns_answer(answer: DnsAnswer) -> String {
    match answer {
        DnsAnswer::Address(ip) => format!("A {ip}"),
        DnsAnswer::NoData => "no record of that type".to_owned(),
        DnsAnswer::NxDomain => "NXDOMAIN".to_owned(),
        DnsAnswer::ServFail => "SERVFAIL".to_owned(),
        DnsAnswer::FormErr => "FORMERR".to_owned(),
        DnsAnswer::NotImplemented => "NOTIMP".to_owned(),
        DnsAnswer::Silent => "no answer".to_owned(),
    }
}

fn drop_reason(why: DropReason) -> &'static str {
    match why {
        DropReason::NotAssociated => "the station is not associated",
        DropReason::AccessPointGone => "the access point is gone",
        DropReason::StationGone => "the station is gone",
        DropReason::ForeignSource => "foreign source address",
        DropReason::Unreadable => "unreadable",
        DropReason::TooLong => "too long",
        DropReason::Checksum => "bad checksum",
        DropReason::NotServed => "nobody listens",
        DropReason::ForeignAddress => "foreign IP address",
        DropReason::NoSuchHost => "no such host",
        DropReason::Impairment => "lost on the link",
        DropReason::TooManyStreams => "too many connections",
        DropReason::QueueFull => "queue full",
    }
}
