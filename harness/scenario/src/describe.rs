//! Triggers, expectations and steps in words. The names and messages of expectations come from here.
//!
//! Every structure is taken apart field by field, without `..`: a new filter that is not put into words does not
//! compile. Two expectations that look at different things have different names.

use std::fmt::{self, Display, Formatter};

use vocabulary::text::{one_line, quoted};
use vocabulary::{Endpoint, Phase};

use crate::args;
use crate::count::Count;
use crate::expectation::{
    BackoffExpectation, EventExpectation, ExpectationKind, ForbiddenSerial, IntervalExpectation,
    NoSecretsExpectation, PinExpectation, RateExpectation, RequestsExpectation, SerialExpectation,
    SerialPattern, ServiceExpectation, StateExpectation, Window,
};
use crate::fact::FactTrigger;
use crate::located::Located;
use crate::names;
use crate::quantity::TimeSpan;
use crate::step::{Step, StepKind};
use crate::trigger::{
    AfterTrigger, DhcpTrigger, DnsTrigger, FaultTrigger, Pattern, PinTrigger, RequestTrigger, ResetTrigger,
    SerialTrigger, SntpTrigger, Trigger, WifiTrigger,
};

/// What narrows a request, in words.
#[derive(Clone, Copy, Debug)]
pub struct RequestFilter<'a> {
    /// Only to this endpoint.
    pub endpoint: Option<&'a Endpoint>,
    /// Looked at in this part of its life, where that was written.
    pub at: Option<Phase>,
    /// Only with this status.
    pub status: Option<u16>,
    /// Only where path and query hold this text.
    pub target: Option<&'a str>,
    /// Only where the request's body holds this text.
    pub body: Option<&'a str>,
}

impl RequestFilter<'_> {
    /// All but the endpoint, each with a space before it.
    fn conditions(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let RequestFilter {
            endpoint: _,
            at,
            status,
            target,
            body,
        } = self;
        if let Some(at) = at {
            write!(f, " at {}", names::phase_name(*at))?;
        }
        if let Some(status) = status {
            write!(f, " answered {status}")?;
        }
        if let Some(target) = target {
            write!(f, " with {} in its target", quoted(target))?;
        }
        if let Some(body) = body {
            write!(f, " with {} in its body", quoted(body))?;
        }
        Ok(())
    }
}

/// `requests to update answered 401`: of an expectation.
impl Display for RequestFilter<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let endpoint = self.endpoint.map_or("any endpoint", Endpoint::name);
        write!(f, "requests to {endpoint}")?;
        self.conditions(f)
    }
}

impl RequestsExpectation {
    /// What it counts.
    pub fn filter(&self) -> RequestFilter<'_> {
        let RequestsExpectation {
            endpoint,
            status,
            at,
            target,
            body,
            count: _,
            after: _,
            before: _,
            within: _,
        } = self;
        RequestFilter {
            endpoint: endpoint.as_ref(),
            at: *at,
            status: status.map(|s| s.value),
            target: target.as_deref(),
            body: body.as_deref(),
        }
    }
}

impl Display for Trigger {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(nth) = self.nth() {
            write!(f, "#{nth} ")?;
        }
        // `nth` is written above.
        match self {
            Trigger::Time(time) => write!(f, "time {time}"),
            Trigger::After(after) => {
                let AfterTrigger { trigger, delay } = &**after;
                write!(f, "{delay} after {trigger}")
            }
            Trigger::Serial(serial) => {
                let SerialTrigger { text, regex, nth: _ } = &**serial;
                write!(f, "serial {}", Pattern::of(text.as_ref(), regex.as_ref()))
            }
            Trigger::Request(request) => {
                let RequestTrigger {
                    endpoint,
                    at,
                    status,
                    target,
                    body,
                    nth: _,
                } = &**request;
                f.write_str("request")?;
                if let Some(endpoint) = endpoint {
                    write!(f, " {endpoint}")?;
                }
                let filter = RequestFilter {
                    endpoint: endpoint.as_ref(),
                    at: *at,
                    status: *status,
                    target: target.as_deref(),
                    body: body.as_deref(),
                };
                filter.conditions(f)
            }
            Trigger::Wifi(WifiTrigger {
                state,
                reason,
                nth: _,
            }) => {
                write!(f, "WiFi {}", lower(state))?;
                match reason {
                    Some(reason) => write!(f, " with reason {reason}"),
                    None => Ok(()),
                }
            }
            Trigger::Dhcp(DhcpTrigger { message, nth: _ }) => write!(f, "DHCP {}", one_line(&message.value)),
            Trigger::Dns(DnsTrigger { name, nth: _ }) => match name {
                Some(name) => write!(f, "DNS query for {}", one_line(name)),
                None => f.write_str("DNS query"),
            },
            Trigger::Sntp(SntpTrigger { nth: _ }) => f.write_str("SNTP poll"),
            Trigger::Pin(PinTrigger { gpio, level, nth: _ }) => {
                write!(f, "GPIO{} {}", gpio.value, lower(level))
            }
            Trigger::Reset(ResetTrigger { cause, nth: _ }) => match cause {
                Some(cause) => write!(f, "reset by {}", lower(cause)),
                None => f.write_str("reset"),
            },
            Trigger::Fact(FactTrigger {
                service: _,
                name,
                filters,
                nth: _,
            }) => {
                f.write_str(name)?;
                for (i, (field, value)) in filters.iter().enumerate() {
                    let value = args::shown(value);
                    let value = one_line(&value);
                    match i {
                        0 => write!(f, " {value}")?,
                        _ => write!(f, " with {field} {value}")?,
                    }
                }
                Ok(())
            }
            Trigger::Fault(fault) => {
                let FaultTrigger { name, state, last } = &**fault;
                let name = name.as_ref().map_or("any".into(), |n| one_line(&n.value));
                let last = if *last { "last " } else { "" };
                write!(f, "{last}fault {name} {}", lower(state))
            }
        }
    }
}

impl Display for Pattern<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Pattern::Text(text) => f.write_str(&quoted(text)),
            Pattern::Regex(regex) => write!(f, "/{}/", one_line(regex)),
        }
    }
}

impl Display for Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Step { name, kind, span: _ } = self;
        if let Some(name) = name {
            return f.write_str(&one_line(name));
        }
        match kind {
            StepKind::Delay(span) => write!(f, "delay {span}"),
            StepKind::WaitSerial(text) => write!(f, "wait-serial {}", quoted(text)),
            StepKind::WriteSerial(bytes) => write!(f, "write-serial \"{}\"", bytes.escape_ascii()),
            StepKind::ExpectPin { gpio, level } => write!(f, "expect-pin GPIO{gpio} = {}", u8::from(*level)),
            StepKind::SetPin { gpio, level } => write!(f, "set-control GPIO{gpio} = {}", u8::from(*level)),
        }
    }
}

/// ` after X, before Y, within Z`, or nothing.
impl Display for Window<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Window {
            after,
            before,
            within,
        } = self;
        let mut separator = " ";
        let mut part = |f: &mut Formatter<'_>, word: &str, what: &dyn Display| {
            let before = std::mem::replace(&mut separator, ", ");
            write!(f, "{before}{word} {what}")
        };
        if let Some(after) = after {
            part(f, "after", &after.value)?;
        }
        if let Some(before) = before {
            part(f, "before", &before.value)?;
        }
        if let Some(within) = within {
            part(f, "within", &within.value)?;
        }
        Ok(())
    }
}

fn window<'a>(
    after: &'a Option<Located<Trigger>>,
    before: &'a Option<Located<Trigger>>,
    within: &'a Option<Located<TimeSpan>>,
) -> Window<'a> {
    Window {
        after: after.as_ref(),
        before: before.as_ref(),
        within: within.as_ref(),
    }
}

/// ` 4 times`, or nothing.
struct Times<'a>(&'a Option<Located<Count>>);

impl Display for Times<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(count) => write!(f, " {} times", count.value),
            None => Ok(()),
        }
    }
}

/// ` min A, max B`, or nothing.
fn limits(min: &Option<Located<TimeSpan>>, max: &Option<Located<TimeSpan>>) -> String {
    match (min, max) {
        (Some(min), Some(max)) => format!(" {} to {}", min.value, max.value),
        (Some(min), None) => format!(" at least {}", min.value),
        (None, Some(max)) => format!(" at most {}", max.value),
        (None, None) => String::new(),
    }
}

impl ExpectationKind {
    /// A description made from what it demands, with everything that narrows it.
    pub(crate) fn describe(&self) -> String {
        match self {
            ExpectationKind::Serial(SerialExpectation {
                text,
                regex,
                count,
                after,
                before,
                within,
            }) => {
                let pattern = Pattern::of(text.as_ref(), regex.as_ref());
                format!(
                    "serial {pattern}{}{}",
                    Times(count),
                    window(after, before, within)
                )
            }
            ExpectationKind::NoSerial(ForbiddenSerial {
                text,
                regex,
                after,
                before,
                within,
            }) => {
                let pattern = Pattern::of(text.as_ref(), regex.as_ref());
                format!("no serial {pattern}{}", window(after, before, within))
            }
            ExpectationKind::SerialOrder(list) => format!("serial order: {}", join(list, " → ")),
            ExpectationKind::SerialAll(list) => format!("serial, all of: {}", join(list, ", ")),
            ExpectationKind::Event(EventExpectation {
                of,
                count,
                after,
                before,
                within,
            }) => format!("{}{}{}", of.value, Times(count), window(after, before, within)),
            ExpectationKind::Interval(IntervalExpectation { from, to, min, max }) => {
                let limits = limits(min, max);
                format!(
                    "interval from {} to {}{}",
                    from.value,
                    to.value,
                    prefixed(":", &limits)
                )
            }
            ExpectationKind::Requests(requests) => {
                let RequestsExpectation {
                    endpoint: _,
                    status: _,
                    at: _,
                    target: _,
                    body: _,
                    count,
                    after,
                    before,
                    within,
                } = requests;
                let filter = requests.filter();
                format!("{filter}{}{}", Times(count), window(after, before, within))
            }
            ExpectationKind::Rate(RateExpectation {
                of,
                max,
                per,
                after,
                before,
                within,
            }) => {
                let window = window(after, before, within);
                format!(
                    "{} at most {} times in {}{window}",
                    of.value, max.value, per.value
                )
            }
            ExpectationKind::Backoff(BackoffExpectation {
                of,
                factor,
                up_to,
                count,
                after,
                before,
                within,
            }) => format!(
                "backoff of {} by {} up to {}{}{}",
                of.value,
                factor.value,
                up_to.value,
                prefixed(",", &Times(count).to_string()),
                window(after, before, within)
            ),
            ExpectationKind::Pin(pin) => pin_words(pin),
            ExpectationKind::State(state) => state_words(state),
            ExpectationKind::Service(ServiceExpectation {
                service: _,
                spec,
                args,
                after,
                before,
                within,
            }) => {
                let mut title = spec.title.to_owned();
                for (key, value) in &args.0 {
                    title = title.replace(&format!("{{{key}}}"), &args::shown(value));
                }
                format!("{title}{}", window(after, before, within))
            }
            ExpectationKind::NoSecrets(NoSecretsExpectation { of }) => {
                if *of == NoSecretsExpectation::default().of {
                    "no secrets on serial".to_owned()
                } else {
                    let of: Vec<String> = of.iter().map(lower).collect();
                    format!("no secrets on serial: {}", of.join(", "))
                }
            }
        }
    }
}

/// `text` behind `sign`, or nothing.
fn prefixed(sign: &str, text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!("{sign}{text}")
    }
}

fn pin_words(pin: &PinExpectation) -> String {
    let PinExpectation {
        gpio,
        level,
        at,
        always,
        never,
        after,
        before,
        within,
    } = pin;
    let mut words = format!("pin GPIO{}", gpio.value);
    if let Some(level) = level {
        words += &format!(" {}", lower(level));
    }
    if let Some(at) = at {
        words += &format!(" at {}", at.value);
    }
    if let Some(always) = always {
        words += &format!(" always {}", lower(always));
    }
    if let Some(never) = never {
        words += &format!(" never {}", lower(never));
    }
    words + &window(after, before, within).to_string()
}

fn state_words(state: &StateExpectation) -> String {
    let StateExpectation {
        service: _,
        fact,
        field: _,
        is,
        at,
        always,
        never,
        time_in,
        min,
        max,
        after,
        before,
        within,
    } = state;
    let mut words = (*fact).to_owned();
    if let Some(is) = is {
        words += &format!(" {}", is);
    }
    if let Some(at) = at {
        words += &format!(" at {}", at.value);
    }
    if let Some(always) = always {
        words += &format!(" always {}", always);
    }
    if let Some(never) = never {
        words += &format!(" never {}", never);
    }
    if let Some(time_in) = time_in {
        words += &format!(" {} for{}", time_in, limits(min, max));
    }
    words + &window(after, before, within).to_string()
}

fn join(list: &[Located<SerialPattern>], separator: &str) -> String {
    let texts: Vec<String> = list
        .iter()
        .map(|p| {
            let SerialPattern { text, regex } = &p.value;
            Pattern::of(text.as_ref(), regex.as_ref()).to_string()
        })
        .collect();
    texts.join(separator)
}

/// `MainWatchdog0` as `main-watchdog0`.
fn lower(name: &impl fmt::Debug) -> String {
    let mut out = String::new();
    for c in format!("{name:?}").chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.extend(c.to_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::Format;

    fn titles(expect: &str) -> Vec<String> {
        let text = format!(
            "name: n\nversion: 1\nbench: {{duration: 3h}}\nfaults:\n  - {{name: f, when: 1s, do: reset}}\nexpect:\n{expect}"
        );
        let scenario = Format::new(&[&oceanremote::SPEC])
            .parse("n.yaml", &text)
            .unwrap_or_else(|e| panic!("{}", e.render(false, 100)));
        scenario.expect.iter().map(crate::Expectation::title).collect()
    }

    #[test]
    fn expectations_that_look_at_different_things_have_different_names() {
        let list = "
  - event: { of: { wifi: lost } }
  - event: { of: { wifi: { state: lost, reason: 4 } } }
  - event: { of: { wifi: { state: lost, reason: 8 } } }
  - event: { of: { wifi: lost }, after: 1m }
  - event: { of: { wifi: lost }, before: 1m }
  - event: { of: { wifi: lost }, within: 1m }
  - event: { of: { wifi: lost }, count: 0 }
  - event: { of: { reset: {} } }
  - event: { of: { reset: software } }
  - event: { of: { dns: {} } }
  - event: { of: { dns: a.test } }
  - event: { of: { fault: { name: f, state: fired } } }
  - event: { of: { fault: { state: fired } } }
  - event: { of: { request: {} } }
  - event: { of: { request: { at: after-reply } } }
  - event: { of: { request: { target: ack=7 } } }
  - event: { of: { request: { body: relays } } }
  - event: { of: { request: { status: 200 } } }
  - requests: { endpoint: update }
  - requests: { endpoint: update, status: 200 }
  - requests: { endpoint: update, at: after-reply }
  - requests: { endpoint: update, target: ack=7 }
  - requests: { endpoint: update, body: ack=7 }
  - requests: { endpoint: update, after: { wifi: { state: lost, reason: 8 } } }
  - requests: { endpoint: update, count: 2 }
  - serial: x
  - serial: { text: x, count: 2 }
  - serial: { text: x, after: { fault: { name: f, state: ended, last: true } } }
  - serial: { text: x, after: { fault: { name: f, state: ended } } }
  - no-serial: x
  - no-serial: { text: x, within: 1m }
  - interval: { from: 1s, to: { serial: x }, max: 1m }
  - interval: { from: 1s, to: { serial: x }, max: 2m }
  - interval: { from: 1s, to: { serial: x }, min: 2s }
  - rate: { of: { wifi: lost }, max: 2, per: 1m }
  - rate: { of: { wifi: lost }, max: 2, per: 1m, after: 1m }
  - backoff: { of: { wifi: lost }, factor: 1.5, up-to: 1m }
  - backoff: { of: { wifi: lost }, factor: 2, up-to: 1m }
  - backoff: { of: { wifi: lost }, factor: 2, up-to: 2m }
  - backoff: { of: { wifi: lost }, factor: 2, up-to: 2m, count: 4 }
  - pin: { gpio: 4, never: low }
  - pin: { gpio: 4, always: low }
  - pin: { gpio: 4, level: low, at: 1m }
  - pin: { gpio: 4, level: low, at: 2m }
  - pin: { gpio: 4, never: low, after: 1m }
  - status: { never: offline }
  - status: { always: offline }
  - status: { is: offline, at: 1m }
  - status: { time-in: away, max: 1m }
  - status: { time-in: away, max: 2m }
  - token-reuse: { max: 5 }
  - token-reuse: { max: 5, after: 1m }
  - no-secrets: {}
  - no-secrets: { of: [ session ] }
  - liveness: { within: 1m }
  - liveness: { within: 1m, after: 2m }
";
        let titles = titles(list);
        let different: std::collections::BTreeSet<&String> = titles.iter().collect();
        assert_eq!(different.len(), titles.len(), "{titles:#?}");
        assert_eq!(titles[2], "WiFi lost with reason 8");
        assert_eq!(titles[21], "requests to update with \"ack=7\" in its target");
    }

    #[test]
    fn a_pattern_and_a_name_stay_in_one_line() {
        let titles = titles("  - serial: \"a\\t\\e[31mb\"\n  - serial: { regex: \"a\\tb\" }\n");
        assert_eq!(titles, ["serial \"a\\t\\u{1b}[31mb\"", "serial /a\\tb/"]);
    }
}
