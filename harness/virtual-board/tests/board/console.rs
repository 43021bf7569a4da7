//! Tests of reset, boot, baud rate, cable and power.

use std::io::Write as _;
use std::path::Path;

use rustix::termios::{self, OptionalActions};
use virtual_board::BoardError;

use crate::rig::{Rig, Terminal};

fn set_speed(terminal: &Terminal, baud: u32) {
    let mut settings = termios::tcgetattr(&terminal.file).unwrap();
    settings.set_speed(baud).unwrap();
    termios::tcsetattr(&terminal.file, OptionalActions::Now, &settings).unwrap();
}

#[test]
fn a_reset_prints_the_boot_and_download_mode_waits() {
    let rig = Rig::with_firmware(&[], |_| {});
    let mut terminal = rig.open_at_boot();
    terminal.until("Waiting for provisioning");
    rig.tell("reset");
    let boot = terminal.until("Waiting for provisioning");
    let boot = boot.trim_start();
    assert!(boot.starts_with("ESP-ROM:esp32c3-api1-20210207\r\n"), "{boot:?}");
    assert!(boot.contains("rst:0x1 (POWERON),boot:0xc (SPI_FAST_FLASH_BOOT)"));
    let status = rig.status();
    assert_eq!(status["mode"], "app");
    assert!(status["elf"].as_str().unwrap().ends_with("firmware.elf.gz"));
    rig.tell("download");
    terminal.until("waiting for download\r\n");
    assert_eq!(rig.status()["mode"], "download");
    // Read chip identification: SYNC, the first command of esptool.
    let mut sync = b"\xc0\x00\x08\x24\x00\x00\x00\x00\x00\x07\x07\x12\x20".to_vec();
    sync.extend([0x55; 32]);
    sync.push(0xc0);
    terminal.file.write_all(&sync).unwrap();
    let answer = terminal.until("\u{1}\u{8}");
    assert!(answer.starts_with('\u{fffd}'), "a SLIP frame: {answer:?}");
    // A level set by a command outlasts a reset.
    rig.tell("pin 9 low");
    rig.tell("reset");
    terminal.until("Waiting for provisioning");
    assert!(rig.ask("pins").unwrap().contains(" 9=low "));
}

#[test]
fn the_wrong_rate_is_garbage_and_the_right_one_is_text() {
    let rig = Rig::with_firmware(&[], |_| {});
    rig.tell("power off");
    let mut terminal = rig.open();
    set_speed(&terminal, 9_600);
    rig.tell("power on");
    let garbage = terminal.some(20);
    assert!(
        !garbage.contains("ESP") && !garbage.contains("rst"),
        "{garbage:?}"
    );
    set_speed(&terminal, 115_200);
    rig.tell("reset");
    terminal.until("rst:0x1 (POWERON)");
    assert_eq!(rig.status()["baud"]["host"], 115_200);
}

#[test]
fn pulling_the_cable_hangs_up_and_the_chip_runs_on() {
    let rig = Rig::with_firmware(&[], |_| {});
    let mut terminal = rig.open_at_boot();
    terminal.until("Waiting for provisioning");
    let resets = rig.status()["resets"].clone();
    rig.tell("unplug");
    assert!(terminal.hangs_up());
    assert!(!rig.port().exists());
    assert_eq!(rig.status()["plugged"], false);
    rig.tell("unplug");
    rig.tell("plug");
    let mut again = rig.open();
    assert_eq!(rig.status()["resets"], resets, "the cable carries no reset");
    rig.tell("reset");
    again.until("Waiting for provisioning");
}

#[test]
fn without_power_nothing_is_said_and_commands_say_why() {
    let rig = Rig::with_firmware(&[], |_| {});
    let mut terminal = rig.open();
    rig.tell("power off");
    assert_eq!(rig.status()["mode"], "off");
    let error = rig.ask("reset").unwrap_err();
    assert_eq!(error.to_string(), "the board has no power; `power on` first");
    assert!(rig.ask("pins").unwrap().starts_with("0=float 1=float"));
    rig.tell("power on");
    terminal.until("Waiting for provisioning");
    assert!(matches!(rig.ask("explode"), Err(BoardError::Refused(_))));
    assert_eq!(
        rig.ask("deauthenticate 7").unwrap_err().to_string(),
        "no station is connected"
    );
}

#[test]
fn an_empty_flash_starts_in_download_mode_or_in_a_loop_that_says_so() {
    let rig = Rig::empty(|options| options.download = true);
    let mut terminal = rig.open();
    assert_eq!(rig.status()["mode"], "download");
    rig.tell("reset");
    terminal.until("invalid header: 0xffffffff");
}

#[test]
fn the_end_leaves_nothing_and_saves_the_flash() {
    let rig = Rig::empty(|options| {
        options.flash = Some(options.port.with_extension("bin"));
        options.hostapd = Some(options.port.with_extension("ap"));
    });
    let dir = rig.dir.path().to_owned();
    let left = |dir: &Path| {
        let mut names: Vec<String> = std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(left(&dir), ["c3", "c3.ap", "c3.bin", "c3.ctl"]);
    rig.tell("stop");
    assert_eq!(left(&dir), ["c3.bin"], "when the answer comes all is done");
    rig.end().unwrap();
}
