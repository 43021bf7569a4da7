//! Events of a run in the form for expectations, and their comparison with triggers.

use std::collections::BTreeMap;

use scenario::trigger::WifiState;
use scenario::{SerialPattern, Trigger};
use sim::Instant;
use vocabulary::spec::Arg;
use vocabulary::text::quoted;
use vocabulary::{Endpoint, Event, Exchange, FaultState, Kind, LinkEvent, Phase, ResetCause, WifiEvent};

use crate::serial::SerialMatcher;
use crate::times::Misses;
use crate::told;

/// An input of the expectations: an event, a complete console line, or the patterns that one byte of the
/// console completed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Happening<'a> {
    pub(crate) at: Instant,
    pub(crate) what: What<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum What<'a> {
    /// Indices of the completed patterns, ascending.
    Serial(&'a [usize]),
    /// A complete line of the console.
    Line(&'a str),
    Event(&'a Event),
}

/// Events that a trigger names, without its `nth`.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    Serial(usize),
    Request(RequestSubject),
    Wifi { state: WifiState, reason: Option<u8> },
    Dhcp(String),
    Dns(Option<String>),
    Sntp,
    Pin { gpio: u8, high: bool },
    Reset(Option<ResetCause>),
    Fact(FactSubject),
    Fault { name: Option<String>, state: FaultState },
}

/// A fact of a service; each filter that is given must hold.
#[derive(Clone, Debug)]
pub(crate) struct FactSubject {
    pub(crate) name: &'static str,
    /// Field and its value as text.
    pub(crate) filters: Vec<(&'static str, String)>,
}

impl FactSubject {
    fn occurs(&self, kind: &Kind) -> bool {
        let holds = |(field, wanted): &(&'static str, String)| {
            told::field(kind, self.name, field).as_ref() == Some(wanted)
        };
        told::is(kind, self.name) && self.filters.iter().all(holds)
    }

    /// The fields that differ from the wanted ones.
    fn instead(&self, kind: &Kind) -> String {
        let differing = self.filters.iter().filter_map(|(field, wanted)| {
            let found = told::field(kind, self.name, field)?;
            (found != *wanted).then(|| format!("with {field} {}", short(&found)))
        });
        differing.collect::<Vec<_>>().join(" and ")
    }
}

/// A value as the fields of facts show it.
fn text_of(value: &Arg) -> String {
    match value {
        Arg::Text(text) => text.clone(),
        Arg::Bool(value) => value.to_string(),
        Arg::Integer(value) => value.to_string(),
        Arg::Duration(time) => time.as_nanos().to_string(),
        Arg::Offset(ns) => ns.to_string(),
    }
}

/// Conditions of a request; each one that is given must hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestSubject {
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) at: Option<Phase>,
    pub(crate) status: Option<u16>,
    pub(crate) target: Option<String>,
    pub(crate) body: Option<String>,
}

impl Subject {
    /// The subject of a trigger; `None` for a time, and for a delay after another moment. `phase` is the
    /// default for requests without `at`.
    pub(crate) fn new(trigger: &Trigger, phase: Phase, serial: &mut SerialMatcher) -> Option<Subject> {
        Some(match trigger {
            Trigger::Time(_) | Trigger::After(_) => return None,
            Trigger::Serial(t) => Subject::Serial(serial.add(t.pattern())),
            Trigger::Request(t) => Subject::Request(RequestSubject {
                endpoint: t.endpoint.clone(),
                at: Some(t.at.unwrap_or(phase)),
                status: t.status,
                target: t.target.clone(),
                body: t.body.clone(),
            }),
            Trigger::Wifi(t) => Subject::Wifi {
                state: t.state,
                reason: t.reason,
            },
            Trigger::Dhcp(t) => Subject::Dhcp(t.message.value.clone()),
            Trigger::Dns(t) => Subject::Dns(t.name.clone()),
            Trigger::Sntp(_) => Subject::Sntp,
            Trigger::Pin(t) => Subject::Pin {
                gpio: t.gpio.value,
                high: t.level.is_high(),
            },
            Trigger::Reset(t) => Subject::Reset(t.cause),
            Trigger::Fact(t) => Subject::Fact(FactSubject {
                name: t.name,
                filters: t
                    .filters
                    .iter()
                    .map(|(field, value)| (*field, text_of(value)))
                    .collect(),
            }),
            Trigger::Fault(t) => Subject::Fault {
                name: t.name.as_ref().map(|n| n.value.clone()),
                state: t.state,
            },
        })
    }

    /// The subject for a pattern of an expectation.
    pub(crate) fn pattern(pattern: &SerialPattern, serial: &mut SerialMatcher) -> Subject {
        Subject::Serial(serial.add(pattern.pattern()))
    }

    /// The moment of the occurrence, if the input is one. It is the present moment, except for the first byte
    /// of a request, which was earlier because the endpoint is known only later.
    pub(crate) fn occurs(&self, h: &Happening<'_>) -> Option<Instant> {
        let event = match (self, h.what) {
            (Subject::Serial(pattern), What::Serial(hits)) => return hits.contains(pattern).then_some(h.at),
            (_, What::Serial(_) | What::Line(_)) => return None,
            (_, What::Event(event)) => event,
        };
        let kind = &event.kind;
        let yes = match self {
            Subject::Serial(_) => false,
            Subject::Request(r) => {
                let Kind::Request { phase, exchange } = kind else {
                    return None;
                };
                return r.occurs(h.at, *phase, exchange);
            }
            Subject::Wifi { state, reason } => {
                matches!(kind, Kind::Wifi(wifi) if is_wifi(*state, *reason, wifi))
            }
            Subject::Dhcp(wanted) => {
                matches!(kind, Kind::Link(LinkEvent::Dhcp { message, .. }) if wanted == message)
            }
            Subject::Dns(wanted) => {
                let is_wanted = |name: &str| {
                    let name = name.trim_end_matches('.');
                    wanted
                        .as_ref()
                        .is_none_or(|wanted| wanted.eq_ignore_ascii_case(name))
                };
                matches!(kind, Kind::Link(LinkEvent::Dns { name, .. }) if is_wanted(name))
            }
            Subject::Sntp => matches!(kind, Kind::Link(LinkEvent::SntpAsked)),
            Subject::Pin { gpio, high } => {
                matches!(kind, Kind::Pin { gpio: pin, level } if gpio == pin && *level == Some(*high))
            }
            Subject::Reset(wanted) => {
                matches!(kind, Kind::Reset { cause } if wanted.is_none_or(|wanted| wanted == *cause))
            }
            Subject::Fact(fact) => fact.occurs(kind),
            Subject::Fault { name: wanted, state } => {
                let is_wanted = |name: &String| wanted.as_ref().is_none_or(|wanted| wanted == name);
                matches!(kind, Kind::Fault { name, state: now } if state == now && is_wanted(name))
            }
        };
        yes.then_some(h.at)
    }
}

/// Near misses of a subject: events that it would match without its filters.
#[derive(Clone, Debug)]
pub(crate) struct Nearly {
    subject: Subject,
    pub(crate) misses: Misses,
}

impl Nearly {
    /// `None` for a subject without filters.
    pub(crate) fn to(subject: &Subject) -> Option<Nearly> {
        subject.widened().map(|subject| Nearly {
            subject,
            misses: Misses::default(),
        })
    }

    /// Takes an input that is not an occurrence of `wanted`.
    pub(crate) fn observe(&mut self, wanted: &Subject, h: &Happening<'_>) {
        if let Some(at) = self.subject.occurs(h)
            && let What::Event(event) = h.what
        {
            self.misses.push(at, wanted.instead(&event.kind));
        }
    }

    /// ` (lost once, with reason 4, at 0:05:00.000)`, or nothing.
    pub(crate) fn told(&self) -> String {
        self.misses.told(self.subject.verb())
    }
}

impl Subject {
    /// The subject without its filters; `None` if it has none.
    fn widened(&self) -> Option<Subject> {
        match self {
            Subject::Wifi { state, reason } => reason.map(|_| Subject::Wifi {
                state: *state,
                reason: None,
            }),
            Subject::Request(RequestSubject {
                endpoint,
                at,
                status,
                target,
                body,
            }) => (status.is_some() || target.is_some() || body.is_some()).then_some(Subject::Request(
                RequestSubject {
                    endpoint: endpoint.clone(),
                    at: *at,
                    status: None,
                    target: None,
                    body: None,
                },
            )),
            Subject::Dns(name) => name.as_ref().map(|_| Subject::Dns(None)),
            Subject::Reset(cause) => cause.map(|_| Subject::Reset(None)),
            Subject::Fault { name, state } => name.as_ref().map(|_| Subject::Fault {
                name: None,
                state: *state,
            }),
            // For the console the most similar line is reported instead. The others have no filter.
            Subject::Serial(_) | Subject::Dhcp(_) | Subject::Sntp | Subject::Pin { .. } => None,
            Subject::Fact(fact) => (fact.filters.len() > 1).then(|| {
                Subject::Fact(FactSubject {
                    name: fact.name,
                    filters: fact.filters[..1].to_vec(),
                })
            }),
        }
    }

    /// Verb for the number of occurrences in a message.
    fn verb(&self) -> &'static str {
        match self {
            Subject::Wifi { state, .. } => match state {
                WifiState::Scan => "scanned",
                WifiState::Associated => "associated",
                WifiState::Refused => "refused",
                WifiState::Lost => "lost",
            },
            Subject::Request(_) => "requested",
            Subject::Dns(_) => "asked",
            Subject::Reset(_) => "reset",
            Subject::Fault { state, .. } => match state {
                FaultState::Fired => "fired",
                FaultState::Ended => "ended",
                FaultState::WithoutEffect => "had no effect",
                FaultState::NeverFired => "never fired",
            },
            Subject::Serial(_)
            | Subject::Dhcp(_)
            | Subject::Sntp
            | Subject::Pin { .. }
            | Subject::Fact(_) => "came",
        }
    }

    /// The property of a near miss that the filters of this subject exclude.
    fn instead(&self, kind: &Kind) -> String {
        match self {
            Subject::Wifi { .. } => {
                if let Kind::Wifi(event) = kind {
                    return match event {
                        WifiEvent::Refused { reason } | WifiEvent::Disassociated { reason } => {
                            format!("with reason {}", reason.0)
                        }
                        WifiEvent::Scan | WifiEvent::Associated { .. } => "without a reason".to_owned(),
                    };
                }
            }
            Subject::Request(wanted) => {
                if let Kind::Request { exchange, .. } = kind {
                    return wanted.instead(exchange);
                }
            }
            Subject::Dns(_) => {
                if let Kind::Link(LinkEvent::Dns { name, .. }) = kind {
                    return format!("for {}", short(name));
                }
            }
            Subject::Reset(_) => {
                if let Kind::Reset { cause } = kind {
                    return format!("by {cause:?}");
                }
            }
            Subject::Fault { .. } => {
                if let Kind::Fault { name, .. } = kind {
                    return format!("the fault {}", short(name));
                }
            }
            Subject::Fact(wanted) => return wanted.instead(kind),
            Subject::Serial(_) | Subject::Dhcp(_) | Subject::Sntp | Subject::Pin { .. } => {}
        }
        String::new()
    }
}

/// Greatest length of a text in a message, characters.
const SHOWN: usize = 80;

/// `text` in quotes, truncated if it is long.
fn short(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", quoted(&text[..end])),
        None => quoted(text),
    }
}

impl RequestSubject {
    /// The properties of a request that differ from the wanted ones.
    fn instead(&self, exchange: &Exchange) -> String {
        let RequestSubject {
            endpoint: _,
            at: _,
            status,
            target,
            body,
        } = self;
        let mut parts = Vec::new();
        if status.is_some() && *status != exchange.status {
            parts.push(exchange.status.map_or_else(
                || "without an answer".to_owned(),
                |status| format!("answered {status}"),
            ));
        }
        if let Some(target) = target
            && !exchange.target.contains(target.as_str())
        {
            parts.push(format!("with the target {}", short(&exchange.target)));
        }
        if let Some(body) = body
            && !exchange.request_body.contains(body.as_str())
        {
            parts.push(format!("with the body {}", short(&exchange.request_body)));
        }
        parts.join(" and ")
    }

    fn occurs(&self, now: Instant, phase: Phase, exchange: &Exchange) -> Option<Instant> {
        let narrowed = self.endpoint.is_some() || self.target.is_some();
        if phase != self.at.unwrap_or(Phase::AfterEffect) {
            return None;
        }
        let at = match phase {
            // A condition on the request waits for the request line; without one, the first byte was enough.
            Phase::FirstByte if narrowed => exchange.started,
            Phase::FirstByte if exchange.named_late => return None,
            Phase::FirstByte | Phase::BeforeEffect | Phase::AfterEffect | Phase::AfterReply => now,
        };
        let holds = |wanted: &Option<String>, text: &str| wanted.as_ref().is_none_or(|w| text.contains(w));
        (self
            .endpoint
            .as_ref()
            .is_none_or(|e| exchange.endpoint.as_ref() == Some(e))
            && self.status.is_none_or(|s| exchange.status == Some(s))
            && holds(&self.target, &exchange.target)
            && holds(&self.body, &exchange.request_body))
        .then_some(at)
    }
}

fn is_wifi(state: WifiState, reason: Option<u8>, event: &WifiEvent) -> bool {
    let (is, because) = match event {
        WifiEvent::Scan => (WifiState::Scan, None),
        WifiEvent::Associated { .. } => (WifiState::Associated, None),
        WifiEvent::Refused { reason } => (WifiState::Refused, Some(reason.0)),
        WifiEvent::Disassociated { reason } => (WifiState::Lost, Some(reason.0)),
    };
    is == state && (reason.is_none() || reason == because)
}

/// Filter for pin edges: the bench may report a level again that a pin already has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edges(BTreeMap<u8, Option<bool>>);

impl Edges {
    /// True unless the event repeats the known level of a pin.
    pub(crate) fn is_news(&mut self, kind: &Kind) -> bool {
        let Kind::Pin { gpio, level } = kind else {
            return true;
        };
        self.0.insert(*gpio, *level) != Some(*level)
    }
}
