//! The application in flash, and its start by the boot ROM and the second-stage bootloader.
//!
//! Neither of them is executed. An ELF is laid out in flash as the vendor's tools do it (ESP-IDF programming
//! guide, "App Image Format"). Booting reads that image back: segments for RAM are copied, segments for the
//! flash windows are mapped page by page. So the firmware can read its own image in flash, and an image that
//! was damaged in flash does not boot.

use image::bootloader::choose;
use image::chip::ESP32C3;
use image::{AppImage, BootError, Firmware, build_app_image, partitions};

use crate::bus::SystemBus;
use crate::peripherals::extmem::MMU_PAGE;
use crate::rom::nor::{NorError, NorFlash};

impl From<NorError> for BootError {
    fn from(_: NorError) -> BootError {
        BootError::FlashTooSmall
    }
}

/// Writes the application image of `firmware` into its partition.
pub(crate) fn install(firmware: &Firmware, flash: &mut NorFlash) -> Result<(), BootError> {
    let image = build_app_image(firmware, &ESP32C3)?;
    let partition = partitions::app_place(flash.cells());
    let needs = image.len() as u32;
    if needs > partition.size {
        return Err(BootError::TooLarge {
            needs,
            offset: partition.offset,
            has: partition.size,
        });
    }
    flash.flash_image(partition.offset, &image)?;
    Ok(())
}

/// Copies and maps the application that the bootloader would choose. Returns its entry point.
///
/// With `bare`, if there is no partition table, the application is at the offset of the usual first
/// partition.
pub(crate) fn load(bus: &mut SystemBus, bare: bool) -> Result<u32, BootError> {
    let image = choose(bus.flash.cells(), &ESP32C3, bare).map_err(|failure| failure.error)?;
    start(bus, &image)
}

/// Maps and copies the segments of an image that has been checked.
fn start(bus: &mut SystemBus, image: &AppImage) -> Result<u32, BootError> {
    for segment in &image.segments {
        let (addr, size) = (segment.addr, segment.size);
        if ESP32C3.is_flash(addr) {
            let first = addr / MMU_PAGE * MMU_PAGE;
            let start = segment.offset / MMU_PAGE * MMU_PAGE;
            for page in 0..(addr - first + size).div_ceil(MMU_PAGE) {
                bus.map_page(first + page * MMU_PAGE, start + page * MMU_PAGE);
            }
        } else if addr != 0 {
            let data = segment.bytes(bus.flash.cells()).to_vec();
            if !bus.load(addr, &data) {
                return Err(BootError::NoMemory { addr });
            }
        }
    }
    Ok(image.entry)
}

/// Sets the registers that the boot ROM and the bootloader have written: watchdogs, and the console at 115,200
/// baud from the crystal.
pub(crate) fn leave_bootloader(bus: &mut SystemBus, cycle: u64) {
    const UART0_CLKDIV: u32 = 0x6000_0014;
    const UART0_CLK_CONF: u32 = 0x6000_0078;
    bus.peripherals.rtc_cntl.leave_bootloader(cycle);
    // 40 MHz / (347 + 4/16) = 115,191 baud.
    for (register, value) in [(UART0_CLK_CONF, 0x0370_0000), (UART0_CLKDIV, 347 | 4 << 20)] {
        bus.peripherals
            .write(register, value, cycle, &mut bus.flash, &mut bus.outbox);
    }
    bus.peripherals.sync(cycle);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use image::{Segment, SymbolTable};
    use rv32::Bus;

    use super::*;
    use crate::guest::HookSet;
    use crate::peripherals::Peripherals;
    use crate::peripherals::efuse::Revision;

    fn firmware(segments: &[(u32, Vec<u8>)]) -> Firmware {
        let segments: Vec<_> = segments
            .iter()
            .map(|(addr, data)| Segment {
                addr: *addr,
                data: data.clone(),
                mem_size: data.len() as u32,
            })
            .collect();
        Firmware {
            entry: 0x4201_0020,
            segments: segments.into(),
            symbols: Arc::new(SymbolTable::new(Vec::new())),
            app: None,
        }
    }

    fn bus(flash: NorFlash) -> SystemBus {
        let peripherals = Peripherals::new([2; 6], Revision { major: 0, minor: 4 }, 0, true);
        SystemBus::new(flash, peripherals, HookSet::default())
    }

    fn typical() -> Firmware {
        firmware(&[
            (0x4038_0000, vec![0x11; 6]),
            (0x3FC8_1000, vec![0x22; 8]),
            (0x3C00_0020, vec![0x33; 0x30]),
            (0x4201_0020, vec![0x44; 0x1_2000]),
        ])
    }

    #[test]
    fn an_installed_image_boots_to_where_the_elf_put_it() {
        let mut flash = NorFlash::new(0x40_0000);
        install(&typical(), &mut flash).unwrap();
        assert_eq!(flash.cells()[0x1_0000], 0xE9);
        assert_eq!(
            flash.cells()[0x1_0020],
            0x33,
            "read-only data is first, as the vendor's tools put it"
        );
        let mut bus = bus(flash);
        assert_eq!(load(&mut bus, true), Ok(0x4201_0020));
        assert_eq!(bus.read(0x3C00_0020, 4, 0), Ok(0x3333_3333));
        assert_eq!(bus.read(0x4201_0020, 4, 0), Ok(0x4444_4444));
        assert_eq!(bus.read(0x4202_201C, 4, 0), Ok(0x4444_4444), "the second page");
        assert_eq!(bus.read(0x4038_0004, 4, 0), Ok(0x0000_1111));
        assert_eq!(bus.read(0x3FC8_1004, 4, 0), Ok(0x2222_2222));
    }

    #[test]
    fn the_partition_table_says_where() {
        let mut flash = NorFlash::new(0x40_0000);
        let mut table = vec![0xAA, 0x50, 1, 2, 0, 0x90, 0, 0, 0, 0x60, 0, 0];
        table.resize(32, 0);
        table.extend([0xAA, 0x50, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0]);
        table.resize(64, 0);
        flash.flash_image(0x8000, &table).unwrap();
        let error = install(&typical(), &mut flash).unwrap_err();
        assert!(
            matches!(
                error,
                BootError::TooLarge {
                    offset: 0x2_0000,
                    has: 0x1_0000,
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn a_damaged_or_missing_image_does_not_boot() {
        let mut flash = NorFlash::new(0x40_0000);
        assert_eq!(
            load(&mut bus(flash.clone()), true),
            Err(BootError::NoImage { offset: 0x1_0000 })
        );
        install(&typical(), &mut flash).unwrap();
        flash.flash_image(0x1_0024, &[0]).unwrap();
        assert_eq!(
            load(&mut bus(flash.clone()), true),
            Err(BootError::Checksum {
                offset: 0x1_0000,
                calculated: 0xDC,
                stored: 0xEF
            })
        );
        flash.flash_image(0x1_000C, &[9]).unwrap();
        assert_eq!(
            load(&mut bus(flash), true),
            Err(BootError::OtherChip {
                id: 9,
                chip: "ESP32-C3",
                expected: 5
            })
        );
    }
}
