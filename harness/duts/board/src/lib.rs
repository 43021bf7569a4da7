//! A board on a serial port as the device under test.
//!
//! [`Boards`] reads `boards.toml`; [`Board::claim`] finds a board and locks it; [`Board::flash`] writes a
//! [`FlashPlan`] to the chip; [`Board::start`] resets it and returns a [`SerialBoard`], which implements
//! [`dut::Dut`] in wall time. Every failure is a [`BoardError`] with a [`vocabulary::Trouble`] for the
//! verdict and an action for the user ([`BoardError::help`]). The user's guide is `docs/boards.md`.
//!
//! This crate is a driver: it uses clocks, threads, files and ports.

mod access_point;
mod board;
mod boards;
mod boards_toml;
mod clock;
mod command;
mod config;
mod console;
mod error;
mod flash;
mod flash_plan;
mod guard;
mod holder;
mod line;
mod lock;
mod mac;
mod ports;
#[cfg(feature = "probe-rs")]
mod probe;
#[cfg(not(feature = "probe-rs"))]
#[path = "no_probe.rs"]
mod probe;
mod reset;
mod serial_board;
mod source;
mod watch;

pub use access_point::AccessPoint;
pub use board::Board;
pub use boards::{Boards, ConfigError, FILE_NAME};
pub use clock::HostClock;
pub use command::{CommandError, run as run_command};
pub use config::{
    AccessPointControl, After, Argv, Before, BoardConfig, Commands, Console, ProbeSelector, Secret,
};
pub use console::Waker;
pub use error::{BoardError, PortUser};
pub use flash::{ChipInfo, FlashStep, Flashed, Progress, Unwatched};
pub use flash_plan::{FlashPlan, Part};
pub use holder::Holder;
pub use lock::{BoardLock, DIR_VARIABLE, LockState, state as lock_state};
pub use mac::Mac;
pub use ports::{Port, PortKind, check as check_port, connected, find as find_port, users as port_users};
pub use serial_board::SerialBoard;
pub use source::BoardFactory;
pub use watch::Heard;
