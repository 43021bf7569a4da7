//! Values that know where they were written.

use std::ops::Deref;

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
