//! Names of things that other crates define, and suggestions for names that are wrong.

use vocabulary::{Endpoint, FaultState, Phase, ResetCause};

use crate::read::{Choice, Cx, Read, Special, Type, Variant};
use crate::scalar::text;
use crate::tree::Node;

const PHASES: [(&str, Phase); 4] = [
    ("first-byte", Phase::FirstByte),
    ("before-effect", Phase::BeforeEffect),
    ("after-effect", Phase::AfterEffect),
    ("after-reply", Phase::AfterReply),
];

const FAULT_STATES: [(&str, FaultState); 2] = [("fired", FaultState::Fired), ("ended", FaultState::Ended)];

/// Reset causes of the chip.
const RESET_CAUSES: [(&str, ResetCause); 15] = [
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

/// The name of a phase in scenario files.
pub(crate) const fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::FirstByte => "first-byte",
        Phase::BeforeEffect => "before-effect",
        Phase::AfterEffect => "after-effect",
        Phase::AfterReply => "after-reply",
    }
}

impl Read for Endpoint {
    const TYPE: Type = Type::Special(Special::Endpoint);

    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<Endpoint> {
        let name = text(node, "the name of an endpoint", cx)?;
        let known: Vec<(&str, &'static str)> = cx.format.endpoints().into_iter().map(|e| (e, e)).collect();
        find(&name.text, "endpoint", &known)
            .map_err(|why| cx.problem(node.span, why, "this name", ""))
            .map(Endpoint::named)
            .ok()
    }
}

/// Reads a type of another crate by its names.
macro_rules! named {
    ($type:ident, $schema:literal, $about:literal, $what:literal, $table:ident) => {
        impl Read for $type {
            const TYPE: Type = Type::Choice(|| {
                const CHOICE: Choice = Choice {
                    name: $schema,
                    about: $about,
                    variants: &bare_variants($table),
                    short: None,
                    also: false,
                };
                &CHOICE
            });

            fn read(node: &Node, cx: &mut Cx<'_>) -> Option<$type> {
                let name = text(node, concat!("the name of a ", $what), cx)?;
                find(&name.text, $what, &$table)
                    .map_err(|why| cx.problem(node.span, why, "this name", ""))
                    .ok()
            }
        }
    };
}

/// Names without values, for the schema.
const fn bare_variants<T: Copy, const N: usize>(table: [(&'static str, T); N]) -> [Variant; N] {
    let mut variants = [const {
        Variant {
            name: "",
            about: "",
            examples: &[],
            value: None,
            bare: false,
        }
    }; N];
    let mut i = 0;
    while i < N {
        variants[i].name = table[i].0;
        i += 1;
    }
    variants
}

named!(
    Phase,
    "PhaseName",
    "A part of a request's life.",
    "phase of a request",
    PHASES
);
named!(
    FaultState,
    "FaultStateName",
    "What becomes of a fault.",
    "state of a fault",
    FAULT_STATES
);
named!(
    ResetCause,
    "ResetCauseName",
    "Why the device started.",
    "reset cause",
    RESET_CAUSES
);

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
pub fn closest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
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
