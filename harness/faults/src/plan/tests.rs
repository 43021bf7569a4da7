//! A plan and events in, states and wishes out.

use http_service::{Cut, Ending, Pace, Reply};
use oceanremote::{Cloud, CloudConfig, error_reply};
use vocabulary::Kind;

use super::*;

fn plan(faults: &str) -> FaultPlan {
    let text =
        format!("name: a\nversion: 1\nbench: {{duration: 1h}}\nexpect: [{{serial: x}}]\nfaults:\n{faults}\n");
    let scenario = crate::FORMAT.parse("f", &text).unwrap_or_else(|e| panic!("{e}"));
    FaultPlan::new(&scenario.faults, 1)
}

fn cloud() -> Cloud {
    Cloud::new(CloudConfig::default()).unwrap()
}

fn exchange(id: u64, endpoint: &'static str, reply: Option<Reply>) -> ActiveExchange {
    ActiveExchange {
        id,
        conn: 1,
        peer: std::net::Ipv4Addr::LOCALHOST.into(),
        endpoint: Some(endpoint),
        named_late: false,
        nth: id,
        method: "POST".to_owned(),
        target: "/api/x/".to_owned(),
        first_byte: Instant::ZERO,
        subject: None,
        request: None,
        effect: None,
        reply,
    }
}

/// Brings a request to a phase, as the cloud does.
fn reach(plan: &mut FaultPlan, at: u64, phase: Phase, x: &ActiveExchange) -> Vec<Directive> {
    let at = Instant::from_secs(at);
    plan.observe(&Event {
        at,
        kind: Kind::Request {
            phase,
            exchange: x.record(phase),
        },
    });
    plan.strike(at, phase, x, &cloud())
}

fn states(plan: &mut FaultPlan) -> Vec<(String, FaultState)> {
    plan.take().0
}

fn json() -> Reply {
    Reply::new(200)
        .with_header("content-type", "application/json")
        .with_body(r#"{"session":"ab","success":true}"#)
}

#[test]
fn a_request_that_is_named_is_struck_and_no_other() {
    let mut plan = plan(
        "  - {name: f, when: {request: {endpoint: update, nth: 2}}, do: {respond: {status: 503, retry-after: soon}}}",
    );
    let update = |id| exchange(id, "update", None);
    assert_eq!(reach(&mut plan, 1, Phase::BeforeEffect, &update(1)), []);
    assert_eq!(states(&mut plan), []);
    let reply = error_reply(503, "Service unavailable").with_header("retry-after", "soon");
    assert_eq!(
        reach(&mut plan, 2, Phase::BeforeEffect, &update(2)),
        [Directive::Respond(reply)]
    );
    assert_eq!(
        states(&mut plan),
        [
            ("f".to_owned(), FaultState::Fired),
            ("f".to_owned(), FaultState::Ended)
        ]
    );
    assert_eq!(reach(&mut plan, 3, Phase::BeforeEffect, &update(3)), []);
    assert_eq!(plan.unfired().len(), 0);
}

#[test]
fn what_changes_a_reply_waits_for_it() {
    let mut plan = plan("  - {name: f, when: {request: {endpoint: update}}, do: {missing-field: session}}");
    let early = exchange(7, "update", None);
    assert_eq!(reach(&mut plan, 1, Phase::BeforeEffect, &early), []);
    // Armed is not fired.
    assert_eq!(states(&mut plan), []);
    let other = exchange(8, "update", Some(json()));
    assert_eq!(reach(&mut plan, 1, Phase::AfterEffect, &other), []);
    let due = exchange(7, "update", Some(json()));
    let changed = json().with_body(r#"{"success":true}"#);
    assert_eq!(
        reach(&mut plan, 1, Phase::AfterEffect, &due),
        [Directive::Respond(changed)]
    );
    assert_eq!(states(&mut plan).len(), 2);
}

#[test]
fn a_window_strikes_every_request_to_its_endpoint() {
    let mut plan = plan("  - {name: f, when: 10s, do: half-open, endpoint: commands, for: 10s}");
    let poll = exchange(1, "commands", None);
    assert_eq!(reach(&mut plan, 9, Phase::BeforeEffect, &poll), []);
    plan.advance(Instant::from_secs(10));
    assert_eq!(states(&mut plan), [], "nothing was struck yet");
    let update = exchange(2, "update", None);
    assert_eq!(reach(&mut plan, 11, Phase::BeforeEffect, &update), []);
    assert_eq!(
        reach(&mut plan, 12, Phase::BeforeEffect, &poll),
        [Directive::Silence]
    );
    assert_eq!(
        reach(&mut plan, 13, Phase::BeforeEffect, &poll),
        [Directive::Silence]
    );
    assert_eq!(states(&mut plan), [("f".to_owned(), FaultState::Fired)]);
    plan.advance(Instant::from_secs(20));
    assert_eq!(states(&mut plan), [("f".to_owned(), FaultState::Ended)]);
    assert_eq!(reach(&mut plan, 21, Phase::BeforeEffect, &poll), []);
}

#[test]
fn a_window_without_a_request_has_not_fired() {
    let mut plan = plan("  - {name: f, when: 10s, do: half-open, for: 10s}");
    plan.advance(Instant::from_secs(10));
    plan.advance(Instant::from_secs(30));
    assert_eq!(states(&mut plan), []);
    assert_eq!(plan.unfired(), [("f".to_owned(), None)]);
}

#[test]
fn what_another_fault_set_is_set_again() {
    // Serial triggers: when they come is not known beforehand, so they may overlap.
    let mut plan = plan(
        "  - {name: long, when: {serial: one}, do: {dns: silent}, for: 60s}\n  - {name: short, when: {serial: two}, do: {dns: {slow: 8s}}, for: 10s}",
    );
    let say = |plan: &mut FaultPlan, at, text: &str| {
        let kind = Kind::SerialChunk {
            port: vocabulary::SerialPort::Uart0,
            bytes: format!("{text}\n").into_bytes(),
        };
        plan.observe(&Event {
            at: Instant::from_secs(at),
            kind,
        });
        let (_, wanted) = plan.take();
        wanted
            .iter()
            .for_each(|w| plan.confirm(w, Done::Changed, Instant::from_secs(at)));
        wanted.iter().map(|w| (w.fault, w.turn)).collect::<Vec<_>>()
    };
    assert_eq!(say(&mut plan, 1, "one"), [(0, Turn::Begin)]);
    assert_eq!(say(&mut plan, 5, "two"), [(1, Turn::Begin)]);
    plan.advance(Instant::from_secs(15));
    let wanted: Vec<_> = plan.take().1.iter().map(|w| (w.fault, w.turn)).collect();
    assert_eq!(wanted, [(1, Turn::End), (0, Turn::Again)]);
    plan.advance(Instant::from_secs(61));
    let wanted: Vec<_> = plan.take().1.iter().map(|w| (w.fault, w.turn)).collect();
    assert_eq!(wanted, [(0, Turn::End)]);
}

#[test]
fn a_power_cut_in_a_write_fires_when_power_fails() {
    let mut plan = plan("  - {name: f, when: 1s, do: {power-cut: {flash-write-byte: 17}}, for: 2s}");
    plan.advance(Instant::from_secs(1));
    let (_, wanted) = plan.take();
    plan.confirm(&wanted[0], Done::Changed, Instant::from_secs(1));
    assert_eq!((states(&mut plan), plan.next_due()), (vec![], None));
    plan.power_lost(Instant::from_secs(9));
    assert_eq!(states(&mut plan), [("f".to_owned(), FaultState::Fired)]);
    assert_eq!(plan.next_due(), Some(Instant::from_secs(11)));
}

#[test]
fn each_action_on_a_reply_has_its_directive() {
    let at = |action: &str| {
        let mut plan = plan(&format!(
            "  - {{name: f, when: {{request: {{at: after-effect}}}}, do: {action}}}"
        ));
        reach(
            &mut plan,
            1,
            Phase::AfterEffect,
            &exchange(1, "update", Some(json())),
        )
    };
    let cut = |after, then| {
        Directive::Cut(Cut {
            after,
            then: Some(then),
        })
    };
    assert_eq!(at("{truncate: {after-byte: 40}}"), [cut(40, Ending::Close)]);
    assert_eq!(at("{reset-connection: {after-byte: 0}}"), [cut(0, Ending::Abort)]);
    assert_eq!(at("reset-connection"), [Directive::Abort]);
    assert_eq!(at("close-connection"), [Directive::Close]);
    assert_eq!(at("lose-reply"), [Directive::Silence]);
    assert_eq!(at("duplicate-reply"), [Directive::Duplicate]);
    assert_eq!(at("{delay: 8s}"), [Directive::Delay(Duration::from_secs(8))]);
    assert_eq!(
        at("{raw-reply: 'SSH-2.0'}"),
        [Directive::Raw(b"SSH-2.0".to_vec())]
    );
    let pace = |head_at_once| {
        Directive::Dribble(Pace {
            chunk: 2,
            every: Duration::from_secs(1),
            head_at_once,
        })
    };
    assert_eq!(at("{dribble: {bytes: 2, every: 1s}}"), [pace(false)]);
    assert_eq!(at("{slow-body: {bytes: 2, every: 1s}}"), [pace(true)]);
    assert_eq!(
        at("malformed-json"),
        [Directive::Respond(json().with_body(r#"{"session":"ab""#))]
    );
    let raw = b"HTTP/1.1 200 \r\ncontent-type: application/json\r\ndate: Thu, 01 Jan 2026 00:00:01 GMT\r\n\
                content-length: 41\r\n\r\n{\"session\":\"ab\",\"success\":true}";
    assert_eq!(at("{wrong-content-length: 10}"), [Directive::Raw(raw.to_vec())]);
    let Directive::Respond(zipped) = at("gzip").remove(0) else {
        panic!()
    };
    assert_eq!(
        (zipped.header("content-encoding"), &zipped.body[..2]),
        (Some("gzip"), &[0x1f, 0x8b][..])
    );
}

#[test]
fn retry_after_has_every_form() {
    for (written, sent) in [
        ("120", Some("120")),
        ("0", Some("0")),
        ("-5", Some("-5")),
        ("'99999999999999999999'", Some("99999999999999999999")),
        ("soon", Some("soon")),
        ("{date: 2m}", Some("Thu, 01 Jan 2026 00:02:01 GMT")),
        ("{date: -1h}", Some("Wed, 31 Dec 2025 23:00:01 GMT")),
        ("''", Some("")),
    ] {
        let mut plan = plan(&format!(
            "  - {{name: f, when: {{request: {{}}}}, do: {{respond: {{status: 429, retry-after: {written}}}}}}}"
        ));
        let struck = reach(&mut plan, 1, Phase::BeforeEffect, &exchange(1, "update", None));
        let [Directive::Respond(reply)] = &struck[..] else {
            panic!("{struck:?}")
        };
        assert_eq!(
            (reply.status, reply.header("retry-after")),
            (429, sent),
            "{written}"
        );
    }
}
