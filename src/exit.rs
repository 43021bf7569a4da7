//! Exit codes: one table, documented in `oceanrig --help` and the README.

use std::process::ExitCode;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Every scenario passed.
    Passed = 0,
    /// An expectation failed.
    Failed = 1,
    /// Wrong usage or an invalid file; nothing ran.
    Usage = 2,
    /// The bench itself failed; nothing is known about the firmware.
    Bench = 3,
    /// No scenario was selected.
    NothingSelected = 4,
    /// Snapshots wait for a decision, under `--ci`.
    Pending = 5,
    /// Stopped by Ctrl-C.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// The table as `--help` shows it.
pub(crate) const TABLE: &str = "\
Exit codes:
  0    every scenario passed
  1    an expectation failed
  2    wrong usage or an invalid file; nothing ran
  3    the bench itself failed; nothing is known about the firmware
  4    no scenario was selected
  5    snapshots wait for a decision (with --ci)
  130  stopped by Ctrl-C";
