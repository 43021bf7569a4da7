//! Consumers of [`events`]: what a person reads after a run, and the files that a run leaves behind.
//!
//! Nothing here knows the bench. Text is made with ANSI styles; whoever prints it strips them where the
//! output is no terminal.

pub mod around;
pub mod capture;
mod error;
pub mod files;
pub mod html;
pub mod junit;
pub mod lines;
pub mod load;
mod outcome;
pub mod project;
pub mod redact;
mod redact_events;
pub mod serial;
#[cfg(any(test, feature = "synthetic"))]
pub mod synthetic;
pub mod terminal;
pub mod vcd;

use std::time::Duration;

use events::{Event, ExpectationResult, Kind};
use sim::Instant;

pub use error::ReportError;
pub use events::Trouble;
pub use outcome::Outcome;
use redact::Redactor;

/// A scenario that has ended, as the reports see it.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its name, unique within the selection.
    pub name: String,
    /// The file that it came from, as the user wrote it.
    pub path: String,
    /// How the command line selects just this run again.
    pub repeat: String,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// The expectation that must fail, for a negative control.
    pub must_fail: Option<String>,
    /// What the verdict is about, once `must_fail` is taken into account.
    pub outcome: Outcome,
    /// How long it took in wall time.
    pub wall: Duration,
    /// What carried it out: `emulator`, `board:NAME`, …; empty where nobody knows.
    pub backend: String,
    /// By how much the contract's intervals were divided; 1 is real time.
    pub time_scale: u32,
}

impl Run {
    /// The moment at which the run ended, true time.
    pub fn ended(&self) -> Instant {
        self.events.last().map_or(Instant::ZERO, |e| e.at)
    }

    /// The expectations in the order of their decision, with the moment of each.
    pub fn expectations(&self) -> impl Iterator<Item = (Instant, &ExpectationResult)> {
        self.events.iter().filter_map(|e| match &e.kind {
            Kind::Expectation(result) => Some((result.decided, result)),
            _ => None,
        })
    }

    /// The same run with placeholders for what `redactor` replaces, and without the raw console bytes.
    #[must_use]
    pub fn redacted(&self, redactor: &mut Redactor) -> Run {
        let raw = |e: &&Event| matches!(e.kind, Kind::SerialChunk { .. });
        let events = self
            .events
            .iter()
            .filter(|e| !raw(e))
            .map(|e| redactor.event(e))
            .collect();
        Run {
            name: self.name.clone(),
            path: self.path.clone(),
            repeat: self.repeat.clone(),
            events,
            must_fail: self.must_fail.clone(),
            outcome: self.outcome.redacted(redactor),
            wall: self.wall,
            backend: self.backend.clone(),
            time_scale: self.time_scale,
        }
    }

    /// Where it ran and how fast, for a person; empty for the emulator in its own time.
    pub fn place(&self) -> String {
        let mut parts = Vec::new();
        if !matches!(self.backend.as_str(), "" | "emulator") {
            parts.push(format!("on {}", self.backend));
        }
        if self.time_scale != 1 {
            parts.push(format!("time scale {}", self.time_scale));
        }
        parts.join(", ")
    }

    /// Instructions and unmodelled accesses of the run, zero for one that did not finish.
    pub fn counts(&self) -> (u64, u64) {
        match self.events.last().map(|e| &e.kind) {
            Some(Kind::ScenarioFinished {
                instructions,
                unmodelled,
                ..
            }) => (*instructions, *unmodelled),
            _ => (0, 0),
        }
    }
}
