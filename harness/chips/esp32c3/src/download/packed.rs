//! `FLASH_DEFL_*`: data compressed by zlib, unpacked block by block into a window of 32 KiB.

use std::fmt;

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_PARSE_ZLIB_HEADER};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

/// Size of the window, bytes: deflate refers back this far. The ROM writes to flash whenever the window is
/// full.
pub(super) const WINDOW: usize = 0x8000;

/// Result of a call of [`Packed::feed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unpacked {
    /// All of the input has been used.
    Input,
    /// The window is full: take it, then continue with the rest of the input, from this byte on.
    Window(usize),
    /// The stream has ended before the input; the ROM loops forever on the rest.
    Overlong,
    /// The stream is damaged; miniz' status, negative.
    Damaged(i32),
}

/// State of a stream that is being unpacked.
#[derive(Clone)]
pub(super) struct Packed {
    state: Box<DecompressorOxide>,
    window: Box<[u8]>,
    /// Number of bytes in the window.
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

    /// Returns the bytes unpacked since the last call; the window is filled from its start again.
    pub(super) fn take(&mut self) -> &[u8] {
        let filled = std::mem::take(&mut self.filled);
        &self.window[..filled]
    }
}
