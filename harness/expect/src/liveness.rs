//! `liveness`: the device recovers after a moment.

use std::time::Duration;

use sim::Instant;
use vocabulary::{Kind, Phase};

use crate::happening::{Happening, What};
use crate::judge::{Failure, Judge, span};
use crate::moment::Moment;
use crate::nearest::Log;

/// Waits for a sign of a valid session after a moment.
#[derive(Debug)]
pub(crate) struct Liveness {
    moment: Moment,
    within: Duration,
    alive: Option<Instant>,
    now: Instant,
}

impl Liveness {
    pub(crate) fn new(moment: Moment, within: Duration) -> Liveness {
        Liveness {
            moment,
            within,
            alive: None,
            now: Instant::ZERO,
        }
    }

    fn verdict(&self) -> Option<Failure> {
        let (name, within) = (self.moment.name(), span(self.within));
        let awaited = format!("awaited a valid session within {within} after {name}");
        let Some(since) = self.moment.reached() else {
            return Some(Failure::new(format!("{awaited}; {}", self.moment.never_came())));
        };
        match self.alive {
            None => {
                let message = format!(
                    "{awaited} at {since}; no poll or update was answered 200 until {}",
                    self.now
                );
                Some(Failure::new(message))
            }
            Some(alive) if alive.since(since) > self.within => {
                let late = span(alive.since(since) - self.within);
                let message = format!("{awaited} at {since}; the first came at {alive}");
                Some(Failure::new(message).near(Some(format!("{late} too late"))))
            }
            Some(_) => None,
        }
    }
}

/// A poll or update that the cloud took: both need a valid session.
fn is_alive(h: &Happening<'_>) -> bool {
    let What::Event(event) = h.what else { return false };
    let Kind::Request {
        phase: Phase::AfterEffect,
        exchange,
    } = &event.kind
    else {
        return false;
    };
    exchange.status == Some(200)
        && matches!(
            exchange.endpoint.as_ref().map(vocabulary::Endpoint::name),
            Some("update" | "commands")
        )
}

impl Judge for Liveness {
    fn observe(&mut self, h: &Happening<'_>) {
        if self.moment.reached().is_some() && self.alive.is_none() && is_alive(h) {
            self.alive = Some(h.at);
        }
        if self.moment.observe(h) {
            self.alive = None;
        }
    }

    fn advance(&mut self, now: Instant) {
        self.moment.advance(now);
        self.now = now;
    }

    fn deadline(&self) -> Option<Instant> {
        let since = self
            .moment
            .reached()
            .filter(|_| self.alive.is_none() && !self.moment.moves())?;
        Some(since + self.within + Duration::from_nanos(1)).filter(|at| *at > self.now)
    }

    fn decided(&self) -> Option<Failure> {
        // While a later event can move the moment, the result is open.
        let since = self.moment.reached().filter(|_| !self.moment.moves())?;
        (self.now > since + self.within || self.alive.is_some())
            .then(|| self.verdict())
            .flatten()
    }

    fn finish(&mut self, end: Instant, _log: &Log) -> Option<Failure> {
        self.advance(end);
        self.verdict()
    }
}
