//! Where a fault may strike one exchange, and what it may do there.
//!
//! A fault plan is an [`Interposer`]. It is asked at each [`Phase`] of each exchange and answers with
//! [`Directive`]s; it is handed the cloud, so that it can also act as the operator ("revoke the token just
//! before this renewal takes effect"). Faults of meaning replace a reply; faults on the wire change the bytes
//! that leave, under hyper, which never learns of them.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use sim::Instant;

use crate::{Cloud, ConnId, Effect, Ending, Endpoint, Reply, Request};

/// A moment in the life of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The request line is readable, which on any real network means that the first segment has come. The
    /// moment of the very first byte is [`Exchange::first_byte`].
    FirstByte,
    /// The request is complete; nothing has happened yet.
    BeforeEffect,
    /// The request has taken effect; the reply has not left.
    AfterEffect,
    /// The reply has left. Only [`Directive::Close`] and [`Directive::Abort`] mean something here.
    ReplyDone,
}

/// A request with its reply, as far as both are known.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Counts all exchanges from 1.
    pub id: u64,
    /// On which connection.
    pub conn: ConnId,
    /// For which endpoint.
    pub endpoint: Endpoint,
    /// Counts the requests to this endpoint from 1.
    pub nth: u64,
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// When the first byte came.
    pub first_byte: Instant,
    /// The device named in the path; from [`Phase::AfterEffect`] on, the device it was about.
    pub device: Option<String>,
    /// The request, from [`Phase::BeforeEffect`] on.
    pub request: Option<Request>,
    /// What it did, from [`Phase::AfterEffect`] on.
    pub effect: Option<Effect>,
    /// The reply, from [`Phase::AfterEffect`] on.
    pub reply: Option<Reply>,
}

/// What a fault does to an exchange. Several may be given; they apply in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directive {
    /// Before the effect: this is the reply, and there is no effect. After it: this is the reply all the same.
    Respond(Reply),
    /// Nothing moves for this long: at the first byte the request is held back, before the effect it waits,
    /// after the effect the reply waits.
    Delay(Duration),
    /// No reply, ever; the connection stays open until the other side gives up.
    Silence,
    /// No reply; the connection ends in order.
    Close,
    /// No reply; the connection is torn down.
    Abort,
    /// The reply breaks off.
    Cut(Cut),
    /// At the first byte: the request is received so far, at most to before its last byte, and never takes effect.
    CutRequest(Cut),
    /// The reply trickles.
    Dribble(Pace),
    /// These bytes leave in place of the reply's.
    Raw(Vec<u8>),
    /// The reply's bytes leave twice.
    Duplicate,
}

/// Where a reply breaks off and what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// How many bytes of the reply leave, or of the request are received, head included.
    pub after: usize,
    /// What follows; `None` is silence.
    pub then: Option<Ending>,
}

/// How a reply trickles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Bytes at a time; 0 counts as 1.
    pub chunk: usize,
    /// Time between two chunks; the first leaves at once.
    pub every: Duration,
    /// The head is no part of it: it leaves whole, before the first chunk.
    pub head_at_once: bool,
}

/// A fault plan.
pub trait Interposer {
    /// Called at each phase of each exchange. The [`Origin`] is borrowed meanwhile: act on `cloud`. A reply
    /// that is cut off never reaches [`Phase::ReplyDone`].
    fn at(&mut self, now: Instant, phase: Phase, exchange: &Exchange, cloud: &mut Cloud) -> Vec<Directive>;
}

/// The plan without faults.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFaults;

impl Interposer for NoFaults {
    fn at(&mut self, _: Instant, _: Phase, _: &Exchange, _: &mut Cloud) -> Vec<Directive> {
        Vec::new()
    }
}

/// A cloud with its fault plan: what all connections of a bench share.
pub struct Origin {
    /// The cloud.
    pub cloud: Cloud,
    /// The fault plan.
    pub faults: Box<dyn Interposer>,
    exchanges: u64,
    per_endpoint: [u64; Endpoint::ALL.len()],
}

/// An [`Origin`] in the hands of several connections of one thread.
pub type Shared = Rc<RefCell<Origin>>;

impl Origin {
    /// A cloud under a fault plan.
    pub fn new(cloud: Cloud, faults: impl Interposer + 'static) -> Origin {
        Origin {
            cloud,
            faults: Box::new(faults),
            exchanges: 0,
            per_endpoint: [0; Endpoint::ALL.len()],
        }
    }

    /// The same, to be shared.
    pub fn shared(cloud: Cloud, faults: impl Interposer + 'static) -> Shared {
        Rc::new(RefCell::new(Origin::new(cloud, faults)))
    }

    /// The number of the next exchange.
    pub(crate) fn next_exchange(&mut self) -> u64 {
        self.exchanges += 1;
        self.exchanges
    }

    /// Counts a request to `endpoint`.
    pub(crate) fn count(&mut self, endpoint: Endpoint) -> u64 {
        let count = &mut self.per_endpoint[endpoint as usize];
        *count += 1;
        *count
    }

    /// Asks the fault plan.
    pub(crate) fn ask(&mut self, now: Instant, phase: Phase, exchange: &Exchange) -> Vec<Directive> {
        self.faults.at(now, phase, exchange, &mut self.cloud)
    }
}
