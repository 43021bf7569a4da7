//! The ESP32-C3 chip model.

pub mod elf;
pub mod guest;
pub mod rom;
pub mod services;
pub mod symbols;
