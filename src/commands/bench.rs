//! `oceanrig bench`: the figures of `docs/PERFORMANCE.md`, on this machine.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant as WallInstant};

use bench::{Limits, Progress};
use dut::{Dut as _, DutFactory as _, DutOptions, Firmware, FlashImage};
use emulator::{Emulator, EmulatorConfig, EmulatorFactory, Image};
use netsim::CapturedFrame;
use scenario::Scenario;
use sim::Instant;
use vocabulary::{Event, Verdict};

use crate::cli::BenchArgs;
use crate::error::{CliError, stdout_failed};
use crate::exit::Exit;
use crate::firmware::Images;
use crate::output::{self, wall_clock};

/// The main job.
const HEALTHY: &str = include_str!("../../scenarios/healthy-three-hours.yaml");
/// A firmware that computes without end (`firmware-under-test/examples/compute.rs`).
const COMPUTE: &[u8] = include_bytes!("../../fixtures/bench-compute.elf.gz");
/// A firmware that busy-waits without end (`firmware-under-test/examples/delay.rs`).
const DELAY: &[u8] = include_bytes!("../../fixtures/bench-delay.elf.gz");
/// The first line that the firmware under test prints.
const BANNER: &str = "# OceanicRemote";

/// One figure: its name, and how it is taken once.
type Figure = (&'static str, fn() -> Result<Taken, CliError>);

/// A figure, taken once.
struct Taken {
    /// The number that is compared.
    value: f64,
    unit: &'static str,
    /// Further numbers of the same run.
    more: String,
}

const FIGURES: [Figure; 5] = [
    ("healthy-three-hours", healthy),
    ("compute", compute),
    ("busy-wait-hour", busy_wait_hour),
    ("cold-start", cold_start),
    ("peak-memory", peak_memory),
];

/// Takes the figures and prints median and spread of each.
///
/// # Errors
/// When a figure cannot be taken, or none has that name.
pub(crate) fn bench(args: &BenchArgs) -> Result<Exit, CliError> {
    if args.in_child {
        return in_child();
    }
    let wanted = |name: &str| args.only.as_ref().is_none_or(|only| name.contains(only.as_str()));
    let figures: Vec<&Figure> = FIGURES.iter().filter(|(name, _)| wanted(name)).collect();
    if figures.is_empty() {
        let names: Vec<&str> = FIGURES.iter().map(|(name, _)| *name).collect();
        return Err(CliError::NothingSelected(format!(
            "a figure; there are {}",
            names.join(", ")
        )));
    }
    let mut out = std::io::stdout();
    for (name, take) in figures {
        output::note(&format!("taking {name}, {} times", args.repeat));
        let mut taken = Vec::new();
        for _ in 0..args.repeat {
            taken.push(take()?);
        }
        taken.sort_by(|a, b| a.value.total_cmp(&b.value));
        let (low, high) = (taken[0].value, taken[taken.len() - 1].value);
        let Taken { value, unit, more } = &taken[taken.len() / 2];
        writeln!(
            out,
            "{name:<22} {value:>9.3} {unit:<5} ({low:.3} to {high:.3})  {more}"
        )
        .map_err(stdout_failed)?;
    }
    Ok(Exit::Passed)
}

/// Watches nothing.
struct Silent;

impl Progress for Silent {
    fn at(&mut self, _: Instant) -> bool {
        true
    }

    fn event(&mut self, _: Event) {}

    fn frame(&mut self, _: CapturedFrame) {}
}

fn scenario() -> Result<Scenario, CliError> {
    faults::FORMAT
        .parse("healthy-three-hours.yaml", HEALTHY)
        .map_err(|e| CliError::Bench(e.to_string()))
}

fn healthy() -> Result<Taken, CliError> {
    let (scenario, elf) = (scenario()?, Images::default().get(None)?);
    let emulator = EmulatorFactory
        .open(None, &DutOptions::default())
        .map_err(CliError::Dut)?;
    let firmware = Firmware {
        file: &elf.file,
        sha256: &elf.sha256,
    };
    emulator
        .check(firmware)
        .map_err(|e| CliError::Bench(e.to_string()))?;
    let started = wall_clock();
    let end = bench::run(&*emulator, &scenario, firmware, Limits::default(), &mut Silent)
        .map_err(|e| CliError::Bench(e.to_string()))?;
    let wall = started.elapsed();
    if end.verdict != Verdict::Pass {
        return Err(CliError::Bench(
            "the healthy run did not pass; `oceanrig run` says why".to_owned(),
        ));
    }
    let (at, instructions) = (end.at.as_secs(), end.instructions);
    let rate = at as f64 / wall.as_secs_f64();
    let more = format!(
        "{at} virtual s, {:.1} M instructions, {rate:.0} virtual s per s",
        instructions as f64 / 1e6
    );
    Ok(Taken {
        value: wall.as_secs_f64(),
        unit: "s",
        more,
    })
}

fn emulator(elf: &[u8]) -> Result<Emulator, CliError> {
    let broken = |e: &dyn std::error::Error| CliError::Bench(e.to_string());
    let image = Image::load(elf).map_err(|e| broken(&e))?;
    let flash = FlashImage::new().map_err(|e| broken(&e))?;
    let config = EmulatorConfig {
        mac: [2, 0, 0, 0, 0, 1],
        flash,
        crystal_ppm: 0,
        seed: 1,
    };
    Emulator::new(config, &image).map_err(|e| broken(&e))
}

/// Runs until `until`; the time that took.
fn drive(emulator: &mut Emulator, until: Instant) -> Result<Duration, CliError> {
    let started = wall_clock();
    let mut seen = Vec::new();
    while emulator.now() < until {
        emulator
            .run_until(until)
            .map_err(|e| CliError::Bench(e.to_string()))?;
        emulator.take_observations(&mut seen);
        seen.clear();
    }
    Ok(started.elapsed())
}

fn compute() -> Result<Taken, CliError> {
    let mut emulator = emulator(COMPUTE)?;
    // Past the boot, then two virtual seconds.
    drive(&mut emulator, Instant::from_millis(500))?;
    let before = emulator.instructions();
    let wall = drive(&mut emulator, Instant::from_millis(2_500))?;
    let mips = (emulator.instructions() - before) as f64 / wall.as_secs_f64() / 1e6;
    let more = format!("{:.2} s for 2 virtual s at 160 MHz", wall.as_secs_f64());
    Ok(Taken {
        value: mips,
        unit: "MIPS",
        more,
    })
}

fn busy_wait_hour() -> Result<Taken, CliError> {
    let mut emulator = emulator(DELAY)?;
    let wall = drive(&mut emulator, Instant::from_secs(3600))?;
    let more = format!("{:.1} G instructions", emulator.instructions() as f64 / 1e9);
    Ok(Taken {
        value: wall.as_secs_f64(),
        unit: "s",
        more,
    })
}

/// A scenario file in a directory of its own, gone with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn new(text: &str) -> Result<Scratch, CliError> {
        let dir = std::env::temp_dir().join(format!("oceanrig-bench-{}", std::process::id()));
        let failed = |source| CliError::Write {
            path: dir.clone(),
            source,
        };
        fs::create_dir_all(&dir).map_err(failed)?;
        fs::write(dir.join("cold.yaml"), text).map_err(failed)?;
        Ok(Scratch(dir))
    }

    fn file(&self) -> PathBuf {
        self.0.join("cold.yaml")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind is a file of a few bytes in the directory for such files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn own_binary() -> Result<PathBuf, CliError> {
    std::env::current_exe().map_err(|source| CliError::Read {
        path: Path::new("the own binary").to_owned(),
        source,
    })
}

fn cold_start() -> Result<Taken, CliError> {
    let scratch = Scratch::new(
        "name: Cold start\nversion: 1\nbench: {duration: 5s}\nexpect: [{serial: \"[REG] Registered\"}]\n",
    )?;
    let spawn_failed = |e: std::io::Error| CliError::Bench(format!("cannot start a second oceanrig: {e}"));
    let started: WallInstant = wall_clock();
    let mut child = Command::new(own_binary()?)
        .args(["run", "--verbose"])
        .arg(scratch.file())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(spawn_failed)?;
    let mut first = None;
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if line.contains(BANNER) {
                first.get_or_insert_with(|| started.elapsed());
            }
        }
    }
    let status = child.wait().map_err(spawn_failed)?;
    match first {
        Some(first) if status.success() => Ok(Taken {
            value: first.as_secs_f64() * 1e3,
            unit: "ms",
            more: "from the command to the first serial line".to_owned(),
        }),
        _ => Err(CliError::Bench(format!(
            "the run for the cold start ended with {status}"
        ))),
    }
}

/// One healthy run, then the most memory that this process ever had.
fn in_child() -> Result<Exit, CliError> {
    healthy()?;
    let path = Path::new("/proc/self/status");
    let status = fs::read_to_string(path).map_err(|source| CliError::Read {
        path: path.to_owned(),
        source,
    })?;
    let line = status
        .lines()
        .find(|l| l.starts_with("VmHWM:"))
        .unwrap_or_default();
    writeln!(std::io::stdout(), "{line}").map_err(stdout_failed)?;
    Ok(Exit::Passed)
}

fn peak_memory() -> Result<Taken, CliError> {
    let output = Command::new(own_binary()?)
        .args(["bench", "--in-child"])
        .output()
        .map_err(|e| CliError::Bench(format!("cannot start a second oceanrig: {e}")))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let kib = text.split_whitespace().nth(1).and_then(|n| n.parse::<f64>().ok());
    let kib = kib.ok_or_else(|| CliError::Bench("peak memory is known on Linux only".to_owned()))?;
    let more = "the whole process in the healthy run, events included".to_owned();
    Ok(Taken {
        value: kib / 1024.0,
        unit: "MiB",
        more,
    })
}
