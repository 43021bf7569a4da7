//! Execution of the steps of a scenario.

use std::collections::{BTreeMap, VecDeque};

use scenario::{Pattern, Scenario, Step, StepKind};
use sim::Instant;
use vocabulary::text::EscapeFilter;
use vocabulary::{Event, Kind, StepState};

use crate::automaton::Literal;
use crate::lines::LineAssembler;
use crate::nearest::{Log, Near};
use crate::serial::holds_escape;

/// Greatest number of console bytes kept for a later `wait-serial`; the oldest are dropped.
const MAX_BACKLOG: usize = 1 << 20;

/// An action on the device that a step requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Write these bytes to the console.
    WriteSerial(Vec<u8>),
    /// Drive a pin from outside.
    SetPin {
        /// Number of the GPIO.
        gpio: u8,
        /// True for high, false for low.
        level: bool,
    },
}

/// Bytes of the console that no step has looked at yet.
#[derive(Debug, Default)]
struct Backlog {
    pieces: VecDeque<(Instant, Vec<u8>)>,
    len: usize,
    /// Where in an escape sequence the first piece begins.
    filter: EscapeFilter,
}

impl Backlog {
    fn push(&mut self, at: Instant, bytes: &[u8]) {
        self.len += bytes.len();
        self.pieces.push_back((at, bytes.to_vec()));
        while self.len > MAX_BACKLOG {
            let Some((_, old)) = self.pieces.pop_front() else {
                break;
            };
            self.len -= old.len();
            old.iter().for_each(|byte| self.filter.push(*byte, |_| {}));
        }
    }

    /// Takes bytes until `wanted` is there, and gives the time of the last one. Escape sequences are no part
    /// of the text, unless `raw`.
    fn search(&mut self, wanted: &mut Literal, raw: bool) -> Option<Instant> {
        while let Some((at, bytes)) = self.pieces.front_mut() {
            let mut text = [0; 2];
            let mut found = None;
            for (i, byte) in bytes.iter().enumerate() {
                let mut len = 0;
                self.filter.push(*byte, |b| {
                    text[len] = b;
                    len += 1;
                });
                let seen: &[u8] = if raw {
                    std::slice::from_ref(byte)
                } else {
                    &text[..len]
                };
                if wanted.feed(seen).is_some() {
                    found = Some(i);
                    break;
                }
            }
            let at = *at;
            match found {
                Some(last) => {
                    bytes.drain(..=last);
                    self.len -= last + 1;
                    return Some(at);
                }
                None => {
                    self.len -= bytes.len();
                    self.pieces.pop_front();
                }
            }
        }
        None
    }
}

/// Carries out steps one after the other, from power-on.
///
/// `wait-serial` searches the console's bytes from the end of the previous match on, so that text received
/// during a `delay` is found. A step has no timeout of its own; it fails at the end of the run.
#[derive(Debug)]
pub struct StepRunner {
    steps: Vec<Step>,
    current: usize,
    started: bool,
    failed: bool,
    /// The moment at which the step before the current one was done.
    since: Instant,
    wait: Literal,
    backlog: Backlog,
    pins: BTreeMap<u8, bool>,
    states: Vec<(usize, StepState)>,
    lines: LineAssembler,
    log: Log,
}

impl StepRunner {
    /// A runner for the steps of a scenario.
    pub fn new(scenario: &Scenario) -> StepRunner {
        StepRunner {
            steps: scenario.steps.clone(),
            current: 0,
            started: false,
            failed: false,
            since: Instant::ZERO,
            wait: Literal::new(b""),
            backlog: Backlog::default(),
            pins: BTreeMap::new(),
            states: Vec::new(),
            lines: LineAssembler::default(),
            log: Log::default(),
        }
    }

    /// Takes the next event of the run.
    pub fn observe(&mut self, event: &Event) {
        if let Kind::SerialChunk { port, bytes } = &event.kind
            && !self.is_over()
        {
            for (_, line) in self.lines.push(*port, bytes) {
                self.log.push(event.at, &line);
            }
            self.backlog.push(event.at, bytes);
        }
        if let Kind::Pin { gpio, level } = &event.kind {
            match level {
                Some(level) => self.pins.insert(*gpio, *level),
                None => self.pins.remove(gpio),
            };
        }
    }

    /// Executes steps as far as possible, after all events up to `now` were given. Returns the actions for
    /// the device, in order.
    pub fn poll(&mut self, now: Instant) -> Vec<Command> {
        let mut commands = Vec::new();
        while !self.is_over() {
            if !self.started {
                self.begin();
            }
            let Some(done) = self.go_on(now, &mut commands) else {
                break;
            };
            let state = match done {
                Ok(at) => {
                    self.since = at;
                    StepState::Done
                }
                Err(message) => {
                    self.failed = true;
                    StepState::Failed { message }
                }
            };
            self.states.push((self.current, state));
            if !self.failed {
                self.current += 1;
                self.started = false;
            }
        }
        commands
    }

    fn begin(&mut self) {
        self.started = true;
        self.states.push((self.current, StepState::Started));
        if let StepKind::WaitSerial(text) = &self.steps[self.current].kind {
            self.wait = Literal::new(text.as_bytes());
        }
    }

    /// `None` if the step is not done yet; otherwise the moment at which it was done, or the reason of its
    /// failure.
    fn go_on(&mut self, now: Instant, commands: &mut Vec<Command>) -> Option<Result<Instant, String>> {
        match &self.steps[self.current].kind {
            StepKind::Delay(span) => {
                let until = self.since + span.duration();
                (now >= until).then_some(Ok(until))
            }
            StepKind::WaitSerial(_) => self.search().map(Ok),
            StepKind::WriteSerial(bytes) => {
                commands.push(Command::WriteSerial(bytes.clone()));
                Some(Ok(now))
            }
            StepKind::SetPin { gpio, level } => {
                commands.push(Command::SetPin {
                    gpio: *gpio,
                    level: *level,
                });
                self.pins.insert(*gpio, *level);
                Some(Ok(now))
            }
            StepKind::ExpectPin { gpio, level } => {
                // A pin that is not driven reads 0, as in Wokwi.
                let is = self.pins.get(gpio).copied().unwrap_or(false);
                let wrong = || format!("GPIO{gpio} is {}, expected {}", u8::from(is), u8::from(*level));
                Some(if is == *level { Ok(now) } else { Err(wrong()) })
            }
        }
    }

    /// Searches the text in the bytes that were kept.
    fn search(&mut self) -> Option<Instant> {
        let StepKind::WaitSerial(text) = &self.steps[self.current].kind else {
            return None;
        };
        let raw = holds_escape(Pattern::Text(text));
        let at = self.backlog.search(&mut self.wait, raw)?;
        self.wait.restart();
        Some(at.max(self.since))
    }

    /// Returns the changes of the steps' states since the last call.
    pub fn take_states(&mut self) -> Vec<(usize, StepState)> {
        std::mem::take(&mut self.states)
    }

    /// The moment at which [`StepRunner::poll`] can continue, if it is known.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.is_over() {
            return None;
        }
        match &self.steps[self.current].kind {
            StepKind::Delay(span) => Some(self.since + span.duration()),
            // Each of these steps is done as soon as it is the current one.
            StepKind::WriteSerial(_) | StepKind::SetPin { .. } | StepKind::ExpectPin { .. } => {
                Some(self.since)
            }
            StepKind::WaitSerial(_) => None,
        }
    }

    /// True if all steps are done.
    pub fn is_done(&self) -> bool {
        self.current >= self.steps.len()
    }

    /// True if a step failed; the steps after it are not executed.
    pub fn failed(&self) -> bool {
        self.failed
    }

    fn is_over(&self) -> bool {
        self.failed || self.is_done()
    }

    /// Ends the run at `now`: a step that is not done has failed.
    pub fn finish(&mut self, now: Instant) -> Vec<(usize, StepState)> {
        if !self.is_over() {
            let step = &self.steps[self.current];
            let mut message = format!("{step} was not done when the run ended at {now}");
            if let StepKind::WaitSerial(text) = &step.kind {
                for (_, line) in self.lines.flush() {
                    self.log.push(now, &line);
                }
                if let Some(nearest) = Near::new(Pattern::Text(text)).similar(&self.log) {
                    message.push_str(&format!("; the most similar line: {nearest}"));
                }
            }
            self.failed = true;
            self.states.push((self.current, StepState::Failed { message }));
        }
        self.take_states()
    }
}
