//! The serial port: a pseudo-terminal of which the board holds the master.
//!
//! The board does not keep the slave open: while no program has it open, poll reports a hang-up (POLLHUP) on
//! the master. This is how the board detects a client. Bytes sent without a client are lost, as on an
//! unconnected serial line.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{self, OptionalActions, QueueSelector};

use crate::claim::Link;
use crate::error::{BoardError, when};

/// Size of the buffer for a client that does not read, bytes; further bytes are lost, as in a USB bridge
/// whose buffer is full.
const MOST_WAITING: usize = 64 * 1024;
/// Speed of the terminal before a program sets one, bits per second.
const FIRST_BAUD: u32 = 115_200;

/// The serial port while it is plugged in.
#[derive(Debug)]
pub(crate) struct Pty {
    master: OwnedFd,
    slave: PathBuf,
    link: Link,
    waiting: VecDeque<u8>,
    client: bool,
    /// Bytes lost because the client did not read them in time.
    pub(crate) overrun: u64,
}

impl Pty {
    /// Makes a new terminal with a link to it at `path`. `ours`: see [`Link::place`].
    pub(crate) fn plug(path: &Path, ours: bool) -> Result<Pty, BoardError> {
        let (master, slave) = terminal().map_err(when("make a pseudo-terminal"))?;
        Ok(Pty {
            link: Link::place(path, &slave, ours)?,
            master,
            slave,
            waiting: VecDeque::new(),
            client: false,
            overrun: 0,
        })
    }

    /// Polls the terminal; true if a program has the port open.
    pub(crate) fn client(&mut self) -> bool {
        let mut fds = [PollFd::new(&self.master, PollFlags::empty())];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let open = match poll(&mut fds, Some(&now)) {
            Ok(_) => !fds[0].revents().contains(PollFlags::HUP),
            Err(_) => self.client,
        };
        if self.client && !open {
            self.tidy();
        }
        self.client = open;
        open
    }

    /// True if a program had the port open at the last poll.
    pub(crate) fn had_client(&self) -> bool {
        self.client
    }

    /// Cleans up after a program has closed the port. Bytes that it did not read must not reach the next
    /// program. If it was killed it may have left the terminal locked (`TIOCEXCL`); on a real port the lock
    /// ends with the last close, but here the open master keeps the terminal alive.
    fn tidy(&mut self) {
        self.waiting.clear();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK;
        match rustix::fs::open(&self.slave, flags, Mode::empty()) {
            Ok(slave) => {
                // Both calls fail only on a file that is no terminal.
                let _ = termios::ioctl_tiocnxcl(&slave);
                let _ = termios::tcflush(&slave, QueueSelector::IFlush);
            }
            // The terminal is locked, and the board has no privilege to open it all the same: replace it by a
            // new one.
            Err(_) => self.renew(),
        }
    }

    fn renew(&mut self) {
        let Ok((master, slave)) = terminal() else { return };
        if self.link.redirect(&slave) {
            (self.master, self.slave) = (master, slave);
        }
    }

    /// The speed that the client has set, bits per second.
    pub(crate) fn baud(&self) -> u32 {
        termios::tcgetattr(&self.master).map_or(FIRST_BAUD, |t| t.output_speed())
    }

    /// Reads bytes that the client has written, up to the length of `buffer`.
    pub(crate) fn read<'b>(&mut self, buffer: &'b mut [u8]) -> &'b [u8] {
        match rustix::io::read(&self.master, &mut *buffer) {
            Ok(len) => &buffer[..len],
            // No bytes, or no client.
            Err(_) => &[],
        }
    }

    /// Sends bytes to the client, if there is one.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        if !self.client() {
            return;
        }
        let room = MOST_WAITING - self.waiting.len().min(MOST_WAITING);
        let kept = bytes.len().min(room);
        self.overrun += (bytes.len() - kept) as u64;
        self.waiting.extend(&bytes[..kept]);
        self.flush();
    }

    /// Writes waiting bytes, as many as the terminal takes.
    pub(crate) fn flush(&mut self) {
        while !self.waiting.is_empty() {
            let (front, _) = self.waiting.as_slices();
            match rustix::io::write(&self.master, front) {
                Ok(0) | Err(_) => return,
                Ok(len) => drop(self.waiting.drain(..len)),
            }
        }
    }

    /// True if bytes wait for room in the terminal.
    pub(crate) fn is_blocked(&self) -> bool {
        !self.waiting.is_empty()
    }
}

impl AsFd for Pty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.master.as_fd()
    }
}

/// Makes a raw terminal: its non-blocking master, and the path of its slave.
fn terminal() -> io::Result<(OwnedFd, PathBuf)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    rustix::io::ioctl_fionbio(&master, true)?;
    let name = ptsname(&master, Vec::new())?;
    let slave = PathBuf::from(String::from_utf8_lossy(name.as_bytes()).into_owned());
    let mut settings = termios::tcgetattr(&master)?;
    settings.make_raw();
    settings.set_speed(FIRST_BAUD)?;
    termios::tcsetattr(&master, OptionalActions::Now, &settings)?;
    // Linux reports a hang-up only after a first program has closed the slave: open and close it once.
    drop(rustix::fs::open(
        &slave,
        OFlags::RDWR | OFlags::NOCTTY,
        Mode::empty(),
    )?);
    Ok((master, slave))
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn bytes_pass_unchanged_while_a_program_has_the_port_open() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c3");
        let mut pty = Pty::plug(&path, false).unwrap();
        assert!(!pty.client());
        pty.write(b"nobody hears this");
        let mut client = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        assert!(pty.client());
        let every: Vec<u8> = (0..=255).collect();
        pty.write(&every);
        let mut heard = [0; 256];
        client.read_exact(&mut heard).unwrap();
        assert_eq!(heard[..], every[..]);
        client.write_all(&every).unwrap();
        assert_eq!(pty.read(&mut [0; 300]), every);
        assert_eq!(pty.read(&mut [0; 300]), b"");
    }

    #[test]
    fn what_one_program_did_not_read_is_not_the_next_ones() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c3");
        let mut pty = Pty::plug(&path, false).unwrap();
        let client = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        pty.write(b"unread");
        termios::ioctl_tiocexcl(&client).unwrap();
        drop(client);
        assert!(!pty.client());
        let mut next = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        pty.write(b"x");
        let mut heard = [0; 16];
        assert_eq!(next.read(&mut heard).unwrap(), 1);
        assert_eq!(heard[0], b'x');
    }

    #[test]
    fn the_speed_is_the_programs() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c3");
        let mut pty = Pty::plug(&path, false).unwrap();
        assert_eq!(pty.baud(), 115_200);
        let client = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let mut settings = termios::tcgetattr(&client).unwrap();
        for baud in [921_600, 1_234_567] {
            settings.set_speed(baud).unwrap();
            termios::tcsetattr(&client, OptionalActions::Now, &settings).unwrap();
            assert_eq!(pty.baud(), baud);
        }
        assert!(pty.client());
    }

    #[test]
    fn unplugged_the_program_sees_a_hang_up_and_the_link_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c3");
        let pty = Pty::plug(&path, false).unwrap();
        let mut client = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        drop(pty);
        assert_eq!(client.read(&mut [0; 1]).unwrap_or(0), 0);
        assert!(client.write(b"x").is_err());
        assert!(std::fs::symlink_metadata(&path).is_err());
    }

    #[test]
    fn a_program_that_does_not_read_loses_bytes_and_not_its_memory() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c3");
        let mut pty = Pty::plug(&path, false).unwrap();
        let _client = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        for _ in 0..300 {
            pty.write(&[b'.'; 1024]);
        }
        assert!(pty.is_blocked() && pty.overrun > 100_000, "{}", pty.overrun);
    }
}
