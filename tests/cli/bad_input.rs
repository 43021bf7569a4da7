//! Mistakes of the user: exit code 2, nothing runs, and the message says where and what.

use crate::rig::{PASSES, Rig};

/// Runs a file with this text and checks that it is refused with `parts` in the message.
#[track_caller]
fn refused(text: &str, parts: &[&str]) {
    let rig = Rig::with(&[("good.yaml", PASSES), ("bad.yaml", text)]);
    for command in ["run", "check"] {
        let ended = rig
            .oceanrig(&[command, "good.yaml", "bad.yaml"])
            .exits(2)
            .tells(parts);
        assert_eq!(ended.stdout, "", "nothing ran");
    }
}

#[test]
fn an_unknown_key_is_shown_with_its_place_and_what_is_meant() {
    refused(
        "name: X\nversion: 1\nbench:\n  duraton: 5s\nexpect: [{serial: x}]\n",
        &[
            "bad.yaml has 1 mistake",
            "unknown key `duraton`",
            "bad.yaml:4:3",
            "did you mean `duration`?",
            "1 of 2 scenario files is not valid; nothing ran",
        ],
    );
}

#[test]
fn broken_yaml_is_shown_with_its_place() {
    refused(
        "name: [X\nversion: 1\n",
        &["bad.yaml has 1 mistake", "bad.yaml:2:8"],
    );
    refused(
        "name: X\nname: Y\nversion: 1\n",
        &["`name` is there twice", "bad.yaml:2:"],
    );
    refused("", &["bad.yaml has 1 mistake"]);
}

#[test]
fn a_value_that_does_not_fit_the_device_is_shown_with_its_place() {
    let bench = |what: &str| format!("name: X\nversion: 1\nbench:\n  {what}\nexpect: [{{serial: x}}]\n");
    refused(
        &bench(&format!("network: {{ssid: {}}}", "n".repeat(33))),
        &[
            "a network name has 1 to 32 bytes; this one has 33",
            "bad.yaml:4:19",
        ],
    );
    refused(
        &bench("provisioning: {interval: {poll: 1ms}}"),
        &[
            "1ms is not from 100ms to 1h",
            "bad.yaml:4:35",
            "docs/provisioning.md",
        ],
    );
    refused(
        &bench(&format!("cloud: {{registration-token: {}}}", "t".repeat(81))),
        &["a token has 1 to 80 visible ASCII characters", "bad.yaml:4:31"],
    );
}

#[test]
fn files_that_are_missing_empty_or_no_text_are_named() {
    let rig = Rig::with(&[("notes/readme.txt", "no scenario")]);
    rig.write("binary.yaml", &[0x80, 0xFF, 0x00]);
    rig.oceanrig(&["run", "nowhere.yaml"])
        .exits(2)
        .tells(&["error: cannot read nowhere.yaml: ", "hint: check the path"]);
    rig.oceanrig(&["run", "notes"])
        .exits(2)
        .tells(&["error: no scenario file (*.yaml, *.yml) in notes"]);
    rig.oceanrig(&["run", "binary.yaml"])
        .exits(2)
        .tells(&["binary.yaml: not a text file (not UTF-8)"]);
}

#[test]
fn wrong_arguments_are_explained() {
    let rig = Rig::with(&[("a.yaml", PASSES)]);
    rig.oceanrig(&["run"])
        .exits(2)
        .tells(&["required arguments", "Usage: oceanrig run"]);
    rig.oceanrig(&["run", "a.yaml", "--jobs", "0"])
        .exits(2)
        .tells(&["--jobs"]);
    rig.oceanrig(&["run", "a.yaml", "--ci"])
        .exits(2)
        .tells(&["--snapshots"]);
    rig.oceanrig(&["ran"])
        .exits(2)
        .tells(&["a similar subcommand exists: 'run'"]);
}

#[test]
fn a_mistake_in_the_project_file_is_placed() {
    let rig = Rig::with(&[
        ("a.yaml", PASSES),
        ("oceanrig.toml", "[[redact]]\nnaem = \"x\"\n"),
    ]);
    rig.oceanrig(&["run", "a.yaml"]).exits(2).tells(&[
        "the project file ./oceanrig.toml is not valid",
        "line 2",
        "naem",
    ]);
    rig.write("oceanrig.toml", b"[[redact]]\nname = \"x\"\npattern = \"(\"\n");
    rig.oceanrig(&["run", "a.yaml"])
        .exits(2)
        .tells(&["the pattern of redaction rule `x` is not a regular expression"]);
}

#[test]
fn what_is_no_run_cannot_be_reported() {
    let rig = Rig::with(&[
        ("out/notes.txt", "x"),
        ("events.jsonl", "{\"at_ns\":1}\n"),
        ("a.snap", "no snapshot"),
    ]);
    rig.oceanrig(&["report", "out"])
        .exits(2)
        .tells(&["no events.jsonl in out"]);
    rig.oceanrig(&["report", "events.jsonl"])
        .exits(2)
        .tells(&["events.jsonl:1: not an event"]);
    rig.oceanrig(&["report", "gone"])
        .exits(2)
        .tells(&["cannot read gone"]);
    assert!(!rig.path("report.html").exists());
}

/// A fault plan of which something is wrong, at this line and column.
#[track_caller]
fn refused_plan(plan: &str, message: &str, place: &str) {
    let text =
        format!("name: X\nversion: 1\nbench: {{duration: 10m}}\nfaults:\n{plan}\nexpect: [{{serial: x}}]\n");
    refused(&text, &[message, place]);
}

#[test]
fn a_plan_that_cannot_be_carried_out_is_refused_with_line_and_column() {
    refused_plan(
        "  - {name: a, when: {request: {endpoint: renew-sesion}}, do: half-open}",
        "did you mean `renew-session`?",
        "bad.yaml:5:42",
    );
    refused_plan(
        "  - {name: a, when: 11m, do: reset}",
        "11m is after the end of the run at 10m",
        "bad.yaml:5:21",
    );
    refused_plan(
        "  - {name: a, when: {serial: {text: boot, nth: 0}}, do: reset}",
        "the 0th never comes: occurrences count from 1",
        "bad.yaml:5:21",
    );
    refused_plan(
        "  - {name: a, when: {request: {endpoint: commands, status: 200}}, do: {respond: 500}}",
        "it can never come",
        "bad.yaml:5:21",
    );
    refused_plan(
        "  - {name: a, when: {fault: {name: b, state: ended}}, do: reset}\n  - {name: b, when: 1m, do: access-point-gone}",
        "it can never come: `b` lasts to the end of the run",
        "bad.yaml:5:36",
    );
    refused_plan(
        "  - {name: a, when: {fault: {name: a, state: fired}}, do: reset}",
        "the fault can never fire: it waits for itself",
        "bad.yaml:5:21",
    );
    refused_plan(
        "  - {name: a, when: 1m, do: reset, probability: 0%}",
        "the fault can never fire: its probability is 0 %",
        "bad.yaml:5:5",
    );
    refused_plan(
        "  - {name: a, when: 1m, do: {dns: silent}, for: 2m}\n  - {name: b, when: 2m, do: {dns: nxdomain}, for: 2m}",
        "`b` contradicts `a`: both set what DNS answers at the same time",
        "bad.yaml:6:29",
    );
    refused_plan(
        "  - {name: a, when: 1m, do: {respond: 500}, endpoint: commands}",
        "how long requests are struck is missing",
        "bad.yaml:5:5",
    );
    refused_plan(
        "  - {name: a, when: 1m, do: expire-session, for: 1m}",
        "`expire-session` happens once; it has no length",
        "bad.yaml:5:50",
    );
    refused_plan(
        "  - {name: a, when: {request: {endpoint: update}}, do: {truncate: {after-byte: 9, of: request}}}",
        "`truncate` comes too late: the request has been received by then",
        "bad.yaml:5:21",
    );
}

#[test]
fn faults_of_tls_are_for_a_server_and_not_for_a_run() {
    let tls = "name: X\nversion: 1\nbench: {duration: 1m}\nfaults:\n  - {name: old, when: 1s, do: {tls: expired}}\n\
               expect: [{serial: x}]\n";
    let rig = Rig::with(&[("good.yaml", PASSES), ("tls.yaml", tls)]);
    rig.oceanrig(&["check", "tls.yaml"]).exits(0);
    let ended = rig.oceanrig(&["run", "good.yaml", "tls.yaml"]).exits(2).tells(&[
        "tls.yaml:5:31: the fault `old` can never strike: the device of a run speaks plain HTTP",
        "`oceanrig serve --tls --scenario tls.yaml`",
        "1 of 2 scenario files is not valid; nothing ran",
    ]);
    assert_eq!(ended.stdout, "");
    // What is not selected does not matter.
    rig.oceanrig(&["run", "good.yaml", "tls.yaml", "-k", "good"])
        .exits(0);
}
