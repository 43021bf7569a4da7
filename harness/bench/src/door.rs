//! The door of a server on real sockets: what becomes of new connections while faults refuse or swallow them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use scenario::action::{Only, TrafficKind};

use crate::faults::Do;

/// What becomes of new connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Door {
    /// They are served.
    #[default]
    Open,
    /// They are reset.
    Refuses,
    /// They are taken, and never answered.
    Swallows,
}

/// The door and the faults that shut it, by their number in the plan.
#[derive(Debug, Default)]
pub(crate) struct Doorkeeper {
    refusing: RefCell<BTreeSet<usize>>,
    swallowing: RefCell<BTreeSet<usize>>,
    door: Cell<Door>,
}

impl Doorkeeper {
    /// What becomes of new connections.
    pub(crate) fn door(&self) -> Door {
        self.door.get()
    }

    /// Refuses new connections while the fault is in force.
    pub(crate) fn refuse(&self, wanted: &Do) {
        self.act(&self.refusing, wanted);
    }

    /// Swallows what comes while the fault is in force.
    pub(crate) fn swallow(&self, wanted: &Do) {
        self.act(&self.swallowing, wanted);
    }

    fn act(&self, by: &RefCell<BTreeSet<usize>>, wanted: &Do) {
        if wanted.on() {
            by.borrow_mut().insert(wanted.fault);
        } else {
            by.borrow_mut().remove(&wanted.fault);
        }
        self.door.set(
            match (
                self.swallowing.borrow().is_empty(),
                self.refusing.borrow().is_empty(),
            ) {
                (false, _) => Door::Swallows,
                (true, false) => Door::Refuses,
                (true, true) => Door::Open,
            },
        );
    }
}

/// Whether traffic to this server is what `only` means.
///
/// # Errors
/// What else it means.
pub(crate) fn meant(only: &Only, served_host: &str, served_port: u16) -> Result<(), String> {
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
