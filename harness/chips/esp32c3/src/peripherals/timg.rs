//! Timer groups 0 and 1 (TRM chapter 11, "Timer Group"; chapter 12 "Watchdog Timers"): a 54-bit timer with an
//! alarm, a four-stage watchdog, and the calibration of the slow clocks against the crystal.

use rv32::{PollRead, PollWrite};

use crate::clock::{CYCLES_PER_APB, CYCLES_PER_XTAL, NEVER, RC_FAST_HZ, RC_SLOW_HZ, cycles_of};
use crate::peripherals::interrupt_core0::source;
use crate::peripherals::poll::{self, Half};
use crate::peripherals::watchdog::{Stages, WDT_KEY};
use crate::peripherals::written::Written;
use crate::registers::{Register, RegisterFile, array, modelled, tagged};
use crate::reset::ResetCause;

const T0CONFIG: u32 = 0x00;
const T0LO: u32 = 0x04;
const T0HI: u32 = 0x08;
const T0UPDATE: u32 = 0x0C;
const T0ALARMLO: u32 = 0x10;
const T0ALARMHI: u32 = 0x14;
const T0LOADLO: u32 = 0x18;
const T0LOAD: u32 = 0x20;
const WDTCONFIG0: u32 = 0x48;
const WDTCONFIG1: u32 = 0x4C;
const WDTCONFIG2: u32 = 0x50;
const WDTFEED: u32 = 0x60;
const WDTWPROTECT: u32 = 0x64;
const RTCCALICFG: u32 = 0x68;
const RTCCALICFG1: u32 = 0x6C;
const INT_ENA: u32 = 0x70;
const INT_RAW: u32 = 0x74;
const INT_ST: u32 = 0x78;
const INT_CLR: u32 = 0x7C;
const RTCCALICFG2: u32 = 0x80;

const USE_XTAL: u32 = 1 << 9;
const ALARM_EN: u32 = 1 << 10;
const AUTORELOAD: u32 = 1 << 29;
const INCREASE: u32 = 1 << 30;
const EN: u32 = 1 << 31;
const WDT_USE_XTAL: u32 = 1 << 21;
const WDT_EN: u32 = 1 << 31;
const CALI_START_CYCLING: u32 = 1 << 12;
const CALI_START: u32 = 1 << 31;
const CALI_RDY: u32 = 1 << 15;
const INT_T0: u32 = 1 << 0;
const INT_WDT: u32 = 1 << 1;
const MASK_54: u64 = (1 << 54) - 1;

pub(crate) const REGISTERS: &[Register] = &[
    modelled(T0CONFIG, "T0CONFIG", 0x6000_2000, 0xFFFF_E600),
    modelled(T0LO, "T0LO", 0, 0),
    modelled(T0HI, "T0HI", 0, 0),
    modelled(T0UPDATE, "T0UPDATE", 0, 0),
    modelled(T0ALARMLO, "T0ALARMLO", 0, 0xFFFF_FFFF),
    modelled(T0ALARMHI, "T0ALARMHI", 0, 0x003F_FFFF),
    modelled(T0LOADLO, "T0LOADLO", 0, 0xFFFF_FFFF),
    modelled(0x1C, "T0LOADHI", 0, 0x003F_FFFF),
    modelled(T0LOAD, "T0LOAD", 0, 0),
    modelled(WDTCONFIG0, "WDTCONFIG0", 0x0004_C000, 0xFFBF_F000),
    modelled(WDTCONFIG1, "WDTCONFIG1", 0x0001_0000, 0xFFFF_0000),
    array(modelled(WDTCONFIG2, "WDTCONFIG", 0x018C_BA80, 0xFFFF_FFFF), 4),
    modelled(WDTFEED, "WDTFEED", 0, 0),
    modelled(WDTWPROTECT, "WDTWPROTECT", 0x50D8_3AA1, 0xFFFF_FFFF),
    modelled(RTCCALICFG, "RTCCALICFG", 0x0001_3000, 0xFFFF_7000),
    modelled(RTCCALICFG1, "RTCCALICFG1", 0, 0),
    modelled(INT_ENA, "INT_ENA", 0, 0x3),
    modelled(INT_RAW, "INT_RAW", 0, 0),
    modelled(INT_ST, "INT_ST", 0, 0),
    modelled(INT_CLR, "INT_CLR", 0, 0),
    modelled(RTCCALICFG2, "RTCCALICFG2", 0xFFFF_FF98, 0xFFFF_FFF8),
    tagged(0xFC, "REGCLK", 0x6000_0000, 0xE000_0000),
];

/// A timer group: timer, watchdog and calibration of the slow clocks.
#[derive(Clone, Debug)]
pub(crate) struct Timg {
    /// Number of the group, 0 or 1.
    group: u32,
    file: RegisterFile,
    /// Timer value at `since`.
    value: u64,
    since: u64,
    alarm_at: u64,
    watchdog: Stages,
    calibration_from: u64,
    /// The cycle at which the requested calibration is ready.
    calibrated_at: u64,
    deadline: u64,
}

impl Timg {
    /// Timer group `group`, reset at `cycle`.
    pub(crate) fn new(group: u32, cycle: u64) -> Timg {
        Timg {
            group,
            file: RegisterFile::new(REGISTERS),
            value: 0,
            since: cycle,
            alarm_at: NEVER,
            watchdog: Stages::default(),
            calibration_from: cycle,
            calibrated_at: NEVER,
            deadline: NEVER,
        }
    }

    pub(crate) fn read(&self, offset: u32, cycle: u64) -> Option<u32> {
        let stored = self.file.read(offset)?;
        Some(match offset {
            INT_ST => self.file.get(INT_RAW) & self.file.get(INT_ENA),
            RTCCALICFG if self.calibrated_at <= cycle => stored | CALI_RDY,
            // Bit 0: the value of the cyclic measurement is valid.
            RTCCALICFG1 if self.calibrated_at <= cycle => self.calibration() << 7 | 1,
            RTCCALICFG2 => stored | u32::from(self.calibration_timed_out(cycle)),
            _ => stored,
        })
    }

    pub(crate) fn write(&mut self, offset: u32, value: u32, cycle: u64) -> Written {
        let is_watchdog = (WDTCONFIG0..=WDTFEED).contains(&offset);
        if is_watchdog && self.file.get(WDTWPROTECT) != WDT_KEY {
            return if self.file.read(offset).is_some() {
                Written::Quiet
            } else {
                Written::Unmodelled
            };
        }
        if offset == T0CONFIG {
            // The counts up to now are computed with the old configuration.
            self.settle(cycle);
        }
        if !self.file.write(offset, value) {
            return Written::Unmodelled;
        }
        match offset {
            T0UPDATE => {
                let now = self.at(cycle);
                self.file.set(T0LO, now as u32);
                self.file.set(T0HI, (now >> 32) as u32);
                return Written::Quiet;
            }
            T0LOAD => self.load(cycle),
            INT_CLR => self.file.set(INT_RAW, self.file.get(INT_RAW) & !value),
            RTCCALICFG => {
                self.calibration_from = cycle;
                self.calibrated_at = NEVER;
                if value & CALI_START != 0 {
                    self.calibrated_at = cycle.saturating_add(self.calibration_cycles());
                }
                return Written::Quiet;
            }
            WDTFEED => self.watchdog.feed(cycle),
            T0CONFIG | T0ALARMLO | T0ALARMHI | INT_ENA | WDTCONFIG0..WDTFEED => {}
            _ => return Written::Quiet,
        }
        self.reschedule(cycle);
        Written::Sync
    }

    /// The values that reads return between two cycles before the next deadline, see
    /// [`rv32::Bus::poll_read`].
    pub(crate) fn poll_read(&self, offset: u32, from: u64, to: u64) -> Option<PollRead> {
        match offset {
            T0LO | T0HI => {
                let latched = u64::from(self.file.get(T0HI)) << 32 | u64::from(self.file.get(T0LO));
                let half = if offset == T0LO { Half::Low } else { Half::High };
                poll::latched(latched, self.at(from), self.at(to), half)
            }
            // The calibration becomes ready or times out at one moment.
            _ => Some(poll::between(self.read(offset, from)?, self.read(offset, to)?)),
        }
    }

    /// The effect of a write in a polling loop, see [`rv32::Bus::poll_write`].
    pub(crate) fn poll_write(&self, offset: u32) -> Option<PollWrite> {
        (offset == T0UPDATE).then_some(PollWrite::Register)
    }

    /// Does what is due at `cycle`. Returns the cause if a watchdog stage asks for a reset.
    pub(crate) fn advance(&mut self, cycle: u64) -> Option<ResetCause> {
        if self.deadline > cycle {
            return None;
        }
        if self.alarm_at <= cycle {
            self.raise(INT_T0);
            let conf = self.file.get(T0CONFIG);
            self.file.set(T0CONFIG, conf & !ALARM_EN);
            if conf & AUTORELOAD != 0 {
                let at = self.alarm_at.max(self.since);
                self.load(at);
            }
        }
        let mut reset = None;
        while let Some(action) = self.watchdog.expired(cycle) {
            match action {
                1 => self.raise(INT_WDT),
                2 => {
                    reset = reset.or(Some(
                        [ResetCause::CpuMwdt0, ResetCause::CpuMwdt1][self.group as usize],
                    ))
                }
                3 => {
                    reset = reset.or(Some(
                        [ResetCause::CoreMwdt0, ResetCause::CoreMwdt1][self.group as usize],
                    ))
                }
                _ => {}
            }
        }
        self.reschedule(cycle);
        reset
    }

    #[inline]
    pub(crate) fn deadline(&self) -> u64 {
        self.deadline
    }

    #[inline]
    pub(crate) fn interrupts(&self) -> u64 {
        let active = u64::from(self.file.get(INT_RAW) & self.file.get(INT_ENA));
        active << (source::TG0_T0 + 2 * self.group)
    }

    fn raise(&mut self, bit: u32) {
        self.file.set(INT_RAW, self.file.get(INT_RAW) | bit);
    }

    fn cycles_per_count(&self) -> u64 {
        let conf = self.file.get(T0CONFIG);
        let clock = if conf & USE_XTAL != 0 {
            CYCLES_PER_XTAL
        } else {
            CYCLES_PER_APB
        };
        // TRM 11.3.1: 0 divides by 65536, and 1 by 2.
        let divider = match conf >> 13 & 0xFFFF {
            0 => 65_536,
            1 => 2,
            n => u64::from(n),
        };
        clock * divider
    }

    fn at(&self, cycle: u64) -> u64 {
        let conf = self.file.get(T0CONFIG);
        if conf & EN == 0 {
            return self.value;
        }
        let counts = cycle.saturating_sub(self.since) / self.cycles_per_count();
        let value = if conf & INCREASE != 0 {
            self.value.wrapping_add(counts)
        } else {
            self.value.wrapping_sub(counts)
        };
        value & MASK_54
    }

    fn settle(&mut self, cycle: u64) {
        let per = self.cycles_per_count();
        self.value = self.at(cycle);
        // The part of a count that has passed is kept.
        self.since = cycle - cycle.saturating_sub(self.since) % per;
    }

    fn load(&mut self, cycle: u64) {
        self.value =
            (u64::from(self.file.get(T0LOADLO + 4)) << 32 | u64::from(self.file.get(T0LOADLO))) & MASK_54;
        self.since = cycle;
    }

    fn reschedule(&mut self, cycle: u64) {
        let conf = self.file.get(T0CONFIG);
        self.alarm_at = NEVER;
        if conf & EN != 0 && conf & ALARM_EN != 0 {
            let alarm = u64::from(self.file.get(T0ALARMHI)) << 32 | u64::from(self.file.get(T0ALARMLO));
            let ahead = if conf & INCREASE != 0 {
                alarm.saturating_sub(self.value)
            } else {
                self.value.saturating_sub(alarm)
            };
            let at = self
                .since
                .saturating_add(ahead.saturating_mul(self.cycles_per_count()));
            self.alarm_at = at.max(cycle);
        }
        let conf0 = self.file.get(WDTCONFIG0);
        let clock = if conf0 & WDT_USE_XTAL != 0 {
            CYCLES_PER_XTAL
        } else {
            CYCLES_PER_APB
        };
        let prescale = u64::from(self.file.get(WDTCONFIG1) >> 16).max(1);
        let actions = [29, 27, 25, 23].map(|shift| conf0 >> shift & 3);
        let holds =
            [0, 4, 8, 12].map(|n| u64::from(self.file.get(WDTCONFIG2 + n)).saturating_mul(clock * prescale));
        self.watchdog
            .configure(conf0 & WDT_EN != 0, actions, holds, cycle);
        self.deadline = self.alarm_at.min(self.watchdog.deadline());
    }

    /// CPU cycles that the clock to be calibrated takes for the requested number of periods. Without a
    /// crystal of 32 kHz (few boards have one) its measurement never ends.
    fn calibration_cycles(&self) -> u64 {
        let conf = self.file.get(RTCCALICFG);
        let count = u64::from(conf >> 16 & 0x7FFF);
        match conf >> 13 & 3 {
            0 => cycles_of(count, RC_SLOW_HZ),
            1 => cycles_of(count, RC_FAST_HZ / 256),
            _ => NEVER,
        }
    }

    /// Crystal periods in the measured number of slow-clock periods.
    fn calibration(&self) -> u32 {
        (self.calibration_cycles() / CYCLES_PER_XTAL) as u32 & 0x01FF_FFFF
    }

    /// True if a measurement, one-shot or cyclic, has taken more crystal periods than `RTCCALICFG2` allows.
    fn calibration_timed_out(&self, cycle: u64) -> bool {
        if self.file.get(RTCCALICFG) & (CALI_START | CALI_START_CYCLING) == 0 {
            return false;
        }
        let went_on = (cycle - self.calibration_from).min(self.calibration_cycles());
        went_on / CYCLES_PER_XTAL > u64::from(self.file.get(RTCCALICFG2) >> 7)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reset_values_are_those_of_silicon() {
        let timg = Timg::new(0, 0);
        assert_eq!(timg.read(T0CONFIG, 0), Some(0x6000_2000));
        assert_eq!(timg.read(WDTCONFIG0, 0), Some(0x0004_C000));
        assert_eq!(timg.deadline(), NEVER);
        assert_eq!(timg.read(0x24, 0), None);
    }

    #[test]
    fn the_alarm_fires_disarms_itself_and_reloads() {
        let mut timg = Timg::new(0, 0);
        timg.write(INT_ENA, INT_T0, 0);
        timg.write(T0ALARMLO, 1_000, 0);
        // 80 MHz / 80: one count per microsecond; enabled, counting up, alarm, automatic reload.
        timg.write(T0CONFIG, EN | INCREASE | AUTORELOAD | ALARM_EN | 80 << 13, 0);
        assert_eq!(timg.deadline(), 160_000);
        assert_eq!(timg.advance(160_000), None);
        assert_eq!(timg.interrupts(), 1 << 32);
        assert_eq!(timg.read(T0CONFIG, 0).unwrap() & ALARM_EN, 0);
        timg.write(T0UPDATE, 1, 160_160);
        assert_eq!(timg.read(T0LO, 160_160), Some(1));
        timg.write(INT_CLR, INT_T0, 160_200);
        assert_eq!(timg.interrupts(), 0);
        timg.write(
            T0CONFIG,
            EN | INCREASE | AUTORELOAD | ALARM_EN | 80 << 13,
            160_200,
        );
        assert_eq!(timg.deadline(), 320_000, "the reload happened at the alarm");
    }

    #[test]
    fn an_alarm_in_the_past_fires_at_once_and_counting_down_works() {
        let mut timg = Timg::new(1, 0);
        timg.write(T0LOADLO, 500, 0);
        timg.write(T0LOAD, 1, 0);
        timg.write(T0ALARMLO, 100, 0);
        timg.write(T0CONFIG, EN | INCREASE | ALARM_EN | 2 << 13, 0);
        assert_eq!(timg.deadline(), 0);
        timg.write(T0CONFIG, EN | ALARM_EN | 2 << 13, 0);
        assert_eq!(timg.deadline(), 400 * 4);
    }

    #[test]
    fn the_calibration_counts_crystal_periods() {
        let mut timg = Timg::new(0, 0);
        timg.write(RTCCALICFG, CALI_START | 136 << 16, 0);
        assert_eq!(timg.read(RTCCALICFG, 159_999).unwrap() & CALI_RDY, 0);
        assert_eq!(timg.read(RTCCALICFG, 160_000).unwrap() & CALI_RDY, CALI_RDY);
        assert_eq!(
            timg.read(RTCCALICFG1, 160_000).unwrap() >> 7,
            40_000,
            "1 ms at 40 MHz"
        );
    }

    #[test]
    fn a_calibration_that_takes_too_long_times_out() {
        let mut timg = Timg::new(0, 0);
        assert_eq!(
            timg.read(RTCCALICFG2, 160_000),
            Some(0xFFFF_FF98),
            "the cyclic one of reset, in time"
        );
        timg.write(RTCCALICFG2, 1 << 7, 0);
        assert_eq!(timg.read(RTCCALICFG2, 160_000).unwrap() & 1, 1);
        // A crystal that is not there.
        timg.write(RTCCALICFG, CALI_START | 2 << 13 | 10 << 16, 160_000);
        assert_eq!(timg.read(RTCCALICFG2, 160_004).unwrap() & 1, 0);
        assert_eq!(timg.read(RTCCALICFG2, 160_008).unwrap() & 1, 1);
        assert_eq!(timg.read(RTCCALICFG, u64::MAX - 1).unwrap() & CALI_RDY, 0);
    }

    #[test]
    fn the_watchdog_interrupts_then_resets_unless_it_is_fed() {
        let mut timg = Timg::new(0, 0);
        timg.write(INT_ENA, INT_WDT, 0);
        timg.write(WDTCONFIG1, 40_000 << 16, 0);
        timg.write(WDTCONFIG2, 10, 0);
        timg.write(WDTCONFIG2 + 4, 20, 0);
        // 80 MHz / 40,000: 0.5 ms; stage 0 interrupts, stage 1 resets the system.
        timg.write(WDTCONFIG0, WDT_EN | 1 << 29 | 3 << 27, 0);
        assert_eq!(timg.deadline(), 800_000);
        timg.write(WDTFEED, 1, 700_000);
        assert_eq!(timg.deadline(), 1_500_000);
        assert_eq!(timg.advance(1_500_000), None);
        assert_eq!(timg.interrupts(), 1 << 33);
        assert_eq!(timg.deadline(), 3_100_000);
        assert_eq!(timg.advance(3_100_000), Some(ResetCause::CoreMwdt0));
    }

    #[test]
    fn a_locked_watchdog_ignores_writes() {
        let mut timg = Timg::new(0, 0);
        timg.write(WDTWPROTECT, 0, 0);
        assert_eq!(timg.write(WDTCONFIG0, WDT_EN | 3 << 29, 0), Written::Quiet);
        assert_eq!(timg.read(WDTCONFIG0, 0), Some(0x0004_C000));
        assert_eq!(timg.deadline(), NEVER);
    }
}
