//! Verdicts of many runs over time: how each scenario fared, and which ones are flaky.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sim::UnixTime;
use vocabulary::{Kind, Trouble};

use crate::files::Manifest;
use crate::{Outcome, Run};

/// Version of a [`Record`].
pub const RECORD_VERSION: u32 = 1;

/// One run in a history file: a line of JSON.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Record {
    /// When it ended, milliseconds since 1970.
    pub finished_unix_ms: u64,
    /// [`RECORD_VERSION`] of the writer.
    pub version: u32,
    /// The scenario's stable name.
    pub scenario: String,
    /// Its file.
    pub path: String,
    /// SHA-256 of its file.
    pub scenario_sha256: String,
    /// `passed`, `failed`, `error` or `skipped`.
    pub verdict: String,
    /// With `error`: what of the bench failed.
    pub error_kind: Option<Trouble>,
    /// Why it is no pass.
    pub reasons: Vec<String>,
    /// Whether the failure was known and not red.
    pub quarantined: bool,
    /// How many attempts came before by the bench's fault.
    pub attempts_before: u32,
    /// Seed of all randomness.
    pub seed: Option<u64>,
    /// SHA-256 of the firmware ELF.
    pub firmware_sha256: Option<String>,
    /// What carried it out.
    pub backend: String,
    /// By how much the contract's intervals were divided.
    pub time_scale: u32,
    /// How long it took.
    pub wall_ms: u64,
}

impl Record {
    /// The record of `run`, which should be redacted.
    pub fn of(run: &Run) -> Record {
        let (seed, firmware) = if let Some(Kind::ScenarioStarted {
            seed,
            firmware_sha256,
            ..
        }) = run.events.first().map(|e| &e.kind)
        {
            (Some(*seed), Some(firmware_sha256.clone()))
        } else {
            (None, None)
        };
        Record {
            version: RECORD_VERSION,
            finished_unix_ms: run.finished_unix_ms,
            scenario: run.name.clone(),
            path: run.path.clone(),
            scenario_sha256: run.scenario_sha256.clone(),
            verdict: run.outcome.name().to_owned(),
            error_kind: kind(&run.outcome),
            reasons: run.outcome.reasons(),
            quarantined: run.is_quarantined(),
            attempts_before: u32::try_from(run.attempts.len()).unwrap_or(u32::MAX),
            seed,
            firmware_sha256: firmware,
            backend: run.backend.clone(),
            time_scale: run.time_scale,
            wall_ms: u64::try_from(run.wall.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// The record of the run that left `manifest`.
    pub fn of_manifest(manifest: &Manifest) -> Record {
        let known = manifest.quarantine.as_ref().is_some_and(|q| !q.expired);
        Record {
            version: RECORD_VERSION,
            finished_unix_ms: manifest.finished_unix_ms,
            scenario: manifest.scenario.clone(),
            path: manifest.path.clone(),
            scenario_sha256: manifest.scenario_sha256.clone(),
            verdict: manifest.outcome.name().to_owned(),
            error_kind: kind(&manifest.outcome),
            reasons: manifest.outcome.reasons(),
            quarantined: known && matches!(manifest.outcome, Outcome::Failed { .. }),
            attempts_before: u32::try_from(manifest.attempts.len()).unwrap_or(u32::MAX),
            seed: manifest.seed,
            firmware_sha256: manifest.firmware_sha256.clone(),
            backend: manifest.backend.clone().unwrap_or_default(),
            time_scale: manifest.time_scale,
            wall_ms: manifest.wall_ms,
        }
    }

    /// The record as a line with its end.
    pub fn line(&self) -> String {
        let mut line = serde_json::to_string(self).expect("a record is text, numbers and lists");
        line.push('\n');
        line
    }
}

fn kind(outcome: &Outcome) -> Option<Trouble> {
    match outcome {
        Outcome::Infrastructure { kind, .. } => Some(*kind),
        _ => None,
    }
}

/// Reads the lines of a history file. The numbers of those that are no record, from 1, come second: a writer was
/// killed in the middle of such a line.
pub fn parse(text: &str) -> (Vec<Record>, Vec<usize>) {
    let mut records = Vec::new();
    let mut torn = Vec::new();
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
        match serde_json::from_str::<Record>(line) {
            Ok(record) => records.push(record),
            Err(_) => torn.push(i + 1),
        }
    }
    (records, torn)
}

/// How one scenario fared on one backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The scenario's stable name.
    pub scenario: String,
    /// What carried it out.
    pub backend: String,
    /// By how much the contract's intervals were divided.
    pub time_scale: u32,
    /// How many runs.
    pub runs: usize,
    /// How many of them passed.
    pub passed: usize,
    /// How many failed.
    pub failed: usize,
    /// How many the bench broke, by what of it failed.
    pub errors: BTreeMap<Trouble, usize>,
    /// How many attempts the bench broke before another one came to a verdict.
    pub retried: u64,
    /// How many were skipped.
    pub skipped: usize,
    /// How often a pass followed a failure or a failure a pass; what lies between them does not count.
    pub flips: usize,
    /// When it failed last, RFC 3339.
    pub last_failure: Option<String>,
    /// Why it failed last.
    pub last_reasons: Vec<String>,
    /// The same scenario file on the same firmware passed and failed.
    pub flaky: bool,
    /// The firmware on which it is flaky, SHA-256, with passes and failures.
    pub flaky_on: BTreeMap<String, (usize, usize)>,
}

/// What `records` say about each scenario, by its name and backend. A record that is there twice counts once.
pub fn rows(records: Vec<Record>) -> Vec<Row> {
    let mut groups: BTreeMap<(String, String, u32), BTreeSet<Record>> = BTreeMap::new();
    for record in records {
        let key = (record.scenario.clone(), record.backend.clone(), record.time_scale);
        // Ordered by time: that field comes first where it differs.
        groups.entry(key).or_default().insert(record);
    }
    groups
        .into_iter()
        .map(|(key, records)| row(key, &records))
        .collect()
}

fn row((scenario, backend, time_scale): (String, String, u32), records: &BTreeSet<Record>) -> Row {
    let count = |verdict: &str| records.iter().filter(|r| r.verdict == verdict).count();
    let mut errors = BTreeMap::new();
    for record in records.iter().filter(|r| r.verdict == "error") {
        *errors.entry(record.error_kind.unwrap_or_default()).or_default() += 1;
    }
    let judged: Vec<&Record> = records
        .iter()
        .filter(|r| matches!(r.verdict.as_str(), "passed" | "failed"))
        .collect();
    let flips = judged.windows(2).filter(|w| w[0].verdict != w[1].verdict).count();
    let mut verdicts: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
    for record in &judged {
        // What ran on a firmware that nobody knows can be compared with nothing.
        let Some(firmware) = record.firmware_sha256.as_deref() else {
            continue;
        };
        let (passed, failed) = verdicts.entry((firmware, &record.scenario_sha256)).or_default();
        *(if record.verdict == "passed" {
            passed
        } else {
            failed
        }) += 1;
    }
    let mut flaky_on: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for ((firmware, _), (passed, failed)) in verdicts.iter().filter(|(_, (p, f))| *p > 0 && *f > 0) {
        let sum = flaky_on.entry((*firmware).to_owned()).or_default();
        *sum = (sum.0 + passed, sum.1 + failed);
    }
    let last = judged.iter().rfind(|r| r.verdict == "failed");
    Row {
        scenario,
        backend,
        time_scale,
        runs: records.len(),
        passed: count("passed"),
        failed: count("failed"),
        errors,
        retried: records.iter().map(|r| u64::from(r.attempts_before)).sum(),
        skipped: count("skipped"),
        flips,
        last_failure: last.map(|r| moment(r.finished_unix_ms)),
        last_reasons: last.map(|r| r.reasons.clone()).unwrap_or_default(),
        flaky: !flaky_on.is_empty(),
        flaky_on,
    }
}

fn moment(unix_ms: u64) -> String {
    if unix_ms == 0 {
        return "at an unknown time".to_owned();
    }
    UnixTime::from_nanos(i128::from(unix_ms) * 1_000_000).to_string()
}

/// The rows as a table for people, and what is flaky below it.
pub fn table(rows: &[Row]) -> String {
    const HEADS: [&str; 8] = [
        "scenario",
        "runs",
        "passed",
        "failed",
        "errors",
        "skipped",
        "flips",
        "last failure",
    ];
    let cells: Vec<[String; 8]> = rows
        .iter()
        .map(|row| {
            let errors: usize = row.errors.values().sum();
            [
                name(row),
                row.runs.to_string(),
                row.passed.to_string(),
                row.failed.to_string(),
                errors.to_string(),
                row.skipped.to_string(),
                row.flips.to_string(),
                row.last_failure.clone().unwrap_or_else(|| "never".to_owned()),
            ]
        })
        .collect();
    let width = |i: usize| {
        let widths = cells.iter().map(|c| c[i].chars().count());
        widths.chain([HEADS[i].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEADS.len()).map(width).collect();
    let mut out = String::new();
    let mut line = |row: &dyn Fn(usize) -> String, mark: &str| {
        let mut text = String::new();
        for (i, width) in widths.iter().enumerate() {
            let cell = row(i);
            // Names and times to the left, numbers to the right.
            let _ = if i == 0 || i == HEADS.len() - 1 {
                write!(text, "{cell:<width$}  ")
            } else {
                write!(text, "{cell:>width$}  ")
            };
        }
        let _ = writeln!(out, "{}", format!("{}{mark}", text).trim_end());
    };
    line(&|i| HEADS[i].to_owned(), "");
    for (row, cells) in rows.iter().zip(&cells) {
        line(&|i| cells[i].clone(), if row.flaky { "flaky" } else { "" });
    }
    for row in rows {
        for (firmware, (passed, failed)) in &row.flaky_on {
            let short: String = firmware.chars().take(12).collect();
            let _ = writeln!(
                out,
                "flaky: {} passed {passed} and failed {failed} times on firmware {short}",
                name(row)
            );
            for reason in &row.last_reasons {
                let _ = writeln!(out, "  last: {reason}");
            }
        }
        for (kind, n) in &row.errors {
            let times = if *n == 1 { "once" } else { &format!("{n} times") };
            let _ = writeln!(out, "bench: {}: {} {times}", name(row), kind.phrase());
        }
        if row.retried > 0 {
            let _ = writeln!(
                out,
                "bench: {}: {} attempts had to be repeated",
                name(row),
                row.retried
            );
        }
    }
    out
}

fn name(row: &Row) -> String {
    let mut name = row.scenario.clone();
    if !matches!(row.backend.as_str(), "" | "emulator") {
        let _ = write!(name, " on {}", row.backend);
    }
    if row.time_scale != 1 {
        let _ = write!(name, " /{}", row.time_scale);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{self, Shape};

    fn record(at_s: u64, verdict: &str, firmware: &str) -> Record {
        let mut record = Record::of(&synthetic::run(&Shape::short()));
        record.finished_unix_ms = at_s * 1000;
        record.verdict = verdict.to_owned();
        record.firmware_sha256 = Some(firmware.to_owned());
        record.reasons = vec![format!("{verdict} at {at_s}")];
        record
    }

    #[test]
    fn the_same_firmware_with_two_verdicts_is_flaky_and_another_one_is_a_fix() {
        let fixed = vec![record(1, "failed", "a"), record(2, "passed", "b")];
        let row = rows(fixed).remove(0);
        assert_eq!((row.flaky, row.flips, row.runs), (false, 1, 2));
        let flaky = vec![
            record(3, "passed", "a"),
            record(1, "passed", "a"),
            record(2, "failed", "a"),
        ];
        let row = rows(flaky).remove(0);
        assert_eq!((row.flaky, row.flips), (true, 2));
        assert_eq!(row.flaky_on["a"], (2, 1));
        assert_eq!(row.last_failure.as_deref(), Some("1970-01-01T00:00:02Z"));
        assert_eq!(row.last_reasons, ["failed at 2"]);
    }

    #[test]
    fn a_changed_scenario_is_no_flake_and_neither_is_a_broken_bench() {
        let mut changed = record(2, "passed", "a");
        changed.scenario_sha256 = "other".into();
        assert!(!rows(vec![record(1, "failed", "a"), changed])[0].flaky);
        let mut lost = record(2, "error", "a");
        lost.error_kind = Some(Trouble::PortLost);
        let row = rows(vec![record(1, "passed", "a"), lost, record(3, "skipped", "a")]).remove(0);
        assert_eq!((row.flaky, row.flips, row.passed, row.skipped), (false, 0, 1, 1));
        assert_eq!(row.errors, BTreeMap::from([(Trouble::PortLost, 1)]));
    }

    #[test]
    fn backends_are_rows_of_their_own_and_the_same_record_counts_once() {
        let mut board = record(1, "failed", "a");
        board.backend = "board:desk".into();
        board.time_scale = 60;
        let all = vec![record(1, "passed", "a"), record(1, "passed", "a"), board];
        let rows = rows(all);
        assert_eq!(rows.len(), 2);
        assert!(rows.iter().all(|r| r.runs == 1 && !r.flaky));
        let text = table(&rows);
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "scenario                      runs  passed  failed  errors  skipped  flips  last failure",
                "one-minute on board:desk /60     1       0       1       0        0      0  1970-01-01T00:00:01Z",
                "one-minute                       1       1       0       0        0      0  never",
            ]
        );
    }

    #[test]
    fn a_line_cut_off_is_left_out_wherever_it_stands() {
        let whole = record(1, "passed", "a").line();
        for cut in 1..whole.len() - 1 {
            let Some(part) = whole.get(..cut) else { continue };
            let text = format!("{whole}{part}\n{whole}");
            let (records, torn) = parse(&text);
            assert_eq!((records.len(), torn), (2, vec![2]), "cut at {cut}");
        }
    }
}
