//! What stdout gets of each run: `--format`.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use report::{Attempt, Outcome, Quarantine, Run, terminal};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use snapshot::Comparison;
use vocabulary::Kind;
use vocabulary::text::one_line;

use crate::carry_out::Done;
use crate::cli::{Format, RunArgs};
use crate::commands::snapshot as snapshots;
use crate::error::{CliError, stdout_failed};
use crate::output::{self, Screen};

/// Prints results in the format that was asked for.
pub(crate) struct Printer<'a> {
    format: Format,
    quiet: bool,
    screen: &'a Screen,
    /// Rows of the step summary.
    rows: String,
}

impl<'a> Printer<'a> {
    /// A printer for one round of runs.
    pub(crate) fn new(args: &RunArgs, screen: &'a Screen) -> Printer<'a> {
        Printer {
            format: args.format,
            quiet: args.quiet,
            screen,
            rows: String::new(),
        }
    }

    /// Prints a result.
    ///
    /// # Errors
    /// When stdout takes no more.
    pub(crate) fn done(&mut self, done: &Done) -> Result<(), CliError> {
        let run = &done.run;
        self.screen.count();
        self.rows.push_str(&row(run));
        // Quiet about a pass that leaves nothing to do.
        let passed = run.outcome == Outcome::Passed && terminal::remarks(run).is_empty();
        let text = match self.format {
            _ if self.quiet && passed => String::new(),
            Format::Human => human(done),
            Format::Json => format!("{}\n", object(done)),
            Format::Github => without_commands(&human(done)) + &annotations(run),
        };
        self.screen.print(&text).map_err(stdout_failed)
    }

    /// Prints the end: the summary, and what did not run.
    ///
    /// # Errors
    /// When stdout takes no more, or the step summary cannot be written.
    pub(crate) fn finish(&mut self, runs: &[&Run], not_run: &[&str], wall: Duration) -> Result<(), CliError> {
        let summary = terminal::summary(runs, not_run.len(), wall);
        let printed = self.summary(&summary, not_run);
        // Whoever looks learns how it ended, also where stdout takes no more.
        if printed.is_err() && self.format != Format::Json {
            output::note(&summary);
        }
        if !not_run.is_empty() {
            output::note("interrupted; these did not run to their end:");
            not_run
                .iter()
                .for_each(|id| output::note(&format!("  {}", one_line(id))));
        }
        let added = self.step_summary(&summary);
        printed.and(added)
    }

    fn summary(&self, summary: &str, not_run: &[&str]) -> Result<(), CliError> {
        match self.format {
            Format::Human | Format::Github => self
                .screen
                .print(&format!("{summary}\n"))
                .map_err(stdout_failed)?,
            Format::Json => {
                output::note(summary);
                for name in not_run {
                    let object = json!({ "name": name, "verdict": "not-run" });
                    self.screen.print(&format!("{object}\n")).map_err(stdout_failed)?;
                }
            }
        }
        Ok(())
    }

    /// Adds the table to the file that GitHub's runner names.
    fn step_summary(&self, summary: &str) -> Result<(), CliError> {
        if self.format == Format::Github
            && let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY")
        {
            let path = PathBuf::from(path);
            let title = anstream::adapter::strip_str(summary).to_string();
            let text = format!(
                "### oceanrig: {title}\n\n| | scenario | virtual time | why |\n|---|---|---|---|\n{}\n",
                self.rows
            );
            let add = OpenOptions::new().append(true).create(true).open(&path);
            add.and_then(|mut file| file.write_all(text.as_bytes()))
                .map_err(|source| CliError::Write { path, source })?;
        }
        Ok(())
    }
}

fn human(done: &Done) -> String {
    let mut text = format!("{}\n{}", terminal::line(&done.run), terminal::remarks(&done.run));
    if done.only_snapshot {
        // The log is not what went wrong around some moment: the difference says it all.
        let _ = writeln!(text, "  repeat: {}", one_line(&done.run.repeat));
    } else {
        text.push_str(&terminal::failure(&done.run));
    }
    if let Some(checked) = &done.snapshot {
        text.push_str(&snapshots::story(checked));
    }
    text
}

/// A run as a JSON object (`docs/reports.md`).
fn object(done: &Done) -> Value {
    let run = &done.run;
    let (kind, next_step) = match &run.outcome {
        Outcome::Infrastructure { kind, next_step, .. } => (Some(kind.name()), next_step.as_ref()),
        _ => (None, None),
    };
    let expectations: Vec<Value> = run
        .expectations()
        .map(|(at, r)| {
            json!({
                "name": r.name, "held": r.held, "at_ns": at, "position": r.position, "message": r.message,
                "nearest": r.nearest,
            })
        })
        .collect();
    let snapshot = done.snapshot.as_ref().map(|checked| match checked.comparison {
        Comparison::Same => "same",
        Comparison::New => "new",
        Comparison::Different(_) => "different",
    });
    let started = match run.events.first().map(|e| &e.kind) {
        Some(Kind::ScenarioStarted {
            seed,
            firmware_sha256,
            ..
        }) => Some((seed, firmware_sha256)),
        _ => None,
    };
    let (instructions, unmodelled) = run.counts();
    json!({
        "name": run.name,
        "path": run.path,
        "verdict": run.outcome.name(),
        "error_kind": kind,
        "reasons": run.outcome.reasons(),
        "next_step": next_step,
        "must_fail": run.must_fail,
        "attempts": run.attempts,
        "quarantine": run.quarantine,
        "quarantined": run.is_quarantined(),
        "troubles": run.troubles,
        "expectations": expectations,
        "snapshot": snapshot,
        "seed": started.map(|s| s.0),
        "firmware_sha256": started.map(|s| s.1),
        "backend": run.backend,
        "time_scale": run.time_scale,
        "virtual_ns": run.ended(),
        "wall_ms": u64::try_from(run.wall.as_millis()).unwrap_or(u64::MAX),
        "instructions": instructions,
        "unmodelled": unmodelled,
        "repeat": run.repeat,
    })
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
