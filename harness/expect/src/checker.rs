//! Evaluation of all expectations of a scenario.

use std::fmt;

use scenario::expectation::{IntervalExpectation, PinExpectation, RequestsExpectation, StateExpectation};
use scenario::{
    Count, Expectation, ExpectationKind, Level as PinLevel, Located, Pattern, Scenario, SerialPattern,
    Trigger,
};
use sim::Instant;
use vocabulary::{Event, ExpectationResult, Kind, Phase};

use crate::happening::{Edges, Happening, RequestSubject, Subject, What};
use crate::interval::Interval;
use crate::judge::{Failure, Judge};
use crate::level::{Demand, Level, Signal, Value};
use crate::lines::LineAssembler;
use crate::moment::Moment;
use crate::nearest::{Log, Near};
use crate::occurrence::Occurrence;
use crate::order::{Entry, Ordered, Unordered};
use crate::rhythm::{Backoff, Rate};
use crate::secrets::NoSecrets;
use crate::serial::{Hit, SerialMatcher};
use crate::service::Service;
use crate::window::Window;

/// Evaluates the expectations of a scenario over the events of a run, which must be given in order.
///
/// Console output is taken only from [`Kind::SerialChunk`].
pub struct Checker {
    judges: Vec<Judged>,
    serial: SerialMatcher,
    lines: LineAssembler,
    log: Log,
    edges: Edges,
}

struct Judged {
    name: String,
    position: String,
    judge: Box<dyn Judge>,
    /// The moment at which it was known to have failed, whatever happens later.
    decided: Option<Instant>,
}

impl fmt::Debug for Checker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.judges.iter().map(|j| (&j.name, &j.judge)))
            .finish()
    }
}

impl Checker {
    /// A checker for the expectations of a scenario.
    pub fn new(scenario: &Scenario) -> Checker {
        let mut serial = SerialMatcher::new();
        let judges = scenario
            .expect
            .iter()
            .map(|e| Judged {
                name: e.title(),
                position: scenario.position(e.span),
                judge: judge(e, scenario, &mut serial),
                decided: None,
            })
            .collect();
        Checker {
            judges,
            serial,
            lines: LineAssembler::default(),
            log: Log::default(),
            edges: Edges::default(),
        }
    }

    /// Takes the next event of the run.
    pub fn observe(&mut self, event: &Event) {
        match &event.kind {
            Kind::SerialChunk { port, bytes } => {
                let hits = self.serial.feed(*port, bytes);
                self.completed(event.at, &hits);
                let lines = self.lines.push(*port, bytes);
                self.whole_lines(event.at, lines);
                return;
            }
            // No expectation uses these events.
            Kind::SerialLine { .. } | Kind::SerialInput { .. } | Kind::Frame { .. } | Kind::Unmodelled(_) => {
                return;
            }
            Kind::Reset { .. } | Kind::Power { on: false } => self.end_lines(event.at),
            Kind::Pin { .. } if !self.edges.is_news(&event.kind) => return,
            Kind::ScenarioStarted { .. }
            | Kind::Pin { .. }
            | Kind::Power { on: true }
            | Kind::GuestFault { .. }
            | Kind::Exited { .. }
            | Kind::Wifi(_)
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
            | Kind::ScenarioFinished { .. } => {}
        }
        self.show(&Happening {
            at: event.at,
            what: What::Event(event),
        });
    }

    /// Processes patterns that were completed, byte by byte.
    fn completed(&mut self, at: Instant, hits: &[Hit]) {
        for group in hits.chunk_by(|a, b| a.offset == b.offset) {
            let patterns: Vec<usize> = group.iter().map(|hit| hit.pattern).collect();
            self.show(&Happening {
                at,
                what: What::Serial(&patterns),
            });
        }
    }

    fn whole_lines(&mut self, at: Instant, lines: Vec<(vocabulary::SerialPort, String)>) {
        for (_, line) in lines {
            self.log.push(at, &line);
            self.show(&Happening {
                at,
                what: What::Line(&line),
            });
        }
    }

    /// Ends the lines of the consoles, because the device stopped.
    fn end_lines(&mut self, at: Instant) {
        let hits = self.serial.end_lines();
        self.completed(at, &hits);
        let lines = self.lines.flush();
        self.whole_lines(at, lines);
    }

    fn show(&mut self, h: &Happening<'_>) {
        for judged in &mut self.judges {
            judged.judge.observe(h);
        }
    }

    /// Advances time to `now`, after all events before it were given.
    pub fn advance(&mut self, now: Instant) {
        for judged in &mut self.judges {
            judged.judge.advance(now);
            if judged.decided.is_none() && judged.judge.decided().is_some() {
                judged.decided = Some(now);
            }
        }
    }

    /// The moment at which [`Checker::advance`] can decide an expectation. It is later than the last call's
    /// `now`.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.judges.iter().filter_map(|j| j.judge.deadline()).min()
    }

    /// The first expectation that has failed, whatever happens later.
    pub fn early_failure(&self) -> Option<ExpectationResult> {
        let decided = |(index, judged): (usize, &Judged)| {
            judged
                .judge
                .decided()
                .map(|failure| judged.result(index, Some(failure), Instant::ZERO))
        };
        self.judges.iter().enumerate().find_map(decided)
    }

    /// Ends the run and returns all results, in the order of the file.
    pub fn finish(&mut self, now: Instant) -> Vec<ExpectationResult> {
        self.end_lines(now);
        let log = &self.log;
        let judges = self.judges.iter_mut().enumerate();
        judges
            .map(|(index, judged)| {
                let failure = judged.judge.finish(now, log);
                judged.result(index, failure, now)
            })
            .collect()
    }
}

impl Judged {
    fn result(&self, index: usize, failure: Option<Failure>, now: Instant) -> ExpectationResult {
        ExpectationResult {
            index,
            name: self.name.clone(),
            held: failure.is_none(),
            message: failure.as_ref().map(|f| f.message.clone()).unwrap_or_default(),
            nearest: failure.and_then(|f| f.nearest),
            position: self.position.clone(),
            decided: self.decided.unwrap_or(now),
        }
    }
}

fn judge(e: &Expectation, scenario: &Scenario, serial: &mut SerialMatcher) -> Box<dyn Judge> {
    let counted = |count: &Option<Located<Count>>| count.map_or(Count::AT_LEAST_ONE, |c| c.value);
    match &e.kind {
        ExpectationKind::Serial(e) => Box::new(text(e.pattern(), counted(&e.count), e.window(), serial)),
        ExpectationKind::NoSerial(e) => Box::new(text(e.pattern(), Count::exactly(0), e.window(), serial)),
        ExpectationKind::SerialOrder(list) => Box::new(Ordered::new(entries(list, serial))),
        ExpectationKind::SerialAll(list) => Box::new(Unordered(entries(list, serial))),
        ExpectationKind::Event(e) => {
            let (name, subject) = subject(&e.of, serial);
            Box::new(Occurrence::new(
                name,
                subject,
                counted(&e.count),
                Window::new(e.window(), serial),
            ))
        }
        ExpectationKind::Interval(e) => Box::new(interval(e, serial)),
        ExpectationKind::Requests(e) => Box::new(requests(e, counted(&e.count), serial)),
        ExpectationKind::Rate(e) => {
            let (name, subject) = subject(&e.of, serial);
            Box::new(Rate::new(
                name,
                subject,
                e.max.value,
                e.per.duration(),
                Window::new(e.window(), serial),
            ))
        }
        ExpectationKind::Backoff(e) => {
            let (name, subject) = subject(&e.of, serial);
            let count = e.count.map_or(
                Count {
                    min: Some(3),
                    max: None,
                },
                |c| c.value,
            );
            let window = Window::new(e.window(), serial);
            Box::new(Backoff::new(
                name,
                subject,
                e.factor.value,
                e.up_to.duration(),
                count,
                window,
            ))
        }
        ExpectationKind::Pin(e) => Box::new(pin(e, serial)),
        ExpectationKind::State(e) => Box::new(state(e, serial)),
        ExpectationKind::Service(e) => Box::new(Service::new(e, serial)),
        ExpectationKind::NoSecrets(e) => Box::new(NoSecrets::new(&e.of, &scenario.bench)),
    }
}

fn text(
    pattern: Pattern<'_>,
    count: Count,
    window: scenario::Window<'_>,
    serial: &mut SerialMatcher,
) -> Occurrence {
    let subject = Subject::Serial(serial.add(pattern));
    let mut judge = Occurrence::new(
        format!("serial {pattern}"),
        subject,
        count,
        Window::new(window, serial),
    );
    judge.near = Near::new(pattern);
    judge
}

fn entries(list: &[Located<SerialPattern>], serial: &mut SerialMatcher) -> Vec<Entry> {
    let entry = |p: &Located<SerialPattern>, serial: &mut SerialMatcher| {
        Entry::new(
            p.pattern().to_string(),
            Subject::pattern(p, serial),
            Near::new(p.pattern()),
        )
    };
    list.iter().map(|p| entry(p, serial)).collect()
}

/// Name and subject of an expectation; the scenario's check has refused triggers that are times.
fn subject(of: &Located<Trigger>, serial: &mut SerialMatcher) -> (String, Subject) {
    let subject = Subject::new(&of.value, Phase::AfterEffect, serial);
    let subject = subject.unwrap_or_else(|| unreachable!("a checked expectation is about an event"));
    (of.value.to_string(), subject)
}

fn interval(e: &IntervalExpectation, serial: &mut SerialMatcher) -> Interval {
    Interval {
        from: Moment::new(&e.from.value, serial),
        to: Moment::new(&e.to.value, serial),
        to_follows: e.to.nth().is_none(),
        min: e.min.map(|m| m.duration()),
        max: e.max.map(|m| m.duration()),
        now: Instant::ZERO,
    }
}

fn requests(e: &RequestsExpectation, count: Count, serial: &mut SerialMatcher) -> Occurrence {
    let filter = e.filter();
    let subject = Subject::Request(RequestSubject {
        endpoint: filter.endpoint.cloned(),
        at: Some(filter.at.unwrap_or(Phase::AfterEffect)),
        status: filter.status,
        target: filter.target.map(str::to_owned),
        body: filter.body.map(str::to_owned),
    });
    Occurrence::new(
        filter.to_string(),
        subject,
        count,
        Window::new(e.window(), serial),
    )
}

fn pin(e: &PinExpectation, serial: &mut SerialMatcher) -> Level {
    let value = |level: PinLevel| Value::of_pin(level.is_high());
    let demand = match (e.level, &e.at, e.always, e.never) {
        (Some(level), Some(at), ..) => Demand::At(value(level), Box::new(Moment::new(&at.value, serial))),
        (_, _, Some(always), _) => Demand::Always(value(always)),
        (_, _, _, Some(never)) => Demand::Never(value(never)),
        _ => unreachable!("a checked pin expectation has one form"),
    };
    Level::new(Signal::Pin(e.gpio.value), demand, Window::new(e.window(), serial))
}

fn state(e: &StateExpectation, serial: &mut SerialMatcher) -> Level {
    let value = |state: &String| Value::State(state.clone());
    let demand = match (&e.is, &e.at, &e.always, &e.never, &e.time_in) {
        (Some(is), Some(at), ..) => Demand::At(value(is), Box::new(Moment::new(&at.value, serial))),
        (_, _, Some(always), ..) => Demand::Always(value(always)),
        (_, _, _, Some(never), _) => Demand::Never(value(never)),
        (.., Some(state)) => Demand::TimeIn(
            value(state),
            e.min.map(|m| m.duration()),
            e.max.map(|m| m.duration()),
        ),
        _ => unreachable!("a checked expectation of a state has one form"),
    };
    let signal = Signal::State {
        fact: e.fact,
        field: e.field,
    };
    Level::new(signal, demand, Window::new(e.window(), serial))
}
