//! Interpretation of the console's output: resets, panics, a boot loop, garbage.

use std::time::Duration;

use dut::Observation;
use image::panics::Names;
use sim::Instant;
use vocabulary::ResetCause;

use image::panics::{Panic, PanicReader};

/// Number of bytes that are checked for garbage together.
const WINDOW: usize = 256;
/// Least number of bytes for such a check.
const FEWEST: usize = 32;
/// Greatest length of a line, bytes; a longer one is split.
const LONGEST_LINE: usize = 4096;
/// Duration below which a boot counts as short.
const SHORT_BOOT: Duration = Duration::from_secs(5);
/// Number of short boots in a row that are a boot loop.
const LOOP: u32 = 4;
/// Time without a further line after which a panic is complete.
const PANIC_QUIET: Duration = Duration::from_millis(500);

/// Summary of a board's console output so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Number of bytes received.
    pub bytes: u64,
    /// The moment at which the last byte was received.
    pub last: Option<Instant>,
    /// Number of banners of the boot ROM.
    pub boots: u32,
    /// Number of panics of the firmware.
    pub panics: u32,
    /// True if most of the output is not text.
    pub garbage: bool,
    /// True if the chip restarts again and again.
    pub boot_loop: bool,
    /// True if the chip waits in download mode.
    pub in_download_mode: bool,
    /// True if the bootloader found no application.
    pub no_application: bool,
    /// The last complete line.
    pub last_line: String,
}

impl Heard {
    /// The meaning of the summary, as half a sentence.
    pub fn story(&self) -> String {
        if self.bytes == 0 {
            "the console is silent".to_owned()
        } else if self.garbage {
            "the console shows garbage".to_owned()
        } else if self.in_download_mode {
            "the chip waits in download mode".to_owned()
        } else if self.no_application {
            "the bootloader finds no application on the chip".to_owned()
        } else if self.boot_loop {
            format!("it restarts again and again ({} times so far)", self.boots)
        } else {
            format!("the last line was `{}`", self.last_line)
        }
    }

    /// The action that the user should take.
    pub fn help(&self) -> &'static str {
        if self.bytes == 0 {
            "check that this port is the firmware's console (UART0 or USB Serial/JTAG), and that RESET reaches the chip"
        } else if self.garbage {
            "set `baud` in boards.toml to the baud rate of the firmware"
        } else if self.in_download_mode {
            "let go of BOOT (GPIO9); check `after` in boards.toml, or declare `commands.reset`"
        } else if self.no_application {
            "erase the chip and flash it again; check the partition table"
        } else if self.boot_loop {
            "look at the last lines before a restart: a panic, a watchdog, or a supply that is too weak"
        } else {
            "compare the serial log with that of a run on the emulator"
        }
    }
}

/// Interprets the console's output.
pub(crate) struct Watch {
    baud: u32,
    heard: Heard,
    line: Vec<u8>,
    window: Vec<u8>,
    panics: PanicReader,
    /// The moment at which the last line ended.
    line_at: Instant,
    /// The moment of the last boot.
    boot_at: Option<Instant>,
    short_boots: u32,
    /// True if oceanrig has reset the chip and waits for its banner.
    reset_asked: bool,
}

impl Watch {
    pub(crate) fn new(baud: u32, names: Names) -> Watch {
        Watch {
            baud,
            heard: Heard::default(),
            line: Vec::new(),
            window: Vec::new(),
            panics: PanicReader::new(names),
            line_at: Instant::ZERO,
            boot_at: None,
            short_boots: 0,
            reset_asked: false,
        }
    }

    /// Marks the next boot as caused by oceanrig.
    pub(crate) fn expect_reset(&mut self) {
        self.reset_asked = true;
    }

    /// The summary so far.
    pub(crate) fn heard(&self) -> Heard {
        let mut heard = self.heard.clone();
        heard.garbage |= self.window.len() >= FEWEST && is_garbage(&self.window);
        heard
    }

    /// Interprets `bytes` received at `at`; the observations are appended to `out`.
    pub(crate) fn read(&mut self, at: Instant, bytes: &[u8], out: &mut Vec<(Instant, Observation)>) {
        self.heard.bytes += bytes.len() as u64;
        self.heard.last = Some(at);
        for &byte in bytes {
            self.window.push(byte);
            if self.window.len() == WINDOW {
                self.judge(at, out);
            }
            if byte != b'\n' && self.line.len() < LONGEST_LINE {
                self.line.push(byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let text = String::from_utf8_lossy(&line);
            self.whole_line(at, text.trim_end(), out);
        }
    }

    /// Called when no bytes were received until `now`: a panic may be complete.
    pub(crate) fn quiet(&mut self, now: Instant, out: &mut Vec<(Instant, Observation)>) {
        if self.panics.is_open() && now.since(self.line_at) >= PANIC_QUIET {
            let panic = self.panics.finish();
            self.panicked(self.line_at, panic, out);
        }
    }

    fn whole_line(&mut self, at: Instant, line: &str, out: &mut Vec<(Instant, Observation)>) {
        self.line_at = at;
        if !line.trim().is_empty() {
            self.heard.last_line = line.chars().take(200).collect();
        }
        let panic = self.panics.line(line);
        self.panicked(at, panic, out);
        if let Some(code) = banner(line) {
            self.booted(at, code, out);
        }
        if line.contains("waiting for download") {
            self.heard.in_download_mode = true;
        }
        if line.contains("invalid header: 0xffffffff") || line.contains("No bootable app") {
            self.heard.no_application = true;
        }
    }

    fn panicked(&mut self, at: Instant, panic: Option<Panic>, out: &mut Vec<(Instant, Observation)>) {
        if let Some(Panic { message, backtrace }) = panic {
            self.heard.panics += 1;
            out.push((at, Observation::GuestFault { message, backtrace }));
        }
    }

    fn booted(&mut self, at: Instant, code: u32, out: &mut Vec<(Instant, Observation)>) {
        self.heard.boots += 1;
        self.heard.in_download_mode = false;
        self.heard.no_application = false;
        let asked = std::mem::take(&mut self.reset_asked);
        let cause = match cause(code) {
            // The chip reports the same cause for its reset pin and for power-on.
            Some(ResetCause::PowerOn) if asked => Some(ResetCause::Pin),
            cause => cause,
        };
        if let Some(cause) = cause {
            out.push((at, Observation::Reset(cause)));
        }
        let short = self.boot_at.is_some_and(|last| at.since(last) < SHORT_BOOT);
        self.boot_at = Some(at);
        if asked || !short || cause == Some(ResetCause::DeepSleep) {
            self.short_boots = 0;
            return;
        }
        self.short_boots += 1;
        if self.short_boots == LOOP {
            self.heard.boot_loop = true;
            out.push((
                at,
                Observation::Remark {
                    text: format!(
                        "the device restarts again and again, {} times so far",
                        self.heard.boots
                    ),
                    help: self.heard.help().to_owned(),
                },
            ));
        }
    }

    fn judge(&mut self, at: Instant, out: &mut Vec<(Instant, Observation)>) {
        let garbage = is_garbage(&self.window);
        self.window.clear();
        if garbage && !self.heard.garbage {
            let text = format!(
                "the console shows garbage: is the firmware's baud rate {}?",
                self.baud
            );
            let help = "set `baud` in boards.toml to the baud rate of the firmware".to_owned();
            out.push((at, Observation::Remark { text, help }));
        }
        self.heard.garbage = garbage;
    }
}

/// True if more than a third of the bytes are neither text nor control characters of terminals.
fn is_garbage(bytes: &[u8]) -> bool {
    let mut bad = 0;
    for chunk in bytes.utf8_chunks() {
        bad += chunk.invalid().len();
        bad += chunk
            .valid()
            .chars()
            .filter(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{1b}' | '\u{8}' | '\u{7}'))
            .count();
    }
    bad * 3 > bytes.len()
}

/// Reset code in the boot ROM's banner: `rst:0x1 (POWERON),boot:0xd (SPI_FAST_FLASH_BOOT)`.
fn banner(line: &str) -> Option<u32> {
    let (before, rest) = line.split_once("rst:0x")?;
    if before.ends_with(|c: char| c.is_alphanumeric()) {
        return None;
    }
    let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
    u32::from_str_radix(&rest[..digits], 16).ok()
}

/// Cause of a reset by its code (ESP32-C3 TRM, chapter "Reset and Clock", table of reset sources).
fn cause(code: u32) -> Option<ResetCause> {
    Some(match code {
        0x01 => ResetCause::PowerOn,
        0x03 => ResetCause::Software,
        0x05 => ResetCause::DeepSleep,
        0x07 => ResetCause::MainWatchdog0,
        0x08 => ResetCause::MainWatchdog1,
        0x09 => ResetCause::RtcWatchdog,
        0x0b => ResetCause::CpuMainWatchdog0,
        0x0c => ResetCause::CpuSoftware,
        0x0d => ResetCause::CpuRtcWatchdog,
        0x0f => ResetCause::BrownOut,
        0x10 => ResetCause::RtcWatchdogFull,
        0x11 => ResetCause::CpuMainWatchdog1,
        0x12 => ResetCause::SuperWatchdog,
        0x15 | 0x16 => ResetCause::Usb,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(watch: &mut Watch, at_ms: u64, text: &str) -> Vec<Observation> {
        let mut out = Vec::new();
        watch.read(Instant::from_millis(at_ms), text.as_bytes(), &mut out);
        out.into_iter().map(|(_, o)| o).collect()
    }

    #[test]
    fn the_banner_tells_the_cause_of_a_reset() {
        let mut watch = Watch::new(115_200, Names::default());
        let banner =
            "ESP-ROM:esp32c3-api1-20210207\r\nrst:0xc (RTC_SW_CPU_RST),boot:0xd (SPI_FAST_FLASH_BOOT)\r\n";
        assert_eq!(
            read(&mut watch, 1, banner),
            [Observation::Reset(ResetCause::CpuSoftware)]
        );
        watch.expect_reset();
        let banner = banner.replace("0xc", "0x1");
        assert_eq!(
            read(&mut watch, 9_000, &banner),
            [Observation::Reset(ResetCause::Pin)]
        );
        assert_eq!(
            read(&mut watch, 90_000, &banner),
            [Observation::Reset(ResetCause::PowerOn)]
        );
        assert_eq!(watch.heard().boots, 3);
        assert!(!watch.heard().boot_loop);
        assert_eq!(read(&mut watch, 91_000, "first:0x1\n"), []);
    }

    #[test]
    fn a_boot_loop_is_noticed_once_and_long_boots_are_none() {
        let mut watch = Watch::new(115_200, Names::default());
        let banner = "rst:0x7 (TG0WDT_SYS_RST),boot:0xd (SPI_FAST_FLASH_BOOT)\n";
        let mut remarks = 0;
        for boot in 0..8 {
            let seen = read(&mut watch, boot * 700, banner);
            remarks += seen
                .iter()
                .filter(|o| matches!(o, Observation::Remark { .. }))
                .count();
            assert_eq!(watch.heard().boot_loop, boot >= 4, "boot {boot}");
        }
        assert_eq!(remarks, 1);
        assert_eq!(
            watch.heard().story(),
            "it restarts again and again (8 times so far)"
        );

        let mut watch = Watch::new(115_200, Names::default());
        for boot in 0..8 {
            read(&mut watch, boot * 6_000, banner);
        }
        assert!(!watch.heard().boot_loop);
    }

    #[test]
    fn garbage_is_told_from_text() {
        let mut watch = Watch::new(115_200, Names::default());
        let mut out = Vec::new();
        let noise: Vec<u8> = (0..300_u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8 | 0x80)
            .collect();
        watch.read(Instant::ZERO, &noise, &mut out);
        assert!(
            matches!(&out[..], [(_, Observation::Remark { text, .. })]
                if text == "the console shows garbage: is the firmware's baud rate 115200?"),
            "{out:?}"
        );
        assert!(watch.heard().garbage);

        let mut watch = Watch::new(115_200, Names::default());
        let text = "\u{1b}[32mI (1234) wifi: verbunden mit Küche, Kanal 6\u{1b}[0m\r\n".repeat(20);
        assert_eq!(read(&mut watch, 0, &text), []);
        assert!(!watch.heard().garbage);
    }

    #[test]
    fn what_was_heard_has_a_story_and_a_next_step() {
        let watch = Watch::new(115_200, Names::default());
        assert_eq!(watch.heard().story(), "the console is silent");
        let mut watch = Watch::new(115_200, Names::default());
        read(
            &mut watch,
            0,
            "rst:0x1 (POWERON),boot:0x5 (DOWNLOAD(USB/UART0/1))\nwaiting for download\n",
        );
        assert_eq!(watch.heard().story(), "the chip waits in download mode");
        assert!(watch.heard().help().contains("BOOT"));
        read(
            &mut watch,
            10,
            "rst:0x1 (POWERON),boot:0xd (SPI_FAST_FLASH_BOOT)\ninvalid header: 0xffffffff\n",
        );
        assert_eq!(
            watch.heard().story(),
            "the bootloader finds no application on the chip"
        );
    }

    #[test]
    fn a_panic_at_the_end_of_the_log_is_taken_after_a_pause() {
        let mut watch = Watch::new(115_200, Names::default());
        let log = "====================== PANIC ======================\npanicked at a.rs:1:1:\nx\n\nBacktrace:\n\n0x42000000\n";
        assert_eq!(read(&mut watch, 1_000, log), []);
        let mut out = Vec::new();
        watch.quiet(Instant::from_millis(1_100), &mut out);
        assert!(out.is_empty());
        watch.quiet(Instant::from_millis(1_600), &mut out);
        let [(at, Observation::GuestFault { message, backtrace })] = &out[..] else {
            panic!("{out:?}");
        };
        assert_eq!(*at, Instant::from_millis(1_000));
        assert_eq!(message, "panicked at a.rs:1:1: x");
        assert_eq!(
            backtrace,
            &[
                "#0 0x42000000 ?",
                "(without names: the firmware's ELF file is not known)"
            ]
        );
    }
}
