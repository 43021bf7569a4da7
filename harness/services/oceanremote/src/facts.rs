//! What happened at the cloud, typed, in order, with the moment of each.

use std::collections::VecDeque;
use std::net::IpAddr;

use http_service::Reply;
use serde::Serialize;
use sim::Instant;

use crate::{DeviceStatus, Endpoint, Refusal, SPEC, Switches, TokenKind};

/// How many entries wait to be taken at most; the oldest go first.
const KEPT: usize = 100_000;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// When.
    pub at: Instant,
    /// What.
    pub fact: Fact,
}

/// How a session came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionOrigin {
    /// By registration.
    Registration,
    /// By the session before it.
    Renewal,
    /// By the permanent token.
    Recovery,
    /// By hand, from the dashboard.
    Dashboard,
}

/// Why a session ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionEnd {
    /// Another session took its place.
    Replaced,
    /// An operator let it expire.
    ExpiredByOperator,
    /// An operator made the server forget it.
    Forgotten,
    /// The permanent token was revoked.
    Revoked,
    /// The device was deleted.
    DeviceDeleted,
}

/// What a request did to the state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Nothing.
    None,
    /// A device was claimed.
    Registered,
    /// A session was renewed, by a session or a permanent token.
    Renewed {
        /// What it was renewed by.
        by: TokenKind,
    },
    /// A report was stored.
    Updated,
    /// Commands were handed out.
    Polled {
        /// How many the reply carries.
        commands: usize,
        /// How many the poll acknowledged.
        acknowledged: usize,
    },
    /// The request was refused.
    Refused(Refusal),
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact {
    /// A session was issued.
    SessionIssued {
        /// To which device.
        device: String,
        /// The session.
        session: String,
        /// How it came to be.
        origin: SessionOrigin,
    },
    /// A session got a new end without a new id.
    SessionExtended {
        /// Whose.
        device: String,
        /// The session.
        session: String,
    },
    /// A session reached its end.
    SessionExpired {
        /// Whose.
        device: String,
        /// The session.
        session: String,
    },
    /// A session ended early.
    SessionInvalidated {
        /// Whose.
        device: String,
        /// The session.
        session: String,
        /// Why.
        reason: SessionEnd,
    },
    /// A permanent token was issued.
    PermanentIssued {
        /// To which device.
        device: String,
        /// The token.
        token: String,
    },
    /// A permanent token was revoked.
    PermanentRevoked {
        /// Whose.
        device: String,
        /// The token.
        token: String,
    },
    /// A registration token can no longer be used: a device registered with it, or an operator spent it.
    RegistrationSpent {
        /// Whose.
        device: String,
        /// The token.
        token: String,
    },
    /// An operator drew a new registration token.
    RegistrationRegenerated {
        /// Whose.
        device: String,
        /// The new token.
        token: String,
    },
    /// A device appeared (open registration) or went from pending to claimed.
    DeviceClaimed {
        /// Which.
        device: String,
    },
    /// A device was deleted.
    DeviceDeleted {
        /// Which.
        device: String,
    },
    /// The dashboard shows something else.
    DeviceStatusChanged {
        /// Of which device.
        device: String,
        /// What it showed; `None` before the device was first seen.
        from: Option<DeviceStatus>,
        /// What it shows.
        to: DeviceStatus,
    },
    /// An attempt failed that counts towards a ban.
    AuthFailed {
        /// At which endpoint.
        endpoint: Endpoint,
        /// From where.
        peer: IpAddr,
        /// The device it was about, if one was made out.
        device: Option<String>,
        /// The token that was sent.
        token: Option<String>,
        /// Why.
        refusal: Refusal,
        /// Failures of this address since its last success, this one included.
        failures: u32,
    },
    /// An address was banned.
    Banned {
        /// Which.
        peer: IpAddr,
        /// Until when.
        until: Instant,
    },
    /// An address is no longer banned, by an operator.
    Unbanned {
        /// Which.
        peer: IpAddr,
    },
    /// A request was over a limit.
    RateLimited {
        /// From where.
        peer: IpAddr,
        /// At which endpoint.
        endpoint: Endpoint,
        /// What `Retry-After` said, seconds.
        retry_after_s: u64,
    },
    /// An operator queued a command.
    CommandQueued {
        /// For which device.
        device: String,
        /// Its id.
        id: u64,
        /// Which relay, from 1.
        relay: u8,
        /// On or off.
        on: bool,
    },
    /// A poll's reply carries a command for the first time.
    CommandDelivered {
        /// To which device.
        device: String,
        /// Its id.
        id: u64,
    },
    /// A poll acknowledged a command.
    CommandAcknowledged {
        /// By which device.
        device: String,
        /// Its id.
        id: u64,
    },
    /// The server's clock was set, stepped or made to drift.
    ClockChanged {
        /// How far it is ahead of true time now, nanoseconds.
        offset_ns: i64,
    },
}

/// The entries that were not taken yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    entries: VecDeque<Entry>,
}

impl Journal {
    pub(crate) fn note(&mut self, at: Instant, fact: Fact) {
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(Entry { at, fact });
    }

    pub(crate) fn take(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.entries).into()
    }
}

impl Fact {
    /// The fact as the events tell it; `None` for one that only this crate's tests and the record of requests need.
    pub(crate) fn told(&self) -> Option<vocabulary::Fact> {
        let fact = |name| vocabulary::Fact::new(SPEC.name, name);
        let session = |change: &'static str, device: &str, session: &str| {
            fact("session")
                .with("change", change)
                .with("device", device.to_owned())
                .with("session", session.to_owned())
        };
        let token = |change: &'static str, kind: &'static str, device: &str, token: &str| {
            fact("token")
                .with("change", change)
                .with("kind", kind)
                .with("device", device.to_owned())
                .with("token", token.to_owned())
        };
        let command = |change: &'static str, device: &str, id: u64| {
            fact("command")
                .with("change", change)
                .with("device", device.to_owned())
                .with_number("id", i64::try_from(id).unwrap_or(i64::MAX))
        };
        Some(match self {
            Fact::SessionIssued {
                device,
                session: id,
                origin,
            } => {
                let change = match origin {
                    SessionOrigin::Registration => "issued",
                    SessionOrigin::Renewal | SessionOrigin::Dashboard => "renewed",
                    SessionOrigin::Recovery => "recovered",
                };
                session(change, device, id)
            }
            Fact::SessionExtended { device, session: id } => session("renewed", device, id),
            Fact::SessionExpired { device, session: id } => session("expired", device, id),
            Fact::SessionInvalidated {
                device,
                session: id,
                reason,
            } => session("invalidated", device, id).with("why", reason.text()),
            Fact::PermanentIssued { device, token: id } => token("issued", "permanent", device, id),
            Fact::PermanentRevoked { device, token: id } => token("revoked", "permanent", device, id),
            Fact::RegistrationSpent { device, token: id } => token("spent", "registration", device, id),
            Fact::RegistrationRegenerated { device, token: id } => {
                token("regenerated", "registration", device, id)
            }
            Fact::DeviceClaimed { device } => fact("device")
                .with("change", "claimed")
                .with("device", device.clone()),
            Fact::DeviceDeleted { device } => fact("device")
                .with("change", "deleted")
                .with("device", device.clone()),
            Fact::DeviceStatusChanged { device, to, .. } => fact("status")
                .with("status", to.name())
                .with("device", device.clone()),
            Fact::Banned { peer, until } => fact("ban")
                .with("change", "banned")
                .with("peer", peer.to_string())
                .with("until", until.to_string())
                .with_number("until_ns", i64::try_from(until.as_nanos()).unwrap_or(i64::MAX)),
            Fact::Unbanned { peer } => fact("ban")
                .with("change", "lifted")
                .with("peer", peer.to_string()),
            Fact::RateLimited {
                peer,
                endpoint,
                retry_after_s,
            } => fact("rate-limited")
                .with("endpoint", endpoint.name())
                .with("peer", peer.to_string())
                .with_number("retry-after-s", i64::try_from(*retry_after_s).unwrap_or(i64::MAX)),
            Fact::CommandQueued {
                device,
                id,
                relay,
                on,
            } => command("queued", device, *id)
                .with_number("relay", i64::from(*relay))
                .with_bool("on", *on),
            Fact::CommandDelivered { device, id } => command("delivered", device, *id),
            Fact::CommandAcknowledged { device, id } => command("acknowledged", device, *id),
            Fact::ClockChanged { offset_ns } => fact("server-clock").with_number("offset-ns", *offset_ns),
            // The exchange says it, with its status.
            Fact::AuthFailed { .. } => return None,
        })
    }
}

impl SessionEnd {
    /// The reason in words.
    const fn text(self) -> &'static str {
        match self {
            SessionEnd::Replaced => "replaced",
            SessionEnd::ExpiredByOperator => "expired by the operator",
            SessionEnd::Forgotten => "forgotten by the server",
            SessionEnd::Revoked => "its token was revoked",
            SessionEnd::DeviceDeleted => "the device was deleted",
        }
    }
}

impl Effect {
    /// The effect for the record; `reply` is the request's.
    pub(crate) fn told(&self, reply: &Reply) -> http_service::Effect {
        let fixed = http_service::Effect::fixed;
        match self {
            Effect::None => fixed("nothing"),
            Effect::Registered => fixed("device registered"),
            Effect::Renewed {
                by: TokenKind::Permanent,
            } => fixed("session recovered"),
            Effect::Renewed {
                by: TokenKind::Session | TokenKind::Registration,
            } => fixed("session renewed"),
            Effect::Updated => fixed("report stored"),
            Effect::Polled {
                commands: 0,
                acknowledged: 0,
            } => http_service::Effect {
                is_idle: true,
                ..fixed("0 commands handed out, 0 acknowledged")
            },
            Effect::Polled {
                commands,
                acknowledged,
            } => http_service::Effect {
                text: format!("{commands} commands handed out, {acknowledged} acknowledged").into(),
                is_idle: false,
            },
            Effect::Refused(refusal) => http_service::Effect {
                text: format!("refused: {} {}", reply.status, refusal.text(&Switches::default())).into(),
                is_idle: false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_that_is_not_read_stays_bounded() {
        let mut journal = Journal::default();
        for id in 0..KEPT as u64 + 5 {
            let device = String::new();
            journal.note(Instant::ZERO, Fact::CommandDelivered { device, id });
        }
        let entries = journal.take();
        assert_eq!(entries.len(), KEPT);
        assert!(matches!(entries[0].fact, Fact::CommandDelivered { id: 5, .. }));
        assert!(journal.take().is_empty());
    }
}
