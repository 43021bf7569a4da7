//! SPI1, the software's side of the flash controller (TRM chapter 27, "SPI Controller").
//!
//! A transfer is carried out at once when `CMD` is written: user-defined commands as the flash chip understands them,
//! and the controller's own read, erase, program and status commands. Suspend, CRC and encryption are storage.

use crate::peripherals::written::Written;
use crate::registers::{Register, RegisterFile, array, modelled, tagged};
use crate::rom::nor::NorFlash;

const CMD: u32 = 0x00;
const ADDR: u32 = 0x04;
const USER: u32 = 0x18;
const USER1: u32 = 0x1C;
const USER2: u32 = 0x20;
const MOSI_DLEN: u32 = 0x24;
const MISO_DLEN: u32 = 0x28;
const RD_STATUS: u32 = 0x2C;
const W0: u32 = 0x58;

const CMD_USR: u32 = 1 << 18;
const CMD_FLASH_SE: u32 = 1 << 24;
const CMD_FLASH_BE: u32 = 1 << 23;
const CMD_FLASH_PP: u32 = 1 << 25;
const CMD_FLASH_RDSR: u32 = 1 << 27;
const CMD_FLASH_RDID: u32 = 1 << 28;
const CMD_FLASH_WRDI: u32 = 1 << 29;
const CMD_FLASH_WREN: u32 = 1 << 30;
const CMD_FLASH_READ: u32 = 1 << 31;
const USR_MISO: u32 = 1 << 28;
const USR_MOSI: u32 = 1 << 27;
const STATUS_WEL: u32 = 1 << 1;
/// Winbond W25Q32: manufacturer EF, type 40, 2^22 bytes; the order in which the bytes come.
const JEDEC_ID: [u8; 3] = [0xEF, 0x40, 0x16];
/// Serial Flash Discoverable Parameters (JESD216): header, the header of the basic table, and from 0x80 on that table:
/// 32 MBit, erase by 4, 32 and 64 KiB, dual and quad reads.
const SFDP: [u8; 16] = *b"SFDP\x00\x01\x00\xFF\x00\x00\x01\x09\x80\x00\x00\xFF";
const SFDP_TABLE: u32 = 0x80;
const SFDP_BASIC: [u8; 36] = [
    0xE5, 0x20, 0xF9, 0xFF, 0xFF, 0xFF, 0xFF, 0x01, 0x44, 0xEB, 0x08, 0x6B, 0x08, 0x3B, 0x42, 0xBB, 0xFE,
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0xFF, 0xFF, 0x40, 0xEB, 0x0C, 0x20, 0x0F, 0x52, 0x10, 0xD8,
    0x00, 0x00,
];
/// Size of the data registers, bytes.
const BUFFER: usize = 64;

pub(crate) const REGISTERS: &[Register] = &[
    modelled(CMD, "CMD", 0, 0),
    modelled(ADDR, "ADDR", 0, 0xFFFF_FFFF),
    tagged(0x008, "CTRL", 0x002C_A000, 0x01FC_ED88),
    tagged(0x00C, "CTRL1", 0xFFC, 0xFFF),
    tagged(0x010, "CTRL2", 0, 0x8000_0000),
    tagged(0x014, "CLOCK", 0x0003_0103, 0x80FF_FFFF),
    modelled(USER, "USER", 0x8000_0000, 0xFF00_F200),
    modelled(USER1, "USER1", 0x5C00_0007, 0xFC00_003F),
    modelled(USER2, "USER2", 0x7000_0000, 0xF000_FFFF),
    modelled(MOSI_DLEN, "MOSI_DLEN", 0, 0x3FF),
    modelled(MISO_DLEN, "MISO_DLEN", 0, 0x3FF),
    modelled(RD_STATUS, "RD_STATUS", 0, 0x00FF_FFFF),
    tagged(0x034, "MISC", 0x2, 0x603),
    tagged(0x038, "TX_CRC", 0xFFFF_FFFF, 0),
    tagged(0x03C, "CACHE_FCTRL", 0, 0x1FA),
    array(modelled(W0, "W", 0, 0xFFFF_FFFF), 16),
    tagged(0x054, "FSM", 0x200, 0xF80),
    tagged(0x098, "FLASH_WAITI_CTRL", 0x14, 0xFFFE),
    tagged(0x09C, "FLASH_SUS_CTRL", 0x0800_2000, 0xFFFF_FFFF),
    tagged(0x0A0, "FLASH_SUS_CMD", 0x0005_757A, 0xFFFF_FFFF),
    tagged(0x0A4, "SUS_STATUS", 0, 0xFF),
    tagged(0x0A8, "TIMING_CALI", 0, 0x1E),
    tagged(0x0C0, "INT_ENA", 0, 0x1F),
    tagged(0x0C4, "INT_CLR", 0, 0x1F),
    tagged(0x0C8, "INT_RAW", 0, 0x1F),
    tagged(0x0CC, "INT_ST", 0, 0),
    tagged(0x0DC, "CLOCK_GATE", 0x1, 0x1),
];

/// The SPI1 controller with its data buffer.
#[derive(Clone, Debug)]
pub(crate) struct Spi1 {
    file: RegisterFile,
    write_enabled: bool,
}

impl Spi1 {
    pub(crate) fn new() -> Spi1 {
        Spi1 {
            file: RegisterFile::new(REGISTERS),
            write_enabled: false,
        }
    }

    pub(crate) fn read(&self, offset: u32) -> Option<u32> {
        self.file.read(offset)
    }

    pub(crate) fn write(&mut self, offset: u32, value: u32, flash: &mut NorFlash) -> Written {
        if !self.file.write(offset, value) {
            return Written::Unmodelled;
        }
        if offset != CMD {
            return Written::Quiet;
        }
        if self.transfer(value, flash) {
            Written::Sync
        } else {
            Written::Unmodelled
        }
    }

    /// Carries out a command of the controller. Returns false for a command that is not modelled.
    fn transfer(&mut self, command: u32, flash: &mut NorFlash) -> bool {
        let addr = self.file.get(ADDR);
        // In the controller's own commands the upper byte of ADDR is a length.
        let (flash_addr, length) = (addr & 0x00FF_FFFF, (addr >> 24) as usize);
        match command & 0xFFF8_0000 | command & CMD_USR {
            CMD_USR => return self.user(flash),
            CMD_FLASH_READ => self.fetch(flash, flash_addr, length),
            CMD_FLASH_PP => self.program(flash, flash_addr, length),
            CMD_FLASH_SE => self.erase(flash, flash_addr, 0x1000),
            // The manual says 32 KiB; the ROM and its block size of 64 KiB say otherwise.
            CMD_FLASH_BE => self.erase(flash, flash_addr, 0x1_0000),
            CMD_FLASH_WREN => self.write_enabled = true,
            CMD_FLASH_WRDI => self.write_enabled = false,
            CMD_FLASH_RDSR => self.file.set(RD_STATUS, self.status()),
            CMD_FLASH_RDID => self.put(&JEDEC_ID),
            0 => {}
            _ => return false,
        }
        true
    }

    fn user(&mut self, flash: &mut NorFlash) -> bool {
        // An address of n bits stands in the upper bits of ADDR (TRM 27.5.8).
        let bits = (self.file.get(USER1) >> 26) + 1;
        let addr = if bits >= 32 {
            self.file.get(ADDR)
        } else {
            self.file.get(ADDR) >> (32 - bits)
        };
        let length = |dlen: u32, enabled: u32| {
            if self.file.get(USER) & enabled == 0 {
                0
            } else {
                self.file.get(dlen) as usize / 8 + 1
            }
        };
        let (incoming, outgoing) = (length(MISO_DLEN, USR_MISO), length(MOSI_DLEN, USR_MOSI));
        match self.file.get(USER2) & 0xFF {
            0x03 | 0x0B | 0x3B | 0x6B | 0xBB | 0xEB => self.fetch(flash, addr, incoming),
            0x02 => self.program(flash, addr, outgoing),
            0x20 => self.erase(flash, addr, 0x1000),
            0x52 => self.erase(flash, addr, 0x8000),
            0xD8 => self.erase(flash, addr, 0x1_0000),
            0x06 => self.write_enabled = true,
            0x04 => self.write_enabled = false,
            0x05 => self.put(&[self.status() as u8]),
            0x35 | 0x15 => self.put(&[0]),
            0x5A => self.put(&parameters(addr, incoming)),
            0x9F => self.put(&JEDEC_ID),
            // Status register writes, power-down and release from it, and reset change nothing that is modelled.
            0x01 | 0x31 | 0x11 | 0x50 | 0xB9 | 0x79 | 0xAB | 0x66 | 0x99 | 0xFF => {}
            _ => return false,
        }
        true
    }

    fn status(&self) -> u32 {
        if self.write_enabled { STATUS_WEL } else { 0 }
    }

    fn put(&mut self, bytes: &[u8]) {
        for (n, chunk) in bytes.chunks(4).enumerate().take(BUFFER / 4) {
            let mut word = [0; 4];
            word[..chunk.len()].copy_from_slice(chunk);
            self.file.set(W0 + 4 * n as u32, u32::from_le_bytes(word));
        }
    }

    fn buffer(&self, length: usize) -> Vec<u8> {
        (0..16)
            .flat_map(|n| self.file.get(W0 + 4 * n).to_le_bytes())
            .take(length.min(BUFFER))
            .collect()
    }

    fn fetch(&mut self, flash: &NorFlash, addr: u32, length: usize) {
        let mut bytes = vec![0xFF; length.min(BUFFER)];
        // Beyond its end the flash does not answer: the line stays high and all bits read as 1.
        if flash.read(addr, &mut bytes).is_ok() {
            self.put(&bytes);
        } else {
            self.put(&vec![0xFF; length.min(BUFFER)]);
        }
    }

    fn program(&mut self, flash: &mut NorFlash, addr: u32, length: usize) {
        if std::mem::take(&mut self.write_enabled) {
            let bytes = self.buffer(length);
            // A page outside the chip is refused by the chip in silence.
            let _ = flash.program(addr, &bytes);
        }
    }

    fn erase(&mut self, flash: &mut NorFlash, addr: u32, size: u32) {
        if std::mem::take(&mut self.write_enabled) {
            let _ = flash.erase(addr & !(size - 1), size);
        }
    }
}

/// `length` discoverable parameters from `addr` on.
fn parameters(addr: u32, length: usize) -> Vec<u8> {
    let at = |addr: u32| match addr.checked_sub(SFDP_TABLE) {
        Some(offset) => SFDP_BASIC.get(offset as usize),
        None => SFDP.get(addr as usize),
    };
    (addr..)
        .take(length.min(BUFFER))
        .map(|addr| at(addr).copied().unwrap_or(0xFF))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(spi: &mut Spi1, flash: &mut NorFlash, opcode: u32, addr: u32) -> Written {
        spi.write(USER2, 0x7000_0000 | opcode, flash);
        spi.write(ADDR, addr << 8, flash);
        spi.write(CMD, CMD_USR, flash)
    }

    #[test]
    fn the_chip_names_itself() {
        let (mut spi, mut flash) = (Spi1::new(), NorFlash::new(0x1_0000));
        spi.write(CMD, CMD_FLASH_RDID, &mut flash);
        assert_eq!(spi.read(W0), Some(0x0016_40EF));
        assert_eq!(spi.read(CMD), Some(0), "done");
    }

    #[test]
    fn a_page_is_programmed_only_after_write_enable() {
        let (mut spi, mut flash) = (Spi1::new(), NorFlash::new(0x1_0000));
        spi.write(W0, 0x4433_2211, &mut flash);
        spi.write(USER, 1 << 31 | USR_MOSI | USR_MISO, &mut flash);
        spi.write(MOSI_DLEN, 31, &mut flash);
        spi.write(MISO_DLEN, 31, &mut flash);
        command(&mut spi, &mut flash, 0x02, 0x100);
        assert_eq!(flash.cells()[0x100], 0xFF);
        command(&mut spi, &mut flash, 0x06, 0);
        command(&mut spi, &mut flash, 0x02, 0x100);
        assert_eq!(flash.cells()[0x100..0x104], [0x11, 0x22, 0x33, 0x44]);
        spi.write(W0, 0, &mut flash);
        command(&mut spi, &mut flash, 0x03, 0x102);
        assert_eq!(spi.read(W0), Some(0xFFFF_4433));
        command(&mut spi, &mut flash, 0x06, 0);
        command(&mut spi, &mut flash, 0x20, 0);
        assert_eq!(flash.cells()[0x100], 0xFF);
    }

    #[test]
    fn a_block_is_64_kib() {
        let (mut spi, mut flash) = (Spi1::new(), NorFlash::new(0x2_0000));
        flash.flash_image(0, &[0; 0x2_0000]).unwrap();
        spi.write(ADDR, 0x1_8000, &mut flash);
        spi.write(CMD, CMD_FLASH_WREN, &mut flash);
        spi.write(CMD, CMD_FLASH_BE, &mut flash);
        let erased: Vec<usize> = [0, 0xFFFF, 0x1_0000, 0x1_FFFF]
            .into_iter()
            .filter(|at| flash.cells()[*at] == 0xFF)
            .collect();
        assert_eq!(erased, [0x1_0000, 0x1_FFFF]);
    }

    #[test]
    fn its_parameters_can_be_discovered() {
        let (mut spi, mut flash) = (Spi1::new(), NorFlash::new(0x1_0000));
        spi.write(USER, 1 << 31 | USR_MISO, &mut flash);
        spi.write(MISO_DLEN, 63, &mut flash);
        spi.write(USER1, 0x5C00_0007, &mut flash);
        assert_eq!(command(&mut spi, &mut flash, 0x5A, 0), Written::Sync);
        assert_eq!(spi.read(W0), Some(u32::from_le_bytes(*b"SFDP")));
        command(&mut spi, &mut flash, 0x5A, 0x84);
        assert_eq!(spi.read(W0), Some(0x01FF_FFFF), "2^25 bits less one");
    }

    #[test]
    fn an_unknown_command_is_reported() {
        let (mut spi, mut flash) = (Spi1::new(), NorFlash::new(0x1_0000));
        assert_eq!(command(&mut spi, &mut flash, 0x77, 0), Written::Unmodelled);
    }
}
