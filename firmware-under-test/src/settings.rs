//! The provisioning partition: found through the partition table, read once at boot.

use esp_bootloader_esp_idf::partitions::{PARTITION_TABLE_MAX_LEN, read_partition_table};
use esp_println::println;
use esp_storage::FlashStorage;
use oceanremote_logic::settings::Settings;

/// Where a partition lies in flash, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Partition {
    /// First byte.
    pub offset: u32,
    /// Length.
    pub len: u32,
}

/// A buffer for the ROM's flash functions, which want word alignment.
#[repr(align(4))]
pub struct Aligned<const N: usize>(pub [u8; N]);

/// The raw content of the provisioning partition, or why it cannot be had.
pub struct Provisioning {
    sector: Aligned<{ FlashStorage::SECTOR_SIZE as usize }>,
    len: usize,
    problem: Option<&'static str>,
}

/// Finds a partition by its label.
///
/// By label and not by type, since the crate's partition types know no custom subtypes.
pub fn find(flash: &mut FlashStorage<'_>, label: &str) -> Option<Partition> {
    let mut table = Aligned([0u8; PARTITION_TABLE_MAX_LEN]);
    let table = read_partition_table(flash, &mut table.0).ok()?;
    table
        .iter()
        .find(|entry| entry.label_as_str() == label)
        .map(|entry| Partition {
            offset: entry.offset(),
            len: entry.len(),
        })
}

impl Provisioning {
    /// Reads the partition.
    pub fn read(flash: &mut FlashStorage<'_>) -> Self {
        let mut this = Self {
            sector: Aligned([0; _]),
            len: 0,
            problem: None,
        };
        match find(flash, "provision") {
            None => this.problem = Some("no partition named provision"),
            Some(partition) => {
                this.len = (partition.len as usize).min(this.sector.0.len());
                if flash
                    .read_nor(partition.offset, &mut this.sector.0[..this.len])
                    .is_err()
                {
                    this.problem = Some("flash cannot be read");
                }
            }
        }
        this
    }

    /// The settings, if they can be used.
    pub fn settings(&self) -> Option<Settings> {
        match self.problem {
            None => Settings::parse(&self.sector.0[..self.len], |_| ()).ok(),
            Some(_) => None,
        }
    }

    /// Prints what is wrong with the partition, or what in it is unknown.
    pub fn report(&self) {
        if let Some(problem) = self.problem {
            println!("[BOOT] Provisioning failed: {problem}");
            return;
        }
        let unknown = |name| println!("[BOOT] Unknown provisioning key {name}, ignored");
        if let Err(error) = Settings::parse(&self.sector.0[..self.len], unknown) {
            println!("[BOOT] Provisioning failed: {error}");
        }
    }
}
