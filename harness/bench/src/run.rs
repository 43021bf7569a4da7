//! A whole run, from power-on to the verdict.

use std::time::Duration;

use dut::{Dut, DutError, Emulator, EmulatorConfig, Image};
use expect::{Checker, Command, LineAssembler, StepRunner};
use netsim::CapturedFrame;
use oceanremote::Cloud;
use scenario::Scenario;
use sim::Instant;
use vocabulary::{Event, Kind, SCHEMA_VERSION, StepState, Verdict};

use crate::bench::Bench;
use crate::faults::FaultPlan;
use crate::hub::{Hub, SharedHub};
use crate::setup::{self, SetupError};

/// How much virtual time passes at most between two looks at the caller's wishes.
const SLICE: Duration = Duration::from_secs(10);

/// The firmware of a run.
#[derive(Clone, Debug)]
pub struct Firmware {
    /// The loaded image.
    pub image: Image,
    /// SHA-256 of the ELF, hexadecimal.
    pub sha256: String,
}

/// What the command line changes about a scenario.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Another seed than the scenario's.
    pub seed: Option<u64>,
    /// Unmodelled accesses fail the run, whatever the scenario says.
    pub strict: bool,
    /// Keep every frame.
    pub capture: bool,
    /// By how much the scenario's schedule was divided, for its record; 0 means 1. It is the caller who divides it.
    pub time_scale: u32,
}

/// Why a run could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The bench could not be put together.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The device could not be made.
    #[error(transparent)]
    Device(#[from] dut::EmulatorError),
    /// The device failed.
    #[error(transparent)]
    Dut(#[from] DutError),
    /// What stands around a device in wall time failed: a port, an access point, a command.
    #[error("{0}")]
    Site(String),
    /// The caller asked to stop.
    #[error("stopped")]
    Stopped,
}

/// A run that has ended.
#[derive(Clone, Debug)]
pub struct RunRecord {
    /// What happened, in order; the last event carries the verdict.
    pub events: Vec<Event>,
    /// The frames, when they were asked for.
    pub frames: Vec<CapturedFrame>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why it failed, apart from expectations: steps, the instruction budget, faults that never fired, strictness.
    pub reasons: Vec<String>,
}

/// What a caller learns while a run goes on, and may decide.
pub trait Progress {
    /// The run has come this far; false stops it.
    fn at(&mut self, now: Instant) -> bool;

    /// Something happened.
    fn event(&mut self, event: &Event);

    /// The device is being prepared, by flashing for instance, and has come this far; false gives it up.
    fn preparing(&mut self, what: &str, percent: u8) -> bool {
        let _ = (what, percent);
        true
    }
}

/// Runs `scenario` on the emulator.
///
/// # Errors
/// When the bench cannot be put together or fails, or the caller stops it. What the firmware does wrong is
/// never an error but part of the record.
pub fn run(
    scenario: &Scenario,
    firmware: &Firmware,
    limits: Limits,
    progress: &mut dyn Progress,
) -> Result<RunRecord, RunError> {
    let seed = limits.seed.unwrap_or(scenario.bench.seed);
    let strict = limits.strict || scenario.bench.strict;
    let hub = Hub::shared(FaultPlan::new(&scenario.faults, seed), scenario.bench.device_id());
    let emulator = Emulator::new(
        EmulatorConfig {
            mac: scenario.bench.device.mac.0,
            flash: setup::flash_image(&scenario.bench, seed)?,
            crystal_ppm: scenario.bench.device.crystal_ppm.value,
            seed,
        },
        &firmware.image,
    )?;
    let bench = Bench::new(
        Box::new(emulator),
        setup::net_config(&scenario.bench, seed, limits.capture),
        Cloud::new(setup::cloud_config(&scenario.bench, seed)).map_err(SetupError::from)?,
        hub.clone(),
        scenario.bench.device_id(),
    )?;
    let terms = Terms {
        firmware_sha256: &firmware.sha256,
        seed,
        strict,
        time_scale: 1,
    };
    judge_on(bench, hub, scenario, &terms, progress)
}

/// What a run is carried out with beside its scenario.
pub(crate) struct Terms<'a> {
    pub(crate) firmware_sha256: &'a str,
    pub(crate) seed: u64,
    pub(crate) strict: bool,
    pub(crate) time_scale: u32,
}

/// What a run needs of a bench, whatever its time.
pub(crate) trait Stage {
    /// Lets time pass until `until` at most; afterwards the time is the one returned.
    fn turn(&mut self, until: Instant) -> Result<Instant, RunError>;

    /// The device.
    fn dut(&mut self) -> &mut dyn Dut;

    /// Takes the frames captured since the last call.
    fn take_frames(&mut self) -> Vec<CapturedFrame>;
}

/// Runs `scenario` on a bench that stands, from its time zero to the verdict.
pub(crate) fn judge_on(
    mut bench: impl Stage,
    hub: SharedHub,
    scenario: &Scenario,
    terms: &Terms<'_>,
    progress: &mut dyn Progress,
) -> Result<RunRecord, RunError> {
    hub.borrow_mut().tell(
        Instant::ZERO,
        Kind::ScenarioStarted {
            schema: SCHEMA_VERSION,
            name: scenario.name.clone(),
            seed: terms.seed,
            firmware_sha256: terms.firmware_sha256.to_owned(),
            backend: bench.dut().backend().to_owned(),
            epoch_unix_s: scenario.bench.start.unix_s,
            time_scale: terms.time_scale,
        },
    );
    let mut run = Run {
        checker: Checker::new(scenario),
        steps: StepRunner::new(scenario),
        lines: LineAssembler::default(),
        record: RunRecord {
            events: Vec::new(),
            frames: Vec::new(),
            verdict: Verdict::Pass,
            reasons: Vec::new(),
        },
        bench,
        hub,
        progress,
    };
    run.until_the_end(scenario, terms.strict)?;
    Ok(run.record)
}

struct Run<'a, B> {
    bench: B,
    hub: SharedHub,
    checker: Checker,
    steps: StepRunner,
    lines: LineAssembler,
    record: RunRecord,
    progress: &'a mut dyn Progress,
}

impl<B: Stage> Run<'_, B> {
    fn until_the_end(&mut self, scenario: &Scenario, strict: bool) -> Result<(), RunError> {
        let end = Instant::ZERO + setup::duration(&scenario.bench);
        let budget = scenario.bench.instruction_budget.value.0;
        let mut now = Instant::ZERO;
        while now < end {
            let slice = [
                Some(end),
                Some(now + SLICE),
                self.checker.next_deadline(),
                self.steps.next_deadline(),
            ];
            let until = slice.into_iter().flatten().min().unwrap_or(end);
            now = self.bench.turn(until)?;
            self.judge(now)?;
            if !self.progress.at(now) {
                return Err(RunError::Stopped);
            }
            let spent = self.bench.dut().instructions();
            if spent > budget {
                self.record.reasons.push(format!(
                    "the firmware executed {spent} instructions by {now}, more than the budget of {budget}: it never \
                     sleeps, or the budget (bench.instruction-budget) is too small for {}",
                    scenario.bench.duration.value
                ));
                break;
            }
            if self.steps.failed() || (scenario.ends_with_steps() && self.steps.is_done()) {
                break;
            }
        }
        self.finish(now, strict);
        Ok(())
    }

    /// Shows what happened to steps and expectations, and does what the steps want.
    fn judge(&mut self, now: Instant) -> Result<(), RunError> {
        loop {
            let events = self.hub.borrow_mut().take_events();
            for event in &events {
                self.keep(event.clone());
            }
            let commands = self.steps.poll(now);
            for (index, state) in self.steps.take_states() {
                self.keep(Event {
                    at: now,
                    kind: Kind::Step { index, state },
                });
            }
            if events.is_empty() && commands.is_empty() {
                break;
            }
            for command in commands {
                match command {
                    Command::WriteSerial(bytes) => {
                        self.bench.dut().serial_input(&bytes)?;
                        let text = String::from_utf8_lossy(&bytes).into_owned();
                        self.keep(Event {
                            at: now,
                            kind: Kind::SerialInput { text },
                        });
                    }
                    Command::SetPin { gpio, level } => self.bench.dut().set_pin(gpio, Some(level))?,
                }
            }
        }
        self.checker.advance(now);
        self.record.frames.extend(self.bench.take_frames());
        Ok(())
    }

    /// Keeps an event, with the serial lines that it completes.
    fn keep(&mut self, event: Event) {
        let lines = match &event.kind {
            Kind::SerialChunk { port, bytes } => self.lines.push(*port, bytes),
            // What the device did not finish it will not finish any more.
            Kind::Reset { .. } | Kind::Power { on: false } => self.lines.flush(),
            _ => Vec::new(),
        };
        let at = event.at;
        self.show(event);
        for (port, text) in lines {
            self.show(Event {
                at,
                kind: Kind::SerialLine { port, text },
            });
        }
    }

    fn show(&mut self, event: Event) {
        if let Kind::Step {
            index,
            state: StepState::Failed { message },
        } = &event.kind
        {
            self.record.reasons.push(format!("step {}: {message}", index + 1));
        }
        self.checker.observe(&event);
        self.steps.observe(&event);
        self.progress.event(&event);
        self.record.events.push(event);
    }

    fn finish(&mut self, now: Instant, strict: bool) {
        for (port, text) in self.lines.flush() {
            self.show(Event {
                at: now,
                kind: Kind::SerialLine { port, text },
            });
        }
        let never: Vec<String> = self
            .hub
            .borrow()
            .faults
            .never_fired()
            .map(str::to_owned)
            .collect();
        for name in never {
            let state = vocabulary::FaultState::NeverFired;
            self.record
                .reasons
                .push(format!("the fault `{name}` was planned and never fired"));
            self.show(Event {
                at: now,
                kind: Kind::Fault { name, state },
            });
        }
        let unmodelled = self.bench.dut().unmodelled();
        if strict && unmodelled > 0 {
            self.record.reasons.push(format!(
                "strict: the firmware touched what the chip model does not implement, {unmodelled} times"
            ));
        }
        if let Some(endless) = self.bench.dut().endless() {
            self.record
                .reasons
                .push(format!("the firmware makes no progress: {endless}"));
        }
        for (index, state) in self.steps.finish(now) {
            self.show(Event {
                at: now,
                kind: Kind::Step { index, state },
            });
        }
        let mut failed = !self.record.reasons.is_empty();
        for result in self.checker.finish(now) {
            failed |= !result.held;
            self.show(Event {
                at: now,
                kind: Kind::Expectation(result),
            });
        }
        for text in self.record.reasons.clone() {
            self.show(Event {
                at: now,
                kind: Kind::Note { text },
            });
        }
        self.record.verdict = if failed { Verdict::Fail } else { Verdict::Pass };
        let verdict = self.record.verdict.clone();
        let instructions = self.bench.dut().instructions();
        self.show(Event {
            at: now,
            kind: Kind::ScenarioFinished {
                verdict,
                instructions,
                unmodelled,
            },
        });
    }
}
