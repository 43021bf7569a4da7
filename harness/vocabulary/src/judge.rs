//! How a service judges an expectation of its own.
//!
//! The scenario runner keeps the window (`after`, `before`, `within`) and the clock; the judge sees the events
//! inside the window and answers. A judge holds no reference to the service: events carry everything it needs.

use std::fmt::Debug;
use std::time::Duration;

use sim::Instant;

use crate::Event;

/// An expectation that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What was awaited and what came instead, with times.
    pub message: String,
    /// The nearest miss, where there is one.
    pub nearest: Option<String>,
}

/// The window of an expectation in words, for messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WindowText {
    /// The moment that opens the window, such as `the end of the last fault`.
    pub moment: String,
    /// The whole window with a space before it, such as ` after 20m, within 5m`; empty without keys.
    pub whole: String,
}

/// Moments that a message lists at most.
const LISTED: usize = 8;

/// Moments for a message: how many there were, and the first ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// All of them, the listed ones included.
    pub count: u64,
    first: Vec<Instant>,
}

impl Times {
    /// One more.
    pub fn push(&mut self, at: Instant) {
        self.count += 1;
        if self.first.len() < LISTED {
            self.first.push(at);
        }
    }

    /// `, at 0:00:01.000, 0:00:02.000, …`, or nothing.
    pub fn list(&self) -> String {
        if self.first.is_empty() {
            return String::new();
        }
        let times: Vec<String> = self.first.iter().map(Instant::to_string).collect();
        let more = if self.count > LISTED as u64 { ", …" } else { "" };
        format!(", at {}{more}", times.join(", "))
    }
}

/// A length of time as scenario files write it, exact: `1h30m`, `250ms`, `0s`.
pub fn span(d: Duration) -> String {
    const UNITS: [(&str, u128); 7] = [
        ("d", 86_400_000_000_000),
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
        ("ns", 1),
    ];
    let mut rest = d.as_nanos();
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (name, scale) in UNITS {
        if rest >= scale {
            text.push_str(&format!("{}{name}", rest / scale));
            rest %= scale;
        }
    }
    text
}

/// The judge of one expectation during one run.
pub trait Judge: Debug {
    /// The window opens, or opens again at a later moment: what was seen before does not count.
    fn opened(&mut self, at: Instant);

    /// An event inside the window.
    fn observe(&mut self, event: &Event);

    /// The moment at which the judge can decide although no event comes, if there is one.
    fn deadline(&self) -> Option<Instant>;

    /// The failure that no later event can undo, as far as is known at `now`. The caller asks only when the
    /// opening moment of the window cannot move any more.
    fn decided(&self, now: Instant) -> Option<Failure>;

    /// The verdict at the end of the window or of the run: `None` if the expectation holds.
    fn finish(&mut self, end: Instant) -> Option<Failure>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_exact() {
        for (ns, text) in [
            (0, "0s"),
            (5_400_000_000_000, "1h30m"),
            (1_000_000_001, "1s1ns"),
            (86_400_250_000_000, "1d250ms"),
        ] {
            assert_eq!(span(Duration::from_nanos(ns)), text);
        }
    }

    #[test]
    fn a_list_of_moments_stays_short() {
        let mut times = Times::default();
        assert_eq!(times.list(), "");
        for s in 1..=20 {
            times.push(Instant::from_secs(s));
        }
        assert_eq!(times.count, 20);
        assert!(times.list().ends_with(", …"));
        assert_eq!(times.list().matches(':').count(), 2 * LISTED);
    }
}
