//! The one place where events appear.
//!
//! Whatever happens on the bench becomes an event here, in order: it is shown to the fault plan, which may want
//! something done, and kept for the expectations and the record. The service asks the recorder at each phase of
//! each request, *before* it goes on, so that a fault strikes exactly there.

use std::cell::RefCell;
use std::rc::Rc;

use http_service::{ActiveExchange, ConnId, Directive, Interposer, Service};
use scenario::Action;
use sim::Instant;
use vocabulary::{Event, Kind, Phase};

use crate::{Done, FaultPlan, Order, operator};

/// The events that nobody has taken yet, and the fault plan.
pub struct Recorder {
    fresh: Vec<Event>,
    faults: FaultPlan,
    /// What the fault plan wants done to the bench.
    orders: Vec<Order>,
    /// The device that operator actions are about.
    device: String,
}

/// A [`Recorder`] in the hands of the bench and of the service's connections, all in one thread.
pub type SharedRecorder = Rc<RefCell<Recorder>>;

impl Recorder {
    /// A recorder that shows events to `faults`, whose operator actions are about `device`.
    pub fn shared(faults: FaultPlan, device: String) -> SharedRecorder {
        Rc::new(RefCell::new(Recorder {
            fresh: Vec::new(),
            faults,
            orders: Vec::new(),
            device,
        }))
    }

    /// Something happened.
    pub fn tell(&mut self, at: Instant, kind: Kind) {
        let event = Event { at, kind };
        self.faults.observe(&event);
        self.fresh.push(event);
        self.collect(at);
    }

    /// Lets time pass for the fault plan.
    pub fn advance(&mut self, now: Instant) {
        self.faults.advance(now);
        self.collect(now);
    }

    /// Takes the reports of the fault plan as events, and what it wants done.
    fn collect(&mut self, now: Instant) {
        loop {
            let (states, orders) = self.faults.take();
            self.orders.extend(orders);
            if states.is_empty() {
                break;
            }
            for (name, state) in states {
                let event = Event {
                    at: now,
                    kind: Kind::Fault { name, state },
                };
                // A fault may be the trigger of another.
                self.faults.observe(&event);
                self.fresh.push(event);
            }
        }
    }

    /// What became of an order.
    pub fn confirm(&mut self, order: &Order, done: Done, now: Instant) {
        if let Done::Refused(text) = &done {
            self.tell(now, Kind::Note { text: text.clone() });
        }
        self.faults.confirm(order, done, now);
        self.collect(now);
    }

    /// Power has failed in the middle of a flash write.
    pub fn power_lost(&mut self, now: Instant) {
        self.faults.power_lost(now);
        self.collect(now);
    }

    /// Takes the events since the last call, in order.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.fresh)
    }

    /// The faults that never fired and were not declared optional, each with the reason why it had no effect, if it
    /// came.
    pub fn unfired(&self) -> Vec<(String, Option<String>)> {
        self.faults.unfired()
    }

    /// The plan.
    pub fn plan(&self) -> &FaultPlan {
        &self.faults
    }

    /// The plan, to be changed.
    pub fn plan_mut(&mut self) -> &mut FaultPlan {
        &mut self.faults
    }

    /// Takes what the fault plan wants done to the bench.
    pub fn take_orders(&mut self) -> Vec<Order> {
        std::mem::take(&mut self.orders)
    }

    /// Takes the facts of a service over into events.
    pub fn take_facts(&mut self, service: &mut dyn Service) {
        for (at, fact) in service.take_facts() {
            self.tell(at, fact.into());
        }
    }
}

/// The recorder as the service sees it.
pub struct AtTheService(pub SharedRecorder);

impl Interposer for AtTheService {
    fn at(
        &mut self,
        now: Instant,
        phase: Phase,
        exchange: &ActiveExchange,
        service: &mut dyn Service,
    ) -> Vec<Directive> {
        let mut recorder = self.0.borrow_mut();
        // What the service did so far comes before what it does now.
        recorder.take_facts(service);
        recorder.tell(
            now,
            Kind::Request {
                phase,
                exchange: exchange.record(phase),
            },
        );
        // What a fault does to the service it does at once, between this phase and the next.
        let device = recorder.device.clone();
        let (for_the_service, elsewhere): (Vec<Order>, _) = recorder
            .take_orders()
            .into_iter()
            .partition(|order| matches!(order.action, Action::Service(_)));
        recorder.orders = elsewhere;
        for order in for_the_service {
            if let Action::Service(action) = &order.action {
                let done = operator::operate(&order, action, now, service, &device);
                recorder.confirm(&order, done, now);
            }
        }
        let directives = recorder.faults.strike(now, phase, exchange, service);
        recorder.collect(now);
        directives
    }

    fn broke_off(&mut self, now: Instant, _: ConnId, what: &str) {
        let text = format!("the cloud got a bad request: {what}");
        self.0.borrow_mut().tell(now, Kind::Note { text });
    }
}
