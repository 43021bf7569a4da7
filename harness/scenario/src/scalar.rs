//! How values are read that are written as one scalar, and how values are read through references to them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::str::FromStr;

use crate::located::Located;
use crate::quantity::{Amount, CivilTime, Factor, MacAddress, Share, TimeOffset, TimeSpan};
use crate::read::{Cx, Read, ScalarType, Type};
use crate::tree::{Node, NodeKind, Text};

/// The text of a scalar; anything else is a mistake.
pub(crate) fn text<'n>(node: &'n Node, expected: &str, cx: &mut Cx<'_>) -> Option<&'n Text> {
    let found = node.text().filter(|_| !node.is_null());
    if found.is_none() {
        let message = format!("expected {expected}, found {}", node.describe());
        cx.problem(node.span, message, "here", "");
    }
    found
}

/// A scalar with a form of its own.
fn parsed<T: FromStr<Err = String>>(node: &Node, expected: &str, cx: &mut Cx<'_>) -> Option<T> {
    let text = text(node, expected, cx)?;
    match text.text.parse() {
        Ok(value) => Some(value),
        Err(why) => {
            cx.problem(node.span, why, "here", "");
            None
        }
    }
}

macro_rules! text_scalar {
    ($type:ident, $name:literal, $about:literal, $pattern:literal, $types:expr) => {
        impl Read for $type {
            const TYPE: Type = Type::Scalar(&ScalarType {
                name: $name,
                about: $about,
                pattern: $pattern,
                types: &$types,
            });

            fn read(node: &Node, cx: &mut Cx<'_>) -> Option<$type> {
                parsed(node, $about, cx)
            }
        }
    };
}

text_scalar!(
    TimeSpan,
    "time",
    "a length of time such as `500ms`, `30s`, `45m` or `1h30m`",
    r"^\s*(0[0.]*|([0-9]+\.?[0-9]*\s*(ns|us|ms|s|m|min|h|d)\s*)+|.*\$\{.*)$",
    ["string", "integer"]
);
text_scalar!(
    TimeOffset,
    "time offset",
    "a length of time with a sign, such as `-301s` or `5m`",
    r"^\s*[-+]?(0[0.]*|([0-9]+\.?[0-9]*\s*(ns|us|ms|s|m|min|h|d)\s*)+|.*\$\{.*)$",
    ["string", "integer"]
);
text_scalar!(
    Amount,
    "amount",
    "an amount such as `5G`, `200M` or `1000`",
    r"^([0-9_]+\.?[0-9]*[kMGT]?|.*\$\{.*)$",
    ["string", "integer"]
);
text_scalar!(
    Share,
    "share",
    "a share such as `5%` or `0.1%`",
    r"^([0-9]+\.?[0-9]*\s*%|.*\$\{.*)$",
    ["string"]
);
text_scalar!(
    Factor,
    "factor",
    "a factor such as `1.5`",
    r"^([0-9]+\.?[0-9]*|.*\$\{.*)$",
    ["string", "number"]
);
text_scalar!(
    CivilTime,
    "civil time",
    "a moment of civil time in UTC such as `2026-01-01T00:00:00Z`",
    r"^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z|.*\$\{.*)$",
    ["string"]
);
text_scalar!(
    MacAddress,
    "MAC address",
    "a MAC address such as `02:0c:ea:00:00:01`",
    r"^([0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}|.*\$\{.*)$",
    ["string"]
);

impl Read for String {
    const TYPE: Type = Type::Text;

    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<String> {
        text(node, "text", cx).map(|t| t.text.clone())
    }
}

impl Read for bool {
    const TYPE: Type = Type::Bool;

    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<bool> {
        let text = text(node, "`true` or `false`", cx)?;
        match text.text.as_str() {
            "true" if text.plain => Some(true),
            "false" if text.plain => Some(false),
            other => {
                let message = format!("`{other}` is not `true` or `false`");
                cx.problem(node.span, message, "this value", "");
                None
            }
        }
    }
}

impl Read for Ipv4Addr {
    const TYPE: Type = Type::Text;

    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<Ipv4Addr> {
        let text = text(node, "an IPv4 address", cx)?;
        let address = text.text.parse().ok();
        if address.is_none() {
            let message = format!("`{}` is not an IPv4 address", text.text);
            cx.problem(node.span, message, "this value", "write one like `192.168.4.2`");
        }
        address
    }
}

/// A whole number as YAML writes it: decimal, `0x…` or `0o…`.
pub(crate) fn whole(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, radix) = match (digits.strip_prefix("0x"), digits.strip_prefix("0o")) {
        (Some(hex), _) => (hex, 16),
        (_, Some(octal)) => (octal, 8),
        (None, None) => (digits, 10),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let value = i128::from_str_radix(digits, radix).ok()?;
    Some(if negative { -value } else { value })
}

/// A whole number in a range.
pub(crate) fn integer(node: &Node, least: i128, most: i128, cx: &mut Cx<'_>) -> Option<i128> {
    let wanted = match (least, most) {
        (0, most) if most <= i128::from(u16::MAX) => format!("a whole number from 0 to {most}"),
        (0, _) => "a whole number from 0".to_owned(),
        (least, most) if least >= i128::from(i16::MIN) && most <= i128::from(u16::MAX) => {
            format!("a whole number from {least} to {most}")
        }
        _ => "a whole number".to_owned(),
    };
    let text = text(node, &wanted, cx)?;
    match whole(&text.text) {
        Some(value) if (least..=most).contains(&value) => Some(value),
        Some(value) if value > most => {
            let message = format!("`{}` is too large: at most {most} fits here", text.text);
            cx.problem(node.span, message, "this value", "");
            None
        }
        _ => {
            cx.problem(
                node.span,
                format!("`{}` is not {wanted}", text.text),
                "this value",
                "",
            );
            None
        }
    }
}

macro_rules! integers {
    ($($type:ident),*) => {
        $(impl Read for $type {
            const TYPE: Type = Type::Integer($type::MIN as i128, $type::MAX as i128);

            fn read(node: &Node, cx: &mut Cx<'_>) -> Option<$type> {
                let value = integer(node, $type::MIN.into(), $type::MAX.into(), cx)?;
                $type::try_from(value).ok()
            }
        })*
    };
}

integers!(u8, u16, u32, u64, i8, i32);

impl<T: Read> Read for Located<T> {
    const TYPE: Type = T::TYPE;

    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<Located<T>> {
        T::read(node, cx).map(|value| Located {
            value,
            span: node.span,
        })
    }
}

impl<T: Read> Read for Box<T> {
    const TYPE: Type = T::TYPE;

    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<Box<T>> {
        T::read(node, cx).map(Box::new)
    }
}

impl<T: Read> Read for Option<T> {
    const TYPE: Type = T::TYPE;
    const OPTIONAL: bool = true;

    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<Option<T>> {
        if node.is_null() {
            return Some(None);
        }
        T::read(node, cx).map(Some)
    }

    fn absent() -> Option<Option<T>> {
        Some(None)
    }
}

/// A list. Entries that are wrong are noted and left out.
impl<T: Read> Read for Vec<T> {
    const TYPE: Type = Type::List(&T::TYPE);

    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<Vec<T>> {
        match &node.kind {
            NodeKind::List(items) => {
                let read: Vec<T> = items.iter().filter_map(|item| T::read(item, cx)).collect();
                (read.len() == items.len()).then_some(read)
            }
            NodeKind::Scalar(_) if node.is_null() => Some(Vec::new()),
            NodeKind::Map(_) | NodeKind::Scalar(_) | NodeKind::Binary(_) => {
                let message = format!("expected a list, found {}", node.describe());
                cx.problem(node.span, message, "here", "begin each entry with `- `");
                None
            }
        }
    }
}

/// A mapping of free names.
impl<T: Read> Read for BTreeMap<String, T> {
    const TYPE: Type = Type::Names(&T::TYPE);

    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<BTreeMap<String, T>> {
        match &node.kind {
            NodeKind::Map(entries) => {
                let mut read = BTreeMap::new();
                for (key, value) in entries {
                    if let Some(value) = T::read(value, cx) {
                        read.insert(key.text.clone(), value);
                    }
                }
                (read.len() == entries.len()).then_some(read)
            }
            NodeKind::Scalar(_) if node.is_null() => Some(BTreeMap::new()),
            NodeKind::List(_) | NodeKind::Scalar(_) | NodeKind::Binary(_) => {
                let message = format!("expected a mapping of names to values, found {}", node.describe());
                cx.problem(node.span, message, "here", "");
                None
            }
        }
    }
}
