//! The table of crates: each may depend on what stands below it, and on nothing else of ours.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::source::root;

/// A crate without its prefix, and the crates that it may depend on. `docs/architecture.md` shows the same.
const TABLE: &[(&str, &[&str])] = &[
    ("sim", &[]),
    ("vocabulary", &["sim"]),
    ("image", &[]),
    ("rv32", &[]),
    ("esp32c3", &["rv32", "image", "sim"]),
    ("netsim", &["sim"]),
    ("http", &["vocabulary", "sim"]),
    ("oceanremote", &["http", "vocabulary", "sim"]),
    ("portal", &["http", "vocabulary", "sim"]),
    ("scenario", &["vocabulary", "sim"]),
    ("expect", &["scenario", "vocabulary", "sim"]),
    (
        "faults",
        &["expect", "scenario", "oceanremote", "http", "vocabulary", "sim"],
    ),
    ("dut", &["image", "vocabulary", "sim"]),
    ("emulator", &["dut", "esp32c3", "image", "vocabulary", "sim"]),
    ("board", &["dut", "image", "vocabulary", "sim"]),
    ("process", &["dut", "vocabulary", "sim"]),
    (
        "bench",
        &[
            "dut",
            "faults",
            "expect",
            "scenario",
            "netsim",
            "portal",
            "oceanremote",
            "http",
            "vocabulary",
            "sim",
        ],
    ),
    ("report", &["vocabulary", "sim"]),
    ("snapshot", &["report", "vocabulary", "sim"]),
    (
        "serve",
        &["faults", "scenario", "oceanremote", "http", "vocabulary", "sim"],
    ),
    ("virtual-board", &["esp32c3", "netsim", "image", "sim"]),
    (
        "oceanrig",
        &[
            "bench",
            "board",
            "dut",
            "emulator",
            "faults",
            "netsim",
            "oceanremote",
            "process",
            "report",
            "scenario",
            "serve",
            "sim",
            "snapshot",
            "virtual-board",
            "vocabulary",
        ],
    ),
];

#[test]
fn crates_depend_on_what_the_table_allows() {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
            "--locked",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("metadata is JSON");
    let table: BTreeMap<&str, BTreeSet<&str>> = TABLE
        .iter()
        .map(|(name, below)| (*name, below.iter().copied().collect()))
        .collect();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for package in metadata["packages"].as_array().expect("a list") {
        let name = short(package["name"].as_str().expect("a name"));
        let Some(name) = name.or((package["name"] == "oceanrig").then_some("oceanrig")) else {
            continue;
        };
        seen.insert(name.to_owned());
        let Some(allowed) = table.get(name) else {
            wrong.push(format!(
                "`{name}` is not in the table of tests/tidy/dependencies.rs"
            ));
            continue;
        };
        for dependency in package["dependencies"].as_array().expect("a list") {
            let below = short(dependency["name"].as_str().expect("a name"));
            if dependency["kind"].is_null()
                && let Some(below) = below
                && !allowed.contains(below)
            {
                wrong.push(format!(
                    "`{name}` depends on `{below}`, which the table does not allow"
                ));
            }
        }
    }
    for name in table.keys().filter(|name| !seen.contains(**name)) {
        wrong.push(format!(
            "the table names `{name}`, which is no crate of the workspace"
        ));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_has_no_circle() {
    let mut placed: BTreeSet<&str> = BTreeSet::new();
    let mut rest: Vec<_> = TABLE.to_vec();
    while !rest.is_empty() {
        let before = rest.len();
        rest.retain(|(name, below)| {
            let stands = below.iter().all(|b| placed.contains(b));
            if stands {
                placed.insert(name);
            }
            !stands
        });
        assert!(rest.len() < before, "these depend on each other: {rest:?}");
    }
}

fn short(package: &str) -> Option<&str> {
    package.strip_prefix("oceanrig-")
}
