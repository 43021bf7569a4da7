//! What `FLASH_BEGIN`, `MEM_BEGIN` and `FLASH_DEFL_BEGIN` announce, and how far their data have come.

use super::loader::error;
use image::app_image::word;

/// Larger blocks do not fit into the ROM's buffer.
const LONGEST_BLOCK: u32 = 0x1800;
/// Where the data of a packet begin, behind its header and four words.
pub(super) const DATA: usize = 24;
/// The checksum of nothing.
const CHECKSUM_SEED: u8 = 0xEF;

/// A transfer of numbered blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Transfer {
    /// Bytes to erase; for RAM the bytes to come.
    pub(super) size: u32,
    pub(super) blocks: u32,
    block_size: u32,
    /// Sequence number of the next block.
    pub(super) next: u32,
    /// Bytes written.
    pub(super) done: u32,
    /// Where the next block goes.
    pub(super) addr: u32,
    pub(super) encrypted: bool,
}

impl Transfer {
    /// From a request whose header says `len` bytes and that must have `expected`: size, blocks, block size, address.
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

    /// The data of the next block. A block with a wrong checksum counts as seen, as in the ROM: when it is sent
    /// again, its number is refused.
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

/// All bytes, by exclusive or.
pub(super) fn checksum(data: &[u8]) -> u8 {
    data.iter().fold(CHECKSUM_SEED, |sum, byte| sum ^ byte)
}
