//! Carrying out the steps of a scenario.

use std::collections::{BTreeMap, VecDeque};

use scenario::{Pattern, Scenario, Step, StepKind};
use sim::Instant;
use vocabulary::text::EscapeFilter;
use vocabulary::{Event, Kind, StepState};

use crate::automaton::Literal;
use crate::lines::LineAssembler;
use crate::nearest::{Log, Near};
use crate::serial::holds_escape;

/// Most bytes of the console that wait for a `wait-serial` to come; the oldest are dropped.
const MAX_BACKLOG: usize = 1 << 20;

/// What a step wants done to the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Type these bytes into the console.
    WriteSerial(Vec<u8>),
    /// Drive a pin from outside.
    SetPin {
        /// GPIO number.
        gpio: u8,
        /// True is high.
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

    /// Takes bytes until `wanted` is there, and gives the time of the last one. Escape sequences are no part of the
    /// text, unless `raw`.
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
/// `wait-serial` looks at the console's bytes from the end of the previous match on, so that what came during a
/// `delay` is found. A step has no timeout of its own: the run's end fails it.
#[derive(Debug)]
pub struct StepRunner {
    steps: Vec<Step>,
    current: usize,
    started: bool,
    failed: bool,
    /// When the step before the current one was done.
    since: Instant,
    wait: Literal,
    backlog: Backlog,
    pins: BTreeMap<u8, bool>,
    states: Vec<(usize, StepState)>,
    lines: LineAssembler,
    log: Log,
}

impl StepRunner {
    /// For a scenario.
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

    /// Something happened.
    pub fn observe(&mut self, event: &Event) {
        match &event.kind {
            Kind::SerialChunk { port, bytes } if !self.is_over() => {
                for (_, line) in self.lines.push(*port, bytes) {
                    self.log.push(event.at, &line);
                }
                self.backlog.push(event.at, bytes);
            }
            Kind::Pin { gpio, level } => {
                match level {
                    Some(level) => self.pins.insert(*gpio, *level),
                    None => self.pins.remove(gpio),
                };
            }
            _ => {}
        }
    }

    /// Goes on as far as possible: every event up to `now` was shown. Gives what is to be done, in order.
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

    /// `None`: not yet. Otherwise when it was done, or why it failed.
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
                // A pin that nothing drives reads 0, as with Wokwi.
                let is = self.pins.get(gpio).copied().unwrap_or(false);
                let wrong = || format!("GPIO{gpio} is {}, expected {}", u8::from(is), u8::from(*level));
                Some(if is == *level { Ok(now) } else { Err(wrong()) })
            }
        }
    }

    /// Looks for the text in the bytes that wait.
    fn search(&mut self) -> Option<Instant> {
        let StepKind::WaitSerial(text) = &self.steps[self.current].kind else {
            return None;
        };
        let raw = holds_escape(Pattern::Text(text));
        let at = self.backlog.search(&mut self.wait, raw)?;
        self.wait.restart();
        Some(at.max(self.since))
    }

    /// Takes what became of steps since the last call.
    pub fn take_states(&mut self) -> Vec<(usize, StepState)> {
        std::mem::take(&mut self.states)
    }

    /// When [`StepRunner::poll`] can go on, if that is only a matter of time.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.is_over() {
            return None;
        }
        match &self.steps[self.current].kind {
            StepKind::Delay(span) => Some(self.since + span.duration()),
            // Each of these is done as soon as it is its turn.
            StepKind::WriteSerial(_) | StepKind::SetPin { .. } | StepKind::ExpectPin { .. } => {
                Some(self.since)
            }
            StepKind::WaitSerial(_) => None,
        }
    }

    /// Whether all steps are done.
    pub fn is_done(&self) -> bool {
        self.current >= self.steps.len()
    }

    /// Whether a step failed; the steps after it are not carried out.
    pub fn failed(&self) -> bool {
        self.failed
    }

    fn is_over(&self) -> bool {
        self.failed || self.is_done()
    }

    /// The run is over at `now`: a step that is not done has failed.
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
