//! Boot ROM services as host code.
//!
//! No ROM code is executed: every address of the ROM is a hook, and the functions that firmware calls are
//! carried out here, each at its address in the vendor's linker scripts. They work through the guest's memory
//! and device registers, as the ROM's code does. Approximated: they cost no processor time, except delays,
//! flash operations and waiting for the console. A function without a model, and an address that is no
//! function, is reported with its name and answers 0.

pub(crate) mod call;
mod console;
mod flash;
mod float;
mod hash;
mod integer;
mod memory;
mod names;
pub mod nor;
mod system;

use crate::services::ServiceEvent;
use call::{Call, Reply, Served};

/// The ROM and what it remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rom {
    system: system::System,
    console: console::Console,
}

impl Rom {
    /// Carries out the function at `call.pc`.
    pub(crate) fn serve(&mut self, call: &mut Call<'_>, events: &mut Vec<ServiceEvent>) -> Served {
        let addr = call.pc;
        // The jump tables lie in the first 8 KiB; most calls are memory functions.
        if addr < 0x4000_2000 {
            let below_4k = addr < 0x4000_1000;
            let served = below_4k
                .then(|| {
                    memory::serve(addr, call)
                        .or_else(|| integer::serve(addr, call).map(Ok))
                        .or_else(|| float::serve(addr, call).map(Ok))
                        .or_else(|| self.console.serve(addr, call))
                        .or_else(|| flash::serve(addr, call))
                        .or_else(|| hash::serve(addr, call))
                })
                .flatten()
                .or_else(|| self.system.serve(addr, call));
            if let Some(served) = served {
                return served;
            }
        }
        events.push(ServiceEvent::RomNotModelled {
            addr,
            name: names::name_of(addr),
            caller: call.ra,
        });
        Ok(Reply::Value(0))
    }
}

#[cfg(test)]
mod tests;
