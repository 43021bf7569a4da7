//! The hart's registers, for the services.

use rv32::Hart;

use crate::guest::GuestCpu;

/// Numbers and bits of machine-mode CSRs.
pub(super) mod csr {
    pub(in crate::chip) const MSTATUS: u16 = 0x300;
    pub(in crate::chip) const MTVEC: u16 = 0x305;
    pub(in crate::chip) const MEPC: u16 = 0x341;
    /// `mstatus.MPP`, machine mode.
    pub(in crate::chip) const MPP_MACHINE: u32 = 3 << 11;
}

/// The hart's registers as calling conventions use them.
pub(super) struct HartCpu<'a>(pub(super) &'a mut Hart);

impl GuestCpu for HartCpu<'_> {
    fn x(&self, n: usize) -> u32 {
        if n == 0 { 0 } else { self.0.regs[n] }
    }

    fn set_x(&mut self, n: usize, value: u32) {
        if n != 0 {
            self.0.regs[n] = value;
        }
    }

    fn pc(&self) -> u32 {
        self.0.pc
    }

    fn set_pc(&mut self, pc: u32) {
        self.0.pc = pc;
    }

    fn mstatus(&self) -> u32 {
        self.0.csr(csr::MSTATUS).unwrap_or(0)
    }

    fn set_mstatus(&mut self, value: u32) {
        self.0.set_csr(csr::MSTATUS, value);
    }
}

/// The hart at an exception: registers unchanged, pc at the instruction that caused it.
pub(super) struct FaultingCpu<'a> {
    pub(super) hart: &'a mut Hart,
    pub(super) pc: u32,
}

impl GuestCpu for FaultingCpu<'_> {
    fn x(&self, n: usize) -> u32 {
        if n == 0 { 0 } else { self.hart.regs[n] }
    }

    fn set_x(&mut self, n: usize, value: u32) {
        HartCpu(self.hart).set_x(n, value);
    }

    fn pc(&self) -> u32 {
        self.pc
    }

    fn set_pc(&mut self, pc: u32) {
        self.pc = pc;
    }

    fn mstatus(&self) -> u32 {
        self.hart.csr(csr::MSTATUS).unwrap_or(0)
    }

    fn set_mstatus(&mut self, value: u32) {
        self.hart.set_csr(csr::MSTATUS, value);
    }
}
