//! The requests that a time server makes by a kiss-o'-death (RFC 5905 section 7.4), and until when.

use heapless::Vec;

/// Servers that are remembered. A name leads to one address at a time, so eight last for long.
const SERVERS_MAX: usize = 8;
/// A day, in milliseconds: for so long a server that wants no queries gets none.
const DAY_MS: u64 = 24 * 3_600 * 1_000;

/// The request of a kiss-o'-death code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kiss {
    /// `DENY`, `RSTR`: no more queries to this server.
    Stop,
    /// `RATE`: fewer queries to this server.
    SlowDown,
}

impl Kiss {
    /// The request of a code. The other codes have no meaning for a client (same section).
    pub fn of(code: [u8; 4]) -> Option<Self> {
        match &code {
            b"DENY" | b"RSTR" => Some(Self::Stop),
            b"RATE" => Some(Self::SlowDown),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Limit<A> {
    server: A,
    /// No query before this time.
    not_before_ms: u64,
    /// The least pause between two queries.
    pause_ms: u64,
    /// When all of this is forgotten.
    until_ms: u64,
}

/// Limits that servers have set, by address `A`. Each is forgotten at the next boot, or when a day has passed since a
/// query was allowed again and no further kiss has come.
#[derive(Clone, Debug, Default)]
pub struct Limits<A>(Vec<Limit<A>, SERVERS_MAX>);

impl<A: Copy + PartialEq> Limits<A> {
    /// No server has set a limit.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Before this time, in milliseconds since boot, the server must not be asked. 0 without a limit.
    pub fn not_before_ms(&self, server: A) -> u64 {
        let limit = self.0.iter().find(|limit| limit.server == server);
        limit.map_or(0, |limit| limit.not_before_ms)
    }

    /// A query to the server has gone out at `now_ms`.
    pub fn asked(&mut self, server: A, now_ms: u64) {
        self.0.retain(|limit| now_ms < limit.until_ms);
        if let Some(limit) = self.0.iter_mut().find(|limit| limit.server == server) {
            limit.not_before_ms = limit.not_before_ms.max(now_ms + limit.pause_ms);
        }
    }

    /// The server has answered with a kiss. `regular_ms` is the time between two queries without one.
    ///
    /// The first `RATE` doubles that time, and each further one doubles it again, up to a day.
    pub fn kissed(&mut self, server: A, kiss: Kiss, now_ms: u64, regular_ms: u64) {
        let limit = self.entry(server);
        let pause_ms = match kiss {
            Kiss::Stop => DAY_MS,
            Kiss::SlowDown => {
                let longest = DAY_MS.max(2 * regular_ms);
                limit.pause_ms = (2 * limit.pause_ms.max(regular_ms)).min(longest);
                limit.pause_ms
            }
        };
        limit.not_before_ms = now_ms + pause_ms;
        limit.until_ms = limit.not_before_ms + DAY_MS;
    }

    fn entry(&mut self, server: A) -> &mut Limit<A> {
        let known = self.0.iter().position(|limit| limit.server == server);
        let at = known.unwrap_or_else(|| {
            if self.0.is_full() {
                let ends_first = (0..self.0.len()).min_by_key(|at| self.0[*at].not_before_ms);
                self.0.swap_remove(ends_first.unwrap_or_default());
            }
            // Cannot fail: there is room now.
            let _ = self.0.push(Limit {
                server,
                not_before_ms: 0,
                pause_ms: 0,
                until_ms: 0,
            });
            self.0.len() - 1
        });
        &mut self.0[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;
    const HOUR: u64 = 60 * MINUTE;

    #[test]
    fn codes() {
        assert_eq!(Kiss::of(*b"DENY"), Some(Kiss::Stop));
        assert_eq!(Kiss::of(*b"RSTR"), Some(Kiss::Stop));
        assert_eq!(Kiss::of(*b"RATE"), Some(Kiss::SlowDown));
        for code in [*b"INIT", *b"STEP", *b"rate", *b"XTRA", [0; 4]] {
            assert_eq!(Kiss::of(code), None);
        }
    }

    #[test]
    fn a_server_that_denies_is_left_alone_for_a_day_and_another_is_asked() {
        let mut limits = Limits::new();
        limits.kissed('a', Kiss::Stop, HOUR, MINUTE);
        assert_eq!(limits.not_before_ms('a'), HOUR + DAY_MS);
        assert_eq!(limits.not_before_ms('b'), 0);
    }

    #[test]
    fn each_rate_doubles_the_pause_up_to_a_day() {
        let mut limits = Limits::new();
        let mut now = 0;
        let mut pauses = [0; 10];
        for pause in &mut pauses {
            limits.kissed('a', Kiss::SlowDown, now, HOUR);
            *pause = (limits.not_before_ms('a') - now) / HOUR;
            now = limits.not_before_ms('a');
        }
        assert_eq!(pauses, [2, 4, 8, 16, 24, 24, 24, 24, 24, 24]);
    }

    #[test]
    fn a_device_that_asks_once_in_two_days_does_not_ask_sooner() {
        let mut limits = Limits::new();
        limits.kissed('a', Kiss::SlowDown, 0, 48 * HOUR);
        assert_eq!(limits.not_before_ms('a'), 96 * HOUR);
    }

    #[test]
    fn the_pause_holds_for_good_answers_too_until_it_is_forgotten() {
        let mut limits = Limits::new();
        limits.kissed('a', Kiss::SlowDown, 0, 10 * MINUTE);
        for round in 1..=2 {
            limits.asked('a', round * 20 * MINUTE);
            assert_eq!(limits.not_before_ms('a'), (round + 1) * 20 * MINUTE);
        }
        // A `DENY` that follows a `RATE` is longer than its pause.
        limits.kissed('a', Kiss::Stop, HOUR, 10 * MINUTE);
        assert_eq!(limits.not_before_ms('a'), HOUR + DAY_MS);
        let later = HOUR + 2 * DAY_MS;
        limits.asked('a', later);
        assert_eq!(limits.not_before_ms('a'), 0);
    }

    #[test]
    fn the_limit_that_ends_first_makes_room() {
        let mut limits = Limits::new();
        for server in 0..=SERVERS_MAX as u64 {
            limits.kissed(server, Kiss::Stop, server, MINUTE);
        }
        assert_eq!(limits.not_before_ms(0), 0);
        for server in 1..=SERVERS_MAX as u64 {
            assert_eq!(limits.not_before_ms(server), server + DAY_MS);
        }
    }
}
