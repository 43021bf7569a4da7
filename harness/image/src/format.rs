//! Numbers of the format of an application image (ESP-IDF programming guide, "App Image Format").

/// First byte of an image.
pub(crate) const IMAGE_MAGIC: u8 = 0xE9;
/// Length of an image's header, bytes.
pub(crate) const IMAGE_HEADER: usize = 24;
/// Length of a segment's header, bytes.
pub(crate) const SEGMENT_HEADER: usize = 8;
/// Greatest number of segments that the boot ROM accepts.
pub(crate) const MAX_SEGMENTS: usize = 16;
/// Initial value of the checksum over the segments.
pub(crate) const CHECKSUM_SEED: u8 = 0xEF;
