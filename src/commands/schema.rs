//! `oceanrig schema`

use std::io::Write as _;

use crate::error::{CliError, stdout_failed};
use crate::exit::Exit;

/// Prints the JSON Schema of scenario files.
///
/// # Errors
/// When stdout cannot be written.
pub(crate) fn schema() -> Result<Exit, CliError> {
    let text = serde_json::to_string_pretty(&faults::FORMAT.schema()).expect("a JSON value is text");
    writeln!(std::io::stdout(), "{text}").map_err(stdout_failed)?;
    Ok(Exit::Passed)
}
