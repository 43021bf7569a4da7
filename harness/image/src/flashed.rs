//! Examination of the flash's contents: the application that would boot, and whether an ELF belongs to it.

use crate::app_image::AppImage;
use crate::bootloader;
use crate::chip::Chip;
use crate::elf::{AppDescription, Firmware, describe};
use crate::error::BootError;

/// Size of `esp_app_desc_t`, which tools fill in when they make an image.
const DESCRIPTION: usize = 256;

/// The application in flash that would boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlashedApp {
    /// Offset of its image in flash.
    pub offset: u32,
    /// Guest address of its first instruction.
    pub entry: u32,
    /// Its application descriptor; the hash in it is that of the ELF file if the tool that made the image has
    /// stored it, else zeros.
    pub description: Option<AppDescription>,
}

/// The application that `chip` would boot from a flash with these contents.
///
/// # Errors
/// When none would boot.
pub fn flashed_app(cells: &[u8], chip: &Chip) -> Result<FlashedApp, BootError> {
    let image = app_image(cells, chip)?;
    let description = description_of(&image, cells, chip);
    Ok(FlashedApp {
        offset: image.offset,
        entry: image.entry,
        description: description.and_then(|(_, raw)| describe(raw)),
    })
}

fn app_image(cells: &[u8], chip: &Chip) -> Result<AppImage, BootError> {
    bootloader::choose(cells, chip, true).map_err(|failure| failure.error)
}

/// The descriptor is the first thing in the first segment for flash data. Its guest address, and what is there.
fn description_of<'a>(image: &AppImage, cells: &'a [u8], chip: &Chip) -> Option<(u32, &'a [u8])> {
    let segment = image
        .segments
        .iter()
        .find(|s| chip.flash_data.contains(&s.addr))?;
    Some((segment.addr, segment.bytes(cells)))
}

impl Firmware {
    /// Whether the application in flash was made from this ELF: every byte that the ELF loads is in the image at the
    /// same guest address. The application descriptor may differ, tools write to it; so may what an image puts between
    /// the ELF's segments.
    pub fn matches(&self, cells: &[u8], chip: &Chip) -> bool {
        let Ok(image) = app_image(cells, chip) else {
            return false;
        };
        let patched = match description_of(&image, cells, chip) {
            Some((addr, raw)) if describe(raw).is_some() => addr..addr + DESCRIPTION as u32,
            _ => 0..0,
        };
        image.entry == self.entry
            && self.segments.iter().all(|segment| {
                let mut addr = segment.addr;
                let mut rest = segment.data.as_slice();
                while !rest.is_empty() {
                    let Some(there) = image.at(cells, addr) else {
                        return false;
                    };
                    let len = rest.len().min(there.len());
                    let same = |n: usize| rest[n] == there[n] || patched.contains(&(addr + n as u32));
                    if rest[..len] != there[..len] && !(0..len).all(same) {
                        return false;
                    }
                    rest = &rest[len..];
                    addr += len as u32;
                }
                true
            })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::build::build_app_image;
    use crate::chip::ESP32C3;
    use crate::elf::Segment;
    use crate::symbols::SymbolTable;

    fn firmware(rodata: Vec<u8>, code: Vec<u8>) -> Firmware {
        let segment = |addr, data: Vec<u8>| Segment {
            addr,
            mem_size: data.len() as u32,
            data,
        };
        Firmware {
            entry: 0x4201_0020,
            segments: Arc::new([segment(0x3C00_0020, rodata), segment(0x4201_0020, code)]),
            symbols: Arc::new(SymbolTable::default()),
            app: None,
        }
    }

    fn install(firmware: &Firmware, flash: &mut [u8]) {
        let image = build_app_image(firmware, &ESP32C3).unwrap();
        flash[0x1_0000..0x1_0000 + image.len()].copy_from_slice(&image);
    }

    fn description(hash: u8) -> Vec<u8> {
        let mut raw = 0xABCD_5432u32.to_le_bytes().to_vec();
        raw.resize(48, 0);
        raw.extend(b"thermostat");
        raw.resize(144, 0);
        raw.resize(176, hash);
        raw.resize(300, 0x11);
        raw
    }

    #[test]
    fn an_elf_belongs_to_the_image_made_from_it() {
        let mut flash = vec![0xFF; 0x40_0000];
        assert!(!firmware(description(0), vec![0x44; 64]).matches(&flash, &ESP32C3));
        install(&firmware(description(0xAB), vec![0x44; 64]), &mut flash);
        let app = flashed_app(&flash, &ESP32C3).unwrap();
        let description_there = app.description.unwrap();
        assert_eq!(
            (app.offset, description_there.project.as_str()),
            (0x1_0000, "thermostat")
        );
        assert_eq!(description_there.elf_sha256, [0xAB; 32]);
        assert!(firmware(description(0xAB), vec![0x44; 64]).matches(&flash, &ESP32C3));
        assert!(
            firmware(description(0), vec![0x44; 64]).matches(&flash, &ESP32C3),
            "a hash that was filled in later"
        );
    }

    #[test]
    fn another_elf_does_not() {
        let mut flash = vec![0xFF; 0x40_0000];
        install(&firmware(description(0), vec![0x44; 64]), &mut flash);
        let mut other_code = vec![0x44; 64];
        other_code[63] = 0x45;
        assert!(!firmware(description(0), other_code).matches(&flash, &ESP32C3));
        let mut other_data = description(0);
        other_data[299] = 0x12;
        assert!(!firmware(other_data, vec![0x44; 64]).matches(&flash, &ESP32C3));
        assert!(
            !firmware(description(0), vec![0x44; 0x2_0000]).matches(&flash, &ESP32C3),
            "longer"
        );
        let mut other_entry = firmware(description(0), vec![0x44; 64]);
        other_entry.entry += 2;
        assert!(!other_entry.matches(&flash, &ESP32C3));
    }
}
