//! The flash chip's cells: NOR semantics, typical times, and a power cut at a given byte.
//!
//! Programming only clears bits; erasing sets a whole sector to 0xFF. Times are the typical ones of a 4 MiB
//! part (Winbond W25Q32JV data sheet, section 9.6): page program 0.4 ms, sector erase 45 ms, 32 KiB block
//! 120 ms, 64 KiB block 150 ms.

use std::time::Duration;

/// Smallest erasable unit, bytes.
pub const SECTOR: u32 = 0x1000;
/// Largest erasable unit except the whole chip, bytes.
pub const BLOCK: u32 = 0x1_0000;
/// Size of a page, bytes; one program operation stays inside a page.
pub const PAGE: u32 = 256;

const PAGE_PROGRAM: Duration = Duration::from_micros(400);
const SECTOR_ERASE: Duration = Duration::from_millis(45);
const BLOCK_ERASE: Duration = Duration::from_millis(150);
/// Time to read a byte at 40 MHz over two lines, ns: 10 bytes in a microsecond.
const READ_NS_PER_BYTE: u64 = 100;

/// Reason why the flash chip refuses an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NorError {
    /// The range does not lie inside the chip.
    #[error("flash range {addr:#x}+{len:#x} ends beyond the chip")]
    OutOfRange {
        /// Byte offset in flash.
        addr: u32,
        /// Length of the range, bytes.
        len: u32,
    },
    /// An erase that does not start and end on a sector boundary.
    #[error("erase of {addr:#x}+{len:#x} is not on a sector boundary")]
    Unaligned {
        /// Byte offset in flash.
        addr: u32,
        /// Length of the range, bytes.
        len: u32,
    },
}

/// Result of an operation on the flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// The operation is complete and took this long.
    Complete(Duration),
    /// Power failed after this long; the bytes before the given one have their new value.
    PowerCut(Duration),
}

/// A NOR flash chip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NorFlash {
    cells: Vec<u8>,
    /// Bytes that may still change (be programmed or erased) before power fails.
    cut_after: Option<u64>,
    generation: u64,
}

impl NorFlash {
    /// An erased chip of `size` bytes, a multiple of 64 KiB.
    pub fn new(size: u32) -> NorFlash {
        assert!(
            size > 0 && size.is_multiple_of(BLOCK),
            "flash sizes are whole blocks: {size:#x}"
        );
        NorFlash {
            cells: vec![0xFF; size as usize],
            cut_after: None,
            generation: 0,
        }
    }

    /// Size in bytes.
    pub fn size(&self) -> u32 {
        self.cells.len() as u32
    }

    /// The contents of all cells.
    pub fn cells(&self) -> &[u8] {
        &self.cells
    }

    /// Writes `data` at `addr` as an external programmer would: at once, setting and clearing bits.
    pub fn flash_image(&mut self, addr: u32, data: &[u8]) -> Result<(), NorError> {
        let range = self.range(addr, data.len() as u32)?;
        self.cells[range].copy_from_slice(data);
        self.generation += 1;
        Ok(())
    }

    /// Counter that grows by one with each operation that may have changed a cell. If it has changed, decoded
    /// code and caches of flash contents are stale.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Arms (or with `None` disarms) a power cut: the next `bytes` bytes are still programmed or erased, the
    /// one after them is not.
    pub fn cut_power_after(&mut self, bytes: Option<u64>) {
        self.cut_after = bytes;
    }

    /// True if a power cut is armed and has not happened yet.
    pub fn power_cut_armed(&self) -> bool {
        self.cut_after.is_some()
    }

    /// Reads from `addr` on. Returns the time that it takes.
    pub fn read(&self, addr: u32, out: &mut [u8]) -> Result<Duration, NorError> {
        let range = self.range(addr, out.len() as u32)?;
        out.copy_from_slice(&self.cells[range]);
        Ok(Duration::from_nanos(out.len() as u64 * READ_NS_PER_BYTE))
    }

    /// Programs `data` from `addr` on: each cell becomes its old value AND the new one.
    pub fn program(&mut self, addr: u32, data: &[u8]) -> Result<Done, NorError> {
        let range = self.range(addr, data.len() as u32)?;
        self.generation += 1;
        let allowed = self.allowance(data.len() as u64);
        for (cell, byte) in self.cells[range].iter_mut().zip(data).take(allowed as usize) {
            *cell &= byte;
        }
        let pages = |len: u32| (addr % PAGE + len).div_ceil(PAGE);
        if allowed < data.len() as u64 {
            return Ok(Done::PowerCut(PAGE_PROGRAM * pages(allowed as u32)));
        }
        Ok(Done::Complete(PAGE_PROGRAM * pages(data.len() as u32)))
    }

    /// Erases whole sectors; aligned ranges of 64 KiB are erased as blocks, which is faster.
    pub fn erase(&mut self, addr: u32, len: u32) -> Result<Done, NorError> {
        let range = self.range(addr, len)?;
        if !addr.is_multiple_of(SECTOR) || !len.is_multiple_of(SECTOR) {
            return Err(NorError::Unaligned { addr, len });
        }
        self.generation += 1;
        let allowed = self.allowance(u64::from(len));
        let end = range.start + allowed as usize;
        self.cells[range.start..end].fill(0xFF);
        let took = erase_time(addr, allowed as u32);
        if allowed < u64::from(len) {
            Ok(Done::PowerCut(took))
        } else {
            Ok(Done::Complete(took))
        }
    }

    /// Returns how many of `wanted` byte changes happen before power fails; disarms the cut when it happens.
    fn allowance(&mut self, wanted: u64) -> u64 {
        match self.cut_after {
            None => wanted,
            Some(left) if left >= wanted => {
                self.cut_after = Some(left - wanted);
                wanted
            }
            Some(left) => {
                self.cut_after = None;
                left
            }
        }
    }

    fn range(&self, addr: u32, len: u32) -> Result<std::ops::Range<usize>, NorError> {
        match addr.checked_add(len) {
            Some(end) if end <= self.size() => Ok(addr as usize..end as usize),
            _ => Err(NorError::OutOfRange { addr, len }),
        }
    }
}

fn erase_time(addr: u32, len: u32) -> Duration {
    let end = addr + len;
    let mut at = addr;
    let mut took = Duration::ZERO;
    while at < end {
        if at.is_multiple_of(BLOCK) && end - at >= BLOCK {
            took += BLOCK_ERASE;
            at += BLOCK;
        } else {
            took += SECTOR_ERASE;
            at += SECTOR;
        }
    }
    took
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programming_only_clears_bits_and_erasing_sets_them() {
        let mut flash = NorFlash::new(BLOCK);
        assert_eq!(
            flash.program(0x10, &[0xF0, 0x0F]),
            Ok(Done::Complete(PAGE_PROGRAM))
        );
        assert_eq!(flash.program(0x10, &[0x3C]), Ok(Done::Complete(PAGE_PROGRAM)));
        assert_eq!(&flash.cells()[0x0F..0x13], &[0xFF, 0x30, 0x0F, 0xFF]);
        assert_eq!(
            flash.erase(0, SECTOR),
            Ok(Done::Complete(Duration::from_millis(45)))
        );
        assert_eq!(&flash.cells()[0x0F..0x13], &[0xFF; 4]);
    }

    #[test]
    fn times_count_pages_and_blocks() {
        let mut flash = NorFlash::new(2 * BLOCK);
        assert_eq!(
            flash.program(0xFF, &[0; 2]),
            Ok(Done::Complete(Duration::from_micros(800)))
        );
        assert_eq!(
            flash.erase(0xF000, 0x1_1000),
            Ok(Done::Complete(Duration::from_millis(45 + 150)))
        );
    }

    #[test]
    fn ranges_and_alignment_are_checked() {
        let mut flash = NorFlash::new(BLOCK);
        let out_of_range = NorError::OutOfRange { addr: 0xFFFF, len: 2 };
        assert_eq!(flash.program(0xFFFF, &[0, 0]), Err(out_of_range));
        assert_eq!(flash.read(0xFFFF, &mut [0, 0]), Err(out_of_range));
        assert!(flash.erase(u32::MAX - 10, SECTOR).is_err());
        assert_eq!(
            flash.erase(0x10, SECTOR),
            Err(NorError::Unaligned {
                addr: 0x10,
                len: SECTOR
            })
        );
        assert_eq!(flash.generation(), 0);
    }

    #[test]
    fn a_power_cut_leaves_the_named_bytes_old() {
        let mut flash = NorFlash::new(BLOCK);
        flash.cut_power_after(Some(5));
        assert_eq!(flash.program(0, &[0; 3]), Ok(Done::Complete(PAGE_PROGRAM)));
        assert_eq!(flash.program(3, &[0; 8]), Ok(Done::PowerCut(PAGE_PROGRAM)));
        assert_eq!(&flash.cells()[..7], &[0, 0, 0, 0, 0, 0xFF, 0xFF]);
        assert!(!flash.power_cut_armed());
        assert_eq!(flash.program(3, &[0; 8]), Ok(Done::Complete(PAGE_PROGRAM)));

        flash.cut_power_after(Some(1));
        assert!(matches!(flash.erase(0, SECTOR), Ok(Done::PowerCut(_))));
        assert_eq!(&flash.cells()[..3], &[0xFF, 0, 0]);
    }
}
