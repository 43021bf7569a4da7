//! A match over a closed set names every member: a member that is added later must not fall into `_ =>`.

use crate::source::{self, File, closing};

/// The sets to which people add members.
const CLOSED: &[&str] = &[
    "Action",
    "RadioAction",
    "NetworkAction",
    "RequestAction",
    "DeviceAction",
    "Kind",
    "Phase",
    "Directive",
    "Trigger",
    "ExpectationKind",
    "StepKind",
    "Observation",
    "Verdict",
    "Trouble",
    "FaultState",
    "Effect",
    "TlsFault",
];

/// The places in `file` where a match has both an arm that names a member of a closed set and an arm for the rest.
fn catch_alls(file: &File) -> Vec<String> {
    let code = &file.code;
    let sets: Vec<(&str, Vec<String>)> = CLOSED.iter().map(|set| (*set, names_of(code, set))).collect();
    let mut out = Vec::new();
    for (at, _) in code.match_indices("match ") {
        let word_before = code[..at]
            .chars()
            .next_back()
            .is_some_and(|c| c.is_alphanumeric() || c == '_');
        let Some(open) = opening(code, at + 6).filter(|_| !word_before) else {
            continue;
        };
        let arms = patterns(code, open + 1, closing(code, open) - 1);
        let names_one = |names: &[String]| {
            arms.iter()
                .any(|(_, arm)| names.iter().any(|n| has_member(arm, n)))
        };
        let set = sets.iter().find(|(_, names)| names_one(names));
        let rest = arms.iter().find(|(_, pattern)| pattern.trim() == "_");
        if let (Some((set, _)), Some((offset, _))) = (set, rest) {
            out.push(format!(
                "{}:{}: `_ =>` over `{set}`",
                file.path,
                file.line(*offset)
            ));
        }
    }
    out
}

/// The brace that opens the arms of a match whose scrutinee starts at `from`.
fn opening(code: &str, from: usize) -> Option<usize> {
    let mut depth = 0;
    for (n, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth == 0 => return Some(n),
            b'{' => depth += 1,
            b'}' => depth -= 1,
            b';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// The patterns of the arms between two offsets, each with its offset.
fn patterns(code: &str, from: usize, to: usize) -> Vec<(usize, String)> {
    let bytes = code.as_bytes();
    let mut out = Vec::new();
    let mut at = from;
    while at < to {
        let start = at;
        while at < to && !code[at..].starts_with("=>") {
            at = if matches!(bytes[at], b'{' | b'(' | b'[') {
                closing(code, at)
            } else {
                at + 1
            };
        }
        if at >= to {
            break;
        }
        let text = &code[start..at];
        let offset = start + text.len() - text.trim_start().len();
        out.push((offset, text.to_owned()));
        at += 2;
        while at < to && bytes[at].is_ascii_whitespace() {
            at += 1;
        }
        if bytes.get(at) == Some(&b'{') {
            at = closing(code, at);
            if bytes.get(at) == Some(&b',') {
                at += 1;
            }
            continue;
        }
        while at < to && bytes[at] != b',' {
            at = if matches!(bytes[at], b'{' | b'(' | b'[') {
                closing(code, at)
            } else {
                at + 1
            };
        }
        at += 1;
    }
    out
}

/// The names of a set in a file: its own, and those that `use … as …` gives it.
fn names_of(code: &str, set: &str) -> Vec<String> {
    let alias = format!("{set} as ");
    let whole = |n: &usize| {
        !code[..*n]
            .chars()
            .next_back()
            .is_some_and(|c| c.is_alphanumeric() || c == '_')
    };
    let found = code.match_indices(&alias).map(|(n, _)| n).filter(whole);
    let aliases = found.map(|n| {
        let rest = &code[n + alias.len()..];
        rest.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    });
    std::iter::once(set.to_owned()).chain(aliases).collect()
}

fn has_member(pattern: &str, set: &str) -> bool {
    let member = format!("{set}::");
    pattern.match_indices(&member).any(|(n, _)| {
        let before = pattern[..n].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

#[test]
fn no_match_over_a_closed_set_has_an_arm_for_the_rest() {
    let folders = source::crates();
    let found: Vec<String> = folders
        .iter()
        .flat_map(|folder| source::files(folder))
        .flat_map(|file| catch_alls(&file))
        .collect();
    assert!(found.is_empty(), "{} arms:\n{}", found.len(), found.join("\n"));
}

#[test]
fn an_arm_for_the_rest_is_found() {
    let file = |code: &str| File {
        path: "a.rs".to_owned(),
        code: code.to_owned(),
    };
    let bad = "fn f(k: Kind) {\n match k {\n  Kind::Pin { gpio } => { g(gpio) }\n  Kind::Power => 1,\n  _ => 2,\n }\n}";
    assert_eq!(catch_alls(&file(bad)), ["a.rs:5: `_ =>` over `Kind`"]);
    let renamed = "use v::Kind as K;\nfn f(k: K) { match k { K::Pin => 1, _ => 2 } }";
    assert_eq!(catch_alls(&file(renamed)), ["a.rs:2: `_ =>` over `Kind`"]);
    let foreign = "match k { ErrorKind::NotFound => 1, _ => 2 }";
    let inner = "match k { Kind::Pin => match n { 1 => 2, _ => 3 }, Kind::Power => 1 }";
    let value = "match n { 1 => Kind::Pin, _ => Kind::Power }";
    for good in [foreign, inner, value] {
        assert!(catch_alls(&file(good)).is_empty(), "{good}");
    }
}
