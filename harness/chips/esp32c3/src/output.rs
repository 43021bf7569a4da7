//! What leaves the chip: serial bytes, pin levels, messages to the air, and reports about the guest.

use sim::air::ToAir;

use crate::chip::Endless;
use crate::reset::ResetCause;
use crate::services::ServiceEvent;
use image::BootError;
use image::Location;
use image::backtrace::Backtrace;

/// A serial port of the chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Port {
    /// UART0, pins GPIO20 (RX) and GPIO21 (TX) by default.
    Uart0,
    /// UART1.
    Uart1,
    /// The built-in USB device.
    UsbSerialJtag,
}

/// Something that left the chip, or that is to be reported about its guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A byte has left a serial port: its stop bit has been sent, or the host has fetched its packet.
    Serial {
        /// The port.
        port: Port,
        /// The byte.
        byte: u8,
    },
    /// The chip began to drive a pin, changed its level, or let go of it.
    Pin {
        /// GPIO number, 0 to 21.
        gpio: u8,
        /// The level driven, `None` if the pin floats.
        level: Option<bool>,
    },
    /// The radio sent this.
    Air(ToAir),
    /// The chip was reset and starts again.
    Reset {
        /// Why.
        cause: ResetCause,
        /// Program counter at the reset.
        pc: u32,
    },
    /// Power failed: the chip stands still until it is switched on again.
    PowerLost,
    /// The first access of this kind from this place that the model does not answer.
    Unmodelled(Unmodelled),
    /// The guest took an exception (not an interrupt).
    Exception(Exception),
    /// The guest's panic handler was entered.
    Panic {
        /// Who called whom.
        backtrace: Backtrace,
    },
    /// There is no bootable application in the flash. The chip stands still; with a boot ROM its bootloader has said so
    /// on UART0 and resets.
    BootFailed(BootError),
    /// The rate of a serial port is now this; only with a boot ROM.
    Baud {
        /// The port, UART0.
        port: Port,
        /// Bits in a second.
        baud: u32,
    },
    /// The radio's driver itself began to run, on registers and ROM functions that are not modelled: without symbols its
    /// functions cannot be found and stood in for. The guest's radio works no further than this. Once for each reset.
    RadioWithoutSymbols {
        /// Program counter of the access; for a ROM function the return address.
        pc: u32,
        /// The register, or the ROM function.
        addr: u32,
    },
    /// The radio's stand-in has something to report.
    Radio(ServiceEvent),
    /// The guest is in a loop that makes no progress. Each kind is reported once.
    Endless(Endless),
}

/// What kind of thing is not modelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnmodelledKind {
    /// A peripheral's register.
    Register,
    /// A control and status register of the CPU.
    Csr,
    /// A function of the boot ROM.
    RomFunction,
    /// A function of the WiFi driver.
    DriverFunction,
}

/// An access that the model does not answer as the chip would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmodelled {
    /// What it is.
    pub kind: UnmodelledKind,
    /// Address of the register or function, number of the CSR.
    pub addr: u32,
    /// Width in bytes; 0 for a function.
    pub size: u32,
    /// Program counter of the access; for a function the return address.
    pub pc: u32,
    /// The value of a write, `None` for a read or a call.
    pub write: Option<u32>,
    /// `BLOCK.REGISTER`, or the function's name, where known.
    pub name: Option<String>,
    /// The guest's function that `pc` lies in, and the offset.
    pub symbol: Option<Location>,
}

/// An exception that the guest took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// The `mcause` CSR: 1 instruction access fault, 2 illegal instruction, 3 breakpoint, 4/5 load and 6/7 store
    /// misaligned and access fault, 11 environment call.
    pub cause: u32,
    /// Address of the instruction.
    pub pc: u32,
    /// The `mtval` CSR.
    pub value: u32,
    /// Who called whom.
    pub backtrace: Backtrace,
}

/// Outputs of the peripherals with the cycle at which they happened, in the order they were produced.
pub(crate) type Outbox = Vec<(u64, Output)>;
