//! The four stages that the watchdogs of the timer groups and of RTC_CNTL have in common (TRM chapter 12).
//!
//! Each stage has a timeout and an action. When a stage expires its action is taken and the next stage begins;
//! the first follows the last. Feeding goes back to the first.

use crate::clock::NEVER;

/// Written to a watchdog's `WPROTECT` register, it unlocks the others.
pub(crate) const WDT_KEY: u32 = 0x50D8_3AA1;

/// Configuration of the four stages and the current stage.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stages {
    enabled: bool,
    /// Action of each stage; 0 is none.
    actions: [u32; 4],
    /// Duration of each stage, CPU cycles.
    holds: [u64; 4],
    stage: usize,
    since: u64,
    deadline: u64,
}

impl Default for Stages {
    fn default() -> Self {
        Stages {
            enabled: false,
            actions: [0; 4],
            holds: [0; 4],
            stage: 0,
            since: 0,
            deadline: NEVER,
        }
    }
}

impl Stages {
    /// Takes a configuration; a watchdog that becomes enabled starts at its first stage.
    pub(crate) fn configure(&mut self, enabled: bool, actions: [u32; 4], holds: [u64; 4], cycle: u64) {
        if enabled && !self.enabled {
            self.stage = 0;
            self.since = cycle;
        }
        self.enabled = enabled;
        self.actions = actions;
        self.holds = holds;
        self.schedule();
    }

    /// Feeds the watchdog: the first stage begins again.
    pub(crate) fn feed(&mut self, cycle: u64) {
        self.stage = 0;
        self.since = cycle;
        self.schedule();
    }

    /// Returns the action of the current stage if it has expired at `cycle`; the next stage begins at the
    /// moment of expiry.
    pub(crate) fn expired(&mut self, cycle: u64) -> Option<u32> {
        if self.deadline > cycle {
            return None;
        }
        let action = self.actions[self.stage];
        self.since = self.deadline;
        self.stage = (self.stage + 1) % 4;
        self.schedule();
        Some(action)
    }

    pub(crate) fn deadline(&self) -> u64 {
        self.deadline
    }

    fn schedule(&mut self) {
        // A watchdog without any action has no deadline: stages that expire without effect would only cost
        // host time.
        let acts = self.enabled && self.actions.iter().any(|a| *a != 0);
        // Stages last at least one cycle, so that a round of zeros cannot hang the model.
        self.deadline = if acts {
            self.since.saturating_add(self.holds[self.stage].max(1))
        } else {
            NEVER
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_follow_each_other_and_wrap() {
        let mut stages = Stages::default();
        stages.configure(true, [1, 2, 0, 0], [10, 20, 30, 40], 100);
        assert_eq!(stages.deadline(), 110);
        assert_eq!(stages.expired(109), None);
        assert_eq!(stages.expired(110), Some(1));
        assert_eq!(stages.expired(130), Some(2));
        assert_eq!(stages.expired(160), Some(0));
        assert_eq!(stages.expired(200), Some(0));
        assert_eq!(stages.deadline(), 210);
        stages.feed(205);
        assert_eq!(stages.deadline(), 215);
    }

    #[test]
    fn a_watchdog_that_does_nothing_or_is_off_has_no_deadline() {
        let mut stages = Stages::default();
        stages.configure(true, [0; 4], [10; 4], 0);
        assert_eq!(stages.deadline(), NEVER);
        stages.configure(false, [3; 4], [10; 4], 0);
        assert_eq!(stages.deadline(), NEVER);
    }
}
