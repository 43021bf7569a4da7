//! What becomes of new connections to a server on real sockets while faults refuse or swallow them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use http_service::server::Admission;
use scenario::action::{Only, TrafficKind};

use crate::Order;

/// What becomes of new connections, by the faults in force. Each is known by its place in the plan.
#[derive(Debug)]
pub struct NewConnections {
    refusing: RefCell<BTreeSet<usize>>,
    swallowing: RefCell<BTreeSet<usize>>,
    admission: Cell<Admission>,
}

impl Default for NewConnections {
    fn default() -> NewConnections {
        NewConnections {
            refusing: RefCell::default(),
            swallowing: RefCell::default(),
            admission: Cell::new(Admission::Serve),
        }
    }
}

impl NewConnections {
    /// What becomes of a connection that comes now.
    pub fn admission(&self) -> Admission {
        self.admission.get()
    }

    /// Refuses new connections while the fault is in force.
    pub fn refuse(&self, order: &Order) {
        self.act(&self.refusing, order);
    }

    /// Swallows what comes while the fault is in force.
    pub fn swallow(&self, order: &Order) {
        self.act(&self.swallowing, order);
    }

    fn act(&self, by: &RefCell<BTreeSet<usize>>, order: &Order) {
        if order.on() {
            by.borrow_mut().insert(order.fault);
        } else {
            by.borrow_mut().remove(&order.fault);
        }
        let swallowing = !self.swallowing.borrow().is_empty();
        let refusing = !self.refusing.borrow().is_empty();
        self.admission.set(match (swallowing, refusing) {
            (true, true | false) => Admission::Swallow,
            (false, true) => Admission::Refuse,
            (false, false) => Admission::Serve,
        });
    }
}

/// Whether traffic to this server is what `only` means.
///
/// # Errors
/// What else it means.
pub fn meant(only: &Only, served_host: &str, served_port: u16) -> Result<(), String> {
    let host = only
        .host
        .as_ref()
        .is_none_or(|host| host.eq_ignore_ascii_case(served_host));
    let port = only.port.as_ref().is_none_or(|port| port.value == served_port);
    if host && port && only.protocol.is_none_or(|protocol| protocol == TrafficKind::Tcp) {
        return Ok(());
    }
    Err(format!(
        "it means other traffic than TCP to {served_host}, port {served_port}, which is all that a server sees"
    ))
}
