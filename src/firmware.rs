//! Reads firmware files, each once.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::GzDecoder;
use report::input;
use sha2::{Digest, Sha256};

use crate::error::CliError;

/// The image that is used when nobody names another.
const BUILT_IN: &[u8] = include_bytes!("../fixtures/oceanremote-device.elf.gz");
/// How messages call it.
const BUILT_IN_NAME: &str = "fixtures/oceanremote-device.elf.gz (built in)";

/// A firmware file.
pub(crate) struct Elf {
    /// As it was read, perhaps compressed.
    pub(crate) file: Vec<u8>,
    /// SHA-256 of the ELF itself, hexadecimal.
    pub(crate) sha256: String,
    path: PathBuf,
}

impl Elf {
    fn new(file: Vec<u8>, path: &Path) -> Elf {
        let sha256 = Sha256::digest(plain(&file))
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        Elf {
            file,
            sha256,
            path: path.to_owned(),
        }
    }

    /// Where it was read.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// The files read so far.
#[derive(Default)]
pub(crate) struct Images {
    read: BTreeMap<PathBuf, Arc<Elf>>,
}

impl Images {
    /// The file at `path`, or the built-in one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn get(&mut self, path: Option<&Path>) -> Result<Arc<Elf>, CliError> {
        let key = path.unwrap_or(Path::new(BUILT_IN_NAME));
        if let Some(elf) = self.read.get(key) {
            return Ok(elf.clone());
        }
        let file = match path {
            None => BUILT_IN.to_owned(),
            Some(path) => input::read(path, input::MOST_FIRMWARE).map_err(|source| CliError::Read {
                path: path.to_owned(),
                source,
            })?,
        };
        let elf = Arc::new(Elf::new(file, key));
        self.read.insert(key.to_owned(), elf.clone());
        Ok(elf)
    }
}

/// The ELF itself, so that an image has the same hash whether it is compressed or not.
fn plain(bytes: &[u8]) -> Vec<u8> {
    let mut elf = Vec::new();
    // A small file can unpack to any length.
    match GzDecoder::new(bytes)
        .take(input::MOST_FIRMWARE)
        .read_to_end(&mut elf)
    {
        Ok(_) => elf,
        Err(_) => bytes.to_owned(),
    }
}
