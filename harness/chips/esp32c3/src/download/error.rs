//! Error codes in the second byte of the status (esptool, "Serial Protocol", ROM loader errors).

pub(super) const BAD_MESSAGE: u8 = 0x05;
pub(super) const FAILED: u8 = 0x06;
pub(super) const CHECKSUM: u8 = 0x07;
pub(super) const FLASH_WRITE: u8 = 0x08;
pub(super) const FLASH_READ: u8 = 0x09;
pub(super) const READ_LENGTH: u8 = 0x0A;
pub(super) const INVALID: u8 = 0x64;
