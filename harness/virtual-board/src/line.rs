//! Bytes received at a wrong baud rate: the waveform of the sender, sampled at the receiver's rate.

/// Bits of a frame: start, eight of data, stop.
const FRAME: u64 = 10;

/// True if two rates are close enough for a correct transfer. A receiver that samples ten bits in their
/// middle tolerates about 5 %, minus the errors of both clocks; 3 % are safe.
pub(crate) fn agree(sender: u32, receiver: u32) -> bool {
    u64::from(sender.abs_diff(receiver)) * 100 <= 3 * u64::from(receiver)
}

/// Returns the bytes that a receiver at rate `receiver` reads from `bytes` sent back to back at rate
/// `sender`.
///
/// Time is counted in units in which both bits are whole: a sender's bit has `2 * receiver` of them, a
/// receiver's bit `2 * sender`. A low stop bit still gives a byte, as from a USB bridge that does not report
/// framing errors; after it the receiver waits for the next falling edge.
pub(crate) fn sampled(bytes: &[u8], sender: u32, receiver: u32) -> Vec<u8> {
    if agree(sender, receiver) || sender == 0 || receiver == 0 {
        return bytes.to_vec();
    }
    let (sent_bit, read_bit) = (2 * u64::from(receiver), 2 * u64::from(sender));
    let bits = FRAME * bytes.len() as u64;
    let level = |bit: u64| -> bool {
        let (frame, place) = (bit / FRAME, bit % FRAME);
        match (bytes.get(frame as usize), place) {
            (None, _) | (_, 9) => true,
            (_, 0) => false,
            (Some(byte), place) => byte >> (place - 1) & 1 == 1,
        }
    };
    let mut heard = Vec::new();
    let mut bit = 0;
    while bit < bits {
        let falls = !level(bit) && (bit == 0 || level(bit - 1));
        if !falls {
            bit += 1;
            continue;
        }
        let middle = bit * sent_bit + read_bit / 2;
        if level(middle / sent_bit) {
            // The low level is too short for a start bit.
            bit += 1;
            continue;
        }
        let byte = (0..8).fold(0_u8, |byte, n| {
            let at = middle + (n + 1) * read_bit;
            byte | u8::from(level(at / sent_bit)) << n
        });
        heard.push(byte);
        // The next edge may come after the middle of the stop bit.
        bit = (middle + 9 * read_bit) / sent_bit + 1;
    }
    heard
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_agree_up_to_three_percent() {
        assert!(agree(115_191, 115_200) && agree(921_526, 921_600));
        assert!(agree(103_000, 100_000) && !agree(103_001, 100_000));
        assert!(!agree(115_200, 74_880) && !agree(9_600, 115_200));
        assert_eq!(sampled(b"boot\r\n", 115_191, 115_200), b"boot\r\n");
    }

    #[test]
    fn a_receiver_twice_as_fast_sees_every_bit_twice() {
        // 'U' is 0101010101 on the line, and each bit is sampled twice. The first received byte has a start
        // bit, then the second sample of the sender's start bit, then 11 00 11 0; the rest starts at the next
        // falling edge.
        let heard = sampled(b"U", 115_200, 230_400);
        assert_eq!(heard[0], 0b0110_0110);
        assert_eq!(sampled(b"U", 115_200, 230_400), heard, "the same each time");
    }

    #[test]
    fn a_slow_receiver_hears_fewer_bytes_and_a_fast_one_more() {
        let text = b"ets_entry: the firmware says something readable\r\n";
        let slow = sampled(text, 115_200, 9_600);
        assert!(slow.len() <= 5, "{slow:?}");
        let fast = sampled(text, 9_600, 115_200);
        assert!(fast.len() > text.len());
        for heard in [slow, fast, sampled(text, 115_200, 74_880)] {
            assert!(!heard.is_empty(), "garbage, not silence");
            assert!(!heard.windows(4).any(|w| text.windows(4).any(|t| t == w)));
        }
    }
}
