//! For GitHub Actions: what people read, an annotation for each expectation that failed, and a step summary.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};
use vocabulary::text::without_escapes;

use crate::reporter::{InOrder, Output, Reporter, Session};
use crate::{Attempt, Outcome, Quarantine, ReportError, Run, terminal};

/// Prints verdicts with annotations, and adds a table to the step summary.
#[derive(Debug)]
pub struct Github<O> {
    order: InOrder<O>,
    quiet: bool,
    /// The file that `GITHUB_STEP_SUMMARY` names.
    step_summary: Option<PathBuf>,
    /// Its rows, by place.
    rows: BTreeMap<usize, String>,
}

impl<O: Output> Github<O> {
    /// Prints to `out`; `quiet` leaves out what passed. The table is added to `step_summary`.
    pub fn new(out: O, quiet: bool, step_summary: Option<PathBuf>) -> Github<O> {
        Github {
            order: InOrder::to(out),
            quiet,
            step_summary,
            rows: BTreeMap::new(),
        }
    }

    fn add_step_summary(&self, session: &Session<'_>) -> Result<(), ReportError> {
        let Some(path) = &self.step_summary else {
            return Ok(());
        };
        let rows: String = self.rows.values().map(String::as_str).collect();
        let text = format!(
            "### oceanrig: {}\n\n| | scenario | virtual time | why |\n|---|---|---|---|\n{rows}\n",
            without_escapes(&session.summary())
        );
        let add = OpenOptions::new().append(true).create(true).open(path);
        add.and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(ReportError::io("write", path))
    }
}

impl<O: Output> Reporter for Github<O> {
    fn run_done(&mut self, place: usize, run: &Run) -> Result<(), ReportError> {
        self.rows.insert(place, row(run));
        let text = if self.quiet && run.leaves_nothing_to_do() {
            String::new()
        } else {
            without_commands(&terminal::whole(run)) + &annotations(run)
        };
        self.order.put(place, text)
    }

    fn run_lost(&mut self, place: usize) -> Result<(), ReportError> {
        self.order.put(place, String::new())
    }

    fn session_done(&mut self, session: &Session<'_>) -> Result<(), ReportError> {
        let printed = self.order.summary(session);
        printed.and(self.add_step_summary(session))
    }
}

/// `text` in which GitHub's runner looks for no commands: a device may print lines that look like them.
fn without_commands(text: &str) -> String {
    // Nobody can print the word that ends this without knowing the text that it ends.
    let word: String = Sha256::digest(text.as_bytes())
        .iter()
        .take(16)
        .map(|b| format!("{b:02x}"))
        .collect();
    format!("::stop-commands::{word}\n{text}::{word}::\n")
}

/// One annotation for each expectation that failed without being meant to, or one for the scenario.
fn annotations(run: &Run) -> String {
    let mut out = String::new();
    let reasons = match &run.outcome {
        Outcome::Passed => return remark(run),
        Outcome::Failed { reasons } if run.is_quarantined() => {
            let known = run.quarantine.as_ref().map_or_else(String::new, Quarantine::text);
            let position = format!("{}:1:1", run.path);
            let text = format!("quarantined: {known}\n{}", reasons.join("\n"));
            return annotation("warning", &position, &run.name, &text);
        }
        Outcome::Skipped { reason } => {
            let position = format!("{}:1:1", run.path);
            return annotation("notice", &position, &run.name, &format!("skipped: {reason}"));
        }
        Outcome::Failed { .. } => run.outcome.reasons().join("\n"),
        Outcome::Infrastructure { next_step, .. } => {
            let step = next_step
                .as_ref()
                .map_or_else(String::new, |s| format!("\nnext step: {s}"));
            format!("{}{step}", run.outcome.reasons().join("\n"))
        }
    };
    for (at, result) in run.expectations() {
        if result.held || run.must_fail.as_ref() == Some(&result.name) {
            continue;
        }
        let nearest = result
            .nearest
            .as_ref()
            .map_or_else(String::new, |n| format!("\nnearest: {n}"));
        let message = format!("{}{nearest}\nat {at}; repeat: {}", result.message, run.repeat);
        let title = format!("{}: {}", run.name, result.name);
        out.push_str(&annotation("error", &result.position, &title, &message));
    }
    if out.is_empty() {
        let message = format!("{reasons}\nrepeat: {}", run.repeat);
        out.push_str(&annotation(
            "error",
            &format!("{}:1:1", run.path),
            &run.name,
            &message,
        ));
    }
    out
}

/// A warning about a pass that leaves something to do, if it does.
fn remark(run: &Run) -> String {
    let attempt = |a: &Attempt| format!("tried again: {}: {}", a.kind.phrase(), a.message);
    let texts: Vec<String> = run
        .attempts
        .iter()
        .map(attempt)
        .chain(run.quarantine_note())
        .collect();
    if texts.is_empty() {
        return String::new();
    }
    annotation(
        "warning",
        &format!("{}:1:1", run.path),
        &run.name,
        &texts.join("\n"),
    )
}

/// A workflow command of GitHub Actions, with its own escapes.
fn annotation(level: &str, position: &str, title: &str, message: &str) -> String {
    let data = |s: &str| s.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |s: &str| data(s).replace(':', "%3A").replace(',', "%2C");
    let mut parts = position.rsplitn(3, ':');
    let (col, line) = (parts.next().unwrap_or("1"), parts.next().unwrap_or("1"));
    let file = parts.next().unwrap_or(position);
    format!(
        "::{level} file={},line={line},col={col},title={}::{}\n",
        property(file),
        property(title),
        data(message)
    )
}

/// A row of the step summary.
fn row(run: &Run) -> String {
    let (mark, why) = match &run.outcome {
        Outcome::Passed => (
            "✅",
            run.must_fail
                .as_ref()
                .map_or_else(String::new, |name| format!("caught by {name}")),
        ),
        Outcome::Failed { .. } if run.is_quarantined() => ("🔇", {
            let known = run.quarantine.as_ref().map_or_else(String::new, Quarantine::text);
            format!("quarantined: {known}; {}", run.outcome.reasons().join("; "))
        }),
        Outcome::Failed { .. } => ("❌", run.outcome.reasons().join("; ")),
        Outcome::Infrastructure { .. } => ("⚠️", run.outcome.reasons().join("; ")),
        Outcome::Skipped { reason } => ("⏭️", format!("skipped: {reason}")),
    };
    let place = match run.place() {
        place if place.is_empty() => place,
        place => format!(" {place}"),
    };
    let cell = |s: &str| {
        s.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('|', "\\|")
            .replace(|c: char| c.is_control(), " ")
    };
    format!(
        "| {mark} | {} | {}{} | {} |\n",
        cell(&run.name),
        run.ended(),
        cell(&place),
        cell(&why)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_escapes_what_would_end_it() {
        assert_eq!(
            annotation("error", "a,b:c.yaml:12:5", "x: y", "50 % lost\nthen ::error::"),
            "::error file=a%2Cb%3Ac.yaml,line=12,col=5,title=x%3A y::50 %25 lost%0Athen ::error::\n"
        );
    }

    #[test]
    fn text_between_stop_words_carries_no_command() {
        let text = without_commands("::error::from the device\n");
        let lines: Vec<&str> = text.lines().collect();
        let word = lines[0].strip_prefix("::stop-commands::").unwrap();
        assert_eq!(lines[1..], ["::error::from the device", &format!("::{word}::")]);
        assert_ne!(without_commands("other\n").lines().next(), Some(lines[0]));
    }
}
