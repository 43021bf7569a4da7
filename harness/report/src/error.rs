//! What can go wrong while reports are made.

use std::io;
use std::path::PathBuf;

use crate::redact::RedactError;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file cannot be read or written.
    #[error("cannot {what} {}", path.display())]
    Io {
        /// `read`, `write`, …
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Results cannot be printed.
    #[error("cannot write standard output")]
    Output(#[source] io::Error),
    /// What was named holds no history of runs.
    #[error("{} is no history of runs: {why}", path.display())]
    NoHistory {
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// A line of an event file is no event.
    #[error("{}:{line}: not an event", path.display())]
    Event {
        /// Which file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// An event file does not begin with the start of a scenario.
    #[error("{} does not begin with `scenario-started`", path.display())]
    NoStart {
        /// Which file.
        path: PathBuf,
    },
    /// A directory holds no event file.
    #[error("no events.jsonl in {}", path.display())]
    NoEvents {
        /// Which directory.
        path: PathBuf,
    },
    /// An event file was written by a later version.
    #[error("{} has event schema {found}; this version reads up to {known}", path.display())]
    Schema {
        /// Which file.
        path: PathBuf,
        /// Version in the file.
        found: u32,
        /// Newest version that is understood.
        known: u32,
    },
    /// The JUnit report cannot be put into words.
    #[error("cannot write the JUnit report")]
    Junit(#[from] quick_junit::SerializeError),
    /// The project file is not understood.
    #[error("the project file {} is not valid: {message}", path.display())]
    Project {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it, with its position.
        message: String,
    },
    /// A redaction rule cannot be used.
    #[error(transparent)]
    Redact(#[from] RedactError),
}

impl ReportError {
    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> ReportError {
        let path = path.into();
        move |source| ReportError::Io { what, path, source }
    }
}
