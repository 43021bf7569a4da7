//! What expectations and triggers must fulfil beyond their form.

use crate::count::Count;
use crate::expectation::{
    AnyExpectation, Expectation, ExpectationKind, PinExpectation, SerialPattern, StateExpectation, Window,
};
use crate::fact::expectation_names;
use crate::located::{Located, Span};
use crate::names;
use crate::quantity::TimeSpan;
use crate::read::Cx;
use crate::trigger::{PinTrigger, SerialTrigger, Trigger};
use crate::validate::pattern;

/// Types of DHCP messages (RFC 2131, table 2).
const DHCP_MESSAGES: [&str; 7] = ["discover", "offer", "request", "ack", "nak", "decline", "release"];

/// Checks an expectation and gives it its type.
pub(crate) fn expectation(any: &Located<AnyExpectation>, context: &mut Cx<'_>) -> Option<Expectation> {
    let mut found: Vec<(&str, Span, ExpectationKind)> = any.of_services.clone();
    let raw = &any.plain;
    macro_rules! take {
        ($($key:literal $field:ident $kind:ident),*) => {
            const KEYS: &[&str] = &[$($key),*];
            $(if let Some(value) = &raw.$field {
                found.push(($key, value.span, ExpectationKind::$kind(value.value.clone())));
            })*
        };
    }
    take!(
        "serial" serial Serial, "no-serial" no_serial NoSerial, "serial-order" serial_order SerialOrder,
        "serial-all" serial_all SerialAll, "event" event Event, "interval" interval Interval,
        "requests" requests Requests, "rate" rate Rate, "backoff" backoff Backoff, "pin" pin Pin,
        "no-secrets" no_secrets NoSecrets
    );
    if found.len() != 1 {
        let keys: Vec<&str> = found.iter().map(|(key, ..)| *key).collect();
        let message = match keys.as_slice() {
            [] => "the expectation expects nothing".to_owned(),
            many => format!("the expectation has several keys: {}", names::list(many)),
        };
        context.problem(
            any.span,
            message,
            "this expectation",
            format!(
                "write one of {}",
                names::list(&[KEYS, &expectation_names(context)].concat())
            ),
        );
        return None;
    }
    let (_, span, kind) = found.swap_remove(0);
    check(&kind, span.or(any.span), context);
    Some(Expectation {
        name: raw.name.clone(),
        kind,
        span: any.span,
    })
}

fn check(kind: &ExpectationKind, span: Span, context: &mut Cx<'_>) {
    use ExpectationKind as K;
    match kind {
        K::Serial(e) => {
            pattern(e.text.as_ref(), e.regex.as_ref(), span, context);
            count(e.count.as_ref(), context);
            window(e.window(), context);
        }
        K::NoSerial(e) => {
            pattern(e.text.as_ref(), e.regex.as_ref(), span, context);
            window(e.window(), context);
        }
        K::SerialOrder(list) => patterns(list, span, 2, context),
        K::SerialAll(list) => patterns(list, span, 1, context),
        K::Event(e) => {
            subject(&e.of, context);
            count(e.count.as_ref(), context);
            window(e.window(), context);
        }
        K::Interval(e) => limits(e.min, e.max, span, context),
        K::Requests(e) => {
            if let Some(status) = e.status {
                http_status(status.value, status.span, context);
            }
            count(e.count.as_ref(), context);
            window(e.window(), context);
        }
        K::Rate(e) => {
            subject(&e.of, context);
            positive(e.per, context);
            window(e.window(), context);
        }
        K::Backoff(e) => {
            subject(&e.of, context);
            if e.factor.milli < 1000 {
                context.problem(
                    e.factor.span,
                    "a factor below 1 lets gaps shrink",
                    "this factor",
                    "",
                );
            }
            positive(e.up_to, context);
            count(e.count.as_ref(), context);
            window(e.window(), context);
        }
        K::Pin(e) => pin(e, span, context),
        K::State(e) => state(e, span, context),
        K::Service(e) => window(e.window(), context),
        K::NoSecrets(e) => {
            if e.of.is_empty() {
                context.problem(span, "no secret is named", "here", "");
            }
        }
    }
}

fn patterns(list: &[Located<SerialPattern>], span: Span, least: usize, context: &mut Cx<'_>) {
    if list.len() < least {
        let message = if least == 2 {
            "an order needs two texts"
        } else {
            "the list is empty"
        };
        context.problem(span, message, "this list", "");
    }
}

fn pin(e: &PinExpectation, span: Span, context: &mut Cx<'_>) {
    one_form(
        &[
            ("level", e.level.is_some()),
            ("always", e.always.is_some()),
            ("never", e.never.is_some()),
        ],
        e.at.as_ref(),
        e.window(),
        span,
        context,
    );
}

fn state(e: &StateExpectation, span: Span, context: &mut Cx<'_>) {
    one_form(
        &[
            ("is", e.is.is_some()),
            ("always", e.always.is_some()),
            ("never", e.never.is_some()),
            ("time-in", e.time_in.is_some()),
        ],
        e.at.as_ref(),
        e.window(),
        span,
        context,
    );
    if e.time_in.is_some() {
        limits(e.min, e.max, span, context);
    } else if let Some(limit) = e.min.or(e.max) {
        context.problem(limit.span, "`min` and `max` belong to `time-in`", "this time", "");
    }
}

/// Exactly one of the forms; the first of them goes with `at`, the others with a window.
fn one_form(
    forms: &[(&str, bool)],
    at: Option<&Located<Trigger>>,
    stretch: Window<'_>,
    span: Span,
    context: &mut Cx<'_>,
) {
    let names: Vec<&str> = forms.iter().map(|(name, _)| *name).collect();
    if forms.iter().filter(|(_, there)| *there).count() != 1 {
        context.problem(
            span,
            format!("exactly one of {} is wanted", names::list(&names)),
            "here",
            "",
        );
        return;
    }
    let first = forms[0];
    match (first.1, at) {
        (true, None) => {
            let help = "add `at`, or use `always`";
            context.problem(span, format!("`{}` needs a moment", first.0), "here", help);
        }
        (true, Some(_)) => {
            if let Some(extra) = stretch
                .after
                .or(stretch.before)
                .map(|t| t.span)
                .or(stretch.within.map(|t| t.span))
            {
                context.problem(
                    extra,
                    format!("`{}` looks at one moment, not at a stretch", first.0),
                    "here",
                    "",
                );
            }
        }
        (false, Some(at)) => {
            context.problem(
                at.span,
                format!("`at` belongs to `{}`", first.0),
                "this moment",
                "",
            );
        }
        (false, None) => window(stretch, context),
    }
}

fn count(count: Option<&Located<Count>>, context: &mut Cx<'_>) {
    let Some(count) = count else { return };
    match (count.min, count.max) {
        (None, None) => context.problem(
            count.span,
            "any number is right",
            "this count",
            "give `min` or `max`",
        ),
        (Some(min), Some(max)) if min > max => {
            context.problem(
                count.span,
                format!("no number is at least {min} and at most {max}"),
                "this count",
                "",
            );
        }
        (Some(0), None) => {
            context.problem(
                count.span,
                "any number is at least 0",
                "this count",
                "use `count: 0` for none",
            );
        }
        _ => {}
    }
}

fn limits(min: Option<Located<TimeSpan>>, max: Option<Located<TimeSpan>>, span: Span, context: &mut Cx<'_>) {
    match (min, max) {
        (None, None) => context.problem(span, "any length is right", "here", "give `min` or `max`"),
        (Some(min), Some(max)) if min.value > max.value => {
            let message = format!("no time is at least {} and at most {}", min.value, max.value);
            context.problem(min.span, message, "this one", "");
        }
        (Some(min), _) => context.within_run(min.span, min.value, "the shortest time"),
        _ => {}
    }
}

fn positive(span: Located<TimeSpan>, context: &mut Cx<'_>) {
    if span.nanos() == 0 {
        context.problem(span.span, "a stretch without length", "this time", "");
    }
}

fn window(window: Window<'_>, context: &mut Cx<'_>) {
    if let Some(within) = window.within {
        positive(*within, context);
    }
    let start = match window.after.map(|t| &t.value) {
        None => Some(TimeSpan(0)),
        Some(Trigger::Time(time)) => Some(*time),
        Some(_) => None,
    };
    if let (
        Some(start),
        Some(Located {
            value: Trigger::Time(end),
            span,
        }),
    ) = (start, window.before)
        && *end <= start
    {
        context.problem(
            *span,
            format!("nothing lies from {start} on and before {end}"),
            "this moment",
            "",
        );
    }
    if let (Some(start), Some(within)) = (start, window.within) {
        context.within_run(within.span, TimeSpan(start.0.saturating_add(within.0)), "the end");
    }
}

/// What an expectation is about: something that happens again and again.
fn subject(of: &Located<Trigger>, context: &mut Cx<'_>) {
    if matches!(of.value, Trigger::Time(_) | Trigger::After(_)) {
        context.problem(
            of.span,
            "a time happens once; name an event",
            "this moment",
            "for example `request` or `serial`",
        );
    } else if of.nth().is_some() {
        context.problem(
            of.span,
            "all occurrences are meant here",
            "this event",
            "remove `nth`",
        );
    }
}

/// Checks the pattern of a trigger.
pub(crate) fn serial_trigger(serial: &SerialTrigger, span: Span, context: &mut Cx<'_>) {
    pattern(serial.text.as_ref(), serial.regex.as_ref(), span, context);
}

/// Notes the pin of a trigger.
pub(crate) fn pin_trigger(pin: &PinTrigger, _: Span, context: &mut Cx<'_>) {
    context.gpio(pin.gpio);
}

/// Notes the pin of an expectation.
pub(crate) fn pin_expectation(pin: &PinExpectation, _: Span, context: &mut Cx<'_>) {
    context.gpio(pin.gpio);
}

/// Checks a pattern of a list.
pub(crate) fn serial_pattern(serial: &SerialPattern, span: Span, context: &mut Cx<'_>) {
    pattern(serial.text.as_ref(), serial.regex.as_ref(), span, context);
}

/// Checks a trigger; what is inside of it has been checked.
pub(crate) fn trigger(t: &Trigger, span: Span, context: &mut Cx<'_>) {
    if t.nth() == Some(0) {
        context.problem(
            span,
            "the 0th never comes: occurrences count from 1",
            "this moment",
            "",
        );
    }
    match t {
        Trigger::Time(time) => context.within_run(span, *time, "a moment"),
        Trigger::After(after) => {
            context.within_run(span, after.delay, "the delay");
        }
        Trigger::Request(request) => {
            use vocabulary::Phase;
            let unanswered = matches!(request.at, Some(Phase::FirstByte | Phase::BeforeEffect));
            if let Some(status) = request.status {
                http_status(status, span, context);
            }
            if unanswered && request.status.is_some() {
                let help = "use `at: after-effect` or `at: after-reply`";
                context.problem(
                    span,
                    "it can never come: the status is not known so early",
                    "this moment",
                    help,
                );
            }
            if request.at == Some(Phase::FirstByte) && request.body.is_some() {
                let help = "use `at: before-effect`";
                context.problem(
                    span,
                    "it can never come: the body is not known so early",
                    "this moment",
                    help,
                );
            }
        }
        Trigger::Dhcp(dhcp) => {
            if !DHCP_MESSAGES.contains(&dhcp.message.as_str()) {
                let help = format!("one of {}", names::list(&DHCP_MESSAGES));
                let message = format!("`{}` is no DHCP message", dhcp.message.value);
                context.problem(dhcp.message.span.or(span), message, "this message", help);
            }
        }
        Trigger::Fault(fault) => {
            let known = context.fault_names.clone();
            let names: Vec<&str> = known.iter().map(String::as_str).collect();
            if let Some(name) = fault
                .name
                .as_ref()
                .filter(|name| !names.contains(&name.value.as_str()))
            {
                let help =
                    names::closest(name, names.iter().copied()).map(|m| format!("did you mean `{m}`?"));
                let message = format!("it can never come: no fault is called `{}`", name.value);
                context.problem(name.span, message, "this name", help.unwrap_or_default());
            } else if names.is_empty() {
                context.problem(
                    span,
                    "it can never come: the scenario has no faults",
                    "this moment",
                    "",
                );
            }
        }
        Trigger::Serial(_)
        | Trigger::Wifi(_)
        | Trigger::Dns(_)
        | Trigger::Sntp(_)
        | Trigger::Pin(_)
        | Trigger::Reset(_)
        | Trigger::Fact(_) => {}
    }
}

fn http_status(status: u16, span: Span, context: &mut Cx<'_>) {
    if !(100..=599).contains(&status) {
        context.problem(span, format!("{status} is no HTTP status"), "this status", "");
    }
}
