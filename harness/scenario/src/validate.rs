//! What a file must fulfil beyond its form: bench, steps, faults, names.

use std::collections::BTreeMap;
use std::fmt::Display;

use crate::bench::{Bench, Wire};
use crate::diagnostics::{Diagnostics, Source};
use crate::expectation::Expectation;
use crate::located::{Located, Span};
use crate::matrix::Case;
use crate::model::{ExpectVerdict, File, Purpose, Scenario};
use crate::names;
use crate::provisioning;
use crate::quantity::TimeSpan;
use crate::read::Cx;
use crate::regex::Regex;
use crate::step::{RawExpectPin, RawSetControl, RawStep, Step, StepKind};
use crate::tree::Node;
use crate::validate_expect::expectation;
use crate::validate_fault;
use crate::wokwi::{self, either};

/// What a file must fulfil as a whole, and the scenario that it is.
pub(crate) fn scenario(
    file: File,
    root: &Node,
    purpose: Purpose,
    case: Case,
    source: &Source,
    mut cx: Cx<'_>,
) -> Result<Scenario, Diagnostics> {
    wokwi::name(root.get("name"), &mut cx);
    head(&file, root, purpose, &mut cx);
    let steps: Vec<Step> = file
        .steps
        .0
        .iter()
        .filter_map(|raw| step(raw, &file.bench, &mut cx))
        .collect();
    validate_fault::plan(&file.faults.0, &mut cx);
    unique(file.faults.0.iter().map(|f| &f.name), "fault", &mut cx);
    let expect: Vec<Expectation> = file
        .expect
        .0
        .iter()
        .filter_map(|raw| expectation(raw, &mut cx))
        .collect();
    unique(
        file.expect.0.iter().filter_map(|e| e.plain.name.as_ref()),
        "expectation",
        &mut cx,
    );
    verdict(&file, root, &mut cx);
    long_enough(&file, &steps, &mut cx);
    let pins = std::mem::take(&mut cx.pins);
    let warnings = cx.problems.finish()?;
    Ok(Scenario {
        name: file.name.value,
        parameters: case,
        author: file.author.0,
        description: file.description,
        catalogue: file.catalogue,
        bench: file.bench,
        steps,
        faults: file.faults.0.into_iter().map(|f| f.value).collect(),
        expect,
        expect_verdict: file.expect_verdict,
        snapshot: file.snapshot,
        redact: file.redact.0.into_iter().map(|r| r.value).collect(),
        warnings,
        pins,
        source: source.clone(),
    })
}

/// A run that ends before its steps can be done. A file of Wokwi's has its time from the command line.
fn long_enough(file: &File, steps: &[Step], cx: &mut Cx<'_>) {
    let total = crate::step::least_time(steps);
    let duration = file.bench.duration;
    if duration.span.is_known()
        && let Some(end) = cx.duration.filter(|end| total > *end)
    {
        let message = format!("the steps take at least {total}, the run ends after {end}");
        cx.problem(duration.span, message, "too short", "set it to a longer time");
    }
}

fn head(file: &File, root: &Node, purpose: Purpose, cx: &mut Cx<'_>) {
    if file.name.trim().is_empty() {
        cx.problem(file.name.span, "the name is empty", "this name", "");
    }
    let has = |key: &str| root.get(key).is_some_and(|list| !list.items().is_empty());
    // A key that is not known may have been meant for one of them.
    let unknown = wokwi::has_unknown_key(root, &File::MAPPING);
    if purpose == Purpose::Judged && !has("steps") && !has("expect") && !unknown {
        let help = "add `expect:` or `steps:`";
        cx.problem(
            file.name.span,
            "the scenario can only pass: it expects nothing",
            "this scenario",
            help,
        );
    }
}

fn verdict(file: &File, root: &Node, context: &mut Cx<'_>) {
    let ExpectVerdict::Fail(name) = &file.expect_verdict else {
        return;
    };
    // Those of expectations that are wrong are names all the same.
    let entries = root.get("expect").map(Node::items).unwrap_or_default();
    let names: Vec<&str> = entries
        .iter()
        .filter_map(|entry| Some(entry.get("name")?.text()?.text.as_str()))
        .collect();
    if names.contains(&name.value.as_str()) {
        return;
    }
    let help = match names::closest(name, names.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if names.is_empty() => "give the expectation that must fail a `name`".to_owned(),
        None => format!("there are {}", names::list(&names)),
    };
    context.problem(
        name.span,
        format!("no expectation is called `{}`", name.value),
        "this name",
        help,
    );
}

fn unique<'n>(names: impl Iterator<Item = &'n Located<String>>, what: &str, context: &mut Cx<'_>) {
    let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
    for name in names {
        if name.trim().is_empty() {
            context.problem(
                name.span,
                format!("the name of this {what} is empty"),
                "this name",
                "",
            );
        }
        if seen.insert(name, name.span).is_some() {
            let message = format!("two {what}s are called `{}`", name.value);
            context.problem(name.span, message, "again here", "give each a name of its own");
        }
    }
}

/// The bench is read: what follows may ask for it.
pub(crate) fn bench_is_known(bench: &Bench, node: &Node, cx: &mut Cx<'_>) {
    let wrong = node.get("duration").is_some() && !bench.duration.span.is_known();
    cx.duration = (!wrong).then_some(bench.duration.value);
    cx.bench = Some(bench.clone());
    check_bench(bench, cx);
}

/// What the bench must fulfil beyond its form.
fn check_bench(bench: &Bench, context: &mut Cx<'_>) {
    let minute = TimeSpan::from_secs(60);
    positive(bench.duration, "the run", context);
    positive(bench.cloud.session_lifetime, "a session", context);
    positive(bench.cloud.idle_timeout, "patience", context);
    positive(bench.network.dhcp_lease, "a DHCP lease", context);
    if bench.instruction_budget.value.0 == 0 {
        context.problem(
            bench.instruction_budget.span,
            "no firmware runs on 0 instructions",
            "this budget",
            "",
        );
    }
    if bench.event_budget.value.0 == 0 {
        context.problem(bench.event_budget.span, "no run has 0 events", "this budget", "");
    }
    for (value, allowed, what) in [
        (
            bench.cloud.spent_registration_token,
            [401, 410],
            "a spent registration token",
        ),
        (bench.cloud.revoked_token, [401, 403], "a revoked token"),
    ] {
        if !allowed.contains(&value.value) {
            let message = format!(
                "{what} is answered {} or {}, not {}",
                allowed[0], allowed[1], value.value
            );
            context.problem(value.span, message, "this status", "");
        }
    }
    for latency in [bench.network.latency, bench.network.wan_latency] {
        if latency.value > minute {
            context.problem(
                latency.span,
                format!("{} is over a minute", latency.value),
                "this latency",
                "",
            );
        }
    }
    if !bench.network.dhcp_lease.nanos().is_multiple_of(1_000_000_000) {
        context.problem(
            bench.network.dhcp_lease.span,
            "a DHCP lease has whole seconds",
            "this time",
            "",
        );
    }
    if bench.network.dhcp_lease.nanos() / 1_000_000_000 > u64::from(u32::MAX) {
        context.problem(
            bench.network.dhcp_lease.span,
            format!("a DHCP lease has at most {} seconds", u32::MAX),
            "this time",
            "",
        );
    }
    range(bench.cloud.clock_drift_ppm, -100_000, 100_000, "drift", context);
    range(bench.network.channel, 1, 14, "channel", context);
    range(bench.network.rssi, -127, 0, "signal strength", context);
    range(bench.cloud.port, 1, 65535, "port", context);
    range(bench.device.crystal_ppm, -1000, 1000, "crystal error", context);
    let mut text = |value: &Located<String>, check: fn(&str) -> Result<(), String>| {
        if let Err(why) = check(value) {
            context.problem(value.span, why, "this value", "");
        }
    };
    text(&bench.cloud.host, provisioning::host_or_address);
    text(&bench.network.ssid, provisioning::ssid);
    text(&bench.network.password, provisioning::password);
    text(&bench.cloud.registration_token, token);
    if let Some(permanent) = &bench.device.permanent_token {
        text(permanent, token);
    }
    if let Some(permanent) = &bench.device.permanent_token
        && permanent.value == bench.cloud.registration_token.value
    {
        let message = "the permanent token is the registration token, too";
        context.problem(
            permanent.span,
            message,
            "this token",
            "give each a value of its own",
        );
    }
    for (span, why) in bench.provisioning_problems() {
        context.problem(span, why, "this value", "docs/provisioning.md lists what fits");
    }
    if let Some(token) = &bench.device.permanent_token
        && !bench.device.claimed
    {
        let help = "set `claimed: true` too";
        context.problem(
            token.span,
            "a device that is not claimed has no permanent token",
            "this token",
            help,
        );
    }
}

/// A part is wired to a pin.
pub(crate) fn wire(wire: &Wire, _: Span, cx: &mut Cx<'_>) {
    cx.gpio(wire.gpio);
}

/// What a token of the contract looks like.
fn token(text: &str) -> Result<(), String> {
    if (1..=80).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(())
    } else {
        Err("a token has 1 to 80 visible ASCII characters".to_owned())
    }
}

pub(crate) fn positive(span: Located<TimeSpan>, what: &str, context: &mut Cx<'_>) {
    if span.nanos() == 0 {
        context.problem(
            span.span,
            format!("{what} that lasts no time"),
            "this time",
            "write a length such as `30s`",
        );
    }
}

pub(crate) fn range<T: Copy + PartialOrd + Display>(
    value: Located<T>,
    least: T,
    most: T,
    what: &str,
    context: &mut Cx<'_>,
) {
    if value.value < least || value.value > most {
        let message = format!("{what} {} is not from {least} to {most}", value.value);
        context.problem(value.span, message, "this value", "");
    }
}

fn step(raw: &Located<RawStep>, bench: &Bench, context: &mut Cx<'_>) -> Option<Step> {
    let steps = [
        ("delay", raw.delay.is_some()),
        ("wait-serial", raw.wait_serial.is_some()),
        ("write-serial", raw.write_serial.is_some()),
        ("expect-pin", raw.expect_pin.is_some()),
        ("set-control", raw.set_control.is_some()),
    ];
    let because = [
        (
            raw.take_screenshot.as_ref(),
            "take-screenshot",
            "the bench has no display",
        ),
        (raw.touch.as_ref(), "touch", "the bench has no touch screen"),
        (
            raw.touch_press.as_ref(),
            "touch-press",
            "the bench has no touch screen",
        ),
        (
            raw.touch_move.as_ref(),
            "touch-move",
            "the bench has no touch screen",
        ),
        (
            raw.touch_release.as_ref(),
            "touch-release",
            "the bench has no touch screen",
        ),
        (
            raw.expect_chip_output.as_ref(),
            "expect-chip-output",
            "the bench has no custom chips",
        ),
    ];
    for (there, name, why) in because {
        if let Some(there) = there {
            let help = "remove this step, or run the file with Wokwi";
            context.problem(
                there.span.or(raw.span),
                format!("`{name}` is not supported: {why}"),
                "this step",
                help,
            );
            return None;
        }
    }
    let written: Vec<&str> = steps
        .iter()
        .filter(|(_, there)| *there)
        .map(|(name, _)| *name)
        .collect();
    if written.len() != 1 {
        let message = match written.as_slice() {
            [] => "the step does nothing".to_owned(),
            many => format!("the step does several things: {}", names::list(many)),
        };
        let help = format!("write one of {}", names::list(&steps.map(|(name, _)| name)));
        context.problem(raw.span, message, "this step", help);
        return None;
    }
    let kind = step_kind(raw, bench, context)?;
    Some(Step {
        name: raw.name.clone(),
        kind,
        span: raw.span,
    })
}

fn step_kind(raw: &RawStep, bench: &Bench, context: &mut Cx<'_>) -> Option<StepKind> {
    if let Some(delay) = raw.delay {
        return Some(StepKind::Delay(delay.value));
    }
    if let Some(text) = &raw.wait_serial {
        if text.is_empty() {
            context.problem(text.span, "an empty text is there always", "this text", "");
            return None;
        }
        return Some(StepKind::WaitSerial(text.value.clone()));
    }
    if let Some(input) = &raw.write_serial {
        if input.0.is_empty() {
            context.problem(input.span, "nothing is written", "this input", "");
            return None;
        }
        return Some(StepKind::WriteSerial(input.value.0.clone()));
    }
    if let Some(pin) = &raw.expect_pin {
        return expect_pin(&pin.value, pin.span, context);
    }
    let control = raw.set_control.as_ref()?;
    set_control(&control.value, control.span, bench, context)
}

fn expect_pin(raw: &RawExpectPin, span: Span, context: &mut Cx<'_>) -> Option<StepKind> {
    let pin = either(
        raw.pin.as_ref(),
        raw.name.as_ref(),
        ["pin", "name"],
        span,
        context,
    );
    let value = either(
        raw.value.as_ref(),
        raw.expected.as_ref(),
        ["value", "expected"],
        span,
        context,
    );
    if let Some(old) = raw.expected.as_ref().filter(|_| raw.value.is_none()) {
        let message = "Wokwi's runner refuses `expected`";
        context.warn(old.span, message, "an old word", "write `value`");
    }
    let gpio = pin.and_then(|name| pin_number(&name, context));
    let level = value.and_then(|value| binary(value.value, value.span, context));
    Some(StepKind::ExpectPin {
        gpio: gpio?,
        level: level?,
    })
}

fn set_control(raw: &RawSetControl, span: Span, bench: &Bench, context: &mut Cx<'_>) -> Option<StepKind> {
    let control = either(
        raw.name.as_ref(),
        raw.control.as_ref(),
        ["name", "control"],
        span,
        context,
    );
    let Some(wire) = bench.wiring.get(&raw.part_id.value) else {
        let known: Vec<&str> = bench.wiring.keys().map(String::as_str).collect();
        let help = match names::closest(&raw.part_id, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!(
                "say which pin it drives: `bench: {{wiring: {{{}: {{gpio: 9}}}}}}`",
                raw.part_id.value
            ),
        };
        let message = format!("no part `{}` is wired to the device", raw.part_id.value);
        context.problem(raw.part_id.span, message, "this part", help);
        return None;
    };
    let control = control?;
    if control.value != "pressed" {
        let message = format!(
            "`{}` is not supported: parts of the bench are buttons",
            control.value
        );
        context.problem(control.span, message, "this control", "write `name: pressed`");
        return None;
    }
    let value = match raw.value.value.0.as_str() {
        "0" | "false" => 0,
        "1" | "true" => 1,
        _ => 2,
    };
    let active = binary(value, raw.value.span, context)?;
    Some(StepKind::SetPin {
        gpio: wire.gpio.value,
        level: wire.level(active),
    })
}

fn binary(value: u8, span: Span, context: &mut Cx<'_>) -> Option<bool> {
    if value > 1 {
        context.problem(span, "the value is 0 or 1", "this value", "");
        return None;
    }
    Some(value == 1)
}

/// `GPIO4`, `IO4` or `4`.
fn pin_number(name: &Located<String>, context: &mut Cx<'_>) -> Option<u8> {
    let upper = name.trim().to_uppercase();
    let digits = upper
        .strip_prefix("GPIO")
        .or_else(|| upper.strip_prefix("IO"))
        .unwrap_or(&upper);
    let number = digits.parse::<u8>().ok();
    if let Some(value) = number {
        context.gpio(Located {
            value,
            span: name.span,
        });
    }
    if number.is_none() {
        let arduino = upper.starts_with('D') || upper.starts_with('A');
        let why = if arduino {
            ": names of a board's header are not known here"
        } else {
            ""
        };
        let message = format!("`{}` is no pin of the chip{why}", name.value);
        context.problem(name.span, message, "this pin", "write one like `GPIO4`");
    }
    number
}

/// Exactly one of `text` and `regex`, and each as it should be.
pub(crate) fn pattern(
    text: Option<&Located<String>>,
    expression: Option<&Located<Regex>>,
    whole: Span,
    context: &mut Cx<'_>,
) {
    match (text, expression) {
        (Some(text), None) => {
            if text.is_empty() {
                context.problem(
                    text.span.or(whole),
                    "an empty text is there always",
                    "this text",
                    "",
                );
            } else if text.contains(['\n', '\r']) {
                let help = "use `serial-order` for several lines";
                context.problem(
                    text.span.or(whole),
                    "text is looked for in single lines",
                    "this text",
                    help,
                );
            }
        }
        // It is compiled already.
        (None, Some(_)) => {}
        (None, None) => context.problem(whole, "nothing to look for", "here", "write `text` or `regex`"),
        (Some(_), Some(both)) => {
            context.problem(
                both.span.or(whole),
                "both `text` and `regex` are given",
                "here",
                "keep one of them",
            );
        }
    }
}
