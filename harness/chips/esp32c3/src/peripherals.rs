//! The chip's peripherals, one file each, and the address map that leads to them (TRM table 3-4).
//!
//! An access to anything that is not here (LEDC, RMT, I2C, I2S, SPI2, TWAI, GDMA, the cryptographic accelerators,
//! the radio's own registers) is reported, and so is a reserved register of a block that is.

pub(crate) mod apb_ctrl;
pub(crate) mod apb_saradc;
pub(crate) mod assist_debug;
pub(crate) mod efuse;
pub(crate) mod extmem;
pub(crate) mod gpio;
pub(crate) mod gpio_sd;
pub(crate) mod i2c_ana_mst;
pub mod interrupt_core0;
pub(crate) mod io_mux;
pub(crate) mod phy;
pub(crate) mod poll;
pub(crate) mod rtc_cntl;
pub(crate) mod sensitive;
pub(crate) mod spi0;
pub(crate) mod spi1;
pub(crate) mod system;
pub(crate) mod systimer;
pub(crate) mod timg;
pub(crate) mod uart;
pub(crate) mod usb_serial_jtag;
pub(crate) mod watchdog;
pub(crate) mod written;

use rv32::{PollRead, PollWrite};

use crate::clock::NEVER;
use crate::output::{Outbox, Port};
use crate::registers::{Register, RegisterFile, name_at};
use crate::reset::{ResetCause, ResetLevel};
use crate::rom::nor::NorFlash;

use efuse::Revision;
use rtc_cntl::Sleep;
use written::Written;

const UART0: u32 = 0x6000_0000;
const SPI1: u32 = 0x6000_2000;
const SPI0: u32 = 0x6000_3000;
const GPIO: u32 = 0x6000_4000;
const GPIO_SD: u32 = 0x6000_4F00;
const FE2: u32 = 0x6000_5000;
const FE: u32 = 0x6000_6000;
const RTC_CNTL: u32 = 0x6000_8000;
const EFUSE: u32 = 0x6000_8800;
const IO_MUX: u32 = 0x6000_9000;
const I2C_ANA_MST: u32 = 0x6000_E000;
const UART1: u32 = 0x6001_0000;
const NRX: u32 = 0x6001_C000;
const BB: u32 = 0x6001_D000;
const TIMG0: u32 = 0x6001_F000;
const TIMG1: u32 = 0x6002_0000;
const SYSTIMER: u32 = 0x6002_3000;
const APB_CTRL: u32 = 0x6002_6000;
const APB_SARADC: u32 = 0x6004_0000;
const USB_SERIAL_JTAG: u32 = 0x6004_3000;
const SYSTEM: u32 = 0x600C_0000;
const SENSITIVE: u32 = 0x600C_1000;
const INTERRUPT_CORE0: u32 = 0x600C_2000;
const EXTMEM: u32 = 0x600C_4000;
const ASSIST_DEBUG: u32 = 0x600C_E000;

/// A block of registers, for lists of what is modelled.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// Name in the technical reference manual.
    pub name: &'static str,
    /// Guest address of the first register.
    pub base: u32,
    /// Registers of the block; every other offset is reserved.
    pub registers: &'static [Register],
}

/// All blocks, by address.
pub const BLOCKS: &[Block] = &[
    Block {
        name: "UART0",
        base: UART0,
        registers: uart::REGISTERS,
    },
    Block {
        name: "SPI1",
        base: SPI1,
        registers: spi1::REGISTERS,
    },
    Block {
        name: "SPI0",
        base: SPI0,
        registers: spi0::REGISTERS,
    },
    Block {
        name: "GPIO",
        base: GPIO,
        registers: gpio::REGISTERS,
    },
    Block {
        name: "GPIO_SD",
        base: GPIO_SD,
        registers: gpio_sd::REGISTERS,
    },
    Block {
        name: "FE2",
        base: FE2,
        registers: phy::FE2_REGISTERS,
    },
    Block {
        name: "FE",
        base: FE,
        registers: phy::FE_REGISTERS,
    },
    Block {
        name: "RTC_CNTL",
        base: RTC_CNTL,
        registers: rtc_cntl::REGISTERS,
    },
    Block {
        name: "EFUSE",
        base: EFUSE,
        registers: efuse::REGISTERS,
    },
    Block {
        name: "IO_MUX",
        base: IO_MUX,
        registers: io_mux::REGISTERS,
    },
    Block {
        name: "I2C_ANA_MST",
        base: I2C_ANA_MST,
        registers: i2c_ana_mst::REGISTERS,
    },
    Block {
        name: "UART1",
        base: UART1,
        registers: uart::REGISTERS,
    },
    Block {
        name: "NRX",
        base: NRX,
        registers: phy::NRX_REGISTERS,
    },
    Block {
        name: "BB",
        base: BB,
        registers: phy::BB_REGISTERS,
    },
    Block {
        name: "TIMG0",
        base: TIMG0,
        registers: timg::REGISTERS,
    },
    Block {
        name: "TIMG1",
        base: TIMG1,
        registers: timg::REGISTERS,
    },
    Block {
        name: "SYSTIMER",
        base: SYSTIMER,
        registers: systimer::REGISTERS,
    },
    Block {
        name: "APB_CTRL",
        base: APB_CTRL,
        registers: apb_ctrl::REGISTERS,
    },
    Block {
        name: "APB_SARADC",
        base: APB_SARADC,
        registers: apb_saradc::REGISTERS,
    },
    Block {
        name: "USB_SERIAL_JTAG",
        base: USB_SERIAL_JTAG,
        registers: usb_serial_jtag::REGISTERS,
    },
    Block {
        name: "SYSTEM",
        base: SYSTEM,
        registers: system::REGISTERS,
    },
    Block {
        name: "SENSITIVE",
        base: SENSITIVE,
        registers: sensitive::REGISTERS,
    },
    Block {
        name: "INTERRUPT_CORE0",
        base: INTERRUPT_CORE0,
        registers: interrupt_core0::REGISTERS,
    },
    Block {
        name: "EXTMEM",
        base: EXTMEM,
        registers: extmem::REGISTERS,
    },
    Block {
        name: "ASSIST_DEBUG",
        base: ASSIST_DEBUG,
        registers: assist_debug::REGISTERS,
    },
];

/// Blocks of the chip that are not modelled, by base address (TRM table 3-4), so that reports can name them.
const OTHER_BLOCKS: &[(u32, &str)] = &[
    (0x6001_3000, "I2C0"),
    (0x6001_4000, "UHCI0"),
    (0x6001_6000, "RMT"),
    (0x6001_9000, "LEDC"),
    (0x6002_4000, "SPI2"),
    (0x6002_B000, "TWAI0"),
    (0x6002_D000, "I2S0"),
    (0x6003_3000, "WIFI"),
    (0x6003_A000, "AES"),
    (0x6003_B000, "SHA"),
    (0x6003_C000, "RSA"),
    (0x6003_D000, "DS"),
    (0x6003_E000, "HMAC"),
    (0x6003_F000, "GDMA"),
    (0x600C_C000, "XTS_AES"),
];

/// True if `addr` is a register of the radio: front ends, receiver, baseband, WiFi's MAC layer (ESP-IDF
/// `soc/reg_base.h`).
pub(crate) fn is_radio(addr: u32) -> bool {
    let block = addr & !0xFFF;
    [FE2, FE, NRX, BB].contains(&block) || (0x6003_1000..0x6003_6000).contains(&block)
}

/// The names of the block and of the register at `addr`.
pub fn name_of(addr: u32) -> Option<(&'static str, Option<&'static str>)> {
    let block = BLOCKS
        .iter()
        .rev()
        .find(|b| b.base <= addr && addr & !0xFFF == b.base & !0xFFF);
    if let Some(block) = block {
        return Some((block.name, name_at(block.registers, (addr - block.base) & !3)));
    }
    OTHER_BLOCKS
        .iter()
        .find(|(base, _)| *base == addr & !0xFFF)
        .map(|(_, name)| (*name, None))
}

/// All peripherals on the peripheral bus, and the earliest deadline among them.
#[derive(Clone, Debug)]
pub(crate) struct Peripherals {
    pub(crate) uart: [uart::Uart; 2],
    spi0: RegisterFile,
    spi1: spi1::Spi1,
    pub(crate) gpio: gpio::Gpio,
    gpio_sd: RegisterFile,
    pub(crate) io_mux: io_mux::IoMux,
    pub(crate) rtc_cntl: rtc_cntl::RtcCntl,
    efuse: efuse::Efuse,
    i2c_ana_mst: RegisterFile,
    timg: [timg::Timg; 2],
    systimer: systimer::Systimer,
    apb_ctrl: apb_ctrl::ApbCtrl,
    pub(crate) apb_saradc: apb_saradc::ApbSaradc,
    pub(crate) usb: usb_serial_jtag::UsbSerialJtag,
    system: system::System,
    sensitive: RegisterFile,
    pub(crate) intc: interrupt_core0::InterruptCore0,
    extmem: extmem::Extmem,
    assist_debug: RegisterFile,
    /// Register files of FE2, FE, NRX and BB, in this order.
    phy: [RegisterFile; 4],
    deadline: u64,
}

impl Peripherals {
    /// The peripherals after power-on at cycle 0.
    pub(crate) fn new(mac: [u8; 6], revision: Revision, seed: u64, usb_host: bool) -> Peripherals {
        let io_mux = io_mux::IoMux::new();
        let mut all = Peripherals {
            uart: [uart::Uart::new(Port::Uart0), uart::Uart::new(Port::Uart1)],
            spi0: RegisterFile::new(spi0::REGISTERS),
            spi1: spi1::Spi1::new(),
            gpio: gpio::Gpio::new(&io_mux),
            gpio_sd: RegisterFile::new(gpio_sd::REGISTERS),
            io_mux,
            rtc_cntl: rtc_cntl::RtcCntl::new(0),
            efuse: efuse::Efuse::new(mac, revision),
            i2c_ana_mst: RegisterFile::new(i2c_ana_mst::REGISTERS),
            timg: [timg::Timg::new(0, 0), timg::Timg::new(1, 0)],
            systimer: systimer::Systimer::new(0),
            apb_ctrl: apb_ctrl::ApbCtrl::new(seed),
            apb_saradc: apb_saradc::ApbSaradc::new(),
            usb: usb_serial_jtag::UsbSerialJtag::new(usb_host, 0),
            system: system::System::new(),
            sensitive: RegisterFile::new(sensitive::REGISTERS),
            intc: interrupt_core0::InterruptCore0::new(),
            extmem: extmem::Extmem::new(),
            assist_debug: RegisterFile::new(assist_debug::REGISTERS),
            phy: [
                phy::FE2_REGISTERS,
                phy::FE_REGISTERS,
                phy::NRX_REGISTERS,
                phy::BB_REGISTERS,
            ]
            .map(RegisterFile::new),
            deadline: NEVER,
        };
        all.sync(0);
        all
    }

    /// Resets the blocks that a reset of this cause reaches, at `cycle`. Levels driven from outside and
    /// values that sensors measure stay.
    pub(crate) fn reset(&mut self, cause: ResetCause, cycle: u64, out: &mut Outbox) {
        if cause.level() >= ResetLevel::Core {
            // The boot ROM resets the CPU's own blocks as well, so that only RTC_CNTL and the fuses remain.
            for uart in &mut self.uart {
                uart.flush(cycle, out);
                uart.reset();
            }
            self.spi0.reset();
            self.spi1 = spi1::Spi1::new();
            self.io_mux = io_mux::IoMux::new();
            self.gpio.reset(&self.io_mux, cycle, out);
            self.gpio_sd.reset();
            self.i2c_ana_mst.reset();
            self.timg = [timg::Timg::new(0, cycle), timg::Timg::new(1, cycle)];
            self.systimer = systimer::Systimer::new(cycle);
            self.apb_ctrl.reset();
            self.apb_saradc.reset();
            self.usb = usb_serial_jtag::UsbSerialJtag::new(self.usb.host(), cycle);
            self.system = system::System::new();
            self.sensitive.reset();
            self.extmem = extmem::Extmem::new();
            self.assist_debug.reset();
            self.phy.iter_mut().for_each(RegisterFile::reset);
        }
        self.intc = interrupt_core0::InterruptCore0::new();
        if cause == ResetCause::PowerOn {
            self.rtc_cntl = rtc_cntl::RtcCntl::new(cycle);
        } else {
            self.rtc_cntl.reset(cause, cycle);
        }
        self.sync(cycle);
    }

    /// Reads the register at word address `addr`.
    pub(crate) fn read(&mut self, addr: u32, cycle: u64, out: &mut Outbox) -> Option<u32> {
        let offset = addr & 0xFFF;
        match addr & !0xFFF {
            UART0 => self.uart[0].read(offset, cycle, out),
            UART1 => self.uart[1].read(offset, cycle, out),
            SPI0 => self.spi0.read(offset),
            SPI1 => self.spi1.read(offset),
            GPIO if addr >= GPIO_SD => self.gpio_sd.read(addr - GPIO_SD),
            GPIO => self.gpio.read(offset),
            RTC_CNTL if addr >= EFUSE => self.efuse.read(addr - EFUSE),
            RTC_CNTL => self.rtc_cntl.read(offset, cycle),
            IO_MUX => self.io_mux.read(offset),
            I2C_ANA_MST => self.i2c_ana_mst.read(offset),
            TIMG0 => self.timg[0].read(offset, cycle),
            TIMG1 => self.timg[1].read(offset, cycle),
            SYSTIMER => self.systimer.read(offset, cycle),
            APB_CTRL => self.apb_ctrl.read(offset),
            APB_SARADC => self.apb_saradc.read(offset),
            USB_SERIAL_JTAG => self.usb.read(offset, cycle, out),
            SYSTEM => self.system.read(offset),
            SENSITIVE => self.sensitive.read(offset),
            INTERRUPT_CORE0 => self.intc.read(offset),
            EXTMEM => self.extmem.read(offset),
            ASSIST_DEBUG => self.assist_debug.read(offset),
            FE2 => self.phy[0].read(offset),
            FE => self.phy[1].read(offset),
            NRX => self.phy[2].read(offset),
            BB => self.phy[3].read(offset),
            _ => None,
        }
    }

    /// Writes the register at word address `addr`; after [`Written::Sync`] interrupts and deadlines are up to date.
    pub(crate) fn write(
        &mut self,
        addr: u32,
        value: u32,
        cycle: u64,
        flash: &mut NorFlash,
        out: &mut Outbox,
    ) -> Written {
        let offset = addr & 0xFFF;
        let written = match addr & !0xFFF {
            UART0 => self.uart[0].write(offset, value, cycle, out),
            UART1 => self.uart[1].write(offset, value, cycle, out),
            SPI0 => self.spi0.write(offset, value).into(),
            SPI1 => self.spi1.write(offset, value, flash),
            GPIO if addr >= GPIO_SD => self.gpio_sd.write(addr - GPIO_SD, value).into(),
            GPIO => self.gpio.write(offset, value, &self.io_mux, cycle, out),
            RTC_CNTL if addr >= EFUSE => self.efuse.write(addr - EFUSE, value).into(),
            RTC_CNTL => self.rtc_cntl.write(offset, value, cycle),
            IO_MUX => {
                let known = self.io_mux.write(offset, value);
                self.gpio.update(&self.io_mux, cycle, out);
                if known { Written::Sync } else { Written::Unmodelled }
            }
            I2C_ANA_MST => self.i2c_ana_mst.write(offset, value).into(),
            TIMG0 => self.timg[0].write(offset, value, cycle),
            TIMG1 => self.timg[1].write(offset, value, cycle),
            SYSTIMER => self.systimer.write(offset, value, cycle),
            APB_CTRL => self.apb_ctrl.write(offset, value).into(),
            APB_SARADC => self.apb_saradc.write(offset, value),
            USB_SERIAL_JTAG => self.usb.write(offset, value, cycle, out),
            SYSTEM => self.system.write(offset, value),
            SENSITIVE => self.sensitive.write(offset, value).into(),
            INTERRUPT_CORE0 => match self.intc.write(offset, value) {
                true => Written::Sync,
                false => Written::Unmodelled,
            },
            EXTMEM => self.extmem.write(offset, value).into(),
            ASSIST_DEBUG => self.assist_debug.write(offset, value).into(),
            FE2 => self.phy[0].write(offset, value).into(),
            FE => self.phy[1].write(offset, value).into(),
            NRX => self.phy[2].write(offset, value).into(),
            BB => self.phy[3].write(offset, value).into(),
            _ => Written::Unmodelled,
        };
        if written == Written::Sync {
            self.reset_blocks(cycle, out);
            if self.rtc_cntl.sleep() == Some(Sleep::Deep) {
                // Without power the chip stops driving its digital pads.
                self.gpio.release(&self.io_mux, cycle, out);
            }
            self.sync(cycle);
        }
        written
    }

    /// The values that reads of the register at word address `addr` return between two cycles before the next
    /// deadline, see [`rv32::Bus::poll_read`].
    pub(crate) fn poll_read(&self, addr: u32, from: u64, to: u64) -> Option<PollRead> {
        let offset = addr & 0xFFF;
        let value = match addr & !0xFFF {
            UART0 => return self.uart[0].poll_read(offset, from, to),
            UART1 => return self.uart[1].poll_read(offset, from, to),
            TIMG0 => return self.timg[0].poll_read(offset, from, to),
            TIMG1 => return self.timg[1].poll_read(offset, from, to),
            SYSTIMER => return self.systimer.poll_read(offset, from, to),
            RTC_CNTL if addr >= EFUSE => self.efuse.read(addr - EFUSE),
            RTC_CNTL => return self.rtc_cntl.poll_read(offset, from, to),
            GPIO if addr < GPIO_SD => self.gpio.read(offset),
            IO_MUX => self.io_mux.read(offset),
            I2C_ANA_MST => self.i2c_ana_mst.read(offset),
            SPI1 => self.spi1.read(offset),
            APB_SARADC => self.apb_saradc.read(offset),
            SYSTEM => self.system.read(offset),
            INTERRUPT_CORE0 => self.intc.read(offset),
            EXTMEM => self.extmem.read(offset),
            _ => None,
        };
        value.map(poll::constant)
    }

    /// The effect of a write to the register at word address `addr` in a polling loop, see
    /// [`rv32::Bus::poll_write`].
    pub(crate) fn poll_write(&self, addr: u32) -> Option<PollWrite> {
        let offset = addr & 0xFFF;
        match addr & !0xFFF {
            TIMG0 => self.timg[0].poll_write(offset),
            TIMG1 => self.timg[1].poll_write(offset),
            SYSTIMER => self.systimer.poll_write(offset),
            RTC_CNTL if addr < EFUSE => self.rtc_cntl.poll_write(offset),
            _ => None,
        }
    }

    /// Does what is due at `cycle`. Returns the cause if a watchdog or software asks for a reset.
    pub(crate) fn advance(&mut self, cycle: u64, out: &mut Outbox) -> Option<ResetCause> {
        if self.deadline > cycle {
            return None;
        }
        self.uart[0].advance(cycle, out);
        self.uart[1].advance(cycle, out);
        self.systimer.advance(cycle);
        self.usb.advance(cycle, out);
        let mut reset = self.rtc_cntl.advance(cycle);
        for timg in &mut self.timg {
            let asked = timg.advance(cycle);
            reset = reset.or(asked);
        }
        self.sync(cycle);
        reset
    }

    /// Reports serial bytes that were sent by `cycle` and had no deadline of their own.
    pub(crate) fn flush(&mut self, cycle: u64, out: &mut Outbox) {
        for uart in &mut self.uart {
            uart.flush(cycle, out);
        }
    }

    /// The cycle at which a peripheral next acts by itself, or [`NEVER`].
    #[inline]
    pub(crate) fn deadline(&self) -> u64 {
        self.deadline
    }

    /// Brings the interrupt controller and the deadline up to date.
    pub(crate) fn sync(&mut self, cycle: u64) {
        if self.rtc_cntl.sleep().is_some() {
            self.rtc_cntl.wake_by_pins(self.gpio.levels(), self.gpio.wakes());
        }
        let sources = self.uart[0].interrupts(cycle)
            | self.uart[1].interrupts(cycle)
            | self.gpio.interrupts()
            | self.rtc_cntl.interrupts()
            | self.timg[0].interrupts()
            | self.timg[1].interrupts()
            | self.systimer.interrupts()
            | self.usb.interrupts()
            | self.system.interrupts()
            | self.apb_saradc.interrupts();
        self.intc.set_sources(sources);
        self.deadline = self.uart[0]
            .deadline()
            .min(self.uart[1].deadline())
            .min(self.rtc_cntl.deadline())
            .min(self.timg[0].deadline())
            .min(self.timg[1].deadline())
            .min(self.systimer.deadline())
            .min(self.usb.deadline());
    }

    fn reset_blocks(&mut self, cycle: u64, out: &mut Outbox) {
        use system::rst;
        let resets = self.system.take_resets();
        if resets == 0 {
            return;
        }
        for (n, bit) in [rst::UART, rst::UART1].into_iter().enumerate() {
            if resets & bit != 0 {
                self.uart[n].flush(cycle, out);
                self.uart[n].reset();
            }
        }
        for (n, bit) in [rst::TIMERGROUP, rst::TIMERGROUP1].into_iter().enumerate() {
            if resets & bit != 0 {
                self.timg[n] = timg::Timg::new(n as u32, cycle);
            }
        }
        if resets & rst::SYSTIMER != 0 {
            self.systimer = systimer::Systimer::new(cycle);
        }
    }
}

#[cfg(test)]
#[path = "peripherals/tests.rs"]
mod tests;
