//! `oceanrig run`

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use report::files::ScenarioFiles;
use report::{Outcome, Run, terminal};
use runner::{Firmware, Limits, RunError};
use scenario::Scenario;

use crate::cli::RunArgs;
use crate::commands::check;
use crate::error::{CliError, stdout_failed};
use crate::exit::Exit;
use crate::firmware::Images;
use crate::output::{self, Screen};
use crate::pool;
use crate::select::{self, Selected};

/// Set by Ctrl-C.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// A scenario that is ready to run.
struct Job {
    selected: Selected,
    firmware: Arc<Firmware>,
    files: Option<ScenarioFilesAt>,
}

/// Where the files of a scenario go.
struct ScenarioFilesAt {
    dir: PathBuf,
    rules: report::redact::Rules,
    scope: report::redact::Scope,
}

/// Runs scenarios and prints a verdict for each.
///
/// # Errors
/// When a file is not valid, nothing is selected, or a file cannot be read or written.
pub(crate) fn run(args: &RunArgs) -> Result<Exit, CliError> {
    let selected = select::select(check::read(&args.paths)?, &args.select)?;
    if args.list {
        let mut out = std::io::stdout();
        for s in &selected {
            writeln!(out, "{}", s.id).map_err(stdout_failed)?;
        }
        return Ok(Exit::Passed);
    }
    let jobs = prepare(selected, args)?;
    let on_interrupt = || {
        // The second one does not wait.
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(Exit::Interrupted as u8));
        }
    };
    ctrlc::set_handler(on_interrupt).map_err(|e| CliError::Bench(format!("cannot catch Ctrl-C: {e}")))?;

    let started = output::wall_clock();
    let screen = Screen::new(jobs.len(), args.verbose);
    let width = args.jobs.map_or_else(pool::default_width, usize::from);
    let mut runs: Vec<Run> = Vec::new();
    let mut broken_pipe = None;
    pool::run_ordered(
        &jobs,
        width,
        |_, job| (!INTERRUPTED.load(Ordering::Relaxed)).then(|| carry_out(job, args, &screen)).flatten(),
        |_, run| {
            if let Err(error) = print(&screen, &run, args.quiet) {
                broken_pipe.get_or_insert(error);
            }
            runs.push(Run { events: run.events.into_iter().rev().take(1).collect(), ..run });
        },
    );
    screen.finish();
    if let Some(error) = broken_pipe {
        return Err(error);
    }
    finish(&jobs, &runs, started.elapsed())
}

fn prepare(selected: Vec<Selected>, args: &RunArgs) -> Result<Vec<Job>, CliError> {
    let mut images = Images::default();
    let names: Vec<&str> = selected.iter().map(|s| s.id.as_str()).collect();
    let dirs = report::files::dir_names(&names);
    selected
        .into_iter()
        .zip(dirs)
        .map(|(selected, dir)| {
            let named = selected.scenario.bench.firmware.as_ref().map(|f| {
                Path::new(selected.scenario.path()).parent().unwrap_or(Path::new("")).join(&f.value)
            });
            let path = args.firmware.clone().or(named);
            let files = match &args.out {
                Some(out) => Some(files_at(&selected.scenario, out.join(dir), args.keep_secrets)?),
                None => None,
            };
            Ok(Job { firmware: images.get(path.as_deref())?, selected, files })
        })
        .collect()
}

fn files_at(scenario: &Scenario, dir: PathBuf, keep_secrets: bool) -> Result<ScenarioFilesAt, CliError> {
    use report::redact::{Rules, Scope};
    let project = report::project::Project::load(Path::new(".")).map_err(CliError::Report)?;
    let rules = Rules::built_in()
        .with(&project.redact)
        .map_err(|e| CliError::Report(e.into()))?
        .with_value("wifi-password", &scenario.bench.network.password);
    Ok(ScenarioFilesAt { dir, rules, scope: if keep_secrets { Scope::Nothing } else { Scope::Secrets } })
}

/// Runs one scenario. `None`: it was interrupted.
fn carry_out(job: &Job, args: &RunArgs, screen: &Screen) -> Option<Run> {
    let started = output::wall_clock();
    let scenario = &job.selected.scenario;
    let mut run = Run {
        name: job.selected.id.clone(),
        path: scenario.path().to_owned(),
        repeat: repeat(job, args),
        events: Vec::new(),
        must_fail: match &scenario.expect_verdict {
            scenario::ExpectVerdict::Pass => None,
            scenario::ExpectVerdict::Fail(name) => Some(name.value.clone()),
        },
        outcome: Outcome::Passed,
        wall: Duration::ZERO,
    };
    // A bug of ours is a broken bench, not a lost nightly run.
    let done = catch_unwind(AssertUnwindSafe(|| run_and_keep(job, args, screen, &mut run)));
    run.wall = started.elapsed();
    match done {
        Ok(Ok(())) => Some(run),
        Ok(Err(Stop::Interrupted)) => None,
        Ok(Err(Stop::Broken(message))) => {
            run.outcome = Outcome::Infrastructure { message };
            Some(run)
        }
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            run.outcome = Outcome::Infrastructure { message: format!("a bug of oceanrig: {text}") };
            Some(run)
        }
    }
}

enum Stop {
    Interrupted,
    Broken(String),
}

fn run_and_keep(job: &Job, args: &RunArgs, screen: &Screen, run: &mut Run) -> Result<(), Stop> {
    let scenario = &job.selected.scenario;
    let broken = |e: &dyn std::error::Error| Stop::Broken(with_causes(e));
    let files = match &job.files {
        None => None,
        Some(at) => Some(
            ScenarioFiles::create(&at.dir, &at.rules, at.scope).map_err(|e| broken(&e))?,
        ),
    };
    let limits = Limits { seed: args.seed, strict: args.strict, capture: job.files.is_some() };
    let mut watcher = screen.watch(&job.selected.id, scenario.duration().duration(), files, &INTERRUPTED);
    let record = match runner::run(scenario, &job.firmware, limits, &mut watcher) {
        Ok(record) => record,
        Err(RunError::Stopped) => return Err(Stop::Interrupted),
        Err(e) => return Err(broken(&e)),
    };
    run.events = record.events;
    let failed: Vec<String> =
        run.expectations().filter(|(_, r)| !r.held).map(|(_, r)| r.name.clone()).collect();
    run.outcome = Outcome::judge(&record.verdict, &failed, run.must_fail.as_deref());
    if !record.reasons.is_empty() {
        let mut reasons = record.reasons;
        if let Outcome::Failed { reasons: more } = &run.outcome {
            reasons.extend(more.iter().cloned());
        }
        run.outcome = Outcome::Failed { reasons };
    }
    if let Some(files) = watcher.into_files().map_err(|e| broken(&e))? {
        let capture = pcapng(&record.frames, scenario.bench.start.unix_time());
        files.finish(run, Some(capture)).map_err(|e| broken(&e))?;
    }
    Ok(())
}

fn pcapng(frames: &[netsim::CapturedFrame], epoch: sim::UnixTime) -> Vec<u8> {
    let write = || {
        let mut writer = netsim::pcapng::Writer::new(Vec::new(), epoch)?;
        frames.iter().try_for_each(|frame| writer.write(frame))?;
        writer.into_inner()
    };
    write().expect("memory takes every frame")
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// The command that runs just this scenario again, the same way.
fn repeat(job: &Job, args: &RunArgs) -> String {
    let quoted = |s: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+".contains(c);
        if s.chars().all(plain) { s.to_owned() } else { format!("'{}'", s.replace('\'', r"'\''")) }
    };
    let mut command = format!("oceanrig run {}", quoted(job.selected.scenario.path()));
    if !job.selected.scenario.parameters.is_empty() {
        command += &format!(" -k {}", quoted(&job.selected.id));
    }
    command += &format!(" --seed {}", args.seed.unwrap_or(job.selected.scenario.bench.seed));
    if let Some(firmware) = &args.firmware {
        command += &format!(" --firmware {}", quoted(&firmware.display().to_string()));
    }
    if args.strict {
        command += " --strict";
    }
    command
}

fn print(screen: &Screen, run: &Run, quiet: bool) -> Result<(), CliError> {
    let passed = run.outcome == Outcome::Passed;
    if quiet && passed {
        return Ok(());
    }
    let text = format!("{}\n{}", terminal::line(run), terminal::failure(run));
    screen.print(&text).map_err(stdout_failed)
}

fn finish(jobs: &[Job], runs: &[Run], wall: Duration) -> Result<Exit, CliError> {
    let not_run: Vec<&str> = jobs
        .iter()
        .map(|j| j.selected.id.as_str())
        .filter(|id| !runs.iter().any(|r| r.name == *id))
        .collect();
    let all: Vec<&Run> = runs.iter().collect();
    let mut out = anstream::stdout();
    writeln!(out, "{}", terminal::summary(&all, not_run.len(), wall)).map_err(stdout_failed)?;
    if INTERRUPTED.load(Ordering::Relaxed) {
        anstream::eprintln!("interrupted; these did not run to their end:");
        for id in not_run {
            anstream::eprintln!("  {id}");
        }
        return Ok(Exit::Interrupted);
    }
    let any = |f: fn(&Outcome) -> bool| runs.iter().any(|r| f(&r.outcome));
    Ok(if any(|o| matches!(o, Outcome::Infrastructure { .. })) {
        Exit::Bench
    } else if any(|o| matches!(o, Outcome::Failed { .. })) {
        Exit::Failed
    } else {
        Exit::Passed
    })
}
