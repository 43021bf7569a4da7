//! Parts of a report about many runs, kept out of memory until the report is written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Bytes that are added one part after the other, and copied out at the end.
#[derive(Debug)]
pub enum Spool {
    /// In memory, for few runs.
    Memory(Vec<u8>),
    /// In a file, which goes with the spool.
    File {
        /// Where it lies.
        path: PathBuf,
        /// The file.
        file: File,
    },
}

impl Default for Spool {
    fn default() -> Spool {
        Spool::Memory(Vec::new())
    }
}

impl Spool {
    /// In a file of this process beside `report`, which is the report's own file.
    ///
    /// # Errors
    /// Those of the system.
    pub fn beside(report: &Path) -> io::Result<Spool> {
        let path = unfinished(report, "parts");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)?;
        // Without a name it goes with the process, however that ends.
        #[cfg(unix)]
        fs::remove_file(&path)?;
        Ok(Spool::File { path, file })
    }

    /// Adds a part, and gives its place for [`Spool::copy`].
    ///
    /// # Errors
    /// Those of the file.
    pub fn add(&mut self, part: &[u8]) -> io::Result<Range<u64>> {
        let start = match self {
            Spool::Memory(bytes) => {
                let start = bytes.len() as u64;
                bytes.extend_from_slice(part);
                start
            }
            Spool::File { file, .. } => {
                let start = file.seek(SeekFrom::End(0))?;
                file.write_all(part)?;
                start
            }
        };
        Ok(start..start + part.len() as u64)
    }

    /// Copies the part at `range` to `out`.
    ///
    /// # Errors
    /// Those of the file and of `out`.
    pub fn copy(&mut self, range: Range<u64>, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Spool::Memory(bytes) => out.write_all(&bytes[range.start as usize..range.end as usize]),
            Spool::File { file, .. } => {
                file.seek(SeekFrom::Start(range.start))?;
                io::copy(&mut file.take(range.end - range.start), out).map(drop)
            }
        }
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if let Spool::File { path, .. } = self {
            // A file that cannot be removed is no reason to fail a run.
            let _ = fs::remove_file(path);
        }
    }
}

/// The name of a file that this process writes before it takes the place of `path`: two processes never share it.
fn unfinished(path: &Path, what: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.{what}", std::process::id()))
}

/// Writes the file at `path` with `write`. It is whole whenever somebody looks: the earlier one, or this.
///
/// # Errors
/// Those of the system; nothing unfinished is left behind.
pub fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let unfinished = unfinished(path, "unfinished");
    let result = File::create(&unfinished).and_then(|file| {
        let mut out = io::BufWriter::new(file);
        write(&mut out)?;
        out.flush()?;
        drop(out);
        fs::rename(&unfinished, path)
    });
    if result.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_out_in_any_order_and_nothing_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report.html");
        let mut spool = Spool::beside(&path).unwrap();
        let two = spool.add(b"two").unwrap();
        let one = spool.add(b"one ").unwrap();
        replace(&path, |out| {
            spool.copy(one, out).and_then(|()| spool.copy(two, out))
        })
        .unwrap();
        drop(spool);
        assert_eq!(fs::read(&path).unwrap(), b"one two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(replace(&path, |out| out.write_all(b"x")).is_err());
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            1,
            "only the directory that is in the way"
        );
    }
}
