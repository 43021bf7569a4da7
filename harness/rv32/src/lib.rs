//! An RV32IMC hart with machine mode, generic over its bus; nothing of the ESP32 in it.

mod bus;

pub use bus::{AccessFault, Bus, Flow};

/// Why [`Hart::run`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The cycle count reached the limit, exactly.
    Limit,
    /// A `wfi` was executed and no enabled interrupt is pending; pc stands behind it.
    Wfi,
    /// The next instruction is at a hooked address, which is in pc; it was not executed.
    Hook,
    /// A write asked for a pause; the instruction has been completed.
    Break,
}

/// One hart: registers, CSRs and decoded code.
pub struct Hart {}
