//! The client's half of HTTP/1.1 (RFC 9112), as far as a device needs it: from received bytes to one final response.
//!
//! The parser reads all that the grammar allows, also what the service's own cloud does not send: proxies, portals and new servers
//! come in between. What is broken is an error with a name; nothing here panics or grows.

use core::fmt;

use crate::defects::{Defect, Defects};

/// Interim responses (1xx) that are read past before the final one.
pub const INTERIM_MAX: u8 = 100;

/// The defect of a response that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadResponse {
    /// The first line is no HTTP/1.x status line.
    StatusLine,
    /// A header line without a name and a colon.
    Header,
    /// `Content-Length` is no number, or is several that differ.
    ContentLength,
    /// The chunked coding is broken.
    Chunk,
    /// Head or body is larger than the device's buffer.
    TooLarge,
    /// The connection ended before the response did.
    Truncated,
    /// The body is compressed, which the request did not allow.
    Encoded,
    /// More than [`INTERIM_MAX`] interim responses, and no final one.
    Interim,
}

impl fmt::Display for BadResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StatusLine => "bad status line",
            Self::Header => "bad header",
            Self::ContentLength => "bad content length",
            Self::Chunk => "bad chunk",
            Self::TooLarge => "response too large",
            Self::Truncated => "response cut short",
            Self::Encoded => "compressed body",
            Self::Interim => "too many interim responses",
        })
    }
}

/// How long the body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// This many bytes.
    Length(usize),
    /// Chunks.
    Chunked,
    /// Until the connection ends.
    UntilClose,
}

/// The parts of a response's head that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// Status code.
    pub status: u16,
    /// How the body is delimited.
    pub framing: Framing,
    /// True if the server will close the connection after the body, or cannot be trusted to start anew behind it.
    pub close: bool,
    /// True if the body has a coding other than identity and chunked.
    pub encoded: bool,
    /// `Retry-After`, as it stands.
    pub retry_after: Option<&'a str>,
    /// `Date`, as it stands.
    pub date: Option<&'a str>,
    /// `Location`, as it stands.
    pub location: Option<&'a str>,
    /// Length of the head in bytes: the body starts here.
    pub len: usize,
}

impl<'a> Head<'a> {
    /// Reads a head whose folded lines have been joined (see [`unfold`]). `Ok(None)` while its end has not arrived.
    pub fn parse(received: &'a [u8], defects: Defects) -> Result<Option<Self>, BadResponse> {
        let start = empty_lines(received);
        let Some(len) = head_len(received) else {
            // Something that is not HTTP at all is recognised early instead of waiting for its end.
            let first = &received[start..received.len().min(start + 5)];
            return if b"HTTP/".starts_with(first) {
                Ok(None)
            } else {
                Err(BadResponse::StatusLine)
            };
        };
        let mut lines = received[start..len].split(|byte| *byte == b'\n').map(without_cr);
        let (status, old) = status_line(lines.next().unwrap_or_default()).ok_or(BadResponse::StatusLine)?;
        let mut fields = Fields::new(defects);
        for line in lines.take_while(|line| !line.is_empty()) {
            fields.read(line)?;
        }
        let framing = fields.framing(status)?;
        Ok(Some(Self {
            status,
            framing,
            close: old || fields.close || framing == Framing::UntilClose || status == 101,
            encoded: fields.encoded,
            retry_after: fields.retry_after,
            date: fields.date,
            location: fields.location,
            len,
        }))
    }

    /// True if another head follows, which is the answer. 101 is none of these: the connection no longer speaks HTTP.
    fn is_interim(&self) -> bool {
        matches!(self.status, 100..200) && self.status != 101
    }
}

/// The `Transfer-Encoding` of a head.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Coding {
    /// None, or identity.
    Plain,
    /// The last coding is chunked.
    Chunked,
    /// The last coding is another one.
    Other,
}

/// The fields read from the header lines so far.
struct Fields<'a> {
    defects: Defects,
    coding: Coding,
    length: Option<Result<usize, BadResponse>>,
    close: bool,
    encoded: bool,
    retry_after: Option<&'a str>,
    date: Option<&'a str>,
    location: Option<&'a str>,
}

impl<'a> Fields<'a> {
    const fn new(defects: Defects) -> Self {
        Self {
            defects,
            coding: Coding::Plain,
            length: None,
            close: false,
            encoded: false,
            retry_after: None,
            date: None,
            location: None,
        }
    }

    /// True if two words are equal without regard to case, as the grammar compares them.
    fn same(&self, one: &[u8], other: &str) -> bool {
        match self.defects.has(Defect::CaseSensitiveHeaders) {
            true => one
                .iter()
                .copied()
                .eq(other.bytes().map(|byte| byte.to_ascii_lowercase())),
            false => one.eq_ignore_ascii_case(other.as_bytes()),
        }
    }

    fn read(&mut self, line: &'a [u8]) -> Result<(), BadResponse> {
        let colon = line
            .iter()
            .position(|byte| *byte == b':')
            .ok_or(BadResponse::Header)?;
        // White space before the colon is removed (RFC 9112 section 5.1), and around the value (section 5).
        let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
        if name.is_empty() {
            return Err(BadResponse::Header);
        }
        // A value may hold bytes that are not UTF-8 (RFC 9110 section 5.5); then it is none of those below.
        let text = core::str::from_utf8(value).ok();
        if self.same(name, "Content-Length") {
            self.content_length(value);
        } else if self.same(name, "Transfer-Encoding") {
            self.transfer_encoding(value);
        } else if self.same(name, "Connection") {
            self.close |= members(value).any(|option| option.eq_ignore_ascii_case(b"close"));
        } else if self.same(name, "Content-Encoding") {
            self.encoded |= members(value).any(|coding| !coding.eq_ignore_ascii_case(b"identity"));
        } else if self.same(name, "Retry-After") {
            self.retry_after = text;
        } else if self.same(name, "Date") {
            self.date = text;
        } else if self.same(name, "Location") {
            self.location = text;
        }
        Ok(())
    }

    /// Several lengths are one if they are equal (RFC 9110 section 8.6).
    fn content_length(&mut self, value: &[u8]) {
        let mut lengths = members(value).map(decimal).peekable();
        if lengths.peek().is_none() {
            self.length = Some(Err(BadResponse::ContentLength));
        }
        for length in lengths {
            self.length = Some(match self.length {
                Some(known) if known != length => Err(BadResponse::ContentLength),
                Some(known) => known,
                None => length,
            });
        }
    }

    fn transfer_encoding(&mut self, value: &[u8]) {
        for coding in members(value) {
            if coding.eq_ignore_ascii_case(b"identity") {
                continue;
            }
            // Chunked is applied once, and last (RFC 9112 section 6.1): what comes behind it hides the chunks.
            let chunked = self.same(coding, "chunked") && self.coding != Coding::Chunked;
            self.encoded |= !chunked;
            self.coding = match chunked {
                true => Coding::Chunked,
                false => Coding::Other,
            };
        }
    }

    /// RFC 9112 section 6.3.
    fn framing(&mut self, status: u16) -> Result<Framing, BadResponse> {
        if matches!(status, 100..200 | 204 | 304) {
            return Ok(Framing::Length(0));
        }
        if self.coding != Coding::Plain {
            // A length beside a coding is no length, and a sign that somebody on the way means another one.
            self.close |= self.length.is_some();
        }
        match (self.coding, self.length) {
            (Coding::Chunked, _) => Ok(Framing::Chunked),
            (Coding::Other, _) | (Coding::Plain, None) => Ok(Framing::UntilClose),
            (Coding::Plain, Some(length)) => length.map(Framing::Length),
        }
    }
}

/// The members of a comma-separated list. Empty ones count for nothing (RFC 9110 section 5.6.1).
fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let members = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    members.filter(|member| !member.is_empty())
}

/// A number of decimal digits only. One that is larger than any memory is as large as any memory.
fn decimal(digits: &[u8]) -> Result<usize, BadResponse> {
    digits.iter().try_fold(0usize, |number, digit| match digit {
        b'0'..=b'9' => Ok(number
            .saturating_mul(10)
            .saturating_add(usize::from(digit - b'0'))),
        _ => Err(BadResponse::ContentLength),
    })
}

/// Bytes of empty lines before the status line, which some servers leave behind the last body.
fn empty_lines(received: &[u8]) -> usize {
    let is_line_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    received
        .iter()
        .position(|byte| !is_line_end(byte))
        .unwrap_or(received.len())
}

/// Length of the head with the empty line that ends it. A line may end in a line feed alone (RFC 9112 section 2.2).
fn head_len(received: &[u8]) -> Option<usize> {
    let start = empty_lines(received);
    let ends = received
        .iter()
        .enumerate()
        .skip(start)
        .filter(|(_, byte)| **byte == b'\n');
    ends.map(|(at, _)| at + 1)
        .find_map(|next| match received[next..] {
            [b'\n', ..] => Some(next + 1),
            [b'\r', b'\n', ..] => Some(next + 2),
            _ => None,
        })
}

/// Joins folded lines in a whole head: a line end before a space or tab becomes spaces (RFC 9112 section 5.2), and so
/// does a carriage return that ends no line (section 2.2).
pub fn unfold(head: &mut [u8]) {
    for at in 0..head.len() {
        if head[at] == b'\r' && head.get(at + 1) != Some(&b'\n') {
            head[at] = b' ';
        }
    }
    for at in 1..head.len() {
        if head[at - 1] == b'\n' && matches!(head[at], b' ' | b'\t') {
            head[at - 1] = b' ';
            if at >= 2 && head[at - 2] == b'\r' {
                head[at - 2] = b' ';
            }
        }
    }
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Status code, and whether the server speaks HTTP/1.0 and so closes by default.
fn status_line(line: &[u8]) -> Option<(u16, bool)> {
    let [minor, b' ', a, b, c, ref rest @ ..] = *line.strip_prefix(b"HTTP/1.")? else {
        return None;
    };
    if ![minor, a, b, c].iter().all(u8::is_ascii_digit) || !matches!(rest.first(), None | Some(b' ')) {
        return None;
    }
    let code = [a, b, c]
        .iter()
        .fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    (100..600).contains(&code).then_some((code, minor == b'0'))
}

/// A final response that has arrived in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Length of the head in bytes; the body starts here.
    pub head_len: usize,
    /// Where the body ends.
    pub body_end: usize,
    /// True if the connection cannot be used again.
    pub close: bool,
}

/// A response on its way: the bytes so far, in a buffer that bounds it.
pub struct Incoming<'b> {
    buffer: &'b mut [u8],
    len: usize,
    interims: u8,
    defects: Defects,
}

impl<'b> Incoming<'b> {
    /// Nothing has arrived yet.
    pub fn new(buffer: &'b mut [u8], defects: Defects) -> Self {
        Self {
            buffer,
            len: 0,
            interims: 0,
            defects,
        }
    }

    /// True if no byte has arrived.
    pub fn is_empty(&self) -> bool {
        self.len == 0 && self.interims == 0
    }

    /// Where the next bytes belong.
    pub fn room(&mut self) -> &mut [u8] {
        &mut self.buffer[self.len..]
    }

    /// Takes `count` more bytes, which lie in [`Self::room`]; 0 when the connection has ended.
    ///
    /// `Ok(None)` asks for more. When the response is whole, interim responses before it are gone from the buffer,
    /// its head is unfolded and its body is not chunked any more.
    pub fn take(&mut self, count: usize) -> Result<Option<Received>, BadResponse> {
        self.len = (self.len + count).min(self.buffer.len());
        match self.read(count == 0)? {
            Some(received) => Ok(Some(received)),
            None if count == 0 => Err(BadResponse::Truncated),
            None if self.len == self.buffer.len() => Err(BadResponse::TooLarge),
            None => Ok(None),
        }
    }

    fn read(&mut self, ended: bool) -> Result<Option<Received>, BadResponse> {
        loop {
            let response = &mut self.buffer[..self.len];
            if let (Some(len), false) = (head_len(response), self.defects.has(Defect::NoFoldedHeaders)) {
                unfold(&mut response[..len]);
            }
            let Some(head) = Head::parse(response, self.defects)? else {
                return Ok(None);
            };
            if !head.is_interim() || self.defects.has(Defect::InterimIsFinal) {
                let (framing, close, len) = (head.framing, head.close, head.len);
                return self.body(framing, close, len, ended);
            }
            if self.interims == INTERIM_MAX {
                return Err(BadResponse::Interim);
            }
            self.interims += 1;
            let len = head.len;
            self.buffer.copy_within(len..self.len, 0);
            self.len -= len;
        }
    }

    fn body(
        &mut self,
        framing: Framing,
        close: bool,
        head_len: usize,
        ended: bool,
    ) -> Result<Option<Received>, BadResponse> {
        let room = self.buffer.len() - head_len;
        let body = &mut self.buffer[head_len..self.len];
        let have = body.len();
        // Length of the body, and how many of the received bytes it took.
        let whole = match framing {
            Framing::Length(wanted) if wanted > room => return Err(BadResponse::TooLarge),
            Framing::Length(wanted) => (have >= wanted).then_some((wanted, wanted)),
            Framing::Chunked => dechunk(body, room, self.defects)?,
            Framing::UntilClose => ended.then_some((have, have)),
        };
        Ok(whole.map(|(len, taken)| Received {
            head_len,
            body_end: head_len + len,
            // Bytes behind the response belong to no request of ours.
            close: close || taken < have,
        }))
    }
}

/// Unpacks a chunked body in place, of which not more than `max` bytes are kept.
///
/// `Ok(None)` while it is not complete; else the body's length, and the length of its coding with the trailer section.
fn dechunk(body: &mut [u8], max: usize, defects: Defects) -> Result<Option<(usize, usize)>, BadResponse> {
    let Some(taken) = coding_len(body, max, defects)? else {
        return Ok(None);
    };
    let (mut from, mut to) = (0, 0);
    while let Some((len, start)) = chunk_header(&body[from..])? {
        if len == 0 {
            break;
        }
        let data = from + start..from + start + len;
        from = data.end + line_end(&body[data.end..])?.unwrap_or_default();
        body.copy_within(data, to);
        to += len;
    }
    Ok(Some((to, taken)))
}

/// Length of the chunks and the trailer section, if they are complete.
fn coding_len(body: &[u8], max: usize, defects: Defects) -> Result<Option<usize>, BadResponse> {
    let (mut at, mut total) = (0, 0usize);
    loop {
        let Some((len, start)) = chunk_header(&body[at..])? else {
            return Ok(None);
        };
        at += start;
        if len == 0 {
            return Ok(trailer_len(&body[at..], defects)?.map(|trailer| at + trailer));
        }
        total = total.saturating_add(len);
        if total > max {
            return Err(BadResponse::TooLarge);
        }
        let Some(end) = body.get(at + len..).map(line_end).transpose()?.flatten() else {
            return Ok(None);
        };
        at += len + end;
    }
}

/// Length of the chunk that starts here, and where its data starts.
///
/// Extensions (RFC 9112 section 7.1.1) and white space round the number are skipped.
fn chunk_header(bytes: &[u8]) -> Result<Option<(usize, usize)>, BadResponse> {
    let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\t');
    let blanks = bytes.iter().take_while(is_blank).count();
    let digits = bytes[blanks..]
        .iter()
        .map_while(|byte| char::from(*byte).to_digit(16));
    let (count, len) = digits.fold((0, 0usize), |(count, len), digit| {
        (count + 1, len.saturating_mul(16).saturating_add(digit as usize))
    });
    let rest = &bytes[blanks + count..];
    let behind = rest.iter().find(|byte| !is_blank(byte));
    match (count, behind) {
        (0, Some(_)) => return Err(BadResponse::Chunk),
        (_, None | Some(b';' | b'\r' | b'\n')) => {}
        (_, Some(_)) => return Err(BadResponse::Chunk),
    }
    let end = rest.iter().position(|byte| *byte == b'\n');
    Ok(end.map(|end| (len, blanks + count + end + 1)))
}

/// Length of the line end that must be here; `None` if it has not arrived.
fn line_end(bytes: &[u8]) -> Result<Option<usize>, BadResponse> {
    match bytes {
        [] | [b'\r'] => Ok(None),
        [b'\n', ..] => Ok(Some(1)),
        [b'\r', b'\n', ..] => Ok(Some(2)),
        _ => Err(BadResponse::Chunk),
    }
}

/// Length of the trailer section with its empty line (RFC 9112 section 7.1.2). Its fields are discarded.
fn trailer_len(bytes: &[u8], defects: Defects) -> Result<Option<usize>, BadResponse> {
    let mut at = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(text) = line.strip_suffix(b"\n").map(without_cr) else {
            break;
        };
        at += line.len();
        if text.is_empty() {
            return Ok(Some(at));
        }
        let is_field = text.contains(&b':') || matches!(text[0], b' ' | b'\t');
        if !is_field || defects.has(Defect::NoChunkTrailers) {
            return Err(BadResponse::Chunk);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
