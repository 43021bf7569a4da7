//! How the permanent token lies in flash.
//!
//! The partition `token` has two sectors, slot A and slot B. Each holds one record; a new token goes into
//! the slot that is *not* in use, and its commit marker is written last. Until the marker stands, the old
//! record is the newest valid one, so a power cut at any byte leaves the old or the new token.
//!
//! | offset | size | content, little-endian |
//! |---|---|---|
//! | 0 | 2 | magic 0xAA55 |
//! | 2 | 2 | length of the token in bytes |
//! | 4 | 4 | sequence number, one more than the record before |
//! | 8 | 2 | CRC-16/CCITT-FALSE of length, sequence number and token |
//! | 10 | 2 | 0xFFFF |
//! | 12 | 112 | token, filled up with 0xFF |
//! | 124 | 4 | commit marker `SAVE` |

use heapless::String;

use crate::checksum::{CRC16_START, crc16};

/// Longest token, in bytes.
pub const TOKEN_MAX: usize = 96;
/// Length of a record, in bytes.
pub const RECORD_LEN: usize = 128;
/// Where the commit marker starts; everything before it is written first.
pub const COMMIT_OFFSET: usize = 124;
/// The commit marker.
pub const COMMIT: [u8; 4] = *b"SAVE";

const MAGIC: u16 = 0xAA55;
const TEXT_OFFSET: usize = 12;

/// A permanent token.
pub type Token = String<TOKEN_MAX>;

/// A record that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The token.
    pub token: Token,
    /// Its number; the higher one is the newer one.
    pub sequence: u32,
}

/// What a slot holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Nothing: erased flash.
    Empty,
    /// Something that is no whole record, and why.
    Damaged(&'static str),
    /// A record.
    Valid(Record),
}

/// The record's bytes, commit marker included. `None` if the token is longer than [`TOKEN_MAX`].
pub fn encode(token: &str, sequence: u32) -> Option<[u8; RECORD_LEN]> {
    if token.len() > TOKEN_MAX {
        return None;
    }
    let mut record = [0xFF; RECORD_LEN];
    record[0..2].copy_from_slice(&MAGIC.to_le_bytes());
    record[2..4].copy_from_slice(&(token.len() as u16).to_le_bytes());
    record[4..8].copy_from_slice(&sequence.to_le_bytes());
    record[TEXT_OFFSET..TEXT_OFFSET + token.len()].copy_from_slice(token.as_bytes());
    let checksum = crc16(crc16(CRC16_START, &record[2..8]), token.as_bytes());
    record[8..10].copy_from_slice(&checksum.to_le_bytes());
    record[COMMIT_OFFSET..].copy_from_slice(&COMMIT);
    Some(record)
}

/// Reads the first bytes of a slot.
pub fn decode(record: &[u8; RECORD_LEN]) -> Slot {
    let half = |at: usize| u16::from_le_bytes([record[at], record[at + 1]]);
    if record.iter().all(|byte| *byte == 0xFF) {
        return Slot::Empty;
    }
    if half(0) != MAGIC {
        return Slot::Damaged("no magic");
    }
    if record[COMMIT_OFFSET..] != COMMIT {
        return Slot::Damaged("not committed");
    }
    let len = usize::from(half(2));
    if len == 0 || len > TOKEN_MAX {
        return Slot::Damaged("bad length");
    }
    let text = &record[TEXT_OFFSET..TEXT_OFFSET + len];
    if crc16(crc16(CRC16_START, &record[2..8]), text) != half(8) {
        return Slot::Damaged("bad checksum");
    }
    match core::str::from_utf8(text)
        .ok()
        .and_then(|text| Token::try_from(text).ok())
    {
        Some(token) => {
            let sequence = u32::from_le_bytes([record[4], record[5], record[6], record[7]]);
            Slot::Valid(Record { token, sequence })
        }
        None => Slot::Damaged("not text"),
    }
}

/// What lies in the token's place, unchecked: only the defect `ignores-token-checksum` calls it. Anything but
/// erased flash counts as a record, and its text ends where no text goes on.
pub fn decode_blindly(record: &[u8; RECORD_LEN]) -> Slot {
    if record.iter().all(|byte| *byte == 0xFF) {
        return Slot::Empty;
    }
    let len = usize::from(u16::from_le_bytes([record[2], record[3]])).min(TOKEN_MAX);
    let text = record[TEXT_OFFSET..TEXT_OFFSET + len].iter();
    let token = text
        .map(|byte| char::from(*byte))
        .take_while(char::is_ascii_graphic)
        .collect();
    Slot::Valid(Record { token, sequence: 1 })
}

/// Of two slots the index of the one whose record counts, if either is valid.
///
/// Sequence numbers are compared as distances, so they may wrap.
pub fn newest(slots: &[Slot; 2]) -> Option<usize> {
    match slots {
        [Slot::Valid(a), Slot::Valid(b)] => {
            Some(usize::from((b.sequence.wrapping_sub(a.sequence) as i32) > 0))
        }
        [Slot::Valid(_), _] => Some(0),
        [_, Slot::Valid(_)] => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "oc_perm_0123456789abcdef0123456789abcdef";

    fn valid(token: &str, sequence: u32) -> Slot {
        Slot::Valid(Record {
            token: Token::try_from(token).unwrap(),
            sequence,
        })
    }

    #[test]
    fn layout_is_as_documented() {
        let record = encode(TOKEN, 7).unwrap();
        assert_eq!(record[..8], [0x55, 0xAA, 40, 0, 7, 0, 0, 0]);
        assert_eq!(&record[12..52], TOKEN.as_bytes());
        assert!(record[52..124].iter().all(|byte| *byte == 0xFF));
        assert_eq!(&record[124..], b"SAVE");
        assert_eq!(decode(&record), valid(TOKEN, 7));
    }

    #[test]
    fn every_torn_write_is_seen() {
        let whole = encode(TOKEN, 7).unwrap();
        for written in 0..RECORD_LEN {
            let mut torn = [0xFF; RECORD_LEN];
            torn[..written].copy_from_slice(&whole[..written]);
            assert!(
                !matches!(decode(&torn), Slot::Valid(_)),
                "{written} bytes written"
            );
        }
    }

    #[test]
    fn every_flipped_bit_that_matters_is_seen() {
        let whole = encode(TOKEN, 7).unwrap();
        for byte in (0..10).chain(12..52).chain(124..128) {
            for bit in 0..8 {
                let mut flipped = whole;
                flipped[byte] ^= 1 << bit;
                assert!(
                    !matches!(decode(&flipped), Slot::Valid(_)),
                    "byte {byte} bit {bit}"
                );
            }
        }
    }

    #[test]
    fn blindly_anything_but_erased_flash_is_a_token() {
        let whole = encode(TOKEN, 7).unwrap();
        assert_eq!(decode_blindly(&whole), valid(TOKEN, 1));
        assert_eq!(decode_blindly(&[0xFF; RECORD_LEN]), Slot::Empty);
        let mut torn = [0xFF; RECORD_LEN];
        torn[0] = whole[0];
        assert_eq!(decode_blindly(&torn), valid("", 1));
        torn[..19].copy_from_slice(&whole[..19]);
        assert_eq!(decode_blindly(&torn), valid("oc_perm", 1));
    }

    #[test]
    fn the_newer_record_counts() {
        assert_eq!(newest(&[Slot::Empty, Slot::Empty]), None);
        assert_eq!(newest(&[Slot::Damaged("no magic"), valid(TOKEN, 1)]), Some(1));
        assert_eq!(newest(&[valid(TOKEN, 2), Slot::Empty]), Some(0));
        assert_eq!(newest(&[valid(TOKEN, 2), valid(TOKEN, 1)]), Some(0));
        assert_eq!(newest(&[valid(TOKEN, 2), valid(TOKEN, 3)]), Some(1));
        assert_eq!(newest(&[valid(TOKEN, u32::MAX), valid(TOKEN, 0)]), Some(1));
    }

    #[test]
    fn too_long_a_token_is_refused() {
        assert!(encode(core::str::from_utf8(&[b'x'; 96]).unwrap(), 1).is_some());
        assert!(encode(core::str::from_utf8(&[b'x'; 97]).unwrap(), 1).is_none());
    }
}
