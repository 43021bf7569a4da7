//! GPIO (TRM chapter 5, "IO MUX and GPIO Matrix"): 22 pins, their outputs, inputs and interrupts.
//!
//! The level of a pad is the level that the chip drives, else the level driven from outside, else that of the
//! pull resistor, else low. Output signals of other peripherals (LEDC, RMT…) through the matrix are not
//! modelled: such a pin counts as not driven.

use crate::output::{Outbox, Output};
use crate::peripherals::interrupt_core0::source;
use crate::peripherals::io_mux::IoMux;
use crate::peripherals::written::Written;
use crate::registers::{Register, RegisterFile, array, modelled, tagged};

/// Number of GPIO pins of the chip.
pub(crate) const PINS: u32 = 22;

const OUT: u32 = 0x04;
const OUT_W1TS: u32 = 0x08;
const OUT_W1TC: u32 = 0x0C;
const ENABLE: u32 = 0x20;
const ENABLE_W1TS: u32 = 0x24;
const ENABLE_W1TC: u32 = 0x28;
const STRAP: u32 = 0x38;
const IN: u32 = 0x3C;
const STATUS: u32 = 0x44;
const STATUS_W1TS: u32 = 0x48;
const STATUS_W1TC: u32 = 0x4C;
const PCPU_INT: u32 = 0x5C;
const PCPU_NMI_INT: u32 = 0x60;
const PIN0: u32 = 0x74;
const STATUS_NEXT: u32 = 0x14C;
const FUNC0_OUT_SEL_CFG: u32 = 0x554;

/// Strapping pins at reset: GPIO8 and GPIO9 high, boot from flash (TRM table 7-1).
const STRAP_FLASH_BOOT: u32 = 0xC;
/// `OUT_SEL` of a pin that follows `GPIO_OUT`.
const SIG_GPIO_OUT: u32 = 128;
const OUT_INV_SEL: u32 = 1 << 8;
const OEN_INV_SEL: u32 = 1 << 10;
const PAD_DRIVER_OPEN_DRAIN: u32 = 1 << 2;
const PIN_WAKEUP_ENABLE: u32 = 1 << 10;
const INT_ENA_CPU: u32 = 1 << 13;
const INT_ENA_NMI: u32 = 1 << 14;
const ALL: u32 = 0x03FF_FFFF;

pub(crate) const REGISTERS: &[Register] = &[
    tagged(0x00, "BT_SELECT", 0, 0xFFFF_FFFF),
    modelled(OUT, "OUT", 0, ALL),
    modelled(OUT_W1TS, "OUT_W1TS", 0, 0),
    modelled(OUT_W1TC, "OUT_W1TC", 0, 0),
    tagged(0x1C, "SDIO_SELECT", 0, 0xFF),
    modelled(ENABLE, "ENABLE", 0, ALL),
    modelled(ENABLE_W1TS, "ENABLE_W1TS", 0, 0),
    modelled(ENABLE_W1TC, "ENABLE_W1TC", 0, 0),
    modelled(STRAP, "STRAP", STRAP_FLASH_BOOT, 0),
    modelled(IN, "IN", 0, 0),
    modelled(STATUS, "STATUS", 0, ALL),
    modelled(STATUS_W1TS, "STATUS_W1TS", 0, 0),
    modelled(STATUS_W1TC, "STATUS_W1TC", 0, 0),
    modelled(PCPU_INT, "PCPU_INT", 0, 0),
    modelled(PCPU_NMI_INT, "PCPU_NMI_INT", 0, 0),
    tagged(0x64, "CPUSDIO_INT", 0, 0),
    array(modelled(PIN0, "PIN", 0, 0x0003_FF9F), 26),
    modelled(STATUS_NEXT, "STATUS_NEXT", 0, 0),
    array(tagged(0x154, "FUNC_IN_SEL_CFG", 0, 0x7F), 128),
    array(modelled(FUNC0_OUT_SEL_CFG, "FUNC_OUT_SEL_CFG", 0x80, 0x7FF), 26),
    tagged(0x62C, "CLOCK_GATE", 1, 1),
];

/// The GPIO block, and the levels that are driven from outside at its pins.
#[derive(Clone, Debug)]
pub(crate) struct Gpio {
    file: RegisterFile,
    /// Level driven from outside at each pin, `None` if it is not driven.
    outside: [Option<bool>; PINS as usize],
    /// Level that the chip drives at each pin, `None` if it does not drive it.
    driven: [Option<bool>; PINS as usize],
    /// Input levels that the chip samples, bit n is GPIO n.
    levels: u32,
}

impl Gpio {
    /// The block after power-on; no pin is driven from outside.
    pub(crate) fn new(mux: &IoMux) -> Gpio {
        let mut gpio = Gpio {
            file: RegisterFile::new(REGISTERS),
            outside: [None; PINS as usize],
            driven: [None; PINS as usize],
            levels: 0,
        };
        gpio.levels = gpio.sample(mux);
        gpio
    }

    /// Resets the block: the chip stops driving all pins. Levels driven from outside stay.
    pub(crate) fn reset(&mut self, mux: &IoMux, cycle: u64, out: &mut Outbox) {
        self.file.reset();
        self.update(mux, cycle, out);
        self.file.set(STATUS, 0);
    }

    /// The level driven from outside at a pin, `None` if it is not driven.
    pub(crate) fn outside(&self, gpio: u8) -> Option<bool> {
        self.outside.get(usize::from(gpio)).copied().flatten()
    }

    /// Sets the levels of the strapping pins that were sampled.
    pub(crate) fn set_straps(&mut self, straps: u32) {
        self.file.set(STRAP, straps);
    }

    /// Stops driving all pins of the chip.
    pub(crate) fn release(&mut self, mux: &IoMux, cycle: u64, out: &mut Outbox) {
        self.file.set(ENABLE, 0);
        self.update(mux, cycle, out);
    }

    pub(crate) fn read(&self, offset: u32) -> Option<u32> {
        Some(match offset {
            IN => self.levels,
            PCPU_INT => self.file.get(STATUS) & self.enabled(INT_ENA_CPU),
            PCPU_NMI_INT => self.file.get(STATUS) & self.enabled(INT_ENA_NMI),
            STATUS_NEXT => self.file.get(STATUS),
            _ => return self.file.read(offset),
        })
    }

    pub(crate) fn write(
        &mut self,
        offset: u32,
        value: u32,
        mux: &IoMux,
        cycle: u64,
        out: &mut Outbox,
    ) -> Written {
        if !self.file.write(offset, value) {
            return Written::Unmodelled;
        }
        let (target, new) = match offset {
            OUT_W1TS => (OUT, self.file.get(OUT) | value),
            OUT_W1TC => (OUT, self.file.get(OUT) & !value),
            ENABLE_W1TS => (ENABLE, self.file.get(ENABLE) | value),
            ENABLE_W1TC => (ENABLE, self.file.get(ENABLE) & !value),
            STATUS_W1TS => (STATUS, self.file.get(STATUS) | value),
            STATUS_W1TC => (STATUS, self.file.get(STATUS) & !value),
            OUT | ENABLE | STATUS | PIN0..0xDC | FUNC0_OUT_SEL_CFG..0x5BC => (offset, self.file.get(offset)),
            _ => return Written::Quiet,
        };
        self.file.set(
            target,
            if matches!(target, OUT | ENABLE | STATUS) {
                new & ALL
            } else {
                new
            },
        );
        self.update(mux, cycle, out);
        Written::Sync
    }

    /// Recomputes levels after a change of the IO MUX or of a level outside: interrupts are latched, changes
    /// of driven pins are reported.
    pub(crate) fn update(&mut self, mux: &IoMux, cycle: u64, out: &mut Outbox) {
        for pin in 0..PINS {
            let drives = self.drives(pin, mux);
            if drives != self.driven[pin as usize] {
                self.driven[pin as usize] = drives;
                out.push((
                    cycle,
                    Output::Pin {
                        gpio: pin as u8,
                        level: drives,
                    },
                ));
            }
        }
        let levels = self.sample(mux);
        let (rising, falling) = (levels & !self.levels, self.levels & !levels);
        self.levels = levels;
        let mut status = self.file.get(STATUS);
        for pin in 0..PINS {
            let bit = 1 << pin;
            // TRM register 5.9, INT_TYPE: rising, falling, any edge, low level, high level.
            let triggered = match self.file.get(PIN0 + 4 * pin) >> 7 & 7 {
                1 => rising & bit,
                2 => falling & bit,
                3 => (rising | falling) & bit,
                4 => !levels & bit,
                5 => levels & bit,
                _ => 0,
            };
            status |= triggered;
        }
        self.file.set(STATUS, status);
    }

    /// Drives pin `gpio` from outside with `level`; `None` stops driving it.
    pub(crate) fn set_outside(
        &mut self,
        gpio: u8,
        level: Option<bool>,
        mux: &IoMux,
        cycle: u64,
        out: &mut Outbox,
    ) {
        if let Some(outside) = self.outside.get_mut(usize::from(gpio)) {
            *outside = level;
            self.update(mux, cycle, out);
        }
    }

    /// Input levels, bit n is GPIO n.
    pub(crate) fn levels(&self) -> u32 {
        self.levels
    }

    /// True if a pin has the level at which it wakes the chip from light sleep.
    pub(crate) fn wakes(&self) -> bool {
        (0..PINS).any(|pin| {
            let conf = self.file.get(PIN0 + 4 * pin);
            let level = match conf >> 7 & 7 {
                4 => 0,
                5 => 1,
                _ => return false,
            };
            conf & PIN_WAKEUP_ENABLE != 0 && self.levels >> pin & 1 == level
        })
    }

    /// The level of a pad as a meter would show it; `None` if nothing drives or pulls it.
    pub(crate) fn level(&self, gpio: u32, mux: &IoMux) -> Option<bool> {
        let pad = mux.pad(gpio);
        self.driven[gpio as usize]
            .or(self.outside[gpio as usize])
            .or(match (pad.pull_up, pad.pull_down) {
                (true, false) => Some(true),
                (false, true) => Some(false),
                _ => None,
            })
    }

    #[inline]
    pub(crate) fn interrupts(&self) -> u64 {
        let status = self.file.get(STATUS);
        if status == 0 {
            return 0;
        }
        u64::from(status & self.enabled(INT_ENA_CPU) != 0) << source::GPIO
            | u64::from(status & self.enabled(INT_ENA_NMI) != 0) << source::GPIO_NMI
    }

    fn enabled(&self, which: u32) -> u32 {
        (0..PINS).fold(0, |bits, pin| {
            bits | u32::from(self.file.get(PIN0 + 4 * pin) & which != 0) << pin
        })
    }

    fn drives(&self, pin: u32, mux: &IoMux) -> Option<bool> {
        let select = self.file.get(FUNC0_OUT_SEL_CFG + 4 * pin);
        if !mux.pad(pin).is_gpio || select & 0xFF != SIG_GPIO_OUT {
            return None;
        }
        let enabled = (self.file.get(ENABLE) & 1 << pin != 0) != (select & OEN_INV_SEL != 0);
        let level = (self.file.get(OUT) & 1 << pin != 0) != (select & OUT_INV_SEL != 0);
        let open_drain = self.file.get(PIN0 + 4 * pin) & PAD_DRIVER_OPEN_DRAIN != 0;
        (enabled && !(open_drain && level)).then_some(level)
    }

    fn sample(&self, mux: &IoMux) -> u32 {
        (0..PINS).fold(0, |bits, pin| {
            let high = mux.pad(pin).input && self.level(pin, mux) == Some(true);
            bits | u32::from(high) << pin
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block() -> (IoMux, Gpio, Outbox) {
        let mux = IoMux::new();
        let gpio = Gpio::new(&mux);
        (mux, gpio, Outbox::new())
    }

    #[test]
    fn an_output_is_reported_at_its_cycle_and_only_when_it_changes() {
        let (mux, mut gpio, mut out) = block();
        gpio.write(OUT_W1TS, 1 << 3, &mux, 10, &mut out);
        assert!(out.is_empty(), "not driven yet");
        gpio.write(ENABLE_W1TS, 1 << 3, &mux, 20, &mut out);
        gpio.write(OUT_W1TS, 1 << 3, &mux, 30, &mut out);
        gpio.write(OUT_W1TC, 1 << 3, &mux, 40, &mut out);
        gpio.write(ENABLE_W1TC, 1 << 3, &mux, 50, &mut out);
        let pin = |level| Output::Pin { gpio: 3, level };
        assert_eq!(
            out,
            [(20, pin(Some(true))), (40, pin(Some(false))), (50, pin(None))]
        );
    }

    #[test]
    fn a_pad_with_another_function_is_not_driven() {
        let (mux, mut gpio, mut out) = block();
        gpio.write(ENABLE, 1 << 21 | 1 << 4, &mux, 0, &mut out);
        assert!(out.is_empty());
        gpio.write(FUNC0_OUT_SEL_CFG + 4 * 3, 45, &mux, 0, &mut out);
        gpio.write(ENABLE, 1 << 3, &mux, 0, &mut out);
        assert!(out.is_empty(), "a peripheral's signal is not modelled");
    }

    #[test]
    fn inputs_follow_the_world_then_the_pulls() {
        let (mut mux, mut gpio, mut out) = block();
        assert_eq!(gpio.read(IN).unwrap() & 1 << 9, 1 << 9, "pulled up");
        gpio.set_outside(9, Some(false), &mux, 5, &mut out);
        assert_eq!(gpio.read(IN).unwrap() & 1 << 9, 0);
        gpio.set_outside(9, None, &mux, 6, &mut out);
        assert_eq!(gpio.read(IN).unwrap() & 1 << 9, 1 << 9);
        mux.write(0x04 + 4 * 9, 1 << 12 | 1 << 8);
        gpio.update(&mux, 7, &mut out);
        assert_eq!(gpio.read(IN).unwrap() & 1 << 9, 0, "the input buffer is off");
        assert_eq!(gpio.level(9, &mux), Some(true));
    }

    #[test]
    fn edges_latch_and_levels_come_back_until_they_end() {
        let (mux, mut gpio, mut out) = block();
        gpio.write(PIN0 + 4 * 2, 2 << 7 | INT_ENA_CPU, &mux, 0, &mut out);
        assert_eq!(gpio.interrupts(), 0);
        gpio.set_outside(2, Some(false), &mux, 1, &mut out);
        assert_eq!(gpio.interrupts(), 1 << 16);
        assert_eq!(gpio.read(PCPU_INT), Some(1 << 2));
        gpio.write(STATUS_W1TC, 1 << 2, &mux, 2, &mut out);
        assert_eq!(gpio.interrupts(), 0);
        gpio.write(PIN0 + 4 * 2, 4 << 7 | INT_ENA_CPU, &mux, 3, &mut out);
        gpio.write(STATUS_W1TC, 1 << 2, &mux, 4, &mut out);
        assert_eq!(gpio.interrupts(), 1 << 16, "still low");
        gpio.set_outside(2, Some(true), &mux, 5, &mut out);
        gpio.write(STATUS_W1TC, 1 << 2, &mux, 6, &mut out);
        assert_eq!(gpio.interrupts(), 0);
    }

    #[test]
    fn open_drain_lets_go_when_high() {
        let (mux, mut gpio, mut out) = block();
        gpio.write(PIN0 + 4 * 5, PAD_DRIVER_OPEN_DRAIN, &mux, 0, &mut out);
        let mut mux = mux;
        mux.write(0x04 + 4 * 5, 1 << 12 | 1 << 9);
        gpio.write(ENABLE, 1 << 5, &mux, 1, &mut out);
        gpio.write(OUT, 1 << 5, &mux, 2, &mut out);
        let pin = |level| Output::Pin { gpio: 5, level };
        assert_eq!(out, [(1, pin(Some(false))), (2, pin(None))]);
    }
}
