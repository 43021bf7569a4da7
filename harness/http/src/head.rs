//! What a request head must be like.
//!
//! hyper reads more than public servers do. This file refuses, before hyper sees it, what RFC 9112 tells a server to
//! refuse and what nginx or common CDNs refuse beyond that, so that a firmware that passes here passes there too.

use std::borrow::Cow;
use std::net::Ipv6Addr;

/// The longest request line, bytes, as nginx's `large_client_header_buffers`.
pub(crate) const MAX_LINE: usize = 8 * 1024;
/// The longest head, bytes.
pub(crate) const MAX_HEAD: usize = 16 * 1024;
/// The most header fields, as Apache's `LimitRequestFields`.
const MAX_FIELDS: usize = 100;

/// A request that is refused for its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// What is wrong.
    pub(crate) what: Cow<'static, str>,
}

const fn bad(what: &'static str) -> Refusal {
    refusal(400, what)
}

const fn refusal(status: u16, what: &'static str) -> Refusal {
    Refusal {
        status,
        what: Cow::Borrowed(what),
    }
}

/// The line has not ended within [`MAX_LINE`].
pub(crate) const LINE_TOO_LONG: Refusal = refusal(414, "URI too long");
/// The head has not ended within [`MAX_HEAD`].
pub(crate) const HEAD_TOO_LONG: Refusal = refusal(431, "Request header fields too large");
/// The size of a chunk is no hexadecimal number, or its line is too long.
pub(crate) const BAD_CHUNK: Refusal = bad("Invalid chunk size");

/// The request line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) method: String,
    pub(crate) target: String,
}

/// How long the body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(u64),
    Chunked,
}

/// Reads the request line, which `head` begins with and which has ended.
pub(crate) fn request_line(head: &[u8]) -> Result<Line, Refusal> {
    let mut fields = [httparse::EMPTY_HEADER; 0];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(head) {
        // No field line is there yet, and there is no room for one.
        Ok(_) | Err(httparse::Error::TooManyHeaders) => {}
        Err(httparse::Error::Version) => return Err(version(head)),
        Err(_) => return Err(bad("Invalid request line")),
    }
    let (Some(method), Some(target)) = (request.method, request.path) else {
        return Err(bad("Invalid request line"));
    };
    // nginx takes capitals, `-` and `_` only.
    if method.bytes().any(|b| b.is_ascii_lowercase()) {
        return Err(bad("Invalid method"));
    }
    check_target(method, target)?;
    Ok(Line {
        method: method.to_owned(),
        target: target.to_owned(),
    })
}

/// 505 for a version of HTTP that this server does not speak (RFC 9110, section 15.6.6), 400 for no version at all.
fn version(head: &[u8]) -> Refusal {
    let line = head.split(|b| *b == b'\n').next().unwrap_or(head);
    let mut words = line.trim_ascii_end().split(|b| *b == b' ');
    let (_, _, last, rest) = (words.next(), words.next(), words.next(), words.next());
    match (last, rest) {
        (
            Some(
                [
                    b'H',
                    b'T',
                    b'T',
                    b'P',
                    b'/',
                    b'0' | b'2'..=b'9',
                    b'.',
                    b'0'..=b'9',
                ],
            ),
            None,
        )
        | (Some([b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'2'..=b'9']), None) => {
            refusal(505, "HTTP version not supported")
        }
        (Some(_) | None, _) => bad("Invalid HTTP version"),
    }
}

/// RFC 9112, section 3.2: the four forms of a target.
fn check_target(method: &str, target: &str) -> Result<(), Refusal> {
    if !target.bytes().all(|b| b.is_ascii_graphic()) || target.contains(['#', '"', '<', '>', '\\', '^', '`'])
    {
        return Err(bad("Invalid character in the request target"));
    }
    let path = match target {
        "*" if method == "OPTIONS" => return Ok(()),
        // The authority form; this server is no proxy.
        _ if method == "CONNECT" => return Err(refusal(405, "Method not allowed")),
        _ if target.starts_with('/') => target,
        _ => match authority(target) {
            Some((host, rest)) if is_host(host) => rest,
            Some(_) | None => return Err(bad("Invalid request target")),
        },
    };
    if is_percent_encoded(path.split('?').next().unwrap_or(path)) {
        Ok(())
    } else {
        Err(bad("Invalid percent-encoding in the path"))
    }
}

/// Authority and the rest of a target in absolute form.
fn authority(target: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = target.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    Some(rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len())))
}

/// Every `%` is followed by two hexadecimal digits, which are not `00`.
fn is_percent_encoded(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| {
        let digits = rest.as_bytes();
        digits.len() >= 2 && digits[..2].iter().all(u8::is_ascii_hexdigit) && &digits[..2] != b"00"
    })
}

/// RFC 3986, section 3.2: host and optional port, without user information.
fn is_host(text: &str) -> bool {
    let (host_is_valid, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((ip, port)) => (ip.parse::<Ipv6Addr>().is_ok(), port),
            None => return false,
        },
        None => {
            let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            let valid = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%".contains(&b);
            (
                !host.is_empty() && host.bytes().all(valid) && is_percent_encoded(host),
                port,
            )
        }
    };
    let port_is_valid = match port.strip_prefix(':') {
        Some(digits) => {
            digits.is_empty() || (digits.bytes().all(|b| b.is_ascii_digit()) && digits.parse::<u16>().is_ok())
        }
        None => port.is_empty(),
    };
    host_is_valid && port_is_valid
}

/// Checks a head that has ended, and says how long the body is.
pub(crate) fn check(head: &[u8]) -> Result<Framing, Refusal> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) | Err(httparse::Error::NewLine) => return Err(bad("Invalid line end")),
        Err(httparse::Error::TooManyHeaders) => return Err(HEAD_TOO_LONG),
        Err(httparse::Error::HeaderName) => return Err(bad("Invalid header name")),
        Err(httparse::Error::HeaderValue) => return Err(bad("Invalid header value")),
        Err(httparse::Error::Status | httparse::Error::Token | httparse::Error::Version) => {
            return Err(bad("Invalid request line"));
        }
    }
    let version = request.version.unwrap_or(1);
    let target = request.path.unwrap_or("");
    let mut found = Fields::default();
    for field in request.headers.iter() {
        found.take(field)?;
    }
    found.check(version, target)
}

/// The fields that decide what a request means.
#[derive(Default)]
struct Fields<'h> {
    host: Option<&'h [u8]>,
    length: Option<u64>,
    chunked: bool,
}

impl<'h> Fields<'h> {
    fn take(&mut self, field: &httparse::Header<'h>) -> Result<(), Refusal> {
        let value = field.value.trim_ascii();
        if field.name.eq_ignore_ascii_case("host") {
            // RFC 9112, section 3.2.
            if self.host.replace(value).is_some() {
                return Err(bad("More than one Host"));
            }
        } else if field.name.eq_ignore_ascii_case("content-length") {
            // RFC 9112, section 6.3: repeated or listed lengths are refused, as by nginx.
            let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
            let length = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            match length.filter(|_| digits) {
                Some(length) if self.length.is_none() => self.length = Some(length),
                Some(_) => return Err(bad("More than one Content-Length")),
                None => return Err(bad("Invalid Content-Length")),
            }
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            // RFC 9112, section 6.1: 501 for a coding that the server does not understand.
            if self.chunked {
                return Err(bad("More than one Transfer-Encoding"));
            }
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err(refusal(501, "Transfer coding not implemented"));
            }
            self.chunked = true;
        } else if field.name.eq_ignore_ascii_case("expect") && !value.eq_ignore_ascii_case(b"100-continue") {
            // RFC 9110, section 10.1.1.
            return Err(refusal(417, "Expectation failed"));
        }
        Ok(())
    }

    fn check(&self, minor_version: u8, target: &str) -> Result<Framing, Refusal> {
        match self.host {
            None if minor_version > 0 => return Err(bad("Missing Host")),
            None => {}
            Some(host) => {
                let host = std::str::from_utf8(host).unwrap_or("");
                if !is_host(host) {
                    return Err(bad("Invalid Host"));
                }
                // RFC 9112, section 3.2.2: the target decides; HAProxy refuses a Host that contradicts it.
                if let Some((authority, _)) = authority(target)
                    && !same_host(authority, host)
                {
                    return Err(bad("Host contradicts the request target"));
                }
            }
        }
        match (self.length, self.chunked) {
            (Some(_), true) => Err(bad("Content-Length with Transfer-Encoding")),
            (None, true) if minor_version == 0 => Err(bad("Transfer-Encoding in HTTP/1.0")),
            (None, true) => Ok(Framing::Chunked),
            (Some(length), false) => Ok(Framing::Length(length)),
            (None, false) => Ok(Framing::Length(0)),
        }
    }
}

/// The same authority, with the port of the scheme left out or not.
fn same_host(a: &str, b: &str) -> bool {
    let bare = |text: &str| {
        let text = text
            .strip_suffix(":80")
            .or(text.strip_suffix(":443"))
            .unwrap_or(text);
        text.strip_suffix(':').unwrap_or(text).to_ascii_lowercase()
    };
    bare(a) == bare(b)
}

/// The size of a chunk from its line, without the line end; extensions are skipped (RFC 9112, section 7.1.1).
pub(crate) fn chunk_size(line: &[u8]) -> Result<u64, Refusal> {
    // httparse takes an empty line for 0.
    if !line.first().is_some_and(u8::is_ascii_hexdigit) {
        return Err(BAD_CHUNK);
    }
    let mut whole = line.to_vec();
    whole.extend_from_slice(b"\r\n");
    match httparse::parse_chunk_size(&whole) {
        Ok(httparse::Status::Complete((_, size))) if size < u64::MAX - 2 => Ok(size),
        Ok(_) | Err(_) => Err(BAD_CHUNK),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_or_addresses_with_an_optional_port() {
        for host in ["a", "a.b-c:80", "192.168.4.2", "[::1]:8080", "a:", "x_y", "%41"] {
            assert!(is_host(host), "{host}");
        }
        for host in [
            "", ":80", "a b", "a/b", "a:x", "a:99999", "[::1", "[zz]", "u@h", "a:1:2", "%4", "ü",
        ] {
            assert!(!is_host(host), "{host}");
        }
    }

    #[test]
    fn chunk_sizes_are_hexadecimal() {
        assert_eq!(chunk_size(b"1f"), Ok(31));
        assert_eq!(chunk_size(b"3;x=y"), Ok(3));
        for line in [
            &b""[..],
            b"-1",
            b"0x3",
            b"3 3",
            b"fffffffffffffffff",
            b"ffffffffffffffff",
        ] {
            assert_eq!(chunk_size(line), Err(BAD_CHUNK), "{line:?}");
        }
    }
}
