//! A run as a value: it is stepped from power-on to the verdict, and can be left and gone on with at any moment.
//!
//! Nothing of what happens is kept here: events and frames go to the caller's [`Progress`] as they come. Three limits
//! end every run: its duration, its instruction budget, and its event budget. Besides, a device that does things
//! without end and takes no time for them ends it.

use std::collections::BTreeMap;
use std::time::Duration;

use dut::{Dut, DutError};
use expect::{Checker, Command, LineAssembler, StepRunner};
use netsim::CapturedFrame;
use scenario::Scenario;
use sim::Instant;
use vocabulary::{Event, Kind, SCHEMA_VERSION, StepState, Verdict};

use crate::setup::{self, SetupError};

/// How much time passes at most between two looks at the caller's wishes. A device that never sleeps executes 160
/// million instructions in it, about a second of this machine's time.
const SLICE: Duration = Duration::from_secs(1);
/// Turns of the bench at one moment after which the device counts as one that takes no time for what it does.
const MOST_TURNS_AT_A_MOMENT: u32 = 100_000;
/// Events for each hour of a long run that does not say how many it may have. The firmware under test has about 6,000,
/// frames included.
const EVENTS_PER_HOUR: u64 = 20_000;
/// Console output after which a run ends, bytes.
const MOST_SERIAL_BYTES: u64 = 200 << 20;

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

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunEnd {
    /// The moment of its end.
    pub at: Instant,
    /// The verdict.
    pub verdict: Verdict,
    /// Why it failed, apart from expectations: steps, a budget, faults that never fired, strictness.
    pub reasons: Vec<String>,
    /// Instructions that the guest executed, 0 where the backend cannot count them.
    pub instructions: u64,
    /// How many events there were.
    pub events: u64,
}

/// Takes what happens in a run as it happens, and may stop the run.
pub trait Progress {
    /// The run has come this far; false stops it.
    fn at(&mut self, now: Instant) -> bool;

    /// Something happened.
    fn event(&mut self, event: Event);

    /// A frame was captured; only where [`Limits::capture`] asks for it.
    fn frame(&mut self, frame: CapturedFrame);

    /// The device is being prepared, by flashing for instance, and has come this far; false gives it up.
    fn preparing(&mut self, what: &str, percent: u8) -> bool {
        let _ = (what, percent);
        true
    }

    /// A remark of the device's backend for the person at the terminal.
    fn remark(&mut self, text: &str) {
        let _ = text;
    }
}

/// The terms of a run beside its scenario.
#[derive(Clone, Debug)]
pub struct Terms {
    /// SHA-256 of the firmware ELF, hexadecimal.
    pub firmware_sha256: String,
    /// Seed of all randomness.
    pub seed: u64,
    /// Unmodelled accesses fail the run.
    pub strict: bool,
    /// By how much the contract's intervals were divided; 1 is real time.
    pub time_scale: u32,
}

/// A device, its network and the services, wired together, in virtual time or in wall time.
pub trait Bench {
    /// Lets time pass until `until` at most; afterwards the time is the one returned.
    ///
    /// # Errors
    /// When the bench fails.
    fn turn(&mut self, until: Instant) -> Result<Instant, RunError>;

    /// The device.
    fn device(&mut self) -> &mut dyn Dut;

    /// Adds an event of the run itself, in order with those of the bench.
    fn tell(&mut self, at: Instant, kind: Kind);

    /// Takes what happened since the last call, in order.
    fn take_events(&mut self) -> Vec<Event>;

    /// Takes the frames captured since the last call.
    fn take_frames(&mut self) -> Vec<CapturedFrame>;

    /// The faults that never fired and were not declared optional, each with the reason why it had no effect, if it
    /// came.
    fn unfired(&self) -> Vec<(String, Option<String>)>;
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// It can be stepped further.
    Running,
    /// Its end is reached: [`Run::finish`] has the verdict.
    Over,
}

/// A run that is under way.
pub struct Run {
    bench: Box<dyn Bench>,
    scenario: Scenario,
    terms: Terms,
    checker: Checker,
    steps: StepRunner,
    lines: LineAssembler,
    now: Instant,
    state: RunState,
    started: bool,
    reasons: Vec<String>,
    /// Turns at the present moment.
    turns: u32,
    events: u64,
    serial_bytes: u64,
    /// Events by kind, for the message about too many of them.
    counts: BTreeMap<&'static str, u64>,
}

impl Run {
    /// A run of `scenario` on a bench that stands at its time zero.
    pub fn new(scenario: &Scenario, bench: Box<dyn Bench>, terms: Terms) -> Run {
        Run {
            bench,
            checker: Checker::new(scenario),
            steps: StepRunner::new(scenario),
            lines: LineAssembler::default(),
            scenario: scenario.clone(),
            terms,
            now: Instant::ZERO,
            state: RunState::Running,
            started: false,
            reasons: Vec::new(),
            turns: 0,
            events: 0,
            serial_bytes: 0,
            counts: BTreeMap::new(),
        }
    }

    /// The present moment.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The device.
    pub fn device(&mut self) -> &mut dyn Dut {
        self.bench.device()
    }

    /// Goes on until the verdict.
    ///
    /// # Errors
    /// When the bench fails, or `progress` stops the run.
    pub fn to_the_end(mut self, progress: &mut dyn Progress) -> Result<RunEnd, RunError> {
        let end = self.end();
        while self.step(end, progress)? == RunState::Running {}
        Ok(self.finish(progress))
    }

    /// Goes on until `until`, or the end of the run if that comes first. Events and frames go to `progress`.
    ///
    /// # Errors
    /// When the bench fails. [`RunError::Stopped`] when `progress` stops the run, which may be gone on with.
    pub fn step(&mut self, until: Instant, progress: &mut dyn Progress) -> Result<RunState, RunError> {
        self.start();
        let end = self.end();
        let until = until.min(end);
        while self.state == RunState::Running && self.now < until {
            self.turn(until, progress)?;
        }
        if self.now >= end {
            self.state = RunState::Over;
        }
        Ok(self.state)
    }

    fn end(&self) -> Instant {
        Instant::ZERO + setup::duration(&self.scenario.bench)
    }

    fn start(&mut self) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let kind = Kind::ScenarioStarted {
            schema: SCHEMA_VERSION,
            name: self.scenario.name.clone(),
            seed: self.terms.seed,
            firmware_sha256: self.terms.firmware_sha256.clone(),
            backend: self.bench.device().backend().to_owned(),
            epoch_unix_s: self.scenario.bench.start.unix_s,
            time_scale: self.terms.time_scale,
        };
        self.bench.tell(Instant::ZERO, kind);
    }

    /// One turn of the bench, judged.
    fn turn(&mut self, until: Instant, progress: &mut dyn Progress) -> Result<(), RunError> {
        let slice = [
            Some(self.now + SLICE),
            self.checker.next_deadline(),
            self.steps.next_deadline(),
        ];
        let slice = slice.into_iter().flatten().fold(until, Instant::min);
        let before = self.now;
        self.now = self.bench.turn(slice)?;
        self.turns = if self.now > before { 0 } else { self.turns + 1 };
        self.judge(progress)?;
        self.look_at_budgets();
        if self.steps.failed() || (self.scenario.ends_with_steps() && self.steps.is_done()) {
            self.state = RunState::Over;
        }
        if !progress.at(self.now) {
            return Err(RunError::Stopped);
        }
        Ok(())
    }

    /// The scenario's budget of events, or one that grows with the length of the run.
    fn event_budget(&self) -> u64 {
        let bench = &self.scenario.bench;
        let budget = bench.event_budget;
        let by_length = setup::duration(bench).as_secs().saturating_mul(EVENTS_PER_HOUR) / 3600;
        if budget.span.is_known() {
            budget.value.0
        } else {
            budget.value.0.max(by_length)
        }
    }

    /// Ends the run when one of its budgets is spent.
    fn look_at_budgets(&mut self) {
        let now = self.now;
        let bench = &self.scenario.bench;
        let (budget, spent) = (
            bench.instruction_budget.value.0,
            self.bench.device().instructions(),
        );
        let reason = if spent > budget {
            format!(
                "the firmware executed {spent} instructions by {now}, more than the budget of {budget}: it never \
                 sleeps, or the budget (bench.instruction-budget) is too small for {}",
                bench.duration.value
            )
        } else if self.events > self.event_budget() {
            let most = self.counts.iter().max_by_key(|(_, count)| **count);
            let (what, count) = most.map_or(("", 0), |(what, count)| (*what, *count));
            format!(
                "{} events by {now}, {count} of them `{what}`, are more than the budget of {} (bench.event-budget): the \
                 device does the same thing without end, or the budget is too small for {}",
                self.events,
                self.event_budget(),
                bench.duration.value
            )
        } else if self.serial_bytes > MOST_SERIAL_BYTES {
            format!(
                "the device printed {} MB by {now}, more than the {} MB that a run may print: it prints without end",
                self.serial_bytes >> 20,
                MOST_SERIAL_BYTES >> 20
            )
        } else if self.turns > MOST_TURNS_AT_A_MOMENT {
            format!(
                "time stands still at {now}: the device did {} things one after the other and took no time for them",
                self.turns
            )
        } else {
            return;
        };
        self.reasons.push(reason);
        self.state = RunState::Over;
    }

    /// Shows what happened to steps and expectations, and does what the steps want.
    fn judge(&mut self, progress: &mut dyn Progress) -> Result<(), RunError> {
        let now = self.now;
        loop {
            let events = self.bench.take_events();
            let quiet = events.is_empty();
            for event in events {
                self.keep(event, progress);
            }
            let commands = self.steps.poll(now);
            for (index, state) in self.steps.take_states() {
                self.keep(
                    Event {
                        at: now,
                        kind: Kind::Step { index, state },
                    },
                    progress,
                );
            }
            if quiet && commands.is_empty() {
                break;
            }
            for command in commands {
                match command {
                    Command::WriteSerial(bytes) => {
                        self.bench.device().serial_input(&bytes)?;
                        let text = String::from_utf8_lossy(&bytes).into_owned();
                        let kind = Kind::SerialInput { text };
                        self.keep(Event { at: now, kind }, progress);
                    }
                    Command::SetPin { gpio, level } => self.bench.device().set_pin(gpio, Some(level))?,
                }
            }
        }
        self.checker.advance(now);
        for frame in self.bench.take_frames() {
            progress.frame(frame);
        }
        Ok(())
    }

    /// Shows an event, with the serial lines that it completes.
    fn keep(&mut self, event: Event, progress: &mut dyn Progress) {
        let lines = match &event.kind {
            Kind::SerialChunk { port, bytes } => {
                self.serial_bytes += bytes.len() as u64;
                self.lines.push(*port, bytes)
            }
            // What the device did not finish it will not finish any more.
            Kind::Reset { .. } | Kind::Power { on: false } => self.lines.flush(),
            Kind::ScenarioStarted { .. }
            | Kind::SerialLine { .. }
            | Kind::SerialInput { .. }
            | Kind::Pin { .. }
            | Kind::Power { on: true }
            | Kind::GuestFault { .. }
            | Kind::Exited { .. }
            | Kind::Unmodelled(_)
            | Kind::Wifi(_)
            | Kind::Frame { .. }
            | Kind::Link(_)
            | Kind::Request { .. }
            | Kind::Fact(_)
            | Kind::Session { .. }
            | Kind::Status { .. }
            | Kind::ClockOffset { .. }
            | Kind::Fault { .. }
            | Kind::Step { .. }
            | Kind::Expectation(_)
            | Kind::Note { .. }
            | Kind::ScenarioFinished { .. } => Vec::new(),
        };
        let at = event.at;
        self.show(event, progress);
        for (port, text) in lines {
            let kind = Kind::SerialLine { port, text };
            self.show(Event { at, kind }, progress);
        }
    }

    fn show(&mut self, event: Event, progress: &mut dyn Progress) {
        if let Kind::Step {
            index,
            state: StepState::Failed { message },
        } = &event.kind
        {
            self.reasons.push(format!("step {}: {message}", index + 1));
        }
        self.events += 1;
        *self.counts.entry(event.kind.name()).or_default() += 1;
        self.checker.observe(&event);
        self.steps.observe(&event);
        progress.event(event);
    }

    /// Judges what is still open and gives the verdict.
    pub fn finish(mut self, progress: &mut dyn Progress) -> RunEnd {
        self.start();
        let now = self.now;
        for (port, text) in self.lines.flush() {
            let kind = Kind::SerialLine { port, text };
            self.show(Event { at: now, kind }, progress);
        }
        for (name, why) in self.bench.unfired() {
            if let Some(why) = why {
                self.reasons
                    .push(format!("the fault `{name}` had no effect: {why}"));
                continue;
            }
            let state = vocabulary::FaultState::NeverFired;
            self.reasons
                .push(format!("the fault `{name}` was planned and never fired"));
            let kind = Kind::Fault { name, state };
            self.show(Event { at: now, kind }, progress);
        }
        let unmodelled = self.bench.device().unmodelled();
        if self.terms.strict && unmodelled > 0 {
            self.reasons.push(format!(
                "strict: the firmware touched what the chip model does not implement, {unmodelled} times"
            ));
        }
        if let Some(endless) = self.bench.device().endless() {
            self.reasons
                .push(format!("the firmware makes no progress: {endless}"));
        }
        for (index, state) in self.steps.finish(now) {
            let kind = Kind::Step { index, state };
            self.show(Event { at: now, kind }, progress);
        }
        let mut failed = !self.reasons.is_empty();
        for result in self.checker.finish(now) {
            failed |= !result.held;
            let kind = Kind::Expectation(result);
            self.show(Event { at: now, kind }, progress);
        }
        for text in self.reasons.clone() {
            let kind = Kind::Note { text };
            self.show(Event { at: now, kind }, progress);
        }
        let verdict = if failed { Verdict::Fail } else { Verdict::Pass };
        let instructions = self.bench.device().instructions();
        let kind = Kind::ScenarioFinished {
            verdict: verdict.clone(),
            instructions,
            unmodelled,
        };
        self.show(Event { at: now, kind }, progress);
        RunEnd {
            at: now,
            verdict,
            reasons: self.reasons,
            instructions,
            events: self.events,
        }
    }
}
