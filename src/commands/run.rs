//! `oceanrig run`

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use report::history::Record;
use report::html::Page;
use report::junit::Junit;
use report::spool::{Spool, replace};
use report::{Outcome, Run};
use vocabulary::text::one_line;

use crate::carry_out::Done;
use crate::cli::RunArgs;
use crate::commands::check;
use crate::commands::history::HistoryFile;
use crate::error::{CliError, stdout_failed};
use crate::exit::{self, Exit};
use crate::format::Printer;
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
        return watch::watch(args, &INTERRUPTED, |jobs| round(&jobs, args));
    }
    let jobs = jobs(args)?;
    let _lock = args.out.as_deref().map(OutLock::take).transpose()?;
    round(&jobs, args)
}

/// The jobs that `args` ask for.
///
/// # Errors
/// When a file is not valid or nothing is selected.
pub(crate) fn jobs(args: &RunArgs) -> Result<Vec<Job>, CliError> {
    let selected = select::select(check::read(&args.paths)?, &args.select)?;
    refuse_tls(&selected)?;
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

/// What a run leaves in memory when its events are dropped: the last of them.
struct Verdict {
    run: Run,
    only_snapshot: bool,
}

/// Runs `jobs`, prints their results and writes their files.
fn round(jobs: &[Job], args: &RunArgs) -> Result<Exit, CliError> {
    let started = output::wall_clock();
    let screen = Screen::new(jobs.len(), args.verbose);
    let asked = args.jobs.map_or_else(pool::default_width, usize::from);
    let width = jobs.first().and_then(|job| job.backend.width()).unwrap_or(asked);
    let mut printer = Printer::new(args, &screen);
    let mut troubles = Troubles::default();
    let mut history = match args.history.as_deref().map(HistoryFile::open) {
        // Something else altogether was named by mistake: nothing has run yet.
        Some(Err(error @ CliError::NoHistory { .. })) => return Err(error),
        Some(opened) => troubles.of(opened),
        None => None,
    };
    let mut reports = match args.out.as_deref() {
        Some(dir) => Some(Reports::new(dir, &mut troubles)),
        None => None,
    };
    let mut verdicts: Vec<Verdict> = Vec::new();
    pool::run_ordered(
        jobs,
        width,
        |_, job| {
            (!INTERRUPTED.load(Ordering::Relaxed))
                .then(|| job.carry_out(args, &screen, &INTERRUPTED))
                .flatten()
        },
        |_, done: Done| {
            troubles.of(printer.done(&done));
            // At once: what ended counts, whatever becomes of the rest.
            if let Some(history) = &mut history {
                troubles.of(history.add(&Record::of(&done.run)));
            }
            if let Some(reports) = &mut reports {
                reports.add(&done.run, &mut troubles);
            }
            let Done {
                mut run,
                only_snapshot,
                ..
            } = done;
            let last = run.events.pop();
            run.events = last.into_iter().collect();
            verdicts.push(Verdict { run, only_snapshot });
        },
    );
    screen.finish();
    let wall = started.elapsed();
    if let Some(reports) = reports {
        reports.write(wall, &mut troubles);
    }
    let ran: BTreeSet<&str> = verdicts.iter().map(|v| v.run.name.as_str()).collect();
    let not_run: Vec<&str> = jobs
        .iter()
        .map(|j| j.selected.id.as_str())
        .filter(|id| !ran.contains(id))
        .collect();
    let runs: Vec<&Run> = verdicts.iter().map(|v| &v.run).collect();
    troubles.of(printer.finish(&runs, &not_run, wall));
    Ok(exit::first_of(
        [exit(&verdicts, args.ci)].into_iter().chain(troubles.tell()),
    ))
}

/// What could not be written while a round went on: told, and never in place of a verdict.
#[derive(Default)]
struct Troubles(Vec<CliError>);

impl Troubles {
    /// What came of something, if it came to anything.
    fn of<T>(&mut self, result: Result<T, CliError>) -> Option<T> {
        result.map_err(|error| self.0.push(error)).ok()
    }

    /// Tells each once, and gives the exit codes that they call for.
    fn tell(self) -> Vec<Exit> {
        let mut told = BTreeSet::new();
        let mut exits = Vec::new();
        for error in self.0 {
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

fn exit(verdicts: &[Verdict], ci: bool) -> Exit {
    let troubled = |v: &Verdict| (!v.run.troubles.is_empty()).then_some(Exit::Bench);
    let interrupted = INTERRUPTED.load(Ordering::Relaxed).then_some(Exit::Interrupted);
    let of = |v: &Verdict| match &v.run.outcome {
        Outcome::Passed => Exit::Passed,
        // Known, and not red.
        Outcome::Failed { .. } if v.run.is_quarantined() => Exit::Passed,
        Outcome::Failed { .. } if v.only_snapshot && ci => Exit::Pending,
        Outcome::Failed { .. } => Exit::Failed,
        Outcome::Infrastructure { kind, .. } => (*kind).into(),
        Outcome::Skipped { .. } => Exit::NothingRan,
    };
    let troubles = verdicts.iter().filter_map(troubled);
    exit::first_of(verdicts.iter().map(of).chain(troubles).chain(interrupted))
}

/// The reports about all scenarios in the directory of `--out`. One that cannot be written leaves the other alone.
struct Reports<'a> {
    dir: &'a Path,
    junit: Option<Junit>,
    page: Option<Page>,
}

/// Names of the reports.
const JUNIT: &str = "junit.xml";
const PAGE: &str = "report.html";

impl Reports<'_> {
    fn new<'a>(dir: &'a Path, troubles: &mut Troubles) -> Reports<'a> {
        let mut spool = |name: &str| {
            let path = dir.join(name);
            troubles.of(Spool::beside(&path).map_err(|source| CliError::Write { path, source }))
        };
        Reports {
            dir,
            junit: spool(JUNIT).map(Junit::kept_in),
            page: spool(PAGE).map(Page::kept_in),
        }
    }

    fn add(&mut self, run: &Run, troubles: &mut Troubles) {
        if let Some(junit) = &mut self.junit
            && let Err(error) = junit.add(run)
        {
            troubles.0.push(CliError::Report(error));
            self.junit = None;
        }
        if let Some(page) = &mut self.page
            && let Err(source) = page.add(run)
        {
            let path = self.dir.join(PAGE);
            troubles.0.push(CliError::Write { path, source });
            self.page = None;
        }
    }

    fn write(self, wall: Duration, troubles: &mut Troubles) {
        let Reports { dir, junit, page } = self;
        if let Some(junit) = junit
            && let Some(mut junit) = troubles.of(junit.finish(wall).map_err(CliError::Report))
        {
            troubles.of(whole(&dir.join(JUNIT), |out| junit.write(out)));
        }
        if let Some(page) = page {
            troubles.of(whole(&dir.join(PAGE), |out| page.write("oceanrig run", out)));
        }
    }
}

/// Writes a file that is whole whenever somebody looks: an earlier one, or this.
fn whole(path: &Path, write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> Result<(), CliError> {
    replace(path, write).map_err(|source| CliError::Write {
        path: path.to_owned(),
        source,
    })
}
