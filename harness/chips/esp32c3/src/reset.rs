//! Causes of a reset, and the part of the chip that it resets (TRM chapter 6.1).

/// Cause of the chip's last reset (TRM table 6-1, `RTC_CNTL_RESET_CAUSE_PROCPU`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ResetCause {
    /// Power was switched on.
    PowerOn = 0x01,
    /// Software requested a core reset.
    CoreSoftware = 0x03,
    /// Wake-up from deep sleep.
    CoreDeepSleep = 0x05,
    /// Watchdog of timer group 0, core reset.
    CoreMwdt0 = 0x07,
    /// Watchdog of timer group 1, core reset.
    CoreMwdt1 = 0x08,
    /// RTC watchdog, core reset.
    CoreRtcWdt = 0x09,
    /// Watchdog of timer group 0, CPU reset.
    CpuMwdt0 = 0x0B,
    /// Software requested a CPU reset.
    CpuSoftware = 0x0C,
    /// RTC watchdog, CPU reset.
    CpuRtcWdt = 0x0D,
    /// The supply voltage fell too low.
    BrownOut = 0x0F,
    /// RTC watchdog, core and RTC reset.
    SystemRtcWdt = 0x10,
    /// Watchdog of timer group 1, CPU reset.
    CpuMwdt1 = 0x11,
    /// Super watchdog, system reset.
    SystemSuperWdt = 0x12,
    /// The host requested it over the USB serial port.
    CoreUsbUart = 0x15,
}

/// Part of the chip that a reset affects (TRM 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResetLevel {
    /// The CPU only; peripherals keep their state.
    Cpu,
    /// Everything but the RTC.
    Core,
    /// The RTC too.
    System,
    /// Everything; memory is lost.
    Chip,
}

impl ResetCause {
    /// The part of the chip that is reset.
    pub fn level(self) -> ResetLevel {
        use ResetCause::*;
        match self {
            CpuMwdt0 | CpuSoftware | CpuRtcWdt | CpuMwdt1 => ResetLevel::Cpu,
            CoreSoftware | CoreDeepSleep | CoreMwdt0 | CoreMwdt1 | CoreRtcWdt | CoreUsbUart => {
                ResetLevel::Core
            }
            BrownOut | SystemRtcWdt | SystemSuperWdt => ResetLevel::System,
            PowerOn => ResetLevel::Chip,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_reaches_as_far_as_the_manual_says() {
        for (cause, code, level) in [
            (ResetCause::PowerOn, 1, ResetLevel::Chip),
            (ResetCause::CoreSoftware, 3, ResetLevel::Core),
            (ResetCause::CpuSoftware, 12, ResetLevel::Cpu),
            (ResetCause::SystemRtcWdt, 16, ResetLevel::System),
            (ResetCause::SystemSuperWdt, 18, ResetLevel::System),
        ] {
            assert_eq!((cause as u8, cause.level()), (code, level));
        }
        assert!(ResetLevel::Cpu < ResetLevel::Core && ResetLevel::System < ResetLevel::Chip);
    }
}
