//! Tests of expectations on console text.

use crate::run::{MIN, SEC, at, fails, holds, judge, lost, request_with, serial};
use vocabulary::{Endpoint, Kind, ResetCause, SessionChange};

#[test]
fn serial_text_is_found_in_any_pieces() {
    let pieces = [serial(1, "[UPDATE] Sess"), serial(2, "ion renewed\r\n")];
    holds("serial: '[UPDATE] Session renewed'", &pieces);
    holds(r"serial: {regex: '^\[UPDATE\] Session \w+$'}", &pieces);
    // A prompt without a line end.
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
    // A line counts at most once.
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
        "awaited serial \"back\" at least 1 times after WiFi lost, before WiFi lost with reason 8; WiFi lost, after which it was \
         awaited, never came",
    );
    let judged = judge(e, &[lost(MIN, 200), lost(2 * MIN, 8), serial(3 * MIN, "back\n")]);
    assert!(!judged.held);
    // Bytes in the same piece count in their order.
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
    // Text before a reset and text after it are not one line.
    let reset = at(
        2,
        Kind::Reset {
            cause: ResetCause::Software,
        },
    );
    holds("no-serial: abcd", &[serial(1, "ab"), reset, serial(3, "cd\n")]);
    // After its window the text is allowed.
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
fn secrets_stay_off_the_console() {
    let reply = r#"{"permanent_token":"oc_perm_feed","session":"a1b2c3d4e5f6"}"#;
    let registered = request_with(SEC, Endpoint::named("register"), 200, "", reply);
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
