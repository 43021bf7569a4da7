//! Paths that a board claims: sockets and the symbolic link of the port.
//!
//! A board that was killed leaves them behind; the next board takes them over. A path that belongs to a board
//! that runs, or a file that no board has made, is refused.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use crate::error::{BoardError, on};

/// Prefixes of the system's pseudo-terminals: a link to any other target was not made by a board.
const TERMINALS: &[&str] = &["/dev/pts/", "/dev/tty"];

/// The file of a socket, removed at the end if it is still the same file.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Device and inode number.
    identity: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|now| now == self.identity) {
            // The removal fails only if the directory has become read-only, and then nothing can be done.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|m| (m.dev(), m.ino()))
}

fn socket_file(path: &Path) -> Result<SocketFile, BoardError> {
    Ok(SocketFile {
        path: path.to_owned(),
        identity: identity(path).map_err(on("look at", path))?,
    })
}

/// Listens at `path`. The flag is true if the socket of a dead board was replaced.
pub(crate) fn listen(path: &Path) -> Result<(UnixListener, SocketFile, bool), BoardError> {
    let stale = clear(path, |path| UnixStream::connect(path).map(drop))?;
    let listener = UnixListener::bind(path).map_err(bind_failed(path))?;
    listener.set_nonblocking(true).map_err(on("set up", path))?;
    Ok((listener, socket_file(path)?, stale))
}

/// Binds a datagram socket at `path`.
pub(crate) fn datagrams(path: &Path) -> Result<(UnixDatagram, SocketFile), BoardError> {
    clear(path, |path| {
        UnixDatagram::unbound().and_then(|socket| socket.connect(path))
    })?;
    let socket = UnixDatagram::bind(path).map_err(bind_failed(path))?;
    socket.set_nonblocking(true).map_err(on("set up", path))?;
    Ok((socket, socket_file(path)?))
}

fn bind_failed(path: &Path) -> impl FnOnce(io::Error) -> BoardError {
    let path = path.to_owned();
    move |source| {
        let len = path.as_os_str().len();
        match source.kind() {
            io::ErrorKind::AddrInUse => BoardError::Busy { path },
            io::ErrorKind::InvalidInput if len > 107 => BoardError::LongPath { path, len },
            _ => BoardError::Path {
                what: "make the socket",
                path,
                source,
            },
        }
    }
}

/// Removes the file at `path` if it is the socket of a dead board; true if there was one.
fn clear(path: &Path, connect: impl Fn(&Path) -> io::Result<()>) -> Result<bool, BoardError> {
    let found = match fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(on("look at", path)(e)),
        Ok(found) => found.file_type(),
    };
    if !found.is_socket() {
        let what = kind(found);
        return Err(BoardError::NotOurs {
            path: path.to_owned(),
            what,
        });
    }
    let busy = || BoardError::Busy {
        path: path.to_owned(),
    };
    if alive(connect(path), path)? {
        return Err(busy());
    }
    // Two boards may take over the same socket at the same time. The one that renames it and still finds it
    // dead may use the path; one that has renamed a socket of a live board puts it back.
    let aside = path.with_extension(format!("stale-{}", std::process::id()));
    if fs::rename(path, &aside).is_err() {
        return Err(busy());
    }
    if alive(connect(&aside), path)? {
        let _ = fs::rename(&aside, path);
        return Err(busy());
    }
    fs::remove_file(&aside).map_err(on("remove", path))?;
    Ok(true)
}

/// True if an attempt to connect shows that a process uses the socket.
fn alive(connected: io::Result<()>, path: &Path) -> Result<bool, BoardError> {
    match connected {
        Ok(()) => Ok(true),
        Err(e) if matches!(e.kind(), io::ErrorKind::ConnectionRefused) => Ok(false),
        // A socket of another type is in use, too.
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Err(on("ask who listens at", path)(e)),
        Err(_) => Ok(true),
    }
}

fn kind(found: fs::FileType) -> String {
    let what = if found.is_dir() {
        "a directory"
    } else if found.is_symlink() {
        "a symbolic link"
    } else if found.is_char_device() {
        "a device"
    } else {
        "a file"
    };
    what.to_owned()
}

/// The symbolic link of a port, removed at the end if its target is still the one set by this board.
#[derive(Debug)]
pub(crate) struct Link {
    path: PathBuf,
    target: PathBuf,
}

impl Link {
    /// Makes the link at `path`. `ours` is true if the control socket of a dead board was found beside it:
    /// then an existing link to a terminal is that board's, even if the system has given the terminal's
    /// number to another process since.
    pub(crate) fn place(path: &Path, target: &Path, ours: bool) -> Result<Link, BoardError> {
        check(path, ours)?;
        put(path, target).map_err(on("make the link", path))?;
        Ok(Link {
            path: path.to_owned(),
            target: target.to_owned(),
        })
    }

    /// Changes the link's target to another terminal; true if that worked.
    pub(crate) fn redirect(&mut self, target: &Path) -> bool {
        let done = put(&self.path, target).is_ok();
        if done {
            target.clone_into(&mut self.target);
        }
        done
    }
}

/// Replaces the link by a rename, so that the path exists at any moment.
fn put(path: &Path, target: &Path) -> io::Result<()> {
    let aside = path.with_extension(format!("new-{}", std::process::id()));
    // A file left by an earlier process with the same number.
    let _ = fs::remove_file(&aside);
    symlink(target, &aside)?;
    fs::rename(&aside, path).inspect_err(|_| {
        let _ = fs::remove_file(&aside);
    })
}

impl Drop for Link {
    fn drop(&mut self) {
        if fs::read_link(&self.path).is_ok_and(|target| target == self.target) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Checks that the port's link may be made at `path`.
pub(crate) fn check(path: &Path, ours: bool) -> Result<(), BoardError> {
    let not_ours = |what: String| BoardError::NotOurs {
        path: path.to_owned(),
        what,
    };
    match fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(on("look at", path)(e)),
        Ok(found) if !found.file_type().is_symlink() => Err(not_ours(kind(found.file_type()))),
        Ok(_) => {
            let target = fs::read_link(path).map_err(on("look at", path))?;
            let terminal = TERMINALS.iter().any(|t| target.to_string_lossy().starts_with(t));
            if terminal && (ours || !target.exists()) {
                Ok(())
            } else {
                Err(not_ours(format!("a symbolic link to {}", target.display())))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_socket_is_taken_over_and_a_live_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c3.ctl");
        drop(UnixListener::bind(&path).unwrap());
        let (listener, file, stale) = listen(&path).unwrap();
        assert!(stale);
        assert!(matches!(listen(&path), Err(BoardError::Busy { .. })));
        assert!(UnixStream::connect(&path).is_ok(), "it still listens");
        drop((listener, file));
        assert!(!path.exists());
        let (_, file) = datagrams(&path).unwrap();
        assert!(matches!(datagrams(&path), Err(BoardError::Busy { .. })) || !path.exists());
        drop(file);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left");
    }

    #[test]
    fn a_datagram_socket_of_a_dead_board_is_taken_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("wlan0");
        drop(UnixDatagram::bind(&path).unwrap());
        let (_socket, _file) = datagrams(&path).unwrap();
        assert!(matches!(datagrams(&path), Err(BoardError::Busy { .. })));
    }

    #[test]
    fn what_is_not_ours_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("notes");
        fs::write(&file, "mine").unwrap();
        let said = |error: BoardError| error.to_string();
        assert!(said(listen(&file).unwrap_err()).ends_with("is a file: choose another path, or remove it"));
        assert!(said(check(&file, true).unwrap_err()).contains("is a file"));
        assert!(said(check(dir.path(), true).unwrap_err()).contains("is a directory"));
        assert_eq!(fs::read(&file).unwrap(), b"mine");
        let link = dir.path().join("link");
        symlink(&file, &link).unwrap();
        assert!(said(check(&link, true).unwrap_err()).contains("a symbolic link to"));
        let long = dir.path().join("x".repeat(120));
        assert!(matches!(listen(&long), Err(BoardError::LongPath { .. })));
    }

    #[test]
    fn the_link_of_a_dead_board_is_replaced_and_ours_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c3");
        symlink("/dev/pts/999999", &path).unwrap();
        let link = Link::place(&path, Path::new("/dev/pts/999998"), false).unwrap();
        assert_eq!(fs::read_link(&path).unwrap(), Path::new("/dev/pts/999998"));
        drop(link);
        assert!(fs::symlink_metadata(&path).is_err());
        // A terminal that is there may be anybody's, unless a dead board's socket lies beside the link.
        symlink("/dev/tty", &path).unwrap();
        assert!(check(&path, false).is_err());
        assert!(check(&path, true).is_ok());
    }
}
