//! `oceanrig history`, and the file that `oceanrig run --history` keeps.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum, ValueHint};
use report::files::{MANIFEST, Manifest};
use report::history::{self, Record};

use crate::error::{CliError, stdout_failed};
use crate::exit::Exit;
use crate::output;

/// Arguments of `oceanrig history`.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// Files of `oceanrig run --history`, or directories of `--out`, which are searched for manifest.json.
    #[arg(required = true, value_name = "FILE|DIR", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,

    /// What stdout gets.
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(crate) format: HistoryFormat,
}

/// What stdout gets of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HistoryFormat {
    /// A table, and what is flaky below it.
    Human,
    /// One JSON object a line for each scenario and backend.
    Json,
}

/// Shows how each scenario fared over time.
///
/// # Errors
/// When a path cannot be read, or holds nothing.
pub(crate) fn history(args: &HistoryArgs) -> Result<Exit, CliError> {
    let mut records = Vec::new();
    for path in &args.paths {
        records.extend(read(path)?);
    }
    let rows = history::rows(records);
    let text = match args.format {
        HistoryFormat::Human => history::table(&rows),
        HistoryFormat::Json => rows
            .iter()
            .map(|row| serde_json::to_string(row).expect("a row is text, numbers and lists") + "\n")
            .collect(),
    };
    anstream::stdout()
        .write_all(text.as_bytes())
        .map_err(stdout_failed)?;
    Ok(Exit::Passed)
}

fn read(path: &Path) -> Result<Vec<Record>, CliError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| CliError::Read { path, source }
    };
    if path.is_dir() || path.file_name().is_some_and(|name| name == MANIFEST) {
        let mut found = Vec::new();
        manifests(path, &mut found).map_err(failed(path))?;
        found.sort();
        let mut records = Vec::new();
        for file in &found {
            let json = fs::read(file).map_err(failed(file))?;
            let manifest: Manifest = serde_json::from_slice(&json).map_err(|e| CliError::NoHistory {
                path: file.clone(),
                why: e.to_string(),
            })?;
            records.push(Record::of_manifest(&manifest));
        }
        if records.is_empty() {
            return Err(CliError::NoHistory {
                path: path.to_owned(),
                why: format!("no {MANIFEST} is in it"),
            });
        }
        return Ok(records);
    }
    let text = fs::read(path).map_err(failed(path))?;
    let (records, torn) = history::parse(&String::from_utf8_lossy(&text));
    if records.is_empty() && !torn.is_empty() {
        return Err(CliError::NoHistory {
            path: path.to_owned(),
            why: "none of its lines is the record of a run".to_owned(),
        });
    }
    for line in torn {
        output::note(&format!(
            "{}:{line}: this line is cut off and left out",
            path.display()
        ));
    }
    Ok(records)
}

fn manifests(path: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    if !path.is_dir() {
        found.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        let is_manifest = path.file_name().is_some_and(|name| name == MANIFEST);
        // A link to a directory above would never end.
        if (path.is_dir() && !path.is_symlink()) || is_manifest {
            manifests(&path, found)?;
        }
    }
    Ok(())
}
