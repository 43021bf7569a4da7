//! System timer (TRM chapter 10): two 52-bit counters at 16 MHz and three comparators.
//!
//! Unit 0 runs from reset. A comparator whose target lies at most 2^51 - 1 ticks in the past when it is loaded
//! fires at once (TRM 10.3.3).

use rv32::{PollRead, PollWrite};

use crate::clock::{CYCLES_PER_SYSTIMER, NEVER};
use crate::peripherals::interrupt_core0::source;
use crate::peripherals::poll::{self, Half};
use crate::peripherals::written::Written;
use crate::registers::{Register, RegisterFile, array, modelled};

const CONF: u32 = 0x00;
const UNIT0_OP: u32 = 0x04;
const UNIT1_OP: u32 = 0x08;
const UNIT0_LOAD_HI: u32 = 0x0C;
const TARGET0_HI: u32 = 0x1C;
const TARGET0_CONF: u32 = 0x34;
const UNIT0_VALUE_HI: u32 = 0x40;
const COMP0_LOAD: u32 = 0x50;
const COMP2_LOAD: u32 = 0x58;
const UNIT0_LOAD: u32 = 0x5C;
const UNIT1_LOAD: u32 = 0x60;
const INT_ENA: u32 = 0x64;
const INT_RAW: u32 = 0x68;
const INT_CLR: u32 = 0x6C;
const INT_ST: u32 = 0x70;

const VALUE_VALID: u32 = 1 << 29;
const UPDATE: u32 = 1 << 30;
const MASK_52: u64 = (1 << 52) - 1;
const HALF_52: u64 = 1 << 51;

pub(crate) const REGISTERS: &[Register] = &[
    modelled(CONF, "CONF", 0x4600_0000, 0xFFC0_0001),
    array(modelled(UNIT0_OP, "UNIT_OP", 0, 0), 2),
    array(modelled(UNIT0_LOAD_HI, "UNIT_LOAD_HI_LO", 0, 0xFFFF_FFFF), 4),
    array(modelled(TARGET0_HI, "TARGET_HI_LO", 0, 0xFFFF_FFFF), 6),
    array(modelled(TARGET0_CONF, "TARGET_CONF", 0, 0xC3FF_FFFF), 3),
    array(modelled(UNIT0_VALUE_HI, "UNIT_VALUE_HI_LO", 0, 0), 4),
    array(modelled(COMP0_LOAD, "COMP_LOAD", 0, 0), 3),
    array(modelled(UNIT0_LOAD, "UNIT_LOAD", 0, 0), 2),
    modelled(INT_ENA, "INT_ENA", 0, 0x7),
    modelled(INT_RAW, "INT_RAW", 0, 0x7),
    modelled(INT_CLR, "INT_CLR", 0, 0),
    modelled(INT_ST, "INT_ST", 0, 0),
];

#[derive(Clone, Copy, Debug, Default)]
struct Unit {
    /// Counter value at `since`.
    value: u64,
    /// Global tick (cycles / 10) at which `value` was set; counting continues from it.
    since: u64,
    running: bool,
}

impl Unit {
    fn at(&self, tick: u64) -> u64 {
        if self.running {
            self.value.wrapping_add(tick - self.since) & MASK_52
        } else {
            self.value
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Comparator {
    target: u64,
    armed: bool,
    /// The cycle at which it fires, [`NEVER`] while it cannot.
    fires_at: u64,
}

/// The system timer: two counters and three comparators.
#[derive(Clone, Debug)]
pub(crate) struct Systimer {
    file: RegisterFile,
    units: [Unit; 2],
    comparators: [Comparator; 3],
    deadline: u64,
}

fn tick_of(cycle: u64) -> u64 {
    cycle / CYCLES_PER_SYSTIMER
}

impl Systimer {
    /// The timer after a reset at `cycle`.
    pub(crate) fn new(cycle: u64) -> Systimer {
        let mut timer = Systimer {
            file: RegisterFile::new(REGISTERS),
            units: [Unit {
                value: 0,
                since: tick_of(cycle),
                running: false,
            }; 2],
            comparators: [Comparator {
                target: 0,
                armed: false,
                fires_at: NEVER,
            }; 3],
            deadline: NEVER,
        };
        timer.apply_conf(cycle);
        timer
    }

    pub(crate) fn read(&self, offset: u32, _cycle: u64) -> Option<u32> {
        match offset {
            INT_ST => Some(self.file.get(INT_RAW) & self.file.get(INT_ENA)),
            _ => self.file.read(offset),
        }
    }

    pub(crate) fn write(&mut self, offset: u32, value: u32, cycle: u64) -> Written {
        if !self.file.write(offset, value) {
            return Written::Unmodelled;
        }
        match offset {
            UNIT0_OP | UNIT1_OP => {
                if value & UPDATE != 0 {
                    self.latch(((offset - UNIT0_OP) / 4) as usize, cycle);
                }
                return Written::Quiet;
            }
            CONF => self.apply_conf(cycle),
            COMP0_LOAD..=COMP2_LOAD if value & 1 != 0 => self.load((offset - COMP0_LOAD) as usize / 4, cycle),
            UNIT0_LOAD | UNIT1_LOAD if value & 1 != 0 => {
                let n = (offset - UNIT0_LOAD) / 4;
                self.units[n as usize].value = self.pair(UNIT0_LOAD_HI + 8 * n);
                self.units[n as usize].since = tick_of(cycle);
            }
            INT_CLR => self.file.set(INT_RAW, self.file.get(INT_RAW) & !value),
            INT_ENA | INT_RAW => {}
            // Load values, targets and their configuration take effect when they are loaded; the unit that is
            // compared and the mode do at once.
            0x34..0x40 => {}
            _ => return Written::Quiet,
        }
        self.reschedule(cycle);
        Written::Sync
    }

    /// The values that reads return between two cycles before the next deadline, see
    /// [`rv32::Bus::poll_read`].
    pub(crate) fn poll_read(&self, offset: u32, from: u64, to: u64) -> Option<PollRead> {
        match offset {
            UNIT0_OP | UNIT1_OP => Some(PollRead::Register {
                low: self.file.get(offset),
                high: VALUE_VALID,
                latched: true,
            }),
            UNIT0_VALUE_HI..COMP0_LOAD => {
                let n = (offset - UNIT0_VALUE_HI) / 8;
                let latched = self.pair(UNIT0_VALUE_HI + 8 * n);
                let unit = &self.units[n as usize];
                let half = if offset.is_multiple_of(8) {
                    Half::High
                } else {
                    Half::Low
                };
                poll::latched(latched, unit.at(tick_of(from)), unit.at(tick_of(to)), half)
            }
            _ => self.read(offset, from).map(poll::constant),
        }
    }

    /// The effect of a write in a polling loop, see [`rv32::Bus::poll_write`].
    pub(crate) fn poll_write(&self, offset: u32) -> Option<PollWrite> {
        matches!(offset, UNIT0_OP | UNIT1_OP).then_some(PollWrite::Register)
    }

    /// Fires the comparators whose target has been reached by `cycle`.
    pub(crate) fn advance(&mut self, cycle: u64) {
        if self.deadline > cycle {
            return;
        }
        for n in 0..3 {
            if self.comparators[n].fires_at <= cycle {
                self.file.set(INT_RAW, self.file.get(INT_RAW) | 1 << n);
                let conf = self.conf(n);
                let now = self.units[conf.unit].at(tick_of(cycle));
                let comparator = &mut self.comparators[n];
                match conf.period {
                    // The first multiple that is still to come.
                    Some(period) => {
                        let behind = now.wrapping_sub(comparator.target) & MASK_52;
                        let step = (behind / period + 1) * period;
                        comparator.target = comparator.target.wrapping_add(step) & MASK_52;
                    }
                    None => comparator.armed = false,
                }
            }
        }
        self.reschedule(cycle);
    }

    #[inline]
    pub(crate) fn deadline(&self) -> u64 {
        self.deadline
    }

    #[inline]
    pub(crate) fn interrupts(&self) -> u64 {
        u64::from(self.file.get(INT_RAW) & self.file.get(INT_ENA)) << source::SYSTIMER_TARGET0
    }

    fn latch(&mut self, n: usize, cycle: u64) {
        let value = self.units[n].at(tick_of(cycle));
        let offset = UNIT0_VALUE_HI + 8 * n as u32;
        self.file.set(offset, (value >> 32) as u32);
        self.file.set(offset + 4, value as u32);
        self.file.set(UNIT0_OP + 4 * n as u32, VALUE_VALID);
    }

    fn apply_conf(&mut self, cycle: u64) {
        let tick = tick_of(cycle);
        let conf = self.file.get(CONF);
        for (unit, bit) in self.units.iter_mut().zip([30, 29]) {
            let running = conf & 1 << bit != 0;
            if running != unit.running {
                unit.value = unit.at(tick);
                unit.since = tick;
                unit.running = running;
            }
        }
    }

    fn load(&mut self, n: usize, cycle: u64) {
        let conf = self.conf(n);
        let target = match conf.period {
            Some(period) => self.units[conf.unit].at(tick_of(cycle)).wrapping_add(period) & MASK_52,
            None => self.pair(TARGET0_HI + 8 * n as u32),
        };
        self.comparators[n].target = target;
        self.comparators[n].armed = true;
    }

    fn pair(&self, hi: u32) -> u64 {
        (u64::from(self.file.get(hi)) << 32 | u64::from(self.file.get(hi + 4))) & MASK_52
    }

    fn conf(&self, n: usize) -> TargetConf {
        let conf = self.file.get(TARGET0_CONF + 4 * n as u32);
        let period = u64::from(conf & 0x03FF_FFFF);
        TargetConf {
            unit: (conf >> 31) as usize,
            // A period of 0 would fire on every tick for ever; it never fires.
            period: (conf & 1 << 30 != 0).then_some(if period == 0 { HALF_52 } else { period }),
        }
    }

    fn reschedule(&mut self, cycle: u64) {
        let tick = tick_of(cycle);
        for n in 0..3 {
            let unit = self.units[self.conf(n).unit];
            let enabled = self.file.get(CONF) & 1 << (24 - n) != 0;
            let comparator = &mut self.comparators[n];
            comparator.fires_at = if comparator.armed && enabled && unit.running {
                let ahead = comparator.target.wrapping_sub(unit.at(tick)) & MASK_52;
                if ahead == 0 || ahead > HALF_52 {
                    cycle
                } else {
                    (tick + ahead) * CYCLES_PER_SYSTIMER
                }
            } else {
                NEVER
            };
        }
        self.deadline = self.comparators.iter().map(|c| c.fires_at).min().unwrap_or(NEVER);
    }
}

struct TargetConf {
    unit: usize,
    period: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(timer: &mut Systimer, cycle: u64) -> u64 {
        timer.write(UNIT0_OP, UPDATE, cycle);
        assert_eq!(timer.read(UNIT0_OP, cycle), Some(VALUE_VALID));
        u64::from(timer.read(UNIT0_VALUE_HI, cycle).unwrap()) << 32
            | u64::from(timer.read(UNIT0_VALUE_HI + 4, cycle).unwrap())
    }

    #[test]
    fn unit_0_counts_from_reset_at_16_mhz() {
        let mut timer = Systimer::new(0);
        assert_eq!(timer.read(CONF, 0), Some(0x4600_0000));
        assert_eq!(value(&mut timer, 9), 0);
        assert_eq!(value(&mut timer, 10), 1);
        assert_eq!(value(&mut timer, 160_000_000), 16_000_000);
        let mut timer = Systimer::new(1_000);
        assert_eq!(value(&mut timer, 1_010), 1, "counts from its own reset");
    }

    #[test]
    fn a_target_fires_once_at_its_tick() {
        let mut timer = Systimer::new(0);
        timer.write(INT_ENA, 1, 0);
        timer.write(0x20, 100, 0);
        timer.write(COMP0_LOAD, 1, 5);
        assert_eq!(timer.deadline(), NEVER, "not enabled in CONF");
        timer.write(CONF, 0x4700_0000, 5);
        assert_eq!(timer.deadline(), 1000);
        timer.advance(999);
        assert_eq!(timer.interrupts(), 0);
        timer.advance(1000);
        assert_eq!(timer.interrupts(), 1 << 37);
        assert_eq!(timer.read(INT_ST, 1000), Some(1));
        timer.write(INT_CLR, 1, 1001);
        assert_eq!(timer.interrupts(), 0);
        assert_eq!(timer.deadline(), NEVER);
    }

    #[test]
    fn a_target_in_the_past_fires_at_once() {
        let mut timer = Systimer::new(0);
        timer.write(CONF, 0x4700_0000, 0);
        timer.write(0x20, 100, 2_000);
        timer.write(COMP0_LOAD, 1, 2_000);
        assert_eq!(timer.deadline(), 2_000);
    }

    #[test]
    fn a_period_repeats_without_drift() {
        let mut timer = Systimer::new(0);
        timer.write(CONF, 0x4640_0000, 0);
        timer.write(0x3C, 1 << 30 | 160_000, 0);
        timer.write(COMP2_LOAD, 1, 0);
        assert_eq!(timer.deadline(), 1_600_000);
        timer.advance(1_600_003);
        assert_eq!(timer.read(INT_RAW, 0), Some(4));
        assert_eq!(timer.interrupts(), 0, "not enabled");
        assert_eq!(timer.deadline(), 3_200_000);
    }

    #[test]
    fn stopping_a_unit_keeps_its_value_and_loading_sets_it() {
        let mut timer = Systimer::new(0);
        timer.write(CONF, 0x0600_0000, 100);
        assert_eq!(value(&mut timer, 5_000), 10);
        timer.write(UNIT0_LOAD_HI, 1, 5_000);
        timer.write(UNIT0_LOAD_HI + 4, 2, 5_000);
        timer.write(UNIT0_LOAD, 1, 5_000);
        timer.write(CONF, 0x4600_0000, 6_000);
        assert_eq!(value(&mut timer, 6_010), (1 << 32) + 3);
    }

    #[test]
    fn a_polling_loop_sees_the_time_go_by() {
        let mut timer = Systimer::new(0);
        let range = |low, high| {
            Some(PollRead::Register {
                low,
                high,
                latched: true,
            })
        };
        assert_eq!(
            timer.poll_read(UNIT0_OP, 0, 1_000),
            range(0, VALUE_VALID),
            "not yet latched"
        );
        value(&mut timer, 500);
        assert_eq!(
            timer.poll_read(UNIT0_OP, 500, 1_000),
            range(VALUE_VALID, VALUE_VALID)
        );
        assert_eq!(
            timer.poll_read(0x44, 600, 1_000),
            range(50, 100),
            "from what is latched on"
        );
        assert_eq!(timer.poll_read(0x40, 600, 1_000), range(0, 0));
        let wrap = 10 << 32;
        assert_eq!(timer.poll_read(0x44, 600, wrap), None, "the low word wraps");
        assert_eq!(timer.poll_read(0x40, 600, wrap), range(0, 1));
        assert_eq!(timer.poll_write(UNIT0_OP), Some(PollWrite::Register));
        assert_eq!(timer.poll_write(CONF), None);
    }

    #[test]
    fn reserved_offsets_are_not_answered() {
        let mut timer = Systimer::new(0);
        assert_eq!(timer.read(0x80, 0), None);
        assert_eq!(timer.write(0x80, 1, 0), Written::Unmodelled);
    }
}
