//! What the cloud knows about one device.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sim::air::Mac;
use sim::{Instant, UnixTime};

/// A device is ONLINE until it has not been seen for this long (page "tutorial-26").
const ONLINE: Duration = Duration::from_secs(10);
/// A device is AWAY up to and including this long (same page).
const AWAY: Duration = Duration::from_secs(300);
/// How many ended sessions of a device are remembered; older ones become unknown tokens.
const REMEMBERED_SESSIONS: usize = 32;

/// What the dashboard shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum DeviceStatus {
    /// Seen less than 10 s ago.
    Online,
    /// Seen 10 to 300 s ago.
    Away,
    /// Seen more than 300 s ago, or never.
    Offline,
}

impl DeviceStatus {
    /// Its name in scenario files.
    pub const fn name(self) -> &'static str {
        match self {
            DeviceStatus::Online => "online",
            DeviceStatus::Away => "away",
            DeviceStatus::Offline => "offline",
        }
    }
}

impl fmt::Display for DeviceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            DeviceStatus::Online => "ONLINE",
            DeviceStatus::Away => "AWAY",
            DeviceStatus::Offline => "OFFLINE",
        })
    }
}

/// The three kinds of token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenKind {
    /// Single use, 24 h.
    Registration,
    /// Until revoked, bound to a MAC address.
    Permanent,
    /// 60 minutes.
    Session,
}

/// A relay command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Command {
    /// Grows by one from 1, per device.
    pub id: u64,
    /// Counts from 1.
    pub relay: u8,
    /// On or off.
    pub on: bool,
}

/// What a device last reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Telemetry {
    /// Degrees Celsius, as sent.
    pub temperature: Option<serde_json::Number>,
    /// Percent, as sent.
    pub humidity: Option<serde_json::Number>,
    /// Signal strength, dBm.
    pub rssi: Option<i32>,
    /// Relay states, the first is relay 1.
    pub relays: Vec<bool>,
    /// Its address, as it gave it at registration.
    pub ip: Option<String>,
}

/// A device as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceView {
    /// Whether it has registered (claimed) or not yet (pending).
    pub claimed: bool,
    /// The MAC address that its permanent token is bound to.
    pub mac: Option<Mac>,
    /// Its current registration token.
    pub registration_token: Option<String>,
    /// Its current permanent token, revoked or not.
    pub permanent_token: Option<String>,
    /// Its latest session, expired or not.
    pub session: Option<String>,
    /// When the latest session ends, on the server's clock.
    pub session_expires: Option<UnixTime>,
    /// When it was last seen.
    pub last_seen: Option<Instant>,
    /// What it last reported.
    pub telemetry: Telemetry,
    /// Commands that it has not acknowledged.
    pub commands: Vec<Command>,
}

/// A device's own record; its tokens' states are in the cloud's table of tokens.
#[derive(Clone, Debug, Default)]
pub(crate) struct Device {
    pub(crate) claimed: bool,
    pub(crate) mac: Option<Mac>,
    pub(crate) registration: Option<String>,
    pub(crate) permanent: Option<String>,
    pub(crate) session: Option<String>,
    /// Ended sessions that still answer `Session expired`, oldest first.
    pub(crate) ended: VecDeque<String>,
    pub(crate) last_seen: Option<Instant>,
    /// The status that the journal last told.
    pub(crate) told: Option<DeviceStatus>,
    pub(crate) telemetry: Telemetry,
    pub(crate) commands: VecDeque<Command>,
    /// The highest command id that some poll has carried.
    pub(crate) delivered: u64,
    pub(crate) next_command: u64,
}

impl Device {
    /// The status at `now`.
    pub(crate) fn status(&self, now: Instant) -> DeviceStatus {
        match self.last_seen.map(|seen| now.since(seen)) {
            Some(age) if age < ONLINE => DeviceStatus::Online,
            Some(age) if age <= AWAY => DeviceStatus::Away,
            _ => DeviceStatus::Offline,
        }
    }

    /// When the status changes after `now` if the device stays silent.
    pub(crate) fn next_status_change(&self, now: Instant) -> Option<Instant> {
        let seen = self.last_seen?;
        match self.status(now) {
            DeviceStatus::Online => Some(seen + ONLINE),
            DeviceStatus::Away => Some(seen + AWAY + Duration::from_nanos(1)),
            DeviceStatus::Offline => None,
        }
    }

    /// Retires the latest session; returns one that is now too old to be remembered.
    pub(crate) fn retire_session(&mut self) -> Option<String> {
        self.ended.extend(self.session.take());
        if self.ended.len() > REMEMBERED_SESSIONS {
            self.ended.pop_front()
        } else {
            None
        }
    }
}

/// A MAC address in any of its usual forms: two hexadecimal digits six times, with `:`, `-` or nothing
/// between.
pub(crate) fn parse_mac(text: &str) -> Option<Mac> {
    let digits: Vec<u8> = text.bytes().filter(|b| *b != b':' && *b != b'-').collect();
    if digits.len() != 12 || !matches!(text.len(), 12 | 17) {
        return None;
    }
    let mut mac = [0; 6];
    for (octet, pair) in mac.iter_mut().zip(digits.chunks(2)) {
        let digit = |b: u8| (b as char).to_digit(16);
        *octet = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_turns_at_10_and_after_300_seconds() {
        let device = Device {
            last_seen: Some(Instant::from_secs(100)),
            ..Device::default()
        };
        let at = |ms: u64| device.status(Instant::from_millis(100_000 + ms));
        assert_eq!(at(9_999), DeviceStatus::Online);
        assert_eq!(at(10_000), DeviceStatus::Away);
        assert_eq!(at(300_000), DeviceStatus::Away);
        assert_eq!(at(300_001), DeviceStatus::Offline);
        assert_eq!(Device::default().status(Instant::ZERO), DeviceStatus::Offline);
        assert_eq!(
            device.next_status_change(Instant::from_secs(100)),
            Some(Instant::from_secs(110))
        );
        let offline = device
            .next_status_change(Instant::from_secs(110))
            .expect("it goes on to offline");
        assert_eq!(offline, Instant::from_nanos(400_000_000_001));
        assert_eq!(device.status(offline), DeviceStatus::Offline);
        assert_eq!(device.next_status_change(offline), None);
    }

    #[test]
    fn mac_addresses_are_read_in_their_usual_forms() {
        let mac = Some([0x24, 0x0a, 0xc4, 0x12, 0x34, 0x56]);
        for text in ["24:0a:c4:12:34:56", "24-0A-C4-12-34-56", "240AC4123456"] {
            assert_eq!(parse_mac(text), mac, "{text}");
        }
        for text in [
            "",
            "24:0a:c4:12:34",
            "24:0a:c4:12:34:5g",
            "24:0a:c4:12:34:56:78",
            "240:ac412:3456",
        ] {
            assert_eq!(parse_mac(text), None, "{text}");
        }
    }
}
