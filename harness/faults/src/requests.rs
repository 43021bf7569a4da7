//! Actions on requests: what they make the cloud do with the exchange at hand.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use http_service::{ActiveExchange, Chunking, Cut, Directive, Ending, Pace, Reply, Service, http_date};
use scenario::RequestAction;
use scenario::action::{LostReply, Message, Respond, RetryAfter};
use sim::Instant;
use vocabulary::Phase;

/// The page that comes in place of JSON.
const HTML: &str = "<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head>\n\
                    <body><h1>502 Bad Gateway</h1></body></html>\n";

/// Whether an action changes the reply, which has to be there first.
pub(crate) fn is_late(action: &RequestAction) -> bool {
    match action {
        RequestAction::ResetConnection(reset) => reset.after_byte.is_some() && !action.is_on_the_way_in(),
        RequestAction::Truncate(_) => !action.is_on_the_way_in(),
        RequestAction::Dribble(_)
        | RequestAction::WrongContentLength(_)
        | RequestAction::MalformedJson
        | RequestAction::MissingField(_)
        | RequestAction::Html
        | RequestAction::Gzip
        | RequestAction::SlowBody(_)
        | RequestAction::DuplicateReply
        | RequestAction::RawReply(_)
        | RequestAction::Chunked(_)
        | RequestAction::Interim(_)
        | RequestAction::LoseReply(_) => true,
        RequestAction::Blackhole
        | RequestAction::CloseConnection
        | RequestAction::HalfOpen
        | RequestAction::Respond(_)
        | RequestAction::Delay(_)
        | RequestAction::RedirectToHttps => false,
    }
}

/// At which phase an action strikes that no request has triggered.
pub(crate) fn phase(action: &RequestAction) -> Phase {
    if action.is_on_the_way_in() || matches!(action, RequestAction::Blackhole) {
        Phase::FirstByte
    } else if is_late(action) {
        Phase::AfterEffect
    } else {
        Phase::BeforeEffect
    }
}

/// Whether an action changes anything of an exchange at this phase.
///
/// # Errors
/// Why it does not.
pub(crate) fn changes(
    action: &RequestAction,
    now: Instant,
    exchange: &ActiveExchange,
    service: &dyn Service,
) -> Result<(), String> {
    let reply = exchange.reply.as_ref();
    let wire_len = || reply.map(|reply| with_wrong_length(reply, 0, now, service).len());
    let cut = |after: u32| match wire_len() {
        Some(len) if after as usize >= len => Err(format!(
            "the reply has {len} bytes, and it was to break off after {after}"
        )),
        Some(_) | None => Ok(()),
    };
    let slow = |at_once: u32, len: Option<usize>| match len {
        Some(len) if at_once as usize >= len => {
            Err(format!("all {len} bytes go in the first piece of {at_once}"))
        }
        Some(_) | None => Ok(()),
    };
    let nothing = |nothing: bool, why: &str| if nothing { Err(why.to_owned()) } else { Ok(()) };
    match action {
        RequestAction::Truncate(t) => match t.of.value {
            Message::Reply => cut(t.after_byte),
            Message::Request => Ok(()),
        },
        RequestAction::ResetConnection(r) => match (r.after_byte, r.of.value) {
            (Some(after), Message::Reply) => cut(after),
            (Some(_), Message::Request) | (None, Message::Reply | Message::Request) => Ok(()),
        },
        RequestAction::Dribble(d) => slow(d.bytes.value, wire_len()),
        RequestAction::SlowBody(d) => slow(d.bytes.value, reply.map(|reply| reply.body.len())),
        RequestAction::Delay(by) => nothing(by.duration().is_zero(), "it is a delay of no time"),
        RequestAction::WrongContentLength(by) => nothing(by.value == 0, "the length is right"),
        RequestAction::MalformedJson => nothing(
            reply.is_some_and(|reply| reply.body.is_empty()),
            "the reply has no body",
        ),
        RequestAction::MissingField(name) => {
            let has = |reply: &Reply| {
                let mut without = reply.clone();
                without_member(&mut without, name);
                without.body != reply.body
            };
            nothing(
                reply.is_some_and(|reply| !has(reply)),
                &format!("the reply has no member `{}`", name.value),
            )
        }
        RequestAction::Respond(r) => nothing(
            reply.is_some_and(|before| *before == respond(r, now, service)),
            "this is the reply already",
        ),
        RequestAction::Html
        | RequestAction::Gzip
        | RequestAction::RedirectToHttps
        | RequestAction::DuplicateReply
        | RequestAction::RawReply(_)
        | RequestAction::Chunked(_)
        | RequestAction::Interim(_)
        | RequestAction::LoseReply(_)
        | RequestAction::Blackhole
        | RequestAction::CloseConnection
        | RequestAction::HalfOpen => Ok(()),
    }
}

/// What several actions together do to an exchange: first what waits, then the reply, then how it leaves.
pub(crate) fn directives(
    actions: &[&RequestAction],
    now: Instant,
    exchange: &ActiveExchange,
    service: &dyn Service,
) -> Vec<Directive> {
    let mut delays = Vec::new();
    let mut shapes = Vec::new();
    let mut end = None;
    let mut length_off = None;
    let before = exchange.reply.clone();
    let mut reply = before.clone();
    for action in actions {
        match action {
            RequestAction::Delay(by) => delays.push(Directive::Delay(by.duration())),
            RequestAction::Respond(r) => reply = Some(respond(r, now, service)),
            RequestAction::RedirectToHttps => reply = Some(redirect(exchange, service)),
            RequestAction::MalformedJson => change(&mut reply, |r| r.body.truncate(r.body.len() / 2)),
            RequestAction::MissingField(name) => change(&mut reply, |r| without_member(r, name)),
            RequestAction::Html => change(&mut reply, |r| {
                set_header(r, "content-type", "text/html");
                r.body = HTML.into();
            }),
            RequestAction::Gzip => change(&mut reply, |r| {
                set_header(r, "content-encoding", "gzip");
                r.body = gzip(&r.body);
            }),
            RequestAction::WrongContentLength(by) => length_off = Some(by.value),
            RequestAction::RawReply(bytes) => shapes.push(Directive::Raw(bytes.0.clone())),
            RequestAction::Chunked(chunked) => shapes.push(Directive::Chunked(Chunking {
                size: chunked.size.value as usize,
                trailer: pairs(&chunked.trailer),
            })),
            RequestAction::Interim(interim) => {
                let mut reply = Reply::new(interim.status.value);
                reply.headers = pairs(&interim.headers);
                shapes.push(Directive::Interim(reply));
            }
            RequestAction::DuplicateReply => shapes.push(Directive::Duplicate),
            RequestAction::Dribble(d) => shapes.push(pace(d.bytes.value, d.every.duration(), false)),
            RequestAction::SlowBody(d) => shapes.push(pace(d.bytes.value, d.every.duration(), true)),
            RequestAction::Truncate(t) => shapes.push(cut(t.after_byte, t.of.value, Ending::Close)),
            RequestAction::ResetConnection(r) => match r.after_byte {
                Some(byte) => shapes.push(cut(byte, r.of.value, Ending::Abort)),
                None => end = Some(Directive::Abort),
            },
            RequestAction::CloseConnection => end = Some(Directive::Close),
            RequestAction::HalfOpen | RequestAction::Blackhole => end = Some(Directive::Silence),
            RequestAction::LoseReply(lose) => {
                end = Some(match lose.then {
                    LostReply::Silence => Directive::Silence,
                    LostReply::Reset => Directive::Abort,
                    LostReply::Close => Directive::Close,
                });
            }
        }
    }
    let mut out = delays;
    if let (Some(by), Some(reply)) = (length_off, &reply) {
        shapes.insert(0, Directive::Raw(with_wrong_length(reply, by, now, service)));
    }
    if let Some(reply) = reply
        .filter(|_| end.is_none())
        .filter(|r| before.as_ref() != Some(r))
    {
        out.push(Directive::Respond(reply));
    }
    out.extend(shapes);
    out.extend(end);
    out
}

fn pairs(headers: &BTreeMap<String, String>) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn change(reply: &mut Option<Reply>, how: impl FnOnce(&mut Reply)) {
    if let Some(reply) = reply {
        how(reply);
    }
}

fn cut(after: u32, of: Message, then: Ending) -> Directive {
    let cut = Cut {
        after: after as usize,
        then: Some(then),
    };
    match of {
        Message::Request => Directive::CutRequest(cut),
        Message::Reply => Directive::Cut(cut),
    }
}

fn pace(chunk: u32, every: Duration, head_at_once: bool) -> Directive {
    Directive::Dribble(Pace {
        chunk: chunk as usize,
        every,
        head_at_once,
    })
}

fn respond(r: &Respond, now: Instant, service: &dyn Service) -> Reply {
    let status = r.status.value;
    let mut reply = match &r.body {
        Some(body) => Reply::new(status).with_body(body.value.as_bytes()),
        None if status >= 400 || r.error.is_some() => {
            service.error_reply(status, r.error.as_deref().unwrap_or(usual_text(status)))
        }
        None => Reply::new(status)
            .with_header("content-type", "application/json")
            .with_body("{}"),
    };
    if let Some(kind) = &r.content_type {
        set_header(&mut reply, "content-type", kind);
    }
    match &r.retry_after {
        Some(RetryAfter::Text(text)) => set_header(&mut reply, "retry-after", text),
        Some(RetryAfter::Date(ahead)) => {
            let date = http_date(service.clock(now).offset_nanos(ahead.0.into()).as_secs());
            set_header(&mut reply, "retry-after", &date);
        }
        None => {}
    }
    for (name, value) in &r.headers {
        set_header(&mut reply, name, value);
    }
    reply
}

/// The contract's text for a status, or the status' own name.
fn usual_text(status: u16) -> &'static str {
    match status {
        401 => "Invalid token",
        403 => "Token revoked",
        404 => "Device not found",
        410 => "Registration token already used",
        429 => "Too many requests",
        500 => "Internal server error",
        502 => "Bad gateway",
        503 => "Service unavailable",
        504 => "Gateway timeout",
        _ => "Request failed",
    }
}

fn redirect(exchange: &ActiveExchange, service: &dyn Service) -> Reply {
    let location = format!("https://{}{}", service.host(), exchange.target);
    Reply::new(301).with_header("location", &location)
}

fn set_header(reply: &mut Reply, name: &str, value: &str) {
    reply.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
    reply.headers.push((name.to_owned(), value.to_owned()));
}

fn without_member(reply: &mut Reply, name: &str) {
    if let Ok(serde_json::Value::Object(mut members)) = serde_json::from_slice(&reply.body)
        && members.remove(name).is_some()
    {
        reply.body = serde_json::Value::Object(members).to_string().into_bytes();
    }
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    // Writing to memory does not fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default()
}

/// The reply as text, with a length that is off.
fn with_wrong_length(reply: &Reply, by: i32, now: Instant, service: &dyn Service) -> Vec<u8> {
    let right = i64::try_from(reply.body.len()).unwrap_or(i64::MAX);
    let wrong = right.saturating_add(by.into()).max(0).to_string();
    let mut reply = reply.clone();
    set_header(&mut reply, "date", &service.date(now));
    set_header(&mut reply, "content-length", &wrong);
    reply.to_wire()
}
