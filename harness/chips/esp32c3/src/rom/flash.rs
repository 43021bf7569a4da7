//! The ROM's flash functions (`esp_rom_spiflash_*`, ESP-IDF `esp_rom/esp32c3/include/esp32c3/rom/spi_flash.h`).
//!
//! They return 0 for success and 1 for an error (`esp_rom_spiflash_result_t`); a range that leaves the chip or
//! is not aligned is an error. The processor waits while the flash works, as on the chip.

use std::time::Duration;

use crate::rom::call::{Call, Reply, Served};
use crate::rom::nor::{BLOCK, Done, NorError, SECTOR};

/// SPI1 CMD (TRM chapter 27).
const SPI1_CMD: u32 = 0x6000_2000;

const OK: u32 = 0;
const ERROR: u32 = 1;

/// Carries out the function at `addr` if it is one of these.
pub(crate) fn serve(addr: u32, call: &mut Call<'_>) -> Option<Served> {
    let function = match addr & 0xFFF {
        0x120 | 0x1FC => erase_chip,
        0x124 | 0x1F8 => erase_block,
        0x128 | 0x20C => erase_sector,
        0x134 => config_param,
        0x14C => update_id,
        0x210 => write_enable,
        // Encryption needs a key in the fuses, which are not burnt.
        0x110 | 0x114 => refuse,
        0x12C => write,
        0x130 => read,
        0x1E4 => erase_area,
        // Waiting for idle, parameters, pins, unlock, clock, read mode, attach, lock, dummy cycles: the model's
        // flash is always idle, unlocked and attached.
        0x10C | 0x118 | 0x11C | 0x13C | 0x140 | 0x150 | 0x154 | 0x160 | 0x164 | 0x1E8 | 0x1EC | 0x1F4
        | 0x214 | 0x218 | 0x21C | 0x220 | 0x224 | 0x228 => accept,
        0x158 | 0x15C => read_status,
        _ => return None,
    };
    Some(function(call))
}

#[expect(clippy::unnecessary_wraps, reason = "one of a table of functions")]
fn accept(_: &mut Call<'_>) -> Served {
    Ok(Reply::Value(OK))
}

/// Address of `rom_spiflash_legacy_data`, a pointer to the ROM's parameters of the flash chip.
pub(crate) const CHIP_POINTER: u32 = 0x3FCD_FFF0;
/// Target of that pointer in chip revision 0.3: `esp_rom_spiflash_chip_t` with identity, size of chip, block,
/// sector and page, mask of the status register.
pub(crate) const CHIP: u32 = 0x3FCD_F5C0;
/// Parameters of the flash that the ROM assumes after a reset: 2 MiB.
pub(crate) const CHIP_AT_RESET: [u32; 6] = [0x0015_40EF, 0x20_0000, BLOCK, SECTOR, 256, 0xFFFF];

/// `(u32 identity, u32 chip_size, u32 block_size, u32 sector_size, u32 page_size, u32 status_mask)`: the
/// values are stored for programs that read them; the model's flash keeps its own size.
fn config_param(call: &mut Call<'_>) -> Served {
    if call.load_u32(CHIP_POINTER)? == CHIP {
        for n in 0..6 {
            call.store_u32(CHIP + 4 * n, call.args[n as usize])?;
        }
    }
    Ok(Reply::Value(OK))
}

/// Reads the chip's identity: manufacturer, type, capacity, the first in the highest byte.
fn update_id(call: &mut Call<'_>) -> Served {
    const SPI1_W0: u32 = 0x6000_2058;
    const FLASH_RDID: u32 = 1 << 28;
    call.store_u32(SPI1_CMD, FLASH_RDID)?;
    let identity = call.load_u32(SPI1_W0)?.swap_bytes() >> 8;
    if call.load_u32(CHIP_POINTER)? == CHIP {
        call.store_u32(CHIP, identity)?;
    }
    Ok(Reply::Value(OK))
}

#[expect(clippy::unnecessary_wraps, reason = "one of a table of functions")]
fn refuse(_: &mut Call<'_>) -> Served {
    Ok(Reply::Value(ERROR))
}

/// The caller continues with commands of its own through the controller's registers.
fn write_enable(call: &mut Call<'_>) -> Served {
    const FLASH_WREN: u32 = 1 << 30;
    call.store_u32(SPI1_CMD, FLASH_WREN)?;
    Ok(Reply::Value(OK))
}

/// Reads the status register: not busy, no protected blocks.
fn read_status(call: &mut Call<'_>) -> Served {
    let at = call.args[1];
    call.store_u32(at, 0)?;
    Ok(Reply::Value(OK))
}

/// `(u32 src_addr, u32 *dest, i32 len)`; address and length in whole words.
fn read(call: &mut Call<'_>) -> Served {
    let [from, to, len, ..] = call.args;
    if len > call.mem.flash().size() {
        return Ok(Reply::Value(ERROR));
    }
    let mut data = vec![0; len as usize];
    match call.mem.flash().read(from, &mut data) {
        Ok(took) => {
            call.store(to, &data)?;
            Ok(Reply::After(took, OK))
        }
        Err(_) => Ok(Reply::Value(ERROR)),
    }
}

/// `(u32 dest_addr, const u32 *src, i32 len)`; the ROM refuses an address or length that is not whole words.
fn write(call: &mut Call<'_>) -> Served {
    let [to, from, len, ..] = call.args;
    if !to.is_multiple_of(4) || !len.is_multiple_of(4) || len > call.mem.flash().size() {
        return Ok(Reply::Value(ERROR));
    }
    let data = call.load(from, len)?;
    Ok(finish(call.mem.flash().program(to, &data)))
}

fn erase_chip(call: &mut Call<'_>) -> Served {
    let size = call.mem.flash().size();
    Ok(finish(call.mem.flash().erase(0, size)))
}

/// `(u32 block_num)`, blocks of 64 KiB.
fn erase_block(call: &mut Call<'_>) -> Served {
    Ok(erase(call, call.args[0].checked_mul(BLOCK), BLOCK))
}

/// `(u32 sector_num)`, sectors of 4 KiB.
fn erase_sector(call: &mut Call<'_>) -> Served {
    Ok(erase(call, call.args[0].checked_mul(SECTOR), SECTOR))
}

/// `(u32 start_addr, u32 area_len)`.
fn erase_area(call: &mut Call<'_>) -> Served {
    Ok(erase(call, Some(call.args[0]), call.args[1]))
}

fn erase(call: &mut Call<'_>, addr: Option<u32>, len: u32) -> Reply {
    match addr {
        Some(addr) => finish(call.mem.flash().erase(addr, len)),
        None => Reply::Value(ERROR),
    }
}

fn finish(result: Result<Done, NorError>) -> Reply {
    match result {
        Ok(Done::Complete(Duration::ZERO)) => Reply::Value(OK),
        Ok(Done::Complete(took)) => Reply::After(took, OK),
        Ok(Done::PowerCut(after)) => Reply::PowerCut(after),
        Err(_) => Reply::Value(ERROR),
    }
}
