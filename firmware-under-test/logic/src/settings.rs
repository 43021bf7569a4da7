//! The settings of the device and the format of the flash partition they come from.
//!
//! The format is described in `docs/provisioning.md`: a 16-byte header (magic, version, length, CRC-32)
//! and then `key=value` lines.

use core::fmt;

use heapless::String;

use crate::checksum::crc32;
use crate::defects::{Defect, Defects};

/// The first four bytes of the partition.
pub const MAGIC: [u8; 4] = *b"ORPV";
/// The format's version that this firmware reads.
pub const VERSION: u32 = 1;
/// Bytes before the text: magic, version, length, CRC-32.
pub const HEADER_LEN: usize = 16;
/// The longest text, in bytes: header and text fit one flash sector.
pub const TEXT_MAX: usize = 4080;

/// Why the partition cannot be used. A device without settings waits; it never guesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingsError<'a> {
    /// The partition is shorter than its header.
    TooShort,
    /// The magic is missing: the partition was never written, or holds something else.
    NoMagic,
    /// The partition is of another version of the format.
    Version(u32),
    /// The stated length does not fit the partition.
    Length(u32),
    /// The text does not match its CRC-32.
    Checksum,
    /// The text is not UTF-8.
    NotUtf8,
    /// A line has no `=`.
    NotKeyValue(&'a str),
    /// The value of this key is not allowed.
    BadValue(&'a str),
    /// A required key is missing.
    Missing(&'static str),
}

impl fmt::Display for SettingsError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort => f.write_str("partition too small"),
            Self::NoMagic => f.write_str("not provisioned"),
            Self::Version(version) => write!(f, "format version {version} is not supported"),
            Self::Length(length) => write!(f, "length {length} does not fit"),
            Self::Checksum => f.write_str("bad checksum"),
            Self::NotUtf8 => f.write_str("not UTF-8"),
            // Of a broken line only its length is told: it might hold a secret.
            Self::NotKeyValue(line) => write!(f, "a line of {} bytes has no '='", line.len()),
            Self::BadValue(key) => write!(f, "bad value of {key}"),
            Self::Missing(key) => write!(f, "{key} is missing"),
        }
    }
}

/// What the device was told at provisioning. Times are in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The network's name, 1 to 32 bytes.
    pub wifi_ssid: String<32>,
    /// Its password: empty for an open network, or 8 to 63 bytes.
    pub wifi_password: String<63>,
    /// Name or IPv4 address of the OceanRemote server.
    pub server_host: String<128>,
    /// Its TCP port.
    pub server_port: u16,
    /// The device's id; empty means "make one from the MAC address".
    pub device_id: String<32>,
    /// The single-use registration token.
    pub registration_token: String<80>,
    /// Name or IPv4 address of the NTP server.
    pub ntp_server: String<128>,
    /// Its UDP port.
    pub ntp_port: u16,
    /// Time between two polls for commands.
    pub poll_ms: u32,
    /// Time between two temperature reports.
    pub update_ms: u32,
    /// Age at which a session is renewed.
    pub renew_ms: u32,
    /// Time between two NTP queries once the clock is set.
    pub ntp_ms: u32,
    /// The defects to exhibit.
    pub defects: Defects,
}

impl Settings {
    fn empty() -> Self {
        let text = |value: &str| String::try_from(value).unwrap_or_default();
        Self {
            wifi_ssid: String::new(),
            wifi_password: String::new(),
            server_host: String::new(),
            server_port: 80,
            device_id: String::new(),
            registration_token: String::new(),
            ntp_server: text("pool.ntp.org"),
            ntp_port: 123,
            poll_ms: 5_000,
            update_ms: 60_000,
            renew_ms: 2_700_000,
            ntp_ms: 3_600_000,
            defects: Defects::default(),
        }
    }

    /// Reads the partition. `unknown` is told every key, and every defect's name, that this firmware
    /// does not know; they change nothing.
    pub fn parse<'a>(
        partition: &'a [u8],
        mut unknown: impl FnMut(&'a str),
    ) -> Result<Self, SettingsError<'a>> {
        let text = text_of(partition)?;
        let mut settings = Self::empty();
        for line in text.lines() {
            let (key, value) = line.split_once('=').ok_or(SettingsError::NotKeyValue(line))?;
            settings.set(key, value, &mut unknown)?;
        }
        for (key, value) in [
            ("wifi.ssid", settings.wifi_ssid.as_str()),
            ("server.host", settings.server_host.as_str()),
            ("device.registration_token", settings.registration_token.as_str()),
        ] {
            if value.is_empty() {
                return Err(SettingsError::Missing(key));
            }
        }
        Ok(settings)
    }

    fn set<'a>(
        &mut self,
        key: &'a str,
        value: &'a str,
        unknown: &mut impl FnMut(&'a str),
    ) -> Result<(), SettingsError<'a>> {
        let bad = SettingsError::BadValue(key);
        let number = |low: u32, high: u32| match value.parse::<u32>() {
            Ok(number) if (low..=high).contains(&number) => Ok(number),
            _ => Err(bad),
        };
        let port = || number(1, 65_535).and_then(|port| u16::try_from(port).map_err(|_| bad));
        match key {
            "wifi.ssid" => self.wifi_ssid = fitting(value, 1, bad)?,
            "wifi.password" if value.is_empty() => self.wifi_password.clear(),
            "wifi.password" => self.wifi_password = fitting(value, 8, bad)?,
            "server.host" => self.server_host = fitting(value, 1, bad)?,
            "server.port" => self.server_port = port()?,
            "device.id" => {
                let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                if !value.chars().all(allowed) {
                    return Err(bad);
                }
                self.device_id = fitting(value, 1, bad)?;
            }
            "device.registration_token" => self.registration_token = fitting(value, 1, bad)?,
            "ntp.server" => self.ntp_server = fitting(value, 1, bad)?,
            "ntp.port" => self.ntp_port = port()?,
            "interval.poll_ms" => self.poll_ms = number(100, 3_600_000)?,
            "interval.update_ms" => self.update_ms = number(1_000, 86_400_000)?,
            "interval.renew_ms" => self.renew_ms = number(1_000, 86_400_000)?,
            "interval.ntp_ms" => self.ntp_ms = number(15_000, 86_400_000)?,
            "defects" => {
                for name in value.split(',').filter(|name| !name.is_empty()) {
                    match Defect::from_name(name) {
                        Some(defect) => self.defects.insert(defect),
                        None => unknown(name),
                    }
                }
            }
            _ => unknown(key),
        }
        Ok(())
    }
}

/// A value as bounded text, if it is long enough and fits.
fn fitting<'a, const N: usize>(
    value: &str,
    at_least: usize,
    bad: SettingsError<'a>,
) -> Result<String<N>, SettingsError<'a>> {
    if value.len() < at_least {
        return Err(bad);
    }
    String::try_from(value).map_err(|_| bad)
}

/// Checks the header and returns the text behind it.
fn text_of(partition: &[u8]) -> Result<&str, SettingsError<'_>> {
    let (header, rest) = partition
        .split_at_checked(HEADER_LEN)
        .ok_or(SettingsError::TooShort)?;
    let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    if header[..4] != MAGIC {
        return Err(SettingsError::NoMagic);
    }
    if word(4) != VERSION {
        return Err(SettingsError::Version(word(4)));
    }
    let length = word(8);
    let text = match usize::try_from(length) {
        Ok(bytes) if bytes <= TEXT_MAX => rest.get(..bytes),
        _ => None,
    }
    .ok_or(SettingsError::Length(length))?;
    if crc32(text) != word(12) {
        return Err(SettingsError::Checksum);
    }
    core::str::from_utf8(text).map_err(|_| SettingsError::NotUtf8)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::format;
    use std::string::String as StdString;
    use std::vec::Vec;

    const SHORTEST: &str = "wifi.ssid=bench\nserver.host=cloud.test\ndevice.registration_token=oc_reg_1\n";

    fn image(text: &str) -> Vec<u8> {
        let mut image = Vec::from(MAGIC);
        image.extend(VERSION.to_le_bytes());
        image.extend((text.len() as u32).to_le_bytes());
        image.extend(crc32(text.as_bytes()).to_le_bytes());
        image.extend(text.as_bytes());
        image.resize(4096, 0xFF);
        image
    }

    fn error(text: &str) -> StdString {
        format!("{}", Settings::parse(&image(text), |_| ()).unwrap_err())
    }

    #[test]
    fn defaults() {
        let settings = Settings::parse(&image(SHORTEST), |_| panic!("all keys are known")).unwrap();
        assert_eq!(settings.wifi_ssid, "bench");
        assert_eq!(
            (settings.server_port, settings.poll_ms, settings.update_ms),
            (80, 5_000, 60_000)
        );
        assert_eq!((settings.renew_ms, settings.ntp_ms), (2_700_000, 3_600_000));
        assert_eq!(
            (settings.ntp_server.as_str(), settings.ntp_port),
            ("pool.ntp.org", 123)
        );
        assert!(
            settings.wifi_password.is_empty() && settings.device_id.is_empty() && settings.defects.is_empty()
        );
    }

    #[test]
    fn every_key() {
        let text = format!(
            "{SHORTEST}wifi.password=secret-12\nserver.port=8080\ndevice.id=oc_A-1\nntp.server=10.0.0.1\n\
             ntp.port=65535\ninterval.poll_ms=100\ninterval.update_ms=1000\ninterval.renew_ms=86400000\ninterval.ntp_ms=15000\n\
             defects=no-ntp,no-backoff\n"
        );
        let settings = Settings::parse(&image(&text), |_| panic!("all keys are known")).unwrap();
        assert_eq!(settings.wifi_password, "secret-12");
        assert_eq!(
            (settings.server_port, settings.poll_ms, settings.renew_ms),
            (8080, 100, 86_400_000)
        );
        assert_eq!(
            (settings.device_id.as_str(), settings.ntp_port),
            ("oc_A-1", 65_535)
        );
        assert!(settings.defects.has(Defect::NoNtp) && settings.defects.has(Defect::NoBackoff));
    }

    #[test]
    fn values_hold_equals_signs_and_unknown_names_are_told() {
        let text = format!("{SHORTEST}wifi.password=a=b=c=d=\ncolour=blue\ndefects=no-ntp,no-luck\n");
        let image = image(&text);
        let mut told = Vec::new();
        let settings = Settings::parse(&image, |name| told.push(name)).unwrap();
        assert_eq!(settings.wifi_password, "a=b=c=d=");
        assert_eq!(told, ["colour", "no-luck"]);
    }

    #[test]
    fn wrong_values_name_their_key() {
        for line in [
            "wifi.password=short",
            "wifi.ssid=",
            "wifi.ssid=123456789012345678901234567890123",
            "server.port=0",
            "server.port=65536",
            "ntp.port=0",
            "ntp.port=65536",
            "ntp.port=ntp",
            "device.id=a b",
            "device.id=",
            "interval.poll_ms=99",
            "interval.poll_ms=5s",
            "interval.update_ms=999",
            "interval.renew_ms=86400001",
            "interval.ntp_ms=14999",
        ] {
            let key = line.split('=').next().unwrap();
            assert_eq!(
                error(&format!("{SHORTEST}{line}\n")),
                format!("bad value of {key}")
            );
        }
    }

    #[test]
    fn missing_keys_and_broken_lines() {
        assert_eq!(
            error("wifi.ssid=a\nserver.host=b\n"),
            "device.registration_token is missing"
        );
        assert_eq!(error("secret\n"), "a line of 6 bytes has no '='");
    }

    #[test]
    fn broken_partitions() {
        let parse = |bytes: &[u8]| format!("{}", Settings::parse(bytes, |_| ()).unwrap_err());
        let good = image(SHORTEST);
        assert_eq!(parse(&good[..15]), "partition too small");
        assert_eq!(parse(&[0xFF; 4096]), "not provisioned");
        let with = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            parse(&bytes)
        };
        assert_eq!(with(4, 2), "format version 2 is not supported");
        assert_eq!(
            with(10, 1),
            format!("length {} does not fit", 0x1_0000 + SHORTEST.len())
        );
        assert_eq!(with(12, good[12] ^ 1), "bad checksum");
        assert_eq!(with(20, b'X'), "bad checksum");
    }
}
