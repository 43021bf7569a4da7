//! What the owner learns of a guest's mistakes.

/// The most records of one kind that are kept until somebody takes them; more are counted only.
const KEPT: usize = 256;

/// An exception that the hart took. Interrupts are not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exception {
    /// `mcause`.
    pub cause: u32,
    /// `mepc`: the address of the instruction.
    pub pc: u32,
    /// `mtval`: the faulting address, or the encoding of an illegal instruction.
    pub tval: u32,
    /// When.
    pub cycle: u64,
}

/// An access to a CSR that neither the hart nor its bus has. It took the illegal-instruction trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCsr {
    /// The number.
    pub csr: u16,
    /// The address of the instruction.
    pub pc: u32,
}

/// Records in order, bounded.
#[derive(Clone, Debug)]
pub struct Log<T> {
    /// The first records since the log was last taken.
    pub records: Vec<T>,
    /// How many more there were.
    pub dropped: u64,
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Log {
            records: Vec::new(),
            dropped: 0,
        }
    }
}

impl<T> Log<T> {
    pub(crate) fn push(&mut self, record: T) {
        if self.records.len() < KEPT {
            self.records.push(record);
        } else {
            self.dropped += 1;
        }
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}
