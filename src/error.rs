//! What the command line tells a person when it cannot go on: one variant, one message, one exit code, one hint.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};

use report::ReportError;
use snapshot::SnapshotError;

use crate::discover::DiscoverError;
use crate::exit::Exit;

/// Why a subcommand cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// A path cannot be searched.
    #[error(transparent)]
    Discover(#[from] DiscoverError),
    /// Arguments that do not go together.
    #[error("{0}")]
    Usage(&'static str),
    /// A directory holds no scenario.
    #[error("no scenario file (*.yaml, *.yml) in {0}")]
    NoFiles(String),
    /// Scenario files are not valid; what is wrong was printed already.
    #[error("{invalid} of {all} scenario files {} not valid; nothing ran", if *invalid == 1 { "is" } else { "are" })]
    Invalid {
        /// How many are not valid.
        invalid: usize,
        /// How many were read.
        all: usize,
    },
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process writes into the directory of `--out`.
    #[error("{} is in use by {holder}", path.display())]
    OutBusy {
        /// The directory.
        path: PathBuf,
        /// Who it is.
        holder: String,
    },
    /// Files of runs are damaged.
    #[error("{0} of these event files is damaged; what was read is in the report, and no pass counts")]
    Damaged(usize),
    /// What was named holds no history of runs.
    #[error("{} is no history of runs: {why}", path.display())]
    NoHistory {
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The firmware image cannot be used.
    #[error("cannot use the firmware image {}", path.display())]
    Firmware {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The firmware that a scenario names cannot be used.
    #[error("{position}: this firmware cannot be used")]
    FirmwareOf {
        /// Where the scenario names it, `path:line:column`.
        position: String,
        /// Why.
        source: Box<CliError>,
    },
    /// No scenario matches.
    #[error("no scenario matches {0}")]
    NothingSelected(String),
    /// No trigger and no action has this name.
    #[error("no trigger and no action is called `{0}`")]
    NoSuchFault(String),
    /// Scenarios of the catalogue lack something.
    #[error("the catalogue is not complete:\n  {0}")]
    Catalogue(String),
    /// A scenario has several cases, or not the one that was asked for.
    #[error("choose one case of the scenario with --case: {0}")]
    Case(String),
    /// A device cannot be opened.
    #[error(transparent)]
    Dut(dut::OpenError),
    /// The declared boards cannot be used.
    #[error(transparent)]
    Boards(board::ConfigError),
    /// A report cannot be made.
    #[error(transparent)]
    Report(ReportError),
    /// A snapshot cannot be read or written.
    #[error(transparent)]
    Snapshot(SnapshotError),
    /// The cloud cannot serve.
    #[error("cannot serve the cloud")]
    Serve(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The runtime for sockets cannot start.
    #[error("cannot start the network runtime")]
    Runtime(#[source] io::Error),
    /// A virtual board cannot be, or refuses.
    #[cfg(unix)]
    #[error(transparent)]
    VirtualBoard(#[from] virtual_board::BoardError),
    /// Whoever reads the output has gone.
    #[error("the output was closed")]
    Closed,
    /// The bench itself failed.
    #[error("{0}")]
    Bench(String),
}

impl CliError {
    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            CliError::Discover(_)
            | CliError::Usage(_)
            | CliError::NoFiles(_)
            | CliError::Invalid { .. }
            | CliError::Case(_)
            | CliError::Catalogue(_)
            | CliError::Boards(_)
            | CliError::Dut(_)
            | CliError::Read { .. }
            | CliError::NoHistory { .. }
            | CliError::NoSuchFault(_)
            | CliError::Firmware { .. }
            | CliError::FirmwareOf { .. } => Exit::Usage,
            CliError::NothingSelected(_) => Exit::NothingRan,
            CliError::Report(error) => of_report(error),
            CliError::Snapshot(error) => of_snapshot(error),
            CliError::Write { .. }
            | CliError::OutBusy { .. }
            | CliError::Damaged(_)
            | CliError::Serve(_)
            | CliError::Runtime(_)
            | CliError::Bench(_) => Exit::Bench,
            #[cfg(unix)]
            CliError::VirtualBoard(error) if error.is_usage() => Exit::Usage,
            #[cfg(unix)]
            CliError::VirtualBoard(_) => Exit::Bench,
            CliError::Closed => Exit::Passed,
        }
    }

    fn hint(&self) -> Option<&'static str> {
        match self {
            CliError::Discover(_) | CliError::Read { .. } => Some("check the path, and that it may be read"),
            CliError::Snapshot(SnapshotError::Format { .. }) => {
                Some("take it from version control again, or remove it and accept the next one")
            }
            CliError::NoFiles(_) => Some("give a scenario file, or a directory that holds some"),
            CliError::NoHistory { .. } | CliError::Report(ReportError::NoHistory { .. }) => {
                Some("give a file of `oceanrig run --history`, or a directory of `oceanrig run --out`")
            }
            CliError::Boards(_) | CliError::Dut(_) => Some("docs/boards.md has the reference of the file"),
            CliError::NoSuchFault(_) => Some("`oceanrig faults` lists them all"),
            CliError::NothingSelected(_) => Some("`oceanrig run --list PATH` shows the names"),
            CliError::OutBusy { .. } => Some("wait until it has ended, or give another directory with --out"),
            CliError::Report(ReportError::Io { what: "write", .. }) | CliError::Write { .. } => {
                Some("check that the directory may be written and the disk has room")
            }
            _ => None,
        }
    }

    /// The message with its causes and a hint, styled.
    pub(crate) fn for_a_person(&self) -> String {
        const BAD: Style = AnsiColor::Red.on_default().bold();
        const DIM: Style = Style::new().dimmed();
        let mut out = format!("{BAD}error:{BAD:#} {}", with_causes(self));
        let help = match self {
            CliError::Dut(error) => error.help.as_deref(),
            _ => None,
        };
        if let Some(hint) = help.or(self.hint()) {
            let _ = write!(out, "\n  {DIM}hint:{DIM:#} {hint}");
        }
        out
    }
}

/// What an error says, with its causes.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

/// A file that cannot be read was named by the user; one that cannot be written is the bench's trouble.
fn of_io(what: &str) -> Exit {
    if what == "read" { Exit::Usage } else { Exit::Bench }
}

fn of_report(error: &ReportError) -> Exit {
    match error {
        ReportError::Io { what, .. } => of_io(what),
        ReportError::NoHistory { .. }
        | ReportError::Event { .. }
        | ReportError::NoStart { .. }
        | ReportError::NoEvents { .. }
        | ReportError::Schema { .. }
        | ReportError::Project { .. }
        | ReportError::Redact(_) => Exit::Usage,
        ReportError::Junit(_) | ReportError::Output(_) => Exit::Bench,
    }
}

fn of_snapshot(error: &SnapshotError) -> Exit {
    match error {
        SnapshotError::Io { what, .. } => of_io(what),
        SnapshotError::Format { .. } | SnapshotError::Pattern { .. } => Exit::Usage,
    }
}

/// Maps a failed write to stdout: a reader that has gone is no error.
pub(crate) fn stdout_failed(error: io::Error) -> CliError {
    if error.kind() == io::ErrorKind::BrokenPipe {
        CliError::Closed
    } else {
        CliError::Write {
            path: PathBuf::from("standard output"),
            source: error,
        }
    }
}
