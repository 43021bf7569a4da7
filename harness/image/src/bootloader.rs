//! The bootloader's choice of an application, and its log lines when there is none.

use crate::app_image::AppImage;
use crate::chip::Chip;
use crate::error::BootError;
use crate::partitions::{AppKind, app_place, boot_order};

/// Reason why no application boots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What is wrong with the partition that should have booted.
    pub error: BootError,
    /// What the bootloader of ESP-IDF logs as errors: tag and text, without line ends.
    pub log: Vec<String>,
}

/// The image that the bootloader starts. With `bare` a flash without a partition table is good enough.
///
/// # Errors
/// When no image in `cells` boots on `chip`.
pub fn choose(cells: &[u8], chip: &Chip, bare: bool) -> Result<AppImage, Failure> {
    let order = match boot_order(cells) {
        Ok(order) => order,
        Err(_) if bare => vec![app_place(cells)],
        Err(error) => {
            let log = table_log(&error);
            return Err(Failure { error, log });
        }
    };
    let mut log = Vec::new();
    let mut first = None;
    for place in order {
        match AppImage::verify(cells, place.offset, chip) {
            Ok(image) => return Ok(image),
            Err(error) => {
                log.extend(image_log(&error));
                log.push(match place.kind {
                    AppKind::Factory => "boot: Factory app partition is not bootable".to_owned(),
                    AppKind::Ota(slot) => format!("boot: OTA app partition slot {slot} is not bootable"),
                    AppKind::Test => "boot: Test app partition is not bootable".to_owned(),
                });
                first.get_or_insert(error);
            }
        }
    }
    log.push("boot: No bootable app partitions in the partition table".to_owned());
    Err(Failure {
        error: first.unwrap_or(BootError::NoAppPartition),
        log,
    })
}

fn table_log(error: &BootError) -> Vec<String> {
    match error {
        BootError::NoTable { magic, .. } => vec![
            format!("flash_parts: partition 0 invalid magic number 0x{magic:x}"),
            "boot: Failed to verify partition table".to_owned(),
            "boot: load partition table error!".to_owned(),
        ],
        BootError::NoAppPartition
        | BootError::TooLarge { .. }
        | BootError::TooManySegments(_)
        | BootError::Overlap { .. }
        | BootError::FlashTooSmall
        | BootError::NoImage { .. }
        | BootError::OtherChip { .. }
        | BootError::Truncated { .. }
        | BootError::Checksum { .. }
        | BootError::Hash { .. }
        | BootError::NoMemory { .. } => {
            vec!["boot: No bootable app partitions in the partition table".to_owned()]
        }
    }
}

fn image_log(error: &BootError) -> Option<String> {
    Some(match error {
        BootError::NoImage { offset } => {
            format!("esp_image: image at 0x{offset:x} has invalid magic byte (nothing flashed here?)")
        }
        BootError::OtherChip { id, expected, .. } => {
            format!("boot_comm: mismatch chip ID, expected {expected}, found {id}")
        }
        BootError::Checksum {
            calculated, stored, ..
        } => {
            format!("esp_image: Checksum failed. Calculated 0x{calculated:x} read 0x{stored:x}")
        }
        BootError::Hash { .. } => "esp_image: Image hash failed - image is corrupt".to_owned(),
        BootError::Truncated { offset } => {
            format!("esp_image: image at 0x{offset:x} ends outside the flash")
        }
        BootError::NoTable { .. }
        | BootError::NoAppPartition
        | BootError::TooLarge { .. }
        | BootError::TooManySegments(_)
        | BootError::Overlap { .. }
        | BootError::FlashTooSmall
        | BootError::NoMemory { .. } => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chip::ESP32C3;

    #[test]
    fn an_empty_flash_says_what_the_bootloader_says() {
        let failure = choose(&[0xFF; 0x2_0000], &ESP32C3, false).unwrap_err();
        assert_eq!(
            failure.log,
            [
                "flash_parts: partition 0 invalid magic number 0xffff",
                "boot: Failed to verify partition table",
                "boot: load partition table error!",
            ]
        );
        let bare = choose(&[0xFF; 0x2_0000], &ESP32C3, true).unwrap_err();
        assert_eq!(bare.error, BootError::NoImage { offset: 0x1_0000 });
        assert_eq!(
            bare.log,
            [
                "esp_image: image at 0x10000 has invalid magic byte (nothing flashed here?)",
                "boot: Factory app partition is not bootable",
                "boot: No bootable app partitions in the partition table",
            ]
        );
    }
}
