//! `oceanrig completions`

use std::io::Write as _;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::error::{CliError, stdout_failed};
use crate::exit::Exit;

/// Prints the completion script of a shell.
///
/// # Errors
/// When stdout cannot be written.
pub(crate) fn completions(shell: Shell) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "oceanrig", &mut script);
    std::io::stdout().write_all(&script).map_err(stdout_failed)?;
    Ok(Exit::Passed)
}
