//! Text of devices and of files, made fit for people: without terminal escape sequences, and in one line.
//!
//! A console carries more than text. ECMA-48 (fifth edition) defines the sequences that colour it, move the cursor or
//! set the title of a window: an introducer (ESC, or one of the C1 controls that UTF-8 writes as `C2 80` to `C2 9F`),
//! parameters, and a final byte or a terminator. [`EscapeFilter`] takes them out whole, byte by byte, wherever the
//! bytes are cut; everything that compares, hides or shows console text uses it.

use std::borrow::Cow;

const ESC: u8 = 0x1b;
/// The first byte of a C1 control in UTF-8.
const C1_LEAD: u8 = 0xc2;
const BEL: u8 = 0x07;
const CAN: u8 = 0x18;
const SUB: u8 = 0x1a;

/// Where in a sequence the bytes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Outside of sequences.
    #[default]
    Text,
    /// After `C2`: the first byte of a C1 control or of an ordinary letter.
    Lead,
    /// After ESC.
    Escape,
    /// After ESC and intermediate bytes, such as the choice of a character set.
    Intermediate,
    /// In a control sequence (CSI), ECMA-48 section 5.4.
    Control,
    /// In a command string (OSC, DCS, SOS, PM, APC), section 5.6.
    Command,
    /// In a command string after ESC, which may begin its terminator.
    CommandEscape,
    /// In a command string after `C2`.
    CommandLead,
}

/// Takes terminal escape sequences out of bytes, in whatever pieces they come. A sequence that is not finished ends
/// with its line, so that a broken one hides no more than that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EscapeFilter(State);

impl EscapeFilter {
    /// Outside of any sequence: bytes other than ESC and `C2` pass unchanged.
    pub fn is_in_text(&self) -> bool {
        self.0 == State::Text
    }

    /// Takes a byte; `text` gets what is no part of a sequence.
    pub fn push(&mut self, byte: u8, mut text: impl FnMut(u8)) {
        let from = self.0;
        // Line ends and the two cancelling controls end every sequence.
        if from != State::Text && matches!(byte, b'\n' | b'\r' | CAN | SUB) {
            if from == State::Lead {
                text(C1_LEAD);
            }
            self.0 = State::Text;
            if matches!(byte, b'\n' | b'\r') {
                text(byte);
            }
            return;
        }
        self.0 = match (from, byte) {
            (State::Text, ESC) | (State::Escape | State::Intermediate | State::Control, ESC) => State::Escape,
            (State::Text, C1_LEAD) => State::Lead,
            (State::Text, _) => {
                text(byte);
                State::Text
            }
            (State::Lead, 0x80..=0x9f) => c1(byte),
            (State::Lead, _) => {
                text(C1_LEAD);
                self.0 = State::Text;
                return self.push(byte, text);
            }
            // `ESC [` and the like are the C1 controls of a 7-bit line.
            (State::Escape, 0x40..=0x5f) => c1(byte + 0x40),
            (State::Escape | State::Intermediate, 0x20..=0x2f) => State::Intermediate,
            (State::Escape, 0x30..=0x7e) | (State::Intermediate, 0x30..=0x7e) => State::Text,
            (State::Control, 0x20..=0x3f) => State::Control,
            (State::Control, 0x40..=0x7e) => State::Text,
            // What cannot be part of the sequence ends it, and is text.
            (State::Escape | State::Intermediate | State::Control, _) => {
                self.0 = State::Text;
                return self.push(byte, text);
            }
            (State::Command | State::CommandEscape | State::CommandLead, BEL) => State::Text,
            (State::Command | State::CommandEscape | State::CommandLead, ESC) => State::CommandEscape,
            (State::CommandEscape, b'\\') | (State::CommandLead, 0x9c) => State::Text,
            (State::Command | State::CommandEscape | State::CommandLead, C1_LEAD) => State::CommandLead,
            (State::Command | State::CommandEscape | State::CommandLead, _) => State::Command,
        };
    }

    /// The bytes end here; `text` gets a byte that was held back.
    pub fn finish(&mut self, mut text: impl FnMut(u8)) {
        if std::mem::take(&mut self.0) == State::Lead {
            text(C1_LEAD);
        }
    }
}

/// The state after a C1 control, by its 8-bit code.
fn c1(code: u8) -> State {
    match code {
        0x9b => State::Control,
        // DCS, SOS, OSC, PM and APC.
        0x90 | 0x98 | 0x9d | 0x9e | 0x9f => State::Command,
        _ => State::Text,
    }
}

/// `text` without terminal escape sequences; other control characters stay.
pub fn without_escapes(text: &str) -> Cow<'_, str> {
    if !holds_escapes(text) {
        return Cow::Borrowed(text);
    }
    let mut filter = EscapeFilter::default();
    let mut out = Vec::with_capacity(text.len());
    for byte in text.bytes() {
        filter.push(byte, |b| out.push(b));
    }
    filter.finish(|b| out.push(b));
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

/// Whether an escape sequence may begin in `text`.
pub fn holds_escapes(text: &str) -> bool {
    text.contains(|c: char| c == '\u{1b}' || ('\u{80}'..='\u{9f}').contains(&c))
}

/// `text` without escape sequences and control characters but the tabulator: what a device prints must not steer the
/// terminal of the person who reads it.
pub fn printable(text: &str) -> Cow<'_, str> {
    let keep = |c: &char| *c == '\t' || !steers(*c);
    if text.chars().all(|c| keep(&c)) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(without_escapes(text).chars().filter(keep).collect())
}

/// Whether a character does something to the line that it stands in: a control character, or a separator of lines.
fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// `text` with its control characters written out (`\n`, `\u{1b}`), for a message of one line: names, paths,
/// patterns, and lines of which the message must show all.
pub fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if steers(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// `text` between quotes, in one line.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", one_line(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_taken_out_whole() {
        for (with, without) in [
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("a\u{1b}[1;38;2;1;2;3mb", "ab"),
            ("/\u{1b}[32mnew\u{1b}[0m/x\u{1b}]0;title\u{7}, end", "/new/x, end"),
            ("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            (
                "\u{1b}Pq#0\u{1b}\\x\u{1b}_apc\u{1b}\\y\u{1b}^pm\u{1b}\\z\u{1b}Xsos\u{1b}\\",
                "xyz",
            ),
            ("\u{9b}31mred\u{9d}0;t\u{9c}x\u{90}q\u{7}y", "redxy"),
            ("\u{1b}(B\u{1b})0\u{1b}7\u{1b}8\u{1b}=\u{1b}cx", "x"),
            // Cut off or broken, a sequence hides no more than its line.
            ("a\u{1b}]0;title\nb", "a\nb"),
            ("a\u{1b}[31\nb\u{1b}[3\u{1b}[0mc", "a\nbc"),
            ("a\u{1b}[3\u{7}b", "a\u{7}b"),
            ("a\u{1b}", "a"),
            ("caf\u{e9} \u{a0}\u{e2}", "caf\u{e9} \u{a0}\u{e2}"),
            ("\u{85}x", "x"),
        ] {
            assert_eq!(without_escapes(with), without, "{with:?}");
        }
    }

    #[test]
    fn pieces_make_no_difference() {
        let bytes = "x\u{1b}[31mred\u{1b}]0;t\u{7} \u{9b}1mé\u{1b}(By".as_bytes();
        let whole = without_escapes(std::str::from_utf8(bytes).unwrap()).into_owned();
        for cut in 0..bytes.len() {
            let mut filter = EscapeFilter::default();
            let mut out = Vec::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                part.iter().for_each(|b| filter.push(*b, |b| out.push(b)));
            }
            assert_eq!(String::from_utf8(out).unwrap(), whole, "cut at {cut}");
        }
    }

    #[test]
    fn a_device_cannot_steer_the_terminal() {
        assert_eq!(printable("\u{1b}[31mred\u{1b}[0m\u{7}\tx\0\u{1b}"), "red\tx");
        assert_eq!(printable("\u{1b}]0;title\u{7}x"), "x");
    }

    #[test]
    fn one_line_stays_one_line() {
        assert_eq!(quoted("RSSI -52 dBm\r\n"), r#""RSSI -52 dBm\r\n""#);
        assert_eq!(one_line("a\u{1b}[0m\tb\u{2028}é"), "a\\u{1b}[0m\\tb\\u{2028}é");
    }
}
