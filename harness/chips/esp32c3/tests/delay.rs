//! A real firmware in esp-hal's blocking `Delay`: skipping its polling loop does not change the result.

use esp32c3::{Chip, ChipConfig, Firmware, Output, Stop};
use sim::Instant;

fn chip(skip: bool) -> Chip {
    let image = include_bytes!("../../../../fixtures/bench-delay.elf.gz");
    let mut chip = Chip::new(ChipConfig::default(), &Firmware::parse(image).unwrap()).unwrap();
    chip.set_skip_polling(skip);
    chip
}

fn run(chip: &mut Chip, until: Instant) -> Vec<(Instant, Output)> {
    let mut seen = Vec::new();
    while chip.run_until(until) != Stop::Time {
        seen.extend(chip.take_outputs());
    }
    seen.extend(chip.take_outputs());
    seen
}

#[test]
fn skipping_ends_where_executing_ends() {
    let (mut skipping, mut executing) = (chip(true), chip(false));
    // Odd moments, in and between the iterations of the loop.
    for ns in [3_000_000, 7_000_006, 7_000_031, 50_123_456] {
        let at = Instant::from_nanos(ns);
        assert_eq!(run(&mut skipping, at), run(&mut executing, at));
        assert_eq!(skipping.instructions(), executing.instructions());
        assert_eq!(skipping.backtrace(), executing.backtrace());
    }
}

#[test]
fn an_hour_of_waiting_is_sixty_lines_of_log() {
    let mut chip = chip(true);
    let log: Vec<u8> = run(&mut chip, Instant::from_secs(3_601))
        .into_iter()
        .filter_map(|(_, output)| match output {
            Output::Serial { byte, .. } => Some(byte),
            _ => None,
        })
        .collect();
    let log = String::from_utf8(log).unwrap();
    assert_eq!(log.lines().count(), 61);
    assert!(
        log.ends_with("waited 3600 s\r\n") || log.ends_with("waited 3600 s\n"),
        "{log}"
    );
    // One instruction a cycle for the whole hour, except for the time of the ROM and the console.
    assert!(chip.instructions() > 570_000_000_000, "{}", chip.instructions());
}
