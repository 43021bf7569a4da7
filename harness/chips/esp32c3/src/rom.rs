//! Boot ROM services as host code.
//!
//! No ROM code is executed: every address of the ROM is a hook, and the functions that firmware calls are
//! carried out here, each at its address in the vendor's linker scripts. They work through the guest's memory
//! and device registers, as the ROM's code does. Approximated: they take no processor time, except delays,
//! flash operations and waiting for the console. A call of a function without a model, or of an address that
//! is no function, is reported with its name and returns 0.

pub(crate) mod call;
pub(crate) mod console;
pub(crate) mod flash;
mod float;
pub(crate) mod hash;
mod inflate;
mod integer;
mod memory;
mod names;
pub mod nor;
pub(crate) mod startup;
pub(crate) mod system;
pub(crate) mod version;

use std::collections::BTreeMap;

use crate::service_event::ServiceEvent;
use call::{Call, Reply, Served};

/// State of the ROM's functions between calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rom {
    system: system::System,
    console: console::Console,
    inflate: inflate::Inflate,
    /// Names of functions without a model that have been looked up.
    names: BTreeMap<u32, Option<&'static str>>,
}

/// The most names that are kept.
const MOST_NAMES: usize = 1024;

impl Rom {
    /// The name of the function at `addr`. A guest may call it again and again, and the list is long.
    fn name_of(&mut self, addr: u32) -> Option<&'static str> {
        if let Some(name) = self.names.get(&addr) {
            return *name;
        }
        let name = names::name_of(addr);
        if self.names.len() < MOST_NAMES {
            self.names.insert(addr, name);
        }
        name
    }

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
                        .or_else(|| self.inflate.serve(addr, call))
                })
                .flatten()
                .or_else(|| self.system.serve(addr, call));
            if let Some(served) = served {
                return served;
            }
        }
        if SECURITY_INFO.contains(&addr) {
            return loader_security_info(call);
        }
        events.push(ServiceEvent::RomNotModelled {
            addr,
            name: self.name_of(addr),
            caller: call.ra,
        });
        Ok(Reply::Value(0))
    }
}

/// The part of the ROM's jump table that belongs to Bluetooth, WiFi and their PHY.
pub(crate) const RADIO: std::ops::Range<u32> = 0x4000_08DC..0x4000_1C38;

/// `GetSecurityInfoProc` of the ROM's loader, which stub programs call by its address in each ROM (chip revisions
/// 0.3 and 1.1).
const SECURITY_INFO: [u32; 2] = [0x4004_B9DA, 0x4004_D51E];

/// `(const u8 *request, u32 *error, u8 *info)`: stores the security information and returns 0.
fn loader_security_info(call: &mut Call<'_>) -> Served {
    let to = call.args[2];
    let info = crate::download::security_info(call.mem);
    call.store(to, &info)?;
    Ok(Reply::Value(0))
}

#[cfg(test)]
mod tests;
