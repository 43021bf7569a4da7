//! Configuration of a hart.

/// Addresses to which traps go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrapVector {
    /// As in the privileged specification: `mtvec` holds a 4-aligned base and a mode, 0 direct or 1 vectored.
    Standard,
    /// Always vectored, with a 256-aligned base: interrupt n goes to base + 4 n, exceptions go to the base.
    /// `mtvec.MODE` reads 1 and ignores writes.
    Vectored,
}

/// Behaviour of a load or store whose address is not a multiple of its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misaligned {
    /// The hart takes exception 4 (load) or 6 (store).
    Trap,
    /// The access is made byte by byte, lowest address first, in one instruction.
    Split,
}

/// Identity and options of a [`Hart`](crate::Hart).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HartConfig {
    /// Value of pc after reset.
    pub reset_pc: u32,
    /// Value of `misa`, read-only.
    pub misa: u32,
    /// Value of `mvendorid`.
    pub mvendorid: u32,
    /// Value of `marchid`.
    pub marchid: u32,
    /// Value of `mimpid`.
    pub mimpid: u32,
    /// Value of `mhartid`.
    pub mhartid: u32,
    /// Addresses to which traps go.
    pub trap_vector: TrapVector,
    /// Behaviour of misaligned loads and stores.
    pub misaligned: Misaligned,
    /// True if `mie` and `mip` exist. `mie` is only stored and `mip` reads zero: the external controller
    /// alone enables interrupts.
    pub has_mie: bool,
    /// True if `mcycle`, `minstret`, their upper halves, `mcounteren` and the unprivileged `cycle`, `time`
    /// and `instret` exist. `mcountinhibit` reads 0.
    pub has_counters: bool,
    /// Number of triggers that `tselect` can select, at most 8. They are storage and never fire.
    pub triggers: u32,
}

impl Default for HartConfig {
    /// RV32IMC with user mode and all modelled parts of the privileged specification, reset at 0.
    fn default() -> Self {
        HartConfig {
            reset_pc: 0,
            misa: 0x4010_1104,
            mvendorid: 0,
            marchid: 0,
            mimpid: 0,
            mhartid: 0,
            trap_vector: TrapVector::Standard,
            misaligned: Misaligned::Trap,
            has_mie: true,
            has_counters: true,
            triggers: 8,
        }
    }
}
