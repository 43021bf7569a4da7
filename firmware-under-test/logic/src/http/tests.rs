extern crate std;
use super::*;
use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

/// Every part of a response that a device looks at.
#[derive(Debug, PartialEq)]
struct Seen {
    status: u16,
    body: Vec<u8>,
    close: bool,
}

fn defects(list: &[Defect]) -> Defects {
    let mut defects = Defects::default();
    list.iter().for_each(|defect| defects.insert(*defect));
    defects
}

/// Feeds a response in pieces of these lengths, in turn, and then the end of the connection.
fn feed(bytes: &[u8], pieces: &[usize], max: usize, defects: Defects) -> Result<Seen, BadResponse> {
    let mut buffer = vec![0; max];
    let mut incoming = Incoming::new(&mut buffer, defects);
    let mut rest = bytes;
    let mut pieces = pieces.iter().cycle();
    let received = loop {
        let room = incoming.room();
        let count = rest.len().min(room.len()).min(*pieces.next().unwrap());
        room[..count].copy_from_slice(&rest[..count]);
        rest = &rest[count..];
        if let Some(received) = incoming.take(count)? {
            break received;
        }
    };
    let head = Head::parse(&buffer[..received.head_len], defects)
        .unwrap()
        .unwrap();
    Ok(Seen {
        status: head.status,
        body: buffer[received.head_len..received.body_end].to_vec(),
        close: received.close,
    })
}

/// What a response is, however it is cut into pieces.
fn seen_by(bytes: &[u8], defects: Defects) -> Result<(u16, String), BadResponse> {
    let whole = feed(bytes, &[4096], 4096, defects);
    for piece in 1..=7 {
        let pieces = feed(bytes, &[piece], 4096, defects);
        // Bytes behind the response are seen only if they come with it.
        let content = |seen: &Result<Seen, BadResponse>| {
            seen.as_ref()
                .map(|seen| (seen.status, seen.body.clone()))
                .map_err(|bad| *bad)
        };
        assert_eq!(content(&pieces), content(&whole), "in pieces of {piece}");
    }
    whole.map(|seen| (seen.status, String::from_utf8_lossy(&seen.body).into_owned()))
}

fn seen(bytes: &[u8]) -> Result<(u16, String), BadResponse> {
    seen_by(bytes, Defects::default())
}

fn head(bytes: &[u8]) -> Result<Option<Head<'_>>, BadResponse> {
    Head::parse(bytes, Defects::default())
}

#[test]
fn a_plain_head() {
    let bytes = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 5\r\nretry-after:  30 \r\n\r\nhello";
    let head = head(bytes).unwrap().unwrap();
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
        assert_eq!(head(&bytes[..len]), Ok(None), "{len}");
    }
    assert!(head(bytes).unwrap().is_some());
}

/// Responses that the grammar allows; each has status 200 and the body `hi`.
#[test]
fn forms_that_are_read() {
    let forms: &[&[u8]] = &[
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        // No reason phrase, with and without its space; one that is not text.
        b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 \xFF\r\nContent-Length: 2\r\n\r\nhi",
        // Empty lines before it.
        b"\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        // Line feeds alone, and mixed.
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\n\r\nhi",
        b"HTTP/1.1 200 OK\nContent-Length: 2\r\n\nhi",
        // Names in any spelling, no value, white space, values that are not UTF-8.
        b"HTTP/1.1 200 OK\r\ncontent-length:2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nCONTENT-LENGTH:\t 2 \t\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\nX:\r\nY: \r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nX: \xFF\xFE\r\nRetry-After: \xFF\r\nContent-Length: 2\r\n\r\nhi",
        // Lengths with zeros before them, more than once.
        b"HTTP/1.1 200 OK\r\nContent-Length: 00002\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 02\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nhi",
        // Folded lines; the second begins with a line of white space only.
        b"HTTP/1.1 200 OK\r\nX: 1\r\n two\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\t\r\n 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\nX: 1\n\tContent-Length: 9\nContent-Length: 2\n\nhi",
        // A carriage return that ends no line.
        b"HTTP/1.1 200 OK\r\nX: 1\rContent-Length: 9\r\nContent-Length: 2\r\n\r\nhi",
        // Until the connection ends.
        b"HTTP/1.0 200 OK\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nhi",
        // Chunks.
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: , identity, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0000000000000000000002\r\nhi\r\n000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n 2 \t;a=b; c=\"d;e\"\r\nhi\r\n0;last\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nhi\n0\n\n",
        // Chunks beside a length, either way round.
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        // Trailer fields: one, several, folded, without a value.
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-T: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX:\r\nY: 1\r\n two\r\nContent-Length: 9\r\n\r\n",
        // Interim responses.
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nContent-Length: 9\r\n\r\n\
          HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 199\n\nHTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\nhi\n0\n\n",
    ];
    for form in forms {
        assert_eq!(seen(form), Ok((200, "hi".into())), "{}", form.escape_ascii());
    }
}

#[test]
fn responses_without_a_body() {
    for (bytes, status) in [
        (&b"HTTP/1.1 204 No Content\r\n\r\n"[..], 204),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", 204),
        (
            b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
            204,
        ),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n", 304),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            200,
        ),
        // It was not asked for, and what follows is not HTTP.
        (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
            101,
        ),
    ] {
        assert_eq!(
            seen(bytes),
            Ok((status, String::new())),
            "{}",
            bytes.escape_ascii()
        );
    }
    // None of them waits for the connection's end.
    let buffer = &mut [0; 100];
    let mut incoming = Incoming::new(buffer, Defects::default());
    let bytes = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n";
    incoming.room()[..bytes.len()].copy_from_slice(bytes);
    assert!(incoming.take(bytes.len()).unwrap().is_some());
}

#[test]
fn what_is_broken_has_a_name() {
    let cases: &[(&[u8], BadResponse)] = &[
        (b"<html>", BadResponse::StatusLine),
        (b"\r\n<html>", BadResponse::StatusLine),
        (b"HTTP/1.1 2000 OK\r\n\r\n", BadResponse::StatusLine),
        (b"HTTP/1.1 20 OK\r\n\r\n", BadResponse::StatusLine),
        (b"HTTP/1.1 +20 OK\r\n\r\n", BadResponse::StatusLine),
        (b"HTTP/1.1 099 OK\r\n\r\n", BadResponse::StatusLine),
        (b"HTTP/1.1 600 OK\r\n\r\n", BadResponse::StatusLine),
        (b"HTTP/1.x 200 OK\r\n\r\n", BadResponse::StatusLine),
        (b"HTTP/2 200\r\n\r\n", BadResponse::StatusLine),
        (b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", BadResponse::Header),
        (b"HTTP/1.1 200 OK\r\n: value\r\n\r\n", BadResponse::Header),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            BadResponse::ContentLength,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
            BadResponse::ContentLength,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\n",
            BadResponse::ContentLength,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2 2\r\n\r\n",
            BadResponse::ContentLength,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
            BadResponse::ContentLength,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nhi",
            BadResponse::ContentLength,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
            BadResponse::ContentLength,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n",
            BadResponse::TooLarge,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi",
            BadResponse::Truncated,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n",
            BadResponse::Truncated,
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\n", BadResponse::Truncated),
        (b"HTTP/1.1 100 Continue\r\n\r\nhi", BadResponse::StatusLine),
    ];
    for (bytes, bad) in cases {
        assert_eq!(seen(bytes), Err(*bad), "{}", bytes.escape_ascii());
    }
    let chunked: &[(&[u8], BadResponse)] = &[
        (b"zz\r\n", BadResponse::Chunk),
        (b"\r\n", BadResponse::Chunk),
        (b";a\r\n", BadResponse::Chunk),
        (b"-1\r\n", BadResponse::Chunk),
        (b"+2\r\nhi\r\n0\r\n\r\n", BadResponse::Chunk),
        (b"0x2\r\nhi\r\n0\r\n\r\n", BadResponse::Chunk),
        (b"2 2\r\nhi\r\n0\r\n\r\n", BadResponse::Chunk),
        (b"1\r\nabc\r\n", BadResponse::Chunk),
        (b"2\r\nhi\r\n0\r\nno field\r\n\r\n", BadResponse::Chunk),
        (b"ffffffffffffffffffff\r\n", BadResponse::TooLarge),
        (b"2\r\nhi\r\nffff\r\n", BadResponse::TooLarge),
        (b"2\r\nhi\r\n", BadResponse::Truncated),
        (b"2\r\nhi\r\n0\r\n", BadResponse::Truncated),
        (b"2\r\nhi\r\n0\r\nX: 1\r\n", BadResponse::Truncated),
    ];
    for (body, bad) in chunked {
        let bytes = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *body].concat();
        assert_eq!(seen(&bytes), Err(*bad), "{}", body.escape_ascii());
    }
}

#[test]
fn codings_other_than_chunked_are_noticed() {
    let encoded = |lines: &str| {
        let bytes = format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n");
        let head = head(bytes.as_bytes()).unwrap().unwrap();
        (head.encoded, head.framing)
    };
    let length = "Content-Length: 1\r\n";
    assert_eq!(
        encoded(&format!("{length}Content-Encoding: gzip")),
        (true, Framing::Length(1))
    );
    assert_eq!(
        encoded(&format!("{length}Content-Encoding: Identity")),
        (false, Framing::Length(1))
    );
    assert_eq!(
        encoded(&format!("{length}Content-Encoding:")),
        (false, Framing::Length(1))
    );
    assert_eq!(
        encoded(&format!("{length}Transfer-Encoding: gzip")),
        (true, Framing::UntilClose)
    );
    assert_eq!(
        encoded("Transfer-Encoding: gzip, chunked"),
        (true, Framing::Chunked)
    );
    assert_eq!(
        encoded("Transfer-Encoding: chunked, gzip"),
        (true, Framing::UntilClose)
    );
    assert_eq!(
        encoded("Transfer-Encoding: chunked, chunked"),
        (true, Framing::UntilClose)
    );
    let moved = b"HTTP/1.1 301 Moved\r\nLocation: https://x/\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(head(moved).unwrap().unwrap().location, Some("https://x/"));
}

#[test]
fn connections_that_are_of_no_further_use() {
    let close = |bytes: &[u8]| feed(bytes, &[4096], 4096, Defects::default()).unwrap().close;
    assert!(!close(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"));
    assert!(!close(
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi"
    ));
    assert!(!close(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: 1\r\n\r\n"
    ));
    assert!(!close(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"
    ));
    assert!(close(
        b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nhi"
    ));
    assert!(close(
        b"HTTP/1.1 200 OK\r\nConnection: x, close\r\nContent-Length: 2\r\n\r\nhi"
    ));
    assert!(close(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"));
    assert!(close(b"HTTP/1.1 200 OK\r\n\r\nhi"));
    assert!(close(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"));
    // Something follows that belongs to no request.
    assert!(close(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi, you"));
    assert!(close(b"HTTP/1.1 204 No Content\r\n\r\nhi"));
    assert!(close(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"
    ));
    assert!(close(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"
    ));
}

#[test]
fn interim_responses_are_bounded_in_number_and_not_in_size() {
    let interims = |count: usize| {
        let interim = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";
        let bytes = interim.repeat(count) + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
        feed(bytes.as_bytes(), &[70], 256, Defects::default())
    };
    let max = usize::from(INTERIM_MAX);
    assert_eq!(interims(max).map(|seen| seen.status), Ok(200));
    assert_eq!(interims(max + 1), Err(BadResponse::Interim));
}

#[test]
fn heads_and_bodies_are_bounded_by_the_buffer() {
    let good = Defects::default();
    let exact = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    assert!(feed(exact, &[100], exact.len(), good).is_ok());
    assert_eq!(
        feed(exact, &[100], exact.len() - 1, good),
        Err(BadResponse::TooLarge)
    );
    let long_head = format!(
        "HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 0\r\n\r\n",
        "x".repeat(500)
    );
    assert_eq!(
        feed(long_head.as_bytes(), &[100], 512, good),
        Err(BadResponse::TooLarge)
    );
    let many_lines = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(500));
    assert_eq!(
        feed(many_lines.as_bytes(), &[100], 512, good),
        Err(BadResponse::TooLarge)
    );
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let extension = format!("{chunked}2;{}\r\nhi\r\n0\r\n\r\n", "x".repeat(500));
    assert_eq!(
        feed(extension.as_bytes(), &[100], 512, good),
        Err(BadResponse::TooLarge)
    );
    let trailer = format!("{chunked}0\r\n{}\r\n", "X: y\r\n".repeat(500));
    assert_eq!(
        feed(trailer.as_bytes(), &[100], 512, good),
        Err(BadResponse::TooLarge)
    );
    let until_close = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(500));
    assert_eq!(
        feed(until_close.as_bytes(), &[100], 512, good),
        Err(BadResponse::TooLarge)
    );
}

#[test]
fn each_defect_fails_where_the_good_device_does_not() {
    let interim = b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    let trailer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX: 1\r\n\r\n";
    let folded = b"HTTP/1.1 200 OK\r\nX: 1\r\n two\r\nContent-Length: 2\r\n\r\nhi";
    let capitals = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    let by = |bytes, defect| seen_by(bytes, defects(&[defect]));
    assert_eq!(by(interim, Defect::InterimIsFinal).map(|seen| seen.0), Ok(103));
    assert_eq!(by(trailer, Defect::NoChunkTrailers), Err(BadResponse::Chunk));
    assert_eq!(by(folded, Defect::NoFoldedHeaders), Err(BadResponse::Header));
    assert_ne!(by(capitals, Defect::CaseSensitiveHeaders), Ok((200, "hi".into())));
    // And only there.
    let plain = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
    for bytes in [&interim[..], trailer, folded, capitals, plain] {
        assert_eq!(seen(bytes), Ok((200, "hi".into())));
    }
    for defect in Defect::ALL {
        assert_eq!(by(plain, defect), Ok((200, "hi".into())), "{defect:?}");
    }
}

/// Numbers that look random and are the same in each run (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn spelled(&mut self, name: &str) -> String {
        let turn = |c: char| match self.below(2) {
            0 => c.to_ascii_lowercase(),
            _ => c.to_ascii_uppercase(),
        };
        name.chars().map(turn).collect()
    }

    /// A header line with everything that the grammar leaves open.
    fn field(&mut self, name: &str, value: &str) -> String {
        let name = self.spelled(name);
        let (before, after) = (
            self.one(&["", " ", "\t", "  ", "\r\n ", "\n\t", " \r\n \r\n "]),
            self.one(&["", " ", "\t", "\r\n "]),
        );
        format!("{name}:{before}{value}{after}{}", self.line_end())
    }

    fn line_end(&mut self) -> &'static str {
        self.one(&["\r\n", "\r\n", "\r\n", "\n"])
    }

    fn noise(&mut self) -> String {
        let name = self.one(&["X-A", "Server", "Link", "Set-Cookie", "Vary"]);
        let value = self.one(&["", "a", "a: b, c", "\"x\"", "Content-Length: 7"]);
        self.field(name, value)
    }

    /// A final response with this body.
    fn response(&mut self, body: &str) -> String {
        let mut text = format!("HTTP/1.1 200{}{}", self.one(&["", " ", " OK"]), self.line_end());
        let mut fields = Vec::new();
        for _ in 0..self.below(3) {
            fields.push(self.noise());
        }
        let kind = self.below(3);
        let spelling = self.spelled("chunked");
        match kind {
            0 => fields.push(self.field("Content-Length", &format!("{:0>1$}", body.len(), 1))),
            1 => fields.push(self.field("Transfer-Encoding", &spelling)),
            _ => fields.push(self.field("Connection", "close")),
        }
        for _ in 0..self.below(3) {
            fields.push(self.noise());
        }
        text.push_str(&fields.concat());
        text.push_str(self.line_end());
        match kind {
            1 => text.push_str(&self.chunks(body)),
            _ => text.push_str(body),
        }
        text
    }

    fn chunks(&mut self, mut body: &str) -> String {
        let mut text = String::new();
        while !body.is_empty() {
            let (chunk, rest) = body.split_at(1 + self.below(body.len()));
            body = rest;
            text.push_str(self.one(&["", "0", "00000"]));
            text.push_str(&format!("{:x}", chunk.len()));
            text.push_str(self.one(&["", ";a", "; a=b", " ;a=\"b\"", "\t"]));
            text.push_str(self.line_end());
            text.push_str(chunk);
            text.push_str(self.line_end());
        }
        text.push_str(self.one(&["0", "000", "0;last"]));
        text.push_str(self.line_end());
        for _ in 0..self.below(3) {
            text.push_str(&self.noise());
        }
        text.push_str(self.line_end());
        text
    }
}

#[test]
fn whatever_the_grammar_leaves_open_changes_nothing() {
    let mut dice = Dice(0x0CEA_0001);
    for round in 0..20_000 {
        let body = &"{\"success\":true,\"commands\":[]}"[..dice.below(31)];
        let mut text = String::new();
        for _ in 0..dice.below(3) {
            let noise = dice.noise();
            text.push_str(&format!(
                "HTTP/1.1 {}{}",
                dice.one(&["100 Continue", "103"]),
                dice.line_end()
            ));
            text.push_str(&noise);
            text.push_str(dice.line_end());
        }
        text.push_str(&dice.response(body));
        let pieces: [usize; 5] = core::array::from_fn(|_| 1 + dice.below(40));
        let seen = feed(text.as_bytes(), &pieces, 4096, Defects::default());
        let seen = seen.map(|seen| (seen.status, String::from_utf8(seen.body).unwrap()));
        assert_eq!(
            seen,
            Ok((200, body.into())),
            "round {round}: {}",
            text.escape_debug()
        );
    }
}

#[test]
fn damaged_responses_end_in_an_answer_or_an_error() {
    let mut dice = Dice(0x0CEA_0002);
    for _ in 0..20_000 {
        let mut bytes = dice.response("{\"success\":true}").into_bytes();
        for _ in 0..=dice.below(4) {
            let at = dice.below(bytes.len());
            match dice.below(3) {
                0 => bytes[at] = dice.below(256) as u8,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b"\r\n :;,0fF\xFF"[dice.below(10)]),
            }
        }
        let pieces: [usize; 3] = core::array::from_fn(|_| 1 + dice.below(60));
        // Neither a panic nor an endless loop, and nothing that depends on where the network cuts.
        let one = feed(&bytes, &pieces, 512, Defects::default()).map(|seen| (seen.status, seen.body));
        let other = feed(&bytes, &[1], 512, Defects::default()).map(|seen| (seen.status, seen.body));
        assert_eq!(one, other, "{}", bytes.escape_ascii());
    }
}
