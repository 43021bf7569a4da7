//! Capture of the frames that a sniffer next to the station would receive.

use sim::Instant;

/// Direction of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// The station sent it.
    FromStation,
    /// It was sent to the station.
    ToStation,
}

/// A captured frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapturedFrame {
    /// Time at the station's antenna; for a frame that was lost on its way to it, the time of the loss.
    pub at: Instant,
    /// Direction of the frame.
    pub direction: Direction,
    /// Ethernet II frame without check sequence.
    pub bytes: Vec<u8>,
    /// Comment if the frame was lost or changed.
    pub comment: Option<&'static str>,
}

/// Greatest number of frames kept between two collections; further ones are only counted.
const MAX_FRAMES: usize = 1 << 20;

/// The captured frames, if capturing is on.
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

    /// Keeps a frame; returns its index for a later comment.
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

    /// Adds a comment to a frame that has not been taken since.
    pub(crate) fn comment(&mut self, place: Option<usize>, comment: &'static str) {
        if let Some(frame) = place.and_then(|p| self.frames.get_mut(p)) {
            frame.comment = Some(comment);
        }
    }

    pub(crate) fn take(&mut self) -> Vec<CapturedFrame> {
        std::mem::take(&mut self.frames)
    }
}
