//! CSRs of this CPU beyond the RISC-V specification (TRM chapter 1.4.1): the performance counter and the
//! dedicated GPIO.

use rv32::Counts;

/// Machine performance counter event, mode and count.
pub(super) const MPCER: u16 = 0x7E0;
pub(super) const MPCMR: u16 = 0x7E1;
pub(super) const MPCCR: u16 = 0x7E2;
/// Dedicated GPIO: output enable, input, output.
const CPU_GPIO_OEN: u16 = 0x803;
const CPU_GPIO_IN: u16 = 0x804;
const CPU_GPIO_OUT: u16 = 0x805;

const EVENT_CYCLE: u32 = 1 << 0;
const EVENT_INSTRUCTION: u32 = 1 << 1;
const COUNT_EN: u32 = 1 << 0;

/// The vendor's CSRs. Of the performance counter, cycles and instructions are modelled; the other events (hazards,
/// loads, branches…) count like cycles. No pad is connected to the dedicated GPIO.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct VendorCsrs {
    mpcer: u32,
    mpcmr: u32,
    /// Count of the performance counter, and the hart's count at the same moment.
    mpccr: (u32, u64),
    gpio_oen: u32,
    gpio_out: u32,
}

impl VendorCsrs {
    /// The CSRs as the boot chain leaves them: counting cycles from zero, which esp-hal relies on.
    pub(super) fn after_boot(cycle: u64) -> VendorCsrs {
        VendorCsrs {
            mpcer: EVENT_CYCLE,
            mpcmr: COUNT_EN,
            mpccr: (0, cycle),
            ..VendorCsrs::default()
        }
    }

    pub(super) fn read(&self, csr: u16, counts: Counts) -> Option<u32> {
        Some(match csr {
            MPCER => self.mpcer,
            MPCMR => self.mpcmr,
            MPCCR => self.count(counts),
            CPU_GPIO_OEN => self.gpio_oen,
            CPU_GPIO_OUT => self.gpio_out,
            CPU_GPIO_IN => 0,
            _ => return None,
        })
    }

    pub(super) fn write(&mut self, csr: u16, value: u32, counts: Counts) {
        match csr {
            MPCER | MPCMR => {
                let count = self.count(counts);
                let register = if csr == MPCER {
                    &mut self.mpcer
                } else {
                    &mut self.mpcmr
                };
                *register = value;
                self.mpccr = (count, self.counted(counts));
            }
            MPCCR => self.mpccr = (value, self.counted(counts)),
            CPU_GPIO_OEN => self.gpio_oen = value,
            CPU_GPIO_OUT => self.gpio_out = value,
            _ => {}
        }
    }

    fn count(&self, counts: Counts) -> u32 {
        let (value, since) = self.mpccr;
        if self.mpcmr & COUNT_EN == 0 {
            return value;
        }
        value.wrapping_add(self.counted(counts).wrapping_sub(since) as u32)
    }

    fn counted(&self, counts: Counts) -> u64 {
        match self.mpcer {
            0 => 0,
            event if event & EVENT_CYCLE == 0 && event & EVENT_INSTRUCTION != 0 => counts.instret,
            _ => counts.cycle,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(cycle: u64, instret: u64) -> Counts {
        Counts { cycle, instret }
    }

    #[test]
    fn the_performance_counter_counts_cycles_or_instructions() {
        let mut csrs = VendorCsrs::after_boot(10);
        assert_eq!(csrs.read(MPCCR, at(110, 50)), Some(100));
        csrs.write(MPCER, 2, at(110, 50));
        assert_eq!(csrs.read(MPCCR, at(300, 53)), Some(103));
        csrs.write(MPCCR, 0, at(300, 53));
        assert_eq!(csrs.read(MPCCR, at(400, 60)), Some(7));
        csrs.write(MPCMR, 0, at(400, 60));
        assert_eq!(csrs.read(MPCCR, at(500, 90)), Some(7), "stopped");
        csrs.write(MPCMR, 1, at(600, 100));
        assert_eq!(csrs.read(MPCCR, at(700, 101)), Some(8));
    }

    #[test]
    fn other_csrs_do_not_exist() {
        let mut csrs = VendorCsrs::default();
        assert_eq!(csrs.read(0x7FF, at(0, 0)), None);
        csrs.write(CPU_GPIO_OUT, 3, at(0, 0));
        assert_eq!(csrs.read(CPU_GPIO_OUT, at(0, 0)), Some(3));
        assert_eq!(csrs.read(CPU_GPIO_IN, at(0, 0)), Some(0));
    }
}
