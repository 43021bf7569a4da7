//! Reset, clocks, delays, interrupt set-up, cache and the analog registers behind `regi2c`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::rom::call::{Call, Fault, Reply, Served};

/// RTC_CNTL_OPTIONS0 (TRM chapter 9): bit 31 resets the system, bit 5 the processor.
const RTC_OPTIONS0: u32 = 0x6000_8000;
/// RTC_CNTL_RESET_STATE: the cause in bits 5–0.
const RTC_RESET_STATE: u32 = 0x6000_8038;
/// INTERRUPT_CORE0 (TRM chapter 8): one map register per source, then enable, type, priorities, threshold.
const INTERRUPT_MAP: u32 = 0x600C_2000;
const INTERRUPT_ENABLE: u32 = 0x600C_2104;
const INTERRUPT_TYPE: u32 = 0x600C_2108;
const INTERRUPT_PRIORITY: u32 = 0x600C_2114;
const INTERRUPT_THRESHOLD: u32 = 0x600C_2194;
/// The table of 128 flash MMU entries, one per 64 KiB.
const MMU_TABLE: u32 = 0x600C_5000;
/// Longest step of a delay, microseconds; interrupts are taken between steps, as on the chip.
const DELAY_STEP_US: u32 = 50;

/// The ROM's table of interrupt handlers and their arguments, 32 entries (chip revision 0.3).
pub(crate) const INTERRUPT_HANDLERS: u32 = 0x3FCD_EF60;

/// `user_code_start`, which the ROM calls after a download (chip revision 0.3).
const USER_CODE_START: u32 = 0x3FCD_EF18;

/// The most analog registers that are remembered.
const MOST_ANALOG: usize = 1024;

/// What these functions remember.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct System {
    /// `g_ticks_per_us`: CPU cycles in a microsecond.
    ticks_per_us: u32,
    /// Analog registers by block, host and register.
    analog: BTreeMap<(u8, u8, u8), u8>,
}

impl Default for System {
    fn default() -> System {
        // The ROM sets 20 at reset: the crystal's 40 MHz divided by two.
        System {
            ticks_per_us: 20,
            analog: BTreeMap::new(),
        }
    }
}

impl System {
    /// Carries out the function at `addr` if it is one of these.
    pub(crate) fn serve(&mut self, addr: u32, call: &mut Call<'_>) -> Option<Served> {
        let [a0, a1, a2, ..] = call.args;
        let value = |v: u32| Ok(Reply::Value(v));
        Some(match addr & 0x1FFF {
            0x018 => call
                .load_u32(RTC_RESET_STATE)
                .map(|state| Reply::Value(state & 0x3F)),
            0x050 => Ok(delay_us(a0)),
            0x090 => set_bits(call, RTC_OPTIONS0, 1 << 31),
            0x094 => set_bits(call, RTC_OPTIONS0, 1 << 5),
            0x0BC => store(call, USER_CODE_START, a0),
            0x580 => value(80_000_000),
            0x584 => value(self.ticks_per_us),
            0x588 => {
                self.ticks_per_us = a0;
                value(0)
            }
            0x590 => value(0),
            0x598 => value(40_000_000),
            0x5E0 => store(call, INTERRUPT_PRIORITY + 4 * (a0 & 31), a1),
            0x5E4 => store(call, INTERRUPT_THRESHOLD, a0),
            0x5E8 => set_bits(call, INTERRUPT_ENABLE, a0),
            0x5EC => clear_bits(call, INTERRUPT_ENABLE, a0),
            0x5F0 if a1 == 0 => clear_bits(call, INTERRUPT_TYPE, 1 << (a0 & 31)),
            0x5F0 => set_bits(call, INTERRUPT_TYPE, 1 << (a0 & 31)),
            0x5F4 => store(call, INTERRUPT_MAP + 4 * (a1 & 63), a2),
            0x604 => attach(call),
            0x608 => clear_bits(call, INTERRUPT_ENABLE, a0),
            0x60C => set_bits(call, INTERRUPT_ENABLE, a0),
            // Pads, their drive strength and the pins of the flash: the model does not depend on them.
            0x5C8 | 0x71C => value(0),
            0x4B0 => get_icache_line_size(call),
            0x560 | 0x564 => mmu_set(call),
            // The other cache functions work on a cache that the model does not have, and flash reads are
            // never stale. They return 0, which from the suspend functions also means "autoload was off".
            0x4B4..=0x55C | 0x568..=0x57C => value(0),
            0x1954 => value(u32::from(self.analog(call))),
            0x1958 => value(field(self.analog(call), call.args[3], call.args[4])),
            0x195C => {
                self.set_analog(call, call.args[3] as u8);
                value(0)
            }
            0x1960 => {
                let (msb, lsb, data) = (call.args[3], call.args[4], call.args[5]);
                let mask = (0xFFu32 >> (7 - (msb & 7))) & (0xFF << (lsb & 7));
                let kept = u32::from(self.analog(call)) & !mask;
                self.set_analog(call, (kept | (data << (lsb & 7)) & mask) as u8);
                value(0)
            }
            _ => return None,
        })
    }

    fn analog(&self, call: &Call<'_>) -> u8 {
        self.analog.get(&analog_key(call)).copied().unwrap_or(0)
    }

    /// The chip has some hundred of these registers; a guest that names more finds the others as they are at reset.
    fn set_analog(&mut self, call: &Call<'_>, value: u8) {
        let key = analog_key(call);
        if self.analog.len() < MOST_ANALOG || self.analog.contains_key(&key) {
            self.analog.insert(key, value);
        }
    }
}

fn analog_key(call: &Call<'_>) -> (u8, u8, u8) {
    (call.args[0] as u8, call.args[1] as u8, call.args[2] as u8)
}

fn field(value: u8, msb: u32, lsb: u32) -> u32 {
    (u32::from(value) & (0xFF >> (7 - (msb & 7)))) >> (lsb & 7)
}

/// The remaining microseconds are in a0, so an interrupt in the middle (and a switch to another task that
/// delays) changes only the time.
fn delay_us(left: u32) -> Reply {
    if left <= DELAY_STEP_US {
        return Reply::After(Duration::from_micros(u64::from(left)), 0);
    }
    Reply::Again {
        after: Duration::from_micros(u64::from(DELAY_STEP_US)),
        a0: left - DELAY_STEP_US,
    }
}

/// `(u32 interrupt, void (*handler)(void *), void *arg)`: an entry of the ROM's table.
fn attach(call: &mut Call<'_>) -> Served {
    let [interrupt, handler, arg, ..] = call.args;
    let entry = INTERRUPT_HANDLERS + 8 * (interrupt & 31);
    call.store_u32(entry, handler)?;
    store(call, entry + 4, arg)
}

fn store(call: &mut Call<'_>, addr: u32, value: u32) -> Served {
    call.store_u32(addr, value)?;
    Ok(Reply::Value(0))
}

fn set_bits(call: &mut Call<'_>, addr: u32, bits: u32) -> Served {
    let old = call.load_u32(addr)?;
    store(call, addr, old | bits)
}

fn clear_bits(call: &mut Call<'_>, addr: u32, bits: u32) -> Served {
    let old = call.load_u32(addr)?;
    store(call, addr, old & !bits)
}

/// `Cache_Get_ICache_Line_Size`: the cache has lines of 32 bytes (size 16 KiB, 8 ways).
fn get_icache_line_size(_: &mut Call<'_>) -> Served {
    Ok(Reply::Value(32))
}

/// `Cache_Ibus_MMU_Set`, `Cache_Dbus_MMU_Set (ext_ram, vaddr, paddr, psize, num, fixed)`: one table serves both
/// buses. 0 for success, 2 for an address that is not aligned, 3 for another page size than 64 KiB.
fn mmu_set(call: &mut Call<'_>) -> Result<Reply, Fault> {
    let [ext_ram, vaddr, paddr, page_kib, count, fixed, ..] = call.args;
    if (vaddr | paddr) & 0xFFFF != 0 {
        return Ok(Reply::Value(2));
    }
    if page_kib != 64 {
        return Ok(Reply::Value(3));
    }
    let first = vaddr >> 16 & 0x7F;
    for i in 0..count.min(128 - first) {
        let page = (paddr >> 16) + if fixed == 0 { i } else { 0 };
        call.store_u32(MMU_TABLE + 4 * (first + i), page | ext_ram)?;
    }
    Ok(Reply::Value(0))
}
