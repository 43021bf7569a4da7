//! The one place where events appear.
//!
//! Whatever happens on the bench becomes an event here, in order: it is shown to the fault plan, which may want
//! something done, and kept for the expectations and the record. The cloud asks the hub at each phase of each
//! request, *before* it goes on, so that a fault strikes exactly there.

use std::cell::RefCell;
use std::rc::Rc;

use oceanremote::{Cloud, Directive, Interposer, Phase};
use scenario::Action;
use sim::Instant;
use vocabulary::{Event, Kind};

use crate::faults::{Do, FaultPlan};
use crate::translate;

/// Events that nobody has judged yet, and the fault plan.
pub(crate) struct Hub {
    fresh: Vec<Event>,
    pub(crate) faults: FaultPlan,
    /// What the fault plan wants done to the bench.
    wanted: Vec<Do>,
    /// The device that operator actions are about.
    device: String,
}

/// A hub in the hands of the bench and of the cloud's connections, all in one thread.
pub(crate) type SharedHub = Rc<RefCell<Hub>>;

impl Hub {
    pub(crate) fn shared(faults: FaultPlan, device: String) -> SharedHub {
        Rc::new(RefCell::new(Hub {
            fresh: Vec::new(),
            faults,
            wanted: Vec::new(),
            device,
        }))
    }

    /// Something happened.
    pub(crate) fn tell(&mut self, at: Instant, kind: Kind) {
        let event = Event { at, kind };
        self.faults.observe(&event);
        self.fresh.push(event);
        self.collect(at);
    }

    /// Lets time pass for the fault plan.
    pub(crate) fn advance(&mut self, now: Instant) {
        self.faults.advance(now);
        self.collect(now);
    }

    /// Takes the reports of the fault plan as events, and what it wants done.
    fn collect(&mut self, now: Instant) {
        loop {
            let (states, wanted) = self.faults.take();
            self.wanted.extend(wanted);
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

    /// What a fault wanted has been done.
    pub(crate) fn confirm(&mut self, done: &Do, now: Instant) {
        self.faults.confirm(done, now);
        self.collect(now);
    }

    /// Power has failed in the middle of a flash write.
    pub(crate) fn power_lost(&mut self, now: Instant) {
        self.faults.power_lost(now);
        self.collect(now);
    }

    /// Takes the events since the last call, in order.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.fresh)
    }

    /// The names of the faults that never fired and were not declared optional.
    pub(crate) fn never_fired(&self) -> Vec<String> {
        self.faults.never_fired().map(str::to_owned).collect()
    }

    /// Takes what the fault plan wants done to the bench.
    pub(crate) fn take_wanted(&mut self) -> Vec<Do> {
        std::mem::take(&mut self.wanted)
    }

    /// Takes the journal of the cloud over into events.
    pub(crate) fn take_journal(&mut self, cloud: &mut Cloud) {
        for entry in cloud.take_journal() {
            if let Some(kind) = translate::journal(&entry.event) {
                self.tell(entry.at, kind);
            }
        }
    }
}

/// The hub as the cloud sees it.
pub(crate) struct AtTheCloud(pub(crate) SharedHub);

impl Interposer for AtTheCloud {
    fn at(
        &mut self,
        now: Instant,
        phase: Phase,
        exchange: &oceanremote::Exchange,
        cloud: &mut Cloud,
    ) -> Vec<Directive> {
        let mut hub = self.0.borrow_mut();
        // What the cloud did so far comes before what it does now.
        hub.take_journal(cloud);
        hub.tell(now, translate::exchange(phase, exchange));
        // What a fault does to the cloud it does at once, between this phase and the next.
        let device = hub.device.clone();
        let (at_the_cloud, elsewhere): (Vec<Do>, _) = hub
            .take_wanted()
            .into_iter()
            .partition(|wanted| matches!(wanted.action, Action::Service(_)));
        hub.wanted = elsewhere;
        for wanted in at_the_cloud {
            if let Action::Service(action) = &wanted.action {
                match wanted.at_the_cloud(action, now, cloud, &device) {
                    Ok(()) => hub.confirm(&wanted, now),
                    Err(why) => hub.tell(now, Kind::Note { text: why }),
                }
            }
        }
        let directives = hub.faults.strike(now, phase, exchange, cloud);
        hub.collect(now);
        directives
    }
}
