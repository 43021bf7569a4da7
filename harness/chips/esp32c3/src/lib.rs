//! The ESP32-C3 chip model: it runs a firmware's ELF and produces serial bytes, pin levels and network
//! frames.
//!
//! [`Chip`] is the whole chip: an RV32IMC hart ([`rv32`]), memory and peripherals on a bus, and host code in
//! place of the boot ROM ([`rom`]) and of the WiFi driver ([`services`]). It runs in simulated time: one
//! instruction takes one cycle of 6.25 ns, and a hart that waits for an interrupt skips to the next deadline.
//!
//! [`peripherals::BLOCKS`] is the table of all registers that the model knows and of how far each is
//! modelled. An access to any other register is reported ([`Output::Unmodelled`]) with address, width and
//! program counter.

mod backtrace;
mod boot;
mod bus;
mod calls;
mod chip;
mod clock;
mod download;
mod endless;
pub mod guest;
mod output;
pub mod peripherals;
mod radio;
mod registers;
mod reset;
pub mod rom;
mod service_event;
pub mod services;
#[cfg(test)]
mod testing;

pub use chip::{Chip, ChipConfig, ChipError, FLASH_SIZE, Stop};
pub use clock::CPU_HZ;
pub use endless::{Endless, cause_name};
pub use image::{BootError, Firmware};
pub use output::{Exception, Output, Port, Unmodelled, UnmodelledKind};
pub use peripherals::efuse::Revision;
pub use registers::{Class, Register};
pub use reset::{ResetCause, ResetLevel};
