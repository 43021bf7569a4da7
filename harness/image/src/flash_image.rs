//! The flash image that a bench starts from: partition table, settings, and erased bytes elsewhere.
//!
//! The application is not here: the chip's loader places the ELF's segments at the `factory` partition.

use crate::error::BootError;
use crate::partitions::{Partition, PartitionTable, TABLE};
use crate::provisioning::{Provisioning, ProvisioningError};
use crate::token;

/// Size of the flash in bytes: 4 MiB, the common ESP32-C3 module.
pub const FLASH_SIZE: usize = 4 * 1024 * 1024;
/// The layout of the firmware under test.
const DEFAULT_TABLE: &str = include_str!("../../../firmware-under-test/partitions.csv");

/// A flash image that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum FlashError {
    /// The partition table is not valid.
    #[error("the partition table is not valid")]
    Table(#[from] esp_idf_part::Error),
    /// The bytes of the partition table cannot be read back.
    #[error(transparent)]
    Unreadable(#[from] BootError),
    /// A partition lies outside the flash.
    #[error("partition `{name}` ends at {end:#x}, behind the flash's {FLASH_SIZE:#x} bytes")]
    Outside {
        /// Its name.
        name: String,
        /// Where it ends.
        end: u64,
    },
    /// A claimed device's token does not fit its record.
    #[error("a permanent token has 1 to {} bytes; this one has {len}", token::MAX)]
    Token {
        /// Bytes of the token.
        len: usize,
    },
    /// The partition table has no place for something that the scenario asks for.
    #[error("the partition table has no partition `{name}`")]
    NoPartition {
        /// The partition's name.
        name: &'static str,
    },
    /// The settings cannot be written down.
    #[error(transparent)]
    Provisioning(#[from] ProvisioningError),
}

/// The content of a flash chip before its first boot.
#[derive(Clone, Debug)]
pub struct FlashImage {
    bytes: Vec<u8>,
    table: PartitionTable,
}

impl FlashImage {
    /// An erased flash with the partition table of the firmware under test.
    ///
    /// # Errors
    /// Never in a build that passed the tests: the table is part of it.
    pub fn new() -> Result<FlashImage, FlashError> {
        FlashImage::with_table(DEFAULT_TABLE)
    }

    /// An erased flash with the partition table given as ESP-IDF's CSV.
    ///
    /// # Errors
    /// When the table is malformed or a partition lies outside the flash.
    pub fn with_table(csv: &str) -> Result<FlashImage, FlashError> {
        let parsed = esp_idf_part::PartitionTable::try_from_str(csv)?;
        let written = parsed.to_bin()?;
        let mut bytes = vec![0xff; FLASH_SIZE];
        bytes[TABLE..TABLE + written.len()].copy_from_slice(&written);
        let table = PartitionTable::read(&bytes)?;
        for p in &table.partitions {
            let end = u64::from(p.offset) + u64::from(p.size);
            if end > FLASH_SIZE as u64 {
                let name = p.name.clone();
                return Err(FlashError::Outside { name, end });
            }
        }
        Ok(FlashImage { bytes, table })
    }

    /// Writes `settings` to the partition `provision`. A table without one belongs to a firmware that takes
    /// its settings elsewhere: nothing is written, and the answer is `false`.
    ///
    /// # Errors
    /// When the settings do not fit.
    pub fn provision(&mut self, settings: &Provisioning) -> Result<bool, FlashError> {
        let Some((offset, size)) = self.partition("provision") else {
            return Ok(false);
        };
        let bytes = settings.encode()?;
        if bytes.len() > size {
            return Err(ProvisioningError::TooLong { len: bytes.len() }.into());
        }
        self.bytes[offset..offset + size].fill(0xff);
        self.bytes[offset..offset + bytes.len()].copy_from_slice(&bytes);
        Ok(true)
    }

    /// Stores a permanent token in the partition `token`, as the firmware would have after a registration.
    ///
    /// # Errors
    /// When there is no such partition or the token does not fit.
    pub fn store_token(&mut self, token: &str) -> Result<(), FlashError> {
        let (offset, _) = self
            .partition("token")
            .ok_or(FlashError::NoPartition { name: "token" })?;
        let record = token::record(token).ok_or(FlashError::Token { len: token.len() })?;
        self.bytes[offset..offset + record.len()].copy_from_slice(&record);
        Ok(())
    }

    /// Offset and size in bytes of the partition called `name`.
    pub fn partition(&self, name: &str) -> Option<(usize, usize)> {
        self.table
            .find(name)
            .map(|p| (p.offset as usize, p.size as usize))
    }

    /// Offset in bytes of the first application partition, 0x10000 without one.
    pub fn app_offset(&self) -> u32 {
        let mut partitions = self.table.partitions.iter();
        partitions.find(|p| p.is_app()).map_or(0x1_0000, |p| p.offset)
    }

    /// The partitions in the order of the table.
    pub fn partitions(&self) -> &[Partition] {
        &self.table.partitions
    }

    /// The bytes of the whole flash.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes of the whole flash.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_table_has_the_documented_layout() {
        let flash = FlashImage::new().unwrap();
        assert_eq!(flash.partition("provision"), Some((0x30_0000, 0x1000)));
        assert_eq!(flash.partition("token"), Some((0x30_1000, 0x2000)));
        assert_eq!(flash.app_offset(), 0x1_0000);
        let apps: Vec<String> = flash
            .partitions()
            .iter()
            .filter(|p| p.is_app())
            .map(|p| p.name.clone())
            .collect();
        assert_eq!(apps, ["factory"]);
        assert_eq!(flash.partitions().len(), 5);
        // Magic of a partition entry (ESP-IDF, "Partition Tables": 0x50AA).
        assert_eq!(flash.into_bytes()[0x8000..0x8002], [0xaa, 0x50]);
    }

    #[test]
    fn settings_land_in_their_partition_and_nowhere_else() {
        let mut flash = FlashImage::new().unwrap();
        let before = flash.clone().into_bytes();
        let mut settings = Provisioning::new();
        settings.set("wifi.ssid", "Ocean");
        assert!(flash.provision(&settings).unwrap());
        let after = flash.into_bytes();
        assert_eq!(&after[0x30_0000..0x30_0004], b"ORPV");
        assert_eq!(before[..0x30_0000], after[..0x30_0000]);
        assert_eq!(before[0x30_1000..], after[0x30_1000..]);
    }

    #[test]
    fn a_partition_behind_the_end_is_refused() {
        let csv = "factory, app, factory, 0x10000, 0x100000\nbig, 0x40, 0x00, 0x3f0000, 0x20000\n";
        assert!(matches!(
            FlashImage::with_table(csv),
            Err(FlashError::Outside { end: 0x41_0000, .. })
        ));
        assert!(matches!(
            FlashImage::with_table("garbage"),
            Err(FlashError::Table(_))
        ));
    }

    #[test]
    fn a_table_without_the_partition_takes_no_settings() {
        let mut flash = FlashImage::with_table("factory, app, factory, 0x10000, 0x100000\n").unwrap();
        assert!(!flash.provision(&Provisioning::new()).unwrap());
    }
}
