//! Files that people write: what is read, and what is said about mistakes.

use scenario::log::{MayDo, Redact};
use scenario::quantity::CivilTime;
use scenario::{
    Count, ExpectVerdict, ExpectationKind, Format, Pattern, Scenario, StepKind, TimeOffset, TimeSpan, Trigger,
};

/// The format with the service of these tests.
const FORMAT: Format = Format::new(&[&oceanremote::SPEC]);

/// Everything at once.
const FULL: &str = "\
name: Three hours of healthy life
version: 1
author: The pump house team
description: Four renewals.
catalogue: {symptom: none, guide: https://example.org/guide, defect: no-auto-renewal}
bench:
  firmware: ../fixtures/oceanremote-device.elf.gz
  duration: 3h
  seed: 7
  start: 2026-01-01T00:00:00Z
  instruction-budget: 5G
  strict: true
  cloud: {session-lifetime: 60m, clock-offset: -301s, spent-registration-token: 410, limits: false}
  network: {ssid: oceanrig, password: salt-water, channel: 11, rssi: -60, wan-latency: 20ms, dhcp-lease: 2h}
  provisioning:
    device: {id: pump-1}
    interval: {poll: 5s, renew: 45m}
    defects: [no-auto-renewal, no-retry]
  wiring: {btn1: {gpio: 9, active: low}}
steps:
  - name: press
    set-control: {part-id: btn1, control: pressed, value: 1}
  - delay: 500ms
  - wait-serial: 'Button 1 pressed'
  - write-serial: [104, 105]
  - expect-pin: {part-id: esp, pin: GPIO4, value: 1}
faults:
  - name: wifi-drop
    when: {request: {endpoint: renew-session, nth: 1, at: before-effect}}
    do: access-point-gone
    for: 30s
  - {name: relay, when: 10m, do: {command-relay: {relay: 1, on: true}}}
  - {name: kick, when: {after: {trigger: {fault: {name: wifi-drop, state: ended}}, delay: 1m}}, do: {deauthenticate: {reason: 8}}, optional: true}
expect:
  - name: renews on time
    serial: {text: '[UPDATE] Session renewed', count: 4}
  - no-serial: {regex: 'panicked|Guru', after: {serial: '[REG] Registered'}}
  - serial-order: ['[REG] Registered', {regex: 'session: [0-9a-f]+$'}]
  - interval: {from: {request: {endpoint: renew-session}}, to: {request: {endpoint: renew-session}}, min: 44m, max: 46m}
  - pin: {gpio: 4, level: high, at: 20m}
expect-verdict: {fail: renews on time}
snapshot: {tolerate: [{lines: '^\\[WIFI\\]', may: interleave-and-repeat}]}
redact:
  - {name: build, pattern: '\\bbuild (?P<value>\\w+)', secret: true}
";

#[test]
fn everything_is_read() {
    let s = FORMAT
        .parse("dir/full.yaml", FULL)
        .unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(s.case_name(), "Three hours of healthy life");
    let [rule] = &s.snapshot.tolerate[..] else {
        panic!("{:?}", s.snapshot);
    };
    assert_eq!(
        (rule.lines.as_str(), rule.may),
        (r"^\[WIFI\]", MayDo::InterleaveAndRepeat)
    );
    let [
        Redact {
            name,
            pattern,
            secret: true,
            numbered: true,
        },
    ] = &s.redact[..]
    else {
        panic!("{:?}", s.redact);
    };
    assert_eq!(
        (name.as_str(), pattern.as_str()),
        ("build", r"\bbuild (?P<value>\w+)")
    );
    assert_eq!(s.duration(), TimeSpan::from_secs(10_800));
    assert_eq!(
        s.bench.start,
        CivilTime {
            unix_s: 1_767_225_600
        }
    );
    assert_eq!(s.bench.instruction_budget.value.0, 5_000_000_000);
    assert_eq!(s.bench.cloud.clock_offset, TimeOffset(-301_000_000_000));
    assert_eq!(s.bench.cloud.revoked_token.value, 403);
    assert_eq!(s.bench.device_id(), "pump-1");
    assert!(!s.ends_with_steps());
    let kinds: Vec<StepKind> = s.steps.iter().map(|step| step.kind.clone()).collect();
    assert_eq!(
        kinds,
        [
            StepKind::SetPin {
                gpio: 9,
                level: false
            },
            StepKind::Delay(TimeSpan::from_millis(500)),
            StepKind::WaitSerial("Button 1 pressed".to_owned()),
            StepKind::WriteSerial(b"hi".to_vec()),
            StepKind::ExpectPin { gpio: 4, level: true },
        ]
    );
    assert_eq!(s.faults[0].lasts.unwrap().value, TimeSpan::from_secs(30));
    assert_eq!(s.faults[1].when.value, Trigger::Time(TimeSpan::from_secs(600)));
    let ExpectationKind::Serial(serial) = &s.expect[0].kind else {
        panic!("{:?}", s.expect[0])
    };
    assert_eq!(serial.pattern(), Pattern::Text("[UPDATE] Session renewed"));
    assert_eq!(serial.count.unwrap().value, Count::exactly(4));
    assert_eq!(s.position(s.expect[0].span), "dir/full.yaml:35:5");
    assert_eq!(
        s.expect[1].title(),
        "no serial /panicked|Guru/ after serial \"[REG] Registered\""
    );
    let ExpectVerdict::Fail(name) = &s.expect_verdict else {
        panic!("{:?}", s.expect_verdict)
    };
    assert_eq!(name.value, "renews on time");
}

#[test]
fn the_provisioning_is_derived_from_the_bench() {
    let s = FORMAT
        .parse("f", "name: a\nversion: 1\nexpect: [{serial: x}]\n")
        .unwrap();
    assert_eq!(
        s.bench.provisioning_entries(),
        [
            ("wifi.ssid", "oceanrig".to_owned()),
            ("wifi.password", "salt-water".to_owned()),
            ("server.host", "cloud.oceanremote.test".to_owned()),
            ("server.port", "80".to_owned()),
            (
                "device.registration_token",
                "oc_reg_5eaf00d5eaf00d5eaf00d5eaf00d0001".to_owned()
            ),
        ]
    );
    assert_eq!(s.bench.device_id(), "oc-123456");
    let s = FORMAT.parse("full", FULL).unwrap();
    let entries = s.bench.provisioning_entries();
    for entry in [
        ("device.id", "pump-1"),
        ("interval.poll_ms", "5000"),
        ("interval.renew_ms", "2700000"),
        ("defects", "no-auto-renewal,no-retry"),
    ] {
        assert!(
            entries.contains(&(entry.0, entry.1.to_owned())),
            "{entry:?} in {entries:?}"
        );
    }
}

#[test]
fn a_plain_wokwi_file_is_read_as_it_is() {
    let text = "name: 'Push button'\nversion: 1\nauthor: 'Uri'\n\nsteps:\n  # List of steps:\n  - delay: 30ms\n  \
                - wait-serial: 'Button 1 pressed'\n  - expect-pin:\n      part-id: esp\n      name: 4\n      value: 0\n";
    let s = FORMAT
        .parse("test.scenario.yaml", text)
        .unwrap_or_else(|e| panic!("{e}"));
    assert!(s.ends_with_steps());
    assert_eq!(
        s.steps[2].kind,
        StepKind::ExpectPin {
            gpio: 4,
            level: false
        }
    );
    let one = FORMAT
        .parse(
            "f",
            "name: a\nversion: 1\nbench: {duration: 1m}\nsteps: [{delay: 1s}]\n",
        )
        .unwrap();
    assert!(!one.ends_with_steps());
}

#[test]
fn a_matrix_makes_cases_with_stable_names() {
    let text = "name: Skew\nversion: 1\nmatrix:\n  skew: [-301s, 299s]\n  count: [1, 2]\n\
                bench: {cloud: {clock-offset: ${skew}}}\nexpect:\n  # ${nothing} here\n  - serial: {text: 'off ${skew}', count: ${count}}\n  \
                - no-serial: {regex: 'a{2}${skew}$'}\n";
    let cases = FORMAT
        .parse_all("skew.yaml", text)
        .unwrap_or_else(|e| panic!("{e}"));
    let names: Vec<String> = cases.iter().map(Scenario::case_name).collect();
    assert_eq!(
        names,
        [
            "Skew[skew=-301s,count=1]",
            "Skew[skew=-301s,count=2]",
            "Skew[skew=299s,count=1]",
            "Skew[skew=299s,count=2]"
        ]
    );
    assert_eq!(cases[1].bench.cloud.clock_offset, TimeOffset(-301_000_000_000));
    let ExpectationKind::Serial(serial) = &cases[1].expect[0].kind else {
        panic!()
    };
    assert_eq!(
        (serial.pattern(), serial.count.unwrap().value),
        (Pattern::Text("off -301s"), Count::exactly(2))
    );
    // Places are those of the file as it is written.
    assert_eq!(cases[1].position(serial.count.unwrap().span), "skew.yaml:9:42");
    let error = FORMAT.parse("skew.yaml", text).unwrap_err().to_string();
    assert!(error.contains("this file has 4 cases"), "{error}");
}

/// Files with mistakes and what is said about them.
#[test]
fn mistakes_are_named_with_their_place() {
    let body = |rest: &str| format!("name: a\nversion: 1\n{rest}");
    let expect = |e: &str| format!("name: a\nversion: 1\nbench: {{duration: 1h}}\nexpect:\n  - {e}\n");
    let fault =
        |f: &str| format!("name: a\nversion: 1\nexpect: [{{serial: x}}]\nfaults:\n  - {{name: f, {f}}}\n");
    let bench = |b: &str| format!("name: a\nversion: 1\nexpect: [{{serial: x}}]\nbench:\n  {b}\n");
    let step = |s: &str| format!("name: a\nversion: 1\nsteps:\n  - {s}\n");
    let cases: Vec<(String, &str)> = vec![
        // The form.
        (
            body("expct: []\n"),
            "3:1: unknown key `expct` (did you mean `expect`?",
        ),
        (body("expect: [\n"), "3:9: unclosed bracket '['"),
        (
            body("name: b\nexpect: [{serial: x}]\n"),
            "3:1: the key `name` is there twice",
        ),
        ("version: 1\n".to_owned(), "1:1: the key `name` is missing"),
        (String::new(), "1:1: "),
        (
            bench("duration: 3x"),
            "5:13: `3x` is not a length of time: `x` is no unit",
        ),
        (
            bench("duration: 30"),
            "5:13: `30` is not a length of time: the unit is missing",
        ),
        (bench("seed: -1"), "5:9: `-1` is not a whole number from 0"),
        (bench("strict: yes"), "5:11: "),
        (
            bench("network: {channel: many}"),
            "5:22: `many` is not a whole number from 0 to 255",
        ),
        (
            bench("start: 2026-02-30T00:00:00Z"),
            "5:10: `2026-02-30T00:00:00Z` is not a moment of civil time",
        ),
        (
            expect("serial: {txt: b}"),
            "5:14: unknown key `txt` (did you mean `text`?",
        ),
        (
            expect("requests: {endpoint: renew}"),
            "5:26: `renew` is no endpoint; did you mean `renew-session`?",
        ),
        (
            expect("event: {of: {wifi: lst}}"),
            "5:24: `lst` is not known here (did you mean `lost`?",
        ),
        (
            expect("event: {of: {wfi: lost}}"),
            "5:18: `wfi` is not known here (did you mean `wifi`?",
        ),
        (
            fault("when: 1s, do: acess-point-gone"),
            "5:29: `acess-point-gone` is not known here (did you mean `access-point-gone`?",
        ),
        // Names and versions.
        (
            body("version: 2\nexpect: [{serial: x}]\n").replacen("version: 1\n", "", 1),
            "2:10: version 2 is not known",
        ),
        (body(""), "1:7: the scenario can only pass: it expects nothing"),
        (
            expect("serial: x\n    name: n\n  - serial: y\n    name: n"),
            "8:11: two expectations are called `n`",
        ),
        (
            expect("serial: x\n    name: renews\nexpect-verdict: {fail: renew}"),
            "7:24: no expectation is called `renew` (did you mean `renews`?)",
        ),
        // The bench.
        (bench("duration: 0s"), "5:13: the run that lasts no time"),
        (
            bench("network: {ssid: 123456789012345678901234567890123}"),
            "5:19: a network name has 1 to 32 bytes; this one has 33",
        ),
        (
            bench("network: {password: short}"),
            "5:23: a password has 8 to 63 bytes; this one has 5",
        ),
        (
            bench("network: {rssi: 5}"),
            "5:19: signal strength 5 is not from -127 to 0",
        ),
        (
            bench("cloud: {revoked-token: 410}"),
            "5:26: a revoked token is answered 401 or 403, not 410",
        ),
        (
            bench("provisioning: {device: {id: 'a b'}}"),
            "5:31: a device id is made of `A-Z a-z 0-9 _ -`; this one has ' '",
        ),
        (
            bench("provisioning: {interval: {poll: 50ms}}"),
            "5:35: 50ms is not from 100ms to 1h",
        ),
        (
            bench("provisioning: {defects: [No]}"),
            "5:28: `No` is no name of a defect",
        ),
        // Steps.
        (step("{}"), "4:5: the step does nothing"),
        (
            step("{delay: 1s, wait-serial: x}"),
            "4:5: the step does several things: `delay` or `wait-serial`",
        ),
        (
            step("take-screenshot: {part-id: lcd}"),
            "4:22: `take-screenshot` is not supported: the bench has no display",
        ),
        (
            step("touch-press: {part-id: lcd}"),
            "4:18: `touch-press` is not supported: the bench has no touch screen",
        ),
        (
            step("expect-pin: {part-id: esp, pin: D4, value: 1}"),
            "4:37: `D4` is no pin of the chip: names of a board's header",
        ),
        (
            step("expect-pin: {part-id: esp, pin: GPIO4, value: 2}"),
            "4:51: the value is 0 or 1",
        ),
        (
            step("set-control: {part-id: btn1, control: pressed, value: 1}"),
            "4:28: no part `btn1` is wired to the device",
        ),
        (step("write-serial: []"), "4:19: nothing is written"),
        // Expectations.
        (expect("{}"), "5:5: the expectation expects nothing"),
        (
            expect("serial: x\n    no-serial: y"),
            "5:5: the expectation has several keys: `serial` or `no-serial`",
        ),
        (expect("serial: ''"), "5:13: an empty text is there always"),
        (
            expect("serial: {text: a, regex: b}"),
            "5:30: both `text` and `regex` are given",
        ),
        (
            expect("no-serial: {regex: 'a(b|'}"),
            "5:26: not a regular expression: unclosed group, at character 2",
        ),
        (
            expect("serial: {regex: 'a*'}"),
            "5:21: the expression matches an empty text",
        ),
        (
            expect(r"serial: {regex: '\bab'}"),
            r"5:21: `\b` of Unicode is not supported",
        ),
        (
            expect("serial: {text: x, count: {min: 4, max: 3}}"),
            "5:30: no number is at least 4 and at most 3",
        ),
        (
            expect("serial: {text: x, after: 2h}"),
            "5:30: a moment at 2h is after the end of the run at 1h",
        ),
        (
            expect("serial: {text: x, after: 59m, within: 2m}"),
            "5:43: the end at 1h1m is after the end of the run at 1h",
        ),
        (
            expect("serial: {text: x, after: 10m, before: 10m}"),
            "5:43: nothing lies from 10m on and before 10m",
        ),
        (
            expect("interval: {from: 1m, to: 2m, min: 3m, max: 2m}"),
            "5:39: no time is at least 3m and at most 2m",
        ),
        (
            expect("interval: {from: 1m, to: 2m}"),
            "5:15: any length is right",
        ),
        (
            expect("pin: {gpio: 4, level: high}"),
            "5:10: `level` needs a moment",
        ),
        (
            expect("pin: {gpio: 4, always: high, never: low}"),
            "5:10: exactly one of `level`, `always` or `never` is wanted",
        ),
        (
            expect("status: {is: online, at: 1m, after: 2m}"),
            "5:41: `is` looks at one moment, not at a stretch",
        ),
        (
            expect("event: {of: 10m}"),
            "5:17: a time happens once; name an event",
        ),
        (
            expect("event: {of: {wifi: {state: lost, nth: 2}}}"),
            "5:17: all occurrences are meant here",
        ),
        (
            expect("liveness: {within: 2m}"),
            "5:15: `liveness` counts from the end of the last fault, but the scenario has no fault",
        ),
        (expect("requests: {status: 20}"), "5:24: 20 is no HTTP status"),
        // Faults.
        (
            fault("when: {fault: {name: g, state: ended}}, do: reset"),
            "5:36: it can never come: no fault is called `g`",
        ),
        (
            fault("when: {fault: {name: f, state: ended}}, do: reset"),
            "5:21: the fault can never fire: it waits for itself",
        ),
        (
            fault("when: {request: {at: first-byte, status: 200}}, do: reset"),
            "5:21: it can never come: the status is not known so early",
        ),
        (
            fault("when: {wifi: {state: lost, nth: 0}}, do: reset"),
            "5:21: the 0th never comes",
        ),
        (
            fault("when: {dhcp: akc}, do: reset"),
            "5:28: `akc` is no DHCP message",
        ),
        (
            fault("when: 1s, do: reset, for: 3s"),
            "5:41: `reset` happens once; it has no length",
        ),
        (
            fault("when: 1s, do: power-cut, for: 0s"),
            "5:45: a fault that lasts no time",
        ),
        (
            fault("when: 1m, do: reset"),
            "5:21: a moment at 1m is after the end of the run at 30s",
        ),
        (
            fault("when: 1s, do: reset, probability: 0%"),
            "5:5: the fault can never fire: its probability is 0 %",
        ),
        (
            fault("when: 1s, do: reset, repeat: {every: 2}"),
            "5:44: a trigger that is a time repeats after an `interval`",
        ),
        // The matrix.
        (
            body("matrix: {skew: []}\nexpect: [{serial: x}]\n"),
            "3:10: parameter `skew` has no values",
        ),
        (
            body("matrix: {skew: [1s]}\nexpect: [{serial: '${skw}'}]\n"),
            "4:20: the matrix has no parameter `skw`; did you mean `skew`?",
        ),
        (
            body("matrix: {n: [1, x]}\nexpect: [{serial: {text: a, count: ${n}}}]\n"),
            "4:36: `x` is not a count",
        ),
        (
            body("matrix: {Skew: [1s]}\nexpect: [{serial: x}]\n"),
            "3:10: `Skew` is no name of a parameter",
        ),
        // Bombs.
        (
            "&a [*a]".to_owned(),
            "1:5: this alias stands inside of what it names",
        ),
        (format!("name: {}\n", "[".repeat(200)), "1:"),
    ];
    let mut wrong = String::new();
    for (text, wanted) in cases {
        let found = FORMAT
            .parse_all("f", &text)
            .map_or_else(|e| e.to_string(), |_| "nothing".to_owned());
        if !found.starts_with(&format!("f:{wanted}")) {
            wrong.push_str(&format!("wanted: {wanted}\nfound:  {found}\n{text}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn mistakes_of_meaning_are_reported_together_in_the_order_of_the_file() {
    let text =
        "name: a\nversion: 1\nbench: {network: {channel: 15}}\nexpect:\n  - serial: ''\n  - pin: {gpio: 4}\n";
    let diagnostics = FORMAT.parse("dir/f.yaml", text).unwrap_err();
    let places: Vec<&str> = diagnostics.problems().iter().map(|p| p.position()).collect();
    assert_eq!(places, ["dir/f.yaml:3:28", "dir/f.yaml:5:13", "dir/f.yaml:6:10"]);
    let shown = diagnostics.render(false, 80);
    for piece in [
        "dir/f.yaml has 3 mistakes",
        "channel 15 is not from 1 to 14",
        "dir/f.yaml:3:28",
        "6 │   - pin: {gpio: 4}",
    ] {
        assert!(shown.contains(piece), "{piece} in\n{shown}");
    }
    assert!(!shown.contains('\u{1b}'));
}

#[test]
fn a_bomb_of_aliases_does_not_go_off() {
    let mut text =
        "name: a\nversion: 1\ndescription: b\nbench:\n  wiring:\n    a: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
            .to_owned();
    for i in 1..12 {
        let list = vec![format!("*a{}", i - 1); 10].join(", ");
        text.push_str(&format!("    b{i}: &a{i} [{list}]\n"));
    }
    let error = FORMAT.parse_all("f", &text).unwrap_err().to_string();
    assert!(error.len() < 500, "{error}");
}

#[test]
fn mistakes_in_what_is_said_about_the_log_are_placed() {
    let problems = |text: &str| {
        let file = format!("name: a\nversion: 1\nexpect: [{{serial: x}}]\n{text}\n");
        FORMAT.parse("f.yaml", &file).unwrap_err().to_string()
    };
    for (text, place, says) in [
        (
            "snapshot: {tolerate: [{lines: '(', may: repeat}]}",
            "4:3",
            "not a regular expression",
        ),
        (
            "snapshot: {tolerate: [{lines: a, may: vanish}]}",
            "4:",
            "`vanish` is not known here",
        ),
        (
            "snapshot: {tolerate: [{lines: a}]}",
            "4:",
            "the key `may` is missing",
        ),
        (
            "redact: [{name: The Build, pattern: a}]",
            "4:17",
            "`The Build` cannot name a placeholder",
        ),
        (
            "redact: [{name: b, pattern: 'a|'}]",
            "4:2",
            "matches an empty text",
        ),
        (
            "redact: [{name: b, pattern: 'n (?P<vlaue>x)'}]",
            "4:",
            "the group `vlaue` means nothing here",
        ),
    ] {
        let found = problems(text);
        assert!(
            found.starts_with(&format!("f.yaml:{place}")) && found.contains(says),
            "{text}: {found}"
        );
    }
}
