//! Conversions between simulated time and the chip's clocks.
//!
//! The model's smallest step is one CPU cycle at 160 MHz, 6.25 ns; one instruction takes one cycle. All other
//! clocks of the chip (TRM chapter 6) are expressed in it.

use sim::Instant;

/// CPU cycles in a second.
pub const CPU_HZ: u64 = 160_000_000;
/// CPU cycles in one period of the 40 MHz crystal.
pub(crate) const CYCLES_PER_XTAL: u64 = 4;
/// CPU cycles in one period of the 80 MHz APB clock.
pub(crate) const CYCLES_PER_APB: u64 = 2;
/// CPU cycles in one tick of the 16 MHz system timer.
pub(crate) const CYCLES_PER_SYSTIMER: u64 = 10;
/// Frequency of RC_SLOW_CLK, the default slow clock.
pub(crate) const RC_SLOW_HZ: u64 = 136_000;
/// Frequency of RC_FAST_CLK.
pub(crate) const RC_FAST_HZ: u64 = 17_500_000;
/// Frequency of the external low-speed crystal, if one is fitted.
pub(crate) const XTAL32K_HZ: u64 = 32_768;
/// A cycle count that no run reaches.
pub(crate) const NEVER: u64 = u64::MAX;

/// Nanoseconds in 4 CPU cycles.
const NANOS_PER_4_CYCLES: u64 = 25;

/// The moment of the `cycle`th cycle, rounded down to nanoseconds.
pub(crate) fn instant_at(cycle: u64) -> Instant {
    let ns = u128::from(cycle) * u128::from(NANOS_PER_4_CYCLES) / 4;
    Instant::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
}

/// The first cycle at or after `at`.
pub(crate) fn cycle_at(at: Instant) -> u64 {
    let cycles = (u128::from(at.as_nanos()) * 4).div_ceil(u128::from(NANOS_PER_4_CYCLES));
    u64::try_from(cycles).unwrap_or(NEVER)
}

/// Cycles that `count` periods of a clock of `hz` take, rounded up.
pub(crate) fn cycles_of(count: u64, hz: u64) -> u64 {
    let cycles = (u128::from(count) * u128::from(CPU_HZ)).div_ceil(u128::from(hz));
    u64::try_from(cycles).unwrap_or(NEVER)
}

/// Whole periods of a clock of `hz` in `cycles`.
pub(crate) fn periods_in(cycles: u64, hz: u64) -> u64 {
    (u128::from(cycles) * u128::from(hz) / u128::from(CPU_HZ)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_and_instants_convert_both_ways() {
        assert_eq!(instant_at(160_000_000), Instant::from_secs(1));
        assert_eq!(instant_at(1), Instant::from_nanos(6));
        assert_eq!(cycle_at(Instant::from_secs(1)), 160_000_000);
        assert_eq!(cycle_at(Instant::from_nanos(6)), 1);
        assert_eq!(cycle_at(Instant::from_nanos(7)), 2);
        assert_eq!(cycle_at(Instant::FAR_FUTURE), 2_951_479_051_793_528_259);
        for cycle in [0, 1, 2, 3, 4, 5, 1_000_001] {
            assert_eq!(cycle_at(instant_at(cycle)), cycle);
        }
    }

    #[test]
    fn slow_clock_periods_round_up_and_down() {
        assert_eq!(cycles_of(136_000, RC_SLOW_HZ), CPU_HZ);
        assert_eq!(cycles_of(1, RC_SLOW_HZ), 1177);
        assert_eq!(periods_in(1176, RC_SLOW_HZ), 0);
        assert_eq!(periods_in(1177, RC_SLOW_HZ), 1);
    }
}
