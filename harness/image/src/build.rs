//! Makes the application image of an ELF file, laid out as the vendor's tools lay it out (ESP-IDF programming guide, "App
//! Image Format").

use crate::chip::Chip;
use crate::elf::Firmware;
use crate::error::BootError;
use crate::format::{CHECKSUM_SEED, IMAGE_HEADER, IMAGE_MAGIC, MAX_SEGMENTS, SEGMENT_HEADER};

/// Flash is mapped to addresses in pages of this many bytes.
pub(crate) const MMU_PAGE: u32 = 0x1_0000;

/// The application image of `firmware` for `chip`: header, segments, checksum.
///
/// # Errors
/// When two segments need one page of flash, or there are too many of them.
pub fn build_app_image(firmware: &Firmware, chip: &Chip) -> Result<Vec<u8>, BootError> {
    let loaded = |flash: bool| {
        firmware
            .segments
            .iter()
            .filter(move |s| !s.data.is_empty() && chip.is_flash(s.addr) == flash)
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
        // A mapped segment lies in flash as it lies in its page. What is missing before it is a segment for address
        // 0, which the bootloader skips.
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
    image[12..14].copy_from_slice(&chip.image_chip_id.to_le_bytes());
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
