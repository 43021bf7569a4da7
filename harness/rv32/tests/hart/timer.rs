//! Flat memory and a timer whose count is latched before it is read: 52 bits, ten cycles a tick.

use rv32::{AccessFault, Bus, Flow, PollRead, PollWrite};

use crate::ram::Ram;

/// Control register. A write of bit 30 latches the count; bit 29 reads as 1 when the latch is valid.
pub(crate) const OP: u32 = 0xf000_1000;
/// Register with the low half of the latched count.
pub(crate) const LO: u32 = 0xf000_1004;
/// Register with the high half of the latched count.
pub(crate) const HI: u32 = 0xf000_1008;
/// Register with the low half of the running count.
pub(crate) const LIVE: u32 = 0xf000_100c;

const VALID: u32 = 1 << 29;
const UPDATE: u32 = 1 << 30;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TimerBus {
    pub(crate) ram: Ram,
    /// Value of the count at cycle 0.
    pub(crate) start: u64,
    pub(crate) latch: u64,
}

impl TimerBus {
    pub(crate) fn new(code: &[u8], start: u64) -> TimerBus {
        let mut ram = Ram::new(0x1000);
        ram.load(0, code);
        TimerBus { ram, start, latch: 0 }
    }

    fn count(&self, cycle: u64) -> u64 {
        (self.start + cycle / 10) & ((1 << 52) - 1)
    }
}

impl Bus for TimerBus {
    fn read(&mut self, addr: u32, size: u32, cycle: u64) -> Result<u32, AccessFault> {
        match (addr, size) {
            (OP, 4) => Ok(VALID),
            (LO, 4) => Ok(self.latch as u32),
            (HI, 4) => Ok((self.latch >> 32) as u32),
            (LIVE, 4) => Ok(self.count(cycle) as u32),
            _ => self.ram.read(addr, size, cycle),
        }
    }

    fn write(&mut self, addr: u32, value: u32, size: u32, cycle: u64) -> Result<Flow, AccessFault> {
        match addr {
            OP => {
                if value & UPDATE != 0 {
                    self.latch = self.count(cycle);
                }
                Ok(Flow::Continue)
            }
            LO..=LIVE => Ok(Flow::Continue),
            _ => self.ram.write(addr, value, size, cycle),
        }
    }

    fn fetch(&mut self, addr: u32) -> Result<u16, AccessFault> {
        self.ram.fetch(addr)
    }

    fn is_hook(&self, addr: u32) -> bool {
        self.ram.is_hook(addr)
    }

    fn poll_read(&self, addr: u32, size: u32, from: u64, to: u64) -> Option<PollRead> {
        let range = |a: u64, b: u64, latched| {
            // If the other halves of both counts differ, this half can have any value.
            let (low, high) = if a >> 32 == b >> 32 {
                (a as u32, b as u32)
            } else {
                (0, u32::MAX)
            };
            Some(PollRead::Register { low, high, latched })
        };
        let (first, last) = (self.latch.min(self.count(from)), self.count(to));
        if self.count(from) > last || size != 4 && addr >= OP {
            return None;
        }
        match addr {
            OP => Some(PollRead::Register {
                low: VALID,
                high: VALID,
                latched: true,
            }),
            LO => range(first, last, true),
            HI => Some(PollRead::Register {
                low: (first >> 32) as u32,
                high: (last >> 32) as u32,
                latched: true,
            }),
            LIVE => range(self.count(from), last, false),
            _ => {
                let bytes = self.ram.bytes.get(addr as usize..addr as usize + size as usize)?;
                Some(PollRead::Memory(
                    bytes
                        .iter()
                        .rev()
                        .fold(0, |word, &byte| word << 8 | u32::from(byte)),
                ))
            }
        }
    }

    fn poll_write(
        &self,
        addr: u32,
        value: Option<u32>,
        _size: u32,
        _from: u64,
        _to: u64,
    ) -> Option<PollWrite> {
        match addr {
            OP => value.map(|_| PollWrite::Register),
            _ if addr >= self.ram.fetched && (addr as usize) < self.ram.bytes.len() => {
                Some(PollWrite::Memory)
            }
            _ => None,
        }
    }
}
