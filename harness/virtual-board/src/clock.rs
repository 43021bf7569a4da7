//! The only place of the virtual board that reads the host's clocks.

use std::time::{Duration, SystemTime};

use sim::{Instant, UnixTime};

/// Elapsed time since the start of the board.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: std::time::Instant,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "a board on the desk lives in real time")]
    pub(crate) fn start() -> Clock {
        Clock {
            start: std::time::Instant::now(),
        }
    }

    /// Monotonic time since the start.
    pub(crate) fn now(&self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }
}

/// The host's civil time (UTC).
#[expect(
    clippy::disallowed_methods,
    reason = "the time server of the board tells the host's time"
)]
pub(crate) fn civil_time() -> UnixTime {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    UnixTime::from_nanos(i128::try_from(since.as_nanos()).unwrap_or(i128::MAX))
}
