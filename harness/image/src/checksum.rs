//! The checksums that firmware formats use, each with its name in the catalogue of parametrised CRC algorithms
//! (<https://reveng.sourceforge.io/crc-catalogue/>).

use crc::{CRC_16_IBM_3740, CRC_32_ISO_HDLC, Crc};

/// CRC-32/ISO-HDLC, as zlib and Ethernet use it.
pub fn crc32(data: &[u8]) -> u32 {
    const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
    CRC.checksum(data)
}

/// The CRC-32 in an entry of `otadata`: `esp_rom_crc32_le(UINT32_MAX, …)`. The ROM's function inverts its start value,
/// so that this one starts with zeros.
pub fn ota_crc32(data: &[u8]) -> u32 {
    const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
    let mut digest = CRC.digest_with_initial(0);
    digest.update(data);
    digest.finalize()
}

/// CRC-16/IBM-3740, often called CCITT-FALSE.
pub fn crc16(data: &[u8]) -> u16 {
    const CRC: Crc<u16> = Crc::<u16>::new(&CRC_16_IBM_3740);
    CRC.checksum(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_values_are_those_of_the_catalogue() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc16(b"123456789"), 0x29B1);
    }

    #[test]
    fn otadata_is_checked_as_esp_idf_does() {
        // What ESP-IDF writes for the sequence numbers 1 and 2.
        assert_eq!(ota_crc32(&1u32.to_le_bytes()), 0x4743_989A);
        assert_eq!(ota_crc32(&2u32.to_le_bytes()), 0x55F6_3774);
    }
}
