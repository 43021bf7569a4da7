//! The temperature: the chip's own sensor.

use core::fmt;

use esp_hal::peripherals::TSENS;
use esp_hal::tsens::{Config, TemperatureSensor};
use esp_println::println;

/// What is reported while the sensor gives no reading.
const FALLBACK: Temperature = Temperature { tenths: 224 };

/// Degrees Celsius in tenths.
#[derive(Clone, Copy, Debug)]
pub struct Temperature {
    tenths: i32,
}

impl fmt::Display for Temperature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.tenths < 0 { "-" } else { "" };
        write!(f, "{sign}{}.{}", self.tenths.abs() / 10, self.tenths.abs() % 10)
    }
}

/// The sensor, if the chip lets us have it.
pub struct Sensor {
    driver: Option<TemperatureSensor<'static>>,
    complained: bool,
}

impl Sensor {
    /// Switches the sensor on; it settles long before the first report.
    pub fn new(peripheral: TSENS<'static>) -> Self {
        Self {
            driver: TemperatureSensor::new(peripheral, Config::default()).ok(),
            complained: false,
        }
    }

    /// The temperature now.
    pub fn read(&mut self) -> Temperature {
        // The converter's 0 is below its range: it is not running.
        let reading = self.driver.as_ref().map(TemperatureSensor::get_temperature);
        match reading.filter(|reading| reading.raw_value != 0) {
            Some(reading) => {
                // Technical reference manual, chapter "On-Chip Sensors": T = 0.4386·raw − 27.88·offset − 20.52,
                // in ten-thousandths and then rounded to tenths.
                let raw = i32::from(reading.raw_value) * 4_386;
                let degrees_e4 = raw - i32::from(reading.offset) * 278_800 - 205_200;
                Temperature {
                    tenths: (degrees_e4 + degrees_e4.signum() * 500) / 1_000,
                }
            }
            None => {
                if !self.complained {
                    println!("[SENSOR] No reading, {FALLBACK}C is reported instead");
                    self.complained = true;
                }
                FALLBACK
            }
        }
    }
}
