//! A moment of a run that a trigger names, reached at most once.

use std::time::Duration;

use scenario::Trigger;
use sim::Instant;
use vocabulary::Phase;

use crate::happening::{Happening, Nearly, Subject};
use crate::serial::SerialMatcher;
use crate::times::{Times, times};

/// A moment, and the time at which it was reached.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    name: String,
    kind: MomentKind,
    reached: Option<Instant>,
    /// For the message if it was not reached: occurrences before the one of the trigger. The next field has
    /// the near misses.
    earlier: Times,
    nearly: Option<Nearly>,
    /// True if it is given by a time. Events at that time then come after the moment.
    by_clock: bool,
}

#[derive(Clone, Debug)]
enum MomentKind {
    Time(Instant),
    After(Box<Moment>, Duration),
    /// Number of occurrences that are still to come.
    Nth(Subject, u32),
    /// Each occurrence moves the moment; the last one of the run counts.
    Last(Subject),
}

impl Moment {
    pub(crate) fn new(trigger: &Trigger, serial: &mut SerialMatcher) -> Moment {
        Moment::at_phase(trigger, Phase::AfterEffect, serial)
    }

    pub(crate) fn at_phase(trigger: &Trigger, phase: Phase, serial: &mut SerialMatcher) -> Moment {
        let kind = match trigger {
            Trigger::Time(time) => MomentKind::Time(Instant::from_nanos(time.nanos())),
            Trigger::After(after) => {
                let inner = Moment::at_phase(&after.trigger, phase, serial);
                MomentKind::After(Box::new(inner), after.delay.duration())
            }
            other => match (Subject::new(other, phase, serial), other) {
                (Some(subject), Trigger::Fault(f)) if f.last => MomentKind::Last(subject),
                (Some(subject), _) => MomentKind::Nth(subject, other.nth().unwrap_or(1)),
                (None, _) => MomentKind::Time(Instant::FAR_FUTURE),
            },
        };
        Moment::of(trigger.to_string(), kind)
    }

    fn of(name: String, kind: MomentKind) -> Moment {
        let nearly = match &kind {
            MomentKind::Nth(subject, _) | MomentKind::Last(subject) => Nearly::to(subject),
            MomentKind::Time(_) | MomentKind::After(..) => None,
        };
        Moment {
            name,
            by_clock: matches!(kind, MomentKind::Time(_) | MomentKind::After(..)),
            kind,
            reached: None,
            earlier: Times::default(),
            nearly,
        }
    }

    /// The moment of the last occurrence in the run.
    pub(crate) fn last(name: &str, subject: Subject) -> Moment {
        Moment::of(name.to_owned(), MomentKind::Last(subject))
    }

    /// Name of the moment in messages.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Earlier occurrences or near misses, in parentheses, or an empty text.
    pub(crate) fn near(&self) -> String {
        if let MomentKind::After(inner, _) = &self.kind {
            return inner.near();
        }
        if self.earlier.count > 0 {
            return format!(" (it came {}{})", times(self.earlier.count), self.earlier.list());
        }
        self.nearly.as_ref().map_or_else(String::new, Nearly::told)
    }

    /// Message `NAME never came`, with earlier occurrences or near misses.
    pub(crate) fn never_came(&self) -> String {
        format!("{} never came{}", self.name, self.near())
    }

    /// The start of the run.
    pub(crate) fn start() -> Moment {
        Moment {
            reached: Some(Instant::ZERO),
            ..Moment::of("power-on".to_owned(), MomentKind::Time(Instant::ZERO))
        }
    }

    /// The time at which it was reached, if it was.
    pub(crate) fn reached(&self) -> Option<Instant> {
        self.reached
    }

    pub(crate) fn by_clock(&self) -> bool {
        self.by_clock
    }

    /// True if a later event can move it.
    pub(crate) fn moves(&self) -> bool {
        matches!(self.kind, MomentKind::Last(_))
    }

    /// The time at which it will be reached, if that is known.
    pub(crate) fn due(&self) -> Option<Instant> {
        if self.reached.is_some() {
            return None;
        }
        match &self.kind {
            MomentKind::Time(at) => Some(*at),
            MomentKind::After(inner, delay) => inner.reached.map(|at| at + *delay).or_else(|| inner.due()),
            MomentKind::Nth(..) | MomentKind::Last(_) => None,
        }
    }

    /// Advances time to `now`.
    pub(crate) fn advance(&mut self, now: Instant) {
        if self.reached.is_some() && !self.moves() {
            return;
        }
        let at = match &mut self.kind {
            MomentKind::Time(at) => Some(*at),
            MomentKind::After(inner, delay) => {
                inner.advance(now);
                inner.reached.map(|at| at + *delay)
            }
            MomentKind::Nth(..) | MomentKind::Last(_) => None,
        };
        if let Some(at) = at
            && at <= now
        {
            self.reached = Some(at);
        }
    }

    /// Takes an input. Returns true if it is this moment.
    pub(crate) fn observe(&mut self, h: &Happening<'_>) -> bool {
        self.advance(h.at);
        match &mut self.kind {
            MomentKind::Time(_) => false,
            MomentKind::After(inner, delay) => {
                // With a delay of zero the moment is the event itself.
                let came = inner.observe(h) && delay.is_zero() && self.reached.is_none();
                if came {
                    self.reached = inner.reached;
                }
                came
            }
            MomentKind::Nth(subject, left) => {
                if *left == 0 {
                    return false;
                }
                let Some(at) = subject.occurs(h) else {
                    if let Some(nearly) = &mut self.nearly {
                        nearly.observe(subject, h);
                    }
                    return false;
                };
                *left -= 1;
                if *left == 0 {
                    self.reached = Some(at);
                } else {
                    self.earlier.push(at);
                }
                *left == 0
            }
            MomentKind::Last(subject) => {
                let at = subject.occurs(h);
                if let (None, Some(nearly)) = (at, &mut self.nearly) {
                    nearly.observe(subject, h);
                }
                self.reached = at.or(self.reached);
                at.is_some()
            }
        }
    }
}
