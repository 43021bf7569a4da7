//! The program as a device.

use std::process::ExitStatus;
use std::time::Duration;

use dut::{Dut, DutError, Observation};
use sim::Instant;
use sim::air::FromAir;
use vocabulary::{SerialPort, Trouble};

use crate::child::Running;
use crate::clock::monotonic;

/// A program that fails within this time of its first start was not started as it should be.
const AT_ONCE: Duration = Duration::from_secs(1);
/// How much of the console is kept for that message, bytes.
const MOST_SAID: usize = 2048;

/// A program that is the device.
pub(crate) struct ProcessDut {
    name: String,
    words: Vec<String>,
    variables: Vec<(String, String)>,
    zero: std::time::Instant,
    running: Option<Running>,
    /// The end of the program that runs was told.
    told: bool,
    /// It ended so within [`AT_ONCE`] of the first start.
    failed_at_once: Option<ExitStatus>,
    said: Vec<u8>,
    starts: u32,
    seen: Vec<(Instant, Observation)>,
}

impl ProcessDut {
    /// Starts the program.
    pub(crate) fn start(
        name: &str,
        words: &[String],
        variables: Vec<(String, String)>,
        zero: std::time::Instant,
    ) -> Result<ProcessDut, DutError> {
        let mut device = ProcessDut {
            name: name.to_owned(),
            words: words.to_vec(),
            variables,
            zero,
            running: None,
            told: false,
            failed_at_once: None,
            said: Vec::new(),
            starts: 0,
            seen: Vec::new(),
        };
        device.launch()?;
        Ok(device)
    }

    fn launch(&mut self) -> Result<(), DutError> {
        // The earlier one ends first: it holds ports and files.
        self.running = None;
        let running = Running::start(&self.words, &self.variables);
        self.running = Some(running.map_err(|error| not_started(&self.words[0], &error))?);
        self.told = false;
        self.starts += 1;
        Ok(())
    }

    /// Takes what the program has printed, and its end.
    fn absorb(&mut self) {
        let now = self.now();
        let Some(running) = &mut self.running else { return };
        while let Some(bytes) = running.output() {
            self.said.extend(&bytes);
            let extra = self.said.len().saturating_sub(MOST_SAID);
            self.said.drain(..extra);
            let port = SerialPort::Uart0;
            self.seen.push((now, Observation::Serial { port, bytes }));
        }
        if let Some(status) = running.ended().filter(|_| !self.told) {
            self.told = true;
            if self.starts == 1 && !status.success() && now.since(Instant::ZERO) < AT_ONCE {
                self.failed_at_once = Some(status);
            }
            let (code, signal) = (status.code(), signal_of(status));
            self.seen.push((now, Observation::Exited { code, signal }));
        }
    }
}

/// Why the program cannot be started.
fn not_started(program: &str, error: &std::io::Error) -> DutError {
    let help = match error.kind() {
        std::io::ErrorKind::NotFound => format!("check the path of `{program}`, or that it is in PATH"),
        std::io::ErrorKind::PermissionDenied => format!("make it executable: chmod +x {program}"),
        _ => format!("run `{program}` by hand"),
    };
    DutError::Backend {
        trouble: Trouble::NoBoot,
        help: Some(help),
        source: format!("the program `{program}` cannot be started: {error}").into(),
    }
}

#[cfg(unix)]
fn signal_of(status: ExitStatus) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt as _;
    status.signal()
}

#[cfg(not(unix))]
fn signal_of(_: ExitStatus) -> Option<i32> {
    None
}

impl Dut for ProcessDut {
    fn backend(&self) -> &str {
        &self.name
    }

    fn now(&self) -> Instant {
        Instant::ZERO + monotonic().saturating_duration_since(self.zero)
    }

    fn run_until(&mut self, _: Instant) -> Result<(), DutError> {
        self.absorb();
        Ok(())
    }

    fn take_observations(&mut self, out: &mut Vec<(Instant, Observation)>) {
        self.absorb();
        out.append(&mut self.seen);
    }

    fn serial_input(&mut self, bytes: &[u8]) -> Result<(), DutError> {
        if let Some(running) = &mut self.running {
            running.input(bytes);
        }
        Ok(())
    }

    fn set_pin(&mut self, _: u8, _: Option<bool>) -> Result<(), DutError> {
        Err(unsupported("drive a pin", "a program has none"))
    }

    fn air(&mut self, _: FromAir) -> Result<(), DutError> {
        Err(unsupported(
            "take a message from the air",
            "a program has no radio",
        ))
    }

    fn reset(&mut self) -> Result<(), DutError> {
        self.launch()
    }

    fn set_power(&mut self, on: bool) -> Result<(), DutError> {
        if on {
            return self.launch();
        }
        if let Some(running) = &mut self.running {
            running.kill();
        }
        self.absorb();
        // The caller cut the power, so the end of the program is not told too.
        self.seen
            .retain(|(_, seen)| !matches!(seen, Observation::Exited { .. }));
        self.told = true;
        Ok(())
    }

    fn not_running(&mut self, _: Duration) -> Option<DutError> {
        let status = self.failed_at_once?;
        let said = String::from_utf8_lossy(&self.said);
        let said = match said.trim() {
            "" => "it printed nothing".to_owned(),
            text => format!("it printed: {text}"),
        };
        Some(DutError::Backend {
            trouble: Trouble::NoBoot,
            help: Some("run it by hand; docs/process.md says what is in its environment".to_owned()),
            source: format!(
                "the program `{}` ended at once ({status}); {said}",
                self.words.join(" ")
            )
            .into(),
        })
    }

    fn instructions(&self) -> u64 {
        0
    }

    fn unmodelled(&self) -> u64 {
        0
    }
}

fn unsupported(what: &'static str, why: &'static str) -> DutError {
    DutError::Unsupported {
        backend: "a program",
        what,
        why,
    }
}
