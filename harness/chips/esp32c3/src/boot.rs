//! The application in flash, and its start by the boot ROM and the second-stage bootloader.
//!
//! Neither of them is executed. An ELF is laid out in flash as the vendor's tools do it (ESP-IDF programming
//! guide, "App Image Format"). Booting reads that image back: segments for RAM are copied, segments for the
//! flash windows are mapped page by page. So the firmware can read its own image in flash, and an image that
//! was damaged in flash does not boot.

mod choice;
pub(crate) mod image;
mod partitions;

use crate::bus::SystemBus;
use crate::elf::Firmware;
use crate::peripherals::extmem::MMU_PAGE;
use crate::rom::nor::{NorError, NorFlash};

pub(crate) use choice::choose;
use image::{CHECKSUM_SEED, CHIP_ID, IMAGE_HEADER, IMAGE_MAGIC, Image, MAX_SEGMENTS, SEGMENT_HEADER};

/// Reason why an application cannot be written to flash, or does not boot from there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BootError {
    /// The image is larger than its partition.
    #[error("the application needs {needs} bytes, its partition at {offset:#x} has {has}")]
    TooLarge {
        /// Size of the image, bytes.
        needs: u32,
        /// Offset of the partition in flash.
        offset: u32,
        /// Size of the partition, bytes.
        has: u32,
    },
    /// More segments than an image can have.
    #[error("{0} segments; an image has at most {MAX_SEGMENTS}")]
    TooManySegments(usize),
    /// Two segments claim the same page of a flash window with different contents.
    #[error("segments overlap at {addr:#010x}")]
    Overlap {
        /// Guest address of the page.
        addr: u32,
    },
    /// The flash is smaller than the application needs.
    #[error("the flash is too small")]
    Flash(#[from] NorError),
    /// There is no image at the application's offset.
    #[error("no application image at {offset:#x} in flash")]
    NoImage {
        /// Offset in flash.
        offset: u32,
    },
    /// There is no partition table at the bootloader's offset for it.
    #[error(
        "no partition table at {offset:#x} in flash: the first entry's magic is {magic:#06x}, not 0x50aa"
    )]
    NoTable {
        /// Offset of the table in flash.
        offset: u32,
        /// The first two bytes at that offset.
        magic: u16,
    },
    /// The partition table has no partition for an application.
    #[error("the partition table has no application partition")]
    NoAppPartition,
    /// The image is for another chip.
    #[error("the image in flash is for chip {id}, not for the ESP32-C3 ({CHIP_ID})")]
    OtherChip {
        /// `ESP_CHIP_ID` in its header.
        id: u16,
    },
    /// The image ends outside the flash.
    #[error("the image at {offset:#x} in flash ends outside of it")]
    Truncated {
        /// Offset of the image in flash.
        offset: u32,
    },
    /// The checksum over the segments is wrong.
    #[error(
        "the image at {offset:#x} in flash is damaged: its checksum is {stored:#04x}, the data give \
         {calculated:#04x}"
    )]
    Checksum {
        /// Offset of the image in flash.
        offset: u32,
        /// Checksum calculated from the data of the segments.
        calculated: u8,
        /// Checksum stored in the image.
        stored: u8,
    },
    /// The SHA-256 at the end of the image is wrong.
    #[error("the image at {offset:#x} in flash is damaged: its SHA-256 is not that of the data")]
    Hash {
        /// Offset of the image in flash.
        offset: u32,
    },
    /// A segment has an address at which the chip has no memory.
    #[error("a segment lies at {addr:#010x}, where there is no memory")]
    NoMemory {
        /// Guest address of the segment.
        addr: u32,
    },
}

pub(crate) fn word(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

pub(crate) fn is_flash_window(addr: u32) -> bool {
    (0x3C00_0000..0x3C80_0000).contains(&addr) || (0x4200_0000..0x4280_0000).contains(&addr)
}

/// Writes the application image of `firmware` into its partition.
pub(crate) fn install(firmware: &Firmware, flash: &mut NorFlash) -> Result<(), BootError> {
    let image = build_image(firmware)?;
    let partition = partitions::app_place(flash);
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

/// Builds the image: header, segments, checksum.
fn build_image(firmware: &Firmware) -> Result<Vec<u8>, BootError> {
    let loaded = |flash: bool| {
        firmware
            .segments
            .iter()
            .filter(move |s| !s.data.is_empty() && is_flash_window(s.addr) == flash)
            .map(|s| (s.addr, s.data.clone()))
    };
    let mapped = merge_pages(loaded(true).collect())?;
    let mut image = vec![0; IMAGE_HEADER];
    let mut count = 0;
    let mut checksum = CHECKSUM_SEED;
    let mut append = |image: &mut Vec<u8>, addr: u32, data: &[u8]| {
        // Segments are whole words.
        let padded = data.len().next_multiple_of(4);
        image.extend(addr.to_le_bytes());
        image.extend((padded as u32).to_le_bytes());
        image.extend(data);
        image.resize(image.len() + padded - data.len(), 0);
        checksum = data.iter().fold(checksum, |sum, byte| sum ^ byte);
        count += 1;
    };
    for (addr, data) in &mapped {
        // A mapped segment has the same offset within a page in flash and in the window. The gap before it is
        // filled by a segment for address 0, which the bootloader skips.
        let here = image.len() + SEGMENT_HEADER;
        let gap = (*addr as usize).wrapping_sub(here) % MMU_PAGE as usize;
        if gap != 0 {
            let padding = if gap >= SEGMENT_HEADER {
                gap - SEGMENT_HEADER
            } else {
                gap + MMU_PAGE as usize - SEGMENT_HEADER
            };
            append(&mut image, 0, &vec![0; padding]);
        }
        append(&mut image, *addr, data);
    }
    for (addr, data) in loaded(false) {
        append(&mut image, addr, &data);
    }
    if count > MAX_SEGMENTS {
        return Err(BootError::TooManySegments(count));
    }
    image.resize((image.len() + 1).next_multiple_of(16), 0);
    if let Some(last) = image.last_mut() {
        *last = checksum;
    }
    image[0] = IMAGE_MAGIC;
    image[1] = count as u8;
    image[2] = 2; // DIO
    image[3] = 0x2F; // 4 MiB, 80 MHz
    image[4..8].copy_from_slice(&firmware.entry.to_le_bytes());
    image[8] = 0xEE; // the write-protect pin is not used
    image[12] = CHIP_ID;
    image[17..19].copy_from_slice(&u16::MAX.to_le_bytes());
    Ok(image)
}

/// Joins segments that share a page of a flash window: a page can be mapped to one place only.
fn merge_pages(mut segments: Vec<(u32, Vec<u8>)>) -> Result<Vec<(u32, Vec<u8>)>, BootError> {
    segments.sort_by_key(|(addr, _)| *addr);
    let mut merged: Vec<(u32, Vec<u8>)> = Vec::new();
    for (addr, data) in segments {
        if let Some((first, bytes)) = merged.last_mut() {
            let end = *first + bytes.len() as u32;
            if addr < end {
                return Err(BootError::Overlap { addr });
            }
            if (end - 1) / MMU_PAGE == addr / MMU_PAGE {
                bytes.resize((addr - *first) as usize, 0);
                bytes.extend(data);
                continue;
            }
        }
        merged.push((addr, data));
    }
    Ok(merged)
}

/// Copies and maps the application that the bootloader would choose. Returns its entry point.
///
/// With `bare`, if there is no partition table, the application is at the offset of the usual first
/// partition.
pub(crate) fn load(bus: &mut SystemBus, bare: bool) -> Result<u32, BootError> {
    let image = choose(&bus.flash, bare).map_err(|failure| failure.error)?;
    start(bus, &image)
}

/// Maps and copies the segments of an image that has been checked.
fn start(bus: &mut SystemBus, image: &Image) -> Result<u32, BootError> {
    for segment in &image.segments {
        let (addr, size) = (segment.addr, segment.size);
        if is_flash_window(addr) {
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

    use rv32::Bus;

    use super::*;
    use crate::elf::Segment;
    use crate::guest::HookSet;
    use crate::peripherals::Peripherals;
    use crate::peripherals::efuse::Revision;
    use crate::symbols::SymbolTable;

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
    fn segments_in_one_page_are_joined_and_overlaps_refused() {
        let parts = vec![(0x3C00_0100, vec![2; 4]), (0x3C00_0020, vec![1; 4])];
        let merged = merge_pages(parts).unwrap();
        assert_eq!(merged.len(), 1);
        assert_eq!((merged[0].0, merged[0].1.len()), (0x3C00_0020, 0xE4));
        let overlap = vec![(0x3C00_0020, vec![1; 8]), (0x3C00_0024, vec![2; 4])];
        assert_eq!(
            merge_pages(overlap),
            Err(BootError::Overlap { addr: 0x3C00_0024 })
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
        assert_eq!(load(&mut bus(flash), true), Err(BootError::OtherChip { id: 9 }));
    }
}
