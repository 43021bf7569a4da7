//! What carries a scenario out. A job knows nothing of how.

use std::fmt;

use bench::{Limits, Progress, RunEnd, RunError};
use dut::{Clock, DutError, DutOptions, DutSource, Firmware};
use scenario::{Pace, Scenario};
use vocabulary::Trouble;

use crate::cli::RunArgs;
use crate::error::{CliError, with_causes};
use crate::firmware::Elf;

/// What is to be carried out.
pub(crate) struct Task<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) elf: &'a Elf,
    pub(crate) limits: Limits,
}

/// Why there is no end of a run.
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

/// What carries scenarios out.
pub(crate) trait Backend: fmt::Debug + Send + Sync {
    /// Its name in reports.
    fn name(&self) -> &str;

    /// How a scenario's schedule is divided on it; `None` in virtual time.
    fn pace(&self) -> Option<Pace>;

    /// Whether it sees every frame, so that a capture can be kept.
    fn captures(&self) -> bool;

    /// How many scenarios it carries out at the same time; `None`: as many as there are cores.
    fn width(&self) -> Option<usize>;

    /// Values that it knows and that are not to be shown, each with the name of what replaces it.
    fn secrets(&self) -> Vec<(&'static str, String)>;

    /// Checks a firmware, as far as that can be told before it runs.
    ///
    /// # Errors
    /// When it is none for this backend.
    fn check(&self, elf: &Elf) -> Result<(), CliError>;

    /// Carries `task` out; what happens in it goes to `progress`.
    ///
    /// # Errors
    /// [`Stop`]: what the firmware does wrong is in the verdict.
    fn carry_out(&self, task: &Task<'_>, progress: &mut dyn Progress) -> Result<RunEnd, Stop>;
}

/// By how much `backend` divides the contract's intervals.
pub(crate) fn time_scale(backend: &dyn Backend) -> u32 {
    backend.pace().map_or(1, |pace| pace.scale)
}

/// The backend for what `--dut` names.
///
/// # Errors
/// When there is no such device, or it has no use for an argument.
pub(crate) fn open(args: &RunArgs) -> Result<Box<dyn Backend>, CliError> {
    let (factory, name) = args
        .dut
        .factory()
        .ok_or(CliError::Usage("--dut names no device"))?;
    let options = DutOptions {
        boards: args.boards.clone(),
    };
    let source = factory.open(name, &options).map_err(CliError::Dut)?;
    if source.clock() == Clock::Virtual && args.time_scale != 1 {
        return Err(CliError::Usage(
            "--time-scale is for devices in wall time: the emulator's time is virtual, and an hour takes it a moment",
        ));
    }
    Ok(Box::new(OnDevice {
        source,
        time_scale: args.time_scale,
    }))
}

/// A device that was opened by name.
#[derive(Debug)]
struct OnDevice {
    source: Box<dyn DutSource>,
    time_scale: u32,
}

impl Backend for OnDevice {
    fn name(&self) -> &str {
        self.source.name()
    }

    fn pace(&self) -> Option<Pace> {
        (self.source.clock() == Clock::Wall).then(|| Pace {
            scale: self.time_scale,
            tolerance: self.source.tolerance(),
        })
    }

    fn captures(&self) -> bool {
        self.source.medium() == dut::Medium::Air
    }

    fn width(&self) -> Option<usize> {
        self.source.width()
    }

    fn secrets(&self) -> Vec<(&'static str, String)> {
        self.source.secrets()
    }

    fn check(&self, elf: &Elf) -> Result<(), CliError> {
        if !self.source.takes_firmware() {
            return Ok(());
        }
        self.source
            .check(firmware(elf))
            .map_err(|error| CliError::Firmware {
                path: elf.path().to_owned(),
                source: match error {
                    DutError::Backend { source, .. } => source,
                    DutError::Cancelled | DutError::Unsupported { .. } | DutError::NoSuchFlash { .. } => {
                        Box::new(error)
                    }
                },
            })
    }

    fn carry_out(&self, task: &Task<'_>, progress: &mut dyn Progress) -> Result<RunEnd, Stop> {
        let source = self.source.as_ref();
        let lacking = bench::lacking(source, task.scenario).map_err(|e| broken(&e))?;
        if !lacking.is_empty() {
            return Err(Stop::Skipped {
                reason: lacking.join("; "),
            });
        }
        let ended = bench::run(source, task.scenario, firmware(task.elf), task.limits, progress);
        let ended = ended.map_err(|error| stopped(&error));
        if let Err(Stop::Broken { .. }) = &ended {
            source.forget();
        }
        ended
    }
}

fn firmware(elf: &Elf) -> Firmware<'_> {
    Firmware {
        file: &elf.file,
        sha256: &elf.sha256,
    }
}

/// What a device says of its failure.
fn broken(error: &DutError) -> Stop {
    match error {
        DutError::Cancelled => Stop::Interrupted,
        DutError::Backend {
            trouble,
            help,
            source,
        } => Stop::Broken {
            kind: *trouble,
            message: with_causes(source.as_ref()),
            next_step: help.clone(),
        },
        DutError::Unsupported { .. } | DutError::NoSuchFlash { .. } => Stop::broken(error),
    }
}

/// What ended a run.
fn stopped(error: &RunError) -> Stop {
    match error {
        RunError::Stopped => Stop::Interrupted,
        RunError::Dut(error) => broken(error),
        RunError::Setup(_) | RunError::Site(_) => Stop::broken(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_device_says_decides_the_verdict() {
        let error = RunError::Dut(DutError::Backend {
            trouble: Trouble::PortLost,
            help: Some("plug it in".to_owned()),
            source: "the port is gone".into(),
        });
        let Stop::Broken {
            kind,
            message,
            next_step,
        } = stopped(&error)
        else {
            panic!("not broken");
        };
        assert_eq!((kind, message.as_str()), (Trouble::PortLost, "the port is gone"));
        assert!(next_step.is_some());
        assert!(matches!(stopped(&RunError::Stopped), Stop::Interrupted));
        assert!(matches!(broken(&DutError::Cancelled), Stop::Interrupted));
    }
}
