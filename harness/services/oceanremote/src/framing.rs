//! Where one request ends and the next begins in the bytes of a connection.
//!
//! hyper parses the requests; this only watches them pass, because a fault may have to strike at the first
//! byte of a request, long before hyper tells that there is one. When the two disagree (a request that is not
//! valid HTTP), hyper is right and closes the connection.

/// The longest line that is kept. hyper gives up on a head, and so on a line, long before.
const MAX_LINE: usize = 64 * 1024;

/// What happened in the bytes, at the offset behind the byte that made it so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The first byte of a request.
    Start,
    /// The request line is complete.
    Line { method: String, target: String },
    /// The head is complete.
    Head,
    /// The request is complete.
    End,
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
    /// Not a request: everything that follows is ignored.
    Lost,
}

/// The watcher of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Framer {
    state: State,
    line: Vec<u8>,
    length: u64,
    chunked: bool,
}

impl Framer {
    pub(crate) fn new() -> Framer {
        Framer {
            state: State::Idle,
            line: Vec::new(),
            length: 0,
            chunked: false,
        }
    }

    /// Looks at `bytes` up to and including the next mark; returns how many bytes that was. All of them and
    /// no mark if there is none. A mark that needs no more bytes comes with 0.
    pub(crate) fn next(&mut self, bytes: &[u8]) -> (usize, Option<Mark>) {
        let mut used = 0;
        loop {
            match &mut self.state {
                State::Body(0) => {
                    self.state = State::Idle;
                    return (used, Some(Mark::End));
                }
                State::Body(left) | State::Chunk(left) if *left > 0 => {
                    let rest = (bytes.len() - used) as u64;
                    let step = rest.min(*left);
                    *left -= step;
                    used += step as usize;
                    if *left > 0 {
                        return (used, None);
                    }
                    if self.state == State::Chunk(0) {
                        self.state = State::ChunkSize;
                    }
                    continue;
                }
                State::Lost => return (bytes.len(), None),
                _ => {}
            }
            let Some(&byte) = bytes.get(used) else {
                return (used, None);
            };
            if self.state == State::Idle {
                if byte == b'\r' || byte == b'\n' {
                    used += 1;
                    continue;
                }
                // The byte stays: it belongs to the request line.
                self.state = State::Line;
                return (used, Some(Mark::Start));
            }
            used += 1;
            if byte != b'\n' {
                self.line.push(byte);
                if self.line.len() > MAX_LINE {
                    self.state = State::Lost;
                }
                continue;
            }
            if self.line.last() == Some(&b'\r') {
                self.line.pop();
            }
            let mark = self.line_done();
            self.line.clear();
            if mark.is_some() {
                return (used, mark);
            }
        }
    }

    fn line_done(&mut self) -> Option<Mark> {
        match self.state {
            State::Line => {
                let text = String::from_utf8_lossy(&self.line);
                let mut words = text.split(' ');
                let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
                let mark = Mark::Line {
                    method: method.to_owned(),
                    target: target.to_owned(),
                };
                (self.state, self.length, self.chunked) = (State::Headers, 0, false);
                Some(mark)
            }
            State::Headers if self.line.is_empty() => {
                self.state = if self.chunked {
                    State::ChunkSize
                } else {
                    State::Body(self.length)
                };
                Some(Mark::Head)
            }
            State::Headers => {
                self.header();
                None
            }
            State::ChunkSize => {
                let digits: &[u8] = self.line.split(|b| *b == b';').next().unwrap_or(b"");
                let size = std::str::from_utf8(digits)
                    .ok()
                    .and_then(|t| u64::from_str_radix(t.trim(), 16).ok());
                self.state = match size {
                    Some(0) => State::Trailers,
                    Some(size) if size < u64::MAX - 2 => State::Chunk(size + 2),
                    _ => State::Lost,
                };
                None
            }
            State::Trailers if self.line.is_empty() => {
                self.state = State::Body(0);
                None
            }
            _ => None,
        }
    }

    fn header(&mut self) {
        let text = String::from_utf8_lossy(&self.line);
        let Some((name, value)) = text.split_once(':') else {
            return;
        };
        if name.eq_ignore_ascii_case("content-length") {
            self.length = value.trim().parse().unwrap_or(0);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            self.chunked = value.trim().to_ascii_lowercase().ends_with("chunked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The marks with the offset at which each was made, fed in pieces of `size`.
    fn marks(bytes: &[u8], size: usize) -> Vec<(usize, Mark)> {
        let mut framer = Framer::new();
        let (mut out, mut base) = (Vec::new(), 0);
        for piece in bytes.chunks(size) {
            let mut at = 0;
            loop {
                let (used, mark) = framer.next(&piece[at..]);
                at += used;
                match mark {
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
        let text = b"\r\nPOST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloGET /b?c=1 HTTP/1.1\nHost: x\n\n";
        let want = vec![
            (2, Mark::Start),
            (20, line("POST", "/a")),
            (41, Mark::Head),
            (46, Mark::End),
            (46, Mark::Start),
            (66, line("GET", "/b?c=1")),
            (75, Mark::Head),
            (75, Mark::End),
        ];
        for size in 1..=text.len() {
            assert_eq!(marks(text, size), want, "pieces of {size}");
        }
    }

    #[test]
    fn chunked_bodies_end_where_they_end() {
        let text =
            b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\nGET / HTTP/1.1";
        for size in 1..=text.len() {
            let marks = marks(text, size);
            let kinds: Vec<_> = marks.iter().map(|(_, m)| m.clone()).collect();
            assert_eq!(
                kinds,
                [
                    Mark::Start,
                    line("POST", "/a"),
                    Mark::Head,
                    Mark::End,
                    Mark::Start
                ],
                "pieces of {size}"
            );
        }
    }

    #[test]
    fn garbage_is_given_up_on() {
        let garbage = vec![b'x'; 3 * MAX_LINE];
        assert_eq!(marks(&garbage, 100), [(0, Mark::Start)]);
    }
}
