//! External memory and cache control, EXTMEM, and the MMU table (TRM chapter 3.3.3).
//!
//! The cache itself is not modelled: reads through the MMU see the flash as it is. Operations on the cache are
//! complete as soon as they are asked for. Of the MMU, the 128 entries of 64 KiB are modelled; the instruction and
//! the data window share them.

use crate::registers::{Register, RegisterFile, modelled, tagged};

const ICACHE_SYNC_CTRL: u32 = 0x28;
const ICACHE_PRELOAD_CTRL: u32 = 0x34;
const ICACHE_FREEZE: u32 = 0xCC;

const ICACHE_SYNC_DONE: u32 = 1 << 1;
const ICACHE_FREEZE_ENA: u32 = 1 << 0;
const ICACHE_FREEZE_DONE: u32 = 1 << 2;

/// Entries of the MMU.
pub(crate) const MMU_ENTRIES: usize = 128;
/// An entry with this bit maps nothing.
pub(crate) const MMU_INVALID: u32 = 1 << 8;
/// Bytes that one entry maps.
pub(crate) const MMU_PAGE: u32 = 0x1_0000;

pub(crate) const REGISTERS: &[Register] = &[
    tagged(0x000, "ICACHE_CTRL", 0, 0x1),
    tagged(0x004, "ICACHE_CTRL1", 0x3, 0x3),
    tagged(0x008, "ICACHE_TAG_POWER_CTRL", 0x5, 0x7),
    tagged(0x00C, "ICACHE_PRELOCK_CTRL", 0, 0x3),
    tagged(0x010, "ICACHE_PRELOCK_SCT0_ADDR", 0, 0xFFFF_FFFF),
    tagged(0x014, "ICACHE_PRELOCK_SCT1_ADDR", 0, 0xFFFF_FFFF),
    tagged(0x018, "ICACHE_PRELOCK_SCT_SIZE", 0, 0xFFFF_FFFF),
    tagged(0x01C, "ICACHE_LOCK_CTRL", 0x4, 0x3),
    tagged(0x020, "ICACHE_LOCK_ADDR", 0, 0xFFFF_FFFF),
    tagged(0x024, "ICACHE_LOCK_SIZE", 0, 0xFFFF),
    modelled(ICACHE_SYNC_CTRL, "ICACHE_SYNC_CTRL", 0x1, 0),
    tagged(0x02C, "ICACHE_SYNC_ADDR", 0, 0xFFFF_FFFF),
    tagged(0x030, "ICACHE_SYNC_SIZE", 0, 0x007F_FFFF),
    modelled(ICACHE_PRELOAD_CTRL, "ICACHE_PRELOAD_CTRL", 0x2, 0x4),
    tagged(0x038, "ICACHE_PRELOAD_ADDR", 0, 0xFFFF_FFFF),
    tagged(0x03C, "ICACHE_PRELOAD_SIZE", 0, 0xFFFF),
    tagged(0x040, "ICACHE_AUTOLOAD_CTRL", 0x8, 0x77),
    tagged(0x044, "ICACHE_AUTOLOAD_SCT0_ADDR", 0, 0xFFFF_FFFF),
    tagged(0x048, "ICACHE_AUTOLOAD_SCT0_SIZE", 0, 0x07FF_FFFF),
    tagged(0x04C, "ICACHE_AUTOLOAD_SCT1_ADDR", 0, 0xFFFF_FFFF),
    tagged(0x050, "ICACHE_AUTOLOAD_SCT1_SIZE", 0, 0x07FF_FFFF),
    tagged(0x054, "IBUS_TO_FLASH_START_VADDR", 0x4200_0000, 0xFFFF_FFFF),
    tagged(0x058, "IBUS_TO_FLASH_END_VADDR", 0x427F_FFFF, 0xFFFF_FFFF),
    tagged(0x05C, "DBUS_TO_FLASH_START_VADDR", 0x3C00_0000, 0xFFFF_FFFF),
    tagged(0x060, "DBUS_TO_FLASH_END_VADDR", 0x3C7F_FFFF, 0xFFFF_FFFF),
    tagged(0x064, "CACHE_ACS_CNT_CLR", 0, 0x3),
    tagged(0x068, "IBUS_ACS_MISS_CNT", 0, 0),
    tagged(0x06C, "IBUS_ACS_CNT", 0, 0),
    tagged(0x070, "DBUS_ACS_FLASH_MISS_CNT", 0, 0),
    tagged(0x074, "DBUS_ACS_CNT", 0, 0),
    tagged(0x078, "CACHE_ILG_INT_ENA", 0, 0x1A3),
    tagged(0x07C, "CACHE_ILG_INT_CLR", 0, 0x1A3),
    tagged(0x080, "CACHE_ILG_INT_ST", 0, 0),
    tagged(0x084, "CORE0_ACS_CACHE_INT_ENA", 0, 0x3F),
    tagged(0x088, "CORE0_ACS_CACHE_INT_CLR", 0, 0x3F),
    tagged(0x08C, "CORE0_ACS_CACHE_INT_ST", 0, 0),
    tagged(0x090, "CORE0_DBUS_REJECT_ST", 0, 0),
    tagged(0x094, "CORE0_DBUS_REJECT_VADDR", 0xFFFF_FFFF, 0),
    tagged(0x098, "CORE0_IBUS_REJECT_ST", 0, 0),
    tagged(0x09C, "CORE0_IBUS_REJECT_VADDR", 0xFFFF_FFFF, 0),
    tagged(0x0A0, "CACHE_MMU_FAULT_CONTENT", 0, 0),
    tagged(0x0A4, "CACHE_MMU_FAULT_VADDR", 0, 0),
    tagged(0x0A8, "CACHE_WRAP_AROUND_CTRL", 0, 0x1),
    tagged(0x0AC, "CACHE_MMU_POWER_CTRL", 0x5, 0x7),
    tagged(0x0B0, "CACHE_STATE", 0x1, 0),
    tagged(0x0B8, "CACHE_ENCRYPT_DECRYPT_CLK_FORCE_ON", 0x7, 0x7),
    tagged(0x0BC, "CACHE_PRELOAD_INT_CTRL", 0, 0x6),
    tagged(0x0C0, "CACHE_SYNC_INT_CTRL", 0, 0x6),
    tagged(0x0C4, "CACHE_MMU_OWNER", 0, 0xF),
    tagged(0x0C8, "CACHE_CONF_MISC", 0x7, 0x7),
    modelled(ICACHE_FREEZE, "ICACHE_FREEZE", 0, 0x3),
    tagged(0x0D0, "ICACHE_ATOMIC_OPERATE_ENA", 0x1, 0x1),
    tagged(0x0D4, "CACHE_REQUEST", 0, 0x1),
    tagged(0x0D8, "IBUS_PMS_TBL_LOCK", 0, 0x1),
    tagged(0x0DC, "IBUS_PMS_TBL_BOUNDARY0", 0, 0xFFF),
    tagged(0x0E0, "IBUS_PMS_TBL_BOUNDARY1", 0x800, 0xFFF),
    tagged(0x0E4, "IBUS_PMS_TBL_BOUNDARY2", 0x800, 0xFFF),
    tagged(0x0E8, "IBUS_PMS_TBL_ATTR", 0xFF, 0xFF),
    tagged(0x0EC, "DBUS_PMS_TBL_LOCK", 0, 0x1),
    tagged(0x0F0, "DBUS_PMS_TBL_BOUNDARY0", 0, 0xFFF),
    tagged(0x0F4, "DBUS_PMS_TBL_BOUNDARY1", 0x800, 0xFFF),
    tagged(0x0F8, "DBUS_PMS_TBL_BOUNDARY2", 0x800, 0xFFF),
    tagged(0x0FC, "DBUS_PMS_TBL_ATTR", 0xF, 0xF),
    tagged(0x100, "CLOCK_GATE", 0x1, 0x1),
];

/// Registers of external memory and cache control, without the MMU table.
#[derive(Clone, Debug)]
pub(crate) struct Extmem {
    file: RegisterFile,
}

impl Extmem {
    pub(crate) fn new() -> Extmem {
        Extmem {
            file: RegisterFile::new(REGISTERS),
        }
    }

    pub(crate) fn read(&self, offset: u32) -> Option<u32> {
        self.file.read(offset)
    }

    pub(crate) fn write(&mut self, offset: u32, value: u32) -> bool {
        let known = self.file.write(offset, value);
        match offset {
            ICACHE_SYNC_CTRL => self.file.set(offset, ICACHE_SYNC_DONE),
            ICACHE_FREEZE => {
                let done = if value & ICACHE_FREEZE_ENA != 0 {
                    ICACHE_FREEZE_DONE
                } else {
                    0
                };
                self.file.set(offset, value & 3 | done);
            }
            _ => {}
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_operations_are_done_at_once() {
        let mut extmem = Extmem::new();
        assert_eq!(extmem.read(ICACHE_SYNC_CTRL), Some(1));
        extmem.write(ICACHE_SYNC_CTRL, 1);
        assert_eq!(extmem.read(ICACHE_SYNC_CTRL), Some(2));
        extmem.write(ICACHE_PRELOAD_CTRL, 1);
        assert_eq!(extmem.read(ICACHE_PRELOAD_CTRL).unwrap() & 2, 2);
    }

    #[test]
    fn freezing_is_acknowledged() {
        let mut extmem = Extmem::new();
        extmem.write(ICACHE_FREEZE, 1);
        assert_eq!(extmem.read(ICACHE_FREEZE), Some(5));
        extmem.write(ICACHE_FREEZE, 0);
        assert_eq!(extmem.read(ICACHE_FREEZE), Some(0));
        assert!(!extmem.write(0x104, 0));
    }
}
