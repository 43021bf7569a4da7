//! Snapshots of serial logs: made, accepted, compared, and `--ci`.

use crate::rig::{PASSES, Rig};

#[test]
fn a_log_is_accepted_once_and_compared_from_then_on() {
    let rig = Rig::with(&[("a.yaml", PASSES)]);
    let check = ["run", "a.yaml", "--snapshots"];
    let ci = ["run", "a.yaml", "--snapshots", "--ci"];
    rig.oceanrig(&ci)
        .exits(5)
        .prints(&["FAIL  a", "no snapshot is stored yet in a.snap"]);
    assert!(!rig.path("a.snap.new").exists(), "--ci writes nothing");
    rig.oceanrig(&check)
        .exits(1)
        .prints(&["FAIL  a", "no snapshot is stored yet in a.snap"]);
    rig.oceanrig(&["snapshot", "list", "--ci"])
        .exits(5)
        .prints(&["pending       ./a.snap"]);
    rig.oceanrig(&["snapshot", "accept"])
        .exits(0)
        .prints(&["accepted  ./a.snap"]);
    rig.oceanrig(&ci).exits(0).prints(&["PASS  a"]);
    let stored = rig.read("a.snap");
    assert!(
        stored.contains("[REG] Registered, permanent token saved\n[UPDATE] Using session: [session-1]\n"),
        "{stored}"
    );

    rig.write(
        "a.snap",
        stored
            .replace("[REG] Registering device", "[REG] Asking for device")
            .as_bytes(),
    );
    let diff = [
        "FAIL  a",
        "the serial log differs from a.snap",
        "snapshot     this run",
        "Asking for",
        "Registering",
    ];
    rig.oceanrig(&ci).exits(5).prints(&diff);
    rig.oceanrig(&["run", "a.yaml", "--snapshots", "--ci", "--format", "json"])
        .exits(5)
        .prints(&["\"snapshot\":\"different\"", "\"verdict\":\"failed\""]);
    assert!(!rig.path("a.snap.new").exists());
    rig.oceanrig(&check).exits(1).prints(&diff);
    rig.oceanrig(&["snapshot", "reject"])
        .exits(0)
        .prints(&["rejected  ./a.snap"]);
    assert!(!rig.path("a.snap.new").exists());
}

#[test]
fn another_seed_has_the_same_log_but_for_what_is_redacted() {
    let rig = Rig::with(&[("a.yaml", PASSES)]);
    rig.oceanrig(&["run", "a.yaml", "--snapshots"]).exits(1);
    rig.oceanrig(&["snapshot", "accept", "a.snap"]).exits(0);
    rig.oceanrig(&["run", "a.yaml", "--snapshots", "--ci", "--seed", "77"])
        .exits(0);
}

#[test]
fn a_failing_expectation_outweighs_a_pending_snapshot() {
    let rig = Rig::with(&[("a.yaml", PASSES), ("b.yaml", crate::rig::FAILS)]);
    rig.oceanrig(&["run", ".", "--snapshots", "--ci"])
        .exits(1)
        .prints(&["FAIL  a", "FAIL  b", "× registers", "0 passed, 2 failed"]);
}

#[test]
fn a_snapshot_that_nobody_owns_is_listed_and_a_broken_one_is_a_mistake() {
    let rig = Rig::with(&[("a.yaml", PASSES)]);
    rig.oceanrig(&["run", "a.yaml", "--snapshots"]).exits(1);
    rig.oceanrig(&["snapshot", "accept"]).exits(0);
    rig.write("gone.snap", rig.read("a.snap").as_bytes());
    rig.oceanrig(&["snapshot", "list"])
        .exits(0)
        .prints(&["unreferenced  ./gone.snap"]);
    rig.oceanrig(&["snapshot", "list", "--ci"]).exits(5);
    rig.write("a.snap", b"not a snapshot");
    rig.oceanrig(&["run", "a.yaml", "--snapshots"])
        .exits(2)
        .tells(&["a.snap is not a snapshot"]);
    rig.oceanrig(&["snapshot", "review"])
        .exits(0)
        .tells(&["nothing is pending"]);
}

#[test]
fn a_line_may_move_only_where_the_scenario_says_so() {
    let rig = Rig::with(&[("a.yaml", PASSES)]);
    let ci = ["run", "a.yaml", "--snapshots", "--ci"];
    rig.oceanrig(&["run", "a.yaml", "--snapshots"]).exits(1);
    rig.oceanrig(&["snapshot", "accept", "a.snap"]).exits(0);
    // As if the access point had answered a little later.
    let stored = rig.read("a.snap");
    let (head, log) = stored.rsplit_once("---\n").unwrap();
    let (wifi, others): (Vec<&str>, Vec<&str>) = log.lines().partition(|line| line.starts_with("[WIFI]"));
    assert!(!wifi.is_empty(), "{stored}");
    let moved = format!("{head}---\n{}\n{}\n", others.join("\n"), wifi.join("\n"));
    rig.write("a.snap", moved.as_bytes());
    rig.oceanrig(&ci)
        .exits(5)
        .prints(&["the serial log differs from a.snap"]);
    rig.oceanrig(&["run", "a.yaml", "--snapshots"]).exits(1);
    assert!(rig.path("a.snap.new").exists());
    let review = |answer: &str| {
        let mut child = rig
            .command(&["snapshot", "review"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), answer.as_bytes()).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    };
    assert!(review("s\n").contains("[WIFI]"));
    let tolerant = format!("{PASSES}snapshot: {{tolerate: [{{lines: '^\\[WIFI\\]', may: interleave}}]}}\n");
    rig.write("a.yaml", tolerant.as_bytes());
    let shown = review("s\n");
    assert!(shown.contains("only what is tolerated differs"), "{shown}");
    rig.oceanrig(&ci).exits(0).prints(&["PASS  a"]);
    // A line that is gone is not tolerated by being allowed to move.
    let gone = moved.replacen(&format!("{}\n", wifi[0]), "", 1);
    rig.write("a.snap", gone.as_bytes());
    rig.oceanrig(&ci).exits(5).prints(&["which may interleave"]);
}

#[test]
fn a_scenario_s_own_rules_make_placeholders() {
    let rules = "redact:\n  - {name: chip, pattern: 'OceanicRemote (?P<value>v\\S+)', secret: true, numbered: false}\n";
    let rig = Rig::with(&[("a.yaml", &format!("{PASSES}{rules}"))]);
    rig.oceanrig(&["run", "a.yaml", "--snapshots", "--out", "out"])
        .exits(1);
    for file in ["out/a/serial.log", "a.snap.new"] {
        assert!(
            rig.read(file).contains("OceanicRemote [chip] "),
            "{}",
            rig.read(file)
        );
    }
    let bad = format!("{PASSES}redact:\n  - {{name: Chip, pattern: x}}\n");
    rig.write("a.yaml", bad.as_bytes());
    rig.oceanrig(&["run", "a.yaml"])
        .exits(2)
        .tells(&["`Chip` cannot name a placeholder", "use lower-case letters"]);
}
