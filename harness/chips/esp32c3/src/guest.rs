//! Interface between the chip's run loop and the host code that replaces the guest's ROM and radio library.
//!
//! Some addresses of the guest are *hooked*: when execution reaches one, the hart stops before the
//! instruction ([`rv32::Exit::Hook`]) and [`Services::on_hook`](crate::services::Services::on_hook) carries
//! out the whole function in host code. Arguments are a0–a7 and then the stack, the result goes to a0 (and
//! a1), and execution continues at ra.
//!
//! Host code may also call a guest function, in two ways: *inside* a hooked function (the driver calls its OS
//! adapter) and *between* two instructions of any code (the driver's task and interrupt post events and
//! frames). Each call has a return address of its own among the [`RETURN_PADS`], so that calls may return in
//! any order when the guest's scheduler switches tasks in between.

use std::time::Duration;

use rv32::AccessFault;

use crate::rom::nor::NorFlash;

/// Addresses without memory that serve as return addresses of guest functions called by the host; one per
/// call in flight, four bytes apart. All are hooks.
pub const RETURN_PADS: std::ops::Range<u32> = 0x4FFF_0000..0x4FFF_0100;

/// The boot ROM's instruction addresses (ESP32-C3 TRM chapter 3, table 3-3). No ROM code is executed: each is a
/// hook.
pub const ROM: std::ops::Range<u32> = 0x4000_0000..0x4006_0000;

/// The guest's memory by guest address, devices included: a read of a device register has its side effects.
/// Unaligned addresses are allowed; implementors split them. An address without memory or device is an
/// [`AccessFault`].
pub trait GuestMemory {
    /// Reads a byte.
    fn read_u8(&mut self, addr: u32) -> Result<u8, AccessFault>;
    /// Reads 16 bits, little-endian.
    fn read_u16(&mut self, addr: u32) -> Result<u16, AccessFault>;
    /// Reads 32 bits, little-endian.
    fn read_u32(&mut self, addr: u32) -> Result<u32, AccessFault>;
    /// Writes a byte.
    fn write_u8(&mut self, addr: u32, value: u8) -> Result<(), AccessFault>;
    /// Writes 16 bits, little-endian.
    fn write_u16(&mut self, addr: u32, value: u16) -> Result<(), AccessFault>;
    /// Writes 32 bits, little-endian.
    fn write_u32(&mut self, addr: u32, value: u32) -> Result<(), AccessFault>;

    /// The flash chip, whose contents the flash windows of this memory show too.
    fn flash(&mut self) -> &mut NorFlash;

    /// Reads `out.len()` bytes from `addr` on. Bytes read before a fault stay in `out`.
    fn read_bytes(&mut self, addr: u32, out: &mut [u8]) -> Result<(), AccessFault> {
        for (i, byte) in out.iter_mut().enumerate() {
            *byte = self.read_u8(addr.wrapping_add(i as u32))?;
        }
        Ok(())
    }

    /// Writes `data` from `addr` on. Bytes written before a fault stay written.
    fn write_bytes(&mut self, addr: u32, data: &[u8]) -> Result<(), AccessFault> {
        for (i, byte) in data.iter().enumerate() {
            self.write_u8(addr.wrapping_add(i as u32), *byte)?;
        }
        Ok(())
    }
}

/// The hart's registers, as far as calling conventions need them.
pub trait GuestCpu {
    /// General register x`n`, 0 to 31; x0 is 0.
    fn x(&self, n: usize) -> u32;
    /// Sets x`n`; a write to x0 is ignored.
    fn set_x(&mut self, n: usize, value: u32);
    /// The program counter.
    fn pc(&self) -> u32;
    /// Sets the program counter.
    fn set_pc(&mut self, pc: u32);
    /// The `mstatus` CSR.
    fn mstatus(&self) -> u32;
    /// Sets the `mstatus` CSR; pending interrupts are considered again before the next instruction.
    fn set_mstatus(&mut self, value: u32);
}

/// Next step of the run loop after [`Services::on_hook`](crate::services::Services::on_hook). Registers and
/// pc are already set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Continue at pc.
    Continue,
    /// The function took this long: advance time by it (devices and deadlines in between are served, a
    /// watchdog may reset the chip), then continue at pc.
    Advance(Duration),
    /// There is no memory or device at `addr`: take the load or store access fault at pc (`mtval` is `addr`),
    /// as the ROM's own instruction would.
    AccessFault {
        /// Guest address of the access.
        addr: u32,
        /// True for a store, false for a load.
        store: bool,
    },
    /// The hook only observed: remove this address from the bus's hooks until the next reset, drop decoded
    /// code and continue at pc with the guest's own instruction.
    Unhook(u32),
    /// Power failed this long after the call, in the middle of a flash operation whose partial effect is in the
    /// flash already.
    PowerCut(Duration),
}

/// Register numbers of the calling convention.
pub(crate) mod reg {
    /// Number of `ra`, the return address.
    pub(crate) const RA: usize = 1;
    /// Number of `sp`, the stack pointer.
    pub(crate) const SP: usize = 2;
    /// First argument and result.
    pub(crate) const A0: usize = 10;
    /// Number of `a1`, the second argument and high half of a 64-bit result.
    pub(crate) const A1: usize = 11;
}

/// `mstatus.MIE`: interrupts are enabled.
pub(crate) const MSTATUS_MIE: u32 = 1 << 3;

/// The hooked addresses: the whole [`ROM`], the [`RETURN_PADS`] and the functions found by symbol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HookSet {
    /// Addresses found by symbol, sorted, without duplicates.
    functions: Vec<u32>,
}

impl HookSet {
    /// Hooks for the ROM, the return pads and `functions`.
    pub fn new(mut functions: Vec<u32>) -> HookSet {
        functions.sort_unstable();
        functions.dedup();
        HookSet { functions }
    }

    /// Removes a function, see [`Outcome::Unhook`].
    pub fn remove(&mut self, addr: u32) {
        self.functions.retain(|f| *f != addr);
    }

    /// True if execution must stop at `addr`. For [`rv32::Bus::is_hook`].
    pub fn contains(&self, addr: u32) -> bool {
        ROM.contains(&addr) || RETURN_PADS.contains(&addr) || self.functions.binary_search(&addr).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_are_rom_return_pads_and_functions() {
        let hooks = HookSet::new(vec![0x4200_0100, 0x4200_0010, 0x4200_0100]);
        for hooked in [
            0x4000_0000,
            0x4005_FFFF,
            0x4FFF_0000,
            0x4FFF_00FC,
            0x4200_0010,
            0x4200_0100,
        ] {
            assert!(hooks.contains(hooked), "{hooked:#x}");
        }
        for free in [0x3FFF_FFFF, 0x4006_0000, 0x4FFF_0100, 0x4200_0012, 0x4037_C000] {
            assert!(!hooks.contains(free), "{free:#x}");
        }
        let mut hooks = hooks;
        hooks.remove(0x4200_0100);
        assert!(!hooks.contains(0x4200_0100) && hooks.contains(0x4200_0010));
    }
}
