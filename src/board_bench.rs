//! Scenarios on a board: claimed, flashed, started, judged in wall time.

use std::cell::Cell;
use std::fmt;
use std::path::Path;
use std::sync::Mutex;

use bench::{Abilities, Progress, RunError, RunRecord, Site, WallBench, impossible};
use board::{Board, BoardConfig, BoardError, Boards, FlashPlan, FlashStep, HostClock, Mac};
use dut::{Dut, DutError};
use report::redact::Rules;
use scenario::Pace;
use vocabulary::Trouble;

use crate::backend::{Stop, Task};
use crate::cli::RunArgs;
use crate::error::{CliError, with_causes};
use crate::output;

/// A board and what stands around it.
pub(crate) struct BoardBench {
    name: String,
    config: BoardConfig,
    pub(crate) pace: Pace,
    /// The board, while it is ours: from the first scenario to the last.
    claimed: Mutex<Option<Board>>,
}

impl fmt::Debug for BoardBench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoardBench")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl BoardBench {
    /// The board called `name`; nothing is touched yet.
    ///
    /// # Errors
    /// When `boards.toml` is not valid or has no such board.
    pub(crate) fn find(name: &str, args: &RunArgs) -> Result<BoardBench, CliError> {
        let boards = Boards::find(args.boards.as_deref())
            .and_then(|found| match found {
                Some(boards) => Ok(boards),
                // The message for a file that is not there.
                None => Boards::load(Path::new(board::FILE_NAME)),
            })
            .map_err(CliError::Boards)?;
        let config = boards.get(name).map_err(CliError::Boards)?.clone();
        Ok(BoardBench {
            name: format!("board:{name}"),
            pace: Pace {
                scale: args.time_scale,
                tolerance: config.tolerance,
            },
            config,
            claimed: Mutex::new(None),
        })
    }

    /// Its name in reports.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// `rules` that also replace what the bench knows and the scenario does not: the password of its network.
    pub(crate) fn hide_in(&self, rules: Rules) -> Rules {
        match &self.config.password {
            Some(password) => rules.with_value("wifi-password", password.reveal()),
            None => rules,
        }
    }

    /// What it can do beside its console and the cloud.
    fn abilities(&self) -> Abilities {
        let access_point = self.config.access_point.clone().map(board::AccessPoint::new);
        let commands = &self.config.commands;
        Abilities {
            access_point: access_point.is_some_and(|ap| ap.can_switch() && ap.can_deauthenticate()),
            power: commands.power_off.is_some() && commands.power_on.is_some(),
            dns: self.config.dns,
            fixtures: self.config.fixtures.iter().cloned().collect(),
        }
    }

    /// Carries `task` out: skipped where the bench cannot do what it needs, and broken where the bench is to blame.
    pub(crate) fn carry_out(&self, task: &Task<'_>, progress: &mut dyn Progress) -> Result<RunRecord, Stop> {
        let lacking = impossible(task.scenario, &self.abilities());
        if !lacking.is_empty() {
            return Err(Stop::Skipped {
                reason: lacking.join("; "),
            });
        }
        let mut claimed = self.claimed.lock().unwrap_or_else(|e| e.into_inner());
        let ended = self.on_the_board(&mut claimed, task, progress);
        if let Err(Stop::Broken { .. }) = &ended {
            // It is looked for anew by the next attempt: a board that was plugged in again may have another port.
            *claimed = None;
        }
        ended
    }

    fn on_the_board(
        &self,
        claimed: &mut Option<Board>,
        task: &Task<'_>,
        progress: &mut dyn Progress,
    ) -> Result<RunRecord, Stop> {
        let site = self.site()?;
        let board = match claimed {
            Some(board) => board,
            None => {
                let board = Board::claim(&self.config).map_err(|e| broken(&e))?;
                if let Some(holder) = board.took_over() {
                    output::note(&format!(
                        "{}: took over the lock of a process that is gone: {holder}",
                        self.name
                    ));
                }
                claimed.insert(board)
            }
        };
        let bench = WallBench::open(task.scenario, site).map_err(|e| stopped(&e))?;
        let flash = bench.flash_image(task.limits).map_err(|e| stopped(&e))?;
        let plan = FlashPlan::new(&task.elf.file, &flash).map_err(|e| broken(&e))?;
        let mut watched = Flashing {
            progress,
            part: String::new(),
            go_on: Cell::new(true),
        };
        let flashed = board.flash(&plan, &mut watched).map_err(|e| broken(&e))?;
        // A chip that does not tell its address has the declared one, or the scenario's.
        let mac = flashed.info.mac.or(self.config.mac);
        let mac = mac.map_or(task.scenario.bench.device.mac.0, |mac| mac.0);
        let mut start = |zero| -> Result<Box<dyn Dut>, RunError> {
            let started = board.start(HostClock::since(zero));
            let started = started.map_err(|e| DutError::Backend(Box::new(e)))?;
            Ok(Box::new(started))
        };
        bench
            .run(mac, &mut start, &task.elf.sha256, task.limits, progress)
            .map_err(|e| stopped(&e))
    }

    fn site(&self) -> Result<Site, Stop> {
        let config = &self.config;
        let Some(host) = config.host else {
            return Err(Stop::Broken {
                kind: Trouble::Bench,
                message: format!(
                    "boards.toml does not say under which address {} reaches this machine",
                    self.name
                ),
                next_step: Some(format!(
                    "add `host = \"ADDRESS\"` to [board.{}]: this machine's address in the network of `ssid`",
                    config.name
                )),
            });
        };
        let network = config.ssid.as_ref().map(|ssid| {
            let password = config.password.as_ref().map_or("", |p| p.reveal());
            (ssid.clone(), password.to_owned())
        });
        let access_point = config.access_point.clone().map(|control| {
            let controlled = Controlled(board::AccessPoint::new(control));
            Box::new(controlled) as Box<dyn bench::AccessPoint>
        });
        Ok(Site {
            listen: config.listen.unwrap_or(host),
            host,
            cloud_port: config.cloud_port,
            ntp_port: config.ntp_port,
            dns_port: config.dns.then_some(config.dns_port),
            network,
            access_point,
        })
    }
}

/// The access point of the bench.
struct Controlled(board::AccessPoint);

fn told(error: BoardError) -> String {
    format!("{}; {}", with_causes(&error), error.help())
}

impl bench::AccessPoint for Controlled {
    fn set_on(&mut self, on: bool) -> Result<(), String> {
        self.0.switch(on).map_err(told)
    }

    fn deauthenticate(&mut self, station: [u8; 6], reason: u8) -> Result<(), String> {
        self.0
            .deauthenticate(Mac(station), u16::from(reason))
            .map_err(told)
    }
}

/// Shows how flashing comes along.
struct Flashing<'a> {
    progress: &'a mut dyn Progress,
    part: String,
    go_on: Cell<bool>,
}

impl board::Progress for Flashing<'_> {
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
            .set(self.go_on.get() && self.progress.preparing(&what, percent));
    }

    fn cancelled(&self) -> bool {
        !self.go_on.get()
    }
}

/// What the board says of its failure.
fn broken(error: &BoardError) -> Stop {
    match error {
        BoardError::Cancelled => Stop::Interrupted,
        error => Stop::Broken {
            kind: error.trouble(),
            message: with_causes(error),
            next_step: Some(error.help()),
        },
    }
}

/// What ended a run.
fn stopped(error: &RunError) -> Stop {
    match error {
        RunError::Stopped => Stop::Interrupted,
        RunError::Dut(DutError::Backend(inner)) => match inner.downcast_ref::<BoardError>() {
            Some(error) => broken(error),
            None => Stop::broken(error),
        },
        error => Stop::broken(error),
    }
}

/// The device under test that `--dut` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DutName {
    /// The built-in chip.
    Emulator,
    /// A board of `boards.toml`.
    Board(String),
}

impl std::str::FromStr for DutName {
    type Err = String;

    fn from_str(text: &str) -> Result<DutName, String> {
        match text.split_once(':') {
            None if text == "emulator" => Ok(DutName::Emulator),
            Some(("board", name)) if !name.is_empty() => Ok(DutName::Board(name.to_owned())),
            _ => Err("expected `emulator`, or `board:NAME` with a name from boards.toml".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duts_have_names() {
        assert_eq!("emulator".parse(), Ok(DutName::Emulator));
        assert_eq!("board:desk".parse(), Ok(DutName::Board("desk".to_owned())));
        for wrong in ["board:", "board", "qemu", ""] {
            let error = wrong.parse::<DutName>().unwrap_err();
            assert!(error.contains("board:NAME"), "{wrong}: {error}");
        }
    }

    #[test]
    fn what_a_board_says_decides_the_verdict() {
        let vanished = BoardError::PortVanished {
            port: "/dev/ttyACM0".to_owned(),
            during: "running".to_owned(),
        };
        let error = RunError::Dut(DutError::Backend(Box::new(vanished)));
        let Stop::Broken { kind, next_step, .. } = stopped(&error) else {
            panic!("not broken");
        };
        assert_eq!(kind, Trouble::PortLost);
        assert!(next_step.is_some());
        assert!(matches!(stopped(&RunError::Stopped), Stop::Interrupted));
    }
}
