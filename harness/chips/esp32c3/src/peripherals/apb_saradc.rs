//! SAR ADC and temperature sensor, APB_SARADC (TRM chapter 29, "On-Chip Sensor and Analog Signal Processing").
//!
//! Modelled: one-time samples of both converters, and the temperature sensor. What they measure is set from
//! outside. Scanning by pattern with DMA, thresholds and filters are not.

use crate::peripherals::interrupt_core0::source;
use crate::peripherals::written::Written;
use crate::registers::{Register, RegisterFile, modelled, tagged};

const ONETIME_SAMPLE: u32 = 0x20;
const SAR1DATA_STATUS: u32 = 0x2C;
const SAR2DATA_STATUS: u32 = 0x30;
const INT_ENA: u32 = 0x40;
const INT_RAW: u32 = 0x44;
const INT_ST: u32 = 0x48;
const INT_CLR: u32 = 0x4C;
const TSENS_CTRL: u32 = 0x58;

const ONETIME_START: u32 = 1 << 29;
const SARADC2_ONETIME: u32 = 1 << 30;
const SARADC1_ONETIME: u32 = 1 << 31;
const ADC2_DONE: u32 = 1 << 30;
const ADC1_DONE: u32 = 1 << 31;
const TSENS_PU: u32 = 1 << 22;

pub(crate) const REGISTERS: &[Register] = &[
    tagged(0x000, "CTRL", 0x4003_8240, 0xD883_FFC3),
    tagged(0x004, "CTRL2", 0xA1FE, 0x01FF_F7FF),
    tagged(0x008, "FILTER_CTRL1", 0, 0xFC00_0000),
    tagged(0x00C, "FSM_WAIT", 0x00FF_0808, 0x00FF_FFFF),
    tagged(0x010, "SAR1_STATUS", 0, 0),
    tagged(0x014, "SAR2_STATUS", 0, 0),
    tagged(0x018, "SAR_PATT_TAB1", 0, 0x00FF_FFFF),
    tagged(0x01C, "SAR_PATT_TAB2", 0, 0x00FF_FFFF),
    modelled(ONETIME_SAMPLE, "ONETIME_SAMPLE", 0x1A00_0000, 0xFF80_0000),
    tagged(0x024, "ARB_CTRL", 0x900, 0x1FFC),
    tagged(0x028, "FILTER_CTRL0", 0x0374_0000, 0x83FC_0000),
    modelled(SAR1DATA_STATUS, "SAR1DATA_STATUS", 0, 0),
    modelled(SAR2DATA_STATUS, "SAR2DATA_STATUS", 0, 0),
    tagged(0x034, "THRES0_CTRL", 0x0003_FFED, 0x7FFF_FFEF),
    tagged(0x038, "THRES1_CTRL", 0x0003_FFED, 0x7FFF_FFEF),
    tagged(0x03C, "THRES_CTRL", 0, 0xC800_0000),
    modelled(INT_ENA, "INT_ENA", 0, 0xFC00_0000),
    modelled(INT_RAW, "INT_RAW", 0, 0),
    modelled(INT_ST, "INT_ST", 0, 0),
    modelled(INT_CLR, "INT_CLR", 0, 0),
    tagged(0x050, "DMA_CONF", 0xFF, 0xC000_FFFF),
    tagged(0x054, "CLKM_CONF", 0x4, 0x007F_FFFF),
    modelled(TSENS_CTRL, "TSENS_CTRL", 0x0001_8000, 0x007F_E000),
    tagged(0x05C, "TSENS_CTRL2", 0x4002, 0xFFFF),
    tagged(0x060, "CALI", 0x8000, 0x0001_FFFF),
];

/// The converters and the temperature sensor.
#[derive(Clone, Debug)]
pub(crate) struct ApbSaradc {
    file: RegisterFile,
    temperature_mc: i32,
    /// Raw 12-bit values of ADC1's channels 0 to 4 (GPIO0 to GPIO4) and ADC2's channel 0 (GPIO5).
    samples: [u16; 6],
}

impl ApbSaradc {
    /// Converters and sensor after power-on: 22.4 degrees Celsius, all channels at 0 V.
    pub(crate) fn new() -> ApbSaradc {
        ApbSaradc {
            file: RegisterFile::new(REGISTERS),
            temperature_mc: 22_400,
            samples: [0; 6],
        }
    }

    /// Resets the registers; the measured values stay as they are.
    pub(crate) fn reset(&mut self) {
        self.file.reset();
    }

    pub(crate) fn read(&self, offset: u32) -> Option<u32> {
        let stored = self.file.read(offset)?;
        Some(match offset {
            INT_ST => self.file.get(INT_RAW) & self.file.get(INT_ENA),
            TSENS_CTRL if stored & TSENS_PU != 0 => stored | self.temperature_code(),
            _ => stored,
        })
    }

    pub(crate) fn write(&mut self, offset: u32, value: u32) -> Written {
        if !self.file.write(offset, value) {
            return Written::Unmodelled;
        }
        match offset {
            ONETIME_SAMPLE if value & ONETIME_START != 0 => {
                let channel = (value >> 25 & 0xF) as usize;
                // The upper bits of the data name the channel (TRM 29.2.4.6).
                if value & SARADC1_ONETIME != 0 {
                    let sample = self.samples[..5].get(channel).copied().unwrap_or(0);
                    self.file
                        .set(SAR1DATA_STATUS, u32::from(sample) | (channel as u32) << 13);
                    self.file.set(INT_RAW, self.file.get(INT_RAW) | ADC1_DONE);
                }
                if value & SARADC2_ONETIME != 0 {
                    self.file.set(
                        SAR2DATA_STATUS,
                        u32::from(self.samples[5]) | (channel as u32) << 13,
                    );
                    self.file.set(INT_RAW, self.file.get(INT_RAW) | ADC2_DONE);
                }
            }
            INT_CLR => self.file.set(INT_RAW, self.file.get(INT_RAW) & !value),
            INT_ENA => {}
            _ => return Written::Quiet,
        }
        Written::Sync
    }

    #[inline]
    pub(crate) fn interrupts(&self) -> u64 {
        u64::from(self.file.get(INT_RAW) & self.file.get(INT_ENA) != 0) << source::APB_ADC
    }

    /// Sets the temperature of the chip, thousandths of a degree Celsius.
    pub(crate) fn set_temperature_mc(&mut self, temperature_mc: i32) {
        self.temperature_mc = temperature_mc;
    }

    /// Sets the raw sample, 0 to 4095, that the converter reads at `gpio` (0 to 5).
    pub(crate) fn set_sample(&mut self, gpio: u8, raw: u16) {
        if let Some(sample) = self.samples.get_mut(usize::from(gpio)) {
            *sample = raw.min(0xFFF);
        }
    }

    /// TRM 29.3.3: temperature = 0.4386 * value - 27.88 * offset - 20.52. The offset is that of the range -1, 20 to 100
    /// degrees, to which the sensor is set after reset and which esp-hal assumes.
    fn temperature_code(&self) -> u32 {
        let code = (i64::from(self.temperature_mc) - 7_360) * 10 + 2_193;
        (code.max(0) / 4_386).min(255) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_temperature_is_what_the_world_says() {
        let mut adc = ApbSaradc::new();
        assert_eq!(adc.read(TSENS_CTRL), Some(0x0001_8000), "powered down");
        adc.write(TSENS_CTRL, TSENS_PU);
        assert_eq!(
            adc.read(TSENS_CTRL),
            Some(TSENS_PU | 34),
            "0.4386 * 34 + 7.36 = 22.27"
        );
        adc.set_temperature_mc(60_000);
        assert_eq!(adc.read(TSENS_CTRL), Some(TSENS_PU | 120));
        adc.set_temperature_mc(-40_000);
        assert_eq!(adc.read(TSENS_CTRL), Some(TSENS_PU));
    }

    #[test]
    fn a_one_time_sample_is_done_at_once() {
        let mut adc = ApbSaradc::new();
        adc.set_sample(3, 1_234);
        adc.write(INT_ENA, ADC1_DONE);
        adc.write(ONETIME_SAMPLE, SARADC1_ONETIME | ONETIME_START | 3 << 25);
        assert_eq!(adc.read(SAR1DATA_STATUS).unwrap() & 0xFFF, 1_234);
        assert_eq!(adc.interrupts(), 1 << 43);
        adc.write(INT_CLR, ADC1_DONE);
        assert_eq!(adc.interrupts(), 0);
    }
}
