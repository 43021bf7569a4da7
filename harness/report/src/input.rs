//! Reading files that people name: bounded, and without the byte order mark that some editors write.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// The most that a file of text may hold, bytes: a scenario, a snapshot, a project file.
pub const MOST_TEXT: u64 = 16 << 20;
/// The most that a firmware image may hold, bytes.
pub const MOST_FIRMWARE: u64 = 64 << 20;

/// The bytes of the file at `path`.
///
/// # Errors
/// Those of the system; [`io::ErrorKind::FileTooLarge`] where there are more than `most` bytes: a device such as
/// `/dev/zero` never ends.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let text = format!("it holds more than {} MiB", most >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    Ok(bytes)
}

/// The text of the file at `path`, without a byte order mark.
///
/// # Errors
/// As [`read`]; [`io::ErrorKind::InvalidData`] where it is not UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    let text = String::from_utf8(read(path, MOST_TEXT)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))?;
    Ok(without_mark(&text).to_owned())
}

/// `text` without a byte order mark.
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_ends_is_refused_and_a_mark_is_skipped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, "\u{feff}x").unwrap();
        assert_eq!(read_text(&path).unwrap(), "x");
        std::fs::write(&path, [0xff]).unwrap();
        assert_eq!(read_text(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
        std::fs::write(&path, [b'x'; 9]).unwrap();
        assert_eq!(read(&path, 9).unwrap().len(), 9);
        assert_eq!(read(&path, 8).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        #[cfg(unix)]
        assert!(read_text(Path::new("/dev/zero")).is_err());
    }
}
