//! Devices opened by name: `SCHEME`, or `SCHEME:NAME`.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::{Dut, DutError, FlashImage, Site};

/// How time passes for a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// It jumps while the device sleeps, and a run repeats to the byte.
    Virtual,
    /// It is the host's.
    Wall,
}

/// What carries the traffic of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// Simulated air: radio messages go through the bench.
    Air,
    /// Sockets of the host: the services listen on them.
    HostSockets,
}

/// A firmware file.
#[derive(Clone, Copy, Debug)]
pub struct Firmware<'a> {
    /// The file as it was read, perhaps compressed.
    pub file: &'a [u8],
    /// SHA-256 of the ELF itself, hexadecimal.
    pub sha256: &'a str,
}

/// What a device gets before its start.
#[derive(Clone, Copy, Debug)]
pub struct Load<'a> {
    /// The firmware, for a device that takes one.
    pub firmware: Firmware<'a>,
    /// The MAC address of the scenario.
    pub mac: [u8; 6],
    /// How far the crystal is off, parts per million; positive is fast.
    pub crystal_ppm: i32,
    /// The seed of the run.
    pub seed: u64,
    /// The flash before the application is put into it: partition table, settings, token.
    pub flash: &'a FlashImage,
    /// The settings in it, by key (`docs/provisioning.md`).
    pub settings: &'a [(&'static str, String)],
}

/// What the command line says about devices beside their names.
#[derive(Clone, Debug, Default)]
pub struct DutOptions {
    /// The file that declares boards.
    pub boards: Option<PathBuf>,
}

/// A device that a factory knows of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// What `--dut` takes.
    pub name: String,
    /// What it is, for a person.
    pub what: String,
}

/// Why a device cannot be opened, or not be listed.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct OpenError {
    /// What is wrong, with its causes.
    pub message: String,
    /// What the person can do about it.
    pub help: Option<String>,
}

/// Follows the preparation of a device.
pub trait Watch {
    /// It has come this far; false gives it up.
    fn progress(&mut self, what: &str, percent: u8) -> bool;

    /// A remark for the person at the terminal.
    fn remark(&mut self, text: &str);
}

/// Opens the devices of one scheme.
pub trait DutFactory: Sync {
    /// The part of a name before its colon, or all of it.
    fn scheme(&self) -> &'static str;

    /// How a name is written, for help and messages.
    fn form(&self) -> &'static str;

    /// The devices that can be opened, as far as that can be known.
    ///
    /// # Errors
    /// When what declares them cannot be read.
    fn list(&self, options: &DutOptions) -> Result<Vec<Listed>, OpenError>;

    /// Opens a device. Nothing of it is touched yet. `name` is the part behind the colon, `None` without one.
    ///
    /// # Errors
    /// When there is no such device.
    fn open(&self, name: Option<&str>, options: &DutOptions) -> Result<Box<dyn DutSource>, OpenError>;
}

/// A device that was opened by name, to be prepared and started anew for each run.
pub trait DutSource: fmt::Debug + Send + Sync {
    /// Its name as reports show it and `--dut` takes it.
    fn name(&self) -> &str;

    /// How time passes for it.
    fn clock(&self) -> Clock;

    /// What carries its traffic.
    fn medium(&self) -> Medium;

    /// How many runs it carries at the same time; `None`: as many as there are cores.
    fn width(&self) -> Option<usize>;

    /// What stands around it, in wall time.
    ///
    /// # Errors
    /// When its declaration lacks something.
    fn site(&self) -> Result<Site, DutError>;

    /// How long the bench of this device may take for what is due now, where the schedule of a scenario is divided by a
    /// time scale.
    fn tolerance(&self) -> Duration;

    /// Values that it knows and that are not to be shown, each with the name of what replaces it.
    fn secrets(&self) -> Vec<(&'static str, String)>;

    /// Whether it runs the firmware file that a scenario or the command line names.
    fn takes_firmware(&self) -> bool;

    /// Checks whether it can run a firmware, as far as that can be told without the device.
    ///
    /// # Errors
    /// When the file is none for it.
    fn check(&self, firmware: Firmware<'_>) -> Result<(), DutError>;

    /// Prepares it for a run, by flashing for instance.
    ///
    /// # Errors
    /// When it is not there, or refuses.
    fn prepare<'a>(
        &'a self,
        load: &Load<'_>,
        watch: &mut dyn Watch,
    ) -> Result<Box<dyn Prepared + 'a>, DutError>;

    /// A run on it was ended by a failure of the bench: it is looked for anew by the next one.
    fn forget(&self);
}

/// A device that is prepared for a run.
pub trait Prepared {
    /// The MAC address that it was found to have, where it tells one.
    fn mac(&self) -> Option<[u8; 6]>;

    /// Starts it. In wall time its clock counts from `zero`; in virtual time there is none.
    ///
    /// # Errors
    /// When it cannot be started.
    fn start(self: Box<Self>, zero: Option<std::time::Instant>) -> Result<Box<dyn Dut>, DutError>;
}
