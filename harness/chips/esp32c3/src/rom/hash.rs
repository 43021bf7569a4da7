//! The ROM's checksums and MD5.
//!
//! All CRC functions take and return the inverted remainder (ESP-IDF `esp_rom_crc.h`), so that a first call
//! with 0 gives the usual CRC.

use crc::{Algorithm, CRC_16_GENIBUS, CRC_16_IBM_SDLC, CRC_32_BZIP2, CRC_32_ISO_HDLC, Crc};
use md5::block_api::compress;

use crate::rom::call::{Call, Fault, Reply, Served};

/// A CRC function of the ROM: `(start, data, len)`. The library wants the start value as the polynomial is written, with
/// the highest power first.
macro_rules! crc {
    ($call:expr, $width:ty, $algorithm:expr, $reflected:expr) => {{
        const CRC: Crc<$width> = Crc::<$width>::new(&$algorithm);
        let [start, at, len, ..] = $call.args;
        let start = !(start as $width);
        let start = if $reflected { start.reverse_bits() } else { start };
        $call.load(at, len).map(|data| {
            let mut digest = CRC.digest_with_initial(start);
            digest.update(&data);
            Reply::Value(u32::from(digest.finalize()))
        })
    }};
}

/// The function at `addr`, if it is one of these.
pub(crate) fn serve(addr: u32, call: &mut Call<'_>) -> Option<Served> {
    Some(match addr & 0xFFF {
        0x614 => md5_init(call),
        0x618 => md5_update(call),
        0x61C => md5_final(call),
        0x628 | 0x0C4 => crc!(call, u32, CRC_32_ISO_HDLC, true),
        0x62C => crc!(call, u32, CRC_32_BZIP2, false),
        0x630 => crc!(call, u16, CRC_16_IBM_SDLC, true),
        0x634 => crc!(call, u16, CRC_16_GENIBUS, false),
        0x638 => crc!(call, u8, CRC_8_LE, true),
        0x63C => crc!(call, u8, CRC_8_BE, false),
        _ => return None,
    })
}

/// CRC-8 with the polynomial 0x07, reflected (`esp_rom_crc8_le`) and not (`esp_rom_crc8_be`): the catalogue has neither
/// with these start and end values.
const CRC_8_LE: Algorithm<u8> = Algorithm {
    width: 8,
    poly: 0x07,
    init: 0xFF,
    refin: true,
    refout: true,
    xorout: 0xFF,
    check: 0x2F,
    residue: 0,
};
const CRC_8_BE: Algorithm<u8> = Algorithm {
    refin: false,
    refout: false,
    ..CRC_8_LE
};

/// The context in guest memory (`struct MD5Context`): state [4], length in bits [2], block [64].
const BITS: u32 = 16;
const BLOCK: u32 = 24;

fn md5_init(call: &mut Call<'_>) -> Served {
    let context = call.args[0];
    for (i, word) in MD5_START.into_iter().chain([0, 0]).enumerate() {
        call.store_u32(context + 4 * i as u32, word)?;
    }
    Ok(Reply::Value(0))
}

fn md5_update(call: &mut Call<'_>) -> Served {
    let [context, at, len, ..] = call.args;
    let data = call.load(at, len)?;
    md5_feed(call, context, &data)?;
    Ok(Reply::Value(0))
}

fn md5_feed(call: &mut Call<'_>, context: u32, data: &[u8]) -> Result<(), Fault> {
    let bits =
        u64::from(call.load_u32(context + BITS)?) | u64::from(call.load_u32(context + BITS + 4)?) << 32;
    let filled = (bits / 8 % 64) as usize;
    let mut pending = call.load(context + BLOCK, filled as u32)?;
    pending.extend_from_slice(data);
    let mut state = [0; 4];
    for (i, word) in state.iter_mut().enumerate() {
        *word = call.load_u32(context + 4 * i as u32)?;
    }
    let (blocks, rest) = pending.as_chunks::<64>();
    compress(&mut state, blocks);
    for (i, word) in state.into_iter().enumerate() {
        call.store_u32(context + 4 * i as u32, word)?;
    }
    let bits = bits.wrapping_add(data.len() as u64 * 8);
    call.store_u32(context + BITS, bits as u32)?;
    call.store_u32(context + BITS + 4, (bits >> 32) as u32)?;
    call.store(context + BLOCK, rest)
}

fn md5_final(call: &mut Call<'_>) -> Served {
    let [digest, context, ..] = call.args;
    let bits =
        u64::from(call.load_u32(context + BITS)?) | u64::from(call.load_u32(context + BITS + 4)?) << 32;
    let filled = (bits / 8 % 64) as usize;
    md5_feed(call, context, &md5_tail(filled, bits))?;
    let state = call.load(context, 16)?;
    call.store(digest, &state)?;
    Ok(Reply::Value(0))
}

/// One 1 bit, zeros up to 8 bytes short of a block, the length in bits (RFC 1321, 3.1 and 3.2).
fn md5_tail(filled: usize, bits: u64) -> Vec<u8> {
    let zeros = (55 + 64 - filled) % 64;
    let mut tail = vec![0x80];
    tail.resize(1 + zeros, 0);
    tail.extend_from_slice(&bits.to_le_bytes());
    tail
}

/// Initial state (RFC 1321, 3.3).
const MD5_START: [u32; 4] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476];
