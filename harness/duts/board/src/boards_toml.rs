//! `boards.toml` as it is written, before it is checked.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use crate::config::{
    AccessPointControl, After, Argv, Before, BoardConfig, Commands, Console, ProbeSelector, Secret,
};
use crate::mac::Mac;

/// An error in the file, with its place if it has one.
pub(crate) enum Fault {
    At(Range<usize>, String),
    NoPassword(String),
}

/// A duration as written in the file: `500ms`, `10s`, `2m`, `1h`.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Time(Duration);

impl TryFrom<String> for Time {
    type Error = String;

    fn try_from(text: String) -> Result<Time, String> {
        let wrong = || {
            format!(
                "`{text}` is no length of time: expected a whole number with a unit, `500ms`, `10s`, `2m` or `1h`"
            )
        };
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let ms = match unit.trim_start() {
            "ms" => 1,
            "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            _ => return Err(wrong()),
        };
        number
            .checked_mul(ms)
            .filter(|ms| *ms <= 24 * 3_600_000)
            .map(|ms| Time(Duration::from_millis(ms)))
            .ok_or_else(|| format!("`{text}` is more than a day"))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFile {
    #[serde(default)]
    pub(crate) board: BTreeMap<Spanned<String>, RawBoard>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RawBoard {
    port: Option<Spanned<String>>,
    mac: Option<Spanned<String>>,
    probe: Option<ProbeSelector>,
    chip: Option<Spanned<String>>,
    baud: Option<Spanned<u32>>,
    flash_baud: Option<Spanned<u32>>,
    #[serde(default)]
    before: Before,
    #[serde(default)]
    after: After,
    stub: Option<bool>,
    console: Option<Console>,
    reconnect: Option<Time>,
    host: Option<Ipv4Addr>,
    listen: Option<Ipv4Addr>,
    #[serde(default)]
    cloud_port: u16,
    #[serde(default)]
    ntp_port: u16,
    dns_port: Option<u16>,
    ssid: Option<Spanned<String>>,
    password: Option<Secret>,
    password_env: Option<Spanned<String>>,
    #[serde(default)]
    dns: bool,
    #[serde(default)]
    fixtures: BTreeSet<String>,
    tolerance: Option<Time>,
    commands: Option<RawCommands>,
    access_point: Option<Spanned<RawAccessPoint>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawCommands {
    reset: Option<Argv>,
    download: Option<Argv>,
    power_off: Option<Argv>,
    power_on: Option<Argv>,
    timeout: Option<Time>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawAccessPoint {
    hostapd: Option<PathBuf>,
    off: Option<Argv>,
    on: Option<Argv>,
    deauthenticate: Option<Argv>,
    timeout: Option<Time>,
}

const DEFAULT_CHIP: &str = "esp32c3";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

impl RawBoard {
    /// A board with only its port declared.
    pub(crate) fn on(port: &str) -> RawBoard {
        RawBoard {
            port: Some(Spanned::new(0..0, port.to_owned())),
            ..RawBoard::default()
        }
    }

    pub(crate) fn check(self, name: &str, span: Range<usize>) -> Result<BoardConfig, Fault> {
        let fault = |span: &Range<usize>, message: String| Err(Fault::At(span.clone(), message));
        if self.port.is_none() && self.mac.is_none() && self.probe.is_none() {
            return fault(
                &span,
                format!("the board `{name}` needs `port = \"/dev/…\"` or `mac = \"aa:bb:cc:dd:ee:ff\"`"),
            );
        }
        if let Some(port) = &self.port
            && port.get_ref().is_empty()
        {
            return fault(
                &port.span(),
                "the port is empty: expected a device like \"/dev/ttyUSB0\"".to_owned(),
            );
        }
        let mac = match &self.mac {
            None => None,
            Some(text) => match text.get_ref().parse::<Mac>() {
                Ok(mac) => Some(mac),
                Err(()) => {
                    let message = format!(
                        "`{}` is no MAC address: expected \"aa:bb:cc:dd:ee:ff\"",
                        text.get_ref()
                    );
                    return fault(&text.span(), message);
                }
            },
        };
        let chip = match &self.chip {
            None => DEFAULT_CHIP.to_owned(),
            Some(chip) if crate::flash_plan::is_chip(chip.get_ref()) => chip.get_ref().clone(),
            Some(chip) => {
                let message = format!(
                    "`{}` is no chip that can be flashed: expected one of {}",
                    chip.get_ref(),
                    crate::flash_plan::chips().join(", ")
                );
                return fault(&chip.span(), message);
            }
        };
        let password = match (self.password, self.password_env) {
            (Some(_), Some(variable)) => {
                return fault(
                    &variable.span(),
                    "give `password` or `password-env`, not both".to_owned(),
                );
            }
            (Some(password), None) => Some(password),
            (None, Some(variable)) => match std::env::var(variable.get_ref()) {
                Ok(password) => Some(Secret(password)),
                Err(_) => return Err(Fault::NoPassword(variable.into_inner())),
            },
            (None, None) => None,
        };
        if let Some(ssid) = &self.ssid
            && !(1..=32).contains(&ssid.get_ref().len())
        {
            return fault(
                &ssid.span(),
                "the name of a WiFi network has 1 to 32 bytes".to_owned(),
            );
        }
        let access_point = match self.access_point {
            None => None,
            Some(raw) => {
                let span = raw.span();
                Some(raw.into_inner().check(&span)?)
            }
        };
        let commands = self.commands.unwrap_or_default();
        Ok(BoardConfig {
            name: name.to_owned(),
            port: self.port.map(Spanned::into_inner),
            mac,
            probe: self.probe,
            chip,
            baud: baud(self.baud, 115_200)?,
            flash_baud: baud(self.flash_baud, 460_800)?,
            before: self.before,
            after: self.after,
            stub: self.stub.unwrap_or(true),
            console: self.console,
            reconnect: self.reconnect.map_or(Duration::from_secs(10), |t| t.0),
            host: self.host,
            listen: self.listen,
            cloud_port: self.cloud_port,
            ntp_port: self.ntp_port,
            dns_port: self.dns_port.unwrap_or(53),
            ssid: self.ssid.map(Spanned::into_inner),
            password,
            dns: self.dns,
            fixtures: self.fixtures,
            tolerance: self.tolerance.map_or(Duration::from_secs(2), |t| t.0),
            commands: Commands {
                reset: commands.reset,
                download: commands.download,
                power_off: commands.power_off,
                power_on: commands.power_on,
                timeout: commands.timeout.map_or(DEFAULT_TIMEOUT, |t| t.0),
            },
            access_point,
        })
    }
}

impl BoardConfig {
    /// A board on `port` without a declaration.
    pub fn undeclared(port: &str) -> BoardConfig {
        let raw = RawBoard::on(port);
        match raw.check(port, 0..0) {
            Ok(config) => config,
            Err(_) => unreachable!("the defaults are valid"),
        }
    }
}

fn baud(given: Option<Spanned<u32>>, default: u32) -> Result<u32, Fault> {
    match given {
        None => Ok(default),
        Some(baud) if (300..=5_000_000).contains(baud.get_ref()) => Ok(baud.into_inner()),
        Some(baud) => Err(Fault::At(
            baud.span(),
            format!(
                "{} is no usable baud rate: expected 300 to 5000000",
                baud.get_ref()
            ),
        )),
    }
}

impl RawAccessPoint {
    fn check(self, span: &Range<usize>) -> Result<AccessPointControl, Fault> {
        let any = self.off.is_some() || self.on.is_some() || self.deauthenticate.is_some();
        let fault = |message: &str| Err(Fault::At(span.clone(), message.to_owned()));
        match self.hostapd {
            Some(_) if any => {
                fault("the access point has `hostapd` or commands (`off`, `on`, `deauthenticate`), not both")
            }
            Some(path) => Ok(AccessPointControl::Hostapd(path)),
            None if !any => fault(
                "the access point needs `hostapd = \"/var/run/hostapd/wlan0\"`, or commands: `off`, `on`, `deauthenticate`",
            ),
            None if self.off.is_some() != self.on.is_some() => {
                fault("an access point that can be switched needs both `off` and `on`")
            }
            None => Ok(AccessPointControl::Commands {
                off: self.off,
                on: self.on,
                deauthenticate: self.deauthenticate,
                timeout: self.timeout.map_or(DEFAULT_TIMEOUT, |t| t.0),
            }),
        }
    }
}
