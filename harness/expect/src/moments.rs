//! Detection of the trigger of a fault.

use std::time::Duration;

use scenario::{TimeSpan, Trigger};
use sim::Instant;
use vocabulary::{Event, Kind, Phase};

use crate::happening::{Edges, Happening, Subject, What};
use crate::moment::Moment;
use crate::serial::SerialMatcher;

/// Counts the occurrences of a trigger. The caller applies the trigger's own `nth`; an `nth` in its `after`
/// is applied here. The phase of requests without `at` is before their effect.
#[derive(Debug)]
pub struct Moments {
    serial: SerialMatcher,
    edges: Edges,
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// Occurrences by the clock: at `next`, and again after each interval.
    Clock {
        moment: Box<Moment>,
        scheduled: bool,
        next: Option<Instant>,
        interval: Option<Duration>,
    },
    Event(Subject),
}

impl Moments {
    /// Detects `trigger`; one that is a time repeats after each `interval`.
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
                    moment: Box::new(moment),
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

    /// Number of occurrences at this event.
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

    /// Number of occurrences by the clock up to `now`.
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

    /// The moment at which [`Moments::advance`] must be called next, if it is known.
    pub fn next_due(&self) -> Option<Instant> {
        match &self.source {
            Source::Clock { next, .. } => *next,
            Source::Event(_) => None,
        }
    }
}
