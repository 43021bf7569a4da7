//! The chips that firmware can be for, one row each.
//!
//! Addresses are those of ESP-IDF's `soc/*/include/soc/soc.h` and `ext_mem_defs.h`, numbers of pins `SOC_GPIO_PIN_COUNT`
//! in `soc_caps.h`, numbers of chips `esp_chip_id_t` in `esp_app_format.h`, offsets of bootloaders
//! `CONFIG_BOOTLOADER_OFFSET_IN_FLASH`.

use std::ops::Range;

/// An instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// 32-bit RISC-V.
    RiscV,
    /// Xtensa LX6 or LX7.
    Xtensa,
}

impl Architecture {
    /// `e_machine` in an ELF file.
    pub const fn elf_machine(self) -> u16 {
        match self {
            Architecture::RiscV => 243,
            Architecture::Xtensa => 94,
        }
    }

    /// The name for messages.
    pub const fn name(self) -> &'static str {
        match self {
            Architecture::RiscV => "32-bit RISC-V",
            Architecture::Xtensa => "Xtensa",
        }
    }
}

/// What is to be known about a chip by those who handle its firmware.
#[derive(Debug, PartialEq, Eq)]
pub struct Chip {
    /// The spelling of `boards.toml` and of flashing tools: `esp32c3`.
    pub id: &'static str,
    /// The spelling of the manufacturer: `ESP32-C3`.
    pub name: &'static str,
    /// The instruction set of its main processor.
    pub architecture: Architecture,
    /// How many numbers GPIO pins have, counted from GPIO0. Some chips leave numbers out.
    pub gpio_count: u8,
    /// `esp_chip_id_t` in the header of an image.
    pub image_chip_id: u16,
    /// Where the boot ROM looks for the second-stage bootloader in flash, bytes.
    pub bootloader_offset: u32,
    /// Address ranges through which data in flash are read.
    pub flash_data: Range<u32>,
    /// Address range from which code in flash is executed. It is the same as `flash_data` where the caches are one.
    pub flash_code: Range<u32>,
    /// Address range of the internal memory for data, where stacks lie.
    pub ram_data: Range<u32>,
    /// Address range of the internal memory for code. It is the same as `ram_data` where there is one view.
    pub ram_code: Range<u32>,
    /// Address range of the memory that keeps its contents in deep sleep.
    pub rtc: Range<u32>,
}

/// The ESP32-C3, which the emulator models.
pub static ESP32C3: Chip = Chip {
    id: "esp32c3",
    name: "ESP32-C3",
    architecture: Architecture::RiscV,
    gpio_count: 22,
    image_chip_id: 5,
    bootloader_offset: 0,
    flash_data: 0x3C00_0000..0x3C80_0000,
    flash_code: 0x4200_0000..0x4280_0000,
    ram_data: 0x3FC8_0000..0x3FCE_0000,
    ram_code: 0x4037_C000..0x403E_0000,
    rtc: 0x5000_0000..0x5000_2000,
};

static ESP32: Chip = Chip {
    id: "esp32",
    name: "ESP32",
    architecture: Architecture::Xtensa,
    gpio_count: 40,
    image_chip_id: 0,
    bootloader_offset: 0x1000,
    flash_data: 0x3F40_0000..0x3F80_0000,
    flash_code: 0x400D_0000..0x4040_0000,
    ram_data: 0x3FFA_E000..0x4000_0000,
    ram_code: 0x4007_0000..0x400A_0000,
    rtc: 0x5000_0000..0x5000_2000,
};

static ESP32C2: Chip = Chip {
    id: "esp32c2",
    name: "ESP32-C2",
    architecture: Architecture::RiscV,
    gpio_count: 21,
    image_chip_id: 12,
    bootloader_offset: 0,
    flash_data: 0x3C00_0000..0x3C40_0000,
    flash_code: 0x4200_0000..0x4240_0000,
    ram_data: 0x3FCA_0000..0x3FCE_0000,
    ram_code: 0x4037_C000..0x403C_0000,
    // It has none.
    rtc: 0..0,
};

static ESP32C5: Chip = Chip {
    id: "esp32c5",
    name: "ESP32-C5",
    architecture: Architecture::RiscV,
    gpio_count: 29,
    image_chip_id: 23,
    bootloader_offset: 0x2000,
    flash_data: 0x4200_0000..0x4400_0000,
    flash_code: 0x4200_0000..0x4400_0000,
    ram_data: 0x4080_0000..0x4086_0000,
    ram_code: 0x4080_0000..0x4086_0000,
    rtc: 0x5000_0000..0x5000_4000,
};

static ESP32C6: Chip = Chip {
    id: "esp32c6",
    name: "ESP32-C6",
    architecture: Architecture::RiscV,
    gpio_count: 31,
    image_chip_id: 13,
    bootloader_offset: 0,
    flash_data: 0x4200_0000..0x4300_0000,
    flash_code: 0x4200_0000..0x4300_0000,
    ram_data: 0x4080_0000..0x4088_0000,
    ram_code: 0x4080_0000..0x4088_0000,
    rtc: 0x5000_0000..0x5000_4000,
};

static ESP32H2: Chip = Chip {
    id: "esp32h2",
    name: "ESP32-H2",
    architecture: Architecture::RiscV,
    gpio_count: 28,
    image_chip_id: 16,
    bootloader_offset: 0,
    flash_data: 0x4200_0000..0x4300_0000,
    flash_code: 0x4200_0000..0x4300_0000,
    ram_data: 0x4080_0000..0x4085_0000,
    ram_code: 0x4080_0000..0x4085_0000,
    rtc: 0x5000_0000..0x5000_1000,
};

static ESP32S2: Chip = Chip {
    id: "esp32s2",
    name: "ESP32-S2",
    architecture: Architecture::Xtensa,
    gpio_count: 47,
    image_chip_id: 2,
    bootloader_offset: 0x1000,
    flash_data: 0x3F00_0000..0x3FF8_0000,
    flash_code: 0x4008_0000..0x4180_0000,
    ram_data: 0x3FFB_0000..0x4000_0000,
    ram_code: 0x4002_0000..0x4007_0000,
    rtc: 0x5000_0000..0x5000_2000,
};

static ESP32S3: Chip = Chip {
    id: "esp32s3",
    name: "ESP32-S3",
    architecture: Architecture::Xtensa,
    gpio_count: 49,
    image_chip_id: 9,
    bootloader_offset: 0,
    flash_data: 0x3C00_0000..0x3E00_0000,
    flash_code: 0x4200_0000..0x4400_0000,
    ram_data: 0x3FC8_8000..0x3FD0_0000,
    ram_code: 0x4037_0000..0x403E_0000,
    rtc: 0x5000_0000..0x5000_2000,
};

/// All of them, by id.
pub static CHIPS: [&Chip; 8] = [
    &ESP32, &ESP32C2, &ESP32C3, &ESP32C5, &ESP32C6, &ESP32H2, &ESP32S2, &ESP32S3,
];

impl Chip {
    /// The chip with this id.
    pub fn by_id(id: &str) -> Option<&'static Chip> {
        CHIPS.into_iter().find(|chip| chip.id == id)
    }

    /// Whether code can lie at `addr`.
    pub fn is_code(&self, addr: u32) -> bool {
        self.flash_code.contains(&addr) || self.ram_code.contains(&addr)
    }

    /// Whether `addr` lies in a range through which the flash is read or executed.
    pub fn is_flash(&self, addr: u32) -> bool {
        self.flash_data.contains(&addr) || self.flash_code.contains(&addr)
    }

    /// Whether `size` bytes at `addr` lie in one of the ranges that a firmware can occupy.
    pub fn holds(&self, addr: u32, size: u32) -> bool {
        let end = u64::from(addr) + u64::from(size);
        [
            &self.flash_data,
            &self.flash_code,
            &self.ram_data,
            &self.ram_code,
            &self.rtc,
        ]
        .into_iter()
        .any(|range| range.contains(&addr) && end <= u64::from(range.end))
    }

    /// The highest number of a GPIO pin.
    pub const fn max_gpio(&self) -> u8 {
        self.gpio_count - 1
    }
}

/// The names of other chips of the same instruction set that have memory at `addr`, for messages.
pub(crate) fn others_with(addr: u32, than: &Chip) -> Vec<&'static str> {
    CHIPS
        .into_iter()
        .filter(|chip| chip.id != than.id && chip.architecture == than.architecture && chip.holds(addr, 1))
        .map(|chip| chip.name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_whole() {
        for chip in CHIPS {
            assert_eq!(Chip::by_id(chip.id), Some(chip));
            let lower = chip.name.replace('-', "").to_lowercase();
            assert_eq!(lower, chip.id);
            for range in [&chip.flash_data, &chip.flash_code, &chip.ram_data, &chip.ram_code] {
                assert!(range.start < range.end, "{} {range:x?}", chip.id);
            }
            assert!(chip.is_code(chip.flash_code.start) && chip.is_flash(chip.flash_data.start));
            assert!(!chip.is_code(0x1000));
            assert!(chip.bootloader_offset < 0x8000, "before the partition table");
        }
        let mut numbers: Vec<u16> = CHIPS.iter().map(|chip| chip.image_chip_id).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), CHIPS.len());
        assert_eq!(Chip::by_id("esp8266"), None);
        assert_eq!(ESP32C3.max_gpio(), 21);
    }
}
