//! Wall time, read in one place.

use std::time::{Duration, SystemTime};

use sim::{Instant, UnixTime};

/// A stopwatch that started with the board.
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

    /// Time since the start.
    pub(crate) fn now(&self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }
}

/// What the host's clock says.
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
