//! `FLASH_DEFL_*`: data compressed by zlib, unpacked in a window of 32 KiB as they come.

use std::fmt;

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_PARSE_ZLIB_HEADER};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

/// Deflate looks back this far; the ROM writes to flash whenever the window is full.
pub(super) const WINDOW: usize = 0x8000;

/// What came of some input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unpacked {
    /// All of it has been used.
    Input,
    /// The window is full: take it, then go on with the rest, from this byte on.
    Window(usize),
    /// The stream has ended before the input; the ROM asks it for more for ever.
    Overlong,
    /// The stream is damaged; miniz' status, negative.
    Damaged(i32),
}

/// A stream on its way.
#[derive(Clone)]
pub(super) struct Packed {
    state: Box<DecompressorOxide>,
    window: Box<[u8]>,
    /// Bytes in the window.
    filled: usize,
}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packed")
            .field("filled", &self.filled)
            .finish_non_exhaustive()
    }
}

impl Packed {
    pub(super) fn new() -> Packed {
        Packed {
            state: Box::default(),
            window: vec![0; WINDOW].into(),
            filled: 0,
        }
    }

    /// Unpacks `input`; `more` if another block follows.
    pub(super) fn feed(&mut self, input: &[u8], more: bool) -> Unpacked {
        let more = if more { TINFL_FLAG_HAS_MORE_INPUT } else { 0 };
        let flags = TINFL_FLAG_PARSE_ZLIB_HEADER | more;
        let mut used = 0;
        loop {
            let (status, taken, made) = decompress(
                &mut self.state,
                &input[used..],
                &mut self.window,
                self.filled,
                flags,
            );
            used += taken;
            self.filled += made;
            if (status as i32) < 0 {
                return Unpacked::Damaged(status as i32);
            }
            if self.filled == WINDOW {
                return Unpacked::Window(used);
            }
            if used == input.len() {
                return Unpacked::Input;
            }
            if status == TINFLStatus::Done {
                return Unpacked::Overlong;
            }
        }
    }

    /// What has been unpacked since the window was last taken; it is full again from its start.
    pub(super) fn take(&mut self) -> &[u8] {
        let filled = std::mem::take(&mut self.filled);
        &self.window[..filled]
    }
}
