//! The frames of the serial protocol (RFC 1055), as the ROM reads and writes them.

const END: u8 = 0xC0;
const ESCAPE: u8 = 0xDB;
const ESCAPED_END: u8 = 0xDC;
const ESCAPED_ESCAPE: u8 = 0xDD;

/// Finds frames in a stream of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Deframer {
    inside: bool,
    escaped: bool,
    len: usize,
}

impl Deframer {
    /// Takes one byte; `buffer` collects the frame and keeps its old contents after the frame's end. Returns
    /// the length of a frame that is complete. As in the ROM, bytes before a frame are skipped, bytes that do
    /// not fit are dropped, and an unknown escape stands for its second byte.
    pub(super) fn push(&mut self, byte: u8, buffer: &mut [u8]) -> Option<usize> {
        if !self.inside {
            self.inside = byte == END;
            return None;
        }
        let byte = match (std::mem::take(&mut self.escaped), byte) {
            (true, ESCAPED_END) => END,
            (true, ESCAPED_ESCAPE) => ESCAPE,
            (true, other) => other,
            (false, ESCAPE) => {
                self.escaped = true;
                return None;
            }
            (false, END) => {
                if self.len == 0 {
                    return None;
                }
                return Some(std::mem::take(self).len);
            }
            (false, other) => other,
        };
        if let Some(slot) = buffer.get_mut(self.len) {
            *slot = byte;
            self.len += 1;
        }
        None
    }
}

/// Appends `payload` as a frame.
pub(super) fn frame(payload: &[u8], out: &mut Vec<u8>) {
    out.push(END);
    for byte in payload {
        match *byte {
            END => out.extend([ESCAPE, ESCAPED_END]),
            ESCAPE => out.extend([ESCAPE, ESCAPED_ESCAPE]),
            other => out.push(other),
        }
    }
    out.push(END);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(bytes: &[u8]) -> Vec<Vec<u8>> {
        let (mut deframer, mut buffer) = (Deframer::default(), [0; 8]);
        let ends = bytes.iter().filter_map(|b| {
            let len = deframer.push(*b, &mut buffer)?;
            Some(buffer[..len].to_vec())
        });
        ends.collect()
    }

    #[test]
    fn frames_are_found_and_escapes_undone() {
        assert_eq!(
            frames(b"noise\xC0\x01\xDB\xDC\xDB\xDD\x02\xC0"),
            [b"\x01\xC0\xDB\x02"]
        );
        assert_eq!(frames(b"\xC0\xC0\xC0A\xC0\xC0B\xC0"), [b"A", b"B"]);
        assert_eq!(frames(b"\xC0A\xC0lost\xC0B\xC0"), [b"A", b"B"]);
        assert_eq!(
            frames(b"\xC0\xDBA\xDB\xC0\xC0"),
            [b"A\xC0"],
            "escapes nobody defined"
        );
    }

    #[test]
    fn a_frame_longer_than_the_buffer_is_cut_off() {
        assert_eq!(frames(b"\xC00123456789\xC0"), [b"01234567"]);
        assert_eq!(frames(b"\xC0endless"), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn answers_are_escaped() {
        let mut out = Vec::new();
        frame(&[1, 0xC0, 0xDB, 2], &mut out);
        assert_eq!(out, [0xC0, 1, 0xDB, 0xDC, 0xDB, 0xDD, 2, 0xC0]);
    }
}
