//! A claimed board: found, locked, and ready to be flashed and started.

use std::str::FromStr as _;

use espflash::connection::Connection;
use espflash::target::Chip;
use image::panics::Names;
use serialport::SerialPort as _;

use crate::clock::HostClock;
use crate::config::BoardConfig;
use crate::console::OpenAgain;
use crate::error::BoardError;
use crate::flash::{self, ChipInfo, Flashed, Progress};
use crate::flash_plan::FlashPlan;
use crate::guard::guarded;
use crate::holder::Holder;
use crate::line::{Lines, SerialLine};
use crate::lock::BoardLock;
use crate::ports::{self, Port, PortKind};
use crate::probe;
use crate::serial_board::SerialBoard;

/// A board that this process has locked. Dropping it releases the lock.
pub struct Board {
    config: BoardConfig,
    port: Port,
    lock: BoardLock,
    /// The open connection to a chip in download mode.
    in_download: Option<Connection>,
    names: Names,
}

impl Board {
    /// Finds the board, takes its lock and checks that no other process has the port open.
    ///
    /// # Errors
    /// [`BoardError::NotConnected`], [`BoardError::NoPermission`], [`BoardError::Busy`], [`BoardError::PortInUse`],
    /// [`BoardError::Disk`].
    pub fn claim(config: &BoardConfig) -> Result<Board, BoardError> {
        let port = ports::find(config)?;
        let lock = BoardLock::take(&port.name, &port.lock_keys(config.mac))?;
        ports::check(&port)?;
        Ok(Board {
            config: config.clone(),
            port,
            lock,
            in_download: None,
            names: Names::default(),
        })
    }

    /// Configuration of the board.
    pub fn config(&self) -> &BoardConfig {
        &self.config
    }

    /// Port of the board.
    pub fn port(&self) -> &Port {
        &self.port
    }

    /// The holder of a stale lock that was replaced, because its process is gone.
    pub fn took_over(&self) -> Option<&Holder> {
        self.lock.stale()
    }

    /// Writes the parts of `plan` that differ to the chip. After it the chip stays in download mode until
    /// [`Board::start`].
    ///
    /// # Errors
    /// The errors of flashing, of `commands.download`, and of the port.
    pub fn flash(&mut self, plan: &FlashPlan, progress: &mut dyn Progress) -> Result<Flashed, BoardError> {
        self.in_download = None;
        let parts = plan.build(&self.config.chip)?;
        self.find_port_again()?;
        if let Some(selector) = &self.config.probe {
            let flashed = probe::flash(&self.config, selector, &parts, progress)?;
            self.names = plan.names(&self.config.chip);
            return Ok(flashed);
        }
        let (flashed, connection) = flash::flash(&self.config, &self.port, &parts, progress)?;
        self.in_download = Some(connection);
        self.names = plan.names(&self.config.chip);
        Ok(flashed)
    }

    /// Reads the properties of the chip, which resets it, and starts its firmware again.
    ///
    /// # Errors
    /// As [`Board::flash`].
    pub fn identify(&mut self) -> Result<ChipInfo, BoardError> {
        self.in_download = None;
        self.find_port_again()?;
        if let Some(selector) = &self.config.probe {
            return probe::identify(&self.config, selector);
        }
        let (info, connection) = flash::identify(&self.config, &self.port)?;
        self.in_download = Some(connection);
        self.start(HostClock::start())?;
        Ok(info)
    }

    /// Resets the chip and reads its console from the first byte on; times count from the start of `clock`.
    ///
    /// # Errors
    /// If the port cannot be opened, or the chip cannot be reset.
    pub fn start(&mut self, clock: HostClock) -> Result<SerialBoard, BoardError> {
        let (lines, open_again) = if self.port.kind == PortKind::Probe {
            probe::lines(&self.config, &self.port, self.names.symbols())?
        } else {
            self.open_console()?
        };
        let mut board = SerialBoard::listen(
            self.config.clone(),
            self.port.clone(),
            lines,
            open_again,
            clock,
            self.names.clone(),
        );
        if self.has_reset() {
            board.start_over()?;
        }
        Ok(board)
    }

    /// Opens the port of the console; a chip that cannot be reset in another way is started by its watchdog.
    fn open_console(&mut self) -> Result<(Lines, OpenAgain), BoardError> {
        let mut native = match self.in_download.take() {
            Some(mut connection) => {
                if !self.has_reset() {
                    reset_by_watchdog(&mut connection, &self.config, &self.port)?;
                }
                connection.into_serial()
            }
            None if self.has_reset() => {
                self.find_port_again()?;
                flash::open_native(&self.port, self.config.baud)?
            }
            None => {
                return Err(BoardError::Port {
                    port: self.port.name.clone(),
                    what: "start the firmware",
                    why: "it has no modem lines, `commands.reset` is not declared, and the chip was not flashed just now"
                        .to_owned(),
                });
            }
        };
        native
            .set_baud_rate(self.config.baud)
            .map_err(|e| self.refused("set the baud rate", &e))?;
        let lines = SerialLine::pair(Box::new(native), self.port.kind)
            .map_err(|e| self.refused("listen to it", &e))?;
        let (place, baud) = (self.port.clone(), self.config.baud);
        Ok((lines, Box::new(move || SerialLine::open_again(&place, baud))))
    }

    /// True if the chip can be reset while its firmware runs.
    fn has_reset(&self) -> bool {
        self.config.commands.reset.is_some() || self.port.can_reset(self.config.after)
    }

    /// Finds the port again: a USB device may have another number since the last time.
    fn find_port_again(&mut self) -> Result<(), BoardError> {
        self.port = ports::find(&self.config).map_err(|error| match error {
            // The port existed when the board was claimed.
            BoardError::NotConnected { .. } => BoardError::PortVanished {
                port: self.port.name.clone(),
                during: "nothing was done with it".to_owned(),
            },
            other => other,
        })?;
        Ok(())
    }

    fn refused(&self, what: &'static str, error: &serialport::Error) -> BoardError {
        BoardError::Port {
            port: self.port.name.clone(),
            what,
            why: error.to_string(),
        }
    }
}

/// Makes the loader start the RTC watchdog, whose reset samples the straps again: after a software reset
/// alone the chip would be in download mode again (ESP32-C3 TRM, chapter "Chip Boot Control").
fn reset_by_watchdog(
    connection: &mut Connection,
    config: &BoardConfig,
    port: &Port,
) -> Result<(), BoardError> {
    let refused = |why: String| BoardError::Port {
        port: port.name.clone(),
        what: "start the firmware by the watchdog",
        why,
    };
    let chip = Chip::from_str(&config.chip).map_err(|e| refused(e.to_string()))?;
    let done = guarded("espflash", "starting the firmware", || {
        chip.rtc_wdt_reset(connection)
    })?;
    match done.map_err(|e| crate::error::with_causes(&e)) {
        Ok(()) => Ok(()),
        // The chip was reset before it sent its answer.
        Err(why) if why.contains("Timeout") => Ok(()),
        Err(why) => Err(refused(why)),
    }
}
