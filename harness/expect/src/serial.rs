//! Finding patterns in the bytes of the consoles.

use scenario::Pattern;
use vocabulary::SerialPort;
use vocabulary::text::{EscapeFilter, holds_escapes};

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
///
/// Terminal escape sequences (colours, titles) are removed from the line before the search. A pattern that
/// contains an escape character is searched in the line as it was received.
#[derive(Debug, Default)]
pub struct SerialMatcher {
    patterns: Vec<Key>,
    ports: [Port; PORTS],
}

#[derive(Debug, Default)]
struct Port {
    /// The line as it was received, for patterns that contain an escape character.
    raw: Track,
    /// The line without terminal escape sequences, for all other patterns.
    plain: Track,
    filter: EscapeFilter,
    /// Length of the line so far as it was received, bytes.
    len: usize,
    /// Number of carriage returns that may be part of the line's end.
    returns: usize,
}

/// One form of a line, and the automata of the patterns that are searched in it.
#[derive(Debug, Default)]
struct Track {
    automata: Vec<(usize, Automaton)>,
    line: Vec<u8>,
}

impl SerialMatcher {
    /// A matcher without patterns.
    pub fn new() -> SerialMatcher {
        SerialMatcher::default()
    }

    /// Adds a pattern and returns its index; an equal pattern gets the same index.
    pub fn add(&mut self, pattern: Pattern<'_>) -> usize {
        let key = Key::of(pattern);
        if let Some(index) = self.patterns.iter().position(|p| *p == key) {
            return index;
        }
        self.patterns.push(key);
        let index = self.patterns.len() - 1;
        for port in &mut self.ports {
            let track = if holds_escape(pattern) {
                &mut port.raw
            } else {
                &mut port.plain
            };
            track.automata.push((index, Automaton::new(pattern)));
        }
        index
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
            if port.len > 0 {
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
                    let room = MAX_LINE - self.len;
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
        if self.len >= MAX_LINE {
            self.end_line(at, hits);
        }
    }

    fn take(&mut self, bytes: &[u8], at: usize, hits: &mut Vec<Hit>) {
        if self.len + bytes.len() > MAX_LINE {
            self.end_line(at, hits);
        }
        self.len += bytes.len();
        self.raw.take(bytes, |i| at + i, hits);
        // Escape sequences begin with ESC, or in UTF-8 with the byte C2.
        if self.filter.is_in_text() && !bytes.iter().any(|b| matches!(b, 0x1b | 0xc2)) {
            self.plain.take(bytes, |i| at + i, hits);
            return;
        }
        let (mut text, mut from) = (Vec::with_capacity(bytes.len()), Vec::with_capacity(bytes.len()));
        for (i, byte) in bytes.iter().enumerate() {
            self.filter.push(*byte, |b| {
                text.push(b);
                from.push(at + i);
            });
        }
        self.plain.take(&text, |i| from[i], hits);
    }

    fn end_line(&mut self, at: usize, hits: &mut Vec<Hit>) {
        let mut rest = Vec::new();
        self.filter.finish(|b| rest.push(b));
        self.plain.take(&rest, |_| at, hits);
        self.raw.end_line(at, hits);
        self.plain.end_line(at, hits);
        self.len = 0;
    }
}

impl Track {
    /// Takes bytes of a line; `offset` gives the place of each in the piece that was fed.
    fn take(&mut self, bytes: &[u8], offset: impl Fn(usize) -> usize, hits: &mut Vec<Hit>) {
        if self.automata.is_empty() {
            return;
        }
        for (pattern, automaton) in &mut self.automata {
            if let Some(i) = automaton.feed(&self.line, bytes) {
                hits.push(Hit {
                    offset: offset(i),
                    pattern: *pattern,
                });
            }
        }
        self.line.extend_from_slice(bytes);
    }

    fn end_line(&mut self, at: usize, hits: &mut Vec<Hit>) {
        for (pattern, automaton) in &mut self.automata {
            if automaton.end_line() {
                hits.push(Hit {
                    offset: at,
                    pattern: *pattern,
                });
            }
        }
        self.line.clear();
    }
}

/// What makes two patterns the same.
#[derive(Debug, PartialEq, Eq)]
enum Key {
    Text(String),
    Regex(String),
}

impl Key {
    fn of(pattern: Pattern<'_>) -> Key {
        match pattern {
            Pattern::Text(text) => Key::Text(text.to_owned()),
            Pattern::Regex(regex) => Key::Regex(regex.as_str().to_owned()),
        }
    }
}

/// True if a pattern contains escape sequences. Such a pattern is searched in the line as it was received.
pub(crate) fn holds_escape(pattern: Pattern<'_>) -> bool {
    match pattern {
        Pattern::Text(text) => holds_escapes(text),
        Pattern::Regex(regex) => {
            let lower = regex.to_ascii_lowercase();
            let written = [
                r"\x1b",
                r"\x{1b}",
                r"\u{1b}",
                r"\u001b",
                r"\u{001b}",
                r"\x9b",
                r"\x{9b}",
            ];
            holds_escapes(regex) || written.iter().any(|escape| lower.contains(escape))
        }
    }
}

#[cfg(test)]
mod tests {
    use scenario::Regex;

    use super::*;

    fn hits(pattern: Pattern<'_>, pieces: &[&str]) -> usize {
        let mut matcher = SerialMatcher::new();
        matcher.add(pattern);
        let fed: usize = pieces
            .iter()
            .map(|piece| matcher.feed(SerialPort::Uart0, piece.as_bytes()).len())
            .sum();
        fed + matcher.end_lines().len()
    }

    #[test]
    fn a_pattern_crosses_escape_sequences() {
        let line = "moved to /\u{1b}[32mnew\u{1b}[0m/x\u{1b}]0;title\u{7}, not followed\u{1b}[0m\r\n";
        for pattern in [
            Pattern::Text("moved to /new/x, not followed"),
            Pattern::Regex(&Regex::new("^moved to /new/x, not followed$").unwrap()),
        ] {
            assert_eq!(hits(pattern, &[line]), 1, "{pattern}");
            for cut in (0..line.len()).filter(|i| line.is_char_boundary(*i)) {
                assert_eq!(
                    hits(pattern, &[&line[..cut], &line[cut..]]),
                    1,
                    "{pattern} cut at {cut}"
                );
            }
        }
        assert_eq!(hits(Pattern::Text("title"), &[line]), 0);
    }

    #[test]
    fn a_pattern_that_holds_an_escape_is_looked_for_in_the_line_as_it_came() {
        let line = "\u{1b}[31m[WIFI]\u{1b}[0m\n";
        assert_eq!(hits(Pattern::Text("\u{1b}[31m[WIFI]\u{1b}[0m"), &[line]), 1);
        assert_eq!(
            hits(
                Pattern::Regex(&Regex::new(r"\x1B\[31m\[WIFI\]").unwrap()),
                &[line]
            ),
            1
        );
        assert_eq!(hits(Pattern::Text("\u{1b}[32m[WIFI]"), &[line]), 0);
        assert_eq!(hits(Pattern::Text("[WIFI]"), &[line]), 1);
    }
}
