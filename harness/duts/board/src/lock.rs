//! A lock for each board, which every oceanrig on the machine respects.
//!
//! The lock is the kernel's (`flock`): it ends with its process, however that ends. The contents of the file
//! (process, command, time) are only for messages. A file without a lock is stale: its process is gone, and
//! the next one takes it over. The files are in one directory for all users, because a session of `cron` or
//! `systemd` uses neither the `XDG_RUNTIME_DIR` nor the `/tmp` of a logged-in user.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use crate::error::BoardError;
use crate::holder::Holder;

/// Environment variable with another directory for the locks.
pub const DIR_VARIABLE: &str = "OCEANRIG_LOCK_DIR";
/// Greatest length of a lock file's contents, bytes.
const MOST: u64 = 4096;

/// A held lock; dropping it releases it and removes its files.
#[derive(Debug)]
pub struct BoardLock {
    held: Vec<(PathBuf, File)>,
    stale: Option<Holder>,
}

/// State of a board's lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockState {
    /// No process holds it.
    Free,
    /// Its file was left by a process that is gone; the next process takes it over.
    Stale(Holder),
    /// A process holds it.
    Held(Holder),
}

impl BoardLock {
    /// Takes the lock of the board on `port`, which has all of `keys` (its canonical device, its MAC
    /// address), in the directory for all users.
    ///
    /// # Errors
    /// [`BoardError::Busy`] if another process holds it, [`BoardError::Disk`] if a file cannot be made.
    pub fn take(port: &str, keys: &[String]) -> Result<BoardLock, BoardError> {
        BoardLock::take_in(&directory()?, port, keys)
    }

    /// Like [`BoardLock::take`], in the directory `dir`.
    ///
    /// # Errors
    /// As [`BoardLock::take`].
    pub fn take_in(dir: &Path, port: &str, keys: &[String]) -> Result<BoardLock, BoardError> {
        let mut lock = BoardLock {
            held: Vec::new(),
            stale: None,
        };
        // All processes lock the keys in the same order, so that two of them cannot wait for each other.
        let mut keys = keys.to_vec();
        keys.sort();
        keys.dedup();
        for key in keys {
            let path = dir.join(file_name(&key));
            let (file, stale) = take_file(&path, port)?;
            lock.held.push((path, file));
            lock.stale = lock.stale.take().or(stale);
        }
        Ok(lock)
    }

    /// The process that left a stale lock, if this lock replaced one.
    pub fn stale(&self) -> Option<&Holder> {
        self.stale.as_ref()
    }
}

impl Drop for BoardLock {
    fn drop(&mut self) {
        for (path, file) in self.held.drain(..) {
            // Removed while the lock is held: a process that has opened the file meanwhile detects the
            // removal and starts over.
            if fs::remove_file(&path).is_err() {
                let _ = file.set_len(0);
            }
            drop(file);
        }
    }
}

/// Reads the state of a board's lock without taking it.
///
/// # Errors
/// [`BoardError::Disk`] if the files cannot be read.
pub fn state(keys: &[String]) -> Result<LockState, BoardError> {
    state_in(&directory()?, keys)
}

/// Like [`state`], in the directory `dir`.
///
/// # Errors
/// As [`state`].
pub(crate) fn state_in(dir: &Path, keys: &[String]) -> Result<LockState, BoardError> {
    let mut found = LockState::Free;
    for key in keys {
        let path = dir.join(file_name(key));
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(disk("read", &path, source)),
        };
        let holder = read_holder(&mut file);
        match file.try_lock_shared() {
            // The lock was free; closing the file releases it again.
            Ok(()) => {
                if let Some(holder) = holder {
                    found = LockState::Stale(holder);
                }
            }
            Err(TryLockError::WouldBlock) => {
                return Ok(LockState::Held(holder.unwrap_or_else(Holder::unknown)));
            }
            Err(TryLockError::Error(source)) => return Err(disk("lock", &path, source)),
        }
    }
    Ok(found)
}

/// The locked file at `path`, and the holder that left it behind.
fn take_file(path: &Path, port: &str) -> Result<(File, Option<Holder>), BoardError> {
    /// Greatest number of attempts, in case other processes remove the file each time.
    const TRIES: u32 = 100;
    for _ in 0..TRIES {
        let mut file = open(path).map_err(|e| disk("create", path, e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(BoardError::Busy {
                    port: port.to_owned(),
                    holder: read_holder(&mut file).unwrap_or_else(Holder::unknown),
                });
            }
            Err(TryLockError::Error(source)) => return Err(disk("lock", path, source)),
        }
        if !is_still(path, &file) {
            continue;
        }
        let stale = read_holder(&mut file);
        write_holder(&mut file).map_err(|e| {
            let _ = fs::remove_file(path);
            disk("write", path, e)
        })?;
        return Ok((file, stale));
    }
    Err(disk(
        "lock",
        path,
        io::Error::other("it is removed again and again"),
    ))
}

fn write_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(Holder::this().to_text().as_bytes())?;
    file.flush()
}

fn read_holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(MOST).read_to_string(&mut text).ok()?;
    Holder::parse(&text)
}

fn disk(what: &'static str, path: &Path, source: io::Error) -> BoardError {
    BoardError::Disk {
        what,
        path: path.to_owned(),
        source,
    }
}

/// Opens or creates a file that other users can lock too. It tries to open without creating first: in a
/// directory like `/tmp` Linux refuses to open another user's file with O_CREAT (`fs.protected_regular`).
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    match options.open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    match options.create_new(true).open(path) {
        Ok(file) => {
            open_to_all(path, 0o666)?;
            Ok(file)
        }
        // Another process has created it meanwhile.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            OpenOptions::new().read(true).write(true).open(path)
        }
        Err(e) => Err(e),
    }
}

/// True if `path` still names `file`: its last holder may have removed it between opening and locking.
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

#[cfg(unix)]
fn open_to_all(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn open_to_all(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}

/// File name for a key: `/dev/ttyUSB0` becomes `dev-ttyUSB0.lock`.
fn file_name(key: &str) -> String {
    let name: String = key
        .trim_start_matches('/')
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') {
                c
            } else {
                '-'
            }
        })
        .collect();
    format!("{name}.lock")
}

/// The directory of the locks; it is created if it is missing.
fn directory() -> Result<PathBuf, BoardError> {
    if let Some(dir) = std::env::var_os(DIR_VARIABLE) {
        let dir = PathBuf::from(dir);
        fs::create_dir_all(&dir).map_err(|e| disk("create", &dir, e))?;
        return Ok(dir);
    }
    let mut last = None;
    for parent in [PathBuf::from("/run/lock"), std::env::temp_dir()] {
        let dir = parent.join("oceanrig");
        match make(&dir) {
            Ok(()) => return Ok(dir),
            Err(error) => last = Some(disk("create", &dir, error)),
        }
    }
    Err(last.unwrap_or_else(|| {
        disk(
            "create",
            Path::new("oceanrig"),
            io::Error::other("no directory for locks"),
        )
    }))
}

fn make(dir: &Path) -> io::Result<()> {
    match fs::create_dir(dir) {
        // Sticky bit: every user may add files, and none may remove those of others.
        Ok(()) => open_to_all(dir, 0o1777),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn keys() -> Vec<String> {
        vec!["/dev/ttyUSB0".to_owned(), "mac-60:55:f9:0a:bc:de".to_owned()]
    }

    fn files(dir: &Path) -> usize {
        fs::read_dir(dir).unwrap().count()
    }

    #[test]
    fn a_board_has_one_user_and_the_lock_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let lock = BoardLock::take_in(dir.path(), "/dev/ttyUSB0", &keys()).unwrap();
        assert_eq!(lock.stale(), None);
        // The same board, found only by its MAC address, on another port.
        let error = BoardLock::take_in(dir.path(), "/dev/ttyUSB1", &keys()[1..]).unwrap_err();
        let BoardError::Busy { port, holder } = &error else {
            panic!("{error}");
        };
        assert_eq!((port.as_str(), holder.pid), ("/dev/ttyUSB1", std::process::id()));
        assert!(!holder.command.is_empty());
        assert!(
            error.help().contains(&std::process::id().to_string()),
            "{}",
            error.help()
        );
        assert!(matches!(state_in(dir.path(), &keys()), Ok(LockState::Held(h)) if h == *holder));
        drop(lock);
        assert_eq!(files(dir.path()), 0);
        assert_eq!(state_in(dir.path(), &keys()).unwrap(), LockState::Free);
        for _ in 0..10 {
            BoardLock::take_in(dir.path(), "/dev/ttyUSB0", &keys()).unwrap();
        }
        assert_eq!(files(dir.path()), 0);
    }

    #[test]
    fn another_process_holds_it_until_it_is_killed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(file_name("/dev/ttyUSB0"));
        fs::write(
            &path,
            "pid 4242\nsince 1700000000\ncommand oceanrig run --dut board:desk\n",
        )
        .unwrap();
        // `flock` of util-linux holds the lock as another oceanrig would.
        let mut child = Command::new("flock")
            .args(["--no-fork".as_ref(), path.as_os_str()])
            .args(["sh", "-c", "echo held; exec sleep 60"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = [0; 4];
        io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut said).unwrap();
        let error = BoardLock::take_in(dir.path(), "/dev/ttyUSB0", &keys()[..1]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the board on /dev/ttyUSB0 is in use: process 4242 (`oceanrig run --dut board:desk`) since \
             2023-11-14T22:13:20Z"
        );
        child.kill().unwrap();
        child.wait().unwrap();
        // The contents of the file are left; the kernel's lock is gone.
        let LockState::Stale(holder) = state_in(dir.path(), &keys()).unwrap() else {
            panic!("not stale");
        };
        assert_eq!(holder.pid, 4242);
        let lock = BoardLock::take_in(dir.path(), "/dev/ttyUSB0", &keys()).unwrap();
        assert_eq!(lock.stale(), Some(&holder));
        drop(lock);
        assert_eq!(files(dir.path()), 0);
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_an_error_with_its_path() {
        let dir = tempfile::tempdir().unwrap();
        let error = BoardLock::take_in(&dir.path().join("none"), "/dev/ttyUSB0", &keys()).unwrap_err();
        assert!(
            matches!(&error, BoardError::Disk { path, .. } if path.ends_with("none/dev-ttyUSB0.lock")),
            "{error}"
        );
    }
}
