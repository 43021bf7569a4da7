//! Actions: what a fault does, grouped by what carries it out.
//!
//! Each effector matches its own enum exhaustively, so that a new action does not compile before it has an arm there.

mod clock;
mod device;
mod network;
mod radio;
mod raw;
mod request;
mod service;
mod tcp;
mod wire;

use std::time::Duration;

pub use vocabulary::spec::Nature;

pub use clock::{ClockError, Leap, NtpFault, ServerClockFault};
pub use device::{CorruptFlash, DeviceAction, DrivePin, PowerCut, ResetFault};
pub use network::{Deauthenticate, DhcpFault, DnsFault, NetworkAction, Only, TrafficDirection, TrafficKind};
pub use radio::RadioAction;
pub(crate) use raw::RawAction;
pub use request::RequestAction;
pub use service::{CommandRelay, LimitsFault, LoseReply, LostReply, Respond, RetryAfter, ServiceAction};
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
    Service(ServiceAction),
    /// By the device's supply, reset, pins and flash.
    Device(DeviceAction),
}

/// Layers with their actions, in the order of the reference.
pub(crate) const LAYERS: [(&str, &[&str]); 9] = [
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
            "lose-reply",
        ],
    ),
    (
        "session",
        &[
            "command-relay",
            "revoke-permanent-token",
            "expire-session",
            "invalidate-session",
            "renew-session",
            "delete-device",
            "spend-registration-token",
            "regenerate-registration-token",
            "mac-mismatch",
            "ban",
            "limits",
        ],
    ),
    ("clocks", &["server-clock", "ntp-clock", "ntp"]),
    ("device", &["power-cut", "reset", "drive-pin", "corrupt-flash"]),
];

impl Action {
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
    pub const fn nature(&self) -> Nature {
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
