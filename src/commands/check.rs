//! `oceanrig check`

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;

use report::input;
use scenario::{Problem, Purpose, Scenario};
use vocabulary::text::one_line;

use crate::cli::CheckArgs;
use crate::discover;
use crate::error::{CliError, stdout_failed};
use crate::exit::Exit;
use crate::{findings, output};

/// Columns of what is said about a file.
const WIDTH: usize = 100;

/// Checks scenario files without running them.
///
/// # Errors
/// When a file cannot be read or is not valid.
pub(crate) fn check(args: &CheckArgs) -> Result<Exit, CliError> {
    let scenarios = read(&args.paths)?;
    let beyond = Beyond {
        firmware_is_named: true,
        firmware_is_foreign: false,
        is_emulator: true,
    };
    beyond_the_file(scenarios.iter(), beyond)?;
    let files: BTreeSet<&str> = scenarios.iter().map(Scenario::path).collect();
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

/// What is known beside the files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beyond {
    /// Whether the firmware that a file names is looked for here; a run tells of it when it loads it.
    pub(crate) firmware_is_named: bool,
    /// Whether another firmware than the shipped one runs, whatever the files name.
    pub(crate) firmware_is_foreign: bool,
    /// Whether the device is the emulator, whose pins are known.
    pub(crate) is_emulator: bool,
}

/// Tells what reading does not find: the firmware, its defects, the chip's pins, the time that steps take.
///
/// # Errors
/// When something of that is wrong.
pub(crate) fn beyond_the_file<'s>(
    scenarios: impl Iterator<Item = &'s Scenario> + Clone,
    beyond: Beyond,
) -> Result<(), CliError> {
    let mut wrong = BTreeSet::new();
    let mut shown = BTreeSet::new();
    let mut warn = |warning: &Problem| {
        if shown.insert(warning.line()) {
            output::note(warning.render(true, WIDTH).trim_end());
        }
    };
    for scenario in scenarios.clone() {
        if let Some(finding) = scenario.too_short() {
            warn(&scenario.warning(finding));
        }
        let is_foreign = beyond.firmware_is_foreign || scenario.bench.firmware.is_some();
        let found = [
            if beyond.firmware_is_named {
                findings::firmware(scenario)
            } else {
                Ok(())
            },
            if beyond.is_emulator {
                findings::pins(scenario)
            } else {
                Ok(())
            },
            findings::defects(scenario, is_foreign).map(|warnings| warnings.iter().for_each(&mut warn)),
        ];
        for mistakes in found.into_iter().filter_map(Result::err) {
            // The cases of a file say the same.
            if wrong.insert(scenario.path()) {
                output::note(&mistakes.render(true, WIDTH));
            }
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let files: BTreeSet<&str> = scenarios.map(Scenario::path).collect();
    Err(CliError::Invalid {
        invalid: wrong.len(),
        all: files.len(),
    })
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
        match faults::FORMAT.parse_all_for(purpose, &name, &text) {
            Ok(cases) => {
                for warning in cases.iter().flat_map(Scenario::warnings) {
                    output::note(warning.render(true, WIDTH).trim_end());
                }
                scenarios.extend(cases);
            }
            Err(diagnostics) => {
                invalid += 1;
                output::note(&diagnostics.render(true, WIDTH));
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
