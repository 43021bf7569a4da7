//! Actions on the byte stream of a request or a reply.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::located::Located;
use crate::quantity::TimeSpan;

/// The server tears the connection down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ResetConnection {
    /// After so many bytes, head included; left out, at once and without a reply.
    #[schemars(example = 40)]
    pub after_byte: Option<u32>,
    /// Whose bytes are counted.
    #[schemars(example = &"request")]
    pub of: Located<Message>,
}

/// What is cut: the device's words or the server's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Message {
    /// What the device sends. It is cut before its last byte at the latest, and has no effect.
    Request,
    /// What the server sends; the request has its effect.
    #[default]
    Reply,
}

/// A request or a reply breaks off.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Truncate {
    /// After so many bytes, head included.
    #[schemars(example = 120)]
    pub after_byte: u32,
    /// Whose bytes are counted.
    #[serde(default)]
    #[schemars(example = &"request")]
    pub of: Located<Message>,
}

/// What is wrong with TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TlsFault {
    /// The certificate ended yesterday.
    Expired,
    /// The certificate begins in 30 days.
    NotYetValid,
    /// The certificate is for another name.
    WrongName,
    /// The certificate was signed by an authority of the same name and another key.
    UnknownCa,
    /// The connection is torn down in the middle of the server's first flight.
    HandshakeCutOff,
    /// The server speaks nothing newer than TLS 1.2.
    #[serde(rename = "only-tls12")]
    OnlyTls12,
    /// The server speaks nothing older than TLS 1.3.
    #[serde(rename = "only-tls13")]
    OnlyTls13,
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
