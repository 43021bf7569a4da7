//! The reference of the format, for people: made from the schema, which is made from the types.

use std::fmt::Write as _;

use serde_json::Value;
use vocabulary::spec::Params;

use crate::format::Format;
use crate::schema::definition_of;

/// Sections: title, definition in the schema. The order is the one in which a file is written.
const SECTIONS: [(&str, &str); 60] = [
    ("catalogue", "Catalogue"),
    ("bench", "Bench"),
    ("bench.device", "Device"),
    ("bench.cloud", "Cloud"),
    ("bench.network", "Network"),
    ("bench.provisioning", "Provisioning"),
    ("bench.provisioning.wifi", "Wifi"),
    ("bench.provisioning.server", "Server"),
    ("bench.provisioning.device", "Identity"),
    ("bench.provisioning.ntp", "Ntp"),
    ("bench.provisioning.interval", "Interval"),
    ("bench.wiring", "Wire"),
    ("steps", "Step"),
    ("expect-pin", "ExpectPin"),
    ("set-control", "SetControl"),
    ("faults", "Fault"),
    ("repeat", "Repeat"),
    ("do (actions)", "Action"),
    ("deauthenticate", "Deauthenticate"),
    ("link", "LinkFault"),
    ("only", "Only"),
    ("dhcp", "DhcpFault"),
    ("dns", "DnsFault"),
    ("reset-connection", "ResetConnection"),
    ("truncate", "Truncate"),
    ("dribble", "Dribble"),
    ("respond", "Respond"),
    ("retry-after", "RetryAfter"),
    ("slow-body", "SlowBody"),
    ("chunked", "Chunked"),
    ("interim", "Interim"),
    ("lose-reply", "LoseReply"),
    ("ntp-clock", "ClockError"),
    ("ntp", "NtpFault"),
    ("power-cut", "PowerCut"),
    ("reset", "ResetFault"),
    ("drive-pin", "DrivePin"),
    ("corrupt-flash", "CorruptFlash"),
    ("Moments (triggers)", "Trigger"),
    ("after (trigger)", "AfterTrigger"),
    ("serial (trigger)", "SerialTrigger"),
    ("request (trigger)", "RequestTrigger"),
    ("wifi (trigger)", "WifiTrigger"),
    ("dhcp (trigger)", "DhcpTrigger"),
    ("dns (trigger)", "DnsTrigger"),
    ("sntp (trigger)", "SntpTrigger"),
    ("pin (trigger)", "PinTrigger"),
    ("reset (trigger)", "ResetTrigger"),
    ("fault (trigger)", "FaultTrigger"),
    ("expect", "Expectation"),
    ("serial", "SerialExpectation"),
    ("no-serial", "ForbiddenSerial"),
    ("serial-order and serial-all", "SerialPattern"),
    ("event", "EventExpectation"),
    ("interval", "IntervalExpectation"),
    ("requests", "RequestsExpectation"),
    ("rate", "RateExpectation"),
    ("backoff", "BackoffExpectation"),
    ("pin", "PinExpectation"),
    ("no-secrets", "NoSecretsExpectation"),
];

/// More sections, which stand last.
const LAST_SECTIONS: [(&str, &str); 6] = [
    ("count", "Count"),
    ("expect-verdict", "ExpectVerdict"),
    ("snapshot", "SnapshotSettings"),
    ("tolerate", "Tolerate"),
    ("may", "MayDo"),
    ("redact", "Redact"),
];

const INTRODUCTION: &str = include_str!("reference_introduction.md");

/// All sections: title, definition in the schema. Those of services stand behind those of their kind.
fn sections(format: Format) -> Vec<(String, String)> {
    let own = |list: &[(&str, &str)]| -> Vec<(String, String)> {
        list.iter()
            .map(|(t, d)| ((*t).to_owned(), (*d).to_owned()))
            .collect()
    };
    let place = |definition: &str| {
        SECTIONS
            .iter()
            .position(|(_, d)| *d == definition)
            .unwrap_or(SECTIONS.len())
    };
    let (actions, triggers) = (place("PowerCut"), place("FaultTrigger"));
    let mut all = own(&SECTIONS[..actions]);
    let with_keys = format.operations().filter(|(_, spec)| match spec.params {
        Params::None | Params::One(_) => false,
        Params::Keys(_) | Params::AtLeastOne(_) | Params::ExactlyOne(_) => true,
    });
    all.extend(with_keys.map(|(_, spec)| (spec.name.to_owned(), definition_of(spec.name, "Operation"))));
    all.extend(own(&SECTIONS[actions..triggers]));
    let facts = format.facts();
    all.extend(facts.map(|(_, spec)| {
        (
            format!("{} (trigger)", spec.name),
            definition_of(spec.name, "Trigger"),
        )
    }));
    all.extend(own(&SECTIONS[triggers..]));
    let states = format.states().map(|(_, spec)| spec.name);
    let judged = format.expectations().map(|(_, spec)| spec.name);
    all.extend(
        states
            .chain(judged)
            .map(|name| (name.to_owned(), definition_of(name, "Expectation"))),
    );
    all.extend(own(&LAST_SECTIONS));
    all
}

/// The text of `docs/scenario-reference.md`.
pub(crate) fn reference(format: Format) -> String {
    let schema = format.schema();
    let sections = sections(format);
    let root = Root {
        schema: &schema,
        sections: &sections,
    };
    let mut out = INTRODUCTION.to_owned();
    out.push_str("\n## The file\n\n");
    section(root, &schema, &mut out);
    for (title, name) in &sections {
        // Writing to a String does not fail.
        let _ = write!(out, "\n## {title}\n\n");
        section(root, &schema["$defs"][name], &mut out);
    }
    out
}

/// The schema and the sections that its definitions have.
#[derive(Clone, Copy)]
struct Root<'a> {
    schema: &'a Value,
    sections: &'a [(String, String)],
}

/// A description, and a table of keys.
fn section(root: Root<'_>, definition: &Value, out: &mut String) {
    let long = long_form(definition);
    if let Some(text) = definition["description"].as_str() {
        out.push_str(&paragraphs(text));
        out.push('\n');
    }
    let rows = match (&long["properties"], &long["oneOf"]) {
        (Value::Object(keys), _) => {
            let required = |key: &str| {
                long["required"]
                    .as_array()
                    .is_some_and(|keys| keys.iter().any(|k| k.as_str() == Some(key)))
            };
            keys.iter()
                .map(|(key, value)| row(root, key, value, value, required(key)))
                .collect()
        }
        (_, Value::Array(variants)) => variants.iter().map(|v| variant(root, v)).collect(),
        _ => Vec::new(),
    };
    if !rows.is_empty() {
        out.push_str("\n| key | value | default | example | meaning |\n|---|---|---|---|---|\n");
        rows.iter().for_each(|row| out.push_str(row));
    }
}

/// The mapping of something that may also be a scalar.
pub(crate) fn long_form(definition: &Value) -> &Value {
    let is_long = |v: &&Value| v.get("properties").is_some() || v.get("oneOf").is_some();
    definition["anyOf"]
        .as_array()
        .and_then(|any| any.iter().find(is_long))
        .unwrap_or(definition)
}

fn variant(root: Root<'_>, variant: &Value) -> String {
    if let Some(name) = variant["const"].as_str() {
        return row(root, name, &Value::Null, variant, false);
    }
    let key = variant["properties"]
        .as_object()
        .and_then(|keys| keys.iter().next());
    key.map_or_else(String::new, |(key, value)| row(root, key, value, variant, false))
}

fn row(root: Root<'_>, key: &str, value: &Value, about: &Value, required: bool) -> String {
    let default = match (&about["default"], required) {
        (_, true) => "required".to_owned(),
        (Value::Null, _) => String::new(),
        // A mapping has its own section with the defaults of its keys.
        (Value::Object(_), _) => String::new(),
        (default, _) => format!("`{}`", flow(default)),
    };
    let example = about["examples"].as_array().and_then(|examples| examples.first());
    let example = match example {
        Some(example) => format!("`{key}: {}`", flow(example)),
        None if value.is_null() => format!("`{key}`"),
        None => String::new(),
    };
    let meaning = about["description"].as_str().map(one_line).unwrap_or_default();
    let cells = [
        format!("`{key}`"),
        type_name(root, value),
        default,
        example,
        meaning,
    ];
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// What may be written, in a few words; a link where there is a section.
fn type_name(root: Root<'_>, value: &Value) -> String {
    if let Some(name) = value["$ref"].as_str().and_then(|r| r.strip_prefix("#/$defs/")) {
        if let Some((title, _)) = root.sections.iter().find(|(_, d)| *d == name) {
            return format!("[{title}](#{})", anchor(title));
        }
        let name = name.replace("%20", " ");
        let definition = &root.schema["$defs"][&name];
        let names = names_of(definition);
        return if names.is_empty() {
            name.to_owned()
        } else {
            names.join(", ")
        };
    }
    if value["oneOf"].is_array() {
        return names_of(value).join(", ");
    }
    if value["items"].is_object() {
        return format!("list of {}", type_name(root, &value["items"]));
    }
    if value["additionalProperties"].is_object() {
        return format!(
            "mapping of names to {}",
            type_name(root, &value["additionalProperties"])
        );
    }
    let kind = match &value["type"] {
        Value::Array(kinds) => kinds.first().and_then(Value::as_str),
        kind => kind.as_str(),
    };
    match kind {
        Some("integer") => "whole number".to_owned(),
        Some("boolean") => "`true` or `false`".to_owned(),
        Some("string") => "text".to_owned(),
        Some(other) => other.to_owned(),
        None => String::new(),
    }
}

/// The names of an enumeration.
fn names_of(definition: &Value) -> Vec<String> {
    let quoted = |v: &Value| v.as_str().map(|name| format!("`{name}`"));
    match (&definition["enum"], &definition["oneOf"]) {
        (Value::Array(names), _) => names.iter().filter_map(quoted).collect(),
        (_, Value::Array(variants)) => variants.iter().filter_map(|v| quoted(&v["const"])).collect(),
        _ => Vec::new(),
    }
}

/// The anchor that a heading gets.
fn anchor(title: &str) -> String {
    let kept = title.to_lowercase().replace(' ', "-");
    kept.chars()
        .filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c))
        .collect()
}

pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn paragraphs(text: &str) -> String {
    let paragraphs: Vec<String> = text.split("\n\n").map(one_line).collect();
    paragraphs.join("\n\n")
}

/// A value in YAML's flow style.
pub(crate) fn flow(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entries: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{key}: {}", flow(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::String(text) if is_plain(text) => text.clone(),
        // What holds a line break needs escapes.
        Value::String(text) if text.contains(['\n', '\t']) => value.to_string(),
        Value::String(text) => format!("'{}'", text.replace('\'', "''")),
        other => other.to_string(),
    }
}

/// Whether YAML reads the text as it is.
fn is_plain(text: &str) -> bool {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_./+%".contains(c);
    !text.is_empty()
        && !text.starts_with('-')
        && text.chars().all(|c| safe(c) || c == ' ')
        && !text.ends_with(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: Format = Format::new(&[&oceanremote::SPEC]);

    #[test]
    fn every_mapping_has_a_section_and_every_section_a_mapping() {
        let schema = FORMAT.schema();
        let sections = sections(FORMAT);
        let definitions = schema["$defs"].as_object().unwrap();
        for (title, name) in &sections {
            assert!(definitions.contains_key(name), "{title} has no definition {name}");
        }
        for (name, definition) in definitions {
            let listed = sections.iter().any(|(_, d)| d == name);
            let has_keys = long_form(definition).get("properties").is_some();
            assert!(listed || !has_keys, "{name} has no section in the reference");
        }
    }

    #[test]
    fn every_key_has_a_meaning_and_an_example_or_a_section() {
        for line in reference(FORMAT).lines().filter(|line| line.starts_with("| `")) {
            let escaped = line.replace("\\|", "\u{1}");
            let cells: Vec<&str> = escaped.trim_matches('|').split(" | ").map(str::trim).collect();
            assert_eq!(cells.len(), 5, "{line}");
            assert!(!cells[4].is_empty(), "no meaning: {line}");
            assert!(
                !cells[3].is_empty() || cells[1].contains("(#"),
                "no example: {line}"
            );
        }
    }

    #[test]
    fn flow_style_reads_back() {
        for value in [
            serde_json::json!({"text": "[UPDATE] Session renewed", "count": 4}),
            serde_json::json!(["a'b", "-301s", "x: y", "", "tab\there", true]),
            serde_json::json!({"regex": r"^\[UPDATE\] [0-9a-f]{32}$"}),
        ] {
            let read: Value = crate::schema::value(&flow(&value));
            assert_eq!(read, value);
        }
    }
}
