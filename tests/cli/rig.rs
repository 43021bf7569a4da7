//! A directory of scenario files and the binary that runs in it.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flate2::read::GzDecoder;

/// A scenario that passes in five virtual seconds.
pub(crate) const PASSES: &str = "\
name: Registers
version: 1
bench: {duration: 5s}
expect:
  - name: registers
    serial: \"[REG] Registered\"
";

/// The same with a spelling mistake in what it waits for.
pub(crate) const FAILS: &str = "\
name: Misspelt
version: 1
bench: {duration: 5s}
expect:
  - name: registers
    serial: \"[REG] Registerd\"
";

/// A scenario that takes seconds of wall time: it can be stopped in the middle.
pub(crate) const LONG: &str = "\
name: Long
version: 1
bench: {duration: 1000h, instruction-budget: 1000G}
expect:
  - name: registers
    serial: \"[REG] Registered\"
";

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Asserts the exit code, and shows everything when it is another.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Ended {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Asserts that stdout holds each of `parts`, in this order.
    #[track_caller]
    pub(crate) fn prints(self, parts: &[&str]) -> Ended {
        in_order(&self.stdout, parts);
        self
    }

    /// Asserts that stderr holds each of `parts`, in this order.
    #[track_caller]
    pub(crate) fn tells(self, parts: &[&str]) -> Ended {
        in_order(&self.stderr, parts);
        self
    }
}

#[track_caller]
fn in_order(text: &str, parts: &[&str]) {
    let mut from = 0;
    for part in parts {
        match text[from..].find(part) {
            Some(at) => from += at + part.len(),
            None => panic!("`{part}` is missing, or not in its place, in\n{text}"),
        }
    }
}

/// A directory of its own.
pub(crate) struct Rig(tempfile::TempDir);

impl Rig {
    pub(crate) fn new() -> Rig {
        Rig(tempfile::tempdir().unwrap())
    }

    /// A directory with these scenario files.
    pub(crate) fn with(files: &[(&str, &str)]) -> Rig {
        let rig = Rig::new();
        for (name, text) in files {
            rig.write(name, text.as_bytes());
        }
        rig
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// The command, to be changed and started; neither the terminal nor the environment of the caller matters.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_oceanrig"));
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "GITHUB_STEP_SUMMARY"] {
            command.env_remove(name);
        }
        command
            .env("TERM", "xterm-256color")
            .current_dir(self.0.path())
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the command to its end.
    pub(crate) fn oceanrig(&self, args: &[&str]) -> Ended {
        run(&mut self.command(args))
    }
}

/// Runs `command` to its end.
pub(crate) fn run(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A file of `fixtures/`, decompressed.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    let mut elf = Vec::new();
    GzDecoder::new(fs::File::open(path).unwrap())
        .read_to_end(&mut elf)
        .unwrap();
    elf
}
