//! The byte stream under hyper: what came in and may be read, what hyper wrote and may leave.
//!
//! Faults on the wire live here. hyper writes into segments, one per reply; the network takes what each
//! segment's [`Shape`] lets out, when it lets it out.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use sim::Instant;

use crate::fault::{Chunking, Cut, Pace};
use crate::message::Ending;

/// How the bytes of a reply leave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    /// These bytes instead.
    pub(crate) raw: Option<Vec<u8>>,
    /// The body in chunks.
    pub(crate) chunked: Option<Chunking>,
    /// Twice.
    pub(crate) duplicate: bool,
    /// Only the first so many.
    pub(crate) cut: Option<Cut>,
    /// Slowly.
    pub(crate) pace: Option<Pace>,
}

/// The bytes between two replies' beginnings.
#[derive(Debug, Default)]
struct Segment {
    /// The exchange whose reply this is; none for what hyper says by itself.
    exchange: Option<u64>,
    bytes: Vec<u8>,
    shape: Shape,
    /// hyper has written all of it, and the shape has been applied.
    complete: bool,
    sent: usize,
    next_chunk: Instant,
}

impl Segment {
    /// Bytes of the head that leave with the next chunk.
    fn head_left(&self, pace: Pace) -> usize {
        if !pace.head_at_once || self.sent > 0 {
            return 0;
        }
        let end = self.bytes.windows(4).position(|w| w == b"\r\n\r\n");
        end.map_or(0, |at| at + 4)
    }
}

/// Both directions of one connection.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    pub(crate) now: Instant,
    /// Received bytes with the moment from which hyper may see them, in order of both.
    inbox: VecDeque<(Instant, Vec<u8>)>,
    /// How much of the front of the inbox hyper has read.
    read: usize,
    waiting: usize,
    /// The other side will send no more.
    pub(crate) eof: bool,
    /// An exchange is under way: hyper must not learn of the other side's end, or it would drop it half done.
    /// A server goes on with a request whose client has left.
    pub(crate) busy: bool,
    segments: VecDeque<Segment>,
    out: Vec<u8>,
    /// A cut fell silent: nothing leaves any more.
    pub(crate) mute: bool,
    /// There is nobody to send to.
    pub(crate) out_lost: bool,
    /// How the connection ends once `out` is taken.
    pub(crate) ending: Option<Ending>,
    /// Counts reads and writes, to see whether hyper moves.
    pub(crate) moves: u64,
}

impl Wire {
    /// Bytes came that hyper may see from `at` on.
    pub(crate) fn push(&mut self, at: Instant, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.waiting += bytes.len();
            self.inbox.push_back((at, bytes.to_vec()));
        }
    }

    /// How many received bytes hyper has not read.
    pub(crate) fn unread(&self) -> usize {
        self.waiting
    }

    /// How many bytes wait to leave.
    pub(crate) fn unsent(&self) -> usize {
        self.out.len()
            + self
                .segments
                .iter()
                .map(|s| s.bytes.len() - s.sent)
                .sum::<usize>()
    }

    /// Whether hyper may still be writing the last reply.
    pub(crate) fn is_writing(&self) -> bool {
        self.segments.back().is_some_and(|last| !last.complete)
    }

    /// What is written from now on belongs to the reply to `exchange`.
    pub(crate) fn begin_reply(&mut self, exchange: u64, shape: Shape) {
        self.segments.push_back(Segment {
            exchange: Some(exchange),
            shape,
            ..Segment::default()
        });
    }

    /// hyper has stalled: whatever reply it was writing is whole. Moves out what may leave by now and returns
    /// the exchanges of which the last byte of the reply has left.
    pub(crate) fn settle(&mut self) -> Vec<u64> {
        let mut done = Vec::new();
        for segment in self.segments.iter_mut().filter(|s| !s.complete) {
            segment.complete = true;
            if let Some(raw) = segment.shape.raw.take() {
                segment.bytes = raw;
            } else if let Some(chunking) = segment.shape.chunked.take() {
                segment.bytes = in_chunks(&segment.bytes, &chunking);
            }
            if segment.shape.duplicate {
                segment.bytes.extend_from_within(..);
            }
            if let Some(cut) = segment.shape.cut {
                segment.bytes.truncate(cut.after);
            }
        }
        while let Some(segment) = self.segments.front_mut() {
            if self.mute || self.ending.is_some() {
                self.segments.clear();
                break;
            }
            while segment.sent < segment.bytes.len() && segment.next_chunk <= self.now {
                let rest = segment.bytes.len() - segment.sent;
                let step = segment.shape.pace.map_or(rest, |pace| {
                    segment.head_left(pace).max(pace.chunk.max(1)).min(rest)
                });
                self.out
                    .extend_from_slice(&segment.bytes[segment.sent..segment.sent + step]);
                segment.sent += step;
                if let Some(pace) = segment.shape.pace {
                    segment.next_chunk = self.now + pace.every;
                }
            }
            if segment.sent < segment.bytes.len() {
                break;
            }
            if let Some(cut) = segment.shape.cut {
                self.ending = cut.then;
                self.mute = true;
            } else if let Some(exchange) = segment.exchange {
                done.push(exchange);
            }
            self.segments.pop_front();
        }
        if self.out_lost {
            self.out.clear();
        }
        done
    }

    /// When something may be read or may leave that may not now.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let read = self.inbox.front().map(|(at, _)| *at).filter(|at| *at > self.now);
        let write = self
            .segments
            .front()
            .map(|s| s.next_chunk)
            .filter(|at| *at > self.now);
        read.into_iter().chain(write).min()
    }

    /// Bytes of our own, past hyper.
    pub(crate) fn say(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Takes what the network may have.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Whether nothing of hyper's waits for its time to leave.
    pub(crate) fn is_settled(&self) -> bool {
        self.segments.is_empty()
    }

    /// Whether all that may leave has been taken.
    pub(crate) fn is_taken(&self) -> bool {
        self.out.is_empty()
    }

    /// Drops what was to leave.
    pub(crate) fn discard_output(&mut self) {
        self.out.clear();
        self.segments.clear();
    }
}

/// A reply with its body in chunks (RFC 9112, section 7.1); without a length there is no body, and it stays as it is.
fn in_chunks(reply: &[u8], chunking: &Chunking) -> Vec<u8> {
    let Some(end) = reply.windows(4).position(|w| w == b"\r\n\r\n") else {
        return reply.to_vec();
    };
    let (head, body) = (&reply[..end], &reply[end + 4..]);
    let is_length = |line: &[u8]| {
        let name = line.split(|b| *b == b':').next().unwrap_or(line);
        name.eq_ignore_ascii_case(b"content-length")
    };
    let lines: Vec<&[u8]> = head
        .split(|b| *b == b'\n')
        .map(|line| line.trim_ascii_end())
        .collect();
    if !head.starts_with(b"HTTP/1.1 ") || !lines.iter().any(|line| is_length(line)) {
        return reply.to_vec();
    }
    let mut out = Vec::with_capacity(reply.len() + 64);
    for line in lines.iter().filter(|line| !is_length(line)) {
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"transfer-encoding: chunked\r\n");
    let names: Vec<&str> = chunking.trailer.iter().map(|(name, _)| name.as_str()).collect();
    if !names.is_empty() {
        out.extend_from_slice(format!("trailer: {}\r\n", names.join(", ")).as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    let size = if chunking.size == 0 {
        body.len()
    } else {
        chunking.size
    };
    for chunk in body.chunks(size.max(1)) {
        out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n");
    for (name, value) in &chunking.trailer {
        out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// hyper's end of a [`Wire`].
#[derive(Debug)]
pub(crate) struct Pipe(pub(crate) Rc<RefCell<Wire>>);

impl Read for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let wire = &mut *self.0.borrow_mut();
        let Some((at, bytes)) = wire.inbox.front() else {
            // An empty read is the end of the stream.
            return if wire.eof && !wire.busy {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            };
        };
        if *at > wire.now {
            return Poll::Pending;
        }
        let step = buf.remaining().min(bytes.len() - wire.read);
        buf.put_slice(&bytes[wire.read..wire.read + step]);
        wire.read += step;
        wire.waiting -= step;
        wire.moves += 1;
        if wire.read == bytes.len() {
            wire.inbox.pop_front();
            wire.read = 0;
        }
        Poll::Ready(Ok(()))
    }
}

impl Write for Pipe {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let wire = &mut *self.0.borrow_mut();
        if wire.segments.back().is_none_or(|last| last.complete) {
            wire.segments.push_back(Segment::default());
        }
        if let Some(last) = wire.segments.back_mut() {
            last.bytes.extend_from_slice(buf);
        }
        wire.moves += 1;
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_body_is_put_into_chunks() {
        let reply = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\ndate: x\r\n\r\nhello";
        let chunking = |size, trailer: &[(&str, &str)]| Chunking {
            size,
            trailer: trailer
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect(),
        };
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        assert_eq!(
            text(in_chunks(reply, &chunking(2, &[]))),
            "HTTP/1.1 200 OK\r\ndate: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n2\r\nll\r\n1\r\no\r\n0\r\n\r\n"
        );
        assert_eq!(
            text(in_chunks(reply, &chunking(0, &[("x-sum", "1")]))),
            "HTTP/1.1 200 OK\r\ndate: x\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n"
        );
        for other in [
            &b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"[..],
            b"HTTP/1.1 204 No Content\r\n\r\n",
            b"x",
        ] {
            assert_eq!(in_chunks(other, &chunking(2, &[])), other);
        }
    }

    #[test]
    fn a_slow_body_has_a_quick_head() {
        let mut wire = Wire::default();
        let every = Duration::from_secs(1);
        let pace = |head_at_once| {
            Some(Pace {
                chunk: 2,
                every,
                head_at_once,
            })
        };
        for (exchange, head_at_once, first) in [(1, true, &b"HTTP/1.1 200\r\n\r\n"[..]), (2, false, b"HT")] {
            wire.begin_reply(
                exchange,
                Shape {
                    pace: pace(head_at_once),
                    ..Shape::default()
                },
            );
            if let Some(last) = wire.segments.back_mut() {
                last.bytes = b"HTTP/1.1 200\r\n\r\nabc".to_vec();
            }
            assert_eq!((wire.settle(), wire.take()), (vec![], first.to_vec()));
            let mut rest = Vec::new();
            for _ in 0..20 {
                wire.now += every;
                wire.settle();
                rest.push(wire.take());
            }
            assert_eq!(first.len() + rest.concat().len(), 19);
            assert!(rest.iter().all(|part| part.len() <= 2));
        }
    }
}
