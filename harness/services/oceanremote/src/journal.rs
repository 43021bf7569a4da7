//! What happened, in order, with the moment of each.

use std::collections::VecDeque;
use std::net::IpAddr;

use serde::Serialize;
use sim::Instant;

use crate::{ConnId, DeviceStatus, Endpoint, Refusal, TokenKind};

/// How many entries wait to be taken at most; the oldest go first.
const KEPT: usize = 100_000;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// When.
    pub at: Instant,
    /// What.
    pub event: Event,
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

/// The kinds of entry. `exchange` numbers a request with its reply, from 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// A connection was opened.
    ConnectionOpened {
        /// Which.
        conn: ConnId,
        /// By whom.
        peer: IpAddr,
        /// False if it is one too many: its requests are answered 429.
        admitted: bool,
    },
    /// A connection has ended.
    ConnectionClosed {
        /// Which.
        conn: ConnId,
    },
    /// Bytes arrived that HTTP cannot read, or a request did not arrive in time; the connection is closing.
    BadRequest {
        /// On which connection.
        conn: ConnId,
        /// What was wrong.
        what: String,
    },
    /// The first byte of a request arrived.
    FirstByte {
        /// Which request.
        exchange: u64,
        /// On which connection.
        conn: ConnId,
    },
    /// The head of a request is complete.
    HeadDone {
        /// Which request.
        exchange: u64,
        /// Which endpoint it is for.
        endpoint: Endpoint,
        /// Counts the requests to this endpoint from 1.
        nth: u64,
        /// The method.
        method: String,
        /// Path and query.
        target: String,
    },
    /// A request is complete and is about to take effect.
    BeforeEffect {
        /// Which request.
        exchange: u64,
    },
    /// A request has taken effect; its reply is ready and nothing of it has been sent.
    AfterEffect {
        /// Which request.
        exchange: u64,
        /// Which endpoint it was for.
        endpoint: Endpoint,
        /// The device it was about, if one was made out.
        device: Option<String>,
        /// The status of the reply.
        status: u16,
        /// What it did.
        effect: Effect,
    },
    /// The last byte of a reply was handed to the network.
    ReplyDone {
        /// Which request's.
        exchange: u64,
        /// Bytes that went out, head included.
        bytes: u64,
    },
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

/// The entries that nobody has taken yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    entries: VecDeque<Entry>,
}

impl Journal {
    pub(crate) fn note(&mut self, at: Instant, event: Event) {
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(Entry { at, event });
    }

    pub(crate) fn take(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.entries).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_that_nobody_reads_stays_bounded() {
        let mut journal = Journal::default();
        for conn in 0..KEPT as u64 + 5 {
            journal.note(Instant::ZERO, Event::ConnectionClosed { conn });
        }
        let entries = journal.take();
        assert_eq!(entries.len(), KEPT);
        assert_eq!(entries[0].event, Event::ConnectionClosed { conn: 5 });
        assert!(journal.take().is_empty());
    }
}
