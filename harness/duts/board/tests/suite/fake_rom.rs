//! A simulated ROM loader of an ESP32-C3 on the master of a pseudo-terminal, as far as espflash without its
//! stub needs it, with the faults of a real bench (esptool, "Serial Protocol").

use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serialport::{SerialPort, TTYPort};

/// Properties and faults of the simulated chip.
#[derive(Clone)]
pub(crate) struct Chip {
    /// Chip id of GET_SECURITY_INFO; 5 is the ESP32-C3.
    pub(crate) id: u32,
    /// True if the chip is in download mode and answers.
    pub(crate) answers: bool,
    /// Number of blocks of flash data after which the terminal is closed.
    pub(crate) unplugged_after: Option<u32>,
    /// Number of the first block that is refused, as by worn flash.
    pub(crate) fails_at: Option<u32>,
    /// Output after a reset by the watchdog.
    pub(crate) boot_log: Vec<u8>,
}

impl Default for Chip {
    fn default() -> Chip {
        Chip {
            id: 5,
            answers: true,
            unplugged_after: None,
            fails_at: None,
            boot_log: b"ESP-ROM:esp32c3-api1-20210207\r\nrst:0x10 (RTCWDT_RTC_RST),boot:0xd (SPI_FAST_FLASH_BOOT)\r\nhello\r\n"
                .to_vec(),
        }
    }
}

/// The MAC address 60:55:f9:0a:bc:de as words of the eFuses.
const MAC_WORDS: [u32; 2] = [0xf90a_bcde, 0x6055];

/// A connected chip; dropping it closes the terminal.
pub(crate) struct FakeRom {
    pub(crate) link: PathBuf,
    pub(crate) flash: Arc<Mutex<Vec<u8>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl FakeRom {
    /// Connects `chip`; the port is a link in `dir`.
    pub(crate) fn plug_in(dir: &Path, chip: Chip) -> FakeRom {
        let (master, slave) = TTYPort::pair().unwrap();
        let link = dir.join("port");
        let _ = std::fs::remove_file(&link);
        symlink(slave.name().unwrap(), &link).unwrap();
        let flash = Arc::new(Mutex::new(vec![0xff; 4 << 20]));
        let stop = Arc::new(AtomicBool::new(false));
        let mut rom = Rom {
            chip,
            master,
            _slave: slave,
            flash: flash.clone(),
            at: 0,
            blocks: 0,
            w0: 0,
        };
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || rom.run(&stopped));
        FakeRom {
            link,
            flash,
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for FakeRom {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

struct Rom {
    chip: Chip,
    master: TTYPort,
    /// Kept open, so that the terminal exists between two of its users.
    _slave: TTYPort,
    flash: Arc<Mutex<Vec<u8>>>,
    at: usize,
    blocks: u32,
    w0: u32,
}

impl Rom {
    fn run(&mut self, stop: &AtomicBool) {
        self.master.set_timeout(Duration::from_millis(10)).unwrap();
        let mut frame = Vec::new();
        let mut buffer = [0; 4096];
        while !stop.load(Ordering::Relaxed) {
            let Ok(len) = self.master.read(&mut buffer) else {
                continue;
            };
            for &byte in &buffer[..len] {
                if byte != 0xc0 {
                    frame.push(byte);
                } else if !frame.is_empty() && !self.frame(&unescape(&std::mem::take(&mut frame))) {
                    return;
                }
            }
        }
    }

    /// Carries out a request; returns `false` if the terminal is to be closed now.
    fn frame(&mut self, request: &[u8]) -> bool {
        if request.len() < 8 || !self.chip.answers {
            return true;
        }
        let data = &request[8..];
        let word = |n: usize| u32::from_le_bytes(data[n * 4..n * 4 + 4].try_into().unwrap());
        match request[1] {
            0x08 => {
                for _ in 0..8 {
                    self.answer(0x08, 0, &[], 0);
                }
            }
            0x14 => {
                let mut info = [0; 20];
                info[12..16].copy_from_slice(&self.chip.id.to_le_bytes());
                self.answer(0x14, 0, &info, 0);
            }
            0x0a => {
                let value = match word(0) {
                    0x6000_8844 => MAC_WORDS[0],
                    0x6000_8848 => MAC_WORDS[1],
                    // SPI1 W0: the answer to "read identification", 4 MiB.
                    0x6000_2058 => self.w0,
                    _ => 0,
                };
                self.answer(0x0a, value, &[], 0);
            }
            0x09 => {
                if (word(0), word(1)) == (0x6000_2000, 1 << 18) {
                    self.w0 = 0x0016_40c8;
                }
                self.answer(0x09, 0, &[], 0);
                // RTC watchdog, config 0, enabled.
                if word(0) == 0x6000_8090 && word(1) >> 31 == 1 {
                    let log = self.chip.boot_log.clone();
                    // espflash sets the write protection once more before the watchdog expires.
                    self.boot_after_next(&log);
                }
            }
            0x02 => {
                self.at = word(3) as usize;
                let size = word(0) as usize;
                self.flash.lock().unwrap()[self.at..self.at + size].fill(0xff);
                self.answer(0x02, 0, &[], 0);
            }
            0x03 => {
                self.blocks += 1;
                if self.chip.unplugged_after.is_some_and(|n| self.blocks > n) {
                    return false;
                }
                if self.chip.fails_at.is_some_and(|n| self.blocks >= n) {
                    self.answer(0x03, 0, &[], 8);
                    return true;
                }
                let bytes = &data[16..16 + word(0) as usize];
                self.flash.lock().unwrap()[self.at..self.at + bytes.len()].copy_from_slice(bytes);
                self.at += bytes.len();
                self.answer(0x03, 0, &[], 0);
            }
            0x13 => {
                let range = word(0) as usize..(word(0) + word(1)) as usize;
                let digest = md5(&self.flash.lock().unwrap()[range]);
                self.answer(0x13, 0, digest.as_bytes(), 0);
            }
            other => self.answer(other, 0, &[], 0),
        }
        true
    }

    fn boot_after_next(&mut self, log: &[u8]) {
        let mut buffer = [0; 256];
        // Waits for the request that sets the protection, answers it, and prints the boot log.
        while self.master.read(&mut buffer).is_err() {}
        self.answer(0x09, 0, &[], 0);
        std::thread::sleep(Duration::from_millis(20));
        self.master.write_all(log).unwrap();
    }

    fn answer(&mut self, command: u8, value: u32, data: &[u8], error: u8) {
        let mut packet = vec![1, command];
        packet.extend((data.len() as u16 + 4).to_le_bytes());
        packet.extend(value.to_le_bytes());
        packet.extend(data);
        packet.extend([u8::from(error != 0), error, 0, 0]);
        let mut framed = vec![0xc0];
        for byte in packet {
            match byte {
                0xc0 => framed.extend([0xdb, 0xdc]),
                0xdb => framed.extend([0xdb, 0xdd]),
                other => framed.push(other),
            }
        }
        framed.push(0xc0);
        self.master.write_all(&framed).unwrap();
    }
}

fn unescape(frame: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = frame.iter();
    while let Some(&byte) = bytes.next() {
        out.push(match byte {
            0xdb if bytes.next() == Some(&0xdc) => 0xc0,
            0xdb => 0xdb,
            other => other,
        });
    }
    out
}

/// MD5 in hexadecimal, as the ROM sends it.
fn md5(bytes: &[u8]) -> String {
    use md5::{Digest as _, Md5};
    Md5::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}
