//! Contents of the chip's flash: bootloader, partition table, application, and the partitions of a scenario.

use std::borrow::Cow;
use std::ops::Range;
use std::str::FromStr as _;
use std::sync::Arc;

use espflash::flasher::{FlashData, FlashSettings};
use espflash::image_format::idf::IdfBootloaderFormat;
use espflash::target::Chip as Target;
use image::panics::Names;
use image::partitions::{TABLE, TABLE_SIZE};
use image::{CHIPS, Chip, FlashImage};

use crate::error::BoardError;
use crate::guard::guarded;

/// Flash is erased by sectors of this many bytes.
const SECTOR: u32 = 0x1000;
/// What the partition table occupies in flash, whole sectors.
const TABLE_PLACE: Range<usize> = TABLE..TABLE + TABLE_SIZE.next_multiple_of(SECTOR as usize);

/// The kinds of chip that can be flashed, as written in `boards.toml`.
pub(crate) fn chips() -> Vec<&'static str> {
    CHIPS.into_iter().map(|chip| chip.id).collect()
}

pub(crate) fn is_chip(name: &str) -> bool {
    Chip::by_id(name).is_some() && Target::from_str(name).is_ok()
}

/// A contiguous part of the flash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Name of the part: `bootloader`, `partition table`, `application`, or a partition's name.
    pub name: String,
    /// Offset in flash, bytes.
    pub offset: u32,
    /// Contents of the part.
    pub bytes: Vec<u8>,
}

/// The complete contents to be flashed.
#[derive(Clone, Debug)]
pub struct FlashPlan {
    elf: Vec<u8>,
    app_offset: u32,
    app_size: u32,
    parts: Vec<Part>,
}

impl FlashPlan {
    /// A plan to flash the firmware `elf` (plain or gzip), and all other partitions as in `image`: settings
    /// and token of a scenario, and erased bytes elsewhere, so that data of an earlier run is removed.
    ///
    /// # Errors
    /// [`BoardError::Image`] if the file is damaged or the partition table has no application.
    pub fn new(elf: &[u8], image: &FlashImage) -> Result<FlashPlan, BoardError> {
        let elf = plain(elf)?;
        let bytes = image.bytes();
        let mut plan = FlashPlan {
            elf,
            app_offset: 0,
            app_size: 0,
            parts: vec![Part {
                name: "partition table".to_owned(),
                offset: TABLE as u32,
                bytes: bytes[TABLE_PLACE].to_vec(),
            }],
        };
        for p in image.partitions() {
            if p.is_app() && plan.app_size == 0 {
                (plan.app_offset, plan.app_size) = (p.offset, p.size);
            } else if !p.is_app() {
                let range = p.offset as usize..(p.offset + p.size) as usize;
                plan.write(&p.name, p.offset, bytes[range].to_vec())?;
            }
        }
        if plan.app_size == 0 {
            return Err(image_error(
                "the partition table has no partition for an application",
            ));
        }
        Ok(plan)
    }

    /// Adds bytes; they replace the bytes of earlier parts at the same offset.
    ///
    /// # Errors
    /// [`BoardError::Image`] if `offset` is not a multiple of the sector size (0x1000 bytes).
    pub fn write(&mut self, name: &str, offset: u32, bytes: Vec<u8>) -> Result<(), BoardError> {
        if !offset.is_multiple_of(SECTOR) || bytes.is_empty() {
            return Err(image_error(format!(
                "the part `{name}` has {} bytes at {offset:#x}: expected some, at a multiple of {SECTOR:#x}",
                bytes.len()
            )));
        }
        self.parts.retain(|p| p.offset != offset);
        self.parts.push(Part {
            name: name.to_owned(),
            offset,
            bytes,
        });
        Ok(())
    }

    /// Adds `len` erased bytes at `offset`.
    ///
    /// # Errors
    /// As [`FlashPlan::write`].
    pub fn erase(&mut self, name: &str, offset: u32, len: u32) -> Result<(), BoardError> {
        self.write(name, offset, vec![0xff; len as usize])
    }

    /// Names for the addresses of the firmware, as it runs on the chip with this id.
    pub fn names(&self, chip: &str) -> Names {
        let Some(chip) = Chip::by_id(chip) else {
            return Names::Unknown(format!("`{chip}` is not among the known chips"));
        };
        match image::symbols_for(&self.elf, chip) {
            Ok(symbols) => Names::Known(Arc::new(symbols)),
            Err(error) => Names::Unknown(error.to_string()),
        }
    }

    /// The firmware's ELF, uncompressed.
    pub fn elf(&self) -> &[u8] {
        &self.elf
    }

    /// The parts in the order in which they are written.
    ///
    /// # Errors
    /// [`BoardError::Image`] if no image for `chip` can be made from the ELF, or if it is too large.
    pub fn build(&self, chip: &str) -> Result<Vec<Part>, BoardError> {
        let chip = Target::from_str(chip).map_err(|e| image_error(e.to_string()))?;
        let (boot_offset, bootloader, app) = guarded("espflash", "making the image", || {
            app_and_bootloader(&self.elf, chip)
        })??;
        if app.len() > self.app_size as usize {
            return Err(image_error(format!(
                "its {} bytes do not fit the application's partition of {}",
                app.len(),
                self.app_size
            )));
        }
        let part = |name: &str, offset, bytes| Part {
            name: name.to_owned(),
            offset,
            bytes,
        };
        let mut parts = vec![
            part("bootloader", boot_offset, bootloader),
            part("application", self.app_offset, app),
        ];
        parts.extend(self.parts.iter().cloned());
        for p in &mut parts {
            // The flash protocol needs whole words.
            p.bytes.resize(p.bytes.len().next_multiple_of(4), 0xff);
        }
        parts.sort_by_key(|p| p.offset);
        for pair in parts.windows(2) {
            if pair[0].offset + pair[0].bytes.len() as u32 > pair[1].offset {
                return Err(image_error(format!(
                    "`{}` overlaps `{}`",
                    pair[0].name, pair[1].name
                )));
            }
        }
        Ok(parts)
    }
}

fn app_and_bootloader(elf: &[u8], chip: Target) -> Result<(u32, Vec<u8>, Vec<u8>), BoardError> {
    let data = FlashData::new(
        FlashSettings::default(),
        0,
        None,
        chip,
        chip.default_xtal_frequency(),
    );
    let format = IdfBootloaderFormat::new(elf, &data, None, None, None, None)
        .map_err(|e| image_error(crate::error::with_causes(&e)))?;
    let app: Cow<'_, [u8]> = match format.clone().ota_segments().next() {
        Some(segment) => segment.data,
        None => return Err(image_error("espflash made no application")),
    };
    let Some(boot) = format.flash_segments().next() else {
        return Err(image_error("espflash made no bootloader"));
    };
    Ok((boot.addr, boot.data.into_owned(), app.into_owned()))
}

fn image_error(why: impl Into<String>) -> BoardError {
    BoardError::Image { why: why.into() }
}

fn plain(file: &[u8]) -> Result<Vec<u8>, BoardError> {
    match image::gunzip(file) {
        Ok(elf) => Ok(elf.into_owned()),
        Err(error) => Err(image_error(format!("the compressed file is damaged: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRMWARE: &[u8] = include_bytes!("../../../../fixtures/oceanremote-device.elf.gz");

    #[test]
    fn the_parts_lie_where_the_partition_table_says() {
        let mut flash = FlashImage::new().unwrap();
        flash.store_token("a-permanent-token").unwrap();
        let parts = FlashPlan::new(FIRMWARE, &flash)
            .unwrap()
            .build("esp32c3")
            .unwrap();
        let layout: Vec<(&str, u32)> = parts.iter().map(|p| (p.name.as_str(), p.offset)).collect();
        assert_eq!(
            layout,
            [
                ("bootloader", 0),
                ("partition table", 0x8000),
                ("nvs", 0x9000),
                ("phy_init", 0xf000),
                ("application", 0x1_0000),
                ("provision", 0x30_0000),
                ("token", 0x30_1000),
            ]
        );
        // Magic of an image (esptool, "Firmware Image Format") and of a partition entry.
        assert_eq!(parts[0].bytes[0], 0xe9);
        assert_eq!(parts[4].bytes[0], 0xe9);
        assert_eq!(parts[1].bytes[..2], [0xaa, 0x50]);
        assert!(parts[2].bytes.iter().all(|b| *b == 0xff));
        assert_ne!(parts[6].bytes[..16], [0xff; 16]);
    }

    #[test]
    fn the_image_is_the_same_each_time_and_carries_the_hash_of_the_elf() {
        let flash = FlashImage::new().unwrap();
        let plan = FlashPlan::new(FIRMWARE, &flash).unwrap();
        let [one, other] = [plan.build("esp32c3").unwrap(), plan.build("esp32c3").unwrap()];
        assert_eq!(one, other);
        // esp_app_desc_t follows the header of the image and that of the segment; app_elf_sha256 is at 144 in
        // it.
        let app = &one[4].bytes;
        assert_eq!(app[0x20..0x24], 0xabcd_5432_u32.to_le_bytes());
        assert_ne!(app[0x20 + 144..0x20 + 176], [0; 32]);
        assert!(matches!(plan.names("esp32c3"), Names::Known(symbols) if !symbols.is_empty()));
        let Names::Unknown(why) = plan.names("esp32s3") else {
            panic!("names for another instruction set");
        };
        assert!(why.contains("built for RISC-V"), "{why}");
    }

    #[test]
    fn what_is_no_firmware_is_refused() {
        let flash = FlashImage::new().unwrap();
        let error = FlashPlan::new(b"no elf at all", &flash)
            .unwrap()
            .build("esp32c3")
            .unwrap_err();
        assert!(matches!(error, BoardError::Image { .. }), "{error}");
        let error = FlashPlan::new(&FIRMWARE[..1000], &flash).unwrap_err();
        assert!(error.to_string().contains("damaged"), "{error}");
        let small = FlashImage::with_table("factory, app, factory, 0x10000, 0x10000\n").unwrap();
        let error = FlashPlan::new(FIRMWARE, &small)
            .unwrap()
            .build("esp32c3")
            .unwrap_err();
        assert!(error.to_string().contains("do not fit"), "{error}");
    }

    #[test]
    fn parts_must_not_overlap() {
        let flash = FlashImage::new().unwrap();
        let mut plan = FlashPlan::new(FIRMWARE, &flash).unwrap();
        assert!(plan.write("odd", 0x30_0010, vec![1]).is_err());
        plan.erase("over", 0x2f_f000, 0x2000).unwrap();
        let error = plan.build("esp32c3").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the firmware does not make a flash image: `over` overlaps `provision`"
        );
    }
}
