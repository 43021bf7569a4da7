//! The expectations that this service judges: `liveness` and `token-reuse`.

use std::collections::BTreeMap;
use std::time::Duration;

use sim::Instant;
use vocabulary::judge::{Failure, Judge, Times, WindowText, span};
use vocabulary::spec::Args;
use vocabulary::{Event, Exchange, Kind, Phase};

/// Tokens that `token-reuse` tells apart at most; firmware that makes up more is caught by `rate`.
const MAX_TOKENS: usize = 4096;

/// `liveness`: a poll or update of the device is answered 200 soon after a moment.
pub(crate) fn liveness(args: &Args, window: &WindowText) -> Box<dyn Judge> {
    Box::new(Liveness {
        within: args.duration("within").unwrap_or_default(),
        moment: window.moment.clone(),
        opened: None,
        alive: None,
    })
}

/// `token-reuse`: the same token is refused (401, 403 or 410) at most so often.
pub(crate) fn token_reuse(args: &Args, window: &WindowText) -> Box<dyn Judge> {
    Box::new(TokenReuse {
        max: args
            .integer("max")
            .and_then(|max| u64::try_from(max).ok())
            .unwrap_or_default(),
        window: window.whole.clone(),
        refused: BTreeMap::new(),
        failure: None,
    })
}

/// The exchange of an event that tells that a request has taken effect.
fn done(event: &Event) -> Option<&Exchange> {
    if let Kind::Request {
        phase: Phase::AfterEffect,
        exchange,
    } = &event.kind
    {
        Some(exchange)
    } else {
        None
    }
}

#[derive(Debug)]
struct Liveness {
    within: Duration,
    /// The name of the moment that counts.
    moment: String,
    opened: Option<Instant>,
    alive: Option<Instant>,
}

impl Liveness {
    fn verdict(&self, now: Instant) -> Option<Failure> {
        let (name, within) = (&self.moment, span(self.within));
        let awaited = format!("awaited a valid session within {within} after {name}");
        let Some(since) = self.opened else {
            return Some(Failure {
                message: format!("{awaited}; {name} never came"),
                nearest: None,
            });
        };
        let awaited = format!("{awaited} at {since}");
        match self.alive {
            None => Some(Failure {
                message: format!("{awaited}; no poll or update was answered 200 until {now}"),
                nearest: None,
            }),
            Some(alive) if alive.since(since) > self.within => Some(Failure {
                message: format!("{awaited}; the first came at {alive}"),
                nearest: Some(format!("{} too late", span(alive.since(since) - self.within))),
            }),
            Some(_) => None,
        }
    }
}

impl Judge for Liveness {
    fn opened(&mut self, at: Instant) {
        self.opened = Some(at);
        self.alive = None;
    }

    fn observe(&mut self, event: &Event) {
        // Both need a valid session.
        let alive = done(event).is_some_and(|exchange| {
            exchange.status == Some(200)
                && exchange
                    .endpoint
                    .as_ref()
                    .is_some_and(|endpoint| matches!(endpoint.name(), "update" | "commands"))
        });
        if alive && self.opened.is_some() && self.alive.is_none() {
            self.alive = Some(event.at);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let since = self.opened.filter(|_| self.alive.is_none())?;
        Some(since + self.within + Duration::from_nanos(1))
    }

    fn decided(&self, now: Instant) -> Option<Failure> {
        let since = self.opened?;
        (now > since + self.within || self.alive.is_some())
            .then(|| self.verdict(now))
            .flatten()
    }

    fn finish(&mut self, end: Instant) -> Option<Failure> {
        self.verdict(end)
    }
}

#[derive(Debug)]
struct TokenReuse {
    max: u64,
    /// The window in words.
    window: String,
    refused: BTreeMap<String, Times>,
    failure: Option<Failure>,
}

/// The token of a request: header `X-Device-Token`, query `token`, or `token` in the body.
fn token(exchange: &Exchange) -> Option<String> {
    let header = exchange
        .request_headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("x-device-token"));
    if let Some((_, value)) = header {
        return Some(value.clone());
    }
    let query = exchange.target.split_once('?').map_or("", |(_, query)| query);
    if let Some(value) = query.split('&').find_map(|pair| pair.strip_prefix("token=")) {
        return Some(value.to_owned());
    }
    let body: serde_json::Value = serde_json::from_str(&exchange.request_body).ok()?;
    body.get("token")?.as_str().map(str::to_owned)
}

/// Enough of a token to know it by, and no more.
fn shown(token: &str) -> String {
    let head: String = token.chars().take(12).collect();
    if head.len() < token.len() {
        format!("{head}…")
    } else {
        head
    }
}

impl Judge for TokenReuse {
    fn opened(&mut self, _: Instant) {
        self.refused.clear();
        self.failure = None;
    }

    fn observe(&mut self, event: &Event) {
        let Some(exchange) = done(event) else { return };
        if !matches!(exchange.status, Some(401 | 403 | 410)) {
            return;
        }
        let Some(token) = token(exchange) else { return };
        if self.refused.len() >= MAX_TOKENS && !self.refused.contains_key(&token) {
            return;
        }
        let refusals = self.refused.entry(token.clone()).or_default();
        refusals.push(event.at);
        if refusals.count > self.max && self.failure.is_none() {
            self.failure = Some(Failure {
                message: format!(
                    "awaited no token to be refused more than {} times{}; {} was refused {} times{}",
                    self.max,
                    self.window,
                    shown(&token),
                    refusals.count,
                    refusals.list(),
                ),
                nearest: None,
            });
        }
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn decided(&self, _: Instant) -> Option<Failure> {
        self.failure.clone()
    }

    fn finish(&mut self, _: Instant) -> Option<Failure> {
        let (token, refusals) = self.refused.iter().max_by_key(|(_, times)| times.count)?;
        let nearest = format!(
            "{} was refused {} times in the whole stretch",
            shown(token),
            refusals.count
        );
        self.failure.take().map(|failure| Failure {
            nearest: Some(nearest),
            ..failure
        })
    }
}
