//! Who called whom, for a guest that panicked or took an exception.
//!
//! With frame pointers (`force-frame-pointers`) s0 points to the end of a function's frame: the return address
//! lies at s0 - 4, the caller's s0 at s0 - 8. Where that chain does not hold, the stack is searched for words
//! that point behind a call instruction; those frames are marked, because some of them may be left over from
//! calls that have returned.

use std::fmt;

use crate::chip::Chip;
use crate::symbols::{Location, SymbolTable};

/// Numbers of the registers that the calling convention of RISC-V gives a meaning: return address, stack pointer and
/// frame pointer.
mod reg {
    pub(super) const RA: usize = 1;
    pub(super) const SP: usize = 2;
    pub(super) const S0: usize = 8;
}

/// A RISC-V processor that stands still, and its memory.
pub trait Machine {
    /// The program counter.
    fn pc(&self) -> u32;
    /// General register x`n`, 0 to 31.
    fn x(&self, n: usize) -> u32;
    /// The 16 bits at `addr`, little-endian; `None` where there is no memory.
    fn read_u16(&mut self, addr: u32) -> Option<u16>;
    /// The 32 bits at `addr`, little-endian; `None` where there is no memory.
    fn read_u32(&mut self, addr: u32) -> Option<u32>;
}

/// Longest backtrace.
const DEPTH: usize = 48;
/// How far up the stack the search goes, bytes, and how many frames it takes at most.
const SCAN: u32 = 0x1000;
const SCAN_DEPTH: usize = 16;

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
    /// The calls that led to where `machine` stands, a `chip` of RISC-V. For an exception `machine.pc()` must be the
    /// faulting address (the `mepc` CSR), before the handler has run.
    pub fn capture(machine: &mut dyn Machine, symbols: &SymbolTable, chip: &Chip) -> Backtrace {
        let mut trace = Backtrace::default();
        let (pc, sp, fp) = (machine.pc(), machine.x(reg::SP), machine.x(reg::S0));
        trace.frames.push(Frame {
            addr: pc,
            location: symbols.locate(pc),
            guessed: false,
        });
        // At the first instruction of a function the frame is not set up yet: ra is the caller.
        let ra = machine.x(reg::RA);
        let at_entry = symbols.symbol_at(pc).is_none_or(|s| pc - s.addr < 8);
        if at_entry && is_return_address(ra, machine, symbols) {
            trace.push_caller(ra, symbols, false);
        }
        let mut stack = Stack {
            machine,
            symbols,
            chip,
        };
        trace.walk_frames(fp, sp, &mut stack);
        if trace.frames.len() < 3 {
            trace.scan_stack(sp, &mut stack);
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

    fn walk_frames(&mut self, mut fp: u32, mut floor: u32, stack: &mut Stack<'_>) {
        while self.frames.len() < DEPTH && fp > floor && fp.is_multiple_of(4) && stack.contains(fp) {
            let (ra, next) = (stack.machine.read_u32(fp - 4), stack.machine.read_u32(fp - 8));
            let (Some(ra), Some(next)) = (ra, next) else {
                return;
            };
            if !stack.is_return_address(ra) {
                return;
            }
            // The innermost frame may be that of the function whose caller ra has just named.
            if self.frames.last().is_none_or(|f| f.addr != ra) {
                self.push_caller(ra, stack.symbols, false);
            }
            floor = fp;
            fp = next;
        }
    }

    fn scan_stack(&mut self, sp: u32, stack: &mut Stack<'_>) {
        let start = sp & !3;
        let mut found = 0;
        for addr in (start..start.saturating_add(SCAN)).step_by(4) {
            if !stack.contains(addr) {
                return;
            }
            let Some(word) = stack.machine.read_u32(addr) else {
                continue;
            };
            if stack.is_return_address(word) {
                self.push_caller(word, stack.symbols, true);
                found += 1;
            }
            if found == SCAN_DEPTH {
                return;
            }
        }
    }
}

/// The memory in which stacks lie, and what is needed to recognise return addresses in it.
struct Stack<'a> {
    machine: &'a mut dyn Machine,
    symbols: &'a SymbolTable,
    chip: &'a Chip,
}

impl Stack<'_> {
    fn contains(&self, addr: u32) -> bool {
        self.chip.ram_data.contains(&addr)
    }

    fn is_return_address(&mut self, addr: u32) -> bool {
        is_return_address(addr, self.machine, self.symbols)
    }
}

/// The function that called, by the call and not by what follows it: behind a call that never returns the next
/// function may begin.
fn locate_caller(addr: u32, symbols: &SymbolTable) -> Option<Location> {
    let call = symbols.locate(addr.wrapping_sub(2))?;
    Some(Location {
        offset: call.offset + 2,
        ..call
    })
}

/// Whether `addr` lies behind a call instruction in a function of the firmware.
fn is_return_address(addr: u32, machine: &mut dyn Machine, symbols: &SymbolTable) -> bool {
    if addr & 1 != 0 || addr < 4 || !symbols.is_code(addr - 2) {
        return false;
    }
    let (Some(before), Some(word)) = (machine.read_u16(addr - 2), machine.read_u32(addr - 4)) else {
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
    use std::collections::BTreeMap;

    use crate::chip::ESP32C3;
    use crate::symbols::Symbol;

    const STACK: u32 = 0x3FC9_0000;

    /// Registers, and memory by address; the stack has 0x100 bytes.
    struct FakeMachine {
        pc: u32,
        x: [u32; 32],
        memory: BTreeMap<u32, u8>,
    }

    impl FakeMachine {
        fn set_pc(&mut self, pc: u32) {
            self.pc = pc;
        }

        fn set_x(&mut self, n: usize, value: u32) {
            self.x[n] = value;
        }

        fn write_u32(&mut self, addr: u32, value: u32) {
            self.memory.extend((addr..).zip(value.to_le_bytes()));
        }
    }

    impl Machine for FakeMachine {
        fn pc(&self) -> u32 {
            self.pc
        }

        fn x(&self, n: usize) -> u32 {
            self.x[n]
        }

        fn read_u16(&mut self, addr: u32) -> Option<u16> {
            let [a, b] = [addr, addr + 1].map(|addr| self.memory.get(&addr).copied());
            Some(u16::from_le_bytes([a?, b?]))
        }

        fn read_u32(&mut self, addr: u32) -> Option<u32> {
            let [low, high] = [addr, addr + 2].map(|addr| self.read_u16(addr));
            Some(u32::from(low?) | u32::from(high?) << 16)
        }
    }

    /// Stack memory, and `jal ra, 0` before each return address.
    fn machine() -> FakeMachine {
        let mut machine = FakeMachine {
            pc: 0,
            x: [0; 32],
            memory: (STACK..STACK + 0x100).map(|addr| (addr, 0)).collect(),
        };
        for addr in [0x4200_0004, 0x4200_0108, 0x4200_0212, 0x4200_0240] {
            machine.write_u32(addr - 4, 0x0000_00EF);
        }
        machine
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
        let mut cpu = machine();
        // panic_fmt's frame, renew's frame, main's frame, whose caller keeps none.
        for (fp, ra, next) in [
            (0x20, 0x4200_0212, STACK + 0x40),
            (0x40, 0x4200_0108, STACK + 0x60),
            (0x60, 0x4200_0004, 0),
        ] {
            cpu.write_u32(STACK + fp - 4, ra);
            cpu.write_u32(STACK + fp - 8, next);
        }
        cpu.set_pc(0x4200_0312);
        cpu.set_x(reg::SP, STACK + 0x10);
        cpu.set_x(reg::S0, STACK + 0x20);
        let trace = Backtrace::capture(&mut cpu, &symbols(), &ESP32C3);
        assert_eq!(
            trace.to_string(),
            "#0 0x42000312 core::panicking::panic_fmt+0x12\n#1 0x42000212 renew+0x12\n\
             #2 0x42000108 main+0x8\n#3 0x42000004 _start_rust+0x4"
        );
    }

    #[test]
    fn at_the_entry_of_a_function_ra_is_the_caller() {
        let mut cpu = machine();
        cpu.write_u32(STACK + 0x1C, 0x4200_0108);
        cpu.set_pc(0x4200_0300);
        cpu.set_x(reg::RA, 0x4200_0212);
        cpu.set_x(reg::SP, STACK + 0x10);
        cpu.set_x(reg::S0, STACK + 0x20);
        let addrs: Vec<u32> = Backtrace::capture(&mut cpu, &symbols(), &ESP32C3)
            .frames
            .iter()
            .map(|f| f.addr)
            .collect();
        assert_eq!(addrs, [0x4200_0300, 0x4200_0212, 0x4200_0108]);
    }

    #[test]
    fn without_frame_pointers_the_stack_is_searched_and_the_guess_marked() {
        let mut cpu = machine();
        cpu.write_u32(STACK + 0x30, 0x4200_0212);
        // A function pointer, an address without a call before it, data.
        cpu.write_u32(STACK + 0x2C, 0x4200_0220);
        cpu.write_u32(STACK + 0x34, 0x4200_0200);
        cpu.write_u32(STACK + 0x38, 0x1234_5678);
        cpu.write_u32(STACK + 0x3C, 0x4200_0108);
        cpu.set_pc(0x4200_0312);
        cpu.set_x(reg::SP, STACK + 0x10);
        let trace = Backtrace::capture(&mut cpu, &symbols(), &ESP32C3);
        assert!(
            trace
                .to_string()
                .ends_with("#1 0x42000212 renew+0x12 (?)\n#2 0x42000108 main+0x8 (?)")
        );
        assert_eq!(trace.frames.len(), 3);
    }

    #[test]
    fn a_call_that_never_returns_may_end_its_function() {
        let mut cpu = machine();
        cpu.write_u32(STACK + 0x1C, 0x4200_0240);
        cpu.set_pc(0x4200_0312);
        cpu.set_x(reg::SP, STACK);
        cpu.set_x(reg::S0, STACK + 0x20);
        let trace = Backtrace::capture(&mut cpu, &symbols(), &ESP32C3);
        assert!(trace.to_string().contains("#1 0x42000240 renew+0x40"), "{trace}");
    }

    #[test]
    fn a_frame_chain_that_loops_ends() {
        let mut cpu = machine();
        cpu.write_u32(STACK + 0x1C, 0x4200_0108);
        cpu.write_u32(STACK + 0x18, STACK + 0x20);
        cpu.set_pc(0x4200_0312);
        cpu.set_x(reg::SP, STACK);
        cpu.set_x(reg::S0, STACK + 0x20);
        assert!(Backtrace::capture(&mut cpu, &symbols(), &ESP32C3).frames.len() < 10);
    }
}
