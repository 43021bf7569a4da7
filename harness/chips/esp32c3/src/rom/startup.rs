//! The boot ROM's own program: its output after a reset, the boot mode by the strapping pins, and the loader.
//!
//! It is host code that works through the chip's registers and takes as long as UART0 needs for its output.
//! The second-stage bootloader is not executed; lines that it would log as errors are printed, its other
//! lines are not.

use std::collections::VecDeque;
use std::time::Duration;

use image::AppImage;
use image::BootError;
use image::bootloader::choose;
use image::chip::ESP32C3;

use crate::bus::SystemBus;
use crate::clock::{CPU_HZ, NEVER, cycles_of};
use crate::download::{Answer, Loader, Then};
use crate::guest::GuestMemory;
use crate::reset::ResetCause;
use crate::rom::flash::CHIP_AT_RESET;

const UART_FIFO: u32 = 0x6000_0000;
const UART_CLKDIV: u32 = 0x6000_0014;
const UART_STATUS: u32 = 0x6000_001C;
const UART_CONF1: u32 = 0x6000_0024;
/// `RX_TOUT_EN`. A flasher stub needs it for the last byte of a frame: with a threshold of one, two bytes
/// raise an interrupt.
const UART_RX_TOUT_EN: u32 = 1 << 21;
const UART_CLK_CONF: u32 = 0x6000_0078;
const GPIO_STRAP: u32 = 0x6000_4038;
/// The ROM waits while the transmit FIFO holds this many bytes.
const TX_FULL: u32 = 126;
/// Size of the ROM's receive buffer, bytes; it keeps bytes that arrive while the ROM is busy.
const RING: usize = 0x800;
/// Timer group 0's watchdog after a reset: 26,000,000 ticks of 80 MHz (TRM 12.2.2, flash boot protection).
const FLASH_BOOT_WATCHDOG_MS: u64 = 325;
/// Program counter of the ROM when a watchdog ends its endless loops.
pub(crate) const LOOP_PC: u32 = 0x4004_8B82;
/// `GPIO_STRAP`: GPIO9 and GPIO8 (TRM table 7-1).
const STRAP_GPIO9: u32 = 1 << 3;
const STRAP_GPIO8: u32 = 1 << 2;

/// Next step for the run loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Wait until this cycle, or until a byte arrives.
    Wait(u64),
    /// Start the application that the bootloader has chosen.
    Application,
    /// Start the program in RAM at this address.
    Program(u32),
    /// Reset the chip with this cause.
    Reset(ResetCause),
    /// An access of the ROM failed.
    Fault { addr: u32, store: bool },
    /// Power fails at this cycle.
    PowerCut(u64),
}

#[derive(Clone, Debug)]
enum Phase {
    /// Prints, then starts the application.
    Launch,
    /// Prints this line again and again until the watchdog resets the chip.
    Repeat(Vec<u8>),
    /// Prints, then stops.
    Stand,
    /// Prints, then resets.
    Restart,
    /// Runs the serial loader.
    Download(Box<Loader>),
}

/// State of the ROM's program. A clone is a checkpoint.
#[derive(Clone, Debug)]
pub(crate) struct Startup {
    /// Bytes to be written to the transmit FIFO.
    console: VecDeque<u8>,
    phase: Phase,
    /// Received bytes that the loader has not read.
    ring: VecDeque<u8>,
    /// The cycle until which the loader is busy with a request; its answer is sent then.
    busy_until: u64,
    answer: Option<(Vec<u8>, Then)>,
    /// The cycle at which the watchdog of timer group 0 resets the chip.
    watchdog_at: u64,
    /// Reason why the bootloader found nothing to start.
    failure: Option<BootError>,
}

impl Startup {
    /// The ROM's program after a reset at `cycle`. `saved_pc` is the CPU's program counter at the reset, if
    /// it ran before.
    pub(crate) fn after_reset(
        bus: &mut SystemBus,
        cause: ResetCause,
        saved_pc: Option<u32>,
        cycle: u64,
    ) -> Startup {
        bus.host_cycle = cycle;
        // 115,200 baud from the crystal, as the ROM divides; an interrupt at every second byte.
        for (register, value) in [
            (UART_CLK_CONF, 0x0370_0000),
            (UART_CLKDIV, 347 | 3 << 20),
            (UART_CONF1, UART_RX_TOUT_EN | 1),
        ] {
            // The chip has this UART, so the write cannot fault.
            let _ = bus.write_u32(register, value);
        }
        let straps = bus.read_u32(GPIO_STRAP).unwrap_or(0);
        let mut text = format!(
            "ESP-ROM:esp32c3-api1-20210207\nBuild:Feb  7 2021\nrst:0x{:x} ({}),boot:0x{:x} ({})\n",
            cause as u8,
            cause_name(cause),
            straps & 0xF,
            mode_name(straps),
        );
        if let Some(pc) = saved_pc {
            text += &format!("Saved PC:0x{pc:08x}\n");
        }
        let mut startup = Startup {
            console: VecDeque::new(),
            phase: Phase::Launch,
            ring: VecDeque::new(),
            busy_until: cycle,
            answer: None,
            watchdog_at: cycle + FLASH_BOOT_WATCHDOG_MS * CPU_HZ / 1_000,
            failure: None,
        };
        if straps & STRAP_GPIO9 == 0 {
            text += "waiting for download\n";
            startup.phase = Phase::Download(Box::new(Loader::new(CHIP_AT_RESET[1])));
            startup.watchdog_at = NEVER;
        } else {
            startup.boot_from_flash(bus, &mut text);
        }
        startup.print(&text);
        startup
    }

    /// The ROM's program after an uploaded program has returned.
    pub(crate) fn after_program(cycle: u64) -> Startup {
        let mut startup = Startup {
            console: VecDeque::new(),
            phase: Phase::Stand,
            ring: VecDeque::new(),
            busy_until: cycle,
            answer: None,
            watchdog_at: NEVER,
            failure: None,
        };
        startup.print("user code done\n");
        startup
    }

    /// Takes the reason why no application boots.
    pub(crate) fn take_failure(&mut self) -> Option<BootError> {
        self.failure.take()
    }

    /// True while the loader measures the baud rate of the line.
    pub(crate) fn detects_rate(&self) -> bool {
        matches!(&self.phase, Phase::Download(loader) if !loader.is_connected())
    }

    /// True while the loader runs.
    pub(crate) fn is_download(&self) -> bool {
        matches!(self.phase, Phase::Download(_))
    }

    fn boot_from_flash(&mut self, bus: &SystemBus, text: &mut String) {
        let cells = bus.flash.cells();
        let image = match AppImage::read(cells, 0, &ESP32C3) {
            Ok(image) => image,
            Err(BootError::OtherChip { id, .. }) => {
                *text += &format!(
                    "Invalid chip id. Expected 5 read {id}. Bootloader for wrong chip?\nets_main.c 333 \n"
                );
                self.phase = Phase::Stand;
                return;
            }
            Err(_) => {
                let header: [u8; 4] = std::array::from_fn(|n| cells.get(n).copied().unwrap_or(0xFF));
                let line = format!("invalid header: 0x{:08x}\n", u32::from_le_bytes(header));
                self.phase = Phase::Repeat(with_returns(&line));
                return;
            }
        };
        let header = &cells[..24];
        let clock = match header[3] & 0xF {
            0 => 2,
            1 => 3,
            2 => 4,
            _ => 1,
        };
        *text += &format!("SPIWP:0x{:02x}\n", header[8]);
        *text += &format!("mode:{}, clock div:{clock}\n", flash_mode(header[2]));
        for segment in &image.segments {
            *text += &format!("load:0x{:08x},len:0x{:x}\n", segment.addr, segment.size);
        }
        let (calculated, stored) = image.checksums;
        if calculated != stored {
            *text += &format!(
                "Checksum failure. Calculated 0x{calculated:02x} stored 0x{stored:02x}\nets_main.c 333 \n"
            );
            self.phase = Phase::Stand;
            return;
        }
        if let Some((calculated, stored)) = image.hashes(cells).filter(|(a, b)| a != b) {
            let hex = |hash: [u8; 32]| hash.map(|byte| format!("{byte:02x}")).concat();
            *text += &format!(
                "SHA-256 comparison failed:\nCalculated: {}\nExpected: {}\nAttempting to boot anyway...\n",
                hex(calculated),
                hex(stored),
            );
        }
        *text += &format!("entry 0x{:08x}\n", image.entry);
        if let Err(failure) = choose(bus.flash.cells(), &ESP32C3, false) {
            for line in failure.log {
                // The log counts milliseconds since the reset; what was printed so far took most of them.
                let ms = text.len() * 10 / 115 + 20;
                *text += &format!("E ({ms}) {line}\n");
            }
            self.failure = Some(failure.error);
            self.phase = Phase::Restart;
        }
        // The bootloader has its own watchdog.
        self.watchdog_at = NEVER;
    }

    fn print(&mut self, text: &str) {
        self.console.extend(with_returns(text));
    }

    /// Carries out the next step at `cycle`.
    pub(crate) fn step(&mut self, bus: &mut SystemBus, cycle: u64) -> Next {
        bus.host_cycle = cycle;
        bus.host_pc = LOOP_PC;
        let next = self.act(bus, cycle);
        bus.peripherals.sync(cycle);
        next
    }

    fn act(&mut self, bus: &mut SystemBus, cycle: u64) -> Next {
        if cycle >= self.watchdog_at {
            return Next::Reset(ResetCause::CoreMwdt0);
        }
        if self.is_download() {
            self.receive(bus);
        }
        if cycle < self.busy_until {
            return Next::Wait(self.busy_until);
        }
        if let Some((bytes, then)) = self.answer.take() {
            self.console.extend(bytes);
            if then != Then::Continue {
                self.answer = Some((Vec::new(), then));
            }
        }
        if let Some(at) = self.transmit(bus, cycle) {
            return Next::Wait(at.min(self.watchdog_at));
        }
        // A change of rate, a reset or a jump that follows an answer waits until the line is idle.
        let idle_at = bus.peripherals.uart[0].idle_at();
        if self.leaves() && idle_at > cycle {
            return Next::Wait(idle_at);
        }
        match self.answer.take() {
            Some((_, Then::Divide(divider))) => {
                let register = (divider >> 4 & 0xFFF) | (divider & 0xF) << 20;
                let _ = bus.write_u32(UART_CLKDIV, register);
            }
            Some((_, Then::Reset)) => return Next::Reset(ResetCause::CoreSoftware),
            Some((_, Then::Leave { entry: 0 })) => *self = Startup::after_program(cycle),
            Some((_, Then::Leave { entry })) => return Next::Program(entry),
            Some((_, Then::Continue)) | None => {}
        }
        match &mut self.phase {
            Phase::Launch => Next::Application,
            Phase::Restart => Next::Reset(ResetCause::CoreSoftware),
            Phase::Stand => Next::Wait(if self.console.is_empty() {
                self.watchdog_at
            } else {
                cycle
            }),
            Phase::Repeat(line) => {
                self.console.extend(line.iter());
                Next::Wait(cycle)
            }
            Phase::Download(_) => self.download(bus, cycle),
        }
    }

    fn leaves(&self) -> bool {
        self.answer.is_some() || matches!(self.phase, Phase::Launch | Phase::Restart)
    }

    /// Empties the receive FIFO, as the loader's interrupt handler does. If the loader does not run the bytes
    /// stay there for the application.
    fn receive(&mut self, bus: &mut SystemBus) {
        while bus.read_u32(UART_STATUS).unwrap_or(0) & 0x3FF != 0 {
            let byte = bus.read_u32(UART_FIFO).unwrap_or(0) as u8;
            if self.ring.len() < RING {
                self.ring.push_back(byte);
            }
        }
    }

    /// Fills the transmit FIFO. Returns the cycle of the next attempt if the FIFO is full.
    fn transmit(&mut self, bus: &mut SystemBus, cycle: u64) -> Option<u64> {
        while let Some(byte) = self.console.front() {
            if bus.read_u32(UART_STATUS).unwrap_or(0) >> 16 & 0x3FF >= TX_FULL {
                return Some(cycle + TX_FULL as u64 / 2 * bus.peripherals.uart[0].frame_cycles());
            }
            let _ = bus.write_u32(UART_FIFO, u32::from(*byte));
            self.console.pop_front();
        }
        None
    }

    /// Passes received bytes to the loader until one ends a request.
    fn download(&mut self, bus: &mut SystemBus, cycle: u64) -> Next {
        let Phase::Download(loader) = &mut self.phase else {
            return Next::Wait(self.watchdog_at);
        };
        while let Some(byte) = self.ring.pop_front() {
            match loader.push(byte, bus) {
                None => {}
                Some(Answer::Send { took, bytes, then }) => {
                    self.busy_until = cycle + cycles_in(took);
                    self.answer = Some((bytes, then));
                    return Next::Wait(self.busy_until);
                }
                Some(Answer::Fault { addr, store }) => return Next::Fault { addr, store },
                Some(Answer::PowerCut(after)) => return Next::PowerCut(cycle + cycles_in(after)),
                Some(Answer::Hang) => {
                    self.phase = Phase::Stand;
                    return Next::Wait(NEVER);
                }
            }
        }
        Next::Wait(NEVER)
    }
}

/// The straps that are sampled at power-on and at resets of the whole chip (TRM 7.1): low if driven low from
/// outside, otherwise high by the pull-up in the chip (GPIO9) or on the board (GPIO8).
pub(crate) fn straps(gpio8: Option<bool>, gpio9: Option<bool>) -> u32 {
    let high = |level: Option<bool>, bit: u32| if level == Some(false) { 0 } else { bit };
    high(gpio8, STRAP_GPIO8) | high(gpio9, STRAP_GPIO9)
}

fn cycles_in(duration: Duration) -> u64 {
    cycles_of(
        u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX),
        1_000_000_000,
    )
}

/// Ends lines with carriage return and line feed, as the ROM's console does.
fn with_returns(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

fn cause_name(cause: ResetCause) -> &'static str {
    match cause {
        ResetCause::PowerOn => "POWERON",
        ResetCause::CoreSoftware => "RTC_SW_SYS_RST",
        ResetCause::CoreDeepSleep => "DSLEEP",
        ResetCause::CoreMwdt0 => "TG0WDT_SYS_RST",
        ResetCause::CoreMwdt1 => "TG1WDT_SYS_RST",
        ResetCause::CoreRtcWdt => "RTCWDT_SYS_RST",
        ResetCause::CpuMwdt0 => "TG0WDT_CPU_RST",
        ResetCause::CpuSoftware => "RTC_SW_CPU_RST",
        ResetCause::CpuRtcWdt => "RTCWDT_CPU_RST",
        ResetCause::BrownOut => "BROWNOUT_RST",
        ResetCause::SystemRtcWdt => "RTCWDT_RTC_RST",
        ResetCause::CpuMwdt1 => "TG1WDT_CPU_RST",
        ResetCause::SystemSuperWdt => "SUPER_WDT_RST",
        ResetCause::CoreUsbUart => "USB_UART_CHIP_RESET",
    }
}

fn mode_name(straps: u32) -> &'static str {
    match straps & 0xF {
        0 => "USB_BOOT",
        1 => "SPI_DOWNLOAD_BOOT",
        2 => "UART0_BOOT",
        mode if mode & 0xC == STRAP_GPIO8 => "DOWNLOAD(USB/UART0/1)",
        _ => "SPI_FAST_FLASH_BOOT",
    }
}

/// Name of a flash mode in the boot log (ESP-IDF `esp_image_spi_mode_t`).
fn flash_mode(mode: u8) -> &'static str {
    match mode {
        0 => "QIO",
        1 => "QOUT",
        2 => "DIO",
        3 => "DOUT",
        4 => "FAST_RD",
        _ => "SLOW_RD",
    }
}
