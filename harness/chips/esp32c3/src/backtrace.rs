//! Backtraces of the guest, see [`image::backtrace`].

use image::SymbolTable;
use image::backtrace::{Backtrace, Machine};
use image::chip::ESP32C3;

use crate::guest::{GuestCpu, GuestMemory};

/// Registers and memory of the guest.
struct Guest<'a> {
    cpu: &'a dyn GuestCpu,
    mem: &'a mut dyn GuestMemory,
}

impl Machine for Guest<'_> {
    fn pc(&self) -> u32 {
        self.cpu.pc()
    }

    fn x(&self, n: usize) -> u32 {
        self.cpu.x(n)
    }

    fn read_u16(&mut self, addr: u32) -> Option<u16> {
        self.mem.read_u16(addr).ok()
    }

    fn read_u32(&mut self, addr: u32) -> Option<u32> {
        self.mem.read_u32(addr).ok()
    }
}

/// The calls that led to where `cpu` stands, see [`Backtrace::capture`].
pub(crate) fn capture(cpu: &dyn GuestCpu, mem: &mut dyn GuestMemory, symbols: &SymbolTable) -> Backtrace {
    Backtrace::capture(&mut Guest { cpu, mem }, symbols, &ESP32C3)
}
