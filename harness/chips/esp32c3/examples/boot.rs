//! Boots a firmware on a chip without a network and prints its output, to inspect a firmware or the model.
//!
//! `cargo run --release -p oceanrig-esp32c3 --example boot -- FIRMWARE.elf [SECONDS [FLASH.bin]]`

use std::time::{Duration, Instant as Wall};

use esp32c3::{Chip, ChipConfig, Firmware, Output, Stop};
use sim::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let path = args
        .next()
        .ok_or("usage: boot FIRMWARE.elf [SECONDS [FLASH.bin]]")?;
    let seconds: u64 = args.next().map_or(Ok(10), |s| s.parse())?;
    let flash = args.next().map_or(Ok(Vec::new()), std::fs::read)?;
    let firmware = Firmware::parse(&std::fs::read(path)?)?;
    let mut chip = Chip::new(
        ChipConfig {
            flash,
            usb_host: true,
            ..ChipConfig::default()
        },
        &firmware,
    )?;
    let end = Instant::from_secs(seconds);
    #[expect(clippy::disallowed_methods, reason = "a tool that measures itself")]
    let started = Wall::now();
    let mut line = Vec::new();
    loop {
        let stop = chip.run_until(end);
        for (at, output) in chip.take_outputs() {
            print_output(at, &output, &mut line);
        }
        if stop == Stop::Time {
            break;
        }
    }
    let wall = started.elapsed();
    if !line.is_empty() {
        println!(
            "{:>14} | {}",
            chip.now().to_string(),
            String::from_utf8_lossy(&line)
        );
    }
    print_summary(&mut chip, wall);
    Ok(())
}

fn print_output(at: Instant, output: &Output, line: &mut Vec<u8>) {
    match output {
        Output::Serial { byte: b'\n', .. } => {
            println!(
                "{:>14} | {}",
                at.to_string(),
                String::from_utf8_lossy(line).trim_end()
            );
            line.clear();
        }
        Output::Serial { byte, .. } => line.push(*byte),
        Output::Unmodelled(access) => {
            let name = access.name.as_deref().unwrap_or("?");
            let place = access
                .symbol
                .as_ref()
                .map_or_else(|| "?".to_owned(), ToString::to_string);
            let write = access.write.map_or_else(String::new, |v| format!(" = {v:#x}"));
            println!(
                "{:>14} ! {:?} {:#010x}/{} {name}{write} at {:#010x} {place}",
                at.to_string(),
                access.kind,
                access.addr,
                access.size,
                access.pc
            );
        }
        Output::Panic { backtrace } => println!("{:>14} ! panic\n{backtrace}", at.to_string()),
        Output::Exception(e) => println!(
            "{:>14} ! exception {} at {:#010x}, value {:#010x}\n{}",
            at.to_string(),
            e.cause,
            e.pc,
            e.value,
            e.backtrace
        ),
        other => println!("{:>14} ! {other:?}", at.to_string()),
    }
}

fn print_summary(chip: &mut Chip, wall: Duration) {
    let virtual_s = chip.now().as_nanos() as f64 / 1e9;
    let wall_s = wall.as_secs_f64();
    println!(
        "-- {virtual_s:.3} s virtual in {wall_s:.3} s wall, {} instructions",
        chip.instructions()
    );
    println!(
        "-- {:.1} million instructions a second",
        chip.instructions() as f64 / wall_s / 1e6
    );
    let unmodelled: Vec<_> = chip.unmodelled().collect();
    for (kind, addr, pc, count) in unmodelled {
        println!("-- not modelled: {count:>8} x {kind:?} {addr:#010x} from {pc:#010x}");
    }
    println!("-- stands at\n{}", chip.backtrace());
}
