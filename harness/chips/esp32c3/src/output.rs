//! Outputs of the chip: serial bytes, pin levels, messages to the access point, and reports about the guest.

use sim::air::ToAir;

use crate::endless::Endless;
use crate::reset::ResetCause;
use crate::service_event::ServiceEvent;
use image::BootError;
use image::Location;
use image::backtrace::Backtrace;

/// A serial port of the chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Port {
    /// UART0, pins GPIO20 (RX) and GPIO21 (TX) by default.
    Uart0,
    /// UART1, without default pins.
    Uart1,
    /// The built-in USB device.
    UsbSerialJtag,
}

/// An output of the chip, or an event of its guest to be reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A byte was sent by a serial port: its stop bit has been sent, or the host has read its USB packet.
    Serial {
        /// The port that sent it.
        port: Port,
        /// Value of the byte.
        byte: u8,
    },
    /// The chip began to drive a pin, changed its level, or stopped driving it.
    Pin {
        /// GPIO number, 0 to 21.
        gpio: u8,
        /// The level driven, `None` if the chip does not drive the pin.
        level: Option<bool>,
    },
    /// The station sent this message to its access point.
    Air(ToAir),
    /// The chip was reset and starts again.
    Reset {
        /// Cause of the reset, as in the chip's register.
        cause: ResetCause,
        /// Program counter at the reset.
        pc: u32,
    },
    /// Power failed: the chip does nothing until it is switched on again.
    PowerLost,
    /// The first unmodelled access of this kind to this address from this program counter.
    Unmodelled(Unmodelled),
    /// The guest took an exception (not an interrupt).
    Exception(Exception),
    /// The guest's panic handler was entered.
    Panic {
        /// The guest's call stack.
        backtrace: Backtrace,
    },
    /// There is no bootable application in the flash. The chip stops; with a boot ROM its bootloader has
    /// printed the reason on UART0 and resets.
    BootFailed(BootError),
    /// The baud rate of a serial port has changed; reported only with a boot ROM.
    Baud {
        /// The port, always UART0.
        port: Port,
        /// New rate, bits per second.
        baud: u32,
    },
    /// The radio's driver itself began to run and reached registers or ROM functions that are not modelled:
    /// without symbols the host cannot find the driver's functions and replace them. The guest's radio does
    /// not work any further. Reported once for each reset.
    RadioWithoutSymbols {
        /// Program counter of the access; for a ROM function the return address.
        pc: u32,
        /// Address of the register or of the ROM function.
        addr: u32,
    },
    /// An event of the host code that replaces the radio library.
    Radio(ServiceEvent),
    /// The guest is in a loop that makes no progress. Each kind is reported once.
    Endless(Endless),
}

/// Kind of an unmodelled access.
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

/// An access whose result differs from that of the chip, because it is not modelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmodelled {
    /// Kind of the access.
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
    /// The guest's function that contains `pc`, and the offset in it.
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
    /// The guest's call stack.
    pub backtrace: Backtrace,
}

/// Outputs of the peripherals with the cycle at which they happened, in the order they were produced.
pub(crate) type Outbox = Vec<(u64, Output)>;
