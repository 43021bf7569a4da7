//! The ELF files that provide symbols for applications in flash.

use std::fs;
use std::path::PathBuf;

use esp32c3::rom::nor::NorFlash;
use image::Firmware;
use image::chip::ESP32C3;

use crate::error::{BoardError, on};

/// An ELF file with its parsed firmware.
#[derive(Clone, Debug)]
pub(crate) struct Elf {
    pub(crate) path: PathBuf,
    pub(crate) firmware: Firmware,
}

/// All ELF files, in the order of the command line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Elfs(Vec<Elf>);

impl Elfs {
    /// Reads ELF files, plain or gzip.
    pub(crate) fn load(paths: &[PathBuf]) -> Result<Elfs, BoardError> {
        let read = |path: &PathBuf| {
            let bytes = fs::read(path).map_err(on("read", path))?;
            let firmware = Firmware::parse(&bytes).map_err(|source| BoardError::Elf {
                path: path.clone(),
                source,
            })?;
            Ok(Elf {
                path: path.clone(),
                firmware,
            })
        };
        paths.iter().map(read).collect::<Result<_, _>>().map(Elfs)
    }

    /// The ELF from which the application in flash was made, if any.
    pub(crate) fn of(&self, flash: &NorFlash) -> Option<&Elf> {
        self.0
            .iter()
            .find(|elf| elf.firmware.matches(flash.cells(), &ESP32C3))
    }
}
