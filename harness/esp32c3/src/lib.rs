//! The ESP32-C3 chip model.

pub mod guest;
pub mod rom;
pub mod services;
