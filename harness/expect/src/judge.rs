//! What every kind of expectation can do.

use std::fmt;
use std::time::Duration;

use scenario::TimeSpan;
use sim::Instant;

use crate::happening::Happening;
use crate::nearest::Log;

/// Judges one expectation.
pub(crate) trait Judge: fmt::Debug {
    /// Something happened.
    fn observe(&mut self, h: &Happening<'_>);

    /// Time has come to `now`, and everything that happened before it was shown.
    fn advance(&mut self, _now: Instant) {}

    /// When [`Judge::advance`] can decide something.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// A failure that nothing can undo any more.
    fn decided(&self) -> Option<Failure> {
        None
    }

    /// The run is over at `end`. `None`: it held.
    fn finish(&mut self, end: Instant, log: &Log) -> Option<Failure>;
}

/// Why an expectation failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What was awaited and what came instead.
    pub(crate) message: String,
    /// The nearest miss.
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

/// Most times that a message lists.
const LISTED: usize = 8;

/// When something occurred: all of it counted, the first times kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times {
    pub(crate) count: u64,
    first: Vec<Instant>,
}

impl Times {
    pub(crate) fn push(&mut self, at: Instant) {
        self.count += 1;
        if self.first.len() < LISTED {
            self.first.push(at);
        }
    }

    /// The first time.
    pub(crate) fn first(&self) -> Option<Instant> {
        self.first.first().copied()
    }

    /// `, at 0:00:01.000, 0:00:02.000, …`, or nothing.
    pub(crate) fn list(&self) -> String {
        if self.first.is_empty() {
            return String::new();
        }
        let times: Vec<String> = self.first.iter().map(Instant::to_string).collect();
        let more = if self.count > LISTED as u64 { ", …" } else { "" };
        format!(", at {}{more}", times.join(", "))
    }
}

/// `once`, `2 times`.
pub(crate) fn times(count: u64) -> String {
    if count == 1 {
        "once".to_owned()
    } else {
        format!("{count} times")
    }
}

/// Occurrences that only a filter kept from being counted, with what they had in its place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Misses {
    count: u64,
    first: Vec<(Instant, String)>,
}

impl Misses {
    pub(crate) fn push(&mut self, at: Instant, instead: String) {
        self.count += 1;
        if self.first.len() < LISTED {
            self.first.push((at, instead));
        }
    }

    /// ` (lost once, with reason 4, at 0:05:00.000)`, or nothing. `verb` is what the occurrences are called.
    pub(crate) fn told(&self, verb: &str) -> String {
        let Some((_, one)) = self.first.first() else {
            return String::new();
        };
        let more = if self.count > LISTED as u64 { ", …" } else { "" };
        let how_often = times(self.count);
        if self.first.iter().all(|(_, instead)| instead == one) {
            let at: Vec<String> = self.first.iter().map(|(at, _)| at.to_string()).collect();
            return format!(" ({verb} {how_often}, {one}, at {}{more})", at.join(", "));
        }
        let each: Vec<String> = self
            .first
            .iter()
            .map(|(at, instead)| format!("{instead} at {at}"))
            .collect();
        format!(" ({verb} {how_often}: {}{more})", each.join(", "))
    }
}

/// A length of time for a message, exact.
pub(crate) fn span(d: Duration) -> TimeSpan {
    TimeSpan(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX))
}
