//! The chip's address space (TRM chapter 3): memory on the fast path, peripherals and everything else on the
//! slow one.

mod csrs;

use std::collections::BTreeMap;

use rv32::{AccessFault, Bus, Counts, Flow, OnException, PollCall, PollRead, PollWrite};

use csrs::VendorCsrs;

use crate::guest::{GuestMemory, HookSet, ROM};
use crate::output::{Outbox, UnmodelledKind};
use crate::peripherals::Peripherals;
use crate::peripherals::extmem::{MMU_ENTRIES, MMU_INVALID, MMU_PAGE};
use crate::peripherals::written::Written;
use crate::rom::nor::NorFlash;
use crate::rom::version::detect_magic;

/// SRAM on the data bus.
pub(crate) const DRAM: u32 = 0x3FC8_0000;
/// SRAM on the instruction bus, with the 16 KiB of SRAM0 in front.
const IRAM: u32 = 0x4037_C000;
const SRAM0_SIZE: u32 = 0x4000;
const SRAM1_SIZE: u32 = 0x6_0000;
const IRAM_SIZE: u32 = SRAM0_SIZE + SRAM1_SIZE;
const RTC_FAST: u32 = 0x5000_0000;
const RTC_FAST_SIZE: u32 = 0x2000;
const FLASH_DATA: u32 = 0x3C00_0000;
const FLASH_CODE: u32 = 0x4200_0000;
const FLASH_WINDOW: u32 = MMU_ENTRIES as u32 * MMU_PAGE;
const ROM_DATA: u32 = 0x3FF0_0000;
const ROM_DATA_SIZE: u32 = 0x2_0000;
const PERIPHERALS: u32 = 0x6000_0000;
const PERIPHERALS_SIZE: u32 = 0xD_1000;
/// libgcc's unsigned 64-bit division in the ROM (`esp32c3.rom.libgcc.ld`).
const UDIVDI3: u32 = 0x4000_08AC;
const MMU_TABLE: u32 = 0x600C_5000;
/// Words of the ROM that tools and their programs read: the chip's `ESP_CHIP_ID`, the ROM's version, and the word by
/// which tools distinguish chips.
const ROM_CHIP_ID: u32 = 0x4000_0010;
const CHIP_ID: u32 = 5;
const ROM_ECO_VERSION: u32 = 0x4000_0014;
const ROM_DETECT: u32 = 0x4000_1000;

/// What one access by host code costs; bytes that are copied in one piece cost 1 each.
const ACCESS_EFFORT: u64 = 4;
/// How many different accesses without an answer are kept until they are taken; of more the last ones are lost.
const MOST_MISSES: usize = 4096;

/// A few bytes more than there are, so that an access of four bytes at any valid offset stays inside.
const SLACK: usize = 4;
const SRAM_LEN: usize = IRAM_SIZE as usize + SLACK;
const RTC_FAST_LEN: usize = RTC_FAST_SIZE as usize + SLACK;
/// Words of a bitmap with one bit for each halfword of SRAM.
const CODE_WORDS: usize = (IRAM_SIZE as usize / 2).div_ceil(64);

/// An access to an address or register that is not modelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Miss {
    pub(crate) kind: UnmodelledKind,
    pub(crate) addr: u32,
    pub(crate) size: u32,
    /// The value of the first write.
    pub(crate) write: Option<u32>,
    pub(crate) pc: u32,
    /// How often it happened.
    pub(crate) times: u64,
}

/// Accesses that the model did not answer, each place in the program once, in the order of their first occurrence.
#[derive(Clone, Debug, Default)]
pub(crate) struct Misses {
    records: Vec<Miss>,
    /// Where in `records` an access to this address at this place is.
    index: BTreeMap<(u32, u32), usize>,
}

impl Misses {
    fn push(&mut self, miss: Miss) {
        if let Some(at) = self.index.get(&(miss.addr, miss.pc)) {
            self.records[*at].times += 1;
        } else if self.records.len() < MOST_MISSES {
            self.index.insert((miss.addr, miss.pc), self.records.len());
            self.records.push(miss);
        } else if let Some(last) = self.records.last_mut() {
            last.times += 1;
        }
    }

    /// Takes what has been kept.
    pub(crate) fn take(&mut self) -> Vec<Miss> {
        self.index.clear();
        std::mem::take(&mut self.records)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

/// Memories, flash and peripherals of the chip.
#[derive(Clone, Debug)]
pub(crate) struct SystemBus {
    /// SRAM0 and SRAM1, in the order of the instruction bus.
    sram: Box<[u8; SRAM_LEN]>,
    rtc_fast: Box<[u8; RTC_FAST_LEN]>,
    /// Bitmap of the halfwords of SRAM that the hart has decoded.
    code: Box<[u64; CODE_WORDS]>,
    /// The hart has decoded code in RTC memory.
    rtc_fast_code: bool,
    /// The hart's decoded code may be stale and must be dropped.
    pub(crate) stale_code: bool,
    mmu: [u32; MMU_ENTRIES],
    pub(crate) flash: NorFlash,
    /// Generation of the flash from which the hart has decoded code.
    flash_generation: u64,
    pub(crate) peripherals: Peripherals,
    pub(crate) hooks: HookSet,
    pub(crate) outbox: Outbox,
    pub(crate) misses: Misses,
    /// `_rom_eco_version` of the boot ROM.
    pub(crate) rom_version: u32,
    csrs: VendorCsrs,
    /// Cycle of accesses that host code makes for the guest, and the program counter that reports give for
    /// them.
    pub(crate) host_cycle: u64,
    pub(crate) host_pc: u32,
    /// What accesses of host code have cost, in units of the chip's account, since the owner last set it to 0.
    pub(crate) host_effort: u64,
    locating: Locating,
}

/// Search for the program counter of an access that is not modelled. The hart passes it only on demand: the
/// first attempt of the access is refused, the hart's exception gives the program counter, and the access is
/// repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Locating {
    Idle,
    /// The access at this address was refused.
    Asked(u32),
    /// The next access that is not modelled has this program counter.
    At(u32),
}

fn boxed<const N: usize>() -> Box<[u8; N]> {
    match vec![0; N].into_boxed_slice().try_into() {
        Ok(array) => array,
        Err(_) => unreachable!("the vector has N elements"),
    }
}

#[inline(always)]
fn load<const N: usize>(memory: &[u8; N], offset: u32, size: u32) -> u32 {
    let at = offset as usize;
    match size {
        1 => u32::from(memory[at]),
        2 => u32::from(u16::from_le_bytes([memory[at], memory[at + 1]])),
        _ => u32::from_le_bytes([memory[at], memory[at + 1], memory[at + 2], memory[at + 3]]),
    }
}

#[inline(always)]
fn store<const N: usize>(memory: &mut [u8; N], offset: u32, value: u32, size: u32) {
    let (at, bytes) = (offset as usize, value.to_le_bytes());
    match size {
        1 => memory[at] = bytes[0],
        2 => memory[at..at + 2].copy_from_slice(&bytes[..2]),
        _ => memory[at..at + 4].copy_from_slice(&bytes),
    }
}

impl SystemBus {
    pub(crate) fn new(flash: NorFlash, peripherals: Peripherals, hooks: HookSet) -> SystemBus {
        SystemBus {
            sram: boxed(),
            rtc_fast: boxed(),
            code: Box::new([0; CODE_WORDS]),
            rtc_fast_code: false,
            stale_code: false,
            mmu: [MMU_INVALID; MMU_ENTRIES],
            flash_generation: flash.generation(),
            flash,
            peripherals,
            hooks,
            outbox: Outbox::new(),
            misses: Misses::default(),
            rom_version: 0,
            csrs: VendorCsrs::default(),
            host_cycle: 0,
            host_pc: 0,
            host_effort: 0,
            locating: Locating::Idle,
        }
    }

    /// Power was off: RAM loses its contents. It reads as zeros, not as the noise of a real chip.
    pub(crate) fn lose_memory(&mut self) {
        self.sram.fill(0);
        self.rtc_fast.fill(0);
    }

    /// Deep sleep: SRAM loses its contents, the RTC's memory keeps them.
    pub(crate) fn lose_sram(&mut self) {
        self.sram.fill(0);
    }

    /// Resets the state of CPU and cache in the bus. The boot chain starts the performance counter on cycles,
    /// from zero; esp-hal relies on it.
    pub(crate) fn reset_core(&mut self, cycle: u64) {
        self.mmu = [MMU_INVALID; MMU_ENTRIES];
        self.csrs = VendorCsrs::after_boot(cycle);
        self.stale_code = true;
    }

    /// Maps the 64 KiB page of guest address `addr` to the page of flash offset `offset`.
    pub(crate) fn map_page(&mut self, addr: u32, offset: u32) {
        self.mmu[(addr / MMU_PAGE) as usize % MMU_ENTRIES] = offset / MMU_PAGE;
        self.stale_code = true;
    }

    /// Stores bytes in SRAM or RTC memory, as the bootloader does. False for other addresses.
    pub(crate) fn load(&mut self, addr: u32, data: &[u8]) -> bool {
        let fits = |base: u32, size: u32| {
            addr >= base && u64::from(addr - base) + data.len() as u64 <= u64::from(size)
        };
        let target = if fits(DRAM, SRAM1_SIZE) {
            &mut self.sram[(addr - DRAM + SRAM0_SIZE) as usize..]
        } else if fits(IRAM, IRAM_SIZE) {
            &mut self.sram[(addr - IRAM) as usize..]
        } else if fits(RTC_FAST, RTC_FAST_SIZE) {
            &mut self.rtc_fast[(addr - RTC_FAST) as usize..]
        } else {
            return false;
        };
        target[..data.len()].copy_from_slice(data);
        self.stale_code = true;
        true
    }

    /// Returns true if the hart must drop its decoded code, and clears the flag.
    pub(crate) fn take_stale_code(&mut self) -> bool {
        if self.flash.generation() != self.flash_generation {
            self.flash_generation = self.flash.generation();
            self.stale_code = true;
        }
        let stale = std::mem::take(&mut self.stale_code);
        if stale {
            self.code.fill(0);
            self.rtc_fast_code = false;
        }
        stale
    }

    /// True if a store of `size` bytes at this offset in SRAM may change decoded code.
    #[inline(always)]
    fn hits_code(&self, offset: u32, size: u32) -> bool {
        let halfword = offset as usize / 2;
        let bits = if size == 4 { 0b11 } else { 0b01 };
        self.code[halfword / 64] >> (halfword % 64) & bits != 0
    }

    #[inline(always)]
    fn store_sram(&mut self, offset: u32, value: u32, size: u32) -> Flow {
        store(&mut self.sram, offset, value, size);
        if self.hits_code(offset, size) {
            self.stale_code = true;
            return Flow::Break;
        }
        Flow::Continue
    }

    /// Flash offset of an offset in a flash window; `None` if the page is not mapped.
    #[inline(always)]
    fn translate(&self, window_offset: u32) -> Option<u32> {
        let entry = self.mmu[(window_offset / MMU_PAGE) as usize];
        (entry & MMU_INVALID == 0).then_some((entry & 0xFF) * MMU_PAGE + window_offset % MMU_PAGE)
    }

    #[inline(always)]
    fn load_flash(&self, window_offset: u32, size: u32) -> Result<u32, AccessFault> {
        let at = self.translate(window_offset).ok_or(AccessFault)? as usize;
        let cells = self
            .flash
            .cells()
            .get(at..at + size as usize)
            .ok_or(AccessFault)?;
        Ok(match *cells {
            [a] => u32::from(a),
            [a, b] => u32::from(u16::from_le_bytes([a, b])),
            [a, b, c, d] => u32::from_le_bytes([a, b, c, d]),
            _ => return Err(AccessFault),
        })
    }

    /// Records an access that is not modelled, once its program counter is known.
    fn miss(&mut self, addr: u32, size: u32, write: Option<u32>) -> Result<(), AccessFault> {
        let Locating::At(pc) = self.locating else {
            self.locating = Locating::Asked(addr);
            return Err(AccessFault);
        };
        self.locating = Locating::Idle;
        self.misses.push(Miss {
            kind: UnmodelledKind::Register,
            addr,
            size,
            write,
            pc,
            times: 1,
        });
        Ok(())
    }

    /// Makes an access for host code.
    fn for_host<T>(&mut self, access: impl FnOnce(&mut Self, u64) -> T) -> T {
        self.locating = Locating::At(self.host_pc);
        self.host_effort += ACCESS_EFFORT;
        let result = access(self, self.host_cycle);
        self.locating = Locating::Idle;
        result
    }

    #[inline(never)]
    fn read_other(&mut self, addr: u32, size: u32, cycle: u64) -> Result<u32, AccessFault> {
        if addr.wrapping_sub(IRAM) < IRAM_SIZE {
            return Ok(load(&self.sram, addr - IRAM, size));
        }
        if addr.wrapping_sub(FLASH_CODE) < FLASH_WINDOW {
            return self.load_flash(addr - FLASH_CODE, size);
        }
        if addr.wrapping_sub(RTC_FAST) < RTC_FAST_SIZE {
            return Ok(load(&self.rtc_fast, addr - RTC_FAST, size));
        }
        if addr.wrapping_sub(MMU_TABLE) < 4 * MMU_ENTRIES as u32 {
            return Ok(self.mmu[(addr - MMU_TABLE) as usize / 4] >> (8 * (addr & 3)));
        }
        if addr.wrapping_sub(PERIPHERALS) < PERIPHERALS_SIZE {
            let word = self.peripherals.read(addr & !3, cycle, &mut self.outbox);
            if word.is_none() {
                self.miss(addr, size, None)?;
            }
            // The bus carries words; a narrow read takes its bytes of the word.
            return Ok(word.unwrap_or(0) >> (8 * (addr & 3)) & (u32::MAX >> (32 - 8 * size)));
        }
        if ROM.contains(&addr) {
            let word = match addr & !3 {
                ROM_CHIP_ID => CHIP_ID,
                ROM_ECO_VERSION => self.rom_version,
                ROM_DETECT => detect_magic(self.rom_version),
                _ => {
                    self.miss(addr, size, None)?;
                    0
                }
            };
            return Ok(word >> (8 * (addr & 3)) & (u32::MAX >> (32 - 8 * size)));
        }
        if addr.wrapping_sub(ROM_DATA) < ROM_DATA_SIZE {
            self.miss(addr, size, None)?;
            return Ok(0);
        }
        Err(AccessFault)
    }

    #[inline(never)]
    fn write_other(&mut self, addr: u32, value: u32, size: u32, cycle: u64) -> Result<Flow, AccessFault> {
        if addr.wrapping_sub(IRAM) < IRAM_SIZE {
            return Ok(self.store_sram(addr - IRAM, value, size));
        }
        if addr.wrapping_sub(RTC_FAST) < RTC_FAST_SIZE {
            store(&mut self.rtc_fast, addr - RTC_FAST, value, size);
            // Code seldom runs in RTC memory, so a store to it makes all of it stale.
            self.stale_code |= self.rtc_fast_code;
            return Ok(if self.rtc_fast_code {
                Flow::Break
            } else {
                Flow::Continue
            });
        }
        if addr.wrapping_sub(MMU_TABLE) < 4 * MMU_ENTRIES as u32 {
            self.mmu[(addr - MMU_TABLE) as usize / 4] = value & 0x1FF;
            self.stale_code = true;
            return Ok(Flow::Break);
        }
        if addr.wrapping_sub(PERIPHERALS) < PERIPHERALS_SIZE {
            // A narrow write changes its bytes of the word and writes the others back as they read.
            let (addr, value) = match size {
                4 => (addr, value),
                _ => {
                    let shift = 8 * (addr & 3);
                    let lane = u32::MAX >> (32 - 8 * size) << shift;
                    let old = self
                        .peripherals
                        .read(addr & !3, cycle, &mut self.outbox)
                        .unwrap_or(0);
                    (addr & !3, old & !lane | value << shift & lane)
                }
            };
            return Ok(
                match self
                    .peripherals
                    .write(addr, value, cycle, &mut self.flash, &mut self.outbox)
                {
                    Written::Quiet => Flow::Continue,
                    Written::Sync => Flow::Break,
                    Written::Unmodelled => {
                        self.miss(addr, size, Some(value))?;
                        Flow::Break
                    }
                },
            );
        }
        Err(AccessFault)
    }
}

impl Bus for SystemBus {
    #[inline(always)]
    fn read(&mut self, addr: u32, size: u32, cycle: u64) -> Result<u32, AccessFault> {
        let offset = addr.wrapping_sub(DRAM);
        if offset < SRAM1_SIZE {
            return Ok(load(&self.sram, offset + SRAM0_SIZE, size));
        }
        let offset = addr.wrapping_sub(FLASH_DATA);
        if offset < FLASH_WINDOW {
            return self.load_flash(offset, size);
        }
        self.read_other(addr, size, cycle)
    }

    #[inline(always)]
    fn write(&mut self, addr: u32, value: u32, size: u32, cycle: u64) -> Result<Flow, AccessFault> {
        let offset = addr.wrapping_sub(DRAM);
        if offset < SRAM1_SIZE {
            return Ok(self.store_sram(offset + SRAM0_SIZE, value, size));
        }
        self.write_other(addr, value, size, cycle)
    }

    fn fetch(&mut self, addr: u32) -> Result<u16, AccessFault> {
        if addr.wrapping_sub(FLASH_CODE) < FLASH_WINDOW {
            return self.load_flash(addr - FLASH_CODE, 2).map(|word| word as u16);
        }
        if addr.wrapping_sub(IRAM) < IRAM_SIZE {
            let offset = addr - IRAM;
            self.code[offset as usize / 128] |= 1 << (offset / 2 % 64);
            return Ok(load(&self.sram, offset, 2) as u16);
        }
        if addr.wrapping_sub(RTC_FAST) < RTC_FAST_SIZE {
            self.rtc_fast_code = true;
            return Ok(load(&self.rtc_fast, addr - RTC_FAST, 2) as u16);
        }
        Err(AccessFault)
    }

    fn is_hook(&self, addr: u32) -> bool {
        self.hooks.contains(addr)
    }

    fn poll_call(&self, addr: u32) -> Option<PollCall> {
        (addr == UDIVDI3 && self.hooks.contains(addr)).then_some(PollCall::DivideUnsigned64)
    }

    fn poll_read(&self, addr: u32, size: u32, from: u64, to: u64) -> Option<PollRead> {
        if addr.wrapping_sub(PERIPHERALS) < PERIPHERALS_SIZE {
            return if size == 4 {
                self.peripherals.poll_read(addr, from, to)
            } else {
                None
            };
        }
        let value = if addr.wrapping_sub(DRAM) < SRAM1_SIZE {
            load(&self.sram, addr - DRAM + SRAM0_SIZE, size)
        } else if addr.wrapping_sub(IRAM) < IRAM_SIZE {
            load(&self.sram, addr - IRAM, size)
        } else if addr.wrapping_sub(RTC_FAST) < RTC_FAST_SIZE {
            load(&self.rtc_fast, addr - RTC_FAST, size)
        } else if addr.wrapping_sub(FLASH_DATA) < FLASH_WINDOW {
            self.load_flash(addr - FLASH_DATA, size).ok()?
        } else if addr.wrapping_sub(FLASH_CODE) < FLASH_WINDOW {
            self.load_flash(addr - FLASH_CODE, size).ok()?
        } else {
            return None;
        };
        Some(PollRead::Memory(value))
    }

    fn poll_write(&self, addr: u32, _: Option<u32>, size: u32, _: u64, _: u64) -> Option<PollWrite> {
        let offset = if addr.wrapping_sub(DRAM) < SRAM1_SIZE {
            addr - DRAM + SRAM0_SIZE
        } else if addr.wrapping_sub(IRAM) < IRAM_SIZE {
            addr - IRAM
        } else if addr.wrapping_sub(PERIPHERALS) < PERIPHERALS_SIZE && size == 4 {
            return self.peripherals.poll_write(addr);
        } else {
            return None;
        };
        (!self.hits_code(offset, size)).then_some(PollWrite::Memory)
    }

    fn on_exception(&mut self, cause: u32, pc: u32, tval: u32) -> OnException {
        let asked = std::mem::replace(&mut self.locating, Locating::Idle);
        if matches!(cause, 5 | 7) && asked == Locating::Asked(tval) {
            self.locating = Locating::At(pc);
            return OnException::Retry;
        }
        OnException::TakeAndBreak
    }

    fn read_csr(&mut self, csr: u16, counts: Counts) -> Option<u32> {
        self.csrs.read(csr, counts)
    }

    fn write_csr(&mut self, csr: u16, value: u32, counts: Counts) -> Flow {
        self.csrs.write(csr, value, counts);
        Flow::Continue
    }
}

/// Host code accesses memory for the guest at the time of the call.
impl GuestMemory for SystemBus {
    fn read_u8(&mut self, addr: u32) -> Result<u8, AccessFault> {
        self.for_host(|bus, cycle| bus.read(addr, 1, cycle))
            .map(|v| v as u8)
    }

    fn read_u16(&mut self, addr: u32) -> Result<u16, AccessFault> {
        if addr & 1 != 0 {
            let [a, b] = [0, 1].map(|n| self.read_u8(addr.wrapping_add(n)));
            return Ok(u16::from_le_bytes([a?, b?]));
        }
        self.for_host(|bus, cycle| bus.read(addr, 2, cycle))
            .map(|v| v as u16)
    }

    fn read_u32(&mut self, addr: u32) -> Result<u32, AccessFault> {
        if addr & 3 != 0 {
            let [a, b, c, d] = [0, 1, 2, 3].map(|n| self.read_u8(addr.wrapping_add(n)));
            return Ok(u32::from_le_bytes([a?, b?, c?, d?]));
        }
        self.for_host(|bus, cycle| bus.read(addr, 4, cycle))
    }

    fn write_u8(&mut self, addr: u32, value: u8) -> Result<(), AccessFault> {
        self.for_host(|bus, cycle| bus.write(addr, u32::from(value), 1, cycle))
            .map(drop)
    }

    fn write_u16(&mut self, addr: u32, value: u16) -> Result<(), AccessFault> {
        if addr & 1 != 0 {
            return self.write_bytes(addr, &value.to_le_bytes());
        }
        self.for_host(|bus, cycle| bus.write(addr, u32::from(value), 2, cycle))
            .map(drop)
    }

    fn write_u32(&mut self, addr: u32, value: u32) -> Result<(), AccessFault> {
        if addr & 3 != 0 {
            return self.write_bytes(addr, &value.to_le_bytes());
        }
        self.for_host(|bus, cycle| bus.write(addr, value, 4, cycle))
            .map(drop)
    }

    fn flash(&mut self) -> &mut NorFlash {
        &mut self.flash
    }

    fn read_bytes(&mut self, addr: u32, out: &mut [u8]) -> Result<(), AccessFault> {
        let offset = addr.wrapping_sub(DRAM) as usize;
        if offset + out.len() <= SRAM1_SIZE as usize {
            let at = offset + SRAM0_SIZE as usize;
            out.copy_from_slice(&self.sram[at..at + out.len()]);
            self.host_effort += out.len() as u64;
            return Ok(());
        }
        for (i, byte) in out.iter_mut().enumerate() {
            *byte = self.read_u8(addr.wrapping_add(i as u32))?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "bus/tests.rs"]
mod tests;
