//! Steps: the Wokwi automation format, as it is.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, IgnoredAny};

use crate::located::{Located, Span};
use crate::quantity::TimeSpan;

/// A step: one of these keys, and a name if you like.
#[derive(Clone, Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Step")]
pub(crate) struct RawStep {
    /// A name for reports.
    #[schemars(example = &"press the button")]
    pub(crate) name: Option<String>,
    /// Waits for this time.
    #[schemars(example = &"500ms")]
    pub(crate) delay: Option<Located<TimeSpan>>,
    /// Waits for this text on the serial console, from the end of the previous match on.
    #[schemars(example = &"[REG] Registered")]
    pub(crate) wait_serial: Option<Located<String>>,
    /// Types this into the serial console: text, or a list of bytes.
    #[schemars(example = &"status\n", example = serde_json::json!([3, 4]))]
    pub(crate) write_serial: Option<Located<SerialInput>>,
    /// Fails unless the pin has this level now.
    #[schemars(example = serde_json::json!({"part-id": "esp", "pin": "GPIO4", "value": 1}))]
    pub(crate) expect_pin: Option<Located<RawExpectPin>>,
    /// Presses or releases a button of `bench.wiring`.
    #[schemars(example = serde_json::json!({"part-id": "btn1", "control": "pressed", "value": 1}))]
    pub(crate) set_control: Option<Located<RawSetControl>>,
    #[schemars(skip)]
    pub(crate) take_screenshot: Option<Located<Ignored>>,
    #[schemars(skip)]
    pub(crate) touch: Option<Located<Ignored>>,
    #[schemars(skip)]
    pub(crate) touch_press: Option<Located<Ignored>>,
    #[schemars(skip)]
    pub(crate) touch_move: Option<Located<Ignored>>,
    #[schemars(skip)]
    pub(crate) touch_release: Option<Located<Ignored>>,
    #[schemars(skip)]
    pub(crate) expect_chip_output: Option<Located<Ignored>>,
}

/// Anything at all: the arguments of a step that is not supported.
#[derive(Clone, Debug)]
pub(crate) struct Ignored;

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Ignored)
    }
}

/// What is typed into the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SerialInput(pub(crate) Vec<u8>);

impl<'de> Deserialize<'de> for SerialInput {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = SerialInput;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text, or a list of bytes from 0 to 255")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<SerialInput, E> {
                Ok(SerialInput(text.as_bytes().to_vec()))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<SerialInput, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = seq.next_element()? {
                    bytes.push(byte);
                }
                Ok(SerialInput(bytes))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for SerialInput {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "serial input".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "text, or a list of bytes from 0 to 255",
            "anyOf": [
                { "type": "string", "minLength": 1 },
                { "type": "array", "minItems": 1, "items": { "type": "integer", "minimum": 0, "maximum": 255 } }
            ]
        })
    }
}

/// A pin and the level that it must have.
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "ExpectPin")]
pub(crate) struct RawExpectPin {
    /// The chip; any id is taken for it.
    #[serde(rename = "part-id")]
    #[schemars(example = &"esp")]
    pub(crate) _part_id: String,
    /// The pin: `GPIO4`, `IO4` or `4`. `name` is another word for it.
    #[schemars(example = &"GPIO4")]
    pub(crate) pin: Option<Located<String>>,
    /// Another word for `pin`.
    #[schemars(example = &"4")]
    pub(crate) name: Option<Located<String>>,
    /// 0 or 1.
    #[schemars(example = 1)]
    pub(crate) value: Located<u8>,
}

/// A control of a part and its new value.
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "SetControl")]
pub(crate) struct RawSetControl {
    /// The part, by its name in `bench.wiring`.
    #[schemars(example = &"btn1")]
    pub(crate) part_id: Located<String>,
    /// The control: `pressed`.
    #[schemars(example = &"pressed")]
    pub(crate) control: Located<String>,
    /// 1 presses, 0 releases.
    #[schemars(with = "f64", example = 1)]
    pub(crate) value: Located<String>,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// What it does.
    pub kind: StepKind,
    /// Its place.
    pub span: Span,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// Waits for a time.
    Delay(TimeSpan),
    /// Waits for bytes on the serial console, from the end of the previous match on.
    WaitSerial(String),
    /// Types bytes into the serial console.
    WriteSerial(Vec<u8>),
    /// Fails unless a pin has a level now.
    ExpectPin {
        /// GPIO number.
        gpio: u8,
        /// True is high.
        level: bool,
    },
    /// Drives a pin.
    SetPin {
        /// GPIO number.
        gpio: u8,
        /// True is high.
        level: bool,
    },
}
