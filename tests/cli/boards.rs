//! `oceanrig boards`: what is declared, who has it, and what is wrong with `boards.toml`.

use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::rig::{Ended, Rig, run};

/// Runs `oceanrig boards` with locks of its own.
fn boards(rig: &Rig, args: &[&str]) -> Ended {
    let mut command = rig.command(&[&["boards"], args].concat());
    run(command.env("OCEANRIG_LOCK_DIR", rig.path("locks")))
}

/// The object of the board called `name`.
fn object(rig: &Rig, name: &str) -> Value {
    let ended = boards(rig, &["--format", "json"]).exits(0);
    let objects = ended.stdout.lines().map(|l| serde_json::from_str(l).unwrap());
    let found = objects.into_iter().find(|o: &Value| o["name"] == name);
    found.unwrap_or_else(|| panic!("{ended:#?}"))
}

/// Another process with the lock of `port`.
fn holder(rig: &Rig, port: &str) -> Child {
    let device = std::fs::canonicalize(rig.path(port)).unwrap();
    let name = device.to_str().unwrap().trim_start_matches('/');
    let name: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "._".contains(c) {
                c
            } else {
                '-'
            }
        })
        .collect();
    let path = format!("locks/{name}.lock");
    rig.write(
        &path,
        b"pid 4242\nsince 1700000000\ncommand oceanrig run --dut board:desk\n",
    );
    let mut child = Command::new("flock")
        .args(["--no-fork".as_ref(), rig.path(&path).as_os_str()])
        .args(["sh", "-c", "echo held; exec sleep 60"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0; 5]).unwrap();
    child
}

#[test]
fn a_declared_board_is_listed_with_what_is_known_of_it() {
    let rig = Rig::new();
    // Any file that can be opened stands for a port as long as nobody opens it.
    rig.write("port", b"");
    let file = "[board.desk]\nport = 'port'\nmac = '60:55:f9:0a:bc:de'\nfixtures = ['relays', 'power']\n\
                [board.gone]\nport = '/dev/no-such-port'\n";
    rig.write("boards.toml", file.as_bytes());
    boards(&rig, &[]).exits(0).prints(&[
        "NAME",
        "desk",
        "port",
        "60:55:f9:0a:bc:de",
        "power, relays",
        "free",
        "gone",
        "/dev/no-such-port",
        "not usable",
        "/dev/no-such-port is not connected",
        "hint: plug the board in",
    ]);
    let desk = object(&rig, "desk");
    assert_eq!(desk["usable"], true, "{desk}");
    assert_eq!(desk["lock"]["state"], "free", "{desk}");
    assert_eq!(object(&rig, "gone")["usable"], false);
}

#[test]
fn who_holds_a_board_is_told_and_a_lock_left_behind_is_no_hindrance() {
    let rig = Rig::new();
    rig.write("port", b"");
    rig.write("boards.toml", b"[board.desk]\nport = 'port'\n");
    let mut child = holder(&rig, "port");
    let held = object(&rig, "desk");
    boards(&rig, &[]).exits(0).prints(&[
        "not usable",
        "in use: process 4242 (`oceanrig run --dut board:desk`) since 2023-11-14T22:13:20Z",
        "hint: wait for it to end, or stop process 4242",
    ]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(
        (&held["usable"], &held["lock"]["pid"]),
        (&Value::from(false), &Value::from(4242))
    );
    let left = object(&rig, "desk");
    assert_eq!(
        (&left["usable"], &left["lock"]["state"]),
        (&Value::from(true), &Value::from("stale"))
    );
    boards(&rig, &[])
        .exits(0)
        .prints(&["free, with a stale lock", "left behind by process 4242"]);
}

#[test]
fn a_mistake_in_the_file_is_placed() {
    let rig = Rig::new();
    rig.write("boards.toml", b"[board.desk]\nprot = '/dev/ttyUSB0'\n");
    boards(&rig, &[]).exits(2).tells(&[
        "boards.toml:2:1: unknown field `prot`, expected one of `port`, `mac`",
        "docs/boards.md",
    ]);
    rig.write("lab.toml", b"[board.desk]\nport = 'x'\nreconnect = 'soon'\n");
    boards(&rig, &["--boards", "lab.toml"])
        .exits(2)
        .tells(&["lab.toml:3:13: `soon` is no length of time: expected"]);
    boards(&rig, &["--boards", "none.toml"])
        .exits(2)
        .tells(&["cannot read none.toml"]);
}
