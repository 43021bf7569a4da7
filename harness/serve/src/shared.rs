//! What the running server and the control interface share, all in one thread.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use faults::{FaultsAtTheServer, LiveFaults, Served, SharedFaults, Standing};
use http_service::server::Admission;
use http_service::{ActiveExchange, ConnId, Directive, Interposer, Origin, Phase, Service, Shared};
use oceanremote::{Cloud, CloudConfig};
use scenario::Fault;
use serde_json::{Value, json};
use sim::Instant;
use tokio::sync::{Notify, watch};
use vocabulary::spec::ServiceSpec;

use crate::journal::Journal;
use crate::planned::ScenarioFault;
use crate::tls::TlsSwitch;

/// Faults that may be there at the same time.
const MOST_FAULTS: usize = 256;
/// How long what the cloud does by itself may go unnoticed.
const LONGEST_REST: Duration = Duration::from_millis(100);

/// Where a fault came from.
#[derive(Clone, Debug)]
enum Origins {
    /// From this place in the scenario.
    Scenario(String),
    /// Posted, as this JSON.
    Control(Value),
}

/// A fault that cannot be here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeftOut {
    pub(crate) name: String,
    pub(crate) position: String,
    pub(crate) why: String,
}

/// The shared state.
pub(crate) struct SharedState {
    pub(crate) origin: Shared,
    pub(crate) faults: SharedFaults,
    origins: RefCell<BTreeMap<String, Origins>>,
    left_out: Vec<LeftOut>,
    journal: RefCell<Journal>,
    /// The number of the last event, for those who wait.
    grown: watch::Sender<u64>,
    wake: Rc<Notify>,
    started: tokio::time::Instant,
    pub(crate) tls: Option<Rc<TlsSwitch>>,
    /// Requests of the control interface that wait for an event.
    pub(crate) waiting: Cell<usize>,
}

/// The faults as the cloud sees them; wakes whoever lets time pass.
struct Waking(FaultsAtTheServer, Rc<Notify>);

impl Interposer for Waking {
    fn at(
        &mut self,
        now: Instant,
        phase: Phase,
        exchange: &ActiveExchange,
        service: &mut dyn Service,
    ) -> Vec<Directive> {
        self.1.notify_one();
        self.0.at(now, phase, exchange, service)
    }

    fn broke_off(&mut self, now: Instant, conn: ConnId, what: &str) {
        self.1.notify_one();
        self.0.broke_off(now, conn, what);
    }
}

impl SharedState {
    /// The state of a server whose clock starts now.
    ///
    /// # Errors
    /// If the cloud's configuration cannot be.
    pub(crate) fn new(
        config: CloudConfig,
        served: Served,
        planned: Vec<ScenarioFault>,
        tls: Option<Rc<TlsSwitch>>,
    ) -> Result<Rc<SharedState>, oceanremote::CloudError> {
        let faults = LiveFaults::shared(served);
        let mut origins = BTreeMap::new();
        let mut left_out = Vec::new();
        for ScenarioFault { fault, position } in planned {
            let name = fault.name.value.clone();
            match faults.add(&fault) {
                Ok(()) => drop(origins.insert(name, Origins::Scenario(position))),
                Err(why) => left_out.push(LeftOut { name, position, why }),
            }
        }
        let wake = Rc::new(Notify::new());
        let plan = Waking(FaultsAtTheServer(faults.clone()), wake.clone());
        Ok(Rc::new(SharedState {
            origin: Origin::shared(Cloud::new(config)?, plan),
            faults,
            origins: RefCell::new(origins),
            left_out,
            journal: RefCell::default(),
            grown: watch::Sender::new(0),
            wake,
            started: tokio::time::Instant::now(),
            tls,
            waiting: Cell::new(0),
        }))
    }

    /// True time since the start.
    pub(crate) fn now(&self) -> Instant {
        Instant::ZERO + self.started.elapsed()
    }

    /// The description of the service.
    pub(crate) fn spec(&self) -> &'static ServiceSpec {
        self.origin.borrow().service.spec()
    }

    /// Does something to the cloud, with everything due before done before, and everything it leads to after.
    pub(crate) fn with_cloud<T>(&self, act: impl FnOnce(Instant, &mut Cloud) -> T) -> T {
        let now = self.now();
        self.settle_at(now);
        let done = act(now, self.origin.borrow_mut().get_mut::<Cloud>());
        self.settle_at(now);
        self.wake.notify_one();
        done
    }

    /// Does everything that is due, and writes the journal.
    pub(crate) fn settle(&self) {
        self.settle_at(self.now());
    }

    fn settle_at(&self, now: Instant) {
        let events = {
            let service = &mut self.origin.borrow_mut().service;
            service.advance(now);
            self.faults.advance(now, service.as_mut());
            self.faults.take_events()
        };
        if events.is_empty() {
            return;
        }
        let mut journal = self.journal.borrow_mut();
        events.iter().for_each(|event| journal.push(event));
        self.grown.send_replace(journal.last());
    }

    /// What becomes of a new connection.
    pub(crate) fn admission(&self) -> Admission {
        // A fault that begins or ends by the clock does so now, and not at the next look.
        self.settle();
        self.faults.admission()
    }

    /// Lets time pass, for ever.
    pub(crate) async fn live(&self) {
        loop {
            self.settle();
            let now = self.now();
            let due = [self.faults.next_due(), self.origin.borrow().service.next_due(now)];
            let rest = due
                .into_iter()
                .flatten()
                .min()
                .map_or(LONGEST_REST, |due| due.since(now));
            tokio::select! {
                // A moment that is due and does not come must not keep the processor busy.
                () = tokio::time::sleep(rest.clamp(Duration::from_millis(1), LONGEST_REST)) => {}
                () = self.wake.notified() => {}
            }
        }
    }

    /// A remark in the journal.
    pub(crate) fn note(&self, text: String) {
        let event = vocabulary::Event {
            at: self.now(),
            kind: vocabulary::Kind::Note { text },
        };
        let mut journal = self.journal.borrow_mut();
        journal.push(&event);
        self.grown.send_replace(journal.last());
    }

    /// Looks at the journal.
    pub(crate) fn with_journal<T>(&self, look: impl FnOnce(&Journal) -> T) -> T {
        look(&self.journal.borrow())
    }

    /// Tells the number of the last event whenever there is a new one.
    pub(crate) fn growth(&self) -> watch::Receiver<u64> {
        self.grown.subscribe()
    }

    /// The names of all faults.
    pub(crate) fn fault_names(&self) -> Vec<String> {
        self.faults.standings().into_iter().map(|s| s.name).collect()
    }

    /// The faults of the scenario that cannot be here.
    pub(crate) fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// Adds a fault that was posted.
    ///
    /// # Errors
    /// Why it cannot be here.
    pub(crate) fn add_fault(&self, fault: &Fault, written: Value) -> Result<(), String> {
        if self.faults.standings().len() >= MOST_FAULTS {
            return Err(format!("there are {MOST_FAULTS} faults already; remove some"));
        }
        self.faults.add(fault)?;
        self.origins
            .borrow_mut()
            .insert(fault.name.value.clone(), Origins::Control(written));
        self.settle();
        self.wake.notify_one();
        Ok(())
    }

    /// Removes a fault; false if there is none of this name.
    pub(crate) fn remove_fault(&self, name: &str) -> bool {
        let removed = self.with_cloud(|now, cloud| self.faults.remove(now, name, cloud));
        self.origins.borrow_mut().remove(name);
        removed
    }

    /// A fault as JSON; `None` if there is none of this name.
    pub(crate) fn fault(&self, name: &str) -> Option<Value> {
        let origins = self.origins.borrow();
        self.faults
            .standings()
            .iter()
            .find(|s| s.name == name)
            .map(|s| shown(s, origins.get(name)))
    }

    /// All faults as JSON, with those that cannot be here.
    pub(crate) fn all_faults(&self) -> Vec<Value> {
        let origins = self.origins.borrow();
        let standings = self.faults.standings();
        let here = standings.iter().map(|s| shown(s, origins.get(&s.name)));
        let left_out = self.left_out.iter().map(|f| {
            json!({"name": f.name, "state": "impossible", "fired": 0, "from": "scenario", "position": f.position,
                "why": f.why})
        });
        here.chain(left_out).collect()
    }
}

fn shown(standing: &Standing, origins: Option<&Origins>) -> Value {
    let state = match standing {
        Standing { active: true, .. } => "active",
        Standing { fired: 0, .. } => "armed",
        _ => "fired",
    };
    let mut value = json!({"name": standing.name, "state": state, "fired": standing.fired});
    match origins {
        Some(Origins::Scenario(position)) => {
            value["from"] = "scenario".into();
            value["position"] = position.as_str().into();
        }
        Some(Origins::Control(written)) => {
            value["from"] = "control".into();
            value["fault"] = written.clone();
        }
        None => {}
    }
    value
}
