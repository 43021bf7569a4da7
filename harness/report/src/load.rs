//! Runs read back from the files that they left, so that a report can be made later, or elsewhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use vocabulary::{Event, FaultState, Kind, StepState, Verdict};

use crate::files::{EVENTS, MANIFEST, Manifest, differences, file_name};
use crate::lines::read_events;
use crate::terminal::{fault_reason, step_reason};
use crate::{Outcome, ReportError, Run};

/// What was found in an event file.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The runs, in the order of the file.
    pub runs: Vec<Run>,
    /// The file ends in the middle of a line: its writer was killed.
    pub torn: bool,
    /// What is missing or was changed since the run, one line each. A run of such files never counts as passed.
    pub damage: Vec<String>,
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
    let mut damage = Vec::new();
    let beside = path.with_file_name(MANIFEST);
    let is_ours = path.file_name().is_some_and(|name| name == EVENTS);
    let manifest = match fs::read(&beside) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            damage.push(format!("{MANIFEST} cannot be read: {error}"));
            None
        }
        Ok(json) => match serde_json::from_slice::<Manifest>(&json) {
            Ok(manifest) => Some(manifest),
            Err(error) => {
                damage.push(format!("{MANIFEST} is not a manifest: {error}"));
                None
            }
        },
    };
    if let Some(manifest) = manifest.as_ref().filter(|_| is_ours) {
        damage.extend(differences(path.parent().unwrap_or(Path::new(".")), manifest));
    }
    if file.torn {
        damage.push("the last line of the events is cut off and left out".to_owned());
    }
    // A manifest speaks of one run.
    let manifest = manifest.filter(|_| file.runs.len() <= 1);
    let mut found = file.runs;
    if found.is_empty() && !file.torn && manifest.is_some() {
        found.push(Vec::new());
    }
    let mut runs = Vec::with_capacity(found.len());
    for events in found {
        if !events.is_sorted_by_key(|e| e.at) {
            damage.push("the events are not in the order of their times".to_owned());
        }
        let mut run = run(events, manifest.as_ref());
        let has_end = matches!(
            run.events.last().map(|e| &e.kind),
            Some(Kind::ScenarioFinished { .. })
        );
        let needs_end = match run.outcome {
            Outcome::Passed | Outcome::Failed { .. } => true,
            Outcome::Infrastructure { .. } | Outcome::Skipped { .. } => false,
        };
        if !has_end && (needs_end || manifest.is_none()) {
            damage.push("the events have no end: `scenario-finished` is missing".to_owned());
        }
        run.events.sort_by_key(|e| e.at);
        runs.push(run);
    }
    if !damage.is_empty() {
        runs.iter_mut()
            .for_each(|run| run.outcome = damaged(&run.outcome, &damage));
    }
    Ok(Loaded {
        runs,
        torn: file.torn,
        damage,
    })
}

/// `outcome` of a run whose files are damaged: what passed is not known to have passed any more, and a failure stays
/// one.
fn damaged(outcome: &Outcome, damage: &[String]) -> Outcome {
    let what = damage.join("; ");
    match outcome {
        Outcome::Passed => Outcome::broken(format!(
            "the files of this run are damaged: {what}; it had passed"
        )),
        Outcome::Failed { reasons } => {
            let mut reasons = reasons.clone();
            reasons.push(format!("the files of this run are damaged: {what}"));
            Outcome::Failed { reasons }
        }
        Outcome::Infrastructure {
            kind,
            message,
            next_step,
        } => Outcome::Infrastructure {
            kind: *kind,
            message: format!("{message}; the files of this run are damaged: {what}"),
            next_step: next_step.clone(),
        },
        Outcome::Skipped { reason } => Outcome::Skipped {
            reason: reason.clone(),
        },
    }
}

fn run(events: Vec<Event>, manifest: Option<&Manifest>) -> Run {
    let (name, seed, firmware, backend, time_scale) = if let Some(Kind::ScenarioStarted {
        name,
        seed,
        firmware_sha256,
        backend,
        time_scale,
        ..
    }) = events.first().map(|e| &e.kind)
    {
        (
            name.clone(),
            *seed,
            firmware_sha256.clone(),
            backend.clone(),
            *time_scale,
        )
    } else {
        (String::new(), 0, String::new(), String::new(), 1)
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
        snapshot: None,
        only_snapshot: false,
        troubles: Vec::new(),
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
            restore_positions(&mut run);
        }
        None => {
            let failed: Vec<String> = run
                .expectations()
                .filter(|(_, r)| !r.held)
                .map(|(_, r)| r.name.clone())
                .collect();
            let others = other_reasons(&run.events);
            run.outcome =
                if let Some(Kind::ScenarioFinished { verdict, .. }) = run.events.last().map(|e| &e.kind) {
                    Outcome::judge(verdict, &failed, None, &others)
                } else if failed.is_empty() {
                    Outcome::broken("the run was cut off before its verdict")
                } else {
                    Outcome::judge(&Verdict::Fail, &failed, None, &others)
                };
        }
    }
    run
}

/// Why a run failed apart from its expectations, as far as its events say.
fn other_reasons(events: &[Event]) -> Vec<String> {
    let reason = |event: &Event| {
        if let Kind::Step {
            index,
            state: StepState::Failed { message },
        } = &event.kind
        {
            Some(step_reason(*index, message))
        } else if let Kind::Fault {
            name,
            state: FaultState::NeverFired,
        } = &event.kind
        {
            Some(fault_reason(name))
        } else {
            None
        }
    };
    events.iter().filter_map(reason).collect()
}

/// Puts the way to the scenario's file back into the positions, which the event file leaves out.
fn restore_positions(run: &mut Run) {
    let name = format!("{}:", file_name(&run.path));
    for event in &mut run.events {
        if let Kind::Expectation(result) = &mut event.kind
            && let Some(rest) = result.position.strip_prefix(&name)
        {
            result.position = format!("{}:{rest}", run.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::ScenarioFiles;
    use crate::redact::{Redactor, Rules, Scope};
    use crate::synthetic::{self, Shape};

    #[test]
    fn a_run_is_read_back_with_and_without_its_manifest() {
        let dir = tempfile::tempdir().unwrap();
        let mut run = synthetic::run(&Shape::broken());
        run.must_fail = Some("recovers within a minute".into());
        run.outcome = Outcome::Passed;
        let mut redactor = Redactor::new(&Rules::built_in(), Scope::Secrets);
        let mut files = ScenarioFiles::create(&dir.path().join("a"), &run.path).unwrap();
        for event in &run.events {
            let redacted = redactor.event(event);
            files.event(event, &redacted, &mut redactor).unwrap();
        }
        files.finish(&run, None, &mut redactor).unwrap();
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
    fn what_is_missing_or_changed_is_said_and_is_no_pass() {
        let dir = tempfile::tempdir().unwrap();
        let run = synthetic::run(&Shape::short());
        let mut redactor = Redactor::new(&Rules::built_in(), Scope::Nothing);
        let mut files = ScenarioFiles::create(dir.path(), &run.path).unwrap();
        for event in &run.events {
            files.event(event, event, &mut redactor).unwrap();
        }
        files.finish(&run, None, &mut redactor).unwrap();
        let path = dir.path().join(EVENTS);
        let whole = fs::read(&path).unwrap();
        let read = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            super::runs(&path).unwrap()
        };
        let good = read(&whole);
        assert_eq!((good.damage.len(), &good.runs[0].outcome), (0, &Outcome::Passed));
        let half = whole[..whole.len() / 2]
            .iter()
            .rposition(|b| *b == b'\n')
            .unwrap()
            + 1;
        let last = whole[..whole.len() - 1]
            .iter()
            .rposition(|b| *b == b'\n')
            .unwrap()
            + 1;
        let mut changed = whole.clone();
        let digit = changed.iter().position(|b| *b == b'7').unwrap();
        changed[digit] = b'8';
        for (bytes, says) in [
            (&whole[..half], "events.jsonl is cut off"),
            (&whole[..half + 9], "the last line of the events is cut off"),
            (&whole[..last], "`scenario-finished` is missing"),
            (&changed[..], "events.jsonl was changed after the run"),
            (&b""[..], "events.jsonl is cut off: 0 of"),
        ] {
            let loaded = read(bytes);
            assert!(
                loaded.damage.join("; ").contains(says),
                "{says}: {:?}",
                loaded.damage
            );
            for run in &loaded.runs {
                assert!(matches!(run.outcome, Outcome::Infrastructure { .. }), "{says}");
            }
        }
        let lines: Vec<&[u8]> = whole.split_inclusive(|b| *b == b'\n').collect();
        let mut mixed = lines.clone();
        mixed.swap(5, lines.len() - 3);
        fs::remove_file(dir.path().join(MANIFEST)).unwrap();
        let loaded = read(&mixed.concat());
        assert!(
            loaded.damage.concat().contains("not in the order"),
            "{:?}",
            loaded.damage
        );
        assert!(loaded.runs[0].events.is_sorted_by_key(|e| e.at));
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
