//! Actions on the meaning of a reply, and on the cloud.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::located::Located;
use crate::quantity::TimeOffset;
use crate::scalar::{ShortForm, or_scalar, short_form};

/// A reply in place of the cloud's own. A bare number is the status.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(remote = "Self", deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(transform = or_scalar)]
pub struct Respond {
    /// The status, 200 to 599.
    #[schemars(example = 503)]
    pub status: Located<u16>,
    /// The header `Retry-After`; left out, there is none.
    #[serde(default)]
    #[schemars(example = serde_json::json!({"date": "-1h"}))]
    pub retry_after: Option<RetryAfter>,
    /// The text of the contract's error body, in place of the status' usual one.
    #[serde(default)]
    #[schemars(example = &"Too many requests")]
    pub error: Option<String>,
    /// The body, in place of the contract's error.
    #[serde(default)]
    #[schemars(example = &"upstream connect error")]
    pub body: Option<Located<String>>,
    /// The header `Content-Type`.
    #[serde(default)]
    #[schemars(example = &"text/plain")]
    pub content_type: Option<Located<String>>,
    /// More headers.
    #[serde(default)]
    #[schemars(example = serde_json::json!({"server": "nginx"}))]
    pub headers: BTreeMap<String, String>,
}

impl ShortForm for Respond {
    const EXPECTING: &'static str = "a status such as `503`, or a mapping with `status`";

    fn from_short(text: &str) -> Result<Self, String> {
        let status = text.parse().map_err(|_| format!("`{text}` is no HTTP status"))?;
        Ok(Respond {
            status: Located::unwritten(status),
            retry_after: None,
            error: None,
            body: None,
            content_type: None,
            headers: BTreeMap::new(),
        })
    }
}

short_form!(Respond);

/// The header `Retry-After`. A scalar is sent as it is written: `120`, `0`, `-5`, `99999999999`, `soon`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(remote = "Self", rename_all = "kebab-case")]
#[schemars(transform = or_scalar)]
pub enum RetryAfter {
    /// Sent as it is written.
    #[schemars(example = &"120")]
    Text(String),
    /// An HTTP date, so far ahead of the server's clock; negative lies in the past.
    #[schemars(example = &"2m")]
    Date(TimeOffset),
}

impl ShortForm for RetryAfter {
    const EXPECTING: &'static str = "the header's text such as `120`, or a mapping with `date`";

    fn from_short(text: &str) -> Result<Self, String> {
        Ok(RetryAfter::Text(text.to_owned()))
    }
}

short_form!(RetryAfter);

/// The request takes effect, and its reply is lost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct LoseReply {
    /// What the device sees in its place.
    #[schemars(example = &"reset")]
    pub then: LostReply,
}

/// What a device sees in place of a reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LostReply {
    /// Nothing: the connection stays open and silent.
    #[default]
    Silence,
    /// The connection is torn down (RST).
    Reset,
    /// The connection ends in order (FIN).
    Close,
}

/// An operator switches a relay.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CommandRelay {
    /// Which relay, from 1.
    #[schemars(example = 1)]
    pub relay: Located<u8>,
    /// Whether it is to be on.
    #[schemars(example = true)]
    pub on: bool,
}

/// Limits per address, in place of the contract's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct LimitsFault {
    /// Requests in any second.
    #[schemars(example = 1)]
    pub requests: Option<u32>,
    /// Registrations in any minute.
    #[schemars(example = 1)]
    pub registrations: Option<u32>,
    /// Connections at the same time.
    #[schemars(example = 1)]
    pub connections: Option<u32>,
    /// Failed attempts that ban an address for 24 h.
    #[schemars(example = 5)]
    pub ban_after: Option<u32>,
}
