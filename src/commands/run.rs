//! `oceanrig run`

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use report::github::Github;
use report::history_file::HistoryFile;
use report::html::PageFile;
use report::json::JsonLines;
use report::junit::JunitFile;
use report::reporter::{Reporter, Session};
use report::terminal::Terminal;
use report::{Outcome, ReportError, Run};
use vocabulary::text::one_line;

use crate::cli::{Format, RunArgs};
use crate::commands::check::{self, Beyond};
use crate::error::{CliError, stdout_failed};
use crate::exit::{self, Exit};
use crate::job::{self, Job};
use crate::out_lock::OutLock;
use crate::output::{self, Screen};
use crate::pool;
use crate::select;
use crate::watch;

/// Set by Ctrl-C.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Runs scenarios and prints a verdict for each.
///
/// # Errors
/// When a file is not valid, nothing is selected, or a file cannot be read or written.
pub(crate) fn run(args: &RunArgs) -> Result<Exit, CliError> {
    if args.list {
        let mut out = std::io::stdout();
        for s in select::select(check::read(&args.paths)?, &args.select)? {
            writeln!(out, "{}", one_line(&s.id)).map_err(stdout_failed)?;
        }
        return Ok(Exit::Passed);
    }
    let on_interrupt = || {
        // The second one does not wait.
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(Exit::Interrupted as u8));
        }
    };
    ctrlc::set_handler(on_interrupt).map_err(|e| CliError::Bench(format!("cannot catch Ctrl-C: {e}")))?;
    if args.watch {
        let _lock = args.out.as_deref().map(OutLock::take).transpose()?;
        return watch::watch(args, &INTERRUPTED, || jobs(args), |jobs| round(&jobs, args));
    }
    let jobs = jobs(args)?;
    let _lock = args.out.as_deref().map(OutLock::take).transpose()?;
    round(&jobs, args)
}

/// The jobs that `args` ask for.
///
/// # Errors
/// When a file is not valid or nothing is selected.
fn jobs(args: &RunArgs) -> Result<Vec<Job>, CliError> {
    let mut selected = select::select(check::read(&args.paths)?, &args.select)?;
    if let Some(timeout) = args.timeout {
        for s in &mut selected {
            s.scenario = s.scenario.with_timeout(timeout);
        }
    }
    refuse_tls(&selected)?;
    let beyond = Beyond {
        firmware_is_named: false,
        firmware_is_foreign: args.firmware.is_some() || !args.dut.is_default(),
        is_emulator: args.dut.is_default(),
    };
    check::beyond_the_file(selected.iter().map(|s| &s.scenario), beyond)?;
    job::prepare(selected, args)
}

/// Faults of TLS cannot strike a device that speaks plain HTTP; a run without them would prove nothing.
fn refuse_tls(selected: &[select::Selected]) -> Result<(), CliError> {
    let mut files = std::collections::BTreeSet::new();
    for scenario in selected.iter().map(|s| &s.scenario) {
        if let Some(fault) = scenario.needs_tls()
            && files.insert(scenario.path())
        {
            output::note(&format!(
                "{}: the fault `{}` can never strike: the device of a run speaks plain HTTP, and `tls` is for the cloud \
                 that `oceanrig serve --tls --scenario {}` serves",
                scenario.position(fault.action.span),
                fault.name.value,
                scenario.path()
            ));
        }
    }
    if files.is_empty() {
        return Ok(());
    }
    let all: std::collections::BTreeSet<&str> = selected.iter().map(|s| s.scenario.path()).collect();
    Err(CliError::Invalid {
        invalid: files.len(),
        all: all.len(),
    })
}

/// Runs `jobs`, and tells every reporter of each that ends.
fn round(jobs: &[Job], args: &RunArgs) -> Result<Exit, CliError> {
    let started = output::wall_clock();
    let screen = Screen::new(jobs.len(), args.verbose);
    let asked = args.jobs.map_or_else(pool::default_width, usize::from);
    let width = jobs.first().and_then(|job| job.backend.width()).unwrap_or(asked);
    let reporters = Mutex::new(Reporters::open(args, &screen)?);
    let mut runs: Vec<Run> = Vec::new();
    pool::run_ordered(
        jobs,
        width,
        |place, job| {
            let stopped = INTERRUPTED.load(Ordering::Relaxed);
            let mut run = (!stopped)
                .then(|| job.carry_out(args, &screen, &INTERRUPTED))
                .flatten();
            // As soon as it has ended: its events are in memory no longer than that, whichever runs are still to come.
            let mut reporters = reporters.lock().unwrap_or_else(PoisonError::into_inner);
            match &run {
                Some(run) => {
                    screen.count();
                    reporters.each(|reporter| reporter.run_done(place, run));
                }
                None => reporters.each(|reporter| reporter.run_lost(place)),
            }
            if let Some(run) = &mut run {
                run.forget_events();
            }
            run
        },
        |_, run| runs.push(run),
    );
    screen.finish();
    let ran: BTreeSet<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    let not_run: Vec<String> = jobs
        .iter()
        .map(|j| j.selected.id.clone())
        .filter(|id| !ran.contains(id.as_str()))
        .collect();
    let session = Session {
        runs: &runs,
        not_run: &not_run,
        wall: started.elapsed(),
    };
    let mut reporters = reporters.into_inner().unwrap_or_else(PoisonError::into_inner);
    reporters.each(|reporter| reporter.session_done(&session));
    let exits = [exit(&runs, args.ci)]
        .into_iter()
        .chain(reporters.troubles.tell());
    Ok(exit::first_of(exits))
}

/// Everything that hears of runs, and what went wrong with that.
struct Reporters<'a> {
    list: Vec<Box<dyn Reporter + 'a>>,
    troubles: Troubles,
}

impl<'a> Reporters<'a> {
    /// The formats that `args` ask for, one row each. One that cannot be opened leaves the others alone.
    ///
    /// # Errors
    /// When the history file is something else: it was named by mistake, and nothing has run yet.
    fn open(args: &RunArgs, screen: &'a Screen) -> Result<Reporters<'a>, CliError> {
        let step_summary = || std::env::var_os("GITHUB_STEP_SUMMARY").map(PathBuf::from);
        let printer: Box<dyn Reporter + 'a> = match args.format {
            Format::Human => Box::new(Terminal::new(screen, args.quiet)),
            Format::Json => Box::new(JsonLines::new(screen, args.quiet)),
            Format::Github => Box::new(Github::new(screen, args.quiet, step_summary())),
        };
        let mut reporters = Reporters {
            list: Vec::new(),
            troubles: Troubles::default(),
        };
        match args.history.as_deref().map(HistoryFile::open) {
            Some(Err(error @ ReportError::NoHistory { .. })) => return Err(CliError::Report(error)),
            Some(opened) => reporters.add(opened),
            None => {}
        }
        if let Some(dir) = &args.out {
            reporters.add(JunitFile::in_dir(dir));
            reporters.add(PageFile::in_dir(dir));
        }
        // Last, so that the summary is the last line.
        reporters.list.push(printer);
        Ok(reporters)
    }

    fn add(&mut self, opened: Result<impl Reporter + 'a, ReportError>) {
        match opened {
            Ok(reporter) => self.list.push(Box::new(reporter)),
            Err(error) => self.troubles.0.push(error),
        }
    }

    fn each(&mut self, mut tell: impl FnMut(&mut dyn Reporter) -> Result<(), ReportError>) {
        for reporter in &mut self.list {
            if let Err(error) = tell(&mut **reporter) {
                self.troubles.0.push(error);
            }
        }
    }
}

/// What could not be written while a round went on: told, and never in place of a verdict.
#[derive(Default)]
struct Troubles(Vec<ReportError>);

impl Troubles {
    /// Tells each once, and gives the exit codes that they call for.
    fn tell(self) -> Vec<Exit> {
        let mut told = BTreeSet::new();
        let mut exits = Vec::new();
        for error in self.0 {
            let error = match error {
                ReportError::Output(source) => stdout_failed(source),
                error => CliError::Report(error),
            };
            // A reader of stdout that has gone wants nothing more.
            if matches!(error, CliError::Closed) {
                continue;
            }
            let text = error.for_a_person();
            if told.insert(text.clone()) {
                output::note(&text);
            }
            exits.push(error.exit());
        }
        exits
    }
}

fn exit(runs: &[Run], ci: bool) -> Exit {
    let troubles = runs
        .iter()
        .filter(|run| !run.troubles.is_empty())
        .map(|_| Exit::Bench);
    let interrupted = INTERRUPTED.load(Ordering::Relaxed).then_some(Exit::Interrupted);
    let of = |run: &Run| match &run.outcome {
        Outcome::Passed => Exit::Passed,
        // Known, and not red.
        Outcome::Failed { .. } if run.is_quarantined() => Exit::Passed,
        Outcome::Failed { .. } if run.only_snapshot && ci => Exit::Pending,
        Outcome::Failed { .. } => Exit::Failed,
        Outcome::Infrastructure { kind, .. } => (*kind).into(),
        Outcome::Skipped { .. } => Exit::NothingRan,
    };
    exit::first_of(runs.iter().map(of).chain(troubles).chain(interrupted))
}
