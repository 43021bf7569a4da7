//! `oceanrig run --dut board:NAME`: scenarios on a virtual board in wall time, and what may go wrong at a bench.
//!
//! The long ones are left to `cargo test --test cli -- --ignored`, which `.ci/run` runs.

use std::fs;
use std::process::{Command, Stdio};

use crate::desk::{Desk, UP, WAITS, pause};
use crate::rig::{Rig, run};

#[test]
fn a_new_board_is_flashed_and_judged() {
    let desk = Desk::with_new_board();
    desk.run(UP, &["--out", "out"])
        .exits(0)
        .prints(&["PASS", "on board:desk"])
        .tells(&["ESP-ROM:esp32c3", "[REG] Registered"]);
    let junit = desk.rig.read("out/junit.xml");
    assert!(
        junit.contains(r#"<property name="backend" value="board:desk"/>"#),
        "{junit}"
    );
    // The same board, and a firmware that has lost its registration token: the expectation says so.
    let wrong = UP.replace(
        "{duration: 3s}",
        "{duration: 3s, provisioning: {device: {registration-token: spent}}}",
    );
    desk.run(&wrong, &[]).exits(1).prints(&["FAIL", "× registers"]);
    // Nothing of it is left for the next scenario.
    desk.run(UP, &[]).exits(0);
    assert_eq!(desk.left_behind(), [""; 0]);
}

#[test]
fn what_a_bench_cannot_do_is_skipped_and_never_passed() {
    let rig = Rig::new();
    let file = "[board.desk]\nport = '/dev/no-such-port'\nhost = '127.0.0.1'\n";
    rig.write("boards.toml", file.as_bytes());
    let scenario = UP.replace(
        "expect:",
        "faults:\n  - {name: a, when: 1s, do: {link: {loss: 5%}}, for: 1s}\nexpect:",
    );
    rig.write("s.yaml", scenario.as_bytes());
    rig.oceanrig(&["run", "s.yaml", "--dut", "board:desk"])
        .exits(4)
        .prints(&[
            "SKIP",
            "s.yaml:5:29: `link`: the air between a board and its access point is not in our hands",
            "0 passed, 0 failed, 1 skipped",
        ]);
}

#[test]
fn arguments_for_boards_are_checked_before_anything_runs() {
    let rig = Rig::with(&[("s.yaml", UP)]);
    rig.oceanrig(&["run", "s.yaml", "--dut", "board:desk"])
        .exits(2)
        .tells(&["cannot read boards.toml"]);
    rig.write("boards.toml", b"[board.desk]\nport = '/dev/x'\nbuad = 9600\n");
    rig.oceanrig(&["run", "s.yaml", "--dut", "board:desk"])
        .exits(2)
        .tells(&["boards.toml:3:1", "buad"]);
    rig.write("boards.toml", b"[board.desk]\nport = '/dev/x'\n");
    rig.oceanrig(&["run", "s.yaml", "--dut", "board:shelf"])
        .exits(2)
        .tells(&["no board `shelf`; it has desk"]);
    rig.oceanrig(&["run", "s.yaml", "--dut", "toaster"])
        .exits(2)
        .tells(&["board:NAME"]);
    rig.oceanrig(&["run", "s.yaml", "--time-scale", "60"])
        .exits(2)
        .tells(&["--time-scale is for devices in wall time"]);
    rig.oceanrig(&["run", "s.yaml", "--dut", "board:desk"])
        .exits(3)
        .prints(&[
            "ERROR",
            "does not say under which address",
            "next step",
            "host = ",
        ]);
}

#[test]
#[ignore = "takes half a minute of wall time"]
fn a_board_that_is_unplugged_while_it_runs_gives_no_verdict() {
    let desk = Desk::new("");
    let running = desk.run_until(WAITS, "[REG] Registered");
    desk.ctl(&["unplug"]).exits(0);
    pause(5_000);
    desk.ctl(&["plug"]).exits(0);
    running
        .end()
        .exits(7)
        .prints(&["ERROR", "came back after 5.", "next step"]);
    desk.run(UP, &[]).exits(0);
    // For good.
    let running = desk.run_until(WAITS, "[REG] Registered");
    desk.ctl(&["unplug"]).exits(0);
    running.end().exits(7).prints(&["did not come back within 10 s"]);
    assert!(!desk.path("port").exists());
}

#[test]
#[ignore = "takes half a minute of wall time"]
fn a_board_that_is_unplugged_while_it_is_flashed_can_be_flashed_again() {
    let desk = Desk::with_new_board();
    let running = desk.run_until_flashing(UP);
    pause(1_000);
    desk.ctl(&["unplug"]).exits(0);
    running
        .end()
        .exits(7)
        .prints(&["ERROR", "vanished while flashing at ", "next step"]);
    desk.ctl(&["plug"]).exits(0);
    desk.run(UP, &[]).exits(0);
}

#[test]
#[ignore = "takes half a minute of wall time"]
fn a_console_at_the_wrong_rate_is_no_boot() {
    Desk::new("baud = 9600\ntolerance = '2s'")
        .run(WAITS, &[])
        .exits(8)
        .prints(&["ERROR", "garbage", "next step", "baud"]);
}

#[test]
#[ignore = "takes half a minute of wall time"]
fn a_boot_loop_and_a_board_in_download_mode_are_no_boot() {
    let desk = Desk::new("");
    let running = desk.run_until(WAITS, "[REG] Registered");
    for _ in 0..8 {
        desk.ctl(&["reset"]).exits(0);
        pause(700);
    }
    running
        .end()
        .exits(8)
        .prints(&["ERROR", "restarts again and again", "next step"]);
    let running = desk.run_until(WAITS, "[REG] Registered");
    desk.ctl(&["download"]).exits(0);
    running
        .end()
        .exits(8)
        .prints(&["ERROR", "download mode", "next step"]);
}

#[test]
#[ignore = "takes half a minute of wall time"]
fn another_chip_than_the_declared_one_is_a_failed_flashing() {
    let ended = Desk::new("chip = 'esp32s3'").run(UP, &[]);
    ended
        .exits(6)
        .prints(&["ERROR", "esp32c3", "esp32s3", "next step"]);
}

#[test]
#[ignore = "takes half a minute of wall time"]
fn a_board_is_used_by_one_process_at_a_time_and_taken_over_from_a_dead_one() {
    let desk = Desk::new("");
    let mut first = desk.run_until(WAITS, "[REG] Registered");
    let second = "name: Second\nversion: 1\nexpect: [{serial: x}]\n";
    desk.rig.write("second.yaml", second.as_bytes());
    run(&mut desk.command(&["run", "second.yaml", "--dut", "board:desk"]))
        .exits(3)
        .prints(&["ERROR", "is in use", "oceanrig run scenario.yaml", "next step"]);
    first.0.kill().unwrap();
    first.0.wait().unwrap();
    desk.run(UP, &[])
        .exits(0)
        .tells(&["took over the lock of a process that is gone"]);
    assert_eq!(desk.left_behind(), [""; 0]);
}

#[test]
#[ignore = "takes half a minute of wall time"]
fn a_port_that_another_program_has_open_is_named() {
    let desk = Desk::new("");
    let mut monitor = Command::new("sh")
        .args(["-c", "exec 3<>\"$1\"; echo open; exec sleep 60", "monitor"])
        .arg(desk.path("port"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Read::read_exact(monitor.stdout.as_mut().unwrap(), &mut [0; 5]).unwrap();
    desk.run(UP, &[])
        .exits(3)
        .prints(&["ERROR", "open in another program", "sleep 60", "next step"]);
    monitor.kill().unwrap();
    monitor.wait().unwrap();
    desk.run(UP, &[]).exits(0);
}

#[test]
#[ignore = "takes half a minute of wall time"]
fn retries_are_for_the_bench_and_a_full_disk_is_told() {
    let desk = Desk::new("");
    desk.rig.write("scenario.yaml", UP.as_bytes());
    // A limit on the size of files is what a full disk looks like from inside.
    let script = "trap '' XFSZ; ulimit -f 1; exec \"$0\" run scenario.yaml --dut board:desk --out out";
    let mut limited = Command::new("sh");
    limited
        .args(["-c", script, env!("CARGO_BIN_EXE_oceanrig")])
        .current_dir(desk.path(""))
        .env("OCEANRIG_LOCK_DIR", desk.path("locks"));
    let output = limited.output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(
        text.contains("cannot write") && text.contains("disk has room"),
        "{text}"
    );
    desk.ctl(&["unplug"]).exits(0);
    desk.run(UP, &["--retries", "2"])
        .exits(3)
        .tells(&["attempt 1 of 3", "attempt 2 of 3"])
        .prints(&["ERROR", "is not connected"]);
}

#[test]
#[ignore = "takes a minute of wall time"]
fn ten_runs_in_a_row_leave_no_process_lock_or_port_behind() {
    let desk = Desk::new("");
    let short = UP.replace("3s", "1500ms");
    for _ in 0..10 {
        desk.run(&short, &[]).exits(0);
    }
    assert_eq!(desk.left_behind(), [""; 0]);
    desk.ctl(&["stop"]).exits(0);
    pause(500);
    assert!(!desk.path("port").exists() && fs::symlink_metadata(desk.path("port.ctl")).is_err());
}
