//! The forms in which text can carry other text: with escape sequences, escaped, in hexadecimal, as numbers, in base64.
//!
//! A [`View`] is what a reader gets who undoes one form by eye or with one command, and where each of its bytes came
//! from. Secrets are looked for in the views, so each form is undone once for all secrets, in time that grows with the
//! text alone.

use std::ops::Range;

use vocabulary::text::EscapeFilter;

/// Bytes of another form, each with the range of the original that carries it.
#[derive(Debug, Default)]
pub(crate) struct View {
    /// The bytes. A [`View::BREAK`] stands where the form is interrupted.
    pub(crate) bytes: Vec<u8>,
    from: Vec<u32>,
    to: Vec<u32>,
}

impl View {
    /// No byte of a secret: UTF-8 does not use it.
    pub(crate) const BREAK: u8 = 0xff;

    fn push(&mut self, byte: u8, range: Range<usize>) {
        self.bytes.push(byte);
        self.from.push(range.start as u32);
        self.to.push(range.end as u32);
    }

    fn interrupt(&mut self, at: usize) {
        if self.bytes.last().is_some_and(|b| *b != View::BREAK) {
            self.push(View::BREAK, at..at);
        }
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.from.clear();
        self.to.clear();
    }

    /// The range of the original that carries the bytes in `range`, which is not empty.
    pub(crate) fn original(&self, range: Range<usize>) -> Range<usize> {
        let (first, last) = (range.start, range.end - 1);
        // A view can run backwards.
        let (from, to) = (
            self.from[first].min(self.from[last]),
            self.to[first].max(self.to[last]),
        );
        from as usize..to as usize
    }
}

/// `bytes` as they stand, without escape sequences, control characters and what is not UTF-8. `None` where that
/// changes nothing.
pub(crate) fn visible(bytes: &[u8]) -> Option<View> {
    let plain = |b: u8| b == b'\t' || (0x20..0x7f).contains(&b);
    if bytes.iter().all(|b| plain(*b)) {
        return None;
    }
    let mut view = View::default();
    let mut filter = EscapeFilter::default();
    let mut at = 0;
    for chunk in bytes.utf8_chunks() {
        for byte in chunk.valid().bytes() {
            filter.push(byte, |b| {
                if b == b'\t' || (b >= 0x20 && b != 0x7f) {
                    view.push(b, at..at + 1);
                }
            });
            at += 1;
        }
        at += chunk.invalid().len();
    }
    let mut rest = None;
    filter.finish(|b| rest = Some(b));
    if let Some(byte) = rest {
        view.push(byte, at - 1..at);
    }
    Some(view)
}

/// The bytes of `view`, or `bytes` where there is none, with their escapes undone: backslash (`\n`, `\x41`, `\u0041`,
/// `\u{41}`, `\101`), percent (`%41`) and character references (`&#65;`, `&#x41;`). `None` where there is none.
pub(crate) fn unescaped(bytes: &[u8], view: Option<&View>) -> Option<View> {
    let text = view.map_or(bytes, |view| &view.bytes);
    if !text.iter().any(|b| matches!(b, b'\\' | b'%' | b'&')) {
        return None;
    }
    let origin = |range: Range<usize>| view.map_or(range.clone(), |view| view.original(range));
    let mut out = View::default();
    let mut i = 0;
    while i < text.len() {
        let (len, decoded) = escape(&text[i..]).unwrap_or((1, u32::from(text[i])));
        if len == 1 {
            out.push(text[i], origin(i..i + 1));
        } else if let Some(c) = char::from_u32(decoded).filter(|c| *c as u32 >= 0x20) {
            let mut utf8 = [0; 4];
            for byte in c.encode_utf8(&mut utf8).bytes() {
                out.push(byte, origin(i..i + len));
            }
        }
        i += len;
    }
    Some(out)
}

/// The escape at the beginning of `text`: its length, and the character that it stands for.
fn escape(text: &[u8]) -> Option<(usize, u32)> {
    let digits = |from: usize, most: usize, radix: u32| {
        let len = text[from.min(text.len())..]
            .iter()
            .take(most)
            .take_while(|b| (**b as char).is_digit(radix))
            .count();
        let value = std::str::from_utf8(&text[from..from + len]).ok()?;
        Some((len, u32::from_str_radix(value, radix).ok()?))
    };
    match (text.first()?, text.get(1)?) {
        (b'%', b) if b.is_ascii_hexdigit() => {
            let (len, value) = digits(1, 2, 16)?;
            (len == 2).then_some((3, value))
        }
        (b'&', b'#') => {
            let (start, radix) = if matches!(text.get(2), Some(b'x' | b'X')) {
                (3, 16)
            } else {
                (2, 10)
            };
            let (len, value) = digits(start, 7, radix)?;
            let semicolon = usize::from(text.get(start + len) == Some(&b';'));
            Some((start + len + semicolon, value))
        }
        (b'\\', b'u') if text.get(2) == Some(&b'{') => {
            let (len, value) = digits(3, 6, 16)?;
            (text.get(3 + len) == Some(&b'}')).then_some((4 + len, value))
        }
        (b'\\', b'u') => {
            let (len, value) = digits(2, 4, 16)?;
            (len == 4).then_some((6, value))
        }
        (b'\\', b'x') => {
            let (len, value) = digits(2, 2, 16)?;
            (len == 2).then_some((4, value))
        }
        (b'\\', b'0'..=b'7') => {
            let (len, value) = digits(1, 3, 8)?;
            (len == 3).then_some((4, value))
        }
        // What is left is a letter that stands for itself, or for a control character.
        (b'\\', b'n' | b'r' | b't' | b'b' | b'f') => Some((2, 0)),
        (b'\\', b) if b.is_ascii_punctuation() => Some((2, u32::from(*b))),
        _ => None,
    }
}

/// Where a view comes from: the text itself, or a view of it.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) view: Option<&'a View>,
}

impl Source<'_> {
    pub(crate) fn text(&self) -> &[u8] {
        self.view.map_or(self.bytes, |view| &view.bytes)
    }

    pub(crate) fn origin(&self, range: Range<usize>) -> Range<usize> {
        match self.view {
            Some(view) => view.original(range),
            None => range,
        }
    }
}

/// Letters and digits alone: what is left of a text that was spaced out, quoted or wrapped.
pub(crate) fn letters(source: Source<'_>) -> View {
    let mut out = View::default();
    for (i, b) in source.text().iter().enumerate() {
        if b.is_ascii_alphanumeric() || *b >= 0x80 {
            out.push(*b, source.origin(i..i + 1));
        }
    }
    out
}

/// The text from its end.
pub(crate) fn reversed(source: Source<'_>) -> View {
    let mut out = View::default();
    let text = source.text();
    for (i, b) in text.iter().enumerate().rev() {
        out.push(*b, source.origin(i..i + 1));
    }
    out
}

/// A run of hexadecimal digits in a text.
struct Token {
    at: Range<usize>,
    /// Only separators stand between it and the one before.
    joined: bool,
}

/// The runs of hexadecimal digits, without the prefixes `0x` and `\x`.
fn hex_tokens(text: &[u8]) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::new();
    let mut i = 0;
    let mut joined = true;
    while i < text.len() {
        let prefix = matches!(text[i], b'0' | b'\\') && matches!(text.get(i + 1), Some(b'x' | b'X'));
        if prefix && text.get(i + 2).is_some_and(u8::is_ascii_hexdigit) {
            i += 2;
        }
        let len = text[i..].iter().take_while(|b| b.is_ascii_hexdigit()).count();
        if len > 0 {
            out.push(Token {
                at: i..i + len,
                joined,
            });
            joined = true;
            i += len;
            continue;
        }
        joined &= matches!(
            text[i],
            b' ' | b'\t' | b':' | b'-' | b',' | b';' | b'.' | b'|' | b'[' | b'(' | b'{'
        );
        i += 1;
    }
    out
}

/// The bytes that the hexadecimal digits stand for, in the order of the text: read from an even and from an odd digit
/// on, and each token of 4, 8 or 16 digits from its end, as a dump of little-endian words has them.
pub(crate) fn hexadecimal(source: Source<'_>, mut each: impl FnMut(&View)) {
    let text = source.text();
    let tokens = hex_tokens(text);
    let digits: usize = tokens.iter().map(|t| t.at.len()).sum();
    if digits < 8 {
        return;
    }
    let value = |i: usize| (text[i] as char).to_digit(16).unwrap_or(0) as u8;
    let mut view = View::default();
    for skip in 0..2 {
        view.clear();
        let mut left = skip;
        let mut high: Option<usize> = None;
        for token in &tokens {
            if !token.joined {
                view.interrupt(token.at.start);
                (high, left) = (None, skip);
            }
            for i in token.at.clone() {
                if left > 0 {
                    left -= 1;
                    continue;
                }
                match high.take() {
                    None => high = Some(i),
                    Some(h) => {
                        let range = source.origin(h..h + 1).start..source.origin(i..i + 1).end;
                        view.push(value(h) << 4 | value(i), range);
                    }
                }
            }
        }
        each(&view);
    }
    // Words whose bytes stand from last to first.
    view.clear();
    for token in &tokens {
        if !token.joined || !matches!(token.at.len(), 4 | 8 | 16) {
            view.interrupt(token.at.start);
        }
        if matches!(token.at.len(), 4 | 8 | 16) {
            let range = source.origin(token.at.clone());
            for i in token.at.clone().step_by(2).rev() {
                view.push(value(i) << 4 | value(i + 1), range.clone());
            }
        }
    }
    each(&view);
}

/// The bytes that a list of numbers stands for: decimal (`[111, 99]`), and octal where each has three digits.
pub(crate) fn numbers(source: Source<'_>, mut each: impl FnMut(&View)) {
    let text = source.text();
    if text.iter().filter(|b| b.is_ascii_digit()).count() < 8 {
        return;
    }
    for radix in [10, 8] {
        let mut view = View::default();
        let mut i = 0;
        while i < text.len() {
            if !text[i].is_ascii_digit() {
                if !matches!(text[i], b' ' | b'\t' | b',' | b';' | b'[' | b'(' | b'{') {
                    view.interrupt(i);
                }
                i += 1;
                continue;
            }
            let len = text[i..].iter().take_while(|b| b.is_ascii_digit()).count();
            let number = std::str::from_utf8(&text[i..i + len]).ok().filter(|_| len <= 3);
            let number = number.filter(|_| radix == 10 || len == 3);
            match number.and_then(|n| u8::from_str_radix(n, radix).ok()) {
                Some(byte) => view.push(byte, source.origin(i..i + len)),
                None => view.interrupt(i),
            }
            i += len;
        }
        each(&view);
    }
}

/// The bytes that runs of base64 stand for (RFC 4648, both alphabets), read from each of four characters on.
pub(crate) fn base64(source: Source<'_>, mut each: impl FnMut(&View)) {
    /// Fewer characters carry no eight bytes.
    const LEAST: usize = 11;
    let text = source.text();
    let six = |b: u8| match b {
        b'A'..=b'Z' => Some(b - b'A'),
        b'a'..=b'z' => Some(b - b'a' + 26),
        b'0'..=b'9' => Some(b - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    };
    let mut i = 0;
    let mut view = View::default();
    while i < text.len() {
        let len = text[i..].iter().take_while(|b| six(**b).is_some()).count();
        if len < LEAST {
            i += len.max(1);
            continue;
        }
        for phase in 0..4 {
            view.clear();
            let (mut bits, mut held) = (0_u32, 0);
            for (at, byte) in text.iter().enumerate().take(i + len).skip(i + phase) {
                bits = bits << 6 | u32::from(six(*byte).unwrap_or(0));
                held += 6;
                if held >= 8 {
                    held -= 8;
                    let range = source.origin(at - 1..at).start..source.origin(at..at + 1).end;
                    view.push((bits >> held) as u8, range);
                    bits &= (1 << held) - 1;
                }
            }
            each(&view);
        }
        i += len;
    }
}
