//! What files for Wokwi's runner may hold that this format has no use for.
//!
//! Such a file runs here as it is. What that runner refuses, or understands in another way, is warned of.

use crate::located::{Located, Span};
use crate::names;
use crate::read::{Cx, Mapping, Read, Special, Type, refuse_key};
use crate::tree::{Node, NodeKind, Scalar};

/// The keys that Wokwi's runner knows at the top.
const KEYS: [&str; 4] = ["name", "version", "author", "steps"];

/// A key at the top that is not known: Wokwi's runner ignores it. It is a mistake if it looks like a slip of the
/// pen, or stands in a file that has keys of this format.
pub(crate) fn top_level_key(
    key: &Scalar,
    entries: &[(Scalar, Node)],
    mapping: &'static Mapping,
    cx: &mut Cx<'_>,
) -> bool {
    if key.text.starts_with("x-") {
        return true;
    }
    let ours = mapping
        .keys
        .iter()
        .map(|k| k.name)
        .filter(|name| !KEYS.contains(name));
    let is_ours = entries
        .iter()
        .any(|(k, _)| ours.clone().any(|name| name == k.text));
    let is_slip = names::closest(&key.text, mapping.keys.iter().map(|k| k.name)).is_some();
    if is_slip || is_ours {
        return refuse_key(key, entries, mapping, cx);
    }
    let message = format!("the key `{}` is ignored, as by Wokwi's runner", key.text);
    cx.warn(key.span, message, "not read", "");
    true
}

/// Whether the top of a file has a key that is not known.
pub(crate) fn has_unknown_key(root: &Node, mapping: &'static Mapping) -> bool {
    match &root.kind {
        NodeKind::Map(entries) => entries
            .iter()
            .any(|(key, _)| !mapping.keys.iter().any(|known| known.name == key.text)),
        NodeKind::List(_) | NodeKind::Scalar(_) | NodeKind::Binary(_) => false,
    }
}

/// The author: text, or whatever another runner wants there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Author(pub(crate) Option<String>);

impl Read for Author {
    const TYPE: Type = Type::Special(Special::Author);
    const OPTIONAL: bool = true;

    fn read(node: &Node, _: &mut Cx<'_>) -> Option<Author> {
        let name = node.get("name").unwrap_or(node);
        Some(Author(
            name.text()
                .filter(|_| !name.is_null())
                .map(|text| text.text.clone()),
        ))
    }

    fn absent() -> Option<Author> {
        Some(Author(None))
    }
}

/// The version of the format: 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version;

impl Read for Version {
    const TYPE: Type = Type::Special(Special::Version);

    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<Version> {
        let text = crate::scalar::text(node, "version 1", cx)?;
        if !matches!(text.text.as_str(), "1" | "1.0") {
            let message = format!("version {} is not known", text.text);
            cx.problem(node.span, message, "this version", "write `version: 1`");
            return None;
        }
        if !text.plain {
            let message = "Wokwi's runner refuses a version in quotes";
            cx.warn(node.span, message, "a text", "write `version: 1`");
        }
        Some(Version)
    }
}

/// Warns of a name that Wokwi's runner takes for a number.
pub(crate) fn name(node: Option<&Node>, cx: &mut Cx<'_>) {
    let Some(node) = node else { return };
    if let NodeKind::Scalar(text) = &node.kind
        && text.plain
        && (text.text.parse::<f64>().is_ok() || matches!(text.text.as_str(), "true" | "false"))
    {
        let message = "Wokwi's runner refuses a name that is not text";
        let help = format!("write `name: '{}'`", text.text);
        cx.warn(node.span, message, "not text without quotes", help);
    }
}

/// The one of two spellings that is written. The second is right here and refused by Wokwi's runner where it
/// is `expected`.
pub(crate) fn either<T: Clone>(
    one: Option<&Located<T>>,
    other: Option<&Located<T>>,
    names: [&str; 2],
    whole: Span,
    cx: &mut Cx<'_>,
) -> Option<Located<T>> {
    match (one, other) {
        (Some(value), None) | (None, Some(value)) => Some(value.clone()),
        (Some(_), Some(second)) => {
            let message = format!("both `{}` and `{}` are given", names[0], names[1]);
            cx.problem(second.span, message, "here", "keep one of them");
            None
        }
        (None, None) => {
            let message = format!("the key `{}` is missing", names[0]);
            cx.problem(whole, message, "in this mapping", format!("add `{}:`", names[0]));
            None
        }
    }
}
