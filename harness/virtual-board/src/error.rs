//! Why a board cannot be made, or cannot go on.

use std::io;
use std::path::PathBuf;

use esp32c3::ChipError;
use image::ElfError;
use netsim::NetError;

/// Why a virtual board cannot be made, or a command to one fails.
#[derive(Debug, thiserror::Error)]
pub enum BoardError {
    /// A live board has the place already.
    #[error("{} belongs to a virtual board that runs: stop that one first, or choose another path", path.display())]
    Busy {
        /// The port, socket or flash image.
        path: PathBuf,
    },
    /// Something that is not ours lies there.
    #[error("{} exists and is {what}: choose another path, or remove it", path.display())]
    NotOurs {
        /// The path.
        path: PathBuf,
        /// What it is.
        what: String,
    },
    /// A socket's path does not fit the system's structure.
    #[error("{} is too long for a socket: {len} bytes, at most 107; choose a shorter path with --control", path.display())]
    LongPath {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        len: usize,
    },
    /// The system refuses something on a path.
    #[error("cannot {what} {}", path.display())]
    Path {
        /// What was tried.
        what: &'static str,
        /// The path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The system refuses something else.
    #[error("cannot {what}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// A file is no image of the flash.
    #[error("{} has {len} bytes; an image of the 4 MiB flash has exactly 4194304", path.display())]
    FlashSize {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        len: u64,
    },
    /// A file is no firmware.
    #[error("cannot take symbols from {}", path.display())]
    Elf {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ElfError,
    },
    /// The network cannot be.
    #[error("cannot set up the network")]
    Net(#[from] NetError),
    /// The chip cannot be.
    #[error("cannot make the chip")]
    Chip(#[from] ChipError),
    /// What the flash holds could not be written to its file by the end.
    #[error("the flash image {} is not complete: the last save failed: {why}", path.display())]
    NotSaved {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// No board answers at a control socket.
    #[error("no virtual board listens at {}", path.display())]
    NobodyThere {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The board refuses a command.
    #[error("{0}")]
    Refused(String),
}

impl BoardError {
    /// Whether the person gave something that cannot work, as opposed to a bench in trouble.
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

/// Gives an [`io::Error`] its place: `map_err(on("open", path))`.
pub(crate) fn on(what: &'static str, path: &std::path::Path) -> impl FnOnce(io::Error) -> BoardError {
    let path = path.to_owned();
    move |source| BoardError::Path { what, path, source }
}

/// Gives an error of the system its purpose.
pub(crate) fn when<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> BoardError {
    move |source| BoardError::System {
        what,
        source: source.into(),
    }
}
