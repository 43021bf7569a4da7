//! The master of the internal bus to the analog blocks, I2C_ANA_MST (not in the manual; vendor's SVD).
//!
//! The ROM's regi2c functions talk to the analog blocks; they are carried out by host code. Here: the calibration of
//! the PLL is always finished, the rest is storage.

use crate::registers::{Register, modelled, tagged};

const ANA_CONF0: u32 = 0x40;
/// The PLL's calibration has finished.
const CAL_DONE: u32 = 1 << 24;

/// Offsets from 0x6000_E000; the SVD's base is 0x6000_E040.
pub(crate) const REGISTERS: &[Register] = &[
    modelled(ANA_CONF0, "ANA_CONF0", CAL_DONE, 0xC),
    tagged(0x44, "ANA_CONFIG", 0, 0xFFFF_FFFF),
    tagged(0x48, "ANA_CONFIG2", 0, 0xFFFF_FFFF),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registers::RegisterFile;

    #[test]
    fn the_pll_is_calibrated() {
        let mut file = RegisterFile::new(REGISTERS);
        file.write(ANA_CONF0, 0xC);
        assert_eq!(file.read(ANA_CONF0), Some(CAL_DONE | 0xC));
        assert_eq!(file.read(0), None);
    }
}
