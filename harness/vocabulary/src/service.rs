//! Events of the cloud.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sim::Instant;

/// An endpoint of the contract (`docs/oceanremote-contract.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Endpoint {
    /// `POST /api/device/register/`
    Register,
    /// `POST /api/device/<id>/renew-session/`
    RenewSession,
    /// `POST /api/device/<id>/update/`
    Update,
    /// `GET /api/device/<id>/commands/`
    Commands,
    /// `GET /api/device/state/`
    State,
    /// Any other path.
    Other,
}

impl Endpoint {
    /// All of them, in the order of the contract.
    pub const ALL: [Endpoint; 6] = [
        Endpoint::Register,
        Endpoint::RenewSession,
        Endpoint::Update,
        Endpoint::Commands,
        Endpoint::State,
        Endpoint::Other,
    ];

    /// Its name in scenario files.
    pub const fn name(self) -> &'static str {
        match self {
            Endpoint::Register => "register",
            Endpoint::RenewSession => "renew-session",
            Endpoint::Update => "update",
            Endpoint::Commands => "commands",
            Endpoint::State => "state",
            Endpoint::Other => "other",
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no endpoint's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownEndpoint(pub String);

impl FromStr for Endpoint {
    type Err = UnknownEndpoint;

    fn from_str(s: &str) -> Result<Endpoint, UnknownEndpoint> {
        Endpoint::ALL
            .into_iter()
            .find(|e| e.name() == s)
            .ok_or_else(|| UnknownEndpoint(s.to_owned()))
    }
}

/// A part of a request's life at the cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Its first byte arrived; the endpoint is not known yet.
    FirstByte,
    /// Its head and body are whole; nothing has happened yet.
    BeforeEffect,
    /// The cloud's state has changed; nothing of the reply has left.
    AfterEffect,
    /// The whole reply was handed to the network.
    AfterReply,
}

/// A request and its reply as far as they are known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// Number of the request within the run, from 1.
    pub id: u64,
    /// Number of the TCP connection within the run, from 1.
    pub connection: u64,
    /// When its first byte arrived.
    #[serde(rename = "started_ns")]
    pub started: Instant,
    /// Endpoint; `None` at [`Phase::FirstByte`].
    pub endpoint: Option<Endpoint>,
    /// `GET`, `POST`, …
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Status of the reply; `None` before the effect, or when there was no reply.
    pub status: Option<u16>,
    /// Request head fields in order.
    pub request_headers: Vec<(String, String)>,
    /// Request body, lossily decoded.
    pub request_body: String,
    /// Reply head fields in order.
    pub reply_headers: Vec<(String, String)>,
    /// Reply body, lossily decoded.
    pub reply_body: String,
    /// What the request did at the cloud, in words: `session renewed`, `401 Session expired`, …
    pub effect: String,
}

/// What happened to a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionChange {
    /// A session was given out at registration.
    Issued {
        /// The new id.
        session: String,
    },
    /// The session was exchanged for a new one by renewal.
    Renewed {
        /// The new id.
        session: String,
    },
    /// A session was given out for the permanent token.
    Recovered {
        /// The new id.
        session: String,
    },
    /// Its time is over.
    Expired {
        /// The id.
        session: String,
    },
    /// It was ended before its time.
    Invalidated {
        /// The id.
        session: String,
        /// By whom or what.
        why: String,
    },
}

/// What the dashboard shows of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceStatus {
    /// Seen less than 10 s ago.
    Online,
    /// Seen 10 s to 300 s ago.
    Away,
    /// Not seen for more than 300 s.
    Offline,
}
