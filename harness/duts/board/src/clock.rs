//! The host's clocks: the only place of this crate that reads them.

use std::time::{Duration, SystemTime};

use sim::Instant;

/// Time of a run on real hardware: the host's monotonic clock, from a start.
#[derive(Clone, Copy, Debug)]
pub struct HostClock {
    start: std::time::Instant,
}

impl HostClock {
    /// A clock that starts now.
    pub fn start() -> HostClock {
        HostClock { start: monotonic() }
    }

    /// A clock that started at `start`, so that all parts of the bench count from the same moment.
    pub fn since(start: std::time::Instant) -> HostClock {
        HostClock { start }
    }

    /// The present moment.
    pub fn now(&self) -> Instant {
        Instant::ZERO + monotonic().saturating_duration_since(self.start)
    }

    /// Time until `at`; zero if it is past.
    pub fn until(&self, at: Instant) -> Duration {
        at.since(self.now())
    }
}

#[expect(clippy::disallowed_methods, reason = "a driver: a board runs in wall time")]
pub(crate) fn monotonic() -> std::time::Instant {
    std::time::Instant::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a driver: when a lock was taken is told in wall time"
)]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a driver: chips want pauses on their reset lines"
)]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}
