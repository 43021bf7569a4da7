//! The configuration of a board, as `boards.toml` gives it.
//!
//! The user's reference is `docs/boards.md`.

use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::mac::Mac;

/// A text that `{:?}` does not print.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub(crate) String);

impl Secret {
    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Method by which the chip gets into download mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Before {
    /// DTR and RTS drive BOOT and EN, as on development boards with a USB bridge.
    #[default]
    DefaultReset,
    /// DTR and RTS of the chip's own USB Serial/JTAG controller.
    UsbReset,
    /// No reset by the port: a person or `commands.download` does it.
    NoReset,
}

/// Method by which the chip is started after flashing, and reset later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum After {
    /// RTS drives EN: a pulse resets the chip.
    #[default]
    HardReset,
    /// The port cannot reset the chip: `commands.reset` does it. Without that command the loader starts the
    /// chip's watchdog after flashing, and the chip cannot be reset while its firmware runs.
    NoReset,
}

/// The console of the chip that the port is connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Console {
    /// UART0, through a USB bridge.
    Uart0,
    /// The chip's own USB Serial/JTAG controller.
    UsbSerialJtag,
}

/// A debug probe on USB: `303a:1001`, or `303a:1001:SERIAL` if there are several.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ProbeSelector {
    /// USB vendor id.
    pub vid: u16,
    /// USB product id.
    pub pid: u16,
    /// Serial number of the USB device.
    pub serial: Option<String>,
}

impl fmt::Display for ProbeSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:04x}", self.vid, self.pid)?;
        match &self.serial {
            Some(serial) => write!(f, ":{serial}"),
            None => Ok(()),
        }
    }
}

impl TryFrom<String> for ProbeSelector {
    type Error = String;

    fn try_from(text: String) -> Result<ProbeSelector, String> {
        let wrong = || {
            format!(
                "`{text}` is no debug probe: expected \"VID:PID\" or \"VID:PID:SERIAL\" as in \"303a:1001\""
            )
        };
        let mut fields = text.splitn(3, ':');
        let mut number = || u16::from_str_radix(fields.next().unwrap_or_default(), 16).map_err(|_| wrong());
        let (vid, pid) = (number()?, number()?);
        Ok(ProbeSelector {
            vid,
            pid,
            serial: fields.next().map(str::to_owned).filter(|s| !s.is_empty()),
        })
    }
}

/// A program and its arguments, executed without a shell.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Argv(Vec<String>);

impl Argv {
    /// An argument vector; `None` if it has no program.
    pub fn new(argv: Vec<String>) -> Option<Argv> {
        argv.first().is_some_and(|p| !p.is_empty()).then_some(Argv(argv))
    }

    /// The program and its arguments; never empty.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

impl TryFrom<Vec<String>> for Argv {
    type Error = &'static str;

    fn try_from(argv: Vec<String>) -> Result<Argv, &'static str> {
        Argv::new(argv).ok_or("a command needs a program: expected [\"program\", \"argument\", …]")
    }
}

/// The declared commands of a board.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commands {
    /// Resets the chip so that it starts its firmware.
    pub reset: Option<Argv>,
    /// Brings the chip into download mode.
    pub download: Option<Argv>,
    /// Cuts the supply.
    pub power_off: Option<Argv>,
    /// Restores the supply.
    pub power_on: Option<Argv>,
    /// Time limit of each command.
    pub timeout: Duration,
}

/// Means of control of the access point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessPointControl {
    /// The control interface of hostapd, a Unix datagram socket.
    Hostapd(PathBuf),
    /// Declared commands; `{mac}` and `{reason}` are replaced in `deauthenticate`.
    Commands {
        /// Switches the access point off.
        off: Option<Argv>,
        /// Switches the access point on.
        on: Option<Argv>,
        /// Deauthenticates a station.
        deauthenticate: Option<Argv>,
        /// Time limit of each command.
        timeout: Duration,
    },
}

/// Configuration of one board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoardConfig {
    /// Name of the board in the file.
    pub name: String,
    /// Port as written: a device, or a link to one.
    pub port: Option<String>,
    /// The chip's MAC address. With `port` it is checked when the chip is flashed.
    pub mac: Option<Mac>,
    /// Debug probe that flashes the chip. Without `port` and `mac` the log is read by RTT, too.
    pub probe: Option<ProbeSelector>,
    /// Kind of chip as espflash writes it: `esp32c3`.
    pub chip: String,
    /// Baud rate of the firmware's console.
    pub baud: u32,
    /// Baud rate of flashing.
    pub flash_baud: u32,
    /// Method by which the chip gets into download mode.
    pub before: Before,
    /// Method by which the chip is started.
    pub after: After,
    /// True if the flasher stub is loaded; without it the ROM loader writes, which is slower.
    pub stub: bool,
    /// The console that the port is connected to; `None`: it depends on the kind of port.
    pub console: Option<Console>,
    /// Greatest time that the port may be disconnected during a scenario.
    pub reconnect: Duration,
    /// Address of this machine in the board's network.
    pub host: Option<Ipv4Addr>,
    /// Address on which the servers for the board listen; `None`: `host`.
    pub listen: Option<Ipv4Addr>,
    /// TCP port of the cloud; 0 uses a free one.
    pub cloud_port: u16,
    /// UDP port of SNTP; 0 uses a free one.
    pub ntp_port: u16,
    /// UDP port of DNS, if `dns` is true.
    pub dns_port: u16,
    /// Name of the WiFi network for the board.
    pub ssid: Option<String>,
    /// Password of the WiFi network.
    pub password: Option<Secret>,
    /// True if the access point announces this machine as DNS server.
    pub dns: bool,
    /// Fixtures that are wired to the board; a scenario can require them by these names.
    pub fixtures: BTreeSet<String>,
    /// Time by which time windows are widened for this board.
    pub tolerance: Duration,
    /// Declared commands of the board.
    pub commands: Commands,
    /// Means of control of the access point, if it can be controlled.
    pub access_point: Option<AccessPointControl>,
}
