//! What cannot be written, read or shared: said, and never in place of a verdict.

use std::fs::{self, OpenOptions};
use std::process::Stdio;

use crate::rig::{FAILS, LONG, PASSES, Rig, run};

/// The last line of a run with one failure.
const SUMMARY: &str = "0 passed, 1 failed (";

#[test]
fn no_file_that_cannot_be_written_hides_a_failure() {
    // A directory stands where the file would be.
    for in_the_way in [
        "out/report.html",
        "out/junit.xml",
        "out/a/serial.log",
        "out/a/serial-timed.log",
        "out/a/events.jsonl",
        "out/a/pins.vcd",
        "out/a/capture.pcapng",
        "out/a/manifest.json",
    ] {
        let rig = Rig::with(&[("a.yaml", FAILS), ("b.yaml", PASSES)]);
        fs::create_dir_all(rig.path(in_the_way)).unwrap();
        let ended = rig.oceanrig(&["run", "a.yaml", "--out", "out"]).exits(1);
        assert!(ended.stdout.contains(SUMMARY), "{in_the_way}: {ended:#?}");
        let name = in_the_way.rsplit('/').next().unwrap();
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(said.contains(name), "{in_the_way} is named: {said}");
    }
    let rig = Rig::with(&[("a.yaml", FAILS)]);
    rig.oceanrig(&["run", "a.yaml", "--history", "no/such/h"])
        .exits(1)
        .prints(&[SUMMARY])
        .tells(&["error: cannot write no/such/h"]);
    let mut github = rig.command(&["run", "a.yaml", "--format", "github"]);
    run(github.env("GITHUB_STEP_SUMMARY", "no/such/s"))
        .exits(1)
        .prints(&[SUMMARY])
        .tells(&["error: cannot write no/such/s"]);
    fs::create_dir(rig.path("a.snap.new")).unwrap();
    rig.oceanrig(&["run", "a.yaml", "--snapshots"]).exits(1).prints(&[
        "not written: cannot write a.snap.new",
        "× registers",
        SUMMARY,
    ]);
}

#[test]
fn a_pass_whose_files_cannot_be_written_is_a_trouble_of_the_bench() {
    let rig = Rig::with(&[("b.yaml", PASSES)]);
    fs::create_dir_all(rig.path("out/b/serial.log")).unwrap();
    rig.oceanrig(&["run", "b.yaml", "--out", "out"])
        .exits(3)
        .prints(&["PASS  b", "not written: ", "serial.log", "1 passed, 0 failed"]);
    fs::remove_dir_all(rig.path("out")).unwrap();
    fs::create_dir_all(rig.path("out/report.html")).unwrap();
    rig.oceanrig(&["run", "b.yaml", "--out", "out"])
        .exits(3)
        .prints(&["1 passed, 0 failed"])
        .tells(&["error: cannot write out/report.html"]);
    assert!(rig.path("out/junit.xml").is_file(), "the other report is there");
}

#[cfg(target_os = "linux")]
#[test]
fn where_stdout_is_full_the_summary_comes_on_stderr_and_the_failure_counts() {
    let rig = Rig::with(&[("a.yaml", FAILS)]);
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = rig.command(&["run", "a.yaml"]);
    let output = command.stdout(Stdio::from(full)).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains(SUMMARY) && stderr.contains("cannot write standard output"),
        "{stderr}"
    );
}

#[test]
fn a_directory_is_for_one_process_at_a_time() {
    let rig = Rig::with(&[("long.yaml", LONG), ("b.yaml", PASSES)]);
    let mut first = rig
        .command(&["run", "long.yaml", "--out", "out"])
        .spawn()
        .unwrap();
    let events = rig.path("out/long/events.jsonl");
    while !fs::read(&events).is_ok_and(|bytes| !bytes.is_empty()) {
        assert!(first.try_wait().unwrap().is_none(), "the first one goes on");
        std::thread::yield_now();
    }
    let holder = format!("error: out is in use by process {} (`", first.id());
    rig.oceanrig(&["run", "b.yaml", "--out", "out"]).exits(3).tells(&[
        &holder,
        "run long.yaml --out out`) since 20",
        "hint: wait until it has ended",
    ]);
    assert!(!rig.path("out/b").exists(), "nothing was touched");
    rig.oceanrig(&["run", "b.yaml", "--out", "other"]).exits(0);
    first.kill().unwrap();
    first.wait().unwrap();
    // Its lock went with it.
    rig.oceanrig(&["run", "b.yaml", "--out", "out"]).exits(0);
    let hidden = fs::read_dir(rig.path("out"))
        .unwrap()
        .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
    assert_eq!(hidden.count(), 0, "nothing unfinished is left behind");
}

#[test]
fn a_broken_snapshot_is_an_invalid_file_before_anything_runs() {
    let rig = Rig::with(&[("a.yaml", PASSES)]);
    rig.oceanrig(&["run", "a.yaml", "--snapshots"]).exits(1);
    rig.oceanrig(&["snapshot", "accept"]).exits(0);
    let stored = rig.read("a.snap");
    let ci = ["run", "a.yaml", "--snapshots", "--ci"];
    rig.write(
        "a.snap",
        format!("\u{feff}{}", stored.replace('\n', "\r\n")).as_bytes(),
    );
    rig.oceanrig(&ci).exits(0);
    let merge = stored.replace("[REG] Registering", "<<<<<<< HEAD\n[REG] Registering") + ">>>>>>> other\n";
    for (text, why) in [
        ("", "it is empty"),
        ("\n\n", "it is empty"),
        ("hello\n", "it has no header"),
        (merge.as_str(), "conflict markers"),
    ] {
        rig.write("a.snap", text.as_bytes());
        let ended = rig
            .oceanrig(&ci)
            .exits(2)
            .tells(&["error: a.snap is not a snapshot", why]);
        assert_eq!(ended.stdout, "", "nothing ran");
    }
    rig.write("a.snap", b"---\n\xff\n");
    rig.oceanrig(&ci)
        .exits(2)
        .tells(&["cannot read a.snap", "not UTF-8"]);
}

#[test]
fn events_that_were_cut_or_changed_are_no_pass() {
    let rig = Rig::with(&[("b.yaml", PASSES)]);
    rig.oceanrig(&["run", "b.yaml", "--out", "out"]).exits(0);
    rig.oceanrig(&["report", "out"]).exits(0);
    let whole = rig.read("out/b/events.jsonl");
    let half = whole[..whole.len() / 2].rfind('\n').unwrap() + 1;
    let changed = whole.replace("[REG] Registered", "[REG] Unregistered");
    for (events, says) in [
        (&whole[..half], "events.jsonl is cut off"),
        (&whole[..half - 9], "events.jsonl is cut off"),
        (changed.as_str(), "events.jsonl was changed after the run"),
    ] {
        rig.write("out/b/events.jsonl", events.as_bytes());
        rig.oceanrig(&["report", "out"])
            .exits(3)
            .tells(&[says, "is damaged"]);
        let page = rig.read("report.html");
        assert!(
            page.contains(says) && page.contains("verdict infra"),
            "{says} stands on the page"
        );
    }
    rig.write("out/b/events.jsonl", whole.as_bytes());
    fs::remove_file(rig.path("out/b/serial.log")).unwrap();
    rig.oceanrig(&["report", "out"])
        .exits(3)
        .tells(&["serial.log cannot be read"]);
}

#[test]
fn the_way_to_a_scenario_makes_no_difference_to_its_events() {
    let rig = Rig::with(&[("sub/b.yaml", PASSES)]);
    let absolute = rig.path("sub/b.yaml");
    let hash = |path: &str, out: &str| {
        rig.oceanrig(&["run", path, "--out", out]).exits(0);
        rig.read(&format!("{out}/b/events.jsonl"))
    };
    let relative = hash("sub/b.yaml", "one");
    assert!(relative.contains("\"position\":\"b.yaml:"), "{relative}");
    assert_eq!(hash(absolute.to_str().unwrap(), "two"), relative);
}

#[cfg(unix)]
#[test]
fn a_file_without_end_is_refused() {
    let rig = Rig::with(&[("b.yaml", PASSES)]);
    rig.oceanrig(&["check", "/dev/zero"])
        .exits(2)
        .tells(&["cannot read /dev/zero", "more than 16 MiB"]);
    rig.oceanrig(&["run", "b.yaml", "--firmware", "/dev/zero"])
        .exits(2)
        .tells(&["cannot read /dev/zero", "more than 64 MiB"]);
}

#[test]
fn names_with_line_ends_stay_in_their_line() {
    let step = "name: \"a\\r\\nb\"\nversion: 1\nsteps:\n  - wait-serial: \"RSSI\\r\\nnever\"\n";
    let rig = Rig::with(&[("a.yaml", step)]);
    let ended = rig
        .oceanrig(&["run", "a.yaml"])
        .exits(1)
        .prints(&["× step 1: wait-serial \"RSSI\\r\\nnever\" was not done"]);
    assert_eq!(ended.stdout.matches("wait-serial").count(), 1, "{}", ended.stdout);
    assert!(!ended.stdout.contains('\r') && !ended.stdout.contains("the scenario failed"));
}
