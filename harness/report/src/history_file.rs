//! The file that `oceanrig run --history` keeps.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::history::{Record, parse};
use crate::reporter::{Reporter, Session};
use crate::{ReportError, Run};

/// A history file that grows by a line for each run, whoever else writes to it.
#[derive(Debug)]
pub struct HistoryFile {
    path: PathBuf,
    file: File,
}

impl HistoryFile {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// When it cannot be written, or is no history.
    pub fn open(path: &Path) -> Result<HistoryFile, ReportError> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path);
        let mut file = HistoryFile {
            path: path.to_owned(),
            file: file.map_err(ReportError::io("write", path))?,
        };
        let mut start = Vec::new();
        let read = (&mut file.file).take(64 * 1024).read_to_end(&mut start);
        read.map_err(|source| file.failed(source))?;
        let (records, torn) = parse(&String::from_utf8_lossy(&start));
        // A file that is something else altogether was named by mistake.
        if records.is_empty() && torn.len() > 1 {
            return Err(ReportError::NoHistory {
                path: path.to_owned(),
                why: "it holds something else".to_owned(),
            });
        }
        Ok(file)
    }

    /// Adds a record: a whole line at once, after the end of a line that an earlier writer could not finish.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add(&mut self, record: &Record) -> Result<(), ReportError> {
        self.file.lock().map_err(|source| self.failed(source))?;
        let added = self.add_locked(record);
        let unlocked = self.file.unlock();
        added.and(unlocked).map_err(|source| self.failed(source))
    }

    fn add_locked(&mut self, record: &Record) -> io::Result<()> {
        let mut line = String::new();
        if self.file.seek(SeekFrom::End(0))? > 0 {
            self.file.seek(SeekFrom::End(-1))?;
            let mut last = [0];
            self.file.read_exact(&mut last)?;
            if last != *b"\n" {
                line.push('\n');
            }
        }
        line.push_str(&record.line());
        self.file.write_all(line.as_bytes())
    }

    fn failed(&self, source: io::Error) -> ReportError {
        ReportError::io("write", &self.path)(source)
    }
}

impl Reporter for HistoryFile {
    fn run_done(&mut self, _place: usize, run: &Run) -> Result<(), ReportError> {
        // At once: what ended counts, whatever becomes of the rest.
        self.add(&Record::of(run))
    }

    fn run_lost(&mut self, _place: usize) -> Result<(), ReportError> {
        Ok(())
    }

    fn session_done(&mut self, _session: &Session<'_>) -> Result<(), ReportError> {
        Ok(())
    }
}
