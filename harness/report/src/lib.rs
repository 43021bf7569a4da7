//! Consumers of events ([`vocabulary`]): what a person reads after a run, and the files that a run leaves behind.
//!
//! Nothing here knows the bench. Text is made with ANSI styles; whoever prints it strips them where the
//! output is no terminal.

pub mod around;
pub mod capture;
mod error;
pub mod files;
mod forms;
pub mod github;
pub mod history;
pub mod history_file;
pub mod html;
pub mod input;
pub mod json;
pub mod junit;
pub mod lines;
pub mod load;
mod outcome;
mod paint;
pub mod project;
pub mod redact;
mod redact_events;
pub mod reporter;
mod secrets;
pub mod serial;
pub mod spool;
mod summary;
#[cfg(any(test, feature = "synthetic"))]
pub mod synthetic;
pub mod terminal;
pub mod vcd;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sim::Instant;
use vocabulary::{Event, ExpectationResult, Kind};

pub use error::ReportError;
pub use outcome::Outcome;
use redact::Redactor;
pub use vocabulary::Trouble;

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
    /// The attempts before this one that came to nothing by the bench's fault.
    pub attempts: Vec<Attempt>,
    /// What is known of a failure of this scenario.
    pub quarantine: Option<Quarantine>,
    /// What came of comparing its log with its snapshot.
    pub snapshot: Option<Compared>,
    /// Nothing but its snapshot is wrong with it.
    pub only_snapshot: bool,
    /// What of its files could not be written: the verdict stands, and the trouble is reported too.
    pub troubles: Vec<String>,
    /// SHA-256 of the scenario file, hexadecimal; empty where nobody knows.
    pub scenario_sha256: String,
    /// When it ended, milliseconds since 1970; 0 where nobody knows.
    pub finished_unix_ms: u64,
}

/// What came of comparing a log with its snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotState {
    /// The log is the same, but for what is tolerated.
    Same,
    /// There is no snapshot yet.
    New,
    /// The log is another one.
    Different,
}

impl SnapshotState {
    /// Its name in files.
    pub const fn name(self) -> &'static str {
        match self {
            SnapshotState::Same => "same",
            SnapshotState::New => "new",
            SnapshotState::Different => "different",
        }
    }
}

/// A log compared with its snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// What came of it.
    pub state: SnapshotState,
    /// What differs, as text with styles; empty where nothing does.
    pub story: String,
}

/// An attempt at a run that came to nothing by the bench's fault, before another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// What of the bench failed.
    pub kind: Trouble,
    /// What went wrong.
    pub message: String,
    /// What the person can do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_step: Option<String>,
    /// How long it took.
    pub wall_ms: u64,
}

/// A failure that is known: it stays visible, and the run does not turn red by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// Why it is known.
    pub reason: String,
    /// The last day, `YYYY-MM-DD` in UTC; none is until somebody takes it off the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// That day is over: the failure counts again.
    pub expired: bool,
}

impl Quarantine {
    /// The reason, with the last day.
    pub fn text(&self) -> String {
        match &self.until {
            Some(day) => format!("{} (until {day})", self.reason),
            None => self.reason.clone(),
        }
    }
}

impl Run {
    /// The moment at which the run ended, true time.
    pub fn ended(&self) -> Instant {
        self.events.last().map_or(Instant::ZERO, |e| e.at)
    }

    /// The expectations in the order of their decision, with the moment of each.
    pub fn expectations(&self) -> impl Iterator<Item = (Instant, &ExpectationResult)> {
        self.events.iter().filter_map(|e| {
            let Kind::Expectation(result) = &e.kind else {
                return None;
            };
            Some((result.decided, result))
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
            attempts: self
                .attempts
                .iter()
                .map(|a| Attempt {
                    message: redactor.text(&a.message).into_owned(),
                    ..a.clone()
                })
                .collect(),
            quarantine: self.quarantine.clone(),
            snapshot: self.snapshot.clone(),
            only_snapshot: self.only_snapshot,
            troubles: self.troubles.clone(),
            scenario_sha256: self.scenario_sha256.clone(),
            finished_unix_ms: self.finished_unix_ms,
        }
    }

    /// Whether it passed, and there is nothing to say about it.
    pub fn leaves_nothing_to_do(&self) -> bool {
        self.outcome == Outcome::Passed && terminal::remarks(self).is_empty()
    }

    /// Forgets its events but the first and the last, which say what it ran on and how it ended.
    pub fn forget_events(&mut self) {
        let last = self.events.len().saturating_sub(1);
        let mut i = 0;
        self.events.retain(|_| {
            i += 1;
            i == 1 || i > last
        });
        self.events.shrink_to_fit();
    }

    /// Whether it failed in a way that is known and not red. What the bench got wrong is never meant.
    pub fn is_quarantined(&self) -> bool {
        matches!(self.outcome, Outcome::Failed { .. }) && self.quarantine.as_ref().is_some_and(|q| !q.expired)
    }

    /// What there is to say about its quarantine, apart from its reason: it passes again, or its time is over.
    pub fn quarantine_note(&self) -> Option<String> {
        let quarantine = self.quarantine.as_ref()?;
        let until = quarantine.until.as_deref().unwrap_or_default();
        match self.outcome {
            Outcome::Passed => Some("passes again: take it off the quarantine list".to_owned()),
            Outcome::Failed { .. } if quarantine.expired => Some(format!("its quarantine ended on {until}")),
            _ => None,
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
        if let Some(Kind::ScenarioFinished {
            instructions,
            unmodelled,
            ..
        }) = self.events.last().map(|e| &e.kind)
        {
            (*instructions, *unmodelled)
        } else {
            (0, 0)
        }
    }
}
