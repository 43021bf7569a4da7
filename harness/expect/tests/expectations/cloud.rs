//! Tests of expectations on requests and sessions.

use crate::run::{MIN, SEC, fails, fault, holds, judge, request, request_with};
use vocabulary::{Endpoint, FaultState};

#[test]
fn requests_are_counted_by_endpoint_and_status() {
    let e = "requests: {endpoint: renew-session, status: 200, count: 2}";
    let run = [
        request(MIN, Endpoint::named("renew-session"), 200),
        request(2 * MIN, Endpoint::named("update"), 200),
        request(3 * MIN, Endpoint::named("renew-session"), 401),
        request(4 * MIN, Endpoint::named("renew-session"), 200),
    ];
    holds(e, &run);
    let nearest = fails(
        e,
        &run[..3],
        "awaited requests to renew-session answered 200 exactly 2 times; it came 1 times, at 0:01:00.000 (requested \
         once, answered 401, at 0:03:00.000)",
    );
    assert_eq!(nearest, None);
    holds("requests: {endpoint: register, count: 0}", &run);
    assert!(!judge("requests: {endpoint: update, count: 0}", &run).held);
}

#[test]
fn a_refused_token_is_given_up() {
    let refused = |n: u64, token: &str| {
        (0..n)
            .map(|i| request_with(i * SEC, Endpoint::named("commands"), 401, token, ""))
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
fn the_device_lives_again_after_the_last_fault() {
    let e = "liveness: {within: 2m}";
    let alive = |ns| request(ns, Endpoint::named("commands"), 200);
    let ended = |ns| fault(ns, FaultState::Ended);
    holds(e, &[ended(10 * MIN), alive(12 * MIN)]);
    // The last fault counts, and only requests after it.
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
    assert!(
        !judge(
            e,
            &[
                ended(10 * MIN),
                request(11 * MIN, Endpoint::named("commands"), 401)
            ]
        )
        .held
    );
    assert!(
        !judge(
            e,
            &[
                ended(10 * MIN),
                request(11 * MIN, Endpoint::named("register"), 200)
            ]
        )
        .held
    );
    fails(
        e,
        &[alive(MIN)],
        "awaited a valid session within 2m after the end of the last fault; the end of the last fault never came",
    );
}
