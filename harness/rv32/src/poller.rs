//! State of the search for polling loops ([`poll`](crate::poll)) between two checks.

use crate::replay::Step;

/// Least and greatest number of instructions between two checks.
pub(crate) const WINDOW: std::ops::RangeInclusive<u64> = 512..=256 * 1024;

/// Time of the next check, and the last loop found.
#[derive(Clone, Debug)]
pub(crate) struct Poller {
    pub(crate) enabled: bool,
    /// Instructions between the next check and the one after it. It is doubled after each check without
    /// success.
    pub(crate) window: u64,
    /// Value of `instret` at which the next check is due.
    pub(crate) due: u64,
    pub(crate) skipped: u64,
    pub(crate) path: Vec<Step>,
}

impl Default for Poller {
    fn default() -> Self {
        Poller {
            enabled: true,
            window: *WINDOW.start(),
            due: *WINDOW.start(),
            skipped: 0,
            path: Vec::new(),
        }
    }
}

impl Poller {
    /// Drops the recorded loop, because its code may have changed.
    pub(crate) fn forget(&mut self) {
        self.path.clear();
    }

    /// The cycle at which the next check is due.
    pub(crate) fn due(&self, idle: u64) -> u64 {
        if self.enabled {
            self.due.saturating_add(idle)
        } else {
            u64::MAX
        }
    }
}
