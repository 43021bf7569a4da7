//! Files that hard use has found: each mistake is told at its place, all of a file at once, in words of ours; files for
//! Wokwi's runner are taken as that runner takes them.

use scenario::{Format, StepKind, TimeSpan};

/// The format with the service of these tests.
const FORMAT: Format = Format::new(&[&oceanremote::SPEC]);

fn errors(text: &str) -> Vec<String> {
    match FORMAT.parse_all("f", text) {
        Ok(_) => Vec::new(),
        Err(found) => found.to_string().lines().map(str::to_owned).collect(),
    }
}

fn warnings(text: &str) -> Vec<String> {
    let scenario = FORMAT.parse("f", text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    scenario.warnings().iter().map(|w| w.line()).collect()
}

#[test]
fn a_mistake_hides_no_other() {
    let text = "\
name: slips
bench: { duration: 10x, network: { channel: 15, rssi: loud } }
steps:
  - delay: 1s
    wait-seral: x
faults:
  - { name: a, when: { wifi: lst }, do: { rssi: -200 }, for: 0s, optional: yes }
  - { name: b, when: { fault: { name: a, state: ended } }, do: refuse-all }
expect:
  - serial: { text: x, count: many, after: { fault: { name: c, state: ended } } }
  - requests: { endpoint: renew, stauts: 200 }
expect-verdict: { fail: d }
";
    let found = errors(text);
    for wanted in [
        "f:1:1: the key `version` is missing",
        "f:2:20: `10x` is not a length of time",
        "f:2:45: channel 15 is not from 1 to 14",
        "f:2:55: `loud` is not a whole number",
        "f:5:5: unknown key `wait-seral` (did you mean `wait-serial`?",
        "f:7:30: `lst` is not known here (did you mean `lost`?",
        "f:7:49: `-200` is not a whole number from -128 to 127",
        "f:7:76: `yes` is not `true` or `false`",
        "f:8:64: `refuse-all` is not known here (did you mean `refuse`?",
        "f:10:31: `many` is not a count",
        "f:10:61: it can never come: no fault is called `c`",
        "f:11:27: `renew` is no endpoint; did you mean `renew-session`?",
        "f:11:34: unknown key `stauts` (did you mean `status`?",
    ] {
        assert!(
            found.iter().any(|line| line.starts_with(wanted)),
            "{wanted}\n{found:#?}"
        );
    }
    // The fault `a` is wrong, but its name is known.
    assert_eq!(found.len(), 13, "{found:#?}");
}

#[test]
fn values_that_the_bench_would_refuse_are_mistakes() {
    let bench = |b: &str| format!("name: a\nversion: 1\nexpect: [{{serial: x}}]\nbench:\n  {b}\n");
    for (text, wanted) in [
        (r#"network: { ssid: "a\nb" }"#, "f:5:20: a setting is one line"),
        (
            r#"network: { password: "long enough\r" }"#,
            "f:5:24: a setting is one line",
        ),
        (
            r#"provisioning: { wifi: { ssid: "a\rb" } }"#,
            "f:5:33: a setting is one line",
        ),
        ("cloud: { host: 'a b' }", "f:5:18: `a b` is no host"),
        ("cloud: { host: '' }", "f:5:18: a host has 1 to 128 bytes"),
        (
            "cloud: { host: 0.0.0.0 }",
            "f:5:18: no host can have the address 0.0.0.0",
        ),
        ("cloud: { host: a..b }", "f:5:18: `a..b` is no host"),
        (
            "cloud: { clock-drift-ppm: -1000000 }",
            "f:5:29: drift -1000000 is not from",
        ),
        ("cloud: { registration-token: '' }", "f:5:32: a token has 1 to 80"),
        (
            "provisioning: { ntp: { server: 'not a host' } }",
            "f:5:34: `not a host` is no host",
        ),
        (
            "provisioning: { server: { host: 'x y' } }",
            "f:5:35: `x y` is no host",
        ),
        (
            "network: { dhcp-lease: 60000d }",
            "f:5:26: a DHCP lease has at most",
        ),
        (
            "{ device: { claimed: true, permanent-token: t }, cloud: { registration-token: t } }",
            "f:5:47: the permanent token is the registration token",
        ),
        ("network: { ssid: plain }", ""),
        ("cloud: { host: 192.168.4.9 }", ""),
        ("cloud: { host: a_b.example.test }", ""),
    ] {
        let found = errors(&bench(text));
        if wanted.is_empty() {
            assert!(found.is_empty(), "{text}: {found:?}");
        } else {
            assert!(
                found.iter().any(|line| line.starts_with(wanted)),
                "{text}: {found:?}"
            );
        }
    }
}

#[test]
fn mistakes_of_the_form_are_told_in_our_words() {
    let head = "name: a\nversion: 1\n";
    for (text, wanted) in [
        (
            format!("{head}steps:\n  - delay: 1ms\n---\nname: b\n"),
            "f:5:1: a file holds one scenario: here begins a second document",
        ),
        (
            format!("{head}expect:\n  - serial: {{ <<: *b, text: x }}\n").replace("*b", "{text: y}"),
            "f:4:15: merge keys (`<<`) are not known here",
        ),
        (
            format!("{head}steps:\n  - hello\n"),
            "f:4:5: expected a mapping, found `hello`",
        ),
        (String::new(), "f:1:1: the file is empty"),
        ("# nothing\n".to_owned(), "f:1:1: the file is empty"),
        (
            format!("{head}expect: [{{serial: x}}]\nbench: {{cloud: {{clock-drift-ppm: 4294967295}}}}\n"),
            "f:4:34: `4294967295` is too large: at most 2147483647 fits here",
        ),
        (format!("{head}steps:\n  - wait-serial: [WIFI] up\n"), "f:4:25: "),
        (format!("{head}steps\n"), "f:3:1: this line is neither a key"),
        (format!("{head}\tsteps: []\n"), "f:2:10: a tab stands where"),
        (
            format!("{head}description: \"a\\qb\"\n"),
            "f:3:14: this escape is not known",
        ),
        (
            format!("{head}author: *nobody\n"),
            "f:3:9: this alias names nothing",
        ),
        (
            format!("{head}author: !secret x\n"),
            "f:3:17: the tag `!secret` is not known",
        ),
        (
            format!(
                "{head}expect: [{{serial: x}}]\nfaults: [{{name: f, when: {{request: {{}}}}, do: {{html: , gzip: }}}}]\n"
            ),
            "f:4:54: only one of `html` and `gzip` can stand here",
        ),
        (
            format!("{head}expect: {{serial: x}}\n"),
            "f:3:9: expected a list, found a mapping",
        ),
        (format!("{head}? [a, b]\n: c\n"), "f:3:3: a key is a word"),
    ] {
        let found = errors(&text);
        let foreign = ["budget", "mapping start", "serde", "scalar", "stream"];
        assert!(
            found.iter().any(|line| line.starts_with(wanted)),
            "wanted {wanted}\nfound {found:#?}\n{text}"
        );
        for line in &found {
            assert!(!foreign.iter().any(|word| line.contains(word)), "{line}");
        }
    }
}

#[test]
fn files_of_wokwis_are_taken_as_that_runner_takes_them() {
    let steps = "steps:\n  - delay: 1ms\n";
    // Taken without a word.
    for text in [
        format!("name: a\nversion: 1\nauthor:\n  name: A. Tester\n  date: '2026-01-01'\n{steps}"),
        format!("name: a\nversion: 1\nauthor: [a, b]\n{steps}"),
        format!("name: a\nversion: 1.0\n{steps}"),
        "name: a\nversion: 1\nx-up: &up { wait-serial: 'up' }\nsteps:\n  - *up\n".to_owned(),
    ] {
        assert_eq!(warnings(&text), [""; 0], "{text}");
    }
    let author = format!("name: a\nversion: 1\nauthor: {{name: A. Tester}}\n{steps}");
    assert_eq!(
        FORMAT.parse("f", &author).unwrap().author.as_deref(),
        Some("A. Tester")
    );
    // Taken, with a word about it.
    for (text, wanted) in [
        (
            format!("name: a\nversion: 1\ndiagram: diagrams/one.json\n{steps}"),
            "f:3:1: the key `diagram` is ignored",
        ),
        (
            format!("name: a\nversion: '1'\n{steps}"),
            "f:2:10: Wokwi's runner refuses a version",
        ),
        (
            format!("name: 5\nversion: 1\n{steps}"),
            "f:1:7: Wokwi's runner refuses a name",
        ),
        (
            "name: a\nversion: 1\nsteps:\n  - expect-pin: {part-id: esp, pin: 4, expected: 0}\n".to_owned(),
            "f:4:50: Wokwi's runner refuses `expected`",
        ),
    ] {
        let found = warnings(&text);
        assert!(found.len() == 1 && found[0].starts_with(wanted), "{found:?}");
    }
    // A slip of the pen stays a mistake, and so does an unknown key beside keys of ours.
    for (text, wanted) in [
        (
            format!("name: a\nversion: 1\nfault: []\n{steps}"),
            "f:3:1: unknown key `fault` (did you mean `faults`?",
        ),
        (
            format!("name: a\nversion: 1\nbench: {{}}\ndiagram: one.json\n{steps}"),
            "f:4:1: unknown key `diagram`",
        ),
        (
            format!("name: a\nversion: 2\n{steps}"),
            "f:2:10: version 2 is not known",
        ),
    ] {
        assert!(errors(&text)[0].starts_with(wanted), "{:?}", errors(&text));
    }
}

#[test]
fn a_control_has_two_names() {
    let step = |keys: &str| {
        format!(
            "name: a\nversion: 1\nbench: {{wiring: {{b: {{gpio: 9}}}}}}\nsteps:\n  - set-control: {{part-id: b, {keys}, value: 1}}\n"
        )
    };
    for keys in ["name: pressed", "control: pressed"] {
        let scenario = FORMAT.parse("f", &step(keys)).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(
            scenario.steps[0].kind,
            StepKind::SetPin {
                gpio: 9,
                level: false
            }
        );
    }
    let both = errors(&step("name: pressed, control: pressed"));
    assert!(
        both[0].contains("both `name` and `control` are given"),
        "{both:?}"
    );
    let none = errors(&step("nmae: pressed"));
    assert!(
        none[0].contains("unknown key `nmae` (did you mean `name`?"),
        "{none:?}"
    );
}

#[test]
fn steps_that_take_longer_than_the_run_are_told() {
    let file =
        |bench: &str| format!("name: a\nversion: 1\n{bench}steps:\n  - wait-serial: x\n  - delay: 40s\n");
    let own = errors(&file("bench: {duration: 20s}\n"));
    assert!(
        own[0].starts_with("f:3:19: the steps take at least 40s, the run ends after 20s"),
        "{own:?}"
    );
    let foreign = FORMAT.parse("f", &file("")).unwrap();
    let finding = foreign.too_short().expect("40 s do not fit in 30 s");
    let warning = foreign.warning(finding);
    assert!(warning.is_warning());
    assert!(
        warning
            .line()
            .starts_with("f:4:5: the steps take at least 40s, the run ends after 30s"),
        "{}",
        warning.line()
    );
    // The command line gives such a file more time; it still ends with its last step.
    let longer = foreign.with_timeout(TimeSpan::from_secs(90));
    assert_eq!(
        (longer.too_short(), longer.duration()),
        (None, TimeSpan::from_secs(90))
    );
    assert!(longer.ends_with_steps());
    let own = FORMAT.parse("f", &file("bench: {duration: 1m}\n")).unwrap();
    assert_eq!(
        own.with_timeout(TimeSpan::from_secs(90)).duration(),
        TimeSpan::from_secs(60)
    );
}

#[test]
fn pins_are_checked_by_those_who_know_the_chip() {
    let text = "\
name: a
version: 1
bench: {duration: 1h, wiring: {b: {gpio: 30}}}
steps: [{expect-pin: {part-id: esp, pin: GPIO40, value: 1}}]
faults: [{name: f, when: {pin: {gpio: 50, level: high}}, do: {drive-pin: {gpio: 22, level: low}}}]
expect: [{pin: {gpio: 255, never: low}}, {pin: {gpio: 21, never: low}}]
";
    let scenario = FORMAT.parse("f", text).unwrap_or_else(|e| panic!("{e}"));
    let found = scenario
        .refuse(scenario.pins_beyond("chip", 21))
        .unwrap_err()
        .to_string();
    let places: Vec<&str> = found
        .lines()
        .map(|line| line.split(": ").next().unwrap())
        .collect();
    assert_eq!(
        places,
        ["f:3:42", "f:4:42", "f:5:39", "f:5:81", "f:6:23"],
        "{found}"
    );
    assert!(found.starts_with("f:3:42: GPIO30 does not exist: the chip has GPIO0 to GPIO21"));
    assert!(scenario.pins_beyond("chip", 255).is_empty());
}

#[test]
fn long_lines_and_many_mistakes_leave_a_short_text() {
    let entry = "{serial: {text: aaaaaaaaaaaaaaaaaaaa, bad: 1}}, ";
    let text = format!("name: a\nversion: 1\nexpect: [{}]\n", entry.repeat(7_000));
    let found = FORMAT.parse("f", &text).unwrap_err();
    assert_eq!(found.problems().len(), 7_000);
    let last = found.problems().last().unwrap();
    let column = text.rfind("bad").unwrap() - text.find("expect").unwrap() + 1;
    assert!(column > 65_535);
    let place = format!("f:3:{column}");
    assert_eq!(last.position(), place);
    for shown in [
        found.render(false, 100),
        found.to_string(),
        last.render(false, 100),
    ] {
        assert!(shown.len() < 50_000, "{}", shown.len());
    }
    assert!(found.render(false, 100).contains("and 6980 more"));
    assert!(
        last.render(false, 100).contains(&format!("[{place}]")),
        "{}",
        last.render(false, 100)
    );
    // A value that is as long is not echoed whole either.
    let text = format!(
        "name: a\nversion: 1\nbench: {{duration: {}}}\nexpect: [{{serial: x}}]\n",
        "9".repeat(900_000)
    );
    let found = FORMAT.parse("f", &text).unwrap_err();
    assert!(found.render(false, 100).len() < 3_000 && found.to_string().len() < 3_000);
    // Bytes of other widths around the place.
    let text = format!(
        "name: a\nversion: 1\n# {0}\nexpcet: [{0}]\n",
        "ä€🦀".repeat(1_000)
    );
    assert!(
        FORMAT
            .parse("f", &text)
            .unwrap_err()
            .render(false, 100)
            .contains("unknown key")
    );
}

#[test]
fn an_expression_that_is_too_large_is_told_and_never_becomes_one_that_matches_nothing() {
    let expect = |e: &str| format!("name: a\nversion: 1\nexpect:\n  - {e}\n");
    for (text, place) in [
        (
            "no-serial: { regex: '(((((a{100}){100}){100}){100}){100})' }",
            "f:4:25",
        ),
        (r"no-serial: { regex: '(\w{100}){100}' }", "f:4:25"),
        ("serial-all: [ { regex: 'a{100000}' } ]", "f:4:28"),
        ("event: { of: { serial: { regex: 'a{100000}' } } }", "f:4:37"),
    ] {
        let found = errors(&expect(text));
        let wanted = format!("{place}: the expression takes more than 256 KiB when it is compiled");
        assert!(found.len() == 1 && found[0].starts_with(&wanted), "{found:?}");
    }
    let redact = "name: a\nversion: 1\nexpect: [{serial: x}]\nredact: [{name: a, pattern: 'a{100000}'}]\n";
    assert!(errors(redact)[0].starts_with("f:4:29: the expression takes more than"));
}

#[test]
fn bytes_are_text_a_list_or_base64() {
    use scenario::{Action, RequestAction};
    let file = |bytes: &str| {
        format!(
            "name: a\nversion: 1\nexpect: [{{serial: x}}]\nfaults: [{{name: f, when: {{request: {{}}}}, do: {{raw-reply: {bytes}}}}}]\n"
        )
    };
    for (text, bytes) in [
        ("\"a\\0\"", b"a\0".as_slice()),
        ("[255, 0, 97]", b"\xff\0a"),
        ("!!binary '/w=='", b"\xff"),
    ] {
        let scenario = FORMAT.parse("f", &file(text)).unwrap_or_else(|e| panic!("{e}"));
        let Action::Request(RequestAction::RawReply(read)) = &scenario.faults[0].action.value else {
            panic!("{:?}", scenario.faults[0])
        };
        assert_eq!(read.0, bytes, "{text}");
    }
    for (text, wanted) in [
        ("[256]", "`256` is too large: at most 255"),
        ("!!binary '/w'", "these are not bytes in base64"),
        ("[]", "no bytes are no reply"),
    ] {
        assert!(
            errors(&file(text))[0].contains(wanted),
            "{:?}",
            errors(&file(text))
        );
    }
}

#[test]
fn interim_replies_and_chunks_are_checked() {
    let errors = |action: &str| {
        errors(&format!(
            "name: a\nversion: 1\nexpect: [{{serial: x}}]\nfaults: [{{name: f, when: {{request: {{}}}}, do: {action}}}]\n"
        ))
    };
    for right in [
        "chunked",
        "{chunked: {size: 3, trailer: {x-a: b}}}",
        "{interim: 103}",
        "{interim: {status: 100, headers: {a: b}}}",
    ] {
        assert_eq!(errors(right), [""; 0], "{right}");
    }
    for (wrong, wanted) in [
        ("{interim: 200}", "200 is no interim HTTP status"),
        ("{interim: 101}", "101 is no interim HTTP status"),
        (
            "{interim: {status: 103, headers: {'a b': c}}}",
            "`a b` is no name of a header",
        ),
        (
            "{chunked: {trailer: {a: \"b\\r\"}}}",
            "a header stands on one line",
        ),
    ] {
        assert!(errors(wrong)[0].contains(wanted), "{:?}", errors(wrong));
    }
}
