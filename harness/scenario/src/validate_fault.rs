//! What the fault plan must fulfil beyond its form: faults that can fire, and that do not contradict each other.

use std::time::Duration;

use vocabulary::{FaultState, Phase};

use crate::action::{Action, Nature, NetworkAction, Only};
use crate::fault::Fault;
use crate::located::{Located, Span};
use crate::names;
use crate::quantity::TimeSpan;
use crate::read::Cx;
use crate::trigger::Trigger;
use crate::validate::positive;

/// A fault by itself.
pub(crate) fn fault(entry: &Fault, span: Span, context: &mut Cx<'_>) {
    moment(entry, context);
    length(entry, span, context);
    repeat(entry, context);
    requests(entry, span, context);
    if entry.probability.is_some_and(|p| p.ppm == 0) {
        context.problem(
            span,
            "the fault can never fire: its probability is 0 %",
            "this fault",
            "",
        );
    }
}

/// The faults of a plan together.
pub(crate) fn plan(plan: &[Located<Fault>], context: &mut Cx<'_>) {
    for (at, entry) in plan.iter().enumerate() {
        waits_for_itself(plan, entry, context);
        waits_for_an_end(plan, entry, context);
        for other in &plan[..at] {
            contradiction(other, entry, context);
        }
    }
}

/// A trigger that no run brings about.
fn moment(entry: &Fault, context: &mut Cx<'_>) {
    if let Trigger::Fault(other) = &entry.when.value
        && other.last
    {
        let message = "a fault cannot start at a moment that is known only at the end of the run";
        context.problem(entry.when.span, message, "this moment", "leave `last` out");
    }
    if let Trigger::Request(request) = &entry.when.value
        && request.status.is_some()
        && request.at.is_none()
    {
        let message =
            "it can never come: in a fault, a request is meant before its effect, when no status is known";
        context.problem(entry.when.span, message, "this moment", "add `at: after-effect`");
    }
    if let Some(at) = time_of(&entry.when.value)
        && matches!(entry.when.value, Trigger::After(_))
    {
        context.within_run(entry.when.span, at, "a moment");
    }
}

/// The time that a trigger names, if it names one.
fn time_of(trigger: &Trigger) -> Option<TimeSpan> {
    match trigger {
        Trigger::Time(time) => Some(*time),
        Trigger::After(after) => {
            let at = time_of(&after.trigger)?;
            Some(TimeSpan(at.0.saturating_add(after.delay.0)))
        }
        Trigger::Serial(_)
        | Trigger::Request(_)
        | Trigger::Wifi(_)
        | Trigger::Dhcp(_)
        | Trigger::Dns(_)
        | Trigger::Sntp(_)
        | Trigger::Pin(_)
        | Trigger::Reset(_)
        | Trigger::Fact(_)
        | Trigger::Fault(_) => None,
    }
}

fn length(entry: &Fault, span: Span, context: &mut Cx<'_>) {
    let by_request = matches!(entry.when.value, Trigger::Request(_));
    let nature = entry.action.nature();
    let name = entry.action.name();
    match (entry.lasts, nature) {
        (Some(lasts), Nature::Once) => {
            let message = format!("`{name}` happens once; it has no length");
            context.problem(lasts.span, message, "this time", "remove `for`");
        }
        (Some(lasts), _) => positive(lasts, "a fault", context),
        (None, Nature::OnRequests) if !by_request => {
            let help = "add `for: 5m`, or let it be triggered by a `request`";
            let message =
                format!("how long requests are struck is missing: `{name}` is not triggered by one");
            context.problem(span, message, "this fault", help);
        }
        (None, Nature::Lasting)
            if entry.repeat.is_some_and(|r| r.times != Some(1)) && !ends_by_itself(entry) =>
        {
            let message = format!("`{name}` cannot begin again: it lasts to the end of the run");
            context.problem(span, message, "this fault", "add `for: 30s`");
        }
        _ => {}
    }
}

fn ends_by_itself(entry: &Fault) -> bool {
    entry.action.usual_length() == Some(Duration::ZERO)
}

fn repeat(entry: &Fault, context: &mut Cx<'_>) {
    let Some(repeat) = entry.repeat else { return };
    let timed = matches!(entry.when.value, Trigger::Time(_) | Trigger::After(_));
    if repeat.times == Some(0) || repeat.every == Some(0) || repeat.interval == Some(TimeSpan(0)) {
        context.problem(repeat.span, "0 is no repetition", "here", "");
    }
    if timed != repeat.interval.is_some() || (timed && repeat.every.is_some()) {
        let message = if timed {
            "a trigger that is a time repeats after an `interval`"
        } else {
            "a trigger that counts repeats at each occurrence, or at `every` nth"
        };
        context.problem(repeat.span, message, "this repetition", "");
    }
    if let (Some(interval), Some(lasts)) = (repeat.interval, entry.lasts)
        && lasts.value >= interval
    {
        let message = format!(
            "it begins again after {interval}, while it still lasts {}",
            lasts.value
        );
        context.problem(
            lasts.span,
            message,
            "this time",
            "make it shorter than the interval",
        );
    }
}

/// Actions on requests: which requests, and at which moment of theirs.
fn requests(entry: &Fault, span: Span, context: &mut Cx<'_>) {
    let nature = entry.action.nature();
    let name = entry.action.name();
    if nature != Nature::OnRequests {
        let names_traffic = matches!(&entry.action.value, Action::Network(NetworkAction::Blackhole(only)) if *only != Only::default());
        if names_traffic && entry.endpoint.is_some() {
            let help = "keep one of them";
            context.problem(
                entry.action.span,
                "`endpoint` says already what is meant",
                "this action",
                help,
            );
        } else if entry.endpoint.is_some() {
            let message = format!("`{name}` does not strike requests");
            context.problem(span, message, "this fault", "remove `endpoint`");
        }
        return;
    }
    let Trigger::Request(request) = &entry.when.value else {
        return;
    };
    if let (None, Some(one), Some(other)) = (entry.lasts, &entry.endpoint, &request.endpoint)
        && one != other
    {
        let message =
            format!("it can never strike: it waits for a request to `{other}` and strikes those to `{one}`");
        context.problem(span, message, "this fault", "add `for`, or remove `endpoint`");
    }
    if entry.action.is_on_the_way_in() {
        if request.at != Some(Phase::FirstByte) && entry.lasts.is_none() {
            let message = format!("`{name}` comes too late: the request has been received by then");
            context.problem(entry.when.span, message, "this moment", "add `at: first-byte`");
        }
        return;
    }
    let Action::Request(action) = &entry.action.value else {
        return;
    };
    let after_reply = action.acts_after_the_reply();
    if request.at == Some(Phase::AfterReply) && entry.lasts.is_none() && !after_reply {
        let message = format!("`{name}` comes too late: the reply has left");
        context.problem(entry.when.span, message, "this moment", "use `at: after-effect`");
    }
    let undone = action.keeps_the_request_from_its_effect();
    if request.at == Some(Phase::AfterEffect) && entry.lasts.is_none() && undone {
        let message = format!("`{name}` comes too late: the request has taken effect");
        context.problem(entry.when.span, message, "this moment", "use `at: before-effect`");
    }
}

/// The fault that a trigger waits for, and for which state.
fn awaited(trigger: &Trigger) -> Option<(&Located<String>, FaultState)> {
    match trigger {
        Trigger::Fault(other) => other.name.as_ref().map(|name| (name, other.state)),
        Trigger::After(after) => awaited(&after.trigger),
        Trigger::Time(_)
        | Trigger::Serial(_)
        | Trigger::Request(_)
        | Trigger::Wifi(_)
        | Trigger::Dhcp(_)
        | Trigger::Dns(_)
        | Trigger::Sntp(_)
        | Trigger::Pin(_)
        | Trigger::Reset(_)
        | Trigger::Fact(_) => None,
    }
}

fn find<'f>(plan: &'f [Located<Fault>], name: &str) -> Option<&'f Located<Fault>> {
    plan.iter().find(|f| f.name.value == name)
}

fn waits_for_itself(plan: &[Located<Fault>], entry: &Located<Fault>, context: &mut Cx<'_>) {
    let mut chain: Vec<&str> = vec![&entry.name.value];
    let mut at = entry;
    while let Some((name, _)) = awaited(&at.when.value) {
        if name.value == entry.name.value {
            let message = match chain.as_slice() {
                [_] => "the fault can never fire: it waits for itself".to_owned(),
                chain => format!(
                    "the fault can never fire: it waits for {}, and so for itself",
                    names::list(&chain[1..])
                ),
            };
            context.problem(entry.when.span, message, "this moment", "");
            return;
        }
        let Some(next) = find(plan, &name.value) else {
            return;
        };
        if chain.contains(&next.name.value.as_str()) {
            return;
        }
        chain.push(&next.name.value);
        at = next;
    }
}

/// Waiting for the end of what lasts to the end of the run.
fn waits_for_an_end(plan: &[Located<Fault>], entry: &Located<Fault>, context: &mut Cx<'_>) {
    let Some((name, FaultState::Ended)) = awaited(&entry.when.value) else {
        return;
    };
    let Some(other) = find(plan, &name.value) else {
        return;
    };
    if other.lasts() && other.lasts.is_none() && !ends_by_itself(other) {
        let message = format!("it can never come: `{}` lasts to the end of the run", name.value);
        context.problem(
            name.span,
            message,
            "this fault",
            format!("add `for` to `{}`", name.value),
        );
    }
}

/// From when to when a fault is in force, in nanoseconds, if that is known beforehand.
fn in_force(fault: &Fault) -> Option<(u64, u64)> {
    let start = time_of(&fault.when.value)?.0;
    if fault.repeat.is_some() {
        return None;
    }
    let end = match fault.lasts {
        Some(lasts) => start.saturating_add(lasts.value.0),
        None if fault.lasts() && !ends_by_itself(fault) => u64::MAX,
        None => start + 1,
    };
    Some((start, end))
}

/// Two faults that set the same thing in two ways at the same time.
fn contradiction(one: &Located<Fault>, two: &Located<Fault>, context: &mut Cx<'_>) {
    let (Some(what), Some(same)) = (one.action.sets(), two.action.sets()) else {
        return;
    };
    if what != same {
        return;
    }
    if let (Some(a), Some(b)) = (&one.endpoint, &two.endpoint)
        && a != b
    {
        return;
    }
    let together = match (in_force(one), in_force(two)) {
        (Some((start, end)), Some((other_start, other_end))) => start < other_end && other_start < end,
        // The same moment: both begin with it.
        (None, None) => {
            same_moment(&one.when.value, &two.when.value)
                && one.probability.is_none()
                && two.probability.is_none()
        }
        _ => false,
    };
    if together {
        let message = format!(
            "`{}` contradicts `{}`: both set {what} at the same time",
            two.name.value, one.name.value
        );
        let line = one.span.line;
        let help = format!(
            "`{}` stands in line {line}; let one end before the other begins",
            one.name.value
        );
        context.problem(place(two), message, "this fault", help);
    }
}

/// Whether two triggers are the same, wherever they were written.
fn same_moment(one: &Trigger, two: &Trigger) -> bool {
    match (one, two) {
        (Trigger::Serial(a), Trigger::Serial(b)) => {
            a.pattern() == b.pattern() && a.nth.unwrap_or(1) == b.nth.unwrap_or(1)
        }
        (Trigger::Request(a), Trigger::Request(b)) => {
            (
                a.nth.unwrap_or(1),
                &a.endpoint,
                a.at.unwrap_or(Phase::BeforeEffect),
            ) == (
                b.nth.unwrap_or(1),
                &b.endpoint,
                b.at.unwrap_or(Phase::BeforeEffect),
            ) && (&a.target, &a.body, a.status) == (&b.target, &b.body, b.status)
        }
        (Trigger::Dhcp(a), Trigger::Dhcp(b)) => {
            a.message.value == b.message.value && a.nth.unwrap_or(1) == b.nth.unwrap_or(1)
        }
        (Trigger::After(a), Trigger::After(b)) => a.delay == b.delay && same_moment(&a.trigger, &b.trigger),
        (Trigger::Fault(_) | Trigger::Pin(_), _) => false,
        (one, two) => one == two,
    }
}

fn place(fault: &Located<Fault>) -> Span {
    fault.action.span.or(fault.span)
}
