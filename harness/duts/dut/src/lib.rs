//! The device under test: the traits that every backend implements, and nothing of any backend.
//!
//! | file | what |
//! |---|---|
//! | `dut` | [`Dut`]: a device that runs |
//! | `source` | [`DutFactory`] and [`DutSource`]: devices opened by name, prepared and started for each run |
//! | `site` | [`Site`]: what stands around a device in wall time |
//!
//! A backend is one folder: a factory, its source and its device, and a row in the command line's table of factories.

mod dut;
mod site;
mod source;

pub use dut::{Dut, DutError, Observation};
pub use image::{
    FLASH_SIZE, FlashError, FlashImage, Partition as FlashPartition, Provisioning, ProvisioningError,
};
pub use site::{AccessPoint, Site};
pub use source::{
    Clock, DutFactory, DutOptions, DutSource, Firmware, Listed, Load, Medium, OpenError, Prepared, Watch,
};
