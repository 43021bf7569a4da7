//! Actions as they stand in a file: one flat set of names.

use std::fmt;

use schemars::{JsonSchema, Schema, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, IntoDeserializer};

use super::{
    Action, ClockError, CommandRelay, CorruptFlash, Deauthenticate, DeviceAction, DhcpFault, DnsFault,
    Dribble, DrivePin, LAYERS, LimitsFault, LinkFault, LoseReply, NetworkAction, NtpFault, Only, PowerCut,
    RadioAction, RequestAction, ResetConnection, ResetFault, Respond, ServerClockFault, ServiceAction,
    SlowBody, TlsFault, Truncate,
};
use crate::located::Located;
use crate::names;
use crate::quantity::TimeSpan;

/// What a fault does. One key, or the bare name where there is nothing to say.
///
/// An action that lasts goes on for the time of `for`. An action on requests strikes the request that triggered
/// it; with `for` it strikes every request while it lasts, or those to the fault's `endpoint`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(remote = "Self", rename_all = "kebab-case")]
#[schemars(rename = "Action", transform = or_bare)]
pub(crate) enum RawAction {
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

impl RawAction {
    /// The action that a bare name stands for.
    fn bare(name: &str) -> Option<RawAction> {
        Some(match name {
            "refuse" => RawAction::Refuse(Only::default()),
            "blackhole" => RawAction::Blackhole(Only::default()),
            "reset-connection" => RawAction::ResetConnection(ResetConnection::default()),
            "dribble" => RawAction::Dribble(Dribble::default()),
            "slow-body" => RawAction::SlowBody(SlowBody::default()),
            "lose-reply" => RawAction::LoseReply(LoseReply::default()),
            "power-cut" => RawAction::PowerCut(PowerCut::default()),
            "reset" => RawAction::Reset(ResetFault::default()),
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

impl<'de> Deserialize<'de> for RawAction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ActionVisitor)
    }
}

struct ActionVisitor;

impl<'de> de::Visitor<'de> for ActionVisitor {
    type Value = RawAction;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an action: a name such as `access-point-gone`, or one key such as `respond`")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<RawAction, E> {
        if let Some(action) = RawAction::bare(name) {
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
        let read: Result<RawAction, E> = RawAction::deserialize(name.into_deserializer());
        read.map_err(|_| {
            E::custom(format!(
                "`{name}` needs a value; `oceanrig faults {name}` shows an example"
            ))
        })
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<RawAction, A::Error> {
        RawAction::deserialize(MapAccessDeserializer::new(map))
    }
}

impl RawAction {
    /// The action, grouped by its effector. A `blackhole` with an endpoint strikes requests.
    pub(crate) fn grouped(self, has_endpoint: bool) -> Action {
        match self {
            RawAction::AccessPointGone => Action::Radio(RadioAction::AccessPointGone),
            RawAction::Deauthenticate(it) => Action::Radio(RadioAction::Deauthenticate(it)),
            RawAction::WrongPassword(it) => Action::Radio(RadioAction::WrongPassword(it)),
            RawAction::Rssi(it) => Action::Radio(RadioAction::Rssi(it)),
            RawAction::Hidden => Action::Radio(RadioAction::Hidden),
            RawAction::Channel(it) => Action::Radio(RadioAction::Channel(it)),
            RawAction::Link(it) => Action::Network(NetworkAction::Link(it)),
            RawAction::Dhcp(it) => Action::Network(NetworkAction::Dhcp(it)),
            RawAction::Dns(it) => Action::Network(NetworkAction::Dns(it)),
            RawAction::CaptivePortal => Action::Network(NetworkAction::CaptivePortal),
            RawAction::Refuse(it) => Action::Network(NetworkAction::Refuse(it)),
            RawAction::Blackhole(only) if has_endpoint && only == Only::default() => {
                Action::Request(RequestAction::Blackhole)
            }
            RawAction::Blackhole(it) => Action::Network(NetworkAction::Blackhole(it)),
            RawAction::Ntp(it) => Action::Network(NetworkAction::Ntp(it)),
            RawAction::NtpClock(it) => Action::Network(NetworkAction::NtpClock(it)),
            RawAction::ResetConnection(it) => Action::Request(RequestAction::ResetConnection(it)),
            RawAction::CloseConnection => Action::Request(RequestAction::CloseConnection),
            RawAction::HalfOpen => Action::Request(RequestAction::HalfOpen),
            RawAction::Truncate(it) => Action::Request(RequestAction::Truncate(it)),
            RawAction::Dribble(it) => Action::Request(RequestAction::Dribble(it)),
            RawAction::Respond(it) => Action::Request(RequestAction::Respond(it)),
            RawAction::Delay(it) => Action::Request(RequestAction::Delay(it)),
            RawAction::WrongContentLength(it) => Action::Request(RequestAction::WrongContentLength(it)),
            RawAction::MalformedJson => Action::Request(RequestAction::MalformedJson),
            RawAction::MissingField(it) => Action::Request(RequestAction::MissingField(it)),
            RawAction::Html => Action::Request(RequestAction::Html),
            RawAction::Gzip => Action::Request(RequestAction::Gzip),
            RawAction::RedirectToHttps => Action::Request(RequestAction::RedirectToHttps),
            RawAction::SlowBody(it) => Action::Request(RequestAction::SlowBody(it)),
            RawAction::DuplicateReply => Action::Request(RequestAction::DuplicateReply),
            RawAction::RawReply(it) => Action::Request(RequestAction::RawReply(it)),
            RawAction::LoseReply(it) => Action::Request(RequestAction::LoseReply(it)),
            RawAction::CommandRelay(it) => Action::Service(ServiceAction::CommandRelay(it)),
            RawAction::RevokePermanentToken => Action::Service(ServiceAction::RevokePermanentToken),
            RawAction::ExpireSession => Action::Service(ServiceAction::ExpireSession),
            RawAction::InvalidateSession => Action::Service(ServiceAction::InvalidateSession),
            RawAction::RenewSession => Action::Service(ServiceAction::RenewSession),
            RawAction::DeleteDevice => Action::Service(ServiceAction::DeleteDevice),
            RawAction::SpendRegistrationToken => Action::Service(ServiceAction::SpendRegistrationToken),
            RawAction::RegenerateRegistrationToken => {
                Action::Service(ServiceAction::RegenerateRegistrationToken)
            }
            RawAction::MacMismatch => Action::Service(ServiceAction::MacMismatch),
            RawAction::Ban => Action::Service(ServiceAction::Ban),
            RawAction::Limits(it) => Action::Service(ServiceAction::Limits(it)),
            RawAction::ServerClock(it) => Action::Service(ServiceAction::ServerClock(it)),
            RawAction::PowerCut(it) => Action::Device(DeviceAction::PowerCut(it)),
            RawAction::Reset(it) => Action::Device(DeviceAction::Reset(it)),
            RawAction::DrivePin(it) => Action::Device(DeviceAction::DrivePin(it)),
            RawAction::CorruptFlash(it) => Action::Device(DeviceAction::CorruptFlash(it)),
            RawAction::Tls(it) => Action::Tls(it),
        }
    }
}
