//! What a hart sees of the world.

use crate::csr::Counts;

/// An access that nothing answers, or that the memory map forbids: the hart takes the access-fault trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessFault;

/// Whether the hart may go on after a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Nothing outside changed that the hart must know of.
    Continue,
    /// Stop after this instruction with [`Exit::Break`](crate::Exit::Break): the write may have raised or
    /// cleared an interrupt, moved a deadline, reset the chip or overwritten decoded code.
    Break,
}

/// Memory and devices behind a hart.
///
/// `cycle` is the hart's cycle count at the instruction that accesses, exact, so that a device can answer with
/// its state at that very cycle. Sizes are 1, 2 or 4 bytes; an address is always aligned to its size (the
/// hart traps misaligned ones).
pub trait Bus {
    /// Reads `size` bytes at `addr`, zero-extended.
    fn read(&mut self, addr: u32, size: u32, cycle: u64) -> Result<u32, AccessFault>;

    /// Writes the low `size` bytes of `value` at `addr`.
    fn write(&mut self, addr: u32, value: u32, size: u32, cycle: u64) -> Result<Flow, AccessFault>;

    /// Reads 16 bits of code at `addr` (aligned to 2). Called while a block is decoded, not on every
    /// execution: the bus must answer [`Flow::Break`] to a write that changes code it has handed out, and its
    /// owner then calls [`Hart::forget_code`](crate::Hart::forget_code).
    fn fetch(&mut self, addr: u32) -> Result<u16, AccessFault>;

    /// Whether execution that reaches `addr` must stop there with [`Exit::Hook`](crate::Exit::Hook) instead of
    /// running the instruction. Asked while a block is decoded.
    fn is_hook(&self, addr: u32) -> bool;

    /// Reads a CSR that the hart does not have itself (a vendor's). `None`: it does not exist, and the
    /// instruction is illegal.
    fn read_csr(&mut self, csr: u16, counts: Counts) -> Option<u32> {
        let _ = (csr, counts);
        None
    }

    /// Writes a CSR that [`Bus::read_csr`] has just answered for.
    fn write_csr(&mut self, csr: u16, value: u32, counts: Counts) -> Flow {
        let _ = (csr, value, counts);
        Flow::Continue
    }
}
