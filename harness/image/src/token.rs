//! The record in which the firmware under test keeps its permanent token
//! (`firmware-under-test/logic/src/token.rs` owns the format), for devices that are claimed before a run.

use crate::checksum::crc16;

/// Longest token that a record holds, bytes.
pub(crate) const MAX: usize = 96;

/// The first record of a fresh partition, sequence number 1; `None` for an empty token or one over [`MAX`].
pub(crate) fn record(token: &str) -> Option<[u8; 128]> {
    if token.is_empty() || token.len() > MAX {
        return None;
    }
    let mut record = [0xff; 128];
    record[0..2].copy_from_slice(&0xaa55_u16.to_le_bytes());
    record[2..4].copy_from_slice(&(token.len() as u16).to_le_bytes());
    record[4..8].copy_from_slice(&1_u32.to_le_bytes());
    record[12..12 + token.len()].copy_from_slice(token.as_bytes());
    let checksum = crc16(&[&record[2..8], token.as_bytes()].concat());
    record[8..10].copy_from_slice(&checksum.to_le_bytes());
    record[124..128].copy_from_slice(b"SAVE");
    Some(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_the_firmwares_layout() {
        let r = record("oc_perm_00").unwrap();
        assert_eq!(r[..8], [0x55, 0xaa, 10, 0, 1, 0, 0, 0]);
        assert_eq!(&r[12..22], b"oc_perm_00");
        assert_eq!(r[22], 0xff);
        assert_eq!(&r[124..], b"SAVE");
        assert_eq!(record(""), None);
        assert_eq!(record(&"x".repeat(97)), None);
    }
}
