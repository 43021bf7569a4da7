//! Values of parameters that a service declares ([`ParamSpec`]).

use vocabulary::spec::{Arg, Args, ParamSpec, ParamType, Params};

use crate::names;
use crate::quantity::{TimeOffset, TimeSpan};
use crate::read::{Cx, Read, Tagged, meant, no_value, unknown};
use crate::scalar::{integer, text};
use crate::tree::{Node, NodeKind};

/// A value of one parameter.
pub(crate) fn arg(ty: &ParamType, node: &Node, cx: &mut Cx<'_>) -> Option<Arg> {
    Some(match ty {
        ParamType::Text => Arg::Text(String::read(node, cx)?),
        ParamType::Bool => Arg::Bool(bool::read(node, cx)?),
        ParamType::Integer(least, most) => {
            let value = integer(node, (*least).into(), (*most).into(), cx)?;
            Arg::Integer(i64::try_from(value).ok()?)
        }
        ParamType::Duration => Arg::Duration(TimeSpan::read(node, cx)?.duration()),
        ParamType::Offset => Arg::Offset(TimeOffset::read(node, cx)?.0),
        ParamType::Choice(words) => {
            let word = text(node, &names::list(words), cx)?;
            if !words.contains(&word.text.as_str()) {
                unknown(&word.text, node.span, words, cx);
                return None;
            }
            Arg::Text(word.text.clone())
        }
    })
}

/// The parameters of a mapping. `others` are keys that stand there besides and are read by the caller.
pub(crate) fn mapping(params: &[ParamSpec], others: &[&str], node: &Node, cx: &mut Cx<'_>) -> Option<Args> {
    let names: Vec<&str> = params
        .iter()
        .map(|p| p.name)
        .chain(others.iter().copied())
        .collect();
    let entries = match &node.kind {
        NodeKind::Map(entries) => entries.as_slice(),
        NodeKind::Scalar(_) if node.is_null() => &[],
        NodeKind::Scalar(_) | NodeKind::List(_) | NodeKind::Binary(_) => {
            let message = format!("expected a mapping, found {}", node.describe());
            let help = format!("its keys are {}", names::list(&names));
            cx.problem(node.span, message, "here", help);
            return None;
        }
    };
    let mut right = true;
    let mut args = Args::default();
    for (key, value) in entries {
        if let Some(param) = params.iter().find(|p| p.name == key.text) {
            match arg(&param.ty, value, cx) {
                Some(arg) => drop(args.0.insert(key.text.clone(), arg)),
                None => right = false,
            }
        } else if !others.contains(&key.text.as_str()) {
            let help = meant(&key.text, &names);
            cx.problem(
                key.span,
                format!("unknown key `{}`", key.text),
                "not known here",
                help,
            );
            right = false;
        }
    }
    for param in params.iter().filter(|p| p.required && node.get(p.name).is_none()) {
        let message = format!("the key `{}` is missing", param.name);
        cx.problem(
            node.span,
            message,
            "in this mapping",
            format!("add `{}:`", param.name),
        );
        right = false;
    }
    right.then_some(args)
}

/// What stands behind the name of an operation.
pub(crate) fn behind(params: &Params, named: &Tagged<'_>, cx: &mut Cx<'_>) -> Option<Args> {
    let name = named.name;
    let node = match (params, named.value) {
        (Params::None, _) => return no_value(named, cx).then(Args::default),
        (_, Some(node)) => node,
        (_, None) => {
            let message = format!("`{name}` needs a value; `oceanrig faults {name}` shows an example");
            cx.problem(named.span, message, "this action", "");
            return None;
        }
    };
    let (keys, most) = match params {
        Params::None => return None,
        Params::One(ty) => {
            let mut args = Args::default();
            args.0.insert(String::new(), arg(ty, node, cx)?);
            return Some(args);
        }
        Params::Keys(keys) => return mapping(keys, &[], node, cx),
        Params::AtLeastOne(keys) => (keys, usize::MAX),
        Params::ExactlyOne(keys) => (keys, 1),
    };
    let args = mapping(keys, &[], node, cx)?;
    if (1..=most).contains(&args.0.len()) {
        return Some(args);
    }
    let count = if most == 1 { "exactly one" } else { "at least one" };
    let keys: Vec<&str> = keys.iter().map(|key| key.name).collect();
    let message = format!("{count} of {} is wanted", names::list(&keys));
    cx.problem(node.span, message, "here", "");
    None
}

/// A value as messages and names show it.
pub(crate) fn shown(arg: &Arg) -> String {
    match arg {
        Arg::Text(text) => text.clone(),
        Arg::Bool(value) => value.to_string(),
        Arg::Integer(value) => value.to_string(),
        Arg::Duration(time) => vocabulary::judge::span(*time),
        Arg::Offset(ns) => TimeOffset(*ns).to_string(),
    }
}
