//! Execution of decoded ops. An op that needs more than registers and the bus ends the run and is executed by
//! the hart.

use std::cell::Cell;

use crate::bus::{Bus, Flow};
use crate::cache::{Cache, Slot};
use crate::config::Misaligned;
use crate::op::{Op, Reg};

/// Values of the registers x0 to x31.
pub(crate) type Regs = [u32; 32];

/// Program counter and cycle count of execution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Position {
    pub(crate) pc: u32,
    pub(crate) cycle: u64,
}

/// Reason why execution stopped. The position is that of the instruction named, which has not been executed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stop {
    /// The next block is not decoded.
    Unknown,
    /// The next block may exceed the limit.
    Near,
    /// The instruction raises an exception.
    Trap { cause: u32, tval: u32 },
    /// The hart must execute this instruction.
    System(Op),
    /// The instruction before was a store after which the bus requested a pause.
    Break,
}

/// Exit from a run of slots.
enum End<'a> {
    /// A jump to `pc`, after `done` instructions; the link of the slot caches the target's block.
    Jump { pc: u32, done: u64, link: &'a Cell<u32> },
    /// A jump to an address from a register, after `done` instructions.
    Indirect { pc: u32, done: u64 },
    /// A stop at byte `offset` of the run, after `done` instructions.
    Stop { stop: Stop, offset: u32, done: u64 },
}

#[inline(always)]
fn get(regs: &Regs, r: Reg) -> u32 {
    regs[r as usize]
}

#[inline(always)]
fn set(regs: &mut Regs, r: Reg, value: u32) {
    regs[r as usize] = value;
}

/// Runs blocks from `at` until execution stops. The cycle count never exceeds `limit`.
pub(crate) fn run_blocks<B: Bus>(
    regs: &mut Regs,
    cache: &Cache,
    bus: &mut B,
    at: &mut Position,
    limit: u64,
    misaligned: Misaligned,
) -> Stop {
    let Position { mut pc, mut cycle } = *at;
    let stop = 'run: {
        let Some(mut id) = cache.find(pc) else {
            break 'run Stop::Unknown;
        };
        loop {
            let block = cache.block(id);
            if limit.wrapping_sub(cycle) < u64::from(block.instrs) {
                break 'run Stop::Near;
            }
            match run_slots(regs, cache.slots(block), bus, pc, cycle, misaligned) {
                End::Jump { pc: to, done, link } => {
                    pc = to;
                    cycle += done;
                    if cache.is_at(link.get(), to) {
                        id = link.get();
                        continue;
                    }
                    let Some(found) = cache.find(to) else {
                        break 'run Stop::Unknown;
                    };
                    link.set(found);
                    id = found;
                }
                End::Indirect { pc: to, done } => {
                    pc = to;
                    cycle += done;
                    let Some(found) = cache.find(to) else {
                        break 'run Stop::Unknown;
                    };
                    id = found;
                }
                End::Stop { stop, offset, done } => {
                    pc = pc.wrapping_add(offset);
                    cycle += done;
                    break 'run stop;
                }
            }
        }
    };
    *at = Position { pc, cycle };
    stop
}

/// Executes one run of slots outside the cache. Returns `None` if it ended with a jump or its last slot.
pub(crate) fn run_once<B: Bus>(
    regs: &mut Regs,
    slots: &[Slot],
    bus: &mut B,
    at: &mut Position,
    misaligned: Misaligned,
) -> Option<Stop> {
    match run_slots(regs, slots, bus, at.pc, at.cycle, misaligned) {
        End::Jump { pc, done, .. } | End::Indirect { pc, done } => {
            *at = Position {
                pc,
                cycle: at.cycle + done,
            };
            None
        }
        End::Stop { stop, offset, done } => {
            *at = Position {
                pc: at.pc.wrapping_add(offset),
                cycle: at.cycle + done,
            };
            Some(stop)
        }
    }
}

/// `div` of the M extension: never traps (Volume I, table 7.1).
pub(crate) fn div(a: u32, b: u32) -> u32 {
    if b == 0 {
        u32::MAX
    } else {
        (a as i32).wrapping_div(b as i32) as u32
    }
}

/// `divu` of the M extension: all ones for a divisor of 0.
pub(crate) fn divu(a: u32, b: u32) -> u32 {
    a.checked_div(b).unwrap_or(u32::MAX)
}

/// `rem` of the M extension: never traps (Volume I, table 7.1).
pub(crate) fn rem(a: u32, b: u32) -> u32 {
    if b == 0 {
        a
    } else {
        (a as i32).wrapping_rem(b as i32) as u32
    }
}

/// `remu` of the M extension: the dividend for a divisor of 0.
pub(crate) fn remu(a: u32, b: u32) -> u32 {
    a.checked_rem(b).unwrap_or(a)
}

/// `mulh`: high half of the signed product.
#[inline(always)]
pub(crate) fn mulh(a: u32, b: u32) -> u32 {
    ((i64::from(a as i32) * i64::from(b as i32)) >> 32) as u32
}

/// `mulhsu`: high half of the product of a signed and an unsigned factor.
#[inline(always)]
pub(crate) fn mulhsu(a: u32, b: u32) -> u32 {
    ((i64::from(a as i32) * i64::from(b)) >> 32) as u32
}

/// `mulhu`: high half of the unsigned product.
#[inline(always)]
pub(crate) fn mulhu(a: u32, b: u32) -> u32 {
    ((u64::from(a) * u64::from(b)) >> 32) as u32
}

/// A misaligned read that does not trap, byte by byte.
#[cold]
fn read_split<B: Bus>(bus: &mut B, addr: u32, size: u32, cycle: u64) -> Result<u32, Stop> {
    let mut value = 0;
    for i in 0..size {
        let addr = addr.wrapping_add(i);
        let byte = bus
            .read(addr, 1, cycle)
            .map_err(|_| Stop::Trap { cause: 5, tval: addr })?;
        value |= (byte & 0xff) << (8 * i);
    }
    Ok(value)
}

#[cold]
fn write_split<B: Bus>(bus: &mut B, addr: u32, value: u32, size: u32, cycle: u64) -> Result<Flow, Stop> {
    let mut flow = Flow::Continue;
    for i in 0..size {
        let addr = addr.wrapping_add(i);
        match bus.write(addr, value >> (8 * i) & 0xff, 1, cycle) {
            Ok(Flow::Continue) => {}
            Ok(Flow::Break) => flow = Flow::Break,
            Err(_) => return Err(Stop::Trap { cause: 7, tval: addr }),
        }
    }
    Ok(flow)
}

#[inline(always)]
fn read<B: Bus>(bus: &mut B, addr: u32, size: u32, cycle: u64, misaligned: Misaligned) -> Result<u32, Stop> {
    if addr & (size - 1) != 0 {
        return match misaligned {
            Misaligned::Trap => Err(Stop::Trap { cause: 4, tval: addr }),
            Misaligned::Split => read_split(bus, addr, size, cycle),
        };
    }
    bus.read(addr, size, cycle)
        .map_err(|_| Stop::Trap { cause: 5, tval: addr })
}

#[inline(always)]
fn write<B: Bus>(
    bus: &mut B,
    addr: u32,
    value: u32,
    size: u32,
    cycle: u64,
    misaligned: Misaligned,
) -> Result<Flow, Stop> {
    if addr & (size - 1) != 0 {
        return match misaligned {
            Misaligned::Trap => Err(Stop::Trap { cause: 6, tval: addr }),
            Misaligned::Split => write_split(bus, addr, value, size, cycle),
        };
    }
    bus.write(addr, value, size, cycle)
        .map_err(|_| Stop::Trap { cause: 7, tval: addr })
}

/// Exit after a store for which the bus requested a pause: at the next slot.
#[cold]
fn after_break<'a>(store: &Slot, slots: &'a [Slot]) -> End<'a> {
    let next = slots
        .iter()
        .find(|s| s.at > store.at)
        .expect("a store does not end its run");
    End::Stop {
        stop: Stop::Break,
        offset: u32::from(next.offset),
        done: u64::from(next.at),
    }
}

/// Executes ops until one leaves the run. The run starts at `pc`, with `cycle`.
#[inline(always)]
fn run_slots<'a, B: Bus>(
    regs: &mut Regs,
    slots: &'a [Slot],
    bus: &mut B,
    pc: u32,
    cycle: u64,
    misaligned: Misaligned,
) -> End<'a> {
    for slot in slots {
        macro_rules! alu {
            ($rd:ident, $rs1:ident, $rs2:ident, |$a:ident, $b:ident| $value:expr) => {{
                let ($a, $b) = (get(regs, $rs1), get(regs, $rs2));
                set(regs, $rd, $value);
            }};
        }
        macro_rules! alui {
            ($rd:ident, $rs1:ident, |$a:ident| $value:expr) => {{
                let $a = get(regs, $rs1);
                set(regs, $rd, $value);
            }};
        }
        macro_rules! stop {
            ($stop:expr) => {
                return End::Stop {
                    stop: $stop,
                    offset: u32::from(slot.offset),
                    done: u64::from(slot.at),
                }
            };
        }
        macro_rules! load {
            ($rd:ident, $rs1:ident, $imm:ident, $size:literal, |$v:ident| $value:expr) => {{
                let addr = get(regs, $rs1).wrapping_add($imm);
                match read(bus, addr, $size, cycle + u64::from(slot.at), misaligned) {
                    Ok($v) => set(regs, $rd, $value),
                    Err(stop) => stop!(stop),
                }
            }};
        }
        macro_rules! store {
            ($rs1:ident, $rs2:ident, $imm:ident, $size:literal) => {{
                let addr = get(regs, $rs1).wrapping_add($imm);
                match write(
                    bus,
                    addr,
                    get(regs, $rs2),
                    $size,
                    cycle + u64::from(slot.at),
                    misaligned,
                ) {
                    Ok(Flow::Continue) => {}
                    Ok(Flow::Break) => return after_break(slot, slots),
                    Err(stop) => stop!(stop),
                }
            }};
        }
        macro_rules! branch {
            ($rs1:ident, $rs2:ident, $target:ident, |$a:ident, $b:ident| $taken:expr) => {{
                let ($a, $b) = (get(regs, $rs1), get(regs, $rs2));
                if $taken {
                    return End::Jump {
                        pc: $target,
                        done: u64::from(slot.at) + 1,
                        link: &slot.link,
                    };
                }
            }};
        }
        match slot.op {
            Op::Nop => {}
            Op::Li { rd, value } => set(regs, rd, value),
            Op::Mv { rd, rs1 } => set(regs, rd, get(regs, rs1)),

            Op::Addi { rd, rs1, imm } => alui!(rd, rs1, |a| a.wrapping_add(imm)),
            Op::Slti { rd, rs1, imm } => alui!(rd, rs1, |a| u32::from((a as i32) < imm as i32)),
            Op::Sltiu { rd, rs1, imm } => alui!(rd, rs1, |a| u32::from(a < imm)),
            Op::Xori { rd, rs1, imm } => alui!(rd, rs1, |a| a ^ imm),
            Op::Ori { rd, rs1, imm } => alui!(rd, rs1, |a| a | imm),
            Op::Andi { rd, rs1, imm } => alui!(rd, rs1, |a| a & imm),
            Op::Slli { rd, rs1, imm } => alui!(rd, rs1, |a| a << (imm & 31)),
            Op::Srli { rd, rs1, imm } => alui!(rd, rs1, |a| a >> (imm & 31)),
            Op::Srai { rd, rs1, imm } => alui!(rd, rs1, |a| ((a as i32) >> (imm & 31)) as u32),

            Op::Add { rd, rs1, rs2 } => alu!(rd, rs1, rs2, |a, b| a.wrapping_add(b)),
            Op::Sub { rd, rs1, rs2 } => alu!(rd, rs1, rs2, |a, b| a.wrapping_sub(b)),
            Op::Sll { rd, rs1, rs2 } => alu!(rd, rs1, rs2, |a, b| a << (b & 31)),
            Op::Slt { rd, rs1, rs2 } => alu!(rd, rs1, rs2, |a, b| u32::from((a as i32) < b as i32)),
            Op::Sltu { rd, rs1, rs2 } => alu!(rd, rs1, rs2, |a, b| u32::from(a < b)),
            Op::Xor { rd, rs1, rs2 } => alu!(rd, rs1, rs2, |a, b| a ^ b),
            Op::Srl { rd, rs1, rs2 } => alu!(rd, rs1, rs2, |a, b| a >> (b & 31)),
            Op::Sra { rd, rs1, rs2 } => alu!(rd, rs1, rs2, |a, b| ((a as i32) >> (b & 31)) as u32),
            Op::Or { rd, rs1, rs2 } => alu!(rd, rs1, rs2, |a, b| a | b),
            Op::And { rd, rs1, rs2 } => alu!(rd, rs1, rs2, |a, b| a & b),
            Op::Mul { rd, rs1, rs2 } => alu!(rd, rs1, rs2, |a, b| a.wrapping_mul(b)),
            Op::Mulh { rd, rs1, rs2 } => alu!(rd, rs1, rs2, |a, b| mulh(a, b)),
            Op::Mulhsu { rd, rs1, rs2 } => alu!(rd, rs1, rs2, |a, b| mulhsu(a, b)),
            Op::Mulhu { rd, rs1, rs2 } => alu!(rd, rs1, rs2, |a, b| mulhu(a, b)),
            Op::Div { rd, rs1, rs2 } => alu!(rd, rs1, rs2, |a, b| div(a, b)),
            Op::Divu { rd, rs1, rs2 } => alu!(rd, rs1, rs2, |a, b| divu(a, b)),
            Op::Rem { rd, rs1, rs2 } => alu!(rd, rs1, rs2, |a, b| rem(a, b)),
            Op::Remu { rd, rs1, rs2 } => alu!(rd, rs1, rs2, |a, b| remu(a, b)),

            Op::Lb { rd, rs1, imm } => load!(rd, rs1, imm, 1, |v| v as i8 as u32),
            Op::Lbu { rd, rs1, imm } => load!(rd, rs1, imm, 1, |v| v & 0xff),
            Op::Lh { rd, rs1, imm } => load!(rd, rs1, imm, 2, |v| v as i16 as u32),
            Op::Lhu { rd, rs1, imm } => load!(rd, rs1, imm, 2, |v| v & 0xffff),
            Op::Lw { rd, rs1, imm } => load!(rd, rs1, imm, 4, |v| v),
            Op::LoadX0 { size, rs1, imm } => {
                let addr = get(regs, rs1).wrapping_add(imm);
                if let Err(stop) = read(bus, addr, u32::from(size), cycle + u64::from(slot.at), misaligned) {
                    stop!(stop);
                }
            }
            Op::Sb { rs1, rs2, imm } => store!(rs1, rs2, imm, 1),
            Op::Sh { rs1, rs2, imm } => store!(rs1, rs2, imm, 2),
            Op::Sw { rs1, rs2, imm } => store!(rs1, rs2, imm, 4),

            Op::Beq { rs1, rs2, target } => branch!(rs1, rs2, target, |a, b| a == b),
            Op::Bne { rs1, rs2, target } => branch!(rs1, rs2, target, |a, b| a != b),
            Op::Blt { rs1, rs2, target } => branch!(rs1, rs2, target, |a, b| (a as i32) < b as i32),
            Op::Bge { rs1, rs2, target } => branch!(rs1, rs2, target, |a, b| a as i32 >= b as i32),
            Op::Bltu { rs1, rs2, target } => branch!(rs1, rs2, target, |a, b| a < b),
            Op::Bgeu { rs1, rs2, target } => branch!(rs1, rs2, target, |a, b| a >= b),

            Op::Jal { rd, len, target } => {
                set(regs, rd, pc.wrapping_add(u32::from(slot.offset) + u32::from(len)));
                return End::Jump {
                    pc: target,
                    done: u64::from(slot.at) + 1,
                    link: &slot.link,
                };
            }
            Op::J { target } => {
                return End::Jump {
                    pc: target,
                    done: u64::from(slot.at) + 1,
                    link: &slot.link,
                };
            }
            Op::Jalr { rd, rs1, len, imm } => {
                let to = get(regs, rs1).wrapping_add(imm) & !1;
                set(regs, rd, pc.wrapping_add(u32::from(slot.offset) + u32::from(len)));
                return End::Indirect {
                    pc: to,
                    done: u64::from(slot.at) + 1,
                };
            }
            Op::Jr { rs1, imm } => {
                let to = get(regs, rs1).wrapping_add(imm) & !1;
                return End::Indirect {
                    pc: to,
                    done: u64::from(slot.at) + 1,
                };
            }
            Op::Fall { target } => {
                return End::Jump {
                    pc: target,
                    done: u64::from(slot.at),
                    link: &slot.link,
                };
            }
            Op::Illegal { raw } => stop!(Stop::Trap { cause: 2, tval: raw }),
            Op::FetchFault { addr } => stop!(Stop::Trap { cause: 1, tval: addr }),
            op @ (Op::Hook | Op::Csr { .. } | Op::Ecall | Op::Ebreak | Op::Mret | Op::Wfi | Op::FenceI) => {
                stop!(Stop::System(op))
            }
        }
    }
    unreachable!("the last op of a run ends it")
}
