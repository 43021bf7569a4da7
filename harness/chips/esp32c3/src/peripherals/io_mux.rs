//! IO MUX (TRM chapter 5, "IO MUX and GPIO Matrix"): function of each pad, pull resistors and input buffer.

use crate::registers::{Register, RegisterFile, array, modelled, tagged};

const GPIO0: u32 = 0x04;
const FUN_WPD: u32 = 1 << 7;
const FUN_WPU: u32 = 1 << 8;
const FUN_IE: u32 = 1 << 9;

pub(crate) const REGISTERS: &[Register] = &[
    tagged(0x00, "PIN_CTRL", 0x7FF, 0xFFF),
    array(modelled(GPIO0, "GPIO", 0xB00, 0xFF9F), 22),
];

/// Pads whose function 0 is not their GPIO (TRM table 5-2): JTAG 4–7, SPI flash 12–17, UART0 20 and 21.
const OTHER_AT_FUNCTION_0: u32 = 0b0000_0000_0011_0011_1111_0000_1111_0000;

/// Configuration of a pad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pad {
    /// The pad's function is GPIO: the GPIO matrix drives it.
    pub(crate) is_gpio: bool,
    pub(crate) input: bool,
    pub(crate) pull_up: bool,
    pub(crate) pull_down: bool,
}

/// The registers of the IO MUX.
#[derive(Clone, Debug)]
pub(crate) struct IoMux {
    file: RegisterFile,
}

impl IoMux {
    pub(crate) fn new() -> IoMux {
        IoMux {
            file: RegisterFile::new(REGISTERS),
        }
    }

    pub(crate) fn read(&self, offset: u32) -> Option<u32> {
        self.file.read(offset)
    }

    pub(crate) fn write(&mut self, offset: u32, value: u32) -> bool {
        self.file.write(offset, value)
    }

    pub(crate) fn pad(&self, gpio: u32) -> Pad {
        let conf = self.file.get(GPIO0 + 4 * gpio);
        let is_gpio = match conf >> 12 & 7 {
            0 => OTHER_AT_FUNCTION_0 & 1 << gpio == 0,
            function => function == 1,
        };
        Pad {
            is_gpio,
            input: conf & FUN_IE != 0,
            pull_up: conf & FUN_WPU != 0,
            pull_down: conf & FUN_WPD != 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pads_start_as_pulled_up_inputs() {
        let mux = IoMux::new();
        assert_eq!(mux.read(GPIO0), Some(0xB00));
        assert_eq!(
            mux.pad(3),
            Pad {
                is_gpio: true,
                input: true,
                pull_up: true,
                pull_down: false
            }
        );
        for other in [4, 7, 12, 17, 20, 21] {
            assert!(
                !mux.pad(other).is_gpio,
                "GPIO{other} has another function at reset"
            );
        }
        for gpio in [0, 3, 8, 9, 10, 11, 18, 19] {
            assert!(mux.pad(gpio).is_gpio, "GPIO{gpio}");
        }
    }

    #[test]
    fn function_1_is_the_gpio_of_every_pad() {
        let mut mux = IoMux::new();
        assert!(mux.write(GPIO0 + 4 * 4, 1 << 12 | FUN_WPD));
        assert_eq!(
            mux.pad(4),
            Pad {
                is_gpio: true,
                input: false,
                pull_up: false,
                pull_down: true
            }
        );
        assert!(!mux.write(0xFC, 0), "the date register is not in the map");
    }
}
