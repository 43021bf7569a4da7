//! `oceanrig run`

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use report::history::Record;
use report::html::Page;
use report::junit::Junit;
use report::{Outcome, Run};

use crate::carry_out::Done;
use crate::cli::RunArgs;
use crate::commands::check;
use crate::commands::history::HistoryFile;
use crate::error::{CliError, stdout_failed};
use crate::exit::{self, Exit};
use crate::format::Printer;
use crate::job::{self, Job};
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
            writeln!(out, "{}", s.id).map_err(stdout_failed)?;
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
        return watch::watch(args, &INTERRUPTED, |jobs| round(&jobs, args));
    }
    round(&jobs(args)?, args)
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
    let mut history = args.history.as_deref().map(HistoryFile::open).transpose()?;
    let mut reports = args.out.as_deref().map(Reports::new);
    let mut verdicts: Vec<Verdict> = Vec::new();
    let mut failed = None;
    pool::run_ordered(
        jobs,
        width,
        |_, job| {
            (!INTERRUPTED.load(Ordering::Relaxed))
                .then(|| job.carry_out(args, &screen, &INTERRUPTED))
                .flatten()
        },
        |_, done: Done| {
            if let Err(error) = printer.done(&done) {
                failed.get_or_insert(error);
            }
            // At once: what ended counts, whatever becomes of the rest.
            if let Some(Err(error)) = history.as_mut().map(|h| h.add(&Record::of(&done.run))) {
                failed.get_or_insert(error);
            }
            if let Some(reports) = &mut reports {
                reports.add(&done.run);
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
        reports.write(wall)?;
    }
    let ran = |id: &str| verdicts.iter().any(|v| v.run.name == id);
    let not_run: Vec<&str> = jobs
        .iter()
        .map(|j| j.selected.id.as_str())
        .filter(|id| !ran(id))
        .collect();
    let runs: Vec<&Run> = verdicts.iter().map(|v| &v.run).collect();
    if let Err(error) = printer.finish(&runs, &not_run, wall) {
        failed.get_or_insert(error);
    }
    let exit = exit(&verdicts, args.ci);
    match failed {
        // Who reads no more still gets the verdict by the exit code.
        Some(CliError::Closed) | None => Ok(exit),
        Some(error) => Err(error),
    }
}

fn exit(verdicts: &[Verdict], ci: bool) -> Exit {
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
    exit::first_of(verdicts.iter().map(of).chain(interrupted))
}

/// The reports about all scenarios in the directory of `--out`.
struct Reports<'a> {
    dir: &'a Path,
    junit: Junit,
    page: Page,
}

impl Reports<'_> {
    fn new(dir: &Path) -> Reports<'_> {
        Reports {
            dir,
            junit: Junit::default(),
            page: Page::default(),
        }
    }

    fn add(&mut self, run: &Run) {
        self.junit.add(run);
        self.page.add(run);
    }

    fn write(self, wall: Duration) -> Result<(), CliError> {
        let junit = self.junit.finish(wall).map_err(CliError::Report)?;
        whole(&self.dir.join("junit.xml"), &junit)?;
        whole(&self.dir.join("report.html"), &self.page.finish("oceanrig run"))
    }
}

/// Writes a file that is whole whenever somebody looks: an earlier one, or this.
fn whole(path: &Path, text: &str) -> Result<(), CliError> {
    let unfinished = path.with_extension("unfinished");
    fs::write(&unfinished, text)
        .and_then(|()| fs::rename(&unfinished, path))
        .map_err(|source| CliError::Write {
            path: path.to_owned(),
            source,
        })
}
