//! Calls of guest functions by the host.
//!
//! A call saves the registers, stores its data below the guest's stack pointer (aligned to 16 by the calling
//! convention) and uses one of the return pads as return address. When execution reaches that pad, the saved
//! registers are restored. There are two kinds:
//!
//! - *within* a hooked function: the guest called the driver, the driver calls its OS adapter. Interrupts
//!   stay as they are, other tasks may run in between.
//! - *between* two instructions of any code, as an interrupt would come: only with `mstatus.MIE` set, which
//!   is cleared for the time of the call, and only one such call at a time.

use crate::guest::{GuestCpu, GuestMemory, MSTATUS_MIE, RETURN_PADS, reg};
use crate::rom::call::Fault;

/// Greatest number of calls in flight: one between instructions, and one per task inside the driver.
const SLOTS: usize = 64;

/// An argument of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Argument {
    Value(u32),
    /// Address of the call's data plus this offset.
    Data(u32),
}

/// A guest function to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GuestCall {
    pub(crate) function: u32,
    pub(crate) args: Vec<Argument>,
    /// Bytes stored on the guest's stack for the time of the call.
    pub(crate) data: Vec<u8>,
}

impl GuestCall {
    /// A call with plain numbers.
    pub(crate) fn new(function: u32, args: &[u32]) -> GuestCall {
        let args = args.iter().map(|v| Argument::Value(*v)).collect();
        GuestCall {
            function,
            args,
            data: Vec::new(),
        }
    }
}

/// Saved state of a call that has not returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame<T> {
    registers: [u32; 32],
    pc: u32,
    mstatus: u32,
    pub(crate) between: bool,
    /// Guest address of the call's data.
    pub(crate) data_addr: u32,
    /// Next step of the host with the result.
    pub(crate) then: T,
}

impl<T> Frame<T> {
    /// Restores the registers as they were before the call.
    pub(crate) fn restore(&self, cpu: &mut dyn GuestCpu) {
        for (n, value) in self.registers.iter().enumerate().skip(1) {
            cpu.set_x(n, *value);
        }
        cpu.set_pc(self.pc);
        if self.between {
            cpu.set_mstatus(self.mstatus);
        }
    }
}

/// The calls in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Calls<T> {
    frames: Vec<Option<Frame<T>>>,
}

impl<T> Default for Calls<T> {
    fn default() -> Calls<T> {
        Calls {
            frames: (0..SLOTS).map(|_| None).collect(),
        }
    }
}

/// Reason why a call could not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CannotCall {
    /// The stack pointer does not point to memory.
    Stack(Fault),
    /// Every return pad is in use: that many tasks are inside the driver.
    TooMany,
}

impl<T> Calls<T> {
    /// True if a call between instructions may begin now.
    pub(crate) fn may_interrupt(&self, cpu: &dyn GuestCpu) -> bool {
        cpu.mstatus() & MSTATUS_MIE != 0 && !self.frames.iter().flatten().any(|f| f.between)
    }

    /// Sets the registers so that the guest executes `call`.
    pub(crate) fn begin(
        &mut self,
        cpu: &mut dyn GuestCpu,
        mem: &mut dyn GuestMemory,
        call: &GuestCall,
        between: bool,
        then: T,
    ) -> Result<(), CannotCall> {
        let slot = self
            .frames
            .iter()
            .position(Option::is_none)
            .ok_or(CannotCall::TooMany)?;
        let sp = cpu.x(reg::SP).wrapping_sub(call.data.len() as u32) & !15;
        mem.write_bytes(sp, &call.data).map_err(|_| {
            CannotCall::Stack(Fault {
                addr: sp,
                store: true,
            })
        })?;
        self.frames[slot] = Some(Frame {
            registers: std::array::from_fn(|n| cpu.x(n)),
            pc: cpu.pc(),
            mstatus: cpu.mstatus(),
            between,
            data_addr: sp,
            then,
        });
        if between {
            cpu.set_mstatus(cpu.mstatus() & !MSTATUS_MIE);
        }
        for (n, argument) in call.args.iter().enumerate() {
            let value = match argument {
                Argument::Value(value) => *value,
                Argument::Data(offset) => sp + offset,
            };
            cpu.set_x(reg::A0 + n, value);
        }
        cpu.set_x(reg::SP, sp);
        cpu.set_x(reg::RA, RETURN_PADS.start + 4 * slot as u32);
        cpu.set_pc(call.function);
        Ok(())
    }

    /// Removes and returns the call that returns to `pad`.
    pub(crate) fn finish(&mut self, pad: u32) -> Option<Frame<T>> {
        let slot = pad.checked_sub(RETURN_PADS.start)? / 4;
        self.frames.get_mut(slot as usize)?.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeCpu, FlatMemory};

    fn guest() -> (FakeCpu, FlatMemory) {
        let mut cpu = FakeCpu::default();
        for n in 1..32 {
            cpu.set_x(n, 0x1000 + n as u32);
        }
        cpu.set_x(reg::SP, 0x3FC8_0105);
        cpu.set_pc(0x4200_0000);
        cpu.set_mstatus(0x1888);
        (cpu, FlatMemory::new(0x3FC8_0000, 0x200))
    }

    #[test]
    fn a_call_between_instructions_leaves_no_trace() {
        let (mut cpu, mut mem) = guest();
        let before = cpu.clone();
        let mut calls: Calls<u8> = Calls::default();
        let call = GuestCall {
            function: 0x4200_1000,
            args: vec![Argument::Value(7), Argument::Data(0), Argument::Data(2)],
            data: vec![1, 2, 3],
        };
        assert!(calls.may_interrupt(&cpu));
        calls.begin(&mut cpu, &mut mem, &call, true, 9).unwrap();
        assert_eq!(
            (cpu.pc(), cpu.x(reg::RA), cpu.x(reg::SP)),
            (0x4200_1000, 0x4FFF_0000, 0x3FC8_0100)
        );
        assert_eq!([cpu.x(10), cpu.x(11), cpu.x(12)], [7, 0x3FC8_0100, 0x3FC8_0102]);
        assert_eq!(cpu.mstatus(), 0x1880);
        assert_eq!(mem.read_u8(0x3FC8_0102), Ok(3));
        assert!(!calls.may_interrupt(&cpu));
        // A second one has to wait even if the callee enables interrupts.
        cpu.set_mstatus(0x1888);
        assert!(!calls.may_interrupt(&cpu));

        cpu.set_x(10, 0xDEAD);
        let frame = calls.finish(0x4FFF_0000).unwrap();
        frame.restore(&mut cpu);
        assert_eq!(frame.then, 9);
        assert_eq!(cpu, before);
        assert!(calls.may_interrupt(&cpu));
    }

    #[test]
    fn calls_inside_the_driver_return_in_any_order() {
        let (mut cpu, mut mem) = guest();
        let mut calls: Calls<u8> = Calls::default();
        for (then, function) in [(1, 0x4200_1000), (2, 0x4200_2000)] {
            calls
                .begin(&mut cpu, &mut mem, &GuestCall::new(function, &[]), false, then)
                .unwrap();
        }
        assert_eq!(cpu.mstatus(), 0x1888);
        assert_eq!(calls.finish(0x4FFF_0000).unwrap().then, 1);
        assert_eq!(calls.finish(0x4FFF_0004).unwrap().then, 2);
        assert_eq!(calls.finish(0x4FFF_0004), None);
        assert_eq!(calls.finish(0x4FFF_0FFC), None);
    }

    #[test]
    fn a_stack_outside_memory_is_refused() {
        let (mut cpu, mut mem) = guest();
        cpu.set_x(reg::SP, 0x10);
        let before = cpu.clone();
        let mut calls: Calls<u8> = Calls::default();
        let call = GuestCall {
            function: 0x4200_1000,
            args: vec![],
            data: vec![0; 8],
        };
        let refused = calls.begin(&mut cpu, &mut mem, &call, true, 0);
        assert_eq!(refused, Err(CannotCall::Stack(Fault { addr: 0, store: true })));
        assert_eq!(cpu, before);
    }

    #[test]
    fn return_pads_are_limited() {
        let (mut cpu, mut mem) = guest();
        let mut calls: Calls<u8> = Calls::default();
        let call = GuestCall::new(0x4200_1000, &[]);
        for _ in 0..SLOTS {
            calls.begin(&mut cpu, &mut mem, &call, false, 0).unwrap();
        }
        assert_eq!(
            calls.begin(&mut cpu, &mut mem, &call, false, 0),
            Err(CannotCall::TooMany)
        );
        assert_eq!(cpu.x(reg::RA), RETURN_PADS.end - 4);
    }
}
