//! The boot ROM's own program in the chip: reset, strapping pins, serial loader, and programs that it starts.

use super::cpu::{HartCpu, csr};
use super::{Chip, State};
use crate::guest::{GuestCpu, GuestMemory, MSTATUS_MIE, RETURN_PADS};
use crate::output::{Exception, Output, Port};
use crate::peripherals::interrupt_core0::source;
use crate::reset::ResetCause;
use crate::rom::console::UART_DEVICE;
use crate::rom::flash;
use crate::rom::startup::{LOOP_PC, Next, Startup, straps};
use crate::services::Services;
use image::Firmware;
use image::backtrace::Backtrace;

/// The ROM's vector table: one instruction for each interrupt line (chip revision 0.3).
const VECTORS: u32 = 0x4000_1D00;
/// Reset value of `mtvec`: the ROM's table, vectored mode.
const MTVEC: u32 = VECTORS | 1;
/// Return address of a program that the ROM calls.
const PROGRAM_RETURN: u32 = 0x4004_815C;
/// Top of the ROM's stack in that call.
const PROGRAM_SP: u32 = 0x3FCD_E5F0;
/// The ROM's interrupt line for its serial port.
const UART_LINE: u32 = 5;

impl Chip {
    /// Sets other symbols, used from the next reset on; see [`Chip::from_flash`].
    pub fn set_symbols(&mut self, symbols: Option<&Firmware>) {
        self.next_firmware = Some(symbols.cloned().unwrap_or_else(Firmware::unknown));
    }

    /// True if symbols are known for the firmware that runs.
    pub fn has_symbols(&self) -> bool {
        !self.firmware.symbols.is_empty()
    }

    /// True while the boot ROM's serial loader waits for a host or serves one. A stub program that it has
    /// started is not the loader.
    pub fn is_downloading(&self) -> bool {
        self.startup.as_ref().is_some_and(Startup::is_download)
    }

    /// Gives the baud rate at which the host sends to UART0. Only the loader uses it, while it detects the
    /// rate, until the first SYNC. Returns true if it was used.
    pub fn offer_baud(&mut self, baud: u32) -> bool {
        const UART_CLKDIV: u32 = 0x6000_0014;
        let detects = self.startup.as_ref().is_some_and(Startup::detects_rate);
        let divider = 640_000_000u32.checked_div(baud).filter(|_| detects);
        let Some(divider) = divider.filter(|d| (16..1 << 16).contains(d)) else {
            return false;
        };
        let cycle = self.hart.cycle;
        self.bus.host_cycle = cycle;
        let register = (divider >> 4) | (divider & 0xF) << 20;
        let known = self.bus.write_u32(UART_CLKDIV, register).is_ok();
        self.bus.peripherals.sync(cycle);
        known
    }

    /// Applies the symbols that were set since the last reset.
    pub(super) fn take_symbols(&mut self) {
        if let Some(firmware) = self.next_firmware.take() {
            // Events of the old services must not be lost.
            self.collect();
            self.services = Services::new(&firmware);
            self.firmware = firmware;
        }
    }

    /// Latches the strapping pins, as resets of the whole chip do.
    pub(super) fn sample_straps(&mut self) {
        let gpio = &self.bus.peripherals.gpio;
        self.straps = straps(gpio.outside(8), gpio.outside(9));
    }

    /// Starts the ROM's program after a reset with this cause and program counter, or after power-on
    /// (`None`).
    pub(super) fn enter_rom(&mut self, reset: Option<(ResetCause, u32)>) {
        let cycle = self.hart.cycle;
        let cause = reset.map_or(ResetCause::PowerOn, |(cause, _)| cause);
        let saved_pc = reset
            .filter(|(cause, _)| *cause != ResetCause::PowerOn)
            .map(|(_, pc)| pc);
        let forced = self.bus.peripherals.rtc_cntl.forces_download();
        let straps = if forced {
            straps(None, Some(false))
        } else {
            self.straps
        };
        self.bus.peripherals.gpio.set_straps(straps);
        self.bus.peripherals.rtc_cntl.quiet_watchdogs(cycle);
        self.bus.host_pc = LOOP_PC;
        let mut startup = Startup::after_reset(&mut self.bus, cause, saved_pc, cycle);
        self.bus.peripherals.sync(cycle);
        self.hart.reset();
        self.hart.pc = LOOP_PC;
        if let Some(error) = startup.take_failure() {
            self.push(Output::BootFailed(error));
        }
        self.startup = Some(startup);
        self.state = State::Rom;
    }

    /// Carries out one step of the ROM's program, then waits until the next, at most until `limit`.
    pub(super) fn step_rom(&mut self, limit: u64) {
        let now = self.hart.cycle;
        let Some(startup) = &mut self.startup else {
            self.state = State::Stuck;
            return;
        };
        match startup.step(&mut self.bus, now) {
            Next::Wait(until) => {
                // Bytes that the step sends or waits for have deadlines of their own.
                self.busy_until = until;
                let until = until.min(self.bus.peripherals.deadline()).min(limit);
                self.hart.skip_to(until.max(now + 1));
            }
            Next::Application => {
                self.startup = None;
                self.busy_until = now;
                if let Err(error) = self.launch(false) {
                    self.state = State::Stuck;
                    self.push(Output::BootFailed(error));
                }
            }
            Next::Program(entry) => self.start_program(entry),
            Next::Reset(cause) => self.reset(cause),
            Next::Fault { addr, store } => {
                self.startup = None;
                self.state = State::Stuck;
                self.push(Output::Exception(Exception {
                    cause: if store { 7 } else { 5 },
                    pc: LOOP_PC,
                    value: addr,
                    backtrace: Backtrace::default(),
                }));
            }
            Next::PowerCut(at) => {
                self.power_cut_at = at;
                self.state = State::Stuck;
            }
        }
    }

    /// Calls a program in RAM as the ROM does: its console's data, its interrupt line and vectors are set up.
    fn start_program(&mut self, entry: u32) {
        const UART_INT_ENA: u32 = 0x6000_000C;
        const INTERRUPT_MAP: u32 = 0x600C_2000;
        const INTERRUPT_PRIORITY: u32 = 0x600C_2114;
        const INTERRUPT_THRESHOLD: u32 = 0x600C_2194;
        let cycle = self.hart.cycle;
        self.startup = None;
        self.busy_until = cycle;
        self.bus.host_cycle = cycle;
        let baud = self.bus.peripherals.uart[0].baud();
        for (addr, value) in [
            // Rate, eight data bits, one stop bit; the trigger level of the receiver is 1.
            (UART_DEVICE, baud),
            (UART_DEVICE + 4, 3),
            (UART_DEVICE + 16, 1),
            (UART_DEVICE + 24, 0),
            (UART_DEVICE + 40, 1),
            (flash::CHIP_POINTER, flash::CHIP),
            (UART_INT_ENA, 1),
            (INTERRUPT_MAP + 4 * source::UART0, UART_LINE),
            (INTERRUPT_PRIORITY + 4 * UART_LINE, 1),
            (INTERRUPT_THRESHOLD, 1),
        ] {
            // The addresses are memory and registers of the chip, so the write cannot fault.
            let _ = self.bus.write_u32(addr, value);
        }
        for (addr, value) in (flash::CHIP..).step_by(4).zip(flash::CHIP_AT_RESET) {
            let _ = self.bus.write_u32(addr, value);
        }
        self.bus.peripherals.sync(cycle);
        self.hart.reset();
        self.hart.forget_code();
        self.hart.pc = entry;
        self.hart.regs[1] = PROGRAM_RETURN;
        self.hart.regs[2] = PROGRAM_SP;
        self.hart.set_csr(csr::MTVEC, MTVEC);
        self.hart.set_csr(csr::MSTATUS, MSTATUS_MIE | csr::MPP_MACHINE);
        self.state = State::Running;
        self.program = true;
    }

    /// Lets the CPU take an interrupt while a ROM function is busy for an uploaded program: the ROM waits for
    /// the flash with interrupts enabled. (Firmware disables interrupts around these functions, because its
    /// handlers are in flash.)
    pub(super) fn interrupt_rom(&mut self) -> bool {
        let enabled = self.hart.csr(csr::MSTATUS).unwrap_or(0) & MSTATUS_MIE != 0;
        let taken = self.program && enabled && self.bus.peripherals.intc.line().is_some();
        if taken {
            self.interrupted = Some(self.busy_until);
            self.busy_until = self.hart.cycle;
        }
        taken
    }

    /// Handles hooked addresses of the ROM that are no functions: its vectors, and the return of a program.
    /// False for other addresses.
    pub(super) fn serve_rom_entry(&mut self) -> bool {
        let pc = self.hart.pc;
        if RETURN_PADS.contains(&pc)
            && let Some(until) = self.interrupted.take()
        {
            // The handler has returned; the function that it interrupted stays busy.
            self.busy_until = until.max(self.hart.cycle);
            return false;
        }
        if pc == PROGRAM_RETURN {
            self.program = false;
            self.startup = Some(Startup::after_program(self.hart.cycle));
            self.state = State::Rom;
            return true;
        }
        if !(VECTORS..VECTORS + 0x80).contains(&pc) {
            return false;
        }
        let line = (pc - VECTORS) / 4;
        let epc = self.hart.csr(csr::MEPC).unwrap_or(0);
        if line == 0 {
            // An exception, already reported: the ROM prints registers and stops.
            self.state = State::Stuck;
            return true;
        }
        let mut cpu = HartCpu(&mut self.hart);
        cpu.set_pc(epc);
        cpu.set_mstatus(cpu.mstatus() | MSTATUS_MIE);
        if !self.services.interrupt(&mut cpu, &mut self.bus, line) {
            self.state = State::Stuck;
        }
        self.bus.peripherals.sync(self.hart.cycle);
        true
    }

    /// Reports the baud rate of UART0 if it has changed.
    pub(super) fn report_baud(&mut self) {
        if !self.config.boot_rom {
            return;
        }
        let baud = self.bus.peripherals.uart[0].baud();
        if baud != self.baud {
            self.baud = baud;
            self.push(Output::Baud {
                port: Port::Uart0,
                baud,
            });
        }
    }
}
