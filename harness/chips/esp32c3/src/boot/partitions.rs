//! The partition table and the choice between over-the-air slots (ESP-IDF programming guide, "Partition Tables"
//! and "Over The Air Updates").

use super::{BootError, word};
use crate::rom::nor::NorFlash;

/// Offset of the partition table in flash.
const TABLE: usize = 0x8000;
const TABLE_SIZE: usize = 0xC00;
const ENTRY: usize = 32;
const MAGIC: u16 = 0x50AA;
/// Offset of the application if there is no partition table.
const DEFAULT_APP: u32 = 0x1_0000;

const TYPE_APP: u8 = 0;
const TYPE_DATA: u8 = 1;
const APP_FACTORY: u8 = 0x00;
const APP_OTA_0: u8 = 0x10;
const APP_TEST: u8 = 0x20;
const DATA_OTA: u8 = 0x00;
/// `ESP_OTA_IMG_INVALID` and `ESP_OTA_IMG_ABORTED`.
const STATES_REFUSED: [u32; 2] = [3, 4];

/// A partition that can hold an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AppPlace {
    pub(super) kind: AppKind,
    pub(super) offset: u32,
    pub(super) size: u32,
}

/// Type of an application partition, as the bootloader names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AppKind {
    Factory,
    Ota(u8),
    Test,
}

/// The application partitions of the table, and the offset of `otadata`.
#[derive(Debug, Default)]
struct Table {
    factory: Option<AppPlace>,
    ota: Vec<AppPlace>,
    test: Option<AppPlace>,
    otadata: Option<u32>,
}

fn read(flash: &NorFlash) -> Result<Table, BootError> {
    let cells = flash.cells().get(TABLE..TABLE + TABLE_SIZE).unwrap_or_default();
    let mut table = Table::default();
    for (n, entry) in cells.chunks_exact(ENTRY).enumerate() {
        let magic = u16::from_le_bytes([entry[0], entry[1]]);
        if magic != MAGIC {
            if n == 0 {
                let offset = TABLE as u32;
                return Err(BootError::NoTable { offset, magic });
            }
            // The MD5 of the table or erased flash ends the table.
            break;
        }
        let (offset, size) = (word(&entry[4..]), word(&entry[8..]));
        let place = |kind| AppPlace { kind, offset, size };
        match (entry[2], entry[3]) {
            (TYPE_APP, APP_FACTORY) => table.factory = Some(place(AppKind::Factory)),
            (TYPE_APP, APP_TEST) => table.test = Some(place(AppKind::Test)),
            // Slots are numbered by their order in the table.
            (TYPE_APP, slot @ APP_OTA_0..APP_TEST) => {
                table.ota.push(place(AppKind::Ota(slot - APP_OTA_0)));
            }
            (TYPE_DATA, DATA_OTA) => table.otadata = Some(offset),
            _ => {}
        }
    }
    Ok(table)
}

/// The application partitions in the order in which the bootloader tries them: the selected one, back to the
/// factory application, then forward.
pub(super) fn boot_order(flash: &NorFlash) -> Result<Vec<AppPlace>, BootError> {
    let table = read(flash)?;
    let slots = table.ota.len();
    let selected = match table.otadata {
        Some(at) if slots > 0 => selected_sequence(flash, at).map(|n| (n as usize - 1) % slots),
        _ => None,
    };
    let mut order = Vec::new();
    let start = match selected {
        Some(slot) => {
            order.extend(table.ota[..=slot].iter().rev());
            slot + 1
        }
        None => 0,
    };
    order.extend(table.factory);
    order.extend(&table.ota[start..]);
    order.extend(table.test);
    if order.is_empty() {
        Err(BootError::NoAppPartition)
    } else {
        Ok(order)
    }
}

/// The application partition that boots first, or its usual place if there is no table.
pub(super) fn app_place(flash: &NorFlash) -> AppPlace {
    match boot_order(flash) {
        Ok(order) => order[0],
        Err(_) => AppPlace {
            kind: AppKind::Factory,
            offset: DEFAULT_APP,
            size: flash.size().saturating_sub(DEFAULT_APP),
        },
    }
}

/// The highest valid sequence number of the two entries of `otadata`; `esp_ota_select_entry_t`: sequence 0,
/// state 24, CRC-32 of the sequence 28.
fn selected_sequence(flash: &NorFlash, at: u32) -> Option<u32> {
    [0, 0x1000]
        .iter()
        .filter_map(|sector| {
            let at = at.checked_add(*sector)? as usize;
            let entry = flash.cells().get(at..at + 32)?;
            let sequence = word(entry);
            let valid = ![0, u32::MAX].contains(&sequence)
                && !STATES_REFUSED.contains(&word(&entry[24..]))
                && word(&entry[28..]) == crc32(&entry[..4]);
            valid.then_some(sequence)
        })
        .max()
}

/// `esp_rom_crc32_le(UINT32_MAX, …)`: the ROM inverts the start value and the result.
fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| {
            if c & 1 == 1 { c >> 1 ^ 0xEDB8_8320 } else { c >> 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: u8, subtype: u8, offset: u32, size: u32) -> Vec<u8> {
        let mut entry = vec![0xAA, 0x50, kind, subtype];
        entry.extend(offset.to_le_bytes());
        entry.extend(size.to_le_bytes());
        entry.resize(32, 0);
        entry
    }

    fn flash(entries: &[Vec<u8>]) -> NorFlash {
        let mut flash = NorFlash::new(0x40_0000);
        flash.flash_image(0x8000, &entries.concat()).unwrap();
        flash
    }

    fn two_slots() -> NorFlash {
        flash(&[
            entry(1, 0, 0xD000, 0x2000),
            entry(0, 0, 0x1_0000, 0x10_0000),
            entry(0, 0x10, 0x11_0000, 0x10_0000),
            entry(0, 0x11, 0x21_0000, 0x10_0000),
        ])
    }

    fn select(flash: &mut NorFlash, sector: u32, sequence: u32, state: u32, crc: u32) {
        let mut entry = sequence.to_le_bytes().to_vec();
        entry.resize(24, 0xFF);
        entry.extend(state.to_le_bytes());
        entry.extend(crc.to_le_bytes());
        flash.flash_image(0xD000 + sector * 0x1000, &entry).unwrap();
    }

    fn offsets(flash: &NorFlash) -> Vec<u32> {
        boot_order(flash).unwrap().iter().map(|p| p.offset).collect()
    }

    #[test]
    fn the_factory_application_boots_until_another_is_selected() {
        let mut flash = two_slots();
        assert_eq!(offsets(&flash), [0x1_0000, 0x11_0000, 0x21_0000]);
        // CRCs as ESP-IDF writes them for sequences 1 and 2.
        select(&mut flash, 0, 1, u32::MAX, 0x4743_989A);
        assert_eq!(offsets(&flash), [0x11_0000, 0x1_0000, 0x21_0000]);
        select(&mut flash, 1, 2, u32::MAX, 0x55F6_3774);
        assert_eq!(offsets(&flash), [0x21_0000, 0x11_0000, 0x1_0000]);
        assert_eq!(app_place(&flash).kind, AppKind::Ota(1));
    }

    #[test]
    fn refused_and_damaged_selections_do_not_count() {
        let mut flash = two_slots();
        select(&mut flash, 0, 1, u32::MAX, 0x4743_989A);
        select(&mut flash, 1, 2, 3, 0x55F6_3774);
        assert_eq!(offsets(&flash)[0], 0x11_0000, "sequence 2 is marked invalid");
        select(&mut flash, 1, 2, u32::MAX, 0x55F6_3775);
        assert_eq!(offsets(&flash)[0], 0x11_0000, "its checksum is wrong");
    }

    #[test]
    fn without_a_table_or_an_application_there_is_no_order() {
        let flash_without = NorFlash::new(0x40_0000);
        let no_table = BootError::NoTable {
            offset: 0x8000,
            magic: 0xFFFF,
        };
        assert_eq!(boot_order(&flash_without), Err(no_table));
        assert_eq!(app_place(&flash_without).offset, 0x1_0000);
        let data_only = flash(&[entry(1, 2, 0x9000, 0x6000)]);
        assert_eq!(boot_order(&data_only), Err(BootError::NoAppPartition));
    }
}
