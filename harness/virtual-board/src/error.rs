//! Reasons why a board cannot be made, or cannot continue.

use std::io;
use std::path::PathBuf;

use esp32c3::ChipError;
use image::ElfError;
use netsim::NetError;

/// Reason why a virtual board cannot be made, or why a command to one fails.
#[derive(Debug, thiserror::Error)]
pub enum BoardError {
    /// Another board that runs uses the path already.
    #[error("{} belongs to a virtual board that runs: stop that one first, or choose another path", path.display())]
    Busy {
        /// Path of the port, socket or flash image.
        path: PathBuf,
    },
    /// There is a file at the path that no board has made.
    #[error("{} exists and is {what}: choose another path, or remove it", path.display())]
    NotOurs {
        /// Path of the file.
        path: PathBuf,
        /// Kind of the file.
        what: String,
    },
    /// A socket's path is too long for the system's address structure.
    #[error("{} is too long for a socket: {len} bytes, at most 107; choose a shorter path with --control", path.display())]
    LongPath {
        /// Path of the socket.
        path: PathBuf,
        /// Its length in bytes.
        len: usize,
    },
    /// The system refuses an operation on a path.
    #[error("cannot {what} {}", path.display())]
    Path {
        /// Name of the operation.
        what: &'static str,
        /// Path of the operation.
        path: PathBuf,
        /// Error of the system.
        source: io::Error,
    },
    /// The system refuses an operation without a path.
    #[error("cannot {what}")]
    System {
        /// Name of the operation.
        what: &'static str,
        /// Error of the system.
        source: io::Error,
    },
    /// A file does not have the size of the flash.
    #[error("{} has {len} bytes; an image of the 4 MiB flash has exactly 4194304", path.display())]
    FlashSize {
        /// Path of the file.
        path: PathBuf,
        /// Its length in bytes.
        len: u64,
    },
    /// A file is not a firmware for the chip.
    #[error("cannot take symbols from {}", path.display())]
    Elf {
        /// Path of the file.
        path: PathBuf,
        /// Reason why it is not a firmware.
        source: ElfError,
    },
    /// The configuration of the network is invalid.
    #[error("cannot set up the network")]
    Net(#[from] NetError),
    /// The configuration of the chip is invalid.
    #[error("cannot make the chip")]
    Chip(#[from] ChipError),
    /// The contents of the flash could not be written to the file at the end.
    #[error("the flash image {} is not complete: the last save failed: {why}", path.display())]
    NotSaved {
        /// Path of the file.
        path: PathBuf,
        /// Error of the system, as text.
        why: String,
    },
    /// No board answers at a control socket.
    #[error("no virtual board listens at {}", path.display())]
    NobodyThere {
        /// Path of the socket.
        path: PathBuf,
        /// Error of the system.
        source: io::Error,
    },
    /// The board refuses a command.
    #[error("{0}")]
    Refused(String),
}

impl BoardError {
    /// True if the user's input is wrong, false if the system or another board is the cause.
    pub fn is_usage(&self) -> bool {
        match self {
            BoardError::NotOurs { .. }
            | BoardError::LongPath { .. }
            | BoardError::FlashSize { .. }
            | BoardError::Elf { .. }
            | BoardError::Net(_)
            | BoardError::Chip(ChipError::GroupMac) => true,
            BoardError::Path { source, .. } => source.kind() == io::ErrorKind::NotFound,
            _ => false,
        }
    }
}

/// Adds operation and path to an [`io::Error`]: `map_err(on("open", path))`.
pub(crate) fn on(what: &'static str, path: &std::path::Path) -> impl FnOnce(io::Error) -> BoardError {
    let path = path.to_owned();
    move |source| BoardError::Path { what, path, source }
}

/// Adds the name of the operation to an error of the system.
pub(crate) fn when<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> BoardError {
    move |source| BoardError::System {
        what,
        source: source.into(),
    }
}
