//! A board on a serial port as the device under test.

use std::time::Duration;

use dut::{Dut, DutError, Observation};
use image::panics::Names;
use sim::Instant;
use sim::air::FromAir;
use vocabulary::SerialPort as ChipConsole;

use crate::clock::HostClock;
use crate::command;
use crate::config::{Argv, BoardConfig, Console as Which};
use crate::console::{Console, Listener, OpenAgain, Sign, Waker};
use crate::error::BoardError;
use crate::line::Lines;
use crate::ports::{Port, PortKind};
use crate::watch::{Heard, Watch};

/// Longest sleep of [`Dut::run_until`] before it checks whether a printed panic is complete.
const LOOK: Duration = Duration::from_millis(250);

/// Greatest time without output after the start of a board.
const BOOT_PATIENCE: Duration = Duration::from_secs(10);
/// Time for which the banner of download mode or a missing application is not yet an error.
const ROM_PATIENCE: Duration = Duration::from_secs(2);
/// Number of first bytes in which garbage means a wrong baud rate; later it may be output of the firmware.
const FIRST_BYTES: u64 = 4096;

/// A running board, in wall time. Dropping it ends its thread and closes the port.
pub struct SerialBoard {
    name: String,
    config: BoardConfig,
    port: Port,
    console: Console,
    which: ChipConsole,
    clock: HostClock,
    watch: Watch,
    seen: Vec<(Instant, Observation)>,
    gone: bool,
    away: bool,
    /// Duration of a disconnection that no reset explains: the device's output in that time is lost.
    hole: Option<Duration>,
    /// The supply was switched, and no byte was received since: the port may be disconnected because of it.
    switched: bool,
}

impl SerialBoard {
    /// Reads an open line without resetting the chip.
    pub(crate) fn listen(
        config: BoardConfig,
        port: Port,
        lines: Lines,
        open_again: OpenAgain,
        clock: HostClock,
        names: Names,
    ) -> SerialBoard {
        let listener = Listener {
            open_again,
            reconnect: config.reconnect,
            clock,
        };
        let which = match (config.console, port.kind) {
            (Some(Which::Uart0), _) => ChipConsole::Uart0,
            (Some(Which::UsbSerialJtag), _) | (None, PortKind::UsbSerialJtag) => ChipConsole::UsbSerialJtag,
            (None, _) => ChipConsole::Uart0,
        };
        SerialBoard {
            name: format!("board:{}", config.name),
            watch: Watch::new(config.baud, names),
            config,
            port,
            console: Console::listen(lines, listener),
            which,
            clock,
            seen: Vec::new(),
            gone: false,
            away: false,
            hole: None,
            switched: false,
        }
    }

    /// Calls `waker` from another thread after each message of the port; then [`Dut::take_observations`]
    /// returns the observations. For event loops that cannot wait in [`Dut::run_until`].
    pub fn set_waker(&self, waker: Waker) {
        self.console.set_waker(waker);
    }

    /// Summary of the output so far, for the verdict on a board that does not start.
    pub fn heard(&mut self) -> Heard {
        self.absorb();
        self.watch.heard()
    }

    /// The error of a board that did not start its firmware in time.
    pub fn no_boot(&mut self, waited: Duration) -> BoardError {
        BoardError::NoBoot {
            waited,
            heard: self.heard(),
        }
    }

    /// True while the port is disconnected.
    pub fn is_away(&self) -> bool {
        self.away
    }

    /// The error, if the port was disconnected for too long, or if output was lost in a disconnection.
    pub fn lost(&self) -> Option<BoardError> {
        let during = match self.hole {
            Some(gap) => format!(
                "running, and came back after {}.{} s; what the device said meanwhile is lost, and so is a verdict",
                gap.as_secs(),
                gap.subsec_millis() / 100
            ),
            None if self.gone => format!(
                "running, and did not come back within {} s",
                self.config.reconnect.as_secs()
            ),
            None => return None,
        };
        Some(self.vanished(&during))
    }

    /// Resets the chip; the next banner counts as caused by this reset.
    pub(crate) fn start_over(&mut self) -> Result<(), BoardError> {
        self.watch.expect_reset();
        match &self.config.commands.reset {
            Some(argv) => self.command("reset", &argv.clone()),
            None if self.port.can_reset(self.config.after) => {
                match self.console.with_line(|line| line.reset()) {
                    Some(Ok(())) => Ok(()),
                    Some(Err(e)) => Err(BoardError::Port {
                        port: self.port.name.clone(),
                        what: "reset the chip",
                        why: e.to_string(),
                    }),
                    None => Err(self.vanished("being reset")),
                }
            }
            None => Err(BoardError::Port {
                port: self.port.name.clone(),
                what: "reset the chip",
                why: "it has no modem lines, or `after = \"no-reset\"`, and `commands.reset` is not declared"
                    .to_owned(),
            }),
        }
    }

    fn command(&self, name: &str, argv: &Argv) -> Result<(), BoardError> {
        let values = [
            ("port", self.port.name.as_str()),
            ("name", self.config.name.as_str()),
        ];
        command::run(name, argv, &values, self.config.commands.timeout)?;
        Ok(())
    }

    fn vanished(&self, during: &str) -> BoardError {
        BoardError::PortVanished {
            port: self.port.name.clone(),
            during: during.to_owned(),
        }
    }

    /// Processes all waiting messages of the port.
    fn absorb(&mut self) {
        while let Some((at, sign)) = self.console.try_next() {
            self.sign(at, sign);
        }
        self.watch.quiet(self.clock.now(), &mut self.seen);
    }

    fn sign(&mut self, at: Instant, sign: Sign) {
        match sign {
            Sign::Bytes(bytes) => {
                self.switched = false;
                let port = self.which;
                // Observations from a line follow right after its bytes, before those of the next line.
                for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                    let mut meant = Vec::new();
                    self.watch.read(at, line, &mut meant);
                    let bytes = line.to_owned();
                    self.seen.push((at, Observation::Serial { port, bytes }));
                    self.seen.append(&mut meant);
                }
            }
            Sign::Lost => {
                self.away = true;
                self.seen.push((at, Observation::PortLost));
            }
            Sign::Back(gap) => {
                self.away = false;
                // The chip's own USB controller is disconnected at every reset; a bridge is not.
                if self.port.kind != PortKind::UsbSerialJtag && !self.switched {
                    self.hole = Some(gap);
                }
                self.seen.push((at, Observation::PortBack { gap }));
            }
            Sign::Gone => self.gone = true,
        }
    }
}

fn unsupported<T>(what: &'static str, why: &'static str) -> Result<T, DutError> {
    Err(DutError::Unsupported {
        backend: "a board",
        what,
        why,
    })
}

fn failed(error: BoardError) -> DutError {
    DutError::from(error)
}

impl Dut for SerialBoard {
    fn backend(&self) -> &str {
        &self.name
    }

    fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Waits until `until`, or until there are observations. Does not wait if `until` is past.
    ///
    /// # Errors
    /// [`BoardError::PortVanished`] after the port was disconnected for too long and all observations were
    /// taken.
    fn run_until(&mut self, until: Instant) -> Result<(), DutError> {
        loop {
            self.absorb();
            if !self.seen.is_empty() {
                return Ok(());
            }
            if let Some(error) = self.lost() {
                return Err(failed(error));
            }
            let left = self.clock.until(until);
            if left.is_zero() {
                return Ok(());
            }
            if let Some((at, sign)) = self.console.next(left.min(LOOK)) {
                self.sign(at, sign);
            }
        }
    }

    fn take_observations(&mut self, out: &mut Vec<(Instant, Observation)>) {
        self.absorb();
        out.append(&mut self.seen);
    }

    fn serial_input(&mut self, bytes: &[u8]) -> Result<(), DutError> {
        match self.console.with_line(|line| line.write(bytes)) {
            Some(Ok(())) => Ok(()),
            Some(Err(e)) => Err(failed(BoardError::Port {
                port: self.port.name.clone(),
                what: "type into the console",
                why: e.to_string(),
            })),
            None => Err(failed(self.vanished("typing into the console"))),
        }
    }

    fn set_pin(&mut self, _: u8, _: Option<bool>) -> Result<(), DutError> {
        unsupported("drive a pin", "nothing is wired to it that oceanrig controls")
    }

    fn air(&mut self, _: FromAir) -> Result<(), DutError> {
        unsupported(
            "take a message from the air",
            "its radio is real; the access point's faults do that",
        )
    }

    fn reset(&mut self) -> Result<(), DutError> {
        self.start_over().map_err(failed)
    }

    fn set_power(&mut self, on: bool) -> Result<(), DutError> {
        let commands = &self.config.commands;
        let (name, argv) = if on {
            ("power-on", &commands.power_on)
        } else {
            ("power-off", &commands.power_off)
        };
        let Some(argv) = argv.clone() else {
            return unsupported(
                "switch its supply",
                "boards.toml declares no `commands.power-off` and `commands.power-on`",
            );
        };
        self.switched = true;
        // Until the supply is switched on again, the port may stay disconnected.
        self.console.set_power(false);
        let done = self.command(name, &argv).map_err(failed);
        self.console.set_power(on || done.is_err());
        done
    }

    fn not_running(&mut self, waited: Duration) -> Option<DutError> {
        let heard = self.heard();
        let silent = heard.bytes == 0 && waited >= BOOT_PATIENCE && !self.away;
        let garbage = heard.garbage && heard.bytes <= FIRST_BYTES;
        let elsewhere = (heard.in_download_mode || heard.no_application) && waited >= ROM_PATIENCE;
        (silent || garbage || elsewhere || heard.boot_loop).then(|| failed(self.no_boot(waited)))
    }

    fn instructions(&self) -> u64 {
        0
    }

    fn unmodelled(&self) -> u64 {
        0
    }
}
