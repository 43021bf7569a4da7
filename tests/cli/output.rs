//! Where what goes: results on stdout, progress on stderr, colours, secrets, and readers that go away.

use std::io::{BufRead as _, BufReader};

use crate::rig::{FAILS, PASSES, Rig, run};

#[test]
fn help_lists_every_exit_code_and_subcommand() {
    let rig = Rig::new();
    rig.oceanrig(&["--help"]).exits(0).prints(&[
        "run ",
        "report ",
        "snapshot ",
        "check ",
        "serve ",
        "faults ",
        "schema ",
        "bench ",
        "completions ",
        "Exit codes:",
        "0 ",
        "1 ",
        "2 ",
        "3 ",
        "4 ",
        "5 ",
        "130 ",
    ]);
    rig.oceanrig(&["--version"]).exits(0).prints(&["oceanrig 0."]);
    rig.oceanrig(&["completions", "bash"])
        .exits(0)
        .prints(&["_oceanrig()"]);
}

#[test]
fn quiet_prints_failures_only_and_verbose_streams_the_log_to_stderr() {
    let rig = Rig::with(&[("a.yaml", PASSES), ("b.yaml", FAILS)]);
    let quiet = rig.oceanrig(&["run", ".", "--quiet"]).exits(1);
    assert!(quiet.stdout.starts_with("FAIL  b") && !quiet.stdout.contains("PASS"));
    let loud = rig.oceanrig(&["run", "a.yaml", "-v"]).exits(0).tells(&[
        "0:00:00.",
        " | # OceanicRemote v5.0 - ESP32\n",
        " | [REG] Registered, permanent token saved\n",
    ]);
    assert!(loud.stdout.starts_with("PASS  a") && !loud.stdout.contains("OceanicRemote"));
    rig.oceanrig(&["run", ".", "-v"]).tells(&["a 0:00:00."]);
}

#[test]
fn colours_come_when_they_are_asked_for() {
    let rig = Rig::with(&[("a.yaml", FAILS), ("bad.yaml", "name: X\nnope: 1\n")]);
    let colours = |args: &[&str], env: &[(&str, &str)]| {
        let ended = run(rig.command(args).envs(env.iter().copied()));
        (ended.stdout.contains('\x1b'), ended.stderr.contains('\x1b'))
    };
    let failing = ["run", "a.yaml"];
    assert_eq!(colours(&failing, &[]), (false, false), "a pipe is no terminal");
    assert_eq!(
        colours(&["run", "a.yaml", "--color", "always"], &[]),
        (true, false)
    );
    assert_eq!(
        colours(&["run", "a.yaml", "--color", "never"], &[("CLICOLOR_FORCE", "1")]),
        (false, false)
    );
    assert!(colours(&failing, &[("CLICOLOR_FORCE", "1")]).0);
    assert_eq!(colours(&failing, &[("NO_COLOR", "1")]), (false, false));
    assert_eq!(colours(&["check", "bad.yaml"], &[]), (false, false));
    assert_eq!(
        colours(&["check", "bad.yaml", "--color", "always"], &[]),
        (false, true)
    );
}

/// A firmware that prints its permanent token.
const LEAKS: &str = "\
name: Leaks
version: 1
bench: {duration: 5s, provisioning: {defects: [print-token]}}
expect:
  - name: no secret on the console
    no-secrets: {}
";

#[test]
fn no_token_reaches_the_terminal_or_a_file() {
    let rig = Rig::with(&[("a.yaml", LEAKS)]);
    for format in ["human", "json", "github"] {
        let ended = rig
            .oceanrig(&["run", "a.yaml", "-v", "--out", "out", "--format", format])
            .exits(1)
            .tells(&["[TOKEN] Permanent token: [permanent-token-1]"]);
        let mut all = ended.stdout + &ended.stderr;
        for file in [
            "a/serial.log",
            "a/serial-timed.log",
            "a/events.jsonl",
            "a/manifest.json",
            "junit.xml",
            "report.html",
        ] {
            all += &rig.read(&format!("out/{file}"));
        }
        assert!(!all.contains("oc_perm_") && !all.contains("oc_reg_"));
        assert!(
            !String::from_utf8_lossy(&std::fs::read(rig.path("out/a/capture.pcapng")).unwrap())
                .contains("oc_perm_")
        );
    }
    let kept = rig.oceanrig(&["run", "a.yaml", "-v", "--keep-secrets"]).exits(1);
    assert!(kept.stderr.contains("[TOKEN] Permanent token: oc_perm_") && kept.stdout.contains("oc_perm_"));
}

/// The same secrets without the form by which they are known.
#[test]
fn tokens_that_a_scenario_chooses_are_replaced_by_value() {
    let chosen = LEAKS.replacen(
        "bench: {",
        "bench: {cloud: {registration-token: the-crab-sings, permanent-token-prefix: false}, ",
        1,
    );
    assert_ne!(chosen, LEAKS);
    let claimed = chosen.replacen(
        "bench: {",
        "bench: {device: {claimed: true, permanent-token: the-whale-answers}, ",
        1,
    );
    for (text, secret) in [(&chosen, "the-crab-sings"), (&claimed, "the-whale-answers")] {
        let rig = Rig::with(&[("a.yaml", text)]);
        let ended = rig.oceanrig(&["run", "a.yaml", "-v", "--out", "out"]).exits(1);
        let mut all = ended.stdout + &ended.stderr;
        for file in [
            "a/serial.log",
            "a/events.jsonl",
            "a/serial-timed.log",
            "junit.xml",
            "report.html",
        ] {
            all += &rig.read(&format!("out/{file}"));
        }
        let capture = std::fs::read(rig.path("out/a/capture.pcapng")).unwrap();
        assert!(!all.contains(secret), "{secret}");
        assert!(
            !String::from_utf8_lossy(&capture).contains(secret),
            "{secret} in the capture"
        );
        rig.oceanrig(&["run", "a.yaml", "--keep-secrets", "--out", "kept"])
            .exits(1);
        let kept = std::fs::read(rig.path("kept/a/capture.pcapng")).unwrap();
        assert!(
            String::from_utf8_lossy(&kept).contains(secret),
            "{secret} was sent at all"
        );
    }
}

/// The placeholders on the terminal are those of the files.
#[test]
fn verbose_counts_placeholders_as_the_files_do() {
    let two = "name: Two\nversion: 1\nbench: {duration: 3m, cloud: {session-lifetime: 1m}}\nexpect:\n  - serial: never\n";
    let rig = Rig::with(&[("a.yaml", two)]);
    let session_lines = |text: &str| -> Vec<String> {
        let from = |line: &str| line.find("Using session: ").map(|at| line[at..].to_owned());
        text.lines().filter_map(from).collect()
    };
    let ended = rig.oceanrig(&["run", "a.yaml", "-v", "--out", "out"]).exits(1);
    let (shown, kept) = (
        session_lines(&ended.stderr),
        session_lines(&rig.read("out/a/serial.log")),
    );
    assert!(
        kept.len() > 1 && kept.last().unwrap().contains("[session-"),
        "{kept:?}"
    );
    assert_eq!(shown, kept);
}

#[test]
fn a_reader_that_goes_away_changes_no_verdict() {
    let rig = Rig::with(&[("a.yaml", PASSES), ("b.yaml", FAILS), ("c.yaml", PASSES)]);
    // As `| head -1`: one line is read, then the pipe is closed.
    let mut child = rig.command(&["run", "."]).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let ended = run_to_end(child);
    assert!(line.starts_with("PASS  a"));
    assert_eq!((ended.0, ended.1.as_str()), (Some(1), ""), "no panic, no error");
    // Nobody reads stderr.
    let mut child = rig.command(&["run", "a.yaml", "-v"]).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
}

fn run_to_end(child: std::process::Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}
