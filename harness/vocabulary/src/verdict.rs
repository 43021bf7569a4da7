//! Events of the scenario: faults, steps, expectations, the verdict.

use serde::{Deserialize, Serialize};
use sim::Instant;

/// What of the bench failed: each calls for another remedy, and none says anything about the firmware.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// Anything that has no name of its own here.
    #[default]
    Bench,
    /// The image did not get into the device's flash.
    Flashing,
    /// The device's port went away, and did not come back in time.
    PortLost,
    /// The device was reset and the firmware never started.
    NoBoot,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Trouble; 4] = [
        Trouble::Bench,
        Trouble::Flashing,
        Trouble::PortLost,
        Trouble::NoBoot,
    ];

    /// Its name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Trouble::Bench => "bench",
            Trouble::Flashing => "flashing",
            Trouble::PortLost => "port-lost",
            Trouble::NoBoot => "no-boot",
        }
    }

    /// What went wrong, in words.
    pub const fn phrase(self) -> &'static str {
        match self {
            Trouble::Bench => "the bench failed",
            Trouble::Flashing => "flashing failed",
            Trouble::PortLost => "the port vanished",
            Trouble::NoBoot => "the device did not boot",
        }
    }
}

/// How a run ended. These are never confused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every expectation held.
    Pass,
    /// An expectation failed.
    Fail,
    /// The bench itself failed; nothing is known about the firmware.
    Infrastructure {
        /// What of it.
        #[serde(default)]
        kind: Trouble,
        /// What went wrong.
        message: String,
        /// What the person can do about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_step: Option<String>,
    },
    /// The backend cannot do what the scenario needs: it did not run.
    Skipped {
        /// What is missing.
        reason: String,
    },
}

/// What became of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultState {
    /// Its action began.
    Fired,
    /// Its action is over.
    Ended,
    /// Its moment came, and its action changed nothing.
    WithoutEffect,
    /// The run ended without its trigger.
    NeverFired,
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// It waits or acts.
    Started,
    /// It is done.
    Done,
    /// It failed.
    Failed {
        /// Why.
        message: String,
    },
}

/// An expectation, decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectationResult {
    /// Index from 0 in the scenario's list.
    pub index: usize,
    /// Its name or a description made from it.
    pub name: String,
    /// Whether it held.
    pub held: bool,
    /// What was awaited and what came instead; empty when it held.
    pub message: String,
    /// The nearest miss, when there is one.
    pub nearest: Option<String>,
    /// File position, `path:line:column`.
    pub position: String,
    /// The moment from which on nothing could change it: of a failure the one to look at.
    #[serde(rename = "decided_ns")]
    pub decided: Instant,
}
