//! eFuse controller (TRM chapter 4): one-time programmable bits; read-only here.
//!
//! BLOCK1 holds the MAC address and the chip revision. All other fuses read as not burnt: no secure boot, no
//! flash encryption, JTAG enabled, no calibration of the converter. Burning is not modelled.

use crate::registers::{Register, RegisterFile, array, modelled, tagged};

const RD_MAC_SPI_SYS_0: u32 = 0x44;
const RD_MAC_SPI_SYS_1: u32 = 0x48;
const RD_MAC_SPI_SYS_3: u32 = 0x50;
const RD_MAC_SPI_SYS_5: u32 = 0x58;

pub(crate) const REGISTERS: &[Register] = &[
    array(modelled(0x02C, "RD_BLOCK0", 0, 0), 6),
    array(modelled(RD_MAC_SPI_SYS_0, "RD_MAC_SPI_SYS", 0, 0), 6),
    array(modelled(0x05C, "RD_SYS_PART1_DATA", 0, 0), 8),
    array(modelled(0x07C, "RD_USR_DATA", 0, 0), 8),
    array(modelled(0x09C, "RD_KEY_DATA", 0, 0), 48),
    array(modelled(0x15C, "RD_SYS_PART2_DATA", 0, 0), 8),
    array(tagged(0x17C, "RD_REPEAT_ERR", 0, 0), 4),
    tagged(0x190, "RD_REPEAT_ERR4", 0, 0),
    tagged(0x1C0, "RD_RS_ERR0", 0, 0),
    tagged(0x1C4, "RD_RS_ERR1", 0, 0),
    tagged(0x1C8, "CLK", 0x2, 0x0001_0007),
    tagged(0x1CC, "CONF", 0, 0xFFFF),
    tagged(0x1D0, "STATUS", 0, 0),
    tagged(0x1D8, "INT_RAW", 0, 0x3),
    tagged(0x1DC, "INT_ST", 0, 0),
    tagged(0x1E0, "INT_ENA", 0, 0x3),
    tagged(0x1E4, "INT_CLR", 0, 0),
    tagged(0x1E8, "DAC_CONF", 0x0001_FE1C, 0x0003_FFFF),
    tagged(0x1EC, "RD_TIM_CONF", 0x1200_0000, 0xFF00_0000),
    tagged(0x1F0, "WR_TIM_CONF1", 0x0028_8000, 0x00FF_FF00),
    tagged(0x1F4, "WR_TIM_CONF2", 0x190, 0xFFFF),
];

/// The revision of a chip, `major.minor` as in the data sheet: 0.3, 0.4, 1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Major number, 0 to 3.
    pub major: u8,
    /// Minor number, 0 to 15.
    pub minor: u8,
}

/// The eFuse block: fuses as read-only registers.
#[derive(Clone, Debug)]
pub(crate) struct Efuse {
    file: RegisterFile,
}

impl Efuse {
    pub(crate) fn new(mac: [u8; 6], revision: Revision) -> Efuse {
        let mut file = RegisterFile::new(REGISTERS);
        let [a, b, c, d, e, f] = mac;
        file.set(RD_MAC_SPI_SYS_0, u32::from_be_bytes([c, d, e, f]));
        file.set(RD_MAC_SPI_SYS_1, u32::from_be_bytes([0, 0, a, b]));
        // WAFER_VERSION_MINOR_LO [20:18], WAFER_VERSION_MINOR_HI [23], WAFER_VERSION_MAJOR [25:24]
        // (ESP-IDF components/efuse/esp32c3/esp_efuse_table.csv).
        let (major, minor) = (u32::from(revision.major), u32::from(revision.minor));
        file.set(RD_MAC_SPI_SYS_3, (minor & 7) << 18);
        file.set(RD_MAC_SPI_SYS_5, (minor >> 3 & 1) << 23 | (major & 3) << 24);
        Efuse { file }
    }

    pub(crate) fn read(&self, offset: u32) -> Option<u32> {
        self.file.read(offset)
    }

    pub(crate) fn write(&mut self, offset: u32, value: u32) -> bool {
        self.file.write(offset, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mac_and_revision_are_where_the_driver_looks() {
        let efuse = Efuse::new(
            [0x34, 0x85, 0x18, 0x01, 0x02, 0x03],
            Revision { major: 1, minor: 9 },
        );
        assert_eq!(efuse.read(0x44), Some(0x1801_0203));
        assert_eq!(efuse.read(0x48), Some(0x3485));
        assert_eq!(efuse.read(0x50), Some(1 << 18));
        assert_eq!(efuse.read(0x58), Some(1 << 23 | 1 << 24));
        assert_eq!(efuse.read(0x1D4), None, "the command register would burn fuses");
    }

    #[test]
    fn fuses_cannot_be_written() {
        let mut efuse = Efuse::new([2; 6], Revision { major: 0, minor: 4 });
        efuse.write(0x44, 0xFFFF_FFFF);
        assert_eq!(efuse.read(0x44), Some(0x0202_0202));
    }
}
