//! The partition table and the choice between over-the-air slots (ESP-IDF programming guide, "Partition Tables"
//! and "Over The Air Updates").

use crate::app_image::word;
use crate::checksum::ota_crc32;
use crate::error::BootError;

/// Where the partition table lies in flash, bytes.
pub const TABLE: usize = 0x8000;
/// The most bytes that a partition table has.
pub const TABLE_SIZE: usize = 0xC00;
const ENTRY: usize = 32;
const MAGIC: u16 = 0x50AA;
/// Where the application lies if there is no partition table.
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
pub struct AppPlace {
    /// What the bootloader calls it.
    pub kind: AppKind,
    /// Where it starts in flash, bytes.
    pub offset: u32,
    /// How long it is, bytes.
    pub size: u32,
}

/// What the bootloader calls a partition for an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppKind {
    /// The factory application.
    Factory,
    /// The over-the-air slot of this number.
    Ota(u8),
    /// The test application.
    Test,
}

/// An entry of a partition table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its name.
    pub name: String,
    /// Its type: 0 for an application, 1 for data.
    pub kind: u8,
    /// Its subtype.
    pub subtype: u8,
    /// Where it starts in flash, bytes.
    pub offset: u32,
    /// How long it is, bytes.
    pub size: u32,
}

impl Partition {
    /// Whether it holds an application.
    pub fn is_app(&self) -> bool {
        self.kind == TYPE_APP
    }

    fn place(&self, kind: AppKind) -> AppPlace {
        AppPlace {
            kind,
            offset: self.offset,
            size: self.size,
        }
    }
}

/// A partition table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionTable {
    /// The partitions in the order of the table.
    pub partitions: Vec<Partition>,
}

impl PartitionTable {
    /// Reads the table in a flash with these contents.
    ///
    /// # Errors
    /// [`BootError::NoTable`] when the first entry is none.
    pub fn read(cells: &[u8]) -> Result<PartitionTable, BootError> {
        let cells = cells.get(TABLE..TABLE + TABLE_SIZE).unwrap_or_default();
        let mut partitions = Vec::new();
        for entry in cells.chunks_exact(ENTRY) {
            let magic = u16::from_le_bytes([entry[0], entry[1]]);
            if magic != MAGIC {
                if partitions.is_empty() {
                    let offset = TABLE as u32;
                    return Err(BootError::NoTable { offset, magic });
                }
                // The MD5 of the table or erased flash: its end.
                break;
            }
            let name = &entry[12..28];
            let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
            partitions.push(Partition {
                name: String::from_utf8_lossy(&name[..end]).into_owned(),
                kind: entry[2],
                subtype: entry[3],
                offset: word(&entry[4..]),
                size: word(&entry[8..]),
            });
        }
        Ok(PartitionTable { partitions })
    }

    /// The partition called `name`.
    pub fn find(&self, name: &str) -> Option<&Partition> {
        self.partitions.iter().find(|p| p.name == name)
    }

    /// The last application partition of this subtype: where a table names one twice, the bootloader takes the last.
    fn app(&self, subtype: u8, kind: AppKind) -> Option<AppPlace> {
        let mut found = self.partitions.iter().rev();
        found
            .find(|p| p.is_app() && p.subtype == subtype)
            .map(|p| p.place(kind))
    }

    /// The over-the-air slots, which count in the order of the table.
    fn slots(&self) -> Vec<AppPlace> {
        let slots = self.partitions.iter();
        slots
            .filter(|p| p.is_app() && (APP_OTA_0..APP_TEST).contains(&p.subtype))
            .map(|p| p.place(AppKind::Ota(p.subtype - APP_OTA_0)))
            .collect()
    }

    /// Where `otadata` lies.
    fn otadata(&self) -> Option<u32> {
        let mut found = self.partitions.iter().rev();
        found
            .find(|p| p.kind == TYPE_DATA && p.subtype == DATA_OTA)
            .map(|p| p.offset)
    }
}

/// The application partitions in the order in which the bootloader tries them: the selected one, back to the
/// factory application, then forward.
///
/// # Errors
/// When there is no partition table, or none with an application.
pub fn boot_order(cells: &[u8]) -> Result<Vec<AppPlace>, BootError> {
    let table = PartitionTable::read(cells)?;
    let slots = table.slots();
    let otadata = table.otadata().filter(|_| !slots.is_empty());
    let sequence = otadata.and_then(|at| selected_sequence(cells, at));
    let selected = sequence.map(|n| (n as usize - 1) % slots.len());
    let mut order = Vec::new();
    let start = match selected {
        Some(slot) => {
            order.extend(slots[..=slot].iter().rev());
            slot + 1
        }
        None => 0,
    };
    order.extend(table.app(APP_FACTORY, AppKind::Factory));
    order.extend(&slots[start..]);
    order.extend(table.app(APP_TEST, AppKind::Test));
    if order.is_empty() {
        Err(BootError::NoAppPartition)
    } else {
        Ok(order)
    }
}

/// The application partition that boots, or the place that it has without a table.
pub fn app_place(cells: &[u8]) -> AppPlace {
    match boot_order(cells) {
        Ok(order) => order[0],
        Err(_) => AppPlace {
            kind: AppKind::Factory,
            offset: DEFAULT_APP,
            size: (cells.len() as u32).saturating_sub(DEFAULT_APP),
        },
    }
}

/// The highest valid sequence number of the two entries of `otadata`; `esp_ota_select_entry_t`: sequence 0,
/// state 24, CRC-32 of the sequence 28.
fn selected_sequence(cells: &[u8], at: u32) -> Option<u32> {
    [0, 0x1000]
        .iter()
        .filter_map(|sector| {
            let at = at.checked_add(*sector)? as usize;
            let entry = cells.get(at..at + 32)?;
            let sequence = word(entry);
            let valid = ![0, u32::MAX].contains(&sequence)
                && !STATES_REFUSED.contains(&word(&entry[24..]))
                && word(&entry[28..]) == ota_crc32(&entry[..4]);
            valid.then_some(sequence)
        })
        .max()
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

    fn flash(entries: &[Vec<u8>]) -> Vec<u8> {
        let mut flash = vec![0xFF; 0x40_0000];
        put(&mut flash, 0x8000, &entries.concat());
        flash
    }

    fn put(flash: &mut [u8], at: usize, bytes: &[u8]) {
        flash[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn two_slots() -> Vec<u8> {
        flash(&[
            entry(1, 0, 0xD000, 0x2000),
            entry(0, 0, 0x1_0000, 0x10_0000),
            entry(0, 0x10, 0x11_0000, 0x10_0000),
            entry(0, 0x11, 0x21_0000, 0x10_0000),
        ])
    }

    fn select(flash: &mut [u8], sector: usize, sequence: u32, state: u32, crc: u32) {
        let mut entry = sequence.to_le_bytes().to_vec();
        entry.resize(24, 0xFF);
        entry.extend(state.to_le_bytes());
        entry.extend(crc.to_le_bytes());
        put(flash, 0xD000 + sector * 0x1000, &entry);
    }

    fn offsets(flash: &[u8]) -> Vec<u32> {
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
        let flash_without = vec![0xFF; 0x40_0000];
        let no_table = BootError::NoTable {
            offset: 0x8000,
            magic: 0xFFFF,
        };
        assert_eq!(boot_order(&flash_without), Err(no_table));
        assert_eq!(app_place(&flash_without).offset, 0x1_0000);
        let data_only = flash(&[entry(1, 2, 0x9000, 0x6000)]);
        assert_eq!(boot_order(&data_only), Err(BootError::NoAppPartition));
    }

    #[test]
    fn names_are_read_with_places() {
        let mut with_name = entry(1, 2, 0x9000, 0x6000);
        with_name[12..15].copy_from_slice(b"nvs");
        let table = PartitionTable::read(&flash(&[with_name, entry(0, 0, 0x1_0000, 0x10_0000)])).unwrap();
        let nvs = table.find("nvs").unwrap();
        assert_eq!((nvs.offset, nvs.size, nvs.is_app()), (0x9000, 0x6000, false));
        assert_eq!(table.find("token"), None);
        assert!(table.partitions[1].is_app());
    }
}
