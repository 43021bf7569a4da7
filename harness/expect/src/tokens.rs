//! `token-reuse`: the device does not use a token again after it was refused.

use std::collections::BTreeMap;

use sim::Instant;
use vocabulary::text::one_line;
use vocabulary::{Exchange, Kind, Phase};

use crate::happening::{Happening, What};
use crate::judge::{Failure, Judge};
use crate::nearest::Log;
use crate::times::Times;
use crate::window::Window;

/// Greatest number of tokens that are counted; `rate` detects firmware that invents more.
const MAX_TOKENS: usize = 4096;

/// Counts refusals for each token.
#[derive(Debug)]
pub(crate) struct TokenReuse {
    max: u64,
    window: Window,
    refused: BTreeMap<String, Times>,
    failure: Option<Failure>,
}

impl TokenReuse {
    pub(crate) fn new(max: u64, window: Window) -> TokenReuse {
        TokenReuse {
            max,
            window,
            refused: BTreeMap::new(),
            failure: None,
        }
    }
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

/// The beginning of a token, enough to identify it in a message.
fn shown(token: &str) -> String {
    let token = one_line(token);
    let head: String = token.chars().take(12).collect();
    if head.len() < token.len() {
        format!("{head}…")
    } else {
        head
    }
}

impl Judge for TokenReuse {
    fn observe(&mut self, h: &Happening<'_>) {
        let inside = self.window.takes(h);
        let What::Event(event) = h.what else { return };
        let Kind::Request {
            phase: Phase::AfterEffect,
            exchange,
        } = &event.kind
        else {
            return;
        };
        if !inside || !matches!(exchange.status, Some(401 | 403 | 410)) {
            return;
        }
        let Some(token) = token(exchange) else { return };
        if self.refused.len() >= MAX_TOKENS && !self.refused.contains_key(&token) {
            return;
        }
        let times = self.refused.entry(token.clone()).or_default();
        times.push(h.at);
        if times.count > self.max && self.failure.is_none() {
            let message = format!(
                "awaited no token to be refused more than {} times{}; {} was refused {} times{}",
                self.max,
                self.window.describe(),
                shown(&token),
                times.count,
                times.list(),
            );
            self.failure = Some(Failure::new(message));
        }
    }

    fn decided(&self) -> Option<Failure> {
        self.failure.clone()
    }

    fn finish(&mut self, end: Instant, _log: &Log) -> Option<Failure> {
        self.window.advance(end);
        if let Some(why) = self.window.never_opened() {
            return Some(Failure::new(why));
        }
        let (token, times) = self.refused.iter().max_by_key(|(_, times)| times.count)?;
        let nearest = format!(
            "{} was refused {} times in the whole stretch",
            shown(token),
            times.count
        );
        self.failure.take().map(|failure| failure.near(Some(nearest)))
    }
}
