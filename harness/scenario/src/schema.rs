//! The JSON Schema of the format, for editors: made from the tables that the reader goes by.

use serde_json::{Map, Value, json};
use vocabulary::spec::{FactSpec, Nature, OperationSpec, ParamSpec, ParamType, Params, WindowKeys};

use crate::action;
use crate::fact::STATE_KEYS;
use crate::format::Format;
use crate::model::File;
use crate::quantity::{TimeOffset, TimeSpan};
use crate::read::{Choice, Key, Mapping, Read as _, Special, Type, Variant};
use crate::scalar::whole;
use crate::tree::{self, Node, NodeKind};
use crate::trigger::Trigger;

/// What a parameter of the matrix looks like in place of a number or a truth value.
const PARAMETER: &str = r"^\$\{[a-z][a-z0-9-]*\}$";

/// The JSON Schema (draft 2020-12) of scenario files, made from the tables that read them.
///
/// It is meant for editors: it knows keys, names and forms. What a file must fulfil beyond that, reading it says.
pub(crate) fn schema(format: Format) -> Value {
    let mut definitions = Definitions {
        format,
        made: Map::new(),
    };
    let mut schema = definitions.mapping(&File::MAPPING);
    // Keys that begin with `x-` are for anchors.
    schema["patternProperties"] = json!({ "^x-": true });
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!(File::MAPPING.name);
    definitions.expectations();
    for one_of_many in ["Expectation", "Step"] {
        exactly_one_key(&mut definitions.made[one_of_many]);
    }
    schema["$defs"] = Value::Object(definitions.made);
    schema
}

/// The definition of what a service names: `command-relay` and `Operation` make `CommandRelayOperation`.
pub(crate) fn definition_of(name: &str, kind: &str) -> String {
    let mut out = String::new();
    for word in name.split('-') {
        let mut letters = word.chars();
        out.extend(letters.next().map(|c| c.to_ascii_uppercase()));
        out.extend(letters);
    }
    out + kind
}

/// The definitions so far, by name.
struct Definitions {
    format: Format,
    made: Map<String, Value>,
}

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
        if !self.made.contains_key(name) {
            // A trigger holds a trigger: its place is taken before what is inside is made.
            self.made.insert(name.to_owned(), Value::Null);
            let made = make(self);
            self.made.insert(name.to_owned(), made);
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
        if choice.also {
            let facts: Vec<_> = self.format.facts().collect();
            variants.extend(facts.into_iter().map(|(_, spec)| self.fact(spec)));
        }
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
                let operations: Vec<_> = definitions.format.operations().collect();
                all.extend(
                    operations
                        .into_iter()
                        .map(|(_, spec)| definitions.operation(spec)),
                );
                all.push(parameter());
                let mut long = json!({ "oneOf": all });
                described(&mut long, action::ABOUT, &[]);
                let mut schema = json!({ "anyOf": [{ "type": "string", "enum": bare }, long] });
                described(&mut schema, action::ABOUT, &[]);
                schema
            }),
            Special::Endpoint => self.reference("EndpointName", |definitions| {
                let names = definitions.format.endpoints();
                let mut schema = choice_of(&names);
                described(&mut schema, "An endpoint of a service.", &[]);
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

/// One of these words, or a parameter.
fn choice_of(words: &[&str]) -> Value {
    let word = |word: &&str| json!({ "type": "string", "const": word });
    let mut all: Vec<Value> = words.iter().map(word).collect();
    all.push(parameter());
    json!({ "oneOf": all })
}

/// What stands in an operation, beyond its meaning, about its length.
fn length(spec: &OperationSpec) -> &'static str {
    match (spec.nature, spec.once_with) {
        (Nature::Once, _) => " Happens once.",
        (Nature::Lasting, []) => " Lasts.",
        (Nature::Lasting, _) => " Lasts, but for a step.",
        (Nature::OnRequests, _) => " On requests.",
    }
}

impl Definitions {
    fn param(&mut self, ty: &ParamType) -> Value {
        match ty {
            ParamType::Text => self.of(&Type::Text),
            ParamType::Bool => self.of(&Type::Bool),
            ParamType::Integer(least, most) => integer((*least).into(), (*most).into()),
            ParamType::Duration => self.of(&TimeSpan::TYPE),
            ParamType::Offset => self.of(&TimeOffset::TYPE),
            ParamType::Choice(words) => choice_of(words),
        }
    }

    fn params(&mut self, params: &[ParamSpec], about: &str) -> Value {
        let mut keys = Map::new();
        for param in params {
            let mut schema = self.param(&param.ty);
            described(&mut schema, param.about, &[param.example]);
            keys.insert(param.name.to_owned(), schema);
        }
        let required: Vec<&str> = params.iter().filter(|p| p.required).map(|p| p.name).collect();
        let mut schema = json!({ "type": "object", "properties": keys, "additionalProperties": false });
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        described(&mut schema, about, &[]);
        schema
    }

    fn operation(&mut self, spec: &OperationSpec) -> Value {
        let about = format!("{}{}", spec.about, length(spec));
        let value = match spec.params {
            Params::None => {
                let mut schema = json!({ "type": "string", "const": spec.name });
                described(&mut schema, &about, &[]);
                return schema;
            }
            Params::One(ty) => self.param(&ty),
            Params::Keys(keys) | Params::AtLeastOne(keys) | Params::ExactlyOne(keys) => {
                let name = definition_of(spec.name, "Operation");
                self.reference(&name, |definitions| definitions.params(keys, spec.about))
            }
        };
        named(spec.name, value, &about, spec.example)
    }

    fn fact(&mut self, spec: &FactSpec) -> Value {
        let name = definition_of(spec.name, "Trigger");
        let value = self.reference(&name, |definitions| {
            let short = spec.fields.first().map_or("", |field| field.name);
            let about = format!("{} A bare value is short for `{short}`.", spec.about);
            let mut long = definitions.params(spec.fields, &about);
            let mut nth = u32_or_parameter();
            described(&mut nth, "Which occurrence, from 1.", &["2"]);
            long["properties"]["nth"] = nth;
            or_scalar(long)
        });
        named(spec.name, value, spec.about, spec.example)
    }

    /// The expectations of services stand among the others.
    fn expectations(&mut self) {
        let window = [
            ("after", "Only from this moment on.", "1m"),
            ("before", "Only until this moment.", "1h"),
            (
                "within",
                "Only this long after `after`, or after power-on.",
                "30m",
            ),
        ];
        let states: Vec<_> = self.format.states().collect();
        for (_, spec) in states {
            let Some(field) = spec.fields.first() else {
                continue;
            };
            let params = STATE_KEYS.map(|(name, about)| ParamSpec {
                name,
                about,
                required: false,
                ..*field
            });
            let about = format!(
                "{} At a moment or over time: exactly one of `is` with `at`, `always`, `never` and `time-in`.",
                spec.about
            );
            let mut schema = self.params(&params, &about);
            let at = [("at", "The moment for `is`.", "20m")];
            for (key, about, example) in at.iter().chain(&window) {
                self.window_key(&mut schema, key, about, example);
            }
            let total = [
                ("min", "The shortest total time allowed for `time-in`.", "2h50m"),
                ("max", "The longest total time allowed for `time-in`.", "30s"),
            ];
            for (key, about, example) in total {
                let mut value = self.of(&TimeSpan::TYPE);
                described(&mut value, about, &[example]);
                schema["properties"][key] = value;
            }
            let example = format!("{{never: {}, after: 1m}}", field.example);
            self.expectation(spec.name, schema, &about, &example);
        }
        let judged: Vec<_> = self.format.expectations().collect();
        for (_, spec) in judged {
            let mut schema = self.params(spec.params, spec.about);
            let keys = match spec.window {
                WindowKeys::None => &window[..0],
                WindowKeys::After => &window[..1],
                WindowKeys::All => &window[..],
            };
            for (key, about, example) in keys {
                let about = match spec.window {
                    WindowKeys::After => {
                        "After this moment; left out, after the last fault of the run has ended."
                    }
                    WindowKeys::None | WindowKeys::All => about,
                };
                self.window_key(&mut schema, key, about, example);
            }
            self.expectation(spec.name, schema, spec.about, spec.example);
        }
    }

    fn window_key(&mut self, schema: &mut Value, key: &str, about: &str, example: &str) {
        let ty = if key == "within" {
            TimeSpan::TYPE
        } else {
            Trigger::TYPE
        };
        let mut value = self.of(&ty);
        described(&mut value, about, &[example]);
        schema["properties"][key] = value;
    }

    fn expectation(&mut self, name: &str, schema: Value, about: &str, example: &str) {
        let definition = definition_of(name, "Expectation");
        let mut value = self.reference(&definition, |_| schema);
        described(&mut value, about, &[example]);
        self.made["Expectation"]["properties"][name] = value;
    }
}

/// A mapping with this one key.
fn named(name: &str, value: Value, about: &str, example: &str) -> Value {
    let mut schema = json!({
        "type": "object",
        "properties": { name: value },
        "required": [name],
        "additionalProperties": false,
    });
    described(&mut schema, about, &[example]);
    schema
}

fn u32_or_parameter() -> Value {
    integer(0, u32::MAX.into())
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
        NodeKind::Map(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| (key.text.clone(), json_of(value)));
            Value::Object(entries.collect())
        }
        NodeKind::List(items) => Value::Array(items.iter().map(json_of).collect()),
        NodeKind::Binary(bytes) => json!(bytes),
        NodeKind::Scalar(_) if node.is_null() => Value::Null,
        NodeKind::Scalar(text) if text.plain => plain(&text.text),
        NodeKind::Scalar(text) => json!(text.text),
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
