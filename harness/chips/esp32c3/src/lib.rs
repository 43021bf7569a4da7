//! The ESP32-C3 chip model: a firmware's ELF goes in, serial bytes, pin levels and network frames come out.
//!
//! [`Chip`] is the whole: an RV32IMC hart ([`rv32`]), memory and peripherals behind a bus, and host code in place of
//! the boot ROM ([`rom`]) and of the WiFi driver ([`services`]). It runs in virtual time: one instruction takes one
//! cycle of 6.25 ns, and a hart that waits for an interrupt jumps to the next deadline.
//!
//! What is modelled is a table: [`peripherals::BLOCKS`] names every register and how far the model goes. An access
//! to anything else is reported ([`Output::Unmodelled`]) with address, width and place in the program.

mod backtrace;
mod boot;
mod bus;
mod calls;
mod chip;
mod clock;
mod download;
pub mod guest;
mod output;
pub mod peripherals;
mod radio;
mod registers;
mod reset;
pub mod rom;
pub mod services;
#[cfg(test)]
mod testing;

pub use chip::{Chip, ChipConfig, ChipError, Endless, FLASH_SIZE, Stop, cause_name};
pub use clock::CPU_HZ;
pub use image::{BootError, Firmware};
pub use output::{Exception, Output, Port, Unmodelled, UnmodelledKind};
pub use peripherals::efuse::Revision;
pub use registers::{Class, Register};
pub use reset::{ResetCause, ResetLevel};
