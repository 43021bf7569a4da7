//! The ROM's `tinfl_decompress` (miniz): zlib streams, unpacked piece by piece into the caller's window.
//!
//! The caller's `tinfl_decompressor` holds only a mark that the stream has begun; the host keeps the state,
//! by the address of that structure. A caller starts a stream by setting the first word (`m_state`) to 0.

use std::collections::BTreeMap;
use std::fmt;

use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use crate::rom::call::{Call, Fault, Reply, Served};

/// Greatest number of streams; a further one replaces the oldest.
const STREAMS: usize = 4;
/// Greatest size of a window, bytes; no memory of this chip is larger.
const LARGEST: u32 = 0x6_0000;
/// The status `TINFL_STATUS_BAD_PARAM` of miniz.
const BAD_PARAM: u32 = -3i32 as u32;
/// Value of `m_state` while a stream is in progress.
const BEGUN: u32 = 1;

/// The streams that have begun, by address of the caller's structure.
#[derive(Clone, Default)]
pub(crate) struct Inflate {
    streams: BTreeMap<u32, (u64, Box<DecompressorOxide>)>,
    begun: u64,
}

impl fmt::Debug for Inflate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.streams.keys()).finish()
    }
}

impl Inflate {
    /// Carries out `tinfl_decompress` if it is the function at `addr`.
    pub(crate) fn serve(&mut self, addr: u32, call: &mut Call<'_>) -> Option<Served> {
        (addr & 0xFFF == 0x0F4).then(|| self.decompress(call))
    }

    /// `(tinfl_decompressor *r, const u8 *in, size_t *in_size, u8 *out_start, u8 *out_next, size_t *out_size,
    /// u32 flags)`: replaces the sizes by the bytes read and written; returns a `tinfl_status`.
    fn decompress(&mut self, call: &mut Call<'_>) -> Served {
        let [state, from, in_size, start, next, out_size, flags, _] = call.args;
        let (given, room) = (call.load_u32(in_size)?, call.load_u32(out_size)?);
        let filled = next.wrapping_sub(start);
        let window = filled.checked_add(room).filter(|size| *size <= LARGEST);
        let Some(window) = window else {
            call.store_u32(in_size, 0)?;
            call.store_u32(out_size, 0)?;
            return Ok(Reply::Value(BAD_PARAM));
        };
        let input = call.load(from, given)?;
        let mut output = call.load(start, window)?;
        let stream = self.stream(state, call)?;
        let (status, used, made) = decompress(stream, &input, &mut output, filled as usize, flags);
        call.store(next, &output[filled as usize..][..made])?;
        call.store_u32(in_size, used as u32)?;
        call.store_u32(out_size, made as u32)?;
        Ok(Reply::Value(status as i32 as u32))
    }

    fn stream(&mut self, at: u32, call: &mut Call<'_>) -> Result<&mut DecompressorOxide, Fault> {
        if call.load_u32(at)? == 0 {
            call.store_u32(at, BEGUN)?;
            self.streams.remove(&at);
        }
        let oldest = self.streams.iter().min_by_key(|(_, (begun, _))| *begun);
        if self.streams.len() == STREAMS
            && !self.streams.contains_key(&at)
            && let Some(oldest) = oldest.map(|(at, _)| *at)
        {
            self.streams.remove(&oldest);
        }
        self.begun += 1;
        let begun = self.begun;
        let (_, stream) = self.streams.entry(at).or_insert_with(|| (begun, Box::default()));
        Ok(stream)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use sim::Instant;

    use super::*;
    use crate::guest::GuestCpu;
    use crate::testing::{FakeCpu, FlatMemory};

    const BASE: u32 = 0x3FC8_0000;
    const WINDOW: u32 = 0x8000;

    /// Makes one call: state at 0, sizes at 0x10 and 0x14, input at 0x100, window of 32 KiB at 0x1000.
    fn call(inflate: &mut Inflate, mem: &mut FlatMemory, input: &[u8], filled: u32, flags: u32) -> [u32; 3] {
        mem.put(BASE + 0x10, &(input.len() as u32).to_le_bytes());
        mem.put(BASE + 0x14, &WINDOW.wrapping_sub(filled).to_le_bytes());
        mem.put(BASE + 0x100, input);
        let mut cpu = FakeCpu::default();
        let args = [0, 0x100, 0x10, 0x1000, filled.wrapping_add(0x1000), 0x14];
        for (n, arg) in args.into_iter().enumerate() {
            cpu.set_x(10 + n, arg.wrapping_add(BASE));
        }
        cpu.set_x(16, flags);
        let served = inflate.decompress(&mut Call::new(&cpu, mem, Instant::ZERO));
        let Ok(Reply::Value(status)) = served else {
            panic!("{served:?}");
        };
        let word = |mem: &mut FlatMemory, at| u32::from_le_bytes(mem.get(BASE + at, 4).try_into().unwrap());
        [status, word(mem, 0x10), word(mem, 0x14)]
    }

    #[test]
    fn a_stream_is_unpacked_in_pieces_into_a_window() {
        let text: Vec<u8> = (0..0x1_4000u32).map(|n| (n.wrapping_mul(n) >> 5) as u8).collect();
        let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(&text).unwrap();
        let packed = packer.finish().unwrap();
        let (mut inflate, mut mem) = (Inflate::default(), FlatMemory::new(BASE, 0xA000));
        let (mut at, mut filled, mut out) = (0, 0, Vec::new());
        loop {
            let piece = &packed[at..packed.len().min(at + 3_000)];
            let more = u32::from(at + piece.len() < packed.len()) << 1;
            let [status, used, made] = call(&mut inflate, &mut mem, piece, filled, 1 | more);
            at += used as usize;
            out.extend(mem.get(BASE + 0x1000 + filled, made as usize));
            filled = (filled + made) % WINDOW;
            match status {
                0 => break,
                1 | 2 => {}
                other => panic!("status {other:#x} after {at} bytes"),
            }
        }
        assert_eq!(out, text);
        // Another stream of the same structure starts with m_state 0.
        mem.put(BASE, &[0; 4]);
        assert_eq!(call(&mut inflate, &mut mem, &packed[..2], 0, 3), [1, 2, 0]);
    }

    #[test]
    fn damage_and_impossible_windows_have_a_status() {
        let (mut inflate, mut mem) = (Inflate::default(), FlatMemory::new(BASE, 0xA000));
        let [status, ..] = call(&mut inflate, &mut mem, &[0xFF, 0xFF, 0xFF], 0, 1);
        assert_eq!(status as i32, -1);
        assert_eq!(call(&mut inflate, &mut mem, &[], u32::MAX / 2, 1)[0], BAD_PARAM);
    }
}
