//! What a scenario says about its serial log once it has run: what a snapshot tolerates, and what is replaced.
//! Plain data: reports and snapshots give it its meaning.

use crate::located::{Located, Span};
use crate::read::{Cx, choice, mapping};
use crate::regex::check_for_lines;

mapping! {
    /// How the serial log is compared with its snapshot (`oceanrig run --snapshots`).
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct SnapshotSettings = "SnapshotSettings" {
        /// Lines that need not stand where the snapshot has them: for devices in wall time, whose tasks come in another
        /// order each time. Nothing is tolerated that is not declared; a line belongs to the first entry that it matches.
        pub tolerate: Vec<Located<Tolerate>> = "tolerate" eg[r"[{lines: '^\[WIFI\]', may: interleave}]"] or["[]"];
    }
    lenient yes;
}

mapping! {
    /// Lines that need not stand where the snapshot has them.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Tolerate = "Tolerate" {
        /// Which: a regular expression (crate `regex`) that matches somewhere in the line, secrets and times replaced.
        pub lines: Located<String> = "lines" eg[r"'^\[WIFI\]'"];
        /// What they may do.
        pub may: MayDo = "may" eg["interleave"];
    }
    check tolerate;
}

choice! {
    /// What lines of the log may do.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum MayDo = "MayDo" {
        /// Stand anywhere among the other lines; their own order and number stay.
        "interleave" => Interleave;
        /// Come more than once, next to each other; once they must come.
        "repeat" => Repeat;
        /// Both: come more than once, with other lines in between.
        "interleave-and-repeat" => InterleaveAndRepeat;
        /// Come or not: what one backend prints and another does not, such as the greeting of the boot ROM.
        "be-absent" => BeAbsent;
    }
}

mapping! {
    /// A value that is replaced by a named placeholder: `[name-1]`, and the same value by the same placeholder
    /// everywhere. These come before the rules of `oceanrig.toml` and the built-in ones.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Redact = "Redact" {
        /// The placeholder's name: lower-case letters, digits and `-`.
        pub name: Located<String> = "name" eg["build"];
        /// A regular expression (crate `regex`); a group named `value` narrows the match.
        pub pattern: Located<String> = "pattern" eg[r"'build (?P<value>\w+)'"];
        /// True: the value is a secret and leaves every file and all that is printed. False: it only differs from run to
        /// run, and leaves the snapshots.
        pub secret: bool = "secret" eg["true"] or["false"];
        /// False: the placeholder is `[name]`, whatever the value.
        pub numbered: bool = "numbered" eg["false"] or["true"];
    }
    check redact;
}

fn tolerate(rule: &Tolerate, span: Span, cx: &mut Cx<'_>) {
    check_for_lines(&rule.lines, span, cx);
}

fn redact(rule: &Redact, span: Span, cx: &mut Cx<'_>) {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if rule.name.is_empty() || !rule.name.chars().all(fits) {
        let message = format!("`{}` cannot name a placeholder", rule.name.value);
        let help = "use lower-case letters, digits and `-`";
        cx.problem(rule.name.span, message, "this name", help);
    }
    check_for_lines(&rule.pattern, span, cx);
    if let Some(group) = other_group(&rule.pattern) {
        let message = format!("the group `{group}` means nothing here");
        let help = "call it `value`: `(?P<value>…)` is what is replaced";
        cx.problem(within(&rule.pattern, group), message, "this group", help);
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
