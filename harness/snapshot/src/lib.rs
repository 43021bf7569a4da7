//! Snapshots: expected serial logs beside their scenarios, in the file format of insta, so that `cargo insta
//! review` works on them as well as `oceanrig snapshot`.
//!
//! | file | what |
//! |---|---|
//! | `log` | events → redacted lines with their times |
//! | `file` | reading and writing `.snap` and `.snap.new` |
//! | `tolerance` | what a scenario declares: lines that may interleave or repeat |
//! | `diff` | two logs → where they differ, with words and moved blocks |
//! | `render` | a diff → text for a terminal |
//! | `store` | the files beside the scenarios: check, list, accept, reject |

mod diff;
mod file;
mod log;
mod render;
mod store;
mod tolerance;

use std::io;
use std::path::PathBuf;

pub use diff::{Diff, Row, Section, Words};
pub use file::Snapshot;
pub use log::{Line, Log};
pub use render::render;
pub use store::{Checked, Mode, accept, check, path_for, pending, pending_path, reject, unreferenced};
pub use tolerance::{May, Tolerance, ToleranceRule};

/// An error of reading, writing or comparing snapshots.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A file cannot be read or written.
    #[error("cannot {what} {}", path.display())]
    Io {
        /// Name of the operation: `read`, `write`, …
        what: &'static str,
        /// Path of the file.
        path: PathBuf,
        /// Error of the system.
        source: io::Error,
    },
    /// A file is not a snapshot.
    #[error("{} is not a snapshot: {why}", path.display())]
    Format {
        /// Path of the file.
        path: PathBuf,
        /// Description of the missing part.
        why: &'static str,
    },
    /// The pattern of a rule is not a regular expression.
    #[error("`{pattern}` is not a regular expression")]
    Pattern {
        /// The pattern, as written in the scenario.
        pattern: String,
        /// Error of the regular expression parser.
        source: Box<regex::Error>,
    },
}

/// Result of comparing a log with the stored one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The logs are equal, except for tolerated differences.
    Same,
    /// The logs differ.
    Different(Diff),
    /// There is no stored log.
    New,
}

/// Compares `log` with the stored log, if there is one.
pub fn compare(log: &Log, stored: Option<&Log>, tolerance: &Tolerance) -> Comparison {
    let Some(stored) = stored else {
        return Comparison::New;
    };
    let (old, new) = (tolerance.split(stored), tolerance.split(log));
    let mut sections = Vec::new();
    for (old, new) in old.into_iter().zip(new) {
        if old.texts() != new.texts() {
            sections.push(diff::section(old.title, &old.lines, &new.lines));
        }
    }
    if sections.is_empty() {
        Comparison::Same
    } else {
        Comparison::Different(Diff { sections })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(text: &str) -> Log {
        Log::from_text(text)
    }

    fn rule(pattern: &str, may: May) -> Tolerance {
        Tolerance::new(&[ToleranceRule {
            lines: pattern.into(),
            may,
        }])
        .unwrap()
    }

    fn same(old: &str, new: &str, tolerance: &Tolerance) -> bool {
        compare(&log(new), Some(&log(old)), tolerance) == Comparison::Same
    }

    #[test]
    fn without_a_snapshot_it_is_new_and_an_equal_one_is_the_same() {
        let none = Tolerance::default();
        assert_eq!(compare(&log("a"), None, &none), Comparison::New);
        assert!(same("a\nb", "a\nb", &none));
        assert!(
            same("a\nb\n\n", "a\nb", &none),
            "empty lines at the end do not count"
        );
        assert!(!same("a\nb", "a\nc", &none));
    }

    #[test]
    fn nothing_is_tolerated_that_is_not_declared() {
        let none = Tolerance::default();
        assert!(!same("a\n[WIFI] x\nb", "a\nb\n[WIFI] x", &none));
        assert!(!same("a\ntick\nb", "a\ntick\ntick\nb", &none));
    }

    #[test]
    fn lines_that_may_interleave_keep_their_own_order() {
        let wifi = rule(r"^\[WIFI\]", May::Interleave);
        assert!(same(
            "a\n[WIFI] 1\n[WIFI] 2\nb",
            "[WIFI] 1\na\nb\n[WIFI] 2",
            &wifi
        ));
        assert!(
            !same("a\n[WIFI] 1\n[WIFI] 2\nb", "a\n[WIFI] 2\n[WIFI] 1\nb", &wifi),
            "their order is kept"
        );
        assert!(!same("a\n[WIFI] 1\nb", "a\nb", &wifi), "none is lost");
        assert!(
            !same("a\n[WIFI] 1\nb", "b\n[WIFI] 1\na", &wifi),
            "the others stay in order"
        );
        assert!(
            !same("a\n[WIFI] 1\nb", "a\n[WIFI] 1\n[WIFI] 1\nb", &wifi),
            "repeating is another thing"
        );
    }

    #[test]
    fn lines_that_may_repeat_do_so_next_to_each_other() {
        let tick = rule("^tick", May::Repeat);
        assert!(same("a\ntick\nb", "a\ntick\ntick\ntick\nb", &tick));
        assert!(same("a\ntick\ntick\nb", "a\ntick\nb", &tick));
        assert!(!same("a\ntick\nb", "a\nb", &tick), "once it must come");
        assert!(
            !same("a\ntick\nb", "a\ntick\nb\ntick", &tick),
            "elsewhere is not a repetition"
        );
        assert!(
            !same("a\ntick 1\nb", "a\ntick 1\ntick 2\nb", &tick),
            "another line is not a repetition"
        );
    }

    #[test]
    fn both_may_be_allowed() {
        let both = rule("^tick", May::InterleaveAndRepeat);
        assert!(same("a\ntick\nb", "tick\na\ntick\nb\ntick", &both));
        assert!(!same("a\ntick\nb", "a\nb", &both));
    }
}
