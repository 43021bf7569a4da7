//! Loads firmware images, each once.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dut::Image;
use flate2::read::GzDecoder;
use runner::Firmware;
use sha2::{Digest, Sha256};

use crate::error::CliError;

/// The image that is used when nobody names another.
const BUILT_IN: &[u8] = include_bytes!("../fixtures/oceanremote-device.elf.gz");
/// How messages call it.
const BUILT_IN_NAME: &str = "fixtures/oceanremote-device.elf.gz (built in)";

/// The images loaded so far.
#[derive(Default)]
pub(crate) struct Images {
    loaded: BTreeMap<PathBuf, Arc<Firmware>>,
}

impl Images {
    /// The image at `path`, or the built-in one.
    ///
    /// # Errors
    /// When the file cannot be read or is no firmware for the chip.
    pub(crate) fn get(&mut self, path: Option<&Path>) -> Result<Arc<Firmware>, CliError> {
        let key = path.unwrap_or(Path::new(BUILT_IN_NAME));
        if let Some(firmware) = self.loaded.get(key) {
            return Ok(firmware.clone());
        }
        let firmware = match path {
            None => load(BUILT_IN, key)?,
            Some(path) => {
                let bytes = fs::read(path).map_err(|source| CliError::Read {
                    path: path.to_owned(),
                    source,
                })?;
                load(&bytes, key)?
            }
        };
        let firmware = Arc::new(firmware);
        self.loaded.insert(key.to_owned(), firmware.clone());
        Ok(firmware)
    }
}

/// The ELF itself, so that an image has the same hash whether it is compressed or not.
fn plain(bytes: &[u8]) -> Vec<u8> {
    let mut elf = Vec::new();
    match GzDecoder::new(bytes).read_to_end(&mut elf) {
        Ok(_) => elf,
        Err(_) => bytes.to_owned(),
    }
}

fn load(bytes: &[u8], path: &Path) -> Result<Firmware, CliError> {
    let image = Image::load(bytes).map_err(|source| CliError::Firmware {
        path: path.to_owned(),
        source,
    })?;
    let sha256 = Sha256::digest(plain(bytes))
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    Ok(Firmware { image, sha256 })
}
