//! Host code in place of the guest's boot ROM and radio library, behind one door for the run loop.
//!
//! The run loop owns a [`Services`], hands every [`rv32::Exit::Hook`] to [`Services::on_hook`], and asks
//! [`Services::deliver`] whether a call into the guest is due whenever it holds the hart (between two runs and
//! when the hart waits for an interrupt). While [`Services::wants_delivery`] is true and the guest has interrupts
//! disabled, runs should be short.

use sim::Instant;
use sim::air::{FromAir, ToAir};

use crate::guest::{GuestCpu, GuestMemory, HookSet, Outcome};

/// What there is to report about hooked functions. None is an error of the bench.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceEvent {
    /// A ROM function without a model was called; it returned 0.
    RomNotModelled {
        /// Its address.
        addr: u32,
        /// Its name in the vendor's linker script, if the address is the start of a function.
        name: Option<&'static str>,
        /// The return address of the call.
        caller: u32,
    },
}

/// What a hooked function may touch.
pub struct Context<'a> {
    /// Memory, devices and flash.
    pub mem: &'a mut dyn GuestMemory,
    /// True time.
    pub now: Instant,
}

/// The ROM, the radio driver and the calls into the guest. Plain data: a clone is a checkpoint.
#[derive(Clone, Debug)]
pub struct Services {
    hooks: HookSet,
}

impl Services {
    /// The addresses at which the run loop must stop. The bus keeps a clone for [`rv32::Bus::is_hook`].
    pub fn hooks(&self) -> &HookSet {
        &self.hooks
    }

    /// Carries out the hooked function at `cpu.pc()` and sets registers and pc for what comes next.
    pub fn on_hook(&mut self, _cpu: &mut dyn GuestCpu, _cx: Context<'_>) -> Outcome {
        Outcome::Continue
    }

    /// Whether a call into the guest waits to be delivered. Cheap.
    pub fn wants_delivery(&self) -> bool {
        false
    }

    /// Starts the next waiting call into the guest, if the guest is in a state in which an interrupt could be
    /// taken. True if registers and pc were changed: a hart that waited for an interrupt now runs.
    pub fn deliver(&mut self, _cpu: &mut dyn GuestCpu, _cx: Context<'_>) -> bool {
        false
    }

    /// When the radio next has something to do by itself.
    pub fn next_deadline(&self) -> Option<Instant> {
        None
    }

    /// Does what is due at `now`.
    pub fn poll(&mut self, _now: Instant) {}

    /// Something came from the air.
    pub fn receive(&mut self, _now: Instant, _message: FromAir) {}

    /// Takes what the station has sent to the air, oldest first.
    pub fn take_to_air(&mut self) -> Vec<ToAir> {
        Vec::new()
    }

    /// Takes the reports since the last call, oldest first.
    pub fn take_events(&mut self) -> Vec<ServiceEvent> {
        Vec::new()
    }

    /// The chip was reset (not powered off): the radio forgets everything; its access point hears
    /// [`ToAir::Vanish`].
    pub fn reset(&mut self) {}
}
