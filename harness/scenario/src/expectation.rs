//! Expectations: what must be true of a run.

use schemars::JsonSchema;
use serde::Deserialize;
use vocabulary::{DeviceStatus, Endpoint, Phase};

use crate::count::Count;
use crate::located::{Located, Span};
use crate::names;
use crate::quantity::{Factor, TimeSpan};
use crate::scalar::{ShortForm, or_scalar, short_form};
use crate::trigger::{Level, Pattern, Trigger};

/// An expectation: one of these keys, and a name if you like.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Expectation")]
pub(crate) struct RawExpectation {
    /// A name, unique in the file; `expect-verdict` and reports refer to it.
    #[schemars(example = &"renews on time")]
    pub(crate) name: Option<Located<String>>,
    /// Text that the serial console shows.
    #[schemars(example = serde_json::json!({"text": "[UPDATE] Session renewed", "count": 4}))]
    pub(crate) serial: Option<Located<SerialExpectation>>,
    /// Text that the serial console never shows.
    #[schemars(example = serde_json::json!({"regex": "panicked|Guru Meditation"}))]
    pub(crate) no_serial: Option<Located<ForbiddenSerial>>,
    /// Texts that the serial console shows one after the other, whatever is between them.
    #[schemars(example = serde_json::json!(["[REG] Registered", "[UPDATE] Using session"]))]
    pub(crate) serial_order: Option<Located<Vec<Located<SerialPattern>>>>,
    /// Texts that the serial console shows, in any order.
    #[schemars(example = serde_json::json!(["[WIFI] Connected", "[NTP] Synchronised"]))]
    pub(crate) serial_all: Option<Located<Vec<Located<SerialPattern>>>>,
    /// Anything that can be a trigger, and how often it happens.
    #[schemars(example = serde_json::json!({"of": {"reset": "software"}, "count": 0}))]
    pub(crate) event: Option<Located<EventExpectation>>,
    /// The time between two moments.
    #[schemars(example = serde_json::json!({
        "from": {"request": {"endpoint": "renew-session", "nth": 1}},
        "to": {"request": {"endpoint": "renew-session", "nth": 2}},
        "min": "44m", "max": "46m"}))]
    pub(crate) interval: Option<Located<IntervalExpectation>>,
    /// Requests that the cloud sees.
    #[schemars(example = serde_json::json!({"endpoint": "renew-session", "status": 200, "count": 4}))]
    pub(crate) requests: Option<Located<RequestsExpectation>>,
    /// Nothing happens more often than this in any stretch of time.
    #[schemars(example = serde_json::json!({"of": {"request": {"endpoint": "register"}}, "max": 2, "per": "1m"}))]
    pub(crate) rate: Option<Located<RateExpectation>>,
    /// Gaps between attempts grow.
    #[schemars(example = serde_json::json!({"of": {"request": {"endpoint": "renew-session"}}, "factor": 1.5, "up-to": "5m"}))]
    pub(crate) backoff: Option<Located<BackoffExpectation>>,
    /// The level of a pin at a moment or over time.
    #[schemars(example = serde_json::json!({"gpio": 4, "never": "low", "after": "20m"}))]
    pub(crate) pin: Option<Located<PinExpectation>>,
    /// The status that the dashboard shows, at a moment or over time.
    #[schemars(example = serde_json::json!({"never": "offline", "after": "1m"}))]
    pub(crate) status: Option<Located<StatusExpectation>>,
    /// A token that the cloud has refused is not sent again and again.
    #[schemars(example = serde_json::json!({"max": 5}))]
    pub(crate) token_reuse: Option<Located<TokenReuseExpectation>>,
    /// No secret appears on the serial console.
    #[schemars(example = serde_json::json!({"of": ["registration-token", "permanent-token"]}))]
    pub(crate) no_secrets: Option<Located<NoSecretsExpectation>>,
    /// The device has a valid session again soon after the last fault has ended: a poll or update of it is
    /// answered 200.
    #[schemars(example = serde_json::json!({"within": "2m"}))]
    pub(crate) liveness: Option<Located<LivenessExpectation>>,
}

/// An expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// Its name, if it has one.
    pub name: Option<Located<String>>,
    /// What it demands.
    pub kind: ExpectationKind,
    /// Its place.
    pub span: Span,
}

/// What an expectation demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpectationKind {
    /// Text appears.
    Serial(SerialExpectation),
    /// Text never appears.
    NoSerial(ForbiddenSerial),
    /// Texts appear in this order.
    SerialOrder(Vec<Located<SerialPattern>>),
    /// Texts appear in any order.
    SerialAll(Vec<Located<SerialPattern>>),
    /// Something happens so often.
    Event(EventExpectation),
    /// Two moments are so far apart.
    Interval(IntervalExpectation),
    /// The cloud sees so many requests.
    Requests(RequestsExpectation),
    /// Nothing happens too often.
    Rate(RateExpectation),
    /// Gaps grow.
    Backoff(BackoffExpectation),
    /// A pin has a level.
    Pin(PinExpectation),
    /// The dashboard shows a status.
    Status(StatusExpectation),
    /// Refused tokens are given up.
    TokenReuse(TokenReuseExpectation),
    /// Secrets stay secret.
    NoSecrets(NoSecretsExpectation),
    /// The device recovers.
    Liveness(LivenessExpectation),
}

/// The stretch of the run that an expectation looks at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Window<'a> {
    /// Its start; left out, power-on. What happens at a time counts from that time on; what follows an event
    /// counts after the event.
    pub after: Option<&'a Located<Trigger>>,
    /// Its end, itself not part of it; left out, the end of the run.
    pub before: Option<&'a Located<Trigger>>,
    /// Its length; its last nanosecond is part of it.
    pub within: Option<&'a Located<TimeSpan>>,
}

/// Gives structures with the three keys of a window their [`Window`].
macro_rules! windowed {
    ($($type:ident),*) => {
        $(impl $type {
            /// The stretch of the run that it looks at.
            pub fn window(&self) -> Window<'_> {
                Window { after: self.after.as_ref(), before: self.before.as_ref(), within: self.within.as_ref() }
            }
        })*
    };
}

windowed!(
    SerialExpectation,
    ForbiddenSerial,
    EventExpectation,
    RequestsExpectation,
    RateExpectation,
    BackoffExpectation,
    PinExpectation,
    StatusExpectation,
    TokenReuseExpectation
);

/// A pattern: a bare text, or a mapping with exactly one of `text` and `regex`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(remote = "Self", default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(transform = or_scalar)]
pub struct SerialPattern {
    /// Literal text.
    #[schemars(example = &"[REG] Registered")]
    pub text: Option<Located<String>>,
    /// A regular expression that is searched in each line.
    #[schemars(example = &"session: [0-9a-f]+")]
    pub regex: Option<Located<String>>,
}

impl SerialPattern {
    /// The pattern. A file that was validated has exactly one.
    pub fn pattern(&self) -> Pattern<'_> {
        Pattern::of(self.text.as_ref(), self.regex.as_ref())
    }
}

impl ShortForm for SerialPattern {
    const EXPECTING: &'static str = "serial text, or a mapping with `text` or `regex`";

    fn from_short(text: &str) -> Result<Self, String> {
        Ok(SerialPattern {
            text: Some(Located::unwritten(text.to_owned())),
            regex: None,
        })
    }
}

short_form!(SerialPattern);

/// Text that the serial console shows; a bare text at least once in the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(remote = "Self", default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(transform = or_scalar)]
pub struct SerialExpectation {
    /// Literal text.
    #[schemars(example = &"[UPDATE] Session renewed")]
    pub text: Option<Located<String>>,
    /// A regular expression that is searched in each line.
    #[schemars(example = &"session: [0-9a-f]{32}$")]
    pub regex: Option<Located<String>>,
    /// How many lines show it; left out, at least one.
    #[schemars(example = 4, example = serde_json::json!({"min": 3, "max": 5}))]
    pub count: Option<Located<Count>>,
    /// Only from this moment on.
    #[schemars(example = &"20m")]
    pub after: Option<Located<Trigger>>,
    /// Only until this moment.
    #[schemars(example = serde_json::json!({"wifi": "lost"}))]
    pub before: Option<Located<Trigger>>,
    /// Only this long after `after`, or after power-on.
    #[schemars(example = &"10s")]
    pub within: Option<Located<TimeSpan>>,
}

impl SerialExpectation {
    /// The pattern. A file that was validated has exactly one.
    pub fn pattern(&self) -> Pattern<'_> {
        Pattern::of(self.text.as_ref(), self.regex.as_ref())
    }
}

impl ShortForm for SerialExpectation {
    const EXPECTING: &'static str = "serial text, or a mapping with `text` or `regex`";

    fn from_short(text: &str) -> Result<Self, String> {
        Ok(SerialExpectation {
            text: Some(Located::unwritten(text.to_owned())),
            ..SerialExpectation::default()
        })
    }
}

short_form!(SerialExpectation);

/// Text that the serial console never shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(remote = "Self", default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(transform = or_scalar)]
pub struct ForbiddenSerial {
    /// Literal text.
    #[schemars(example = &"Will re-register")]
    pub text: Option<Located<String>>,
    /// A regular expression that is searched in each line.
    #[schemars(example = &"panicked|Guru Meditation")]
    pub regex: Option<Located<String>>,
    /// Only from this moment on.
    #[schemars(example = serde_json::json!({"serial": "[REG] Registered"}))]
    pub after: Option<Located<Trigger>>,
    /// Only until this moment.
    #[schemars(example = &"1h")]
    pub before: Option<Located<Trigger>>,
    /// Only this long after `after`, or after power-on.
    #[schemars(example = &"1m")]
    pub within: Option<Located<TimeSpan>>,
}

impl ForbiddenSerial {
    /// The pattern. A file that was validated has exactly one.
    pub fn pattern(&self) -> Pattern<'_> {
        Pattern::of(self.text.as_ref(), self.regex.as_ref())
    }
}

impl ShortForm for ForbiddenSerial {
    const EXPECTING: &'static str = "serial text, or a mapping with `text` or `regex`";

    fn from_short(text: &str) -> Result<Self, String> {
        Ok(ForbiddenSerial {
            text: Some(Located::unwritten(text.to_owned())),
            ..ForbiddenSerial::default()
        })
    }
}

short_form!(ForbiddenSerial);

/// How often something happens.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EventExpectation {
    /// What happens: a trigger without `nth`, and neither `time` nor `after`.
    #[schemars(example = serde_json::json!({"wifi": "lost"}))]
    pub of: Located<Trigger>,
    /// How often; left out, at least once.
    #[schemars(example = 0)]
    pub count: Option<Located<Count>>,
    /// Only from this moment on.
    #[schemars(example = &"1m")]
    pub after: Option<Located<Trigger>>,
    /// Only until this moment.
    #[schemars(example = &"1h")]
    pub before: Option<Located<Trigger>>,
    /// Only this long after `after`, or after power-on.
    #[schemars(example = &"30s")]
    pub within: Option<Located<TimeSpan>>,
}

/// The time between two moments; both ends of the range are allowed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct IntervalExpectation {
    /// The first moment.
    #[schemars(example = serde_json::json!({"serial": "[UPDATE] Session renewed"}))]
    pub from: Located<Trigger>,
    /// The second moment. Without `nth` it is the first such moment after `from`.
    #[schemars(example = serde_json::json!({"serial": "[UPDATE] Session renewed"}))]
    pub to: Located<Trigger>,
    /// The shortest time allowed.
    #[schemars(example = &"44m")]
    pub min: Option<Located<TimeSpan>>,
    /// The longest time allowed.
    #[schemars(example = &"46m")]
    pub max: Option<Located<TimeSpan>>,
}

/// Requests that the cloud sees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RequestsExpectation {
    /// Only to this endpoint.
    #[serde(deserialize_with = "names::endpoint")]
    #[schemars(with = "Option<names::EndpointName>", example = &"renew-session")]
    pub endpoint: Option<Endpoint>,
    /// Only with this status.
    #[schemars(example = 200)]
    pub status: Option<Located<u16>>,
    /// Counted at this part of their life; left out, `after-effect`.
    #[serde(deserialize_with = "names::phase")]
    #[schemars(with = "Option<names::PhaseName>", example = &"after-reply")]
    pub at: Option<Phase>,
    /// Only where path and query hold this text.
    #[schemars(example = &"ack=7")]
    pub target: Option<String>,
    /// Only where the request's body holds this text.
    #[schemars(example = &"\"relays\":[true,false]")]
    pub body: Option<String>,
    /// How many; left out, at least one.
    #[schemars(example = 4)]
    pub count: Option<Located<Count>>,
    /// Only from this moment on.
    #[schemars(example = &"1m")]
    pub after: Option<Located<Trigger>>,
    /// Only until this moment.
    #[schemars(example = &"1h")]
    pub before: Option<Located<Trigger>>,
    /// Only this long after `after`, or after power-on.
    #[schemars(example = &"30s")]
    pub within: Option<Located<TimeSpan>>,
}

/// Nothing happens more often than this in any stretch of time.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RateExpectation {
    /// What happens: a trigger without `nth`, and neither `time` nor `after`.
    #[schemars(example = serde_json::json!({"request": {"endpoint": "renew-session"}}))]
    pub of: Located<Trigger>,
    /// How often at most.
    #[schemars(example = 3)]
    pub max: Located<u64>,
    /// In any stretch of this length; two events that are exactly this far apart are in two stretches.
    #[schemars(example = &"10s")]
    pub per: Located<TimeSpan>,
    /// Only from this moment on.
    #[schemars(example = &"1m")]
    pub after: Option<Located<Trigger>>,
    /// Only until this moment.
    #[schemars(example = &"1h")]
    pub before: Option<Located<Trigger>>,
    /// Only this long after `after`, or after power-on.
    #[schemars(example = &"30m")]
    pub within: Option<Located<TimeSpan>>,
}

/// Gaps between attempts grow: each is at least `factor` times the one before it, until it is as long as
/// `up-to`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BackoffExpectation {
    /// What happens: a trigger without `nth`, and neither `time` nor `after`.
    #[schemars(example = serde_json::json!({"request": {"endpoint": "renew-session"}}))]
    pub of: Located<Trigger>,
    /// The factor.
    #[schemars(example = 1.5)]
    pub factor: Located<Factor>,
    /// A gap of this length need not grow any more.
    #[schemars(example = &"5m")]
    pub up_to: Located<TimeSpan>,
    /// How many attempts there are; left out, at least three: fewer show no growth.
    #[schemars(example = serde_json::json!({"min": 4}))]
    pub count: Option<Located<Count>>,
    /// Only from this moment on.
    #[schemars(example = serde_json::json!({"fault": {"name": "server-down", "state": "fired"}}))]
    pub after: Option<Located<Trigger>>,
    /// Only until this moment.
    #[schemars(example = serde_json::json!({"fault": {"name": "server-down", "state": "ended"}}))]
    pub before: Option<Located<Trigger>>,
    /// Only this long after `after`, or after power-on.
    #[schemars(example = &"30m")]
    pub within: Option<Located<TimeSpan>>,
}

/// The level of a pin: exactly one of `level` with `at`, `always` and `never`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PinExpectation {
    /// GPIO number, 0 to 21.
    #[schemars(example = 4)]
    pub gpio: Located<u8>,
    /// The level at the moment `at`.
    #[schemars(example = &"high")]
    pub level: Option<Level>,
    /// The moment for `level`.
    #[schemars(example = &"20m")]
    pub at: Option<Located<Trigger>>,
    /// The pin has this level all the time; a pin that nothing drives has none.
    #[schemars(example = &"high")]
    pub always: Option<Level>,
    /// The pin has this level at no time.
    #[schemars(example = &"low")]
    pub never: Option<Level>,
    /// Only from this moment on.
    #[schemars(example = &"20m")]
    pub after: Option<Located<Trigger>>,
    /// Only until this moment.
    #[schemars(example = &"1h")]
    pub before: Option<Located<Trigger>>,
    /// Only this long after `after`, or after power-on.
    #[schemars(example = &"30m")]
    pub within: Option<Located<TimeSpan>>,
}

/// The status that the dashboard shows: exactly one of `is` with `at`, `always`, `never` and `time-in`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct StatusExpectation {
    /// The status at the moment `at`.
    #[serde(deserialize_with = "names::some_status")]
    #[schemars(with = "Option<names::StatusName>", example = &"online")]
    pub is: Option<DeviceStatus>,
    /// The moment for `is`.
    #[schemars(example = &"20m")]
    pub at: Option<Located<Trigger>>,
    /// The status is this one all the time; before the first one is shown there is none.
    #[serde(deserialize_with = "names::some_status")]
    #[schemars(with = "Option<names::StatusName>", example = &"online")]
    pub always: Option<DeviceStatus>,
    /// The status is this one at no time.
    #[serde(deserialize_with = "names::some_status")]
    #[schemars(with = "Option<names::StatusName>", example = &"offline")]
    pub never: Option<DeviceStatus>,
    /// The status whose total time is within `min` and `max`.
    #[serde(deserialize_with = "names::some_status")]
    #[schemars(with = "Option<names::StatusName>", example = &"away")]
    pub time_in: Option<DeviceStatus>,
    /// The shortest total time allowed for `time-in`.
    #[schemars(example = &"2h50m")]
    pub min: Option<Located<TimeSpan>>,
    /// The longest total time allowed for `time-in`.
    #[schemars(example = &"30s")]
    pub max: Option<Located<TimeSpan>>,
    /// Only from this moment on.
    #[schemars(example = &"1m")]
    pub after: Option<Located<Trigger>>,
    /// Only until this moment.
    #[schemars(example = &"1h")]
    pub before: Option<Located<Trigger>>,
    /// Only this long after `after`, or after power-on.
    #[schemars(example = &"30m")]
    pub within: Option<Located<TimeSpan>>,
}

/// How often the same token may be refused (401, 403 or 410).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TokenReuseExpectation {
    /// At most this often for one token.
    #[schemars(example = 5)]
    pub max: Located<u64>,
    /// Only from this moment on.
    #[schemars(example = &"1m")]
    pub after: Option<Located<Trigger>>,
    /// Only until this moment.
    #[schemars(example = &"1h")]
    pub before: Option<Located<Trigger>>,
    /// Only this long after `after`, or after power-on.
    #[schemars(example = &"30m")]
    pub within: Option<Located<TimeSpan>>,
}

/// Which secrets must not appear on the serial console.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct NoSecretsExpectation {
    /// The secrets. Left out, all but `session`, which the documented firmware shows.
    #[schemars(example = serde_json::json!(["permanent-token", "session"]))]
    pub of: Vec<Secret>,
}

impl Default for NoSecretsExpectation {
    fn default() -> NoSecretsExpectation {
        NoSecretsExpectation {
            of: vec![
                Secret::RegistrationToken,
                Secret::PermanentToken,
                Secret::WifiPassword,
            ],
        }
    }
}

/// A secret of the bench.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Secret {
    /// The registration token of the provisioning.
    RegistrationToken,
    /// Every permanent token that the cloud gives out.
    PermanentToken,
    /// The network's password.
    WifiPassword,
    /// Every session that the cloud gives out.
    Session,
}

/// How soon the device recovers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LivenessExpectation {
    /// How soon.
    #[schemars(example = &"2m")]
    pub within: Located<TimeSpan>,
    /// After this moment; left out, after the last fault of the run has ended.
    #[schemars(example = serde_json::json!({"fault": {"name": "wifi-drop", "state": "ended"}}))]
    pub after: Option<Located<Trigger>>,
}
