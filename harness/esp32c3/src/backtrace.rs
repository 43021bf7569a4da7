//! Who called whom, for a guest that panicked or took an exception.
//!
//! With frame pointers (`force-frame-pointers`) s0 points to the end of a function's frame: the return address
//! lies at s0 - 4, the caller's s0 at s0 - 8. Where that chain does not hold, the stack is searched for words
//! that could be return addresses; those frames are marked, because some of them may be left over from calls
//! that have returned.

use std::fmt;

use crate::guest::{GuestCpu, GuestMemory, reg};
use crate::symbols::{Location, SymbolTable};

/// Longest backtrace.
const DEPTH: usize = 48;
/// How far up the stack the search goes, bytes, and how many frames it takes at most.
const SCAN: u32 = 0x1000;
const SCAN_DEPTH: usize = 16;
/// SRAM, in which all stacks lie.
const STACKS: std::ops::Range<u32> = 0x3FC8_0000..0x3FCE_0000;

/// One function of a [`Backtrace`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Address in the function: the program counter of the innermost, return addresses of the others.
    pub addr: u32,
    /// Function and offset, if the symbol table knows it.
    pub location: Option<Location>,
    /// Found by searching the stack: possibly no caller at all.
    pub guessed: bool,
}

/// The chain of calls, innermost first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backtrace {
    /// The frames.
    pub frames: Vec<Frame>,
}

/// One frame a line: `#0 0x4200abcd core::panicking::panic_fmt+0x12`, a guessed one with a `?` behind.
impl fmt::Display for Backtrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, frame) in self.frames.iter().enumerate() {
            if n > 0 {
                writeln!(f)?;
            }
            write!(f, "#{n} {:#010x} ", frame.addr)?;
            match &frame.location {
                Some(location) => write!(f, "{location}")?,
                None => f.write_str("?")?,
            }
            if frame.guessed {
                f.write_str(" (?)")?;
            }
        }
        Ok(())
    }
}

impl Backtrace {
    /// The calls that led to where `cpu` stands. For an exception `cpu.pc()` must be the faulting address (the
    /// `mepc` CSR), before the handler has run.
    pub fn capture(cpu: &dyn GuestCpu, mem: &mut dyn GuestMemory, symbols: &SymbolTable) -> Backtrace {
        let mut trace = Backtrace::default();
        trace.push(cpu.pc(), symbols, false);
        // At the first instruction of a function the frame is not set up yet: ra is the caller.
        let ra = cpu.x(reg::RA);
        let at_entry = symbols.symbol_at(cpu.pc()).is_none_or(|s| cpu.pc() - s.addr < 8);
        if at_entry && is_return_address(ra, symbols) {
            trace.push(ra, symbols, false);
        }
        trace.walk_frames(cpu.x(reg::S0), cpu.x(reg::SP), mem, symbols);
        if trace.frames.len() < 3 {
            trace.scan_stack(cpu.x(reg::SP), mem, symbols);
        }
        trace
    }

    fn push(&mut self, addr: u32, symbols: &SymbolTable, guessed: bool) {
        self.frames.push(Frame {
            addr,
            location: symbols.locate(addr),
            guessed,
        });
    }

    fn walk_frames(&mut self, mut fp: u32, mut floor: u32, mem: &mut dyn GuestMemory, symbols: &SymbolTable) {
        while self.frames.len() < DEPTH && fp > floor && fp.is_multiple_of(4) && in_stack(fp) {
            let (Ok(ra), Ok(next)) = (mem.read_u32(fp - 4), mem.read_u32(fp - 8)) else {
                return;
            };
            if !is_return_address(ra, symbols) {
                return;
            }
            // The innermost frame may be that of the function whose caller ra has just named.
            if self.frames.last().is_none_or(|f| f.addr != ra) {
                self.push(ra, symbols, false);
            }
            floor = fp;
            fp = next;
        }
    }

    fn scan_stack(&mut self, sp: u32, mem: &mut dyn GuestMemory, symbols: &SymbolTable) {
        let start = sp & !3;
        let found = (start..start.saturating_add(SCAN))
            .step_by(4)
            .take_while(|addr| in_stack(*addr))
            .filter_map(|addr| mem.read_u32(addr).ok())
            .filter(|word| is_return_address(*word, symbols))
            .take(SCAN_DEPTH);
        let found: Vec<u32> = found.collect();
        for addr in found {
            self.push(addr, symbols, true);
        }
    }
}

fn in_stack(addr: u32) -> bool {
    STACKS.contains(&addr)
}

/// Inside a function of the firmware, and not at its very start, where no call returns to.
fn is_return_address(addr: u32, symbols: &SymbolTable) -> bool {
    addr.is_multiple_of(2)
        && symbols
            .symbol_at(addr)
            .is_some_and(|s| s.is_function && s.addr != addr)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbols::Symbol;
    use crate::testing::{FakeCpu, FlatMemory};

    const STACK: u32 = 0x3FC9_0000;

    fn symbols() -> SymbolTable {
        let function = |addr, name: &str| Symbol {
            addr,
            size: 0x40,
            name: name.to_owned(),
            is_function: true,
        };
        SymbolTable::new(vec![
            function(0x4200_0000, "_start_rust"),
            function(0x4200_0100, "main"),
            function(0x4200_0200, "renew"),
            function(0x4200_0300, "_RNvNtCs3xQ30Ue3M98_4core9panicking9panic_fmt"),
        ])
    }

    #[test]
    fn frame_pointers_give_the_chain() {
        let mut mem = FlatMemory::new(STACK, 0x100);
        // panic_fmt's frame, renew's frame, main's frame, whose caller keeps none.
        for (fp, ra, next) in [
            (0x20, 0x4200_0212, STACK + 0x40),
            (0x40, 0x4200_0108, STACK + 0x60),
            (0x60, 0x4200_0004, 0),
        ] {
            mem.write_u32(STACK + fp - 4, ra).unwrap();
            mem.write_u32(STACK + fp - 8, next).unwrap();
        }
        let mut cpu = FakeCpu::default();
        cpu.set_pc(0x4200_0312);
        cpu.set_x(reg::SP, STACK + 0x10);
        cpu.set_x(reg::S0, STACK + 0x20);
        let trace = Backtrace::capture(&cpu, &mut mem, &symbols());
        assert_eq!(
            trace.to_string(),
            "#0 0x42000312 core::panicking::panic_fmt+0x12\n#1 0x42000212 renew+0x12\n\
             #2 0x42000108 main+0x8\n#3 0x42000004 _start_rust+0x4"
        );
    }

    #[test]
    fn at_the_entry_of_a_function_ra_is_the_caller() {
        let mut mem = FlatMemory::new(STACK, 0x100);
        mem.write_u32(STACK + 0x1C, 0x4200_0108).unwrap();
        let mut cpu = FakeCpu::default();
        cpu.set_pc(0x4200_0300);
        cpu.set_x(reg::RA, 0x4200_0212);
        cpu.set_x(reg::SP, STACK + 0x10);
        cpu.set_x(reg::S0, STACK + 0x20);
        let addrs: Vec<u32> = Backtrace::capture(&cpu, &mut mem, &symbols())
            .frames
            .iter()
            .map(|f| f.addr)
            .collect();
        assert_eq!(addrs, [0x4200_0300, 0x4200_0212, 0x4200_0108]);
    }

    #[test]
    fn without_frame_pointers_the_stack_is_searched_and_the_guess_marked() {
        let mut mem = FlatMemory::new(STACK, 0x100);
        mem.write_u32(STACK + 0x30, 0x4200_0212).unwrap();
        // The start of a function is a function pointer, data is data.
        mem.write_u32(STACK + 0x34, 0x4200_0200).unwrap();
        mem.write_u32(STACK + 0x38, 0x1234_5678).unwrap();
        mem.write_u32(STACK + 0x3C, 0x4200_0108).unwrap();
        let mut cpu = FakeCpu::default();
        cpu.set_pc(0x4200_0312);
        cpu.set_x(reg::SP, STACK + 0x10);
        let trace = Backtrace::capture(&cpu, &mut mem, &symbols());
        assert!(
            trace
                .to_string()
                .ends_with("#1 0x42000212 renew+0x12 (?)\n#2 0x42000108 main+0x8 (?)")
        );
        assert_eq!(trace.frames.len(), 3);
    }

    #[test]
    fn a_frame_chain_that_loops_ends() {
        let mut mem = FlatMemory::new(STACK, 0x100);
        mem.write_u32(STACK + 0x1C, 0x4200_0108).unwrap();
        mem.write_u32(STACK + 0x18, STACK + 0x20).unwrap();
        let mut cpu = FakeCpu::default();
        cpu.set_pc(0x4200_0312);
        cpu.set_x(reg::SP, STACK);
        cpu.set_x(reg::S0, STACK + 0x20);
        assert!(Backtrace::capture(&cpu, &mut mem, &symbols()).frames.len() < 10);
    }
}
