//! The reference of triggers and actions: made from the schema, which is made from the types.

use std::fmt::Write as _;

use serde_json::Value;

use crate::action::LAYERS;
use crate::format::Format;
use crate::reference::{flow, long_form, one_line};

/// The layer under which triggers are listed.
const MOMENTS: &str = "moments";

const INTRODUCTION: &str = include_str!("fault_reference_introduction.md");

/// A trigger or an action, with an example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultEntry {
    /// `moments` for a trigger; for an action its layer, such as `TCP`, or the service whose operation it is.
    pub layer: &'static str,
    /// Its name in files.
    pub name: String,
    /// What it means, one line.
    pub meaning: String,
    /// How it is written behind `when:` or `do:`.
    pub example: String,
    /// Its values or keys, each with its meaning; empty where there are none.
    pub values: Vec<(String, String)>,
}

impl FaultEntry {
    /// Whether it is a trigger, to stand behind `when:`.
    pub fn is_trigger(&self) -> bool {
        self.layer == MOMENTS
    }
}

/// Every trigger, then every action by layer.
pub(crate) fn fault_entries(format: Format) -> Vec<FaultEntry> {
    let schema = format.schema();
    let triggers = variants(&schema, "Trigger");
    let actions = variants(&schema, "Action");
    let mut out: Vec<FaultEntry> = triggers
        .iter()
        .map(|(name, v)| entry(&schema, MOMENTS, name, v))
        .collect();
    for (layer, names) in LAYERS {
        for name in names {
            let found = actions.iter().find(|(n, _)| n == name);
            out.extend(found.map(|(name, v)| entry(&schema, layer, name, v)));
        }
    }
    for (service, spec) in format.operations() {
        let found = actions.iter().find(|(n, _)| n == spec.name);
        out.extend(found.map(|(name, v)| entry(&schema, service, name, v)));
    }
    out
}

/// The text of `docs/fault-reference.md`.
pub(crate) fn fault_reference(format: Format) -> String {
    let entries = fault_entries(format);
    let mut out = INTRODUCTION.to_owned();
    let layers = [(MOMENTS, "Moments")]
        .into_iter()
        .chain(LAYERS.map(|(layer, _)| (layer, layer)))
        .chain(format.services().map(|service| (service.name, service.name)));
    for (layer, title) in layers {
        // Writing to a String does not fail.
        let _ = write!(
            out,
            "\n## {title}\n\n| name | example | meaning |\n|---|---|---|\n"
        );
        for e in entries.iter().filter(|e| e.layer == layer) {
            let key = if e.is_trigger() { "when" } else { "do" };
            let mut meaning = e.meaning.clone();
            if !e.values.is_empty() {
                let names: Vec<String> = e.values.iter().map(|(name, _)| format!("`{name}`")).collect();
                let _ = write!(meaning, " ({})", names.join(", "));
            }
            let cells = [
                format!("`{}`", e.name),
                format!("`{key}: {}`", e.example),
                meaning,
            ];
            let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
            let _ = writeln!(out, "| {} |", cells.join(" | "));
        }
    }
    out
}

/// The variants of an enumeration, `(name, description and examples)`.
fn variants(schema: &Value, definition: &str) -> Vec<(String, Value)> {
    let variants = long_form(&schema["$defs"][definition])["oneOf"].as_array();
    let mut out = Vec::new();
    for variant in variants.into_iter().flatten() {
        let key = variant["properties"]
            .as_object()
            .and_then(|keys| keys.keys().next());
        let name = key.map(String::as_str).or(variant["const"].as_str());
        out.extend(name.map(|name| (name.to_owned(), variant.clone())));
    }
    out
}

fn entry(schema: &Value, layer: &'static str, name: &str, variant: &Value) -> FaultEntry {
    let example = match variant["examples"]
        .as_array()
        .and_then(|examples| examples.first())
    {
        Some(example) => format!("{{{name}: {}}}", flow(example)),
        None => name.to_owned(),
    };
    FaultEntry {
        layer,
        name: name.to_owned(),
        meaning: about(variant),
        example,
        values: values(schema, &variant["properties"][name]),
    }
}

fn about(schema: &Value) -> String {
    schema["description"].as_str().map(one_line).unwrap_or_default()
}

/// What may stand in a mapping or an enumeration.
fn values(schema: &Value, value: &Value) -> Vec<(String, String)> {
    let Some(name) = value["$ref"].as_str().and_then(|r| r.strip_prefix("#/$defs/")) else {
        return Vec::new();
    };
    let definition = long_form(&schema["$defs"][name]);
    match definition["properties"].as_object() {
        Some(keys) => keys
            .iter()
            .map(|(key, value)| (key.clone(), about(value)))
            .collect(),
        None => variants(schema, name)
            .into_iter()
            .map(|(name, v)| (name, about(&v)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: Format = Format::new(&[&oceanremote::SPEC]);

    #[test]
    fn every_action_stands_in_one_layer() {
        let mut listed: Vec<&str> = LAYERS
            .iter()
            .flat_map(|(_, names)| names.iter().copied())
            .collect();
        let mut known: Vec<String> = variants(&Format::new(&[]).schema(), "Action")
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        listed.sort_unstable();
        known.sort_unstable();
        assert_eq!(listed, known);
    }

    #[test]
    fn every_entry_says_what_it_means() {
        let entries = fault_entries(FORMAT);
        assert!(entries.len() > 55, "{}", entries.len());
        for e in &entries {
            assert!(!e.meaning.is_empty(), "{}", e.name);
        }
        let find = |name: &str| {
            entries
                .iter()
                .find(|e| e.name == name && !e.is_trigger())
                .unwrap()
        };
        assert_eq!(find("deauthenticate").example, "{deauthenticate: {reason: 8}}");
        assert_eq!(find("access-point-gone").example, "access-point-gone");
        let dhcp: Vec<&str> = find("dhcp")
            .values
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(dhcp, ["silent", "nak", "address-conflict", "lease"]);
    }
}
