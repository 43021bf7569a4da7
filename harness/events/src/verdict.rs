//! Events of the scenario: faults, steps, expectations, the verdict.

use serde::{Deserialize, Serialize};
use sim::Instant;

/// How a run ended. The three are never confused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every expectation held.
    Pass,
    /// An expectation failed.
    Fail,
    /// The bench itself failed; nothing is known about the firmware.
    Infrastructure {
        /// What went wrong.
        message: String,
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
