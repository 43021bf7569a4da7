//! What carries a scenario out, behind one seam: a job knows nothing of how.

use bench::{Limits, Progress, RunError, RunRecord};
use scenario::Scenario;
use vocabulary::Trouble;

use crate::board_bench::BoardBench;
use crate::error::with_causes;
use crate::firmware::Elf;

/// What carries scenarios out.
#[derive(Debug)]
pub(crate) enum Backend {
    /// The built-in chip, in virtual time.
    Emulator,
    /// A board, in wall time.
    Board(Box<BoardBench>),
    /// What a test wants to happen, from the last to the first.
    #[cfg(test)]
    Scripted(std::sync::Mutex<Vec<Result<RunRecord, Stop>>>),
}

/// What is to be carried out.
pub(crate) struct Task<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) elf: &'a Elf,
    pub(crate) limits: Limits,
}

/// Why there is no record of a run.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The caller wanted it to end.
    Interrupted,
    /// The backend cannot do what the scenario needs.
    Skipped { reason: String },
    /// The bench failed.
    Broken {
        kind: Trouble,
        message: String,
        /// What the person can do about it.
        next_step: Option<String>,
    },
}

impl Stop {
    /// A trouble that has no name of its own.
    pub(crate) fn broken(error: &dyn std::error::Error) -> Stop {
        Stop::Broken {
            kind: Trouble::Bench,
            message: with_causes(error),
            next_step: None,
        }
    }
}

impl Backend {
    /// Its name in reports.
    pub(crate) fn name(&self) -> &str {
        match self {
            Backend::Emulator => "emulator",
            Backend::Board(bench) => bench.name(),
            #[cfg(test)]
            Backend::Scripted(_) => "board:scripted",
        }
    }

    /// By how much it divides the contract's intervals.
    pub(crate) fn time_scale(&self) -> u32 {
        match self {
            Backend::Emulator => 1,
            Backend::Board(bench) => bench.pace.scale,
            #[cfg(test)]
            Backend::Scripted(_) => 60,
        }
    }

    /// Whether it sees every frame, so that a capture can be kept.
    pub(crate) fn captures(&self) -> bool {
        match self {
            Backend::Emulator => true,
            Backend::Board(_) => false,
            #[cfg(test)]
            Backend::Scripted(_) => false,
        }
    }

    /// Carries `task` out and tells `progress` of it while it goes on.
    ///
    /// # Errors
    /// [`Stop`]: what the firmware does wrong is in the record.
    pub(crate) fn carry_out(&self, task: &Task<'_>, progress: &mut dyn Progress) -> Result<RunRecord, Stop> {
        match self {
            #[cfg(test)]
            Backend::Scripted(script) => script.lock().unwrap().pop().unwrap(),
            Backend::Board(bench) => bench.carry_out(task, progress),
            Backend::Emulator => {
                let firmware = task.elf.for_emulator().map_err(|e| Stop::broken(&e))?;
                bench::run(task.scenario, &firmware, task.limits, progress).map_err(|error| match error {
                    RunError::Stopped => Stop::Interrupted,
                    error => Stop::broken(&error),
                })
            }
        }
    }

    /// How many scenarios it carries out at the same time; `None`: as many as there are cores.
    pub(crate) fn width(&self) -> Option<usize> {
        match self {
            Backend::Emulator => None,
            _ => Some(1),
        }
    }
}
