//! The two checksums of the device's flash formats.

/// CRC-32 as in IEEE 802.3 and zlib: reflected polynomial 0xEDB8_8320, start and final XOR of all ones.
pub fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ 0xEDB8_8320
            } else {
                crc >> 1
            };
        }
    }
    !crc
}

/// CRC-16/CCITT-FALSE: polynomial 0x1021, start 0xFFFF, not reflected. Fed piece by piece:
/// start from [`CRC16_START`] and hand each result to the next call.
pub fn crc16(mut crc: u16, bytes: &[u8]) -> u16 {
    for &byte in bytes {
        crc ^= u16::from(byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 != 0 {
                (crc << 1) ^ 0x1021
            } else {
                crc << 1
            };
        }
    }
    crc
}

/// The value a [`crc16`] starts from.
pub const CRC16_START: u16 = 0xFFFF;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_values_of_the_catalogue() {
        // The "check" column of the CRC catalogue: the nine digits.
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc16(CRC16_START, b"123456789"), 0x29B1);
        assert_eq!(crc16(crc16(CRC16_START, b"1234"), b"56789"), 0x29B1);
    }

    #[test]
    fn empty_input() {
        assert_eq!(crc32(b""), 0);
        assert_eq!(crc16(CRC16_START, b""), 0xFFFF);
    }
}
