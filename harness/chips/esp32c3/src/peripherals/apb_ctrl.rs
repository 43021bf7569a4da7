//! APB_CTRL, also called SYSCON (TRM chapter 16, "System Registers"; chapter 25, "Random Number Generator").
//!
//! Modelled: the random number register, whose words come from the scenario's seed. The rest is storage.

use sim::Rng;

use crate::registers::{Register, RegisterFile, modelled, tagged};

const RND_DATA: u32 = 0xB0;

pub(crate) const REGISTERS: &[Register] = &[
    tagged(0x000, "SYSCLK_CONF", 0x1, 0x1FFF),
    tagged(0x004, "TICK_CONF", 0x0001_0727, 0x0001_FFFF),
    tagged(0x008, "CLK_OUT_EN", 0x7FF, 0x7FF),
    tagged(0x00C, "WIFI_BB_CFG", 0, 0xFFFF_FFFF),
    tagged(0x010, "WIFI_BB_CFG_2", 0, 0xFFFF_FFFF),
    tagged(0x014, "WIFI_CLK_EN", 0xFFFC_E030, 0xFFFF_FFFF),
    tagged(0x018, "WIFI_RST_EN", 0, 0x4),
    tagged(0x01C, "HOST_INF_SEL", 0, 0xFF),
    tagged(0x020, "EXT_MEM_PMS_LOCK", 0, 0x1),
    tagged(0x028, "FLASH_ACE0_ATTR", 0x3, 0x3),
    tagged(0x038, "FLASH_ACE0_ADDR", 0, 0xFFFF_FFFF),
    tagged(0x048, "FLASH_ACE0_SIZE", 0x400, 0x1FFF),
    tagged(0x088, "SPI_MEM_PMS_CTRL", 0, 0x2),
    tagged(0x08C, "SPI_MEM_REJECT_ADDR", 0, 0),
    tagged(0x090, "SDIO_CTRL", 0, 0x1),
    tagged(0x094, "REDCY_SIG0", 0, 0x7FFF_FFFF),
    tagged(0x098, "REDCY_SIG1", 0, 0x7FFF_FFFF),
    tagged(0x09C, "FRONT_END_MEM_PD", 0x15, 0x3F),
    tagged(0x0A0, "RETENTION_CTRL", 0, 0x0FFF_FFFF),
    tagged(0x0A4, "CLKGATE_FORCE_ON", 0x3F, 0x3F),
    tagged(0x0A8, "MEM_POWER_DOWN", 0, 0x3F),
    tagged(0x0AC, "MEM_POWER_UP", 0x3F, 0x3F),
    modelled(RND_DATA, "RND_DATA", 0, 0),
    tagged(0x0B4, "PERI_BACKUP_CONFIG", 0x6480, 0xFFFF_FFF0),
    tagged(0x0B8, "PERI_BACKUP_APB_ADDR", 0, 0xFFFF_FFFF),
    tagged(0x0BC, "PERI_BACKUP_MEM_ADDR", 0, 0xFFFF_FFFF),
    tagged(0x0C0, "PERI_BACKUP_INT_RAW", 0, 0),
    tagged(0x0C4, "PERI_BACKUP_INT_ST", 0, 0),
    tagged(0x0C8, "PERI_BACKUP_INT_ENA", 0, 0x3),
    tagged(0x0D0, "PERI_BACKUP_INT_CLR", 0, 0x3),
];

/// APB_CTRL with the random number generator.
#[derive(Clone, Debug)]
pub(crate) struct ApbCtrl {
    file: RegisterFile,
    rng: Rng,
}

impl ApbCtrl {
    pub(crate) fn new(seed: u64) -> ApbCtrl {
        ApbCtrl {
            file: RegisterFile::new(REGISTERS),
            rng: Rng::stream(seed, "esp32c3.rnd_data"),
        }
    }

    /// Resets the registers; the random number generator continues its sequence.
    pub(crate) fn reset(&mut self) {
        self.file.reset();
    }

    pub(crate) fn read(&mut self, offset: u32) -> Option<u32> {
        match offset {
            RND_DATA => Some(self.rng.next_u32()),
            _ => self.file.read(offset),
        }
    }

    pub(crate) fn write(&mut self, offset: u32, value: u32) -> bool {
        self.file.write(offset, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_numbers_follow_the_seed() {
        let draw = |seed| {
            let mut ctrl = ApbCtrl::new(seed);
            [ctrl.read(RND_DATA), ctrl.read(RND_DATA)]
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let [first, second] = draw(1);
        assert_ne!(first, second);
    }

    #[test]
    fn a_reset_does_not_repeat_them() {
        let mut ctrl = ApbCtrl::new(7);
        let before = ctrl.read(RND_DATA);
        ctrl.reset();
        assert_ne!(ctrl.read(RND_DATA), before);
    }
}
