//! Finds panics in what the console shows: those of `esp-backtrace` and of ESP-IDF, on RISC-V and Xtensa.
//!
//! Addresses are looked up in the symbols of the firmware. Where that is not possible the backtrace says why.

use std::sync::Arc;

use crate::symbols::SymbolTable;

/// Greatest number of lines of a panic; after it the panic is reported as it is.
const MOST_LINES: usize = 80;

/// Names for the addresses of a firmware.
#[derive(Clone, Debug)]
pub enum Names {
    /// Its symbols.
    Known(Arc<SymbolTable>),
    /// There are none, for this reason.
    Unknown(String),
}

impl Default for Names {
    /// Those of a firmware of which nothing is known.
    fn default() -> Names {
        Names::Unknown("the firmware's ELF file is not known".to_owned())
    }
}

impl Names {
    /// The symbols, if there are some.
    pub fn symbols(&self) -> Option<&SymbolTable> {
        match self {
            Names::Known(symbols) => Some(symbols),
            Names::Unknown(_) => None,
        }
    }
}

/// A panic that was printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panic {
    /// What the firmware said, one line.
    pub message: String,
    /// The frames, innermost first; a last line in parentheses says what is missing and why.
    pub backtrace: Vec<String>,
}

/// Reads the console line by line.
#[derive(Default)]
pub struct PanicReader {
    names: Names,
    open: Option<Open>,
}

struct Open {
    message: Vec<String>,
    frames: Vec<u32>,
    in_backtrace: bool,
    lines: usize,
}

impl PanicReader {
    /// A reader that looks addresses up in `names`.
    pub fn new(names: Names) -> PanicReader {
        PanicReader { names, open: None }
    }

    /// Whether a panic has begun and may go on.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Reads a line without its end. A panic comes out once its last line is known.
    pub fn line(&mut self, line: &str) -> Option<Panic> {
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
            (_, _) if text.starts_with("Backtrace:") && text.contains("0x") => {
                // ESP-IDF on Xtensa: `Backtrace: 0x400d1234:0x3ffb5e60 0x400d5678:0x3ffb5e80`. The registers that it has
                // printed before are those of the innermost frame.
                open.frames = pairs(text);
                open.in_backtrace = true;
                return None;
            }
            (false, _) => {
                // ESP-IDF's register dump: `MEPC    : 0x42001234  RA      : 0x42005678 …`
                let registers = ["MEPC", "RA", "PC"].map(|name| register(text, name));
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

    /// Takes the panic as far as it was printed: nothing followed.
    pub fn finish(&mut self) -> Option<Panic> {
        let open = self.open.take()?;
        let frame = |(n, addr): (usize, &u32)| {
            let place = self.names.symbols().and_then(|s| s.locate(*addr));
            let place = place.map_or_else(|| "?".to_owned(), |l| l.to_string());
            format!("#{n} {addr:#010x} {place}")
        };
        let mut backtrace: Vec<String> = open.frames.iter().enumerate().map(frame).collect();
        match &self.names {
            _ if open.frames.is_empty() => {
                backtrace.push("(the firmware printed no backtrace that could be read)".to_owned());
            }
            Names::Unknown(why) => backtrace.push(format!("(without names: {why})")),
            Names::Known(_) => {}
        }
        Some(Panic {
            message: if open.message.is_empty() {
                "the firmware panicked".to_owned()
            } else {
                open.message.join(" ")
            },
            backtrace,
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

/// A line that is one address, `0x42001234`, or one with its stack pointer, `0x400d1234:0x3ffb5e60`.
fn address(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("0x")?;
    let digits = digits.split_once(':').map_or(digits, |(pc, _)| pc);
    u32::from_str_radix(digits, 16).ok()
}

/// The addresses of a line of pairs of program counter and stack pointer.
fn pairs(text: &str) -> Vec<u32> {
    text.split_whitespace().filter_map(address).collect()
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
    use crate::symbols::Symbol;

    fn reader() -> PanicReader {
        let symbol = Symbol {
            addr: 0x4200_1000,
            size: 0x100,
            name: "renew_session".to_owned(),
            is_function: true,
        };
        PanicReader::new(Names::Known(Arc::new(SymbolTable::new(vec![symbol]))))
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
    fn a_panic_of_esp_idf_on_xtensa_is_read() {
        let symbol = Symbol {
            addr: 0x400D_1200,
            size: 0x100,
            name: "renew_session".to_owned(),
            is_function: true,
        };
        let names = Names::Known(Arc::new(SymbolTable::new(vec![symbol])));
        let mut reader = PanicReader::new(names);
        let log = "\
Guru Meditation Error: Core  0 panic'ed (LoadProhibited). Exception was unhandled.\n\n\
Core  0 register dump:\nPC      : 0x400d1234  PS      : 0x00060030  A0      : 0x800d5678  A1      : 0x3ffb5e60\n\n\
Backtrace: 0x400d1234:0x3ffb5e60 0x400d5675:0x3ffb5e80\n\nELF file SHA256: 0123456789abcdef\n\n\
rst:0xc (SW_CPU_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\n";
        let found: Vec<Panic> = log.lines().filter_map(|l| reader.line(l)).collect();
        assert_eq!(
            found[0].backtrace,
            ["#0 0x400d1234 renew_session+0x34", "#1 0x400d5675 ?"]
        );
    }

    #[test]
    fn a_backtrace_without_names_says_why() {
        let mut reader = PanicReader::new(Names::Unknown("built for ARM".to_owned()));
        let log =
            "====================== PANIC ======================\nx\n\nBacktrace:\n\n0x42001010\n\nrst:0x1\n";
        let found: Vec<Panic> = log.lines().filter_map(|l| reader.line(l)).collect();
        assert_eq!(
            found[0].backtrace,
            ["#0 0x42001010 ?", "(without names: built for ARM)"]
        );
        let log = "====================== PANIC ======================\nx\n\nrst:0x1\n";
        let found: Vec<Panic> = log.lines().filter_map(|l| reader.line(l)).collect();
        assert_eq!(
            found[0].backtrace,
            ["(the firmware printed no backtrace that could be read)"]
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
