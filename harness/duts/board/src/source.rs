//! Boards, opened by their names in `boards.toml`: claimed and flashed for each run.

use std::cell::Cell;
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use dut::{
    Clock, Dut, DutError, DutFactory, DutOptions, DutSource, Firmware, Listed, Load, Medium, OpenError,
    Prepared, Site, Watch,
};
use vocabulary::Trouble;

use crate::access_point::AccessPoint;
use crate::board::Board;
use crate::boards::{Boards, ConfigError, FILE_NAME};
use crate::clock::HostClock;
use crate::config::BoardConfig;
use crate::error::{BoardError, with_causes};
use crate::flash::{FlashStep, Progress};
use crate::flash_plan::FlashPlan;
use crate::mac::Mac;

/// Factory of boards for `--dut board:NAME`.
#[derive(Clone, Copy, Debug)]
pub struct BoardFactory;

impl DutFactory for BoardFactory {
    fn scheme(&self) -> &'static str {
        "board"
    }

    fn form(&self) -> &'static str {
        "`board:NAME` with a name from boards.toml"
    }

    fn list(&self, options: &DutOptions) -> Result<Vec<Listed>, OpenError> {
        let boards = Boards::find(options.boards.as_deref()).map_err(not_opened)?;
        let listed = |board: &BoardConfig| Listed {
            name: format!("board:{}", board.name),
            what: format!("a board with an {}", board.chip),
        };
        Ok(boards.iter().flat_map(Boards::iter).map(listed).collect())
    }

    fn open(&self, name: Option<&str>, options: &DutOptions) -> Result<Box<dyn DutSource>, OpenError> {
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return Err(OpenError {
                message: format!("`board` lacks the name of a board: {}", self.form()),
                help: Some("`oceanrig boards` lists the declared ones".to_owned()),
            });
        };
        let boards = Boards::find(options.boards.as_deref()).and_then(|found| match found {
            Some(boards) => Ok(boards),
            // The message for a file that is not there.
            None => Boards::load(Path::new(FILE_NAME)),
        });
        let boards = boards.map_err(not_opened)?;
        let config = boards.get(name).map_err(not_opened)?.clone();
        Ok(Box::new(BoardSource {
            name: format!("board:{name}"),
            config,
            claimed: Mutex::new(None),
        }))
    }
}

fn not_opened(error: ConfigError) -> OpenError {
    OpenError {
        help: Some(error.help()),
        message: with_causes(&error),
    }
}

/// A declared board.
struct BoardSource {
    name: String,
    config: BoardConfig,
    /// The board, while this process has it: from the first run to the last.
    claimed: Mutex<Option<Board>>,
}

impl fmt::Debug for BoardSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoardSource")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl BoardSource {
    fn claim(&self, watch: &mut dyn Watch) -> Result<MutexGuard<'_, Option<Board>>, DutError> {
        let mut claimed = self.claimed.lock().unwrap_or_else(|e| e.into_inner());
        if claimed.is_none() {
            let board = Board::claim(&self.config)?;
            if let Some(holder) = board.took_over() {
                watch.remark(&format!(
                    "{}: took over the lock of a process that is gone: {holder}",
                    self.name
                ));
            }
            *claimed = Some(board);
        }
        Ok(claimed)
    }
}

impl DutSource for BoardSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn clock(&self) -> Clock {
        Clock::Wall
    }

    fn medium(&self) -> Medium {
        Medium::HostSockets
    }

    fn width(&self) -> Option<usize> {
        Some(1)
    }

    fn site(&self) -> Result<Site, DutError> {
        let config = &self.config;
        let Some(host) = config.host else {
            return Err(DutError::Backend {
                trouble: Trouble::Bench,
                help: Some(format!(
                    "add `host = \"ADDRESS\"` to [board.{}]: this machine's address in the network of `ssid`",
                    config.name
                )),
                source: format!(
                    "boards.toml does not say under which address {} reaches this machine",
                    self.name
                )
                .into(),
            });
        };
        let network = config.ssid.as_ref().map(|ssid| {
            let password = config.password.as_ref().map_or("", |p| p.reveal());
            (ssid.clone(), password.to_owned())
        });
        let access_point = config.access_point.clone().map(|control| {
            let controlled = Controlled(AccessPoint::new(control));
            Box::new(controlled) as Box<dyn dut::AccessPoint>
        });
        Ok(Site {
            listen: config.listen.unwrap_or(host),
            host,
            cloud_port: config.cloud_port,
            ntp_port: config.ntp_port,
            dns_port: config.dns.then_some(config.dns_port),
            network,
            access_point,
            power: config.commands.power_off.is_some() && config.commands.power_on.is_some(),
            fixtures: config.fixtures.iter().cloned().collect(),
        })
    }

    fn tolerance(&self) -> std::time::Duration {
        self.config.tolerance
    }

    fn secrets(&self) -> Vec<(&'static str, String)> {
        let password = self.config.password.as_ref();
        password
            .map(|password| ("wifi-password", password.reveal().to_owned()))
            .into_iter()
            .collect()
    }

    fn takes_firmware(&self) -> bool {
        true
    }

    fn check(&self, _: Firmware<'_>) -> Result<(), DutError> {
        // The chip decides, when it is flashed.
        Ok(())
    }

    fn prepare<'a>(
        &'a self,
        load: &Load<'_>,
        watch: &mut dyn Watch,
    ) -> Result<Box<dyn Prepared + 'a>, DutError> {
        let mut claimed = self.claim(watch)?;
        let plan = FlashPlan::new(load.firmware.file, load.flash)?;
        let mut watched = Flashing {
            watch,
            part: String::new(),
            go_on: Cell::new(true),
        };
        let board = claimed.as_mut().expect("claimed a moment ago");
        let flashed = board.flash(&plan, &mut watched)?;
        Ok(Box::new(Flashed {
            claimed,
            // If the chip's address was not read, the declared one is used.
            mac: flashed.info.mac.or(self.config.mac),
        }))
    }

    fn forget(&self) {
        // A board that was plugged in again may have another port.
        *self.claimed.lock().unwrap_or_else(|e| e.into_inner()) = None;
    }
}

/// A board that waits in download mode.
struct Flashed<'a> {
    claimed: MutexGuard<'a, Option<Board>>,
    mac: Option<Mac>,
}

impl Prepared for Flashed<'_> {
    fn mac(&self) -> Option<[u8; 6]> {
        self.mac.map(|mac| mac.0)
    }

    fn start(mut self: Box<Self>, zero: Option<std::time::Instant>) -> Result<Box<dyn Dut>, DutError> {
        let clock = zero.map_or_else(HostClock::start, HostClock::since);
        let board = self.claimed.as_mut().expect("claimed when it was flashed");
        Ok(Box::new(board.start(clock)?))
    }
}

/// The access point of the bench.
struct Controlled(AccessPoint);

fn told(error: BoardError) -> String {
    format!("{}; {}", with_causes(&error), error.help())
}

impl dut::AccessPoint for Controlled {
    fn can_switch(&self) -> bool {
        self.0.can_switch()
    }

    fn can_deauthenticate(&self) -> bool {
        self.0.can_deauthenticate()
    }

    fn set_on(&mut self, on: bool) -> Result<(), String> {
        self.0.switch(on).map_err(told)
    }

    fn deauthenticate(&mut self, station: [u8; 6], reason: u8) -> Result<(), String> {
        self.0
            .deauthenticate(Mac(station), u16::from(reason))
            .map_err(told)
    }
}

/// Passes the progress of flashing to the watcher.
struct Flashing<'a> {
    watch: &'a mut dyn Watch,
    part: String,
    go_on: Cell<bool>,
}

impl Progress for Flashing<'_> {
    fn step(&mut self, step: FlashStep<'_>) {
        let (what, percent) = match step {
            FlashStep::Part { name, .. } => {
                name.clone_into(&mut self.part);
                return;
            }
            FlashStep::Done { bytes, total } => {
                (format!("flashing {}", self.part), bytes * 100 / total.max(1))
            }
            FlashStep::Connecting => ("connecting".to_owned(), 0),
            _ => return,
        };
        let percent = u8::try_from(percent).unwrap_or(100);
        self.go_on
            .set(self.go_on.get() && self.watch.progress(&what, percent));
    }

    fn cancelled(&self) -> bool {
        !self.go_on.get()
    }
}

impl From<BoardError> for DutError {
    fn from(error: BoardError) -> DutError {
        match error {
            BoardError::Cancelled => DutError::Cancelled,
            error => DutError::Backend {
                trouble: error.trouble(),
                help: Some(error.help()),
                source: Box::new(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_failure_and_its_next_step_go_with_it() {
        let vanished = BoardError::PortVanished {
            port: "/dev/ttyACM0".to_owned(),
            during: "running".to_owned(),
        };
        let DutError::Backend {
            trouble,
            help,
            source,
        } = DutError::from(vanished)
        else {
            panic!("another error");
        };
        assert_eq!(trouble, Trouble::PortLost);
        assert!(help.is_some() && source.downcast_ref::<BoardError>().is_some());
        assert!(matches!(
            DutError::from(BoardError::Cancelled),
            DutError::Cancelled
        ));
    }

    #[test]
    fn a_board_needs_a_name() {
        for name in [None, Some("")] {
            let error = BoardFactory.open(name, &DutOptions::default()).unwrap_err();
            assert!(error.to_string().contains("board:NAME"), "{error}");
        }
    }
}
