//! `oceanrig check`

use std::io::Write as _;
use std::path::PathBuf;

use report::input;
use scenario::{Purpose, Scenario};
use vocabulary::text::one_line;

use crate::cli::CheckArgs;
use crate::discover;
use crate::error::{CliError, stdout_failed};
use crate::exit::Exit;
use crate::output;

/// Checks scenario files without running them.
///
/// # Errors
/// When a file cannot be read or is not valid.
pub(crate) fn check(args: &CheckArgs) -> Result<Exit, CliError> {
    let scenarios = read(&args.paths)?;
    let files: std::collections::BTreeSet<&str> = scenarios.iter().map(Scenario::path).collect();
    let (files, cases) = (files.len(), scenarios.len());
    let plural = |n: usize| if n == 1 { "" } else { "s" };
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{files} file{} with {cases} scenario{}: valid",
        plural(files),
        plural(cases)
    )
    .map_err(stdout_failed)?;
    Ok(Exit::Passed)
}

/// Reads and checks all scenario files under `paths`; what is wrong with them goes to stderr.
///
/// # Errors
/// When a path cannot be read, there is no file, or one is not valid.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<Scenario>, CliError> {
    read_for(Purpose::Judged, paths)
}

/// As [`read`], for files that are read for `purpose`.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_for(purpose: Purpose, paths: &[PathBuf]) -> Result<Vec<Scenario>, CliError> {
    let files = discover::scenario_files(paths)?;
    if files.is_empty() {
        let named: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
        return Err(CliError::NoFiles(named.join(", ")));
    }
    let mut scenarios = Vec::new();
    let mut invalid = 0;
    for path in &files {
        let bytes = input::read(path, input::MOST_TEXT).map_err(|source| CliError::Read {
            path: path.clone(),
            source,
        })?;
        let name = path.display().to_string();
        let Ok(text) = String::from_utf8(bytes) else {
            output::note(&format!("{}: not a text file (not UTF-8)", one_line(&name)));
            invalid += 1;
            continue;
        };
        match Scenario::parse_all_for(purpose, &name, &text) {
            Ok(cases) => scenarios.extend(cases),
            Err(diagnostics) => {
                invalid += 1;
                output::note(&diagnostics.render(true, 100));
            }
        }
    }
    if invalid > 0 {
        return Err(CliError::Invalid {
            invalid,
            all: files.len(),
        });
    }
    Ok(scenarios)
}
