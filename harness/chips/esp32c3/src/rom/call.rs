//! A call of a function that the host carries out: its arguments, the memory it works on, its reply.

use std::time::Duration;

use sim::Instant;

use crate::guest::{GuestCpu, GuestMemory, reg};

/// A load or store of a hooked function at an address without memory or device; the guest takes the
/// access-fault trap for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) addr: u32,
    pub(crate) store: bool,
}

/// Result of a hooked function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Value for a0.
    Value(u32),
    /// 64-bit value for a0 and a1.
    Wide(u64),
    /// Value for a0, after the function has taken this long.
    After(Duration, u32),
    /// Still busy: the hook is called again after this long, with `a0` as its first argument.
    Again { after: Duration, a0: u32 },
    /// Power failed this long after the call.
    PowerCut(Duration),
}

/// The reply of a function, or the access that failed.
pub(crate) type Served = Result<Reply, Fault>;

/// Arguments of a call, and the memory it works on.
pub(crate) struct Call<'a> {
    pub(crate) pc: u32,
    pub(crate) args: [u32; 8],
    pub(crate) sp: u32,
    pub(crate) ra: u32,
    pub(crate) mem: &'a mut dyn GuestMemory,
    pub(crate) now: Instant,
}

impl<'a> Call<'a> {
    pub(crate) fn new(cpu: &dyn GuestCpu, mem: &'a mut dyn GuestMemory, now: Instant) -> Call<'a> {
        Call {
            pc: cpu.pc(),
            args: std::array::from_fn(|n| cpu.x(reg::A0 + n)),
            sp: cpu.x(reg::SP),
            ra: cpu.x(reg::RA),
            mem,
            now,
        }
    }

    /// The arguments `n` and `n + 1` as one 64-bit number.
    pub(crate) fn wide(&self, n: usize) -> u64 {
        u64::from(self.args[n]) | u64::from(self.args[n + 1]) << 32
    }

    pub(crate) fn load_u8(&mut self, addr: u32) -> Result<u8, Fault> {
        self.mem.read_u8(addr).map_err(|_| Fault { addr, store: false })
    }

    pub(crate) fn load_u32(&mut self, addr: u32) -> Result<u32, Fault> {
        self.mem.read_u32(addr).map_err(|_| Fault { addr, store: false })
    }

    pub(crate) fn store_u8(&mut self, addr: u32, value: u8) -> Result<(), Fault> {
        self.mem
            .write_u8(addr, value)
            .map_err(|_| Fault { addr, store: true })
    }

    pub(crate) fn store_u16(&mut self, addr: u32, value: u16) -> Result<(), Fault> {
        self.mem
            .write_u16(addr, value)
            .map_err(|_| Fault { addr, store: true })
    }

    pub(crate) fn store_u32(&mut self, addr: u32, value: u32) -> Result<(), Fault> {
        self.mem
            .write_u32(addr, value)
            .map_err(|_| Fault { addr, store: true })
    }

    /// Reads `len` bytes from `addr` on. A length that exceeds every memory of this chip is a fault, not an
    /// allocation.
    pub(crate) fn load(&mut self, addr: u32, len: u32) -> Result<Vec<u8>, Fault> {
        const LONGEST: u32 = 8 << 20;
        let fault = Fault { addr, store: false };
        if len > LONGEST {
            return Err(fault);
        }
        let mut out = vec![0; len as usize];
        self.mem.read_bytes(addr, &mut out).map_err(|_| fault)?;
        Ok(out)
    }

    pub(crate) fn store(&mut self, addr: u32, data: &[u8]) -> Result<(), Fault> {
        self.mem
            .write_bytes(addr, data)
            .map_err(|_| Fault { addr, store: true })
    }

    /// Reads the bytes from `addr` on up to a zero byte, without it.
    pub(crate) fn load_text(&mut self, addr: u32) -> Result<Vec<u8>, Fault> {
        self.load_text_of(addr, u32::MAX)
    }

    /// Reads the bytes from `addr` on up to a zero byte, at most `limit` bytes.
    pub(crate) fn load_text_of(&mut self, addr: u32, limit: u32) -> Result<Vec<u8>, Fault> {
        let mut out = Vec::new();
        while (out.len() as u32) < limit {
            match self.load_u8(addr.wrapping_add(out.len() as u32))? {
                0 => break,
                byte => out.push(byte),
            }
        }
        Ok(out)
    }
}
