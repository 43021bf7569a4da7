//! Faults come from a scenario or by request, strike, are listed and removed.

use serde_json::json;

use crate::bench::*;

const JUMP: &str = r#"{"name":"jump","when":{"request":{"endpoint":"renew-session","at":"after-effect"}},"do":{"server-clock":{"offset":"301s"}}}"#;

#[test]
fn a_posted_fault_strikes_is_listed_and_ends_when_removed() {
    let server = plain();
    let session = server.register();
    let (status, added) = server.control("POST", "/v1/faults", JUMP);
    assert_eq!(status, 201, "{added}");
    assert_eq!(
        (&added["state"], &added["fired"], &added["from"]),
        (&json!("armed"), &json!(0), &json!("control"))
    );
    assert_eq!(added["fault"]["do"]["server-clock"]["offset"], "301s");
    assert_eq!(
        server.get("/v1/clock").1["offset"],
        "0s",
        "nothing has happened yet"
    );

    let reply = server.renew(&session);
    assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
    let (_, clock) = server.get("/v1/clock");
    assert_eq!(
        (&clock["offset"], &clock["offset_ns"]),
        (&json!("5m1s"), &json!(301_000_000_000_i64))
    );
    let (_, one) = server.get("/v1/faults/jump");
    assert_eq!((&one["state"], &one["fired"]), (&json!("active"), &json!(1)));

    assert_eq!(
        server.control("DELETE", "/v1/faults/jump", ""),
        (200, json!({"removed": ["jump"]}))
    );
    assert_eq!(
        server.get("/v1/clock").1["offset_ns"],
        0,
        "what lasted of it has ended"
    );
    assert_eq!(server.get("/v1/faults").1, json!({"faults": []}));
    let (status, gone) = server.control("DELETE", "/v1/faults/jump", "");
    assert_eq!(
        (status, &gone["error"]["what"]),
        (404, &json!("there is no fault `jump`"))
    );
}

#[test]
fn a_time_counts_from_the_moment_of_adding_and_for_ends_by_itself() {
    let server = plain();
    let body = r#"{"name":"soon","when":"300ms","do":{"server-clock":{"offset":"-1h"}},"for":"300ms"}"#;
    let before = server.get("/v1/clock").1["now_ns"].as_u64().expect("a time");
    assert_eq!(server.control("POST", "/v1/faults", body).0, 201);
    let mut offsets = Vec::new();
    loop {
        let (_, clock) = server.get("/v1/clock");
        let (now, offset) = (
            clock["now_ns"].as_u64().expect("a time"),
            clock["offset_ns"].as_i64().expect("an offset"),
        );
        if offsets.last() != Some(&offset) {
            offsets.push(offset);
        }
        if offset != 0 {
            assert!(now >= before + 300_000_000, "not before its time");
        }
        if now > before + 1_500_000_000 {
            break;
        }
    }
    assert_eq!(offsets, [0, -3_600_000_000_000, 0]);
    assert_eq!(server.get("/v1/faults/soon").1["state"], "fired");
}

#[test]
fn a_fault_may_be_the_trigger_of_another() {
    let server = plain();
    let session = server.register();
    assert_eq!(server.control("POST", "/v1/faults", JUMP).0, 201);
    let second = r#"{"name":"end","when":{"fault":{"name":"jump","state":"fired"}},"do":"expire-session"}"#;
    assert_eq!(server.control("POST", "/v1/faults", second).0, 201);
    server.renew(&session);
    let (_, faults) = server.get("/v1/faults");
    assert_eq!(
        (&faults["faults"][0]["fired"], &faults["faults"][1]["fired"]),
        (&json!(1), &json!(1)),
        "{faults}"
    );
    assert_eq!(
        server.control("DELETE", "/v1/faults", ""),
        (200, json!({"removed": ["jump", "end"]}))
    );
}

#[test]
fn what_a_server_cannot_do_is_refused_with_the_reason() {
    let server = plain();
    for (body, what) in [
        (
            r#"{"name":"a","when":"1s","do":"access-point-gone"}"#,
            "`access-point-gone` is done to radio, network or device; a server alone cannot do it",
        ),
        (
            r#"{"name":"a","when":{"serial":"[REG]"},"do":"expire-session"}"#,
            "`serial`: the device's console cannot be seen from a server",
        ),
        (
            r#"{"name":"a","when":{"after":{"trigger":{"wifi":"lost"},"delay":"1s"}},"do":"expire-session"}"#,
            "`wifi`: the radio's link cannot be seen from a server",
        ),
    ] {
        let (status, refused) = server.control("POST", "/v1/faults", body);
        assert_eq!(
            (status, &refused["error"]["what"]),
            (422, &json!(what)),
            "{refused}"
        );
    }
    assert_eq!(server.get("/v1/faults").1, json!({"faults": []}));
    assert_eq!(server.control("POST", "/v1/faults", JUMP).0, 201);
    let (status, twice) = server.control("POST", "/v1/faults", JUMP);
    assert_eq!(
        (status, &twice["error"]["what"]),
        (422, &json!("two faults are called `jump`"))
    );
}

#[test]
fn the_faults_of_a_scenario_strike_and_those_that_cannot_be_here_are_told() {
    let server = with_faults(
        "- name: jump\n  when: {request: {endpoint: renew-session}}\n  do: {server-clock: {offset: 301s}}\n\
         - name: drop\n  when: {serial: \"[REG]\"}\n  do: access-point-gone\n\
         - name: dark\n  when: 10s\n  do: power-cut\n",
    );
    assert_eq!(
        server.left_out,
        [
            "plan.yaml:9:9: fault `drop` is left out: `serial`: the device's console cannot be seen from a server",
            "plan.yaml:12:9: fault `dark` is left out: `power-cut` is done to radio, network or device; a server alone \
             cannot do it",
        ]
    );
    let session = server.register();
    server.renew(&session);
    let (_, all) = server.get("/v1/faults");
    let states: Vec<_> = (0..3)
        .map(|i| all["faults"][i]["state"].as_str().unwrap_or(""))
        .collect();
    assert_eq!(states, ["active", "impossible", "impossible"], "{all}");
    assert_eq!(all["faults"][0]["position"], "plan.yaml:6:9");
}

/// Adds the fault, which must be taken.
fn post(server: &Running, when: &str, action: &str, rest: &str) {
    let body = format!(r#"{{"name":"f","when":{when},"do":{action}{rest}}}"#);
    let (status, added) = server.control("POST", "/v1/faults", &body);
    assert_eq!(status, 201, "{body}: {added}");
}

const RENEWAL: &str = r#"{"request":{"endpoint":"renew-session"}}"#;

#[test]
fn requests_are_struck_as_on_a_bench() {
    for (action, begins, holds) in [
        (
            r#"{"respond":{"status":429,"retry-after":"120"}}"#,
            "HTTP/1.1 429 ",
            "retry-after: 120\r\n",
        ),
        (r#""html""#, "HTTP/1.1 200 ", "<title>502 Bad Gateway</title>"),
        (r#"{"missing-field":"session"}"#, "HTTP/1.1 200 ", "success"),
        (
            r#""redirect-to-https""#,
            "HTTP/1.1 301 ",
            "location: https://cloud.oceanremote.test/api/device/oc-1/",
        ),
        (r#"{"raw-reply":"SSH-2.0-x"}"#, "SSH-2.0-x", ""),
        (r#"{"truncate":{"after-byte":12}}"#, "HTTP/1.1 200", ""),
        (r#""close-connection""#, "", ""),
        (r#"{"lose-reply":{"then":"close"}}"#, "", ""),
    ] {
        let server = plain();
        let session = server.register();
        post(&server, RENEWAL, action, "");
        let reply = server.renew(&session);
        assert!(
            reply.starts_with(begins) && reply.contains(holds),
            "{action}: {reply}"
        );
        match action {
            _ if begins.is_empty() => assert_eq!(reply, "", "{action}"),
            r#"{"truncate":{"after-byte":12}}"# => assert_eq!(reply.len(), 12),
            r#"{"missing-field":"session"}"# => assert!(!reply.contains("\"session\""), "{reply}"),
            _ => {}
        }
        let (_, fault) = server.get("/v1/faults/f");
        assert_eq!(
            (&fault["state"], &fault["fired"]),
            (&json!("fired"), &json!(1)),
            "{action}"
        );
        // The effect of a renewal whose reply was lost is there: the device's session is not the old one.
        let effect = matches!(action, r#"{"lose-reply":{"then":"close"}}"# | r#""html""#);
        assert_eq!(
            server.get("/v1/devices/oc-1").1["session"] != json!(session),
            effect || reply.starts_with("HTTP/1.1 200") || reply.starts_with("SSH"),
            "{action}"
        );
        let control = server.get("/v1/devices/oc-1").1["session"]
            .as_str()
            .expect("a session")
            .to_owned();
        assert!(
            server.renew(&control).starts_with("HTTP/1.1 200 "),
            "{action} strikes once"
        );
    }
}

#[test]
fn a_reset_and_a_dribble_are_seen_on_the_wire() {
    use std::io::{Read, Write};
    let server = plain();
    let session = server.register();
    post(
        &server,
        r#"{"request":{"endpoint":"commands"}}"#,
        r#"{"reset-connection":{"after-byte":20}}"#,
        "",
    );
    let poll = format!(
        "GET /api/device/{DEVICE}/commands/?ack=0 HTTP/1.1\r\nHost: c\r\nX-Device-Token: {session}\r\n\r\n"
    );
    let mut stream = connect(server.cloud);
    stream.write_all(poll.as_bytes()).expect("it reads");
    let mut reply = Vec::new();
    let reset = stream.read_to_end(&mut reply).expect_err("a reset");
    assert_eq!(reset.kind(), std::io::ErrorKind::ConnectionReset);
    assert!(reply.len() <= 20, "{reply:?}");

    assert_eq!(server.control("DELETE", "/v1/faults", "").0, 200);
    post(
        &server,
        r#"{"request":{"endpoint":"commands"}}"#,
        r#"{"dribble":{"bytes":40,"every":"100ms"}}"#,
        "",
    );
    let before = server.get("/v1/clock").1["now_ns"].as_u64().expect("a time");
    let (status, _) = server.poll(&session);
    let after = server.get("/v1/clock").1["now_ns"].as_u64().expect("a time");
    assert_eq!(status, 200);
    assert!(
        after - before >= 200_000_000,
        "a reply of more than 80 bytes takes two pauses: {}",
        after - before
    );
}

#[test]
fn a_door_is_shut_and_open_again() {
    use std::io::{Read, Write};
    let server = plain();
    let session = server.register();
    post(&server, r#""0s""#, r#""refuse""#, r#","for":"1h""#);
    assert_eq!(server.get("/v1/faults/f").1["state"], "active");
    let mut stream = connect(server.cloud);
    // Whichever comes first: the request cannot be sent, or the answer is a reset.
    let _ = stream.write_all(b"GET / HTTP/1.1\r\n\r\n");
    assert!(stream.read(&mut [0; 1]).is_err(), "it was reset");
    assert_eq!(server.control("DELETE", "/v1/faults/f", "").0, 200);
    assert_eq!(server.poll(&session).0, 200);

    post(&server, r#""0s""#, r#""blackhole""#, r#","for":"1h""#);
    let mut stream = connect(server.cloud);
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("it is taken");
    stream
        .set_read_timeout(Some(std::time::Duration::from_millis(300)))
        .expect("a timeout");
    let silent = stream.read(&mut [0; 1]).expect_err("nothing comes");
    assert!(
        matches!(
            silent.kind(),
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
        ),
        "{silent}"
    );
    assert_eq!(server.control("DELETE", "/v1/faults", "").0, 200);
    assert_eq!(server.poll(&session).0, 200);
    let (status, refused) = server.control(
        "POST",
        "/v1/faults",
        r#"{"name":"f","when":"0s","do":{"refuse":{"port":8883}}}"#,
    );
    assert_eq!(status, 422, "{refused}");
}
