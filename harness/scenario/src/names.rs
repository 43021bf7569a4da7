//! Names of things that other crates define, and suggestions for names that are wrong.

use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use vocabulary::{DeviceStatus, Endpoint, FaultState, Phase, ResetCause};

/// Statuses of the dashboard.
pub(crate) const STATUSES: [(&str, DeviceStatus); 3] = [
    ("online", DeviceStatus::Online),
    ("away", DeviceStatus::Away),
    ("offline", DeviceStatus::Offline),
];

const PHASES: [(&str, Phase); 4] = [
    ("first-byte", Phase::FirstByte),
    ("before-effect", Phase::BeforeEffect),
    ("after-effect", Phase::AfterEffect),
    ("after-reply", Phase::AfterReply),
];

/// The name of a phase in scenario files.
pub(crate) const fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::FirstByte => "first-byte",
        Phase::BeforeEffect => "before-effect",
        Phase::AfterEffect => "after-effect",
        Phase::AfterReply => "after-reply",
    }
}

const ENDPOINTS: [&str; 6] = [
    "register",
    "renew-session",
    "update",
    "commands",
    "state",
    "other",
];

const FAULT_STATES: [(&str, FaultState); 2] = [("fired", FaultState::Fired), ("ended", FaultState::Ended)];

/// Reset causes of the chip.
pub(crate) const RESET_CAUSES: [(&str, ResetCause); 15] = [
    ("power-on", ResetCause::PowerOn),
    ("software", ResetCause::Software),
    ("deep-sleep", ResetCause::DeepSleep),
    ("main-watchdog0", ResetCause::MainWatchdog0),
    ("main-watchdog1", ResetCause::MainWatchdog1),
    ("rtc-watchdog", ResetCause::RtcWatchdog),
    ("cpu-main-watchdog0", ResetCause::CpuMainWatchdog0),
    ("cpu-software", ResetCause::CpuSoftware),
    ("cpu-rtc-watchdog", ResetCause::CpuRtcWatchdog),
    ("brown-out", ResetCause::BrownOut),
    ("rtc-watchdog-full", ResetCause::RtcWatchdogFull),
    ("cpu-main-watchdog1", ResetCause::CpuMainWatchdog1),
    ("super-watchdog", ResetCause::SuperWatchdog),
    ("usb", ResetCause::Usb),
    ("pin", ResetCause::Pin),
];

/// Declares what the schema knows of a name: nothing but its spelling.
macro_rules! name_schema {
    ($(#[$doc:meta])* $type:ident: $($variant:ident),*) => {
        $(#[$doc])*
        #[derive(JsonSchema)]
        #[schemars(rename_all = "kebab-case")]
        #[expect(dead_code, reason = "only the schema is used")]
        pub(crate) enum $type { $($variant),* }
    };
}

name_schema! {
    /// An endpoint of the contract.
    EndpointName: Register, RenewSession, Update, Commands, State, Other
}
name_schema! {
    /// A part of a request's life.
    PhaseName: FirstByte, BeforeEffect, AfterEffect, AfterReply
}
name_schema! {
    /// What the dashboard shows.
    StatusName: Online, Away, Offline
}
name_schema! {
    /// What becomes of a fault.
    FaultStateName: Fired, Ended
}
name_schema! {
    /// Why the device started.
    ResetCauseName: PowerOn, Software, DeepSleep, MainWatchdog0, MainWatchdog1, RtcWatchdog, CpuMainWatchdog0,
    CpuSoftware, CpuRtcWatchdog, BrownOut, RtcWatchdogFull, CpuMainWatchdog1, SuperWatchdog, Usb, Pin
}

/// The value called `name` in `table`, or what is wrong and what was meant.
pub(crate) fn find<T: Copy>(name: &str, what: &str, table: &[(&str, T)]) -> Result<T, String> {
    if let Some((_, value)) = table.iter().find(|(n, _)| *n == name) {
        return Ok(*value);
    }
    let names: Vec<&str> = table.iter().map(|(n, _)| *n).collect();
    let meant = closest(name, names.iter().copied())
        .map(|n| format!("; did you mean `{n}`?"))
        .unwrap_or_default();
    Err(format!("`{name}` is no {what}{meant} (one of {})", list(&names)))
}

/// `` `a`, `b` or `c` ``.
pub(crate) fn list(names: &[&str]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [one] => format!("`{one}`"),
        [many @ .., last] => {
            let head: Vec<String> = many.iter().map(|n| format!("`{n}`")).collect();
            format!("{} or `{last}`", head.join(", "))
        }
    }
}

/// The candidate that `name` is most likely a slip of.
pub(crate) fn closest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = 1 + name.chars().count() / 3;
    candidates
        .map(|c| (distance(&name.to_lowercase().replace('_', "-"), c), c))
        .filter(|(d, c)| *d <= limit || (name.len() >= 4 && (c.starts_with(name) || name.starts_with(c))))
        .min()
        .map(|(_, c)| c)
}

/// Levenshtein's distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let cost = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

fn named<'de, D, T>(deserializer: D, what: &str, table: &[(&str, T)]) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Copy,
{
    let name = String::deserialize(deserializer)?;
    find(&name, what, table).map_err(D::Error::custom)
}

pub(crate) fn endpoint<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Endpoint>, D::Error> {
    named(deserializer, "endpoint", &ENDPOINTS.map(|e| (e, e)))
        .map(Endpoint::named)
        .map(Some)
}

pub(crate) fn phase<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Phase>, D::Error> {
    named(deserializer, "phase of a request", &PHASES).map(Some)
}

pub(crate) fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DeviceStatus, D::Error> {
    named(deserializer, "status", &STATUSES)
}

pub(crate) fn some_status<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<DeviceStatus>, D::Error> {
    status(deserializer).map(Some)
}

pub(crate) fn fault_state<'de, D: Deserializer<'de>>(deserializer: D) -> Result<FaultState, D::Error> {
    named(deserializer, "state of a fault", &FAULT_STATES)
}

pub(crate) fn reset_cause<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<ResetCause>, D::Error> {
    a_reset_cause(deserializer).map(Some)
}

pub(crate) fn a_reset_cause<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ResetCause, D::Error> {
    named(deserializer, "reset cause", &RESET_CAUSES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name() {
        let names = ["renew-session", "register", "update"];
        assert_eq!(closest("renew_session", names.into_iter()), Some("renew-session"));
        assert_eq!(closest("updat", names.into_iter()), Some("update"));
        assert_eq!(closest("renew", names.into_iter()), Some("renew-session"));
        assert_eq!(closest("banana", names.into_iter()), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn a_wrong_name_says_what_is_right() {
        let table = [("online", 1), ("away", 2)];
        assert_eq!(find("away", "status", &table), Ok(2));
        assert_eq!(
            find("onlin", "status", &table),
            Err("`onlin` is no status; did you mean `online`? (one of `online` or `away`)".to_owned())
        );
    }
}
