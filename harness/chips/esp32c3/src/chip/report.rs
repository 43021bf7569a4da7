//! The chip's outputs: those of the peripherals, events of the services, exceptions, unmodelled accesses.

use super::Chip;
use super::cpu::FaultingCpu;
use crate::backtrace::Backtrace;
use crate::bus::Miss;
use crate::clock::instant_at;
use crate::output::{Exception, Output, Unmodelled, UnmodelledKind};
use crate::peripherals::{is_radio, name_of};
use crate::rom;
use crate::services::ServiceEvent;

impl Chip {
    /// Collects the outputs of all parts, in order of time.
    pub(super) fn collect(&mut self) {
        for miss in std::mem::take(&mut self.bus.misses) {
            self.report_miss(miss);
        }
        let exceptions = self.hart.take_exceptions();
        for exception in exceptions.records {
            self.report_exception(exception.cause, exception.pc, exception.tval);
        }
        for unknown in self.hart.take_unknown_csrs().records {
            let csr = u32::from(unknown.csr);
            self.report_unmodelled(UnmodelledKind::Csr, csr, 4, unknown.pc, None, None);
        }
        for event in self.services.take_events() {
            self.report_service(event);
        }
        for message in self.services.take_to_air() {
            self.push(Output::Air(message));
        }
        for (cycle, output) in std::mem::take(&mut self.bus.outbox) {
            self.attention |= calls_for_attention(&output);
            self.outputs.push((instant_at(cycle), output));
        }
    }

    pub(super) fn push(&mut self, output: Output) {
        self.attention |= calls_for_attention(&output);
        self.outputs.push((self.now(), output));
    }

    fn report_service(&mut self, event: ServiceEvent) {
        match event {
            ServiceEvent::RomNotModelled { addr, name, caller } => {
                if rom::RADIO.contains(&addr) {
                    self.touch_radio(caller, addr);
                }
                let name = name.map(str::to_owned);
                self.report_unmodelled(UnmodelledKind::RomFunction, addr, 0, caller, None, name);
            }
            ServiceEvent::DriverFunction { name, caller } => {
                let addr = self.firmware.symbols.find(&name).map_or(0, |s| s.addr);
                self.report_unmodelled(UnmodelledKind::DriverFunction, addr, 0, caller, None, Some(name));
            }
            ServiceEvent::Panicked { backtrace } => self.push(Output::Panic { backtrace }),
            event => self.push(Output::Radio(event)),
        }
    }

    /// Reports, once per reset, that the firmware accesses the radio's registers itself: the driver runs
    /// instead of the host's functions.
    fn touch_radio(&mut self, pc: u32, addr: u32) {
        if !self.has_symbols() && !std::mem::replace(&mut self.radio_touched, true) {
            self.push(Output::RadioWithoutSymbols { pc, addr });
        }
    }

    fn report_miss(&mut self, miss: Miss) {
        if is_radio(miss.addr) {
            self.touch_radio(miss.pc, miss.addr);
        }
        let name = name_of(miss.addr).map(|(block, register)| match register {
            Some(register) => format!("{block}.{register}"),
            None => block.to_owned(),
        });
        self.report_unmodelled(miss.kind, miss.addr, miss.size, miss.pc, miss.write, name);
    }

    fn report_unmodelled(
        &mut self,
        kind: UnmodelledKind,
        addr: u32,
        size: u32,
        pc: u32,
        write: Option<u32>,
        name: Option<String>,
    ) {
        let count = self.ledger.entry((kind, addr, pc)).or_default();
        *count += 1;
        if *count == 1 {
            let symbol = self.firmware.symbols.locate(pc);
            self.push(Output::Unmodelled(Unmodelled {
                kind,
                addr,
                size,
                pc,
                write,
                name,
                symbol,
            }));
        }
    }

    pub(super) fn report_exception(&mut self, cause: u32, pc: u32, value: u32) {
        self.bus.host_cycle = self.hart.cycle;
        let at = FaultingCpu {
            hart: &mut self.hart,
            pc,
        };
        let backtrace = Backtrace::capture(&at, &mut self.bus, &self.firmware.symbols);
        self.push(Output::Exception(Exception {
            cause,
            pc,
            value,
            backtrace,
        }));
    }
}

fn calls_for_attention(output: &Output) -> bool {
    match output {
        Output::Serial { byte, .. } => *byte == b'\n',
        Output::Unmodelled(_) | Output::Radio(_) => false,
        _ => true,
    }
}
