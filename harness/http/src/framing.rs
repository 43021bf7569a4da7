//! Where one request ends and the next begins in the bytes of a connection.
//!
//! hyper parses the requests; this watches them pass, because a fault may have to strike at the first byte of a
//! request, long before hyper tells that there is one, and refuses heads that public servers refuse ([`crate::head`]).
//! A head is kept back until it is whole and good: of a request that is refused hyper never sees a byte.

use crate::head::{self, Framing, HEAD_TOO_LONG, LINE_TOO_LONG, MAX_HEAD, MAX_LINE, Refusal};

/// The longest line with the size of a chunk, or of a trailer field, bytes.
const MAX_CHUNK_LINE: usize = 4 * 1024;

/// What happened in the bytes, at the offset behind the byte that made it so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The first byte of a request.
    Start,
    /// The request line is complete.
    Line { method: String, target: String },
    /// The head is complete; these are its bytes.
    Head(Vec<u8>),
    /// Bytes of the body, as many as were looked at.
    Body,
    /// The request is complete.
    End,
    /// The request is refused; everything that follows is ignored.
    Refused(Refusal),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between requests; empty lines are skipped (RFC 9112, section 2.2).
    Idle,
    Line,
    Headers,
    /// Bytes of the body still to come.
    Body(u64),
    /// The line with the size of a chunk.
    ChunkSize,
    /// Bytes of a chunk and of its line end still to come.
    Chunk(u64),
    /// The lines behind the last chunk.
    Trailers,
    /// The request was refused, or is not one: everything that follows is ignored.
    Lost,
}

/// The watcher of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Framer {
    state: State,
    /// The head so far.
    head: Vec<u8>,
    /// Where its last line begins.
    line_start: usize,
    /// The line of a chunk or trailer so far.
    line: Vec<u8>,
}

impl Framer {
    pub(crate) fn new() -> Framer {
        Framer {
            state: State::Idle,
            head: Vec::new(),
            line_start: 0,
            line: Vec::new(),
        }
    }

    /// Looks at `bytes` up to and including the next mark; returns how many bytes that was. All of them and
    /// no mark if there is none. A mark that needs no more bytes comes with 0.
    pub(crate) fn next(&mut self, bytes: &[u8]) -> (usize, Option<Mark>) {
        let mut used = 0;
        loop {
            let rest = &bytes[used..];
            match &mut self.state {
                State::Body(0) => {
                    self.state = State::Idle;
                    return (used, Some(Mark::End));
                }
                State::Body(left) | State::Chunk(left) => {
                    let step = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= step as u64;
                    used += step;
                    if *left > 0 {
                        return (used, (used > 0).then_some(Mark::Body));
                    }
                    if self.state == State::Chunk(0) {
                        self.state = State::ChunkSize;
                    }
                    continue;
                }
                State::Lost => return (bytes.len(), None),
                State::Idle => match rest.iter().position(|b| !matches!(b, b'\r' | b'\n')) {
                    // The byte stays: it belongs to the request line.
                    Some(at) => {
                        self.state = State::Line;
                        return (used + at, Some(Mark::Start));
                    }
                    None => return (bytes.len(), None),
                },
                State::Line | State::Headers => {
                    let end = rest.iter().position(|b| *b == b'\n');
                    let step = end.map_or(rest.len(), |at| at + 1);
                    self.head.extend_from_slice(&rest[..step]);
                    used += step;
                    if let Some(mark) = self.head_grew(end.is_some()) {
                        return (used, Some(mark));
                    }
                    if end.is_none() {
                        return (used, None);
                    }
                }
                State::ChunkSize | State::Trailers => {
                    let end = rest.iter().position(|b| *b == b'\n');
                    let step = end.map_or(rest.len(), |at| at + 1);
                    self.line.extend_from_slice(&rest[..step]);
                    used += step;
                    if self.line.len() > MAX_CHUNK_LINE {
                        self.state = State::Lost;
                        return (used, Some(Mark::Body));
                    }
                    if end.is_none() {
                        return (used, (used > 0).then_some(Mark::Body));
                    }
                    self.chunk_line();
                    if self.state == State::Lost {
                        return (used, Some(Mark::Body));
                    }
                }
            }
        }
    }

    /// The head has grown by a line, or by a part of one.
    fn head_grew(&mut self, line_ended: bool) -> Option<Mark> {
        let in_line = self.state == State::Line;
        let refusal = if in_line && self.head.len() > MAX_LINE {
            Some(LINE_TOO_LONG)
        } else if self.head.len() > MAX_HEAD {
            Some(HEAD_TOO_LONG)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            return Some(self.refuse(refusal));
        }
        if !line_ended {
            return None;
        }
        let line = self.head[self.line_start..].trim_ascii_end();
        let is_empty = line.is_empty() && self.head.len() - self.line_start <= 2;
        self.line_start = self.head.len();
        if in_line {
            self.state = State::Headers;
            return Some(match head::request_line(&self.head) {
                Ok(line) => Mark::Line {
                    method: line.method,
                    target: line.target,
                },
                Err(refusal) => self.refuse(refusal),
            });
        }
        if !is_empty {
            return None;
        }
        Some(match head::check(&self.head) {
            Ok(framing) => {
                self.state = match framing {
                    Framing::Chunked => State::ChunkSize,
                    Framing::Length(length) => State::Body(length),
                };
                self.line_start = 0;
                Mark::Head(std::mem::take(&mut self.head))
            }
            Err(refusal) => self.refuse(refusal),
        })
    }

    fn refuse(&mut self, refusal: Refusal) -> Mark {
        self.state = State::Lost;
        Mark::Refused(refusal)
    }

    /// The line of a chunk's size, or of a trailer, is complete. hyper answers what is wrong with it, as it has the
    /// head already.
    fn chunk_line(&mut self) {
        while self.line.last().is_some_and(|b| matches!(b, b'\r' | b'\n')) {
            self.line.pop();
        }
        self.state = match self.state {
            State::ChunkSize => match head::chunk_size(&self.line) {
                Ok(0) => State::Trailers,
                Ok(size) => State::Chunk(size + 2),
                Err(_) => State::Lost,
            },
            State::Trailers if self.line.is_empty() => State::Body(0),
            State::Trailers
            | State::Idle
            | State::Line
            | State::Headers
            | State::Body(_)
            | State::Chunk(_)
            | State::Lost => self.state,
        };
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The marks with the offset at which each was made, fed in pieces of `size`; without those of bodies.
    fn marks(bytes: &[u8], size: usize) -> Vec<(usize, Mark)> {
        let mut framer = Framer::new();
        let (mut out, mut base) = (Vec::new(), 0);
        for piece in bytes.chunks(size) {
            let mut at = 0;
            loop {
                let (used, mark) = framer.next(&piece[at..]);
                at += used;
                match mark {
                    Some(Mark::Body) => {}
                    Some(Mark::Head(bytes)) => {
                        assert!(bytes.ends_with(b"\n"));
                        out.push((base + at, Mark::Head(Vec::new())));
                    }
                    Some(mark) => out.push((base + at, mark)),
                    None => break,
                }
            }
            assert_eq!(at, piece.len(), "without a mark every byte is consumed");
            base += piece.len();
        }
        out
    }

    fn line(method: &str, target: &str) -> Mark {
        Mark::Line {
            method: method.into(),
            target: target.into(),
        }
    }

    #[test]
    fn pipelined_requests_are_told_apart_however_they_are_cut() {
        let text =
            b"\r\nPOST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhelloGET /b?c=1 HTTP/1.1\nHost: x\n\n";
        let want = vec![
            (2, Mark::Start),
            (20, line("POST", "/a")),
            (50, Mark::Head(Vec::new())),
            (55, Mark::End),
            (55, Mark::Start),
            (75, line("GET", "/b?c=1")),
            (84, Mark::Head(Vec::new())),
            (84, Mark::End),
        ];
        for size in 1..=text.len() {
            assert_eq!(marks(text, size), want, "pieces of {size}");
        }
    }

    #[test]
    fn chunked_bodies_end_where_they_end() {
        let text = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\nGET / HTTP/1.1";
        for size in 1..=text.len() {
            let marks = marks(text, size);
            let kinds: Vec<_> = marks.iter().map(|(_, m)| m.clone()).collect();
            assert_eq!(
                kinds,
                [
                    Mark::Start,
                    line("POST", "/a"),
                    Mark::Head(Vec::new()),
                    Mark::End,
                    Mark::Start
                ],
                "pieces of {size}"
            );
        }
    }

    #[test]
    fn what_does_not_end_is_refused() {
        let garbage = vec![b'x'; 3 * MAX_LINE];
        let marks = marks(&garbage, 100);
        assert_eq!(marks[0], (0, Mark::Start));
        assert_eq!(marks[1].1, Mark::Refused(LINE_TOO_LONG));
        assert_eq!(marks.len(), 2);
    }
}
