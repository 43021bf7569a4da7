//! Runs made of events, and evaluation of one expectation.

use expect::Checker;
use scenario::Format;
use sim::Instant;
use sim::air::Reason;
use vocabulary::{
    DeviceStatus, Endpoint, Event, Exchange, ExpectationResult, FaultState, Kind, Phase, SerialPort,
    WifiEvent,
};

/// The format with the service of these tests.
const FORMAT: Format = Format::new(&[&oceanremote::SPEC]);

pub(crate) const MIN: u64 = 60_000_000_000;
pub(crate) const SEC: u64 = 1_000_000_000;

pub(crate) fn at(ns: u64, kind: Kind) -> Event {
    Event {
        at: Instant::from_nanos(ns),
        kind,
    }
}

pub(crate) fn serial(ns: u64, text: &str) -> Event {
    at(
        ns,
        Kind::SerialChunk {
            port: SerialPort::Uart0,
            bytes: text.as_bytes().to_vec(),
        },
    )
}

pub(crate) fn request(ns: u64, endpoint: Endpoint, status: u16) -> Event {
    request_with(ns, endpoint, status, "", "")
}

pub(crate) fn request_with(ns: u64, endpoint: Endpoint, status: u16, token: &str, reply: &str) -> Event {
    let exchange = Exchange {
        id: 1,
        connection: 1,
        started: Instant::from_nanos(ns.saturating_sub(1000)),
        endpoint: Some(endpoint),
        named_late: false,
        method: "POST".to_owned(),
        target: "/api/device/x/".to_owned(),
        status: Some(status),
        request_headers: vec![("X-Device-Token".to_owned(), token.to_owned())],
        request_body: String::new(),
        reply_headers: Vec::new(),
        reply_body: reply.to_owned(),
        effect: String::new(),
        is_idle: false,
    };
    at(
        ns,
        Kind::Request {
            phase: Phase::AfterEffect,
            exchange,
        },
    )
}

pub(crate) fn pin(ns: u64, level: Option<bool>) -> Event {
    at(ns, Kind::Pin { gpio: 4, level })
}

pub(crate) fn status(ns: u64, status: DeviceStatus) -> Event {
    at(
        ns,
        Kind::Status {
            device: "d".to_owned(),
            status,
        },
    )
}

pub(crate) fn fault(ns: u64, state: FaultState) -> Event {
    at(
        ns,
        Kind::Fault {
            name: "drop".to_owned(),
            state,
        },
    )
}

pub(crate) fn lost(ns: u64, reason: u8) -> Event {
    at(
        ns,
        Kind::Wifi(WifiEvent::Disassociated {
            reason: Reason(reason),
        }),
    )
}

/// Evaluates one expectation, written in YAML flow style, over a run of three hours.
pub(crate) fn judge(expectation: &str, events: &[Event]) -> ExpectationResult {
    let text = format!(
        "name: t\nversion: 1\nbench: {{duration: 3h}}\nfaults:\n  - {{name: drop, when: 1m, do: access-point-gone}}\n\
         expect:\n  - {expectation}\n"
    );
    let scenario = FORMAT.parse("t.yaml", &text).unwrap_or_else(|e| panic!("{e}"));
    let mut checker = Checker::new(&scenario);
    let mut early = None;
    for event in events {
        checker.advance(event.at);
        checker.observe(event);
        early = early.or_else(|| checker.early_failure());
    }
    let end = Instant::from_secs(3 * 3600);
    let result = checker.finish(end).remove(0);
    if let Some(early) = early {
        assert!(!result.held, "decided early and then held: {early:?}");
    }
    assert_eq!(result.position, "t.yaml:7:5");
    result
}

#[track_caller]
pub(crate) fn holds(expectation: &str, events: &[Event]) {
    let result = judge(expectation, events);
    assert!(result.held, "{result:?}");
    assert_eq!(result.message, "");
}

#[track_caller]
pub(crate) fn fails(expectation: &str, events: &[Event], message: &str) -> Option<String> {
    let result = judge(expectation, events);
    assert!(!result.held, "held: {expectation}");
    assert_eq!(result.message, message);
    result.nearest
}
