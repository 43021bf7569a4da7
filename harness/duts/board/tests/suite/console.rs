//! Tests of the console: input, output, and a port that is disconnected for a while.

use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use board::{Board, BoardConfig, BoardError, Boards, HostClock, SerialBoard};
use dut::{Dut, DutError, Observation};
use serialport::{SerialPort, TTYPort};
use sim::Instant;
use vocabulary::Trouble;

use crate::{alone, together};

fn config(port: &Path, more: &str) -> BoardConfig {
    let text = format!(
        "[board.fake]\nport = {port:?}\nafter = 'no-reset'\n{more}\n[board.fake.commands]\nreset = ['true']\n"
    );
    let boards = Boards::parse(Path::new("boards.toml"), &text).unwrap();
    boards.get("fake").unwrap().clone()
}

/// A simulated device on a new pseudo-terminal; `link` is a link to it.
fn plug_in(link: &Path) -> (TTYPort, TTYPort) {
    let (mut master, slave) = TTYPort::pair().unwrap();
    master.set_timeout(Duration::from_secs(5)).unwrap();
    let _ = std::fs::remove_file(link);
    symlink(slave.name().unwrap(), link).unwrap();
    (master, slave)
}

/// Collects observations until `enough` returns true; fails after 10 s.
fn until(
    dut: &mut SerialBoard,
    mut enough: impl FnMut(&[(Instant, Observation)]) -> bool,
) -> Vec<(Instant, Observation)> {
    let mut seen = Vec::new();
    let end = dut.now() + Duration::from_secs(10);
    while !enough(&seen) {
        assert!(dut.now() < end, "{seen:?}");
        dut.run_until(end).unwrap();
        dut.take_observations(&mut seen);
    }
    seen
}

fn text(seen: &[(Instant, Observation)]) -> String {
    let bytes: Vec<u8> = seen
        .iter()
        .flat_map(|(_, o)| match o {
            Observation::Serial { bytes, .. } => bytes.clone(),
            _ => Vec::new(),
        })
        .collect();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn bytes_go_both_ways_with_times_of_the_host() {
    let _turn = together();
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("port");
    let (mut master, _slave) = plug_in(&link);
    let mut board = Board::claim(&config(&link, "")).unwrap();
    let mut dut = board.start(HostClock::start()).unwrap();
    let woken = Arc::new(AtomicU32::new(0));
    let count = woken.clone();
    dut.set_waker(Arc::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
    }));
    assert_eq!(dut.backend(), "board:fake");

    let begin = dut.now();
    std::thread::sleep(Duration::from_millis(50));
    master.write_all(b"[REG] Registered\r\n").unwrap();
    let seen = until(&mut dut, |seen| text(seen).ends_with('\n'));
    assert_eq!(text(&seen), "[REG] Registered\r\n");
    assert!(seen[0].0 >= begin + Duration::from_millis(50) && seen[0].0 <= dut.now());
    // The waker is called after the observation is available.
    let end = dut.now() + Duration::from_secs(5);
    while woken.load(Ordering::Relaxed) == 0 {
        assert!(dut.now() < end, "nobody was woken");
        std::thread::sleep(Duration::from_millis(1));
    }

    dut.serial_input(b"status\n").unwrap();
    let mut typed = [0; 7];
    master.read_exact(&mut typed).unwrap();
    assert_eq!(&typed, b"status\n");

    // Without output the call ends at the given time, not later.
    let end = dut.now() + Duration::from_millis(100);
    dut.run_until(end).unwrap();
    assert!(dut.now() >= end && dut.now() < end + Duration::from_secs(2));
    let refused = dut.set_power(false).unwrap_err();
    assert!(matches!(refused, DutError::Unsupported { .. }), "{refused}");
}

#[test]
fn a_port_that_comes_back_is_found_again_and_leaves_a_hole() {
    let _turn = alone();
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("port");
    let first = plug_in(&link);
    let mut board = Board::claim(&config(&link, "reconnect = '8s'")).unwrap();
    let mut dut = board.start(HostClock::start()).unwrap();
    drop(first);
    let seen = until(&mut dut, |seen| {
        seen.iter().any(|(_, o)| *o == Observation::PortLost)
    });
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(dut.is_away());
    let refused = dut.serial_input(b"x").unwrap_err();
    assert!(refused.to_string().contains("vanished while typing"), "{refused}");

    std::thread::sleep(Duration::from_millis(500));
    let (mut master, _slave) = plug_in(&link);
    let seen = until(&mut dut, |seen| !seen.is_empty());
    let [(_, Observation::PortBack { gap })] = &seen[..] else {
        panic!("{seen:?}");
    };
    assert!((500..5_000).contains(&gap.as_millis()), "{gap:?}");
    assert!(!dut.is_away());
    // The output in that time is lost: there is no verdict on the firmware, but the board can still be used.
    let error = dut.run_until(Instant::from_secs(60)).unwrap_err();
    assert!(error.to_string().contains("came back after"), "{error}");
    dut.serial_input(b"y").unwrap();
    let mut typed = [0];
    master.read_exact(&mut typed).unwrap();
    assert_eq!(&typed, b"y");
}

#[test]
fn a_port_that_goes_with_the_supply_is_no_loss() {
    let _turn = alone();
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("port");
    let first = plug_in(&link);
    let config = config(&link, "reconnect = '800ms'");
    let power = board::Argv::new(vec!["true".to_owned()]);
    let mut board = Board::claim(&BoardConfig {
        commands: board::Commands {
            power_off: power.clone(),
            power_on: power,
            ..config.commands.clone()
        },
        ..config
    })
    .unwrap();
    let mut dut = board.start(HostClock::start()).unwrap();
    dut.set_power(false).unwrap();
    drop(first);
    // Longer than the greatest time for a disconnection.
    std::thread::sleep(Duration::from_millis(1_500));
    let (mut master, _slave) = plug_in(&link);
    dut.set_power(true).unwrap();
    let seen = until(&mut dut, |seen| {
        seen.iter()
            .any(|(_, o)| matches!(o, Observation::PortBack { .. }))
    });
    assert_eq!(seen[0].1, Observation::PortLost);
    assert!(dut.lost().is_none());
    master.write_all(b"power-on\n").unwrap();
    let seen = until(&mut dut, |seen| text(seen).ends_with('\n'));
    assert_eq!(text(&seen), "power-on\n");
}

#[test]
fn a_port_that_stays_away_ends_the_run() {
    let _turn = alone();
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("port");
    let first = plug_in(&link);
    let mut board = Board::claim(&config(&link, "reconnect = '300ms'")).unwrap();
    let mut dut = board.start(HostClock::start()).unwrap();
    drop(first);
    let end = Instant::from_secs(10);
    let error = loop {
        match dut.run_until(end) {
            Ok(()) => dut.take_observations(&mut Vec::new()),
            Err(error) => break error,
        }
    };
    assert!(dut.now() < end);
    let DutError::Backend { source, .. } = &error else {
        panic!("{error:?}");
    };
    let error: &BoardError = source.downcast_ref().unwrap();
    assert_eq!(error.trouble(), Trouble::PortLost);
    assert!(error.to_string().contains("vanished while running"), "{error}");
}

#[test]
fn garbage_and_silence_are_told_apart_when_nothing_boots() {
    let _turn = together();
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("port");
    let (mut master, _slave) = plug_in(&link);
    let mut board = Board::claim(&config(&link, "baud = 74880")).unwrap();
    let mut dut = board.start(HostClock::start()).unwrap();
    let silent = dut.no_boot(Duration::from_secs(20));
    assert_eq!(
        silent.to_string(),
        "the firmware did not start within 20 s: the console is silent"
    );
    assert_eq!(silent.trouble(), Trouble::NoBoot);
    master.write_all(&[0x80, 0xfe, 0x00, 0x1c].repeat(100)).unwrap();
    let seen = until(&mut dut, |seen| {
        seen.iter().any(|(_, o)| matches!(o, Observation::Remark { .. }))
    });
    let remark = seen.iter().find_map(|(_, o)| match o {
        Observation::Remark { text, .. } => Some(text.as_str()),
        _ => None,
    });
    assert_eq!(
        remark,
        Some("the console shows garbage: is the firmware's baud rate 74880?")
    );
    let garbled = dut.no_boot(Duration::from_secs(20));
    assert!(
        garbled.to_string().ends_with("the console shows garbage"),
        "{garbled}"
    );
    assert!(garbled.help().contains("`baud`"), "{}", garbled.help());
}

#[test]
fn another_program_on_the_port_is_named() {
    let _turn = together();
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("port");
    let (_master, slave) = plug_in(&link);
    let device = slave.name().unwrap();
    // serialport's terminals are inherited; a process that keeps the master open would count as the hardware.
    let close_and_sleep = "for fd in /proc/self/fd/*; do fd=${fd##*/}; [ $fd -gt 2 ] && eval \"exec $fd>&-\"; done; exec sleep 30";
    let mut child = std::process::Command::new("bash")
        .args(["-c", close_and_sleep])
        .stdin(std::fs::File::open(&device).unwrap())
        .spawn()
        .unwrap();
    let is_asleep =
        || std::fs::read(format!("/proc/{}/cmdline", child.id())).is_ok_and(|c| c.starts_with(b"sleep"));
    while !is_asleep() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let error = Board::claim(&config(&link, "")).err().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let BoardError::PortInUse { users, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(users.len(), 1);
    assert_eq!(
        (users[0].pid, users[0].command.as_str()),
        (child.id(), "sleep 30")
    );
    Board::claim(&config(&link, "")).unwrap();
}
