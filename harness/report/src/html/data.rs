//! The data of a page: what the script of the page needs of the events, and no more. Texts are stored once,
//! times as differences, frames as counts.

use std::collections::BTreeMap;

use serde::Serialize;
use vocabulary::{
    Access, AccessKind, DeviceStatus, Direction, Event, Exchange, FaultState, Kind, LinkEvent, Phase,
    SerialPort, SessionChange, StepState, TcpChange, WifiEvent,
};

use crate::{Outcome, Run, junit};

/// At most this many bins of frames.
const MAX_BINS: u64 = 11_000;

/// Everything about one run.
#[derive(Debug, Serialize)]
pub(super) struct Data<'a> {
    name: &'a str,
    /// What the scenario calls itself, where that is not its name.
    title: Option<&'a str>,
    path: &'a str,
    repeat: &'a str,
    seed: Option<String>,
    firmware: Option<&'a str>,
    backend: &'a str,
    time_scale: u32,
    epoch_s: i64,
    outcome: &'static str,
    reasons: Vec<&'a str>,
    /// What of the bench failed.
    trouble: Option<&'static str>,
    next_step: Option<&'a str>,
    /// Earlier attempts, in words.
    attempts: Vec<String>,
    /// Why a failure of this scenario is known, and whether that makes this one not red.
    quarantine: Option<String>,
    quarantined: bool,
    quarantine_note: Option<String>,
    must_fail: Option<&'a str>,
    negative: Option<String>,
    finished: bool,
    end_us: u64,
    instructions: u64,
    unmodelled: u64,
    endpoints: Vec<&'a str>,
    strings: Vec<String>,
    /// Lists of head fields: name, value, name, value, … as indices of strings.
    heads: Vec<Vec<usize>>,
    /// Difference of time, text; one after the other.
    serial: Vec<u64>,
    /// Which lines came from the second console.
    usb: Vec<usize>,
    /// See `request_row`.
    requests: Vec<Vec<i64>>,
    /// Width of a bin, and for each bin that is not empty: its number as a difference, frames from the
    /// device, frames to the device.
    bin_us: u64,
    bins: Vec<u64>,
    /// Difference of time, lane, two numbers, text.
    marks: Vec<(u64, char, i64, i64, usize)>,
    expectations: Vec<Expectation<'a>>,
}

#[derive(Debug, Serialize)]
struct Expectation<'a> {
    at_us: u64,
    name: &'a str,
    held: bool,
    message: &'a str,
    nearest: Option<&'a str>,
    position: &'a str,
}

#[derive(Default)]
struct Strings {
    known: BTreeMap<String, usize>,
    list: Vec<String>,
}

impl Strings {
    fn put(&mut self, text: &str) -> usize {
        if let Some(&i) = self.known.get(text) {
            return i;
        }
        self.list.push(text.to_owned());
        self.known.insert(text.to_owned(), self.list.len() - 1);
        self.list.len() - 1
    }
}

/// A request as its phases come in.
struct Request<'a> {
    exchange: &'a Exchange,
    effect_us: Option<u64>,
    reply_us: Option<u64>,
}

/// The data of `run`.
pub(super) fn of(run: &Run) -> Data<'_> {
    let (outcome, reasons) = match &run.outcome {
        Outcome::Passed => ("pass", Vec::new()),
        Outcome::Failed { reasons } => ("fail", reasons.iter().map(String::as_str).collect()),
        Outcome::Infrastructure { message, .. } => ("infra", vec![message.as_str()]),
        Outcome::Skipped { reason } => ("skipped", vec![reason.as_str()]),
    };
    let (trouble, next_step) = match &run.outcome {
        Outcome::Infrastructure { kind, next_step, .. } => (Some(kind.phrase()), next_step.as_deref()),
        _ => (None, None),
    };
    let (instructions, unmodelled) = run.counts();
    let end_us = run.ended().as_micros();
    let mut data = Data {
        name: &run.name,
        title: None,
        path: &run.path,
        repeat: &run.repeat,
        seed: None,
        firmware: None,
        backend: &run.backend,
        time_scale: run.time_scale,
        epoch_s: 0,
        outcome,
        reasons,
        trouble,
        next_step,
        attempts: run
            .attempts
            .iter()
            .map(|a| format!("{}: {}", a.kind.phrase(), a.message))
            .collect(),
        quarantine: run.quarantine.as_ref().map(crate::Quarantine::text),
        quarantined: run.is_quarantined(),
        quarantine_note: run.quarantine_note(),
        must_fail: run.must_fail.as_deref(),
        negative: run
            .must_fail
            .as_ref()
            .map(|name| junit::negative_control(run, name)),
        finished: matches!(
            run.events.last().map(|e| &e.kind),
            Some(Kind::ScenarioFinished { .. })
        ),
        end_us,
        instructions,
        unmodelled,
        endpoints: endpoints(run.events.iter()),
        strings: Vec::new(),
        heads: Vec::new(),
        serial: Vec::new(),
        usb: Vec::new(),
        requests: Vec::new(),
        bin_us: bin_width(end_us),
        bins: Vec::new(),
        marks: Vec::new(),
        expectations: Vec::new(),
    };
    let mut strings = Strings::default();
    let mut frames: BTreeMap<u64, [u64; 2]> = BTreeMap::new();
    let mut requests: BTreeMap<u64, Request<'_>> = BTreeMap::new();
    let (mut last_line, mut last_mark) = (0, 0);
    for event in &run.events {
        let at = event.at.as_micros();
        match &event.kind {
            Kind::ScenarioStarted {
                name,
                seed,
                firmware_sha256,
                epoch_unix_s,
                ..
            } => {
                data.title = (name != data.name).then_some(name);
                // As text: a number of the script holds no 64 bits.
                data.seed = Some(seed.to_string());
                data.firmware = Some(firmware_sha256);
                data.epoch_s = *epoch_unix_s;
            }
            Kind::SerialLine { port, text } => {
                if *port == SerialPort::UsbSerialJtag {
                    data.usb.push(data.serial.len() / 2);
                }
                data.serial
                    .extend([at.saturating_sub(last_line), strings.put(text) as u64]);
                last_line = at;
            }
            Kind::Frame { direction, .. } => {
                let way = usize::from(*direction == Direction::ToDevice);
                frames.entry(at / data.bin_us).or_default()[way] += 1;
            }
            Kind::Request { phase, exchange } => {
                let request = requests.entry(exchange.id).or_insert(Request {
                    exchange,
                    effect_us: None,
                    reply_us: None,
                });
                request.exchange = exchange;
                match phase {
                    Phase::AfterEffect => request.effect_us = Some(at),
                    Phase::AfterReply => request.reply_us = Some(at),
                    Phase::FirstByte | Phase::BeforeEffect => {}
                }
            }
            Kind::SerialChunk { .. }
            | Kind::SerialInput { .. }
            | Kind::Pin { .. }
            | Kind::Reset { .. }
            | Kind::Power { .. }
            | Kind::GuestFault { .. }
            | Kind::Exited { .. }
            | Kind::Unmodelled(_)
            | Kind::Wifi(_)
            | Kind::Link(_)
            | Kind::Fact(_)
            | Kind::Session { .. }
            | Kind::Status { .. }
            | Kind::ClockOffset { .. }
            | Kind::Fault { .. }
            | Kind::Step { .. }
            | Kind::Expectation(_)
            | Kind::Note { .. }
            | Kind::ScenarioFinished { .. } => {
                if let Some((lane, a, b, text)) = mark(event, &mut data, &mut strings) {
                    data.marks.push((at.saturating_sub(last_mark), lane, a, b, text));
                    last_mark = at;
                }
            }
        }
    }
    let mut last_bin = 0;
    for (bin, [up, down]) in frames {
        data.bins.extend([bin - last_bin, up, down]);
        last_bin = bin;
    }
    let mut rows: Vec<_> = requests.into_values().collect();
    rows.sort_by_key(|r| (r.exchange.started, r.exchange.id));
    let mut heads = BTreeMap::new();
    let mut last = 0;
    for request in &rows {
        data.requests.push(request_row(
            request,
            &data.endpoints,
            last,
            &mut strings,
            &mut heads,
            &mut data.heads,
        ));
        last = request.exchange.started.as_micros();
    }
    data.strings = strings.list;
    data
}

/// A round number of microseconds that gives no more than [`MAX_BINS`] bins.
fn bin_width(end_us: u64) -> u64 {
    let mut width = 1000;
    // 1, 2, 5, 10, 20, … milliseconds.
    for (up, down) in [(2, 1), (5, 2), (2, 1)].into_iter().cycle() {
        if end_us / width < MAX_BINS {
            break;
        }
        width = width.saturating_mul(up) / down;
    }
    width
}

/// The names of the endpoints that the run has seen, in the order of their first request.
fn endpoints<'a>(events: impl Iterator<Item = &'a Event>) -> Vec<&'a str> {
    let mut names = Vec::new();
    for event in events {
        if let Kind::Request { exchange, .. } = &event.kind
            && let Some(endpoint) = &exchange.endpoint
            && !names.contains(&endpoint.name())
        {
            names.push(endpoint.name());
        }
    }
    names
}

/// Start as a difference, number, connection, endpoint or -1, status or 0, method, target, head and body of
/// the request, head and body of the reply, effect, and the times from the start to effect and reply or -1.
fn request_row(
    request: &Request<'_>,
    endpoints: &[&str],
    last: u64,
    strings: &mut Strings,
    known: &mut BTreeMap<Vec<usize>, usize>,
    heads: &mut Vec<Vec<usize>>,
) -> Vec<i64> {
    let x = request.exchange;
    let started = x.started.as_micros();
    let mut head = |fields: &[(String, String)], strings: &mut Strings| {
        let list: Vec<usize> = fields
            .iter()
            .flat_map(|(n, v)| [strings.put(n), strings.put(v)])
            .collect();
        *known.entry(list.clone()).or_insert_with(|| {
            heads.push(list);
            heads.len() - 1
        }) as i64
    };
    let since = |at: Option<u64>| at.map_or(-1, |at| at.saturating_sub(started) as i64);
    let endpoint = x
        .endpoint
        .as_ref()
        .and_then(|e| endpoints.iter().position(|x| *x == e.name()));
    vec![
        started.saturating_sub(last) as i64,
        x.id as i64,
        x.connection as i64,
        endpoint.map_or(-1, |i| i as i64),
        i64::from(x.status.unwrap_or(0)),
        strings.put(&x.method) as i64,
        strings.put(&x.target) as i64,
        head(&x.request_headers, strings),
        strings.put(&x.request_body) as i64,
        head(&x.reply_headers, strings),
        strings.put(&x.reply_body) as i64,
        strings.put(&x.effect) as i64,
        since(request.effect_us),
        since(request.reply_us),
    ]
}

/// Lane, two numbers whose meaning depends on the lane, and a text.
fn mark<'a>(event: &'a Event, data: &mut Data<'a>, strings: &mut Strings) -> Option<(char, i64, i64, usize)> {
    let mut text = |text: &str| strings.put(text);
    Some(match &event.kind {
        Kind::Wifi(wifi) => match wifi {
            WifiEvent::Scan => ('w', 2, 0, text("scan")),
            WifiEvent::Associated {
                ssid,
                channel,
                rssi_dbm,
            } => (
                'w',
                1,
                0,
                text(&format!(
                    "associated with {ssid}, channel {channel}, {rssi_dbm} dBm"
                )),
            ),
            WifiEvent::Refused { reason } => ('w', 3, 0, text(&format!("refused, reason {}", reason.0))),
            WifiEvent::Disassociated { reason } => ('w', 0, 0, text(&format!("lost, reason {}", reason.0))),
        },
        Kind::Link(link) => link_mark(link, strings),
        Kind::Session { device, change } => {
            let (kind, session, what) = match change {
                SessionChange::Issued { session } => (0, session, "issued".to_owned()),
                SessionChange::Renewed { session } => (1, session, "renewed".to_owned()),
                SessionChange::Recovered { session } => (2, session, "recovered".to_owned()),
                SessionChange::Expired { session } => (3, session, "expired".to_owned()),
                SessionChange::Invalidated { session, why } => (4, session, format!("invalidated: {why}")),
            };
            let what = text(&format!("{device}: session {what}"));
            ('s', kind, strings.put(session) as i64, what)
        }
        Kind::Status { device, status } => {
            let (kind, word) = match status {
                DeviceStatus::Online => (0, "ONLINE"),
                DeviceStatus::Away => (1, "AWAY"),
                DeviceStatus::Offline => (2, "OFFLINE"),
            };
            let device_index = text(device) as i64;
            ('d', kind, device_index, text(&format!("{device} is {word}")))
        }
        Kind::ClockOffset { clock, offset_ns } => ('c', offset_ns / 1000, 0, text(clock)),
        Kind::Fault { name, state } => {
            let kind = match state {
                FaultState::Fired => 0,
                FaultState::Ended => 1,
                FaultState::WithoutEffect | FaultState::NeverFired => 2,
            };
            ('f', kind, 0, text(name))
        }
        Kind::Pin { gpio, level } => ('p', level.map_or(2, i64::from), i64::from(*gpio), text("")),
        Kind::Reset { cause } => {
            let cause = serde_json::to_value(cause).expect("a cause is a word");
            (
                'r',
                0,
                0,
                text(&format!("reset: {}", cause.as_str().unwrap_or_default())),
            )
        }
        Kind::Power { on } => (
            'o',
            i64::from(*on),
            0,
            text(if *on { "power on" } else { "power off" }),
        ),
        Kind::GuestFault { message, backtrace } => {
            let mut all = message.clone();
            for frame in backtrace {
                all.push_str("\n    ");
                all.push_str(frame);
            }
            ('g', 0, 0, text(&all))
        }
        Kind::Unmodelled(access) => ('u', 0, 0, text(&access_text(access))),
        Kind::Exited { code, signal } => ('n', 0, 0, text(&crate::around::exit_text(*code, *signal))),
        Kind::Note { text: note } => ('n', 0, 0, text(note)),
        Kind::Fact(fact) => ('n', 0, 0, text(&fact.to_string())),
        Kind::SerialInput { text: typed } => ('i', 0, 0, text(typed)),
        Kind::Step { index, state } => {
            let (kind, message) = match state {
                StepState::Started => (0, ""),
                StepState::Done => (1, ""),
                StepState::Failed { message } => (2, message.as_str()),
            };
            ('t', kind, *index as i64, text(message))
        }
        Kind::Expectation(result) => {
            data.expectations.push(Expectation {
                at_us: result.decided.as_micros(),
                name: &result.name,
                held: result.held,
                message: &result.message,
                nearest: result.nearest.as_deref(),
                position: &result.position,
            });
            (
                'x',
                i64::from(result.held),
                data.expectations.len() as i64 - 1,
                text(&result.name),
            )
        }
        Kind::ScenarioStarted { .. }
        | Kind::SerialChunk { .. }
        | Kind::SerialLine { .. }
        | Kind::Frame { .. }
        | Kind::Request { .. }
        | Kind::ScenarioFinished { .. } => return None,
    })
}

/// 1 in the first number marks what is a problem; the second is the connection.
fn link_mark(link: &LinkEvent, strings: &mut Strings) -> (char, i64, i64, usize) {
    let (problem, id, text) = match link {
        LinkEvent::Dhcp { message, ip } => {
            let ip = ip.map_or(String::new(), |ip| format!(" {ip}"));
            (
                matches!(message.as_str(), "nak" | "decline"),
                0,
                format!("DHCP {message}{ip}"),
            )
        }
        LinkEvent::Dns { name, answer } => (!answer.starts_with('A'), 0, format!("DNS {name}: {answer}")),
        LinkEvent::SntpAsked => (false, 0, "SNTP poll".to_owned()),
        LinkEvent::Sntp { answer } => (!answer.ends_with('Z'), 0, format!("SNTP {answer}")),
        LinkEvent::Tcp { id, to, change } => {
            let (problem, text) = match change {
                TcpChange::Opened => (false, format!("TCP to {to} opened")),
                TcpChange::Closed => (false, "TCP closed".to_owned()),
                TcpChange::Reset => (true, format!("TCP reset {to}")),
                TcpChange::Refused => (true, format!("TCP to {to} refused")),
            };
            (problem, *id as i64, text)
        }
        LinkEvent::Dropped { why, .. } => (true, 0, format!("frame lost: {why}")),
    };
    ('l', i64::from(problem), id, strings.put(&text))
}

fn access_text(access: &Access) -> String {
    let what = match access.kind {
        AccessKind::Register => "register",
        AccessKind::Csr => "CSR",
        AccessKind::RomFunction => "ROM function",
        AccessKind::DriverFunction => "driver function",
    };
    let how = match (access.written, access.size) {
        (Some(value), _) => format!("written 0x{value:x}"),
        (None, 0) => "called".to_owned(),
        (None, size) => format!("read, {size} bytes"),
    };
    let symbol = access
        .symbol
        .as_ref()
        .map_or(String::new(), |s| format!(" ({s})"));
    format!(
        "not modelled: {what} 0x{:x} {how} at 0x{:x}{symbol}",
        access.addr, access.pc
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{self, Shape};

    #[test]
    fn requests_and_lines_are_all_there_once() {
        let run = synthetic::run(&Shape::broken());
        let data = of(&run);
        let count = |f: fn(&Kind) -> bool| run.events.iter().filter(|e| f(&e.kind)).count();
        let whole = |k: &Kind| {
            matches!(
                k,
                Kind::Request {
                    phase: Phase::AfterReply,
                    ..
                }
            )
        };
        assert_eq!(data.requests.len(), count(whole));
        assert_eq!(
            data.serial.len() / 2,
            count(|k| matches!(k, Kind::SerialLine { .. }))
        );
        let frames: u64 = data.bins.chunks(3).map(|b| b[1] + b[2]).sum();
        assert_eq!(frames as usize, count(|k| matches!(k, Kind::Frame { .. })));
        let started: i64 = data.requests.iter().map(|r| r[0]).sum();
        let last = run.events.iter().rev().find_map(|e| match &e.kind {
            Kind::Request { exchange, .. } => Some(exchange.started.as_micros()),
            _ => None,
        });
        assert_eq!(
            Some(started as u64),
            last,
            "the differences add up to the last start"
        );
        assert_eq!(data.expectations.iter().filter(|e| !e.held).count(), 1);
    }

    #[test]
    fn bins_are_round_and_few() {
        for (end_s, want_us) in [
            (1, 1000),
            (60, 10_000),
            (600, 100_000),
            (10_800, 1_000_000),
            (86_400, 10_000_000),
        ] {
            assert_eq!(bin_width(end_s * 1_000_000), want_us, "{end_s} s");
        }
    }
}
