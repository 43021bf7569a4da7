//! A desk with a virtual board on it, for scenarios on a board.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use crate::rig::{Ended, Rig, fixture, run};

/// Registers and is seen; takes three seconds of wall time.
pub(crate) const UP: &str = "\
name: Up
version: 1
bench: {duration: 3s}
expect:
  - name: registers
    requests: {endpoint: register, status: 200, count: 1}
";

/// Waits for what never comes, for half a minute.
pub(crate) const WAITS: &str = "\
name: Waits
version: 1
bench: {duration: 30s}
expect:
  - name: something rare
    serial: a blue moon
";

/// A virtual board, its `boards.toml`, and locks of their own.
pub(crate) struct Desk {
    pub(crate) rig: Rig,
    board: Child,
}

#[expect(clippy::disallowed_methods, reason = "a board runs in wall time")]
pub(crate) fn pause(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

/// The flash of a board that has run the committed firmware, so that not each test has to write it.
fn flashed() -> &'static [u8] {
    static FLASH: OnceLock<Vec<u8>> = OnceLock::new();
    FLASH.get_or_init(|| {
        let mut desk = Desk::start(None, "");
        desk.run(UP, &[]).exits(0);
        desk.ctl(&["stop"]).exits(0);
        desk.board.wait().unwrap();
        fs::read(desk.rig.path("flash.bin")).unwrap()
    })
}

impl Desk {
    /// A desk whose board has the firmware already; `more` is added to its section of `boards.toml`.
    pub(crate) fn new(more: &str) -> Desk {
        Desk::start(Some(flashed()), more)
    }

    /// A desk whose board comes out of its bag.
    pub(crate) fn with_new_board() -> Desk {
        Desk::start(None, "")
    }

    fn start(flash: Option<&[u8]>, more: &str) -> Desk {
        let rig = Rig::new();
        rig.write("device.elf", &fixture("oceanremote-device.elf.gz"));
        if let Some(flash) = flash {
            rig.write("flash.bin", flash);
        }
        let at = |name: &str| rig.path(name).display().to_string();
        let ctl = |command: &str| {
            format!(
                "['{}', 'virtual-board', 'ctl', '{}', '{command}']",
                env!("CARGO_BIN_EXE_oceanrig"),
                at("port.ctl")
            )
        };
        let mut file = format!(
            "[board.desk]\nport = '{}'\nbefore = 'no-reset'\nafter = 'no-reset'\nhost = '192.168.4.1'\n\
             listen = '127.0.0.1'\nssid = 'oceanrig'\npassword = 'salt-water'\n{more}\n",
            at("port")
        );
        if !more.contains("[board.desk.commands]") {
            file += &format!(
                "[board.desk.commands]\nreset = {}\ndownload = {}\n",
                ctl("reset"),
                ctl("download")
            );
        }
        rig.write("boards.toml", file.replace("CTL", &at("port.ctl")).as_bytes());
        let mut board = rig
            .command(&[
                "virtual-board",
                "--port",
                "port",
                "--flash",
                "flash.bin",
                "--elf",
                "device.elf",
                "--mac",
                "02:0c:ea:12:34:56",
            ])
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        let stdout = board.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut ready).unwrap();
        assert!(ready.starts_with("virtual board at "), "{ready}");
        Desk { rig, board }
    }

    /// `oceanrig` on this desk.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.rig.command(args);
        command.env("OCEANRIG_LOCK_DIR", self.rig.path("locks"));
        command
    }

    /// Runs a scenario on the board.
    pub(crate) fn run(&self, scenario: &str, more: &[&str]) -> Ended {
        run(&mut self.to_run(scenario, more))
    }

    fn to_run(&self, scenario: &str, more: &[&str]) -> Command {
        self.rig.write("scenario.yaml", scenario.as_bytes());
        self.command(&[&["run", "scenario.yaml", "--dut", "board:desk", "-v"], more].concat())
    }

    /// Starts a scenario on the board, and waits until its console shows `text`.
    pub(crate) fn run_until(&self, scenario: &str, text: &str) -> Running {
        let mut child = self.to_run(scenario, &[]).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut seen = String::new();
        while !seen.contains(text) {
            seen += &lines
                .next()
                .unwrap_or_else(|| panic!("no `{text}` in\n{seen}"))
                .unwrap();
            seen.push('\n');
        }
        // What is not read would stop the program some day.
        #[expect(
            clippy::disallowed_methods,
            reason = "a pipe has to be emptied while its writer runs"
        )]
        std::thread::spawn(move || lines.for_each(drop));
        Running(child)
    }

    /// Starts a scenario on the board, and waits until the chip is being flashed.
    pub(crate) fn run_until_flashing(&self, scenario: &str) -> Running {
        let child = self.to_run(scenario, &[]).stderr(Stdio::null()).spawn().unwrap();
        while !self.ctl(&["status"]).stdout.contains("\"host\":460800") {
            pause(50);
        }
        Running(child)
    }

    /// Sends a command to the board.
    pub(crate) fn ctl(&self, words: &[&str]) -> Ended {
        self.rig
            .oceanrig(&[&["virtual-board", "ctl", "port.ctl"], words].concat())
    }

    /// Lock files that are held, and processes of this desk other than the board.
    pub(crate) fn left_behind(&self) -> Vec<String> {
        let mut left = Vec::new();
        let ended = run(&mut self.command(&["boards", "--format", "json"])).exits(0);
        if !ended.stdout.contains("\"free\"") {
            left.push(ended.stdout);
        }
        let here = self.rig.path("").canonicalize().unwrap();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Ok(cwd) = fs::read_link(entry.path().join("cwd")) else {
                continue;
            };
            let pid = entry.file_name().into_string().unwrap();
            if cwd == here && pid != self.board.id().to_string() {
                left.push(format!("process {pid}"));
            }
        }
        left
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.rig.path(name)
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = self.board.kill();
        let _ = self.board.wait();
    }
}

/// A run that goes on.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let mut stdout = String::new();
        let mut out = self.0.stdout.take().unwrap();
        std::io::Read::read_to_string(&mut out, &mut stdout).unwrap();
        Ended {
            code: self.0.wait().unwrap().code(),
            stdout,
            stderr: String::new(),
        }
    }
}
