//! Settings for the device's provisioning partition (`docs/provisioning.md`).

use std::net::Ipv4Addr;

use crate::bench::Bench;
use crate::located::{Located, Span};
use crate::quantity::TimeSpan;
use crate::read::mapping;

/// Most bytes of text that the partition holds.
const MAX_TEXT: usize = 4080;

mapping! {
    /// Settings of the device. A key that is left out is derived from the bench where it has to fit (network,
    /// server, registration token), and otherwise left to the firmware's own default.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Provisioning = "Provisioning" {
        /// The network that the device joins.
        pub wifi: Wifi = "wifi" or["{}"];
        /// The server that it talks to.
        pub server: Server = "server" or["{}"];
        /// Who it is.
        pub device: Identity = "device" or["{}"];
        /// Where it gets the time.
        pub ntp: Ntp = "ntp" or["{}"];
        /// How often it does things.
        pub interval: Interval = "interval" or["{}"];
        /// Defects of the firmware that are switched on, by name.
        pub defects: Vec<Located<String>> = "defects" eg["[no-auto-renewal]"] or["[]"];
    }
    lenient yes;
}

mapping! {
    /// The network that the device joins.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Wifi = "Wifi" {
        /// 1 to 32 bytes; left out, the bench's network.
        pub ssid: Option<Located<String>> = "ssid" eg["oceanrig"];
        /// Empty or 8 to 63 bytes; left out, the bench's password.
        pub password: Option<Located<String>> = "password" eg["salt-water"];
    }
    lenient yes;
}

mapping! {
    /// The server that the device talks to.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Server = "Server" {
        /// Host name or IPv4 address, at most 128 bytes; left out, the bench's cloud.
        pub host: Option<Located<String>> = "host" eg["cloud.oceanremote.test"];
        /// 1 to 65535; left out, the port of the bench's cloud.
        pub port: Option<Located<u16>> = "port" eg["80"];
    }
    lenient yes;
}

mapping! {
    /// Who the device is.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Identity = "Identity" {
        /// 1 to 32 of `[A-Za-z0-9_-]`; left out, `oc-` and the last three bytes of the MAC address.
        pub id: Option<Located<String>> = "id" eg["pump-house-1"];
        /// At most 80 bytes; left out, the token that the bench's cloud has given out.
        pub registration_token: Option<Located<String>> = "registration-token" eg["oc_reg_0123456789abcdef"];
    }
    lenient yes;
}

mapping! {
    /// Where the device gets the time.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Ntp = "Ntp" {
        /// Host name or IPv4 address; left out, the firmware's default `pool.ntp.org`.
        pub server: Option<Located<String>> = "server" eg["pool.ntp.org"];
        /// 1 to 65535; left out, the firmware's default 123. The bench's time server listens there.
        pub port: Option<Located<u16>> = "port" eg["123"];
    }
    lenient yes;
}

mapping! {
    /// How often the device does things; whole milliseconds.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Interval = "Interval" {
        /// Between two polls for commands, 100 ms to 1 h; the firmware's default is 5 s.
        pub poll: Option<Located<TimeSpan>> = "poll" eg["5s"];
        /// Between two updates, 1 s to 24 h; the firmware's default is 60 s.
        pub update: Option<Located<TimeSpan>> = "update" eg["60s"];
        /// Between two renewals of the session, 1 s to 24 h; the firmware's default is 45 min.
        pub renew: Option<Located<TimeSpan>> = "renew" eg["45m"];
        /// Between two SNTP polls, 15 s to 24 h; the firmware's default is 1 h.
        pub ntp: Option<Located<TimeSpan>> = "ntp" eg["1h"];
    }
    lenient yes;
}

impl Bench {
    /// The device id: the one provisioned, or the one that the firmware makes from its MAC address.
    pub fn device_id(&self) -> String {
        let [.., a, b, c] = self.device.mac.0;
        let made = || format!("oc-{a:02x}{b:02x}{c:02x}");
        self.provisioning
            .device
            .id
            .as_ref()
            .map_or_else(made, |id| id.value.clone())
    }

    /// The lines of the provisioning partition, `(key, value)`, in the order of `docs/provisioning.md`.
    pub fn provisioning_entries(&self) -> Vec<(&'static str, String)> {
        let p = &self.provisioning;
        let text = |written: &Option<Located<String>>, derived: &str| {
            written
                .as_ref()
                .map_or_else(|| derived.to_owned(), |w| w.value.clone())
        };
        let mut entries = vec![
            ("wifi.ssid", text(&p.wifi.ssid, &self.network.ssid)),
            ("wifi.password", text(&p.wifi.password, &self.network.password)),
            ("server.host", text(&p.server.host, &self.cloud.host)),
            (
                "server.port",
                p.server
                    .port
                    .map_or(self.cloud.port.value, |p| p.value)
                    .to_string(),
            ),
        ];
        entries.extend(p.device.id.as_ref().map(|id| ("device.id", id.value.clone())));
        let token = text(&p.device.registration_token, &self.cloud.registration_token);
        entries.push(("device.registration_token", token));
        entries.extend(
            p.ntp
                .server
                .as_ref()
                .map(|server| ("ntp.server", server.value.clone())),
        );
        entries.extend(p.ntp.port.map(|port| ("ntp.port", port.value.to_string())));
        for (key, span) in [
            ("interval.poll_ms", p.interval.poll),
            ("interval.update_ms", p.interval.update),
            ("interval.renew_ms", p.interval.renew),
            ("interval.ntp_ms", p.interval.ntp),
        ] {
            entries.extend(span.map(|s| (key, (s.nanos() / 1_000_000).to_string())));
        }
        if !p.defects.is_empty() {
            let names: Vec<&str> = p.defects.iter().map(|d| d.value.as_str()).collect();
            entries.push(("defects", names.join(",")));
        }
        entries
    }

    /// What does not fit into the provisioning partition, and where it was written.
    pub(crate) fn provisioning_problems(&self) -> Vec<(Span, String)> {
        let p = &self.provisioning;
        let mut found = Vec::new();
        let mut text = |value: &Option<Located<String>>, check: fn(&str) -> Result<(), String>| {
            if let Some(value) = value
                && let Err(why) = line(value).and_then(|()| check(value))
            {
                found.push((value.span, why));
            }
        };
        text(&p.wifi.ssid, ssid);
        text(&p.wifi.password, password);
        text(&p.server.host, host_or_address);
        text(&p.device.id, device_id);
        text(&p.device.registration_token, |s| {
            bytes(s, 1, 80, "a registration token")
        });
        text(&p.ntp.server, host_or_address);
        for defect in &p.defects {
            text(&Some(defect.clone()), defect_name);
        }
        for port in [p.server.port, p.ntp.port]
            .into_iter()
            .flatten()
            .filter(|p| p.value == 0)
        {
            found.push((port.span, "port 0 is not one of 1 to 65535".to_owned()));
        }
        for (value, least_ms, most_ms) in [
            (p.interval.poll, 100, 3_600_000),
            (p.interval.update, 1_000, 86_400_000),
            (p.interval.renew, 1_000, 86_400_000),
            (p.interval.ntp, 15_000, 86_400_000),
        ] {
            if let Some(value) = value {
                found.extend(
                    interval(*value, least_ms, most_ms)
                        .err()
                        .map(|why| (value.span, why)),
                );
            }
        }
        let len: usize = self
            .provisioning_entries()
            .iter()
            .map(|(k, v)| k.len() + v.len() + 2)
            .sum();
        if len > MAX_TEXT {
            let span = p.defects.last().map(|d| d.span).unwrap_or_default();
            found.push((
                span,
                format!("the settings take {len} bytes; the partition holds {MAX_TEXT}"),
            ));
        }
        found
    }
}

fn line(text: &str) -> Result<(), String> {
    if text.contains(['\n', '\r']) {
        Err("a setting is one line; this one holds a line break".to_owned())
    } else {
        Ok(())
    }
}

fn bytes(text: &str, least: usize, most: usize, what: &str) -> Result<(), String> {
    if (least..=most).contains(&text.len()) {
        Ok(())
    } else {
        Err(format!(
            "{what} has {least} to {most} bytes; this one has {}",
            text.len()
        ))
    }
}

pub(crate) fn ssid(text: &str) -> Result<(), String> {
    line(text)?;
    bytes(text, 1, 32, "a network name")
}

/// A host name (RFC 1123, section 2.1, and `_`) of at most 128 bytes, or an IPv4 address.
pub(crate) fn host_or_address(text: &str) -> Result<(), String> {
    line(text)?;
    bytes(text, 1, 128, "a host")?;
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if let Ok(address) = text.parse::<Ipv4Addr>()
        && (address.is_unspecified() || address.is_broadcast() || address.is_multicast())
    {
        return Err(format!("no host can have the address {text}"));
    }
    if text.split('.').all(label) {
        Ok(())
    } else {
        Err(format!(
            "`{text}` is no host: a name is made of `A-Z a-z 0-9 _ -` and dots, each part 1 to 63 long"
        ))
    }
}

pub(crate) fn password(text: &str) -> Result<(), String> {
    line(text)?;
    if text.is_empty() {
        Ok(())
    } else {
        bytes(text, 8, 63, "a password")
    }
}

fn device_id(text: &str) -> Result<(), String> {
    bytes(text, 1, 32, "a device id")?;
    match text
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || "_-".contains(*c)))
    {
        Some(c) => Err(format!(
            "a device id is made of `A-Z a-z 0-9 _ -`; this one has {c:?}"
        )),
        None => Ok(()),
    }
}

fn defect_name(text: &str) -> Result<(), String> {
    let valid = !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if valid {
        Ok(())
    } else {
        Err(format!(
            "`{text}` is no name of a defect: write one like `no-auto-renewal`"
        ))
    }
}

fn interval(span: TimeSpan, least_ms: u64, most_ms: u64) -> Result<(), String> {
    let ms = span.nanos() / 1_000_000;
    if !span.nanos().is_multiple_of(1_000_000) {
        return Err(format!("the device counts whole milliseconds; {span} is none"));
    }
    if !(least_ms..=most_ms).contains(&ms) {
        let (least, most) = (TimeSpan::from_millis(least_ms), TimeSpan::from_millis(most_ms));
        return Err(format!("{span} is not from {least} to {most}"));
    }
    Ok(())
}
