//! Firmware files, and what is made of them: ELF files and their symbols, ESP application images, partition tables, the
//! flash that a bench starts from, backtraces, and the table of chips that all of these are for.
//!
//! Emulator and boards use the same code, so that a firmware means the same thing on both. Everything here works on bytes
//! that are in memory: nothing reads a file or knows how a chip is reached.

pub mod app_image;
pub mod backtrace;
pub mod bootloader;
mod build;
pub mod checksum;
pub mod chip;
mod elf;
mod error;
mod flash_image;
mod flashed;
mod format;
pub mod panics;
pub mod partitions;
mod provisioning;
mod symbols;
mod token;

pub use app_image::{AppImage, ImageSegment};
pub use build::build_app_image;
pub use chip::{Architecture, CHIPS, Chip};
pub use elf::{AppDescription, ElfError, Firmware, MAX_ELF_SIZE, Segment, gunzip, symbols_for};
pub use error::BootError;
pub use flash_image::{FLASH_SIZE, FlashError, FlashImage};
pub use flashed::{FlashedApp, flashed_app};
pub use partitions::{Partition, PartitionTable};
pub use provisioning::{Provisioning, ProvisioningError};
pub use symbols::{Location, Symbol, SymbolTable, demangle};
