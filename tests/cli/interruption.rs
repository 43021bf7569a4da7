//! Runs that are stopped in the middle leave whole files.
#![cfg(unix)]

use std::process::{Child, Command};
use std::time::Duration;

use crate::rig::{LONG, PASSES, Rig};

#[expect(
    clippy::disallowed_methods,
    reason = "a process of its own lives in real time"
)]
fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

/// Waits until `file` holds this many bytes.
fn wait_for(rig: &Rig, file: &str, bytes: u64) {
    for _ in 0..1000 {
        if std::fs::metadata(rig.path(file)).is_ok_and(|m| m.len() >= bytes) {
            return;
        }
        pause();
    }
    panic!("{file} did not grow to {bytes} bytes");
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

/// Each line of the event file is an event; returns how many there are.
fn whole_events(rig: &Rig, file: &str) -> usize {
    let text = rig.read(file);
    assert!(text.ends_with('\n'), "the last line is whole");
    for line in text.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(event["at_ns"].is_u64());
    }
    text.lines().count()
}

#[test]
fn ctrl_c_ends_with_130_says_what_did_not_run_and_leaves_whole_files() {
    let rig = Rig::with(&[("a.yaml", PASSES), ("long.yaml", LONG), ("never.yaml", PASSES)]);
    let child = rig
        .command(&["run", ".", "-j", "1", "--out", "out"])
        .spawn()
        .unwrap();
    wait_for(&rig, "out/long/events.jsonl", 100_000);
    signal(&child, "-INT");
    let output = child.wait_with_output().unwrap();
    let (stdout, stderr) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert_eq!(output.status.code(), Some(130), "{stdout}{stderr}");
    assert!(
        stdout.starts_with("PASS  a") && stdout.contains("1 passed, 0 failed, 2 not run"),
        "{stdout}"
    );
    assert_eq!(
        stderr,
        "interrupted; these did not run to their end:\n  long\n  never\n"
    );
    assert!(whole_events(&rig, "out/long/events.jsonl") > 100);
    assert!(rig.read("out/long/serial.log").ends_with('\n'));
    assert!(!rig.path("out/long/manifest.json").exists() && rig.path("out/a/manifest.json").exists());
    assert!(rig.read("out/junit.xml").contains("tests=\"1\""));
    assert!(rig.read("out/report.html").ends_with("</html>\n"));
}

#[test]
fn what_a_killed_run_wrote_is_whole_and_can_be_reported() {
    let rig = Rig::with(&[("long.yaml", LONG)]);
    let mut child = rig
        .command(&["run", "long.yaml", "--out", "out"])
        .spawn()
        .unwrap();
    wait_for(&rig, "out/long/events.jsonl", 100_000);
    signal(&child, "-KILL");
    assert_eq!(child.wait().unwrap().code(), None);
    assert!(whole_events(&rig, "out/long/events.jsonl") > 100);
    assert!(rig.read("out/long/serial-timed.log").ends_with('\n'));
    rig.oceanrig(&["report", "out", "-o", "page.html", "--junit", "junit.xml"])
        .exits(3)
        .tells(&["the events have no end", "page.html: 1 scenario", "is damaged"]);
    assert!(rig.read("page.html").contains("[REG] Registered"));
    assert!(
        rig.read("junit.xml")
            .contains("the run was cut off before its verdict")
    );
}
