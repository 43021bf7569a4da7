//! The oceanrig command line: arguments, output, exit codes; the work is done below.

mod backend;
mod carry_out;
mod cli;
mod commands;
mod discover;
mod dut_name;
mod error;
mod exit;
mod findings;
mod firmware;
mod job;
mod out_lock;
mod output;
mod pool;
mod quarantine;
mod select;
mod watch;

use std::process::ExitCode;

use clap::{ColorChoice, Parser};

use crate::cli::{Cli, Command};
use crate::error::CliError;
use crate::exit::Exit;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.color {
        ColorChoice::Auto => {}
        ColorChoice::Always => anstream::ColorChoice::Always.write_global(),
        ColorChoice::Never => anstream::ColorChoice::Never.write_global(),
    }
    let done = match cli.command {
        Command::Run(args) => commands::run::run(&args),
        Command::Report(args) => commands::report::report(&args),
        Command::History(args) => commands::history::history(&args),
        Command::Snapshot(args) => commands::snapshot::snapshot(&args),
        Command::Check(args) => commands::check::check(&args),
        Command::Serve(args) => commands::serve::serve(&args),
        Command::VirtualBoard(args) => commands::virtual_board::virtual_board(args),
        Command::Faults(args) => commands::faults::faults(&args),
        Command::Catalogue(args) => commands::catalogue::catalogue(&args),
        Command::Boards(args) => commands::boards::boards(&args),
        Command::Schema => commands::schema::schema(),
        Command::Bench(args) => commands::bench::bench(&args),
        Command::Completions { shell } => commands::completions::completions(shell),
    };
    match done {
        Ok(exit) => exit.into(),
        Err(CliError::Closed) => Exit::Passed.into(),
        Err(error) => {
            output::note(&error.for_a_person());
            error.exit().into()
        }
    }
}
