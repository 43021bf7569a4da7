//! The serial ports of this machine: a list, the devices on them, and the reason if one cannot be used.
//!
//! No function here opens a port, because on many boards that alone resets the chip.

use std::fs;
use std::path::{Path, PathBuf};

use serialport::{SerialPortInfo, SerialPortType};

use crate::config::{After, BoardConfig, ProbeSelector};
use crate::error::{BoardError, PortUser};
use crate::mac::Mac;

/// USB vendor and product id of the Serial/JTAG controller in Espressif's chips (ESP32-C3 TRM, chapter "USB
/// Serial/JTAG Controller").
const USB_SERIAL_JTAG: (u16, u16) = (0x303a, 0x1001);

/// Kind of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortKind {
    /// The chip's own USB Serial/JTAG controller; its serial number is the chip's MAC address.
    UsbSerialJtag,
    /// A USB bridge (CP210x, CH340, FTDI, …) to the chip's UART0.
    UsbBridge,
    /// A pseudo-terminal: no modem lines.
    Pty,
    /// A debug probe without a serial port.
    Probe,
    /// Any other serial port.
    Other,
}

impl PortKind {
    /// Name of the kind in listings.
    pub const fn name(self) -> &'static str {
        match self {
            PortKind::UsbSerialJtag => "usb-serial-jtag",
            PortKind::UsbBridge => "usb-bridge",
            PortKind::Pty => "pty",
            PortKind::Probe => "probe",
            PortKind::Other => "serial",
        }
    }

    /// True if the port has DTR and RTS.
    pub const fn has_modem_lines(self) -> bool {
        !matches!(self, PortKind::Pty | PortKind::Probe)
    }
}

/// A port that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Name for opening it: as the user wrote it, or the system's name.
    pub name: String,
    /// Path of the device, with links resolved.
    pub device: PathBuf,
    /// Kind of the port.
    pub kind: PortKind,
    /// MAC address of the chip, if the port gives it without a reset.
    pub mac: Option<Mac>,
    /// USB vendor and product id.
    pub usb: Option<(u16, u16)>,
    /// Product name of the USB device.
    pub product: Option<String>,
    /// Serial number of the USB device.
    pub serial: Option<String>,
}

impl Port {
    fn of(info: &SerialPortInfo) -> Port {
        let device = fs::canonicalize(&info.port_name).unwrap_or_else(|_| PathBuf::from(&info.port_name));
        let mut port = Port {
            name: info.port_name.clone(),
            kind: kind_of(&device),
            device,
            mac: None,
            usb: None,
            product: None,
            serial: None,
        };
        if let SerialPortType::UsbPort(usb) = &info.port_type {
            port.usb = Some((usb.vid, usb.pid));
            port.product = usb.product.clone();
            port.serial = usb.serial_number.clone();
            if port.usb == Some(USB_SERIAL_JTAG) {
                port.kind = PortKind::UsbSerialJtag;
                port.mac = port.serial.as_deref().and_then(|s| s.parse().ok());
            } else {
                port.kind = PortKind::UsbBridge;
            }
        }
        port
    }

    /// A board that is connected only by a debug probe.
    fn of_probe(probe: &ProbeSelector) -> Port {
        Port {
            name: format!("probe {probe}"),
            device: PathBuf::from(format!("/probe/{probe}")),
            kind: PortKind::Probe,
            mac: None,
            usb: Some((probe.vid, probe.pid)),
            product: None,
            serial: probe.serial.clone(),
        }
    }

    /// True if the chip can be reset by this port.
    pub(crate) fn can_reset(&self, after: After) -> bool {
        match self.kind {
            PortKind::Probe => true,
            kind => after == After::HardReset && kind.has_modem_lines(),
        }
    }

    /// Keys of the lock of the board on this port: device and MAC address.
    pub fn lock_keys(&self, mac: Option<Mac>) -> Vec<String> {
        let mut keys = vec![self.device.display().to_string()];
        keys.extend(mac.or(self.mac).map(|mac| format!("mac-{mac}")));
        keys
    }
}

fn kind_of(device: &Path) -> PortKind {
    if device.starts_with("/dev/pts") {
        PortKind::Pty
    } else {
        PortKind::Other
    }
}

/// The connected serial ports, sorted by name, without pseudo-terminals.
pub fn connected() -> Vec<Port> {
    // serialport panics on a Linux without this directory, as in some containers.
    if cfg!(target_os = "linux") && !Path::new("/sys/class/tty").is_dir() {
        return Vec::new();
    }
    let mut ports: Vec<Port> = serialport::available_ports()
        .unwrap_or_default()
        .iter()
        .map(Port::of)
        .collect();
    ports.sort_by(|a, b| a.name.cmp(&b.name));
    ports.dedup_by(|a, b| a.device == b.device);
    ports
}

/// Finds the port of a declared board.
///
/// # Errors
/// [`BoardError::NotConnected`] if it does not exist.
pub fn find(config: &BoardConfig) -> Result<Port, BoardError> {
    find_among(config, connected())
}

fn find_among(config: &BoardConfig, connected: Vec<Port>) -> Result<Port, BoardError> {
    let not_connected = |wanted: String, connected: Vec<Port>| BoardError::NotConnected {
        wanted,
        connected: connected.into_iter().map(|p| p.name).collect(),
    };
    if let Some(name) = &config.port {
        let Ok(device) = fs::canonicalize(name) else {
            // On Windows port names are not paths.
            return match connected.iter().position(|p| p.name == *name) {
                Some(at) => Ok(connected.into_iter().nth(at).expect("it was just found")),
                None => Err(not_connected(name.clone(), connected)),
            };
        };
        let known = connected.into_iter().find(|p| p.device == device);
        return Ok(known.map_or_else(
            || Port {
                name: name.clone(),
                kind: kind_of(&device),
                device: device.clone(),
                mac: None,
                usb: None,
                product: None,
                serial: None,
            },
            |p| Port {
                name: name.clone(),
                ..p
            },
        ));
    }
    if let (None, Some(probe)) = (config.mac, &config.probe) {
        return Ok(Port::of_probe(probe));
    }
    match connected
        .iter()
        .position(|p| p.mac.is_some() && p.mac == config.mac)
    {
        Some(at) => Ok(connected.into_iter().nth(at).expect("it was just found")),
        None => {
            let mac = config.mac.map_or_else(String::new, |mac| mac.to_string());
            Err(not_connected(
                format!("a chip with the MAC address {mac} (on its own USB)"),
                connected,
            ))
        }
    }
}

/// Checks, without opening the port, that this user can open it.
///
/// # Errors
/// [`BoardError::NoPermission`], [`BoardError::PortInUse`], [`BoardError::PortVanished`].
pub fn check(port: &Port) -> Result<(), BoardError> {
    if port.kind == PortKind::Probe {
        // Only an attempt to open a probe shows if it can be used.
        return Ok(());
    }
    #[cfg(unix)]
    if let Err(errno) = rustix::fs::access(
        &port.device,
        rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK,
    ) {
        return Err(open_failed(port, std::io::Error::from(errno).kind(), "access"));
    }
    let users = users(&port.device);
    if users.is_empty() {
        Ok(())
    } else {
        Err(BoardError::PortInUse {
            port: port.name.clone(),
            users,
        })
    }
}

/// Turns the error of an attempt to open the port into a [`BoardError`].
pub(crate) fn open_failed(port: &Port, kind: std::io::ErrorKind, why: &str) -> BoardError {
    let name = port.name.clone();
    match kind {
        std::io::ErrorKind::PermissionDenied => BoardError::NoPermission {
            port: name,
            group: group_of(&port.device),
        },
        std::io::ErrorKind::NotFound => BoardError::NotConnected {
            wanted: name,
            connected: connected().into_iter().map(|p| p.name).collect(),
        },
        std::io::ErrorKind::ResourceBusy => BoardError::PortInUse {
            users: users(&port.device),
            port: name,
        },
        _ => BoardError::Port {
            port: name,
            what: "open it",
            why: why.to_owned(),
        },
    }
}

/// Like [`open_failed`], for the error type of serialport.
pub(crate) fn open_failed_by(port: &Port, error: &serialport::Error) -> BoardError {
    use std::io::ErrorKind as Io;
    let kind = match error.kind() {
        serialport::ErrorKind::Io(kind) => kind,
        // serialport uses this kind for EBUSY too, not only for a device that has gone.
        serialport::ErrorKind::NoDevice if port.device.exists() => Io::ResourceBusy,
        serialport::ErrorKind::NoDevice => Io::NotFound,
        _ => Io::Other,
    };
    open_failed(port, kind, &error.to_string())
}

/// Name of the group of the device; `None` for root's group, which users do not join.
#[cfg(unix)]
fn group_of(device: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let gid = fs::metadata(device).ok()?.gid();
    let groups = fs::read_to_string("/etc/group").ok()?;
    group_named(&groups, gid)
}

#[cfg(not(unix))]
fn group_of(_: &Path) -> Option<String> {
    None
}

/// Name of group `gid` in the text of `/etc/group` (group(5)).
#[cfg(unix)]
fn group_named(groups: &str, gid: u32) -> Option<String> {
    if gid == 0 {
        return None;
    }
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(gid)).then(|| name.to_owned())
    })
}

/// Other processes that have the device open, as far as this user may see them (proc(5)). For a
/// pseudo-terminal the process with the master is not a user of the port, so it is left out.
pub fn users(device: &Path) -> Vec<PortUser> {
    let mut users = Vec::new();
    let tty_index = device
        .strip_prefix("/dev/pts")
        .ok()
        .and_then(|n| n.to_str()?.parse().ok());
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|n| n.parse::<u32>().ok()) else {
            continue;
        };
        if pid == std::process::id() {
            continue;
        }
        let mut has_it = false;
        let mut is_other_end = false;
        for fd in fs::read_dir(process.path().join("fd"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let Ok(target) = fs::read_link(fd.path()) else {
                continue;
            };
            has_it |= target == device;
            is_other_end |= target.ends_with("ptmx")
                && tty_index.is_some()
                && tty_index == master_of(&process.path(), &fd.file_name());
        }
        if has_it && !is_other_end {
            users.push(PortUser {
                pid,
                command: command_of(&process.path()),
            });
        }
    }
    users.sort_by_key(|u| u.pid);
    users
}

/// Number of the pseudo-terminal whose master this descriptor of the multiplexer is.
fn master_of(process: &Path, fd: &std::ffi::OsStr) -> Option<u32> {
    let info = fs::read_to_string(process.join("fdinfo").join(fd)).ok()?;
    info.lines()
        .find_map(|l| l.strip_prefix("tty-index:")?.trim().parse().ok())
}

fn command_of(process: &Path) -> String {
    let line = fs::read(process.join("cmdline")).unwrap_or_default();
    let text = String::from_utf8_lossy(&line).replace('\0', " ");
    text.trim().chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Boards;

    fn config(text: &str) -> BoardConfig {
        let boards = Boards::parse(Path::new("boards.toml"), &format!("[board.b]\n{text}")).unwrap();
        boards.get("b").unwrap().clone()
    }

    fn usb(name: &str, ids: (u16, u16), serial: &str) -> Port {
        Port::of(&SerialPortInfo {
            port_name: name.to_owned(),
            port_type: SerialPortType::UsbPort(serialport::UsbPortInfo {
                vid: ids.0,
                pid: ids.1,
                serial_number: Some(serial.to_owned()),
                manufacturer: None,
                product: Some("a product".to_owned()),
                interface: None,
            }),
        })
    }

    #[test]
    fn a_chip_on_its_own_usb_is_found_by_its_mac() {
        let ports = vec![
            usb("/dev/ttyUSB7", (0x10c4, 0xea60), "0001"),
            usb("/dev/ttyACM7", USB_SERIAL_JTAG, "60:55:F9:0A:BC:DE"),
        ];
        let found = find_among(&config("mac = '60:55:f9:0a:bc:de'"), ports.clone()).unwrap();
        assert_eq!(found.name, "/dev/ttyACM7");
        assert_eq!(found.kind, PortKind::UsbSerialJtag);
        assert_eq!(
            found.lock_keys(None),
            ["/dev/ttyACM7".to_owned(), "mac-60:55:f9:0a:bc:de".to_owned()]
        );
        let error = find_among(&config("mac = '60:55:f9:0a:bc:00'"), ports).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a chip with the MAC address 60:55:f9:0a:bc:00 (on its own USB) is not connected; \
             connected: /dev/ttyUSB7, /dev/ttyACM7"
        );
    }

    #[test]
    fn a_port_that_is_not_there_is_not_connected() {
        let error = find_among(&config("port = '/dev/no-such-port'"), Vec::new()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "/dev/no-such-port is not connected; no serial port is"
        );
        assert_eq!(error.trouble(), vocabulary::Trouble::Bench);
    }

    #[test]
    fn what_opening_says_is_told_apart() {
        let port = usb("/dev/null", (0x10c4, 0xea60), "0001");
        let by = |kind| open_failed_by(&port, &serialport::Error::new(kind, "Permission denied"));
        let denied = by(serialport::ErrorKind::Io(std::io::ErrorKind::PermissionDenied));
        assert!(matches!(denied, BoardError::NoPermission { .. }), "{denied:?}");
        assert!(matches!(
            by(serialport::ErrorKind::NoDevice),
            BoardError::PortInUse { .. }
        ));
        assert!(matches!(
            by(serialport::ErrorKind::Unknown),
            BoardError::Port { .. }
        ));
        let gone = Port {
            device: PathBuf::from("/dev/no-such-port"),
            ..port
        };
        let error = open_failed_by(
            &gone,
            &serialport::Error::new(serialport::ErrorKind::NoDevice, ""),
        );
        assert!(matches!(error, BoardError::NotConnected { .. }));
    }

    #[cfg(unix)]
    #[test]
    fn the_fix_for_a_missing_permission_names_the_group() {
        let groups = "root:x:0:\ndialout:x:20:alice\nplugdev:x:46:\n";
        assert_eq!(group_named(groups, 20).as_deref(), Some("dialout"));
        assert_eq!(group_named(groups, 0), None);
        assert_eq!(group_named(groups, 99), None);
        let error = BoardError::NoPermission {
            port: "/dev/ttyUSB0".to_owned(),
            group: Some("dialout".to_owned()),
        };
        assert_eq!(
            error.help(),
            "`sudo usermod -aG dialout $USER`, then log in again (/dev/ttyUSB0 belongs to the group dialout)"
        );
    }
}
