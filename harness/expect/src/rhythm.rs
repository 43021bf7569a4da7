//! `rate` and `backoff`: limits for the frequency of events.

use std::collections::VecDeque;
use std::time::Duration;

use scenario::Count;
use scenario::quantity::Factor;
use sim::Instant;

use crate::happening::{Happening, Nearly, Subject};
use crate::judge::{Failure, Judge, span};
use crate::nearest::Log;
use crate::times::Times;
use crate::window::Window;

/// At most `max` events in any period of length `per`.
#[derive(Debug)]
pub(crate) struct Rate {
    name: String,
    subject: Subject,
    max: u64,
    per: Duration,
    window: Window,
    recent: VecDeque<Instant>,
    failure: Option<Failure>,
    worst: usize,
}

impl Rate {
    pub(crate) fn new(name: String, subject: Subject, max: u64, per: Duration, window: Window) -> Rate {
        Rate {
            name,
            subject,
            max,
            per,
            window,
            recent: VecDeque::new(),
            failure: None,
            worst: 0,
        }
    }
}

impl Judge for Rate {
    fn observe(&mut self, h: &Happening<'_>) {
        let inside = self.window.takes(h);
        let Some(at) = self.subject.occurs(h).filter(|_| inside) else {
            return;
        };
        while self
            .recent
            .front()
            .is_some_and(|first| at.since(*first) >= self.per)
        {
            self.recent.pop_front();
        }
        self.recent.push_back(at);
        self.worst = self.worst.max(self.recent.len());
        if self.recent.len() as u64 > self.max && self.failure.is_none() {
            let first = self.recent.front().copied().unwrap_or(at);
            let message = format!(
                "awaited {} at most {} times in any {}{}; it came {} times from {first} to {at}",
                self.name,
                self.max,
                span(self.per),
                self.window.describe(),
                self.recent.len(),
            );
            self.failure = Some(Failure::new(message));
        }
    }

    fn decided(&self) -> Option<Failure> {
        self.failure.clone()
    }

    fn finish(&mut self, end: Instant, _log: &Log) -> Option<Failure> {
        self.window.advance(end);
        if let Some(why) = self.window.never_opened() {
            return Some(Failure::new(why));
        }
        let worst = format!("at worst {} times in {}", self.worst, span(self.per));
        self.failure.take().map(|failure| failure.near(Some(worst)))
    }
}

/// Each gap must be at least `factor` times the last one, up to a limit.
#[derive(Debug)]
pub(crate) struct Backoff {
    name: String,
    subject: Subject,
    factor: Factor,
    up_to: Duration,
    count: Count,
    window: Window,
    times: Times,
    nearly: Option<Nearly>,
    last: Option<Instant>,
    gap: Option<Duration>,
    failure: Option<Failure>,
}

impl Backoff {
    pub(crate) fn new(
        name: String,
        subject: Subject,
        factor: Factor,
        up_to: Duration,
        count: Count,
        window: Window,
    ) -> Backoff {
        let times = Times::default();
        Backoff {
            name,
            nearly: Nearly::to(&subject),
            subject,
            factor,
            up_to,
            count,
            window,
            times,
            last: None,
            gap: None,
            failure: None,
        }
    }

    /// The shortest gap allowed after `gap`.
    fn least(&self, gap: Duration) -> Duration {
        let ns = gap.as_nanos() * u128::from(self.factor.milli) / 1000;
        Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX)).min(self.up_to)
    }
}

impl Judge for Backoff {
    fn observe(&mut self, h: &Happening<'_>) {
        let inside = self.window.takes(h);
        let Some(at) = self.subject.occurs(h).filter(|_| inside) else {
            if let Some(nearly) = self.nearly.as_mut().filter(|_| inside) {
                nearly.observe(&self.subject, h);
            }
            return;
        };
        self.times.push(at);
        let Some(last) = self.last.replace(at) else { return };
        let gap = at.since(last);
        let Some(before) = self.gap.replace(gap) else {
            return;
        };
        let least = self.least(before);
        if gap < least && self.failure.is_none() {
            let message = format!(
                "awaited gaps between {} that grow by {} up to {}{}; after a gap of {} came one of {}, from {last} to {at}",
                self.name,
                self.factor,
                span(self.up_to),
                self.window.describe(),
                span(before),
                span(gap),
            );
            self.failure = Some(Failure::new(message).near(Some(format!("{} too short", span(least - gap)))));
        }
    }

    fn decided(&self) -> Option<Failure> {
        self.failure.clone()
    }

    fn finish(&mut self, end: Instant, _log: &Log) -> Option<Failure> {
        self.window.advance(end);
        if let Some(why) = self.window.never_opened() {
            return Some(Failure::new(why));
        }
        if let Some(failure) = self.failure.take() {
            return Some(failure);
        }
        (!self.count.holds(self.times.count)).then(|| {
            let (name, count, came) = (&self.name, self.count, self.times.count);
            let stretch = self.window.describe();
            Failure::new(format!(
                "awaited {name} {count} times{stretch}; it came {came} times{}{}",
                self.times.list(),
                self.nearly.as_ref().map_or_else(String::new, Nearly::told)
            ))
        })
    }
}
