//! Control and status registers of machine mode.
//!
//! "The RISC-V Instruction Set Manual, Volume II: Privileged Architecture", 20211203, chapter 3. PMP and
//! triggers are storage: they read back what was written (locked PMP entries keep their value) and have no
//! effect.

use crate::config::{HartConfig, TrapVector};

pub(crate) const MSTATUS_MIE: u32 = 1 << 3;
const MSTATUS_MPIE: u32 = 1 << 7;
const MSTATUS_MPP_SHIFT: u32 = 11;
const MSTATUS_TW: u32 = 1 << 21;

const TCONTROL_MTE: u32 = 1 << 3;
const TCONTROL_MPTE: u32 = 1 << 7;

const MSTATUS: u16 = 0x300;
const MISA: u16 = 0x301;
const MIE: u16 = 0x304;
const MTVEC: u16 = 0x305;
const MCOUNTEREN: u16 = 0x306;
const MSTATUSH: u16 = 0x310;
const MCOUNTINHIBIT: u16 = 0x320;
const MSCRATCH: u16 = 0x340;
const MEPC: u16 = 0x341;
const MCAUSE: u16 = 0x342;
const MTVAL: u16 = 0x343;
const MIP: u16 = 0x344;
const PMPCFG0: u16 = 0x3a0;
const PMPCFG3: u16 = 0x3a3;
const PMPADDR0: u16 = 0x3b0;
const PMPADDR15: u16 = 0x3bf;
const TSELECT: u16 = 0x7a0;
const TDATA1: u16 = 0x7a1;
const TDATA2: u16 = 0x7a2;
const TDATA3: u16 = 0x7a3;
const TCONTROL: u16 = 0x7a5;
const MCYCLE: u16 = 0xb00;
const MINSTRET: u16 = 0xb02;
const MCYCLEH: u16 = 0xb80;
const MINSTRETH: u16 = 0xb82;
const CYCLE: u16 = 0xc00;
const TIME: u16 = 0xc01;
const INSTRET: u16 = 0xc02;
const CYCLEH: u16 = 0xc80;
const TIMEH: u16 = 0xc81;
const INSTRETH: u16 = 0xc82;
const MVENDORID: u16 = 0xf11;
const MARCHID: u16 = 0xf12;
const MIMPID: u16 = 0xf13;
const MHARTID: u16 = 0xf14;

/// Bits 31 to 28 of `tdata1`: type of an address match trigger.
const TDATA1_TYPE_MATCH: u32 = 2 << 28;

/// Privilege mode in which code runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// User mode, the less privileged.
    User = 0,
    /// Machine mode, the most privileged.
    Machine = 3,
}

/// Counters of a hart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Time in cycles, including waiting.
    pub cycle: u64,
    /// Number of instructions retired.
    pub instret: u64,
}

/// Values of the CSRs.
#[derive(Clone, Debug)]
pub(crate) struct Csrs {
    mstatus: u32,
    mie: u32,
    mtvec: u32,
    mscratch: u32,
    pub(crate) mepc: u32,
    mcause: u32,
    mtval: u32,
    pmpcfg: [u8; 16],
    pmpaddr: [u32; 16],
    tselect: u32,
    tdata: [[u32; 3]; 8],
    tcontrol: u32,
    mcounteren: u32,
    /// Offsets that writes to `mcycle` and `minstret` have added to these counters.
    cycle_offset: u64,
    instret_offset: u64,
}

impl Csrs {
    pub(crate) fn new(config: &HartConfig) -> Csrs {
        assert!(config.triggers <= 8, "tselect selects at most 8 triggers");
        Csrs {
            mstatus: 0,
            mie: 0,
            mtvec: u32::from(config.trap_vector == TrapVector::Vectored),
            mscratch: 0,
            mepc: 0,
            mcause: 0,
            mtval: 0,
            pmpcfg: [0; 16],
            pmpaddr: [0; 16],
            tselect: 0,
            tdata: [[TDATA1_TYPE_MATCH, 0, 0]; 8],
            tcontrol: 0,
            mcounteren: 0,
            cycle_offset: 0,
            instret_offset: 0,
        }
    }

    pub(crate) fn interrupts_enabled(&self, privilege: Privilege) -> bool {
        privilege == Privilege::User || self.mstatus & MSTATUS_MIE != 0
    }

    pub(crate) fn wfi_is_illegal(&self, privilege: Privilege) -> bool {
        privilege == Privilege::User && self.mstatus & MSTATUS_TW != 0
    }

    /// True if code of this privilege may access `csr` at all.
    pub(crate) fn is_allowed(&self, csr: u16, privilege: Privilege, config: &HartConfig) -> bool {
        let counter = matches!(csr, CYCLE | TIME | INSTRET | CYCLEH | TIMEH | INSTRETH);
        if counter && config.has_counters && privilege == Privilege::User {
            return self.mcounteren >> (csr & 31) & 1 != 0;
        }
        u32::from(csr >> 8 & 3) <= privilege as u32
    }

    /// The value of `csr`, or `None` if there is no such register here.
    pub(crate) fn read(&self, csr: u16, config: &HartConfig, counts: Counts) -> Option<u32> {
        let cycle = counts.cycle.wrapping_add(self.cycle_offset);
        let instret = counts.instret.wrapping_add(self.instret_offset);
        Some(match csr {
            MSTATUS => self.mstatus,
            MSTATUSH if config.has_mie => 0,
            MISA => config.misa,
            MIE if config.has_mie => self.mie,
            MIP if config.has_mie => 0,
            MTVEC => self.mtvec,
            MSCRATCH => self.mscratch,
            MEPC => self.mepc,
            MCAUSE => self.mcause,
            MTVAL => self.mtval,
            PMPCFG0..=PMPCFG3 => u32::from_le_bytes(std::array::from_fn(|i| self.pmpcfg[pmp_byte(csr) + i])),
            PMPADDR0..=PMPADDR15 => self.pmpaddr[usize::from(csr - PMPADDR0)],
            TSELECT if config.triggers > 0 => self.tselect,
            TDATA1..=TDATA3 if config.triggers > 0 => {
                self.tdata[self.tselect as usize][usize::from(csr - TDATA1)]
            }
            TCONTROL if config.triggers > 0 => self.tcontrol,
            MCOUNTEREN if config.has_counters => self.mcounteren,
            MCOUNTINHIBIT if config.has_counters => 0,
            MCYCLE | CYCLE if config.has_counters => cycle as u32,
            MCYCLEH | CYCLEH if config.has_counters => (cycle >> 32) as u32,
            TIME if config.has_counters => counts.cycle as u32,
            TIMEH if config.has_counters => (counts.cycle >> 32) as u32,
            MINSTRET | INSTRET if config.has_counters => instret as u32,
            MINSTRETH | INSTRETH if config.has_counters => (instret >> 32) as u32,
            MVENDORID => config.mvendorid,
            MARCHID => config.marchid,
            MIMPID => config.mimpid,
            MHARTID => config.mhartid,
            _ => return None,
        })
    }

    /// Writes `csr`; bits that are read-only keep their value. False if there is no such register here.
    /// `retiring` is 1 if an instruction does this, else 0: it does not count in a counter it writes.
    pub(crate) fn write(
        &mut self,
        csr: u16,
        value: u32,
        config: &HartConfig,
        counts: Counts,
        retiring: u64,
    ) -> bool {
        match csr {
            MSTATUS => {
                // MPP holds a supported mode only; a value other than machine or user mode becomes user mode.
                let mpp = if value >> MSTATUS_MPP_SHIFT & 3 == 3 {
                    3 << MSTATUS_MPP_SHIFT
                } else {
                    0
                };
                self.mstatus = value & (MSTATUS_MIE | MSTATUS_MPIE | MSTATUS_TW) | mpp;
            }
            MISA => {}
            MSTATUSH | MIP if config.has_mie => {}
            MIE if config.has_mie => self.mie = value,
            MTVEC => {
                self.mtvec = match config.trap_vector {
                    TrapVector::Standard => value & !2,
                    TrapVector::Vectored => value & !0xff | 1,
                }
            }
            MSCRATCH => self.mscratch = value,
            MEPC => self.mepc = value & !1,
            MCAUSE => self.mcause = value,
            MTVAL => self.mtval = value,
            PMPCFG0..=PMPCFG3 => {
                for (i, byte) in value.to_le_bytes().into_iter().enumerate() {
                    let entry = pmp_byte(csr) + i;
                    if !self.pmp_locked(entry) {
                        self.pmpcfg[entry] = byte & 0x9f;
                    }
                }
            }
            PMPADDR0..=PMPADDR15 => {
                let entry = usize::from(csr - PMPADDR0);
                // A locked entry in TOR mode locks the address below it too.
                let top_locked =
                    entry < 15 && self.pmp_locked(entry + 1) && self.pmpcfg[entry + 1] & 0x18 == 0x08;
                if !self.pmp_locked(entry) && !top_locked {
                    self.pmpaddr[entry] = value;
                }
            }
            TSELECT if config.triggers > 0 => {
                if value < config.triggers {
                    self.tselect = value;
                }
            }
            TDATA1 if config.triggers > 0 => {
                self.tdata[self.tselect as usize][0] = value & 0x0fff_ffff | TDATA1_TYPE_MATCH;
            }
            TDATA2 | TDATA3 if config.triggers > 0 => {
                self.tdata[self.tselect as usize][usize::from(csr - TDATA1)] = value;
            }
            TCONTROL if config.triggers > 0 => self.tcontrol = value & (TCONTROL_MTE | TCONTROL_MPTE),
            MCOUNTEREN if config.has_counters => self.mcounteren = value & 7,
            MCOUNTINHIBIT if config.has_counters => {}
            MCYCLE if config.has_counters => set_low(&mut self.cycle_offset, counts.cycle, value, retiring),
            MCYCLEH if config.has_counters => set_high(&mut self.cycle_offset, counts.cycle, value, retiring),
            MINSTRET if config.has_counters => {
                set_low(&mut self.instret_offset, counts.instret, value, retiring)
            }
            MINSTRETH if config.has_counters => {
                set_high(&mut self.instret_offset, counts.instret, value, retiring)
            }
            _ => return false,
        }
        true
    }

    fn pmp_locked(&self, entry: usize) -> bool {
        self.pmpcfg[entry] & 0x80 != 0
    }

    /// Takes a trap: saves the state and returns the address of the handler.
    pub(crate) fn enter_trap(&mut self, cause: u32, tval: u32, pc: u32, privilege: Privilege) -> u32 {
        self.mepc = pc;
        self.mcause = cause;
        self.mtval = tval;
        let mpie = (self.mstatus & MSTATUS_MIE) << 4;
        self.mstatus = self.mstatus & MSTATUS_TW | mpie | (privilege as u32) << MSTATUS_MPP_SHIFT;
        self.tcontrol = (self.tcontrol & TCONTROL_MTE) << 4;
        let base = self.mtvec & !3;
        let vectored = self.mtvec & 1 != 0 && cause >> 31 != 0;
        if vectored {
            base.wrapping_add(4 * (cause & 0x7fff_ffff))
        } else {
            base
        }
    }

    /// `mret`: restores the state from before the trap, and returns the privilege that it had.
    pub(crate) fn leave_trap(&mut self) -> Privilege {
        let privilege = if self.mstatus >> MSTATUS_MPP_SHIFT & 3 == 3 {
            Privilege::Machine
        } else {
            Privilege::User
        };
        let mie = (self.mstatus & MSTATUS_MPIE) >> 4;
        self.mstatus = self.mstatus & MSTATUS_TW | mie | MSTATUS_MPIE;
        self.tcontrol = self.tcontrol & TCONTROL_MPTE | (self.tcontrol & TCONTROL_MPTE) >> 4;
        privilege
    }
}

/// Index of the first entry in a `pmpcfg` register.
fn pmp_byte(csr: u16) -> usize {
    4 * usize::from(csr - PMPCFG0)
}

/// Moves a counter so that its low half becomes `value` after `retiring` more.
fn set_low(offset: &mut u64, count: u64, value: u32, retiring: u64) {
    let now = count.wrapping_add(*offset);
    *offset = (now >> 32 << 32 | u64::from(value)).wrapping_sub(count + retiring);
}

/// Moves a counter so that its high half becomes `value` and its low half is what it is, after `retiring` more.
fn set_high(offset: &mut u64, count: u64, value: u32, retiring: u64) {
    let now = count.wrapping_add(*offset);
    *offset = (now << 32 >> 32 | u64::from(value) << 32).wrapping_sub(count + retiring);
}
