//! Parameters of `FLASH_BEGIN`, `MEM_BEGIN` and `FLASH_DEFL_BEGIN`, and progress of the transfer.

use super::error;
use image::app_image::word;

/// Longest block, bytes; larger ones do not fit into the ROM's buffer.
const LONGEST_BLOCK: u32 = 0x1800;
/// Offset of the data in a packet, after its header and four words, bytes.
pub(super) const DATA: usize = 24;
/// Initial value of the checksum.
const CHECKSUM_SEED: u8 = 0xEF;

/// A transfer of numbered blocks, to flash or to RAM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Transfer {
    /// Bytes to erase; for RAM the bytes to be transferred.
    pub(super) size: u32,
    pub(super) blocks: u32,
    block_size: u32,
    /// Sequence number of the next block.
    pub(super) next: u32,
    /// Number of bytes written so far.
    pub(super) done: u32,
    /// Address of the next block.
    pub(super) addr: u32,
    pub(super) encrypted: bool,
}

impl Transfer {
    /// Reads the parameters of a request whose length must be `expected`: size, blocks, block size, address.
    pub(super) fn begin(request: &[u8], expected: u16) -> Result<Transfer, u8> {
        let [size, blocks, block_size, addr, encrypted] = [8, 12, 16, 20, 24].map(|n| word(&request[n..]));
        if length(request) != expected || block_size > LONGEST_BLOCK {
            return Err(error::BAD_MESSAGE);
        }
        Ok(Transfer {
            size,
            blocks,
            block_size,
            next: 0,
            done: 0,
            addr,
            encrypted: expected > 16 && encrypted != 0,
        })
    }

    /// Returns the data of the next block. As in the ROM, a block with a wrong checksum counts as received:
    /// its repetition is refused because of its number.
    pub(super) fn block<'a>(&mut self, request: &'a [u8], whole_words: bool) -> Result<&'a [u8], u8> {
        let (size, sequence) = (word(&request[8..]), word(&request[12..]));
        if u32::from(length(request)) > LONGEST_BLOCK + 16
            || sequence != self.next
            || size > self.block_size
            || (whole_words && !size.is_multiple_of(4))
        {
            return Err(error::BAD_MESSAGE);
        }
        self.next = self.next.wrapping_add(1);
        let data = &request[DATA..DATA + size as usize];
        if checksum(data) != request[4] {
            return Err(error::CHECKSUM);
        }
        Ok(data)
    }

    /// `len` bytes have been written.
    pub(super) fn advance(&mut self, len: u32) {
        self.done = self.done.wrapping_add(len);
        self.addr = self.addr.wrapping_add(len);
    }
}

/// The length that the header of a request claims.
pub(super) fn length(request: &[u8]) -> u16 {
    u16::from_le_bytes([request[2], request[3]])
}

/// Exclusive or of all bytes and the seed.
pub(super) fn checksum(data: &[u8]) -> u8 {
    data.iter().fold(CHECKSUM_SEED, |sum, byte| sum ^ byte)
}
