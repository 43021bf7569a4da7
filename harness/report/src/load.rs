//! Runs read back from the files that they left, so that a report can be made later, or elsewhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use vocabulary::{Event, Kind, Verdict};

use crate::files::{EVENTS, MANIFEST, Manifest};
use crate::lines::read_events;
use crate::{Outcome, ReportError, Run};

/// What was found in an event file.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The runs, in the order of the file.
    pub runs: Vec<Run>,
    /// The file ends in the middle of a line: its writer was killed.
    pub torn: bool,
}

/// The event files under `path`: itself, or in a directory every `events.jsonl` below it, in the order of
/// their paths.
///
/// # Errors
/// [`ReportError::Io`] when the path cannot be read.
pub fn event_files(path: &Path) -> Result<Vec<PathBuf>, ReportError> {
    let meta = fs::metadata(path).map_err(ReportError::io("read", path))?;
    let mut found = Vec::new();
    if meta.is_dir() {
        walk(path, &mut found)?
    } else {
        found.push(path.to_owned())
    }
    Ok(found)
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) -> Result<(), ReportError> {
    let list = || {
        fs::read_dir(dir)?
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<Vec<_>>>()
    };
    let mut entries = list().map_err(ReportError::io("read", dir))?;
    entries.sort();
    for path in entries {
        // A link to a directory above would never end.
        if path.is_dir() && !path.is_symlink() {
            walk(&path, found)?;
        } else if path.file_name().is_some_and(|n| n == EVENTS) {
            found.push(path);
        }
    }
    Ok(())
}

/// Reads the runs in the event file at `path`. What the events do not say (the scenario's file, whether it is
/// a negative control) is taken from the manifest beside them, if there is one of the same scenario.
///
/// # Errors
/// [`ReportError`] when the file is not one of events that this version understands.
pub fn runs(path: &Path) -> Result<Loaded, ReportError> {
    let file = read_events(path)?;
    // A manifest speaks of one run.
    let manifest = fs::read(path.with_file_name(MANIFEST))
        .ok()
        .filter(|_| file.runs.len() <= 1)
        .and_then(|json| serde_json::from_slice::<Manifest>(&json).ok());
    let mut found = file.runs;
    if found.is_empty() && !file.torn && manifest.is_some() {
        found.push(Vec::new());
    }
    let runs = found
        .into_iter()
        .map(|events| run(events, manifest.as_ref()))
        .collect();
    Ok(Loaded {
        runs,
        torn: file.torn,
    })
}

fn run(events: Vec<Event>, manifest: Option<&Manifest>) -> Run {
    let (name, seed, firmware, backend, time_scale) = match events.first().map(|e| &e.kind) {
        Some(Kind::ScenarioStarted {
            name,
            seed,
            firmware_sha256,
            backend,
            time_scale,
            ..
        }) => (
            name.clone(),
            *seed,
            firmware_sha256.clone(),
            backend.clone(),
            *time_scale,
        ),
        _ => (String::new(), 0, String::new(), String::new(), 1),
    };
    let same = |m: &&Manifest| m.seed == Some(seed) && m.firmware_sha256.as_ref() == Some(&firmware);
    let mut run = Run {
        name,
        path: String::new(),
        repeat: String::new(),
        events,
        must_fail: None,
        outcome: Outcome::Passed,
        wall: Duration::ZERO,
        backend,
        time_scale,
        attempts: Vec::new(),
        quarantine: None,
        scenario_sha256: String::new(),
        finished_unix_ms: 0,
    };
    // A run that never started left no events, only what its manifest says.
    match manifest.filter(|m| run.events.is_empty() || same(m)) {
        Some(manifest) => {
            if run.events.is_empty() {
                run.backend = manifest.backend.clone().unwrap_or_default();
                run.time_scale = manifest.time_scale;
            }
            run.attempts.clone_from(&manifest.attempts);
            run.quarantine.clone_from(&manifest.quarantine);
            run.scenario_sha256.clone_from(&manifest.scenario_sha256);
            run.finished_unix_ms = manifest.finished_unix_ms;
            run.wall = Duration::from_millis(manifest.wall_ms);
            run.name.clone_from(&manifest.scenario);
            run.path.clone_from(&manifest.path);
            run.repeat.clone_from(&manifest.repeat);
            run.must_fail.clone_from(&manifest.must_fail);
            run.outcome.clone_from(&manifest.outcome);
        }
        None => {
            let failed: Vec<String> = run
                .expectations()
                .filter(|(_, r)| !r.held)
                .map(|(_, r)| r.name.clone())
                .collect();
            run.outcome = match run.events.last().map(|e| &e.kind) {
                Some(Kind::ScenarioFinished { verdict, .. }) => Outcome::judge(verdict, &failed, None),
                _ if failed.is_empty() => Outcome::broken("the run was cut off before its verdict"),
                _ => Outcome::judge(&Verdict::Fail, &failed, None),
            };
        }
    }
    run
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::ScenarioFiles;
    use crate::redact::{Rules, Scope};
    use crate::synthetic::{self, Shape};

    #[test]
    fn a_run_is_read_back_with_and_without_its_manifest() {
        let dir = tempfile::tempdir().unwrap();
        let mut run = synthetic::run(&Shape::broken());
        run.must_fail = Some("recovers within a minute".into());
        run.outcome = Outcome::Passed;
        let mut files =
            ScenarioFiles::create(&dir.path().join("a"), &Rules::built_in(), Scope::Secrets).unwrap();
        run.events.iter().for_each(|e| files.event(e).unwrap());
        let (_, mut redactor) = files.finish(&run, None).unwrap();
        let found = event_files(dir.path()).unwrap();
        assert_eq!(found, [dir.path().join("a").join(EVENTS)]);
        let read = super::runs(&found[0]).unwrap().runs.remove(0);
        assert_eq!(read.events, run.redacted(&mut redactor).events);
        assert_eq!((read.outcome, read.must_fail), (Outcome::Passed, run.must_fail));
        fs::remove_file(dir.path().join("a").join(MANIFEST)).unwrap();
        let bare = super::runs(&found[0]).unwrap().runs.remove(0);
        let reasons = vec!["`recovers within a minute` failed".to_owned()];
        assert_eq!(bare.outcome, Outcome::Failed { reasons });
    }

    #[test]
    fn a_run_without_an_end_is_no_pass() {
        let mut events = synthetic::run(&Shape::short()).events;
        events.truncate(50);
        assert!(matches!(
            run(events, None).outcome,
            Outcome::Infrastructure { .. }
        ));
    }
}
