//! `boards.toml`: the boards, their connections, and the fixtures wired to them.
//!
//! The user's reference is `docs/boards.md`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::boards_toml::{Fault, RawFile};
use crate::config::BoardConfig;

/// Name of the file in the working directory that is read by default.
pub const FILE_NAME: &str = "boards.toml";

/// Reason why `boards.toml` cannot be used: a usage error.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// Error of the system.
        source: io::Error,
    },
    /// The contents of the file are invalid.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Invalid {
        /// Path of the file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// Description of the error and of the expected value.
        message: String,
    },
    /// The file has no board of this name.
    #[error("{} has no board `{name}`{}", path.display(), others(.known))]
    NoSuchBoard {
        /// Path of the file.
        path: PathBuf,
        /// The requested name.
        name: String,
        /// The names of the boards in the file.
        known: Vec<String>,
    },
    /// The environment variable for a password is not set.
    #[error(
        "the password of the board `{board}` is to come from the environment variable {variable}, which is not set"
    )]
    NoPassword {
        /// Name of the board.
        board: String,
        /// Name of the variable.
        variable: String,
    },
}

impl ConfigError {
    /// The action that the user should take.
    pub fn help(&self) -> String {
        match self {
            ConfigError::Read { path, .. } => format!(
                "describe the board in {}, or name another file with --boards (docs/boards.md)",
                path.display()
            ),
            ConfigError::Invalid { .. } => "docs/boards.md has the reference of the file".to_owned(),
            ConfigError::NoSuchBoard { path, name, .. } => {
                format!("add a section [board.{name}] to {}", path.display())
            }
            ConfigError::NoPassword { variable, .. } => {
                format!("set {variable}, or give `password` in the file")
            }
        }
    }
}

fn others(known: &[String]) -> String {
    if known.is_empty() {
        "; it has none".to_owned()
    } else {
        format!("; it has {}", known.join(", "))
    }
}

/// All boards of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boards {
    path: PathBuf,
    boards: BTreeMap<String, BoardConfig>,
}

impl Boards {
    /// Reads `path`.
    ///
    /// # Errors
    /// If it cannot be read or is not valid.
    pub fn load(path: &Path) -> Result<Boards, ConfigError> {
        let text = fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Boards::parse(path, &text)
    }

    /// Reads the file `asked`, or else [`FILE_NAME`] in the working directory. `None` if neither is given or
    /// exists.
    ///
    /// # Errors
    /// As [`Boards::load`].
    pub fn find(asked: Option<&Path>) -> Result<Option<Boards>, ConfigError> {
        match asked {
            Some(path) => Boards::load(path).map(Some),
            None if Path::new(FILE_NAME).exists() => Boards::load(Path::new(FILE_NAME)).map(Some),
            None => Ok(None),
        }
    }

    /// Reads the text of a file; `path` is for messages.
    ///
    /// # Errors
    /// If it is not valid.
    pub fn parse(path: &Path, text: &str) -> Result<Boards, ConfigError> {
        let raw: RawFile = toml::from_str(text)
            .map_err(|error| invalid(path, text, error.span().unwrap_or(0..0), error.message()))?;
        let mut boards = BTreeMap::new();
        for (name, raw) in raw.board {
            let span = name.span();
            let name = name.into_inner();
            let board = raw.check(&name, span).map_err(|fault| match fault {
                Fault::At(span, message) => invalid(path, text, span, &message),
                Fault::NoPassword(variable) => ConfigError::NoPassword {
                    board: name.clone(),
                    variable,
                },
            })?;
            boards.insert(name, board);
        }
        Ok(Boards {
            path: path.to_owned(),
            boards,
        })
    }

    /// Path of the file that was read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The configuration of the board `name`.
    ///
    /// # Errors
    /// If there is no board of this name.
    pub fn get(&self, name: &str) -> Result<&BoardConfig, ConfigError> {
        self.boards.get(name).ok_or_else(|| ConfigError::NoSuchBoard {
            path: self.path.clone(),
            name: name.to_owned(),
            known: self.boards.keys().cloned().collect(),
        })
    }

    /// All boards, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &BoardConfig> {
        self.boards.values()
    }
}

fn invalid(path: &Path, text: &str, span: Range<usize>, message: &str) -> ConfigError {
    let before = text.get(..span.start).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    ConfigError::Invalid {
        path: path.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        message: message.to_owned(),
    }
}
