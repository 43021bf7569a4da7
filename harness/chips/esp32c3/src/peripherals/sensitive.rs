//! Permission control, SENSITIVE (TRM chapter 14).
//!
//! Storage: the permissions that firmware sets are kept and not enforced, so accesses that a chip would refuse
//! succeed here.

use crate::registers::{Register, tagged};

pub(crate) const REGISTERS: &[Register] = &[
    tagged(0x000, "ROM_TABLE_LOCK", 0, 0x1),
    tagged(0x004, "ROM_TABLE", 0, 0xFFFF_FFFF),
    tagged(0x008, "PRIVILEGE_MODE_SEL_LOCK", 0, 0x1),
    tagged(0x00C, "PRIVILEGE_MODE_SEL", 0, 0x1),
    tagged(0x010, "APB_PERIPHERAL_ACCESS_0", 0, 0x1),
    tagged(0x014, "APB_PERIPHERAL_ACCESS_1", 0x1, 0x1),
    tagged(0x018, "INTERNAL_SRAM_USAGE_0", 0, 0x1),
    tagged(0x01C, "INTERNAL_SRAM_USAGE_1", 0xF, 0xF),
    tagged(0x020, "INTERNAL_SRAM_USAGE_3", 0, 0xF),
    tagged(0x024, "INTERNAL_SRAM_USAGE_4", 0, 0x1),
    tagged(0x028, "CACHE_TAG_ACCESS_0", 0, 0x1),
    tagged(0x02C, "CACHE_TAG_ACCESS_1", 0xF, 0xF),
    tagged(0x030, "CACHE_MMU_ACCESS_0", 0, 0x1),
    tagged(0x034, "CACHE_MMU_ACCESS_1", 0x3, 0x3),
    tagged(0x038, "PMS_CONSTRAIN_0", 0, 0x1),
    tagged(0x03C, "PMS_CONSTRAIN_1", 0x000F_F0FF, 0x000F_F0FF),
    tagged(0x040, "PMS_CONSTRAIN_0", 0, 0x1),
    tagged(0x044, "PMS_CONSTRAIN_1", 0x000F_F0FF, 0x000F_F0FF),
    tagged(0x048, "PMS_CONSTRAIN_0", 0, 0x1),
    tagged(0x04C, "PMS_CONSTRAIN_1", 0x000F_F0FF, 0x000F_F0FF),
    tagged(0x050, "PMS_CONSTRAIN_0", 0, 0x1),
    tagged(0x054, "PMS_CONSTRAIN_1", 0x000F_F0FF, 0x000F_F0FF),
    tagged(0x058, "PMS_CONSTRAIN_0", 0, 0x1),
    tagged(0x05C, "PMS_CONSTRAIN_1", 0x000F_F0FF, 0x000F_F0FF),
    tagged(0x060, "PMS_CONSTRAIN_0", 0, 0x1),
    tagged(0x064, "PMS_CONSTRAIN_1", 0x000F_F0FF, 0x000F_F0FF),
    tagged(0x068, "PMS_CONSTRAIN_0", 0, 0x1),
    tagged(0x06C, "PMS_CONSTRAIN_1", 0x000F_F0FF, 0x000F_F0FF),
    tagged(0x070, "PMS_CONSTRAIN_0", 0, 0x1),
    tagged(0x074, "PMS_CONSTRAIN_1", 0x000F_F0FF, 0x000F_F0FF),
    tagged(0x078, "PMS_CONSTRAIN_0", 0, 0x1),
    tagged(0x07C, "PMS_CONSTRAIN_1", 0x000F_F0FF, 0x000F_F0FF),
    tagged(0x080, "DMA_APBPERI_PMS_MONITOR_0", 0, 0x1),
    tagged(0x084, "DMA_APBPERI_PMS_MONITOR_1", 0x3, 0x3),
    tagged(0x088, "DMA_APBPERI_PMS_MONITOR_2", 0, 0),
    tagged(0x08C, "DMA_APBPERI_PMS_MONITOR_3", 0, 0),
    tagged(0x0A8, "CORE_X_IRAM0_PMS_CONSTRAIN_0", 0, 0x1),
    tagged(0x0AC, "CORE_X_IRAM0_PMS_CONSTRAIN_1", 0x001C_7FFF, 0x001C_7FFF),
    tagged(0x0B0, "CORE_X_IRAM0_PMS_CONSTRAIN_2", 0x001C_7FFF, 0x001C_7FFF),
    tagged(0x0B4, "CORE_0_IRAM0_PMS_MONITOR_0", 0, 0x1),
    tagged(0x0B8, "CORE_0_IRAM0_PMS_MONITOR_1", 0x3, 0x3),
    tagged(0x0BC, "CORE_0_IRAM0_PMS_MONITOR_2", 0, 0),
    tagged(0x0C0, "CORE_X_DRAM0_PMS_CONSTRAIN_0", 0, 0x1),
    tagged(0x0C4, "CORE_X_DRAM0_PMS_CONSTRAIN_1", 0x0F0F_F0FF, 0x0F0F_F0FF),
    tagged(0x0C8, "CORE_0_DRAM0_PMS_MONITOR_0", 0, 0x1),
    tagged(0x0CC, "CORE_0_DRAM0_PMS_MONITOR_1", 0x3, 0x3),
    tagged(0x0D0, "CORE_0_DRAM0_PMS_MONITOR_2", 0, 0),
    tagged(0x0D4, "CORE_0_DRAM0_PMS_MONITOR_3", 0, 0),
    tagged(0x0D8, "CORE_0_PIF_PMS_CONSTRAIN_0", 0, 0x1),
    tagged(0x0DC, "CORE_0_PIF_PMS_CONSTRAIN_1", 0xCF0F_FFFF, 0xCF0F_FFFF),
    tagged(0x0E0, "CORE_0_PIF_PMS_CONSTRAIN_2", 0xFCC3_0CF3, 0xFCC3_0CF3),
    tagged(0x0E4, "CORE_0_PIF_PMS_CONSTRAIN_3", 0x3CC0_CC33, 0x3CC0_CC33),
    tagged(0x0E8, "CORE_0_PIF_PMS_CONSTRAIN_4", 0xFFFF_F3FC, 0xFFFF_F3FC),
    tagged(0x0EC, "CORE_0_PIF_PMS_CONSTRAIN_5", 0xCF0F_FFFF, 0xCF0F_FFFF),
    tagged(0x0F0, "CORE_0_PIF_PMS_CONSTRAIN_6", 0xFCC3_0CF3, 0xFCC3_0CF3),
    tagged(0x0F4, "CORE_0_PIF_PMS_CONSTRAIN_7", 0x3CC0_CC33, 0x3CC0_CC33),
    tagged(0x0F8, "CORE_0_PIF_PMS_CONSTRAIN_8", 0xFFFF_F3FC, 0xFFFF_F3FC),
    tagged(0x0FC, "CORE_0_PIF_PMS_CONSTRAIN_9", 0x003F_FFFF, 0x003F_FFFF),
    tagged(0x100, "CORE_0_PIF_PMS_CONSTRAIN_10", 0xFFF, 0xFFF),
    tagged(0x104, "REGION_PMS_CONSTRAIN_0", 0, 0x1),
    tagged(0x108, "REGION_PMS_CONSTRAIN_1", 0x3FFF, 0x3FFF),
    tagged(0x10C, "REGION_PMS_CONSTRAIN_2", 0x3FFF, 0x3FFF),
    tagged(0x110, "REGION_PMS_CONSTRAIN_3", 0, 0x3FFF_FFFF),
    tagged(0x114, "REGION_PMS_CONSTRAIN_4", 0, 0x3FFF_FFFF),
    tagged(0x118, "REGION_PMS_CONSTRAIN_5", 0, 0x3FFF_FFFF),
    tagged(0x11C, "REGION_PMS_CONSTRAIN_6", 0, 0x3FFF_FFFF),
    tagged(0x120, "REGION_PMS_CONSTRAIN_7", 0, 0x3FFF_FFFF),
    tagged(0x124, "REGION_PMS_CONSTRAIN_8", 0, 0x3FFF_FFFF),
    tagged(0x128, "REGION_PMS_CONSTRAIN_9", 0, 0x3FFF_FFFF),
    tagged(0x12C, "REGION_PMS_CONSTRAIN_10", 0, 0x3FFF_FFFF),
    tagged(0x130, "CORE_0_PIF_PMS_MONITOR_0", 0, 0x1),
    tagged(0x134, "CORE_0_PIF_PMS_MONITOR_1", 0x3, 0x3),
    tagged(0x138, "CORE_0_PIF_PMS_MONITOR_2", 0, 0),
    tagged(0x13C, "CORE_0_PIF_PMS_MONITOR_3", 0, 0),
    tagged(0x140, "CORE_0_PIF_PMS_MONITOR_4", 0x3, 0x3),
    tagged(0x144, "CORE_0_PIF_PMS_MONITOR_5", 0, 0),
    tagged(0x148, "CORE_0_PIF_PMS_MONITOR_6", 0, 0),
    tagged(0x14C, "BACKUP_BUS_PMS_CONSTRAIN_0", 0, 0x1),
    tagged(0x150, "BACKUP_BUS_PMS_CONSTRAIN_1", 0xCF0F_FFFF, 0xCF0F_FFFF),
    tagged(0x154, "BACKUP_BUS_PMS_CONSTRAIN_2", 0xFCC3_0CF3, 0xFCC3_0CF3),
    tagged(0x158, "BACKUP_BUS_PMS_CONSTRAIN_3", 0x3CC0_CC33, 0x3CC0_CC33),
    tagged(0x15C, "BACKUP_BUS_PMS_CONSTRAIN_4", 0xF3FC, 0xF3FC),
    tagged(0x160, "BACKUP_BUS_PMS_MONITOR_0", 0, 0x1),
    tagged(0x164, "BACKUP_BUS_PMS_MONITOR_1", 0x3, 0x3),
    tagged(0x168, "BACKUP_BUS_PMS_MONITOR_2", 0, 0),
    tagged(0x16C, "BACKUP_BUS_PMS_MONITOR_3", 0, 0),
    tagged(0x170, "CLOCK_GATE", 0x1, 0x1),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registers::RegisterFile;

    #[test]
    fn permissions_reset_to_full_access() {
        let file = RegisterFile::new(REGISTERS);
        assert_eq!(file.read(0x0C4), Some(0x0F0F_F0FF));
        assert_eq!(file.read(0x090), None);
    }
}
