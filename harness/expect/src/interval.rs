//! `interval`: the time between two moments.

use std::time::Duration;

use sim::Instant;

use crate::happening::Happening;
use crate::judge::{Failure, Judge, span};
use crate::moment::Moment;
use crate::nearest::Log;

/// Measures the time from one moment to another.
#[derive(Debug)]
pub(crate) struct Interval {
    pub(crate) from: Moment,
    pub(crate) to: Moment,
    /// True if the second moment is the first such event after the first moment.
    pub(crate) to_follows: bool,
    pub(crate) min: Option<Duration>,
    pub(crate) max: Option<Duration>,
    pub(crate) now: Instant,
}

impl Interval {
    fn range(&self) -> String {
        match (self.min, self.max) {
            (Some(min), Some(max)) => format!("{} to {}", span(min), span(max)),
            (Some(min), None) => format!("at least {}", span(min)),
            (None, Some(max)) => format!("at most {}", span(max)),
            (None, None) => "any time".to_owned(),
        }
    }

    fn verdict(&self) -> Option<Failure> {
        let awaited = format!(
            "awaited {} from {} to {}",
            self.range(),
            self.from.name(),
            self.to.name()
        );
        let Some(from) = self.from.reached() else {
            return Some(Failure::new(format!("{awaited}; {}", self.from.never_came())));
        };
        let Some(to) = self.to.reached() else {
            return Some(Failure::new(format!(
                "{awaited}; {} came at {from}, {}",
                self.from.name(),
                self.to.never_came()
            )));
        };
        if to < from {
            let message = format!(
                "{awaited}; {} came at {to}, before {} at {from}",
                self.to.name(),
                self.from.name()
            );
            return Some(Failure::new(message));
        }
        let took = to.since(from);
        let short = self
            .min
            .filter(|min| took < *min)
            .map(|min| (min - took, "too short"));
        let long = self
            .max
            .filter(|max| took > *max)
            .map(|max| (took - max, "too long"));
        let (by, how) = short.or(long)?;
        Some(
            Failure::new(format!("{awaited}; it took {}, from {from} to {to}", span(took)))
                .near(Some(format!("{} {how}", span(by)))),
        )
    }
}

impl Judge for Interval {
    fn observe(&mut self, h: &Happening<'_>) {
        self.from.advance(h.at);
        if self.from.reached().is_some() || !self.to_follows || self.to.by_clock() {
            self.to.observe(h);
        }
        self.from.observe(h);
    }

    fn advance(&mut self, now: Instant) {
        self.from.advance(now);
        self.to.advance(now);
        self.now = now;
    }

    fn deadline(&self) -> Option<Instant> {
        let from = self.from.reached().filter(|_| self.to.reached().is_none())?;
        self.max
            .map(|max| from + max + Duration::from_nanos(1))
            .filter(|at| *at > self.now)
    }

    fn decided(&self) -> Option<Failure> {
        if self.from.moves() || self.to.moves() {
            return None;
        }
        let from = self.from.reached()?;
        match self.to.reached() {
            Some(_) => self.verdict(),
            None => {
                let max = self.max?;
                (self.now > from + max).then(|| self.verdict()).flatten()
            }
        }
    }

    fn finish(&mut self, end: Instant, _log: &Log) -> Option<Failure> {
        self.advance(end);
        self.verdict()
    }
}
