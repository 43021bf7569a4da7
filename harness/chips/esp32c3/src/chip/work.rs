//! The price of work that the host does for the guest.
//!
//! A guest instruction takes one cycle. A trap, a function of the ROM or of the radio's driver, a reset and a deadline
//! of a peripheral take the host longer than an instruction, but on this model no time of the guest, or one cycle. So
//! each has a price in units, one unit being about what an instruction takes the host. The account is a leaky bucket: it
//! holds [`ALLOWANCE`] units and loses one with each cycle that passes. Firmware that rests between such work, as all
//! useful firmware does, never fills it, and then nothing has a price. What does not fit is charged: that many cycles
//! pass in which the guest does nothing, and as many instructions count as executed. So no guest costs the host more for
//! a virtual second than one that computes all the time, and the duration or the instruction budget ends every run.

use std::fmt;

use crate::chip::cause_name;
use crate::reset::ResetCause;

/// Units that are free in one burst: what 0.1 s of virtual time gives back.
const ALLOWANCE: u64 = 16_000_000;
/// Price of a hooked function of ROM or driver.
pub(super) const CALL: u64 = 64;
/// Price of a trap, beside its cycle.
pub(super) const TRAP: u64 = 32;
/// Price of a turn of the run loop in which the hart waits and a peripheral's deadline is served.
pub(super) const IDLE_TURN: u64 = 64;
/// Price of decoding the code anew after some of it has been overwritten.
pub(super) const FORGET_CODE: u64 = 500;
/// Price of something that leaves the chip and that the bench looks at.
pub(super) const OUTPUT: u64 = 100;
/// Price of a reset: 3 ms, less than ROM and bootloader of a real chip take.
pub(super) const RESET: u64 = 500_000;
/// After this much work, instructions included, [`super::Chip::run_until`] returns, so that its caller can be
/// interrupted.
pub(super) const PAUSE: u64 = 100_000_000;
/// The most cycles that the hart runs at a time.
pub(super) const SLICE_CYCLES: u64 = 64_000_000;
/// The most outputs that wait to be taken before [`super::Chip::run_until`] returns.
pub(super) const MOST_OUTPUTS: usize = 4096;
/// How many exceptions are reported with a backtrace; of more only the number is known.
pub(super) const MOST_EXCEPTIONS: u64 = 256;
/// How many different unmodelled accesses are reported; of more only the number is known.
pub(super) const MOST_PLACES: usize = 10_000;

/// The account of one chip.
#[derive(Clone, Debug, Default)]
pub(super) struct Work {
    /// Units in the bucket at `at`.
    level: u64,
    at: u64,
    /// Units ever booked.
    total: u64,
    /// Units ever charged.
    charged: u64,
}

impl Work {
    /// Books `units` at cycle `now`. Returns how many of them are charged.
    pub(super) fn book(&mut self, now: u64, units: u64) -> u64 {
        self.total += units;
        if now > self.at {
            self.level = self.level.saturating_sub(now - self.at);
            self.at = now;
        }
        self.level += units;
        let excess = self.level.saturating_sub(ALLOWANCE);
        if excess > 0 {
            self.level = ALLOWANCE;
            self.charged += excess;
            // The time that is charged gives nothing back.
            self.at = self.at.max(now) + excess;
        }
        excess
    }

    /// Units ever booked, free or charged.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Units ever charged.
    pub(super) fn charged(&self) -> u64 {
        self.charged
    }
}

/// A guest's loop that makes no progress: it takes traps or resets, or calls the ROM, and computes nothing. Each kind is
/// reported once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endless {
    /// The trap handler's first instruction raises an exception, for ever.
    TrapLoop {
        /// `mcause` of the exception that led to the handler.
        cause: u32,
        /// Address of the instruction that raised it.
        pc: u32,
        /// Address of the trap handler.
        handler: u32,
        /// `mcause` of the exception that the handler's first instruction raises.
        handler_cause: u32,
    },
    /// Traps follow each other with hardly an instruction between them.
    Traps {
        /// `mcause` of one of them.
        cause: u32,
        /// Address of the instruction that raised it.
        pc: u32,
    },
    /// Functions of the ROM or of the radio's driver are called with hardly an instruction between them, or with huge
    /// amounts of data.
    Calls {
        /// Address of one of the functions.
        addr: u32,
        /// The return address of that call.
        caller: u32,
    },
    /// Resets follow each other as fast as they can.
    Resets {
        /// Cause of one of them.
        cause: ResetCause,
        /// Program counter at that reset.
        pc: u32,
    },
    /// A peripheral has something to do every few cycles, while the hart hardly executes instructions.
    Deadlines {
        /// Program counter of the hart.
        pc: u32,
    },
    /// The code overwrites itself, or the map of the flash changes, every few cycles.
    Overwrites {
        /// Program counter of the hart.
        pc: u32,
    },
    /// Pins, or the radio, change every few cycles.
    Outputs {
        /// Program counter of the hart.
        pc: u32,
    },
}

impl fmt::Display for Endless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Endless::TrapLoop {
                cause,
                pc,
                handler,
                handler_cause,
            } => {
                let name = cause_name(cause);
                write!(f, "traps without end at {pc:#010x}: {name}, ")?;
                if matches!(handler_cause, 0 | 1) {
                    write!(f, "handler not executable (mtvec leads to {handler:#010x})")
                } else {
                    write!(
                        f,
                        "and the handler at {handler:#010x} traps itself: {}",
                        cause_name(handler_cause)
                    )
                }
            }
            Endless::Traps { cause, pc } => write!(
                f,
                "traps without end, with hardly an instruction between them, such as at {pc:#010x}: {}",
                cause_name(cause)
            ),
            Endless::Calls { addr, caller } => write!(
                f,
                "calls of ROM or driver functions without end, such as {addr:#010x}, which returns to {caller:#010x}"
            ),
            Endless::Resets { cause, pc } => {
                write!(f, "resets without end, such as at {pc:#010x}: {cause:?}")
            }
            Endless::Deadlines { pc } => write!(
                f,
                "a timer or another peripheral fires every few cycles, at {pc:#010x}, and the processor does nothing \
                 about it"
            ),
            Endless::Overwrites { pc } => write!(f, "code is overwritten without end, at {pc:#010x}"),
            Endless::Outputs { pc } => write!(f, "pins change without end, at {pc:#010x}"),
        }
    }
}

impl Endless {
    /// Whether a guest that does this gets nothing else done. Pins, timers and code that change often may be work.
    pub(super) fn is_futile(&self) -> bool {
        match self {
            Endless::TrapLoop { .. }
            | Endless::Traps { .. }
            | Endless::Calls { .. }
            | Endless::Resets { .. } => true,
            Endless::Deadlines { .. } | Endless::Overwrites { .. } | Endless::Outputs { .. } => false,
        }
    }

    /// Whether it is the loop of traps that only a reset ends.
    pub(super) fn is_trap_loop(&self) -> bool {
        matches!(self, Endless::TrapLoop { .. })
    }

    /// Whether two are of the same kind.
    pub(super) fn is_like(&self, other: &Endless) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_rests_is_free_and_work_without_rest_costs_what_it_is() {
        let mut work = Work::default();
        assert_eq!(work.book(0, ALLOWANCE), 0);
        // All of it has leaked out by then.
        assert_eq!(work.book(ALLOWANCE, ALLOWANCE - 1), 0);
        assert_eq!(work.book(ALLOWANCE, 3), 2);
        assert_eq!((work.charged(), work.total()), (2, 2 * ALLOWANCE + 2));
        // The two cycles that were charged do not make room.
        assert_eq!(work.book(ALLOWANCE + 2, 5), 5);
        assert_eq!(work.book(ALLOWANCE + 2 + 5 + 4, 5), 1);
    }

    #[test]
    fn the_message_says_what_the_guest_does() {
        let text = Endless::TrapLoop {
            cause: 2,
            pc: 0x4038_0000,
            handler: 0,
            handler_cause: 1,
        }
        .to_string();
        assert_eq!(
            text,
            "traps without end at 0x40380000: illegal instruction, handler not executable (mtvec leads to 0x00000000)"
        );
    }
}
