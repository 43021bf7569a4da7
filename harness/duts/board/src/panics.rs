//! Detection of panics in the console's output.

use std::sync::Arc;

use esp32c3::symbols::SymbolTable;

/// Greatest number of lines of a panic; after it the panic is reported as it is.
const MOST_LINES: usize = 80;

/// A panic in the console's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Panic {
    pub message: String,
    pub backtrace: Vec<String>,
}

/// Parses the console's output line by line.
#[derive(Default)]
pub(crate) struct PanicReader {
    symbols: Option<Arc<SymbolTable>>,
    open: Option<Open>,
}

struct Open {
    message: Vec<String>,
    frames: Vec<u32>,
    in_backtrace: bool,
    lines: usize,
}

impl PanicReader {
    pub(crate) fn new(symbols: Option<Arc<SymbolTable>>) -> PanicReader {
        PanicReader { symbols, open: None }
    }

    /// True if a panic has begun and more lines of it may follow.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Takes a line without its end. Returns a panic when its last line is known.
    pub(crate) fn line(&mut self, line: &str) -> Option<Panic> {
        let Some(open) = &mut self.open else {
            self.begin(line);
            return None;
        };
        open.lines += 1;
        let text = line.trim();
        let address = address(text);
        let ends = text.contains("rst:0x") || open.lines > MOST_LINES;
        match (open.in_backtrace, address) {
            _ if ends => {}
            (false, _) if text == "Backtrace:" => {
                open.in_backtrace = true;
                return None;
            }
            (false, _) => {
                // ESP-IDF's register dump: `MEPC    : 0x42001234  RA      : 0x42005678 …`
                let registers = ["MEPC", "RA"].map(|name| register(text, name));
                open.frames.extend(registers.into_iter().flatten());
                let is_dump = text.contains(": 0x");
                if !text.is_empty() && !is_dump {
                    open.message.push(text.to_owned());
                }
                return None;
            }
            (true, Some(address)) => {
                open.frames.push(address);
                return None;
            }
            (true, None) if text.is_empty() && open.frames.is_empty() => return None,
            (true, None) => {}
        }
        let panic = self.finish();
        self.begin(line);
        panic
    }

    /// Ends the current panic, because no more lines of it follow, and returns it.
    pub(crate) fn finish(&mut self) -> Option<Panic> {
        let open = self.open.take()?;
        let frame = |(n, addr): (usize, &u32)| {
            let place = self.symbols.as_ref().and_then(|s| s.locate(*addr));
            let place = place.map_or_else(|| "?".to_owned(), |l| l.to_string());
            format!("#{n} {addr:#010x} {place}")
        };
        Some(Panic {
            message: if open.message.is_empty() {
                "the firmware panicked".to_owned()
            } else {
                open.message.join(" ")
            },
            backtrace: open.frames.iter().enumerate().map(frame).collect(),
        })
    }

    fn begin(&mut self, line: &str) {
        // First lines of a panic by esp-backtrace and by ESP-IDF.
        let guru = line.contains("Guru Meditation Error");
        if guru || line.contains("====================== PANIC ======================") {
            self.open = Some(Open {
                message: if guru {
                    vec![line.trim().to_owned()]
                } else {
                    Vec::new()
                },
                frames: Vec::new(),
                in_backtrace: false,
                lines: 0,
            });
        }
    }
}

/// Parses a line that is one address: `0x42001234`.
fn address(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

fn register(text: &str, name: &str) -> Option<u32> {
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        if word.trim_end_matches(':') == name {
            return words.find(|w| *w != ":").and_then(address);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use esp32c3::symbols::Symbol;

    fn reader() -> PanicReader {
        let symbol = Symbol {
            addr: 0x4200_1000,
            size: 0x100,
            name: "renew_session".to_owned(),
            is_function: true,
        };
        PanicReader::new(Some(Arc::new(SymbolTable::new(vec![symbol]))))
    }

    #[test]
    fn a_panic_of_esp_backtrace_is_read_and_named() {
        let mut reader = reader();
        let log = "\
I (12) up\n\n====================== PANIC ======================\npanicked at src/session.rs:10:5:\n\
no token\n\nBacktrace:\n\n0x42001010\n0x42009999\n\nESP-ROM:esp32c3-api1-20210207\n";
        let found: Vec<Panic> = log.lines().filter_map(|l| reader.line(l)).collect();
        assert_eq!(
            found,
            [Panic {
                message: "panicked at src/session.rs:10:5: no token".to_owned(),
                backtrace: vec![
                    "#0 0x42001010 renew_session+0x10".to_owned(),
                    "#1 0x42009999 ?".to_owned(),
                ],
            }]
        );
        assert!(!reader.is_open());
    }

    #[test]
    fn a_panic_of_esp_idf_is_read() {
        let mut reader = reader();
        let log = "\
Guru Meditation Error: Core  0 panic'ed (Load access fault). Exception was unhandled.\n\
Core  0 register dump:\nMEPC    : 0x42001020  RA      : 0x42001030  SP      : 0x3fc90000\n\
rst:0xc (RTC_SW_CPU_RST),boot:0xd (SPI_FAST_FLASH_BOOT)\n";
        let found: Vec<Panic> = log.lines().filter_map(|l| reader.line(l)).collect();
        assert_eq!(found.len(), 1);
        assert!(
            found[0]
                .message
                .starts_with("Guru Meditation Error: Core  0 panic'ed")
        );
        assert_eq!(
            found[0].backtrace,
            [
                "#0 0x42001020 renew_session+0x20",
                "#1 0x42001030 renew_session+0x30"
            ]
        );
    }

    #[test]
    fn ordinary_lines_are_no_panic() {
        let mut reader = reader();
        for line in ["[REG] Registered", "0x42001010", "Backtrace:", "do not PANIC"] {
            assert_eq!(reader.line(line), None);
        }
        assert!(!reader.is_open());
        assert_eq!(reader.finish(), None);
    }
}
