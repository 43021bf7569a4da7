//! A device that runs.
//!
//! What a backend cannot do it refuses with a reason; nothing is silently ignored. Time is true time of the bench: a
//! backend in virtual time jumps, one in wall time waits.

use std::time::Duration;

use sim::Instant;
use sim::air::{FromAir, ToAir};
use vocabulary::{Access, ResetCause, SerialPort, Trouble};

/// Something seen of the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// Bytes on a console.
    Serial {
        /// Which console.
        port: SerialPort,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A pin changed; `None`: nothing drives it any more.
    Pin {
        /// GPIO number.
        gpio: u8,
        /// Level, true is high.
        level: Option<bool>,
    },
    /// The radio asks something of the air.
    Air(ToAir),
    /// The device started after a reset.
    Reset(ResetCause),
    /// The supply failed without [`Dut::set_power`]: see [`Dut::cut_power_in_flash_write`].
    PowerLost,
    /// The guest panicked or took an exception that it does not handle.
    GuestFault {
        /// What happened, one line.
        message: String,
        /// Symbolised frames, innermost first.
        backtrace: Vec<String>,
    },
    /// An access that is not modelled, at its first occurrence.
    Unmodelled(Access),
    /// The program that is the device has ended.
    Exited {
        /// Its exit status; `None`: a signal ended it.
        code: Option<i32>,
        /// The signal that ended it.
        signal: Option<i32>,
    },
    /// The connection to the device was lost; what it prints meanwhile is not seen.
    PortLost,
    /// The connection is back.
    PortBack {
        /// How long it was away.
        gap: Duration,
    },
    /// The backend noticed something about the device that a person should know, with the next step.
    Remark {
        /// What was noticed.
        text: String,
        /// What to do about it.
        help: String,
    },
}

/// Why a backend failed; about the bench, never about the firmware.
#[derive(Debug, thiserror::Error)]
pub enum DutError {
    /// The backend cannot do what the scenario asks for.
    #[error("{backend} cannot {what}: {why}")]
    Unsupported {
        /// The backend's name.
        backend: &'static str,
        /// What was asked.
        what: &'static str,
        /// Why it cannot.
        why: &'static str,
    },
    /// Bytes that do not lie in a partition of the device's flash.
    #[error("{len} bytes at {offset:#x} do not lie in a partition `{partition}` of the device")]
    NoSuchFlash {
        /// The partition's name.
        partition: String,
        /// Offset in the partition, bytes.
        offset: u32,
        /// How many bytes.
        len: usize,
    },
    /// The caller gave the preparation up.
    #[error("cancelled")]
    Cancelled,
    /// The backend itself failed.
    #[error("{source}")]
    Backend {
        /// What of the bench failed.
        trouble: Trouble,
        /// What the person can do about it.
        help: Option<String>,
        /// What happened.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl DutError {
    /// A failure that has no name of its own.
    pub fn backend(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> DutError {
        DutError::Backend {
            trouble: Trouble::Bench,
            help: None,
            source: source.into(),
        }
    }
}

/// A device under test.
pub trait Dut {
    /// The backend's name as reports show it.
    fn backend(&self) -> &str;

    /// The device's present moment in true time.
    fn now(&self) -> Instant;

    /// Runs until `until`, or until something asks for the bench's attention (a message to the air, a pin, a guest
    /// fault); afterwards [`Dut::now`] says how far it came. It comes back at the latest when it has something to
    /// observe, so that what waits to be taken stays small.
    fn run_until(&mut self, until: Instant) -> Result<(), DutError>;

    /// Moves what was seen since the last call to the end of `out`, in order of time.
    fn take_observations(&mut self, out: &mut Vec<(Instant, Observation)>);

    /// Types bytes into the console.
    fn serial_input(&mut self, bytes: &[u8]) -> Result<(), DutError>;

    /// Drives an input pin from outside; `None` lets go of it.
    fn set_pin(&mut self, gpio: u8, level: Option<bool>) -> Result<(), DutError>;

    /// Delivers a message from the air.
    fn air(&mut self, message: FromAir) -> Result<(), DutError>;

    /// Presses and releases the reset button (EN).
    fn reset(&mut self) -> Result<(), DutError>;

    /// Resets the device so that it takes `cause` for the reason.
    ///
    /// # Errors
    /// From a backend that has a reset button only.
    fn reset_by(&mut self, cause: ResetCause) -> Result<(), DutError> {
        if cause == ResetCause::Pin {
            return self.reset();
        }
        Err(DutError::Unsupported {
            backend: "the backend",
            what: "choose the cause of a reset",
            why: "it has a reset button only",
        })
    }

    /// Lets the supply fail in the middle of a flash write: the next `bytes` bytes are still programmed or erased, the
    /// one after them is not. `None` takes that back.
    ///
    /// # Errors
    /// From a backend that cannot.
    fn cut_power_in_flash_write(&mut self, bytes: Option<u64>) -> Result<(), DutError> {
        let _ = bytes;
        Err(DutError::Unsupported {
            backend: "the backend",
            what: "cut the power in the middle of a flash write",
            why: "it does not see the flash being written",
        })
    }

    /// Overwrites bytes of a partition of the flash, as a programming adapter would; whether any byte changed.
    ///
    /// # Errors
    /// When there is no such place, or from a backend that cannot.
    fn write_flash(&mut self, partition: &str, offset: u32, bytes: &[u8]) -> Result<bool, DutError> {
        let _ = (partition, offset, bytes);
        Err(DutError::Unsupported {
            backend: "the backend",
            what: "change the flash",
            why: "it does not reach the flash while the device runs",
        })
    }

    /// Switches the supply. Without it nothing runs; RAM is lost and flash is kept.
    fn set_power(&mut self, on: bool) -> Result<(), DutError>;

    /// Why the firmware does not run, as far as the backend can tell: a silent console, garbage, a boot loop. Asked again
    /// and again while a run goes on; `waited` is the time since the device was started.
    fn not_running(&mut self, waited: Duration) -> Option<DutError> {
        let _ = waited;
        None
    }

    /// A sentence about the loop without progress that the guest is in: traps, resets or calls without end. `None` where
    /// there is none, and from a backend that cannot see it.
    fn endless(&self) -> Option<String> {
        None
    }

    /// Instructions executed so far; 0 where the backend cannot count.
    fn instructions(&self) -> u64;

    /// How often unmodelled accesses happened so far.
    fn unmodelled(&self) -> u64;
}
