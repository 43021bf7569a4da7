//! How often something must happen.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::scalar::{ShortForm, or_scalar, short_form};

/// How often: a bare number is exactly that often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(remote = "Self", default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(transform = or_scalar)]
pub struct Count {
    /// At least this often.
    #[schemars(example = 3)]
    pub min: Option<u64>,
    /// At most this often.
    #[schemars(example = 5)]
    pub max: Option<u64>,
}

impl Count {
    /// Once or more: what is meant when no count is given.
    pub const AT_LEAST_ONE: Count = Count {
        min: Some(1),
        max: None,
    };

    /// Exactly `n` times.
    pub const fn exactly(n: u64) -> Count {
        Count {
            min: Some(n),
            max: Some(n),
        }
    }

    /// Whether `n` times is right.
    pub fn holds(self, n: u64) -> bool {
        self.min.is_none_or(|min| n >= min) && !self.exceeded_by(n)
    }

    /// Whether `n` times is too often already.
    pub fn exceeded_by(self, n: u64) -> bool {
        self.max.is_some_and(|max| n > max)
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.min, self.max) {
            (Some(min), Some(max)) if min == max => write!(f, "exactly {min}"),
            (Some(min), Some(max)) => write!(f, "{min} to {max}"),
            (Some(min), None) => write!(f, "at least {min}"),
            (None, Some(max)) => write!(f, "at most {max}"),
            (None, None) => f.write_str("any number"),
        }
    }
}

impl ShortForm for Count {
    const EXPECTING: &'static str = "a number, or a mapping with `min` and `max`";

    fn from_short(text: &str) -> Result<Self, String> {
        text.parse()
            .map(Count::exactly)
            .map_err(|_| format!("`{text}` is not a count: write a whole number"))
    }
}

short_form!(Count);
