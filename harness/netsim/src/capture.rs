//! What a sniffer next to the station would have written down.

use sim::Instant;

/// Which way a frame went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// The station sent it.
    FromStation,
    /// It was sent to the station.
    ToStation,
}

/// A frame as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapturedFrame {
    /// When: at the station's antenna, or for a frame that was lost on its way to it, when it was lost.
    pub at: Instant,
    /// Which way it went.
    pub direction: Direction,
    /// Ethernet II without check sequence.
    pub bytes: Vec<u8>,
    /// What became of it, if it did not simply arrive.
    pub comment: Option<&'static str>,
}

/// Frames kept between two collections; what comes after is counted and forgotten.
const MAX_FRAMES: usize = 1 << 20;

/// Keeps frames if asked to.
#[derive(Debug)]
pub(crate) struct Capture {
    on: bool,
    frames: Vec<CapturedFrame>,
    pub(crate) forgotten: u64,
}

impl Capture {
    pub(crate) fn new(on: bool) -> Capture {
        Capture {
            on,
            frames: Vec::new(),
            forgotten: 0,
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.on
    }

    /// Keeps a frame; gives its place for a later comment.
    pub(crate) fn keep(
        &mut self,
        at: Instant,
        direction: Direction,
        bytes: &[u8],
        comment: Option<&'static str>,
    ) -> Option<usize> {
        if !self.on {
            return None;
        }
        if self.frames.len() >= MAX_FRAMES {
            self.forgotten += 1;
            return None;
        }
        self.frames.push(CapturedFrame {
            at,
            direction,
            bytes: bytes.to_vec(),
            comment,
        });
        Some(self.frames.len() - 1)
    }

    /// Comments on a frame that was kept and not taken since.
    pub(crate) fn comment(&mut self, place: Option<usize>, comment: &'static str) {
        if let Some(frame) = place.and_then(|p| self.frames.get_mut(p)) {
            frame.comment = Some(comment);
        }
    }

    pub(crate) fn take(&mut self) -> Vec<CapturedFrame> {
        std::mem::take(&mut self.frames)
    }
}
