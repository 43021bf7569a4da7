//! The price of work that the host does for the guest.
//!
//! A guest instruction takes one cycle. A trap, a function of the ROM or of the radio's driver, a reset and a deadline
//! of a peripheral take the host longer than an instruction, but on this model no time of the guest, or one cycle. So
//! each has a price in units, one unit being about what an instruction takes the host. The account is a leaky bucket: it
//! holds [`ALLOWANCE`] units and loses one with each cycle that passes. Firmware that rests between such work, as all
//! useful firmware does, never fills it, and then nothing has a price. What does not fit is charged: that many cycles
//! pass in which the guest does nothing, and as many instructions count as executed. So no guest costs the host more for
//! a virtual second than one that computes all the time, and the duration or the instruction budget ends every run.

/// Units that are free in one burst: what 0.1 s of virtual time gives back.
const ALLOWANCE: u64 = 16_000_000;
/// Price of a hooked function of ROM or driver.
pub(super) const CALL: u64 = 64;
/// Price of a trap, beside its cycle.
pub(super) const TRAP: u64 = 32;
/// Price of a turn of the run loop in which the hart waits and a peripheral's deadline is served.
pub(super) const IDLE_TURN: u64 = 64;
/// Price of decoding the code anew after some of it has been overwritten.
pub(super) const FORGET_CODE: u64 = 500;
/// Price of something that leaves the chip and that the bench looks at.
pub(super) const OUTPUT: u64 = 100;
/// Price of a reset: 3 ms, less than ROM and bootloader of a real chip take.
pub(super) const RESET: u64 = 500_000;
/// After this much work, instructions included, [`super::Chip::run_until`] returns, so that its caller can be
/// interrupted.
pub(super) const PAUSE: u64 = 100_000_000;
/// The most cycles that the hart runs at a time.
pub(super) const SLICE_CYCLES: u64 = 64_000_000;
/// The most outputs that wait to be taken before [`super::Chip::run_until`] returns.
pub(super) const MOST_OUTPUTS: usize = 4096;
/// How many exceptions are reported with a backtrace; of more only the number is known.
pub(super) const MOST_EXCEPTIONS: u64 = 256;
/// How many different unmodelled accesses are reported; of more only the number is known.
pub(super) const MOST_PLACES: usize = 10_000;

/// The account of one chip.
#[derive(Clone, Debug, Default)]
pub(super) struct Work {
    /// Units in the bucket at `at`.
    level: u64,
    at: u64,
    /// Units ever booked.
    total: u64,
    /// Units ever charged.
    charged: u64,
}

impl Work {
    /// Books `units` at cycle `now`. Returns how many of them are charged.
    pub(super) fn book(&mut self, now: u64, units: u64) -> u64 {
        self.total += units;
        if now > self.at {
            self.level = self.level.saturating_sub(now - self.at);
            self.at = now;
        }
        self.level += units;
        let excess = self.level.saturating_sub(ALLOWANCE);
        if excess > 0 {
            self.level = ALLOWANCE;
            self.charged += excess;
            // The time that is charged gives nothing back.
            self.at = self.at.max(now) + excess;
        }
        excess
    }

    /// Units ever booked, free or charged.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Units ever charged.
    pub(super) fn charged(&self) -> u64 {
        self.charged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_rests_is_free_and_work_without_rest_costs_what_it_is() {
        let mut work = Work::default();
        assert_eq!(work.book(0, ALLOWANCE), 0);
        // All of it has leaked out by then.
        assert_eq!(work.book(ALLOWANCE, ALLOWANCE - 1), 0);
        assert_eq!(work.book(ALLOWANCE, 3), 2);
        assert_eq!((work.charged(), work.total()), (2, 2 * ALLOWANCE + 2));
        // The two cycles that were charged do not make room.
        assert_eq!(work.book(ALLOWANCE + 2, 5), 5);
        assert_eq!(work.book(ALLOWANCE + 2 + 5 + 4, 5), 1);
    }
}
