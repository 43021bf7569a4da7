//! Pauses between two DHCPDISCOVER messages.
//!
//! The TCP/IP stack begins a new round at once when one has failed: after a DHCPNAK, after a lease that ended, after
//! five requests without an answer. A server that offers an address and then refuses it gets as many rounds as the
//! network can carry. So each DISCOVER has to ask [`Pace`] first.

/// The pause after the first DISCOVER, RFC 2131 section 4.1; it doubles from one to the next.
const FIRST_PAUSE_MS: u64 = 4_000;
/// The longest pause, same section.
const LONGEST_PAUSE_MS: u64 = 64_000;
/// Each pause is longer or shorter by up to this much, same section, so that devices which lost their addresses
/// together do not ask together.
const JITTER_MS: u64 = 1_000;
/// After this time without a DISCOVER the pauses start from the shortest again.
const FORGOTTEN_AFTER_MS: u64 = 2 * LONGEST_PAUSE_MS;

/// When the next DISCOVER may go out: randomised exponential backoff.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    sent_ms: u64,
    /// After the last DISCOVER, without jitter. 0 if there was none.
    pause_ms: u64,
    /// The end of the pause with its jitter, once that is drawn.
    due_ms: Option<u64>,
}

impl Pace {
    /// The first DISCOVER may go out at once.
    pub const fn new() -> Self {
        Self {
            sent_ms: 0,
            pause_ms: 0,
            due_ms: None,
        }
    }

    /// True if a DISCOVER at `now_ms`, in milliseconds since boot, may be too early. If not, [`Self::allow`] needs no
    /// look at it.
    pub const fn is_pausing(&self, now_ms: u64) -> bool {
        self.pause_ms > 0 && now_ms < self.sent_ms + self.pause_ms + JITTER_MS
    }

    /// Returns true if a DISCOVER may go out at `now_ms`. If so, it counts as sent, and the next pause begins. Otherwise the
    /// time at which it may.
    ///
    /// `random` gives 32 random bits; it is called at most once in each pause, and only if a DISCOVER comes within it.
    pub fn allow(&mut self, now_ms: u64, random: impl FnOnce() -> u32) -> Result<(), u64> {
        if self.is_pausing(now_ms) {
            let earliest_ms = self.sent_ms + self.pause_ms - JITTER_MS;
            let due_ms = *self
                .due_ms
                .get_or_insert_with(|| earliest_ms + ((2 * JITTER_MS * u64::from(random())) >> 32));
            if now_ms < due_ms {
                return Err(due_ms);
            }
        }
        let is_forgotten = now_ms >= self.sent_ms + self.pause_ms + FORGOTTEN_AFTER_MS;
        self.pause_ms = match self.pause_ms {
            0 => FIRST_PAUSE_MS,
            _ if is_forgotten => FIRST_PAUSE_MS,
            pause_ms => (2 * pause_ms).min(LONGEST_PAUSE_MS),
        };
        self.sent_ms = now_ms;
        self.due_ms = None;
        Ok(())
    }

    /// The time at which a DISCOVER that came too early may go out; `None` if there was none since the last that did.
    pub const fn due_ms(&self) -> Option<u64> {
        self.due_ms
    }

    /// Forgets the past: the network is another one, or was joined anew.
    pub fn reset(&mut self) {
        *self = Self::new();
    }
}

/// True if an Ethernet frame carries a DHCPDISCOVER.
pub fn is_discover(frame: &[u8]) -> bool {
    message_type(frame) == Some(1)
}

/// The DHCP message type (option 53) of a client's message.
fn message_type(frame: &[u8]) -> Option<u8> {
    const IPV4: [u8; 2] = [0x08, 0x00];
    const UDP: u8 = 17;
    const SERVER_PORT: [u8; 2] = [0, 67];
    const MAGIC: [u8; 4] = [99, 130, 83, 99];
    const MESSAGE_TYPE: u8 = 53;
    let ip = frame.get(14..).filter(|_| frame[12..14] == IPV4)?;
    let udp = ip.get(usize::from(ip.first()? & 15) * 4..)?;
    if *ip.get(9)? != UDP || *udp.get(2..4)? != SERVER_PORT {
        return None;
    }
    let bootp = udp.get(8..)?;
    let mut options = bootp.get(236..)?.strip_prefix(&MAGIC)?;
    loop {
        options = match *options {
            // Padding is the one option without a length.
            [0, ref rest @ ..] => rest,
            [MESSAGE_TYPE, 1, value, ..] => return Some(value),
            [_, len, ref rest @ ..] => rest.get(usize::from(len)..)?,
            _ => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    /// Times at which a DISCOVER goes out if the stack tries every millisecond.
    fn rounds(until_ms: u64, random: u32) -> Vec<u64> {
        let mut pace = Pace::new();
        let mut goes_out = |now: &u64| pace.allow(*now, || random).is_ok();
        (1..until_ms).filter(|now| goes_out(now)).collect()
    }

    #[test]
    fn pauses_double_up_to_64_seconds() {
        let middle = u32::MAX / 2 + 1;
        assert_eq!(
            rounds(200_000, middle),
            [1, 4_001, 12_001, 28_001, 60_001, 124_001, 188_001]
        );
    }

    #[test]
    fn jitter_is_one_second_either_way() {
        assert_eq!(rounds(20_000, 0), [1, 3_001, 10_001]);
        assert_eq!(rounds(20_000, u32::MAX), [1, 5_000, 13_999]);
    }

    #[test]
    fn jitter_is_drawn_once_in_each_pause_and_only_if_it_matters() {
        let mut pace = Pace::new();
        assert_eq!(pace.allow(0, || panic!("nothing to wait for")), Ok(()));
        assert_eq!(pace.due_ms(), None);
        assert_eq!(pace.allow(1, || 0), Err(3_000));
        assert_eq!(pace.allow(2, || panic!("drawn already")), Err(3_000));
        assert_eq!(pace.due_ms(), Some(3_000));
        assert!(pace.is_pausing(4_999) && !pace.is_pausing(5_000));
        assert_eq!(pace.allow(5_000, || panic!("the pause is over")), Ok(()));
    }

    #[test]
    fn a_round_long_after_the_last_one_starts_from_the_shortest_pause() {
        let mut pace = Pace::new();
        let mut last = 0;
        for now in 1..200_000 {
            if pace.allow(now, || 0).is_ok() {
                last = now;
            }
        }
        let long_after = last + LONGEST_PAUSE_MS + FORGOTTEN_AFTER_MS;
        assert_eq!(pace.allow(long_after, || 0), Ok(()));
        assert_eq!(pace.allow(long_after, || 0), Err(long_after + 3_000));
    }

    #[test]
    fn a_new_association_asks_at_once() {
        let mut pace = Pace::new();
        assert_eq!(pace.allow(1, || 0), Ok(()));
        assert_eq!(pace.allow(2, || 0), Err(3_001));
        pace.reset();
        assert_eq!(pace.allow(3, || 0), Ok(()));
    }

    /// A client's message of this type, with padding and other options before the type.
    fn frame(kind: u8) -> Vec<u8> {
        let mut frame = std::vec![0xFF; 12];
        frame.extend([0x08, 0x00, 0x45]);
        frame.resize(14 + 20, 0);
        frame[14 + 9] = 17;
        frame.extend([0, 68, 0, 67, 0, 0, 0, 0]);
        frame.resize(14 + 20 + 8 + 236, 0);
        frame.extend([99, 130, 83, 99, 0, 0, 61, 2, 9, 9, 53, 1, kind, 255]);
        frame
    }

    #[test]
    fn a_discover_is_recognised() {
        assert!(is_discover(&frame(1)));
        assert!(!is_discover(&frame(3)));
        let with = |at: usize, byte: u8| {
            let mut frame = frame(1);
            frame[at] = byte;
            is_discover(&frame)
        };
        assert!(!with(13, 6), "ARP");
        assert!(!with(14 + 9, 6), "TCP");
        assert!(!with(14 + 20 + 3, 53), "another port");
        assert!(!with(14 + 20 + 8 + 236, 0), "no magic");
    }

    #[test]
    fn no_frame_is_too_short() {
        let whole = frame(1);
        let shortest = whole.len() - 1;
        for len in 0..whole.len() {
            assert_eq!(is_discover(&whole[..len]), len >= shortest, "{len}");
        }
    }
}
