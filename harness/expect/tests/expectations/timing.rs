//! Tests of expectations on the time between events.

use crate::run::{MIN, SEC, fails, holds, judge, lost, request, serial};
use expect::Checker;
use scenario::Format;
use sim::Instant;
use std::time::Duration;
use vocabulary::Endpoint;

/// The format with the service of these tests.
const FORMAT: Format = Format::new(&[&oceanremote::SPEC]);

#[test]
fn an_interval_is_exact_to_the_nanosecond() {
    let renew = |ns| request(ns, Endpoint::named("renew-session"), 200);
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
            "{awaited}; #1 request renew-session came at 0:45:00.000, #2 request renew-session never came (it came \
             once, at 0:45:00.000)"
        ),
    );
    fails(e, &[], &format!("{awaited}; #1 request renew-session never came"));
    // Without `nth` the second moment is the first such event after the first moment.
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
    let mut checker = Checker::new(&FORMAT.parse("t", text).unwrap());
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
fn a_rate_looks_at_every_stretch() {
    let e = "rate: {of: {request: {endpoint: register}}, max: 2, per: 10s}";
    let run = |times: &[u64]| {
        times
            .iter()
            .map(|ns| request(*ns, Endpoint::named("register"), 401))
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
        let mut run = vec![request(ns, Endpoint::named("renew-session"), 500)];
        for gap in gaps {
            ns += gap;
            run.push(request(ns, Endpoint::named("renew-session"), 500));
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
