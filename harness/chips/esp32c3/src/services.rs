//! Host code in place of the guest's boot ROM and radio library, as one interface for the run loop.
//!
//! The run loop owns a [`Services`] and passes every [`rv32::Exit::Hook`] to [`Services::on_hook`]. Whenever
//! it has the hart (between two runs and when the hart waits for an interrupt) it calls [`Services::deliver`]
//! to start a call into the guest that is due. While [`Services::wants_delivery`] is true and the guest has
//! interrupts disabled, runs should be short.

use std::sync::Arc;

use sim::Instant;
use sim::air::{FromAir, Mac, ToAir};

use crate::calls::{Calls, CannotCall, GuestCall};
use crate::guest::{GuestCpu, GuestMemory, HookSet, Outcome, RETURN_PADS, ROM, reg};
use crate::radio::{Radio, Step, Then};
use crate::rom::Rom;
use crate::rom::call::{Call, Fault, Reply, Served};
use crate::rom::system::INTERRUPT_HANDLERS;
pub use crate::service_event::ServiceEvent;
use image::Firmware;
use image::SymbolTable;

/// Access to the chip for a hooked function.
pub struct Context<'a> {
    /// Memory, devices and flash.
    pub mem: &'a mut dyn GuestMemory,
    /// Simulated time of the call.
    pub now: Instant,
}

/// State of ROM, radio driver and calls into the guest. A clone is a checkpoint.
#[derive(Clone, Debug)]
pub struct Services {
    hooks: HookSet,
    symbols: Arc<SymbolTable>,
    panic_entry: Option<u32>,
    rom: Rom,
    radio: Radio,
    calls: Calls<Then>,
    events: Vec<ServiceEvent>,
}

impl Services {
    /// The services for a firmware: finds by symbol the functions that the host carries out.
    pub fn new(firmware: &Firmware) -> Services {
        let symbols = Arc::clone(&firmware.symbols);
        let radio = Radio::new(&symbols);
        // Rust's entry of the panic handler; its mangled name ends so in every compiler version.
        let panic_entry = symbols
            .iter()
            .find(|s| s.is_function && s.name.ends_with("rust_begin_unwind"))
            .map(|s| s.addr);
        Services {
            hooks: HookSet::new(radio.addresses().chain(panic_entry).collect()),
            symbols,
            panic_entry,
            rom: Rom::default(),
            radio,
            calls: Calls::default(),
            events: Vec::new(),
        }
    }

    /// The addresses at which the run loop must stop. The bus keeps a clone for [`rv32::Bus::is_hook`], and takes
    /// a fresh one at each reset.
    pub fn hooks(&self) -> &HookSet {
        &self.hooks
    }

    /// Carries out the hooked function at `cpu.pc()` and sets registers and pc for what comes next.
    pub fn on_hook(&mut self, cpu: &mut dyn GuestCpu, cx: Context<'_>) -> Outcome {
        let pc = cpu.pc();
        if RETURN_PADS.contains(&pc) {
            self.on_return(cpu, cx)
        } else if ROM.contains(&pc) {
            let served = self
                .rom
                .serve(&mut Call::new(cpu, cx.mem, cx.now), &mut self.events);
            finish(cpu, served)
        } else if self.radio.has_function(pc) {
            let step = self.radio.serve(&mut Call::new(cpu, cx.mem, cx.now));
            self.take_step(cpu, cx.mem, step)
        } else {
            if self.panic_entry == Some(pc) {
                let backtrace = crate::backtrace::capture(cpu, cx.mem, &self.symbols);
                self.events.push(ServiceEvent::Panicked { backtrace });
            }
            Outcome::Unhook(pc)
        }
    }

    /// True if a call into the guest waits to be delivered. This is a cheap check.
    pub fn wants_delivery(&self) -> bool {
        self.radio.wants_delivery()
    }

    /// Starts the next waiting call into the guest, if the guest could take an interrupt now. Returns true if
    /// registers and pc were changed: a hart that waited for an interrupt must run again.
    pub fn deliver(&mut self, cpu: &mut dyn GuestCpu, cx: Context<'_>) -> bool {
        if !self.radio.wants_delivery() || !self.calls.may_interrupt(cpu) {
            return false;
        }
        let next = self.radio.next_delivery(&mut Call::new(cpu, cx.mem, cx.now));
        let Some((call, then)) = next else { return false };
        let sp = cpu.x(reg::SP);
        if self.calls.begin(cpu, cx.mem, &call, true, then).is_err() {
            self.events.push(ServiceEvent::CallFailed {
                function: call.function,
                sp,
            });
            return false;
        }
        true
    }

    /// The moment at which the radio next acts by itself, `None` if it is idle.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.radio.next_deadline()
    }

    /// Does what is due at `now`.
    pub fn poll(&mut self, now: Instant) {
        self.radio.poll(now);
    }

    /// Takes a message from the access point.
    pub fn receive(&mut self, now: Instant, message: FromAir) {
        self.radio.receive(now, message);
    }

    /// Returns what the station has sent to the air since the last call, oldest first.
    pub fn take_to_air(&mut self) -> Vec<ToAir> {
        self.radio.take_to_air()
    }

    /// The station's MAC address; zeros before the driver is initialised.
    pub fn station_mac(&self) -> Mac {
        self.radio.mac()
    }

    /// Returns the events since the last call, oldest first.
    pub fn take_events(&mut self) -> Vec<ServiceEvent> {
        self.events.append(&mut self.radio.events);
        std::mem::take(&mut self.events)
    }

    /// Resets all state after a reset or loss of power; only events that have not been taken stay. The access
    /// point of a connected station receives [`ToAir::Vanish`].
    pub fn reset(&mut self) {
        self.rom = Rom::default();
        self.radio.reset();
        self.calls = Calls::default();
    }

    /// The hart has taken interrupt `line` with the ROM's vectors: calls the handler that the guest has
    /// attached; after it execution continues at `interrupted`. False if there is no handler.
    pub(crate) fn interrupt(&mut self, cpu: &mut dyn GuestCpu, mem: &mut dyn GuestMemory, line: u32) -> bool {
        let entry = INTERRUPT_HANDLERS + 8 * (line & 31);
        let handler = mem.read_u32(entry).unwrap_or(0);
        let arg = mem.read_u32(entry + 4).unwrap_or(0);
        let call = GuestCall::new(handler, &[arg]);
        handler == 0 || self.calls.begin(cpu, mem, &call, true, Then::Done).is_ok()
    }

    /// Execution has reached a return pad.
    fn on_return(&mut self, cpu: &mut dyn GuestCpu, cx: Context<'_>) -> Outcome {
        let pad = cpu.pc();
        let Some(frame) = self.calls.finish(pad) else {
            // No call with this return address is in flight: the guest jumped to an address that does not
            // exist.
            return Outcome::AccessFault {
                addr: pad,
                store: false,
            };
        };
        let result = cpu.x(reg::A0);
        frame.restore(cpu);
        let mut call = Call::new(cpu, cx.mem, cx.now);
        let step = self.radio.resume(frame.then, result, frame.data_addr, &mut call);
        if !frame.between {
            return self.take_step(cpu, cx.mem, step);
        }
        let failed = match step {
            Ok(Step::Reply(_)) => None,
            Ok(Step::Call(call, then)) => {
                let begun = self.calls.begin(cpu, cx.mem, &call, true, then);
                begun.is_err().then_some(call.function)
            }
            Err(fault) => Some(fault.addr),
        };
        if let Some(function) = failed {
            self.events.push(ServiceEvent::CallFailed {
                function,
                sp: cpu.x(reg::SP),
            });
        }
        Outcome::Continue
    }

    /// Carries out the next step of a driver function.
    fn take_step(
        &mut self,
        cpu: &mut dyn GuestCpu,
        mem: &mut dyn GuestMemory,
        step: Result<Step, Fault>,
    ) -> Outcome {
        match step {
            Ok(Step::Reply(reply)) => finish(cpu, Ok(reply)),
            Ok(Step::Call(call, then)) => match self.calls.begin(cpu, mem, &call, false, then) {
                Ok(()) => Outcome::Continue,
                Err(CannotCall::Stack(fault)) => finish(cpu, Err(fault)),
                Err(CannotCall::TooMany) => {
                    let sp = cpu.x(reg::SP);
                    self.events.push(ServiceEvent::CallFailed {
                        function: call.function,
                        sp,
                    });
                    /// Error code `ESP_ERR_NO_MEM`.
                    const NO_MEM: u32 = 0x101;
                    finish(cpu, Ok(Reply::Value(NO_MEM)))
                }
            },
            Err(fault) => finish(cpu, Err(fault)),
        }
    }
}

/// Puts a reply into the registers and returns to the caller.
fn finish(cpu: &mut dyn GuestCpu, served: Served) -> Outcome {
    let (outcome, value) = match served {
        Ok(Reply::Value(value)) => (Outcome::Continue, value),
        Ok(Reply::Wide(value)) => {
            cpu.set_x(reg::A1, (value >> 32) as u32);
            (Outcome::Continue, value as u32)
        }
        Ok(Reply::After(took, value)) => (Outcome::Advance(took), value),
        Ok(Reply::Again { after, a0 }) => {
            cpu.set_x(reg::A0, a0);
            return Outcome::Advance(after);
        }
        Ok(Reply::PowerCut(after)) => return Outcome::PowerCut(after),
        Err(Fault { addr, store }) => return Outcome::AccessFault { addr, store },
    };
    cpu.set_x(reg::A0, value);
    cpu.set_pc(cpu.x(reg::RA));
    outcome
}

#[cfg(test)]
mod played;
#[cfg(test)]
mod tests;
