//! An application image or bootloader in flash: its header, its segments, its checksums.
//!
//! ESP-IDF programming guide, "App Image Format". The boot ROM and the second-stage bootloader check the same
//! things.

use sha2::{Digest, Sha256};

use crate::chip::Chip;
use crate::error::BootError;
use crate::format::{CHECKSUM_SEED, IMAGE_HEADER, IMAGE_MAGIC, MAX_SEGMENTS, SEGMENT_HEADER};

/// Offset of `hash_appended` in the header.
const HASH_APPENDED: usize = 23;
const HASH: usize = 32;

/// The word at the start of `bytes`, little-endian.
///
/// # Panics
/// When there are fewer than four bytes.
pub fn word(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// A segment of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageSegment {
    /// Where it goes, 0 for padding.
    pub addr: u32,
    /// Where its data lie in flash.
    pub offset: u32,
    /// Length of its data, bytes.
    pub size: u32,
}

impl ImageSegment {
    /// Its data in the flash's `cells`.
    ///
    /// # Panics
    /// When `cells` are not those that the image was read from.
    pub fn bytes<'a>(&self, cells: &'a [u8]) -> &'a [u8] {
        &cells[self.offset as usize..][..self.size as usize]
    }
}

/// An image that lies completely inside the flash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppImage {
    /// Where it lies in flash.
    pub offset: u32,
    /// First instruction.
    pub entry: u32,
    /// The segments in the order of the file.
    pub segments: Vec<ImageSegment>,
    /// What the data of the segments give, and what the image says.
    pub checksums: (u8, u8),
    /// End of the padded image, where a hash may follow.
    end: usize,
    hash_appended: bool,
}

impl AppImage {
    /// Reads the structure of the image at `offset`; says nothing yet about its checksums.
    ///
    /// # Errors
    /// When there is no image, one for another chip than `chip`, or one that is cut short.
    pub fn read(cells: &[u8], offset: u32, chip: &Chip) -> Result<AppImage, BootError> {
        let truncated = || BootError::Truncated { offset };
        let base = offset as usize;
        let header = cells.get(base..base + IMAGE_HEADER).ok_or_else(truncated)?;
        if header[0] != IMAGE_MAGIC || usize::from(header[1]) > MAX_SEGMENTS {
            return Err(BootError::NoImage { offset });
        }
        let id = u16::from_le_bytes([header[12], header[13]]);
        if id != chip.image_chip_id {
            return Err(BootError::OtherChip {
                id,
                chip: chip.name,
                expected: chip.image_chip_id,
            });
        }
        let mut at = base + IMAGE_HEADER;
        let mut checksum = CHECKSUM_SEED;
        let mut segments = Vec::new();
        for _ in 0..header[1] {
            let head = cells.get(at..at + SEGMENT_HEADER).ok_or_else(truncated)?;
            let (addr, size) = (word(head), word(&head[4..]));
            at += SEGMENT_HEADER;
            let data = cells
                .get(at..at.saturating_add(size as usize))
                .ok_or_else(truncated)?;
            checksum = data.iter().fold(checksum, |sum, byte| sum ^ byte);
            segments.push(ImageSegment {
                addr,
                offset: at as u32,
                size,
            });
            at += size as usize;
        }
        let end = base + (at - base + 1).next_multiple_of(16);
        let stored = *cells.get(end - 1).ok_or_else(truncated)?;
        Ok(AppImage {
            offset,
            entry: word(&header[4..]),
            segments,
            checksums: (checksum, stored),
            end,
            hash_appended: header[HASH_APPENDED] == 1,
        })
    }

    /// Reads the image at `offset` and checks it as the second-stage bootloader does.
    ///
    /// # Errors
    /// As [`AppImage::read`], and when checksum or hash are wrong.
    pub fn verify(cells: &[u8], offset: u32, chip: &Chip) -> Result<AppImage, BootError> {
        let image = AppImage::read(cells, offset, chip)?;
        let (calculated, stored) = image.checksums;
        if calculated != stored {
            return Err(BootError::Checksum {
                offset,
                calculated,
                stored,
            });
        }
        if image.hash_appended {
            let (calculated, stored) = image.hashes(cells).ok_or(BootError::Truncated { offset })?;
            if calculated != stored {
                return Err(BootError::Hash { offset });
            }
        }
        Ok(image)
    }

    /// The SHA-256 of the padded image, and what stands after it. `None` if it ends outside the flash.
    pub fn hashes(&self, cells: &[u8]) -> Option<([u8; HASH], [u8; HASH])> {
        let stored = cells.get(self.end..self.end + HASH)?.try_into().ok()?;
        let calculated = Sha256::digest(&cells[self.offset as usize..self.end]);
        Some((calculated.into(), stored))
    }

    /// The byte at guest address `addr`, and all that follow it in its segment.
    pub fn at<'a>(&self, cells: &'a [u8], addr: u32) -> Option<&'a [u8]> {
        self.segments.iter().find_map(|s| {
            let start = addr.checked_sub(s.addr).filter(|n| s.addr != 0 && *n < s.size)?;
            Some(&s.bytes(cells)[start as usize..])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chip::ESP32C3;

    /// One segment of four bytes at 0x4038_0000, with or without a hash.
    fn image(hash: bool) -> Vec<u8> {
        let mut image = vec![0xE9, 1, 2, 0x2F, 0, 0, 0x38, 0x40, 0xEE, 0, 0, 0, 5, 0, 0, 0];
        image.resize(23, 0);
        image.push(u8::from(hash));
        image.extend([0, 0, 0x38, 0x40, 4, 0, 0, 0, 1, 2, 4, 8]);
        image.resize(47, 0);
        image.push(0xEF ^ 15);
        if hash {
            let sum = Sha256::digest(&image);
            image.extend(sum);
        }
        image
    }

    #[test]
    fn a_sound_image_is_read() {
        let cells = image(true);
        let read = AppImage::verify(&cells, 0, &ESP32C3).unwrap();
        assert_eq!((read.entry, read.segments.len()), (0x4038_0000, 1));
        assert_eq!(read.at(&cells, 0x4038_0002), Some(&[4, 8][..]));
        assert_eq!(read.at(&cells, 0x4038_0004), None);
    }

    #[test]
    fn each_damage_has_its_name() {
        let cases: [(usize, u8, BootError); 5] = [
            (0, 0xFF, BootError::NoImage { offset: 0 }),
            (
                12,
                9,
                BootError::OtherChip {
                    id: 9,
                    chip: "ESP32-C3",
                    expected: 5,
                },
            ),
            (30, 0xFF, BootError::Truncated { offset: 0 }),
            (
                33,
                3,
                BootError::Checksum {
                    offset: 0,
                    calculated: 0xEF ^ 15 ^ 1,
                    stored: 0xEF ^ 15,
                },
            ),
            (60, 0x5A, BootError::Hash { offset: 0 }),
        ];
        for (at, byte, expected) in cases {
            let mut cells = image(true);
            cells[at] = byte;
            assert_eq!(AppImage::verify(&cells, 0, &ESP32C3), Err(expected), "byte {at}");
        }
        let mut short = image(true);
        short.truncate(70);
        assert_eq!(
            AppImage::verify(&short, 0, &ESP32C3),
            Err(BootError::Truncated { offset: 0 })
        );
        assert!(AppImage::verify(&image(false), 0, &ESP32C3).is_ok());
    }
}
