//! The commands of the ROM's loader.

use std::time::Duration;

use super::error;
use super::packed::{Packed, Unpacked, WINDOW};
use super::slip::{Deframer, frame};
use super::transfer::{DATA, Transfer, checksum, length};
use image::app_image::word;
use md5::{Digest as _, Md5};

use crate::guest::GuestMemory;
use crate::rom::nor::{Done, NorError, SECTOR};

/// Size of the ROM's buffer for a request, bytes.
const BUFFER: usize = 0x2000;
/// Size of the longest answer, bytes: header, 64 bytes of flash, status.
const ANSWER: usize = 76;
/// `ets_efuse` words of the ROM: identity and version (`_rom_chip_id`, `_rom_eco_version`).
const ROM_CHIP_ID: u32 = 0x4000_0010;
const ROM_ECO_VERSION: u32 = 0x4000_0014;
/// Rate of the 40 MHz crystal in sixteenths of a period, per second.
const XTAL_SIXTEENTHS: u32 = 640_000_000;

/// Numbers of the loader's commands.
mod op {
    pub(super) const FLASH_BEGIN: u8 = 0x02;
    pub(super) const FLASH_DATA: u8 = 0x03;
    pub(super) const FLASH_END: u8 = 0x04;
    pub(super) const MEM_BEGIN: u8 = 0x05;
    pub(super) const MEM_END: u8 = 0x06;
    pub(super) const MEM_DATA: u8 = 0x07;
    pub(super) const SYNC: u8 = 0x08;
    pub(super) const WRITE_REG: u8 = 0x09;
    pub(super) const READ_REG: u8 = 0x0A;
    pub(super) const SPI_SET_PARAMS: u8 = 0x0B;
    pub(super) const SPI_ATTACH: u8 = 0x0D;
    pub(super) const READ_FLASH_SLOW: u8 = 0x0E;
    pub(super) const CHANGE_BAUDRATE: u8 = 0x0F;
    pub(super) const FLASH_DEFL_BEGIN: u8 = 0x10;
    pub(super) const FLASH_DEFL_DATA: u8 = 0x11;
    pub(super) const FLASH_DEFL_END: u8 = 0x12;
    pub(super) const SPI_FLASH_MD5: u8 = 0x13;
    pub(super) const GET_SECURITY_INFO: u8 = 0x14;
}

/// Next step of the ROM after an answer has been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Waits for the next request.
    Continue,
    /// Sets the line's divider, in sixteenths.
    Divide(u32),
    /// Resets the system.
    Reset,
    /// Leaves the loader and starts a program in RAM, or none.
    Leave {
        /// Address of its first instruction, 0 for none.
        entry: u32,
    },
}

/// Result of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// These bytes are sent after the time that the request took.
    Send {
        took: Duration,
        bytes: Vec<u8>,
        then: Then,
    },
    /// The ROM accessed an address without memory or device, and took the exception.
    Fault { addr: u32, store: bool },
    /// The ROM is in an endless loop.
    Hang,
    /// Power failed this long after the request.
    PowerCut(Duration),
}

/// Reason why a command has no status.
enum Lost {
    Fault { addr: u32, store: bool },
    Hang,
    PowerCut(Duration),
}

/// Status of a command: the length of its data in the answer, or an error code.
type Status = Result<usize, u8>;

/// State of the loader. A clone is a checkpoint.
#[derive(Clone, Debug)]
pub(crate) struct Loader {
    deframer: Deframer,
    /// The last request, and after its end the bytes that longer requests before it have left.
    request: Box<[u8]>,
    /// The last answer; fields that a command does not set keep their value.
    answer: [u8; ANSWER],
    /// A SYNC has been received from a host.
    connected: bool,
    /// Code of the last error, until a command clears it.
    error: u8,
    plain: Transfer,
    packed: Transfer,
    stream: Packed,
    /// Size of the flash that the ROM assumes, bytes.
    flash_size: u32,
    took: Duration,
    then: Then,
}

impl Loader {
    /// A loader that waits for a host; `flash_size` in bytes.
    pub(crate) fn new(flash_size: u32) -> Loader {
        let mut answer = [0; ANSWER];
        answer[0] = 1;
        answer[2] = 4;
        Loader {
            deframer: Deframer::default(),
            request: vec![0; BUFFER].into(),
            answer,
            connected: false,
            error: 0,
            plain: Transfer::default(),
            packed: Transfer::default(),
            stream: Packed::new(),
            flash_size,
            took: Duration::ZERO,
            then: Then::Continue,
        }
    }

    /// True after the first SYNC of a host. Until then the ROM measures the baud rate of the line.
    pub(crate) fn is_connected(&self) -> bool {
        self.connected
    }

    /// Takes a byte from the line. Returns an answer if the byte ends a request that is answered.
    pub(crate) fn push(&mut self, byte: u8, mem: &mut dyn GuestMemory) -> Option<Answer> {
        self.deframer.push(byte, &mut self.request)?;
        if !self.connected {
            return self.greet();
        }
        self.took = Duration::ZERO;
        self.then = Then::Continue;
        Some(match self.execute(mem) {
            Ok(status) => self.reply(status),
            Err(Lost::Fault { addr, store }) => Answer::Fault { addr, store },
            Err(Lost::Hang) => Answer::Hang,
            Err(Lost::PowerCut(after)) => Answer::PowerCut(self.took + after),
        })
    }

    /// Until a host is connected only SYNC is accepted; it is answered eight times.
    fn greet(&mut self) -> Option<Answer> {
        if self.request[..2] != [0, op::SYNC] {
            return None;
        }
        self.connected = true;
        let mut answer = [1, op::SYNC, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        answer[4..8].copy_from_slice(&self.request[8..12]);
        let mut bytes = Vec::new();
        for _ in 0..8 {
            frame(&answer, &mut bytes);
        }
        Some(Answer::Send {
            took: Duration::ZERO,
            bytes,
            then: Then::Continue,
        })
    }

    fn reply(&mut self, status: Status) -> Answer {
        let (len, failed) = match status {
            Ok(len) => (len, false),
            Err(code) => {
                self.error = code;
                (0, true)
            }
        };
        self.answer[8 + len] = u8::from(failed);
        self.answer[9 + len] = self.error;
        self.answer[2..4].copy_from_slice(&(len as u16 + 4).to_le_bytes());
        // A command that the ROM does not know leaves the number of the last one in the answer.
        let times = if self.answer[1] == op::SYNC { 8 } else { 1 };
        let mut bytes = Vec::new();
        for _ in 0..times {
            frame(&self.answer[..len + 12], &mut bytes);
        }
        if self.then != Then::Continue && !matches!(self.then, Then::Leave { .. }) {
            bytes.extend([0xC0, 0xC0]);
        }
        Answer::Send {
            took: self.took,
            bytes,
            then: self.then,
        }
    }

    fn execute(&mut self, mem: &mut dyn GuestMemory) -> Result<Status, Lost> {
        let command = self.request[1];
        if self.request[0] != 0 {
            return Ok(Err(error::BAD_MESSAGE));
        }
        let status = match command {
            op::FLASH_BEGIN => self.flash_begin(mem)?,
            op::FLASH_DATA => self.flash_data(mem)?,
            op::FLASH_END => self.flash_end(),
            op::MEM_BEGIN => self.mem_begin(),
            op::MEM_DATA => self.mem_data(mem)?,
            op::MEM_END => self.mem_end(),
            op::SYNC => {
                let echoed = self.word(8);
                self.set_value(echoed);
                self.succeed(0)
            }
            op::WRITE_REG => self.write_registers(mem)?,
            op::READ_REG => {
                let addr = self.word(8);
                let value = mem
                    .read_u32(addr)
                    .map_err(|_| Lost::Fault { addr, store: false })?;
                self.set_value(value);
                self.succeed(0)
            }
            op::SPI_SET_PARAMS if length(&self.request) != 24 => Err(error::BAD_MESSAGE),
            op::SPI_SET_PARAMS => {
                self.flash_size = self.word(12);
                Ok(0)
            }
            op::SPI_ATTACH => self.succeed(0),
            op::READ_FLASH_SLOW => self.read_flash(mem),
            op::CHANGE_BAUDRATE => {
                let rate = self.word(8);
                // The ROM takes the number for a divider if the old rate is given, and divides as RISC-V does.
                let divider = match self.request[12] {
                    0 => XTAL_SIXTEENTHS.checked_div(rate).unwrap_or(u32::MAX),
                    _ => rate,
                };
                if divider != 0 {
                    self.then = Then::Divide(divider);
                }
                self.succeed(0)
            }
            op::FLASH_DEFL_BEGIN => self.packed_begin(mem)?,
            op::FLASH_DEFL_DATA => self.packed_data(mem)?,
            op::FLASH_DEFL_END => self.packed_end(),
            op::SPI_FLASH_MD5 => self.flash_md5(mem),
            op::GET_SECURITY_INFO => {
                self.answer[8..28].copy_from_slice(&security_info(mem));
                Ok(20)
            }
            _ => return Ok(Err(error::BAD_MESSAGE)),
        };
        self.answer[1] = command;
        Ok(status)
    }

    fn word(&self, at: usize) -> u32 {
        word(&self.request[at..])
    }

    fn set_value(&mut self, value: u32) {
        self.answer[4..8].copy_from_slice(&value.to_le_bytes());
    }

    /// Status of the commands that clear the last error.
    #[expect(clippy::unnecessary_wraps, reason = "stands where a status is expected")]
    fn succeed(&mut self, len: usize) -> Status {
        self.error = 0;
        Ok(len)
    }

    fn flash_begin(&mut self, mem: &mut dyn GuestMemory) -> Result<Status, Lost> {
        match Transfer::begin(&self.request, 20) {
            Ok(transfer) => {
                self.plain = transfer;
                self.erase_area(transfer.addr, transfer.size, mem)
            }
            Err(code) => Ok(Err(code)),
        }
    }

    fn flash_data(&mut self, mem: &mut dyn GuestMemory) -> Result<Status, Lost> {
        let data = match self.plain.block(&self.request, true) {
            Ok(data) => data.to_vec(),
            Err(code) => return Ok(Err(code)),
        };
        // Writing encrypted needs a key in the fuses; the model's fuses have none.
        if self.plain.encrypted {
            return Ok(Err(error::INVALID));
        }
        let addr = self.plain.addr;
        self.program(addr, &data, mem)?;
        // The ROM reads back over the request and compares checksums.
        let end = DATA + data.len();
        let read = self.read_cells(addr, data.len() as u32, mem);
        if let Some(cells) = read {
            self.request[DATA..end].copy_from_slice(&cells);
        }
        if checksum(&self.request[DATA..end]) != self.request[4] {
            return Ok(Err(error::FLASH_WRITE));
        }
        self.plain.advance(data.len() as u32);
        Ok(Ok(0))
    }

    /// The loader ends whatever the status is: with a reset, or with a jump to a program in RAM that does not
    /// exist.
    fn flash_end(&mut self) -> Status {
        self.then = Then::Leave { entry: 0 };
        if self.plain.next != self.plain.blocks || self.plain.size != self.plain.done {
            return Err(error::FAILED);
        }
        if self.request[8] == 0 {
            self.then = Then::Reset;
            self.error = 0;
        }
        Ok(0)
    }

    fn mem_begin(&mut self) -> Status {
        self.plain = Transfer::begin(&self.request, 16)?;
        Ok(0)
    }

    fn mem_data(&mut self, mem: &mut dyn GuestMemory) -> Result<Status, Lost> {
        match self.plain.block(&self.request, false) {
            Ok(data) => {
                let addr = self.plain.addr;
                mem.write_bytes(addr, data)
                    .map_err(|_| Lost::Fault { addr, store: true })?;
                self.plain.advance(data.len() as u32);
                Ok(Ok(0))
            }
            Err(code) => Ok(Err(code)),
        }
    }

    fn mem_end(&mut self) -> Status {
        if length(&self.request) > 8 {
            return Err(error::BAD_MESSAGE);
        }
        if self.request[8] == 0 {
            self.then = Then::Leave { entry: self.word(12) };
        }
        Ok(0)
    }

    /// Executes groups of address, value, mask and delay in microseconds.
    fn write_registers(&mut self, mem: &mut dyn GuestMemory) -> Result<Status, Lost> {
        let count = usize::from(length(&self.request) / 16);
        for group in self.request[8..].chunks_exact(16).take(count) {
            let [addr, value, mask, delay_us] = [0, 4, 8, 12].map(|n| word(&group[n..]));
            self.took += Duration::from_micros(u64::from(delay_us));
            let old = mem
                .read_u32(addr)
                .map_err(|_| Lost::Fault { addr, store: false })?;
            mem.write_u32(addr, (old ^ value) & mask ^ old)
                .map_err(|_| Lost::Fault { addr, store: true })?;
        }
        Ok(self.succeed(0))
    }

    fn read_flash(&mut self, mem: &mut dyn GuestMemory) -> Status {
        let (addr, len) = (self.word(8), self.word(12));
        if len > 64 {
            return Err(error::READ_LENGTH);
        }
        let cells = self.read_cells(addr, len, mem).ok_or(error::FLASH_READ)?;
        self.answer[8..8 + cells.len()].copy_from_slice(&cells);
        self.succeed(64)
    }

    fn packed_begin(&mut self, mem: &mut dyn GuestMemory) -> Result<Status, Lost> {
        match Transfer::begin(&self.request, 20) {
            Ok(transfer) if transfer.encrypted => Ok(Err(error::INVALID)),
            Ok(transfer) => {
                self.packed = transfer;
                self.stream = Packed::new();
                self.erase_area(transfer.addr, transfer.size, mem)
            }
            Err(code) => Ok(Err(code)),
        }
    }

    fn packed_data(&mut self, mem: &mut dyn GuestMemory) -> Result<Status, Lost> {
        let data = match self.packed.block(&self.request, false) {
            Ok(data) => data.to_vec(),
            Err(code) => return Ok(Err(code)),
        };
        let last = self.packed.next == self.packed.blocks;
        let mut rest = data.as_slice();
        loop {
            match self.stream.feed(rest, !last) {
                Unpacked::Input => break,
                Unpacked::Window(used) => {
                    self.write_window(mem)?;
                    self.packed.addr = self.packed.addr.wrapping_add(WINDOW as u32);
                    rest = &rest[used..];
                    if rest.is_empty() {
                        break;
                    }
                }
                Unpacked::Overlong => return Err(Lost::Hang),
                Unpacked::Damaged(status) => return Ok(Err((10 - status) as u8)),
            }
        }
        if last {
            self.write_window(mem)?;
        }
        Ok(Ok(0))
    }

    /// Programs the unpacked bytes in whole words, as the ROM does.
    fn write_window(&mut self, mem: &mut dyn GuestMemory) -> Result<(), Lost> {
        let mut cells = self.stream.take().to_vec();
        cells.resize(cells.len().next_multiple_of(4), 0xFF);
        self.program(self.packed.addr, &cells, mem)
    }

    fn packed_end(&mut self) -> Status {
        if self.packed.next != self.packed.blocks {
            return Err(error::FAILED);
        }
        if self.request[8] == 0 {
            self.then = Then::Reset;
            self.error = 0;
        }
        Ok(0)
    }

    /// Answers with the MD5 as 32 hexadecimal digits.
    fn flash_md5(&mut self, mem: &mut dyn GuestMemory) -> Status {
        const CHUNK: u32 = 128;
        let (mut addr, mut left) = (self.word(8), self.word(12));
        if usize::from(length(&self.request)) > 0x1810 {
            return Err(error::BAD_MESSAGE);
        }
        let mut digest = Md5::default();
        // The ROM takes a length beyond 2^31 as negative and reads nothing.
        while left > 0 && left <= i32::MAX as u32 {
            let chunk = left.min(CHUNK);
            let cells = self.read_cells(addr, chunk, mem).ok_or(error::FLASH_READ)?;
            digest.update(&cells);
            addr += chunk;
            left -= chunk;
        }
        for (n, byte) in digest.finalize().into_iter().enumerate() {
            let digits = [byte >> 4, byte & 15].map(|d| if d < 10 { b'0' + d } else { b'a' + d - 10 });
            self.answer[8 + 2 * n..10 + 2 * n].copy_from_slice(&digits);
        }
        self.succeed(32)
    }

    /// `SPIEraseArea`: erases whole sectors from a sector's start on.
    fn erase_area(&mut self, addr: u32, len: u32, mem: &mut dyn GuestMemory) -> Result<Status, Lost> {
        let inside = addr.checked_add(len).is_some_and(|end| end <= self.flash_size);
        if !inside || !addr.is_multiple_of(SECTOR) {
            return Ok(Err(error::FAILED));
        }
        let done = mem.flash().erase(addr, len.next_multiple_of(SECTOR));
        Ok(match self.finish(done)? {
            true => Ok(0),
            false => Err(error::FAILED),
        })
    }

    /// Programs flash as `esp_rom_spiflash_write` does; the ROM ignores its result.
    fn program(&mut self, addr: u32, data: &[u8], mem: &mut dyn GuestMemory) -> Result<(), Lost> {
        let done = mem.flash().program(addr, data);
        self.finish(done).map(drop)
    }

    fn finish(&mut self, done: Result<Done, NorError>) -> Result<bool, Lost> {
        match done {
            Ok(Done::Complete(took)) => self.took += took,
            Ok(Done::PowerCut(after)) => return Err(Lost::PowerCut(after)),
            Err(_) => return Ok(false),
        }
        Ok(true)
    }

    /// `esp_rom_spiflash_read`: `None` beyond the end of the flash.
    fn read_cells(&mut self, addr: u32, len: u32, mem: &mut dyn GuestMemory) -> Option<Vec<u8>> {
        addr.checked_add(len).filter(|end| *end <= self.flash_size)?;
        let mut cells = vec![0; len as usize];
        self.took += mem.flash().read(addr, &mut cells).ok()?;
        Some(cells)
    }
}

/// Flags, encryption counter and key purposes, which are all zero as long as no fuse is burnt; the chip's identity
/// and the ROM's version.
pub(crate) fn security_info(mem: &mut dyn GuestMemory) -> [u8; 20] {
    let mut info = [0; 20];
    for (at, addr) in [(12, ROM_CHIP_ID), (16, ROM_ECO_VERSION)] {
        let word = mem.read_u32(addr).unwrap_or(0);
        info[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }
    info
}

#[cfg(test)]
#[path = "loader/tests.rs"]
mod tests;
