//! Runs again what a changed file affects. Files are looked at a few times a second: that works on every
//! system and file system, also in containers and on network shares.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use crate::cli::RunArgs;
use crate::discover;
use crate::error::CliError;
use crate::exit::Exit;
use crate::job::Job;
use crate::output;

/// How often the files are looked at.
const PERIOD: Duration = Duration::from_millis(200);

/// By what a changed file is known: its time and length; `None` when it is not there.
pub(crate) type Stamp = Option<(SystemTime, u64)>;

/// Runs everything once, then what changes affect, until `stop`. `jobs` gives the jobs that there are now.
///
/// # Errors
/// Those of `round`. A file that is not valid is shown, and waited for.
pub(crate) fn watch(
    args: &RunArgs,
    stop: &AtomicBool,
    jobs: impl Fn() -> Result<Vec<Job>, CliError>,
    round: impl Fn(Vec<Job>) -> Result<Exit, CliError>,
) -> Result<Exit, CliError> {
    let mut known: BTreeMap<PathBuf, Stamp> = stamps(args, &[]);
    let mut inputs: Vec<PathBuf> = Vec::new();
    // What was not run since it changed; at first that is everything.
    let mut waiting: Option<BTreeMap<PathBuf, Stamp>> = None;
    loop {
        match jobs() {
            Ok(jobs) => {
                inputs = jobs.iter().flat_map(Job::inputs).collect();
                // Taken before the run, so that a change while it runs counts.
                for (path, stamp) in stamps(args, &inputs) {
                    known.entry(path).or_insert(stamp);
                }
                let affected = match waiting.take() {
                    None => jobs,
                    Some(changed) => jobs.into_iter().filter(|job| job.depends_on(&changed)).collect(),
                };
                if !affected.is_empty() {
                    round(affected)?;
                }
                waiting = Some(BTreeMap::new());
            }
            Err(error) => output::note(&error.for_a_person()),
        }
        output::note("waiting for a change; Ctrl-C ends");
        let Some(changed) = next_change(args, &inputs, &mut known, stop) else {
            return Ok(Exit::Interrupted);
        };
        if let Some(waiting) = &mut waiting {
            waiting.extend(changed);
        }
    }
}

/// The files that changed since `known`, which is brought up to date; `None` once `stop` is set.
#[expect(clippy::disallowed_methods, reason = "people save files in real time")]
fn next_change(
    args: &RunArgs,
    inputs: &[PathBuf],
    known: &mut BTreeMap<PathBuf, Stamp>,
    stop: &AtomicBool,
) -> Option<BTreeMap<PathBuf, Stamp>> {
    while !stop.load(Ordering::Relaxed) {
        let now = stamps(args, inputs);
        let changed: BTreeMap<PathBuf, Stamp> = now
            .iter()
            .filter(|(path, stamp)| known.get(*path) != Some(stamp))
            .map(|(path, stamp)| (path.clone(), *stamp))
            .collect();
        if !changed.is_empty() {
            *known = now;
            return Some(changed);
        }
        std::thread::sleep(PERIOD);
    }
    None
}

/// The scenario files that are there now, and `inputs`.
fn stamps(args: &RunArgs, inputs: &[PathBuf]) -> BTreeMap<PathBuf, Stamp> {
    // A directory that cannot be read now can be in a moment.
    let found = discover::scenario_files(&args.paths).unwrap_or_default();
    let all = found.into_iter().chain(inputs.iter().cloned());
    all.map(|path| {
        let stamp = stamp(&path);
        (path, stamp)
    })
    .collect()
}

fn stamp(path: &Path) -> Stamp {
    let meta = fs::metadata(path).ok()?;
    Some((meta.modified().ok()?, meta.len()))
}
