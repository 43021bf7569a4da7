//! The window of a run that an expectation evaluates.

use std::time::Duration;

use scenario::Trigger;
use sim::Instant;

use crate::happening::Happening;
use crate::moment::Moment;
use crate::serial::SerialMatcher;

/// A window of the run; see `after`, `before` and `within` in the scenario reference.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    start: Moment,
    end: Option<Moment>,
    /// True if the end is the first such event after the start, not the first of the run.
    end_follows: bool,
    within: Option<Duration>,
    /// True if the scenario gives a start.
    has_start: bool,
    /// ` after X, before Y, within Z`, or nothing.
    words: String,
}

impl Window {
    pub(crate) fn new(window: scenario::Window<'_>, serial: &mut SerialMatcher) -> Window {
        let moment = |t: &Trigger, serial: &mut SerialMatcher| Moment::new(t, serial);
        Window {
            start: window
                .after
                .map_or_else(Moment::start, |t| moment(&t.value, serial)),
            end: window.before.map(|t| moment(&t.value, serial)),
            end_follows: window.before.is_some_and(|t| t.nth().is_none()),
            within: window.within.map(|w| w.duration()),
            has_start: window.after.is_some(),
            words: window.to_string(),
        }
    }

    /// The window from a moment to the end of the run.
    pub(crate) fn from(start: Moment) -> Window {
        Window {
            start,
            end: None,
            end_follows: false,
            within: None,
            has_start: true,
            words: String::new(),
        }
    }

    /// Name of the moment that opens it.
    pub(crate) fn opening(&self) -> &str {
        self.start.name()
    }

    /// True if a later event can move its start.
    pub(crate) fn moves(&self) -> bool {
        self.start.moves()
    }

    /// What came nearest to its start, in parentheses, or an empty text.
    pub(crate) fn near(&self) -> String {
        self.start.near()
    }

    /// Takes an input and returns true if it is inside. All inputs must be given, in order.
    pub(crate) fn takes(&mut self, h: &Happening<'_>) -> bool {
        self.start.advance(h.at);
        let opened = self.start.reached().is_some();
        if let Some(end) = &mut self.end
            && (opened || !self.end_follows || end.by_clock())
        {
            end.observe(h);
        }
        let inside = opened && self.last().is_none_or(|last| h.at <= last);
        let closed = self.end.as_ref().is_some_and(|end| end.reached().is_some());
        self.start.observe(h);
        inside && !closed
    }

    /// Advances time to `now`.
    pub(crate) fn advance(&mut self, now: Instant) {
        self.start.advance(now);
        if let Some(end) = &mut self.end {
            end.advance(now);
        }
    }

    /// The moment at which it began.
    pub(crate) fn start(&self) -> Option<Instant> {
        self.start.reached()
    }

    /// The end of the window, as far as it is known; an event at that time may be inside.
    pub(crate) fn last(&self) -> Option<Instant> {
        let within = self
            .within
            .and_then(|within| self.start.reached().map(|start| start + within));
        let end = self
            .end
            .as_ref()
            .and_then(|end| end.reached().or_else(|| end.due().filter(|_| end.by_clock())));
        match (within, end) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// The first moment after the window, if it is known.
    pub(crate) fn over_at(&self) -> Option<Instant> {
        self.start.reached()?;
        self.last().map(|last| last + Duration::from_nanos(1))
    }

    /// The reason if there was no window: its start was never reached.
    pub(crate) fn never_opened(&self) -> Option<String> {
        (self.has_start && self.start.reached().is_none()).then(|| {
            format!(
                "{}, after which it was awaited, never came{}",
                self.start.name(),
                self.start.near()
            )
        })
    }

    /// ` after X, before Y, within Z`, or nothing.
    pub(crate) fn describe(&self) -> &str {
        &self.words
    }
}
