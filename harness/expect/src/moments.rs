//! Watching for the trigger of a fault.

use std::time::Duration;

use scenario::{TimeSpan, Trigger};
use sim::Instant;
use vocabulary::{Event, Kind, Phase};

use crate::happening::{Edges, Happening, Subject, What};
use crate::moment::Moment;
use crate::serial::SerialMatcher;

/// The occurrences of a trigger. Its own `nth` is left to the caller, who counts; the `nth` of a trigger
/// inside `after` is minded. Requests without `at` are meant before their effect.
#[derive(Debug)]
pub struct Moments {
    serial: SerialMatcher,
    edges: Edges,
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// By the clock: next and again after an interval.
    Clock {
        moment: Moment,
        scheduled: bool,
        next: Option<Instant>,
        interval: Option<Duration>,
    },
    Event(Subject),
}

impl Moments {
    /// Watches for `trigger`; one that is a time comes again after each `interval`.
    pub fn new(trigger: &Trigger, interval: Option<TimeSpan>) -> Moments {
        let mut serial = SerialMatcher::new();
        let phase = Phase::BeforeEffect;
        let source = match Subject::new(trigger, phase, &mut serial) {
            Some(subject) => Source::Event(subject),
            None => {
                let moment = Moment::at_phase(trigger, phase, &mut serial);
                let interval = interval.map(TimeSpan::duration).filter(|i| !i.is_zero());
                let next = moment.due();
                Source::Clock {
                    scheduled: next.is_some(),
                    moment,
                    next,
                    interval,
                }
            }
        };
        Moments {
            serial,
            edges: Edges::default(),
            source,
        }
    }

    /// How often it occurred with this event.
    pub fn observe(&mut self, event: &Event) -> u32 {
        if let Kind::SerialChunk { port, bytes } = &event.kind {
            let hits = self.serial.feed(*port, bytes);
            return hits
                .iter()
                .map(|hit| self.happened(event.at, What::Serial(&[hit.pattern])))
                .sum();
        }
        if !self.edges.is_news(&event.kind) {
            return 0;
        }
        let mut occurred = 0;
        if matches!(event.kind, Kind::Reset { .. } | Kind::Power { on: false }) {
            for hit in self.serial.end_lines() {
                occurred += self.happened(event.at, What::Serial(&[hit.pattern]));
            }
        }
        occurred + self.happened(event.at, What::Event(event))
    }

    fn happened(&mut self, at: Instant, what: What<'_>) -> u32 {
        let h = Happening { at, what };
        match &mut self.source {
            Source::Event(subject) => u32::from(subject.occurs(&h).is_some()),
            Source::Clock {
                moment,
                scheduled,
                next,
                ..
            } => {
                if !*scheduled {
                    moment.observe(&h);
                    *next = moment.due().or(moment.reached());
                    *scheduled = next.is_some();
                }
                0
            }
        }
    }

    /// How often it occurred by the clock up to `now`.
    pub fn advance(&mut self, now: Instant) -> u32 {
        let Source::Clock { next, interval, .. } = &mut self.source else {
            return 0;
        };
        let mut occurred = 0;
        while let Some(at) = next.filter(|at| *at <= now) {
            occurred += 1;
            *next = interval.map(|interval| at + interval);
        }
        occurred
    }

    /// When [`Moments::advance`] has something to count, if that is only a matter of time.
    pub fn next_due(&self) -> Option<Instant> {
        match &self.source {
            Source::Clock { next, .. } => *next,
            Source::Event(_) => None,
        }
    }
}
