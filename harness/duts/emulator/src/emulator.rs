//! The chip as a device under test.

use std::collections::BTreeMap;
use std::sync::Arc;

use esp32c3::services::ServiceEvent;
use esp32c3::{
    Chip, ChipConfig, Exception, Output, Port, ResetCause as ChipReset, Unmodelled, UnmodelledKind,
    cause_name,
};
use image::backtrace::Backtrace;
use image::{ElfError, Firmware};
use sim::Instant;
use sim::air::FromAir;
use vocabulary::{Access, AccessKind, ResetCause, SerialPort};

use dut::{Dut, DutError, FlashImage, Observation};

/// Exceptions of a guest that is caught in a crash loop are shown up to this many times.
const MOST_FAULTS: u32 = 32;

/// A firmware image that was read and checked; cheap to clone.
#[derive(Clone, Debug)]
pub struct Image(Arc<Firmware>);

/// Why a file is no firmware for the emulator.
pub type ImageError = ElfError;

impl Image {
    /// Reads an ELF, plain or compressed by gzip.
    ///
    /// # Errors
    /// When it is no ELF, cut short, for another chip, or stripped.
    pub fn load(file: &[u8]) -> Result<Image, ImageError> {
        Firmware::parse(file).map(|firmware| Image(Arc::new(firmware)))
    }
}

/// What distinguishes one emulated device from another.
#[derive(Clone, Debug)]
pub struct EmulatorConfig {
    /// MAC address; must be a unicast one.
    pub mac: [u8; 6],
    /// Flash before the application is put into it.
    pub flash: FlashImage,
    /// How far the crystal is off, parts per million; positive is fast.
    pub crystal_ppm: i32,
    /// Seed of the chip's random numbers.
    pub seed: u64,
}

/// Why the emulator cannot be made.
pub type EmulatorError = esp32c3::ChipError;

/// An emulated ESP32-C3.
pub struct Emulator {
    chip: Chip,
    /// The flash as it was at first, for the places of its partitions.
    layout: FlashImage,
    crystal_ppm: i32,
    now: Instant,
    seen: Vec<(Instant, Observation)>,
    serial: Vec<u8>,
    serial_since: Instant,
    faults: u32,
    other: BTreeMap<String, u64>,
}

impl Emulator {
    /// A device that has just been switched on.
    ///
    /// # Errors
    /// When the image does not fit the chip or its flash.
    pub fn new(config: EmulatorConfig, image: &Image) -> Result<Emulator, EmulatorError> {
        let layout = config.flash.clone();
        let chip = Chip::new(
            ChipConfig {
                mac: config.mac,
                flash: config.flash.into_bytes(),
                seed: config.seed,
                ..ChipConfig::default()
            },
            &image.0,
        )?;
        Ok(Emulator {
            chip,
            layout,
            crystal_ppm: config.crystal_ppm,
            now: Instant::ZERO,
            seen: Vec::new(),
            serial: Vec::new(),
            serial_since: Instant::ZERO,
            faults: 0,
            other: BTreeMap::new(),
        })
    }

    /// What the chip counts as time at the true time `at`: a crystal that is fast counts more.
    fn to_chip(&self, at: Instant) -> Instant {
        let ns = i128::from(at.as_nanos());
        let chip = ns + (ns * i128::from(self.crystal_ppm)).div_euclid(1_000_000);
        Instant::from_nanos(u64::try_from(chip).unwrap_or(u64::MAX))
    }

    /// The inverse of [`to_chip`](Self::to_chip), rounded down.
    fn to_true(&self, chip: Instant) -> Instant {
        if self.crystal_ppm == 0 {
            return chip;
        }
        let ns = u128::from(chip.as_nanos()) * 1_000_000;
        let true_ns = ns / (1_000_000_i64 + i64::from(self.crystal_ppm)) as u128;
        Instant::from_nanos(u64::try_from(true_ns).unwrap_or(u64::MAX))
    }

    fn collect(&mut self) {
        for (at, output) in self.chip.take_outputs() {
            let at = self.to_true(at).min(self.now);
            if let Output::Serial {
                port: Port::Uart0,
                byte,
            } = output
            {
                if self.serial.is_empty() {
                    self.serial_since = at;
                }
                self.serial.push(byte);
                // A chunk is a line, so that its bytes carry the time of its end.
                if byte == b'\n' {
                    self.serial_since = at;
                    self.end_chunk();
                }
                continue;
            }
            self.end_chunk();
            self.observe(at, output);
        }
        self.end_chunk();
    }

    /// Hands on the gathered serial bytes.
    fn end_chunk(&mut self) {
        if !self.serial.is_empty() {
            let bytes = std::mem::take(&mut self.serial);
            self.seen.push((
                self.serial_since,
                Observation::Serial {
                    port: SerialPort::Uart0,
                    bytes,
                },
            ));
        }
    }

    fn observe(&mut self, at: Instant, output: Output) {
        let seen = match output {
            Output::Serial {
                port: Port::UsbSerialJtag,
                byte,
            } => Observation::Serial {
                port: SerialPort::UsbSerialJtag,
                bytes: vec![byte],
            },
            // UART1 is wired to nothing on this bench.
            Output::Serial { .. } => return,
            Output::PowerLost => Observation::PowerLost,
            Output::Pin { gpio, level } => Observation::Pin { gpio, level },
            Output::Air(message) => Observation::Air(message),
            Output::Reset { cause, .. } => Observation::Reset(reset_cause(cause)),
            Output::Unmodelled(access) => Observation::Unmodelled(access_of(access)),
            Output::Exception(exception) => {
                self.faults += 1;
                if self.faults > MOST_FAULTS {
                    return;
                }
                exception_of(exception)
            }
            Output::Panic { backtrace } => Observation::GuestFault {
                message: "the firmware panicked".to_owned(),
                backtrace: lines(&backtrace),
            },
            Output::BootFailed(error) => Observation::GuestFault {
                message: format!("the device does not boot: {error}"),
                backtrace: Vec::new(),
            },
            Output::RadioWithoutSymbols { pc, addr } => Observation::GuestFault {
                message: format!(
                    "the firmware uses the radio itself ({addr:#010x} at {pc:#010x}): its ELF names no driver function \
                     that could be stood in for"
                ),
                backtrace: Vec::new(),
            },
            // Every run sets the rate of its console once.
            Output::Baud { .. } => return,
            Output::Endless(endless) => Observation::GuestFault {
                message: endless.to_string(),
                backtrace: Vec::new(),
            },
            Output::Radio(event) => match self.service_event(event) {
                Some(seen) => seen,
                None => return,
            },
        };
        self.seen.push((at, seen));
    }

    fn service_event(&mut self, event: ServiceEvent) -> Option<Observation> {
        let call = |kind, addr, pc, symbol| {
            Observation::Unmodelled(Access {
                kind,
                addr,
                size: 0,
                written: None,
                pc,
                symbol,
            })
        };
        match event {
            ServiceEvent::RomNotModelled { addr, name, caller } => Some(call(
                AccessKind::RomFunction,
                addr,
                caller,
                name.map(str::to_owned),
            )),
            ServiceEvent::DriverFunction { name, caller } => {
                Some(call(AccessKind::DriverFunction, 0, caller, Some(name)))
            }
            ServiceEvent::Panicked { backtrace } => Some(Observation::GuestFault {
                message: "the firmware panicked".to_owned(),
                backtrace: lines(&backtrace),
            }),
            other => {
                *self.other.entry(format!("{other:?}")).or_default() += 1;
                None
            }
        }
    }
}

fn lines(backtrace: &Backtrace) -> Vec<String> {
    backtrace.to_string().lines().map(str::to_owned).collect()
}

fn exception_of(e: Exception) -> Observation {
    let what = cause_name(e.cause);
    Observation::GuestFault {
        message: format!(
            "{what} (mcause {}) at {:#010x}, mtval {:#010x}",
            e.cause, e.pc, e.value
        ),
        backtrace: lines(&e.backtrace),
    }
}

fn access_of(u: Unmodelled) -> Access {
    let symbol = match (u.name, u.symbol) {
        (Some(name), Some(at)) => Some(format!("{name} in {at}")),
        (Some(name), None) => Some(name),
        (None, at) => at.map(|a| a.to_string()),
    };
    Access {
        kind: match u.kind {
            UnmodelledKind::Register => AccessKind::Register,
            UnmodelledKind::Csr => AccessKind::Csr,
            UnmodelledKind::RomFunction => AccessKind::RomFunction,
            UnmodelledKind::DriverFunction => AccessKind::DriverFunction,
        },
        addr: u.addr,
        size: u.size as u8,
        written: u.write,
        pc: u.pc,
        symbol,
    }
}

fn reset_cause(cause: ChipReset) -> ResetCause {
    match cause {
        ChipReset::PowerOn => ResetCause::PowerOn,
        ChipReset::CoreSoftware => ResetCause::Software,
        ChipReset::CoreDeepSleep => ResetCause::DeepSleep,
        ChipReset::CoreMwdt0 => ResetCause::MainWatchdog0,
        ChipReset::CoreMwdt1 => ResetCause::MainWatchdog1,
        ChipReset::CoreRtcWdt => ResetCause::RtcWatchdog,
        ChipReset::CpuMwdt0 => ResetCause::CpuMainWatchdog0,
        ChipReset::CpuSoftware => ResetCause::CpuSoftware,
        ChipReset::CpuRtcWdt => ResetCause::CpuRtcWatchdog,
        ChipReset::BrownOut => ResetCause::BrownOut,
        ChipReset::SystemRtcWdt => ResetCause::RtcWatchdogFull,
        ChipReset::CpuMwdt1 => ResetCause::CpuMainWatchdog1,
        ChipReset::SystemSuperWdt => ResetCause::SuperWatchdog,
        ChipReset::CoreUsbUart => ResetCause::Usb,
    }
}

impl Dut for Emulator {
    fn backend(&self) -> &str {
        "emulator"
    }

    fn now(&self) -> Instant {
        self.now
    }

    fn run_until(&mut self, until: Instant) -> Result<(), DutError> {
        let chip_until = self.to_chip(until);
        self.now = match self.chip.run_until(chip_until) {
            esp32c3::Stop::Time => until,
            esp32c3::Stop::Output => self.to_true(self.chip.now()).clamp(self.now, until),
        };
        self.collect();
        Ok(())
    }

    fn take_observations(&mut self, out: &mut Vec<(Instant, Observation)>) {
        out.append(&mut self.seen);
    }

    fn serial_input(&mut self, bytes: &[u8]) -> Result<(), DutError> {
        self.chip.serial_in(Port::Uart0, bytes);
        Ok(())
    }

    fn set_pin(&mut self, gpio: u8, level: Option<bool>) -> Result<(), DutError> {
        self.chip.set_pin(gpio, level);
        self.collect();
        Ok(())
    }

    fn air(&mut self, message: FromAir) -> Result<(), DutError> {
        self.chip.air(message);
        Ok(())
    }

    fn reset(&mut self) -> Result<(), DutError> {
        self.chip.reset(ChipReset::PowerOn);
        self.collect();
        Ok(())
    }

    fn reset_by(&mut self, cause: ResetCause) -> Result<(), DutError> {
        let cause = match cause {
            ResetCause::PowerOn | ResetCause::Pin => ChipReset::PowerOn,
            ResetCause::Software => ChipReset::CoreSoftware,
            ResetCause::DeepSleep => ChipReset::CoreDeepSleep,
            ResetCause::MainWatchdog0 => ChipReset::CoreMwdt0,
            ResetCause::MainWatchdog1 => ChipReset::CoreMwdt1,
            ResetCause::RtcWatchdog => ChipReset::CoreRtcWdt,
            ResetCause::CpuMainWatchdog0 => ChipReset::CpuMwdt0,
            ResetCause::CpuSoftware => ChipReset::CpuSoftware,
            ResetCause::CpuRtcWatchdog => ChipReset::CpuRtcWdt,
            ResetCause::BrownOut => ChipReset::BrownOut,
            ResetCause::RtcWatchdogFull => ChipReset::SystemRtcWdt,
            ResetCause::CpuMainWatchdog1 => ChipReset::CpuMwdt1,
            ResetCause::SuperWatchdog => ChipReset::SystemSuperWdt,
            ResetCause::Usb => ChipReset::CoreUsbUart,
        };
        self.chip.reset(cause);
        self.collect();
        Ok(())
    }

    fn cut_power_in_flash_write(&mut self, bytes: Option<u64>) -> Result<(), DutError> {
        self.chip.flash_mut().cut_power_after(bytes);
        Ok(())
    }

    fn write_flash(&mut self, partition: &str, offset: u32, bytes: &[u8]) -> Result<bool, DutError> {
        let nowhere = || DutError::NoSuchFlash {
            partition: partition.to_owned(),
            offset,
            len: bytes.len(),
        };
        let (start, size) = self.layout.partition(partition).ok_or_else(nowhere)?;
        let end = (offset as usize)
            .checked_add(bytes.len())
            .filter(|end| *end <= size);
        end.ok_or_else(nowhere)?;
        let addr = u32::try_from(start).map_err(|_| nowhere())? + offset;
        let flash = self.chip.flash_mut();
        let changes = flash.cells().get(addr as usize..addr as usize + bytes.len()) != Some(bytes);
        flash.flash_image(addr, bytes).map_err(|_| nowhere())?;
        Ok(changes)
    }

    fn set_power(&mut self, on: bool) -> Result<(), DutError> {
        if on {
            self.chip.power_on();
        } else {
            self.chip.power_off();
        }
        self.collect();
        // The caller asked for the power cut, so `PowerLost` is not reported too.
        self.seen.retain(|(_, seen)| *seen != Observation::PowerLost);
        Ok(())
    }

    fn endless(&self) -> Option<String> {
        self.chip.endless().map(|endless| endless.to_string())
    }

    fn instructions(&self) -> u64 {
        self.chip.instructions()
    }

    fn unmodelled(&self) -> u64 {
        self.chip.unmodelled_count()
    }
}
