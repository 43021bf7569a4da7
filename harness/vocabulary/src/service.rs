//! Events of services.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use sim::Instant;

use crate::Kind;

/// The name of an endpoint of a service, from [`EndpointSpec::name`](crate::spec::EndpointSpec::name).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Endpoint(Cow<'static, str>);

impl Endpoint {
    /// The endpoint of this name.
    pub const fn named(name: &'static str) -> Endpoint {
        Endpoint(Cow::Borrowed(name))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl From<String> for Endpoint {
    fn from(name: String) -> Endpoint {
        Endpoint(Cow::Owned(name))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A part of a request's life at a service.
///
/// Which actions can have an effect at a phase is `http_service::able`; a fault that cannot have one is refused before
/// the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The first byte of the request has arrived; the rest may still be on its way. What names an endpoint or a target
    /// is reached as soon as the request line is there, which tells them. The request can still be cut off.
    FirstByte,
    /// Head and body are whole; nothing has happened yet. A reply given here takes the place of the effect.
    BeforeEffect,
    /// The service's state has changed, or the request was refused; nothing of the reply has left.
    AfterEffect,
    /// The last byte of the reply was handed to the network. The connection can still be ended.
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
    /// Endpoint; `None` at [`Phase::FirstByte`] while the request line is on its way.
    pub endpoint: Option<Endpoint>,
    /// This is the second event of [`Phase::FirstByte`]: the first one came before the endpoint was known.
    #[serde(default, skip_serializing_if = "is_false")]
    pub named_late: bool,
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
    /// What the request did at the service, in words: `session renewed`, `refused: 401 Session expired`, …
    pub effect: String,
    /// The request changed nothing and brought nothing: a poll without news.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_idle: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Something that a service tells, such as that a session was renewed; its names are those of a
/// [`FactSpec`](crate::spec::FactSpec).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// The service.
    pub service: Cow<'static, str>,
    /// The kind of fact.
    pub name: Cow<'static, str>,
    /// Its fields.
    pub fields: BTreeMap<Cow<'static, str>, Value>,
}

/// The value of a field of a [`Fact`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(Cow<'static, str>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(value) => value.fmt(f),
            Value::Integer(value) => value.fmt(f),
            Value::Text(value) => f.pad(value),
        }
    }
}

impl fmt::Display for Fact {
    /// The name and the fields: `ban: change banned, peer 192.168.4.2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (n, (field, value)) in self.fields.iter().enumerate() {
            write!(f, "{} {field} {value}", if n == 0 { ":" } else { "," })?;
        }
        Ok(())
    }
}

impl From<Fact> for Kind {
    /// The event of a fact. Sessions, the status and the server's clock have kinds of their own, which readers of
    /// events know.
    fn from(fact: Fact) -> Kind {
        legacy(&fact).unwrap_or(Kind::Fact(fact))
    }
}

fn legacy(fact: &Fact) -> Option<Kind> {
    let device = || fact.text("device").map(str::to_owned);
    match &*fact.name {
        "session" => {
            let session = fact.text("session")?.to_owned();
            let change = match fact.text("change")? {
                "issued" => SessionChange::Issued { session },
                "renewed" => SessionChange::Renewed { session },
                "recovered" => SessionChange::Recovered { session },
                "expired" => SessionChange::Expired { session },
                _ => SessionChange::Invalidated {
                    session,
                    why: fact.text("why").unwrap_or_default().to_owned(),
                },
            };
            Some(Kind::Session {
                device: device()?,
                change,
            })
        }
        "status" => Some(Kind::Status {
            device: device()?,
            status: match fact.text("status")? {
                "online" => DeviceStatus::Online,
                "away" => DeviceStatus::Away,
                _ => DeviceStatus::Offline,
            },
        }),
        "server-clock" => Some(Kind::ClockOffset {
            clock: "server".to_owned(),
            offset_ns: fact.number("offset-ns")?,
        }),
        _ => None,
    }
}

impl Fact {
    /// A fact without fields.
    pub const fn new(service: &'static str, name: &'static str) -> Fact {
        Fact {
            service: Cow::Borrowed(service),
            name: Cow::Borrowed(name),
            fields: BTreeMap::new(),
        }
    }

    /// The same with a field of text.
    #[must_use]
    pub fn with(mut self, field: &'static str, text: impl Into<Cow<'static, str>>) -> Fact {
        self.fields.insert(Cow::Borrowed(field), Value::Text(text.into()));
        self
    }

    /// The same with a number.
    #[must_use]
    pub fn with_number(mut self, field: &'static str, number: i64) -> Fact {
        self.fields.insert(Cow::Borrowed(field), Value::Integer(number));
        self
    }

    /// The same with a truth value.
    #[must_use]
    pub fn with_bool(mut self, field: &'static str, value: bool) -> Fact {
        self.fields.insert(Cow::Borrowed(field), Value::Bool(value));
        self
    }

    /// A field of text.
    pub fn text(&self, field: &str) -> Option<&str> {
        match self.fields.get(field)? {
            Value::Text(text) => Some(text),
            Value::Bool(_) | Value::Integer(_) => None,
        }
    }

    /// A field that is a number.
    pub fn number(&self, field: &str) -> Option<i64> {
        match self.fields.get(field)? {
            Value::Integer(number) => Some(*number),
            Value::Bool(_) | Value::Text(_) => None,
        }
    }
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
