//! Exact skipping of polling loops.
//!
//! At intervals the hart checks whether it executes a loop that only waits. It executes up to the target of
//! the next backward jump, executes and records one iteration from there, and computes with
//! [`replay`](crate::replay) how many more iterations do exactly the same. All of them but the last are
//! skipped: time and instructions are counted, nothing is executed. The last one is executed again, so that
//! every register and word of memory that the loop writes has been written by a real iteration at its real
//! time. A run with skipping ends in the same state as one without.

use crate::bus::{Bus, PollCall};
use crate::cache::decode_run;
use crate::exec::{Position, run_once};
use crate::hart::{Exit, Hart};
use crate::op::Op;
use crate::poller::WINDOW;
use crate::replay::{Step, is_same};

/// Greatest length of an iteration, in instructions.
const MAX_PATH: usize = 256;

/// Greatest number of instructions of a loop that are tried as its first instruction.
const MAX_HEADS: u32 = 8;

/// Reason why a check ended early.
enum Gave {
    /// There is no polling loop that can be skipped.
    Up,
    /// The run ends with this exit.
    Out(Exit),
}

impl Hart {
    /// Checks for a polling loop, and skips as many iterations as possible before `limit`.
    pub(crate) fn look_for_polling<B: Bus>(&mut self, bus: &mut B, limit: u64) -> Option<Exit> {
        let before = self.poller.skipped;
        let result = self.skip(bus, limit);
        let found = self.poller.skipped > before;
        let window = if found {
            *WINDOW.start()
        } else {
            (2 * self.poller.window).min(*WINDOW.end())
        };
        self.poller.window = window;
        self.poller.due = self.instret() + window;
        match result {
            Ok(()) | Err(Gave::Up) => None,
            Err(Gave::Out(exit)) => Some(exit),
        }
    }

    fn skip<B: Bus>(&mut self, bus: &mut B, limit: u64) -> Result<(), Gave> {
        let head = self.run_to_loop_head(bus, limit)?;
        // Usually it is the loop of the last check: the replay checks whether it still takes the recorded
        // path.
        let known = self.poller.path.first().is_some_and(|step| step.pc == head);
        if !(known && self.same_twice(bus, limit)) {
            self.record(bus, limit, head)?;
            self.find_head(bus, limit)?;
        }
        let length = cycles(&self.poller.path);
        let mut count = u64::MAX;
        loop {
            count = count.min((limit - self.cycle) / length);
            if count < 2 {
                return Ok(());
            }
            let to = self.cycle + count * length;
            if is_same(&self.poller.path, &self.regs, bus, self.cycle, to) {
                self.cycle += (count - 1) * length;
                self.poller.skipped += count - 1;
            }
            // A span of twice as many iterations was not uniform, or exceeded the limit.
            count /= 2;
        }
    }

    /// Executes up to an instruction of the recorded loop from which two iterations do the same. After a
    /// compiler has rotated a loop, a value read from a clock may be live at the target of its backward jump,
    /// but not where the next reading begins.
    fn find_head<B: Bus>(&mut self, bus: &mut B, limit: u64) -> Result<(), Gave> {
        let mut tries = 0;
        for _ in 0..self.poller.path.len() {
            let op = self.poller.path[0].op;
            let starts_reading = matches!(op, Op::Lw { .. } | Op::Sw { .. });
            if tries == 0 || starts_reading {
                tries += 1;
                if self.same_twice(bus, limit) {
                    return Ok(());
                }
            }
            if tries > MAX_HEADS {
                break;
            }
            self.step(bus, limit)?;
            self.poller.path.rotate_left(1);
            if self.pc != self.poller.path[0].pc {
                break;
            }
        }
        Err(Gave::Up)
    }

    /// True if at least two iterations do the same.
    fn same_twice<B: Bus>(&self, bus: &B, limit: u64) -> bool {
        let to = self.cycle + 2 * cycles(&self.poller.path);
        to <= limit && is_same(&self.poller.path, &self.regs, bus, self.cycle, to)
    }

    /// Executes until a backward jump is taken, and returns its target.
    fn run_to_loop_head<B: Bus>(&mut self, bus: &mut B, limit: u64) -> Result<u32, Gave> {
        for _ in 0..MAX_PATH {
            let step = self.step(bus, limit)?;
            let jumps = matches!(
                step.op,
                Op::Beq { .. }
                    | Op::Bne { .. }
                    | Op::Blt { .. }
                    | Op::Bge { .. }
                    | Op::Bltu { .. }
                    | Op::Bgeu { .. }
                    | Op::J { .. }
            );
            if jumps && self.pc <= step.pc {
                return Ok(self.pc);
            }
        }
        Err(Gave::Up)
    }

    /// Executes one iteration from `head` to `head`, and records it in the poller's path.
    fn record<B: Bus>(&mut self, bus: &mut B, limit: u64, head: u32) -> Result<(), Gave> {
        self.poller.path.clear();
        while self.poller.path.len() < MAX_PATH {
            let step = self.step(bus, limit)?;
            self.poller.path.push(step);
            if self.pc == head {
                return Ok(());
            }
        }
        Err(Gave::Up)
    }

    /// Executes one instruction if a polling loop may contain it.
    fn step<B: Bus>(&mut self, bus: &mut B, limit: u64) -> Result<Step, Gave> {
        if self.cycle >= limit {
            return Err(Gave::Up);
        }
        if let Some(call) = bus.poll_call(self.pc) {
            return Ok(self.call(call));
        }
        let mut slots = std::mem::take(&mut self.scratch);
        slots.clear();
        let (_, bytes) = decode_run(bus, self.pc, 1, true, &mut slots);
        let step = Step {
            op: slots[0].op,
            pc: self.pc,
            next: self.pc.wrapping_add(bytes),
        };
        let may = matches!(
            step.op,
            Op::J { .. } | Op::Jal { .. } | Op::Jr { .. } | Op::Jalr { .. }
        );
        let stop = if may || !step.op.ends_block() {
            let mut at = Position {
                pc: self.pc,
                cycle: self.cycle,
            };
            let stop = run_once(&mut self.regs, &slots, bus, &mut at, self.config.misaligned);
            (self.pc, self.cycle) = (at.pc, at.cycle);
            Ok(stop)
        } else {
            Err(Gave::Up)
        };
        self.scratch = slots;
        match stop? {
            None => Ok(step),
            Some(stop) => Err(self.handle(bus, stop).map_or(Gave::Up, Gave::Out)),
        }
    }

    /// Executes a hooked function as its owner would: it takes no time and returns to ra.
    fn call(&mut self, call: PollCall) -> Step {
        let step = Step {
            op: Op::Hook,
            pc: self.pc,
            next: self.pc,
        };
        let [a0, a1, a2, a3] = [10, 11, 12, 13].map(|n: usize| self.regs[n]);
        [self.regs[10], self.regs[11]] = call.result([a0, a1, a2, a3]);
        self.pc = self.regs[1] & !1;
        step
    }
}

/// Cycles of one iteration: one per instruction, none for a hooked function.
fn cycles(path: &[Step]) -> u64 {
    path.iter().filter(|step| !matches!(step.op, Op::Hook)).count() as u64
}
