//! What a scenario says about its serial log once it has run: what a snapshot tolerates, and what is replaced.
//! Plain data: reports and snapshots give it its meaning.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::located::{Located, Span};
use crate::validate::Context;
use crate::validate_expect::{Engine, regex};

/// How the serial log is compared with its snapshot (`oceanrig run --snapshots`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct SnapshotSettings {
    /// Lines that need not stand where the snapshot has them: for devices in wall time, whose tasks come in another
    /// order each time. Nothing is tolerated that is not declared; a line belongs to the first entry that it matches.
    #[schemars(example = serde_json::json!([{"lines": r"^\[WIFI\]", "may": "interleave"}]))]
    pub tolerate: Vec<Located<Tolerate>>,
}

/// Lines that need not stand where the snapshot has them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Tolerate {
    /// Which: a regular expression (crate `regex`) that matches somewhere in the line, secrets and times replaced.
    #[schemars(example = &r"^\[WIFI\]")]
    pub lines: Located<String>,
    /// What they may do.
    #[schemars(example = &"interleave")]
    pub may: MayDo,
}

/// What lines of the log may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MayDo {
    /// Stand anywhere among the other lines; their own order and number stay.
    Interleave,
    /// Come more than once, next to each other; once they must come.
    Repeat,
    /// Both: come more than once, with other lines in between.
    InterleaveAndRepeat,
    /// Come or not: what one backend prints and another does not, such as the greeting of the boot ROM.
    BeAbsent,
}

/// A value that is replaced by a named placeholder: `[name-1]`, and the same value by the same placeholder
/// everywhere. These come before the rules of `oceanrig.toml` and the built-in ones.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Redact {
    /// The placeholder's name: lower-case letters, digits and `-`.
    #[schemars(example = &"build")]
    pub name: Located<String>,
    /// A regular expression (crate `regex`); a group named `value` narrows the match.
    #[schemars(example = &r"build (?P<value>\w+)")]
    pub pattern: Located<String>,
    /// True: the value is a secret and leaves every file and all that is printed. False: it only differs from run to
    /// run, and leaves the snapshots.
    #[serde(default)]
    #[schemars(example = true)]
    pub secret: bool,
    /// False: the placeholder is `[name]`, whatever the value.
    #[serde(default = "yes")]
    #[schemars(example = false)]
    pub numbered: bool,
}

const fn yes() -> bool {
    true
}

/// Checks what a file says about its log.
pub(crate) fn check(snapshot: &SnapshotSettings, redact: &[Located<Redact>], context: &mut Context<'_, '_>) {
    for rule in &snapshot.tolerate {
        regex(&rule.lines, rule.span, Engine::Lines, context);
    }
    for rule in redact {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if rule.name.is_empty() || !rule.name.chars().all(fits) {
            let message = format!("`{}` cannot name a placeholder", rule.name.value);
            let help = "use lower-case letters, digits and `-`";
            context.problem(rule.name.span, message, "this name", help);
        }
        regex(&rule.pattern, rule.span, Engine::Lines, context);
        if let Some(group) = other_group(&rule.pattern) {
            let message = format!("the group `{group}` means nothing here");
            let help = "call it `value`: `(?P<value>…)` is what is replaced";
            context.problem(within(&rule.pattern, group), message, "this group", help);
        }
    }
}

/// The name of a group that is not `value`, when no group is: a slip of the pen that would replace the whole match.
fn other_group(pattern: &str) -> Option<&str> {
    let mut names = pattern
        .match_indices("(?P<")
        .filter_map(|(at, open)| pattern[at + open.len()..].split_once('>').map(|(name, _)| name));
    let first = names.next()?;
    (first != "value" && !names.any(|name| name == "value")).then_some(first)
}

/// Where `part` stands, if the expression stands in the file as it is.
fn within(expression: &Located<String>, part: &str) -> Span {
    let span = expression.span;
    match expression.find(part) {
        Some(at) if span.len == expression.len() + 2 => Span {
            offset: span.offset + 1 + at,
            len: part.len(),
            ..span
        },
        _ => span,
    }
}
