//! The emulator, opened by its name.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use dut::{
    Clock, Dut, DutError, DutFactory, DutOptions, DutSource, Firmware, Listed, Load, Medium, OpenError,
    Prepared, Site, Watch,
};

use crate::{Emulator, EmulatorConfig, Image};

/// Opens `emulator`.
#[derive(Clone, Copy, Debug)]
pub struct EmulatorFactory;

impl DutFactory for EmulatorFactory {
    fn scheme(&self) -> &'static str {
        "emulator"
    }

    fn form(&self) -> &'static str {
        "`emulator`"
    }

    fn list(&self, _: &DutOptions) -> Result<Vec<Listed>, OpenError> {
        Ok(vec![Listed {
            name: "emulator".to_owned(),
            what: "the built-in ESP32-C3, in virtual time".to_owned(),
        }])
    }

    fn open(&self, name: Option<&str>, _: &DutOptions) -> Result<Box<dyn DutSource>, OpenError> {
        match name {
            None => Ok(Box::new(EmulatorSource::default())),
            Some(name) => Err(OpenError {
                message: format!("there is one emulator, and it is called `emulator`, not `emulator:{name}`"),
                help: None,
            }),
        }
    }
}

/// The emulator, and the images that it has read.
#[derive(Debug, Default)]
struct EmulatorSource {
    /// By the SHA-256 of their ELF files, so that each is read once.
    images: Mutex<BTreeMap<String, Image>>,
}

impl EmulatorSource {
    fn image(&self, firmware: Firmware<'_>) -> Result<Image, DutError> {
        let mut images = self.images.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(image) = images.get(firmware.sha256) {
            return Ok(image.clone());
        }
        let image = Image::load(firmware.file).map_err(DutError::backend)?;
        images.insert(firmware.sha256.to_owned(), image.clone());
        Ok(image)
    }
}

impl DutSource for EmulatorSource {
    fn name(&self) -> &str {
        "emulator"
    }

    fn clock(&self) -> Clock {
        Clock::Virtual
    }

    fn medium(&self) -> Medium {
        Medium::Air
    }

    fn width(&self) -> Option<usize> {
        None
    }

    fn site(&self) -> Result<Site, DutError> {
        Err(DutError::Unsupported {
            backend: "the emulator",
            what: "be reached over sockets of the host",
            why: "its network is simulated",
        })
    }

    fn tolerance(&self) -> Duration {
        Duration::ZERO
    }

    fn secrets(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn takes_firmware(&self) -> bool {
        true
    }

    fn check(&self, firmware: Firmware<'_>) -> Result<(), DutError> {
        self.image(firmware).map(|_| ())
    }

    fn prepare<'a>(&'a self, load: &Load<'_>, _: &mut dyn Watch) -> Result<Box<dyn Prepared + 'a>, DutError> {
        let config = EmulatorConfig {
            mac: load.mac,
            flash: load.flash.clone(),
            crystal_ppm: load.crystal_ppm,
            seed: load.seed,
        };
        let emulator = Emulator::new(config, &self.image(load.firmware)?).map_err(DutError::backend)?;
        Ok(Box::new(Ready(emulator)))
    }

    fn forget(&self) {}
}

/// An emulator that has been made and has not run.
struct Ready(Emulator);

impl Prepared for Ready {
    fn mac(&self) -> Option<[u8; 6]> {
        None
    }

    fn start(self: Box<Self>, _: Option<std::time::Instant>) -> Result<Box<dyn Dut>, DutError> {
        Ok(Box::new(self.0))
    }
}
