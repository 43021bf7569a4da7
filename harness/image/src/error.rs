//! Why an application does not boot.

use crate::format::MAX_SEGMENTS;

/// Why an application cannot be put into flash, or does not boot from there.
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
        /// Guest address.
        addr: u32,
    },
    /// The flash is smaller than the application needs.
    #[error("the flash is too small")]
    FlashTooSmall,
    /// What lies at the application's place is no image.
    #[error("no application image at {offset:#x} in flash")]
    NoImage {
        /// Offset in flash.
        offset: u32,
    },
    /// There is no partition table where the bootloader looks for it.
    #[error(
        "no partition table at {offset:#x} in flash: the first entry's magic is {magic:#06x}, not 0x50aa"
    )]
    NoTable {
        /// Offset in flash.
        offset: u32,
        /// What stands there.
        magic: u16,
    },
    /// The partition table has no place for an application.
    #[error("the partition table has no application partition")]
    NoAppPartition,
    /// The image is for another chip.
    #[error("the image in flash is for chip {id}, not for the {chip} ({expected})")]
    OtherChip {
        /// `esp_chip_id_t` in its header.
        id: u16,
        /// The name of the chip that would boot it.
        chip: &'static str,
        /// `esp_chip_id_t` of that chip.
        expected: u16,
    },
    /// The image ends outside the flash.
    #[error("the image at {offset:#x} in flash ends outside of it")]
    Truncated {
        /// Offset in flash.
        offset: u32,
    },
    /// The checksum over the segments is wrong.
    #[error(
        "the image at {offset:#x} in flash is damaged: its checksum is {stored:#04x}, the data give \
         {calculated:#04x}"
    )]
    Checksum {
        /// Offset in flash.
        offset: u32,
        /// What the data give.
        calculated: u8,
        /// What the image says.
        stored: u8,
    },
    /// The SHA-256 at the end of the image is wrong.
    #[error("the image at {offset:#x} in flash is damaged: its SHA-256 is not that of the data")]
    Hash {
        /// Offset in flash.
        offset: u32,
    },
    /// A segment lies where the chip has no memory.
    #[error("a segment lies at {addr:#010x}, where there is no memory")]
    NoMemory {
        /// Guest address.
        addr: u32,
    },
}
