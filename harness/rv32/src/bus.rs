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

/// What reads of one place give while the hart does nothing but wait in a polling loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollRead {
    /// Plain memory, with what it holds now. Nothing but the hart's own stores changes it.
    Memory(u32),
    /// A register that can be read without any effect.
    Register {
        /// The least value that it can give.
        low: u32,
        /// The greatest value that it can give.
        high: u32,
        /// True: it gives the same value, whichever that is, until the next write to a register. False: the
        /// value depends on time alone.
        latched: bool,
    },
}

/// What a write does while the hart does nothing but wait in a polling loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollWrite {
    /// Stores to plain memory; [`Bus::write`] would return [`Flow::Continue`].
    Memory,
    /// Only changes which of the values promised by [`Bus::poll_read`] a register gives, for example by
    /// latching a counter; [`Bus::write`] would return [`Flow::Continue`]. Only the last write counts: to write
    /// once is as good as to write many times.
    Register,
}

/// What becomes of an exception that an instruction has raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnException {
    /// The hart takes it and goes on in the trap handler.
    Take,
    /// The hart takes it and stops with [`Exit::Break`](crate::Exit::Break) before the handler's first
    /// instruction.
    TakeAndBreak,
    /// The instruction is executed again as if it had not been: the bus now answers.
    Retry,
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

    /// Asked before an exception is taken (`mcause`, the address of the instruction, `mtval`), so that a bus that
    /// refuses an access can learn where in the program it was made, and the owner can look at the registers
    /// as they were. Not asked for interrupts.
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

    /// Writes a CSR that [`Bus::read_csr`] has just answered for.
    fn write_csr(&mut self, csr: u16, value: u32, counts: Counts) -> Flow {
        let _ = (csr, value, counts);
        Flow::Continue
    }

    /// What a read of `size` bytes at `addr` gives, at every cycle from `from` to `to`, if the hart does
    /// nothing else in that time than read and make the writes that [`Bus::poll_write`] allows. The range must
    /// hold for any order of those, and for what was latched before `from`. `None`: not known, or reading has
    /// an effect.
    ///
    /// With this the hart jumps over loops that only wait (see [`Hart::set_skip_polling`]); it asks for a few
    /// spans of time each time it finds one, so the answer need not be fast.
    ///
    /// [`Hart::set_skip_polling`]: crate::Hart::set_skip_polling
    fn poll_read(&self, addr: u32, size: u32, from: u64, to: u64) -> Option<PollRead> {
        let _ = (addr, size, from, to);
        None
    }

    /// What a write of `value` does at every cycle from `from` to `to`; a `value` of `None` is one that differs
    /// from time to time. `None`: not known, or something else than the variants of [`PollWrite`] say.
    fn poll_write(&self, addr: u32, value: Option<u32>, size: u32, from: u64, to: u64) -> Option<PollWrite> {
        let _ = (addr, value, size, from, to);
        None
    }

    /// What the hooked function at `addr` computes, if it is so simple that a polling loop may call it: it
    /// takes no time and changes nothing but its result registers. `None`: something else.
    fn poll_call(&self, addr: u32) -> Option<PollCall> {
        let _ = addr;
        None
    }
}

/// A function that a polling loop may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollCall {
    /// a0 and a1 become the quotient of a0 and a1 by a2 and a3, low words first, unsigned; all ones for a divisor
    /// of zero (libgcc's `__udivdi3`).
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
