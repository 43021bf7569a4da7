//! The plan: triggers, the order of actions, their end.
//!
//! A fault is armed until its trigger has come often enough; then it begins, lasts for its time if its action is one
//! that lasts, and ends. It counts as fired when its effect is there and not before: when the effector has carried its
//! order out, when a request was struck, when power has failed in the middle of a write. One that never fired is told so
//! at the end of the run.

mod changes;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use expect::Moments;
use http_service::{ActiveExchange, Directive, Service, able};
use scenario::quantity::Share;
use scenario::{Action, DeviceAction, Fault, Nature, RequestAction, Trigger};
use sim::{EventQueue, Instant, Rng};
use vocabulary::{Endpoint, Event, FaultState, Phase};

use crate::{Done, Order, Turn, requests};

/// Requests that may be marked to be struck later; the oldest is forgotten.
const MOST_MARKED: usize = 64;

/// Where one fault stands.
#[derive(Debug)]
struct Armed {
    name: String,
    action: Action,
    nature: Nature,
    lasts: Option<Duration>,
    /// Which requests it strikes while it lasts.
    endpoint: Option<Endpoint>,
    /// At which phase it does.
    phase: Phase,
    /// It strikes the request that triggered it and no other.
    single: bool,
    moments: Moments,
    /// Occurrences so far.
    seen: u32,
    /// The first occurrence at which it fires.
    nth: u32,
    /// How often it may begin in all; `None` without end.
    times: Option<u32>,
    /// It begins at every so many occurrences from `nth` on.
    every: u32,
    probability: Option<Share>,
    optional: bool,
    begun: u32,
    fired: u32,
    /// It is in force.
    active: bool,
    /// It has struck since it began.
    struck: bool,
    /// It waits for a flash write in which power fails.
    waits_for_write: bool,
    /// Why it had no effect when it came last.
    idle: Option<String>,
}

/// What is due.
#[derive(Clone, Copy, Debug)]
enum Due {
    /// A fault ends.
    End(usize),
}

/// The fault plan of a run.
#[derive(Debug)]
pub struct FaultPlan {
    faults: Vec<Armed>,
    due: EventQueue<Due>,
    rng: Rng,
    states: Vec<(String, FaultState)>,
    orders: Vec<Order>,
    /// Faults that strike the request at hand.
    strikes: Vec<usize>,
    /// Requests, by number, whose reply will be struck.
    marked: BTreeMap<u64, Vec<usize>>,
    marks: VecDeque<u64>,
}

impl Armed {
    fn new(f: &Fault) -> Armed {
        let repeat = f.repeat.as_ref().map(|r| r.value);
        let nature = f.action.nature();
        let request = if let Trigger::Request(request) = &f.when.value {
            Some(request)
        } else {
            None
        };
        let lasts = f.lasts.map(|l| l.duration()).or(f.action.usual_length());
        Armed {
            name: f.name.value.clone(),
            action: f.action.value.clone(),
            nature,
            lasts,
            endpoint: f.endpoint.clone().or(request.and_then(|r| r.endpoint.clone())),
            phase: match request {
                _ if f.action.is_on_the_way_in() => Phase::FirstByte,
                Some(request) => request.at.unwrap_or(Phase::BeforeEffect),
                None => on_requests(&f.action).map_or(Phase::BeforeEffect, requests::phase),
            },
            single: request.is_some() && f.lasts.is_none(),
            moments: Moments::new(&f.when.value, repeat.and_then(|r| r.interval)),
            seen: 0,
            nth: f.when.nth().unwrap_or(1),
            times: match repeat {
                Some(repeat) => repeat.times,
                None => Some(1),
            },
            every: repeat.and_then(|r| r.every).unwrap_or(1).max(1),
            probability: f.probability,
            optional: f.optional,
            begun: 0,
            fired: 0,
            active: false,
            struck: false,
            waits_for_write: false,
            idle: None,
        }
    }

    fn on_requests(&self) -> Option<&RequestAction> {
        on_requests(&self.action)
    }

    fn may_begin(&self) -> bool {
        !self.waits_for_write && self.times.is_none_or(|times| self.begun < times)
    }
}

/// The action on requests, if it is one.
fn on_requests(action: &Action) -> Option<&RequestAction> {
    match action {
        Action::Request(action) => Some(action),
        Action::Radio(_) | Action::Network(_) | Action::Tls(_) | Action::Service(_) | Action::Device(_) => {
            None
        }
    }
}

impl FaultPlan {
    /// The plan of these faults; what probability decides comes from the seed.
    pub fn new(faults: &[Fault], seed: u64) -> FaultPlan {
        FaultPlan {
            faults: faults.iter().map(Armed::new).collect(),
            due: EventQueue::new(),
            rng: Rng::stream(seed, "faults"),
            states: Vec::new(),
            orders: Vec::new(),
            strikes: Vec::new(),
            marked: BTreeMap::new(),
            marks: VecDeque::new(),
        }
    }

    /// Shows an event to the triggers.
    pub fn observe(&mut self, event: &Event) {
        for i in 0..self.faults.len() {
            let occurred = self.faults[i].moments.observe(event);
            self.occurred(i, occurred, event.at);
        }
    }

    /// Lets time pass: triggers by the clock, and ends.
    pub fn advance(&mut self, now: Instant) {
        while let Some((_, Due::End(i))) = self.due.pop_due(now) {
            self.end(i);
        }
        for i in 0..self.faults.len() {
            let occurred = self.faults[i].moments.advance(now);
            self.occurred(i, occurred, now);
        }
    }

    /// When [`advance`](Self::advance) has something to do next.
    pub fn next_due(&self) -> Option<Instant> {
        let by_clock = self
            .faults
            .iter()
            .filter(|f| f.may_begin())
            .filter_map(|f| f.moments.next_due());
        by_clock.chain(self.due.next_due()).min()
    }

    /// Takes what became of faults, and what is to be done to the bench, since the last call.
    pub fn take(&mut self) -> (Vec<(String, FaultState)>, Vec<Order>) {
        (std::mem::take(&mut self.states), std::mem::take(&mut self.orders))
    }

    /// The faults that were planned, never fired, and were not declared optional, each with the reason why it had no
    /// effect, if it came.
    pub fn unfired(&self) -> Vec<(String, Option<String>)> {
        self.faults
            .iter()
            .filter(|f| f.fired == 0 && !f.optional)
            .map(|f| (f.name.clone(), f.idle.clone()))
            .collect()
    }

    /// An order was carried out, or not: a fault whose effect is there has fired.
    pub fn confirm(&mut self, order: &Order, done: Done, at: Instant) {
        if order.turn != Turn::Begin {
            return;
        }
        let i = order.fault;
        match done {
            Done::Changed => {}
            Done::Nothing(why) | Done::Refused(why) => return self.without_effect(i, why),
        }
        if matches!(&self.faults[i].action, Action::Device(DeviceAction::PowerCut(cut)) if cut.flash_write_byte.is_some())
        {
            self.faults[i].waits_for_write = true;
            return;
        }
        self.fired(i, at);
    }

    /// Power has failed by itself, in the middle of a flash write.
    pub fn power_lost(&mut self, at: Instant) {
        if let Some(i) = self.faults.iter().position(|f| f.waits_for_write) {
            self.faults[i].waits_for_write = false;
            self.fired(i, at);
        }
    }

    /// Strikes a request that has reached a phase; to be called after the request was shown as an event.
    pub fn strike(
        &mut self,
        now: Instant,
        phase: Phase,
        exchange: &ActiveExchange,
        service: &dyn Service,
    ) -> Vec<Directive> {
        // At the first byte, a fault that names no endpoint has struck before the endpoint was known.
        let named_late = phase == Phase::FirstByte && exchange.named_late;
        let means = |wanted: &Option<Endpoint>| match wanted {
            None => !named_late,
            Some(wanted) => exchange.endpoint == Some(wanted.name()),
        };
        let mut hits = self.marked_for(exchange.id, phase);
        hits.append(&mut self.strikes);
        for (i, f) in self.faults.iter().enumerate() {
            let in_force = f.active && f.nature == Nature::OnRequests && !f.single;
            if in_force && f.phase == phase && means(&f.endpoint) && !hits.contains(&i) {
                hits.push(i);
            }
        }
        // What changes a reply waits for it.
        if phase < Phase::AfterEffect {
            let (later, now): (Vec<_>, Vec<_>) = hits
                .into_iter()
                .partition(|i| self.faults[*i].on_requests().is_some_and(requests::is_late));
            self.mark(exchange.id, later);
            hits = now;
        }
        let struck: Vec<(usize, RequestAction)> = hits
            .into_iter()
            .filter_map(|i| Some((i, self.faults[i].on_requests()?.clone())))
            .collect();
        let mut actions: Vec<&RequestAction> = Vec::new();
        for (i, action) in &struck {
            let alone = requests::directives(&[action], now, exchange, service);
            if !alone.iter().all(|directive| able(phase, directive)) {
                self.without_effect(*i, "it comes too late in the life of the request".to_owned());
                continue;
            }
            match requests::changes(action, now, exchange, service) {
                Ok(()) => self.struck(*i),
                Err(why) => self.without_effect(*i, why),
            }
            actions.push(action);
        }
        requests::directives(&actions, now, exchange, service)
    }

    fn mark(&mut self, exchange: u64, faults: Vec<usize>) {
        if faults.is_empty() {
            return;
        }
        self.marked.entry(exchange).or_default().extend(faults);
        self.marks.push_back(exchange);
        if self.marks.len() > MOST_MARKED
            && let Some(old) = self.marks.pop_front()
        {
            self.marked.remove(&old);
        }
    }

    fn marked_for(&mut self, exchange: u64, phase: Phase) -> Vec<usize> {
        if phase < Phase::AfterEffect {
            Vec::new()
        } else {
            self.marked.remove(&exchange).unwrap_or_default()
        }
    }

    /// A fault came and changed nothing.
    fn without_effect(&mut self, i: usize, why: String) {
        let fault = &mut self.faults[i];
        fault.idle = Some(why);
        self.states.push((fault.name.clone(), FaultState::WithoutEffect));
    }

    /// A request was struck.
    fn struck(&mut self, i: usize) {
        let fault = &mut self.faults[i];
        let name = fault.name.clone();
        if fault.single {
            fault.fired += 1;
            self.states
                .extend([(name.clone(), FaultState::Fired), (name, FaultState::Ended)]);
        } else if !fault.struck {
            fault.struck = true;
            fault.fired += 1;
            self.states.push((name, FaultState::Fired));
        }
    }

    fn occurred(&mut self, i: usize, times: u32, at: Instant) {
        for _ in 0..times {
            let fault = &mut self.faults[i];
            fault.seen = fault.seen.saturating_add(1);
            let on_beat = fault.seen >= fault.nth && (fault.seen - fault.nth).is_multiple_of(fault.every);
            if !on_beat || !fault.may_begin() {
                continue;
            }
            if let Some(share) = fault.probability
                && !self.rng.chance(u64::from(share.ppm), 1_000_000)
            {
                continue;
            }
            self.begin(i, at);
        }
    }

    fn begin(&mut self, i: usize, at: Instant) {
        let fault = &mut self.faults[i];
        if fault.nature != Nature::OnRequests {
            // What is in force already goes on; its end moves.
            fault.begun += 1;
            let action = fault.action.clone();
            self.orders.push(Order {
                fault: i,
                action,
                turn: Turn::Begin,
                lasts: fault.lasts,
            });
            return;
        }
        fault.begun += 1;
        if fault.single {
            self.strikes.push(i);
            return;
        }
        (fault.active, fault.struck) = (true, false);
        if let Some(lasts) = fault.lasts {
            self.end_at(i, at + lasts);
        }
    }

    fn fired(&mut self, i: usize, at: Instant) {
        let fault = &mut self.faults[i];
        fault.fired += 1;
        self.states.push((fault.name.clone(), FaultState::Fired));
        if fault.nature == Nature::Once {
            self.states.push((fault.name.clone(), FaultState::Ended));
            return;
        }
        fault.active = true;
        if let Some(lasts) = fault.lasts {
            self.end_at(i, at + lasts);
        }
    }

    fn end_at(&mut self, i: usize, at: Instant) {
        self.due.retain(|Due::End(other)| *other != i);
        self.due.push(at, Due::End(i));
    }

    fn end(&mut self, i: usize) {
        let fault = &mut self.faults[i];
        if !std::mem::take(&mut fault.active) {
            return;
        }
        if fault.nature == Nature::OnRequests {
            if fault.struck {
                self.states.push((fault.name.clone(), FaultState::Ended));
            }
            return;
        }
        self.states.push((fault.name.clone(), FaultState::Ended));
        self.orders.push(Order {
            fault: i,
            action: fault.action.clone(),
            turn: Turn::End,
            lasts: fault.lasts,
        });
        // What another fault has set in the meantime is set again.
        let Some(what) = self.faults[i].action.sets() else {
            return;
        };
        let mut standing = self
            .faults
            .iter()
            .enumerate()
            .filter(|(_, f)| f.active && f.nature == Nature::Lasting);
        let same = standing.rfind(|(_, f)| f.action.sets().as_ref() == Some(&what));
        if let Some((j, other)) = same {
            self.orders.push(Order {
                fault: j,
                action: other.action.clone(),
                turn: Turn::Again,
                lasts: other.lasts,
            });
        }
    }
}

#[cfg(test)]
#[path = "plan/tests.rs"]
mod tests;
