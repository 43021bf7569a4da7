//! Actions on the meaning of a reply, and on the cloud.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use vocabulary::spec::Nature;

use super::clock::ServerClockFault;
use crate::located::Located;
use crate::quantity::TimeOffset;
use crate::scalar::{ShortForm, or_scalar, short_form};

/// A ban without a length lasts this long (docs/oceanremote-contract.md, "Limits").
const BAN: Duration = Duration::from_secs(24 * 3600);

/// An action of the service: an operation of its operator or a change of its limits or its clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceAction {
    /// An operator switches a relay on the dashboard. Happens once.
    CommandRelay(CommandRelay),
    /// An operator revokes the device's permanent token. Happens once.
    RevokePermanentToken,
    /// The device's session ends before its time: `Session expired`. Happens once.
    ExpireSession,
    /// The server forgets the device's session: `Invalid token`. Happens once.
    InvalidateSession,
    /// An operator presses "Renew Session" on the dashboard. Happens once.
    RenewSession,
    /// An operator deletes the device: its paths answer 404. Happens once.
    DeleteDevice,
    /// Somebody else uses the device's registration token up. Happens once.
    SpendRegistrationToken,
    /// An operator draws a new registration token; the device is not told. Happens once.
    RegenerateRegistrationToken,
    /// The permanent token is bound to another MAC address than the device's. Happens once.
    MacMismatch,
    /// The device's address is banned; without `for`, for the 24 h of the contract. Lasts.
    Ban,
    /// The limits per address are these; what is left out stays. Lasts.
    Limits(LimitsFault),
    /// The server's clock goes wrong. Lasts, but for a step.
    ServerClock(ServerClockFault),
}

impl ServiceAction {
    /// Its name in files.
    pub const fn name(&self) -> &'static str {
        match self {
            ServiceAction::CommandRelay(_) => "command-relay",
            ServiceAction::RevokePermanentToken => "revoke-permanent-token",
            ServiceAction::ExpireSession => "expire-session",
            ServiceAction::InvalidateSession => "invalidate-session",
            ServiceAction::RenewSession => "renew-session",
            ServiceAction::DeleteDevice => "delete-device",
            ServiceAction::SpendRegistrationToken => "spend-registration-token",
            ServiceAction::RegenerateRegistrationToken => "regenerate-registration-token",
            ServiceAction::MacMismatch => "mac-mismatch",
            ServiceAction::Ban => "ban",
            ServiceAction::Limits(_) => "limits",
            ServiceAction::ServerClock(_) => "server-clock",
        }
    }

    /// How long it acts.
    pub const fn nature(&self) -> Nature {
        match self {
            ServiceAction::CommandRelay(_)
            | ServiceAction::RevokePermanentToken
            | ServiceAction::ExpireSession
            | ServiceAction::InvalidateSession
            | ServiceAction::RenewSession
            | ServiceAction::DeleteDevice
            | ServiceAction::SpendRegistrationToken
            | ServiceAction::RegenerateRegistrationToken
            | ServiceAction::MacMismatch
            | ServiceAction::ServerClock(ServerClockFault::Step(_)) => Nature::Once,
            ServiceAction::Ban
            | ServiceAction::Limits(_)
            | ServiceAction::ServerClock(ServerClockFault::Offset(_) | ServerClockFault::DriftPpm(_)) => {
                Nature::Lasting
            }
        }
    }

    /// See [`super::Action::sets`].
    pub(super) const fn sets(&self) -> Option<&'static str> {
        match self {
            ServiceAction::Ban => Some("the ban"),
            ServiceAction::Limits(_) => Some("the limits"),
            ServiceAction::ServerClock(ServerClockFault::Offset(_)) => Some("the server's clock"),
            ServiceAction::ServerClock(ServerClockFault::DriftPpm(_)) => {
                Some("the drift of the server's clock")
            }
            ServiceAction::ServerClock(ServerClockFault::Step(_))
            | ServiceAction::CommandRelay(_)
            | ServiceAction::RevokePermanentToken
            | ServiceAction::ExpireSession
            | ServiceAction::InvalidateSession
            | ServiceAction::RenewSession
            | ServiceAction::DeleteDevice
            | ServiceAction::SpendRegistrationToken
            | ServiceAction::RegenerateRegistrationToken
            | ServiceAction::MacMismatch => None,
        }
    }

    /// See [`super::Action::usual_length`].
    pub(super) const fn usual_length(&self) -> Option<Duration> {
        match self {
            ServiceAction::Ban => Some(BAN),
            ServiceAction::CommandRelay(_)
            | ServiceAction::RevokePermanentToken
            | ServiceAction::ExpireSession
            | ServiceAction::InvalidateSession
            | ServiceAction::RenewSession
            | ServiceAction::DeleteDevice
            | ServiceAction::SpendRegistrationToken
            | ServiceAction::RegenerateRegistrationToken
            | ServiceAction::MacMismatch
            | ServiceAction::Limits(_)
            | ServiceAction::ServerClock(_) => None,
        }
    }
}

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
