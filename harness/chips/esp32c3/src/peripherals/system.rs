//! System registers, SYSTEM (TRM chapter 16): interrupts from software, and resets of peripherals.
//!
//! Clock gates and clock selection are stored and have no effect.

use crate::peripherals::interrupt_core0::source;
use crate::peripherals::written::Written;
use crate::registers::{Register, RegisterFile, array, modelled, tagged};

const PERIP_RST_EN0: u32 = 0x18;
const CPU_INTR_FROM_CPU_0: u32 = 0x28;
const CPU_INTR_FROM_CPU_3: u32 = 0x34;

/// Bits of `PERIP_RST_EN0`.
pub(crate) mod rst {
    pub(crate) const UART: u32 = 1 << 2;
    pub(crate) const UART1: u32 = 1 << 5;
    pub(crate) const TIMERGROUP: u32 = 1 << 13;
    pub(crate) const TIMERGROUP1: u32 = 1 << 15;
    pub(crate) const SYSTIMER: u32 = 1 << 29;
}

pub(crate) const REGISTERS: &[Register] = &[
    tagged(0x000, "CPU_PERI_CLK_EN", 0, 0xC0),
    tagged(0x004, "CPU_PERI_RST_EN", 0xC0, 0xC0),
    tagged(0x008, "CPU_PER_CONF", 0xC, 0xFF),
    tagged(0x00C, "MEM_PD_MASK", 0x1, 0x1),
    tagged(0x010, "PERIP_CLK_EN0", 0xF9C1_E06F, 0xFFFF_FFEF),
    tagged(0x014, "PERIP_CLK_EN1", 0x200, 0x7FE),
    modelled(PERIP_RST_EN0, "PERIP_RST_EN0", 0, 0xFFFF_FFEF),
    tagged(0x01C, "PERIP_RST_EN1", 0x1FE, 0x7FE),
    tagged(0x020, "BT_LPCK_DIV_INT", 0xFF, 0xFFF),
    tagged(0x024, "BT_LPCK_DIV_FRAC", 0x0200_1001, 0x1FFF_FFFF),
    array(modelled(CPU_INTR_FROM_CPU_0, "CPU_INTR_FROM_CPU", 0, 0x1), 4),
    tagged(0x038, "RSA_PD_CTRL", 0x1, 0x7),
    tagged(0x03C, "EDMA_CTRL", 0x1, 0x3),
    tagged(0x040, "CACHE_CONTROL", 0x5, 0xF),
    tagged(0x048, "RTC_FASTMEM_CONFIG", 0x7FF0_0000, 0x7FFF_FF00),
    tagged(0x04C, "RTC_FASTMEM_CRC", 0, 0),
    tagged(0x050, "REDUNDANT_ECO_CTRL", 0, 0x1),
    tagged(0x054, "CLOCK_GATE", 0x1, 0x1),
    tagged(0x058, "SYSCLK_CONF", 0x1, 0xFFF),
    tagged(0x05C, "MEM_PVT", 0x3, 0x00C0_003F),
    tagged(0x060, "COMB_PVT_LVT_CONF", 0x3, 0x7F),
    tagged(0x06C, "COMB_PVT_ERR_LVT_SITE0", 0, 0),
];

/// The SYSTEM block: software interrupts and resets of peripherals.
#[derive(Clone, Debug)]
pub(crate) struct System {
    file: RegisterFile,
    /// Bits of `PERIP_RST_EN0` that have just been set: these blocks are to be reset.
    resets: u32,
}

impl System {
    pub(crate) fn new() -> System {
        System {
            file: RegisterFile::new(REGISTERS),
            resets: 0,
        }
    }

    pub(crate) fn read(&self, offset: u32) -> Option<u32> {
        self.file.read(offset)
    }

    pub(crate) fn write(&mut self, offset: u32, value: u32) -> Written {
        let old = self.file.read(offset).unwrap_or(0);
        if !self.file.write(offset, value) {
            return Written::Unmodelled;
        }
        match offset {
            PERIP_RST_EN0 => {
                self.resets |= self.file.get(offset) & !old;
                Written::Sync
            }
            CPU_INTR_FROM_CPU_0..=CPU_INTR_FROM_CPU_3 => Written::Sync,
            _ => Written::Quiet,
        }
    }

    /// Returns the blocks to be reset, as bits of [`rst`], and clears the list.
    pub(crate) fn take_resets(&mut self) -> u32 {
        std::mem::take(&mut self.resets)
    }

    #[inline]
    pub(crate) fn interrupts(&self) -> u64 {
        (0..4).fold(0, |bits, n| {
            bits | u64::from(self.file.get(CPU_INTR_FROM_CPU_0 + 4 * n)) << (source::FROM_CPU_INTR0 + n)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_raises_and_clears_its_interrupts() {
        let mut system = System::new();
        assert_eq!(system.write(0x2C, 1), Written::Sync);
        assert_eq!(system.interrupts(), 1 << 51);
        system.write(0x2C, 0);
        assert_eq!(system.interrupts(), 0);
    }

    #[test]
    fn a_block_is_reset_when_its_bit_rises() {
        let mut system = System::new();
        assert_eq!(system.read(0x10), Some(0xF9C1_E06F));
        system.write(PERIP_RST_EN0, rst::UART1);
        assert_eq!(system.take_resets(), rst::UART1);
        system.write(PERIP_RST_EN0, rst::UART1);
        assert_eq!(system.take_resets(), 0);
    }
}
