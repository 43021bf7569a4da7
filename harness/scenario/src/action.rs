//! Actions: what a fault does.

mod clock;
mod device;
mod network;
mod service;
mod tcp;
mod wire;

use std::fmt;

use schemars::{JsonSchema, Schema, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, IntoDeserializer};

use crate::located::Located;
use crate::names;
use crate::quantity::TimeSpan;

pub use clock::{ClockError, Leap, NtpFault, ServerClockFault};
pub use device::{CorruptFlash, DrivePin, PowerCut, ResetFault};
pub use network::{Deauthenticate, DhcpFault, DnsFault, Only, TrafficDirection, TrafficKind};
pub use service::{CommandRelay, LimitsFault, LoseReply, LostReply, Respond, RetryAfter};
pub use tcp::{Dribble, Message, ResetConnection, SlowBody, TlsFault, Truncate};
pub use wire::LinkFault;

/// What a fault does. One key, or the bare name where there is nothing to say.
///
/// An action that lasts goes on for the time of `for`. An action on requests strikes the request that triggered
/// it; with `for` it strikes every request while it lasts, or those to the fault's `endpoint`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(remote = "Self", rename_all = "kebab-case")]
#[schemars(transform = or_bare)]
pub enum Action {
    /// The access point stops: beacons are missed, and no network is found. Lasts.
    AccessPointGone,
    /// The access point ends the association. Happens once.
    #[schemars(example = serde_json::json!({"reason": 8}))]
    Deauthenticate(Deauthenticate),
    /// The access point wants this password from now on; an association that stands is not ended. Lasts.
    #[schemars(example = &"changed-password")]
    WrongPassword(Located<String>),
    /// The signal has this strength, dBm. It alone loses no frames: add `link` for that. Lasts.
    #[schemars(example = -80)]
    Rssi(Located<i8>),
    /// Beacons leave the network's name out. Lasts.
    Hidden,
    /// The access point is on this channel, without a word to its station. Lasts.
    #[schemars(example = 11)]
    Channel(Located<u8>),

    /// The link gets worse. Several add up. Lasts.
    #[schemars(example = serde_json::json!({"loss": "20%", "direction": "to-device", "only": {"protocol": "tcp"}}))]
    Link(Box<LinkFault>),

    /// The DHCP server misbehaves. Lasts.
    #[schemars(example = serde_json::json!({"lease": "60s"}))]
    Dhcp(DhcpFault),
    /// The DNS server misbehaves. Lasts.
    #[schemars(example = serde_json::json!({"slow": "8s"}))]
    Dns(DnsFault),
    /// Every name has the gateway's address, and every connection ends at a page that wants a login: each HTTP request
    /// is answered 302 by the portal. Connections that stand are reset. Lasts.
    CaptivePortal,

    /// New TCP connections are turned away by a reset, as by a closed port; what stands, stands. Bare, all of them.
    /// Lasts.
    #[schemars(example = serde_json::json!({"port": 80}))]
    Refuse(Only),
    /// A silent firewall: what is meant is swallowed in both directions. Bare, all of TCP; with the fault's
    /// `endpoint`, only requests to it, of which the cloud never learns more than the first byte. Lasts.
    #[schemars(example = serde_json::json!({"host": "cloud.oceanremote.test", "port": 80}))]
    Blackhole(Only),
    /// The server tears the connection down (RST): at once, or after so many bytes of the reply, or of the request. On
    /// requests.
    #[schemars(example = serde_json::json!({"after-byte": 40}))]
    ResetConnection(ResetConnection),
    /// The server ends the connection in order (FIN) and gives no reply. On requests.
    CloseConnection,
    /// The server falls silent, and the connection stays open on the device's side only: no reply, no end. On requests.
    HalfOpen,
    /// The reply, or the request, breaks off after so many bytes, head included, and the connection ends in order. On
    /// requests.
    #[schemars(example = serde_json::json!({"after-byte": 120}))]
    Truncate(Truncate),
    /// The reply trickles. On requests.
    #[schemars(example = serde_json::json!({"bytes": 1, "every": "500ms"}))]
    Dribble(Dribble),

    /// New TLS handshakes go wrong. Only where the cloud is served with TLS (`oceanrig serve --tls --scenario`); the
    /// device of a bench speaks plain HTTP. Lasts.
    #[schemars(example = &"expired")]
    Tls(TlsFault),

    /// The request is answered this and has no effect; at `after-effect` it has its effect and is answered this all
    /// the same. A bare number is the status. On requests.
    #[schemars(example = serde_json::json!({"status": 503, "retry-after": "120"}))]
    Respond(Box<Respond>),
    /// Nothing moves for this long: before the effect the request waits, after it the reply. On requests.
    #[schemars(example = &"8s")]
    Delay(Located<TimeSpan>),
    /// `Content-Length` is off by so many bytes. On requests.
    #[schemars(example = 10)]
    WrongContentLength(Located<i32>),
    /// The reply's JSON is cut in the middle; its length is right. On requests.
    MalformedJson,
    /// The reply's JSON lacks this member. On requests.
    #[schemars(example = &"session")]
    MissingField(Located<String>),
    /// The reply is a page of HTML in place of JSON; its status stays. On requests.
    Html,
    /// The reply is compressed with gzip, which nobody asked for. On requests.
    Gzip,
    /// The request is answered 301 to the same path on https, and has no effect. On requests.
    RedirectToHttps,
    /// The reply's head comes at once, its body trickles. On requests.
    #[schemars(example = serde_json::json!({"bytes": 1, "every": "1s"}))]
    SlowBody(SlowBody),
    /// The reply comes twice. On requests.
    DuplicateReply,
    /// These bytes come in place of the reply's. On requests.
    #[schemars(example = &"SSH-2.0-OpenSSH_9.6\r\n")]
    RawReply(Located<String>),
    /// The request takes effect, and its reply is lost. On requests.
    #[schemars(example = serde_json::json!({"then": "reset"}))]
    LoseReply(LoseReply),

    /// An operator switches a relay on the dashboard. Happens once.
    #[schemars(example = serde_json::json!({"relay": 1, "on": true}))]
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
    #[schemars(example = serde_json::json!({"requests": 1, "registrations": 1}))]
    Limits(LimitsFault),

    /// The server's clock goes wrong. Lasts, but for a step.
    #[schemars(example = serde_json::json!({"offset": "301s"}))]
    ServerClock(ServerClockFault),
    /// The clock that SNTP serves goes wrong; the same as `ntp` with `offset`. Lasts.
    #[schemars(example = serde_json::json!({"offset": "-301s"}))]
    NtpClock(ClockError),
    /// The SNTP servers misbehave. Lasts.
    #[schemars(example = serde_json::json!({"kiss-of-death": "RATE"}))]
    Ntp(NtpFault),

    /// The supply is cut; RAM is lost, flash stays. Bare, at once; or in the middle of a flash write, which is when it
    /// counts as fired. Lasts; without `for` it comes back at once.
    #[schemars(example = serde_json::json!({"flash-write-byte": 17}))]
    PowerCut(PowerCut),
    /// The device is reset: bare by its reset pin, or with a cause. Happens once.
    #[schemars(example = &"brown-out")]
    Reset(ResetFault),
    /// A pin is driven from outside, as by an input that is stuck. Lasts; afterwards nothing drives it.
    #[schemars(example = serde_json::json!({"gpio": 9, "level": "low"}))]
    DrivePin(DrivePin),
    /// Bytes of the flash are overwritten behind the firmware's back. Happens once.
    #[schemars(example = serde_json::json!({"partition": "token", "offset": 12, "bytes": "00ff00"}))]
    CorruptFlash(CorruptFlash),
}

/// What an action acts upon, which says how long it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// It happens once.
    Once,
    /// It begins and, after `for`, ends.
    Lasting,
    /// It strikes requests: the one that triggered it, or with `for` every one while it lasts.
    OnRequests,
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
            Action::AccessPointGone => "access-point-gone",
            Action::Deauthenticate(_) => "deauthenticate",
            Action::WrongPassword(_) => "wrong-password",
            Action::Rssi(_) => "rssi",
            Action::Hidden => "hidden",
            Action::Channel(_) => "channel",
            Action::Link(_) => "link",
            Action::Dhcp(_) => "dhcp",
            Action::Dns(_) => "dns",
            Action::CaptivePortal => "captive-portal",
            Action::Refuse(_) => "refuse",
            Action::Blackhole(_) => "blackhole",
            Action::ResetConnection(_) => "reset-connection",
            Action::CloseConnection => "close-connection",
            Action::HalfOpen => "half-open",
            Action::Truncate(_) => "truncate",
            Action::Dribble(_) => "dribble",
            Action::Tls(_) => "tls",
            Action::Respond(_) => "respond",
            Action::Delay(_) => "delay",
            Action::WrongContentLength(_) => "wrong-content-length",
            Action::MalformedJson => "malformed-json",
            Action::MissingField(_) => "missing-field",
            Action::Html => "html",
            Action::Gzip => "gzip",
            Action::RedirectToHttps => "redirect-to-https",
            Action::SlowBody(_) => "slow-body",
            Action::DuplicateReply => "duplicate-reply",
            Action::RawReply(_) => "raw-reply",
            Action::LoseReply(_) => "lose-reply",
            Action::CommandRelay(_) => "command-relay",
            Action::RevokePermanentToken => "revoke-permanent-token",
            Action::ExpireSession => "expire-session",
            Action::InvalidateSession => "invalidate-session",
            Action::RenewSession => "renew-session",
            Action::DeleteDevice => "delete-device",
            Action::SpendRegistrationToken => "spend-registration-token",
            Action::RegenerateRegistrationToken => "regenerate-registration-token",
            Action::MacMismatch => "mac-mismatch",
            Action::Ban => "ban",
            Action::Limits(_) => "limits",
            Action::ServerClock(_) => "server-clock",
            Action::NtpClock(_) => "ntp-clock",
            Action::Ntp(_) => "ntp",
            Action::PowerCut(_) => "power-cut",
            Action::Reset(_) => "reset",
            Action::DrivePin(_) => "drive-pin",
            Action::CorruptFlash(_) => "corrupt-flash",
        }
    }

    /// How it acts; a `blackhole` of the fault's endpoint acts on requests.
    pub const fn nature(&self, has_endpoint: bool) -> Nature {
        match self {
            Action::Deauthenticate(_)
            | Action::CommandRelay(_)
            | Action::RevokePermanentToken
            | Action::ExpireSession
            | Action::InvalidateSession
            | Action::RenewSession
            | Action::DeleteDevice
            | Action::SpendRegistrationToken
            | Action::RegenerateRegistrationToken
            | Action::MacMismatch
            | Action::ServerClock(ServerClockFault::Step(_))
            | Action::Reset(_)
            | Action::CorruptFlash(_) => Nature::Once,
            Action::Blackhole(_) if has_endpoint => Nature::OnRequests,
            Action::ResetConnection(_)
            | Action::CloseConnection
            | Action::HalfOpen
            | Action::Truncate(_)
            | Action::Dribble(_)
            | Action::Respond(_)
            | Action::Delay(_)
            | Action::WrongContentLength(_)
            | Action::MalformedJson
            | Action::MissingField(_)
            | Action::Html
            | Action::Gzip
            | Action::RedirectToHttps
            | Action::SlowBody(_)
            | Action::DuplicateReply
            | Action::RawReply(_)
            | Action::LoseReply(_) => Nature::OnRequests,
            Action::AccessPointGone
            | Action::WrongPassword(_)
            | Action::Rssi(_)
            | Action::Hidden
            | Action::Channel(_)
            | Action::Link(_)
            | Action::Dhcp(_)
            | Action::Dns(_)
            | Action::CaptivePortal
            | Action::Refuse(_)
            | Action::Blackhole(_)
            | Action::Tls(_)
            | Action::Ban
            | Action::Limits(_)
            | Action::ServerClock(_)
            | Action::NtpClock(_)
            | Action::Ntp(_)
            | Action::PowerCut(_)
            | Action::DrivePin(_) => Nature::Lasting,
        }
    }

    /// The one thing that it sets, where two faults at the same time would contradict each other.
    pub fn sets(&self) -> Option<String> {
        Some(match self {
            Action::AccessPointGone => "the access point".to_owned(),
            Action::WrongPassword(_) => "the password".to_owned(),
            Action::Rssi(_) => "the signal strength".to_owned(),
            Action::Hidden => "the network's visibility".to_owned(),
            Action::Channel(_) => "the channel".to_owned(),
            Action::Dhcp(DhcpFault::Silent | DhcpFault::Nak) => "what DHCP answers".to_owned(),
            Action::Dhcp(DhcpFault::Lease(_)) => "the DHCP lease".to_owned(),
            Action::Dhcp(DhcpFault::AddressConflict) => "the address conflict".to_owned(),
            Action::Dns(_) | Action::CaptivePortal => "what DNS answers".to_owned(),
            Action::Respond(_)
            | Action::Html
            | Action::MalformedJson
            | Action::RedirectToHttps
            | Action::RawReply(_)
            | Action::WrongContentLength(_) => "the reply".to_owned(),
            Action::ResetConnection(_)
            | Action::CloseConnection
            | Action::HalfOpen
            | Action::Truncate(_)
            | Action::LoseReply(_) => "how the reply ends".to_owned(),
            Action::Dribble(_) | Action::SlowBody(_) => "the pace of the reply".to_owned(),
            Action::Tls(_) => "the TLS handshake".to_owned(),
            Action::Ban => "the ban".to_owned(),
            Action::Limits(_) => "the limits".to_owned(),
            Action::ServerClock(ServerClockFault::Offset(_)) => "the server's clock".to_owned(),
            Action::ServerClock(ServerClockFault::DriftPpm(_)) => {
                "the drift of the server's clock".to_owned()
            }
            Action::NtpClock(_) | Action::Ntp(NtpFault::Offset(_)) => "the clock of SNTP".to_owned(),
            Action::Ntp(_) => "what SNTP answers".to_owned(),
            Action::PowerCut(_) => "the supply".to_owned(),
            Action::DrivePin(pin) => format!("GPIO{}", pin.gpio.value),
            _ => return None,
        })
    }

    /// Whether it cuts a request and not a reply, so that it must strike at the first byte.
    pub fn is_on_the_way_in(&self) -> bool {
        match self {
            Action::ResetConnection(reset) => {
                reset.after_byte.is_some() && reset.of.value == Message::Request
            }
            Action::Truncate(cut) => cut.of.value == Message::Request,
            _ => false,
        }
    }

    /// The action that a bare name stands for.
    fn bare(name: &str) -> Option<Action> {
        Some(match name {
            "refuse" => Action::Refuse(Only::default()),
            "blackhole" => Action::Blackhole(Only::default()),
            "reset-connection" => Action::ResetConnection(ResetConnection::default()),
            "dribble" => Action::Dribble(Dribble::default()),
            "slow-body" => Action::SlowBody(SlowBody::default()),
            "lose-reply" => Action::LoseReply(LoseReply::default()),
            "power-cut" => Action::PowerCut(PowerCut::default()),
            "reset" => Action::Reset(ResetFault::default()),
            _ => return None,
        })
    }
}

/// Bare names of actions that may say more.
const BARE: [&str; 8] = [
    "refuse",
    "blackhole",
    "reset-connection",
    "dribble",
    "slow-body",
    "lose-reply",
    "power-cut",
    "reset",
];

fn or_bare(schema: &mut Schema) {
    let long = std::mem::take(schema);
    let description = long.get("description").cloned();
    *schema = json_schema!({ "anyOf": [{ "type": "string", "enum": BARE }, long] });
    if let Some(description) = description {
        schema.insert("description".to_owned(), description);
    }
}

impl<'de> Deserialize<'de> for Action {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ActionVisitor)
    }
}

struct ActionVisitor;

impl<'de> de::Visitor<'de> for ActionVisitor {
    type Value = Action;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an action: a name such as `access-point-gone`, or one key such as `respond`")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Action, E> {
        if let Some(action) = Action::bare(name) {
            return Ok(action);
        }
        if !LAYERS.iter().any(|(_, names)| names.contains(&name)) {
            let names = LAYERS.iter().flat_map(|(_, names)| names.iter().copied());
            let meant = names::closest(name, names)
                .map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
            return Err(E::custom(format!(
                "`{name}` is not known here{meant} (`oceanrig faults` lists what is)"
            )));
        }
        let read: Result<Action, E> = Action::deserialize(name.into_deserializer());
        read.map_err(|_| {
            E::custom(format!(
                "`{name}` needs a value; `oceanrig faults {name}` shows an example"
            ))
        })
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Action, A::Error> {
        Action::deserialize(MapAccessDeserializer::new(map))
    }
}
