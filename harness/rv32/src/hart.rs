//! The hart: state, traps, system instructions, and the loop around the executor.

use crate::bus::{Bus, Flow, OnException};
use crate::cache::{Cache, Slot, decode_run};
use crate::config::HartConfig;
use crate::csr::{Counts, Csrs, Privilege};
use crate::exec::{Position, Stop, run_blocks, run_once};
use crate::op::{CsrChange, CsrSource, Op, Reg};
use crate::poller::Poller;
use crate::trap::{Exception, Log, UnknownCsr};

/// Reason why [`Hart::run`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The cycle count reached the limit, exactly.
    Limit,
    /// A `wfi` was executed and no enabled interrupt is pending; pc is the address after it.
    Wfi,
    /// The next instruction is at a hooked address, which is in pc; it was not executed.
    Hook,
    /// The bus requested a pause after a write; the instruction has been completed.
    Break,
    /// The first instruction of the trap handler raises the exception that has led to it: the hart takes traps and
    /// nothing else until a reset or a change of memory, and its state no longer changes. [`Hart::trap_loop`] says
    /// where it began. The owner moves time forward with [`Hart::skip_to`]; a further run tries the handler again.
    TrapLoop,
}

/// Exceptions without an instruction between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrapLoop {
    /// The exception of the last instruction that was to be executed outside the trap handler.
    pub first: Exception,
    /// The exception of the handler's first instruction; it repeats.
    pub repeated: Exception,
}

/// Exceptions that no retired instruction separates.
#[derive(Clone, Copy, Debug)]
struct Chain {
    /// Instructions retired when they were taken.
    instret: u64,
    first: Exception,
    last: Exception,
    /// The last one is the same as the one before.
    repeats: bool,
}

/// One hart: registers, CSRs and decoded code.
///
/// A clone is a checkpoint: it has the same state and decodes its code anew.
#[derive(Clone, Debug)]
pub struct Hart {
    /// Registers x0 to x31. `regs[0]` is 0; a value stored there between runs is ignored.
    pub regs: [u32; 32],
    /// Address of the next instruction.
    pub pc: u32,
    /// Time in cycles: one per instruction, one per exception, and the cycles of [`Hart::skip_to`].
    pub cycle: u64,
    /// Cycles in which no instruction retired: `instret` is `cycle - idle`.
    idle: u64,
    privilege: Privilege,
    interrupt: Option<u32>,
    csrs: Csrs,
    pub(crate) config: HartConfig,
    exceptions: Log<Exception>,
    unknown_csrs: Log<UnknownCsr>,
    /// The exceptions since the last retired instruction.
    chain: Option<Chain>,
    cache: Cache,
    /// Buffer for decoded code that is used once.
    pub(crate) scratch: Vec<Slot>,
    pub(crate) poller: Poller,
}

impl Hart {
    /// A hart in machine mode, after reset.
    pub fn new(config: HartConfig) -> Hart {
        Hart {
            regs: [0; 32],
            pc: config.reset_pc,
            cycle: 0,
            idle: 0,
            privilege: Privilege::Machine,
            interrupt: None,
            csrs: Csrs::new(&config),
            config,
            exceptions: Log::default(),
            unknown_csrs: Log::default(),
            chain: None,
            cache: Cache::default(),
            scratch: Vec::new(),
            poller: Poller::default(),
        }
    }

    /// Resets the hart. The cycle count continues; records are kept.
    pub fn reset(&mut self) {
        self.regs = [0; 32];
        self.pc = self.config.reset_pc;
        self.privilege = Privilege::Machine;
        self.interrupt = None;
        self.chain = None;
        self.csrs = Csrs::new(&self.config);
        self.forget_code();
    }

    /// Sets the highest pending and enabled interrupt of the external controller, 1 to 31, as a level: it
    /// stays until the next call. `None`: no interrupt is pending.
    pub fn set_interrupt(&mut self, line: Option<u32>) {
        assert!(
            line.is_none_or(|n| (1..32).contains(&n)),
            "interrupts are numbered 1 to 31"
        );
        self.interrupt = line;
    }

    /// Runs until one of the events of [`Exit`]. `limit` is a value of [`Hart::cycle`].
    ///
    /// A pending interrupt is taken at the start, and after each instruction that enables interrupts.
    pub fn run<B: Bus>(&mut self, bus: &mut B, limit: u64) -> Exit {
        self.regs[0] = 0;
        self.pc &= !1;
        loop {
            if self.cycle >= limit {
                return Exit::Limit;
            }
            self.take_interrupt();
            let until = limit.min(self.poller.due(self.idle));
            if self.cycle >= until {
                if let Some(exit) = self.look_for_polling(bus, limit) {
                    return exit;
                }
                continue;
            }
            let mut at = Position {
                pc: self.pc,
                cycle: self.cycle,
            };
            let stop = run_blocks(
                &mut self.regs,
                &self.cache,
                bus,
                &mut at,
                until,
                self.config.misaligned,
            );
            (self.pc, self.cycle) = (at.pc, at.cycle);
            let exit = match stop {
                Stop::Unknown => {
                    if self.cycle < limit {
                        self.cache.add(bus, self.pc);
                    }
                    None
                }
                Stop::Near if until < limit => self.look_for_polling(bus, limit),
                Stop::Near => self.run_part(bus, limit - self.cycle, true),
                stop => self.handle(bus, stop),
            };
            if let Some(exit) = exit {
                return exit;
            }
        }
    }

    /// Executes only the instruction at pc although it is hooked. `None`: it was executed, or trapped;
    /// otherwise the exit that [`Hart::run`] would have returned because of it.
    pub fn run_one_ignoring_hook<B: Bus>(&mut self, bus: &mut B) -> Option<Exit> {
        self.regs[0] = 0;
        self.pc &= !1;
        self.run_part(bus, 1, false)
    }

    /// Executes at most `max` instructions, which are decoded for this call only.
    fn run_part<B: Bus>(&mut self, bus: &mut B, max: u64, hooks: bool) -> Option<Exit> {
        if max == 0 {
            return None;
        }
        let mut slots = std::mem::take(&mut self.scratch);
        slots.clear();
        decode_run(bus, self.pc, max, hooks, &mut slots);
        let mut at = Position {
            pc: self.pc,
            cycle: self.cycle,
        };
        let stop = run_once(&mut self.regs, &slots, bus, &mut at, self.config.misaligned);
        (self.pc, self.cycle) = (at.pc, at.cycle);
        self.scratch = slots;
        self.handle(bus, stop?)
    }

    pub(crate) fn handle<B: Bus>(&mut self, bus: &mut B, stop: Stop) -> Option<Exit> {
        match stop {
            Stop::Unknown | Stop::Near => None,
            Stop::Break => Some(Exit::Break),
            Stop::Trap { cause, tval } => self.raise(bus, cause, tval),
            Stop::System(op) => self.system(bus, op),
        }
    }

    /// Executes an instruction that needs more than registers and memory.
    fn system<B: Bus>(&mut self, bus: &mut B, op: Op) -> Option<Exit> {
        let mut exit = None;
        match op {
            Op::Hook => return Some(Exit::Hook),
            Op::Csr {
                change,
                rd,
                source,
                csr,
            } => match self.csr_instruction(bus, change, rd, source, csr) {
                Ok(flow) => exit = (flow == Flow::Break).then_some(Exit::Break),
                Err(illegal) => {
                    return self.raise(bus, 2, illegal);
                }
            },
            Op::Ecall => {
                return self.raise(bus, if self.privilege == Privilege::User { 8 } else { 11 }, 0);
            }
            Op::Ebreak => {
                return self.raise(bus, 3, self.pc);
            }
            Op::Mret => {
                if self.privilege == Privilege::User {
                    return self.raise(bus, 2, 0x3020_0073);
                }
                self.privilege = self.csrs.leave_trap();
                self.pc = self.csrs.mepc;
                self.cycle += 1;
                return None;
            }
            Op::Wfi => {
                if self.csrs.wfi_is_illegal(self.privilege) {
                    return self.raise(bus, 2, 0x1050_0073);
                }
                exit = self.interrupt.is_none().then_some(Exit::Wfi);
            }
            Op::FenceI => self.forget_code(),
            op => unreachable!("{op:?} is for the executor"),
        }
        self.pc = self.pc.wrapping_add(4);
        self.cycle += 1;
        exit
    }

    /// Executes a CSR instruction; the error is its encoding, if it is illegal.
    fn csr_instruction<B: Bus>(
        &mut self,
        bus: &mut B,
        change: CsrChange,
        rd: Reg,
        source: CsrSource,
        csr: u16,
    ) -> Result<Flow, u32> {
        let (operand, field, immediate) = match source {
            CsrSource::Reg(r) => (self.regs[r as usize], r as u32, 0),
            CsrSource::Imm(value) => (u32::from(value), u32::from(value), 4),
        };
        let funct3 = immediate | (1 + change as u32);
        let encoding = u32::from(csr) << 20 | field << 15 | funct3 << 12 | (rd as u32) << 7 | 0x73;
        // Set and clear with x0 or 0 do not write.
        let writes = change == CsrChange::Write || field != 0;
        if !self.csrs.is_allowed(csr, self.privilege, &self.config) || writes && csr >> 10 == 3 {
            return Err(encoding);
        }
        let counts = self.counts();
        let own = self.csrs.read(csr, &self.config, counts);
        let Some(old) = own.or_else(|| bus.read_csr(csr, counts)) else {
            self.unknown_csrs.push(UnknownCsr { csr, pc: self.pc });
            return Err(encoding);
        };
        let mut flow = Flow::Continue;
        if writes {
            let new = match change {
                CsrChange::Write => operand,
                CsrChange::Set => old | operand,
                CsrChange::Clear => old & !operand,
            };
            if own.is_some() {
                self.csrs.write(csr, new, &self.config, counts, 1);
            } else {
                flow = bus.write_csr(csr, new, counts);
            }
        }
        if rd != Reg::X0 {
            self.regs[rd as usize] = old;
        }
        Ok(flow)
    }

    fn take_interrupt(&mut self) {
        if let Some(line) = self.interrupt
            && self.csrs.interrupts_enabled(self.privilege)
        {
            self.pc = self.csrs.enter_trap(1 << 31 | line, 0, self.pc, self.privilege);
            self.privilege = Privilege::Machine;
        }
    }

    /// Raises an exception at pc, which the bus may prevent. `Some` if the run must end.
    fn raise<B: Bus>(&mut self, bus: &mut B, cause: u32, tval: u32) -> Option<Exit> {
        let then = bus.on_exception(cause, self.pc, tval);
        if then == OnException::Retry {
            return None;
        }
        if self.take_exception(cause, tval) {
            return Some(Exit::TrapLoop);
        }
        (then == OnException::TakeAndBreak).then_some(Exit::Break)
    }

    /// Takes an exception at pc. It costs a cycle, so that a hart whose handler faults still meets its limit. True if
    /// it is the same exception as the one before it, with no instruction between them: nothing else can follow.
    fn take_exception(&mut self, cause: u32, tval: u32) -> bool {
        let exception = Exception {
            cause,
            pc: self.pc,
            tval,
            cycle: self.cycle,
        };
        let instret = self.instret();
        let first = match self.chain {
            Some(chain) if chain.instret == instret => chain.first,
            Some(_) | None => exception,
        };
        let repeats = self.chain.is_some_and(|chain| {
            let last = chain.last;
            chain.instret == instret && (last.cause, last.pc, last.tval) == (cause, self.pc, tval)
        });
        self.chain = Some(Chain {
            instret,
            first,
            last: exception,
            repeats,
        });
        if !repeats {
            self.exceptions.push(exception);
        }
        self.pc = self.csrs.enter_trap(cause, tval, self.pc, self.privilege);
        self.privilege = Privilege::Machine;
        self.cycle += 1;
        self.idle += 1;
        repeats
    }

    /// Takes an exception at pc for the owner, who has carried out a hooked function that raises it. Returns
    /// [`Exit::TrapLoop`] as [`Hart::run`] does.
    pub fn raise_exception(&mut self, cause: u32, tval: u32) -> Option<Exit> {
        self.take_exception(cause, tval).then_some(Exit::TrapLoop)
    }

    /// The loop of traps that the hart is in, see [`Exit::TrapLoop`].
    pub fn trap_loop(&self) -> Option<TrapLoop> {
        let chain = self
            .chain
            .filter(|chain| chain.repeats && chain.instret == self.instret())?;
        Some(TrapLoop {
            first: chain.first,
            repeated: chain.last,
        })
    }

    /// The exceptions taken since this was last called.
    pub fn take_exceptions(&mut self) -> Log<Exception> {
        std::mem::take(&mut self.exceptions)
    }

    /// The accesses to unknown CSRs since this was last called.
    pub fn take_unknown_csrs(&mut self) -> Log<UnknownCsr> {
        std::mem::take(&mut self.unknown_csrs)
    }

    /// Advances time to `cycle` without executing anything: the hart waits. No effect if `cycle` is in the
    /// past.
    pub fn skip_to(&mut self, cycle: u64) {
        let gap = cycle.saturating_sub(self.cycle);
        self.cycle += gap;
        self.idle += gap;
    }

    /// Instructions retired since the hart was made.
    pub fn instret(&self) -> u64 {
        self.cycle - self.idle
    }

    /// Enables or disables skipping of loops that only wait (enabled by default). The result is the same,
    /// provided that [`Bus::poll_read`] and [`Bus::poll_write`] are correct.
    pub fn set_skip_polling(&mut self, enabled: bool) {
        self.poller.enabled = enabled;
    }

    /// Number of iterations of polling loops that were skipped so far.
    pub fn skipped_iterations(&self) -> u64 {
        self.poller.skipped
    }

    fn counts(&self) -> Counts {
        Counts {
            cycle: self.cycle,
            instret: self.instret(),
        }
    }

    /// The mode in which the next instruction runs.
    pub fn privilege(&self) -> Privilege {
        self.privilege
    }

    /// True if an interrupt would be taken now if one were pending.
    pub fn interrupts_enabled(&self) -> bool {
        self.csrs.interrupts_enabled(self.privilege)
    }

    /// The value of one of the hart's own CSRs, as machine mode reads it.
    pub fn csr(&self, csr: u16) -> Option<u32> {
        self.csrs.read(csr, &self.config, self.counts())
    }

    /// Writes one of the hart's own CSRs, as machine mode does. False if there is no such register.
    pub fn set_csr(&mut self, csr: u16, value: u32) -> bool {
        let counts = self.counts();
        self.csrs.write(csr, value, &self.config, counts, 0)
    }

    /// Drops all decoded code. To be called after code has changed.
    pub fn forget_code(&mut self) {
        self.cache.clear();
        self.poller.forget();
    }

    /// Drops the code decoded from `len` bytes at `addr`.
    pub fn forget_code_at(&mut self, addr: u32, len: u32) {
        self.cache.clear_range(addr, len);
        self.poller.forget();
    }
}
