//! A board made of software: the emulated ESP32-C3 as a serial port (a pseudo-terminal) in wall time.
//!
//! [`Board`] owns the chip, its network and every descriptor. [`Board::run`] is one loop on one thread: it
//! runs the chip up to the present moment, sends the chip's output, and polls until a descriptor or a
//! deadline of the chip wakes it. A chip that sleeps uses almost no processor time.
//!
//! ```text
//!  esptool, espflash, a backend ──pty──▶ UART0 ┐
//!  oceanrig virtual-board ctl ──unix──▶ EN, GPIO, supply ├ chip ◀─air─▶ netsim ◀──▶ sockets of this host
//!  hostapd_cli ──unix datagrams──▶ access point ┘
//! ```
//!
//! This is a driver: it reads clocks and opens sockets. Its runs are not deterministic, as those of real
//! hardware.
#![cfg(unix)]

mod access_point;
mod board;
mod claim;
mod clock;
pub mod control;
mod drive;
mod error;
mod flash_file;
mod hostapd;
mod images;
mod line;
mod options;
mod pty;
mod servers;
mod tcp;
mod udp;

pub use board::Board;
pub use error::BoardError;
pub use options::{Forward, Options, Protocol};
