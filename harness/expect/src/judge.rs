//! Interface of all kinds of expectations.

use std::fmt;
use std::time::Duration;

use scenario::TimeSpan;
use sim::Instant;

use crate::happening::Happening;
use crate::nearest::Log;

/// Evaluates one expectation.
pub(crate) trait Judge: fmt::Debug {
    /// Takes the next input of the run.
    fn observe(&mut self, h: &Happening<'_>);

    /// Advances time to `now`, after all inputs before it were given.
    fn advance(&mut self, _now: Instant) {}

    /// The moment at which [`Judge::advance`] can decide the expectation.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// A failure that later events cannot change.
    fn decided(&self) -> Option<Failure> {
        None
    }

    /// Ends the run at `end`. `None` if the expectation was met.
    fn finish(&mut self, end: Instant, log: &Log) -> Option<Failure>;
}

/// Reason why an expectation failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The expected and the actual events.
    pub(crate) message: String,
    /// Description of the nearest miss, if there is one.
    pub(crate) nearest: Option<String>,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Failure {
        Failure {
            message: message.into(),
            nearest: None,
        }
    }

    pub(crate) fn near(mut self, nearest: Option<String>) -> Failure {
        self.nearest = nearest;
        self
    }
}

/// A duration for a message, exact.
pub(crate) fn span(d: Duration) -> TimeSpan {
    TimeSpan(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX))
}
