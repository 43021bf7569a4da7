//! `oceanrig snapshot`, and the check that `oceanrig run --snapshots` makes.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueHint};
use report::redact::{Redactor, Rules, Scope};
use report::{Compared, SnapshotState};
use scenario::Scenario;
use scenario::log::MayDo;
use snapshot::{Checked, Comparison, Log, May, Mode, Snapshot, Tolerance, ToleranceRule};
use vocabulary::Event;

use crate::commands::check;
use crate::error::{CliError, stdout_failed};
use crate::exit::Exit;
use crate::output;

/// Arguments of `oceanrig snapshot`.
#[derive(Debug, Args)]
pub(crate) struct SnapshotArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: SnapshotCommand,
}

/// What can be done with snapshots.
#[derive(Debug, Subcommand)]
pub(crate) enum SnapshotCommand {
    /// List the snapshots that wait for a decision, and those that no scenario uses.
    List {
        /// Where to look.
        #[command(flatten)]
        paths: Paths,
        /// Exit with 5 when something waits or is not used.
        #[arg(long)]
        ci: bool,
    },
    /// Show each pending snapshot with its differences and ask.
    Review(Paths),
    /// Make all pending snapshots the stored ones.
    Accept(Paths),
    /// Throw all pending snapshots away.
    Reject(Paths),
}

/// Where snapshots are looked for.
#[derive(Debug, Args)]
pub(crate) struct Paths {
    /// Snapshot files, or directories that are searched.
    #[arg(value_name = "FILE|DIR", default_value = ".", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,
}

/// Lists, reviews, accepts or rejects snapshots.
///
/// # Errors
/// When a path cannot be read, or a snapshot cannot be read or written.
pub(crate) fn snapshot(args: &SnapshotArgs) -> Result<Exit, CliError> {
    match &args.command {
        SnapshotCommand::List { paths, ci } => list(&paths.paths, *ci),
        SnapshotCommand::Review(paths) => review(&pending(&paths.paths)?, &mut io::stdin().lock()),
        SnapshotCommand::Accept(paths) => each(&pending(&paths.paths)?, "accepted", snapshot::accept),
        SnapshotCommand::Reject(paths) => each(&pending(&paths.paths)?, "rejected", snapshot::reject),
    }
}

/// Checks that the stored snapshot of `scenario` can be read, if there is one: a broken one is found before anything
/// runs.
///
/// # Errors
/// When it cannot be read, or is no snapshot.
pub(crate) fn check_stored(scenario: &Scenario) -> Result<(), CliError> {
    let path = stored_path(scenario);
    if path.exists() {
        Snapshot::read(&path).map_err(CliError::Snapshot)?;
    }
    Ok(())
}

/// Compares the console log of a run with the snapshot of its scenario. Snapshots are shared, so secrets leave
/// them always.
///
/// # Errors
/// When a snapshot cannot be read or written.
pub(crate) fn check_run(
    scenario: &Scenario,
    lines: &[Event],
    rules: &Rules,
    known: &Redactor,
    mode: Mode,
) -> Result<Checked, CliError> {
    let tolerance = tolerance(scenario)?;
    // The numbers of placeholders depend on the log alone; what is a secret is known from the whole run.
    let mut redactor = Redactor::new(rules, Scope::All);
    redactor.learn_from(known);
    let log = Log::from_events(lines, &mut redactor);
    let expression = format!("serial log of {}", scenario.case_name());
    let path = stored_path(scenario);
    snapshot::check(&path, &log, &tolerance, scenario.path(), &expression, mode).map_err(CliError::Snapshot)
}

/// What `scenario` lets its log do.
fn tolerance(scenario: &Scenario) -> Result<Tolerance, CliError> {
    let may = |may: MayDo| match may {
        MayDo::Interleave => May::Interleave,
        MayDo::Repeat => May::Repeat,
        MayDo::InterleaveAndRepeat => May::InterleaveAndRepeat,
        MayDo::BeAbsent => May::BeAbsent,
    };
    let rules: Vec<ToleranceRule> = scenario
        .snapshot
        .tolerate
        .iter()
        .map(|rule| ToleranceRule {
            lines: rule.lines.value.clone(),
            may: may(rule.may),
        })
        .collect();
    Tolerance::new(&rules).map_err(CliError::Snapshot)
}

/// What the scenario that the snapshot at `path` belongs to lets its log do; a snapshot that belongs to none, or to a
/// file that is not valid now, is compared strictly.
fn tolerance_at(path: &Path) -> Tolerance {
    let scenarios = owner(path).and_then(|file| {
        let text = report::input::read_text(&file).ok()?;
        faults::FORMAT.parse_all(&file.display().to_string(), &text).ok()
    });
    let mine = scenarios
        .into_iter()
        .flatten()
        .find(|scenario| stored_path(scenario) == path);
    mine.and_then(|scenario| tolerance(&scenario).ok())
        .unwrap_or_default()
}

/// Why a run whose snapshot is not the same fails.
pub(crate) fn reason(checked: &Checked) -> String {
    let path = checked.path.display();
    match checked.comparison {
        Comparison::New => format!("no snapshot is stored yet in {path}"),
        Comparison::Same | Comparison::Different(_) => format!("the serial log differs from {path}"),
    }
}

/// What reports say of a check.
pub(crate) fn compared(checked: &Checked) -> Compared {
    let (state, story) = match &checked.comparison {
        Comparison::Same => (SnapshotState::Same, String::new()),
        Comparison::New => (SnapshotState::New, format!("  {}\n", reason(checked))),
        Comparison::Different(diff) => (
            SnapshotState::Different,
            format!("  {}:\n{}", reason(checked), snapshot::render(diff)),
        ),
    };
    Compared { state, story }
}

/// Where the snapshot of a scenario lies.
pub(crate) fn stored_path(scenario: &Scenario) -> PathBuf {
    let case: Vec<String> = scenario
        .parameters
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let case = case.join(",");
    snapshot::path_for(
        Path::new(scenario.path()),
        (!case.is_empty()).then_some(case.as_str()),
    )
}

fn pending(paths: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    let mut found = Vec::new();
    for path in paths {
        // The stored file stands for its pending version.
        let name = path.to_string_lossy();
        if name.ends_with(".snap") && snapshot::pending_path(path).exists() {
            found.push(path.clone());
        } else {
            found.extend(snapshot::pending(path).map_err(CliError::Snapshot)?);
        }
    }
    Ok(found)
}

fn list(paths: &[PathBuf], ci: bool) -> Result<Exit, CliError> {
    let waiting = pending(paths)?;
    let mut out = io::stdout();
    for path in &waiting {
        writeln!(out, "pending       {}", path.display()).map_err(stdout_failed)?;
    }
    let mut stored = BTreeSet::new();
    for path in paths {
        stored.extend(snapshot::unreferenced(path, &BTreeSet::new()).map_err(CliError::Snapshot)?);
    }
    // Only files that could own one of them are read: other YAML is none of our business.
    let owners: BTreeSet<PathBuf> = stored.iter().filter_map(|path| owner(path)).collect();
    let owners: Vec<PathBuf> = owners.into_iter().collect();
    let scenarios = if owners.is_empty() {
        Vec::new()
    } else {
        check::read(&owners)?
    };
    let used: BTreeSet<PathBuf> = scenarios.iter().map(stored_path).collect();
    let mut unused = 0;
    for path in paths {
        for path in snapshot::unreferenced(path, &used).map_err(CliError::Snapshot)? {
            writeln!(out, "unreferenced  {}", path.display()).map_err(stdout_failed)?;
            unused += 1;
        }
    }
    Ok(if ci && (unused > 0 || !waiting.is_empty()) {
        Exit::Pending
    } else {
        Exit::Passed
    })
}

/// The scenario file that the snapshot at `path` would belong to, if it is there.
fn owner(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_string_lossy().into_owned();
    let name = name.strip_suffix(".snap")?;
    let stem = name.split_once('@').map_or(name, |(stem, _)| stem);
    ["yaml", "yml"]
        .iter()
        .map(|e| path.with_file_name(format!("{stem}.{e}")))
        .find(|p| p.is_file())
}

fn each(
    stored: &[PathBuf],
    word: &str,
    act: fn(&Path) -> Result<(), snapshot::SnapshotError>,
) -> Result<Exit, CliError> {
    let mut out = io::stdout();
    for path in stored {
        act(path).map_err(CliError::Snapshot)?;
        writeln!(out, "{word}  {}", path.display()).map_err(stdout_failed)?;
    }
    if stored.is_empty() {
        output::note("nothing is pending");
    }
    Ok(Exit::Passed)
}

fn review(stored: &[PathBuf], answers: &mut dyn BufRead) -> Result<Exit, CliError> {
    let mut out = anstream::stdout();
    for (i, path) in stored.iter().enumerate() {
        let pending = Snapshot::read(&snapshot::pending_path(path)).map_err(CliError::Snapshot)?;
        let old = if path.exists() {
            Some(Snapshot::read(path).map_err(CliError::Snapshot)?.log)
        } else {
            None
        };
        let shown = match snapshot::compare(&pending.log, old.as_ref(), &tolerance_at(path)) {
            Comparison::New => pending.log.text(),
            Comparison::Same => "only what is tolerated differs\n".to_owned(),
            Comparison::Different(diff) => snapshot::render(&diff),
        };
        let head = format!(
            "{} of {}: {}, {}",
            i + 1,
            stored.len(),
            path.display(),
            pending.expression
        );
        write!(out, "\n{head}\n\n{shown}\n").map_err(stdout_failed)?;
        loop {
            write!(out, "[a]ccept, [r]eject, [s]kip, [q]uit? ")
                .and_then(|()| out.flush())
                .map_err(stdout_failed)?;
            let mut answer = String::new();
            let read = answers.read_line(&mut answer);
            // Without an answer nothing is decided.
            let over = !matches!(read, Ok(n) if n > 0);
            match answer.trim() {
                "a" => break snapshot::accept(path).map_err(CliError::Snapshot)?,
                "r" => break snapshot::reject(path).map_err(CliError::Snapshot)?,
                "s" => break,
                _ if over || answer.trim() == "q" => {
                    writeln!(out).map_err(stdout_failed)?;
                    return Ok(Exit::Passed);
                }
                _ => {}
            }
        }
    }
    if stored.is_empty() {
        output::note("nothing is pending");
    }
    Ok(Exit::Passed)
}
