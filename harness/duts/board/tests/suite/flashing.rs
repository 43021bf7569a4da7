//! Tests of successful and failed flashing.

use std::path::Path;
use std::time::Duration;

use board::{
    Board, BoardConfig, BoardError, Boards, FlashPlan, FlashStep, HostClock, Mac, Progress, Unwatched,
};
use dut::{Dut, FlashImage, Observation};
use sim::Instant;
use vocabulary::{ResetCause, Trouble};

use crate::fake_rom::{Chip, FakeRom};
use crate::{alone, together};

const FIRMWARE: &[u8] = include_bytes!("../../../../../fixtures/oceanremote-device.elf.gz");

fn config(rom: &FakeRom, more: &str) -> BoardConfig {
    let text = format!(
        "[board.fake]\nport = {:?}\nbefore = 'no-reset'\nafter = 'no-reset'\nstub = false\n{more}",
        rom.link
    );
    let boards = Boards::parse(Path::new("boards.toml"), &text).unwrap();
    boards.get("fake").unwrap().clone()
}

fn plan() -> FlashPlan {
    FlashPlan::new(FIRMWARE, &FlashImage::new().unwrap()).unwrap()
}

#[derive(Default)]
struct Record {
    parts: Vec<String>,
    unchanged: Vec<String>,
    last: (u64, u64),
    cancel_at: Option<u64>,
}

impl Progress for Record {
    fn step(&mut self, step: FlashStep<'_>) {
        match step {
            FlashStep::Part { name, .. } => self.parts.push(name.to_owned()),
            FlashStep::Unchanged { name } => self.unchanged.push(name.to_owned()),
            FlashStep::Done { bytes, total } => self.last = (bytes, total),
            _ => {}
        }
    }

    fn cancelled(&self) -> bool {
        self.cancel_at.is_some_and(|at| self.last.0 >= at)
    }
}

#[test]
fn a_chip_is_flashed_once_and_starts() {
    let _turn = together();
    let dir = tempfile::tempdir().unwrap();
    let rom = FakeRom::plug_in(dir.path(), Chip::default());
    let mut board = Board::claim(&config(&rom, "mac = '60:55:f9:0a:bc:de'")).unwrap();
    let mut record = Record::default();
    let flashed = board.flash(&plan(), &mut record).unwrap();
    assert_eq!(flashed.info.chip, "esp32c3");
    assert_eq!(flashed.info.mac, Some(Mac([0x60, 0x55, 0xf9, 0x0a, 0xbc, 0xde])));
    assert_eq!(flashed.info.flash_bytes, Some(4 << 20));
    // The partitions to be erased were erased already.
    assert_eq!(flashed.parts, ["bootloader", "partition table", "application"]);
    assert_eq!(record.unchanged, ["nvs", "phy_init", "provision", "token"]);
    assert_eq!(record.last.0, record.last.1);
    for part in plan().build("esp32c3").unwrap() {
        let flash = rom.flash.lock().unwrap();
        let at = part.offset as usize;
        assert!(
            flash[at..at + part.bytes.len()] == part.bytes[..],
            "{}",
            part.name
        );
    }

    let again = board.flash(&plan(), &mut Unwatched).unwrap();
    assert!(again.skipped(), "{again:?}");
    assert_eq!(again.unchanged, flashed.written + flashed.unchanged);

    let mut changed = plan();
    changed.write("token", 0x30_1000, vec![0x55; 0x1002]).unwrap();
    let third = board.flash(&changed, &mut Unwatched).unwrap();
    assert_eq!(third.parts, ["token"]);
    let flash = rom.flash.lock().unwrap()[0x30_1000..0x30_2004].to_vec();
    assert_eq!(flash, [vec![0x55; 0x1002], vec![0xff; 2]].concat());

    let mut dut = board.start(HostClock::start()).unwrap();
    let mut seen = Vec::new();
    while dut.now() < Instant::from_secs(5) && !seen.iter().any(|(_, o)| matches!(o, Observation::Reset(_))) {
        dut.run_until(Instant::from_secs(5)).unwrap();
        dut.take_observations(&mut seen);
    }
    let resets: Vec<&Observation> = seen
        .iter()
        .map(|(_, o)| o)
        .filter(|o| matches!(o, Observation::Reset(_)))
        .collect();
    assert_eq!(resets, [&Observation::Reset(ResetCause::RtcWatchdogFull)]);
    assert_eq!(dut.heard().boots, 1);
}

fn failure(chip: Chip, more: &str) -> BoardError {
    let dir = tempfile::tempdir().unwrap();
    let rom = FakeRom::plug_in(dir.path(), chip);
    let mut board = Board::claim(&config(&rom, more)).unwrap();
    let error = board.flash(&plan(), &mut Unwatched).unwrap_err();
    assert!(!error.help().is_empty());
    error
}

#[test]
fn a_chip_of_another_kind_is_refused_before_anything_is_written() {
    let _turn = together();
    let error = failure(
        Chip {
            id: 9,
            ..Chip::default()
        },
        "",
    );
    let BoardError::OtherChip { found, wanted, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!((found.as_str(), wanted.as_str()), ("esp32s3", "esp32c3"));
    assert_eq!(error.trouble(), Trouble::Flashing);
    let error = failure(
        Chip {
            id: 0xbeef,
            ..Chip::default()
        },
        "",
    );
    assert!(matches!(error, BoardError::OtherChip { .. }), "{error:?}");
}

#[test]
fn another_board_of_the_right_kind_is_refused() {
    let _turn = together();
    let error = failure(Chip::default(), "mac = '60:55:f9:00:00:00'");
    let BoardError::OtherBoard { found, wanted, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(found.to_string(), "60:55:f9:0a:bc:de");
    assert_eq!(wanted.to_string(), "60:55:f9:00:00:00");
}

#[test]
fn a_chip_that_does_not_answer_is_told_with_what_to_do() {
    let _turn = together();
    let error = failure(
        Chip {
            answers: false,
            ..Chip::default()
        },
        "",
    );
    let BoardError::NoAnswer {
        modem_lines: false, ..
    } = &error
    else {
        panic!("{error:?}");
    };
    assert_eq!(error.trouble(), Trouble::Flashing);
    assert!(error.help().contains("commands.download"), "{}", error.help());
}

#[test]
fn unplugged_while_flashing_is_a_vanished_port() {
    let _turn = alone();
    let error = failure(
        Chip {
            unplugged_after: Some(300),
            ..Chip::default()
        },
        "",
    );
    let BoardError::PortVanished { during, .. } = &error else {
        panic!("{error:?}");
    };
    let percent: Option<u8> = during
        .strip_prefix("flashing at ")
        .and_then(|p| p.strip_suffix(" %")?.parse().ok());
    assert!(percent.is_some_and(|p| (10..90).contains(&p)), "{during}");
    assert_eq!(error.trouble(), Trouble::PortLost);
}

#[test]
fn a_flash_that_refuses_a_block_is_a_failure_of_flashing() {
    let _turn = together();
    let error = failure(
        Chip {
            fails_at: Some(200),
            ..Chip::default()
        },
        "",
    );
    let BoardError::FlashingFailed {
        part, percent, why, ..
    } = &error
    else {
        panic!("{error:?}");
    };
    assert_eq!(part, "application");
    assert!((10..90).contains(percent), "{percent}");
    assert!(why.contains("Bootloader failed to write to flash"), "{why}");
    assert_eq!(error.trouble(), Trouble::Flashing);
}

#[test]
fn flashing_can_be_interrupted() {
    let _turn = together();
    let dir = tempfile::tempdir().unwrap();
    let rom = FakeRom::plug_in(dir.path(), Chip::default());
    let mut board = Board::claim(&config(&rom, "")).unwrap();
    let mut record = Record {
        cancel_at: Some(100_000),
        ..Record::default()
    };
    let error = board.flash(&plan(), &mut record).unwrap_err();
    assert!(matches!(error, BoardError::Cancelled), "{error:?}");
    assert!(record.last.0 < 110_000, "{:?}", record.last);
    // The chip has half an image; the next run completes it.
    let flashed = board.flash(&plan(), &mut Unwatched).unwrap();
    assert!(flashed.parts.contains(&"application".to_owned()));
}

#[test]
fn the_declared_command_brings_the_chip_into_download_mode() {
    let _turn = together();
    let dir = tempfile::tempdir().unwrap();
    let rom = FakeRom::plug_in(dir.path(), Chip::default());
    let mark = dir.path().join("mark");
    let declare = |argv: &[&str]| format!("[board.fake.commands]\ndownload = {argv:?}\ntimeout = '300ms'\n");
    let mark_it = format!("echo {{port}} > {}", mark.display());
    let mut board = Board::claim(&config(&rom, &declare(&["sh", "-c", &mark_it]))).unwrap();
    board.flash(&plan(), &mut Unwatched).unwrap();
    assert_eq!(
        std::fs::read_to_string(&mark).unwrap().trim(),
        rom.link.to_str().unwrap()
    );
    drop(board);
    let mut board = Board::claim(&config(&rom, &declare(&["sleep", "20"]))).unwrap();
    let error = board.flash(&plan(), &mut Unwatched).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the command `download` (sleep 20) did not end within"),
        "{error}"
    );
    assert_eq!(error.trouble(), Trouble::Bench);
}

#[test]
fn ten_runs_leave_no_process_lock_or_port_behind() {
    let _turn = alone();
    let dir = tempfile::tempdir().unwrap();
    let rom = FakeRom::plug_in(dir.path(), Chip::default());
    let config = config(&rom, "");
    let device = std::fs::canonicalize(&rom.link).unwrap();
    let fds = || {
        std::fs::read_dir("/proc/self/fd")
            .unwrap()
            .flatten()
            .filter(|fd| std::fs::read_link(fd.path()).is_ok_and(|t| t == device))
            .count()
    };
    let before = fds();
    for _ in 0..10 {
        let mut board = Board::claim(&config).unwrap();
        let error = Board::claim(&config).err().unwrap();
        assert!(matches!(error, BoardError::Busy { .. }), "{error:?}");
        board.flash(&plan(), &mut Unwatched).unwrap();
        let dut = board.start(HostClock::start()).unwrap();
        std::thread::sleep(Duration::from_millis(60));
        drop(dut);
    }
    assert_eq!(fds(), before);
    let keys = board::find_port(&config).unwrap().lock_keys(None);
    assert_eq!(board::lock_state(&keys).unwrap(), board::LockState::Free);
}
