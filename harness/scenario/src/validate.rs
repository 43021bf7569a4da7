//! What a file must fulfil beyond its form: bench, steps, faults, names.

use std::collections::BTreeMap;
use std::fmt::Display;

use crate::bench::Bench;
use crate::diagnostics::{Collector, Diagnostics, Source};
use crate::expectation::Expectation;
use crate::located::{Located, Span};
use crate::log;
use crate::matrix::Case;
use crate::model::{ExpectVerdict, File, Purpose, Scenario};
use crate::names;
use crate::provisioning;
use crate::quantity::TimeSpan;
use crate::step::{RawStep, Step, StepKind};
use crate::validate_expect::{Engine, expectation, regex};
use crate::validate_fault::faults;

/// Highest GPIO of the chip (ESP32-C3 datasheet, pin overview).
const MAX_GPIO: u8 = 21;

/// What a check needs to know of the rest of the file.
pub(crate) struct Context<'a, 'p> {
    pub(crate) duration: Located<TimeSpan>,
    pub(crate) fault_names: &'a [String],
    pub(crate) problems: &'p mut Collector<'a>,
}

impl Context<'_, '_> {
    pub(crate) fn problem(
        &mut self,
        span: Span,
        message: impl Into<String>,
        label: &str,
        help: impl Into<String>,
    ) {
        self.problems.add(span, message, label, help);
    }

    /// A moment that lies behind the end of the run.
    pub(crate) fn within_run(&mut self, span: Span, time: TimeSpan, what: &str) {
        if time > self.duration.value {
            let message = format!(
                "{what} at {time} is after the end of the run at {}",
                self.duration.value
            );
            self.problem(
                span,
                message,
                "after the end",
                "set `bench.duration` to a longer time",
            );
        }
    }

    pub(crate) fn gpio(&mut self, gpio: Located<u8>) {
        if gpio.value > MAX_GPIO {
            let message = format!(
                "GPIO{} does not exist: the chip has GPIO0 to GPIO{MAX_GPIO}",
                gpio.value
            );
            self.problem(gpio.span, message, "this pin", "");
        }
    }
}

pub(crate) fn scenario(
    file: File,
    case: Case,
    source: Source,
    purpose: Purpose,
) -> Result<Scenario, Diagnostics> {
    let fault_names: Vec<String> = file.faults.iter().map(|f| f.name.value.clone()).collect();
    let mut problems = Collector::new(&source);
    let mut context = Context {
        duration: file.bench.duration,
        fault_names: &fault_names,
        problems: &mut problems,
    };
    head(&file, purpose, &mut context);
    bench(&file.bench, &mut context);
    let steps: Vec<Step> = file
        .steps
        .iter()
        .filter_map(|raw| step(raw, &file.bench, &mut context))
        .collect();
    faults(&file.faults, &file.bench, &mut context);
    unique(file.faults.iter().map(|f| &f.name), "fault", &mut context);
    let expect: Vec<Expectation> = file
        .expect
        .iter()
        .filter_map(|raw| expectation(raw, &mut context))
        .collect();
    unique(
        file.expect.iter().filter_map(|e| e.name.as_ref()),
        "expectation",
        &mut context,
    );
    verdict(&file, &mut context);
    log::check(&file.snapshot, &file.redact, &mut context);
    problems.finish(())?;
    Ok(Scenario {
        name: file.name.value,
        parameters: case,
        author: file.author,
        description: file.description,
        catalogue: file.catalogue,
        bench: file.bench,
        steps,
        faults: file.faults.into_iter().map(|f| f.value).collect(),
        expect,
        expect_verdict: file.expect_verdict,
        snapshot: file.snapshot,
        redact: file.redact.into_iter().map(|r| r.value).collect(),
        source,
    })
}

fn head(file: &File, purpose: Purpose, context: &mut Context<'_, '_>) {
    if file.version.value != 1 {
        let message = format!("version {} is not known", file.version.value);
        context.problem(file.version.span, message, "this version", "write `version: 1`");
    }
    if file.name.trim().is_empty() {
        context.problem(file.name.span, "the name is empty", "this name", "");
    }
    let expects_nothing = file.steps.is_empty() && file.expect.is_empty();
    if purpose == Purpose::Judged && expects_nothing {
        let help = "add `expect:` or `steps:`";
        context.problem(
            file.name.span,
            "the scenario can only pass: it expects nothing",
            "this scenario",
            help,
        );
    }
}

fn verdict(file: &File, context: &mut Context<'_, '_>) {
    let ExpectVerdict::Fail(name) = &file.expect_verdict else {
        return;
    };
    let names: Vec<&str> = file
        .expect
        .iter()
        .filter_map(|e| e.name.as_ref())
        .map(|n| n.value.as_str())
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

fn unique<'n>(names: impl Iterator<Item = &'n Located<String>>, what: &str, context: &mut Context<'_, '_>) {
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

fn bench(bench: &Bench, context: &mut Context<'_, '_>) {
    let minute = TimeSpan::from_secs(60);
    positive(bench.duration, "the run", context);
    positive(bench.cloud.session_lifetime, "a session", context);
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
    range(bench.network.channel, 1, 14, "channel", context);
    range(bench.network.rssi, -127, 0, "signal strength", context);
    range(bench.cloud.port, 1, 65535, "port", context);
    range(bench.device.crystal_ppm, -1000, 1000, "crystal error", context);
    let mut text = |value: &Located<String>, check: fn(&str) -> Result<(), String>| {
        if let Err(why) = check(value) {
            context.problem(value.span, why, "this value", "");
        }
    };
    text(&bench.network.ssid, provisioning::ssid);
    text(&bench.network.password, provisioning::password);
    text(&bench.cloud.registration_token, token);
    if let Some(permanent) = &bench.device.permanent_token {
        text(permanent, token);
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
    for wire in bench.wiring.values() {
        context.gpio(wire.gpio);
    }
}

/// What a token of the contract looks like.
fn token(text: &str) -> Result<(), String> {
    if (1..=80).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(())
    } else {
        Err("a token has 1 to 80 visible ASCII characters".to_owned())
    }
}

pub(crate) fn positive(span: Located<TimeSpan>, what: &str, context: &mut Context<'_, '_>) {
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
    context: &mut Context<'_, '_>,
) {
    if value.value < least || value.value > most {
        let message = format!("{what} {} is not from {least} to {most}", value.value);
        context.problem(value.span, message, "this value", "");
    }
}

fn step(raw: &Located<RawStep>, bench: &Bench, context: &mut Context<'_, '_>) -> Option<Step> {
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

fn step_kind(raw: &RawStep, bench: &Bench, context: &mut Context<'_, '_>) -> Option<StepKind> {
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
    if let Some(Located { value: pin, span }) = &raw.expect_pin {
        let Some(name) = pin.pin.as_ref().or(pin.name.as_ref()) else {
            context.problem(*span, "the pin is missing", "this step", "add `pin: GPIO4`");
            return None;
        };
        let level = binary(pin.value.value, pin.value.span, context)?;
        return Some(StepKind::ExpectPin {
            gpio: pin_number(name, context)?,
            level,
        });
    }
    let control = &raw.set_control.as_ref()?.value;
    let Some(wire) = bench.wiring.get(&control.part_id.value) else {
        let known: Vec<&str> = bench.wiring.keys().map(String::as_str).collect();
        let help = match names::closest(&control.part_id, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!(
                "say which pin it drives: `bench: {{wiring: {{{}: {{gpio: 9}}}}}}`",
                control.part_id.value
            ),
        };
        let message = format!("no part `{}` is wired to the device", control.part_id.value);
        context.problem(control.part_id.span, message, "this part", help);
        return None;
    };
    if control.control.value != "pressed" {
        let message = format!(
            "`{}` is not supported: parts of the bench are buttons",
            control.control.value
        );
        context.problem(
            control.control.span,
            message,
            "this control",
            "write `control: pressed`",
        );
        return None;
    }
    let value = match control.value.as_str() {
        "0" | "false" => 0,
        "1" | "true" => 1,
        _ => 2,
    };
    let active = binary(value, control.value.span, context)?;
    Some(StepKind::SetPin {
        gpio: wire.gpio.value,
        level: wire.level(active),
    })
}

fn binary(value: u8, span: Span, context: &mut Context<'_, '_>) -> Option<bool> {
    if value > 1 {
        context.problem(span, "the value is 0 or 1", "this value", "");
        return None;
    }
    Some(value == 1)
}

/// `GPIO4`, `IO4` or `4`.
fn pin_number(name: &Located<String>, context: &mut Context<'_, '_>) -> Option<u8> {
    let upper = name.trim().to_uppercase();
    let digits = upper
        .strip_prefix("GPIO")
        .or_else(|| upper.strip_prefix("IO"))
        .unwrap_or(&upper);
    let number = digits.parse::<u8>().ok().filter(|n| *n <= MAX_GPIO);
    if number.is_none() {
        let arduino = upper.starts_with('D') || upper.starts_with('A');
        let why = if arduino {
            ": names of a board's header are not known here"
        } else {
            ""
        };
        let message = format!("`{}` is no pin of the chip{why}", name.value);
        context.problem(
            name.span,
            message,
            "this pin",
            format!("write `GPIO0` to `GPIO{MAX_GPIO}`"),
        );
    }
    number
}

/// Exactly one of `text` and `regex`, and each as it should be.
pub(crate) fn pattern(
    text: Option<&Located<String>>,
    expression: Option<&Located<String>>,
    whole: Span,
    context: &mut Context<'_, '_>,
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
        (None, Some(expression)) => regex(expression, whole, Engine::Stream, context),
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
