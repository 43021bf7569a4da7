//! Writing captures in the pcapng format (IETF draft-ietf-opsawg-pcapng): section header, one Ethernet
//! interface with nanosecond time stamps, and one enhanced packet block per frame, all little-endian.

use std::io::{self, Write};

use sim::UnixTime;

use crate::{CapturedFrame, Direction};

const BLOCK_SECTION_HEADER: u32 = 0x0a0d_0d0a;
const BLOCK_INTERFACE: u32 = 1;
const BLOCK_ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
const LINKTYPE_ETHERNET: u16 = 1;
const SNAP_LEN: u32 = 65_535;

const OPT_END: u16 = 0;
const OPT_COMMENT: u16 = 1;
const SHB_USERAPPL: u16 = 4;
const IF_NAME: u16 = 2;
const IF_TSRESOL: u16 = 9;
const EPB_FLAGS: u16 = 2;

/// Writes a capture to `W`, which should be buffered.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    epoch: UnixTime,
    block: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Writes the headers. `epoch` is the civil time at [`sim::Instant::ZERO`]; frames before 1970 get the
    /// time stamp 0.
    ///
    /// # Errors
    /// Errors of `out`.
    pub fn new(out: W, epoch: UnixTime) -> io::Result<Self> {
        let mut writer = Writer {
            out,
            epoch,
            block: Vec::new(),
        };
        let body = &mut writer.block;
        body.extend(BYTE_ORDER_MAGIC.to_le_bytes());
        // Version 1.0, and a section of unknown length.
        body.extend([1, 0, 0, 0]);
        body.extend(u64::MAX.to_le_bytes());
        option(body, SHB_USERAPPL, b"oceanrig");
        option(body, OPT_END, &[]);
        writer.finish(BLOCK_SECTION_HEADER)?;
        let body = &mut writer.block;
        body.extend(LINKTYPE_ETHERNET.to_le_bytes());
        body.extend([0, 0]);
        body.extend(SNAP_LEN.to_le_bytes());
        option(body, IF_NAME, b"air");
        option(body, IF_TSRESOL, &[9]);
        option(body, OPT_END, &[]);
        writer.finish(BLOCK_INTERFACE)?;
        Ok(writer)
    }

    /// Writes one frame. Frames from the station are outbound, frames to it are inbound.
    ///
    /// # Errors
    /// Errors of `out`.
    pub fn write(&mut self, frame: &CapturedFrame) -> io::Result<()> {
        self.write_with(frame, &[])
    }

    /// Writes one frame with `comments` before its own comment: other events of that moment.
    ///
    /// # Errors
    /// Errors of `out`.
    pub fn write_with(&mut self, frame: &CapturedFrame, comments: &[String]) -> io::Result<()> {
        let time = self
            .epoch
            .offset_nanos(i128::from(frame.at.as_nanos()))
            .as_nanos();
        let stamp = u64::try_from(time.max(0)).unwrap_or(u64::MAX);
        let len = u32::try_from(frame.bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let body = &mut self.block;
        body.extend(0_u32.to_le_bytes());
        body.extend(((stamp >> 32) as u32).to_le_bytes());
        body.extend((stamp as u32).to_le_bytes());
        body.extend(len.to_le_bytes());
        body.extend(len.to_le_bytes());
        body.extend_from_slice(&frame.bytes);
        pad(body);
        let direction: u32 = match frame.direction {
            Direction::ToStation => 1,
            Direction::FromStation => 2,
        };
        option(body, EPB_FLAGS, &direction.to_le_bytes());
        for comment in comments.iter().map(String::as_str).chain(frame.comment) {
            option(body, OPT_COMMENT, clipped(comment).as_bytes());
        }
        option(body, OPT_END, &[]);
        self.finish(BLOCK_ENHANCED_PACKET)
    }

    /// Flushes, and returns the output.
    ///
    /// # Errors
    /// Errors of `out`.
    pub fn into_inner(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }

    /// Writes the collected block: type, total length, body, total length again.
    fn finish(&mut self, kind: u32) -> io::Result<()> {
        let total = (self.block.len() as u32 + 12).to_le_bytes();
        self.out.write_all(&kind.to_le_bytes())?;
        self.out.write_all(&total)?;
        self.out.write_all(&self.block)?;
        self.out.write_all(&total)?;
        self.block.clear();
        Ok(())
    }
}

/// Truncates a text to the 65,535 bytes that an option can hold.
fn clipped(text: &str) -> &str {
    &text[..text.floor_char_boundary(usize::from(u16::MAX))]
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    body.extend_from_slice(value);
    pad(body);
}

/// Pads to a multiple of four. Every part of a body is padded, so the length of the body can be used.
fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim::Instant;

    #[test]
    fn a_capture_has_these_bytes() {
        let mut writer = Writer::new(Vec::new(), UnixTime::from_secs(1_767_225_600)).unwrap();
        let frame = CapturedFrame {
            at: Instant::from_nanos(1),
            direction: Direction::FromStation,
            bytes: vec![1, 2, 3, 4, 5],
            comment: Some("lost"),
        };
        writer.write(&frame).unwrap();
        // 1,767,225,600,000,000,001 ns = 0x1886_6faa_8694_0001.
        #[rustfmt::skip]
        let expected: &[u8] = &[
            0x0a, 0x0d, 0x0d, 0x0a, 44, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0,
            255, 255, 255, 255, 255, 255, 255, 255,
            4, 0, 8, 0, b'o', b'c', b'e', b'a', b'n', b'r', b'i', b'g', 0, 0, 0, 0, 44, 0, 0, 0,
            1, 0, 0, 0, 40, 0, 0, 0, 1, 0, 0, 0, 255, 255, 0, 0,
            2, 0, 3, 0, b'a', b'i', b'r', 0, 9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0,
            6, 0, 0, 0, 60, 0, 0, 0, 0, 0, 0, 0,
        ];
        let written = writer.into_inner().unwrap();
        assert_eq!(written[..expected.len()], *expected);
        let stamp = 1_767_225_600_000_000_001_u64;
        let rest = &written[expected.len()..];
        assert_eq!(rest[..4], ((stamp >> 32) as u32).to_le_bytes());
        assert_eq!(rest[4..8], (stamp as u32).to_le_bytes());
        #[rustfmt::skip]
        let tail: &[u8] = &[
            5, 0, 0, 0, 5, 0, 0, 0, 1, 2, 3, 4, 5, 0, 0, 0,
            2, 0, 4, 0, 2, 0, 0, 0, 1, 0, 4, 0, b'l', b'o', b's', b't', 0, 0, 0, 0, 60, 0, 0, 0,
        ];
        assert_eq!(rest[8..], *tail);
    }

    #[test]
    fn a_frame_carries_several_comments() {
        let mut writer = Writer::new(Vec::new(), UnixTime::EPOCH).unwrap();
        let head = writer.out.len();
        let frame = CapturedFrame {
            at: Instant::from_secs(1),
            direction: Direction::ToStation,
            bytes: vec![0; 4],
            comment: Some("lost"),
        };
        let long = "ä".repeat(40_000);
        writer
            .write_with(&frame, &["drop begins".to_owned(), long])
            .unwrap();
        let written = writer.into_inner().unwrap();
        // Type, length, interface, time stamp, two lengths, data, flags.
        let comments = &written[head + 28 + 4 + 8..];
        assert_eq!(comments[..16], *b"\x01\0\x0b\0drop begins\0");
        assert_eq!(comments[16..20], [1, 0, 0xfe, 0xff], "cut between characters");
        assert_eq!(comments[20 + 65_536..][..8], *b"\x01\0\x04\0lost");
    }

    #[test]
    fn a_time_before_1970_is_stamped_zero() {
        let mut writer = Writer::new(Vec::new(), UnixTime::from_secs(-10)).unwrap();
        let frame = CapturedFrame {
            at: Instant::from_secs(1),
            direction: Direction::ToStation,
            bytes: vec![0; 4],
            comment: None,
        };
        writer.write(&frame).unwrap();
        let written = writer.into_inner().unwrap();
        assert_eq!(written[84 + 12..84 + 20], [0; 8]);
    }
}
