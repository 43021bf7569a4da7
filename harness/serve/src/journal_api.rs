//! `/v1/journal` and `/v1/wait`

use std::rc::Rc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::RETRY_AFTER;
use scenario::TimeSpan;
use vocabulary::spec::ServiceSpec;
use vocabulary::{Endpoint, Phase};

use crate::answer::{Answer, Refusal, text_answer};
use crate::ask::Query;
use crate::journal::{Asked, Journal, MOST_EVENTS, Numbered};
use crate::shared::SharedState;

/// Events in one reply, unless told otherwise.
const USUAL_EVENTS: usize = 1000;
/// A reply ends after the event with which it reaches this size, bytes.
const MOST_REPLY: usize = 1024 * 1024;
/// How long a wait lasts, unless told otherwise.
const USUAL_WAIT: TimeSpan = TimeSpan::from_secs(30);
/// How long a wait may last.
const LONGEST_WAIT: TimeSpan = TimeSpan::from_secs(600);
/// Waits at the same time.
const MOST_WAITS: usize = 32;

const LINES: &str = "application/x-ndjson";

fn number(text: &str) -> Option<u64> {
    text.parse().ok()
}

pub(crate) fn read(shared: &SharedState, query: &Query) -> Result<Answer, Refusal> {
    let after = query
        .parsed("after", number, "the `seq` of an event; 0 is from the beginning")?
        .unwrap_or(0);
    let limit = query.parsed(
        "limit",
        |text| text.parse().ok().filter(|n| (1..=MOST_EVENTS).contains(n)),
        "a number from 1 to 10000",
    )?;
    shared.settle();
    let body = shared.with_journal(|journal| {
        let mut body = String::new();
        if after.saturating_add(1) < journal.first() {
            // The reader must know that it has not seen everything.
            let (from, to) = (after + 1, journal.first() - 1);
            body = format!("{{\"lost\":{{\"from\":{from},\"to\":{to}}}}}\n");
        }
        for event in journal.after(after).take(limit.unwrap_or(USUAL_EVENTS)) {
            body.push_str(&event.line);
            body.push('\n');
            if body.len() >= MOST_REPLY {
                break;
            }
        }
        body
    });
    Ok(text_answer(StatusCode::OK, LINES, body))
}

/// What `GET /v1/wait` understands.
pub(crate) const WAIT_PARAMETERS: [&str; 6] = ["endpoint", "at", "status", "nth", "after", "timeout"];

/// The endpoints that there are, for messages: `a, b or c`.
fn endpoints(spec: &ServiceSpec) -> String {
    let names: Vec<&str> = spec.endpoints.iter().map(|e| e.name).collect();
    match names.as_slice() {
        [] => "nothing".to_owned(),
        [one] => (*one).to_owned(),
        [many @ .., last] => format!("{} or {last}", many.join(", ")),
    }
}

/// What is waited for.
struct Wanted {
    endpoint: Option<Endpoint>,
    at: Phase,
    status: Option<u16>,
    nth: u64,
}

impl Wanted {
    fn read(shared: &SharedState, query: &Query) -> Result<Wanted, Refusal> {
        let endpoint = query.parsed(
            "endpoint",
            |text| {
                let known = shared.spec().endpoints.iter().find(|e| e.name == text)?;
                Some(Endpoint::named(known.name))
            },
            &endpoints(shared.spec()),
        )?;
        let at = query.parsed(
            "at",
            |text| match text {
                "first-byte" => Some(Phase::FirstByte),
                "before-effect" => Some(Phase::BeforeEffect),
                "after-effect" => Some(Phase::AfterEffect),
                "after-reply" => Some(Phase::AfterReply),
                _ => None,
            },
            "first-byte, before-effect, after-effect or after-reply",
        )?;
        let status = query.parsed(
            "status",
            |t| t.parse().ok().filter(|s| (100..600).contains(s)),
            "a status from 100 to 599",
        )?;
        let nth = query
            .parsed("nth", |t| number(t).filter(|n| *n > 0), "a number from 1")?
            .unwrap_or(1);
        let at = at.unwrap_or(Phase::AfterEffect);
        if status.is_some() && at < Phase::AfterEffect {
            return Err(Refusal::bad("a request has no status yet at this moment")
                .at("query parameter `at`")
                .expected("after-effect or after-reply"));
        }
        Ok(Wanted {
            endpoint,
            at,
            status,
            nth,
        })
    }

    fn is(&self, asked: &Asked) -> bool {
        asked.phase == self.at
            && self
                .endpoint
                .as_ref()
                .is_none_or(|wanted| asked.endpoint.as_ref() == Some(wanted))
            && self.status.is_none_or(|wanted| asked.status == Some(wanted))
    }

    /// The event that completes the count among those after `seen`, which moves on.
    fn find(&mut self, journal: &Journal, seen: &mut u64) -> Option<Numbered> {
        for event in journal.after(*seen) {
            *seen = event.seq;
            if event.asked.as_ref().is_some_and(|asked| self.is(asked)) {
                self.nth -= 1;
                if self.nth == 0 {
                    return Some(event.clone());
                }
            }
        }
        None
    }
}

/// One of those who wait, counted.
struct Waiting<'d>(&'d SharedState);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.set(self.0.waiting.get() - 1);
    }
}

pub(crate) async fn wait(shared: &Rc<SharedState>, query: &Query) -> Result<Answer, Refusal> {
    let mut wanted = Wanted::read(shared, query)?;
    let lasts = query.parsed(
        "timeout",
        |text| text.parse().ok().filter(|time| *time <= LONGEST_WAIT),
        "a time such as `30s`, at most 10m",
    )?;
    let lasts: TimeSpan = lasts.unwrap_or(USUAL_WAIT);
    shared.settle();
    let last = shared.with_journal(Journal::last);
    let mut seen = query
        .parsed(
            "after",
            number,
            "the `seq` of an event; left out, only what comes from now on",
        )?
        .unwrap_or(last);
    let first = shared.with_journal(Journal::first);
    if seen.saturating_add(1) < first {
        return Err(
            Refusal::new(StatusCode::GONE, "the journal does not reach back so far")
                .at("query parameter `after`")
                .expected(format!("at least {}", first - 1)),
        );
    }
    if shared.waiting.get() >= MOST_WAITS {
        return Err(Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{MOST_WAITS} requests wait already"),
        )
        .header(RETRY_AFTER, "1"));
    }
    shared.waiting.set(shared.waiting.get() + 1);
    let waiting = Waiting(shared);
    let mut growth = shared.growth();
    let found = tokio::time::timeout(lasts.duration(), async {
        loop {
            if let Some(event) = shared.with_journal(|journal| wanted.find(journal, &mut seen)) {
                return Some(event);
            }
            growth.changed().await.ok()?;
        }
    });
    let found = found.await;
    drop(waiting);
    match found {
        Ok(Some(event)) => Ok(text_answer(
            StatusCode::OK,
            "application/json",
            format!("{}\n", event.line),
        )),
        _ => Err(too_late(lasts.duration(), seen)),
    }
}

fn too_late(lasts: Duration, seen: u64) -> Refusal {
    let lasts = TimeSpan(u64::try_from(lasts.as_nanos()).unwrap_or(u64::MAX));
    Refusal::new(
        StatusCode::GATEWAY_TIMEOUT,
        format!("no such request came within {lasts}"),
    )
    .expected(format!("ask again with after={seen} to go on without a gap"))
}
