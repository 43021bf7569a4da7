//! The server's own clock, which need not agree with true time.

use sim::{Instant, UnixTime};

use crate::CloudError;

/// Parts per million.
const MILLION: i128 = 1_000_000;

/// What the server believes: true civil time plus an offset that may grow by drift. Everything that the
/// server dates (sessions, tokens, `Date`, `server_time`) is dated by this clock.
#[derive(Clone, Debug)]
pub struct ServerClock {
    /// Civil time at [`Instant::ZERO`].
    epoch: UnixTime,
    /// What the clock showed at `anchor`.
    shown: UnixTime,
    anchor: Instant,
    drift_ppm: i32,
}

impl ServerClock {
    /// A clock `offset_ns` ahead (or behind, negative) of the true time that starts at `epoch`, and gaining
    /// `drift_ppm` microseconds per second.
    ///
    /// # Errors
    /// [`CloudError::InvalidDrift`] for a drift that would stop the clock or turn it back.
    pub fn new(epoch: UnixTime, offset_ns: i64, drift_ppm: i32) -> Result<ServerClock, CloudError> {
        let shown = epoch.offset_nanos(offset_ns.into());
        let mut clock = ServerClock {
            epoch,
            shown,
            anchor: Instant::ZERO,
            drift_ppm: 0,
        };
        clock.set_drift(Instant::ZERO, drift_ppm)?;
        Ok(clock)
    }

    /// What the clock shows at `now`.
    pub fn read(&self, now: Instant) -> UnixTime {
        let passed = i128::from(now.as_nanos()) - i128::from(self.anchor.as_nanos());
        self.shown
            .offset_nanos((passed * (MILLION + i128::from(self.drift_ppm))).div_euclid(MILLION))
    }

    /// The first moment at which the clock shows `time` or later; `now` if it already does.
    pub fn moment_of(&self, now: Instant, time: UnixTime) -> Instant {
        if self.read(now) >= time {
            return now;
        }
        let wanted = time.as_nanos() - self.shown.as_nanos();
        let rate = MILLION + i128::from(self.drift_ppm);
        let passed = -(-wanted * MILLION).div_euclid(rate);
        let at = i128::from(self.anchor.as_nanos()) + passed;
        u64::try_from(at).map_or(Instant::FAR_FUTURE, Instant::from_nanos)
    }

    /// When the clock, as it runs since it was last changed, reached or will reach `time`; the moment of that
    /// change if it jumped over it.
    pub(crate) fn reached(&self, time: UnixTime) -> Instant {
        self.moment_of(self.anchor, time)
    }

    /// How far the clock is ahead of true time at `now`, nanoseconds.
    pub fn offset_ns(&self, now: Instant) -> i128 {
        self.read(now).as_nanos() - self.truth(now).as_nanos()
    }

    /// How much the clock gains, parts per million.
    pub fn drift_ppm(&self) -> i32 {
        self.drift_ppm
    }

    /// Sets the clock `offset_ns` ahead of true time.
    pub fn set_offset(&mut self, now: Instant, offset_ns: i64) {
        self.shown = self.truth(now).offset_nanos(offset_ns.into());
        self.anchor = now;
    }

    /// Moves the clock by `by_ns`, either way.
    pub fn step(&mut self, now: Instant, by_ns: i64) {
        self.shown = self.read(now).offset_nanos(by_ns.into());
        self.anchor = now;
    }

    /// Makes the clock gain `ppm` from now on.
    ///
    /// # Errors
    /// As [`ServerClock::new`].
    pub fn set_drift(&mut self, now: Instant, ppm: i32) -> Result<(), CloudError> {
        if i128::from(ppm) <= -MILLION {
            return Err(CloudError::InvalidDrift(ppm));
        }
        self.shown = self.read(now);
        self.anchor = now;
        self.drift_ppm = ppm;
        Ok(())
    }

    fn truth(&self, now: Instant) -> UnixTime {
        self.epoch.offset_nanos(now.as_nanos().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: UnixTime = UnixTime::from_secs(1_767_225_600);

    #[test]
    fn offset_step_and_drift_add_up() {
        let mut clock = ServerClock::new(EPOCH, -5_000_000_000, 0).expect("a valid clock");
        assert_eq!(clock.read(Instant::from_secs(10)).as_secs(), 1_767_225_605);
        clock.step(Instant::from_secs(10), 3_600_000_000_000);
        assert_eq!(clock.read(Instant::from_secs(11)).as_secs(), 1_767_229_206);
        clock
            .set_drift(Instant::from_secs(11), 100)
            .expect("a valid drift");
        assert_eq!(clock.offset_ns(Instant::from_secs(10_011)), 3_596_000_000_000);
        clock.set_offset(Instant::from_secs(20_000), 0);
        assert_eq!(clock.offset_ns(Instant::from_secs(20_000)), 0);
    }

    #[test]
    fn the_moment_of_a_reading_is_exact_under_drift() {
        for ppm in [-250_000, -37, 0, 41, 1_000_000] {
            let clock = ServerClock::new(EPOCH, 7, ppm).expect("a valid clock");
            let time = EPOCH.offset_nanos(3_600_000_000_001);
            let at = clock.moment_of(Instant::ZERO, time);
            assert!(clock.read(at) >= time, "{ppm} ppm: too early");
            assert!(
                clock.read(Instant::from_nanos(at.as_nanos() - 1)) < time,
                "{ppm} ppm: too late"
            );
        }
    }

    #[test]
    fn a_clock_that_would_stand_still_is_refused() {
        assert_eq!(
            ServerClock::new(EPOCH, 0, -1_000_000).err(),
            Some(CloudError::InvalidDrift(-1_000_000))
        );
    }
}
