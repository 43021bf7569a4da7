//! What a write to a register of a peripheral leads to.

/// Result of a write to a peripheral register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// The value is stored and changes no interrupt, deadline or output.
    Quiet,
    /// The write may have changed interrupts, deadlines or outputs: [`Peripherals::sync`](crate::peripherals::Peripherals::sync) is needed.
    Sync,
    /// The register does not exist, or the operation that the write starts is not modelled.
    Unmodelled,
}

impl From<bool> for Written {
    fn from(known: bool) -> Written {
        if known {
            Written::Quiet
        } else {
            Written::Unmodelled
        }
    }
}
