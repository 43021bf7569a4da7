//! The chip's outputs: those of the peripherals, events of the services, exceptions, unmodelled accesses.

use super::cpu::FaultingCpu;
use super::{Chip, Endless, work};
use crate::bus::Miss;
use crate::clock::instant_at;
use crate::output::{Exception, Output, Unmodelled, UnmodelledKind};
use crate::peripherals::{is_radio, name_of};
use crate::rom;
use crate::service_event::ServiceEvent;

impl Chip {
    /// Collects the outputs of all parts, in order of time.
    pub(super) fn collect(&mut self) {
        if !self.bus.misses.is_empty() {
            for miss in self.bus.misses.take() {
                self.report_miss(miss);
            }
        }
        let exceptions = self.hart.take_exceptions();
        let last = exceptions.records.last().map(|e| (e.cause, e.pc));
        let taken = exceptions.records.len() as u64 + exceptions.dropped;
        for exception in exceptions.records {
            if self.exceptions < work::MOST_EXCEPTIONS {
                self.report_exception(exception.cause, exception.pc, exception.tval);
            }
            self.exceptions += 1;
        }
        if let Some((cause, pc)) = last {
            self.book(taken * work::TRAP, |_| Endless::Traps { cause, pc });
        }
        for unknown in self.hart.take_unknown_csrs().records {
            let csr = u32::from(unknown.csr);
            self.report_unmodelled(UnmodelledKind::Csr, csr, 4, unknown.pc, None, None, 1);
        }
        for event in self.services.take_events() {
            self.report_service(event);
        }
        for message in self.services.take_to_air() {
            self.push(Output::Air(message));
        }
        for (cycle, output) in std::mem::take(&mut self.bus.outbox) {
            let attention = calls_for_attention(&output);
            self.attention |= attention;
            self.outputs.push((instant_at(cycle), output));
            if attention {
                self.book(work::OUTPUT, |chip| Endless::Outputs { pc: chip.hart.pc });
            }
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
                self.report_unmodelled(UnmodelledKind::RomFunction, addr, 0, caller, None, name, 1);
            }
            ServiceEvent::DriverFunction { name, caller } => {
                let addr = self.firmware.symbols.find(&name).map_or(0, |s| s.addr);
                self.report_unmodelled(
                    UnmodelledKind::DriverFunction,
                    addr,
                    0,
                    caller,
                    None,
                    Some(name),
                    1,
                );
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
        self.report_unmodelled(
            miss.kind, miss.addr, miss.size, miss.pc, miss.write, name, miss.times,
        );
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the fields of a report, each of another meaning"
    )]
    fn report_unmodelled(
        &mut self,
        kind: UnmodelledKind,
        addr: u32,
        size: u32,
        pc: u32,
        write: Option<u32>,
        name: Option<String>,
        times: u64,
    ) {
        let place = (kind, addr, pc);
        if self.ledger.len() >= work::MOST_PLACES && !self.ledger.contains_key(&place) {
            self.unlisted += times;
            return;
        }
        let count = self.ledger.entry(place).or_default();
        let is_new = *count == 0;
        *count += times;
        if is_new {
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
        let backtrace = crate::backtrace::capture(&at, &mut self.bus, &self.firmware.symbols);
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
        Output::Pin { .. }
        | Output::Air(_)
        | Output::Reset { .. }
        | Output::PowerLost
        | Output::Exception(_)
        | Output::Panic { .. }
        | Output::BootFailed(_)
        | Output::Baud { .. }
        | Output::RadioWithoutSymbols { .. }
        | Output::Endless(_) => true,
    }
}
