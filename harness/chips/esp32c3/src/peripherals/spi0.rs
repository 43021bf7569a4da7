//! SPI0, the cache's side of the flash controller (TRM chapter 27).
//!
//! Storage: flash behind the MMU is read without timing.

use crate::registers::{Register, tagged};

pub(crate) const REGISTERS: &[Register] = &[
    tagged(0x008, "CTRL", 0x002C_2000, 0x01BC_6188),
    tagged(0x00C, "CTRL1", 0, 0x4000_0003),
    tagged(0x010, "CTRL2", 0x21, 0xFE00_03FF),
    tagged(0x014, "CLOCK", 0x0003_0103, 0x80FF_FFFF),
    tagged(0x018, "USER", 0, 0x2400_02C0),
    tagged(0x01C, "USER1", 0x5C00_0007, 0xFC00_003F),
    tagged(0x020, "USER2", 0x7000_0000, 0xF000_FFFF),
    tagged(0x02C, "RD_STATUS", 0, 0x00FF_0000),
    tagged(0x034, "MISC", 0, 0x678),
    tagged(0x03C, "CACHE_FCTRL", 0, 0x1FF),
    tagged(0x054, "FSM", 0x200, 0xF80),
    tagged(0x0A8, "TIMING_CALI", 0x1, 0x1F),
    tagged(0x0AC, "DIN_MODE", 0, 0xFF),
    tagged(0x0B0, "DIN_NUM", 0, 0xFF),
    tagged(0x0B4, "DOUT_MODE", 0, 0xF),
    tagged(0x0DC, "CLOCK_GATE", 0x1, 0x1),
    tagged(0x0E0, "CORE_CLK_SEL", 0, 0x3),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registers::RegisterFile;

    #[test]
    fn the_clock_resets_to_a_quarter() {
        let file = RegisterFile::new(REGISTERS);
        assert_eq!(file.read(0x014), Some(0x0003_0103));
        assert_eq!(file.read(0x000), None);
    }
}
