//! The file with the flash's contents: 4 MiB, one byte for each cell. Changed sectors are written a moment
//! after a change.
//!
//! The file has its full size from the start, and sectors are written in place. After the process is killed
//! some sectors are old and some new, as after a power cut.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use esp32c3::FLASH_SIZE;
use esp32c3::rom::nor::{NorFlash, SECTOR};
use sim::Instant;

use crate::error::{BoardError, on};

/// Changes are written when there was no further change for this long,
const QUIET: Duration = Duration::from_millis(200);
/// or when the oldest unwritten change has this age.
const OLDEST: Duration = Duration::from_secs(2);
/// Time between attempts after a write has failed.
const AGAIN: Duration = Duration::from_secs(5);

/// The file, locked so that no other board can use it.
#[derive(Debug)]
pub(crate) struct FlashFile {
    path: PathBuf,
    file: File,
    /// Contents of the file, as last written.
    saved: Vec<u8>,
    generation: u64,
    first_change: Option<Instant>,
    due: Option<Instant>,
    /// Reason why the last attempt failed.
    failed: Option<String>,
}

impl FlashFile {
    /// Opens the file at `path`, or creates it with an erased flash.
    pub(crate) fn open(path: &Path) -> Result<FlashFile, BoardError> {
        let mut file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => create(path)?,
            Err(e) => return Err(on("open the flash image", path)(e)),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(BoardError::Busy {
                    path: path.to_owned(),
                });
            }
            Err(TryLockError::Error(e)) => return Err(on("lock the flash image", path)(e)),
        }
        let len = file.metadata().map_err(on("look at", path))?.len();
        if len != u64::from(FLASH_SIZE) {
            return Err(BoardError::FlashSize {
                path: path.to_owned(),
                len,
            });
        }
        let mut saved = Vec::with_capacity(FLASH_SIZE as usize);
        file.read_to_end(&mut saved)
            .map_err(on("read the flash image", path))?;
        Ok(FlashFile {
            path: path.to_owned(),
            file,
            saved,
            generation: 0,
            first_change: None,
            due: None,
            failed: None,
        })
    }

    /// Contents of the file.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.saved
    }

    /// Path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// True if all changes have been written.
    pub(crate) fn is_saved(&self) -> bool {
        self.first_change.is_none()
    }

    /// Marks the present contents of `flash` as written: it was just filled from the file.
    pub(crate) fn begin(&mut self, flash: &NorFlash) {
        self.generation = flash.generation();
    }

    /// The moment at which [`look`](Self::look) writes; `None` without unwritten changes.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.due
    }

    /// Detects changes, and writes them when due. Returns a message once when writing fails, and once when it
    /// works again.
    pub(crate) fn look(&mut self, flash: &NorFlash, now: Instant) -> Option<String> {
        if flash.generation() != self.generation {
            self.generation = flash.generation();
            let first = *self.first_change.get_or_insert(now);
            if self.failed.is_none() {
                self.due = Some((now + QUIET).min(first + OLDEST));
            }
        }
        if self.due.is_none_or(|due| now < due) {
            return None;
        }
        let before = self.failed.take();
        match self.save(flash) {
            Ok(()) => before.map(|_| format!("the flash image {} is saved again", self.path.display())),
            Err(why) => {
                self.due = Some(now + AGAIN);
                let why = why.to_string();
                let news = before.as_ref() != Some(&why);
                let text = format!(
                    "cannot save the flash image {}: {why}; trying again every {} s",
                    self.path.display(),
                    AGAIN.as_secs()
                );
                self.failed = Some(why);
                news.then_some(text)
            }
        }
    }

    /// Writes every sector that differs from the file.
    pub(crate) fn save(&mut self, flash: &NorFlash) -> io::Result<()> {
        let sector = SECTOR as usize;
        for (n, new) in flash.cells().chunks(sector).enumerate() {
            let at = n * sector;
            let old = &mut self.saved[at..at + new.len()];
            if old != new {
                self.file.write_all_at(new, at as u64)?;
                old.copy_from_slice(new);
            }
        }
        self.file.sync_data()?;
        (self.first_change, self.due) = (None, None);
        Ok(())
    }

    /// Writes the last changes at the end of the board.
    pub(crate) fn finish(&mut self, flash: &NorFlash) -> Result<(), BoardError> {
        self.save(flash).map_err(|why| BoardError::NotSaved {
            path: self.path.clone(),
            why: why.to_string(),
        })
    }
}

/// Creates a file with an erased flash. Every byte is written, so that a full disk is detected at once.
fn create(path: &Path) -> Result<File, BoardError> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(on("make the flash image", path))?;
    let filled = file
        .write_all(&vec![0xFF; FLASH_SIZE as usize])
        .and_then(|()| file.sync_all())
        .and_then(|()| io::Seek::rewind(&mut file));
    match filled {
        Ok(()) => Ok(file),
        Err(why) => {
            let _ = std::fs::remove_file(path);
            Err(on("make the flash image", path)(why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    #[test]
    fn changes_reach_the_file_a_moment_later_and_the_next_board() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("flash.bin");
        let mut file = FlashFile::open(&path).unwrap();
        assert!(file.bytes().iter().all(|b| *b == 0xFF));
        let mut flash = NorFlash::new(FLASH_SIZE);
        file.begin(&flash);
        assert_eq!((file.look(&flash, ms(0)), file.next_due()), (None, None));
        flash.program(0x1_2345, b"kept").unwrap();
        file.look(&flash, ms(1000));
        assert!(!file.is_saved());
        assert_eq!(file.next_due(), Some(ms(1200)));
        assert_eq!(std::fs::read(&path).unwrap()[0x1_2345], 0xFF);
        assert_eq!(file.look(&flash, ms(1200)), None);
        assert!(file.is_saved() && file.next_due().is_none());
        assert_eq!(&std::fs::read(&path).unwrap()[0x1_2345..0x1_2349], b"kept");
        assert!(matches!(FlashFile::open(&path), Err(BoardError::Busy { .. })));
        drop(file);
        assert_eq!(FlashFile::open(&path).unwrap().bytes(), flash.cells());
    }

    #[test]
    fn a_chip_that_never_rests_is_saved_every_two_seconds() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = FlashFile::open(&dir.path().join("flash.bin")).unwrap();
        let mut flash = NorFlash::new(FLASH_SIZE);
        file.begin(&flash);
        let mut saves = 0;
        for step in 0..60 {
            flash.program(step, &[0]).unwrap();
            file.look(&flash, ms(u64::from(step) * 100));
            saves += u32::from(file.is_saved());
        }
        assert_eq!(saves, 2, "in six seconds, the third one is due");
    }

    #[test]
    fn a_file_of_another_size_and_a_full_disk_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("short.bin");
        std::fs::write(&path, b"short").unwrap();
        assert!(
            FlashFile::open(&path)
                .unwrap_err()
                .to_string()
                .ends_with("short.bin has 5 bytes; an image of the 4 MiB flash has exactly 4194304")
        );
        let gone = dir.path().join("no/such/flash.bin");
        assert!(matches!(FlashFile::open(&gone), Err(BoardError::Path { .. })));
    }
}
