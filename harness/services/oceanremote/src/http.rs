//! HTTP/1.1 over any byte stream: hyper, polled by hand until it stalls.
//!
//! No runtime, no sockets, no clocks. Whoever owns a [`Connection`] brings bytes and time, takes bytes away,
//! and comes back at [`Connection::next_due`]. Under virtual time that is the gateway; on real sockets it is
//! [`crate::server`]. Timeouts are kept here and not in hyper, because hyper's timers speak of
//! `std::time::Instant`, which cannot be made up, and know no timeout for a body.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use hyper::server::conn::http1;
use sim::Instant;

use crate::exchange::{Arrived, Exchanges, Link, Stop, endpoint_of, journal};
use crate::fault::{Cut, Directive, Exchange, Phase, Shared};
use crate::framing::{Framer, Mark};
use crate::journal::Event;
use crate::wire::{Pipe, Wire};
use crate::{ConnId, Ending, Refusal};

/// Received and unsent bytes above which a connection asks for no more.
const FULL: usize = 64 * 1024;
/// The longest head that hyper reads; a longer one is answered 431.
const MAX_HEAD: usize = 16 * 1024;

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
    exchange: Exchange,
    /// The request line is known, and the fault plan has been asked.
    named: bool,
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
        origin.borrow_mut().cloud.open_connection(now, conn, peer);
        let wire = Rc::new(RefCell::new(Wire::default()));
        let link = Rc::new(RefCell::new(Link::new(now, conn, peer, secure)));
        let service = Exchanges {
            origin: origin.clone(),
            link: link.clone(),
            wire: wire.clone(),
        };
        let hyper = http1::Builder::new()
            .auto_date_header(false)
            .max_header_size(MAX_HEAD)
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
            let done = mark.is_none();
            if matches!(mark, Some(Mark::Start)) {
                self.request_len = 0;
            }
            self.request_len += used;
            let whole = matches!(mark, Some(Mark::End));
            if let Some(mark) = mark {
                self.mark(now, mark);
            }
            self.cut_request(whole);
            if self.hyper.is_some() {
                self.wire
                    .borrow_mut()
                    .push(now.max(self.hold_until), &rest[..used]);
            }
            rest = &rest[used..];
            if done {
                break;
            }
        }
        // The end of a request without a body needs no further byte.
        if self.receiving.is_some()
            && let (_, Some(mark)) = self.framer.next(&[])
        {
            self.cut_request(matches!(mark, Mark::End));
            self.mark(now, mark);
        }
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
            for reply in sent {
                self.reply_done(now, reply.exchange, reply.bytes);
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
            self.origin.borrow_mut().cloud.close_connection(now, self.conn);
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
                    self.note(Event::BadRequest {
                        conn: self.conn,
                        what: error.to_string(),
                    });
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

    fn set_now(&mut self, now: Instant) {
        self.wire.borrow_mut().now = now;
        self.link.borrow_mut().now = now;
    }

    fn now(&self) -> Instant {
        self.link.borrow().now
    }

    fn note(&self, event: Event) {
        journal(&self.origin, self.now(), event);
    }

    fn mark(&mut self, now: Instant, mark: Mark) {
        match mark {
            Mark::Start => {
                let id = self.origin.borrow_mut().next_exchange();
                self.note(Event::FirstByte {
                    exchange: id,
                    conn: self.conn,
                });
                let exchange = Exchange::begun(id, self.conn, now);
                self.receiving = Some(Receiving {
                    exchange,
                    named: false,
                });
            }
            Mark::Line { method, target } => self.named(now, method, target),
            Mark::Head => {
                let Some(Receiving {
                    exchange,
                    named: true,
                }) = &self.receiving
                else {
                    return;
                };
                self.note(exchange.head_done());
            }
            Mark::End => {
                self.receiving = None;
                self.idle_since = now;
            }
        }
    }

    /// The request line has come: the fault plan may strike.
    fn named(&mut self, now: Instant, method: String, target: String) {
        let Some(receiving) = &mut self.receiving else {
            return;
        };
        let (endpoint, device) = endpoint_of(&target);
        let mut origin = self.origin.borrow_mut();
        let exchange = &mut receiving.exchange;
        exchange.nth = origin.count(endpoint);
        (exchange.endpoint, exchange.device) = (endpoint, device);
        (exchange.method, exchange.target) = (method, target);
        receiving.named = true;
        let directives = origin.ask(now, Phase::FirstByte, exchange);
        drop(origin);
        let mut arrived = Arrived::new(exchange.clone());
        for directive in directives {
            match directive {
                Directive::Respond(reply) => arrived.respond = Some(reply),
                Directive::Delay(d) => self.hold_until = self.hold_until.max(now) + d,
                Directive::Silence => self.link.borrow_mut().stop = Some(Stop::Silence),
                Directive::Close => self.link.borrow_mut().stop = Some(Stop::End(Ending::Close)),
                Directive::Abort => self.link.borrow_mut().stop = Some(Stop::End(Ending::Abort)),
                Directive::CutRequest(cut) => self.cut = Some(cut),
                on_the_wire => arrived.shape.add(on_the_wire),
            }
        }
        self.link.borrow_mut().pending.push_back(arrived);
        self.obey_stop();
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

    fn reply_done(&mut self, now: Instant, exchange: u64, bytes: u64) {
        self.idle_since = now;
        self.note(Event::ReplyDone { exchange, bytes });
        let replying = self.link.borrow_mut().replying.remove(&exchange);
        let Some(exchange) = replying else { return };
        let directives = self.origin.borrow_mut().ask(now, Phase::ReplyDone, &exchange);
        for directive in directives {
            let ending = match directive {
                Directive::Close => Ending::Close,
                Directive::Abort => Ending::Abort,
                _ => continue,
            };
            // The reply has left: it is not taken back.
            self.hyper = None;
            self.wire.borrow_mut().ending = Some(ending);
        }
    }

    /// When patience ends: with a request that is still coming, or with a connection that idles.
    fn deadline(&self) -> Option<Instant> {
        if self.hyper.is_none() || self.wire.borrow().mute {
            return None;
        }
        let limits = self.origin.borrow().cloud.config().connections;
        if let Some(receiving) = &self.receiving {
            return Some(receiving.exchange.first_byte + limits.request_timeout);
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
            let what = "the request did not arrive in time".to_owned();
            self.note(Event::BadRequest {
                conn: self.conn,
                what,
            });
            let origin = self.origin.borrow();
            let reply = Refusal::Timeout.reply(origin.cloud.switches());
            let length = reply.body.len().to_string();
            let reply = reply.with_header("content-length", &length);
            let reply = reply.with_header("date", &origin.cloud.date(now));
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
            origin.cloud.close_connection(self.now(), self.conn);
        }
    }
}

/// Exchanges whose reply is on its way out.
pub(crate) type Replying = BTreeMap<u64, Exchange>;
