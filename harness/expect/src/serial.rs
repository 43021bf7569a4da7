//! Finding patterns in the bytes of the consoles.

use scenario::Pattern;
use vocabulary::SerialPort;

use crate::automaton::Automaton;
use crate::lines::{MAX_LINE, PORTS, port_index};

/// A pattern was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// Index of the byte, in the bytes given to `feed`, that completes the pattern.
    pub offset: usize,
    /// Index of the pattern.
    pub pattern: usize,
}

/// Finds patterns in the bytes of both consoles, in linear time and bounded memory. The division of the bytes
/// into pieces has no effect.
///
/// Patterns are searched in single lines (see [`LineAssembler`](crate::LineAssembler) for the ends of lines).
/// A hit is reported with the byte that completes it, so that a prompt without a line end is found; only an
/// expression that looks ahead (`$`, `\b`) needs one more byte or the line's end. Each pattern is reported at
/// most once per line.
#[derive(Debug, Default)]
pub struct SerialMatcher {
    patterns: Vec<String>,
    ports: [Port; PORTS],
}

#[derive(Debug, Default)]
struct Port {
    automata: Vec<Automaton>,
    line: Vec<u8>,
    /// Number of carriage returns that may be part of the line's end.
    returns: usize,
}

impl SerialMatcher {
    /// A matcher without patterns.
    pub fn new() -> SerialMatcher {
        SerialMatcher::default()
    }

    /// Adds a pattern and returns its index; an equal pattern gets the same index.
    pub fn add(&mut self, pattern: Pattern<'_>) -> usize {
        let key = pattern.to_string();
        if let Some(index) = self.patterns.iter().position(|p| *p == key) {
            return index;
        }
        self.patterns.push(key);
        for port in &mut self.ports {
            port.automata.push(Automaton::new(pattern));
        }
        self.patterns.len() - 1
    }

    /// Takes bytes and returns the patterns that they complete, in order.
    pub fn feed(&mut self, port: SerialPort, bytes: &[u8]) -> Vec<Hit> {
        let mut hits = Vec::new();
        if self.patterns.is_empty() {
            return hits;
        }
        self.ports[port_index(port)].feed(bytes, &mut hits);
        hits.sort_unstable();
        hits
    }

    /// Ends the lines of both consoles: the device stopped, or the run is over. Hits have offset 0.
    pub fn end_lines(&mut self) -> Vec<Hit> {
        let mut hits = Vec::new();
        for port in &mut self.ports {
            if !port.line.is_empty() {
                port.end_line(0, &mut hits);
            }
            port.returns = 0;
        }
        hits.sort_unstable();
        hits.dedup();
        hits
    }
}

impl Port {
    fn feed(&mut self, bytes: &[u8], hits: &mut Vec<Hit>) {
        let mut at = 0;
        while at < bytes.len() {
            match bytes[at] {
                b'\n' => {
                    self.returns = 0;
                    self.end_line(at, hits);
                    at += 1;
                }
                b'\r' => {
                    self.returns += 1;
                    // More than a line of carriage returns is not a line end.
                    if self.returns > MAX_LINE {
                        self.release(at, hits);
                    }
                    at += 1;
                }
                _ => {
                    self.release(at, hits);
                    let room = MAX_LINE - self.line.len();
                    let rest = &bytes[at..bytes.len().min(at + room)];
                    let len = rest
                        .iter()
                        .position(|b| matches!(b, b'\n' | b'\r'))
                        .unwrap_or(rest.len());
                    self.take(&rest[..len], at, hits);
                    at += len;
                }
            }
        }
    }

    /// Takes the carriage returns that are not part of a line's end as text.
    fn release(&mut self, at: usize, hits: &mut Vec<Hit>) {
        for _ in 0..std::mem::take(&mut self.returns) {
            let before = hits.len();
            self.take(b"\r", 0, hits);
            for hit in &mut hits[before..] {
                hit.offset = at;
            }
        }
        if self.line.len() >= MAX_LINE {
            self.end_line(at, hits);
        }
    }

    fn take(&mut self, bytes: &[u8], at: usize, hits: &mut Vec<Hit>) {
        if self.line.len() + bytes.len() > MAX_LINE {
            self.end_line(at, hits);
        }
        for (pattern, automaton) in self.automata.iter_mut().enumerate() {
            if let Some(i) = automaton.feed(&self.line, bytes) {
                hits.push(Hit {
                    offset: at + i,
                    pattern,
                });
            }
        }
        self.line.extend_from_slice(bytes);
    }

    fn end_line(&mut self, at: usize, hits: &mut Vec<Hit>) {
        for (pattern, automaton) in self.automata.iter_mut().enumerate() {
            if automaton.end_line() {
                hits.push(Hit { offset: at, pattern });
            }
        }
        self.line.clear();
    }
}
