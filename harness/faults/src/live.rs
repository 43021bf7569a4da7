//! The fault plan beside real sockets, where faults come and go while the server runs.
//!
//! Plan and recorder are those of a bench. There is no device, no radio and no network here: what is done to
//! them is refused before it is planned.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::rc::Rc;

use http_service::server::Admission;
use http_service::{ActiveExchange, ConnId, Directive, Interposer, Service};
use scenario::action::TlsFault;
use scenario::{Action, Fault, NetworkAction, Trigger};
use sim::Instant;
use vocabulary::{Event, Phase};

use crate::{
    AtTheService, Done, Effector, FaultPlan, NewConnections, Order, Recorder, SharedRecorder, Watcher, meant,
    operator,
};

/// Rounds in which one fault may be the trigger of the next before the rest waits for its turn.
const MOST_ROUNDS: usize = 64;

/// What is served.
#[derive(Clone, Debug)]
pub struct Served {
    /// The device that operator actions of faults are about.
    pub device: String,
    /// The cloud's host name in the scenario.
    pub host: String,
    /// The cloud's port in the scenario.
    pub port: u16,
    /// Whether it is served with TLS.
    pub tls: bool,
    /// Decides what probability decides.
    pub seed: u64,
}

/// Where a fault stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// How often it has fired.
    pub fired: u32,
    /// Whether it is in force at this moment.
    pub active: bool,
}

/// The faults of a server that runs, and the events that nobody has taken yet.
pub struct LiveFaults {
    recorder: SharedRecorder,
    served: Served,
    /// The names of the faults in the plan, in its order; `None` is a free place.
    names: RefCell<Vec<Option<String>>>,
    /// The same in the order in which they were added.
    order: RefCell<Vec<usize>>,
    connections: NewConnections,
    tls: Cell<Option<TlsFault>>,
}

/// [`LiveFaults`] in the hands of the server and of whoever adds faults, all in one thread.
pub type SharedFaults = Rc<LiveFaults>;

impl LiveFaults {
    /// No fault yet.
    pub fn shared(served: Served) -> SharedFaults {
        let plan = FaultPlan::new(&[], served.seed);
        Rc::new(LiveFaults {
            recorder: Recorder::shared(plan, served.device.clone()),
            served,
            names: RefCell::default(),
            order: RefCell::default(),
            connections: NewConnections::default(),
            tls: Cell::default(),
        })
    }

    /// Whether a fault can be at a server.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn possible(&self, fault: &Fault) -> Result<(), String> {
        self.sees(&fault.when.value)?;
        self.able(&fault.action.value)
    }

    /// Arms a fault; from now on its trigger counts.
    ///
    /// # Errors
    /// Why it cannot be here: see [`LiveFaults::possible`], or its name is taken.
    pub fn add(&self, fault: &Fault) -> Result<(), String> {
        self.possible(fault)?;
        let name = fault.name.value.clone();
        let mut names = self.names.borrow_mut();
        if names.iter().flatten().any(|taken| *taken == name) {
            return Err(format!("there is a fault `{name}` already"));
        }
        let free = names.iter().position(Option::is_none);
        let place = self.recorder.borrow_mut().plan_mut().put(free, fault);
        match free {
            Some(place) => names[place] = Some(name),
            None => names.push(Some(name)),
        }
        self.order.borrow_mut().push(place);
        Ok(())
    }

    /// Takes a fault away and its lasting effect back; false if there is none of this name.
    pub fn remove(&self, now: Instant, name: &str, service: &mut dyn Service) -> bool {
        let place = self
            .names
            .borrow()
            .iter()
            .position(|taken| taken.as_deref() == Some(name));
        let Some(place) = place else {
            return false;
        };
        self.recorder.borrow_mut().plan_mut().retire(place);
        // Its end is done before its place can be another's.
        self.advance(now, service);
        self.names.borrow_mut()[place] = None;
        self.order.borrow_mut().retain(|other| *other != place);
        true
    }

    /// Where each fault stands, in the order in which they were added.
    pub fn standings(&self) -> Vec<Standing> {
        let (names, recorder) = (self.names.borrow(), self.recorder.borrow());
        let standing = |place: &usize| {
            let name = names[*place].clone()?;
            let (fired, active) = recorder.plan().standing(*place);
            Some(Standing { name, fired, active })
        };
        self.order.borrow().iter().filter_map(standing).collect()
    }

    /// Lets time pass for the faults, and takes over what the cloud has written down.
    pub fn advance(&self, now: Instant, service: &mut dyn Service) {
        let mut recorder = self.recorder.borrow_mut();
        recorder.take_facts(service);
        recorder.advance(now);
        for _ in 0..MOST_ROUNDS {
            let orders = recorder.take_orders();
            if orders.is_empty() {
                break;
            }
            for order in orders {
                let mut server = Server {
                    faults: self,
                    service,
                };
                let Ok(done) = server.act(now, &order);
                recorder.confirm(&order, done, now);
            }
            recorder.take_facts(service);
        }
    }

    /// What becomes of new connections.
    pub fn admission(&self) -> Admission {
        self.connections.admission()
    }

    /// What is wrong with new TLS handshakes, if anything.
    pub fn tls(&self) -> Option<TlsFault> {
        self.tls.get()
    }

    /// When [`LiveFaults::advance`] has something to do next.
    pub fn next_due(&self) -> Option<Instant> {
        self.recorder.borrow().plan().next_due()
    }

    /// Takes the events since the last call, in order.
    pub fn take_events(&self) -> Vec<Event> {
        self.recorder.borrow_mut().take_events()
    }
}

impl LiveFaults {
    /// Whether an action can be done by a server.
    fn able(&self, action: &Action) -> Result<(), String> {
        let not_here = || {
            let name = action.name();
            Err(format!(
                "`{name}` is done to radio, network or device; a server alone cannot do it"
            ))
        };
        match action {
            Action::Request(_) | Action::Service(_) => Ok(()),
            Action::Network(NetworkAction::Refuse(only) | NetworkAction::Blackhole(only)) => {
                meant(only, &self.served.host, self.served.port)
            }
            Action::Tls(_) if self.served.tls => Ok(()),
            Action::Tls(_) => Err("`tls` needs a server that was started with --tls".to_owned()),
            Action::Network(
                NetworkAction::Link(_)
                | NetworkAction::Dhcp(_)
                | NetworkAction::Dns(_)
                | NetworkAction::CaptivePortal
                | NetworkAction::Ntp(_)
                | NetworkAction::NtpClock(_),
            )
            | Action::Radio(_)
            | Action::Device(_) => not_here(),
        }
    }
}

impl Watcher for LiveFaults {
    fn sees(&self, trigger: &Trigger) -> Result<(), String> {
        let what = match trigger {
            Trigger::After(after) => return self.sees(&after.trigger),
            Trigger::Time(_) | Trigger::Request(_) | Trigger::Fact(_) | Trigger::Fault(_) => {
                return Ok(());
            }
            Trigger::Serial(_) => "`serial`: the device's console",
            Trigger::Wifi(_) => "`wifi`: the radio's link",
            Trigger::Dhcp(_) => "`dhcp`: the device's network",
            Trigger::Dns(_) => "`dns`: the device's network",
            Trigger::Sntp(_) => "`sntp`: the device's network",
            Trigger::Pin(_) => "`pin`: the device's pins",
            Trigger::Reset(_) => "`reset`: the device",
        };
        Err(format!("{what} cannot be seen from a server"))
    }
}

/// A server with its cloud, as the effector of its faults.
struct Server<'a> {
    faults: &'a LiveFaults,
    service: &'a mut dyn Service,
}

impl Effector for Server<'_> {
    type Failure = Infallible;

    fn able(&self, action: &Action) -> Result<(), String> {
        self.faults.able(action)
    }

    fn act(&mut self, now: Instant, order: &Order) -> Result<Done, Infallible> {
        let faults = self.faults;
        match &order.action {
            Action::Service(action) => {
                return Ok(operator::operate(
                    order,
                    action,
                    now,
                    self.service,
                    &faults.served.device,
                ));
            }
            Action::Tls(fault) => faults.tls.set(order.value(*fault)),
            Action::Network(NetworkAction::Refuse(_)) => faults.connections.refuse(order),
            Action::Network(NetworkAction::Blackhole(_)) => faults.connections.swallow(order),
            Action::Network(
                NetworkAction::Link(_)
                | NetworkAction::Dhcp(_)
                | NetworkAction::Dns(_)
                | NetworkAction::CaptivePortal
                | NetworkAction::Ntp(_)
                | NetworkAction::NtpClock(_),
            )
            | Action::Radio(_)
            | Action::Device(_)
            | Action::Request(_) => {
                let name = order.action.name();
                return Ok(Done::Refused(format!("`{name}` cannot be done by a server")));
            }
        }
        Ok(Done::Changed)
    }
}

/// [`LiveFaults`] as the cloud sees them.
pub struct FaultsAtTheServer(pub SharedFaults);

impl Interposer for FaultsAtTheServer {
    fn at(
        &mut self,
        now: Instant,
        phase: Phase,
        exchange: &ActiveExchange,
        service: &mut dyn Service,
    ) -> Vec<Directive> {
        let mut directives = AtTheService(self.0.recorder.clone()).at(now, phase, exchange, service);
        // A silent firewall swallows what comes on connections that stand, too.
        if phase == Phase::FirstByte && self.0.admission() == Admission::Swallow {
            directives.push(Directive::Silence);
        }
        directives
    }

    fn broke_off(&mut self, now: Instant, conn: ConnId, what: &str) {
        AtTheService(self.0.recorder.clone()).broke_off(now, conn, what);
    }
}
