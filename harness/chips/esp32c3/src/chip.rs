//! The whole chip: hart, bus, ROM and radio services, and the loop that runs them in simulated time.

mod cpu;
mod pace;
mod report;
mod rom;
mod work;

use std::collections::BTreeMap;

use rv32::{Exit, Hart, HartConfig, Misaligned, TrapVector};
use sim::Instant;
use sim::air::FromAir;

use cpu::{HartCpu, csr};
pub use work::Endless;
use work::Work;

use image::BootError;
use image::backtrace::Backtrace;

use crate::boot;
use crate::bus::SystemBus;
use crate::clock::{NEVER, cycle_at, cycles_of, instant_at};
use crate::guest::{MSTATUS_MIE, Outcome};
use crate::output::{Output, Port, UnmodelledKind};
use crate::peripherals::Peripherals;
use crate::peripherals::efuse::Revision;
use crate::peripherals::rtc_cntl::Sleep;
use crate::reset::{ResetCause, ResetLevel};
use crate::rom::nor::NorFlash;
use crate::rom::startup::{Startup, eco_version};
use crate::services::{Context, Services};
use image::Firmware;

/// Size of the flash, bytes.
pub const FLASH_SIZE: u32 = 4 << 20;
/// Stack pointer of the second-stage bootloader when it calls the application.
const BOOTLOADER_SP: u32 = 0x3FCD_E000;
/// CPU cycles that the hart runs at a time while a call into the guest waits for interrupts to be enabled.
const DELIVERY_SLICE_CYCLES: u64 = 200;

/// The properties that distinguish one chip from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChipConfig {
    /// The MAC address in the fuses; must be a unicast address.
    pub mac: [u8; 6],
    /// Contents of the flash before the application is written to it: partition table, settings. Shorter than
    /// [`FLASH_SIZE`] is allowed; the rest is erased.
    pub flash: Vec<u8>,
    /// Seed of the scenario; the random number generator uses it.
    pub seed: u64,
    /// Revision of the silicon, in the fuses.
    pub revision: Revision,
    /// True if a host is connected to the USB serial port and reads.
    pub usb_host: bool,
    /// True if a reset runs the boot ROM's own program: its lines on UART0, the strapping pins, the serial
    /// loader, the checks of bootloader, partition table and image. If false the application starts at once
    /// and nothing is printed.
    pub boot_rom: bool,
}

impl Default for ChipConfig {
    /// Revision 0.4, erased flash, a locally administered MAC address, no USB host, no boot ROM.
    fn default() -> Self {
        ChipConfig {
            mac: [0x02, 0x00, 0x00, 0xC3, 0x00, 0x01],
            flash: Vec::new(),
            seed: 0,
            revision: Revision { major: 0, minor: 4 },
            usb_host: false,
            boot_rom: false,
        }
    }
}

/// Reason why a chip cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChipError {
    /// The contents do not fit into the flash.
    #[error("flash contents of {0} bytes do not fit into {FLASH_SIZE}")]
    FlashTooLong(usize),
    /// The MAC address is a group address; the driver refuses it.
    #[error("the MAC address has the group bit set")]
    GroupMac,
    /// The application does not fit or does not boot.
    #[error("cannot boot the application")]
    Boot(#[from] BootError),
}

/// Reason why [`Chip::run_until`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The moment was reached.
    Time,
    /// Before that, something left the chip that others may have to act on: see [`Chip::take_outputs`]; or so much has
    /// been done, or has left it, that the caller should look up before it goes on.
    Output,
}

/// An ESP32-C3. A clone is a checkpoint of its whole state.
#[derive(Clone, Debug)]
pub struct Chip {
    config: ChipConfig,
    firmware: Firmware,
    /// Firmware that replaces `firmware` at the next reset.
    next_firmware: Option<Firmware>,
    /// The boot ROM's program while it runs.
    startup: Option<Startup>,
    /// A program that the boot ROM's loader has started runs.
    program: bool,
    /// The cycle until which a ROM function of the uploaded program is busy, while an interrupt handler runs
    /// in it.
    interrupted: Option<u64>,
    /// Levels of the strapping pins when they were last sampled, as in `GPIO_STRAP`.
    straps: u32,
    /// Baud rate of UART0 when it was last reported.
    baud: u32,
    /// The firmware has accessed registers of the radio since the reset.
    radio_touched: bool,
    hart: Hart,
    bus: SystemBus,
    services: Services,
    state: State,
    /// The hart waits for an interrupt.
    waiting: bool,
    /// The cycle until which a ROM function is busy.
    busy_until: u64,
    /// Until then the guest stands still for work that the host has done for it.
    held_until: u64,
    work: Work,
    /// Loops without progress that have been reported.
    endless: Vec<Endless>,
    /// Exceptions since the chip was made.
    exceptions: u64,
    /// Unmodelled accesses that no longer found room in the ledger.
    unlisted: u64,
    power_cut_at: u64,
    outputs: Vec<(Instant, Output)>,
    /// An output since the last call ends [`Chip::run_until`].
    attention: bool,
    /// Number of unmodelled accesses for each place.
    ledger: BTreeMap<Place, u64>,
}

/// Key of an unmodelled access: kind, address and program counter. Accesses with the same key are counted
/// together.
type Place = (UnmodelledKind, u32, u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    /// The boot ROM's own program runs.
    Rom,
    /// The chip has power, but nothing to execute.
    Stuck,
    Off,
}

impl Chip {
    /// A chip with `firmware` in its flash, switched on at time zero.
    pub fn new(config: ChipConfig, firmware: &Firmware) -> Result<Chip, ChipError> {
        let mut chip = Chip::unpowered(config, firmware)?;
        boot::install(firmware, &mut chip.bus.flash)?;
        chip.sample_straps();
        chip.boot(None)?;
        Ok(chip)
    }

    /// A chip that boots from the contents of its flash, switched on at time zero. `symbols` are those of the
    /// application in flash (see [`Firmware::matches`]): they locate the radio's driver and give names to
    /// backtraces. Flash without an application is no error: the chip behaves as a real one, and
    /// [`Output::BootFailed`] is reported when its bootloader gives up.
    pub fn from_flash(config: ChipConfig, symbols: Option<&Firmware>) -> Result<Chip, ChipError> {
        let unknown = Firmware::unknown();
        let mut chip = Chip::unpowered(config, symbols.unwrap_or(&unknown))?;
        chip.sample_straps();
        chip.restart(None);
        Ok(chip)
    }

    /// Checks the configuration and makes a chip that is switched off.
    fn unpowered(config: ChipConfig, firmware: &Firmware) -> Result<Chip, ChipError> {
        if config.flash.len() > FLASH_SIZE as usize {
            return Err(ChipError::FlashTooLong(config.flash.len()));
        }
        if config.mac[0] & 1 != 0 {
            return Err(ChipError::GroupMac);
        }
        let mut flash = NorFlash::new(FLASH_SIZE);
        flash.flash_image(0, &config.flash).map_err(BootError::from)?;
        let peripherals = Peripherals::new(config.mac, config.revision, config.seed, config.usb_host);
        let services = Services::new(firmware);
        let mut bus = SystemBus::new(flash, peripherals, services.hooks().clone());
        bus.rom_version = eco_version(config.revision);
        Ok(Chip {
            hart: Hart::new(hart_config()),
            firmware: firmware.clone(),
            next_firmware: None,
            startup: None,
            program: false,
            interrupted: None,
            straps: 0,
            baud: 0,
            radio_touched: false,
            bus,
            services,
            state: State::Off,
            waiting: false,
            busy_until: 0,
            held_until: 0,
            work: Work::default(),
            endless: Vec::new(),
            exceptions: 0,
            unlisted: 0,
            power_cut_at: NEVER,
            outputs: Vec::new(),
            attention: false,
            ledger: BTreeMap::new(),
            config,
        })
    }

    /// Simulated time of the chip, from its cycle counter.
    pub fn now(&self) -> Instant {
        instant_at(self.hart.cycle)
    }

    /// Instructions executed since the chip was made. Work of the host that is charged to the guest counts as
    /// instructions too: traps, calls and resets that follow each other without rest.
    pub fn instructions(&self) -> u64 {
        self.hart.instret() + self.work.charged()
    }

    /// The loop without progress that the guest is in, or has been in most recently. A loop of traps that a reset has
    /// ended does not count.
    pub fn endless(&self) -> Option<Endless> {
        let reported = self
            .endless
            .iter()
            .rev()
            .find(|endless| endless.is_futile() && !endless.is_trap_loop());
        self.trap_loop().or(reported.copied())
    }

    fn trap_loop(&self) -> Option<Endless> {
        let trap_loop = self.hart.trap_loop().filter(|_| self.state == State::Running)?;
        Some(Endless::TrapLoop {
            cause: trap_loop.first.cause,
            pc: trap_loop.first.pc,
            handler: trap_loop.repeated.pc,
            handler_cause: trap_loop.repeated.cause,
        })
    }

    /// Books work that the host has done for the guest, see [`work`].
    fn book(&mut self, units: u64, what: impl FnOnce(&Chip) -> Endless) {
        let now = self.hart.cycle.max(self.held_until);
        let charged = self.work.book(now, units);
        if charged > 0 {
            self.held_until = now + charged;
            let what = what(self);
            self.report_endless(what);
        }
    }

    fn report_endless(&mut self, what: Endless) {
        if !self.endless.iter().any(|known| known.is_like(&what)) {
            self.endless.push(what);
            self.push(Output::Endless(what));
        }
    }

    /// Runs to the first cycle at or after `until`, or until an output to which other components may have to
    /// react at that moment: the end of a serial line, a pin, a message to the air, a reset, a panic.
    pub fn run_until(&mut self, until: Instant) -> Stop {
        let end = cycle_at(until);
        self.attention = false;
        let pause_at = self.effort() + work::PAUSE;
        loop {
            let now = self.hart.cycle;
            if self.state == State::Off {
                self.hart.skip_to(end);
                return Stop::Time;
            }
            if now >= self.power_cut_at {
                self.power_off();
                self.attention = false;
                return Stop::Output;
            }
            if let Some(cause) = self.bus.peripherals.advance(now, &mut self.bus.outbox) {
                self.reset(cause);
            }
            self.serve_radio();
            self.report_baud();
            self.collect();
            if self.attention || now >= end {
                // Bytes of a line that is not complete yet have no deadline of their own.
                self.bus.peripherals.flush(now, &mut self.bus.outbox);
                self.collect();
                return if std::mem::take(&mut self.attention) {
                    Stop::Output
                } else {
                    Stop::Time
                };
            }
            if self.effort() >= pause_at || self.outputs.len() >= work::MOST_OUTPUTS {
                return Stop::Output;
            }
            self.step(end);
        }
    }

    /// Instructions and units of work since the chip was made.
    fn effort(&self) -> u64 {
        self.hart.instret() + self.work.total()
    }

    /// Runs or waits until the next deadline at the latest.
    fn step(&mut self, end: u64) {
        let now = self.hart.cycle;
        let mut limit = end.min(self.bus.peripherals.deadline()).min(self.power_cut_at);
        if let Some(at) = self.services.next_deadline() {
            limit = limit.min(cycle_at(at));
        }
        // Everything due has been done: a deadline that is still in the past must not stop time.
        limit = limit.max(now + 1);
        if now < self.held_until {
            self.hart.skip_to(limit.min(self.held_until));
            return;
        }
        let before = self.effort();
        self.act(limit);
        if self.effort() == before {
            self.book(work::IDLE_TURN, |chip| Endless::Deadlines { pc: chip.hart.pc });
        }
    }

    /// What the chip does by itself until `limit` at the latest.
    fn act(&mut self, mut limit: u64) {
        let now = self.hart.cycle;
        match self.state {
            State::Stuck => {
                self.hart.skip_to(limit);
                return;
            }
            State::Rom => {
                self.step_rom(limit);
                return;
            }
            State::Running | State::Off => {}
        }
        if let Some(sleep) = self.bus.peripherals.rtc_cntl.sleep() {
            if sleep == Sleep::Deep {
                // The radio has no power in deep sleep; resetting it again has no effect.
                self.services.reset();
            }
            self.hart.skip_to(limit);
            return;
        }
        if now < self.busy_until && !self.interrupt_rom() {
            self.hart.skip_to(limit.min(self.busy_until));
            return;
        }
        let line = self.bus.peripherals.intc.line();
        if self.waiting {
            if line.is_none() {
                self.hart.skip_to(limit);
                return;
            }
            self.waiting = false;
        }
        if self.services.wants_delivery() {
            limit = limit.min(now + DELIVERY_SLICE_CYCLES);
        }
        if self.bus.take_stale_code() {
            self.hart.forget_code();
            self.book(work::FORGET_CODE, |chip| Endless::Overwrites { pc: chip.hart.pc });
        }
        self.hart.set_interrupt(line);
        match self.hart.run(&mut self.bus, limit.min(now + work::SLICE_CYCLES)) {
            Exit::Limit | Exit::Break => {}
            Exit::Wfi => self.waiting = true,
            Exit::Hook => self.serve_hook(),
            Exit::TrapLoop => self.stand_in_trap_loop(limit),
        }
    }

    /// Lets time pass for a hart that can do nothing but take the same trap again.
    fn stand_in_trap_loop(&mut self, limit: u64) {
        self.collect();
        if let Some(what) = self.trap_loop() {
            self.report_endless(what);
        }
        self.hart.skip_to(limit);
    }

    fn serve_hook(&mut self) {
        let now = self.hart.cycle;
        let addr = self.hart.pc;
        self.bus.host_cycle = now;
        self.bus.host_pc = addr;
        self.bus.host_effort = 0;
        if self.program && self.serve_rom_entry() {
            return;
        }
        let cx = Context {
            mem: &mut self.bus,
            now: instant_at(now),
        };
        match self.services.on_hook(&mut HartCpu(&mut self.hart), cx) {
            Outcome::Continue => {}
            Outcome::Advance(took) => self.busy_until = now + cycles_in(took),
            Outcome::PowerCut(after) => {
                self.power_cut_at = now + cycles_in(after);
                self.busy_until = self.power_cut_at;
            }
            Outcome::AccessFault { addr, store } => self.take_access_fault(addr, store),
            Outcome::Unhook(addr) => {
                self.bus.hooks.remove(addr);
                self.bus.stale_code = true;
            }
        }
        // Host code may have written to any register.
        self.bus.peripherals.sync(now);
        let effort = work::CALL + self.bus.host_effort;
        self.book(effort, |chip| Endless::Calls {
            addr,
            caller: chip.hart.regs[1],
        });
    }

    fn take_access_fault(&mut self, addr: u32, store: bool) {
        let cause = if store { 7 } else { 5 };
        match self.hart.raise_exception(cause, addr) {
            Some(Exit::TrapLoop) => self.stand_in_trap_loop(self.hart.cycle + 1),
            Some(Exit::Limit | Exit::Wfi | Exit::Hook | Exit::Break) | None => {}
        }
    }

    fn serve_radio(&mut self) {
        let now = self.now();
        if self.services.next_deadline().is_some_and(|at| at <= now) {
            self.services.poll(now);
        }
        if self.services.wants_delivery()
            && self.state == State::Running
            && self.hart.cycle >= self.busy_until
        {
            self.bus.host_cycle = self.hart.cycle;
            let cx = Context {
                mem: &mut self.bus,
                now,
            };
            if self.services.deliver(&mut HartCpu(&mut self.hart), cx) {
                self.waiting = false;
            }
            self.bus.peripherals.sync(self.hart.cycle);
        }
    }

    /// Returns the outputs since the last call, in order of time.
    pub fn take_outputs(&mut self) -> Vec<(Instant, Output)> {
        let mut outputs = std::mem::take(&mut self.outputs);
        outputs.sort_by_key(|(at, _)| *at);
        outputs
    }

    /// All unmodelled accesses so far: kind, address, program counter and count.
    pub fn unmodelled(&self) -> impl Iterator<Item = (UnmodelledKind, u32, u32, u64)> {
        self.ledger
            .iter()
            .map(|((kind, addr, pc), count)| (*kind, *addr, *pc, *count))
    }

    /// How many unmodelled accesses happened so far, those included that [`Chip::unmodelled`] has no room for.
    pub fn unmodelled_count(&self) -> u64 {
        self.ledger.values().sum::<u64>() + self.unlisted
    }

    /// A message from the air, now.
    pub fn air(&mut self, message: FromAir) {
        if self.state != State::Off {
            let now = self.now();
            self.services.receive(now, message);
        }
    }

    /// Sends bytes to a serial port of the chip; they arrive one after the other at the line's rate.
    pub fn serial_in(&mut self, port: Port, bytes: &[u8]) {
        let cycle = self.hart.cycle;
        let peripherals = &mut self.bus.peripherals;
        match port {
            Port::Uart0 => peripherals.uart[0].receive(bytes, cycle),
            Port::Uart1 => peripherals.uart[1].receive(bytes, cycle),
            Port::UsbSerialJtag => peripherals.usb.receive(bytes, cycle),
        }
        peripherals.sync(cycle);
    }

    /// Connects a host that reads the USB serial port, or disconnects it.
    pub fn set_usb_host(&mut self, host: bool) {
        self.config.usb_host = host;
        let cycle = self.hart.cycle;
        self.bus.peripherals.usb.set_host(host, cycle);
        self.bus.peripherals.sync(cycle);
    }

    /// Drives pin `gpio` (0 to 21) from outside with `level`; `None` stops driving it. Other numbers are
    /// ignored.
    pub fn set_pin(&mut self, gpio: u8, level: Option<bool>) {
        let cycle = self.hart.cycle;
        let Peripherals {
            gpio: block, io_mux, ..
        } = &mut self.bus.peripherals;
        block.set_outside(gpio, level, io_mux, cycle, &mut self.bus.outbox);
        self.bus.peripherals.sync(cycle);
    }

    /// The level of pin `gpio` (0 to 21) as a meter would show it; `None` if it floats.
    pub fn pin(&self, gpio: u8) -> Option<bool> {
        if u32::from(gpio) >= crate::peripherals::gpio::PINS || self.state == State::Off {
            return None;
        }
        self.bus
            .peripherals
            .gpio
            .level(u32::from(gpio), &self.bus.peripherals.io_mux)
    }

    /// Sets the temperature that the built-in sensor measures, thousandths of a degree Celsius.
    pub fn set_temperature_mc(&mut self, temperature_mc: i32) {
        self.bus.peripherals.apb_saradc.set_temperature_mc(temperature_mc);
    }

    /// Sets the raw sample, 0 to 4095, that the analog converter reads at `gpio` (0 to 5).
    pub fn set_analog(&mut self, gpio: u8, raw: u16) {
        self.bus.peripherals.apb_saradc.set_sample(gpio, raw);
    }

    /// Resets the chip, as its reset pin ([`ResetCause::PowerOn`]) or a watchdog does.
    pub fn reset(&mut self, cause: ResetCause) {
        if self.state == State::Off {
            return;
        }
        let (cycle, pc) = (self.hart.cycle, self.hart.pc);
        self.bus.peripherals.reset(cause, cycle, &mut self.bus.outbox);
        self.collect();
        self.push(Output::Reset { cause, pc });
        self.book(work::RESET, |_| Endless::Resets { cause, pc });
        self.services.reset();
        self.take_symbols();
        if cause.level() >= ResetLevel::System {
            self.sample_straps();
        }
        match cause {
            ResetCause::PowerOn => self.bus.lose_memory(),
            ResetCause::CoreDeepSleep => self.bus.lose_sram(),
            _ => {}
        }
        self.restart(Some((cause, pc)));
    }

    /// Cuts the power: pins are not driven any more, RAM and RTC lose their contents, the flash keeps them.
    pub fn power_off(&mut self) {
        if self.state == State::Off {
            return;
        }
        let cycle = self.hart.cycle;
        self.bus
            .peripherals
            .reset(ResetCause::PowerOn, cycle, &mut self.bus.outbox);
        self.services.reset();
        self.collect();
        self.push(Output::PowerLost);
        self.bus.lose_memory();
        self.startup = None;
        self.state = State::Off;
    }

    /// Switches the power on again, now. No effect on a chip that is on.
    pub fn power_on(&mut self) {
        if self.state == State::Off {
            let cycle = self.hart.cycle;
            self.bus
                .peripherals
                .reset(ResetCause::PowerOn, cycle, &mut self.bus.outbox);
            self.take_symbols();
            self.sample_straps();
            self.restart(None);
        }
    }

    /// True while the chip has power.
    pub fn is_powered(&self) -> bool {
        self.state != State::Off
    }

    /// Enables or disables skipping of polling loops (enabled by default). The result of a run is the same.
    pub fn set_skip_polling(&mut self, enabled: bool) {
        self.hart.set_skip_polling(enabled);
    }

    /// The flash chip, read only.
    pub fn flash(&self) -> &NorFlash {
        &self.bus.flash
    }

    /// The flash chip, for direct access as by an external programmer.
    pub fn flash_mut(&mut self) -> &mut NorFlash {
        &mut self.bus.flash
    }

    /// The firmware that runs, with its symbols.
    pub fn firmware(&self) -> &Firmware {
        &self.firmware
    }

    /// The guest's current call stack.
    pub fn backtrace(&mut self) -> Backtrace {
        self.bus.host_cycle = self.hart.cycle;
        crate::backtrace::capture(&HartCpu(&mut self.hart), &mut self.bus, &self.firmware.symbols)
    }

    /// Boots after a reset with this cause and program counter, or after power-on (`None`).
    fn restart(&mut self, reset: Option<(ResetCause, u32)>) {
        if let Err(error) = self.boot(reset) {
            self.state = State::Stuck;
            self.push(Output::BootFailed(error));
        }
    }

    fn boot(&mut self, reset: Option<(ResetCause, u32)>) -> Result<(), BootError> {
        let cycle = self.hart.cycle;
        self.radio_touched = false;
        self.startup = None;
        self.program = false;
        self.interrupted = None;
        self.waiting = false;
        self.busy_until = cycle;
        self.power_cut_at = NEVER;
        self.bus.reset_core(cycle);
        self.bus.hooks = self.services.hooks().clone();
        if self.config.boot_rom {
            self.enter_rom(reset);
            return Ok(());
        }
        self.launch(true)
    }

    /// Carries out the second-stage bootloader up to the application's first instruction. With `bare` it does
    /// not need a partition table.
    fn launch(&mut self, bare: bool) -> Result<(), BootError> {
        let cycle = self.hart.cycle;
        let entry = boot::load(&mut self.bus, bare)?;
        boot::leave_bootloader(&mut self.bus, cycle);
        self.hart.reset();
        self.hart.forget_code();
        self.hart.pc = entry;
        self.hart.regs[2] = BOOTLOADER_SP;
        // The boot chain starts the application with interrupts enabled.
        self.hart.set_csr(csr::MSTATUS, MSTATUS_MIE | csr::MPP_MACHINE);
        self.state = State::Running;
        Ok(())
    }
}

/// The name of an exception (unprivileged and privileged specification of RISC-V, `mcause`).
pub fn cause_name(cause: u32) -> &'static str {
    match cause {
        0 => "instruction address misaligned",
        1 => "instruction access fault",
        2 => "illegal instruction",
        3 => "breakpoint",
        4 => "load address misaligned",
        5 => "load access fault",
        6 => "store address misaligned",
        7 => "store access fault",
        8 | 11 => "environment call",
        _ => "exception",
    }
}

fn cycles_in(duration: std::time::Duration) -> u64 {
    cycles_of(
        u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX),
        1_000_000_000,
    )
}

/// The ESP32-C3's CPU (TRM chapter 1): identity registers, vectored traps, no `mie`, its own counters.
fn hart_config() -> HartConfig {
    HartConfig {
        mvendorid: 0x612,
        marchid: 0x8000_0001,
        mimpid: 1,
        trap_vector: TrapVector::Vectored,
        misaligned: Misaligned::Split,
        has_mie: false,
        has_counters: false,
        ..HartConfig::default()
    }
}

#[cfg(test)]
#[path = "chip/tests.rs"]
mod tests;
