//! What a mock service implements.

use std::any::Any;
use std::borrow::Cow;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use sim::{Instant, UnixTime};
use thiserror::Error;
use vocabulary::Fact;
use vocabulary::spec::{Args, ServiceSpec};

use crate::{ConnId, Reply, Request};

/// The last second that `Date` can express: 9999-12-31T23:59:59Z.
const LAST_DATE_S: i64 = 253_402_300_799;

/// The endpoint that a path belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// Index into [`ServiceSpec::endpoints`]; the last one stands for every other path.
    pub endpoint: usize,
    /// What the path is about, such as a device id.
    pub subject: Option<String>,
}

/// What a request did to the service's state, for the record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// One short phrase: `session renewed`, `refused: 401 Session expired`.
    pub text: Cow<'static, str>,
    /// The request changed nothing and brought nothing: a poll without news. Reports leave such requests out.
    pub is_idle: bool,
}

impl Effect {
    /// An effect in a fixed phrase.
    pub const fn fixed(text: &'static str) -> Effect {
        Effect {
            text: Cow::Borrowed(text),
            is_idle: false,
        }
    }

    /// The effect of a request that the HTTP layer refused.
    pub(crate) fn refused(status: u16, what: &str) -> Effect {
        Effect {
            text: Cow::Owned(format!("refused: {status} {what}")),
            is_idle: false,
        }
    }
}

/// The result of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The reply.
    pub reply: Reply,
    /// What the request did.
    pub effect: Effect,
    /// What it was about, such as a device id, if that was made out.
    pub subject: Option<String>,
}

/// Which way an operation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It begins, or happens.
    Begin,
    /// It is in force already, and another one that set the same has ended: it is set again.
    Again,
    /// It ends: the configured state is restored.
    End,
}

/// An operation of the service's spec on its way to the service.
#[derive(Clone, Copy, Debug)]
pub struct Operation<'a> {
    /// A name from [`ServiceSpec::operations`].
    pub name: &'a str,
    /// Its checked parameters.
    pub args: &'a Args,
    /// What it is done to, such as a device id.
    pub subject: &'a str,
    /// Which way it goes.
    pub turn: Turn,
    /// How long it is planned to last; `None` where it has no end of its own, or is over at once.
    pub lasts: Option<Duration>,
}

impl Operation<'_> {
    /// Whether the operation is in force afterwards.
    pub fn is_on(&self) -> bool {
        match self.turn {
            Turn::Begin | Turn::Again => true,
            Turn::End => false,
        }
    }
}

/// An operation that the service did not carry out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OperationError {
    /// The spec has no such operation.
    #[error("no operation `{0}`")]
    Unknown(String),
    /// A parameter is missing or has another type than the spec says.
    #[error("`{operation}` needs the parameter `{parameter}`")]
    Parameter {
        /// The operation.
        operation: &'static str,
        /// The parameter.
        parameter: &'static str,
    },
    /// The state of the service does not allow it; the text says why.
    #[error("{0}")]
    Refused(String),
}

/// An operation that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operated {
    /// Its effect is there.
    Changed,
    /// Nothing is otherwise than before; the text says why.
    Nothing(String),
}

/// Limits of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// How long a request may take from its first byte to its last before it is answered 408.
    pub request_timeout: Duration,
    /// How long a connection may idle between two requests before the server closes it.
    pub idle_timeout: Duration,
    /// The longest request body, bytes; a longer one is answered 413.
    pub max_body: usize,
}

impl Default for ConnectionLimits {
    fn default() -> ConnectionLimits {
        ConnectionLimits {
            request_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            max_body: 64 * 1024,
        }
    }
}

/// A mock service: a state machine that time and requests drive.
///
/// Every method gets the time as an argument; a service reads no clock, sleeps nowhere and keeps no thread.
pub trait Service: Any {
    /// The names that scenario files may use for it.
    fn spec(&self) -> &'static ServiceSpec;

    /// The endpoint of a path (without query).
    fn classify(&self, path: &str) -> Class;

    /// A connection was opened. A service that counts connections counts it; one too many is told so by the reply to
    /// its requests.
    fn opened(&mut self, now: Instant, conn: ConnId, peer: IpAddr);

    /// A connection has ended.
    fn closed(&mut self, now: Instant, conn: ConnId);

    /// Answers a request.
    fn serve(&mut self, now: Instant, request: &Request) -> Outcome;

    /// The reply to a request that HTTP refuses before the service sees it, in the service's own form of an error.
    fn error_reply(&self, status: u16, text: &str) -> Reply;

    /// Carries out an operation.
    ///
    /// # Errors
    /// [`OperationError`] if nothing was done.
    fn operate(&mut self, now: Instant, operation: &Operation<'_>) -> Result<Operated, OperationError>;

    /// Lets time pass: does everything that happens by itself until `now`.
    fn advance(&mut self, now: Instant);

    /// The next moment at which something happens by itself.
    fn next_due(&self, now: Instant) -> Option<Instant>;

    /// Takes the facts since the last call, in order, each with its moment.
    fn take_facts(&mut self) -> Vec<(Instant, Fact)>;

    /// The host name that clients know it by, for redirects.
    fn host(&self) -> &str;

    /// The service's own clock, which need not agree with true time; `Date` comes from it.
    fn clock(&self, now: Instant) -> UnixTime;

    /// The limits of its connections.
    fn limits(&self) -> ConnectionLimits;
}

impl dyn Service {
    /// The name of the endpoint with this index; the last endpoint's for an index that is too large.
    pub(crate) fn endpoint_name(&self, index: usize) -> &'static str {
        let endpoints = self.spec().endpoints;
        endpoints
            .get(index)
            .or(endpoints.last())
            .map_or("other", |e| e.name)
    }

    /// The service as its own type.
    pub fn downcast<S: Service>(&self) -> Option<&S> {
        (self as &dyn Any).downcast_ref()
    }

    /// The service as its own type, to change it.
    pub fn downcast_mut<S: Service>(&mut self) -> Option<&mut S> {
        (self as &mut dyn Any).downcast_mut()
    }

    /// The service's time as an IMF-fixdate (RFC 9110, section 5.6.7).
    pub fn date(&self, now: Instant) -> String {
        http_date(self.clock(now).as_secs())
    }
}

/// A time as an IMF-fixdate (RFC 9110, section 5.6.7); outside 1970 to 9999 the nearest that the format can express.
pub fn http_date(unix_s: i64) -> String {
    let seconds = unix_s.clamp(0, LAST_DATE_S).unsigned_abs();
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}
