//! Doubles for the unit tests of this crate: flat memory and a register file.

use rv32::AccessFault;

use crate::guest::{GuestCpu, GuestMemory};
use crate::rom::nor::NorFlash;

/// Memory at one address range, device registers that read back what was written at another, and a flash.
#[derive(Clone, Debug)]
pub(crate) struct FlatMemory {
    base: u32,
    pub(crate) bytes: Vec<u8>,
    pub(crate) registers: std::collections::BTreeMap<u32, u32>,
    /// Writes to registers in order.
    pub(crate) writes: Vec<(u32, u32)>,
    pub(crate) flash: NorFlash,
    /// Code bytes by address.
    code: std::collections::BTreeMap<u32, u8>,
}

impl FlatMemory {
    pub(crate) fn new(base: u32, size: usize) -> FlatMemory {
        FlatMemory {
            base,
            bytes: vec![0; size],
            registers: Default::default(),
            writes: Vec::new(),
            flash: NorFlash::new(0x1_0000),
            code: Default::default(),
        }
    }

    /// Stores `data` at a guest address.
    pub(crate) fn put(&mut self, addr: u32, data: &[u8]) {
        self.write_bytes(addr, data).expect("inside the test's memory");
    }

    /// Stores instructions at an address in flash.
    pub(crate) fn put_code(&mut self, addr: u32, code: &[u8]) {
        self.code.extend((addr..).zip(code.iter().copied()));
    }

    /// Returns `len` bytes from a guest address.
    pub(crate) fn get(&mut self, addr: u32, len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        self.read_bytes(addr, &mut out).expect("inside the test's memory");
        out
    }

    fn slot(&mut self, addr: u32) -> Result<&mut u8, AccessFault> {
        let offset = addr.checked_sub(self.base).ok_or(AccessFault)?;
        self.bytes.get_mut(offset as usize).ok_or(AccessFault)
    }
}

impl GuestMemory for FlatMemory {
    fn read_u8(&mut self, addr: u32) -> Result<u8, AccessFault> {
        if let Some(byte) = self.code.get(&addr) {
            return Ok(*byte);
        }
        self.slot(addr).copied()
    }

    fn read_u16(&mut self, addr: u32) -> Result<u16, AccessFault> {
        Ok(u16::from_le_bytes([self.read_u8(addr)?, self.read_u8(addr + 1)?]))
    }

    fn read_u32(&mut self, addr: u32) -> Result<u32, AccessFault> {
        if addr >> 24 == 0x60 {
            return Ok(self.registers.get(&addr).copied().unwrap_or(0));
        }
        Ok(u32::from(self.read_u16(addr)?) | u32::from(self.read_u16(addr + 2)?) << 16)
    }

    fn write_u8(&mut self, addr: u32, value: u8) -> Result<(), AccessFault> {
        *self.slot(addr)? = value;
        Ok(())
    }

    fn write_u16(&mut self, addr: u32, value: u16) -> Result<(), AccessFault> {
        self.write_bytes(addr, &value.to_le_bytes())
    }

    fn write_u32(&mut self, addr: u32, value: u32) -> Result<(), AccessFault> {
        if addr >> 24 == 0x60 {
            self.registers.insert(addr, value);
            self.writes.push((addr, value));
            return Ok(());
        }
        self.write_bytes(addr, &value.to_le_bytes())
    }

    fn flash(&mut self) -> &mut NorFlash {
        &mut self.flash
    }
}

/// A set of CPU registers for tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FakeCpu {
    x: [u32; 32],
    pc: u32,
    mstatus: u32,
}

impl GuestCpu for FakeCpu {
    fn x(&self, n: usize) -> u32 {
        self.x[n]
    }

    fn set_x(&mut self, n: usize, value: u32) {
        if n > 0 {
            self.x[n] = value;
        }
    }

    fn pc(&self) -> u32 {
        self.pc
    }

    fn set_pc(&mut self, pc: u32) {
        self.pc = pc;
    }

    fn mstatus(&self) -> u32 {
        self.mstatus
    }

    fn set_mstatus(&mut self, value: u32) {
        self.mstatus = value;
    }
}
