//! The journal, and waiting for what enters it.

use std::io::{Read, Write};

use serde_json::{Value, json};

use crate::bench::*;

fn lines(server: &Running, target: &str) -> Vec<Value> {
    let reply = server.control_text("GET", target, "");
    let (status, body) = parted(&reply);
    assert_eq!(status, 200, "{reply}");
    assert!(
        reply.contains("content-type: application/x-ndjson\r\n"),
        "{reply}"
    );
    body.lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect()
}

#[test]
fn the_journal_is_numbered_and_read_in_pieces() {
    let server = plain();
    assert_eq!(lines(&server, "/v1/journal"), Vec::<Value>::new());
    server.register();
    let all = lines(&server, "/v1/journal");
    let numbers: Vec<_> = all.iter().map(|e| e["seq"].as_u64().expect("a number")).collect();
    assert_eq!(numbers, (1..=all.len() as u64).collect::<Vec<_>>());
    let phases: Vec<_> = all
        .iter()
        .filter_map(|e| e["event"]["request"]["phase"].as_str())
        .collect();
    assert_eq!(
        phases,
        ["first-byte", "before-effect", "after-effect", "after-reply"]
    );
    let registered = all
        .iter()
        .find(|e| e["event"]["request"]["phase"] == "after-effect")
        .expect("there is one");
    assert_eq!(registered["event"]["request"]["exchange"]["status"], 200);
    let device = all
        .iter()
        .find(|e| e["event"]["session"]["device"] == DEVICE)
        .expect("a session was issued");
    assert!(
        device["event"]["session"]["change"]["issued"]["session"].is_string(),
        "{device}"
    );
    assert_eq!(lines(&server, "/v1/journal?after=1&limit=2"), all[1..3]);
    assert_eq!(
        lines(&server, &format!("/v1/journal?after={}", all.len())),
        Vec::<Value>::new()
    );
    let (status, wrong) = server.get("/v1/journal?after=x");
    assert_eq!(
        (status, &wrong["error"]["where"]),
        (400, &json!("query parameter `after`"))
    );
    assert_eq!(server.get("/v1/journal?limit=0").0, 400);
    assert_eq!(server.get("/v1/journal?from=1").0, 400);
}

#[test]
fn a_wait_ends_with_the_request_that_was_meant() {
    let server = plain();
    let session = server.register();
    let mut waiting = connect(server.control);
    let host = server.control;
    write!(
        waiting,
        "GET /v1/wait?endpoint=commands&status=200&nth=2&timeout=10s HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    .expect("the server reads");
    // The wait counts from now: let it begin before the polls do.
    while server.get("/v1/clock").1["now_ns"] == 0 {}
    std::thread::yield_now();
    server.get("/v1/clock");
    assert_eq!(server.poll("wrong").0, 401);
    assert_eq!(server.poll(&session).0, 200);
    assert_eq!(server.poll(&session).0, 200);
    let mut reply = String::new();
    waiting.read_to_string(&mut reply).expect("the wait ends");
    let (status, body) = parted(&reply);
    let event: Value = serde_json::from_str(body).expect("an event");
    assert_eq!(status, 200, "{reply}");
    let exchange = &event["event"]["request"]["exchange"];
    assert_eq!(
        (&exchange["endpoint"], &exchange["status"]),
        (&json!("commands"), &json!(200))
    );
    assert_eq!(
        exchange["id"], 4,
        "the first poll was refused, the third of them is the second good one"
    );
}

#[test]
fn a_wait_looks_back_when_told_and_gives_up_when_nothing_comes() {
    let server = plain();
    server.register();
    let (status, event) = server.get("/v1/wait?endpoint=register&after=0&timeout=1s");
    assert_eq!(
        (status, &event["event"]["request"]["exchange"]["id"]),
        (200, &json!(1))
    );
    let (status, late) = server.get("/v1/wait?endpoint=register&timeout=50ms");
    assert_eq!(
        (status, &late["error"]["what"]),
        (504, &json!("no such request came within 50ms")),
        "{late}"
    );
    let (status, _) = server.get("/v1/wait?endpoint=register&at=after-reply&after=0&nth=2&timeout=50ms");
    assert_eq!(status, 504, "there was only one");
    for (query, place) in [
        ("endpoint=renew", "query parameter `endpoint`"),
        ("at=later", "query parameter `at`"),
        ("nth=0", "query parameter `nth`"),
        ("timeout=11m", "query parameter `timeout`"),
        ("timeout=5", "query parameter `timeout`"),
        ("status=200&at=first-byte", "query parameter `at`"),
    ] {
        let (status, refused) = server.get(&format!("/v1/wait?{query}"));
        assert_eq!(
            (status, refused["error"]["where"].as_str()),
            (400, Some(place)),
            "{query}"
        );
    }
}

#[test]
fn no_more_than_32_wait() {
    let server = plain();
    let mut crowd = Vec::new();
    for _ in 0..32 {
        let mut stream = connect(server.control);
        write!(
            stream,
            "GET /v1/wait?timeout=10s HTTP/1.1\r\nHost: {}\r\n\r\n",
            server.control
        )
        .expect("it reads");
        crowd.push(stream);
    }
    let mut refused = (0, Value::Null);
    // Until the last of them has been read by the server.
    for _ in 0..100 {
        refused = server.get("/v1/wait?timeout=10ms");
        if refused.0 != 504 {
            break;
        }
    }
    assert_eq!(refused.0, 503, "{}", refused.1);
    drop(crowd);
    for _ in 0..100 {
        refused = server.get("/v1/wait?timeout=10ms");
        if refused.0 != 503 {
            break;
        }
    }
    assert_eq!(refused.0, 504, "those who left wait no more");
}
