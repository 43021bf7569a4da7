//! The call stack of a guest that panicked or took an exception.
//!
//! With frame pointers (`force-frame-pointers`) s0 points to the end of a function's frame: the return
//! address lies at s0 - 4, the caller's s0 at s0 - 8. Where that chain is broken, the stack is searched for
//! words that point after a call instruction. Those frames are marked, because some of them may be left over
//! from calls that have returned.

use std::fmt;

use crate::guest::{GuestCpu, GuestMemory, reg};
use crate::symbols::{Location, SymbolTable};

/// Greatest number of frames in a backtrace.
const DEPTH: usize = 48;
/// Range of the search up the stack, bytes, and greatest number of frames that it adds.
const SCAN: u32 = 0x1000;
const SCAN_DEPTH: usize = 16;
/// SRAM addresses, in which all stacks lie.
const STACKS: std::ops::Range<u32> = 0x3FC8_0000..0x3FCE_0000;

/// One function of a [`Backtrace`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Address in the function: the program counter of the innermost, return addresses of the others.
    pub addr: u32,
    /// Function and offset, if the symbol table knows it.
    pub location: Option<Location>,
    /// True if the frame was found by searching the stack: it may be no caller at all.
    pub guessed: bool,
}

/// The guest's call stack, innermost function first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backtrace {
    /// The frames, innermost first.
    pub frames: Vec<Frame>,
}

/// One frame a line: `#0 0x4200abcd core::panicking::panic_fmt+0x12`; a guessed one ends with `?`.
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
    /// The call stack at the current pc of `cpu`. For an exception `cpu.pc()` must be the faulting address
    /// (the `mepc` CSR), before the handler has run.
    pub fn capture(cpu: &dyn GuestCpu, mem: &mut dyn GuestMemory, symbols: &SymbolTable) -> Backtrace {
        let mut trace = Backtrace::default();
        trace.frames.push(Frame {
            addr: cpu.pc(),
            location: symbols.locate(cpu.pc()),
            guessed: false,
        });
        // At the first instruction of a function its frame does not exist yet: ra is the return address.
        let ra = cpu.x(reg::RA);
        let at_entry = symbols.symbol_at(cpu.pc()).is_none_or(|s| cpu.pc() - s.addr < 8);
        if at_entry && is_return_address(ra, mem, symbols) {
            trace.push_caller(ra, symbols, false);
        }
        trace.walk_frames(cpu.x(reg::S0), cpu.x(reg::SP), mem, symbols);
        if trace.frames.len() < 3 {
            trace.scan_stack(cpu.x(reg::SP), mem, symbols);
        }
        trace
    }

    fn push_caller(&mut self, addr: u32, symbols: &SymbolTable, guessed: bool) {
        self.frames.push(Frame {
            addr,
            location: locate_caller(addr, symbols),
            guessed,
        });
    }

    fn walk_frames(&mut self, mut fp: u32, mut floor: u32, mem: &mut dyn GuestMemory, symbols: &SymbolTable) {
        while self.frames.len() < DEPTH && fp > floor && fp.is_multiple_of(4) && in_stack(fp) {
            let (Ok(ra), Ok(next)) = (mem.read_u32(fp - 4), mem.read_u32(fp - 8)) else {
                return;
            };
            if !is_return_address(ra, mem, symbols) {
                return;
            }
            // The innermost frame may belong to the function whose caller ra has just given.
            if self.frames.last().is_none_or(|f| f.addr != ra) {
                self.push_caller(ra, symbols, false);
            }
            floor = fp;
            fp = next;
        }
    }

    fn scan_stack(&mut self, sp: u32, mem: &mut dyn GuestMemory, symbols: &SymbolTable) {
        let start = sp & !3;
        let mut found = 0;
        for addr in (start..start.saturating_add(SCAN))
            .step_by(4)
            .take_while(|addr| in_stack(*addr))
        {
            let Ok(word) = mem.read_u32(addr) else { continue };
            if is_return_address(word, mem, symbols) {
                self.push_caller(word, symbols, true);
                found += 1;
            }
            if found == SCAN_DEPTH {
                return;
            }
        }
    }
}

fn in_stack(addr: u32) -> bool {
    STACKS.contains(&addr)
}

/// Symbol of the caller, found by the address of its call instruction. The return address is not used: after
/// a call that never returns the next function may begin.
fn locate_caller(addr: u32, symbols: &SymbolTable) -> Option<Location> {
    let call = symbols.locate(addr.wrapping_sub(2))?;
    Some(Location {
        offset: call.offset + 2,
        ..call
    })
}

/// True if `addr` follows a call instruction in a function of the firmware.
fn is_return_address(addr: u32, mem: &mut dyn GuestMemory, symbols: &SymbolTable) -> bool {
    if addr & 1 != 0 || addr < 4 || !symbols.is_code(addr - 2) {
        return false;
    }
    let (Ok(before), Ok(word)) = (mem.read_u16(addr - 2), mem.read_u32(addr - 4)) else {
        return false;
    };
    // `c.jal` and `c.jalr` (RISC-V ISA, 16.4), `jal ra` and `jalr ra` (2.5).
    let compressed = before & 0xE003 == 0x2001 || (before & 0xF07F == 0x9002 && before & 0x0F80 != 0);
    let links_to_ra = word & 0xFFF == 0x0EF || word & 0x7FFF == 0x00E7;
    compressed || links_to_ra
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbols::Symbol;
    use crate::testing::{FakeCpu, FlatMemory};

    const STACK: u32 = 0x3FC9_0000;

    /// Stack memory, and `jal ra, 0` before each return address.
    fn memory() -> FlatMemory {
        let mut mem = FlatMemory::new(STACK, 0x100);
        for addr in [0x4200_0004, 0x4200_0108, 0x4200_0212, 0x4200_0240] {
            mem.put_code(addr - 4, &0x0000_00EFu32.to_le_bytes());
        }
        mem
    }

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
        let mut mem = memory();
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
        let mut mem = memory();
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
        let mut mem = memory();
        mem.write_u32(STACK + 0x30, 0x4200_0212).unwrap();
        // A function pointer, an address without a call before it, data.
        mem.write_u32(STACK + 0x2C, 0x4200_0220).unwrap();
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
    fn a_call_that_never_returns_may_end_its_function() {
        let mut mem = memory();
        mem.write_u32(STACK + 0x1C, 0x4200_0240).unwrap();
        let mut cpu = FakeCpu::default();
        cpu.set_pc(0x4200_0312);
        cpu.set_x(reg::SP, STACK);
        cpu.set_x(reg::S0, STACK + 0x20);
        let trace = Backtrace::capture(&cpu, &mut mem, &symbols());
        assert!(trace.to_string().contains("#1 0x42000240 renew+0x40"), "{trace}");
    }

    #[test]
    fn a_frame_chain_that_loops_ends() {
        let mut mem = memory();
        mem.write_u32(STACK + 0x1C, 0x4200_0108).unwrap();
        mem.write_u32(STACK + 0x18, STACK + 0x20).unwrap();
        let mut cpu = FakeCpu::default();
        cpu.set_pc(0x4200_0312);
        cpu.set_x(reg::SP, STACK);
        cpu.set_x(reg::S0, STACK + 0x20);
        assert!(Backtrace::capture(&cpu, &mut mem, &symbols()).frames.len() < 10);
    }
}
