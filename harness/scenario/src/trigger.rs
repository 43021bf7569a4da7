//! Triggers: moments that are named by what happens. Faults start at them; expectations measure from them.

use vocabulary::{Endpoint, FaultState, Phase, ResetCause};

use crate::fact::FactTrigger;
use crate::located::Located;
use crate::quantity::TimeSpan;
use crate::read::{choice, mapping};
use crate::regex::Regex;
use crate::validate_expect;

choice! {
    /// A moment: a time since power-on, or the nth time that something happens.
    ///
    /// A bare length of time is short for `time`. Wherever `nth` may stand, 1 is meant when it is left out.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Trigger = "Trigger" {
        /// A time since the bench was switched on.
        "time" => Time(TimeSpan) eg["10m"];
        /// Some time after another moment.
        "after" => After(Box<AfterTrigger>) eg["{trigger: {wifi: associated}, delay: 10s}"];
        /// Text on the serial console.
        "serial" => Serial(Box<SerialTrigger>) eg["'[REG] Registered'"];
        /// A request to the cloud.
        "request" => Request(Box<RequestTrigger>) eg["{endpoint: renew-session, nth: 2, at: before-effect}"];
        /// The radio's link.
        "wifi" => Wifi(WifiTrigger) eg["associated"];
        /// A DHCP message.
        "dhcp" => Dhcp(DhcpTrigger) eg["ack"];
        /// A DNS query.
        "dns" => Dns(DnsTrigger) eg["cloud.oceanremote.test"];
        /// An SNTP poll, before it is answered.
        "sntp" => Sntp(SntpTrigger) eg["{nth: 2}"];
        /// An edge of a pin.
        "pin" => Pin(PinTrigger) eg["{gpio: 4, level: high}"];
        /// A start of the device after a reset.
        "reset" => Reset(ResetTrigger) eg["software"];
        /// A fault of this scenario that begins or ends.
        "fault" => Fault(Box<FaultTrigger>) eg["{name: wifi-drop, state: ended}"];
    }
    short "time";
    also Fact(FactTrigger), "A fact that a service tells." by FactTrigger::read;
    check validate_expect::trigger;
}

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
            Trigger::Fact(t) => t.nth,
        }
    }
}

mapping! {
    /// Some time after another moment.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct AfterTrigger = "AfterTrigger" {
        /// The other moment.
        pub trigger: Trigger = "trigger" eg["{request: {endpoint: register}}"];
        /// How long after it.
        pub delay: TimeSpan = "delay" eg["10s"];
    }
}

mapping! {
    /// Text on the serial console: exactly one of `text` and `regex`. A bare text is short for `text`.
    ///
    /// Text is looked for in single lines, as soon as its bytes are there: a prompt without a line end is found.
    /// A line counts once, however often it holds the text.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct SerialTrigger = "SerialTrigger" {
        /// Literal text.
        pub text: Option<Located<String>> = "text" eg["'[UPDATE] Session renewed'"];
        /// A regular expression (syntax of the Rust crate `regex`) that is searched in each line; `^` and `$`
        /// are the ends of the line.
        pub regex: Option<Located<Regex>> = "regex" eg[r"'^\[UPDATE\] Using session: [0-9a-f]{32}$'"];
        /// Which occurrence, from 1.
        pub nth: Option<u32> = "nth" eg["2"];
    }
    short "text";
    check validate_expect::serial_trigger;
}

impl SerialTrigger {
    /// The pattern. A file that was validated has exactly one.
    pub fn pattern(&self) -> Pattern<'_> {
        Pattern::of(self.text.as_ref(), self.regex.as_ref())
    }
}

/// What is looked for on the serial console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pattern<'a> {
    /// These bytes.
    Text(&'a str),
    /// A regular expression.
    Regex(&'a Regex),
}

impl<'a> Pattern<'a> {
    pub(crate) fn of(text: Option<&'a Located<String>>, regex: Option<&'a Located<Regex>>) -> Pattern<'a> {
        match (text, regex) {
            (_, Some(regex)) => Pattern::Regex(&regex.value),
            (text, None) => Pattern::Text(text.map_or("", |t| t.value.as_str())),
        }
    }
}

mapping! {
    /// A request to the cloud. Every key narrows it; without any it is any request.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct RequestTrigger = "RequestTrigger" {
        /// The endpoint.
        pub endpoint: Option<Endpoint> = "endpoint" eg["renew-session"];
        /// Which part of the request's life: `first-byte`, `before-effect`, `after-effect` or `after-reply`. Left
        /// out: in faults `before-effect`, elsewhere `after-effect`.
        pub at: Option<Phase> = "at" eg["before-effect"];
        /// The status of the reply; known from `after-effect` on.
        pub status: Option<u16> = "status" eg["200"];
        /// Text that path and query hold.
        pub target: Option<String> = "target" eg["'ack=7'"];
        /// Text that the request's body holds.
        pub body: Option<String> = "body" eg[r#"'"relays":[true,false]'"#];
        /// Which occurrence, from 1.
        pub nth: Option<u32> = "nth" eg["2"];
    }
}

mapping! {
    /// A change of the radio's link. A bare name is short for `state`.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct WifiTrigger = "WifiTrigger" {
        /// What happens.
        pub state: WifiState = "state" eg["lost"];
        /// Only with this reason code (IEEE 802.11-2020, table 9-49; from 200 the vendor's).
        pub reason: Option<u8> = "reason" eg["200"];
        /// Which occurrence, from 1.
        pub nth: Option<u32> = "nth" eg["2"];
    }
    short "state";
}

choice! {
    /// What happens to the radio's link.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum WifiState = "WifiState" {
        /// The station scans.
        "scan" => Scan;
        /// The association stands.
        "associated" => Associated;
        /// An attempt to associate fails.
        "refused" => Refused;
        /// The association ends.
        "lost" => Lost;
    }
}

mapping! {
    /// A DHCP message. A bare name is short for `message`.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct DhcpTrigger = "DhcpTrigger" {
        /// Its type: `discover`, `offer`, `request`, `ack`, `nak`, `decline` or `release`.
        pub message: Located<String> = "message" eg["ack"];
        /// Which occurrence, from 1.
        pub nth: Option<u32> = "nth" eg["2"];
    }
    short "message";
}

mapping! {
    /// A DNS query. A bare name is short for `name`.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct DnsTrigger = "DnsTrigger" {
        /// Only for this host name.
        pub name: Option<String> = "name" eg["pool.ntp.org"];
        /// Which occurrence, from 1.
        pub nth: Option<u32> = "nth" eg["2"];
    }
    short "name";
}

mapping! {
    /// An SNTP poll, before it is answered.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct SntpTrigger = "SntpTrigger" {
        /// Which occurrence, from 1.
        pub nth: Option<u32> = "nth" eg["2"];
    }
}

mapping! {
    /// An edge of a pin.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct PinTrigger = "PinTrigger" {
        /// GPIO number.
        pub gpio: Located<u8> = "gpio" eg["4"];
        /// The level that it goes to.
        pub level: Level = "level" eg["high"];
        /// Which occurrence, from 1.
        pub nth: Option<u32> = "nth" eg["2"];
    }
    check validate_expect::pin_trigger;
}

choice! {
    /// The level of a pin.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Level = "Level" {
        /// 0 V.
        "low" => Low;
        /// The supply voltage.
        "high" => High;
    }
}

impl Level {
    /// Whether it is high.
    pub const fn is_high(self) -> bool {
        matches!(self, Level::High)
    }
}

mapping! {
    /// A start of the device after a reset. A bare name is short for `cause`.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct ResetTrigger = "ResetTrigger" {
        /// Only for this cause.
        pub cause: Option<ResetCause> = "cause" eg["rtc-watchdog"];
        /// Which occurrence, from 1.
        pub nth: Option<u32> = "nth" eg["2"];
    }
    short "cause";
}

mapping! {
    /// A fault of this scenario that begins or ends.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct FaultTrigger = "FaultTrigger" {
        /// Its name; left out, any fault of the scenario.
        pub name: Option<Located<String>> = "name" eg["wifi-drop"];
        /// Whether it begins (`fired`) or is over (`ended`).
        pub state: FaultState = "state" eg["ended"];
        /// The last such moment of the whole run, not the first.
        pub last: bool = "last" eg["true"] or["false"];
    }
}
