//! What happened around a moment, in one time order: serial lines, requests, and what network, cloud and
//! faults did.

use std::collections::BTreeMap;

use sim::Instant;
use vocabulary::text::printable;
use vocabulary::{
    DeviceStatus, Event, Exchange, FaultState, Kind, LinkEvent, SessionChange, TcpChange, WifiEvent,
};

/// Rows shown at most before the moment; more are left out where they are oldest.
const MAX_BEFORE: usize = 30;

/// Something that happened, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub at: Instant,
    /// What kind of thing: `serial`, `request`, `wifi`, …
    pub kind: &'static str,
    /// What happened; without control characters.
    pub text: String,
    /// A request that changed nothing and brought nothing.
    pub is_idle: bool,
}

/// The moments around `at`: since the last `lines` serial lines before it, and up to `after` moments behind it.
pub fn around(events: &[Event], at: Instant, lines: usize, after: usize) -> (Vec<Moment>, Vec<Moment>) {
    let mut before = moments(events);
    let mut behind = before.split_off(before.partition_point(|m| m.at <= at));
    // A poll that brought nothing says only that the device lives: the last one is enough.
    let last_poll = before.iter().rposition(|m| m.is_idle).map(|i| before[i].clone());
    before.retain(|m| !m.is_idle || last_poll.as_ref() == Some(m));
    behind.retain(|m| !m.is_idle);
    let mut left = lines;
    let from = before.iter().rposition(|m| {
        left = left.saturating_sub(usize::from(m.kind == "serial"));
        left == 0
    });
    let from = from.unwrap_or(0).max(before.len().saturating_sub(MAX_BEFORE));
    (
        before[from..].to_vec(),
        behind[..after.min(behind.len())].to_vec(),
    )
}

/// Every moment of a run that a person may want to read, in order. A request stands where it started, with
/// what became of it.
pub fn moments(events: &[Event]) -> Vec<Moment> {
    let mut requests: BTreeMap<u64, &Exchange> = BTreeMap::new();
    let mut out = Vec::new();
    for event in events {
        if let Kind::Request { exchange, .. } = &event.kind {
            requests.insert(exchange.id, exchange);
        } else if let Some((kind, text)) = words(&event.kind) {
            out.push(Moment {
                at: event.at,
                kind,
                text: printable(&text).into_owned(),
                is_idle: false,
            });
        }
    }
    out.extend(requests.into_values().map(|x| {
        let status = x.status.map_or_else(|| "no reply".to_owned(), |s| s.to_string());
        let effect = if x.effect.is_empty() {
            String::new()
        } else {
            format!(", {}", x.effect)
        };
        let text = format!("{} {} → {status}{effect}", x.method, x.target);
        Moment {
            at: x.started,
            kind: "request",
            text: printable(&text).into_owned(),
            is_idle: x.is_idle,
        }
    }));
    out.sort_by_key(|m| m.at);
    out
}

fn words(kind: &Kind) -> Option<(&'static str, String)> {
    Some(match kind {
        Kind::SerialLine { text, .. } => ("serial", text.clone()),
        Kind::SerialInput { text } => ("input", text.clone()),
        Kind::Wifi(wifi) => (
            "wifi",
            match wifi {
                WifiEvent::Scan => return None,
                WifiEvent::Associated { ssid, rssi_dbm, .. } => {
                    format!("associated with {ssid}, {rssi_dbm} dBm")
                }
                WifiEvent::Refused { reason } => format!("refused, reason {}", reason.0),
                WifiEvent::Disassociated { reason } => format!("lost, reason {}", reason.0),
            },
        ),
        Kind::Link(link) => (
            "network",
            match link {
                LinkEvent::Dhcp { message, ip } => {
                    format!(
                        "DHCP {message}{}",
                        ip.map_or_else(String::new, |ip| format!(" {ip}"))
                    )
                }
                LinkEvent::Dns { name, answer } => format!("DNS {name}: {answer}"),
                // What came of it is told by the next one.
                LinkEvent::SntpAsked => return None,
                LinkEvent::Sntp { answer } => format!("SNTP {answer}"),
                LinkEvent::Tcp {
                    id,
                    to,
                    change: TcpChange::Reset,
                } => format!("TCP {id} reset {to}"),
                LinkEvent::Tcp {
                    id,
                    to,
                    change: TcpChange::Refused,
                } => format!("TCP {id} to {to} refused"),
                // Every request opens and closes one.
                LinkEvent::Tcp { .. } => return None,
                LinkEvent::Dropped { why, .. } => format!("frame lost: {why}"),
            },
        ),
        Kind::Fact(fact) => ("cloud", fact.to_string()),
        Kind::Session { change, .. } => (
            "session",
            match change {
                SessionChange::Issued { session } => format!("{session} issued"),
                SessionChange::Renewed { session } => format!("{session} by renewal"),
                SessionChange::Recovered { session } => format!("{session} by recovery"),
                SessionChange::Expired { session } => format!("{session} expired"),
                SessionChange::Invalidated { session, why } => format!("{session} ended: {why}"),
            },
        ),
        Kind::Status { device, status } => (
            "status",
            match status {
                DeviceStatus::Online => format!("{device} ONLINE"),
                DeviceStatus::Away => format!("{device} AWAY"),
                DeviceStatus::Offline => format!("{device} OFFLINE"),
            },
        ),
        Kind::ClockOffset { clock, offset_ns } => (
            "clock",
            format!("{clock} {} ms from true time", offset_ns / 1_000_000),
        ),
        Kind::Fault { name, state } => (
            "fault",
            match state {
                FaultState::Fired => format!("{name} begins"),
                FaultState::Ended => format!("{name} is over"),
                FaultState::WithoutEffect => format!("{name} has no effect"),
                FaultState::NeverFired => return None,
            },
        ),
        Kind::Pin { gpio, level } => {
            let level = level.map_or("undriven", |high| if high { "high" } else { "low" });
            ("pin", format!("GPIO{gpio} {level}"))
        }
        Kind::Reset { cause } => ("reset", format!("{cause:?}")),
        Kind::Power { on } => ("power", if *on { "on" } else { "off" }.to_owned()),
        Kind::GuestFault { message, .. } => ("guest", message.clone()),
        Kind::Exited { code, signal } => ("exit", exit_text(*code, *signal)),
        Kind::Note { text } => ("note", text.clone()),
        Kind::ScenarioStarted { .. }
        | Kind::SerialChunk { .. }
        | Kind::Unmodelled(_)
        | Kind::Frame { .. }
        | Kind::Request { .. }
        | Kind::Step { .. }
        | Kind::Expectation(_)
        | Kind::ScenarioFinished { .. } => return None,
    })
}

/// How a program ended.
pub(crate) fn exit_text(code: Option<i32>, signal: Option<i32>) -> String {
    match (code, signal) {
        (Some(code), _) => format!("the program ended with exit status {code}"),
        (None, Some(signal)) => format!("the program was ended by signal {signal}"),
        (None, None) => "the program ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{self, Shape};

    #[test]
    fn everything_around_a_moment_is_in_one_time_order() {
        let run = synthetic::run(&Shape::broken());
        let at = Instant::from_secs(8_140);
        let (before, after) = around(&run.events, at, 5, 3);
        assert_eq!(before.iter().filter(|m| m.kind == "serial").count(), 5);
        assert!(before.is_sorted_by_key(|m| m.at) && before.last().unwrap().at <= at);
        for kind in ["serial", "request", "wifi", "network", "status", "fault"] {
            assert!(before.iter().any(|m| m.kind == kind), "{kind} in {before:#?}");
        }
        assert_eq!(after.len(), 3);
        assert!(after[0].at > at);
    }

    #[test]
    fn few_lines_and_many_requests_are_cut_to_the_newest() {
        let run = synthetic::run(&Shape::long());
        let (before, _) = around(&run.events, Instant::from_secs(3_600), 12, 0);
        assert_eq!(before.len(), MAX_BEFORE);
        assert!(around(&[], Instant::ZERO, 12, 3).0.is_empty());
    }
}
