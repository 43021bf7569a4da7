//! Growing pauses between attempts that fail.

/// Exponential pauses with jitter: `base · 2ⁿ`, lengthened by up to a quarter, never above `cap`.
///
/// The jitter only lengthens, and by less than the growth, so each pause is at least 1.6 times the last
/// until the cap is reached.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    base_ms: u32,
    cap_ms: u32,
    failures: u32,
}

impl Backoff {
    /// Pauses from `base_ms` up to `cap_ms`, in milliseconds.
    pub const fn new(base_ms: u32, cap_ms: u32) -> Self {
        Self {
            base_ms,
            cap_ms,
            failures: 0,
        }
    }

    /// Counts a failure and returns the pause that follows it, in milliseconds. `random` is any 32
    /// random bits.
    pub fn fail(&mut self, random: u32) -> u32 {
        let exponent = self.failures.min(31);
        self.failures = self.failures.saturating_add(1);
        let plain = (u64::from(self.base_ms) << exponent).min(u64::from(self.cap_ms));
        let jitter = (plain / 4 * u64::from(random)) >> 32;
        u32::try_from((plain + jitter).min(u64::from(self.cap_ms))).unwrap_or(self.cap_ms)
    }

    /// Starts from the shortest pause again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Failures since the last reset.
    pub const fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_cap_without_jitter() {
        let mut backoff = Backoff::new(5_000, 300_000);
        let pauses: [u32; 8] = core::array::from_fn(|_| backoff.fail(0));
        assert_eq!(
            pauses,
            [5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]
        );
        backoff.reset();
        assert_eq!(backoff.fail(0), 5_000);
    }

    #[test]
    fn jitter_lengthens_by_less_than_a_quarter_and_never_passes_the_cap() {
        let mut backoff = Backoff::new(5_000, 300_000);
        assert_eq!(backoff.fail(u32::MAX), 6_249);
        assert_eq!(backoff.fail(u32::MAX), 12_499);
        for _ in 0..100 {
            assert!(backoff.fail(u32::MAX) <= 300_000);
        }
        assert_eq!(backoff.failures(), 102);
    }
}
