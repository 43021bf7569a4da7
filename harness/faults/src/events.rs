//! From what a service tells to events.

use oceanremote::{Effect, SessionEnd, SessionOrigin};
use vocabulary::{DeviceStatus, Endpoint, Exchange, Kind, Phase, SessionChange};

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
