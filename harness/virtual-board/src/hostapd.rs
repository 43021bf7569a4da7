//! hostapd's control interface (`hostapd_ctrl_iface` of its documentation): the commands that tools use to
//! switch access points, as text in datagrams; text answers to the sender's address, and events to attached
//! monitors.

use std::fmt::Write as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use sim::air::{Mac, Reason};

use crate::access_point::{AccessPoint, ApEvent};
use crate::claim::{self, SocketFile};
use crate::error::BoardError;

/// Greatest number of attached monitors.
const MOST_MONITORS: usize = 16;
/// Priority of the events sent, `MSG_INFO`.
const PRIORITY: &str = "<3>";
/// Reason of a deauthentication without `reason=`: previous authentication no longer valid, as in hostapd.
const UNNAMED: Reason = Reason(2);
const BROADCAST: Mac = [0xFF; 6];

/// Action that a command requests of the access point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Enable,
    Disable,
    Deauthenticate(Reason),
    Attach,
    Detach,
}

/// The socket, and the monitors that receive events.
#[derive(Debug)]
pub(crate) struct Hostapd {
    pub(crate) socket: UnixDatagram,
    _file: SocketFile,
    monitors: Vec<PathBuf>,
}

impl Hostapd {
    pub(crate) fn bind(path: &Path) -> Result<Hostapd, BoardError> {
        let (socket, file) = claim::datagrams(path)?;
        Ok(Hostapd {
            socket,
            _file: file,
            monitors: Vec::new(),
        })
    }

    /// Answers all received commands; returns the actions that they request.
    pub(crate) fn serve(&mut self, ap: &AccessPoint) -> Vec<Wish> {
        let mut wishes = Vec::new();
        let mut buffer = [0; 1024];
        while let Ok((len, from)) = self.socket.recv_from(&mut buffer) {
            let command = String::from_utf8_lossy(&buffer[..len]).into_owned();
            let (mut answer, wish) = answer(command.trim_end(), ap);
            let path = from.as_pathname().map(Path::to_owned);
            match (wish, &path) {
                (Some(Wish::Attach), Some(path)) => {
                    if self.monitors.len() >= MOST_MONITORS {
                        answer = "FAIL\n".to_owned();
                    } else if !self.monitors.contains(path) {
                        self.monitors.push(path.clone());
                    }
                }
                (Some(Wish::Detach), Some(path)) => {
                    let before = self.monitors.len();
                    self.monitors.retain(|m| m != path);
                    if self.monitors.len() == before {
                        answer = "FAIL\n".to_owned();
                    }
                }
                (Some(wish), _) => wishes.push(wish),
                (None, _) => {}
            }
            if let Some(path) = path {
                // If the sender has closed its socket meanwhile, the answer is dropped.
                let _ = self.socket.send_to(answer.as_bytes(), path);
            }
        }
        wishes
    }

    /// Sends an event to the monitors; a monitor whose socket is gone is removed.
    pub(crate) fn tell(&mut self, event: ApEvent) {
        let text = match event {
            ApEvent::Enabled => format!("{PRIORITY}AP-ENABLED "),
            ApEvent::Disabled => format!("{PRIORITY}AP-DISABLED "),
            ApEvent::StationCame(mac) => format!("{PRIORITY}AP-STA-CONNECTED {}", mac_text(mac)),
            ApEvent::StationLeft(mac) => format!("{PRIORITY}AP-STA-DISCONNECTED {}", mac_text(mac)),
        };
        let socket = &self.socket;
        self.monitors
            .retain(|path| match socket.send_to(text.as_bytes(), path) {
                Ok(_) => true,
                Err(e) => e.kind() == std::io::ErrorKind::WouldBlock,
            });
    }
}

/// The answer to a command, and the action that it requests.
fn answer(command: &str, ap: &AccessPoint) -> (String, Option<Wish>) {
    let ok = |wish| ("OK\n".to_owned(), Some(wish));
    let fail = || ("FAIL\n".to_owned(), None);
    let (name, rest) = command.split_once(' ').unwrap_or((command, ""));
    match name {
        "PING" => ("PONG\n".to_owned(), None),
        "STATUS" => (status(ap), None),
        "GET_CONFIG" => (config(ap), None),
        // hostapd answers FAIL to a command that changes nothing.
        "ENABLE" if ap.on => fail(),
        "ENABLE" => ok(Wish::Enable),
        "DISABLE" if !ap.on => fail(),
        "DISABLE" => ok(Wish::Disable),
        "DEAUTHENTICATE" | "DISASSOCIATE" => {
            let mut words = rest.split_whitespace();
            let Some(to) = words.next().and_then(read_mac) else {
                return fail();
            };
            let reason = words.find_map(|word| word.strip_prefix("reason="));
            let reason = match reason.map(str::parse) {
                None => UNNAMED,
                Some(Ok(reason)) => Reason(reason),
                Some(Err(_)) => return fail(),
            };
            // hostapd answers OK even if the station is not associated.
            if to == BROADCAST || ap.station == Some(to) {
                ok(Wish::Deauthenticate(reason))
            } else {
                ("OK\n".to_owned(), None)
            }
        }
        "STA-FIRST" => (ap.station.map(|mac| station(ap, mac)).unwrap_or_default(), None),
        "STA-NEXT" => (String::new(), None),
        "STA" => match read_mac(rest) {
            Some(mac) if ap.station == Some(mac) => (station(ap, mac), None),
            _ => fail(),
        },
        "ATTACH" => ok(Wish::Attach),
        "DETACH" => ok(Wish::Detach),
        "LEVEL" => ("OK\n".to_owned(), None),
        _ => ("UNKNOWN COMMAND\n".to_owned(), None),
    }
}

fn status(ap: &AccessPoint) -> String {
    let channel = ap.config.channel;
    // IEEE 802.11-2020, 15.4.4.3: channel 14 is not in the regular spacing.
    let freq = if channel == 14 {
        2484
    } else {
        2407 + 5 * u32::from(channel)
    };
    let mut text = String::new();
    let state = if ap.on { "ENABLED" } else { "DISABLED" };
    let _ = writeln!(text, "state={state}\nfreq={freq}\nchannel={channel}");
    let _ = writeln!(text, "bss[0]=virtual\nbssid[0]={}", mac_text(ap.config.bssid));
    let _ = writeln!(text, "ssid[0]={}", ap.config.ssid);
    let _ = writeln!(text, "num_sta[0]={}", u8::from(ap.station.is_some()));
    text
}

fn config(ap: &AccessPoint) -> String {
    let (bssid, ssid) = (mac_text(ap.config.bssid), &ap.config.ssid);
    let wpa = if ap.config.password.is_empty() {
        ""
    } else {
        "wpa=2\nkey_mgmt=WPA-PSK \n"
    };
    format!("bssid={bssid}\nssid={ssid}\n{wpa}")
}

fn station(ap: &AccessPoint, mac: Mac) -> String {
    let signal = ap.config.rssi_dbm;
    format!(
        "{}\nflags=[AUTH][ASSOC][AUTHORIZED]\naid=1\nsignal={signal}\n",
        mac_text(mac)
    )
}

/// A MAC address as text: `34:85:18:00:00:01`.
pub(crate) fn mac_text(mac: Mac) -> String {
    mac.map(|b| format!("{b:02x}")).join(":")
}

fn read_mac(text: &str) -> Option<Mac> {
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut mac {
        let part = parts.next().filter(|p| p.len() == 2)?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(mac)
}

#[cfg(test)]
mod tests {
    use netsim::{ApConfig, NetNote};

    use super::*;

    const MAC: Mac = [0x34, 0x85, 0x18, 0, 0, 1];

    fn ap() -> AccessPoint {
        let mut ap = AccessPoint::new(ApConfig::default());
        ap.hear(&NetNote::Associated {
            mac: MAC,
            channel: 6,
            rssi_dbm: -52,
        });
        ap
    }

    #[test]
    fn commands_are_answered_as_hostapd_does() {
        let mut ap = ap();
        let said = |command: &str, ap: &AccessPoint| answer(command, ap);
        assert_eq!(said("PING", &ap), ("PONG\n".into(), None));
        assert_eq!(
            said("STATUS", &ap).0,
            "state=ENABLED\nfreq=2437\nchannel=6\nbss[0]=virtual\nbssid[0]=02:0c:ea:00:00:01\nssid[0]=oceanrig\n\
             num_sta[0]=1\n"
        );
        assert_eq!(said("ENABLE", &ap), ("FAIL\n".into(), None));
        assert_eq!(said("DISABLE", &ap), ("OK\n".into(), Some(Wish::Disable)));
        ap.on = false;
        assert_eq!(said("ENABLE", &ap), ("OK\n".into(), Some(Wish::Enable)));
        assert_eq!(said("SET foo 1", &ap), ("UNKNOWN COMMAND\n".into(), None));
    }

    #[test]
    fn a_deauthentication_reaches_the_station_it_names() {
        let ap = ap();
        let wish = |reason| Some(Wish::Deauthenticate(Reason(reason)));
        assert_eq!(
            answer("DEAUTHENTICATE 34:85:18:00:00:01 reason=7", &ap).1,
            wish(7)
        );
        assert_eq!(answer("DEAUTHENTICATE ff:ff:ff:ff:ff:ff", &ap).1, wish(2));
        assert_eq!(
            answer("DEAUTHENTICATE 34:85:18:00:00:02", &ap),
            ("OK\n".into(), None)
        );
        assert_eq!(answer("DEAUTHENTICATE nobody", &ap), ("FAIL\n".into(), None));
        assert_eq!(
            answer("STA-FIRST", &ap).0,
            "34:85:18:00:00:01\nflags=[AUTH][ASSOC][AUTHORIZED]\naid=1\nsignal=-52\n"
        );
    }

    #[test]
    fn monitors_hear_events_until_they_leave() {
        let dir = tempfile::tempdir().unwrap();
        let (server, monitor) = (dir.path().join("wlan0"), dir.path().join("monitor"));
        let mut hostapd = Hostapd::bind(&server).unwrap();
        let client = UnixDatagram::bind(&monitor).unwrap();
        client.send_to(b"ATTACH", &server).unwrap();
        assert_eq!(hostapd.serve(&ap()), []);
        hostapd.tell(ApEvent::StationLeft(MAC));
        let mut heard = [0; 64];
        let mut next = || client.recv(&mut heard).map(|len| heard[..len].to_vec()).unwrap();
        assert_eq!(next(), b"OK\n");
        assert_eq!(next(), b"<3>AP-STA-DISCONNECTED 34:85:18:00:00:01");
        client.send_to(b"DETACH", &server).unwrap();
        hostapd.serve(&ap());
        assert_eq!(next(), b"OK\n");
        hostapd.tell(ApEvent::Disabled);
        client.set_nonblocking(true).unwrap();
        assert!(client.recv(&mut [0; 8]).is_err());
    }
}
