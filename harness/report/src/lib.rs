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
pub mod project;
pub mod redact;
mod redact_events;
pub mod serial;
#[cfg(any(test, feature = "synthetic"))]
pub mod synthetic;
pub mod terminal;
pub mod vcd;

use std::time::Duration;

use events::{Event, ExpectationResult, Kind, Verdict};
use serde::{Deserialize, Serialize};
use sim::Instant;

pub use error::ReportError;
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
}

/// A verdict judged against what the scenario declares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// As declared: every expectation held, or exactly the one that must fail did.
    Passed,
    /// Not as declared.
    Failed {
        /// Why, one line each.
        reasons: Vec<String>,
    },
    /// The bench itself failed.
    Infrastructure {
        /// What went wrong.
        message: String,
    },
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
        let outcome = match &self.outcome {
            Outcome::Passed => Outcome::Passed,
            Outcome::Failed { reasons } => Outcome::Failed {
                reasons: reasons.iter().map(|r| redactor.text(r).into_owned()).collect(),
            },
            Outcome::Infrastructure { message } => Outcome::Infrastructure {
                message: redactor.text(message).into_owned(),
            },
        };
        Run {
            name: self.name.clone(),
            path: self.path.clone(),
            repeat: self.repeat.clone(),
            events,
            must_fail: self.must_fail.clone(),
            outcome,
            wall: self.wall,
        }
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

impl Outcome {
    /// Judges a finished run against what its scenario declares.
    ///
    /// A negative control passes only if the expectation named in `must_fail` failed and no other did:
    /// a firmware caught by the wrong detector proves nothing about the right one.
    pub fn judge(verdict: &Verdict, failed: &[String], must_fail: Option<&str>) -> Outcome {
        if let Verdict::Infrastructure { message } = verdict {
            return Outcome::Infrastructure {
                message: message.clone(),
            };
        }
        let mut reasons: Vec<String> = failed
            .iter()
            .filter(|name| Some(name.as_str()) != must_fail)
            .map(|name| format!("`{name}` failed"))
            .collect();
        if let Some(name) = must_fail
            && !failed.iter().any(|f| f == name)
        {
            reasons.push(format!(
                "`{name}` held, and this scenario declares that it must fail"
            ));
        }
        if reasons.is_empty() && must_fail.is_none() && *verdict == Verdict::Fail {
            reasons.push("the scenario failed".to_owned());
        }
        if reasons.is_empty() {
            Outcome::Passed
        } else {
            Outcome::Failed { reasons }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(failed: &[&str], must_fail: Option<&str>) -> bool {
        let verdict = if failed.is_empty() {
            Verdict::Pass
        } else {
            Verdict::Fail
        };
        let failed: Vec<String> = failed.iter().map(|s| (*s).to_owned()).collect();
        Outcome::judge(&verdict, &failed, must_fail) == Outcome::Passed
    }

    #[test]
    fn a_negative_control_passes_only_by_the_expectation_meant_for_it() {
        assert!(judge(&[], None));
        assert!(!judge(&["a"], None));
        assert!(judge(&["a"], Some("a")));
        assert!(!judge(&["b"], Some("a")));
        assert!(!judge(&["a", "b"], Some("a")));
        assert!(!judge(&[], Some("a")));
    }

    #[test]
    fn a_broken_bench_is_neither_pass_nor_fail() {
        let verdict = Verdict::Infrastructure {
            message: "no flash".into(),
        };
        for must_fail in [None, Some("a")] {
            let outcome = Outcome::judge(&verdict, &[], must_fail);
            assert_eq!(
                outcome,
                Outcome::Infrastructure {
                    message: "no flash".into()
                }
            );
        }
    }
}
