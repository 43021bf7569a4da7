//! One exchange, from the request that hyper has read to the reply that hyper is given.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, DATE, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::{Response, StatusCode};
use sim::Instant;
use vocabulary::Phase;

use crate::fault::{ActiveExchange, Directive, Shared};
use crate::head::Refusal;
use crate::wire::{Shape, Wire};
use crate::{ConnId, Effect, Ending, Outcome, Reply, Request};

/// A request that has arrived, with what the fault plan said about it at its first byte.
pub(crate) struct Arrived {
    pub(crate) exchange: ActiveExchange,
    /// A reply that the fault plan gave at the first byte.
    pub(crate) respond: Option<Reply>,
    /// Interim replies that the fault plan gave at the first byte.
    pub(crate) interim: Vec<Reply>,
    pub(crate) shape: Shape,
    /// The request is refused for its form; hyper was given another one in its place.
    pub(crate) refused: Option<Refusal>,
}

impl Arrived {
    pub(crate) fn new(exchange: ActiveExchange) -> Arrived {
        Arrived {
            exchange,
            respond: None,
            interim: Vec::new(),
            shape: Shape::default(),
            refused: None,
        }
    }
}

/// What a fault has decided about the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Silence,
    End(Ending),
}

/// The body is longer than the service takes.
const BODY_TOO_LARGE: Refusal = Refusal {
    status: 413,
    what: std::borrow::Cow::Borrowed("Body too large"),
};

/// Exchanges whose reply is on its way out.
pub(crate) type Replying = BTreeMap<u64, ActiveExchange>;

/// What a connection and its exchanges share.
pub(crate) struct Link {
    pub(crate) now: Instant,
    pub(crate) conn: ConnId,
    pub(crate) peer: IpAddr,
    pub(crate) secure: bool,
    /// Requests of which at least the first line has come and that hyper has not handed over, in order.
    pub(crate) pending: VecDeque<Arrived>,
    /// When the exchange under way goes on.
    pub(crate) due: Option<Instant>,
    /// An exchange is under way.
    pub(crate) serving: bool,
    pub(crate) stop: Option<Stop>,
    pub(crate) replying: Replying,
}

impl Link {
    pub(crate) fn new(now: Instant, conn: ConnId, peer: IpAddr, secure: bool) -> Link {
        Link {
            now,
            conn,
            peer,
            secure,
            pending: VecDeque::new(),
            due: None,
            serving: false,
            stop: None,
            replying: Replying::new(),
        }
    }
}

/// The service that hyper calls.
#[derive(Clone)]
pub(crate) struct Exchanges {
    pub(crate) origin: Shared,
    pub(crate) link: Rc<RefCell<Link>>,
    pub(crate) wire: Rc<RefCell<Wire>>,
}

impl hyper::service::Service<hyper::Request<Incoming>> for Exchanges {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>>>>;

    fn call(&self, request: hyper::Request<Incoming>) -> Self::Future {
        let exchanges = self.clone();
        Box::pin(async move { Ok(exchanges.serve(request).await) })
    }
}

impl Exchanges {
    async fn serve(self, request: hyper::Request<Incoming>) -> Response<Full<Bytes>> {
        self.link.borrow_mut().serving = true;
        let Arrived {
            mut exchange,
            respond,
            interim,
            mut shape,
            refused,
        } = self.arrived(&request);
        for reply in interim {
            self.send_interim(&reply).await;
        }
        let received = match refused {
            Some(refusal) => Err(refusal),
            None => self.read(request).await,
        };
        let outcome = match received {
            Ok(request) => {
                // From here on the exchange is carried through, whether the client waits for it or not.
                self.wire.borrow_mut().busy = true;
                exchange.request = Some(request);
                let instead = match respond {
                    Some(reply) => Some(reply),
                    None => self.strike(Phase::BeforeEffect, &exchange, &mut shape).await,
                };
                match (instead, &exchange.request) {
                    (None, Some(request)) => self.origin.borrow_mut().service.serve(self.now(), request),
                    (reply, _) => Outcome {
                        reply: reply.unwrap_or_else(|| Reply::new(500)),
                        effect: Effect::fixed("nothing"),
                        subject: exchange.subject.clone(),
                    },
                }
            }
            Err(Refusal { status, what }) => Outcome {
                reply: self
                    .origin
                    .borrow()
                    .service
                    .error_reply(status, &what)
                    .with_header("connection", "close"),
                effect: Effect::refused(status, &what),
                subject: exchange.subject.clone(),
            },
        };
        exchange.subject = outcome.subject;
        exchange.effect = Some(outcome.effect);
        exchange.reply = Some(outcome.reply.clone());
        let reply = self
            .strike(Phase::AfterEffect, &exchange, &mut shape)
            .await
            .unwrap_or(outcome.reply);
        // What is told of it from now on is what the client sees.
        exchange.reply = Some(reply.clone());
        self.previous_reply().await;
        let date = self.origin.borrow().service.date(self.now());
        self.wire.borrow_mut().begin_reply(exchange.id, shape);
        self.wire.borrow_mut().busy = false;
        let mut link = self.link.borrow_mut();
        link.serving = false;
        link.replying.insert(exchange.id, exchange);
        respond_with(reply, &date)
    }

    fn now(&self) -> Instant {
        self.link.borrow().now
    }

    /// What is known of a request since its first byte.
    fn arrived(&self, request: &hyper::Request<Incoming>) -> Arrived {
        if let Some(arrived) = self.link.borrow_mut().pending.pop_front() {
            return arrived;
        }
        // hyper sees only what the framer has passed, so each request of hyper's was announced. Should the two
        // disagree, the exchange begins here.
        let mut origin = self.origin.borrow_mut();
        let link = self.link.borrow();
        let mut exchange = ActiveExchange::begun(origin.next_exchange(), link.conn, link.peer, link.now);
        origin.name(
            &mut exchange,
            request.method().to_string(),
            request.uri().to_string(),
        );
        Arrived::new(exchange)
    }

    /// Reads the body and makes the request plain.
    async fn read(&self, request: hyper::Request<Incoming>) -> Result<Request, Refusal> {
        let max = self.origin.borrow().service.limits().max_body;
        let (head, body) = request.into_parts();
        if body.size_hint().lower() > max as u64 {
            return Err(BODY_TOO_LARGE);
        }
        let body = match Limited::new(body, max).collect().await {
            Ok(body) => body.to_bytes().to_vec(),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                return Err(BODY_TOO_LARGE);
            }
            Err(error) => {
                return Err(Refusal {
                    status: 400,
                    what: error.to_string().into(),
                });
            }
        };
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let link = self.link.borrow();
        Ok(Request {
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().map(str::to_owned),
            headers: head
                .headers
                .iter()
                .map(|(name, value)| (name.to_string(), text(value)))
                .collect(),
            body,
            peer: link.peer,
            conn: link.conn,
            secure: link.secure,
        })
    }

    /// Asks the fault plan and does what it says, in order; a reply to give instead, if it said so. Does not
    /// return if there is to be no reply.
    async fn strike(&self, phase: Phase, exchange: &ActiveExchange, shape: &mut Shape) -> Option<Reply> {
        let directives = self.origin.borrow_mut().ask(self.now(), phase, exchange);
        let mut instead = None;
        for directive in directives {
            let stop = match directive {
                Directive::Respond(reply) => {
                    instead = Some(reply);
                    continue;
                }
                Directive::Delay(d) => {
                    self.wait_until(self.now() + d).await;
                    continue;
                }
                Directive::Interim(reply) => {
                    self.send_interim(&reply).await;
                    continue;
                }
                Directive::Silence => Stop::Silence,
                Directive::Close => Stop::End(Ending::Close),
                Directive::Abort => Stop::End(Ending::Abort),
                on_the_wire @ (Directive::Cut(_)
                | Directive::Dribble(_)
                | Directive::Raw(_)
                | Directive::Duplicate
                | Directive::Chunked(_)) => {
                    shape.add(on_the_wire);
                    continue;
                }
                // See `able`.
                Directive::CutRequest(_) => continue,
            };
            self.link.borrow_mut().stop = Some(stop);
            pending::<()>().await;
        }
        instead
    }

    /// Sends an interim reply at once, after the replies before it.
    async fn send_interim(&self, reply: &Reply) {
        // The connection polls again whenever a reply has left.
        poll_fn(|_| {
            if self.wire.borrow().is_settled() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        self.wire.borrow_mut().say(&reply.to_wire());
    }

    async fn wait_until(&self, at: Instant) {
        poll_fn(|_| {
            let mut link = self.link.borrow_mut();
            let over = link.now >= at;
            link.due = if over { None } else { Some(at) };
            if over { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Waits until hyper has written the reply before this one, which a pipelined request may overtake.
    async fn previous_reply(&self) {
        poll_fn(|cx| {
            if self.wire.borrow().is_writing() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
    }
}

/// The reply for hyper: `Date` is the server's, lengths are hyper's. What cannot be said in HTTP is a 500.
fn respond_with(reply: Reply, date: &str) -> Response<Full<Bytes>> {
    let fallback = |_| {
        let mut response = Response::new(Full::new(Bytes::new()));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    };
    try_respond(reply, date).unwrap_or_else(fallback)
}

fn try_respond(reply: Reply, date: &str) -> Result<Response<Full<Bytes>>, Unspeakable> {
    let status = StatusCode::from_u16(reply.status).map_err(|_| Unspeakable)?;
    if status.is_informational() {
        return Err(Unspeakable);
    }
    let mut response = Response::new(Full::new(Bytes::from(reply.body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in &reply.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Unspeakable)?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| Unspeakable)?;
        if name != CONTENT_LENGTH && name != TRANSFER_ENCODING {
            headers.append(name, value);
        }
    }
    if !headers.contains_key(DATE) {
        headers.insert(DATE, HeaderValue::from_str(date).map_err(|_| Unspeakable)?);
    }
    Ok(response)
}

/// A reply that HTTP has no words for.
struct Unspeakable;

impl Shape {
    /// Adds what a directive does to the bytes; one that does nothing to them is ignored.
    pub(crate) fn add(&mut self, directive: Directive) {
        match directive {
            Directive::Cut(cut) => self.cut = Some(cut),
            Directive::Dribble(pace) => self.pace = Some(pace),
            Directive::Raw(bytes) => self.raw = Some(bytes),
            Directive::Duplicate => self.duplicate = true,
            Directive::Chunked(chunking) => self.chunked = Some(chunking),
            Directive::Respond(_)
            | Directive::Interim(_)
            | Directive::Delay(_)
            | Directive::Silence
            | Directive::Close
            | Directive::Abort
            | Directive::CutRequest(_) => {}
        }
    }
}
