//! Configuration of a virtual board.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// The settings that distinguish one virtual board from another.
#[derive(Clone, Debug)]
pub struct Options {
    /// Path of the serial port: a symbolic link to the pseudo-terminal.
    pub port: PathBuf,
    /// File with the flash's 4 MiB; without it the contents are lost at the end.
    pub flash: Option<PathBuf>,
    /// ELF files, plain or gzip, with the symbols of applications that may be flashed.
    pub elfs: Vec<PathBuf>,
    /// Path of the control socket; `None` appends `.ctl` to the port's path.
    pub control: Option<PathBuf>,
    /// Path of the datagram socket with hostapd's control interface; `None` for none.
    pub hostapd: Option<PathBuf>,
    /// MAC address in the fuses.
    pub mac: [u8; 6],
    /// Name of its access point, 1 to 32 bytes.
    pub ssid: String,
    /// Password of its access point, 8 to 63 bytes; empty for an open network.
    pub password: String,
    /// Targets for the device's ports that do not go to the same port of this host.
    pub forwards: Vec<Forward>,
    /// Start in download mode.
    pub download: bool,
    /// Seed of the chip's random numbers and of the radio's delays.
    pub seed: u64,
}

impl Options {
    /// A board with its port at this path and default settings.
    pub fn at(port: PathBuf) -> Options {
        let chip = esp32c3::ChipConfig::default();
        let ap = netsim::ApConfig::default();
        Options {
            port,
            flash: None,
            elfs: Vec::new(),
            control: None,
            hostapd: None,
            mac: chip.mac,
            ssid: ap.ssid,
            password: ap.password,
            forwards: Vec::new(),
            download: false,
            seed: 0,
        }
    }

    /// Path of the control socket.
    pub fn control_path(&self) -> PathBuf {
        self.control.clone().unwrap_or_else(|| {
            let mut path = self.port.clone().into_os_string();
            path.push(".ctl");
            path.into()
        })
    }
}

/// Transport protocol of a forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// Forwards TCP connections.
    Tcp,
    /// Forwards UDP datagrams.
    Udp,
}

/// A forward of a port to a server: `tcp:443=127.0.0.1:8443`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forward {
    /// Transport protocol of the port.
    pub protocol: Protocol,
    /// Destination port of the device's connection or datagram.
    pub port: u16,
    /// Address of the server, from this host.
    pub to: SocketAddr,
}

impl FromStr for Forward {
    type Err = String;

    fn from_str(text: &str) -> Result<Forward, String> {
        let wanted = || "expected tcp:PORT=ADDR:PORT or udp:PORT=ADDR:PORT, as in tcp:443=127.0.0.1:8443";
        let (what, to) = text.split_once('=').ok_or_else(wanted)?;
        let (protocol, port) = what.split_once(':').ok_or_else(wanted)?;
        let protocol = match protocol {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            other => return Err(format!("`{other}` is neither tcp nor udp; {}", wanted())),
        };
        let port = match port.parse() {
            Ok(0) | Err(_) => return Err(format!("`{port}` is no port (1 to 65535); {}", wanted())),
            Ok(port) => port,
        };
        let to: SocketAddr = to
            .parse()
            .map_err(|_| format!("`{to}` is no numeric address with a port; {}", wanted()))?;
        Ok(Forward { protocol, port, to })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forward_is_read_or_refused_with_the_reason() {
        let read: Forward = "udp:123=127.0.0.1:5123".parse().unwrap();
        assert_eq!((read.protocol, read.port), (Protocol::Udp, 123));
        assert_eq!(read.to, SocketAddr::from(([127, 0, 0, 1], 5123)));
        for (text, why) in [
            ("tcp:80", "expected tcp:PORT=ADDR:PORT"),
            ("sctp:80=127.0.0.1:80", "`sctp` is neither tcp nor udp"),
            ("tcp:0=127.0.0.1:80", "`0` is no port"),
            ("tcp:80=localhost:80", "`localhost:80` is no numeric address"),
        ] {
            let error = text.parse::<Forward>().unwrap_err();
            assert!(error.starts_with(why), "{error}");
        }
    }

    #[test]
    fn the_control_socket_is_beside_the_port_unless_it_is_named() {
        let mut options = Options::at("/tmp/c3".into());
        assert_eq!(options.control_path(), PathBuf::from("/tmp/c3.ctl"));
        options.control = Some("/run/c3".into());
        assert_eq!(options.control_path(), PathBuf::from("/run/c3"));
    }
}
