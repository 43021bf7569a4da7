//! What a verdict comes to, once it is judged against what the scenario declares.

use serde::{Deserialize, Serialize};
use vocabulary::{Trouble, Verdict};

use crate::redact::Redactor;

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
    /// It did not run, because the backend cannot do what it needs. Never counted as passed.
    Skipped {
        /// What is missing.
        reason: String,
    },
}

impl Outcome {
    /// A bench that broke in a way that has no name of its own.
    pub fn broken(message: impl Into<String>) -> Outcome {
        Outcome::Infrastructure {
            kind: Trouble::Bench,
            message: message.into(),
            next_step: None,
        }
    }

    /// Its name in files: `passed`, `failed`, `error` or `skipped`.
    pub const fn name(&self) -> &'static str {
        match self {
            Outcome::Passed => "passed",
            Outcome::Failed { .. } => "failed",
            Outcome::Infrastructure { .. } => "error",
            Outcome::Skipped { .. } => "skipped",
        }
    }

    /// Why it is no pass, one line each; what the bench failed by begins with the kind of the trouble.
    pub fn reasons(&self) -> Vec<String> {
        match self {
            Outcome::Passed => Vec::new(),
            Outcome::Failed { reasons } => reasons.clone(),
            Outcome::Infrastructure { kind, message, .. } => vec![format!("{}: {message}", kind.phrase())],
            Outcome::Skipped { reason } => vec![reason.clone()],
        }
    }

    /// Judges a finished run against what its scenario declares.
    ///
    /// A negative control passes only if the expectation named in `must_fail` failed and no other did:
    /// a firmware caught by the wrong detector proves nothing about the right one. `others` is why it failed apart
    /// from expectations.
    pub fn judge(
        verdict: &Verdict,
        failed: &[String],
        must_fail: Option<&str>,
        others: &[String],
    ) -> Outcome {
        match verdict {
            Verdict::Infrastructure {
                kind,
                message,
                next_step,
            } => {
                return Outcome::Infrastructure {
                    kind: *kind,
                    message: message.clone(),
                    next_step: next_step.clone(),
                };
            }
            Verdict::Skipped { reason } => {
                return Outcome::Skipped {
                    reason: reason.clone(),
                };
            }
            Verdict::Pass | Verdict::Fail => {}
        }
        let mut reasons = others.to_vec();
        let unmeant = failed.iter().filter(|name| Some(name.as_str()) != must_fail);
        reasons.extend(unmeant.map(|name| format!("`{name}` failed")));
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

    /// Adds `more` reasons why it is a failure; what the bench failed by stays.
    pub fn add_reasons(&mut self, mut more: Vec<String>) {
        if more.is_empty() {
            return;
        }
        match self {
            Outcome::Passed => *self = Outcome::Failed { reasons: more },
            Outcome::Failed { reasons } => {
                more.append(reasons);
                *reasons = more;
            }
            Outcome::Infrastructure { .. } | Outcome::Skipped { .. } => {}
        }
    }

    /// The same with placeholders for what `redactor` replaces.
    #[must_use]
    pub fn redacted(&self, redactor: &mut Redactor) -> Outcome {
        let mut text = |t: &String| redactor.text(t).into_owned();
        match self {
            Outcome::Passed => Outcome::Passed,
            Outcome::Failed { reasons } => Outcome::Failed {
                reasons: reasons.iter().map(text).collect(),
            },
            Outcome::Infrastructure {
                kind,
                message,
                next_step,
            } => Outcome::Infrastructure {
                kind: *kind,
                message: text(message),
                next_step: next_step.as_ref().map(text),
            },
            Outcome::Skipped { reason } => Outcome::Skipped { reason: text(reason) },
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
        Outcome::judge(&verdict, &failed, must_fail, &[]) == Outcome::Passed
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
    fn a_broken_bench_is_neither_pass_nor_fail_and_keeps_its_kind() {
        for kind in Trouble::ALL {
            let verdict = Verdict::Infrastructure {
                kind,
                message: "no flash".into(),
                next_step: Some("plug it in".into()),
            };
            for must_fail in [None, Some("a")] {
                assert_eq!(
                    Outcome::judge(&verdict, &[], must_fail, &[]),
                    Outcome::Infrastructure {
                        kind,
                        message: "no flash".into(),
                        next_step: Some("plug it in".into()),
                    }
                );
            }
        }
    }

    #[test]
    fn what_was_skipped_did_not_pass() {
        let verdict = Verdict::Skipped {
            reason: "no access point".into(),
        };
        let outcome = Outcome::judge(&verdict, &[], Some("a"), &[]);
        assert_eq!(
            (outcome.name(), outcome.reasons()),
            ("skipped", vec!["no access point".to_owned()])
        );
    }

    #[test]
    fn an_outcome_written_before_there_were_kinds_is_read() {
        let old: Outcome = serde_json::from_str(r#"{"infrastructure":{"message":"m"}}"#).unwrap();
        assert_eq!(old, Outcome::broken("m"));
        let new = Outcome::Infrastructure {
            kind: Trouble::PortLost,
            message: "m".into(),
            next_step: Some("n".into()),
        };
        let json = serde_json::to_string(&new).unwrap();
        assert_eq!(
            json,
            r#"{"infrastructure":{"kind":"port-lost","message":"m","next_step":"n"}}"#
        );
        assert_eq!(serde_json::from_str::<Outcome>(&json).unwrap(), new);
    }
}
