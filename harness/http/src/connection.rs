//! HTTP/1.1 over any byte stream: hyper, polled by hand until it stalls.
//!
//! No runtime, no sockets, no clocks. The owner of a [`Connection`] brings bytes and time, takes bytes away, and polls
//! again at [`Connection::next_due`]. Under virtual time the owner is the gateway, on real sockets [`crate::server`].
//! Timeouts are kept here and not in hyper, because hyper's timers use `std::time::Instant`, which cannot be made up,
//! and know no timeout for a body.

use std::cell::RefCell;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use hyper::server::conn::http1;
use sim::Instant;
use vocabulary::Phase;

use crate::exchange::{Arrived, Exchanges, Link, Stop};
use crate::fault::{ActiveExchange, Cut, Directive, Shared};
use crate::framing::{Framer, Mark};
use crate::head::Refusal;
use crate::wire::{Pipe, Wire};
use crate::{ConnId, Ending};

/// Received and unsent bytes above which a connection asks for no more.
const FULL: usize = 64 * 1024;
/// hyper's buffer for a head; the framer passes on smaller ones only.
const HYPER_HEAD: usize = 2 * crate::head::MAX_HEAD;

/// Set when something wakes hyper while it is being polled.
#[derive(Debug, Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A request whose last byte has not come.
struct Receiving {
    /// What is known of it; handed over with the request line.
    arrived: Option<Arrived>,
    first_byte: Instant,
}

/// The server's end of one connection.
pub struct Connection {
    origin: Shared,
    link: Rc<RefCell<Link>>,
    wire: Rc<RefCell<Wire>>,
    /// Gone once HTTP has come to its end.
    hyper: Option<Pin<Box<http1::Connection<Pipe, Exchanges>>>>,
    framer: Framer,
    flag: Arc<Flag>,
    waker: Waker,
    conn: ConnId,
    receiving: Option<Receiving>,
    /// Bytes of the request that is being received.
    request_len: usize,
    /// After how many of them the server stops, and how.
    cut: Option<Cut>,
    /// Received bytes are held back until then.
    hold_until: Instant,
    idle_since: Instant,
    closed: bool,
}

impl Connection {
    /// A connection from `peer`, opened `now`. `conn` must be a number of its own; `secure` says whether the
    /// stream is encrypted.
    pub fn new(origin: &Shared, now: Instant, conn: ConnId, peer: IpAddr, secure: bool) -> Connection {
        origin.borrow_mut().service.opened(now, conn, peer);
        let wire = Rc::new(RefCell::new(Wire::default()));
        let link = Rc::new(RefCell::new(Link::new(now, conn, peer, secure)));
        let service = Exchanges {
            origin: origin.clone(),
            link: link.clone(),
            wire: wire.clone(),
        };
        let hyper = http1::Builder::new()
            .auto_date_header(false)
            .max_header_size(HYPER_HEAD)
            .serve_connection(Pipe(wire.clone()), service);
        let flag = Arc::new(Flag::default());
        Connection {
            origin: origin.clone(),
            link,
            wire,
            hyper: Some(Box::pin(hyper)),
            framer: Framer::new(),
            waker: Waker::from(flag.clone()),
            flag,
            conn,
            receiving: None,
            request_len: 0,
            cut: None,
            hold_until: Instant::ZERO,
            idle_since: now,
            closed: false,
        }
    }

    /// Bytes came from the other side. They take effect at the next [`Connection::poll`].
    pub fn receive(&mut self, now: Instant, bytes: &[u8]) {
        self.set_now(now);
        let mut rest = bytes;
        // A connection that is ending or silent swallows what still comes.
        while self.hyper.is_some() && !rest.is_empty() {
            let (used, mark) = self.framer.next(rest);
            let (piece, left) = rest.split_at(used);
            rest = left;
            match mark {
                Some(mark) => self.mark(now, mark, piece),
                None => {
                    self.request_len += used;
                    self.cut_request(false);
                    break;
                }
            }
        }
        // The request line may be there already, and the end of a request without a body needs no further byte.
        if self.hyper.is_some()
            && self.receiving.is_some()
            && let (_, Some(mark)) = self.framer.next(&[])
        {
            self.mark(now, mark, &[]);
        }
        self.first_byte(now);
    }

    /// Stops where a fault has cut the request: hyper, which would answer it, has not been polled since it came.
    fn cut_request(&mut self, whole: bool) {
        if let Some(cut) = self.cut.take_if(|cut| whole || self.request_len >= cut.after) {
            self.link.borrow_mut().stop = Some(cut.then.map_or(Stop::Silence, Stop::End));
            self.obey_stop();
        }
    }

    /// The other side will send no more (FIN). What it asked for is still done and answered.
    pub fn eof(&mut self, now: Instant) {
        self.set_now(now);
        self.wire.borrow_mut().eof = true;
        if self.wire.borrow().mute {
            self.finish(Ending::Close);
        }
    }

    /// The other side is gone (RST, or it has vanished). What it asked for is still done; nothing is sent.
    pub fn reset(&mut self, now: Instant) {
        self.eof(now);
        let mut wire = self.wire.borrow_mut();
        wire.out_lost = true;
        wire.discard_output();
    }

    /// Lets the connection come to its end once the exchange under way, if any, is done.
    pub fn shutdown(&mut self, now: Instant) {
        self.set_now(now);
        if let Some(hyper) = &mut self.hyper {
            hyper.as_mut().graceful_shutdown();
        }
    }

    /// Does everything that can be done by `now`.
    pub fn poll(&mut self, now: Instant) {
        self.set_now(now);
        loop {
            let moved = self.poll_hyper();
            self.obey_stop();
            let sent = self.wire.borrow_mut().settle();
            let replied = !sent.is_empty();
            if self.wire.borrow().ending.is_some() {
                self.hyper = None;
            }
            for exchange in sent {
                self.reply_done(now, exchange);
            }
            if !moved && !replied {
                break;
            }
        }
        self.time_out(now);
        let wire = self.wire.borrow();
        let over = self.hyper.is_none() && !wire.mute && wire.is_settled();
        if !self.closed && (over || wire.ending.is_some()) {
            drop(wire);
            self.closed = true;
            self.origin.borrow_mut().service.closed(now, self.conn);
        }
    }

    /// Polls hyper once; true if that changed anything.
    fn poll_hyper(&mut self) -> bool {
        let Some(hyper) = &mut self.hyper else {
            return false;
        };
        let before = self.wire.borrow().moves;
        self.flag.0.store(false, Ordering::Relaxed);
        match hyper.as_mut().poll(&mut Context::from_waker(&self.waker)) {
            Poll::Pending => self.flag.0.load(Ordering::Relaxed) || self.wire.borrow().moves != before,
            Poll::Ready(result) => {
                self.hyper = None;
                if let Err(error) = result {
                    self.broke_off(&error.to_string());
                }
                true
            }
        }
    }

    /// Takes the bytes that may leave by now.
    pub fn take_output(&mut self) -> Vec<u8> {
        self.wire.borrow_mut().take()
    }

    /// When to poll again if no byte comes before; `None` is never.
    pub fn next_due(&self) -> Option<Instant> {
        if self.closed {
            return None;
        }
        let waits = [
            self.link.borrow().due,
            self.wire.borrow().next_due(),
            self.deadline(),
        ];
        waits.into_iter().flatten().min()
    }

    /// Whether more bytes are welcome: a sender that is faster than its replies has to wait.
    pub fn wants_input(&self) -> bool {
        let wire = self.wire.borrow();
        !wire.eof && wire.unread() < FULL && wire.unsent() < FULL
    }

    /// How the connection ends, once it has and all output was taken. Until then it must be polled, even if
    /// the other side is long gone: a request that was begun is finished.
    pub fn ending(&self) -> Option<Ending> {
        let wire = self.wire.borrow();
        if !self.closed || !wire.is_taken() {
            return None;
        }
        Some(wire.ending.unwrap_or(Ending::Close))
    }

    /// Whether the connection has ended and all output was taken.
    pub fn is_closed(&self) -> bool {
        self.ending().is_some()
    }

    fn broke_off(&self, what: &str) {
        self.origin
            .borrow_mut()
            .faults
            .broke_off(self.now(), self.conn, what);
    }

    fn set_now(&mut self, now: Instant) {
        self.wire.borrow_mut().now = now;
        self.link.borrow_mut().now = now;
    }

    fn now(&self) -> Instant {
        self.link.borrow().now
    }

    /// Something happened in `piece`, or at its end.
    fn mark(&mut self, now: Instant, mark: Mark, piece: &[u8]) {
        self.request_len += piece.len();
        match mark {
            Mark::Start => {
                self.request_len = 0;
                let id = self.origin.borrow_mut().next_exchange();
                let exchange = ActiveExchange::begun(id, self.conn, self.link.borrow().peer, now);
                self.receiving = Some(Receiving {
                    arrived: Some(Arrived::new(exchange)),
                    first_byte: now,
                });
            }
            Mark::Line { method, target } => {
                self.named(now, method, target);
                self.cut_request(false);
            }
            Mark::Head(head) => {
                self.cut_request(false);
                self.pass_on(now, &head);
            }
            Mark::Body => {
                self.cut_request(false);
                self.pass_on(now, piece);
            }
            Mark::End => {
                self.cut_request(true);
                self.pass_on(now, piece);
                self.receiving = None;
                self.idle_since = now;
            }
            Mark::Refused(refusal) => self.refused(now, refusal),
        }
    }

    /// Gives hyper bytes of a request that goes on.
    fn pass_on(&mut self, now: Instant, bytes: &[u8]) {
        if self.hyper.is_some() {
            self.wire.borrow_mut().push(now.max(self.hold_until), bytes);
        }
    }

    /// Bytes came of a request whose line is not whole: the fault plan may strike a request that it cannot name.
    fn first_byte(&mut self, now: Instant) {
        let Some(arrived) = self.receiving.as_mut().and_then(|r| r.arrived.as_mut()) else {
            return;
        };
        if arrived.exchange.named_late || self.hyper.is_none() {
            return;
        }
        let directives = self
            .origin
            .borrow_mut()
            .ask(now, Phase::FirstByte, &arrived.exchange);
        arrived.exchange.named_late = true;
        Self::strike(
            arrived,
            directives,
            now,
            &self.link,
            &mut self.hold_until,
            &mut self.cut,
        );
        self.obey_stop();
        self.cut_request(false);
    }

    /// The request line has come: the fault plan may strike.
    fn named(&mut self, now: Instant, method: String, target: String) {
        let Some(mut arrived) = self.receiving.as_mut().and_then(|r| r.arrived.take()) else {
            return;
        };
        let mut origin = self.origin.borrow_mut();
        origin.name(&mut arrived.exchange, method, target);
        let directives = origin.ask(now, Phase::FirstByte, &arrived.exchange);
        drop(origin);
        Self::strike(
            &mut arrived,
            directives,
            now,
            &self.link,
            &mut self.hold_until,
            &mut self.cut,
        );
        self.link.borrow_mut().pending.push_back(arrived);
        self.obey_stop();
    }

    /// Takes over what the fault plan wants at the first byte.
    fn strike(
        arrived: &mut Arrived,
        directives: Vec<Directive>,
        now: Instant,
        link: &RefCell<Link>,
        hold_until: &mut Instant,
        cut: &mut Option<Cut>,
    ) {
        for directive in directives {
            match directive {
                Directive::Respond(reply) => arrived.respond = Some(reply),
                Directive::Interim(reply) => arrived.interim.push(reply),
                Directive::Delay(d) => *hold_until = (*hold_until).max(now) + d,
                Directive::Silence => link.borrow_mut().stop = Some(Stop::Silence),
                Directive::Close => link.borrow_mut().stop = Some(Stop::End(Ending::Close)),
                Directive::Abort => link.borrow_mut().stop = Some(Stop::End(Ending::Abort)),
                Directive::CutRequest(at) => *cut = Some(at),
                on_the_wire @ (Directive::Cut(_)
                | Directive::Dribble(_)
                | Directive::Raw(_)
                | Directive::Duplicate
                | Directive::Chunked(_)) => arrived.shape.add(on_the_wire),
            }
        }
    }

    /// The request is refused for its form. hyper is given a request that it answers in the same form, so that the
    /// refusal keeps its place among pipelined requests and is an exchange like any other.
    fn refused(&mut self, now: Instant, refusal: Refusal) {
        if self.receiving.as_ref().is_some_and(|r| r.arrived.is_some()) {
            self.named(now, String::new(), String::new());
        }
        self.receiving = None;
        self.idle_since = now;
        self.cut_request(true);
        let is_head = match self.link.borrow_mut().pending.back_mut() {
            Some(arrived) => {
                arrived.refused = Some(refusal);
                arrived.exchange.method == "HEAD"
            }
            None => return,
        };
        let stand_in: &[u8] = if is_head {
            b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n"
        } else {
            b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
        };
        self.pass_on(now, stand_in);
    }

    /// Carries out what a fault has decided about the connection.
    fn obey_stop(&mut self) {
        let Some(stop) = self.link.borrow_mut().stop.take() else {
            return;
        };
        match stop {
            Stop::Silence => {
                self.hyper = None;
                self.wire.borrow_mut().mute = true;
                if self.wire.borrow().eof {
                    self.finish(Ending::Close);
                }
            }
            Stop::End(ending) => self.finish(ending),
        }
    }

    /// Ends the connection here and now; what was handed out before still leaves, unless it is torn down.
    fn finish(&mut self, ending: Ending) {
        self.hyper = None;
        self.receiving = None;
        let mut wire = self.wire.borrow_mut();
        wire.ending = Some(ending);
        if ending == Ending::Abort {
            wire.discard_output();
        }
    }

    fn reply_done(&mut self, now: Instant, exchange: u64) {
        self.idle_since = now;
        let replying = self.link.borrow_mut().replying.remove(&exchange);
        let Some(exchange) = replying else { return };
        let directives = self.origin.borrow_mut().ask(now, Phase::AfterReply, &exchange);
        for directive in directives {
            // The reply has left: it is not taken back.
            match directive {
                Directive::Silence => {
                    self.hyper = None;
                    self.wire.borrow_mut().mute = true;
                }
                Directive::Close => self.end_after_reply(Ending::Close),
                Directive::Abort => self.end_after_reply(Ending::Abort),
                // See `able`.
                Directive::Respond(_)
                | Directive::Delay(_)
                | Directive::Cut(_)
                | Directive::CutRequest(_)
                | Directive::Dribble(_)
                | Directive::Raw(_)
                | Directive::Duplicate
                | Directive::Interim(_)
                | Directive::Chunked(_) => {}
            }
        }
    }

    fn end_after_reply(&mut self, ending: Ending) {
        self.hyper = None;
        self.wire.borrow_mut().ending = Some(ending);
    }

    /// When patience ends: with a request that is still coming, or with a connection that idles.
    fn deadline(&self) -> Option<Instant> {
        if self.hyper.is_none() || self.wire.borrow().mute {
            return None;
        }
        let limits = self.origin.borrow().service.limits();
        if let Some(receiving) = &self.receiving {
            return Some(receiving.first_byte + limits.request_timeout);
        }
        let link = self.link.borrow();
        let idle = link.pending.is_empty() && !link.serving && self.wire.borrow().is_settled();
        idle.then(|| self.idle_since + limits.idle_timeout)
    }

    fn time_out(&mut self, now: Instant) {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        if self.receiving.is_some() {
            self.broke_off("the request did not arrive in time");
            let origin = self.origin.borrow();
            let reply = origin.service.error_reply(408, "Request timeout");
            let length = reply.body.len().to_string();
            let reply = reply
                .with_header("connection", "close")
                .with_header("content-length", &length)
                .with_header("date", &origin.service.date(now));
            self.wire.borrow_mut().say(&reply.to_wire());
        }
        self.finish(Ending::Close);
    }
}

impl Drop for Connection {
    /// A connection that is dropped frees its place among those of its address.
    fn drop(&mut self) {
        if !self.closed
            && let Ok(mut origin) = self.origin.try_borrow_mut()
        {
            origin.service.closed(self.now(), self.conn);
        }
    }
}
