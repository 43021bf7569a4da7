//! Exit codes: one table, documented in `oceanrig --help` and the README.

use std::process::ExitCode;

use report::Trouble;

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
    /// Nothing ran: no scenario was selected, or all were skipped.
    NothingRan = 4,
    /// Snapshots wait for a decision, under `--ci`.
    Pending = 5,
    /// The image did not get into the device's flash.
    Flashing = 6,
    /// The device's port vanished.
    PortLost = 7,
    /// The device did not boot.
    NoBoot = 8,
    /// Stopped by Ctrl-C.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

impl From<Trouble> for Exit {
    fn from(trouble: Trouble) -> Exit {
        match trouble {
            Trouble::Bench => Exit::Bench,
            Trouble::Flashing => Exit::Flashing,
            Trouble::PortLost => Exit::PortLost,
            Trouble::NoBoot => Exit::NoBoot,
        }
    }
}

/// The code of a process in which all of `ends` occurred. A failure comes before what the bench got wrong: whoever
/// runs again after a trouble of the bench must not lose a failure by it.
pub(crate) fn first_of(ends: impl IntoIterator<Item = Exit>) -> Exit {
    const ORDER: [Exit; 9] = [
        Exit::Interrupted,
        Exit::Usage,
        Exit::Failed,
        Exit::Bench,
        Exit::Flashing,
        Exit::PortLost,
        Exit::NoBoot,
        Exit::Pending,
        Exit::Passed,
    ];
    let ends: Vec<Exit> = ends.into_iter().collect();
    // What was skipped counts only where nothing ran.
    ORDER
        .into_iter()
        .find(|exit| ends.contains(exit))
        .unwrap_or(Exit::NothingRan)
}

/// The table as `--help` shows it.
pub(crate) const TABLE: &str = "\
Exit codes:
  0    every scenario passed
  1    an expectation failed
  2    wrong usage or an invalid file; nothing ran
  3    the bench itself failed; nothing is known about the firmware
  4    nothing ran: no scenario was selected, or all were skipped
  5    snapshots wait for a decision (with --ci)
  6    flashing failed
  7    the device's port vanished
  8    the device did not boot
  130  stopped by Ctrl-C
Of several the first of 130, 1, 3, 6, 7, 8, 5, 4: no trouble of the bench hides a failure.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_comes_before_the_bench_and_a_skip_counts_only_alone() {
        use Exit::{Bench, Failed, Flashing, Interrupted, NoBoot, NothingRan, Passed, Pending, PortLost};
        for (ends, first) in [
            (vec![], NothingRan),
            (vec![NothingRan, NothingRan], NothingRan),
            (vec![NothingRan, Passed], Passed),
            (vec![Passed, Pending], Pending),
            (vec![Pending, NoBoot], NoBoot),
            (vec![NoBoot, PortLost], PortLost),
            (vec![PortLost, Flashing], Flashing),
            (vec![Flashing, Bench], Bench),
            (vec![Bench, Failed, Passed], Failed),
            (vec![Failed, Interrupted], Interrupted),
        ] {
            assert_eq!(first_of(ends.iter().copied()), first, "{ends:?}");
            assert_eq!(first_of(ends.iter().rev().copied()), first, "{ends:?}");
        }
    }

    #[test]
    fn each_trouble_has_a_code_of_its_own() {
        let codes: Vec<u8> = Trouble::ALL.iter().map(|t| Exit::from(*t) as u8).collect();
        assert_eq!(codes, [3, 6, 7, 8]);
    }
}
