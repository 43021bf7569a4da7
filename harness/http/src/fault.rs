//! Where a fault plan may act on an exchange, and what it may do there.
//!
//! A fault plan is an [`Interposer`]. It is asked at each [`Phase`] of each exchange and answers with
//! [`Directive`]s; it is handed the service, so that it can also act as the operator ("revoke the token just before
//! this renewal takes effect"). Faults of meaning replace a reply; faults on the wire change the bytes that leave,
//! under hyper, which never learns of them.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use sim::Instant;
use vocabulary::{Endpoint, Exchange, Phase};

use crate::{ConnId, Effect, Ending, Reply, Request, Service};

/// A request with its reply while it is under way. [`ActiveExchange::record`] makes the event of it.
#[derive(Clone, Debug)]
pub struct ActiveExchange {
    /// Counts all exchanges from 1.
    pub id: u64,
    /// The connection.
    pub conn: ConnId,
    /// The client's address.
    pub peer: IpAddr,
    /// The endpoint; `None` until the request line is there.
    pub endpoint: Option<&'static str>,
    /// The phase [`Phase::FirstByte`] was reached before the endpoint was known.
    pub named_late: bool,
    /// Counts the requests to this endpoint from 1; 0 until the request line is there.
    pub nth: u64,
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The moment of its first byte.
    pub first_byte: Instant,
    /// What it is about, such as a device id: from the path, later from the service.
    pub subject: Option<String>,
    /// The request, from [`Phase::BeforeEffect`] on.
    pub request: Option<Request>,
    /// What it did, from [`Phase::AfterEffect`] on.
    pub effect: Option<Effect>,
    /// The reply, from [`Phase::AfterEffect`] on.
    pub reply: Option<Reply>,
}

impl ActiveExchange {
    /// An exchange of which one byte is known.
    pub(crate) fn begun(id: u64, conn: ConnId, peer: IpAddr, now: Instant) -> ActiveExchange {
        ActiveExchange {
            id,
            conn,
            peer,
            endpoint: None,
            named_late: false,
            nth: 0,
            method: String::new(),
            target: String::new(),
            first_byte: now,
            subject: None,
            request: None,
            effect: None,
            reply: None,
        }
    }

    /// The exchange as an event records it at `phase`.
    pub fn record(&self, phase: Phase) -> Exchange {
        let body = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        // The head fields stand in the events from the effect on, which repeat everything.
        let whole = match phase {
            Phase::FirstByte | Phase::BeforeEffect => false,
            Phase::AfterEffect | Phase::AfterReply => true,
        };
        let (request, reply) = (self.request.as_ref(), self.reply.as_ref());
        Exchange {
            id: self.id,
            connection: self.conn,
            started: self.first_byte,
            endpoint: self.endpoint.map(Endpoint::named),
            named_late: self.named_late && phase == Phase::FirstByte,
            method: self.method.clone(),
            target: self.target.clone(),
            status: reply.map(|r| r.status),
            request_headers: request
                .filter(|_| whole)
                .map(|r| r.headers.clone())
                .unwrap_or_default(),
            request_body: request.map(|r| body(&r.body)).unwrap_or_default(),
            reply_headers: reply.map(|r| r.headers.clone()).unwrap_or_default(),
            reply_body: reply.map(|r| body(&r.body)).unwrap_or_default(),
            effect: self
                .effect
                .as_ref()
                .map(|e| e.text.clone().into_owned())
                .unwrap_or_default(),
            is_idle: self.effect.as_ref().is_some_and(|e| e.is_idle),
        }
    }
}

/// What a fault does to an exchange. Several may be given; they apply in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directive {
    /// Before the effect: this is the reply, and there is no effect. After it: this is the reply all the same.
    Respond(Reply),
    /// Nothing moves for this long: at the first byte the request is held back, before the effect it waits,
    /// after the effect the reply waits.
    Delay(Duration),
    /// No reply, ever; the connection stays open until the other side gives up. After the reply: no further request
    /// is answered.
    Silence,
    /// No reply; the connection ends in order.
    Close,
    /// No reply; the connection is torn down.
    Abort,
    /// The reply breaks off.
    Cut(Cut),
    /// The request is received so far, at most to before its last byte, and never takes effect.
    CutRequest(Cut),
    /// The reply is sent in small pieces with pauses.
    Dribble(Pace),
    /// These bytes leave in place of the reply's.
    Raw(Vec<u8>),
    /// The reply's bytes leave twice.
    Duplicate,
    /// An interim reply (RFC 9110, section 15.2), status 100 to 199, leaves before the final one.
    Interim(Reply),
    /// The reply's body is sent in chunks (RFC 9112, section 7.1).
    Chunked(Chunking),
}

/// Whether a directive can have its effect at a phase.
pub const fn able(phase: Phase, directive: &Directive) -> bool {
    match directive {
        // The connection can end, or fall silent, at any time.
        Directive::Silence | Directive::Close | Directive::Abort => match phase {
            Phase::FirstByte | Phase::BeforeEffect | Phase::AfterEffect | Phase::AfterReply => true,
        },
        // The request has been received by the time it can take effect.
        Directive::CutRequest(_) => match phase {
            Phase::FirstByte => true,
            Phase::BeforeEffect | Phase::AfterEffect | Phase::AfterReply => false,
        },
        // The reply must not have left.
        Directive::Respond(_)
        | Directive::Delay(_)
        | Directive::Cut(_)
        | Directive::Dribble(_)
        | Directive::Raw(_)
        | Directive::Duplicate
        | Directive::Interim(_)
        | Directive::Chunked(_) => match phase {
            Phase::FirstByte | Phase::BeforeEffect | Phase::AfterEffect => true,
            Phase::AfterReply => false,
        },
    }
}

/// Where a message breaks off and what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// How many bytes of the reply leave, or of the request are received, head included.
    pub after: usize,
    /// What follows; `None` is silence.
    pub then: Option<Ending>,
}

/// How a reply is slowed down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Bytes at a time; 0 counts as 1.
    pub chunk: usize,
    /// Time between two pieces; the first leaves at once.
    pub every: Duration,
    /// The head is no part of it: it leaves whole, before the first piece.
    pub head_at_once: bool,
}

/// How a reply is sent in chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunking {
    /// Bytes in a chunk; 0 puts the whole body into one.
    pub size: usize,
    /// Fields behind the last chunk (RFC 9112, section 7.1.2); the head announces them with `Trailer`.
    pub trailer: Vec<(String, String)>,
}

/// A fault plan.
pub trait Interposer {
    /// Called at each phase of each exchange; at [`Phase::FirstByte`] a second time, with
    /// [`ActiveExchange::named_late`], if the request line came later than the first byte. The [`Origin`] is borrowed
    /// meanwhile: act on `service`. A reply that is cut off never reaches [`Phase::AfterReply`].
    fn at(
        &mut self,
        now: Instant,
        phase: Phase,
        exchange: &ActiveExchange,
        service: &mut dyn Service,
    ) -> Vec<Directive>;

    /// A connection ends because a request broke off or did not arrive in time; `what` says which.
    fn broke_off(&mut self, now: Instant, conn: ConnId, what: &str);
}

/// The plan without faults.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFaults;

impl Interposer for NoFaults {
    fn at(&mut self, _: Instant, _: Phase, _: &ActiveExchange, _: &mut dyn Service) -> Vec<Directive> {
        Vec::new()
    }

    fn broke_off(&mut self, _: Instant, _: ConnId, _: &str) {}
}

/// A service with its fault plan: what all connections to it share.
pub struct Origin {
    /// The service.
    pub service: Box<dyn Service>,
    /// The fault plan.
    pub faults: Box<dyn Interposer>,
    /// The number of the last exchange, which several origins of one bench share.
    exchanges: Rc<Cell<u64>>,
    /// Requests so far, by index into the spec's endpoints.
    per_endpoint: Vec<u64>,
}

/// An [`Origin`] in the hands of several connections of one thread.
pub type Shared = Rc<RefCell<Origin>>;

impl Origin {
    /// A service under a fault plan.
    pub fn new(service: impl Service, faults: impl Interposer + 'static) -> Origin {
        Origin {
            per_endpoint: vec![0; service.spec().endpoints.len().max(1)],
            service: Box::new(service),
            faults: Box::new(faults),
            exchanges: Rc::default(),
        }
    }

    /// The same, with the exchanges numbered together with those of other origins.
    #[must_use]
    pub fn numbered_by(mut self, exchanges: Rc<Cell<u64>>) -> Origin {
        self.exchanges = exchanges;
        self
    }

    /// The origin, to be shared.
    pub fn shared(service: impl Service, faults: impl Interposer + 'static) -> Shared {
        Rc::new(RefCell::new(Origin::new(service, faults)))
    }

    /// The service as its own type.
    ///
    /// # Panics
    /// If the service has another type: the caller made the origin and knows.
    pub fn get<S: Service>(&self) -> &S {
        self.service
            .downcast()
            .expect("the origin was made with another service")
    }

    /// The service as its own type, to change it.
    ///
    /// # Panics
    /// As [`Origin::get`].
    pub fn get_mut<S: Service>(&mut self) -> &mut S {
        self.service
            .downcast_mut()
            .expect("the origin was made with another service")
    }

    /// The number of the next exchange.
    pub(crate) fn next_exchange(&mut self) -> u64 {
        self.exchanges.set(self.exchanges.get() + 1);
        self.exchanges.get()
    }

    /// Enters the request line: endpoint, subject, and the count of the endpoint.
    pub(crate) fn name(&mut self, exchange: &mut ActiveExchange, method: String, target: String) {
        let class = self.service.classify(path_of(&target));
        let index = class.endpoint.min(self.per_endpoint.len() - 1);
        self.per_endpoint[index] += 1;
        exchange.nth = self.per_endpoint[index];
        exchange.endpoint = Some(self.service.endpoint_name(index));
        exchange.subject = class.subject;
        (exchange.method, exchange.target) = (method, target);
    }

    /// Asks the fault plan.
    pub(crate) fn ask(&mut self, now: Instant, phase: Phase, exchange: &ActiveExchange) -> Vec<Directive> {
        self.faults.at(now, phase, exchange, self.service.as_mut())
    }
}

/// The path of a request target, which may be in absolute form (RFC 9112, section 3.2.2).
fn path_of(target: &str) -> &str {
    let local = match target.split_once("://") {
        Some((_, rest)) if !target.starts_with('/') => rest.find('/').map_or("/", |at| &rest[at..]),
        Some(_) | None => target,
    };
    local.split('?').next().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_in_every_form_of_target() {
        for (target, path) in [
            ("/a/b?c=1", "/a/b"),
            ("http://host/a/b?c=1", "/a/b"),
            ("http://host", "/"),
            ("/a?u=http://x/y", "/a"),
            ("*", "*"),
            ("", ""),
        ] {
            assert_eq!(path_of(target), path, "{target}");
        }
    }
}
