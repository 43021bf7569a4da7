//! `pin` and `status`: conditions on values over time.

use std::fmt;
use std::time::Duration;

use sim::Instant;
use vocabulary::{DeviceStatus, Kind};

use crate::happening::{Happening, What};
use crate::judge::{Failure, Judge, span};
use crate::moment::Moment;
use crate::nearest::Log;
use crate::window::Window;

/// Value of a pin or of the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// A pin that is high.
    High,
    /// A pin that is low.
    Low,
    /// Status on the dashboard.
    Status(DeviceStatus),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Value::High => "high",
            Value::Low => "low",
            Value::Status(DeviceStatus::Online) => "online",
            Value::Status(DeviceStatus::Away) => "away",
            Value::Status(DeviceStatus::Offline) => "offline",
        })
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
    Status,
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
            Signal::Status => {
                let Kind::Status { status, .. } = &event.kind else {
                    return None;
                };
                Some(Some(Value::Status(*status)))
            }
        }
    }

    fn text(self, value: Option<Value>) -> String {
        match (self, value) {
            (Signal::Pin(pin), Some(value)) => format!("GPIO{pin} was {value}"),
            (Signal::Pin(pin), None) => format!("nothing drove GPIO{pin}"),
            (Signal::Status, Some(value)) => format!("the status was {value}"),
            (Signal::Status, None) => "there was no status yet".to_owned(),
        }
    }

    fn name(self) -> String {
        match self {
            Signal::Pin(pin) => format!("GPIO{pin}"),
            Signal::Status => "the status".to_owned(),
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
            Demand::Always(value) => self.value != Some(*value),
            Demand::Never(value) => self.value == Some(*value),
            Demand::TimeIn(value, ..) => {
                if self.value == Some(*value) {
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
                self.signal.text(self.value),
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
        let value = self.captured.unwrap_or(self.value);
        if value == Some(*wanted) {
            return None;
        }
        Some(Failure::new(format!(
            "{awaited}; {} at {at}",
            self.signal.text(value)
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
                        self.captured = Some(self.value);
                    }
                } else if came {
                    self.captured = Some(change.unwrap_or(self.value));
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
