//! Failures of a board and its surroundings: each variant has one message and one action for the user.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use vocabulary::Trouble;

use crate::command::CommandError;
use crate::holder::Holder;
use crate::mac::Mac;
use crate::watch::Heard;

/// A process that has a port open without holding oceanrig's lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortUser {
    /// Process id of the process.
    pub pid: u32,
    /// Command line of the process, truncated.
    pub command: String,
}

impl fmt::Display for PortUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` (process {})", self.command, self.pid)
    }
}

/// Reason why a board cannot be used, or cannot be used any more.
#[derive(Debug, thiserror::Error)]
pub enum BoardError {
    /// The port does not exist, or no port has a chip with this MAC address.
    #[error("{wanted} is not connected{}", known(.connected))]
    NotConnected {
        /// The port or MAC address in `boards.toml`.
        wanted: String,
        /// Names of the connected ports.
        connected: Vec<String>,
    },
    /// The user may not open the port.
    #[error("no permission to open {port}")]
    NoPermission {
        /// Name of the port.
        port: String,
        /// Name of the group whose members may open it, if it is known.
        group: Option<String>,
    },
    /// Another oceanrig uses the board.
    #[error("the board on {port} is in use: {holder}")]
    Busy {
        /// Name of the port.
        port: String,
        /// The process that holds the board's lock.
        holder: Holder,
    },
    /// Another program has the port open.
    #[error("{port} is open in another program{}", named(.users))]
    PortInUse {
        /// Name of the port.
        port: String,
        /// Processes that have it open, as far as the system shows them.
        users: Vec<PortUser>,
    },
    /// The port was disconnected.
    #[error("{port} vanished while {during}")]
    PortVanished {
        /// Name of the port.
        port: String,
        /// Activity at that time: `flashing at 43 %`, `running`.
        during: String,
    },
    /// The chip does not answer in download mode.
    #[error("the chip on {port} does not answer in download mode: {why}")]
    NoAnswer {
        /// Name of the port.
        port: String,
        /// Description of the failure.
        why: String,
        /// True if the port has modem lines, which a reset needs.
        modem_lines: bool,
    },
    /// The chip is of another kind than declared.
    #[error("the chip on {port} is {found}; the board is declared as {wanted}")]
    OtherChip {
        /// Name of the port.
        port: String,
        /// Kind of the connected chip.
        found: String,
        /// Kind declared in `boards.toml`.
        wanted: String,
    },
    /// The chip is of the right kind, with another MAC address than declared.
    #[error("the chip on {port} has the MAC address {found}; the board is declared with {wanted}")]
    OtherBoard {
        /// Name of the port.
        port: String,
        /// MAC address of the connected chip.
        found: Mac,
        /// MAC address declared in `boards.toml`.
        wanted: Mac,
    },
    /// Flashing began and failed.
    #[error("flashing {port} failed at {percent} % ({part}): {why}")]
    FlashingFailed {
        /// Name of the port.
        port: String,
        /// Name of the part that was being written.
        part: String,
        /// Progress in percent of all bytes.
        percent: u8,
        /// Error of the chip or of the flasher.
        why: String,
    },
    /// No flash image can be made from the firmware.
    #[error("the firmware does not make a flash image: {why}")]
    Image {
        /// Description of the error.
        why: String,
    },
    /// The firmware did not start.
    #[error("the firmware did not start within {} s: {}", .waited.as_secs(), .heard.story())]
    NoBoot {
        /// Time that was waited.
        waited: Duration,
        /// Summary of the console's output.
        heard: Heard,
    },
    /// A declared command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The access point does not carry out a command.
    #[error("the access point {control}: {why}")]
    AccessPoint {
        /// Path of its control interface, or its command.
        control: String,
        /// Description of the failure.
        why: String,
    },
    /// A file of oceanrig cannot be written or read, for example on a full disk.
    #[error("cannot {what} {}", path.display())]
    Disk {
        /// Name of the operation: `write`, `create`, …
        what: &'static str,
        /// Path of the file.
        path: PathBuf,
        /// Error of the system.
        source: io::Error,
    },
    /// An operation on the port failed.
    #[error("{port}: cannot {what}: {why}")]
    Port {
        /// Name of the port.
        port: String,
        /// Name of the operation.
        what: &'static str,
        /// Error of the system.
        why: String,
    },
    /// A library panicked.
    #[error("{library} broke down while {during}: {message}")]
    Panicked {
        /// Name of the library.
        library: &'static str,
        /// Activity at that time.
        during: String,
        /// Message of the panic.
        message: String,
    },
    /// The board has a debug probe, and this build of oceanrig has no support for probes.
    #[error("this oceanrig was built without probe-rs, which the debug probe {probe} needs")]
    NoProbeSupport {
        /// The probe in `boards.toml`.
        probe: String,
    },
    /// The user has cancelled the operation.
    #[error("interrupted while flashing")]
    Cancelled,
}

fn known(connected: &[String]) -> String {
    if connected.is_empty() {
        "; no serial port is".to_owned()
    } else {
        format!("; connected: {}", connected.join(", "))
    }
}

fn named(users: &[PortUser]) -> String {
    let names: Vec<String> = users.iter().map(PortUser::to_string).collect();
    if names.is_empty() {
        String::new()
    } else {
        format!(": {}", names.join(", "))
    }
}

impl BoardError {
    /// The part of the bench that failed, for the verdict.
    pub fn trouble(&self) -> Trouble {
        match self {
            BoardError::FlashingFailed { .. }
            | BoardError::NoAnswer { .. }
            | BoardError::OtherChip { .. }
            | BoardError::OtherBoard { .. }
            | BoardError::Image { .. }
            | BoardError::Panicked { .. } => Trouble::Flashing,
            BoardError::PortVanished { .. } => Trouble::PortLost,
            BoardError::NoBoot { .. } => Trouble::NoBoot,
            BoardError::NotConnected { .. }
            | BoardError::NoPermission { .. }
            | BoardError::Busy { .. }
            | BoardError::PortInUse { .. }
            | BoardError::Command(_)
            | BoardError::AccessPoint { .. }
            | BoardError::Disk { .. }
            | BoardError::Port { .. }
            | BoardError::NoProbeSupport { .. }
            | BoardError::Cancelled => Trouble::Bench,
        }
    }

    /// True if a retry may succeed.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            BoardError::PortVanished { .. }
                | BoardError::NotConnected { .. }
                | BoardError::NoAnswer { .. }
                | BoardError::FlashingFailed { .. }
                | BoardError::Busy { .. }
                | BoardError::PortInUse { .. }
                | BoardError::NoBoot { .. }
                | BoardError::Command(_)
                | BoardError::AccessPoint { .. }
        )
    }

    /// The action that the user should take.
    pub fn help(&self) -> String {
        match self {
            BoardError::NotConnected { .. } => {
                "plug the board in, with a cable that carries data; `oceanrig boards` lists what is connected".to_owned()
            }
            BoardError::NoPermission { port, group: Some(group) } => format!(
                "`sudo usermod -aG {group} $USER`, then log in again ({port} belongs to the group {group})"
            ),
            BoardError::NoPermission { port, group: None } => {
                format!("give your user the right to read and write {port}, for example by a udev rule")
            }
            BoardError::Busy { holder, .. } => format!(
                "wait for it to end, or stop process {}; the lock goes with its process",
                holder.pid
            ),
            BoardError::PortInUse { users, .. } if users.is_empty() => {
                "close the program that has the port open (a monitor, an IDE, ModemManager)".to_owned()
            }
            BoardError::PortInUse { .. } => "close that program".to_owned(),
            BoardError::PortVanished { .. } => {
                "check cable, hub and supply; `dmesg` tells whether the USB device was lost".to_owned()
            }
            BoardError::NoAnswer { modem_lines: false, .. } => {
                "the port has no modem lines, so nothing can reset the chip: declare `commands.download` in boards.toml, \
                 or hold BOOT while pressing RESET"
                    .to_owned()
            }
            BoardError::NoAnswer { .. } => {
                "hold BOOT, press RESET, and try again; check `before` in boards.toml and that the cable carries data"
                    .to_owned()
            }
            BoardError::OtherChip { .. } => {
                "name the right port in boards.toml, or the right `chip`; the firmware must be built for it".to_owned()
            }
            BoardError::OtherBoard { .. } => {
                "two boards may have changed places: `oceanrig boards --probe` shows which is where".to_owned()
            }
            BoardError::FlashingFailed { .. } => {
                "try a lower `flash-baud` (115200), a shorter cable, a port without a hub; `stub = false` avoids the \
                 flasher stub"
                    .to_owned()
            }
            BoardError::Image { .. } => "build the firmware anew, with its application descriptor and partitions".to_owned(),
            BoardError::NoBoot { heard, .. } => heard.help().to_owned(),
            BoardError::Command(error) => error.help(),
            BoardError::AccessPoint { .. } => {
                "check that hostapd runs with this control interface and that you may write to its socket \
                 (`ctrl_interface_group`)"
                    .to_owned()
            }
            BoardError::Disk { source, .. } if is_full(source) => "make room on the disk".to_owned(),
            BoardError::Disk { .. } => "check that the directory exists and may be written".to_owned(),
            BoardError::Port { .. } => "unplug the board and plug it in again".to_owned(),
            BoardError::Panicked { .. } => {
                "try again with `stub = false`; when it happens again, please report it with this message".to_owned()
            }
            BoardError::NoProbeSupport { .. } => {
                "build it with `--features probe-rs`, or name a serial `port` instead of `probe` in boards.toml".to_owned()
            }
            BoardError::Cancelled => "the chip may hold half an image: the next run flashes it anew".to_owned(),
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Text of an error of another library, with its causes.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_directory_that_is_missing() {
        let error = |kind: io::ErrorKind| BoardError::Disk {
            what: "write",
            path: PathBuf::from("/run/lock/oceanrig/dev-ttyUSB0.lock"),
            source: kind.into(),
        };
        let full = error(io::ErrorKind::StorageFull);
        assert_eq!(full.help(), "make room on the disk");
        assert_eq!(full.trouble(), Trouble::Bench);
        assert!(
            full.to_string()
                .starts_with("cannot write /run/lock/oceanrig/dev-ttyUSB0.lock")
        );
        assert!(error(io::ErrorKind::NotFound).help().contains("exists"));
    }
}
