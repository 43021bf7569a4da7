//! The JSON Schema of the format, for editors: made from the tables that the reader goes by.

use serde_json::{Map, Value, json};

use crate::action;
use crate::model::File;
use crate::read::{Choice, Key, Mapping, Special, Type, Variant};
use crate::scalar::whole;
use crate::tree::{self, Kind, Node};

/// What a parameter of the matrix looks like in place of a number or a truth value.
const PARAMETER: &str = r"^\$\{[a-z][a-z0-9-]*\}$";

/// The JSON Schema (draft 2020-12) of scenario files, made from the tables that read them.
///
/// It is meant for editors: it knows keys, names and forms. What a file must fulfil beyond that,
/// [`Scenario::parse`](crate::Scenario::parse) says.
pub fn schema() -> Value {
    let mut definitions = Definitions::default();
    let mut schema = definitions.mapping(&File::MAPPING);
    // Keys that begin with `x-` are for anchors.
    schema["patternProperties"] = json!({ "^x-": true });
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!(File::MAPPING.name);
    for one_of_many in ["Expectation", "Step"] {
        exactly_one_key(&mut definitions.0[one_of_many]);
    }
    schema["$defs"] = Value::Object(definitions.0);
    schema
}

/// The definitions so far, by name.
#[derive(Default)]
struct Definitions(Map<String, Value>);

impl Definitions {
    fn of(&mut self, ty: &Type) -> Value {
        match ty {
            Type::Text => json!({ "type": "string" }),
            Type::Bool => json!({ "type": ["boolean", "string"], "pattern": PARAMETER }),
            Type::Integer(least, most) => integer(*least, *most),
            Type::Scalar(scalar) => self.reference(scalar.name, |_| {
                let types = match scalar.types {
                    [one] => json!(one),
                    many => json!(many),
                };
                json!({ "description": scalar.about, "type": types, "pattern": scalar.pattern })
            }),
            Type::Choice(choice) => self.reference(choice().name, |definitions| definitions.choice(choice())),
            Type::Mapping(mapping) => {
                self.reference(mapping().name, |definitions| definitions.mapping(mapping()))
            }
            Type::List(item) => json!({ "type": "array", "items": self.of(item) }),
            Type::Names(value) => json!({ "type": "object", "additionalProperties": self.of(value) }),
            Type::Special(special) => self.special(*special),
        }
    }

    /// A reference to a definition, which is made if it is not there.
    fn reference(&mut self, name: &str, make: impl FnOnce(&mut Definitions) -> Value) -> Value {
        if !self.0.contains_key(name) {
            // A trigger holds a trigger: its place is taken before what is inside is made.
            self.0.insert(name.to_owned(), Value::Null);
            let made = make(self);
            self.0.insert(name.to_owned(), made);
        }
        json!({ "$ref": format!("#/$defs/{}", name.replace(' ', "%20")) })
    }

    fn mapping(&mut self, mapping: &Mapping) -> Value {
        let mut keys = Map::new();
        let shown = mapping.keys.iter().filter(|key| !key.about.is_empty());
        for key in shown.clone() {
            keys.insert(key.name.to_owned(), self.key(key));
        }
        let required: Vec<&str> = shown.filter(|key| key.required).map(|key| key.name).collect();
        let mut schema = json!({ "type": "object", "properties": keys, "additionalProperties": false });
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        described(&mut schema, mapping.about, &[]);
        if mapping.short.is_some() {
            or_scalar(schema)
        } else {
            schema
        }
    }

    fn key(&mut self, key: &Key) -> Value {
        let mut schema = self.of(&key.ty);
        described(&mut schema, key.about, key.examples);
        if let Some(default) = key.default.map(value).filter(|default| !is_nothing(default)) {
            schema["default"] = default;
        }
        schema
    }

    fn choice(&mut self, choice: &Choice) -> Value {
        let mut variants: Vec<Value> = choice.variants.iter().map(|v| self.variant(v)).collect();
        variants.push(parameter());
        let mut schema = json!({ "oneOf": variants });
        described(&mut schema, choice.about, &[]);
        if choice.short.is_some() {
            or_scalar(schema)
        } else {
            schema
        }
    }

    fn variant(&mut self, variant: &Variant) -> Value {
        let mut schema = match &variant.value {
            None => json!({ "type": "string", "const": variant.name }),
            Some(ty) => json!({
                "type": "object",
                "properties": { variant.name: self.of(ty) },
                "required": [variant.name],
                "additionalProperties": false,
            }),
        };
        described(&mut schema, variant.about, variant.examples);
        schema
    }

    fn special(&mut self, special: Special) -> Value {
        match special {
            Special::Action => self.reference("Action", |definitions| {
                let bare: Vec<&str> = action::variants().filter(|v| v.bare).map(|v| v.name).collect();
                let mut all: Vec<Value> = action::variants().map(|v| definitions.variant(v)).collect();
                all.push(parameter());
                let mut long = json!({ "oneOf": all });
                described(&mut long, action::ABOUT, &[]);
                let mut schema = json!({ "anyOf": [{ "type": "string", "enum": bare }, long] });
                described(&mut schema, action::ABOUT, &[]);
                schema
            }),
            Special::Author => json!({ "type": ["string", "number", "boolean", "array", "object"] }),
            Special::Version => json!({ "type": ["integer", "number", "string"], "enum": [1, "1", "1.0"] }),
            Special::ControlValue => json!({ "type": ["number", "boolean", "string"] }),
            Special::Matrix => json!({
                "type": "object",
                "propertyNames": { "pattern": "^[a-z][a-z0-9-]*$" },
                "additionalProperties": {
                    "type": "array",
                    "minItems": 1,
                    "items": { "type": ["string", "number", "boolean"] }
                }
            }),
            Special::Bytes(name) => self.reference(name, |_| {
                json!({
                    "description": "text, or a list of bytes from 0 to 255",
                    "anyOf": [
                        { "type": "string", "minLength": 1 },
                        { "type": "array", "minItems": 1, "items": integer(0, 255) }
                    ]
                })
            }),
        }
    }
}

/// A parameter of the matrix, wherever a name may stand.
fn parameter() -> Value {
    json!({ "type": "string", "pattern": PARAMETER })
}

fn integer(least: i128, most: i128) -> Value {
    let mut schema = json!({ "type": ["integer", "string"], "pattern": PARAMETER });
    // Numbers that JSON's readers keep exactly.
    if let Ok(least) = i32::try_from(least) {
        schema["minimum"] = json!(least);
    }
    if let Ok(most) = u32::try_from(most) {
        schema["maximum"] = json!(most);
    }
    schema
}

fn described(schema: &mut Value, about: &str, examples: &[&str]) {
    let about = about
        .lines()
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect::<Vec<_>>()
        .join("\n");
    let about = about.trim();
    if !about.is_empty() {
        schema["description"] = json!(about);
    }
    if !examples.is_empty() {
        let examples: Vec<Value> = examples.iter().map(|text| value(text)).collect();
        schema["examples"] = Value::Array(examples);
    }
}

/// Lets a mapping be a scalar too.
fn or_scalar(long: Value) -> Value {
    let description = long["description"].clone();
    json!({ "anyOf": [{ "type": ["string", "integer"] }, long], "description": description })
}

/// The value of YAML in flow style, as an editor reads it.
pub(crate) fn value(text: &str) -> Value {
    match tree::read(text).0 {
        Some(node) => json_of(&node),
        None => json!(text),
    }
}

fn json_of(node: &Node) -> Value {
    match &node.kind {
        Kind::Map(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| (key.text.clone(), json_of(value)));
            Value::Object(entries.collect())
        }
        Kind::List(items) => Value::Array(items.iter().map(json_of).collect()),
        Kind::Binary(bytes) => json!(bytes),
        Kind::Scalar(_) if node.is_null() => Value::Null,
        Kind::Scalar(text) if text.plain => plain(&text.text),
        Kind::Scalar(text) => json!(text.text),
    }
}

fn plain(text: &str) -> Value {
    if let Some(number) = whole(text).and_then(|n| i64::try_from(n).ok()) {
        return json!(number);
    }
    match text {
        "true" => json!(true),
        "false" => json!(false),
        text if text.starts_with(|c: char| c.is_ascii_digit()) => text
            .parse::<f64>()
            .map_or_else(|_| json!(text), |number| json!(number)),
        text => json!(text),
    }
}

/// Whether a default says no more than leaving it out does.
fn is_nothing(default: &Value) -> bool {
    match default {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
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
