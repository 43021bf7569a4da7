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
    not_before_ms: u64,
    doublings: u32,
}

impl Pace {
    /// The first DISCOVER may go out at once.
    pub const fn new() -> Self {
        Self {
            not_before_ms: 0,
            doublings: 0,
        }
    }

    /// Whether a DISCOVER may go out at `now_ms`, in milliseconds since boot. If so, it counts as sent, and the next
    /// pause begins. `random` is any 32 random bits.
    pub fn allow(&mut self, now_ms: u64, random: u32) -> bool {
        if now_ms < self.not_before_ms {
            return false;
        }
        if now_ms - self.not_before_ms >= FORGOTTEN_AFTER_MS {
            self.doublings = 0;
        }
        let pause = (FIRST_PAUSE_MS << self.doublings).min(LONGEST_PAUSE_MS);
        if pause < LONGEST_PAUSE_MS {
            self.doublings += 1;
        }
        let jitter = (2 * JITTER_MS * u64::from(random)) >> 32;
        self.not_before_ms = now_ms + pause - JITTER_MS + jitter;
        true
    }

    /// When the next DISCOVER may go out, in milliseconds since boot.
    pub const fn not_before_ms(&self) -> u64 {
        self.not_before_ms
    }

    /// Forgets the past: the network is another one, or was joined anew.
    pub fn reset(&mut self) {
        *self = Self::new();
    }
}

/// Whether an Ethernet frame carries a DHCPDISCOVER.
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
        (1..until_ms).filter(|now| pace.allow(*now, random)).collect()
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
    fn a_round_long_after_the_last_one_starts_from_the_shortest_pause() {
        let mut pace = Pace::new();
        for now in 1..200_000 {
            pace.allow(now, 0);
        }
        let long_after = pace.not_before_ms() + FORGOTTEN_AFTER_MS;
        assert!(pace.allow(long_after, 0));
        assert_eq!(pace.not_before_ms(), long_after + 3_000);
    }

    #[test]
    fn a_new_association_asks_at_once() {
        let mut pace = Pace::new();
        assert!(pace.allow(1, 0));
        assert!(!pace.allow(2, 0));
        pace.reset();
        assert!(pace.allow(3, 0));
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
