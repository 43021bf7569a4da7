//! Values that know where they were written.

use std::borrow::Cow;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A place in the text of a scenario file, after the substitution of parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Offset of the first byte.
    pub offset: usize,
    /// Length in bytes.
    pub len: usize,
    /// Line from 1; 0 when the value was not written but is a default.
    pub line: u32,
    /// Column from 1, in characters.
    pub column: u32,
}

impl Span {
    /// Whether the place is known.
    pub const fn is_known(self) -> bool {
        self.line != 0
    }

    /// This place, or `other` when this one is not known.
    pub const fn or(self, other: Span) -> Span {
        if self.is_known() { self } else { other }
    }
}

impl From<serde_saphyr::Location> for Span {
    fn from(l: serde_saphyr::Location) -> Span {
        let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let size = |n: Option<u64>| usize::try_from(n.unwrap_or(0)).unwrap_or(0);
        Span {
            offset: size(l.span().byte_offset()),
            len: size(l.span().byte_len()),
            line: small(l.line()),
            column: small(l.column()),
        }
    }
}

/// A value and the place where it was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Its place; unknown for a default.
    pub span: Span,
}

impl<T> Located<T> {
    /// A value that was not written.
    pub const fn unwritten(value: T) -> Located<T> {
        Located {
            value,
            span: Span {
                offset: 0,
                len: 0,
                line: 0,
                column: 0,
            },
        }
    }
}

impl<T> Deref for Located<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = serde_saphyr::Spanned::<T>::deserialize(deserializer)?;
        Ok(Located {
            value: spanned.value,
            span: spanned.referenced.into(),
        })
    }
}

impl<T: Serialize> Serialize for Located<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<T: JsonSchema> JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}
