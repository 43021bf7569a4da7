//! Tests of expectations on pins, the status, and other events.

use crate::run::{MIN, SEC, at, fails, fault, holds, judge, pin, status};
use vocabulary::{DeviceStatus, FaultState, Kind, ResetCause, SessionChange};

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
