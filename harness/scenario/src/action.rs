//! Actions: what a fault does, grouped by what carries it out.
//!
//! Each effector matches its own enum exhaustively, so that a new action does not compile before it has an arm there.

mod clock;
mod device;
mod network;
mod operation;
mod radio;
mod reply;
mod request;
mod tcp;
mod wire;

use std::time::Duration;

use crate::read::{Cx, Read, Special, Tagged, Type, Variant, tagged, unknown, value};
use crate::tree::Node;
use crate::validate_action;

pub use vocabulary::spec::Nature;

pub use clock::{ClockError, Leap, NtpFault};
pub use device::{CorruptFlash, DeviceAction, DrivePin, PowerCut, ResetFault};
pub use network::{Deauthenticate, DhcpFault, DnsFault, NetworkAction, Only, TrafficDirection, TrafficKind};
pub use operation::Operation;
pub use radio::RadioAction;
pub use reply::{Chunked, Interim, LoseReply, LostReply, Respond, RetryAfter};
pub use request::RequestAction;
pub use tcp::{Dribble, Message, ResetConnection, SlowBody, TlsFault, Truncate};
pub use wire::LinkFault;

/// What a fault does, by what carries it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// By the access point.
    Radio(RadioAction),
    /// By the network behind it.
    Network(NetworkAction),
    /// By the TLS end of a service.
    Tls(TlsFault),
    /// By the server, on requests and their replies.
    Request(RequestAction),
    /// By the service and its operator.
    Service(Operation),
    /// By the device's supply, reset, pins and flash.
    Device(DeviceAction),
}

/// Layers with their actions, in the order of the reference.
pub(crate) const LAYERS: [(&str, &[&str]); 8] = [
    (
        "radio",
        &[
            "access-point-gone",
            "deauthenticate",
            "wrong-password",
            "rssi",
            "hidden",
            "channel",
        ],
    ),
    ("link", &["link"]),
    ("IP", &["dhcp", "dns", "captive-portal"]),
    (
        "TCP",
        &[
            "refuse",
            "blackhole",
            "reset-connection",
            "close-connection",
            "half-open",
            "truncate",
            "dribble",
        ],
    ),
    ("TLS", &["tls"]),
    (
        "HTTP",
        &[
            "respond",
            "delay",
            "wrong-content-length",
            "malformed-json",
            "missing-field",
            "html",
            "gzip",
            "redirect-to-https",
            "slow-body",
            "duplicate-reply",
            "raw-reply",
            "chunked",
            "interim",
            "lose-reply",
        ],
    ),
    ("clocks", &["ntp-clock", "ntp"]),
    ("device", &["power-cut", "reset", "drive-pin", "corrupt-flash"]),
];

/// What the schema says of actions as a whole.
pub(crate) const ABOUT: &str = "What a fault does. One key, or the bare name where there is nothing to say.\n\nAn action that lasts goes on for the time \
     of `for`. An action on requests strikes the request that triggered\nit; with `for` it strikes every request while it \
     lasts, or those to the fault's `endpoint`.";

/// The one action of TLS.
const TLS: Variant = Variant {
    name: "tls",
    about: "New TLS handshakes go wrong. Only where the cloud is served with TLS (`oceanrig serve --tls --scenario`); the\n\
            device of a bench speaks plain HTTP. Lasts.",
    examples: &["expired"],
    value: Some(TlsFault::TYPE),
    bare: false,
};

/// Every action but the operations of services, each name once.
pub(crate) fn variants() -> impl Iterator<Item = &'static Variant> + Clone {
    let on_requests = RequestAction::CHOICE
        .variants
        .iter()
        .filter(|v| v.name != "blackhole");
    RadioAction::CHOICE
        .variants
        .iter()
        .chain(NetworkAction::CHOICE.variants)
        .chain(std::iter::once(&TLS))
        .chain(on_requests)
        .chain(DeviceAction::CHOICE.variants)
}

impl Read for Action {
    const TYPE: Type = Type::Special(Special::Action);

    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<Action> {
        let named = tagged(node, &|| "an action such as `access-point-gone`".to_owned(), cx)?;
        let action = Action::named(&named, cx)?;
        validate_action::action(&action, node.span, cx);
        Some(action)
    }
}

impl Action {
    /// The action of a name, with its value.
    fn named(named: &Tagged<'_>, cx: &mut Cx<'_>) -> Option<Action> {
        let name = named.name;
        let Some(variant) = variants().find(|v| v.name == name) else {
            let operation = cx.format.operations().find(|(_, spec)| spec.name == name);
            if let Some((service, spec)) = operation {
                return Operation::read(service, spec, named, cx).map(Action::Service);
            }
            let mut names: Vec<&str> = variants().map(|v| v.name).collect();
            names.extend(cx.format.operations().map(|(_, spec)| spec.name));
            unknown(name, named.span, &names, cx);
            return None;
        };
        if named.value.is_none() && variant.value.is_some() && !variant.bare {
            let message = format!("`{name}` needs a value; `oceanrig faults {name}` shows an example");
            cx.problem(named.span, message, "this action", "");
            return None;
        }
        if RadioAction::CHOICE.has(name) {
            RadioAction::variant(named, cx).map(Action::Radio)
        } else if NetworkAction::CHOICE.has(name) {
            NetworkAction::variant(named, cx).map(Action::Network)
        } else if name == TLS.name {
            value(named, false, cx).map(Action::Tls)
        } else if DeviceAction::CHOICE.has(name) {
            DeviceAction::variant(named, cx).map(Action::Device)
        } else {
            RequestAction::variant(named, cx).map(Action::Request)
        }
    }

    /// Makes a `blackhole` of all of TCP one of the requests to an endpoint.
    pub(crate) fn aim_at_requests(&mut self) {
        if matches!(self, Action::Network(NetworkAction::Blackhole(only)) if *only == Only::default()) {
            *self = Action::Request(RequestAction::Blackhole);
        }
    }

    /// Its name in files.
    pub const fn name(&self) -> &'static str {
        match self {
            Action::Radio(action) => action.name(),
            Action::Network(action) => action.name(),
            Action::Tls(_) => "tls",
            Action::Request(action) => action.name(),
            Action::Service(action) => action.name(),
            Action::Device(action) => action.name(),
        }
    }

    /// How long it acts.
    pub fn nature(&self) -> Nature {
        match self {
            Action::Radio(action) => action.nature(),
            Action::Network(_) | Action::Tls(_) => Nature::Lasting,
            Action::Request(_) => Nature::OnRequests,
            Action::Service(action) => action.nature(),
            Action::Device(action) => action.nature(),
        }
    }

    /// The one thing that it sets, where two faults at the same time would contradict each other.
    pub fn sets(&self) -> Option<String> {
        match self {
            Action::Radio(action) => action.sets().map(str::to_owned),
            Action::Network(action) => action.sets().map(str::to_owned),
            Action::Tls(_) => Some("the TLS handshake".to_owned()),
            Action::Request(action) => action.sets().map(str::to_owned),
            Action::Service(action) => action.sets().map(str::to_owned),
            Action::Device(action) => action.sets(),
        }
    }

    /// How long it lasts where the fault has no `for`; `None`: to the end of the run.
    pub const fn usual_length(&self) -> Option<Duration> {
        match self {
            Action::Service(action) => action.usual_length(),
            Action::Device(action) => action.usual_length(),
            Action::Radio(_) | Action::Network(_) | Action::Tls(_) | Action::Request(_) => None,
        }
    }

    /// Whether it cuts a request and not a reply, so that it must strike at the first byte.
    pub fn is_on_the_way_in(&self) -> bool {
        match self {
            Action::Request(action) => action.is_on_the_way_in(),
            Action::Radio(_)
            | Action::Network(_)
            | Action::Tls(_)
            | Action::Service(_)
            | Action::Device(_) => false,
        }
    }
}
