//! Events of the device itself.

use serde::{Deserialize, Serialize};

/// A console of the chip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SerialPort {
    /// UART0, GPIO20 and GPIO21.
    #[default]
    Uart0,
    /// The built-in USB Serial/JTAG controller.
    UsbSerialJtag,
}

/// Why a device started (ESP32-C3 TRM, chapter "Reset and Clock", table of reset sources).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResetCause {
    /// Power on, 0x01.
    PowerOn,
    /// Software system reset, 0x03.
    Software,
    /// Deep sleep, 0x05.
    DeepSleep,
    /// Main watchdog 0, system reset, 0x07.
    MainWatchdog0,
    /// Main watchdog 1, system reset, 0x08.
    MainWatchdog1,
    /// RTC watchdog, system reset, 0x09.
    RtcWatchdog,
    /// CPU reset by main watchdog 0, 0x0B.
    CpuMainWatchdog0,
    /// CPU reset by software, 0x0C.
    CpuSoftware,
    /// CPU reset by the RTC watchdog, 0x0D.
    CpuRtcWatchdog,
    /// Brown-out, 0x0F.
    BrownOut,
    /// RTC watchdog, chip and RTC reset, 0x10.
    RtcWatchdogFull,
    /// CPU reset by main watchdog 1, 0x11.
    CpuMainWatchdog1,
    /// Super watchdog, 0x12.
    SuperWatchdog,
    /// USB Serial/JTAG, 0x15 and 0x16.
    Usb,
    /// The reset pin (EN), which the chip reports as power on.
    Pin,
}

/// What kind of thing is not modelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccessKind {
    /// A memory-mapped register.
    Register,
    /// A control and status register of the CPU.
    Csr,
    /// A function of the boot ROM.
    RomFunction,
    /// A function of the vendor's WiFi driver.
    DriverFunction,
}

/// An access that the chip model does not implement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Access {
    /// What kind of thing.
    pub kind: AccessKind,
    /// Address, or CSR number.
    pub addr: u32,
    /// Width in bytes; 0 for a call.
    pub size: u8,
    /// The value written; `None` for a read or a call.
    pub written: Option<u32>,
    /// Program counter.
    pub pc: u32,
    /// The guest function that did it, or the name of the function called.
    pub symbol: Option<String>,
}
