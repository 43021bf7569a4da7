//! The fault plan: what goes wrong, when, and for how long.

use schemars::JsonSchema;
use serde::Deserialize;
use vocabulary::Endpoint;

use crate::action::{Action, Nature, RawAction};
use crate::located::Located;
use crate::names;
use crate::quantity::{Share, TimeSpan};
use crate::trigger::Trigger;

/// An entry of the fault plan.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Fault")]
struct RawFault {
    /// Its name, unique in the file. Triggers and reports refer to it.
    #[schemars(example = &"wifi-drop")]
    name: Located<String>,
    /// The moment at which it begins.
    #[schemars(example = serde_json::json!({"request": {"endpoint": "renew-session", "at": "before-effect"}}))]
    when: Located<Trigger>,
    /// What it does.
    #[serde(rename = "do")]
    #[schemars(example = &"access-point-gone")]
    action: Located<RawAction>,
    /// Only requests to this endpoint, for actions on requests and for `blackhole`; left out, those of the trigger, or
    /// all.
    #[serde(default, deserialize_with = "names::endpoint")]
    #[schemars(with = "Option<names::EndpointName>", example = &"renew-session")]
    endpoint: Option<Endpoint>,
    /// How long it lasts; left out, to the end of the run. For actions that last; with an action on requests, every
    /// one of them is struck in this time.
    #[serde(rename = "for")]
    #[schemars(example = &"30s")]
    lasts: Option<Located<TimeSpan>>,
    /// Whether it happens again.
    #[schemars(example = serde_json::json!({"times": 3}))]
    repeat: Option<Located<Repeat>>,
    /// With what probability it happens when its moment comes, drawn from the seed.
    #[schemars(example = &"20%")]
    probability: Option<Share>,
    /// Whether the run may end without it. Otherwise a fault that never fired fails the run.
    #[serde(default)]
    #[schemars(example = true)]
    optional: bool,
}

/// An entry of the fault plan.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(from = "RawFault")]
#[schemars(with = "RawFault")]
pub struct Fault {
    /// Its name, unique in the file. Triggers and reports refer to it.
    pub name: Located<String>,
    /// The moment at which it begins.
    pub when: Located<Trigger>,
    /// What it does.
    pub action: Located<Action>,
    /// Only requests to this endpoint, for actions on requests and for `blackhole`; left out, those of the trigger, or
    /// all.
    pub endpoint: Option<Endpoint>,
    /// How long it lasts; left out, to the end of the run. For actions that last; with an action on requests, every
    /// one of them is struck in this time.
    pub lasts: Option<Located<TimeSpan>>,
    /// Whether it happens again.
    pub repeat: Option<Located<Repeat>>,
    /// With what probability it happens when its moment comes, drawn from the seed.
    pub probability: Option<Share>,
    /// Whether the run may end without it. Otherwise a fault that never fired fails the run.
    pub optional: bool,
}

impl From<RawFault> for Fault {
    fn from(raw: RawFault) -> Fault {
        Fault {
            name: raw.name,
            when: raw.when,
            action: Located {
                span: raw.action.span,
                value: raw.action.value.grouped(raw.endpoint.is_some()),
            },
            endpoint: raw.endpoint,
            lasts: raw.lasts,
            repeat: raw.repeat,
            probability: raw.probability,
            optional: raw.optional,
        }
    }
}

impl Fault {
    /// Whether it begins and ends, so that `for` means something.
    pub fn lasts(&self) -> bool {
        match self.action.nature() {
            Nature::Once => false,
            Nature::Lasting => true,
            Nature::OnRequests => self.lasts.is_some() || !matches!(self.when.value, Trigger::Request(_)),
        }
    }
}

/// How a fault happens again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Repeat {
    /// How often in all; left out, as often as its moment comes.
    #[schemars(example = 3)]
    pub times: Option<u32>,
    /// With a trigger that counts: every so many occurrences from `nth` on; left out, at each.
    #[schemars(example = 5)]
    pub every: Option<u32>,
    /// With `time` and `after`: again after this time.
    #[schemars(example = &"10m")]
    pub interval: Option<TimeSpan>,
}
