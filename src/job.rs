//! One scenario that is ready to run: what it needs, and running it.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use report::files::ScenarioFiles;
use report::redact::{Redactor, Rules, Scope};
use report::{Outcome, Run, Trouble};
use runner::{Firmware, Limits};
use scenario::Scenario;
use snapshot::{Checked, Mode, Tolerance};

use crate::backend::{Backend, Stop, Task};
use crate::cli::{Format, RunArgs};
use crate::commands::snapshot as snapshots;
use crate::error::CliError;
use crate::firmware::Images;
use crate::output::{self, Screen};
use crate::select::Selected;

/// A scenario that is ready to run.
pub(crate) struct Job {
    /// The scenario and its name.
    pub(crate) selected: Selected,
    /// Where its firmware lies; `None` is the built-in one.
    pub(crate) firmware_path: Option<PathBuf>,
    firmware: Arc<Firmware>,
    backend: Arc<Backend>,
    /// Where its files go.
    dir: Option<PathBuf>,
    rules: Rules,
    scope: Scope,
}

/// A scenario that has run.
pub(crate) struct Done {
    /// What happened. Secrets are replaced wherever something of it is shown.
    pub(crate) run: Run,
    /// What came of comparing its log with its snapshot.
    pub(crate) snapshot: Option<Checked>,
    /// Nothing but its snapshot is wrong with it.
    pub(crate) only_snapshot: bool,
}

/// Makes the jobs of a selection.
///
/// # Errors
/// When a firmware or the project file cannot be used, or the directory of `--out` not be made.
pub(crate) fn prepare(selected: Vec<Selected>, args: &RunArgs) -> Result<Vec<Job>, CliError> {
    let mut images = Images::default();
    let backend = Arc::new(Backend::Emulator);
    let project = report::project::Project::load(Path::new(".")).map_err(CliError::Report)?;
    let names: Vec<&str> = selected.iter().map(|s| s.id.as_str()).collect();
    let dirs = report::files::dir_names(&names);
    let mut jobs = Vec::with_capacity(selected.len());
    for (selected, dir) in selected.into_iter().zip(dirs) {
        let scenario = &selected.scenario;
        let named = scenario
            .bench
            .firmware
            .as_ref()
            .map(|f| beside(scenario, &f.value));
        let firmware_path = args.firmware.clone().or(named);
        let firmware = images.get(firmware_path.as_deref());
        let firmware = match &scenario.bench.firmware {
            Some(name) if args.firmware.is_none() => firmware.map_err(|error| CliError::FirmwareOf {
                position: scenario.position(name.span),
                source: Box::new(error),
            }),
            _ => firmware,
        };
        jobs.push(Job {
            firmware: firmware?,
            backend: backend.clone(),
            firmware_path,
            dir: args.out.as_ref().map(|out| out.join(dir)),
            rules: Rules::built_in()
                .with(&project.redact)
                .map_err(|e| CliError::Report(e.into()))?
                .with_value("wifi-password", &scenario.bench.network.password),
            scope: if args.keep_secrets {
                Scope::Nothing
            } else {
                Scope::Secrets
            },
            selected,
        });
    }
    if let Some(out) = &args.out {
        fs::create_dir_all(out).map_err(|source| CliError::Write {
            path: out.clone(),
            source,
        })?;
    }
    Ok(jobs)
}

/// `file` as a scenario means it: relative to the scenario's own file.
fn beside(scenario: &Scenario, file: &str) -> PathBuf {
    Path::new(scenario.path())
        .parent()
        .unwrap_or(Path::new(""))
        .join(file)
}

impl Job {
    /// Runs the scenario. `None`: `stop` ended it early.
    pub(crate) fn carry_out(&self, args: &RunArgs, screen: &Screen, stop: &AtomicBool) -> Option<Done> {
        let started = output::wall_clock();
        let scenario = &self.selected.scenario;
        let mut done = Done {
            run: Run {
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
                time_scale: self.backend.time_scale(),
            },
            snapshot: None,
            only_snapshot: false,
        };
        // A bug of ours is a broken bench, not a lost nightly run.
        let ended = catch_unwind(AssertUnwindSafe(|| {
            self.run_and_keep(args, screen, stop, &mut done)
        }));
        done.run.wall = started.elapsed();
        done.run.outcome = match ended {
            Ok(Ok(())) => return Some(done),
            Ok(Err(Stop::Interrupted)) => return None,
            Ok(Err(Stop::Skipped { reason })) => Outcome::Skipped { reason },
            Ok(Err(Stop::Broken {
                kind,
                message,
                next_step,
            })) => Outcome::Infrastructure {
                kind,
                message,
                next_step,
            },
            Err(panic) => {
                let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
                let text = text
                    .or_else(|| panic.downcast_ref::<String>().cloned())
                    .unwrap_or_default();
                Outcome::Infrastructure {
                    kind: Trouble::Bench,
                    message: format!("a bug of oceanrig: {text}"),
                    next_step: Some(format!("report it, with the command: {}", done.run.repeat)),
                }
            }
        };
        done.only_snapshot = false;
        done.run = done.run.redacted(&mut Redactor::new(&self.rules, self.scope));
        Some(done)
    }

    fn run_and_keep(
        &self,
        args: &RunArgs,
        screen: &Screen,
        stop: &AtomicBool,
        done: &mut Done,
    ) -> Result<(), Stop> {
        let scenario = &self.selected.scenario;
        let files = match &self.dir {
            None => None,
            Some(dir) => {
                Some(ScenarioFiles::create(dir, &self.rules, self.scope).map_err(|e| Stop::broken(&e))?)
            }
        };
        let limits = Limits {
            seed: args.seed,
            strict: args.strict,
            capture: self.dir.is_some() && self.backend.captures(),
        };
        let redactor = Redactor::new(&self.rules, self.scope);
        let duration = scenario.duration().duration();
        let mut watcher = screen.watch(&self.selected.id, duration, files, redactor, stop);
        let task = Task {
            scenario,
            firmware: &self.firmware,
            limits,
        };
        let record = self.backend.carry_out(&task, &mut watcher)?;
        done.run.events = record.events;
        let failed: Vec<String> = done
            .run
            .expectations()
            .filter(|(_, r)| !r.held)
            .map(|(_, r)| r.name.clone())
            .collect();
        done.run.outcome = Outcome::judge(&record.verdict, &failed, done.run.must_fail.as_deref());
        add_reasons(&mut done.run.outcome, record.reasons);
        if args.snapshots {
            self.compare(args, done)?;
        }
        let mut redactor = Redactor::new(&self.rules, self.scope);
        if let Some(files) = watcher.into_files().map_err(|e| Stop::broken(&e))? {
            let capture = limits
                .capture
                .then(|| pcapng(&record.frames, scenario.bench.start.unix_time()));
            redactor = files.finish(&done.run, capture).map_err(|e| Stop::broken(&e))?.1;
        }
        // A pass shows nothing of its events, unless somebody asked for more.
        let shown = self.dir.is_some() || args.format == Format::Json || done.run.outcome != Outcome::Passed;
        if shown {
            done.run = done.run.redacted(&mut redactor);
        } else {
            let last = done.run.events.pop();
            done.run.events = last.into_iter().collect();
        }
        Ok(())
    }

    fn compare(&self, args: &RunArgs, done: &mut Done) -> Result<(), Stop> {
        let mode = if args.ci { Mode::ReadOnly } else { Mode::Write };
        let checked = snapshots::check_run(
            &self.selected.scenario,
            &done.run.events,
            &self.rules,
            &Tolerance::default(),
            mode,
        )
        .map_err(|e| Stop::broken(&e))?;
        if checked.is_pending() {
            done.only_snapshot = done.run.outcome == Outcome::Passed;
            add_reasons(&mut done.run.outcome, vec![snapshots::reason(&checked)]);
        }
        done.snapshot = Some(checked);
        Ok(())
    }

    /// The command that runs just this scenario again, the same way.
    fn repeat(&self, args: &RunArgs) -> String {
        let quoted = |s: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+".contains(c);
            if s.chars().all(plain) {
                s.to_owned()
            } else {
                format!("'{}'", s.replace('\'', r"'\''"))
            }
        };
        let scenario = &self.selected.scenario;
        let mut command = format!("oceanrig run {}", quoted(scenario.path()));
        if !scenario.parameters.is_empty() {
            command += &format!(" -k {}", quoted(&self.selected.id));
        }
        command += &format!(" --seed {}", args.seed.unwrap_or(scenario.bench.seed));
        if let Some(firmware) = &args.firmware {
            command += &format!(" --firmware {}", quoted(&firmware.display().to_string()));
        }
        for (given, flag) in [
            (args.strict, " --strict"),
            (args.snapshots, " --snapshots"),
            (args.ci, " --ci"),
        ] {
            command += if given { flag } else { "" };
        }
        command
    }

    /// Whether one of the files in `changed` has a part in this scenario's verdict.
    pub(crate) fn depends_on(&self, changed: &BTreeMap<PathBuf, crate::watch::Stamp>) -> bool {
        self.inputs().iter().any(|path| changed.contains_key(path))
    }

    /// The files that have a part in this scenario's verdict.
    pub(crate) fn inputs(&self) -> Vec<PathBuf> {
        let scenario = &self.selected.scenario;
        let mut inputs = vec![
            PathBuf::from(scenario.path()),
            PathBuf::from(report::project::FILE),
            snapshots::stored_path(scenario),
        ];
        inputs.extend(self.firmware_path.clone());
        inputs
    }
}

/// Makes a failure of `outcome` when there are `more` reasons; what the bench failed by stays.
fn add_reasons(outcome: &mut Outcome, mut more: Vec<String>) {
    match outcome {
        _ if more.is_empty() => {}
        Outcome::Passed => *outcome = Outcome::Failed { reasons: more },
        Outcome::Failed { reasons } => {
            more.append(reasons);
            *reasons = more;
        }
        Outcome::Infrastructure { .. } | Outcome::Skipped { .. } => {}
    }
}

fn pcapng(frames: &[netsim::CapturedFrame], epoch: sim::UnixTime) -> Vec<u8> {
    let write = || {
        let mut writer = netsim::pcapng::Writer::new(Vec::new(), epoch)?;
        frames.iter().try_for_each(|frame| writer.write(frame))?;
        writer.into_inner()
    };
    write().expect("memory takes every frame")
}
