//! The ESP32-C3 chip model.

pub mod backtrace;
mod calls;
pub mod elf;
pub mod guest;
mod radio;
pub mod rom;
pub mod services;
pub mod symbols;
#[cfg(test)]
mod testing;
