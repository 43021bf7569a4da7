//! The head of an HTTP/1.1 response and the chunked coding, as far as a device needs them.

use core::fmt;

/// What is wrong with a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadResponse {
    /// The first line is no HTTP/1.x status line.
    StatusLine,
    /// A header line without a colon, or one that is not text.
    Header,
    /// `Content-Length` is no number.
    ContentLength,
    /// The chunked coding is broken.
    Chunk,
    /// Head or body is larger than the device's buffer.
    TooLarge,
    /// The connection ended before the response did.
    Truncated,
    /// The body is compressed, which nobody asked for.
    Encoded,
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
    /// Whether the server will close the connection after the body.
    pub close: bool,
    /// Whether the body has a content coding other than identity.
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
    /// Reads a head. `Ok(None)` while its end has not arrived.
    pub fn parse(received: &'a [u8]) -> Result<Option<Self>, BadResponse> {
        let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") else {
            // Something that is not HTTP at all is recognised early instead of waiting for its end.
            let start = &received[..received.len().min(5)];
            return if b"HTTP/".starts_with(start) {
                Ok(None)
            } else {
                Err(BadResponse::StatusLine)
            };
        };
        let text = core::str::from_utf8(&received[..end]).map_err(|_| BadResponse::Header)?;
        let mut lines = text.split("\r\n");
        let (status, old) = status_line(lines.next().unwrap_or_default()).ok_or(BadResponse::StatusLine)?;
        let mut head = Self {
            status,
            framing: Framing::UntilClose,
            close: old,
            encoded: false,
            retry_after: None,
            date: None,
            location: None,
            len: end + 4,
        };
        for line in lines {
            let (name, value) = line.split_once(':').ok_or(BadResponse::Header)?;
            head.header(name, value.trim())?;
        }
        if matches!(status, 204 | 304) {
            head.framing = Framing::Length(0);
        }
        head.close |= head.framing == Framing::UntilClose;
        Ok(Some(head))
    }

    fn header(&mut self, name: &str, value: &'a str) -> Result<(), BadResponse> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("content-length") {
            // Chunked wins over a length, RFC 9112 section 6.3.
            if self.framing != Framing::Chunked {
                let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
                let length = value.parse().ok().filter(|_| digits);
                self.framing = Framing::Length(length.ok_or(BadResponse::ContentLength)?);
            }
        } else if is("transfer-encoding") {
            if value.eq_ignore_ascii_case("chunked") {
                self.framing = Framing::Chunked;
            } else {
                self.encoded = true;
            }
        } else if is("connection") {
            self.close |= value.eq_ignore_ascii_case("close");
        } else if is("content-encoding") {
            self.encoded |= !value.eq_ignore_ascii_case("identity");
        } else if is("retry-after") {
            self.retry_after = Some(value);
        } else if is("date") {
            self.date = Some(value);
        } else if is("location") {
            self.location = Some(value);
        }
        Ok(())
    }
}

/// Status code, and whether the server speaks HTTP/1.0 and so closes by default.
fn status_line(line: &str) -> Option<(u16, bool)> {
    let (version, rest) = line.split_once(' ')?;
    let minor = version.strip_prefix("HTTP/1.")?;
    let code = rest.get(..3)?;
    if !code.bytes().all(|byte| byte.is_ascii_digit()) || !matches!(rest.as_bytes().get(3), None | Some(b' '))
    {
        return None;
    }
    Some((
        code.parse().ok().filter(|code| (100..600).contains(code))?,
        minor == "0",
    ))
}

/// A response that has arrived in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Length of the head in bytes; the body starts here.
    pub head_len: usize,
    /// Where the body ends.
    pub body_end: usize,
    /// Whether the connection is of no further use.
    pub close: bool,
}

impl Received {
    /// Looks whether the bytes so far are a whole response, and unpacks a chunked body in place if so.
    ///
    /// `ended` tells that no more will come; `max` is the size of the buffer, in bytes.
    pub fn of(response: &mut [u8], ended: bool, max: usize) -> Result<Option<Self>, BadResponse> {
        let Some(Head {
            framing,
            close,
            len: head_len,
            ..
        }) = Head::parse(response)?
        else {
            return Ok(None);
        };
        let have = response.len() - head_len;
        let body_len = match framing {
            Framing::Length(wanted) if head_len.saturating_add(wanted) > max => {
                return Err(BadResponse::TooLarge);
            }
            Framing::Length(wanted) => (have >= wanted).then_some(wanted),
            Framing::Chunked => dechunk(&mut response[head_len..])?,
            Framing::UntilClose => ended.then_some(have),
        };
        Ok(body_len.map(|body_len| Self {
            head_len,
            body_end: head_len + body_len,
            close,
        }))
    }
}

/// Unpacks a chunked body in place. `Ok(None)` while it is not complete; else the body's length.
pub fn dechunk(body: &mut [u8]) -> Result<Option<usize>, BadResponse> {
    if !chunks_complete(body)? {
        return Ok(None);
    }
    let (mut from, mut to) = (0, 0);
    while let Some((len, start)) = chunk_header(&body[from..])? {
        if len == 0 {
            break;
        }
        body.copy_within(from + start..from + start + len, to);
        to += len;
        from += start + len + 2;
    }
    Ok(Some(to))
}

fn chunks_complete(body: &[u8]) -> Result<bool, BadResponse> {
    let mut at = 0;
    loop {
        let Some((len, start)) = chunk_header(&body[at..])? else {
            return Ok(false);
        };
        let end = at + start + len;
        match body.get(end..end + 2) {
            None => return Ok(false),
            Some(b"\r\n") if len == 0 => return Ok(true),
            Some(b"\r\n") => at = end + 2,
            // Trailer fields are not something this service sends.
            Some(_) => return Err(BadResponse::Chunk),
        }
    }
}

/// Length of the chunk that starts here, and where its data starts.
fn chunk_header(bytes: &[u8]) -> Result<Option<(usize, usize)>, BadResponse> {
    let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") else {
        return if bytes.len() > 32 {
            Err(BadResponse::Chunk)
        } else {
            Ok(None)
        };
    };
    let line = core::str::from_utf8(&bytes[..end]).map_err(|_| BadResponse::Chunk)?;
    let digits = line.split(';').next().unwrap_or_default().trim();
    let len = u16::from_str_radix(digits, 16).map_err(|_| BadResponse::Chunk)?;
    Ok(Some((usize::from(len), end + 2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_head() {
        let bytes = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 5\r\nretry-after:  30 \r\n\r\nhello";
        let head = Head::parse(bytes).unwrap().unwrap();
        assert_eq!(
            (head.status, head.framing, head.close),
            (429, Framing::Length(5), false)
        );
        assert_eq!(head.retry_after, Some("30"));
        assert_eq!(&bytes[head.len..], b"hello");
    }

    #[test]
    fn every_prefix_of_a_head_asks_for_more() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        for len in 0..bytes.len() {
            assert_eq!(Head::parse(&bytes[..len]), Ok(None), "{len}");
        }
        assert!(Head::parse(bytes).unwrap().is_some());
    }

    #[test]
    fn framings() {
        let framing = |bytes| Head::parse(bytes).map(|head| head.map(|head| (head.framing, head.close)));
        assert_eq!(
            framing(b"HTTP/1.0 200 OK\r\n\r\n"),
            Ok(Some((Framing::UntilClose, true)))
        );
        assert_eq!(
            framing(b"HTTP/1.1 204 No\r\n\r\n"),
            Ok(Some((Framing::Length(0), false)))
        );
        let both = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n";
        assert_eq!(framing(both), Ok(Some((Framing::Chunked, false))));
        let close = b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 3\r\n\r\n";
        assert_eq!(framing(close), Ok(Some((Framing::Length(3), true))));
    }

    #[test]
    fn what_is_not_http_is_refused_at_once() {
        assert_eq!(Head::parse(b"<html>"), Err(BadResponse::StatusLine));
        assert_eq!(
            Head::parse(b"HTTP/1.1 2000 OK\r\n\r\n"),
            Err(BadResponse::StatusLine)
        );
        assert_eq!(Head::parse(b"HTTP/2 200\r\n\r\n"), Err(BadResponse::StatusLine));
        assert_eq!(
            Head::parse(b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"),
            Err(BadResponse::Header)
        );
        let negative = b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n";
        assert_eq!(Head::parse(negative), Err(BadResponse::ContentLength));
        assert_eq!(
            Head::parse(b"HTTP/1.1 200 OK\r\nX: \xFF\r\n\r\n"),
            Err(BadResponse::Header)
        );
    }

    #[test]
    fn compression_and_redirects_are_noticed() {
        let gzip = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\n";
        assert!(Head::parse(gzip).unwrap().unwrap().encoded);
        let moved = b"HTTP/1.1 301 Moved\r\nLocation: https://x/\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(Head::parse(moved).unwrap().unwrap().location, Some("https://x/"));
    }

    #[test]
    fn a_response_is_whole_when_its_body_is() {
        let whole = *b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
        for len in 0..whole.len() {
            assert_eq!(Received::of(&mut { whole }[..len], false, 100), Ok(None), "{len}");
        }
        let received = Received {
            head_len: 38,
            body_end: 40,
            close: false,
        };
        assert_eq!(Received::of(&mut { whole }, false, 100), Ok(Some(received)));
        assert_eq!(
            Received::of(&mut { whole }, false, 39),
            Err(BadResponse::TooLarge)
        );
        let mut huge = *b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n";
        assert_eq!(Received::of(&mut huge, false, 100), Err(BadResponse::TooLarge));
    }

    #[test]
    fn without_a_length_the_end_of_the_connection_ends_the_body() {
        let whole = *b"HTTP/1.1 200 OK\r\n\r\nhi";
        assert_eq!(Received::of(&mut { whole }, false, 100), Ok(None));
        let received = Received {
            head_len: 19,
            body_end: 21,
            close: true,
        };
        assert_eq!(Received::of(&mut { whole }, true, 100), Ok(Some(received)));
    }

    #[test]
    fn chunks_are_joined() {
        let mut body = *b"4\r\nWiki\r\n5;x=y\r\npedia\r\n0\r\n\r\n";
        let len = dechunk(&mut body).unwrap().unwrap();
        assert_eq!(&body[..len], b"Wikipedia");
    }

    #[test]
    fn incomplete_and_broken_chunks() {
        let whole = *b"4\r\nWiki\r\n0\r\n\r\n";
        for len in 0..whole.len() {
            assert_eq!(dechunk(&mut { whole }[..len]), Ok(None), "{len}");
        }
        assert_eq!(dechunk(&mut { *b"zz\r\n" }), Err(BadResponse::Chunk));
        assert_eq!(dechunk(&mut { *b"1\r\nabc\r\n" }), Err(BadResponse::Chunk));
        assert_eq!(dechunk(&mut [b'0'; 40]), Err(BadResponse::Chunk));
    }
}
