//! Parameters: one file, several cases.

use crate::diagnostics::{Collector, Shift, Source};
use crate::located::{Located, Span};
use crate::names;
use crate::read::{Cx, Read, Special, Type};
use crate::tree::{Node, NodeKind};

/// Most cases that one file may have.
const MAX_CASES: usize = 256;

/// Parameters and their values, in the order of the file. Each combination is a case of its own; `${name}`
/// anywhere in the file stands for the value of the case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Matrix(pub(crate) Vec<(Located<String>, Vec<Located<String>>)>);

impl Read for Matrix {
    const TYPE: Type = Type::Special(Special::Matrix);

    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<Matrix> {
        let NodeKind::Map(entries) = &node.kind else {
            let message = format!(
                "expected a mapping of parameters to lists of values, found {}",
                node.describe()
            );
            cx.problem(node.span, message, "here", "write it like `skew: [-301s, 301s]`");
            return None;
        };
        let mut parameters = Vec::new();
        for (name, values) in entries {
            let name = Located {
                value: name.text.clone(),
                span: name.span,
            };
            parameters.push((name, Vec::read(values, cx)?));
        }
        Some(Matrix(parameters))
    }
}

/// One case of a file: the values of its parameters.
pub(crate) type Case = Vec<(String, String)>;

impl Matrix {
    pub(crate) fn check(&self, problems: &mut Collector<'_>) {
        let mut cases = 1usize;
        for (i, (name, values)) in self.0.iter().enumerate() {
            if !is_name(name) {
                let message = format!("`{}` is no name of a parameter", name.value);
                problems.add(
                    name.span,
                    message,
                    "this name",
                    "use lower-case letters, digits and `-`",
                );
            }
            if self.0[..i].iter().any(|(other, _)| other.value == name.value) {
                problems.add(
                    name.span,
                    format!("parameter `{}` is there twice", name.value),
                    "again here",
                    "",
                );
            }
            if values.is_empty() {
                let message = format!("parameter `{}` has no values", name.value);
                problems.add(
                    name.span,
                    message,
                    "this parameter",
                    "give it a list such as `[-301s, 301s]`",
                );
            }
            for (j, value) in values.iter().enumerate() {
                if value.contains(['\n', '\r', '[', ']']) {
                    let message = "a value of a parameter holds no line break and no bracket";
                    problems.add(value.span, message, "this value", "");
                }
                if values[..j].iter().any(|other| other.value == value.value) {
                    problems.add(
                        value.span,
                        format!("value `{}` is there twice", value.value),
                        "again here",
                        "",
                    );
                }
            }
            cases = cases.saturating_mul(values.len());
        }
        if cases > MAX_CASES {
            let span = self.0.first().map(|(name, _)| name.span).unwrap_or_default();
            problems.add(
                span,
                format!("{cases} cases are more than {MAX_CASES}"),
                "this matrix",
                "split the file",
            );
        }
    }

    /// All cases, the last parameter changing fastest. Without parameters there is one.
    pub(crate) fn cases(&self) -> Vec<Case> {
        let mut cases: Vec<Case> = vec![Vec::new()];
        for (name, values) in &self.0 {
            let longer = |case: &Case| {
                let case = case.clone();
                values.iter().map(move |value| {
                    [case.clone(), vec![(name.value.clone(), value.value.clone())]].concat()
                })
            };
            cases = cases.iter().flat_map(longer).collect();
        }
        cases
    }
}

/// Whether this may be the name of a parameter.
pub(crate) fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// `name[skew=-301s,lease=1h]`, or the name alone without parameters.
pub(crate) fn case_name(name: &str, case: &Case) -> String {
    if case.is_empty() {
        return name.to_owned();
    }
    let values: Vec<String> = case
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!("{name}[{}]", values.join(","))
}

/// Puts the values of `case` into `text`. An unknown name is a problem, except in a comment.
pub(crate) fn substitute(text: &str, case: &Case, source: &mut Source) -> Result<String, (Span, String)> {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    while let Some(start) = text[done..].find("${").map(|n| done + n) {
        let Some(len) = text[start..].find('}') else { break };
        let (end, name) = (start + len + 1, &text[start + 2..start + len]);
        let known = case.iter().find(|(n, _)| n == name);
        let line_start = text[..start].rfind('\n').map_or(0, |n| n + 1);
        let comment = text[line_start..start].trim_start().starts_with('#');
        match known {
            Some((_, value)) => {
                out.push_str(&text[done..start]);
                source.shifts.push(Shift {
                    at: out.len(),
                    value_len: value.len(),
                    original_at: start,
                    original_len: end - start,
                });
                out.push_str(value);
            }
            None if is_name(name) && !comment => {
                let names: Vec<&str> = case.iter().map(|(n, _)| n.as_str()).collect();
                let meant = names::closest(name, names.iter().copied());
                let hint = meant
                    .map(|n| format!("; did you mean `{n}`?"))
                    .unwrap_or_default();
                let span = Span {
                    offset: start,
                    len: end - start,
                    line: 1,
                    column: 1,
                };
                return Err((span, format!("the matrix has no parameter `{name}`{hint}")));
            }
            // Not ours: only the two characters, the braces may hold more.
            None => {
                out.push_str(&text[done..start + 2]);
                done = start + 2;
                continue;
            }
        }
        done = end;
    }
    out.push_str(&text[done..]);
    Ok(out)
}
