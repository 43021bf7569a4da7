//! The real firmware under each family of faults: what happens, exactly, and when.

use std::sync::OnceLock;

use bench::{Limits, Progress};
use dut::{DutFactory as _, DutOptions, DutSource, Firmware};
use emulator::EmulatorFactory;
use netsim::CapturedFrame;
use sim::Instant;
use sim::air::Reason;
use vocabulary::{
    Event, FaultState, Kind, LinkEvent, Phase, ResetCause, SessionChange, TcpChange, Verdict, WifiEvent,
};

/// Keeps the events of a run.
#[derive(Default)]
struct Kept(Vec<Event>);

impl Progress for Kept {
    fn at(&mut self, _: Instant) -> bool {
        true
    }

    fn event(&mut self, event: Event) {
        self.0.push(event);
    }

    fn frame(&mut self, _: CapturedFrame) {}
}

/// A run that has ended, with its events.
struct RunRecord {
    events: Vec<Event>,
    verdict: Verdict,
    reasons: Vec<String>,
}

const FIRMWARE: Firmware<'static> = Firmware {
    file: include_bytes!("../../../fixtures/oceanremote-device.elf.gz"),
    sha256: "",
};

fn emulator() -> &'static dyn DutSource {
    static EMULATOR: OnceLock<Box<dyn DutSource>> = OnceLock::new();
    let open = || {
        EmulatorFactory
            .open(None, &DutOptions::default())
            .expect("the emulator")
    };
    EMULATOR.get_or_init(open).as_ref()
}

/// A minute with this fault plan.
fn run(faults: &str) -> RunRecord {
    let text = format!(
        "name: a\nversion: 1\nbench: {{duration: 1m, provisioning: {{interval: {{update: 7s}}}}}}\nexpect: [{{no-serial: panicked}}]\nfaults:\n{faults}\n"
    );
    let scenario = faults::FORMAT.parse("f", &text).unwrap_or_else(|e| panic!("{e}"));
    let mut kept = Kept::default();
    let end =
        bench::run(emulator(), &scenario, FIRMWARE, Limits::default(), &mut kept).expect("the bench works");
    RunRecord {
        events: kept.0,
        verdict: end.verdict,
        reasons: end.reasons,
    }
}

fn seconds<'r>(run: &'r RunRecord, what: impl Fn(&Kind) -> bool + 'r) -> Vec<u64> {
    run.events
        .iter()
        .filter(|e| what(&e.kind))
        .map(|e| e.at.as_nanos() / 1_000_000_000)
        .collect()
}

fn state(name: &'static str, wanted: FaultState) -> impl Fn(&Kind) -> bool {
    move |kind| matches!(kind, Kind::Fault { name: n, state } if n == name && *state == wanted)
}

fn request(endpoint: &'static str, phase: Phase, status: u16) -> impl Fn(&Kind) -> bool {
    move |kind| {
        matches!(kind, Kind::Request { phase: p, exchange }
            if *p == phase && exchange.endpoint.as_ref().is_some_and(|e| e.name() == endpoint) && exchange.status == Some(status))
    }
}

fn passed(run: &RunRecord) {
    assert_eq!(
        (run.verdict.clone(), run.reasons.clone()),
        (Verdict::Pass, Vec::new())
    );
}

#[test]
fn radio() {
    let r = run(
        "  - {name: gone, when: 20s, do: access-point-gone, for: 10s}\n  - {name: out, when: {after: {trigger: {wifi: {state: associated, nth: 2}}, delay: 5s}}, do: {deauthenticate: {reason: 8}}}",
    );
    passed(&r);
    let lost = |reason| move |k: &Kind| matches!(k, Kind::Wifi(WifiEvent::Disassociated { reason: r }) if *r == reason);
    let beacons = seconds(&r, lost(Reason::BEACON_TIMEOUT));
    assert!(matches!(beacons[..], [20..=27]), "{beacons:?}");
    let back = seconds(&r, |k| matches!(k, Kind::Wifi(WifiEvent::Associated { .. })));
    assert!(
        back.len() == 3 && back[1] >= 30 && back[2] >= back[1] + 5,
        "{back:?}"
    );
    assert_eq!(seconds(&r, lost(Reason::ASSOC_LEAVE)), [back[1] + 5]);
    let r = run(
        "  - {name: new, when: 20s, do: {wrong-password: other-water}, for: 20s}\n  - {name: out, when: 21s, do: {deauthenticate: {reason: 2}}}",
    );
    passed(&r);
    let refused = seconds(&r, |k| {
        matches!(
            k,
            Kind::Wifi(WifiEvent::Refused {
                reason: Reason::FOUR_WAY_HANDSHAKE_TIMEOUT
            })
        )
    });
    assert!(
        !refused.is_empty() && refused.iter().all(|s| (21..45).contains(s)),
        "{refused:?}"
    );
    let r =
        run("  - {name: weak, when: 20s, do: {rssi: -85}}\n  - {name: moves, when: 20s, do: {channel: 11}}");
    passed(&r);
    let joined: Vec<(u8, i8)> = r
        .events
        .iter()
        .filter_map(|e| match &e.kind {
            Kind::Wifi(WifiEvent::Associated {
                channel, rssi_dbm, ..
            }) => Some((*channel, *rssi_dbm)),
            _ => None,
        })
        .collect();
    assert_eq!(joined, [(6, -52), (11, -85)]);
}

#[test]
fn link() {
    let r = run(
        "  - {name: dead, when: 20s, do: {link: {loss: 100%, direction: to-device, only: {protocol: tcp}}}, for: 10s}",
    );
    passed(&r);
    let lost = seconds(
        &r,
        |k| matches!(k, Kind::Link(LinkEvent::Dropped { why }) if why == "lost on the link"),
    );
    assert!(
        !lost.is_empty() && lost.iter().all(|s| (20..30).contains(s)),
        "{lost:?}"
    );
    let r = run("  - {name: slow, when: 0s, do: {link: {latency: 300ms}}}");
    let register = seconds(&r, request("register", Phase::AfterEffect, 200));
    assert_eq!(register.len(), 1);
}

#[test]
fn ip() {
    let r = run(
        "  - {name: nak, when: 0s, do: {dhcp: nak}, for: 10s}\n  - {name: dns, when: 0s, do: {dns: nxdomain}, for: 20s}",
    );
    passed(&r);
    let nak = seconds(
        &r,
        |k| matches!(k, Kind::Link(LinkEvent::Dhcp { message, .. }) if message == "nak"),
    );
    assert!(!nak.is_empty() && nak.iter().all(|s| *s < 10), "{nak:?}");
    let unknown = seconds(
        &r,
        |k| matches!(k, Kind::Link(LinkEvent::Dns { answer, .. }) if answer == "NXDOMAIN"),
    );
    assert!(
        !unknown.is_empty() && unknown.iter().all(|s| *s < 20),
        "{unknown:?}"
    );
    let r = run("  - {name: portal, when: 20s, do: captive-portal, for: 8s}");
    passed(&r);
    let reached = seconds(&r, |k| matches!(k, Kind::Request { .. }));
    assert!(
        reached.iter().all(|s| !(20..28).contains(s)) && reached.iter().any(|s| *s >= 28),
        "{reached:?}"
    );
    let caught = seconds(&r, |k| {
        matches!(
            k,
            Kind::Link(LinkEvent::Tcp {
                change: TcpChange::Opened,
                ..
            })
        )
    });
    assert!(caught.iter().any(|s| (20..28).contains(s)), "{caught:?}");
}

#[test]
fn tcp() {
    let r = run("  - {name: closed, when: 0s, do: {refuse: {host: cloud.oceanremote.test}}, for: 10s}");
    passed(&r);
    let refused = seconds(&r, |k| {
        matches!(
            k,
            Kind::Link(LinkEvent::Tcp {
                change: TcpChange::Refused,
                ..
            })
        )
    });
    assert!(
        !refused.is_empty() && refused.iter().all(|s| *s < 10),
        "{refused:?}"
    );
    let r = run(
        "  - {name: torn, when: {request: {endpoint: commands, nth: 3}}, do: {reset-connection: {after-byte: 10}}}",
    );
    passed(&r);
    let reset = seconds(
        &r,
        |k| matches!(k, Kind::Link(LinkEvent::Tcp { change: TcpChange::Reset, to, .. }) if to == "by the server"),
    );
    assert_eq!(reset.len(), 1);
    assert_eq!(reset, seconds(&r, state("torn", FaultState::Fired)));
    let r = run("  - {name: wall, when: 10s, do: blackhole, endpoint: update, for: 30s}");
    passed(&r);
    let updates = seconds(&r, request("update", Phase::AfterEffect, 200));
    assert!(updates.iter().all(|s| !(10..40).contains(s)), "{updates:?}");
    let polls = seconds(&r, request("commands", Phase::AfterEffect, 200));
    assert!(polls.iter().any(|s| (10..40).contains(s)), "{polls:?}");
}

/// Case by case, a fault that is narrowed to an endpoint strikes that request while it is on its way in.
#[test]
fn on_the_way_in() {
    for (action, first_status) in [
        ("{truncate: {after-byte: 60, of: request}}", None),
        ("{reset-connection: {after-byte: 40, of: request}}", None),
        ("close-connection", None),
        ("half-open", None),
        ("reset-connection", None),
        ("{respond: 503}", Some(503)),
    ] {
        let r = run(&format!(
            "  - {{name: in, when: {{request: {{endpoint: register, at: first-byte}}}}, do: {action}}}"
        ));
        let registrations: Vec<(Phase, u64, Option<u16>)> = r
            .events
            .iter()
            .filter_map(|e| match &e.kind {
                Kind::Request { phase, exchange }
                    if exchange.endpoint.as_ref().is_some_and(|e| e.name() == "register") =>
                {
                    Some((*phase, exchange.id, exchange.status))
                }
                _ => None,
            })
            .collect();
        let first = registrations[0].1;
        let effect = registrations
            .iter()
            .find(|(phase, id, _)| *phase == Phase::AfterEffect && *id == first);
        assert_eq!(
            effect.map(|(_, _, status)| *status),
            first_status.map(Some),
            "{action}"
        );
        assert_eq!(seconds(&r, state("in", FaultState::Fired)).len(), 1, "{action}");
        assert!(
            // A device that waits for a reply gives up after the end of this run.
            action == "half-open"
                || registrations
                    .iter()
                    .any(|(_, id, status)| *id > first && *status == Some(200)),
            "{action}: it registers in the end"
        );
    }
}

#[test]
fn http() {
    let r = run(
        "  - {name: busy, when: {request: {endpoint: commands, nth: 3}}, do: {respond: {status: 503, retry-after: {date: 10s}}}}",
    );
    passed(&r);
    let busy: Vec<_> = r
        .events
        .iter()
        .filter_map(|e| match &e.kind {
            Kind::Request {
                phase: Phase::AfterReply,
                exchange,
            } if exchange.status == Some(503) => Some(exchange.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(busy.len(), 1);
    let header = |name| {
        busy[0]
            .reply_headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.clone())
    };
    let date = header("retry-after").unwrap();
    assert!(
        date.starts_with("Thu, 01 Jan 2026 00:00:") && date.ends_with(" GMT"),
        "{date}"
    );
    assert_eq!(
        busy[0].reply_body,
        r#"{"success":false,"error":"Service unavailable"}"#
    );
    assert_eq!(busy[0].effect, "nothing");
    for (action, seen) in [("gzip", "content-encoding"), ("html", "content-type")] {
        let r = run(&format!(
            "  - {{name: odd, when: {{request: {{endpoint: commands, nth: 3}}}}, do: {action}}}"
        ));
        passed(&r);
        let odd = r.events.iter().find_map(|e| match &e.kind {
            Kind::Request {
                phase: Phase::AfterReply,
                exchange,
            } if exchange
                .reply_headers
                .iter()
                .any(|(n, v)| n == seen && v != "application/json") =>
            {
                Some(exchange.status)
            }
            _ => None,
        });
        assert_eq!(odd, Some(Some(200)), "{action}");
    }
    let r = run("  - {name: many, when: 20s, do: {respond: 500}, endpoint: commands, for: 10s}");
    passed(&r);
    let failed = seconds(&r, request("commands", Phase::AfterEffect, 500));
    assert!(
        !failed.is_empty() && failed.iter().all(|s| (20..30).contains(s)),
        "{failed:?}"
    );
    assert_eq!(seconds(&r, state("many", FaultState::Fired)), failed[..1]);
    assert_eq!(seconds(&r, state("many", FaultState::Ended)), [30]);
}

#[test]
fn session() {
    let r = run("  - {name: lost, when: {request: {endpoint: register}}, do: {lose-reply: {then: reset}}}");
    let issued = seconds(&r, |k| {
        matches!(
            k,
            Kind::Session {
                change: SessionChange::Issued { .. },
                ..
            }
        )
    });
    assert!(!issued.is_empty());
    assert_eq!(
        seconds(&r, request("register", Phase::AfterReply, 200)),
        [] as [u64; 0]
    );
    let r = run(
        "  - {name: over, when: 20s, do: invalidate-session}\n  - {name: full, when: 40s, do: {limits: {requests: 0}}, for: 5s}",
    );
    passed(&r);
    let ended = seconds(
        &r,
        |k| matches!(k, Kind::Session { change: SessionChange::Invalidated { why, .. }, .. } if why == "forgotten by the server"),
    );
    assert_eq!(ended, [20]);
    let recovered = seconds(&r, |k| {
        matches!(
            k,
            Kind::Session {
                change: SessionChange::Recovered { .. },
                ..
            }
        )
    });
    assert!(matches!(recovered[..], [20..=35]), "{recovered:?}");
    let limited = seconds(
        &r,
        |k| matches!(k, Kind::Request { phase: Phase::AfterEffect, exchange } if exchange.status == Some(429)),
    );
    assert!(
        !limited.is_empty() && limited.iter().all(|s| (40..45).contains(s)),
        "{limited:?}"
    );
    // Before the device has a session there is none to renew: the fault has not fired.
    let r = run("  - {name: early, when: 0s, do: renew-session}");
    assert!(
        r.reasons[0].starts_with("the fault `early` had no effect: `renew-session` failed"),
        "{:?}",
        r.reasons
    );
    assert_eq!(seconds(&r, state("early", FaultState::WithoutEffect)), [0]);
    assert_eq!(seconds(&r, state("early", FaultState::Fired)), [] as [u64; 0]);
}

#[test]
fn clocks() {
    let r = run(
        "  - {name: ahead, when: 20s, do: {server-clock: {offset: 301s}}, for: 15s}\n  - {name: kiss, when: 0s, do: {ntp: {kiss-of-death: RATE}}, for: 8s}",
    );
    let moved: Vec<i64> = r
        .events
        .iter()
        .filter_map(|e| match &e.kind {
            Kind::ClockOffset { clock, offset_ns } if clock == "server" => Some(*offset_ns),
            _ => None,
        })
        .collect();
    assert_eq!(moved, [301_000_000_000, 0]);
    let refused = seconds(
        &r,
        |k| matches!(k, Kind::Request { phase: Phase::AfterEffect, exchange } if exchange.status == Some(401)),
    );
    assert!(refused.iter().all(|s| (20..36).contains(s)), "{refused:?}");
}

#[test]
fn device() {
    let r = run(
        "  - {name: dip, when: 20s, do: {reset: brown-out}}\n  - {name: off, when: 40s, do: power-cut, for: 5s}",
    );
    passed(&r);
    assert_eq!(
        seconds(&r, |k| matches!(
            k,
            Kind::Reset {
                cause: ResetCause::BrownOut
            }
        )),
        [20]
    );
    assert_eq!(seconds(&r, |k| matches!(k, Kind::Power { on: false })), [40]);
    assert_eq!(seconds(&r, |k| matches!(k, Kind::Power { on: true })), [45]);
    // The registration stores the permanent token: power fails in the middle of it, and not before.
    let r = run("  - {name: torn, when: 0s, do: {power-cut: {flash-write-byte: 17}}, for: 2s}");
    let (fired, failed) = (
        seconds(&r, state("torn", FaultState::Fired)),
        seconds(&r, |k| matches!(k, Kind::Power { on: false })),
    );
    let registered = seconds(&r, request("register", Phase::AfterEffect, 200));
    assert_eq!((fired.len(), &fired), (1, &failed));
    assert!(fired[0] >= registered[0], "{fired:?} {registered:?}");
    let on = seconds(&r, |k| matches!(k, Kind::Power { on: true }));
    assert_eq!(on.len(), 1);
    // A write that never comes is a fault that never fired.
    let r = run("  - {name: never, when: 0s, do: {power-cut: {flash-write-byte: 100000000}}}");
    assert_eq!(r.reasons, ["the fault `never` was planned and never fired"]);
    // A record that is damaged is not believed.
    let r = run(
        "  - {name: rot, when: 20s, do: {corrupt-flash: {partition: token, offset: 0, bytes: 0000}}}\n  - {name: reset, when: 21s, do: reset}",
    );
    passed(&r);
    assert_eq!(seconds(&r, state("rot", FaultState::Fired)), [20]);
}
