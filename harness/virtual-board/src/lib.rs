//! A board made of software: the emulated ESP32-C3 as a serial port (a pseudo-terminal) in wall time.
//!
//! [`Board`] owns the chip, its network and every descriptor, and [`Board::run`] is one loop on one thread: the chip
//! runs until the present moment, what it said goes out, and the loop sleeps until a descriptor or a deadline of the
//! chip wakes it. A chip that sleeps costs next to nothing.
//!
//! ```text
//!  esptool, espflash, a backend ──pty──▶ UART0 ┐
//!  oceanrig virtual-board ctl ──unix──▶ EN, GPIO, supply ├ chip ◀─air─▶ netsim ◀──▶ sockets of this host
//!  hostapd_cli ──unix datagrams──▶ access point ┘
//! ```
//!
//! This is a driver: it reads clocks and opens sockets. Nothing here repeats to the byte, as nothing on a desk does.
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
