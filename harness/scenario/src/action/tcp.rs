//! Actions on the byte stream of a reply.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::located::Located;
use crate::quantity::TimeSpan;

/// The server tears the connection down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ResetConnection {
    /// After so many bytes of the reply, head included; left out, at once and without a reply.
    #[schemars(example = 40)]
    pub after_byte: Option<u32>,
}

/// The reply breaks off.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Truncate {
    /// After so many bytes, head included.
    #[schemars(example = 120)]
    pub after_byte: u32,
}

/// The reply trickles.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Dribble {
    /// Bytes at a time.
    #[schemars(example = 1)]
    pub bytes: Located<u32>,
    /// Time between two pieces.
    #[schemars(example = &"500ms")]
    pub every: Located<TimeSpan>,
}

impl Default for Dribble {
    fn default() -> Dribble {
        Dribble {
            bytes: Located::unwritten(1),
            every: Located::unwritten(TimeSpan::from_millis(100)),
        }
    }
}

/// The reply's body trickles, after a head that comes at once.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct SlowBody {
    /// Bytes at a time.
    #[schemars(example = 1)]
    pub bytes: Located<u32>,
    /// Time between two pieces.
    #[schemars(example = &"1s")]
    pub every: Located<TimeSpan>,
}

impl Default for SlowBody {
    fn default() -> SlowBody {
        SlowBody {
            bytes: Located::unwritten(1),
            every: Located::unwritten(TimeSpan::from_millis(100)),
        }
    }
}
