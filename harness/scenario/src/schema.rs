//! The JSON Schema of the format, for editors.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::model::File;

/// What a parameter of the matrix looks like in place of a number or a truth value.
const PARAMETER: &str = r"^\$\{[a-z][a-z0-9-]*\}$";

/// The JSON Schema (draft 2020-12) of scenario files, made from the types that read them.
///
/// It is meant for editors: it knows keys, names and forms. What a file must fulfil beyond that,
/// [`Scenario::parse`](crate::Scenario::parse) says.
pub fn schema() -> Value {
    let schema = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<File>();
    let mut schema = schema.to_value();
    tidy(&mut schema);
    for one_of_many in ["Expectation", "Step"] {
        exactly_one_key(&mut schema["$defs"][one_of_many]);
    }
    schema
}

/// Takes out what serde's `Option` brings in, `null`, and lets parameters stand for numbers.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Object(map) => {
            if map.get("default").is_some_and(is_nothing) {
                map.remove("default");
            }
            if let Some(Value::Array(any)) = map.get_mut("anyOf") {
                any.retain(|s| s.get("type") != Some(&json!("null")));
            }
            if let Some(Value::Array(any)) = map.get("anyOf")
                && let [Value::Object(only)] = any.as_slice()
            {
                let only = only.clone();
                map.remove("anyOf");
                only.into_iter().for_each(|(key, value)| {
                    map.entry(key).or_insert(value);
                });
            }
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|t| t != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    map.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::String(only)) = map.get("type").cloned()
                && matches!(only.as_str(), "integer" | "boolean")
            {
                map.insert("type".to_owned(), json!([only, "string"]));
                map.insert("pattern".to_owned(), json!(PARAMETER));
            }
            // Examples and defaults are values, not schemas.
            let parts = map
                .iter_mut()
                .filter(|(key, _)| !["examples", "default"].contains(&key.as_str()));
            parts.for_each(|(_, value)| tidy(value));
        }
        _ => {}
    }
}

/// Whether a default says no more than leaving it out does.
fn is_nothing(default: &Value) -> bool {
    match default {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.values().all(is_nothing),
        _ => false,
    }
}

/// A step or an expectation has one key besides its name.
fn exactly_one_key(schema: &mut Value) {
    let Some(keys) = schema.get("properties").and_then(Value::as_object) else {
        return;
    };
    let one = keys
        .keys()
        .filter(|key| *key != "name")
        .map(|key| json!({ "required": [key] }))
        .collect();
    schema["oneOf"] = Value::Array(one);
}
