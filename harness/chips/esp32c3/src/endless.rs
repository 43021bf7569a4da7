//! Loops of the guest that make no progress, and the names of the exceptions in them.

use std::fmt;

use crate::reset::ResetCause;

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
    pub(crate) fn is_futile(&self) -> bool {
        match self {
            Endless::TrapLoop { .. }
            | Endless::Traps { .. }
            | Endless::Calls { .. }
            | Endless::Resets { .. } => true,
            Endless::Deadlines { .. } | Endless::Overwrites { .. } | Endless::Outputs { .. } => false,
        }
    }

    /// Whether it is the loop of traps that only a reset ends.
    pub(crate) fn is_trap_loop(&self) -> bool {
        matches!(self, Endless::TrapLoop { .. })
    }

    /// Whether two are of the same kind.
    pub(crate) fn is_like(&self, other: &Endless) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// The name of an exception (unprivileged and privileged specification of RISC-V, `mcause`).
pub fn cause_name(cause: u32) -> &'static str {
    match cause {
        0 => "instruction address misaligned",
        1 => "instruction access fault",
        2 => "illegal instruction",
        3 => "breakpoint",
        4 => "load address misaligned",
        5 => "load access fault",
        6 => "store address misaligned",
        7 => "store access fault",
        8 | 11 => "environment call",
        _ => "exception",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
