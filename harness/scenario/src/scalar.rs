//! Reading and describing values that are written as one scalar.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

use crate::quantity::{Amount, CivilTime, Factor, MacAddress, Share, TimeOffset, TimeSpan};

struct TextVisitor<T>(PhantomData<T>, &'static str);

impl<T: FromStr<Err = String>> de::Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.1)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

macro_rules! text_scalar {
    ($type:ident, $name:literal, $expecting:literal, $pattern:literal, $types:tt) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(TextVisitor(PhantomData, $expecting))
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "description": $expecting, "type": $types, "pattern": $pattern })
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
    "string"
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
    "string"
);
text_scalar!(
    MacAddress,
    "MAC address",
    "a MAC address such as `02:0c:ea:00:00:01`",
    r"^([0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}|.*\$\{.*)$",
    "string"
);

/// A mapping that may also be written as one scalar, which stands for its most common form.
pub(crate) trait ShortForm: Sized {
    /// What may be written, for error messages.
    const EXPECTING: &'static str;

    /// The value that `text` stands for.
    fn from_short(text: &str) -> Result<Self, String>;
}

/// Implements `Deserialize` for a [`ShortForm`] whose mapping is derived with `#[serde(remote = "Self")]`:
/// unlike `untagged`, that keeps the places of the values inside.
macro_rules! short_form {
    ($type:ident) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct V;
                impl<'de> serde::de::Visitor<'de> for V {
                    type Value = $type;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(<$type as $crate::scalar::ShortForm>::EXPECTING)
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        <$type as $crate::scalar::ShortForm>::from_short(text).map_err(E::custom)
                    }

                    fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<$type, E> {
                        self.visit_str(&n.to_string())
                    }

                    fn visit_i64<E: serde::de::Error>(self, n: i64) -> Result<$type, E> {
                        self.visit_str(&n.to_string())
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<$type, A::Error> {
                        <$type>::deserialize(serde::de::value::MapAccessDeserializer::new(map))
                    }
                }
                deserializer.deserialize_any(V)
            }
        }
    };
}
pub(crate) use short_form;

/// Lets a schema be a scalar too.
pub(crate) fn or_scalar(schema: &mut Schema) {
    let long = std::mem::take(schema);
    let description = long.get("description").cloned();
    *schema = json_schema!({ "anyOf": [{ "type": ["string", "integer"] }, long] });
    if let Some(description) = description {
        schema.insert("description".to_owned(), description);
    }
}
