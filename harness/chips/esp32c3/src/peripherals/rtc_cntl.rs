//! Low-power management, RTC_CNTL (TRM chapter 9), its watchdogs (chapter 12) and the reset causes (chapter 6).
//!
//! Modelled: reset on request, reset cause, RTC timer with its alarm, RTC watchdog, super watchdog, sleep,
//! and the store registers, which keep their value through every reset but power-on. In light sleep the CPU
//! stops; deep sleep ends with a reset. Wake-up by the RTC timer and by pins is modelled; a sleep that only
//! other sources could end is reported and does not begin. Clocks that stop in light sleep on the chip (the
//! system timer's) continue here.

use rv32::{PollRead, PollWrite};

use crate::clock::{CPU_HZ, NEVER, RC_FAST_HZ, RC_SLOW_HZ, XTAL32K_HZ, cycles_of, periods_in};
use crate::peripherals::interrupt_core0::source;
use crate::peripherals::poll::{self, Half};
use crate::peripherals::watchdog::{Stages, WDT_KEY};
use crate::peripherals::written::Written;
use crate::registers::{Register, RegisterFile, array, modelled, tagged};
use crate::reset::{ResetCause, ResetLevel};

const OPTIONS0: u32 = 0x00;
const SLP_TIMER0: u32 = 0x04;
const SLP_TIMER1: u32 = 0x08;
const TIME_UPDATE: u32 = 0x0C;
const TIME_LOW0: u32 = 0x10;
const TIME_HIGH0: u32 = 0x14;
const STATE0: u32 = 0x18;
const RESET_STATE: u32 = 0x38;
const WAKEUP_STATE: u32 = 0x3C;
const INT_ENA: u32 = 0x40;
const INT_RAW: u32 = 0x44;
const INT_ST: u32 = 0x48;
const INT_CLR: u32 = 0x4C;
const STORE0: u32 = 0x50;
const CLK_CONF: u32 = 0x70;
const DIG_PWC: u32 = 0x88;
const OPTION1: u32 = 0xF4;
const WDTCONFIG0: u32 = 0x90;
const WDTCONFIG1: u32 = 0x94;
const WDTFEED: u32 = 0xA4;
const WDTWPROTECT: u32 = 0xA8;
const SWD_CONF: u32 = 0xAC;
const SWD_WPROTECT: u32 = 0xB0;
const STORE4: u32 = 0xB8;
const SLP_WAKEUP_CAUSE: u32 = 0xF8;
const INT_ENA_W1TS: u32 = 0x100;
const INT_ENA_W1TC: u32 = 0x104;
const GPIO_WAKEUP: u32 = 0x110;

const SW_PROCPU_RST: u32 = 1 << 5;
const SW_SYS_RST: u32 = 1 << 31;
const TIME_UPDATE_NOW: u32 = 1 << 31;
const MAIN_TIMER_ALARM_EN: u32 = 1 << 16;
const SLEEP_EN: u32 = 1 << 31;
const DG_WRAP_PD_EN: u32 = 1 << 31;
/// Wake-up sources, bits of `WAKEUP_ENA` and `WAKEUP_CAUSE` (TRM table 9-4).
const WAKE_GPIO: u32 = 1 << 2;
const WAKE_TIMER: u32 = 1 << 3;
const INT_SLP_WAKEUP: u32 = 1 << 0;
const INT_WDT: u32 = 1 << 3;
const INT_MAIN_TIMER: u32 = 1 << 10;
const INT_SWD: u32 = 1 << 15;
const INT_ALL: u32 = 0x0019_860B;
const WDT_EN: u32 = 1 << 31;
const SWD_FEED: u32 = 1 << 29;
const SWD_DISABLE: u32 = 1 << 30;
const SWD_AUTO_FEED_EN: u32 = 1 << 31;
const SWD_KEY: u32 = 0x8F1D_312A;
/// The super watchdog resets the chip a little less than a second after it was last fed (TRM 12.3).
const SWD_TIMEOUT_CYCLES: u64 = CPU_HZ;
const MASK_48: u64 = (1 << 48) - 1;

pub(crate) const REGISTERS: &[Register] = &[
    modelled(OPTIONS0, "OPTIONS0", 0x1C00_A000, 0x7FF3_FFCF),
    modelled(SLP_TIMER0, "SLP_TIMER0", 0, 0xFFFF_FFFF),
    modelled(SLP_TIMER1, "SLP_TIMER1", 0, 0x0000_FFFF),
    modelled(TIME_UPDATE, "TIME_UPDATE", 0, 0x3800_0000),
    modelled(TIME_LOW0, "TIME_LOW0", 0, 0),
    modelled(TIME_HIGH0, "TIME_HIGH0", 0, 0),
    modelled(STATE0, "STATE0", 0, 0xE040_0000),
    tagged(0x01C, "TIMER1", 0x2814_0403, 0xFFFF_FFFF),
    tagged(0x020, "TIMER2", 0x0100_0000, 0xFF00_0000),
    tagged(0x024, "TIMER3", 0x0A08_0A08, 0xFFFF_FFFF),
    tagged(0x028, "TIMER4", 0x1020_0A08, 0xFFFF_FFFF),
    tagged(0x02C, "TIMER5", 0x8000, 0xFF00),
    tagged(0x030, "TIMER6", 0x0A08_0000, 0xFFFF_0000),
    tagged(0x034, "ANA_CONF", 0x00C4_0000, 0xDFDC_0000),
    modelled(RESET_STATE, "RESET_STATE", 0x3000, 0x03CF_3000),
    modelled(WAKEUP_STATE, "WAKEUP_STATE", 0x0006_0000, 0xFFFF_8000),
    modelled(INT_ENA, "INT_ENA", 0, 0x0019_860B),
    modelled(INT_RAW, "INT_RAW", 0, 0),
    modelled(INT_ST, "INT_ST", 0, 0),
    modelled(INT_CLR, "INT_CLR", 0, 0),
    array(modelled(STORE0, "STORE0_3", 0, 0xFFFF_FFFF), 4),
    tagged(0x060, "EXT_XTL_CONF", 0x0006_6C80, 0xC08F_FFFF),
    tagged(0x064, "EXT_WAKEUP_CONF", 0, 0x8000_0000),
    tagged(0x068, "SLP_REJECT_CONF", 0, 0xFFFF_F000),
    tagged(0x06C, "CPU_PERIOD_CONF", 0, 0xE000_0000),
    modelled(CLK_CONF, "CLK_CONF", 0x1158_3218, 0xFFFF_F7FE),
    tagged(0x074, "SLOW_CLK_CONF", 0x0040_0000, 0xFFC0_0000),
    tagged(0x078, "SDIO_CONF", 0x0AB0_BE0A, 0xFEFF_FEFF),
    tagged(0x07C, "BIAS_CONF", 0x0001_0800, 0x03FF_FDFF),
    tagged(0x080, "RTC_CNTL", 0xA000_0000, 0xF03F_C080),
    tagged(0x084, "PWC", 0, 0x0020_0000),
    modelled(DIG_PWC, "DIG_PWC", 0x0055_5010, 0xF87F_F81F),
    tagged(0x08C, "DIG_ISO", 0xAA80_5080, 0xFFC0_FD80),
    modelled(WDTCONFIG0, "WDTCONFIG0", 0x0001_3214, 0xFFFF_FFFF),
    array(modelled(WDTCONFIG1, "WDTCONFIG", 0x0003_0D40, 0xFFFF_FFFF), 4),
    modelled(WDTFEED, "WDTFEED", 0, 0),
    modelled(WDTWPROTECT, "WDTWPROTECT", 0, 0xFFFF_FFFF),
    modelled(SWD_CONF, "SWD_CONF", 0x04B0_0000, 0xCFFE_0000),
    modelled(SWD_WPROTECT, "SWD_WPROTECT", 0, 0xFFFF_FFFF),
    tagged(0x0B4, "SW_CPU_STALL", 0, 0xFFF0_0000),
    array(modelled(STORE4, "STORE4_7", 0, 0xFFFF_FFFF), 4),
    tagged(0x0C8, "LOW_POWER_ST", 0, 0),
    tagged(0x0CC, "DIAG0", 0, 0),
    tagged(0x0D0, "PAD_HOLD", 0, 0x3F),
    tagged(0x0D4, "DIG_PAD_HOLD", 0, 0xFFFF_FFFF),
    tagged(0x0D8, "BROWN_OUT", 0x43FF_0010, 0x7FFF_FFF0),
    tagged(0x0DC, "TIME_LOW1", 0, 0),
    tagged(0x0E0, "TIME_HIGH1", 0, 0),
    tagged(0x0E4, "XTAL32K_CLK_FACTOR", 0, 0xFFFF_FFFF),
    tagged(0x0E8, "XTAL32K_CONF", 0x0FF0_0000, 0xFFFF_FFFF),
    tagged(0x0EC, "USB_CONF", 0, 0x0004_0000),
    tagged(0x0F0, "SLP_REJECT_CAUSE", 0, 0),
    modelled(OPTION1, "OPTION1", 0, 0x1),
    modelled(SLP_WAKEUP_CAUSE, "SLP_WAKEUP_CAUSE", 0, 0),
    tagged(0x0FC, "ULP_CP_TIMER_1", 0xC800, 0xFFFF_FF00),
    modelled(INT_ENA_W1TS, "INT_ENA_RTC_W1TS", 0, 0),
    modelled(INT_ENA_W1TC, "INT_ENA_RTC_W1TC", 0, 0),
    tagged(0x108, "RETENTION_CTRL", 0xA0D0_0000, 0xFFFC_0000),
    tagged(0x10C, "FIB_SEL", 0x7, 0x7),
    modelled(GPIO_WAKEUP, "GPIO_WAKEUP", 0, 0xFFFF_FFC0),
    tagged(0x114, "DBG_SEL", 0, 0xFFFF_FFFE),
    tagged(0x118, "DBG_MAP", 0, 0xFFFF_FFFC),
    tagged(0x11C, "SENSOR_CTRL", 0, 0xF800_0000),
    tagged(0x120, "DBG_SAR_SEL", 0, 0xF800_0000),
    tagged(0x124, "PG_CTRL", 0, 0xFC00_0000),
];

/// Kind of sleep of the chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sleep {
    /// The CPU stops and continues at the next instruction after waking.
    Light,
    /// Only the RTC has power; waking up is a reset.
    Deep,
}

/// The RTC_CNTL block: RTC timer, its watchdogs, sleep and reset control.
#[derive(Clone, Debug)]
pub(crate) struct RtcCntl {
    file: RegisterFile,
    /// The cycle of the last power-on: the RTC timer counts from it.
    powered_at: u64,
    alarm_at: u64,
    watchdog: Stages,
    super_fed_at: u64,
    super_at: u64,
    deadline: u64,
    /// Cause of the reset that software or a wake-up has requested.
    requested: Option<ResetCause>,
    sleep: Option<Sleep>,
}

impl RtcCntl {
    /// The block after power-on at `cycle`.
    pub(crate) fn new(cycle: u64) -> RtcCntl {
        let mut rtc = RtcCntl {
            file: RegisterFile::new(REGISTERS),
            powered_at: cycle,
            alarm_at: NEVER,
            watchdog: Stages::default(),
            super_fed_at: cycle,
            super_at: NEVER,
            deadline: NEVER,
            requested: None,
            sleep: None,
        };
        rtc.set_cause(ResetCause::PowerOn);
        rtc.reschedule(cycle);
        rtc
    }

    /// Resets the block at `cycle`. Store registers and the RTC timer keep their value; the other registers
    /// are reset if the reset reaches the RTC.
    pub(crate) fn reset(&mut self, cause: ResetCause, cycle: u64) {
        if cause.level() >= ResetLevel::System {
            let stored =
                [STORE0, STORE4].map(|base| [0, 4, 8, 12].map(|n| (base + n, self.file.get(base + n))));
            self.file.reset();
            for (offset, value) in stored.into_iter().flatten() {
                self.file.set(offset, value);
            }
            self.watchdog = Stages::default();
        }
        self.requested = None;
        self.sleep = None;
        self.super_fed_at = cycle;
        self.set_cause(cause);
        self.reschedule(cycle);
    }

    pub(crate) fn read(&self, offset: u32, _cycle: u64) -> Option<u32> {
        match offset {
            INT_ST => Some(self.file.get(INT_RAW) & self.file.get(INT_ENA)),
            _ => self.file.read(offset),
        }
    }

    pub(crate) fn write(&mut self, offset: u32, value: u32, cycle: u64) -> Written {
        let locked = match offset {
            WDTCONFIG0..=WDTFEED => self.file.get(WDTWPROTECT) != WDT_KEY,
            SWD_CONF => self.file.get(SWD_WPROTECT) != SWD_KEY,
            _ => false,
        };
        if locked {
            return Written::Quiet;
        }
        if !self.file.write(offset, value) {
            return Written::Unmodelled;
        }
        match offset {
            OPTIONS0 => {
                if value & SW_SYS_RST != 0 {
                    self.requested = Some(ResetCause::CoreSoftware);
                } else if value & SW_PROCPU_RST != 0 {
                    self.requested = Some(ResetCause::CpuSoftware);
                }
            }
            TIME_UPDATE => {
                if value & TIME_UPDATE_NOW != 0 {
                    let now = self.ticks(cycle);
                    self.file.set(TIME_LOW0, now as u32);
                    self.file.set(TIME_HIGH0, (now >> 32) as u32);
                }
                return Written::Quiet;
            }
            SLP_TIMER1 => {
                self.alarm_at = NEVER;
                if value & MAIN_TIMER_ALARM_EN != 0 {
                    let target = u64::from(self.file.get(SLP_TIMER1) & 0xFFFF) << 32
                        | u64::from(self.file.get(SLP_TIMER0));
                    let ahead = target.saturating_sub(self.ticks(cycle));
                    self.alarm_at = cycle + cycles_of(ahead, self.slow_hz());
                }
            }
            INT_CLR => self.file.set(INT_RAW, self.file.get(INT_RAW) & !value),
            INT_ENA_W1TS => self.file.set(INT_ENA, self.file.get(INT_ENA) | value & INT_ALL),
            INT_ENA_W1TC => self.file.set(INT_ENA, self.file.get(INT_ENA) & !value),
            WDTFEED => self.watchdog.feed(cycle),
            SWD_CONF if value & SWD_FEED != 0 => self.super_fed_at = cycle,
            STATE0 if value & SLEEP_EN != 0 => {
                if (self.wakeup_enabled() & (WAKE_TIMER | WAKE_GPIO)) == 0 {
                    return Written::Unmodelled;
                }
                let deep = self.file.get(DIG_PWC) & DG_WRAP_PD_EN != 0;
                self.sleep = Some(if deep { Sleep::Deep } else { Sleep::Light });
            }
            INT_ENA | SWD_CONF | CLK_CONF | WDTCONFIG0..=WDTFEED => {}
            _ => return Written::Quiet,
        }
        self.reschedule(cycle);
        Written::Sync
    }

    /// The values that reads return between two cycles before the next deadline, see
    /// [`rv32::Bus::poll_read`].
    pub(crate) fn poll_read(&self, offset: u32, from: u64, to: u64) -> Option<PollRead> {
        match offset {
            TIME_LOW0 | TIME_HIGH0 => {
                let latched =
                    u64::from(self.file.get(TIME_HIGH0)) << 32 | u64::from(self.file.get(TIME_LOW0));
                let half = if offset == TIME_LOW0 {
                    Half::Low
                } else {
                    Half::High
                };
                poll::latched(latched, self.ticks(from), self.ticks(to), half)
            }
            _ => self.read(offset, from).map(poll::constant),
        }
    }

    /// The effect of a write in a polling loop, see [`rv32::Bus::poll_write`].
    pub(crate) fn poll_write(&self, offset: u32) -> Option<PollWrite> {
        (offset == TIME_UPDATE).then_some(PollWrite::Register)
    }

    /// Does what is due at `cycle`. Returns the cause if a watchdog or software asks for a reset.
    pub(crate) fn advance(&mut self, cycle: u64) -> Option<ResetCause> {
        if let Some(cause) = self.requested.take() {
            return Some(cause);
        }
        if self.deadline > cycle {
            return None;
        }
        if self.alarm_at <= cycle {
            self.alarm_at = NEVER;
            self.raise(INT_MAIN_TIMER);
            self.wake(WAKE_TIMER);
            if let Some(cause) = self.requested.take() {
                return Some(cause);
            }
        }
        let mut reset = None;
        while let Some(action) = self.watchdog.expired(cycle) {
            match action {
                1 => self.raise(INT_WDT),
                2 => reset = reset.or(Some(ResetCause::CpuRtcWdt)),
                3 => reset = reset.or(Some(ResetCause::CoreRtcWdt)),
                0 => {}
                // The manual stops at 4; esptool resets real chips with 5.
                _ => reset = reset.or(Some(ResetCause::SystemRtcWdt)),
            }
        }
        if self.super_at <= cycle {
            self.raise(INT_SWD);
            reset = reset.or(Some(ResetCause::SystemSuperWdt));
            self.super_fed_at = cycle;
        }
        self.reschedule(cycle);
        reset
    }

    #[inline]
    pub(crate) fn deadline(&self) -> u64 {
        if self.requested.is_some() {
            0
        } else {
            self.deadline
        }
    }

    #[inline]
    pub(crate) fn interrupts(&self) -> u64 {
        u64::from(self.file.get(INT_RAW) & self.file.get(INT_ENA) != 0) << source::RTC_CORE
    }

    /// The sleep that the chip is in, `None` while it is awake.
    #[inline]
    pub(crate) fn sleep(&self) -> Option<Sleep> {
        self.sleep
    }

    /// The levels at the pins (bit n is GPIO n) in deep sleep, or whether a pin wakes from light sleep.
    pub(crate) fn wake_by_pins(&mut self, levels: u32, light: bool) {
        let conf = self.file.get(GPIO_WAKEUP);
        let deep = (0..6).any(|pin| {
            let level = match conf >> (23 - 3 * pin) & 7 {
                4 => 0,
                5 => 1,
                _ => return false,
            };
            conf & 1 << (31 - pin) != 0 && levels >> pin & 1 == level
        });
        match self.sleep {
            Some(Sleep::Light) if light => self.wake(WAKE_GPIO),
            Some(Sleep::Deep) if deep => self.wake(WAKE_GPIO),
            _ => {}
        }
    }

    fn wakeup_enabled(&self) -> u32 {
        self.file.get(WAKEUP_STATE) >> 15
    }

    fn wake(&mut self, source: u32) {
        if self.wakeup_enabled() & source == 0 {
            return;
        }
        if let Some(sleep) = self.sleep.take() {
            self.file.set(SLP_WAKEUP_CAUSE, source);
            self.file.set(STATE0, self.file.get(STATE0) & !SLEEP_EN);
            self.raise(INT_SLP_WAKEUP);
            if sleep == Sleep::Deep {
                self.requested = Some(ResetCause::CoreDeepSleep);
            }
        }
    }

    /// Sets up what the boot ROM and the second-stage bootloader leave behind: the flash-boot protection of the
    /// watchdog is off, stage 0 resets the system after nine seconds (`CONFIG_BOOTLOADER_WDT_TIME_MS`), and the
    /// super watchdog feeds itself.
    pub(crate) fn leave_bootloader(&mut self, cycle: u64) {
        const BOOTLOADER_WDT_MS: u64 = 9_000;
        self.file.set(
            SWD_CONF,
            self.file.get(SWD_CONF) & !SWD_DISABLE | SWD_AUTO_FEED_EN,
        );
        // Halved, for the multiplier of stage 0.
        self.file
            .set(WDTCONFIG1, (BOOTLOADER_WDT_MS * RC_SLOW_HZ / 1_000 / 2) as u32);
        self.file.set(WDTCONFIG0, WDT_EN | 4 << 28 | 0x0001_2214);
        self.watchdog.feed(cycle);
        self.reschedule(cycle);
    }

    /// True if software has requested a download at the next boot (`FORCE_DOWNLOAD_BOOT`).
    pub(crate) fn forces_download(&self) -> bool {
        self.file.get(OPTION1) & 1 != 0
    }

    /// Disables the RTC watchdog and makes the super watchdog feed itself, while the ROM's program runs.
    pub(crate) fn quiet_watchdogs(&mut self, cycle: u64) {
        self.file.set(
            SWD_CONF,
            self.file.get(SWD_CONF) & !SWD_DISABLE | SWD_AUTO_FEED_EN,
        );
        self.file.set(WDTCONFIG0, self.file.get(WDTCONFIG0) & !WDT_EN);
        self.watchdog.feed(cycle);
        self.reschedule(cycle);
    }

    fn set_cause(&mut self, cause: ResetCause) {
        let state = self.file.get(RESET_STATE) & !0x3F;
        self.file.set(RESET_STATE, state | cause as u32);
    }

    fn raise(&mut self, bit: u32) {
        self.file.set(INT_RAW, self.file.get(INT_RAW) | bit);
    }

    fn slow_hz(&self) -> u64 {
        match self.file.get(CLK_CONF) >> 30 {
            1 => XTAL32K_HZ,
            2 => RC_FAST_HZ / 256,
            _ => RC_SLOW_HZ,
        }
    }

    fn ticks(&self, cycle: u64) -> u64 {
        periods_in(cycle - self.powered_at, self.slow_hz()) & MASK_48
    }

    fn reschedule(&mut self, cycle: u64) {
        let conf = self.file.get(WDTCONFIG0);
        let actions = [28, 25, 22, 19].map(|shift| conf >> shift & 7);
        // Stage 0 is multiplied by 2 << EFUSE_WDT_DELAY_SEL (TRM 12.2.2.1); the fuse is not burnt.
        let holds = [(0, 2), (4, 1), (8, 1), (12, 1)]
            .map(|(n, factor)| cycles_of(u64::from(self.file.get(WDTCONFIG1 + n)) * factor, self.slow_hz()));
        self.watchdog.configure(conf & WDT_EN != 0, actions, holds, cycle);
        let guarded = self.file.get(SWD_CONF) & (SWD_DISABLE | SWD_AUTO_FEED_EN) == 0;
        self.super_at = if guarded {
            self.super_fed_at + SWD_TIMEOUT_CYCLES
        } else {
            NEVER
        };
        self.deadline = self.alarm_at.min(self.watchdog.deadline()).min(self.super_at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn booted() -> RtcCntl {
        let mut rtc = RtcCntl::new(0);
        rtc.leave_bootloader(0);
        rtc
    }

    #[test]
    fn the_bootloaders_watchdog_resets_after_nine_seconds() {
        let mut rtc = booted();
        assert_eq!(rtc.deadline(), 9 * CPU_HZ);
        assert_eq!(rtc.advance(9 * CPU_HZ), Some(ResetCause::SystemRtcWdt));
    }

    #[test]
    fn it_is_switched_off_only_with_the_key() {
        let mut rtc = booted();
        assert_eq!(rtc.write(WDTCONFIG0, 0, 10), Written::Quiet);
        assert_eq!(rtc.deadline(), 9 * CPU_HZ);
        rtc.write(WDTWPROTECT, WDT_KEY, 10);
        rtc.write(WDTFEED, 1 << 31, 1_000);
        assert_eq!(rtc.deadline(), 9 * CPU_HZ + 1_000);
        rtc.write(WDTCONFIG0, 0, 2_000);
        assert_eq!(rtc.deadline(), NEVER);
    }

    #[test]
    fn the_super_watchdog_strikes_unless_it_is_fed_or_feeds_itself() {
        let mut rtc = RtcCntl::new(0);
        assert_eq!(rtc.deadline(), CPU_HZ);
        rtc.write(SWD_WPROTECT, SWD_KEY, 0);
        rtc.write(SWD_CONF, 0x04B0_0000 | SWD_FEED, 500);
        assert_eq!(rtc.deadline(), CPU_HZ + 500);
        assert_eq!(rtc.advance(CPU_HZ + 500), Some(ResetCause::SystemSuperWdt));
        rtc.write(SWD_CONF, SWD_AUTO_FEED_EN, 0);
        assert_eq!(rtc.deadline(), NEVER);
    }

    #[test]
    fn software_resets_and_the_cause_is_readable() {
        let mut rtc = booted();
        assert_eq!(rtc.read(RESET_STATE, 0), Some(0x3001));
        assert_eq!(rtc.write(OPTIONS0, 0x1C00_A000 | SW_SYS_RST, 5), Written::Sync);
        assert_eq!(rtc.read(OPTIONS0, 5), Some(0x1C00_A000), "the bit clears itself");
        assert_eq!(rtc.deadline(), 0);
        assert_eq!(rtc.advance(5), Some(ResetCause::CoreSoftware));
        rtc.reset(ResetCause::CoreSoftware, 6);
        assert_eq!(rtc.read(RESET_STATE, 6), Some(0x3003));
        rtc.write(OPTIONS0, SW_PROCPU_RST, 7);
        assert_eq!(rtc.advance(7), Some(ResetCause::CpuSoftware));
    }

    #[test]
    fn store_registers_outlive_resets() {
        let mut rtc = booted();
        rtc.write(STORE4 + 4, 0xCAFE, 0);
        rtc.write(0x01C, 1, 0);
        rtc.reset(ResetCause::CoreMwdt0, 1);
        assert_eq!(rtc.read(0x01C, 1), Some(1), "a core reset leaves the RTC alone");
        rtc.reset(ResetCause::SystemRtcWdt, 1);
        assert_eq!(rtc.read(STORE4 + 4, 1), Some(0xCAFE));
        assert_eq!(rtc.read(0x01C, 1), Some(0x2814_0403));
    }

    #[test]
    fn the_rtc_timer_counts_slow_clock_periods_and_rings() {
        let mut rtc = booted();
        rtc.write(TIME_UPDATE, TIME_UPDATE_NOW, CPU_HZ);
        assert_eq!(rtc.read(TIME_LOW0, 0), Some(136_000));
        rtc.write(SLP_TIMER0, 272_000, CPU_HZ);
        rtc.write(SLP_TIMER1, MAIN_TIMER_ALARM_EN, CPU_HZ);
        assert_eq!(rtc.deadline(), 2 * CPU_HZ);
        rtc.write(INT_ENA_W1TS, INT_MAIN_TIMER, CPU_HZ);
        assert_eq!(rtc.advance(2 * CPU_HZ), None);
        assert_eq!(rtc.interrupts(), 1 << 27);
    }

    #[test]
    fn light_sleep_ends_with_the_timer() {
        let mut rtc = booted();
        rtc.write(SLP_TIMER0, 136_000, 0);
        rtc.write(SLP_TIMER1, MAIN_TIMER_ALARM_EN, 0);
        rtc.write(WAKEUP_STATE, WAKE_TIMER << 15, 0);
        assert_eq!(rtc.write(STATE0, SLEEP_EN, 0), Written::Sync);
        assert_eq!(rtc.sleep(), Some(Sleep::Light));
        assert_eq!(rtc.advance(CPU_HZ), None);
        assert_eq!(rtc.sleep(), None);
        assert_eq!(rtc.read(INT_RAW, 0).unwrap() & INT_SLP_WAKEUP, INT_SLP_WAKEUP);
        assert_eq!(rtc.read(SLP_WAKEUP_CAUSE, 0), Some(WAKE_TIMER));
    }

    #[test]
    fn deep_sleep_ends_with_a_pin_and_a_reset() {
        let mut rtc = booted();
        // GPIO3 wakes when it is low.
        rtc.write(GPIO_WAKEUP, 1 << 28 | 4 << 14, 0);
        rtc.write(WAKEUP_STATE, WAKE_GPIO << 15, 0);
        rtc.write(DIG_PWC, DG_WRAP_PD_EN, 0);
        rtc.write(STATE0, SLEEP_EN, 0);
        rtc.wake_by_pins(1 << 3, false);
        assert_eq!(rtc.sleep(), Some(Sleep::Deep));
        rtc.wake_by_pins(0, false);
        assert_eq!(rtc.advance(10), Some(ResetCause::CoreDeepSleep));
        rtc.reset(ResetCause::CoreDeepSleep, 10);
        assert_eq!(rtc.read(RESET_STATE, 10), Some(0x3005));
        assert_eq!(rtc.read(SLP_WAKEUP_CAUSE, 10), Some(WAKE_GPIO));
    }

    #[test]
    fn sleep_that_nothing_modelled_would_end_is_reported() {
        let mut rtc = booted();
        rtc.write(WAKEUP_STATE, 1 << 6 << 15, 0);
        assert_eq!(rtc.write(STATE0, SLEEP_EN, 0), Written::Unmodelled);
        assert_eq!(rtc.sleep(), None);
    }
}
