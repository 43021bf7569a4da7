//! Records of the guest's exceptions and illegal accesses, for the owner of the hart.

/// Greatest number of records of one kind that are kept until they are taken; further ones are only counted.
const KEPT: usize = 256;

/// An exception that the hart took. Interrupts are not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Value of `mcause`.
    pub cause: u32,
    /// Value of `mepc`: the address of the instruction.
    pub pc: u32,
    /// Value of `mtval`: the faulting address, or the encoding of an illegal instruction.
    pub tval: u32,
    /// Cycle count at which the hart took it.
    pub cycle: u64,
}

/// An access to a CSR that neither the hart nor its bus has. It took the illegal-instruction trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCsr {
    /// Number of the CSR.
    pub csr: u16,
    /// The address of the instruction.
    pub pc: u32,
}

/// Records in order, of limited length.
#[derive(Clone, Debug)]
pub struct Log<T> {
    /// The first records since the log was last taken.
    pub records: Vec<T>,
    /// Number of further records that were not kept.
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

    /// True if there are no records.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}
