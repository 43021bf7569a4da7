//! Expectations: what must be true of a run.

use vocabulary::{Endpoint, Phase};

use crate::count::Count;
use crate::fact;
pub use crate::fact::{ServiceExpectation, StateExpectation};
use crate::located::{Located, Span};
use crate::quantity::{Factor, TimeSpan};
use crate::read::{Cx, Mapping, Read, Type, choice, mapping, meant};
use crate::regex::Regex;
use crate::tree::{Node, Scalar};
use crate::trigger::{Level, Pattern, Trigger};
use crate::validate_expect;

mapping! {
    /// An expectation: one of these keys, and a name if you like.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct RawExpectation = "Expectation" {
        /// A name, unique in the file; `expect-verdict` and reports refer to it.
        pub(crate) name: Option<Located<String>> = "name" eg["renews on time"];
        /// Text that the serial console shows.
        pub(crate) serial: Option<Located<SerialExpectation>> = "serial" eg["{text: '[UPDATE] Session renewed', count: 4}"];
        /// Text that the serial console never shows.
        pub(crate) no_serial: Option<Located<ForbiddenSerial>> = "no-serial" eg["{regex: 'panicked|Guru Meditation'}"];
        /// Texts that the serial console shows one after the other, whatever is between them.
        pub(crate) serial_order: Option<Located<Vec<Located<SerialPattern>>>> = "serial-order" eg["['[REG] Registered', '[UPDATE] Using session']"];
        /// Texts that the serial console shows, in any order.
        pub(crate) serial_all: Option<Located<Vec<Located<SerialPattern>>>> = "serial-all" eg["['[WIFI] Connected', '[NTP] Synchronised']"];
        /// Anything that can be a trigger, and how often it happens.
        pub(crate) event: Option<Located<EventExpectation>> = "event" eg["{of: {reset: software}, count: 0}"];
        /// The time between two moments.
        pub(crate) interval: Option<Located<IntervalExpectation>> = "interval" eg["{from: {request: {endpoint: renew-session, nth: 1}}, to: {request: {endpoint: renew-session, nth: 2}}, min: 44m, max: 46m}"];
        /// Requests that the cloud sees.
        pub(crate) requests: Option<Located<RequestsExpectation>> = "requests" eg["{endpoint: renew-session, status: 200, count: 4}"];
        /// Nothing happens more often than this in any stretch of time.
        pub(crate) rate: Option<Located<RateExpectation>> = "rate" eg["{of: {request: {endpoint: register}}, max: 2, per: 1m}"];
        /// Gaps between attempts grow.
        pub(crate) backoff: Option<Located<BackoffExpectation>> = "backoff" eg["{of: {request: {endpoint: renew-session}}, factor: 1.5, up-to: 5m}"];
        /// The level of a pin at a moment or over time.
        pub(crate) pin: Option<Located<PinExpectation>> = "pin" eg["{gpio: 4, never: low, after: 20m}"];
        /// No secret appears on the serial console.
        pub(crate) no_secrets: Option<Located<NoSecretsExpectation>> = "no-secrets" eg["{of: [registration-token, permanent-token]}"];
    }
    unknown of_a_service;
}

/// A key that the table does not have may be an expectation of a service.
fn of_a_service(key: &Scalar, _: &[(Scalar, Node)], mapping: &'static Mapping, cx: &mut Cx<'_>) -> bool {
    if fact::expectation_names(cx).contains(&key.text.as_str()) {
        return true;
    }
    let mut known: Vec<&str> = mapping.keys.iter().map(|k| k.name).collect();
    known.extend(fact::expectation_names(cx));
    cx.problem(
        key.span,
        format!("unknown key `{}`", key.text),
        "not known here",
        meant(&key.text, &known),
    );
    false
}

/// An expectation with those of services beside it.
#[derive(Clone, Debug)]
pub(crate) struct AnyExpectation {
    pub(crate) plain: RawExpectation,
    /// Key, place of the value, and value.
    pub(crate) of_services: Vec<(&'static str, Span, ExpectationKind)>,
}

impl Read for AnyExpectation {
    const TYPE: Type = RawExpectation::TYPE;

    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<AnyExpectation> {
        let plain = RawExpectation::read(node, cx);
        let mut of_services = Vec::new();
        let mut right = true;
        for (service, spec) in cx.format.states() {
            if let Some(value) = node.get(spec.name) {
                match StateExpectation::read(service, spec, value, cx) {
                    Some(read) => of_services.push((spec.name, value.span, ExpectationKind::State(read))),
                    None => right = false,
                }
            }
        }
        for (service, spec) in cx.format.expectations() {
            if let Some(value) = node.get(spec.name) {
                match ServiceExpectation::read(service, spec, value, cx) {
                    Some(read) => of_services.push((spec.name, value.span, ExpectationKind::Service(read))),
                    None => right = false,
                }
            }
        }
        let plain = plain.filter(|_| right)?;
        Some(AnyExpectation { plain, of_services })
    }
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
    /// A state that a service tells.
    State(StateExpectation),
    /// Something that a service judges itself.
    Service(ServiceExpectation),
    /// Secrets stay secret.
    NoSecrets(NoSecretsExpectation),
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
    PinExpectation
);

mapping! {
    /// A pattern: a bare text, or a mapping with exactly one of `text` and `regex`.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct SerialPattern = "SerialPattern" {
        /// Literal text.
        pub text: Option<Located<String>> = "text" eg["'[REG] Registered'"];
        /// A regular expression that is searched in each line.
        pub regex: Option<Located<Regex>> = "regex" eg["'session: [0-9a-f]+'"];
    }
    short "text";
    check validate_expect::serial_pattern;
}

impl SerialPattern {
    /// The pattern. A file that was validated has exactly one.
    pub fn pattern(&self) -> Pattern<'_> {
        Pattern::of(self.text.as_ref(), self.regex.as_ref())
    }
}

mapping! {
    /// Text that the serial console shows; a bare text at least once in the run.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct SerialExpectation = "SerialExpectation" {
        /// Literal text.
        pub text: Option<Located<String>> = "text" eg["'[UPDATE] Session renewed'"];
        /// A regular expression that is searched in each line.
        pub regex: Option<Located<Regex>> = "regex" eg["'session: [0-9a-f]{32}$'"];
        /// How many lines show it; left out, at least one.
        pub count: Option<Located<Count>> = "count" eg["4", "{min: 3, max: 5}"];
        /// Only from this moment on.
        pub after: Option<Located<Trigger>> = "after" eg["20m"];
        /// Only until this moment.
        pub before: Option<Located<Trigger>> = "before" eg["{wifi: lost}"];
        /// Only this long after `after`, or after power-on.
        pub within: Option<Located<TimeSpan>> = "within" eg["10s"];
    }
    short "text";
}

impl SerialExpectation {
    /// The pattern. A file that was validated has exactly one.
    pub fn pattern(&self) -> Pattern<'_> {
        Pattern::of(self.text.as_ref(), self.regex.as_ref())
    }
}

mapping! {
    /// Text that the serial console never shows.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct ForbiddenSerial = "ForbiddenSerial" {
        /// Literal text.
        pub text: Option<Located<String>> = "text" eg["Will re-register"];
        /// A regular expression that is searched in each line.
        pub regex: Option<Located<Regex>> = "regex" eg["'panicked|Guru Meditation'"];
        /// Only from this moment on.
        pub after: Option<Located<Trigger>> = "after" eg["{serial: '[REG] Registered'}"];
        /// Only until this moment.
        pub before: Option<Located<Trigger>> = "before" eg["1h"];
        /// Only this long after `after`, or after power-on.
        pub within: Option<Located<TimeSpan>> = "within" eg["1m"];
    }
    short "text";
}

impl ForbiddenSerial {
    /// The pattern. A file that was validated has exactly one.
    pub fn pattern(&self) -> Pattern<'_> {
        Pattern::of(self.text.as_ref(), self.regex.as_ref())
    }
}

mapping! {
    /// How often something happens.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct EventExpectation = "EventExpectation" {
        /// What happens: a trigger without `nth`, and neither `time` nor `after`.
        pub of: Located<Trigger> = "of" eg["{wifi: lost}"];
        /// How often; left out, at least once.
        pub count: Option<Located<Count>> = "count" eg["0"];
        /// Only from this moment on.
        pub after: Option<Located<Trigger>> = "after" eg["1m"];
        /// Only until this moment.
        pub before: Option<Located<Trigger>> = "before" eg["1h"];
        /// Only this long after `after`, or after power-on.
        pub within: Option<Located<TimeSpan>> = "within" eg["30s"];
    }
}

mapping! {
    /// The time between two moments; both ends of the range are allowed.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct IntervalExpectation = "IntervalExpectation" {
        /// The first moment.
        pub from: Located<Trigger> = "from" eg["{serial: '[UPDATE] Session renewed'}"];
        /// The second moment. Without `nth` it is the first such moment after `from`.
        pub to: Located<Trigger> = "to" eg["{serial: '[UPDATE] Session renewed'}"];
        /// The shortest time allowed.
        pub min: Option<Located<TimeSpan>> = "min" eg["44m"];
        /// The longest time allowed.
        pub max: Option<Located<TimeSpan>> = "max" eg["46m"];
    }
}

mapping! {
    /// Requests that the cloud sees.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct RequestsExpectation = "RequestsExpectation" {
        /// Only to this endpoint.
        pub endpoint: Option<Endpoint> = "endpoint" eg["renew-session"];
        /// Only with this status.
        pub status: Option<Located<u16>> = "status" eg["200"];
        /// Counted at this part of their life; left out, `after-effect`.
        pub at: Option<Phase> = "at" eg["after-reply"];
        /// Only where path and query hold this text.
        pub target: Option<String> = "target" eg["'ack=7'"];
        /// Only where the request's body holds this text.
        pub body: Option<String> = "body" eg[r#"'"relays":[true,false]'"#];
        /// How many; left out, at least one.
        pub count: Option<Located<Count>> = "count" eg["4"];
        /// Only from this moment on.
        pub after: Option<Located<Trigger>> = "after" eg["1m"];
        /// Only until this moment.
        pub before: Option<Located<Trigger>> = "before" eg["1h"];
        /// Only this long after `after`, or after power-on.
        pub within: Option<Located<TimeSpan>> = "within" eg["30s"];
    }
}

mapping! {
    /// Nothing happens more often than this in any stretch of time.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct RateExpectation = "RateExpectation" {
        /// What happens: a trigger without `nth`, and neither `time` nor `after`.
        pub of: Located<Trigger> = "of" eg["{request: {endpoint: renew-session}}"];
        /// How often at most.
        pub max: Located<u64> = "max" eg["3"];
        /// In any stretch of this length; two events that are exactly this far apart are in two stretches.
        pub per: Located<TimeSpan> = "per" eg["10s"];
        /// Only from this moment on.
        pub after: Option<Located<Trigger>> = "after" eg["1m"];
        /// Only until this moment.
        pub before: Option<Located<Trigger>> = "before" eg["1h"];
        /// Only this long after `after`, or after power-on.
        pub within: Option<Located<TimeSpan>> = "within" eg["30m"];
    }
}

mapping! {
    /// Gaps between attempts grow: each is at least `factor` times the one before it, until it is as long as
    /// `up-to`.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct BackoffExpectation = "BackoffExpectation" {
        /// What happens: a trigger without `nth`, and neither `time` nor `after`.
        pub of: Located<Trigger> = "of" eg["{request: {endpoint: renew-session}}"];
        /// The factor.
        pub factor: Located<Factor> = "factor" eg["1.5"];
        /// A gap of this length need not grow any more.
        pub up_to: Located<TimeSpan> = "up-to" eg["5m"];
        /// How many attempts there are; left out, at least three: fewer show no growth.
        pub count: Option<Located<Count>> = "count" eg["{min: 4}"];
        /// Only from this moment on.
        pub after: Option<Located<Trigger>> = "after" eg["{fault: {name: server-down, state: fired}}"];
        /// Only until this moment.
        pub before: Option<Located<Trigger>> = "before" eg["{fault: {name: server-down, state: ended}}"];
        /// Only this long after `after`, or after power-on.
        pub within: Option<Located<TimeSpan>> = "within" eg["30m"];
    }
}

mapping! {
    /// The level of a pin: exactly one of `level` with `at`, `always` and `never`.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct PinExpectation = "PinExpectation" {
        /// GPIO number.
        pub gpio: Located<u8> = "gpio" eg["4"];
        /// The level at the moment `at`.
        pub level: Option<Level> = "level" eg["high"];
        /// The moment for `level`.
        pub at: Option<Located<Trigger>> = "at" eg["20m"];
        /// The pin has this level all the time; a pin that nothing drives has none.
        pub always: Option<Level> = "always" eg["high"];
        /// The pin has this level at no time.
        pub never: Option<Level> = "never" eg["low"];
        /// Only from this moment on.
        pub after: Option<Located<Trigger>> = "after" eg["20m"];
        /// Only until this moment.
        pub before: Option<Located<Trigger>> = "before" eg["1h"];
        /// Only this long after `after`, or after power-on.
        pub within: Option<Located<TimeSpan>> = "within" eg["30m"];
    }
    check validate_expect::pin_expectation;
}

mapping! {
    /// Which secrets must not appear on the serial console.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct NoSecretsExpectation = "NoSecretsExpectation" {
        /// The secrets. Left out, all but `session`, which the documented firmware shows.
        pub of: Vec<Secret> = "of" eg["[permanent-token, session]"] or["[registration-token, permanent-token, wifi-password]"];
    }
    default yes;
}

choice! {
    /// A secret of the bench.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Secret = "Secret" {
        /// The registration token of the provisioning.
        "registration-token" => RegistrationToken;
        /// Every permanent token that the cloud gives out.
        "permanent-token" => PermanentToken;
        /// The network's password.
        "wifi-password" => WifiPassword;
        /// Every session that the cloud gives out.
        "session" => Session;
    }
}
