//! A bus with flat memory from address 0, and a few registers for tests.
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "shared by the tests and the benchmark; each uses a part"
)]

use std::collections::BTreeSet;

use rv32::{AccessFault, Bus, Counts, Flow};

/// A write to this word makes the bus request a pause.
pub(crate) const DOORBELL: u32 = 0xf000_0000;
/// A read of this word returns the low half of the cycle count.
pub(crate) const CLOCK: u32 = 0xf000_0004;
/// A CSR of the bus: a read returns the low half of `instret`, minus the value written.
pub(crate) const VENDOR_CSR: u16 = 0x7e2;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ram {
    pub(crate) bytes: Vec<u8>,
    pub(crate) hooks: BTreeSet<u32>,
    pub(crate) vendor: u32,
    /// End of the code that was fetched; stores below it may change code.
    pub(crate) fetched: u32,
    /// True if stores to fetched code request a pause.
    pub(crate) watch_code: bool,
}

impl Ram {
    pub(crate) fn new(size: usize) -> Ram {
        Ram {
            bytes: vec![0; size],
            hooks: BTreeSet::new(),
            vendor: 0,
            fetched: 0,
            watch_code: true,
        }
    }

    pub(crate) fn load(&mut self, addr: u32, bytes: &[u8]) {
        self.bytes[addr as usize..][..bytes.len()].copy_from_slice(bytes);
    }

    pub(crate) fn word(&self, addr: u32) -> u32 {
        u32::from_le_bytes(self.bytes[addr as usize..][..4].try_into().unwrap())
    }
}

impl Bus for Ram {
    #[inline(always)]
    fn read(&mut self, addr: u32, size: u32, cycle: u64) -> Result<u32, AccessFault> {
        let at = addr as usize;
        if let Some(bytes) = self.bytes.get(at..at.wrapping_add(size as usize)) {
            return Ok(match size {
                1 => u32::from(bytes[0]),
                2 => u32::from(u16::from_le_bytes([bytes[0], bytes[1]])),
                _ => u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
            });
        }
        if addr == CLOCK {
            Ok(cycle as u32)
        } else {
            Err(AccessFault)
        }
    }

    #[inline(always)]
    fn write(&mut self, addr: u32, value: u32, size: u32, _cycle: u64) -> Result<Flow, AccessFault> {
        let at = addr as usize;
        if let Some(bytes) = self.bytes.get_mut(at..at.wrapping_add(size as usize)) {
            match size {
                1 => bytes[0] = value as u8,
                2 => bytes.copy_from_slice(&(value as u16).to_le_bytes()),
                _ => bytes.copy_from_slice(&value.to_le_bytes()),
            }
            return Ok(if self.watch_code && addr < self.fetched {
                Flow::Break
            } else {
                Flow::Continue
            });
        }
        if addr == DOORBELL {
            Ok(Flow::Break)
        } else {
            Err(AccessFault)
        }
    }

    fn fetch(&mut self, addr: u32) -> Result<u16, AccessFault> {
        let at = addr as usize;
        let bytes = self.bytes.get(at..at.wrapping_add(2)).ok_or(AccessFault)?;
        self.fetched = self.fetched.max(addr + 2);
        Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    fn is_hook(&self, addr: u32) -> bool {
        self.hooks.contains(&addr)
    }

    fn read_csr(&mut self, csr: u16, counts: Counts) -> Option<u32> {
        (csr == VENDOR_CSR).then(|| (counts.instret as u32).wrapping_sub(self.vendor))
    }

    fn write_csr(&mut self, _csr: u16, value: u32, counts: Counts) -> Flow {
        self.vendor = (counts.instret as u32).wrapping_sub(value);
        Flow::Continue
    }
}
