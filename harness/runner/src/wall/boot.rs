//! Tells a device that does not boot from one that misbehaves: silence, garbage and boot loops are the bench's to
//! report, and no verdict about the scenario.

use std::collections::VecDeque;
use std::time::Duration;

use dut::Observation;
use events::ResetCause;
use sim::Instant;

use crate::run::RunError;

/// So many resets …
const LOOP_RESETS: usize = 6;
/// … within this time are a boot loop.
const LOOP_TIME: Duration = Duration::from_secs(30);
/// Bytes after which garbage is recognised.
const ENOUGH: usize = 256;

/// Watches a device start.
#[derive(Debug)]
pub(crate) struct BootWatch {
    patience: Duration,
    heard: bool,
    resets: VecDeque<(Instant, ResetCause)>,
    /// Bytes of the first ones that no text has.
    strange: usize,
    looked_at: usize,
    last_line: Vec<u8>,
    line: Vec<u8>,
}

impl BootWatch {
    pub(crate) fn new(patience: Duration) -> BootWatch {
        BootWatch {
            patience,
            heard: false,
            resets: VecDeque::new(),
            strange: 0,
            looked_at: 0,
            last_line: Vec::new(),
            line: Vec::new(),
        }
    }

    pub(crate) fn observe(&mut self, at: Instant, seen: &Observation) -> Result<(), RunError> {
        match seen {
            Observation::Serial { bytes, .. } => self.bytes(bytes),
            Observation::Reset(cause) => {
                self.resets.push_back((at, *cause));
                while self
                    .resets
                    .front()
                    .is_some_and(|(first, _)| *first + LOOP_TIME < at)
                {
                    self.resets.pop_front();
                }
                if self.resets.len() < LOOP_RESETS {
                    return Ok(());
                }
                let first = self.resets.front().map_or(at, |(first, _)| *first);
                Err(RunError::NoBoot {
                    why: format!(
                        "a boot loop: {LOOP_RESETS} resets in {} s, the last one {cause:?}; the last line on the console \
                         was \"{}\"",
                        at.since(first).as_secs(),
                        String::from_utf8_lossy(&self.last_line).trim_end()
                    ),
                    next_step: "look at the console of the board (`espflash monitor`): a panic, a watchdog, a supply \
                                that is too weak, or an image for another flash size",
                })
            }
            _ => Ok(()),
        }
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), RunError> {
        for byte in bytes {
            self.heard = true;
            match byte {
                b'\n' => self.last_line = std::mem::take(&mut self.line),
                _ if self.line.len() < ENOUGH => self.line.push(*byte),
                _ => {}
            }
            if self.looked_at >= ENOUGH {
                continue;
            }
            self.looked_at += 1;
            let text = matches!(byte, b'\t' | b'\r' | b'\n' | 0x1b | 0x20..=0x7e);
            self.strange += usize::from(!text);
        }
        if self.looked_at < ENOUGH || self.strange * 2 < ENOUGH {
            return Ok(());
        }
        Err(RunError::NoBoot {
            why: format!(
                "the console shows garbage: {} of the first {ENOUGH} bytes are no text",
                self.strange
            ),
            next_step: "compare the baud rate of the firmware's console with `baud` in boards.toml; 115200 is usual",
        })
    }

    /// Lets time pass.
    pub(crate) fn advance(&mut self, now: Instant) -> Result<(), RunError> {
        if self.heard || now < Instant::ZERO + self.patience {
            return Ok(());
        }
        Err(RunError::NoBoot {
            why: format!(
                "not one byte on the console in the {} s after its reset",
                self.patience.as_secs()
            ),
            next_step: "check that the board runs from its flash and not in download mode (GPIO9 high at reset), that \
                        its console is the one on this port (UART or USB), and that it has power",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::SerialPort;

    fn serial(bytes: &[u8]) -> Observation {
        Observation::Serial {
            port: SerialPort::Uart0,
            bytes: bytes.to_vec(),
        }
    }

    fn at(s: u64) -> Instant {
        Instant::from_secs(s)
    }

    #[test]
    fn silence_is_no_boot_and_a_byte_is_one() {
        let mut watch = BootWatch::new(Duration::from_secs(10));
        watch.advance(at(9)).unwrap();
        let error = watch.advance(at(10)).unwrap_err();
        assert!(error.to_string().contains("not one byte"), "{error}");
        let mut watch = BootWatch::new(Duration::from_secs(10));
        watch.observe(at(9), &serial(b"E")).unwrap();
        watch.advance(at(1000)).unwrap();
    }

    #[test]
    fn garbage_is_told_from_text_with_a_few_strange_bytes() {
        let mut watch = BootWatch::new(Duration::from_secs(10));
        let error = watch.observe(at(1), &serial(&[0xe7; 256])).unwrap_err();
        assert!(error.to_string().contains("256 of the first 256"), "{error}");
        let mut watch = BootWatch::new(Duration::from_secs(10));
        let mut text = b"[BOOT] Grad: 21 \xc2\xb0C\r\n".repeat(12);
        watch.observe(at(1), &serial(&text)).unwrap();
        // What comes later is the firmware's own affair.
        text = vec![0xff; 4096];
        watch.observe(at(2), &serial(&text)).unwrap();
    }

    #[test]
    fn six_resets_in_half_a_minute_are_a_loop_and_six_in_an_hour_are_not() {
        let reset = Observation::Reset(ResetCause::RtcWatchdog);
        let mut watch = BootWatch::new(Duration::from_secs(10));
        watch.observe(at(0), &serial(b"boot\nGuru Meditation\n")).unwrap();
        for s in 1..6 {
            watch.observe(at(s), &reset).unwrap();
        }
        let error = watch.observe(at(6), &reset).unwrap_err().to_string();
        assert!(
            error.contains("6 resets in 5 s") && error.contains("Guru Meditation"),
            "{error}"
        );
        let mut watch = BootWatch::new(Duration::from_secs(10));
        for s in 1..20 {
            watch.observe(at(s * 600), &reset).unwrap();
        }
    }
}
