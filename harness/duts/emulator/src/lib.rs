//! The built-in emulator as the device under test: an ESP32-C3 in virtual time.
//!
//! | file | what |
//! |---|---|
//! | `emulator` | the chip as a [`dut::Dut`] |
//! | `source` | the factory and the source |

mod emulator;
mod source;

pub use emulator::{Emulator, EmulatorConfig, EmulatorError, Image, ImageError};
pub use source::EmulatorFactory;
