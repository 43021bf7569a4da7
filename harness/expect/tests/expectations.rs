//! Every expectation with a run that satisfies it and runs that miss it by a hair.

use std::time::Duration;

use events::{
    DeviceStatus, Endpoint, Event, Exchange, ExpectationResult, FaultState, Kind, Phase, ResetCause,
    SerialPort, SessionChange, WifiEvent,
};
use expect::Checker;
use scenario::Scenario;
use sim::Instant;
use sim::air::Reason;

const MIN: u64 = 60_000_000_000;
const SEC: u64 = 1_000_000_000;

fn at(ns: u64, kind: Kind) -> Event {
    Event {
        at: Instant::from_nanos(ns),
        kind,
    }
}

fn serial(ns: u64, text: &str) -> Event {
    at(
        ns,
        Kind::SerialChunk {
            port: SerialPort::Uart0,
            bytes: text.as_bytes().to_vec(),
        },
    )
}

fn request(ns: u64, endpoint: Endpoint, status: u16) -> Event {
    request_with(ns, endpoint, status, "", "")
}

fn request_with(ns: u64, endpoint: Endpoint, status: u16, token: &str, reply: &str) -> Event {
    let exchange = Exchange {
        id: 1,
        connection: 1,
        started: Instant::from_nanos(ns.saturating_sub(1000)),
        endpoint: Some(endpoint),
        method: "POST".to_owned(),
        target: "/api/device/x/".to_owned(),
        status: Some(status),
        request_headers: vec![("X-Device-Token".to_owned(), token.to_owned())],
        request_body: String::new(),
        reply_headers: Vec::new(),
        reply_body: reply.to_owned(),
        effect: String::new(),
    };
    at(
        ns,
        Kind::Request {
            phase: Phase::AfterEffect,
            exchange,
        },
    )
}

fn pin(ns: u64, level: Option<bool>) -> Event {
    at(ns, Kind::Pin { gpio: 4, level })
}

fn status(ns: u64, status: DeviceStatus) -> Event {
    at(
        ns,
        Kind::Status {
            device: "d".to_owned(),
            status,
        },
    )
}

fn fault(ns: u64, state: FaultState) -> Event {
    at(
        ns,
        Kind::Fault {
            name: "drop".to_owned(),
            state,
        },
    )
}

fn lost(ns: u64, reason: u8) -> Event {
    at(
        ns,
        Kind::Wifi(WifiEvent::Disassociated {
            reason: Reason(reason),
        }),
    )
}

/// Judges one expectation, written in YAML flow style, over a run of three hours.
fn judge(expectation: &str, events: &[Event]) -> ExpectationResult {
    let text = format!(
        "name: t\nversion: 1\nbench: {{duration: 3h}}\nfaults:\n  - {{name: drop, when: 1m, do: access-point-gone}}\n\
         expect:\n  - {expectation}\n"
    );
    let scenario = Scenario::parse("t.yaml", &text).unwrap_or_else(|e| panic!("{e}"));
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
fn holds(expectation: &str, events: &[Event]) {
    let result = judge(expectation, events);
    assert!(result.held, "{result:?}");
    assert_eq!(result.message, "");
}

#[track_caller]
fn fails(expectation: &str, events: &[Event], message: &str) -> Option<String> {
    let result = judge(expectation, events);
    assert!(!result.held, "held: {expectation}");
    assert_eq!(result.message, message);
    result.nearest
}

#[test]
fn serial_text_is_found_in_any_pieces() {
    let pieces = [serial(1, "[UPDATE] Sess"), serial(2, "ion renewed\r\n")];
    holds("serial: '[UPDATE] Session renewed'", &pieces);
    holds(r"serial: {regex: '^\[UPDATE\] Session \w+$'}", &pieces);
    // A prompt has no line end.
    holds("serial: {regex: 'login: '}", &[serial(1, "login: ")]);
    let nearest = fails(
        "serial: '[UPDATE] Session renewed'",
        &[
            serial(SEC, "[UPDATE] Session renewd\n"),
            serial(2 * SEC, "other\n"),
        ],
        "awaited serial \"[UPDATE] Session renewed\" at least 1 times; it never came",
    );
    assert_eq!(nearest.unwrap(), "0:00:01.000 [UPDATE] Session renewd");
}

#[test]
fn serial_counts_are_exact() {
    let renewed = |n: u64| {
        (1..=n)
            .map(|i| serial(i * 45 * MIN, "renewed\n"))
            .collect::<Vec<_>>()
    };
    holds("serial: {text: renewed, count: 3}", &renewed(3));
    holds("serial: {text: renewed, count: {min: 2, max: 3}}", &renewed(3));
    fails(
        "serial: {text: renewed, count: 3}",
        &renewed(2),
        "awaited serial \"renewed\" exactly 3 times; it came 2 times, at 0:45:00.000, 1:30:00.000",
    );
    let nearest = fails(
        "serial: {text: renewed, count: {max: 2}}",
        &renewed(3),
        "awaited serial \"renewed\" at most 2 times; it came 3 times, at 0:45:00.000, 1:30:00.000, 2:15:00.000",
    );
    assert_eq!(nearest.unwrap(), "0:45:00.000 renewed");
    // A line counts once.
    holds("serial: {text: ab, count: 1}", &[serial(1, "ab ab ab\n")]);
}

#[test]
fn a_window_is_exact_to_the_nanosecond() {
    let e = "serial: {text: x, after: 20m, within: 10s}";
    holds(e, &[serial(20 * MIN, "x\n")]);
    holds(e, &[serial(20 * MIN + 10 * SEC, "x\n")]);
    let message = "awaited serial \"x\" at least 1 times after time 20m, within 10s; it never came";
    let nearest = fails(e, &[serial(20 * MIN - 1, "x\n")], message);
    assert_eq!(
        nearest.unwrap(),
        "outside the window it came 1 times, at 0:19:59.999"
    );
    fails(e, &[serial(20 * MIN + 10 * SEC + 1, "x\n")], message);

    let e = "serial: {text: x, before: 20m}";
    holds(e, &[serial(20 * MIN - 1, "x\n")]);
    fails(
        e,
        &[serial(20 * MIN, "x\n")],
        "awaited serial \"x\" at least 1 times before time 20m; it never came",
    );
}

#[test]
fn a_window_may_hang_on_events() {
    let e = "serial: {text: back, after: {wifi: lost}, before: {wifi: {state: lost, reason: 8}}}";
    holds(e, &[lost(MIN, 200), serial(2 * MIN, "back\n"), lost(3 * MIN, 8)]);
    holds(e, &[lost(MIN, 200), serial(2 * MIN, "back\n")]);
    fails(
        e,
        &[serial(1, "back\n")],
        "awaited serial \"back\" at least 1 times after WiFi lost, before WiFi lost; WiFi lost, after which it was \
         awaited, never came",
    );
    let judged = judge(e, &[lost(MIN, 200), lost(2 * MIN, 8), serial(3 * MIN, "back\n")]);
    assert!(!judged.held);
    // What comes in the same piece of bytes counts by the order of the bytes.
    let e = "serial: {text: b, after: {serial: a}}";
    holds(e, &[serial(1, "a b\n")]);
    assert!(!judge(e, &[serial(1, "b a\n")]).held);
}

#[test]
fn forbidden_text_fails_at_once_and_shows_its_line() {
    let e = "no-serial: {regex: 'panicked|Guru'}";
    holds(e, &[serial(1, "panicke\nd\nGur u\n")]);
    let nearest = fails(
        e,
        &[serial(5 * SEC, "thread panicked at src/main.rs\n")],
        "awaited serial /panicked|Guru/ exactly 0 times; it came 1 times, at 0:00:05.000",
    );
    assert_eq!(nearest.unwrap(), "0:00:05.000 thread panicked at src/main.rs");
    // Text that a reset cuts off and text after it are not one line.
    let reset = at(
        2,
        Kind::Reset {
            cause: ResetCause::Software,
        },
    );
    holds("no-serial: abcd", &[serial(1, "ab"), reset, serial(3, "cd\n")]);
    // After its window nothing is forbidden.
    holds("no-serial: {text: x, before: 1m}", &[serial(MIN, "x\n")]);
    assert!(!judge("no-serial: {text: x, before: 1m}", &[serial(MIN - 1, "x\n")]).held);
}

#[test]
fn order_is_order() {
    let e = "serial-order: [one, two, three]";
    holds(e, &[serial(1, "one\nnoise\ntwo"), serial(2, " three\n")]);
    let nearest = fails(
        e,
        &[serial(SEC, "one\nthree\n"), serial(2 * SEC, "two\n")],
        "awaited \"three\" (3 of 3) after \"two\" at 0:00:02.000; it did not come",
    );
    assert_eq!(nearest.unwrap(), "\"three\" came before that, at 0:00:01.000");
    holds("serial-all: [three, one]", &[serial(1, "one\nthree\n")]);
    fails(
        "serial-all: [three, one, two]",
        &[serial(1, "one\n")],
        "2 of 3 texts did not come: \"three\", \"two\"",
    );
}

#[test]
fn an_interval_is_exact_to_the_nanosecond() {
    let renew = |ns| request(ns, Endpoint::RenewSession, 200);
    let e = "interval: {from: {request: {endpoint: renew-session, nth: 1}}, to: {request: {endpoint: renew-session, \
             nth: 2}}, min: 44m, max: 46m}";
    for gap in [44 * MIN, 45 * MIN, 46 * MIN] {
        holds(e, &[renew(45 * MIN), renew(45 * MIN + gap)]);
    }
    let awaited = "awaited 44m to 46m from #1 request renew-session to #2 request renew-session";
    let nearest = fails(
        e,
        &[renew(45 * MIN), renew(89 * MIN - 1)],
        &format!("{awaited}; it took 43m59s999ms999us999ns, from 0:45:00.000 to 1:28:59.999"),
    );
    assert_eq!(nearest.unwrap(), "1ns too short");
    let nearest = fails(
        e,
        &[renew(45 * MIN), renew(91 * MIN + 1)],
        &format!("{awaited}; it took 46m1ns, from 0:45:00.000 to 1:31:00.000"),
    );
    assert_eq!(nearest.unwrap(), "1ns too long");
    fails(
        e,
        &[renew(45 * MIN)],
        &format!(
            "{awaited}; #1 request renew-session came at 0:45:00.000, #2 request renew-session never came"
        ),
    );
    fails(e, &[], &format!("{awaited}; #1 request renew-session never came"));
    // Without `nth` the second moment is the first one after the first.
    let e = "interval: {from: {wifi: lost}, to: {serial: back}, max: 5s}";
    holds(
        e,
        &[
            serial(1, "back\n"),
            lost(MIN, 200),
            serial(MIN + 5 * SEC, "back\n"),
        ],
    );
    assert!(
        !judge(
            e,
            &[
                serial(1, "back\n"),
                lost(MIN, 200),
                serial(MIN + 5 * SEC + 1, "back\n")
            ]
        )
        .held
    );
}

#[test]
fn an_interval_that_is_too_long_is_known_before_it_ends() {
    let text = "name: t\nversion: 1\nbench: {duration: 1h}\nexpect:\n  - interval: {from: {serial: a}, to: {serial: b}, max: 1m}\n";
    let mut checker = Checker::new(&Scenario::parse("t", text).unwrap());
    assert_eq!(checker.next_deadline(), None);
    checker.observe(&serial(SEC, "a\n"));
    let deadline = Instant::from_nanos(61 * SEC + 1);
    assert_eq!(checker.next_deadline(), Some(deadline));
    checker.advance(deadline - Duration::from_nanos(1));
    assert_eq!(checker.early_failure(), None);
    checker.advance(deadline);
    assert!(
        checker
            .early_failure()
            .unwrap()
            .message
            .ends_with("serial \"b\" never came")
    );
    assert_eq!(checker.next_deadline(), None);
}

#[test]
fn requests_are_counted_by_endpoint_and_status() {
    let e = "requests: {endpoint: renew-session, status: 200, count: 2}";
    let run = [
        request(MIN, Endpoint::RenewSession, 200),
        request(2 * MIN, Endpoint::Update, 200),
        request(3 * MIN, Endpoint::RenewSession, 401),
        request(4 * MIN, Endpoint::RenewSession, 200),
    ];
    holds(e, &run);
    let nearest = fails(
        e,
        &run[..3],
        "awaited requests to renew-session answered 200 exactly 2 times; it came 1 times, at 0:01:00.000",
    );
    assert_eq!(
        nearest.unwrap(),
        "other requests to renew-session: 1 times, at 0:03:00.000"
    );
    holds("requests: {endpoint: register, count: 0}", &run);
    assert!(!judge("requests: {endpoint: update, count: 0}", &run).held);
}

#[test]
fn a_rate_looks_at_every_stretch() {
    let e = "rate: {of: {request: {endpoint: register}}, max: 2, per: 10s}";
    let run = |times: &[u64]| {
        times
            .iter()
            .map(|ns| request(*ns, Endpoint::Register, 401))
            .collect::<Vec<_>>()
    };
    holds(e, &run(&[0, 9 * SEC, 10 * SEC, 19 * SEC]));
    let nearest = fails(
        e,
        &run(&[0, 9 * SEC, 10 * SEC - 1]),
        "awaited request register at most 2 times in any 10s; it came 3 times from 0:00:00.000 to 0:00:09.999",
    );
    assert_eq!(nearest.unwrap(), "at worst 3 times in 10s");
}

#[test]
fn backoff_grows_up_to_its_limit() {
    let e = "backoff: {of: {request: {endpoint: renew-session}}, factor: 1.5, up-to: 5m}";
    let run = |gaps: &[u64]| {
        let mut ns = MIN;
        let mut run = vec![request(ns, Endpoint::RenewSession, 500)];
        for gap in gaps {
            ns += gap;
            run.push(request(ns, Endpoint::RenewSession, 500));
        }
        run
    };
    holds(
        e,
        &run(&[10 * SEC, 15 * SEC, 30 * SEC, 45 * SEC, 4 * MIN, 5 * MIN, 5 * MIN]),
    );
    let nearest = fails(
        e,
        &run(&[10 * SEC, 15 * SEC - 1]),
        "awaited gaps between request renew-session that grow by 1.5 up to 5m; after a gap of 10s came one of \
         14s999ms999us999ns, from 0:01:10.000 to 0:01:24.999",
    );
    assert_eq!(nearest.unwrap(), "1ns too short");
    fails(
        e,
        &run(&[10 * SEC]),
        "awaited request renew-session at least 3 times; it came 2 times, at 0:01:00.000, 0:01:10.000",
    );
}

#[test]
fn a_pin_is_judged_over_time() {
    let run = [
        pin(0, Some(false)),
        pin(10 * MIN, Some(true)),
        pin(10 * MIN, Some(true)),
        pin(30 * MIN, Some(false)),
    ];
    holds("pin: {gpio: 4, level: high, at: 10m}", &run);
    holds("pin: {gpio: 4, level: high, at: 20m}", &run);
    holds(
        "pin: {gpio: 4, level: low, at: {after: {trigger: {pin: {gpio: 4, level: high}}, delay: 20m}}}",
        &run,
    );
    fails(
        "pin: {gpio: 4, level: high, at: 30m}",
        &run,
        "awaited GPIO4 high at time 30m; GPIO4 was low at 0:30:00.000",
    );
    fails(
        "pin: {gpio: 5, level: low, at: 1m}",
        &run,
        "awaited GPIO5 low at time 1m; nothing drove GPIO5 at 0:01:00.000",
    );
    fails(
        "pin: {gpio: 4, level: high, at: {wifi: lost}}",
        &run,
        "awaited GPIO4 high at WiFi lost, which never came",
    );
    holds("pin: {gpio: 4, always: high, after: 10m, before: 30m}", &run);
    holds("pin: {gpio: 4, never: high, after: 30m}", &run);
    holds(
        "pin: {gpio: 4, never: low, after: {pin: {gpio: 4, level: high}}, within: 20m}",
        &run,
    );
    let message =
        "awaited GPIO4 never low after #1 GPIO4 high; GPIO4 was low from 0:30:00.000 to 3:00:00.000";
    let nearest = fails(
        "pin: {gpio: 4, never: low, after: {pin: {gpio: 4, level: high, nth: 1}}}",
        &run,
        message,
    );
    assert_eq!(nearest.unwrap(), "for 2h30m");
    // One nanosecond of the wrong level is enough.
    let glitch = [
        pin(0, Some(true)),
        pin(MIN, Some(false)),
        pin(MIN + 1, Some(true)),
    ];
    assert!(!judge("pin: {gpio: 4, always: high}", &glitch).held);
    let released = [pin(0, Some(true)), pin(MIN, None)];
    assert!(!judge("pin: {gpio: 4, always: high}", &released).held);
    holds("pin: {gpio: 4, never: low}", &released);
    holds("event: {of: {pin: {gpio: 4, level: high}}, count: 1}", &run);
}

#[test]
fn the_status_is_judged_over_time() {
    use DeviceStatus::{Away, Offline, Online};
    let run = [
        status(SEC, Online),
        status(10 * MIN, Away),
        status(11 * MIN, Online),
    ];
    holds("status: {is: away, at: 10m}", &run);
    holds("status: {never: offline}", &run);
    holds("status: {always: online, after: 11m}", &run);
    holds("status: {time-in: away, min: 1m, max: 1m}", &run);
    fails(
        "status: {time-in: away, max: 59s}",
        &run,
        "awaited the status away for at most 59s; it was for 1m in all",
    );
    fails(
        "status: {always: online, after: 1m}",
        &run,
        "awaited the status online all the time after time 1m; the status was away from 0:10:00.000 to 0:11:00.000",
    );
    assert!(!judge("status: {never: offline}", &[status(MIN, Offline)]).held);
    assert!(!judge("status: {time-in: online, min: 3h}", &run).held);
}

#[test]
fn a_refused_token_is_given_up() {
    let refused = |n: u64, token: &str| {
        (0..n)
            .map(|i| request_with(i * SEC, Endpoint::Commands, 401, token, ""))
            .collect::<Vec<_>>()
    };
    holds("token-reuse: {max: 5}", &refused(5, "oc_perm_1"));
    holds(
        "token-reuse: {max: 5}",
        &[refused(5, "oc_perm_1"), refused(5, "oc_perm_2")].concat(),
    );
    let nearest = fails(
        "token-reuse: {max: 5}",
        &refused(7, "oc_perm_0123456789abcdef"),
        "awaited no token to be refused more than 5 times; oc_perm_0123… was refused 6 times, at 0:00:00.000, \
         0:00:01.000, 0:00:02.000, 0:00:03.000, 0:00:04.000, 0:00:05.000",
    );
    assert_eq!(
        nearest.unwrap(),
        "oc_perm_0123… was refused 7 times in the whole stretch"
    );
}

#[test]
fn secrets_stay_off_the_console() {
    let reply = r#"{"permanent_token":"oc_perm_feed","session":"a1b2c3d4e5f6"}"#;
    let registered = request_with(SEC, Endpoint::Register, 200, "", reply);
    let session = serial(2 * SEC, "[UPDATE] Using session: a1b2c3d4e5f6\n");
    holds("no-secrets: {}", &[registered.clone(), session.clone()]);
    assert!(!judge("no-secrets: {of: [session]}", &[registered.clone(), session]).held);
    let nearest = fails(
        "no-secrets: {}",
        &[
            registered,
            serial(3 * SEC, "saving oc_perm_"),
            serial(3 * SEC, "feed to flash\n"),
        ],
        "awaited no secret on serial; a permanent token came at 0:00:03.000",
    );
    assert_eq!(nearest.unwrap(), "0:00:03.000 saving *** to flash");
    assert!(!judge("no-secrets: {}", &[serial(1, "joining with salt-water\n")]).held);
    let issued = SessionChange::Renewed {
        session: "0123456789".to_owned(),
    };
    let issued = at(
        1,
        Kind::Session {
            device: "d".to_owned(),
            change: issued,
        },
    );
    assert!(
        !judge(
            "no-secrets: {of: [session]}",
            &[issued, serial(2, "0123456789\n")]
        )
        .held
    );
}

#[test]
fn the_device_lives_again_after_the_last_fault() {
    let e = "liveness: {within: 2m}";
    let alive = |ns| request(ns, Endpoint::Commands, 200);
    let ended = |ns| fault(ns, FaultState::Ended);
    holds(e, &[ended(10 * MIN), alive(12 * MIN)]);
    // Only the last fault counts, and only what comes after it.
    holds(
        e,
        &[ended(10 * MIN), alive(20 * MIN), ended(30 * MIN), alive(31 * MIN)],
    );
    let nearest = fails(
        e,
        &[ended(10 * MIN), alive(12 * MIN + 1)],
        "awaited a valid session within 2m after the end of the last fault at 0:10:00.000; the first came at \
         0:12:00.000",
    );
    assert_eq!(nearest.unwrap(), "1ns too late");
    assert!(!judge(e, &[alive(MIN), ended(10 * MIN)]).held);
    assert!(!judge(e, &[ended(10 * MIN), request(11 * MIN, Endpoint::Commands, 401)]).held);
    assert!(!judge(e, &[ended(10 * MIN), request(11 * MIN, Endpoint::Register, 200)]).held);
    fails(
        e,
        &[alive(MIN)],
        "awaited a valid session within 2m after the end of the last fault; the end of the last fault never came",
    );
}

#[test]
fn other_events_are_counted_too() {
    let reset = at(
        MIN,
        Kind::Reset {
            cause: ResetCause::RtcWatchdog,
        },
    );
    holds("event: {of: {reset: rtc-watchdog}}", std::slice::from_ref(&reset));
    holds(
        "event: {of: {reset: software}, count: 0}",
        std::slice::from_ref(&reset),
    );
    assert!(!judge("event: {of: {reset: {}}, count: 0}", &[reset]).held);
    let session = |change| {
        at(
            MIN,
            Kind::Session {
                device: "d".to_owned(),
                change,
            },
        )
    };
    let expired = session(SessionChange::Expired {
        session: "s".to_owned(),
    });
    assert!(
        !judge(
            "event: {of: {session: expired}, count: 0}",
            std::slice::from_ref(&expired)
        )
        .held
    );
    holds("event: {of: {session: renewed}, count: 0}", &[expired]);
    holds(
        "event: {of: {fault: {state: fired}}, count: 1}",
        &[fault(1, FaultState::Fired), fault(2, FaultState::Ended)],
    );
}
