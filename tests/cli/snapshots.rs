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
        .exits(3)
        .prints(&["ERROR  a", "a.snap is not a snapshot"]);
    rig.oceanrig(&["snapshot", "review"])
        .exits(0)
        .tells(&["nothing is pending"]);
}
