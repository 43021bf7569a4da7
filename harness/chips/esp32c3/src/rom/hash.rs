//! The ROM's checksums and MD5.
//!
//! All CRC functions take and return the inverted remainder (ESP-IDF `esp_rom_crc.h`), so that a first call
//! with 0 gives the usual CRC.

use crate::rom::call::{Call, Fault, Reply, Served};

/// Carries out the function at `addr` if it is one of these.
pub(crate) fn serve(addr: u32, call: &mut Call<'_>) -> Option<Served> {
    Some(match addr & 0xFFF {
        0x614 => md5_init(call),
        0x618 => md5_update(call),
        0x61C => md5_final(call),
        0x628 | 0x0C4 => crc(call, |c, b| reflected(c, b, 0xEDB8_8320), u32::MAX),
        0x62C => crc(call, |c, b| straight(c, b, 0x04C1_1DB7, 32), u32::MAX),
        0x630 => crc(call, |c, b| reflected(c, b, 0x8408), 0xFFFF),
        0x634 => crc(call, |c, b| straight(c, b, 0x1021, 16), 0xFFFF),
        0x638 => crc(call, |c, b| reflected(c, b, 0xE0), 0xFF),
        0x63C => crc(call, |c, b| straight(c, b, 0x07, 8), 0xFF),
        _ => return None,
    })
}

fn crc(call: &mut Call<'_>, step: fn(u32, u8) -> u32, mask: u32) -> Served {
    let [start, at, len, ..] = call.args;
    let data = call.load(at, len)?;
    let end = data.iter().fold(!start & mask, |crc, byte| step(crc, *byte));
    Ok(Reply::Value(!end & mask))
}

fn reflected(crc: u32, byte: u8, polynomial: u32) -> u32 {
    (0..8).fold(crc ^ u32::from(byte), |c, _| {
        if c & 1 == 1 { c >> 1 ^ polynomial } else { c >> 1 }
    })
}

fn straight(crc: u32, byte: u8, polynomial: u32, width: u32) -> u32 {
    let top = 1u32 << (width - 1);
    let mask = u32::MAX >> (32 - width);
    (0..8).fold(crc ^ u32::from(byte) << (width - 8), |c, _| {
        (if c & top != 0 { c << 1 ^ polynomial } else { c << 1 }) & mask
    })
}

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
    let blocks = pending.chunks_exact(64);
    let rest = blocks.remainder();
    for block in blocks {
        md5_block(&mut state, block);
    }
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

/// MD5 of data that the host holds.
#[derive(Clone, Debug)]
pub(crate) struct Md5 {
    state: [u32; 4],
    /// Input bytes that do not fill a block yet.
    pending: Vec<u8>,
    length: u64,
}

impl Default for Md5 {
    fn default() -> Md5 {
        Md5 {
            state: MD5_START,
            pending: Vec::new(),
            length: 0,
        }
    }
}

impl Md5 {
    pub(crate) fn update(&mut self, data: &[u8]) {
        self.length += data.len() as u64;
        self.pending.extend_from_slice(data);
        let whole = self.pending.len() / 64 * 64;
        for block in self.pending[..whole].chunks_exact(64) {
            md5_block(&mut self.state, block);
        }
        self.pending.drain(..whole);
    }

    pub(crate) fn finish(mut self) -> [u8; 16] {
        let tail = md5_tail(self.pending.len(), self.length.wrapping_mul(8));
        self.update(&tail);
        let mut digest = [0; 16];
        for (bytes, word) in digest.chunks_exact_mut(4).zip(self.state) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        digest
    }
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

/// Processes one block of 64 bytes (RFC 1321, 3.4).
fn md5_block(state: &mut [u32; 4], block: &[u8]) {
    const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
    let word = |i: usize| u32::from_le_bytes(block[4 * i..4 * i + 4].try_into().expect("four bytes"));
    let [mut a, mut b, mut c, mut d] = *state;
    for i in 0..64 {
        let (mix, index) = match i / 16 {
            0 => ((b & c) | (!b & d), i),
            1 => ((d & b) | (!d & c), (5 * i + 1) % 16),
            2 => (b ^ c ^ d, (3 * i + 5) % 16),
            _ => (c ^ (b | !d), 7 * i % 16),
        };
        let sum = a
            .wrapping_add(mix)
            .wrapping_add(MD5_TABLE[i])
            .wrapping_add(word(index));
        (a, d, c, b) = (d, c, b, b.wrapping_add(sum.rotate_left(SHIFTS[i / 16][i % 4])));
    }
    for (word, add) in state.iter_mut().zip([a, b, c, d]) {
        *word = word.wrapping_add(add);
    }
}

/// 2^32 times the absolute value of sin(i + 1) (RFC 1321, 3.4), as numbers because no float is needed here.
const MD5_TABLE: [u32; 64] = [
    0xD76A_A478,
    0xE8C7_B756,
    0x2420_70DB,
    0xC1BD_CEEE,
    0xF57C_0FAF,
    0x4787_C62A,
    0xA830_4613,
    0xFD46_9501,
    0x6980_98D8,
    0x8B44_F7AF,
    0xFFFF_5BB1,
    0x895C_D7BE,
    0x6B90_1122,
    0xFD98_7193,
    0xA679_438E,
    0x49B4_0821,
    0xF61E_2562,
    0xC040_B340,
    0x265E_5A51,
    0xE9B6_C7AA,
    0xD62F_105D,
    0x0244_1453,
    0xD8A1_E681,
    0xE7D3_FBC8,
    0x21E1_CDE6,
    0xC337_07D6,
    0xF4D5_0D87,
    0x455A_14ED,
    0xA9E3_E905,
    0xFCEF_A3F8,
    0x676F_02D9,
    0x8D2A_4C8A,
    0xFFFA_3942,
    0x8771_F681,
    0x6D9D_6122,
    0xFDE5_380C,
    0xA4BE_EA44,
    0x4BDE_CFA9,
    0xF6BB_4B60,
    0xBEBF_BC70,
    0x289B_7EC6,
    0xEAA1_27FA,
    0xD4EF_3085,
    0x0488_1D05,
    0xD9D4_D039,
    0xE6DB_99E5,
    0x1FA2_7CF8,
    0xC4AC_5665,
    0xF429_2244,
    0x432A_FF97,
    0xAB94_23A7,
    0xFC93_A039,
    0x655B_59C3,
    0x8F0C_CC92,
    0xFFEF_F47D,
    0x8584_5DD1,
    0x6FA8_7E4F,
    0xFE2C_E6E0,
    0xA301_4314,
    0x4E08_11A1,
    0xF753_7E82,
    0xBD3A_F235,
    0x2AD7_D2BB,
    0xEB86_D391,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(data: &[u8], step: usize) -> String {
        let mut digest = Md5::default();
        data.chunks(step.max(1)).for_each(|chunk| digest.update(chunk));
        digest.finish().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// RFC 1321, A.5.
    #[test]
    fn md5_is_that_of_the_rfc() {
        assert_eq!(hex(b"", 1), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(hex(b"message digest", 3), "f96b697d7cb7938d525a2f31aaf161d0");
        let digits = b"1234567890".repeat(8);
        for step in [1, 63, 64, 80] {
            assert_eq!(hex(&digits, step), "57edf4a22be3c955ac49da2e2107b67a");
        }
    }
}
