//! Flashes a board and prints its console output for some seconds:
//! `cargo run -p oceanrig-board --example flash -- boards.toml NAME FIRMWARE.elf SECONDS`

use std::error::Error;
use std::io::Write as _;
use std::path::Path;

use board::{Board, Boards, FlashPlan, FlashStep, HostClock, Progress};
use dut::{Dut as _, FlashImage, Observation};
use sim::Instant;

struct Print;

impl Progress for Print {
    fn step(&mut self, step: FlashStep<'_>) {
        match step {
            FlashStep::Done { bytes, total } => eprint!("\r{:3} %", bytes * 100 / total),
            other => eprintln!("\r{other:?}"),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [file, name, firmware, seconds] = &args[..] else {
        return Err("expected boards.toml NAME FIRMWARE.elf SECONDS".into());
    };
    let boards = Boards::load(Path::new(file))?;
    let plan = FlashPlan::new(&std::fs::read(firmware)?, &FlashImage::new()?)?;
    let mut board = Board::claim(boards.get(name)?)?;
    let flashed = board
        .flash(&plan, &mut Print)
        .map_err(|e| format!("{e}\n{}", e.help()))?;
    eprintln!("\r{flashed:?}");
    let mut dut = board.start(HostClock::start())?;
    let end = Instant::from_secs(seconds.parse()?);
    while dut.now() < end {
        dut.run_until(end)?;
        let mut seen = Vec::new();
        dut.take_observations(&mut seen);
        for (at, observation) in seen {
            match observation {
                Observation::Serial { bytes, .. } => std::io::stdout().write_all(&bytes)?,
                other => eprintln!("[{at}] {other:?}"),
            }
        }
    }
    eprintln!("{:?}", dut.heard());
    Ok(())
}
