//! The same seed gives the same bytes, whatever else the machine does.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Command, Stdio};

use sha2::{Digest as _, Sha256};

use crate::rig::Rig;

/// WiFi is lost while the renewal is in flight: every part of the bench has something to do.
const SCENARIO: &str = "\
name: Drop
version: 1
bench: {duration: 20m, cloud: {session-lifetime: 12m}}
faults:
  - name: drop
    when: {request: {endpoint: renew-session, at: before-effect}}
    do: access-point-gone
    for: 30s
  - name: lossy
    when: 10s
    do: {link: {loss: 5%}}
    for: 1m
expect:
  - name: registers
    serial: \"[REG] Registered\"
";

/// Processes that keep all cores busy while they live.
struct Load(Vec<Child>);

impl Load {
    fn new() -> Load {
        let busy = |_| {
            let mut command = Command::new("sh");
            command.args(["-c", "while :; do :; done"]).stdin(Stdio::null());
            command.spawn().unwrap()
        };
        Load((0..4).map(busy).collect())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for child in &mut self.0 {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

/// SHA-256 of the files of each scenario in `out`.
fn hashes(rig: &Rig, out: &str) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for scenario in ["a", "b", "c"] {
        for file in ["serial.log", "capture.pcapng", "events.jsonl", "pins.vcd"] {
            let bytes = fs::read(rig.path(&format!("{out}/{scenario}/{file}"))).unwrap();
            assert!(!bytes.is_empty());
            let hash = Sha256::digest(&bytes)
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
            all.insert(format!("{scenario}/{file}"), hash);
        }
    }
    all
}

#[test]
fn the_same_seed_gives_the_same_bytes_under_any_load_and_another_seed_others() {
    let rig = Rig::with(&[("a.yaml", SCENARIO), ("b.yaml", SCENARIO), ("c.yaml", SCENARIO)]);
    let run = |out: &str, more: &[&str]| {
        let mut args = vec!["run", ".", "--keep-secrets", "--out", out];
        args.extend(more);
        rig.oceanrig(&args).exits(0);
        hashes(&rig, out)
    };
    let first = run("first", &["-j", "1"]);
    let loaded = {
        let _load = Load::new();
        run("loaded", &["-j", "3"])
    };
    assert_eq!(first, loaded);
    let other = run("other", &["--seed", "2"]);
    for file in ["serial.log", "capture.pcapng", "events.jsonl"] {
        let name = format!("a/{file}");
        assert_ne!(first[&name], other[&name], "{name}");
    }
    for file in ["serial.log", "capture.pcapng"] {
        let (a, b) = (format!("a/{file}"), format!("b/{file}"));
        assert_eq!(other[&a], other[&b], "the seed decides, not the file's name");
    }
}
