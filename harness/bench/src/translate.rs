//! From what is seen of the device, and the notes of network and cloud, to events.

use std::net::Ipv4Addr;

use dut::Observation;
use netsim::{DnsAnswer, DropReason, NetConfig, NetNote, Refusal, ResetBy};
use oceanremote::{Effect, SessionEnd, SessionOrigin};
use vocabulary::{
    DeviceStatus, Endpoint, Exchange, Kind, LinkEvent, Phase, SessionChange, TcpChange, WifiEvent,
};

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

/// The event that an entry of the cloud's journal is; requests come by [`exchange`] instead.
pub(crate) fn journal(event: &oceanremote::Event) -> Option<Kind> {
    use oceanremote::Event as E;
    let session = |device: &str, change| Kind::Session {
        device: device.to_owned(),
        change,
    };
    Some(match event {
        E::SessionIssued {
            device,
            session: id,
            origin,
        } => {
            let id = id.clone();
            session(
                device,
                match origin {
                    SessionOrigin::Registration => SessionChange::Issued { session: id },
                    SessionOrigin::Renewal | SessionOrigin::Dashboard => {
                        SessionChange::Renewed { session: id }
                    }
                    SessionOrigin::Recovery => SessionChange::Recovered { session: id },
                },
            )
        }
        E::SessionExtended { device, session: id } => {
            session(device, SessionChange::Renewed { session: id.clone() })
        }
        E::SessionExpired { device, session: id } => {
            session(device, SessionChange::Expired { session: id.clone() })
        }
        E::SessionInvalidated {
            device,
            session: id,
            reason,
        } => {
            let why = match reason {
                SessionEnd::Replaced => "replaced",
                SessionEnd::ExpiredByOperator => "expired by the operator",
                SessionEnd::Forgotten => "forgotten by the server",
                SessionEnd::Revoked => "its token was revoked",
                SessionEnd::DeviceDeleted => "the device was deleted",
            };
            session(
                device,
                SessionChange::Invalidated {
                    session: id.clone(),
                    why: why.to_owned(),
                },
            )
        }
        E::DeviceStatusChanged { device, to, .. } => Kind::Status {
            device: device.clone(),
            status: status(*to),
        },
        E::ClockChanged { offset_ns } => Kind::ClockOffset {
            clock: "server".to_owned(),
            offset_ns: *offset_ns,
        },
        E::BadRequest { what, .. } => Kind::Note {
            text: format!("the cloud got a bad request: {what}"),
        },
        E::Banned { peer, until } => Kind::Note {
            text: format!("the cloud banned {peer} until {until}"),
        },
        E::PermanentRevoked { device, .. } => Kind::Note {
            text: format!("the permanent token of {device} was revoked"),
        },
        E::DeviceDeleted { device } => Kind::Note {
            text: format!("the cloud deleted the device {device}"),
        },
        _ => return None,
    })
}

fn status(status: oceanremote::DeviceStatus) -> DeviceStatus {
    match status {
        oceanremote::DeviceStatus::Online => DeviceStatus::Online,
        oceanremote::DeviceStatus::Away => DeviceStatus::Away,
        oceanremote::DeviceStatus::Offline => DeviceStatus::Offline,
    }
}

pub(crate) fn endpoint(endpoint: oceanremote::Endpoint) -> Endpoint {
    match endpoint {
        oceanremote::Endpoint::Register => Endpoint::Register,
        oceanremote::Endpoint::RenewSession => Endpoint::RenewSession,
        oceanremote::Endpoint::Update => Endpoint::Update,
        oceanremote::Endpoint::Commands => Endpoint::Commands,
        oceanremote::Endpoint::State => Endpoint::State,
        oceanremote::Endpoint::Other => Endpoint::Other,
    }
}

/// The same phase in the terms of events.
pub(crate) fn phase(phase: oceanremote::Phase) -> Phase {
    match phase {
        oceanremote::Phase::FirstByte => Phase::FirstByte,
        oceanremote::Phase::BeforeEffect => Phase::BeforeEffect,
        oceanremote::Phase::AfterEffect => Phase::AfterEffect,
        oceanremote::Phase::ReplyDone => Phase::AfterReply,
    }
}

/// The event that a phase of an exchange is.
pub(crate) fn exchange(phase: oceanremote::Phase, x: &oceanremote::Exchange) -> Kind {
    let phase = self::phase(phase);
    let body = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    // The first phases are told once more, whole, when the request has taken effect.
    let whole = phase >= Phase::AfterEffect;
    let request = x.request.as_ref();
    let reply = x.reply.as_ref();
    Kind::Request {
        phase,
        exchange: Exchange {
            id: x.id,
            connection: x.conn,
            started: x.first_byte,
            endpoint: Some(endpoint(x.endpoint)),
            method: x.method.clone(),
            target: x.target.clone(),
            status: reply.map(|r| r.status),
            request_headers: request
                .filter(|_| whole)
                .map(|r| r.headers.clone())
                .unwrap_or_default(),
            request_body: request.map(|r| body(&r.body)).unwrap_or_default(),
            reply_headers: reply.map(|r| r.headers.clone()).unwrap_or_default(),
            reply_body: reply.map(|r| body(&r.body)).unwrap_or_default(),
            effect: x.effect.as_ref().map(|e| effect(e, reply)).unwrap_or_default(),
        },
    }
}

fn effect(effect: &Effect, reply: Option<&oceanremote::Reply>) -> String {
    match effect {
        Effect::None => "nothing".to_owned(),
        Effect::Registered => "device registered".to_owned(),
        Effect::Renewed {
            by: oceanremote::TokenKind::Permanent,
        } => "session recovered".to_owned(),
        Effect::Renewed { .. } => "session renewed".to_owned(),
        Effect::Updated => "report stored".to_owned(),
        Effect::Polled {
            commands,
            acknowledged,
        } => {
            format!("{commands} commands handed out, {acknowledged} acknowledged")
        }
        Effect::Refused(refusal) => {
            let status = reply.map_or(0, |r| r.status);
            format!(
                "refused: {status} {}",
                refusal.text(&oceanremote::Switches::default())
            )
        }
    }
}
