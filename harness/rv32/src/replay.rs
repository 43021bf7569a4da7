//! Abstract execution of one iteration of a recorded loop, for all moments of a span of time at once.
//!
//! Registers and memory words hold [`Interval`]s. The replay succeeds under three conditions: every branch
//! takes the recorded direction at every moment of the span, nothing outside the loop is changed, and every
//! value that an iteration takes from the one before is the same constant at its end. Then each iteration
//! within the span does exactly the same as the recorded one, except for values read from clocks, and none of
//! those reaches the next iteration.

use crate::bus::{Bus, PollCall, PollRead, PollWrite};
use crate::exec::{Regs, div, mulh, mulhsu, rem};
use crate::interval::{Interval, flag};
use crate::op::{Op, Reg};

/// An executed instruction of the recorded loop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) op: Op,
    pub(crate) pc: u32,
    /// Address of the next instruction in memory.
    pub(crate) next: u32,
}

/// The loop has an instruction that cannot be replayed, or is not the same over the whole span.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NotSame;

/// A word of memory that the iteration reads or writes.
#[derive(Clone, Copy, Debug)]
struct Cell {
    addr: u32,
    value: Interval,
    /// The word's value at the start, if the iteration read it before it wrote it.
    taken_over: Option<u32>,
}

/// A read of a register whose value changes only by writes.
#[derive(Clone, Copy, Debug)]
struct Latched {
    addr: u32,
    size: u32,
    /// Number of writes to registers before the read.
    writes: u32,
    /// Number of different registers written before the read.
    refreshed: usize,
    value: Interval,
}

struct Replay<'a, B> {
    bus: &'a B,
    from: u64,
    to: u64,
    before: &'a Regs,
    regs: [Interval; 32],
    /// Bit n is set if register n has been written.
    written: u32,
    /// Bit n is set if register n was read before it was written.
    taken_over: u32,
    cells: Vec<Cell>,
    latched: Vec<Latched>,
    writes: u32,
    /// Addresses of the device registers that were written.
    written_registers: Vec<u32>,
}

/// True if the loop `path`, entered with `regs`, does the same in every iteration between the cycles `from`
/// and `to`.
pub(crate) fn is_same<B: Bus>(path: &[Step], regs: &Regs, bus: &B, from: u64, to: u64) -> bool {
    let mut replay = Replay {
        bus,
        from,
        to,
        before: regs,
        regs: regs.map(Interval::exactly),
        written: 0,
        taken_over: 0,
        cells: Vec::new(),
        latched: Vec::new(),
        writes: 0,
        written_registers: Vec::new(),
    };
    let mut steps = path.iter().peekable();
    while let Some(step) = steps.next() {
        let then = steps.peek().unwrap_or(&&path[0]).pc;
        if replay.step(step, then).is_err() {
            return false;
        }
    }
    replay.returns_to_start()
}

impl<B: Bus> Replay<'_, B> {
    fn get(&mut self, r: Reg) -> Interval {
        if self.written >> r as u32 & 1 == 0 {
            self.taken_over |= 1 << r as u32;
        }
        self.regs[r as usize]
    }

    fn set(&mut self, r: Reg, value: Interval) {
        self.written |= 1 << r as u32;
        self.regs[r as usize] = value;
    }

    fn returns_to_start(&self) -> bool {
        let regs = (0..32).all(|r| {
            let passed_on = (self.written & self.taken_over) >> r & 1 != 0;
            !passed_on || self.regs[r].constant() == Some(self.before[r])
        });
        let memory = |c: &Cell| {
            c.taken_over
                .is_none_or(|before| c.value.constant() == Some(before))
        };
        // A read before some write may return a value that the iteration before has latched.
        let fresh = |l: &Latched| l.refreshed == self.written_registers.len() || l.value.constant().is_some();
        regs && self.cells.iter().all(memory) && self.latched.iter().all(fresh)
    }

    /// Replays one instruction; `then` is the address of the next one on the recorded path.
    #[rustfmt::skip]
    fn step(&mut self, step: &Step, then: u32) -> Result<(), NotSame> {
        let exact = Interval::exactly;
        let mut to = step.next;
        match step.op {
            Op::Nop => {}
            Op::Fall { target } => to = target,
            Op::Li { rd, value } => self.set(rd, exact(value)),
            Op::Mv { rd, rs1 } => { let a = self.get(rs1); self.set(rd, a); }
            Op::Addi { rd, rs1, imm } => { let a = self.get(rs1); self.set(rd, plus(a, imm)); }
            Op::Slti { rd, rs1, imm } => { let a = self.get(rs1); self.set(rd, flag(a.lt(exact(imm)))); }
            Op::Sltiu { rd, rs1, imm } => { let a = self.get(rs1); self.set(rd, flag(a.ltu(exact(imm)))); }
            Op::Xori { rd, rs1, imm } => { let a = self.get(rs1); self.set(rd, a.xor(exact(imm))); }
            Op::Ori { rd, rs1, imm } => { let a = self.get(rs1); self.set(rd, a.or(exact(imm))); }
            Op::Andi { rd, rs1, imm } => { let a = self.get(rs1); self.set(rd, a.and(exact(imm))); }
            Op::Slli { rd, rs1, imm } => { let a = self.get(rs1); self.set(rd, a.sll(imm & 31)); }
            Op::Srli { rd, rs1, imm } => { let a = self.get(rs1); self.set(rd, a.srl(imm & 31)); }
            Op::Srai { rd, rs1, imm } => { let a = self.get(rs1); self.set(rd, a.sra(imm & 31)); }
            Op::Add { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, Interval::add),
            Op::Sub { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, Interval::sub),
            Op::Sll { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, |a, b| by_constant(b, |by| a.sll(by & 31))),
            Op::Slt { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, |a, b| flag(a.lt(b))),
            Op::Sltu { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, |a, b| flag(a.ltu(b))),
            Op::Xor { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, Interval::xor),
            Op::Srl { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, |a, b| by_constant(b, |by| a.srl(by & 31))),
            Op::Sra { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, |a, b| by_constant(b, |by| a.sra(by & 31))),
            Op::Or { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, Interval::or),
            Op::And { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, Interval::and),
            Op::Mul { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, Interval::mul),
            Op::Mulhu { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, Interval::mulhu),
            Op::Mulh { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, |a, b| constants(a, b, mulh)),
            Op::Mulhsu { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, |a, b| constants(a, b, mulhsu)),
            Op::Div { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, |a, b| constants(a, b, div)),
            Op::Rem { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, |a, b| constants(a, b, rem)),
            Op::Divu { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, |a, b| {
                by_constant(b, |by| if by == 0 { exact(u32::MAX) } else { a.divu(by) })
            }),
            Op::Remu { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, |a, b| {
                by_constant(b, |by| if by == 0 { a } else { a.remu(by) })
            }),

            Op::Lb { rd, rs1, imm } => { let v = self.load(rs1, imm, 1)?; self.set(rd, sign_extended(v, 8)); }
            Op::Lbu { rd, rs1, imm } => { let v = self.load(rs1, imm, 1)?; self.set(rd, v); }
            Op::Lh { rd, rs1, imm } => { let v = self.load(rs1, imm, 2)?; self.set(rd, sign_extended(v, 16)); }
            Op::Lhu { rd, rs1, imm } => { let v = self.load(rs1, imm, 2)?; self.set(rd, v); }
            Op::Lw { rd, rs1, imm } => { let v = self.load(rs1, imm, 4)?; self.set(rd, v); }
            Op::LoadX0 { size, rs1, imm } => { self.load(rs1, imm, u32::from(size))?; }
            Op::Sb { rs1, rs2, imm } => self.store(rs1, rs2, imm, 1)?,
            Op::Sh { rs1, rs2, imm } => self.store(rs1, rs2, imm, 2)?,
            Op::Sw { rs1, rs2, imm } => self.store(rs1, rs2, imm, 4)?,

            Op::Beq { rs1, rs2, target } => to = self.branch(rs1, rs2, target, to, Interval::eq)?,
            Op::Bne { rs1, rs2, target } => to = self.branch(rs1, rs2, target, to, |a, b| a.eq(b).map(|x| !x))?,
            Op::Blt { rs1, rs2, target } => to = self.branch(rs1, rs2, target, to, Interval::lt)?,
            Op::Bge { rs1, rs2, target } => to = self.branch(rs1, rs2, target, to, |a, b| a.lt(b).map(|x| !x))?,
            Op::Bltu { rs1, rs2, target } => to = self.branch(rs1, rs2, target, to, Interval::ltu)?,
            Op::Bgeu { rs1, rs2, target } => to = self.branch(rs1, rs2, target, to, |a, b| a.ltu(b).map(|x| !x))?,
            Op::Jal { rd, target, .. } => { self.set(rd, exact(step.next)); to = target; }
            Op::J { target } => to = target,
            Op::Jalr { rd, rs1, imm, .. } => {
                to = plus(self.get(rs1), imm).constant().ok_or(NotSame)? & !1;
                self.set(rd, exact(step.next));
            }
            Op::Jr { rs1, imm } => to = plus(self.get(rs1), imm).constant().ok_or(NotSame)? & !1,

            Op::Hook => to = self.call(step.pc)?,
            Op::Csr { .. } | Op::Ecall | Op::Ebreak | Op::Mret | Op::Wfi | Op::FenceI
            | Op::Illegal { .. } | Op::FetchFault { .. } => return Err(NotSame),
        }
        if to == then { Ok(()) } else { Err(NotSame) }
    }

    fn binary(&mut self, rd: Reg, rs1: Reg, rs2: Reg, op: impl Fn(Interval, Interval) -> Interval) {
        let (a, b) = (self.get(rs1), self.get(rs2));
        self.set(rd, op(a, b));
    }

    fn branch(
        &mut self,
        rs1: Reg,
        rs2: Reg,
        target: u32,
        next: u32,
        taken: impl Fn(Interval, Interval) -> Option<bool>,
    ) -> Result<u32, NotSame> {
        let (a, b) = (self.get(rs1), self.get(rs2));
        Ok(if taken(a, b).ok_or(NotSame)? { target } else { next })
    }

    /// Replays a hooked function and returns its return address.
    fn call(&mut self, addr: u32) -> Result<u32, NotSame> {
        let call = self.bus.poll_call(addr).ok_or(NotSame)?;
        let PollCall::DivideUnsigned64 = call;
        let [a0, a1, a2, a3] = [Reg::X10, Reg::X11, Reg::X12, Reg::X13].map(|r| self.get(r));
        let (by_low, by_high) = (a2.constant().ok_or(NotSame)?, a3.constant().ok_or(NotSame)?);
        // A quotient grows with its dividend, so these two bound it.
        let [least, least_high] = call.result([a0.low, a1.low, by_low, by_high]);
        let [most, most_high] = call.result([a0.high, a1.high, by_low, by_high]);
        let low = if least_high == most_high {
            Interval::new(least, most)
        } else {
            Interval::ALL
        };
        self.set(Reg::X10, low);
        self.set(Reg::X11, Interval::new(least_high, most_high));
        Ok(self.get(Reg::X1).constant().ok_or(NotSame)? & !1)
    }

    /// A constant, aligned address of an access.
    fn address(&mut self, base: Reg, imm: u32, size: u32) -> Result<u32, NotSame> {
        let addr = plus(self.get(base), imm).constant().ok_or(NotSame)?;
        if addr & (size - 1) == 0 {
            Ok(addr)
        } else {
            Err(NotSame)
        }
    }

    fn load(&mut self, base: Reg, imm: u32, size: u32) -> Result<Interval, NotSame> {
        let addr = self.address(base, imm, size)?;
        match self
            .bus
            .poll_read(addr, size, self.from, self.to)
            .ok_or(NotSame)?
        {
            PollRead::Memory(_) => {
                let word = self.cell(addr & !3)?.value;
                if size == 4 {
                    return Ok(word);
                }
                let part = |word: u32| word >> (8 * (addr & 3)) & mask(size);
                Ok(word
                    .constant()
                    .map_or(Interval::new(0, mask(size)), |word| Interval::exactly(part(word))))
            }
            PollRead::Register {
                low,
                high,
                latched: false,
            } => Ok(Interval::new(low, high)),
            PollRead::Register {
                low,
                high,
                latched: true,
            } => {
                let writes = self.writes;
                let known = |l: &&Latched| (l.addr, l.size, l.writes) == (addr, size, writes);
                if let Some(latched) = self.latched.iter().find(known) {
                    return Ok(latched.value);
                }
                let value = Interval {
                    low,
                    high,
                    mark: self.latched.len() as u32 + 1,
                };
                let refreshed = self.written_registers.len();
                self.latched.push(Latched {
                    addr,
                    size,
                    writes,
                    refreshed,
                    value,
                });
                Ok(value)
            }
        }
    }

    fn store(&mut self, base: Reg, source: Reg, imm: u32, size: u32) -> Result<(), NotSame> {
        let addr = self.address(base, imm, size)?;
        let value = self.get(source);
        let known = value.constant().map(|v| v & mask(size));
        match self
            .bus
            .poll_write(addr, known, size, self.from, self.to)
            .ok_or(NotSame)?
        {
            PollWrite::Register => {
                self.writes += 1;
                if !self.written_registers.contains(&addr) {
                    self.written_registers.push(addr);
                }
            }
            PollWrite::Memory if size == 4 => match self.cells.iter_mut().find(|c| c.addr == addr) {
                Some(cell) => cell.value = value,
                None => self.cells.push(Cell {
                    addr,
                    value,
                    taken_over: None,
                }),
            },
            PollWrite::Memory => {
                // The store changes only part of the word, so the iteration takes over the rest.
                let shift = 8 * (addr & 3);
                let cell = self.cell(addr & !3)?;
                cell.value = match (cell.value.constant(), known) {
                    (Some(old), Some(new)) => Interval::exactly(old & !(mask(size) << shift) | new << shift),
                    _ => Interval::ALL,
                };
            }
        }
        Ok(())
    }

    /// The word of memory at `addr`, which is added if it is new.
    fn cell(&mut self, addr: u32) -> Result<&mut Cell, NotSame> {
        let index = match self.cells.iter().position(|c| c.addr == addr) {
            Some(index) => index,
            None => {
                let Some(PollRead::Memory(word)) = self.bus.poll_read(addr, 4, self.from, self.to) else {
                    return Err(NotSame);
                };
                self.cells.push(Cell {
                    addr,
                    value: Interval::exactly(word),
                    taken_over: Some(word),
                });
                self.cells.len() - 1
            }
        };
        Ok(&mut self.cells[index])
    }
}

fn mask(size: u32) -> u32 {
    u32::MAX >> (32 - 8 * size)
}

fn plus(a: Interval, imm: u32) -> Interval {
    // A negative immediate is a subtraction: as an addition it would count as a wrap.
    if (imm as i32) < 0 {
        a.sub(Interval::exactly(imm.wrapping_neg()))
    } else {
        a.add(Interval::exactly(imm))
    }
}

fn by_constant(b: Interval, op: impl Fn(u32) -> Interval) -> Interval {
    b.constant().map_or(Interval::ALL, op)
}

fn constants(a: Interval, b: Interval, op: impl Fn(u32, u32) -> u32) -> Interval {
    match (a.constant(), b.constant()) {
        (Some(a), Some(b)) => Interval::exactly(op(a, b)),
        _ => Interval::ALL,
    }
}

/// A zero-extended value of `bits` bits, sign-extended.
fn sign_extended(value: Interval, bits: u32) -> Interval {
    let extend = |v: u32| ((v << (32 - bits)) as i32 >> (32 - bits)) as u32;
    let (low, high) = (extend(value.low), extend(value.high));
    // Both bounds have the same sign, so their order is kept.
    if (value.low ^ value.high) >> (bits - 1) == 0 {
        Interval::new(low, high)
    } else {
        Interval::ALL
    }
}
