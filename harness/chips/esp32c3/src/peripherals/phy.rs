//! Blocks of the radio's front end that are touched outside of the WiFi driver: FE, FE2, NRX, BB (not in the manual;
//! vendor's SVD).
//!
//! esp-hal sets bits in them before it configures sleep. They are stored without effect. The other registers
//! of these blocks are used by the WiFi driver only, whose functions the host carries out.

use crate::registers::{Register, tagged};

pub(crate) const FE2_REGISTERS: &[Register] = &[tagged(0x0F0, "TX_INTERP_CTRL", 0, 0xFFFF_FFFF)];
pub(crate) const FE_REGISTERS: &[Register] = &[tagged(0x090, "GEN_CTRL", 0, 0xFFFF_FFFF)];
/// Offsets from 0x6001_C000; the SVD's base is 0x6001_CC00.
pub(crate) const NRX_REGISTERS: &[Register] = &[tagged(0xCD4, "NRXPD_CTRL", 0, 0xFFFF_FFFF)];
pub(crate) const BB_REGISTERS: &[Register] = &[tagged(0x054, "BBPD_CTRL", 0, 0xFFFF_FFFF)];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registers::RegisterFile;

    #[test]
    fn bits_are_kept() {
        let mut file = RegisterFile::new(BB_REGISTERS);
        assert!(file.write(0x054, 0xC));
        assert_eq!(file.read(0x054), Some(0xC));
        assert!(!file.write(0x058, 1));
    }
}
