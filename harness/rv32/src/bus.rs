//! The hart's interface to memory and devices.

use crate::csr::Counts;

/// An access to an address without memory or device, or that the memory map forbids: the hart takes the
/// access-fault trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessFault;

/// Permission for the hart to continue after a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The write has no effect that the hart must react to.
    Continue,
    /// Stop after this instruction with [`Exit::Break`](crate::Exit::Break): the write may have raised or
    /// cleared an interrupt, moved a deadline, reset the chip or overwritten decoded code.
    Break,
}

/// Values that reads of one address return while the hart only waits in a polling loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollRead {
    /// Plain memory with this content. Only the hart's own stores change it.
    Memory(u32),
    /// A register that can be read without side effects.
    Register {
        /// The least value that a read can return.
        low: u32,
        /// The greatest value that a read can return.
        high: u32,
        /// True: reads return the same value until the next write to a register. False: the value depends on
        /// time alone.
        latched: bool,
    },
}

/// Effect of a write while the hart only waits in a polling loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollWrite {
    /// Stores to plain memory; [`Bus::write`] would return [`Flow::Continue`].
    Memory,
    /// The write only determines which of the values promised by [`Bus::poll_read`] a register returns, for
    /// example by latching a counter; [`Bus::write`] would return [`Flow::Continue`]. Only the last write
    /// counts: one write has the same effect as many.
    Register,
}

/// Decision of the bus about an exception that an instruction has raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnException {
    /// The hart takes it and continues in the trap handler.
    Take,
    /// The hart takes it and stops with [`Exit::Break`](crate::Exit::Break) before the handler's first
    /// instruction.
    TakeAndBreak,
    /// The instruction is executed again as if it had not been executed: the bus will answer its access now.
    Retry,
}

/// Memory and devices of a hart.
///
/// `cycle` is the hart's exact cycle count at the instruction that makes the access, so that a device can
/// answer with its state at that cycle. Sizes are 1, 2 or 4 bytes; an address is always aligned to its size
/// (the hart traps or splits misaligned ones).
pub trait Bus {
    /// Reads `size` bytes at `addr`, zero-extended.
    fn read(&mut self, addr: u32, size: u32, cycle: u64) -> Result<u32, AccessFault>;

    /// Writes the low `size` bytes of `value` at `addr`.
    fn write(&mut self, addr: u32, value: u32, size: u32, cycle: u64) -> Result<Flow, AccessFault>;

    /// Reads 16 bits of code at `addr` (aligned to 2). Called while a block is decoded, not on every
    /// execution: the bus must return [`Flow::Break`] for a write that changes code it has returned, and its
    /// owner then calls [`Hart::forget_code`](crate::Hart::forget_code).
    fn fetch(&mut self, addr: u32) -> Result<u16, AccessFault>;

    /// True if execution that reaches `addr` must stop there with [`Exit::Hook`](crate::Exit::Hook) instead
    /// of executing the instruction. Called while a block is decoded.
    fn is_hook(&self, addr: u32) -> bool;

    /// Called before an exception is taken (`mcause`, the address of the instruction, `mtval`). A bus that
    /// has refused an access learns the program counter by it, and the owner can read the registers before
    /// the trap. Not called for interrupts.
    fn on_exception(&mut self, cause: u32, pc: u32, tval: u32) -> OnException {
        let _ = (cause, pc, tval);
        OnException::Take
    }

    /// Reads a CSR that the hart does not have itself (a vendor's). `None`: it does not exist, and the
    /// instruction is illegal.
    fn read_csr(&mut self, csr: u16, counts: Counts) -> Option<u32> {
        let _ = (csr, counts);
        None
    }

    /// Writes a CSR for which [`Bus::read_csr`] has just returned a value.
    fn write_csr(&mut self, csr: u16, value: u32, counts: Counts) -> Flow {
        let _ = (csr, value, counts);
        Flow::Continue
    }

    /// The values that reads of `size` bytes at `addr` return, at every cycle from `from` to `to`, if the
    /// hart only makes such reads and the writes that [`Bus::poll_write`] allows in that time. The range must
    /// hold for any order of them, and for a value latched before `from`. `None`: the values are not known,
    /// or reading has a side effect.
    ///
    /// With this the hart skips loops that only wait (see [`Hart::set_skip_polling`]). It calls this for a
    /// few spans of time each time it finds such a loop, so the answer need not be fast.
    ///
    /// [`Hart::set_skip_polling`]: crate::Hart::set_skip_polling
    fn poll_read(&self, addr: u32, size: u32, from: u64, to: u64) -> Option<PollRead> {
        let _ = (addr, size, from, to);
        None
    }

    /// The effect of a write of `value` at every cycle from `from` to `to`; `None` as `value` stands for
    /// values that differ between writes. The result is `None` if the effect is not known, or is not one of
    /// [`PollWrite`].
    fn poll_write(&self, addr: u32, value: Option<u32>, size: u32, from: u64, to: u64) -> Option<PollWrite> {
        let _ = (addr, value, size, from, to);
        None
    }

    /// The computation of the hooked function at `addr`, if a polling loop may call it: it must take no time
    /// and change nothing but its result registers. `None` for all other addresses.
    fn poll_call(&self, addr: u32) -> Option<PollCall> {
        let _ = addr;
        None
    }
}

/// A hooked function that a polling loop may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollCall {
    /// Sets a0 and a1 to the unsigned quotient of a0 and a1 by a2 and a3, low words first; all ones for a
    /// divisor of zero (libgcc's `__udivdi3`).
    DivideUnsigned64,
}

impl PollCall {
    /// The result for these arguments, a0 to a3.
    pub(crate) fn result(self, args: [u32; 4]) -> [u32; 2] {
        let wide = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
        let [a0, a1, a2, a3] = args;
        let PollCall::DivideUnsigned64 = self;
        let quotient = wide(a0, a1).checked_div(wide(a2, a3)).unwrap_or(u64::MAX);
        [quotient as u32, (quotient >> 32) as u32]
    }
}
