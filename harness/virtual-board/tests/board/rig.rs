//! A board in a thread, and a client of its port.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tempfile::TempDir;
use virtual_board::{Board, BoardError, Options, control};

/// The compressed ELF of the firmware under test.
pub(crate) const FIRMWARE: &[u8] = include_bytes!("../../../../fixtures/oceanremote-device.elf.gz");
/// Timeout of every wait; longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A board that runs in a thread.
pub(crate) struct Rig {
    pub(crate) dir: TempDir,
    stop: UnixStream,
    thread: Option<JoinHandle<Result<(), BoardError>>>,
}

impl Rig {
    /// A board with the firmware and these settings in its flash.
    pub(crate) fn with_firmware(settings: &[(&str, &str)], change: impl FnOnce(&mut Options)) -> Rig {
        let mut flash = dut::FlashImage::new().unwrap();
        let mut provisioning = dut::Provisioning::new();
        for (key, value) in settings {
            provisioning.set(key, *value);
        }
        flash.provision(&provisioning).unwrap();
        let mut cells = vec![0xFF; dut::FLASH_SIZE];
        for part in board::FlashPlan::new(FIRMWARE, &flash)
            .unwrap()
            .build("esp32c3")
            .unwrap()
        {
            let at = part.offset as usize;
            cells[at..at + part.bytes.len()].copy_from_slice(&part.bytes);
        }
        let dir = tempfile::tempdir().unwrap();
        let (flash, elf) = (dir.path().join("flash.bin"), dir.path().join("firmware.elf.gz"));
        std::fs::write(&flash, &cells).unwrap();
        std::fs::write(&elf, FIRMWARE).unwrap();
        Rig::start(dir, |options| {
            options.flash = Some(flash);
            options.elfs = vec![elf];
            change(options);
        })
    }

    /// A board with an erased flash.
    pub(crate) fn empty(change: impl FnOnce(&mut Options)) -> Rig {
        Rig::start(tempfile::tempdir().unwrap(), change)
    }

    #[expect(clippy::disallowed_methods, reason = "the board runs beside its test")]
    fn start(dir: TempDir, change: impl FnOnce(&mut Options)) -> Rig {
        let mut options = Options::at(dir.path().join("c3"));
        change(&mut options);
        let (stop, end) = UnixStream::pair().unwrap();
        let (ready, made) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let mut board = Board::new(options)?;
            ready.send(()).unwrap();
            board.run(end.as_fd(), |news| eprintln!("{news}"))
        });
        made.recv().expect("the board can be made");
        Rig {
            dir,
            stop,
            thread: Some(thread),
        }
    }

    pub(crate) fn port(&self) -> PathBuf {
        self.dir.path().join("c3")
    }

    pub(crate) fn ask(&self, command: &str) -> Result<String, BoardError> {
        control::ask(&self.dir.path().join("c3.ctl"), command)
    }

    pub(crate) fn tell(&self, command: &str) {
        assert_eq!(self.ask(command).unwrap(), "", "{command}");
    }

    pub(crate) fn status(&self) -> serde_json::Value {
        serde_json::from_str(&self.ask("status").unwrap()).unwrap()
    }

    /// Opens the serial port as a client.
    pub(crate) fn open(&self) -> Terminal {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(rustix::fs::OFlags::NOCTTY.bits() as i32)
            .open(self.port())
            .unwrap();
        Terminal {
            file,
            heard: String::new(),
        }
    }

    /// Opens the port before the chip is switched on, so that the whole first boot is received on a busy
    /// machine too.
    pub(crate) fn open_at_boot(&self) -> Terminal {
        self.tell("power off");
        let terminal = self.open();
        self.tell("power on");
        terminal
    }

    /// Ends the board as a signal does; a board that has ended already is only waited for.
    pub(crate) fn end(mut self) -> Result<(), BoardError> {
        let _ = self.stop.write_all(b"x");
        let thread = self.thread.take().unwrap();
        thread.join().unwrap()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = self.stop.write_all(b"x");
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A client of the serial port.
pub(crate) struct Terminal {
    pub(crate) file: File,
    /// All text that was received.
    pub(crate) heard: String,
}

impl Terminal {
    /// Reads until the new output contains `text`, and returns that output.
    pub(crate) fn until(&mut self, text: &str) -> String {
        let until = deadline();
        let mut seen = String::new();
        while !seen.contains(text) {
            let heard = self.read(until).unwrap_or_default();
            assert!(
                !heard.is_empty(),
                "`{text}` never came; heard:\n{}{seen}",
                self.heard
            );
            seen += &heard;
        }
        self.heard += &seen;
        seen
    }

    /// Reads until at least `len` bytes have been received.
    pub(crate) fn some(&mut self, len: usize) -> String {
        let until = deadline();
        let mut seen = String::new();
        while seen.len() < len {
            let heard = self.read(until).unwrap_or_default();
            assert!(!heard.is_empty(), "only {seen:?} came");
            seen += &heard;
        }
        seen
    }

    /// Reads the next bytes; `None` when the terminal has hung up.
    fn read(&mut self, until: Instant) -> Option<String> {
        let left = until.saturating_duration_since(now());
        let timeout = Timespec {
            tv_sec: left.as_secs() as i64,
            tv_nsec: left.subsec_nanos().into(),
        };
        let mut fds = [PollFd::new(&self.file, PollFlags::IN)];
        if poll(&mut fds, Some(&timeout)).unwrap() == 0 {
            return Some(String::new());
        }
        let mut buffer = [0; 1024];
        match self.file.read(&mut buffer) {
            Ok(0) | Err(_) => None,
            Ok(len) => Some(String::from_utf8_lossy(&buffer[..len]).into_owned()),
        }
    }

    /// Waits until the terminal has hung up; false after the timeout.
    pub(crate) fn hangs_up(&mut self) -> bool {
        let until = deadline();
        loop {
            match self.read(until) {
                None => return true,
                Some(heard) if heard.is_empty() => return false,
                Some(heard) => self.heard += &heard,
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test waits in real time")]
fn now() -> Instant {
    Instant::now()
}

pub(crate) fn deadline() -> Instant {
    now() + PATIENCE
}

/// Waits until a condition holds.
#[expect(clippy::disallowed_methods, reason = "a test waits in real time")]
pub(crate) fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let until = deadline();
    while !so() {
        assert!(now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
