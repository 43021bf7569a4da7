//! Triggers: moments that are named by what happens. Faults start at them; expectations measure from them.

use schemars::JsonSchema;
use serde::Deserialize;
use vocabulary::{DeviceStatus, Endpoint, FaultState, Phase, ResetCause};

use crate::located::{Located, Span};
use crate::names;
use crate::quantity::TimeSpan;
use crate::scalar::{ShortForm, or_scalar, short_form};

/// A moment: a time since power-on, or the nth time that something happens.
///
/// A bare length of time is short for `time`. Wherever `nth` may stand, 1 is meant when it is left out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(remote = "Self", rename_all = "kebab-case")]
#[schemars(transform = or_scalar)]
pub enum Trigger {
    /// A time since the bench was switched on.
    #[schemars(example = &"10m")]
    Time(TimeSpan),
    /// Some time after another moment.
    #[schemars(example = serde_json::json!({"trigger": {"wifi": "associated"}, "delay": "10s"}))]
    After(Box<AfterTrigger>),
    /// Text on the serial console.
    #[schemars(example = &"[REG] Registered")]
    Serial(Box<SerialTrigger>),
    /// A request to the cloud.
    #[schemars(example = serde_json::json!({"endpoint": "renew-session", "nth": 2, "at": "before-effect"}))]
    Request(Box<RequestTrigger>),
    /// The radio's link.
    #[schemars(example = &"associated")]
    Wifi(WifiTrigger),
    /// A DHCP message.
    #[schemars(example = &"ack")]
    Dhcp(DhcpTrigger),
    /// A DNS query.
    #[schemars(example = &"cloud.oceanremote.test")]
    Dns(DnsTrigger),
    /// An SNTP poll, before it is answered.
    #[schemars(example = serde_json::json!({"nth": 2}))]
    Sntp(SntpTrigger),
    /// An edge of a pin.
    #[schemars(example = serde_json::json!({"gpio": 4, "level": "high"}))]
    Pin(PinTrigger),
    /// A start of the device after a reset.
    #[schemars(example = &"software")]
    Reset(ResetTrigger),
    /// A change of the status that the dashboard shows.
    #[schemars(example = &"offline")]
    Status(StatusTrigger),
    /// A change of a session at the cloud.
    #[schemars(example = &"renewed")]
    Session(SessionTrigger),
    /// A fault of this scenario that begins or ends.
    #[schemars(example = serde_json::json!({"name": "wifi-drop", "state": "ended"}))]
    Fault(Box<FaultTrigger>),
}

impl ShortForm for Trigger {
    const EXPECTING: &'static str = "a moment: a time since power-on such as `20m`, or one key such as `serial`, `request`, `wifi`, `pin`";

    fn from_short(text: &str) -> Result<Self, String> {
        text.parse().map(Trigger::Time)
    }
}

short_form!(Trigger);

impl Trigger {
    /// Which occurrence is meant; `None` for those that happen once, and when it was not written.
    pub fn nth(&self) -> Option<u32> {
        match self {
            Trigger::Time(_) | Trigger::After(_) | Trigger::Fault(_) => None,
            Trigger::Serial(t) => t.nth,
            Trigger::Request(t) => t.nth,
            Trigger::Wifi(t) => t.nth,
            Trigger::Dhcp(t) => t.nth,
            Trigger::Dns(t) => t.nth,
            Trigger::Sntp(t) => t.nth,
            Trigger::Pin(t) => t.nth,
            Trigger::Reset(t) => t.nth,
            Trigger::Status(t) => t.nth,
            Trigger::Session(t) => t.nth,
        }
    }
}

/// Some time after another moment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AfterTrigger {
    /// The other moment.
    #[schemars(example = serde_json::json!({"request": {"endpoint": "register"}}))]
    pub trigger: Trigger,
    /// How long after it.
    #[schemars(example = &"10s")]
    pub delay: TimeSpan,
}

/// Text on the serial console: exactly one of `text` and `regex`. A bare text is short for `text`.
///
/// Text is looked for in single lines, as soon as its bytes are there: a prompt without a line end is found.
/// A line counts once, however often it holds the text.
///
/// Terminal escape sequences, such as colours, are no part of a line: a text is found across them. A text or an
/// expression that holds an escape character itself is looked for in the line as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(remote = "Self", deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(transform = or_scalar)]
pub struct SerialTrigger {
    /// Literal text.
    #[schemars(example = &"[UPDATE] Session renewed")]
    pub text: Option<Located<String>>,
    /// A regular expression (syntax of the Rust crate `regex`) that is searched in each line; `^` and `$`
    /// are the ends of the line.
    #[schemars(example = &r"^\[UPDATE\] Using session: [0-9a-f]{32}$")]
    pub regex: Option<Located<String>>,
    /// Which occurrence, from 1.
    #[schemars(example = 2)]
    pub nth: Option<u32>,
}

impl SerialTrigger {
    /// The pattern. A file that was validated has exactly one.
    pub fn pattern(&self) -> Pattern<'_> {
        Pattern::of(self.text.as_ref(), self.regex.as_ref())
    }
}

impl ShortForm for SerialTrigger {
    const EXPECTING: &'static str = "serial text, or a mapping with `text` or `regex`";

    fn from_short(text: &str) -> Result<Self, String> {
        Ok(SerialTrigger {
            text: Some(Located::unwritten(text.to_owned())),
            ..SerialTrigger::default()
        })
    }
}

short_form!(SerialTrigger);

/// What is looked for on the serial console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pattern<'a> {
    /// These bytes.
    Text(&'a str),
    /// A regular expression.
    Regex(&'a str),
}

impl<'a> Pattern<'a> {
    pub(crate) fn of(text: Option<&'a Located<String>>, regex: Option<&'a Located<String>>) -> Pattern<'a> {
        match (text, regex) {
            (_, Some(regex)) => Pattern::Regex(&regex.value),
            (text, None) => Pattern::Text(text.map_or("", |t| t.value.as_str())),
        }
    }
}

/// A request to the cloud. Every key narrows it; without any it is any request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RequestTrigger {
    /// The endpoint.
    #[serde(deserialize_with = "names::endpoint")]
    #[schemars(with = "Option<names::EndpointName>", example = &"renew-session")]
    pub endpoint: Option<Endpoint>,
    /// Which part of the request's life: `first-byte`, `before-effect`, `after-effect` or `after-reply`. Left
    /// out: in faults `before-effect`, elsewhere `after-effect`.
    #[serde(deserialize_with = "names::phase")]
    #[schemars(with = "Option<names::PhaseName>", example = &"before-effect")]
    pub at: Option<Phase>,
    /// The status of the reply; known from `after-effect` on.
    #[schemars(example = 200)]
    pub status: Option<u16>,
    /// Text that path and query hold.
    #[schemars(example = &"ack=7")]
    pub target: Option<String>,
    /// Text that the request's body holds.
    #[schemars(example = &"\"relays\":[true,false]")]
    pub body: Option<String>,
    /// Which occurrence, from 1.
    #[schemars(example = 2)]
    pub nth: Option<u32>,
}

/// A change of the radio's link. A bare name is short for `state`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(remote = "Self", deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(transform = or_scalar)]
pub struct WifiTrigger {
    /// What happens.
    #[schemars(example = &"lost")]
    pub state: WifiState,
    /// Only with this reason code (IEEE 802.11-2020, table 9-49; from 200 the vendor's).
    #[schemars(example = 200)]
    pub reason: Option<u8>,
    /// Which occurrence, from 1.
    #[schemars(example = 2)]
    pub nth: Option<u32>,
}

/// What happens to the radio's link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WifiState {
    /// The station scans.
    Scan,
    /// The association stands.
    Associated,
    /// An attempt to associate fails.
    Refused,
    /// The association ends.
    Lost,
}

impl ShortForm for WifiTrigger {
    const EXPECTING: &'static str = "`scan`, `associated`, `refused` or `lost`, or a mapping with `state`";

    fn from_short(text: &str) -> Result<Self, String> {
        let state = names::find(
            text,
            "WiFi state",
            &[
                ("scan", WifiState::Scan),
                ("associated", WifiState::Associated),
                ("refused", WifiState::Refused),
                ("lost", WifiState::Lost),
            ],
        )?;
        Ok(WifiTrigger {
            state,
            reason: None,
            nth: None,
        })
    }
}

short_form!(WifiTrigger);

/// A DHCP message. A bare name is short for `message`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(remote = "Self", deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(transform = or_scalar)]
pub struct DhcpTrigger {
    /// Its type: `discover`, `offer`, `request`, `ack`, `nak`, `decline` or `release`.
    #[schemars(example = &"ack")]
    pub message: Located<String>,
    /// Which occurrence, from 1.
    #[schemars(example = 2)]
    pub nth: Option<u32>,
}

impl ShortForm for DhcpTrigger {
    const EXPECTING: &'static str = "the type of a DHCP message such as `ack`, or a mapping with `message`";

    fn from_short(text: &str) -> Result<Self, String> {
        Ok(DhcpTrigger {
            message: Located::unwritten(text.to_owned()),
            nth: None,
        })
    }
}

short_form!(DhcpTrigger);

/// A DNS query. A bare name is short for `name`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(remote = "Self", default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(transform = or_scalar)]
pub struct DnsTrigger {
    /// Only for this host name.
    #[schemars(example = &"pool.ntp.org")]
    pub name: Option<String>,
    /// Which occurrence, from 1.
    #[schemars(example = 2)]
    pub nth: Option<u32>,
}

impl ShortForm for DnsTrigger {
    const EXPECTING: &'static str = "a host name, or a mapping with `name` and `nth`";

    fn from_short(text: &str) -> Result<Self, String> {
        Ok(DnsTrigger {
            name: Some(text.to_owned()),
            nth: None,
        })
    }
}

short_form!(DnsTrigger);

/// An SNTP poll, before it is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct SntpTrigger {
    /// Which occurrence, from 1.
    #[schemars(example = 2)]
    pub nth: Option<u32>,
}

/// An edge of a pin.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PinTrigger {
    /// GPIO number, 0 to 21.
    #[schemars(example = 4)]
    pub gpio: Located<u8>,
    /// The level that it goes to.
    #[schemars(example = &"high")]
    pub level: Level,
    /// Which occurrence, from 1.
    #[schemars(example = 2)]
    pub nth: Option<u32>,
}

/// The level of a pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// 0 V.
    Low,
    /// The supply voltage.
    High,
}

impl Level {
    /// Whether it is high.
    pub const fn is_high(self) -> bool {
        matches!(self, Level::High)
    }
}

/// A start of the device after a reset. A bare name is short for `cause`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(remote = "Self", default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(transform = or_scalar)]
pub struct ResetTrigger {
    /// Only for this cause.
    #[serde(deserialize_with = "names::reset_cause")]
    #[schemars(with = "Option<names::ResetCauseName>", example = &"rtc-watchdog")]
    pub cause: Option<ResetCause>,
    /// Which occurrence, from 1.
    #[schemars(example = 2)]
    pub nth: Option<u32>,
}

impl ShortForm for ResetTrigger {
    const EXPECTING: &'static str = "a reset cause such as `software`, or a mapping with `cause` and `nth`";

    fn from_short(text: &str) -> Result<Self, String> {
        Ok(ResetTrigger {
            cause: Some(names::find(text, "reset cause", &names::RESET_CAUSES)?),
            nth: None,
        })
    }
}

short_form!(ResetTrigger);

/// A change of the status that the dashboard shows. A bare name is short for `status`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(remote = "Self", deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(transform = or_scalar)]
pub struct StatusTrigger {
    /// The new status.
    #[serde(deserialize_with = "names::status")]
    #[schemars(with = "names::StatusName", example = &"offline")]
    pub status: DeviceStatus,
    /// Which occurrence, from 1.
    #[schemars(example = 2)]
    pub nth: Option<u32>,
}

impl ShortForm for StatusTrigger {
    const EXPECTING: &'static str = "`online`, `away` or `offline`, or a mapping with `status`";

    fn from_short(text: &str) -> Result<Self, String> {
        Ok(StatusTrigger {
            status: names::find(text, "status", &names::STATUSES)?,
            nth: None,
        })
    }
}

short_form!(StatusTrigger);

/// A change of a session at the cloud. A bare name is short for `change`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(remote = "Self", deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(transform = or_scalar)]
pub struct SessionTrigger {
    /// What happens to the session.
    #[schemars(example = &"expired")]
    pub change: SessionEvent,
    /// Which occurrence, from 1.
    #[schemars(example = 2)]
    pub nth: Option<u32>,
}

/// What happens to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SessionEvent {
    /// Given out at registration.
    Issued,
    /// Exchanged for a new one by renewal.
    Renewed,
    /// Given out for the permanent token.
    Recovered,
    /// Its time is over.
    Expired,
    /// Ended before its time.
    Invalidated,
}

impl ShortForm for SessionTrigger {
    const EXPECTING: &'static str =
        "`issued`, `renewed`, `recovered`, `expired` or `invalidated`, or a mapping with `change`";

    fn from_short(text: &str) -> Result<Self, String> {
        let change = names::find(
            text,
            "session change",
            &[
                ("issued", SessionEvent::Issued),
                ("renewed", SessionEvent::Renewed),
                ("recovered", SessionEvent::Recovered),
                ("expired", SessionEvent::Expired),
                ("invalidated", SessionEvent::Invalidated),
            ],
        )?;
        Ok(SessionTrigger { change, nth: None })
    }
}

short_form!(SessionTrigger);

/// A fault of this scenario that begins or ends.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FaultTrigger {
    /// Its name; left out, any fault of the scenario.
    #[schemars(example = &"wifi-drop")]
    pub name: Option<Located<String>>,
    /// Whether it begins (`fired`) or is over (`ended`).
    #[serde(deserialize_with = "names::fault_state")]
    #[schemars(with = "names::FaultStateName", example = &"ended")]
    pub state: FaultState,
    /// The last such moment of the whole run, not the first.
    #[serde(default)]
    #[schemars(example = true)]
    pub last: bool,
}

/// A trigger with its place.
pub type LocatedTrigger = Located<Trigger>;

impl Located<Trigger> {
    /// The place of the pattern inside, or of the trigger.
    pub fn pattern_span(&self) -> Span {
        match &self.value {
            Trigger::Serial(s) => {
                let inner = s.regex.as_ref().or(s.text.as_ref()).map(|p| p.span);
                inner.unwrap_or_default().or(self.span)
            }
            _ => self.span,
        }
    }
}
