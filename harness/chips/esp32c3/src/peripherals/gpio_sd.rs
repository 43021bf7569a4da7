//! Sigma-delta modulation, GPIO_SD (TRM chapter 5.11).
//!
//! Storage: no modulated signal reaches a pin.

use crate::registers::{Register, array, tagged};

pub(crate) const REGISTERS: &[Register] = &[
    array(tagged(0x00, "SIGMADELTA", 0xFF00, 0xFFFF), 4),
    tagged(0x20, "CLOCK_GATE", 0, 0x8000_0000),
    tagged(0x24, "SIGMADELTA_MISC", 0, 0xC000_0000),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registers::RegisterFile;

    #[test]
    fn duty_resets_to_zero_and_prescale_to_full() {
        assert_eq!(RegisterFile::new(REGISTERS).read(0x0C), Some(0xFF00));
    }
}
