//! HTTP over in-memory streams.

use std::net::{IpAddr, Ipv4Addr};

use cloud::http::Connection;
use cloud::{Cloud, CloudConfig, DeviceConfig, Entry, Event, Limits, NoFaults, Origin, Shared};
use sim::Instant;

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 4, 2));

fn origin() -> Shared {
    let config = CloudConfig {
        devices: vec![DeviceConfig::pending("oc-1", "oc_reg_test")],
        limits: Limits::OFF,
        ..CloudConfig::default()
    };
    Origin::shared(Cloud::new(config).expect("a valid configuration"), NoFaults)
}

fn post(path: &str, headers: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: cloud\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn register() -> String {
    let body =
        r#"{"token":"oc_reg_test","device_id":"oc-1","mac_address":"02:00:00:00:00:01","ip":"192.168.4.2"}"#;
    post("/api/device/register/", "", body)
}

fn session(origin: &Shared) -> String {
    origin
        .borrow()
        .cloud
        .device("oc-1")
        .and_then(|d| d.session)
        .expect("the device is registered")
}

fn talk(conn: &mut Connection, now: Instant, bytes: &[u8]) -> String {
    conn.receive(now, bytes);
    conn.poll(now);
    String::from_utf8(conn.take_output()).expect("replies are text")
}

fn open(origin: &Shared, id: u64) -> Connection {
    Connection::new(origin, Instant::ZERO, id, PEER, false)
}

fn statuses(text: &str) -> Vec<&str> {
    text.split("HTTP/1.1 ").skip(1).map(|reply| &reply[..3]).collect()
}

#[test]
fn a_registration_byte_for_byte() {
    let origin = origin();
    let reply = talk(
        &mut open(&origin, 1),
        Instant::from_secs(2),
        register().as_bytes(),
    );
    let (head, body) = reply.split_once("\r\n\r\n").expect("a head and a body");
    assert_eq!(
        head,
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ndate: Thu, 01 Jan 2026 00:00:02 GMT\r\n\
             content-length: {}",
            body.len()
        )
    );
    let device = origin.borrow().cloud.device("oc-1").expect("it is known");
    let (permanent, session) = (
        device.permanent_token.expect("claimed"),
        device.session.expect("issued"),
    );
    assert_eq!(
        body,
        format!(
            r#"{{"success":true,"device_id":"oc-1","permanent_token":"{permanent}","session":"{session}","expires_in":3600,"server_time":1767225602}}"#
        )
    );
}

#[test]
fn a_request_cut_at_any_byte_is_answered_the_same() {
    let text = register();
    let whole = talk(&mut open(&origin(), 1), Instant::ZERO, text.as_bytes());
    assert_eq!(statuses(&whole), ["200"]);
    for at in 1..text.len() {
        let origin = origin();
        let mut conn = open(&origin, 1);
        assert_eq!(
            talk(&mut conn, Instant::ZERO, &text.as_bytes()[..at]),
            "",
            "cut at {at}"
        );
        assert_eq!(
            talk(&mut conn, Instant::ZERO, &text.as_bytes()[at..]),
            whole,
            "cut at {at}"
        );
    }
    let mut conn = open(&origin(), 1);
    let dribbled: String = text
        .bytes()
        .map(|b| talk(&mut conn, Instant::ZERO, &[b]))
        .collect();
    assert_eq!(dribbled, whole);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let origin = origin();
    let mut conn = open(&origin, 1);
    talk(&mut conn, Instant::ZERO, register().as_bytes());
    origin.borrow_mut().cloud.take_journal();
    let header = format!("X-Device-Token: {}\r\n", session(&origin));
    let poll = format!("GET /api/device/oc-1/commands/ HTTP/1.1\r\nHost: c\r\n{header}\r\n");
    let renew = post(
        "/api/device/oc-1/renew-session/",
        &header,
        r#"{"mac_address":"02:00:00:00:00:01"}"#,
    );
    let text = talk(
        &mut conn,
        Instant::from_secs(1),
        format!("{poll}{renew}{poll}").as_bytes(),
    );
    assert_eq!(
        statuses(&text),
        ["200", "200", "401"],
        "the renewal ends the session that came with it"
    );
    let journal = origin.borrow_mut().cloud.take_journal();
    let marks: Vec<(&str, u64)> = journal
        .iter()
        .filter_map(|Entry { event, .. }| match event {
            Event::FirstByte { exchange, .. } => Some(("first", *exchange)),
            Event::HeadDone { exchange, .. } => Some(("head", *exchange)),
            Event::BeforeEffect { exchange } => Some(("before", *exchange)),
            Event::AfterEffect { exchange, .. } => Some(("after", *exchange)),
            Event::ReplyDone { exchange, .. } => Some(("done", *exchange)),
            _ => None,
        })
        .collect();
    for phase in ["first", "head", "before", "after", "done"] {
        let order: Vec<u64> = marks
            .iter()
            .filter(|(p, _)| *p == phase)
            .map(|(_, id)| *id)
            .collect();
        assert_eq!(order, [2, 3, 4], "{phase}");
    }
}
