//! Control of the access point: hostapd's control interface, or declared commands.

use std::path::Path;
use std::time::Duration;

use crate::command;
use crate::config::{AccessPointControl, Argv};
use crate::error::BoardError;
use crate::mac::Mac;

/// Timeout for an answer of hostapd; it takes about a second to enable an interface.
const ANSWER: Duration = Duration::from_secs(10);

/// An access point with its means of control.
#[derive(Clone, Debug)]
pub struct AccessPoint {
    control: AccessPointControl,
}

impl AccessPoint {
    /// An access point with this means of control; no command is sent yet.
    pub fn new(control: AccessPointControl) -> AccessPoint {
        AccessPoint { control }
    }

    /// True if it can be switched off and on.
    pub fn can_switch(&self) -> bool {
        match &self.control {
            AccessPointControl::Hostapd(_) => true,
            AccessPointControl::Commands { off, on, .. } => off.is_some() && on.is_some(),
        }
    }

    /// True if it can deauthenticate a station.
    pub fn can_deauthenticate(&self) -> bool {
        match &self.control {
            AccessPointControl::Hostapd(_) => true,
            AccessPointControl::Commands { deauthenticate, .. } => deauthenticate.is_some(),
        }
    }

    /// Checks that it answers. Declared commands cannot be checked.
    ///
    /// # Errors
    /// [`BoardError::AccessPoint`] if it does not.
    pub fn check(&self) -> Result<(), BoardError> {
        match &self.control {
            AccessPointControl::Hostapd(path) => match ask(path, "PING")?.as_str() {
                "PONG" => Ok(()),
                other => Err(refused(path, "PING", other)),
            },
            AccessPointControl::Commands { .. } => Ok(()),
        }
    }

    /// Switches the network on or off.
    ///
    /// # Errors
    /// [`BoardError::AccessPoint`] or [`BoardError::Command`].
    pub fn switch(&self, on: bool) -> Result<(), BoardError> {
        match &self.control {
            AccessPointControl::Hostapd(path) => tell(path, if on { "ENABLE" } else { "DISABLE" }),
            AccessPointControl::Commands {
                off,
                on: switch_on,
                timeout,
                ..
            } => {
                let (name, argv) = if on { ("on", switch_on) } else { ("off", off) };
                self.command(name, argv.as_ref(), &[], *timeout)
            }
        }
    }

    /// Deauthenticates the station `mac` for `reason` (IEEE 802.11, table of reason codes).
    ///
    /// # Errors
    /// [`BoardError::AccessPoint`] or [`BoardError::Command`].
    pub fn deauthenticate(&self, mac: Mac, reason: u16) -> Result<(), BoardError> {
        match &self.control {
            AccessPointControl::Hostapd(path) => tell(path, &format!("DEAUTHENTICATE {mac} reason={reason}")),
            AccessPointControl::Commands {
                deauthenticate,
                timeout,
                ..
            } => {
                let (mac, reason) = (mac.to_string(), reason.to_string());
                self.command(
                    "deauthenticate",
                    deauthenticate.as_ref(),
                    &[("mac", &mac), ("reason", &reason)],
                    *timeout,
                )
            }
        }
    }

    fn command(
        &self,
        name: &str,
        argv: Option<&Argv>,
        values: &[(&str, &str)],
        limit: Duration,
    ) -> Result<(), BoardError> {
        let Some(argv) = argv else {
            return Err(BoardError::AccessPoint {
                control: "with declared commands".to_owned(),
                why: format!("boards.toml declares no `access-point.{name}`"),
            });
        };
        command::run(&format!("access-point.{name}"), argv, values, limit)?;
        Ok(())
    }
}

/// Sends a command whose answer must be OK.
fn tell(path: &Path, what: &str) -> Result<(), BoardError> {
    match ask(path, what)?.as_str() {
        "OK" => Ok(()),
        other => Err(refused(path, what, other)),
    }
}

fn refused(path: &Path, what: &str, answer: &str) -> BoardError {
    BoardError::AccessPoint {
        control: path.display().to_string(),
        why: format!("hostapd answers `{answer}` to `{what}`"),
    }
}

/// Sends a command to hostapd's control interface, a Unix datagram socket, and returns its answer (hostapd,
/// `wpa_ctrl.c`). Unsolicited events begin with `<` and are skipped; without ATTACH there are none.
#[cfg(unix)]
fn ask(path: &Path, what: &str) -> Result<String, BoardError> {
    use std::os::unix::net::UnixDatagram;
    use std::sync::atomic::{AtomicU32, Ordering};

    static COUNT: AtomicU32 = AtomicU32::new(0);
    let trouble = |step: &str, error: std::io::Error| BoardError::AccessPoint {
        control: path.display().to_string(),
        why: format!("{step}: {error}"),
    };
    // hostapd answers to the sender's address, so the client's socket needs a path.
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let own = Own(std::env::temp_dir().join(format!("oceanrig-ap-{}-{count}", std::process::id())));
    let socket = UnixDatagram::bind(&own.0).map_err(|e| trouble("cannot make a socket", e))?;
    open_to_all(&own.0);
    socket
        .connect(path)
        .map_err(|e| trouble("cannot reach hostapd", e))?;
    socket
        .set_read_timeout(Some(ANSWER))
        .map_err(|e| trouble("cannot set a time limit", e))?;
    socket
        .send(what.as_bytes())
        .map_err(|e| trouble("cannot send", e))?;
    let mut buffer = [0; 4096];
    loop {
        let len = socket.recv(&mut buffer).map_err(|e| trouble("no answer", e))?;
        let text = String::from_utf8_lossy(&buffer[..len]);
        if !text.starts_with('<') {
            return Ok(text.trim().to_owned());
        }
    }
}

#[cfg(not(unix))]
fn ask(path: &Path, _: &str) -> Result<String, BoardError> {
    Err(BoardError::AccessPoint {
        control: path.display().to_string(),
        why: "hostapd is controlled on Unix only; declare commands instead".to_owned(),
    })
}

/// Makes the socket writable for all users: hostapd may run as another user and has to write to it.
#[cfg(unix)]
fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666));
}

/// Path of a client's socket, removed when this is dropped.
#[cfg(unix)]
struct Own(std::path::PathBuf);

#[cfg(unix)]
impl Drop for Own {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
