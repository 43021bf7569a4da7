//! From text to scenarios.

use crate::diagnostics::{Collector, Diagnostics, Source};
use crate::format::Format;
use crate::located::Span;
use crate::matrix::{Case, Matrix, is_name, substitute};
use crate::model::{File, Purpose, Scenario};
use crate::read::{Cx, Read as _};
use crate::tree::{self, Mistake, Node};
use crate::validate;

/// Longest file, bytes.
pub(crate) const MAX_FILE: usize = 1 << 20;

pub(crate) fn one(format: Format, path: &str, text: &str) -> Result<Scenario, Diagnostics> {
    let mut scenarios = all(format, path, text, Purpose::Judged)?;
    if let [_, _, ..] = scenarios.as_slice() {
        let source = Source::new(path, text);
        let mut problems = Collector::new(&source);
        let message = format!(
            "one scenario is wanted here; this file has {} cases",
            scenarios.len()
        );
        problems.add(Span::default(), message, "this file", "name the case");
        return Err(problems.failed());
    }
    Ok(scenarios.swap_remove(0))
}

pub(crate) fn all(
    format: Format,
    path: &str,
    text: &str,
    purpose: Purpose,
) -> Result<Vec<Scenario>, Diagnostics> {
    if text.len() > MAX_FILE {
        let source = Source::new(path, "");
        let mut problems = Collector::new(&source);
        let message = format!(
            "the file has {} bytes; a scenario has at most {MAX_FILE}",
            text.len()
        );
        problems.add(Span::default(), message, "", "");
        return Err(problems.failed());
    }
    let source = Source::new(path, text);
    let mut cx = context(format, &source);
    // The matrix is read before its values are put into the rest.
    let (root, mistakes) = tree::read(&without_parameters(text));
    let written = root.as_ref().and_then(|root| root.get("matrix"));
    let matrix = match written.map(|node| Matrix::read(node, &mut cx)) {
        None => Some(Matrix::default()),
        Some(read) => read,
    };
    if let Some(matrix) = &matrix {
        matrix.check(&mut cx.problems);
    }
    let Some(matrix) = matrix.filter(|_| root.is_some()) else {
        form(&mut cx, mistakes);
        return Err(cx.problems.failed());
    };
    cx.problems.finish()?;
    let mut cases = Vec::new();
    for case in matrix.cases() {
        let mut scenario = read_case(format, path, text, case, purpose)?;
        // What is said of the file is said once.
        if !cases.is_empty() {
            scenario.warnings.clear();
        }
        cases.push(scenario);
    }
    Ok(cases)
}

fn read_case(
    format: Format,
    path: &str,
    text: &str,
    case: Case,
    purpose: Purpose,
) -> Result<Scenario, Diagnostics> {
    let mut source = Source::new(path, text);
    let substituted = if case.is_empty() {
        text.to_owned()
    } else {
        match substitute(text, &case, &mut source) {
            Ok(text) => text,
            Err((span, message)) => {
                source.shifts.clear();
                let mut problems = Collector::new(&source);
                problems.add(span, message, "this parameter", "add it to `matrix`");
                return Err(problems.failed());
            }
        }
    };
    let (root, mistakes) = tree::read(&substituted);
    let mut cx = context(format, &source);
    form(&mut cx, mistakes);
    let Some(root) = root else {
        return Err(cx.problems.failed());
    };
    cx.fault_names = fault_names(&root);
    match File::read(&root, &mut cx) {
        Some(file) => validate::scenario(file, &root, purpose, case, &source, cx),
        None => Err(cx.problems.failed()),
    }
}

fn context(format: Format, source: &Source) -> Cx<'_> {
    Cx {
        format,
        problems: Collector::new(source),
        duration: None,
        fault_names: Vec::new(),
        bench: None,
        pins: Vec::new(),
    }
}

fn form(cx: &mut Cx<'_>, mistakes: Vec<Mistake>) {
    for mistake in mistakes {
        cx.problem(mistake.span, mistake.message, "here", mistake.help);
    }
}

/// The names of the faults, of those that are wrong too: other parts of the file may speak of them.
fn fault_names(root: &Node) -> Vec<String> {
    let faults = root.get("faults").map(Node::items).unwrap_or_default();
    let names = faults.iter().filter_map(|fault| fault.get("name")?.text());
    names.map(|name| name.text.clone()).collect()
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
