//! What is wrong is answered clearly, and who may not speak is turned away.

use std::io::{Read, Write};

use serde_json::json;
use serve::{ControlOptions, Options, ServeError, Service};

use crate::bench::*;

#[test]
fn malformed_json_is_answered_with_what_where_and_what_was_expected() {
    let server = plain();
    let (status, refused) = server.control("POST", "/v1/faults", "{\"name\": \"x\",\n  when: 1}");
    let error = &refused["error"];
    assert_eq!(status, 400);
    assert_eq!(error["what"], "the body is not JSON: key must be a string");
    assert_eq!(error["where"], "body, line 2, column 3");
    assert!(
        error["expected"]
            .as_str()
            .is_some_and(|text| text.contains("\"when\"")),
        "{error}"
    );
    assert_eq!(
        server.control("POST", "/v1/faults", &"[".repeat(60_000)).0,
        400,
        "deep nesting"
    );
    assert_eq!(server.control("POST", "/v1/faults", "\u{0}").0, 400);
    let raw = b"POST /v1/faults HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\n\xff\xfe";
    let mut stream = connect(server.control);
    stream.write_all(raw).expect("it reads");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("it answers");
    assert!(
        reply.starts_with("HTTP/1.1 400 ") && reply.contains("the body is not UTF-8"),
        "{reply}"
    );
    assert_eq!(parted(&ask(server.control, "SSH-2.0-x\r\n\r\n")).0, 400);
    assert_eq!(server.get("/v1/clock").0, 200, "it goes on");
}

#[test]
fn bodies_over_64_kib_are_answered_413() {
    let server = plain();
    let fitting = format!("{{\"offset\": \"1s\"{}}}", " ".repeat(64 * 1024 - 16));
    assert_eq!(fitting.len(), 64 * 1024);
    assert_eq!(server.control("PUT", "/v1/clock", &fitting).0, 200);
    let (status, refused) = server.control("PUT", "/v1/clock", &format!("{fitting} "));
    assert_eq!(
        (status, &refused["error"]["expected"]),
        (413, &json!("at most 65536 bytes"))
    );
    // Announced only: it is not waited for.
    let announced = "POST /v1/faults HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999999\r\n\r\n";
    assert_eq!(parted(&ask(server.control, announced)).0, 413);
    // Not announced: it is counted.
    let mut chunked =
        "POST /v1/faults HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
    for _ in 0..65 {
        chunked += &format!("400\r\n{}\r\n", "x".repeat(1024));
    }
    assert_eq!(parted(&ask(server.control, &chunked)).0, 413);
}

#[test]
fn web_pages_are_turned_away() {
    let server = plain();
    let with = |headers: &str| {
        let request = format!("GET /v1/clock HTTP/1.1\r\nConnection: close\r\n{headers}\r\n");
        parted(&ask(server.control, &request)).0
    };
    let host = format!("Host: {}\r\n", server.control);
    assert_eq!(with(&host), 200);
    assert_eq!(with("Host: rebound.example\r\n"), 403);
    assert_eq!(with(&format!("{host}Origin: https://page.example\r\n")), 403);
    assert_eq!(with(&format!("{host}Sec-Fetch-Site: cross-site\r\n")), 403);
    assert_eq!(with(""), 400);
}

#[test]
fn a_token_is_needed_beyond_loopback_and_then_wanted() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let open = |token: Option<&str>| Options {
        control: Some(ControlOptions {
            listen: ([0, 0, 0, 0], 0).into(),
            token: token.map(str::to_owned),
        }),
        ..options()
    };
    let refused = runtime
        .block_on(Service::bind(open(None)))
        .err()
        .expect("it does not start");
    assert!(matches!(refused, ServeError::NoToken(_)));
    assert!(
        refused.to_string().contains("OCEANRIG_CONTROL_TOKEN"),
        "{refused}"
    );
    let refused = runtime
        .block_on(Service::bind(open(Some("short"))))
        .err()
        .expect("it does not start");
    assert!(matches!(refused, ServeError::BadToken));

    let server = start(open(Some("correct-horse-battery")));
    let control = std::net::SocketAddr::from(([127, 0, 0, 1], server.control.port()));
    let with = |headers: &str| {
        let request =
            format!("GET /v1/clock HTTP/1.1\r\nHost: bench.example\r\nConnection: close\r\n{headers}\r\n");
        ask(control, &request)
    };
    let refused = with("");
    assert!(
        refused.starts_with("HTTP/1.1 401 ") && refused.contains("www-authenticate: Bearer"),
        "{refused}"
    );
    assert_eq!(
        parted(&with("Authorization: Bearer correct-horse-batterz\r\n")).0,
        401
    );
    assert_eq!(
        parted(&with("Authorization: Bearer correct-horse-battery\r\n")).0,
        200
    );
}

#[test]
fn a_busy_port_is_a_clear_error() {
    let server = plain();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let busy = Options {
        listen: server.cloud,
        ..options()
    };
    let refused = runtime
        .block_on(Service::bind(busy))
        .err()
        .expect("the port is taken");
    assert!(
        refused.to_string().contains("another program listens there"),
        "{refused}"
    );
    let busy = Options {
        control: Some(ControlOptions {
            listen: server.control,
            token: None,
        }),
        ..options()
    };
    let refused = runtime
        .block_on(Service::bind(busy))
        .err()
        .expect("the port is taken");
    assert!(matches!(refused, ServeError::Control(_)), "{refused}");
}
