//! The last line of a session.

use std::fmt::Write as _;

use anstyle::Style;

use crate::paint::{BAD, DIM, GOOD, WARN, paint};
use crate::{Outcome, Run};

/// The last line: how many of what, and how long.
pub(crate) fn summary(runs: &[&Run], not_run: usize, wall: std::time::Duration) -> String {
    let count = |f: fn(&Run) -> bool| runs.iter().filter(|r| f(r)).count();
    let passed = count(|r| matches!(r.outcome, Outcome::Passed));
    let failed = count(|r| matches!(r.outcome, Outcome::Failed { .. }) && !r.is_quarantined());
    let broken = count(|r| matches!(r.outcome, Outcome::Infrastructure { .. }));
    let skipped = count(|r| matches!(r.outcome, Outcome::Skipped { .. }));
    let known = count(Run::is_quarantined);
    let again = count(|r| !r.attempts.is_empty());
    let style = |n: usize, style: Style, word: &str| {
        let text = format!("{n} {word}");
        if n > 0 { paint(style, &text) } else { text }
    };
    let mut out = format!(
        "{}, {}",
        style(passed, GOOD, "passed"),
        style(failed, BAD, "failed")
    );
    if broken > 0 {
        let _ = write!(out, ", {}", style(broken, WARN, "bench errors"));
    }
    if known > 0 {
        let _ = write!(out, ", {}", style(known, WARN, "quarantined"));
    }
    if skipped > 0 {
        let _ = write!(out, ", {}", style(skipped, WARN, "skipped"));
    }
    if not_run > 0 {
        let _ = write!(out, ", {}", style(not_run, WARN, "not run"));
    }
    if again > 0 {
        let _ = write!(out, ", {}", style(again, WARN, "tried again"));
    }
    let virtual_s = runs
        .iter()
        .fold(0_u64, |sum, r| sum.saturating_add(r.ended().as_secs()));
    let _ = write!(
        out,
        " {}",
        paint(
            DIM,
            &format!(
                "({}:{:02}:{:02} of device time in {:.2} s)",
                virtual_s / 3600,
                virtual_s / 60 % 60,
                virtual_s % 60,
                wall.as_secs_f64()
            )
        )
    );
    out
}
