//! `oceanrig report`

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueHint};
use report::redact::{Redactor, Rules, Scope};
use report::{html, junit, load};
use vocabulary::text::one_line;

use crate::error::CliError;
use crate::exit::Exit;
use crate::output;

/// Arguments of `oceanrig report`.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Event files, or directories that are searched for events.jsonl.
    #[arg(required = true, value_name = "FILE|DIR", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,

    /// Write the HTML page here.
    #[arg(short, long, value_name = "FILE", default_value = "report.html", value_hint = ValueHint::FilePath)]
    pub(crate) output: PathBuf,

    /// Also write JUnit XML here.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) junit: Option<PathBuf>,

    /// Leave secrets in, where the event files still have them.
    #[arg(long)]
    pub(crate) keep_secrets: bool,
}

/// Makes the reports of runs that have ended.
///
/// # Errors
/// When an event file cannot be read or understood, or a report cannot be written.
pub(crate) fn report(args: &ReportArgs) -> Result<Exit, CliError> {
    let project = report::project::Project::load(Path::new(".")).map_err(CliError::Report)?;
    let rules = Rules::built_in()
        .with(&project.redact)
        .map_err(|e| CliError::Report(e.into()))?;
    let scope = if args.keep_secrets {
        Scope::Nothing
    } else {
        Scope::Secrets
    };
    let mut runs = Vec::new();
    let mut damaged = 0;
    for path in &args.paths {
        let files = load::event_files(path).map_err(CliError::Report)?;
        if files.is_empty() {
            return Err(CliError::Report(report::ReportError::NoEvents {
                path: path.clone(),
            }));
        }
        for file in files {
            let loaded = load::runs(&file).map_err(CliError::Report)?;
            for damage in &loaded.damage {
                output::note(&format!("{}: {damage}", one_line(&file.display().to_string())));
            }
            damaged += usize::from(!loaded.damage.is_empty());
            // Each run has its own numbers, as when it ran.
            runs.extend(
                loaded
                    .runs
                    .iter()
                    .map(|run| run.redacted(&mut Redactor::new(&rules, scope))),
            );
        }
    }
    let all: Vec<_> = runs.iter().collect();
    write(&args.output, &html::render(&all, "oceanrig report"))?;
    if let Some(path) = &args.junit {
        write(
            path,
            &junit::render(&all, Duration::ZERO).map_err(CliError::Report)?,
        )?;
    }
    let plural = if all.len() == 1 { "" } else { "s" };
    output::note(&format!(
        "{}: {} scenario{plural}",
        args.output.display(),
        all.len()
    ));
    if damaged > 0 {
        return Err(CliError::Damaged(damaged));
    }
    Ok(Exit::Passed)
}

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    report::spool::replace(path, |out| out.write_all(text.as_bytes())).map_err(|source| CliError::Write {
        path: path.to_owned(),
        source,
    })
}
