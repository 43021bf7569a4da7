//! How often something must happen.

use crate::read::{Cx, Entries, Key, Mapping, Read, Type, refuse_key};
use crate::tree::{Node, NodeKind};

/// How often: a bare number is exactly that often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// At least this often.
    pub min: Option<u64>,
    /// At most this often.
    pub max: Option<u64>,
}

/// The long form; the short one is a number.
const MAPPING: Mapping = Mapping {
    name: "Count",
    about: "How often: a bare number is exactly that often.",
    keys: &[
        key("min", "At least this often.", &["3"]),
        key("max", "At most this often.", &["5"]),
    ],
    short: Some("exactly"),
    unknown: refuse_key,
};

const fn key(name: &'static str, about: &'static str, examples: &'static [&'static str]) -> Key {
    Key {
        name,
        about,
        examples,
        ty: u64::TYPE,
        default: None,
        required: false,
    }
}

impl Read for Count {
    const TYPE: Type = Type::Mapping(|| &MAPPING);

    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<Count> {
        if let NodeKind::Scalar(text) = &node.kind
            && !node.is_null()
        {
            let count = text.text.parse().ok().map(Count::exactly);
            if count.is_none() {
                let message = format!("`{}` is not a count: write a whole number", text.text);
                cx.problem(node.span, message, "here", "");
            }
            return count;
        }
        let mut entries = Entries::open(node, &MAPPING, cx)?;
        let min: Option<u64> = entries.field("min", None, cx)?;
        let max: Option<u64> = entries.field("max", None, cx)?;
        entries.ok.then_some(Count { min, max })
    }
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
