//! From text to scenarios.

use serde::Deserialize;
use serde_saphyr::{DuplicateKeyPolicy, Error, MergeKeyPolicy, Options};

use crate::diagnostics::{Collector, Diagnostics, Source};
use crate::located::Span;
use crate::matrix::{Case, Matrix, is_name, substitute};
use crate::model::{File, Purpose, Scenario};
use crate::{names, validate};

/// Longest file, bytes.
const MAX_FILE: usize = 1 << 20;

/// The part of a file that is read before parameters are put into the rest.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    matrix: Matrix,
}

pub(crate) fn one(path: &str, text: &str) -> Result<Scenario, Diagnostics> {
    let mut scenarios = all(path, text, Purpose::Judged)?;
    let source = Source::new(path, text);
    let mut problems = Collector::new(&source);
    if scenarios.len() > 1 {
        let message = format!(
            "one scenario is wanted here; this file has {} cases",
            scenarios.len()
        );
        problems.add(Span::default(), message, "this file", "name the case");
    }
    problems.finish(scenarios.swap_remove(0))
}

pub(crate) fn all(path: &str, text: &str, purpose: Purpose) -> Result<Vec<Scenario>, Diagnostics> {
    let source = Source::new(path, text);
    let mut problems = Collector::new(&source);
    if text.len() > MAX_FILE {
        let message = format!(
            "the file has {} bytes; a scenario has at most {MAX_FILE}",
            text.len()
        );
        problems.add(Span::default(), message, "", "");
        return Err(problems.failed());
    }
    let matrix = match serde_saphyr::from_str_with_options::<Head>(&without_parameters(text), options()) {
        Ok(head) => head.matrix,
        Err(error) => {
            add_error(&mut problems, text, &error);
            return Err(problems.failed());
        }
    };
    matrix.check(&mut problems);
    problems.finish(())?;
    matrix
        .cases()
        .iter()
        .map(|case| read_case(path, text, case, purpose))
        .collect()
}

fn read_case(path: &str, text: &str, case: &Case, purpose: Purpose) -> Result<Scenario, Diagnostics> {
    let mut source = Source::new(path, text);
    let substituted = if case.is_empty() {
        text.to_owned()
    } else {
        match substitute(text, case, &mut source) {
            Ok(text) => text,
            Err((span, message)) => {
                source.shifts.clear();
                let mut problems = Collector::new(&source);
                problems.add(span, message, "this parameter", "add it to `matrix`");
                return Err(problems.failed());
            }
        }
    };
    let file = match serde_saphyr::from_str_with_options::<File>(&substituted, options()) {
        Ok(file) => file,
        Err(error) => {
            let mut problems = Collector::new(&source);
            add_error(&mut problems, &substituted, &error);
            return Err(problems.failed());
        }
    };
    validate::scenario(file, case.clone(), source, purpose)
}

/// Duplicate keys are errors, merge keys too (the schema would not know them), and a bomb of aliases goes off
/// in the budget.
fn options() -> Options {
    serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_events: 100_000,
            max_nodes: 50_000,
            max_depth: 32,
            max_documents: 1,
            max_total_scalar_bytes: MAX_FILE,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 10_000,
            max_replay_stack_depth: 8,
            max_alias_expansions_per_anchor: 1_000,
        },
    }
}

/// Turns an error of the YAML reader into a problem with our words.
fn add_error(problems: &mut Collector<'_>, text: &str, error: &Error) {
    let error = error.without_snippet();
    let span = error.location().map(|l| place(text, l)).unwrap_or_default();
    let written = text.get(span.offset..span.offset + span.len).unwrap_or("").trim();
    match error {
        Error::AliasError { error, .. } => add_error(problems, text, error),
        Error::SerdeUnknownField { field, expected, .. } => {
            problems.add(
                span,
                format!("unknown key `{field}`"),
                "not known here",
                meant(field, expected),
            );
        }
        Error::SerdeUnknownVariant {
            variant, expected, ..
        } => {
            problems.add(
                span,
                format!("`{variant}` is not known here"),
                "not known here",
                meant(variant, expected),
            );
        }
        Error::SerdeMissingField { field, .. } => {
            problems.add(
                span,
                format!("the key `{field}` is missing"),
                "in this mapping",
                format!("add `{field}:`"),
            );
        }
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or(written);
            problems.add(
                span,
                format!("the key `{key}` is there twice"),
                "again here",
                "remove one of them",
            );
        }
        Error::SerdeInvalidType {
            unexpected, expected, ..
        }
        | Error::SerdeInvalidValue {
            unexpected, expected, ..
        } => {
            problems.add(
                span,
                format!("expected {expected}, found {unexpected}"),
                "here",
                "",
            );
        }
        Error::InvalidScalar { ty, .. } => {
            problems.add(
                span,
                format!("`{written}` is not {}", scalar_type(ty)),
                "this value",
                "",
            );
        }
        Error::Message { msg, .. } | Error::HookError { msg, .. } => {
            problems.add(span, msg.clone(), "here", "");
        }
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. } => {
            problems.add(
                span,
                format!("the file is too large or too deep for a scenario: {error}"),
                "here",
                "",
            );
        }
        other => {
            let message = other.to_string();
            // The reader repeats the place at the end of its message.
            let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
            problems.add(span, message, "here", "");
        }
    }
}

/// A place of the YAML reader; mistakes of the syntax come without byte offsets.
fn place(text: &str, location: serde_saphyr::Location) -> Span {
    let span = Span::from(location);
    if location.span().byte_offset().is_some() || !span.is_known() {
        return span;
    }
    let lines_before = usize::try_from(span.line - 1).unwrap_or(0);
    let start: usize = text.split_inclusive('\n').take(lines_before).map(str::len).sum();
    let columns_before = usize::try_from(span.column.saturating_sub(1)).unwrap_or(0);
    let line = text
        .get(start..)
        .and_then(|rest| rest.lines().next())
        .unwrap_or("");
    let inside = line
        .char_indices()
        .nth(columns_before)
        .map_or(line.len(), |(n, _)| n);
    Span {
        offset: start + inside,
        ..span
    }
}

fn scalar_type(ty: &str) -> String {
    match ty {
        "bool" | "boolean" => "`true` or `false`".to_owned(),
        "u8" => "a whole number from 0 to 255".to_owned(),
        "u16" => "a whole number from 0 to 65535".to_owned(),
        "u32" | "u64" => "a whole number from 0".to_owned(),
        "i8" => "a whole number from -128 to 127".to_owned(),
        "i32" | "i64" => "a whole number".to_owned(),
        other => format!("a value of type {other}"),
    }
}

fn meant(name: &str, expected: &[&'static str]) -> String {
    let list = names::list(expected);
    match names::closest(name, expected.iter().copied()) {
        Some(closest) => format!("did you mean `{closest}`? Known here: {list}"),
        None => format!("known here: {list}"),
    }
}

/// The text with every `${name}` replaced by as many letters: within `{…}` the braces would not be YAML.
fn without_parameters(text: &str) -> String {
    let mut out = text.to_owned();
    let mut from = 0;
    while let Some(start) = out[from..].find("${").map(|n| from + n) {
        let Some(len) = out[start..].find('}').map(|n| n + 1) else {
            break;
        };
        if is_name(&out[start + 2..start + len - 1]) {
            out.replace_range(start..start + len, &"x".repeat(len));
        }
        from = start + 2;
    }
    out
}
