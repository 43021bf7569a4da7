//! Carrying a job out: attempts, files, the snapshot, and what it all comes to.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bench::Limits;
use netsim::CapturedFrame;
use netsim::pcapng::Writer;
use report::files::{self, ScenarioFiles};
use report::redact::Redactor;
use report::{Attempt, Outcome, Run, Trouble};
use sim::UnixTime;
use snapshot::Mode;
use vocabulary::{Event, FaultState, Kind};

use crate::backend::{self, Stop, Task};
use crate::cli::{Format, RunArgs};
use crate::commands::snapshot as snapshots;
use crate::error::with_causes;
use crate::job::Job;
use crate::output::{self, Screen, Watched};

impl Job {
    /// Runs the scenario, and again as often as `--retries` says while the bench is to blame; a failure of the
    /// firmware is never tried again. `None`: `stop` ended it early.
    pub(crate) fn carry_out(&self, args: &RunArgs, screen: &Screen, stop: &AtomicBool) -> Option<Run> {
        let mut attempts = Vec::new();
        loop {
            let run = self.attempt(args, &attempts, screen, stop)?;
            let Outcome::Infrastructure {
                kind,
                message,
                next_step,
            } = &run.outcome
            else {
                return Some(run);
            };
            if attempts.len() >= usize::from(args.retries) || stop.load(Ordering::Relaxed) {
                return Some(run);
            }
            output::note(&format!(
                "{}: attempt {} of {}: {}: {message}",
                self.selected.id,
                attempts.len() + 1,
                usize::from(args.retries) + 1,
                kind.phrase()
            ));
            attempts.push(Attempt {
                kind: *kind,
                message: message.clone(),
                next_step: next_step.clone(),
                wall_ms: u64::try_from(run.wall.as_millis()).unwrap_or(u64::MAX),
            });
        }
    }

    fn attempt(&self, args: &RunArgs, before: &[Attempt], screen: &Screen, stop: &AtomicBool) -> Option<Run> {
        let started = output::wall_clock();
        let scenario = &self.selected.scenario;
        let mut run = Run {
            name: self.selected.id.clone(),
            path: scenario.path().to_owned(),
            repeat: self.repeat(args),
            events: Vec::new(),
            must_fail: match &scenario.expect_verdict {
                scenario::ExpectVerdict::Pass => None,
                scenario::ExpectVerdict::Fail(name) => Some(name.value.clone()),
            },
            outcome: Outcome::Passed,
            wall: Duration::ZERO,
            backend: self.backend.name().to_owned(),
            time_scale: backend::time_scale(&*self.backend),
            attempts: before.to_vec(),
            quarantine: self.quarantine.clone(),
            snapshot: None,
            only_snapshot: false,
            troubles: Vec::new(),
            scenario_sha256: self.scenario_sha256.clone(),
            finished_unix_ms: 0,
        };
        // A bug of ours is a broken bench, not a lost nightly run.
        let ended = catch_unwind(AssertUnwindSafe(|| {
            self.run_and_keep(args, screen, stop, started, &mut run)
        }));
        let mut troubles = std::mem::take(&mut run.troubles);
        let outcome = match ended {
            Ok(Ok(())) => None,
            Ok(Err(Stop::Interrupted)) => return None,
            Ok(Err(Stop::Skipped { reason })) => Some(Outcome::Skipped { reason }),
            Ok(Err(Stop::Broken {
                kind,
                message,
                next_step,
            })) => Some(Outcome::Infrastructure {
                kind,
                message,
                next_step,
            }),
            Err(panic) => {
                let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
                let text = text
                    .or_else(|| panic.downcast_ref::<String>().cloned())
                    .unwrap_or_default();
                Some(Outcome::Infrastructure {
                    kind: Trouble::Bench,
                    message: format!("a bug of oceanrig: {text}"),
                    next_step: Some(format!("report it, with the command: {}", run.repeat)),
                })
            }
        };
        run.wall = started.elapsed();
        if let Some(outcome) = outcome {
            run.outcome = outcome;
            run.only_snapshot = false;
            run.finished_unix_ms = output::unix_ms();
            let mut redactor = Redactor::new(&self.rules, self.scope);
            if let Some(dir) = &self.dir {
                // What was written so far gets its manifest.
                let written = fs::create_dir_all(dir)
                    .map_err(|e| with_causes(&e))
                    .and_then(|()| {
                        let manifest = files::write_manifest(dir, &run, &mut redactor);
                        manifest.map(drop).map_err(|e| with_causes(&e))
                    });
                troubles.extend(written.err());
            }
            run = run.redacted(&mut redactor);
        }
        run.troubles = troubles;
        Some(run)
    }

    fn run_and_keep(
        &self,
        args: &RunArgs,
        screen: &Screen,
        stop: &AtomicBool,
        started: std::time::Instant,
        run: &mut Run,
    ) -> Result<(), Stop> {
        let scenario = &self.selected.scenario;
        let mut files = None;
        if let Some(dir) = &self.dir {
            // Without its files the run still has a verdict.
            match ScenarioFiles::create(dir, scenario.path()) {
                Ok(created) => files = Some(created),
                Err(error) => run.troubles.push(with_causes(&error)),
            }
        }
        let limits = Limits {
            seed: args.seed,
            strict: args.strict,
            capture: files.is_some() && self.backend.captures(),
            time_scale: backend::time_scale(&*self.backend),
        };
        let redactor = Redactor::new(&self.rules, self.scope);
        let duration = scenario.duration().duration();
        let mut watcher = screen.watch(&self.selected.id, duration, files, redactor, args.snapshots, stop);
        if let Some(reason) = &self.impossible {
            return Err(Stop::Skipped {
                reason: reason.clone(),
            });
        }
        let task = Task {
            scenario,
            elf: &self.elf,
            limits,
        };
        let ended = self.backend.carry_out(&task, &mut watcher);
        let Watched {
            files,
            mut redactor,
            redacted,
            events,
            lines,
            frames,
            failed,
        } = watcher.into_watched();
        run.troubles.extend(failed.map(|e| with_causes(&e)));
        let record = ended?;
        run.events = events;
        let failed: Vec<String> = run
            .expectations()
            .filter(|(_, r)| !r.held)
            .map(|(_, r)| r.name.clone())
            .collect();
        // Names and reasons are compared as the events have them.
        let mut text = |t: &String| {
            if redacted {
                redactor.text(t).into_owned()
            } else {
                t.clone()
            }
        };
        run.must_fail = run.must_fail.as_ref().map(&mut text);
        let reasons: Vec<String> = record.reasons.iter().map(&mut text).collect();
        run.outcome = Outcome::judge(&record.verdict, &failed, run.must_fail.as_deref(), &reasons);
        if args.snapshots {
            self.compare(args, &lines, &redactor, run);
        }
        run.wall = started.elapsed();
        run.finished_unix_ms = output::unix_ms();
        if let Some(files) = files {
            let capture = limits
                .capture
                .then(|| pcapng(&frames, &run.events, scenario.bench.start.unix_time()));
            if let Err(error) = files.finish(run, capture, &mut redactor) {
                run.troubles.push(with_causes(&error));
            }
        }
        // A pass shows nothing of its events, unless somebody asked for more.
        let shown = self.dir.is_some() || args.format == Format::Json || run.outcome != Outcome::Passed;
        if shown {
            if !redacted {
                *run = run.redacted(&mut redactor);
            }
        } else {
            run.forget_events();
        }
        Ok(())
    }

    /// Compares the console's lines with the snapshot. A snapshot that cannot be written hides no verdict.
    fn compare(&self, args: &RunArgs, lines: &[Event], known: &Redactor, run: &mut Run) {
        let mode = if args.ci { Mode::ReadOnly } else { Mode::Write };
        match snapshots::check_run(&self.selected.scenario, lines, &self.rules, known, mode) {
            Ok(checked) => {
                if checked.is_pending() {
                    run.only_snapshot = run.outcome == Outcome::Passed;
                    run.outcome.add_reasons(vec![snapshots::reason(&checked)]);
                }
                run.snapshot = Some(snapshots::compared(&checked));
            }
            Err(error) => {
                // It was not compared: no pass, and no failure of the firmware.
                let trouble = with_causes(&error);
                if run.outcome == Outcome::Passed {
                    run.outcome = Outcome::broken(trouble);
                } else {
                    run.troubles.push(trouble);
                }
            }
        }
    }
}

/// The capture, with a comment where a fault begins or ends: at the first frame from that moment on, or at the last
/// one where none follows.
fn pcapng(frames: &[CapturedFrame], events: &[Event], epoch: UnixTime) -> Vec<u8> {
    let mut faults = events
        .iter()
        .filter_map(|event| {
            let Kind::Fault { name, state } = &event.kind else {
                return None;
            };
            Some((event.at, name, *state))
        })
        .filter_map(|(at, name, state)| match state {
            FaultState::Fired => Some((at, format!("fault `{name}` begins at {at}"))),
            FaultState::Ended => Some((at, format!("fault `{name}` ends at {at}"))),
            FaultState::WithoutEffect | FaultState::NeverFired => None,
        })
        .peekable();
    let mut write = || {
        let mut writer = Writer::new(Vec::new(), epoch)?;
        for (i, frame) in frames.iter().enumerate() {
            let last = i + 1 == frames.len();
            let mut comments = Vec::new();
            while let Some((_, text)) = faults.next_if(|(at, _)| last || *at <= frame.at) {
                comments.push(text);
            }
            writer.write_with(frame, &comments)?;
        }
        writer.into_inner()
    };
    write().expect("memory takes every frame")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use bench::{Progress, RunEnd};
    use clap::Parser as _;
    use report::files::{MANIFEST, Manifest};
    use scenario::Pace;
    use vocabulary::Verdict;

    use super::*;
    use crate::backend::Backend;
    use crate::cli::{Cli, Command};
    use crate::error::CliError;
    use crate::firmware::Elf;
    use crate::job;
    use crate::select::Selected;

    /// A backend that does what a test wants, from the last to the first.
    #[derive(Debug)]
    struct Scripted(Mutex<Vec<Result<RunEnd, Stop>>>);

    impl Backend for Scripted {
        fn name(&self) -> &str {
            "board:scripted"
        }

        fn pace(&self) -> Option<Pace> {
            Some(Pace {
                scale: 60,
                tolerance: Duration::ZERO,
            })
        }

        fn captures(&self) -> bool {
            false
        }

        fn width(&self) -> Option<usize> {
            Some(1)
        }

        fn secrets(&self) -> Vec<(&'static str, String)> {
            Vec::new()
        }

        fn check(&self, _: &Elf) -> Result<(), CliError> {
            Ok(())
        }

        fn carry_out(&self, _: &Task<'_>, _: &mut dyn Progress) -> Result<RunEnd, Stop> {
            self.0.lock().unwrap().pop().unwrap()
        }
    }

    fn record(verdict: Verdict) -> Result<RunEnd, Stop> {
        Ok(RunEnd {
            at: sim::Instant::ZERO,
            verdict,
            reasons: Vec::new(),
            instructions: 0,
            events: 0,
        })
    }

    fn trouble(kind: Trouble) -> Result<RunEnd, Stop> {
        Err(Stop::Broken {
            kind,
            message: format!("{} for the test", kind.name()),
            next_step: Some("look at the cable".into()),
        })
    }

    /// Carries a scenario out on a backend that does what `script` says, and how much of it was left.
    fn carry_out(script: Vec<Result<RunEnd, Stop>>, more: &[&str]) -> (Run, usize) {
        let line = ["oceanrig", "run", "one.yaml"].iter().chain(more);
        let Command::Run(args) = Cli::parse_from(line).command else {
            panic!("another subcommand");
        };
        let text = "name: One\nversion: 1\nexpect:\n  - serial: x\n";
        let selected = Selected {
            id: "one".into(),
            scenario: faults::FORMAT.parse("one.yaml", text).unwrap(),
        };
        let mut job = job::prepare(vec![selected], &args).unwrap().remove(0);
        let backend = Arc::new(Scripted(Mutex::new(script.into_iter().rev().collect())));
        job.backend = backend.clone();
        let run = job
            .carry_out(&args, &Screen::new(1, false), &AtomicBool::new(false))
            .unwrap();
        let rest = backend.0.lock().unwrap().len();
        (run, rest)
    }

    #[test]
    fn a_trouble_of_the_bench_is_tried_again_and_each_attempt_is_kept() {
        let out = tempfile::tempdir().unwrap();
        let script = vec![
            trouble(Trouble::Flashing),
            trouble(Trouble::PortLost),
            record(Verdict::Pass),
        ];
        let dir = out.path().to_str().unwrap();
        let (run, rest) = carry_out(script, &["--retries", "2", "--out", dir]);
        assert_eq!((run.outcome.clone(), rest), (Outcome::Passed, 0));
        let kinds: Vec<Trouble> = run.attempts.iter().map(|a| a.kind).collect();
        assert_eq!(kinds, [Trouble::Flashing, Trouble::PortLost]);
        let json = fs::read(out.path().join("one").join(MANIFEST)).unwrap();
        let manifest: Manifest = serde_json::from_slice(&json).unwrap();
        assert_eq!(manifest.attempts, run.attempts);
        assert_eq!(
            (manifest.backend.as_deref(), manifest.time_scale),
            (Some("board:scripted"), 60)
        );
    }

    #[test]
    fn attempts_come_to_an_end() {
        let script = vec![
            trouble(Trouble::NoBoot),
            trouble(Trouble::NoBoot),
            record(Verdict::Pass),
        ];
        let (run, rest) = carry_out(script, &["--retries", "1"]);
        let Outcome::Infrastructure { kind, next_step, .. } = &run.outcome else {
            panic!("{:?}", run.outcome);
        };
        assert_eq!(
            (*kind, next_step.as_deref()),
            (Trouble::NoBoot, Some("look at the cable"))
        );
        assert_eq!((run.attempts.len(), rest), (1, 1));
    }

    #[test]
    fn a_failure_and_a_skip_are_never_tried_again() {
        let (run, rest) = carry_out(
            vec![record(Verdict::Fail), record(Verdict::Pass)],
            &["--retries", "9"],
        );
        assert!(matches!(run.outcome, Outcome::Failed { .. }));
        assert_eq!((run.attempts.len(), rest), (0, 1));
        let out = tempfile::tempdir().unwrap();
        let skip = Err(Stop::Skipped {
            reason: "no access point".into(),
        });
        let dir = out.path().to_str().unwrap();
        let (run, rest) = carry_out(
            vec![skip, record(Verdict::Pass)],
            &["--retries", "9", "--out", dir],
        );
        let skipped = Outcome::Skipped {
            reason: "no access point".into(),
        };
        assert_eq!((&run.outcome, rest), (&skipped, 1));
        let read = report::load::runs(&out.path().join("one").join(files::EVENTS)).unwrap();
        assert_eq!((&read.runs[0].outcome, read.runs[0].time_scale), (&skipped, 60));
    }
}
