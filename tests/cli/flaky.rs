//! What is tried again, what is known, and what the stored results of many runs say.

use std::process::Stdio;

use serde_json::Value;

use crate::rig::{FAILS, LONG, PASSES, Rig};

const KNOWN: &str = "[[quarantine]]\nscenario = \"b\"\nreason = \"the log misspells it\"\n";

#[test]
fn neither_a_failure_nor_a_file_in_the_way_is_tried_again() {
    let rig = Rig::with(&[("a.yaml", PASSES), ("b.yaml", FAILS), ("out/a", "in the way")]);
    let ended = rig
        .oceanrig(&["run", "a.yaml", "b.yaml", "--retries", "2", "--out", "out"])
        .exits(1)
        .prints(&[
            "PASS  a",
            "not written: cannot create out/a",
            "FAIL  b",
            "1 passed, 1 failed (",
        ]);
    assert!(!ended.stderr.contains("attempt"), "{}", ended.stderr);
    let junit = rig.read("out/junit.xml");
    assert_eq!(junit.matches("<failure ").count(), 1, "{junit}");
}

#[test]
fn a_known_failure_is_visible_and_not_red_until_its_day_is_over() {
    let rig = Rig::with(&[("a.yaml", PASSES), ("b.yaml", FAILS), ("oceanrig.toml", KNOWN)]);
    rig.oceanrig(&["run", ".", "--out", "out"]).exits(0).prints(&[
        "PASS  a",
        "QUARANTINED  b",
        "known: the log misspells it",
        "registers",
        "1 passed, 0 failed, 1 quarantined (",
    ]);
    let junit = rig.read("out/junit.xml");
    assert!(
        junit.contains(
            "<skipped message=\"quarantined: the log misspells it; it failed: `registers` failed\""
        ),
        "{junit}"
    );
    let object: Value = serde_json::from_str(
        rig.oceanrig(&["run", "b.yaml", "--format", "json"])
            .exits(0)
            .stdout
            .trim(),
    )
    .unwrap();
    assert_eq!(
        (&object["verdict"], &object["quarantined"]),
        (&"failed".into(), &true.into())
    );

    rig.write(
        "oceanrig.toml",
        format!("{KNOWN}until = \"2020-02-29\"\n").as_bytes(),
    );
    rig.oceanrig(&["run", "b.yaml"]).exits(1).prints(&[
        "FAIL  b",
        "its quarantine ended on 2020-02-29",
        "0 passed, 1 failed (",
    ]);
}

#[test]
fn a_quarantine_that_is_no_longer_needed_says_so() {
    let known = KNOWN.replace("\"b\"", "\"*\"") + "[[quarantine]]\nscenario = \"c\"\nreason = \"gone\"\n";
    let rig = Rig::with(&[("a.yaml", PASSES), ("oceanrig.toml", &known)]);
    rig.oceanrig(&["run", ".", "--quiet"])
        .exits(0)
        .prints(&[
            "PASS  a",
            "passes again: take it off the quarantine list",
            "1 passed",
        ])
        .tells(&["oceanrig.toml: the quarantine entry `c` matches no scenario"]);
    // Of a part of the scenarios an entry may well match none.
    let part = rig.oceanrig(&["run", "a.yaml"]).exits(0);
    assert!(!part.stderr.contains("matches no scenario"), "{}", part.stderr);
    rig.write(
        "oceanrig.toml",
        b"[[quarantine]]\nscenario = \"a\"\nreason = \"\"\n",
    );
    rig.oceanrig(&["run", "."])
        .exits(2)
        .tells(&["oceanrig.toml", "gives no reason"]);
}

#[test]
fn history_marks_what_had_two_verdicts_on_one_firmware() {
    let rig = Rig::with(&[("a.yaml", PASSES), ("b.yaml", FAILS)]);
    for _ in 0..2 {
        rig.oceanrig(&["run", ".", "--history", "results.jsonl"]).exits(1);
    }
    rig.oceanrig(&["history", "results.jsonl"]).exits(0).prints(&[
        "scenario  runs  passed  failed  errors  skipped  flips  last failure",
        "a            2       2       0       0        0      0  never",
        "b            2       0       2       0        0      0  20",
    ]);
    // The same scenario on the same firmware with another verdict, as of a board that loses a line.
    let other = rig
        .read("results.jsonl")
        .lines()
        .find(|line| line.contains("\"passed\""))
        .unwrap()
        .replace("\"passed\"", "\"failed\"")
        .replace("\"finished_unix_ms\":", "\"finished_unix_ms\":9");
    let mut torn = rig.read("results.jsonl") + &other;
    torn.truncate(torn.len() - 10);
    rig.write("results.jsonl", torn.as_bytes());
    // The writer was killed in the middle of that line: the next one begins its own.
    rig.oceanrig(&["run", "a.yaml", "--history", "results.jsonl"])
        .exits(0);
    rig.oceanrig(&["history", "results.jsonl"])
        .exits(0)
        .prints(&["a            3       3       0"])
        .tells(&["results.jsonl:5: this line is cut off and left out"]);
    rig.write(
        "results.jsonl",
        (rig.read("results.jsonl") + &other + "\n").as_bytes(),
    );
    rig.oceanrig(&["history", "results.jsonl"]).exits(0).prints(&[
        "a            4       3       1       0        0      1",
        "  flaky\n",
        "flaky: a passed 3 and failed 1 times on firmware ",
    ]);
    let json = rig
        .oceanrig(&["history", "results.jsonl", "--format", "json"])
        .exits(0);
    let rows: Vec<Value> = json
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (&rows[0]["flaky"], &rows[1]["flaky"]),
        (&true.into(), &false.into())
    );
    assert_eq!((&rows[0]["runs"], &rows[0]["flips"]), (&4.into(), &1.into()));
}

#[test]
fn history_reads_the_directories_of_out_and_refuses_what_is_none() {
    let rig = Rig::with(&[("a.yaml", PASSES), ("b.yaml", FAILS)]);
    rig.oceanrig(&["run", ".", "--out", "runs/monday"]).exits(1);
    rig.oceanrig(&["run", "b.yaml", "--out", "runs/tuesday"]).exits(1);
    rig.oceanrig(&["history", "runs"])
        .exits(0)
        .prints(&["a            1       1", "b            2       0       2"]);
    rig.oceanrig(&["history", "a.yaml"])
        .exits(2)
        .tells(&["a.yaml is no history of runs", "hint: "]);
    rig.oceanrig(&["history", "nowhere"])
        .exits(2)
        .tells(&["cannot read nowhere"]);
    rig.oceanrig(&["run", "a.yaml", "--history", "b.yaml"])
        .exits(2)
        .tells(&["b.yaml is no history of runs"]);
    assert_eq!(rig.read("b.yaml"), FAILS);
}

#[test]
fn what_ended_is_in_the_history_whatever_becomes_of_the_rest() {
    let rig = Rig::with(&[("a.yaml", PASSES), ("long.yaml", LONG)]);
    let args = [
        "run",
        "a.yaml",
        "long.yaml",
        "--jobs",
        "1",
        "--history",
        "results.jsonl",
    ];
    let mut child = rig
        .command(&args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !rig.path("results.jsonl").exists() || !rig.read("results.jsonl").ends_with('\n') {
        assert_eq!(child.try_wait().unwrap(), None, "it ended before");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    rig.oceanrig(&["history", "results.jsonl"])
        .exits(0)
        .prints(&["a            1       1"]);
}

/// A disk that takes no more is played by a limit on the size of files.
#[cfg(unix)]
#[test]
fn a_full_disk_is_the_bench_s_trouble_and_the_verdict_stands() {
    let rig = Rig::with(&[("a.yaml", PASSES)]);
    let limited = format!(
        "trap '' XFSZ; ulimit -f 4; exec {} run a.yaml --out out",
        env!("CARGO_BIN_EXE_oceanrig")
    );
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", &limited])
        .current_dir(rig.path(""))
        .stdin(Stdio::null());
    crate::rig::run(command.stdout(Stdio::piped()).stderr(Stdio::piped()))
        .exits(3)
        .prints(&["PASS  a", "not written: cannot write out/a", "1 passed, 0 failed"])
        .tells(&["hint: check that the directory may be written and the disk has room"]);
}
