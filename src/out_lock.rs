//! One directory of `--out`, one run: a lock that other processes respect.
//!
//! The lock is the kernel's (`flock`), so it goes with its process, however that ends. What its file says is for the
//! message only. Two processes that write into one directory would replace each other's files.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use sim::UnixTime;

use crate::error::CliError;
use crate::output;

/// Name of the lock's file in the directory.
const FILE: &str = ".oceanrig.lock";
/// What the file may say at most, bytes.
const MOST: u64 = 4096;
/// Longest command line in a message, characters.
const SHOWN: usize = 200;

/// A directory that is ours; dropping it releases it.
#[derive(Debug)]
pub(crate) struct OutLock {
    path: PathBuf,
    file: File,
}

impl OutLock {
    /// Takes the directory, which is made when it is missing.
    ///
    /// # Errors
    /// [`CliError::OutBusy`] when another process has it, [`CliError::Write`] when no file can be made in it.
    pub(crate) fn take(dir: &Path) -> Result<OutLock, CliError> {
        let path = dir.join(FILE);
        let failed = |source| CliError::Write {
            path: path.clone(),
            source,
        };
        fs::create_dir_all(dir).map_err(failed)?;
        loop {
            let mut options = OpenOptions::new();
            let opened = options
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path);
            let mut file = opened.map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let holder = holder(&mut file).unwrap_or_else(|| "another process".to_owned());
                    return Err(CliError::OutBusy {
                        path: dir.to_owned(),
                        holder,
                    });
                }
                // A file system without locks: the run goes on, as it did before there were any.
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                    return Ok(OutLock { path, file });
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
            // Its last holder may have removed it between opening and locking.
            if !is_still(&path, &file) {
                continue;
            }
            write_holder(&mut file).map_err(failed)?;
            return Ok(OutLock { path, file });
        }
    }
}

impl Drop for OutLock {
    fn drop(&mut self) {
        // Removed while it is locked: a process that waits for it finds its name gone, and makes a new one.
        let _ = fs::remove_file(&self.path);
        let _ = self.file.unlock();
    }
}

fn write_holder(file: &mut File) -> io::Result<()> {
    let words: Vec<String> = std::env::args_os()
        .map(|a| a.to_string_lossy().into_owned())
        .collect();
    let line = words.join(" ");
    let command: String = line
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(SHOWN)
        .collect();
    let since = UnixTime::from_nanos(i128::from(output::unix_ms()) * 1_000_000);
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "process {} (`{command}`) since {since}", std::process::id())
}

fn holder(file: &mut File) -> Option<String> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(MOST).read_to_string(&mut text).ok()?;
    (!text.is_empty() && !text.contains(char::is_control)).then_some(text)
}

#[cfg(unix)]
fn is_still(path: &Path, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (fs::symlink_metadata(path), file.metadata()) {
        (Ok(a), Ok(b)) => a.dev() == b.dev() && a.ino() == b.ino(),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_still(path: &Path, _: &File) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_for_one_and_free_again_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let lock = OutLock::take(&out).unwrap();
        let CliError::OutBusy { holder, .. } = OutLock::take(&out).unwrap_err() else {
            panic!("another error");
        };
        assert!(
            holder.contains(&format!("process {} (`", std::process::id())),
            "{holder}"
        );
        drop(lock);
        assert_eq!(fs::read_dir(&out).unwrap().count(), 0, "nothing is left behind");
        drop(OutLock::take(&out).unwrap());
    }
}
