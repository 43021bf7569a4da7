//! `pin` and states of services: conditions on values over time.

use std::fmt;
use std::time::Duration;

use sim::Instant;
use vocabulary::Kind;

use crate::happening::{Happening, What};
use crate::judge::{Failure, Judge, span};
use crate::moment::Moment;
use crate::nearest::Log;
use crate::told;
use crate::window::Window;

/// Value of a pin or of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// A pin that is high.
    High,
    /// A pin that is low.
    Low,
    /// A state that a service tells.
    State(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::High => f.write_str("high"),
            Value::Low => f.write_str("low"),
            Value::State(state) => f.write_str(state),
        }
    }
}

impl Value {
    pub(crate) fn of_pin(high: bool) -> Value {
        if high { Value::High } else { Value::Low }
    }
}

/// Source of the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Pin(u8),
    /// The field of a fact that is a state.
    State {
        fact: &'static str,
        field: &'static str,
    },
}

impl Signal {
    fn change(self, h: &Happening<'_>) -> Option<Option<Value>> {
        let What::Event(event) = h.what else { return None };
        match self {
            Signal::Pin(pin) => {
                let Kind::Pin { gpio, level } = &event.kind else {
                    return None;
                };
                (pin == *gpio).then(|| level.map(Value::of_pin))
            }
            Signal::State { fact, field } => {
                told::field(&event.kind, fact, field).map(|state| Some(Value::State(state)))
            }
        }
    }

    fn text(self, value: Option<&Value>) -> String {
        match (self, value) {
            (Signal::Pin(pin), Some(value)) => format!("GPIO{pin} was {value}"),
            (Signal::Pin(pin), None) => format!("nothing drove GPIO{pin}"),
            (Signal::State { fact, .. }, Some(value)) => format!("the {fact} was {value}"),
            (Signal::State { fact, .. }, None) => format!("there was no {fact} yet"),
        }
    }

    fn name(self) -> String {
        match self {
            Signal::Pin(pin) => format!("GPIO{pin}"),
            Signal::State { fact, .. } => format!("the {fact}"),
        }
    }
}

/// Condition for the value.
#[derive(Debug)]
pub(crate) enum Demand {
    /// It has this value at a moment.
    At(Value, Box<Moment>),
    /// It always has this value.
    Always(Value),
    /// It never has this value.
    Never(Value),
    /// It has this value for a total time between these limits.
    TimeIn(Value, Option<Duration>, Option<Duration>),
}

/// Evaluates a condition for a value.
#[derive(Debug)]
pub(crate) struct Level {
    signal: Signal,
    demand: Demand,
    window: Window,
    value: Option<Value>,
    since: Instant,
    /// For [`Demand::At`]: the value at that moment.
    captured: Option<Option<Value>>,
    failure: Option<Failure>,
    total: Duration,
}

impl Level {
    pub(crate) fn new(signal: Signal, demand: Demand, window: Window) -> Level {
        Level {
            signal,
            demand,
            window,
            value: None,
            since: Instant::ZERO,
            captured: None,
            failure: None,
            total: Duration::ZERO,
        }
    }

    /// Processes the period from `since` to `until` (exclusive), in which the value was constant.
    fn close(&mut self, until: Instant) {
        let Some(start) = self.window.start() else { return };
        let from = self.since.max(start);
        let to = self.window.last().map_or(until, |last| until.min(last));
        if from >= to {
            return;
        }
        let wrong = match &self.demand {
            Demand::Always(value) => self.value.as_ref() != Some(value),
            Demand::Never(value) => self.value.as_ref() == Some(value),
            Demand::TimeIn(value, ..) => {
                if self.value.as_ref() == Some(value) {
                    self.total += to.since(from);
                }
                false
            }
            Demand::At(..) => false,
        };
        if wrong && self.failure.is_none() {
            let demand = match &self.demand {
                Demand::Never(value) => format!("never {value}"),
                Demand::Always(value) => format!("{value} all the time"),
                Demand::At(..) | Demand::TimeIn(..) => String::new(),
            };
            let message = format!(
                "awaited {} {demand}{}; {} from {from} to {to}",
                self.signal.name(),
                self.window.describe(),
                self.signal.text(self.value.as_ref()),
            );
            self.failure = Some(Failure::new(message).near(Some(format!("for {}", span(to.since(from))))));
        }
    }

    fn at_moment(&mut self, end: Instant) -> Option<Failure> {
        let Demand::At(wanted, moment) = &mut self.demand else {
            return None;
        };
        moment.advance(end);
        let awaited = format!("awaited {} {wanted} at {}", self.signal.name(), moment.name());
        let Some(at) = moment.reached() else {
            return Some(Failure::new(format!(
                "{awaited}, which never came{}",
                moment.near()
            )));
        };
        let value = self.captured.clone().unwrap_or_else(|| self.value.clone());
        if value.as_ref() == Some(wanted) {
            return None;
        }
        Some(Failure::new(format!(
            "{awaited}; {} at {at}",
            self.signal.text(value.as_ref())
        )))
    }

    fn time_in(&self) -> Option<Failure> {
        let Demand::TimeIn(value, min, max) = &self.demand else {
            return None;
        };
        let short = min
            .filter(|min| self.total < *min)
            .map(|min| format!("at least {}", span(min)));
        let long = max
            .filter(|max| self.total > *max)
            .map(|max| format!("at most {}", span(max)));
        let wanted = short.or(long)?;
        let (name, stretch, total) = (self.signal.name(), self.window.describe(), span(self.total));
        Some(Failure::new(format!(
            "awaited {name} {value} for {wanted}{stretch}; it was for {total} in all"
        )))
    }
}

impl Judge for Level {
    fn observe(&mut self, h: &Happening<'_>) {
        self.window.takes(h);
        let change = self.signal.change(h);
        if let Demand::At(_, moment) = &mut self.demand {
            let came = moment.observe(h);
            if self.captured.is_none() {
                if moment.by_clock() {
                    // A change at exactly that moment counts.
                    if moment.reached().is_some_and(|at| h.at > at) {
                        self.captured = Some(self.value.clone());
                    }
                } else if came {
                    self.captured = Some(change.clone().unwrap_or_else(|| self.value.clone()));
                }
            }
        }
        if let Some(value) = change.filter(|value| *value != self.value) {
            self.close(h.at);
            (self.value, self.since) = (value, h.at);
        }
    }

    fn decided(&self) -> Option<Failure> {
        self.failure.clone()
    }

    fn finish(&mut self, end: Instant, _log: &Log) -> Option<Failure> {
        self.window.advance(end);
        if matches!(self.demand, Demand::At(..)) {
            return self.at_moment(end);
        }
        if let Some(why) = self.window.never_opened() {
            return Some(Failure::new(why));
        }
        self.close(end);
        self.failure.take().or_else(|| self.time_in())
    }
}
