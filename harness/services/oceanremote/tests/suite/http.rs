//! HTTP over in-memory streams.

use http_service::{Connection, Ending, NoFaults, Origin, Phase, Shared};
use oceanremote::*;
use proptest::prelude::*;
use sim::Instant;

use crate::fixture::*;

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
    let origin = origin(NoFaults);
    let reply = talk(
        &mut open(&origin, 1),
        Instant::from_secs(2),
        http_register().as_bytes(),
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
    let device = origin
        .borrow()
        .get::<Cloud>()
        .device("oc-1")
        .expect("it is known");
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
    let text = http_register();
    let whole = talk(&mut open(&origin(NoFaults), 1), Instant::ZERO, text.as_bytes());
    assert_eq!(statuses(&whole), ["200"]);
    for at in 1..text.len() {
        let origin = origin(NoFaults);
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
    let mut conn = open(&origin(NoFaults), 1);
    let dribbled: String = text
        .bytes()
        .map(|b| talk(&mut conn, Instant::ZERO, &[b]))
        .collect();
    assert_eq!(dribbled, whole);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let recorder = Recorder::default();
    let origin = origin(recorder.clone());
    let mut conn = open(&origin, 1);
    talk(&mut conn, Instant::ZERO, http_register().as_bytes());
    recorder.reached.borrow_mut().clear();
    let header = format!("X-Device-Token: {}\r\n", session(&origin));
    let poll = format!("GET /api/device/oc-1/commands/ HTTP/1.1\r\nHost: c\r\n{header}\r\n");
    let renew = http_post(
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
    for phase in [
        Phase::FirstByte,
        Phase::BeforeEffect,
        Phase::AfterEffect,
        Phase::AfterReply,
    ] {
        let reached = recorder.reached.borrow();
        let order: Vec<u64> = reached.iter().filter(|r| r.1 == phase).map(|r| r.2).collect();
        assert_eq!(order, [2, 3, 4], "{phase:?}");
    }
}

#[test]
fn what_is_not_http_is_answered_400_and_closed() {
    let origin = origin(NoFaults);
    let mut conn = open(&origin, 1);
    let reply = talk(
        &mut conn,
        at(0),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    );
    assert_eq!(statuses(&reply), ["400"]);
    assert!(conn.is_closed());
    let endless = vec![b'a'; 40_000];
    assert_eq!(statuses(&talk(&mut open(&origin, 2), at(0), &endless)), ["414"]);
    let head = format!("GET / HTTP/1.1\r\nHost: c\r\nX: {}\r\n\r\n", "a".repeat(17_000));
    assert_eq!(
        statuses(&talk(&mut open(&origin, 3), at(0), head.as_bytes())),
        ["431"]
    );
}

#[test]
fn a_body_is_bounded_at_64_kib() {
    let origin = origin(NoFaults);
    let exact = http_post("/", "", &"x".repeat(65_536));
    assert_eq!(
        statuses(&talk(&mut open(&origin, 1), at(0), exact.as_bytes())),
        ["404"]
    );
    let over = http_post("/", "", &"x".repeat(65_537));
    let mut conn = open(&origin, 2);
    let reply = talk(&mut conn, at(0), over.as_bytes());
    assert_eq!(statuses(&reply), ["413"]);
    assert!(reply.contains("connection: close\r\n") && conn.is_closed());
    // Announced and never sent: no need to wait for it.
    let announced = "POST / HTTP/1.1\r\nHost: c\r\nContent-Length: 99999999999\r\n\r\n";
    assert_eq!(
        statuses(&talk(&mut open(&origin, 3), at(0), announced.as_bytes())),
        ["413"]
    );
    let mut chunked = b"POST / HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: chunked\r\n\r\n10001\r\n".to_vec();
    chunked.extend(vec![b'x'; 65_537]);
    chunked.extend(b"\r\n0\r\n\r\n");
    assert_eq!(statuses(&talk(&mut open(&origin, 4), at(0), &chunked)), ["413"]);
}

#[test]
fn head_and_unknown_methods_follow_rfc_9110() {
    let recorder = Recorder::default();
    let origin = origin(recorder.clone());
    let mut conn = open(&origin, 1);
    talk(&mut conn, at(0), http_register().as_bytes());
    let token = session(&origin);
    let request =
        |method: &str| format!("{method} /api/device/state/?token={token} HTTP/1.1\r\nHost: c\r\n\r\n");
    let get = talk(&mut conn, at(1), request("GET").as_bytes());
    let head = talk(&mut conn, at(1), request("HEAD").as_bytes());
    assert_eq!(
        head,
        get[..get.find("\r\n\r\n").expect("a head") + 4],
        "the same head and no body"
    );
    let put = talk(&mut conn, at(1), request("BREW").as_bytes());
    assert!(
        put.starts_with("HTTP/1.1 405 Method Not Allowed\r\n") && put.contains("\r\nallow: GET, HEAD\r\n")
    );
    let absolute = format!("GET http://c:80/api/device/state/?token={token} HTTP/1.1\r\nHost: c\r\n\r\n");
    assert_eq!(talk(&mut conn, at(1), absolute.as_bytes()), get);
    let last = recorder.reached.borrow().last().copied();
    assert_eq!(
        last,
        Some((at(1), Phase::AfterReply, 5, Some("state"), 4)),
        "the absolute form counts"
    );
}

#[test]
fn connections_close_when_asked_and_when_http_1_0_says_so() {
    let origin = origin(NoFaults);
    let mut conn = open(&origin, 1);
    let reply = talk(
        &mut conn,
        at(0),
        b"GET / HTTP/1.1\r\nHost: c\r\nConnection: close\r\n\r\n",
    );
    assert!(reply.contains("connection: close\r\n") && conn.ending() == Some(Ending::Close));
    let mut conn = open(&origin, 2);
    assert_eq!(
        &talk(&mut conn, at(0), b"GET / HTTP/1.0\r\n\r\n")[..12],
        "HTTP/1.0 404"
    );
    assert!(conn.is_closed());
    let mut conn = open(&origin, 3);
    conn.eof(at(0));
    conn.poll(at(0));
    assert!(conn.is_closed());
    let mut conn = open(&origin, 4);
    conn.shutdown(at(0));
    conn.poll(at(0));
    assert!(conn.is_closed());
}

#[test]
fn a_slow_request_gets_408_and_an_idle_connection_ends() {
    let origin = origin(NoFaults);
    let mut conn = open(&origin, 1);
    assert_eq!(conn.next_due(), Some(at(75)));
    talk(&mut conn, at(74), http_register().as_bytes());
    assert_eq!(conn.next_due(), Some(at(149)), "patience starts anew");
    let text = http_register();
    // Byte by byte, head and body alike: it is the whole request that must come in 30 s.
    for (n, byte) in text.bytes().enumerate().take(29) {
        assert_eq!(talk(&mut conn, at(100 + n as u64), &[byte]), "");
    }
    assert_eq!(conn.next_due(), Some(at(130)));
    let reply = talk(&mut conn, at(130), b"x");
    let want = "HTTP/1.1 408 \r\ncontent-type: application/json\r\nconnection: close\r\n\
                content-length: 43\r\ndate: Thu, 01 Jan 2026 00:02:10 GMT\r\n\r\n\
                {\"success\":false,\"error\":\"Request timeout\"}";
    assert_eq!(reply, want);
    assert_eq!(conn.ending(), Some(Ending::Close));

    let mut conn = open(&origin, 2);
    assert_eq!(talk(&mut conn, Instant::from_nanos(74_999_999_999), b""), "");
    assert!(!conn.is_closed());
    conn.poll(at(75));
    assert!(conn.is_closed());
}

#[test]
fn an_eleventh_connection_is_answered_429() {
    let config = CloudConfig {
        limits: Limits::default(),
        ..config()
    };
    let origin = Origin::shared(Cloud::new(config).expect("a valid configuration"), NoFaults);
    let mut conns: Vec<Connection> = (1..=11).map(|id| open(&origin, id)).collect();
    let get = b"GET / HTTP/1.1\r\nHost: c\r\n\r\n";
    assert_eq!(statuses(&talk(&mut conns[9], at(0), get)), ["404"]);
    let over = talk(&mut conns[10], at(0), get);
    assert_eq!(statuses(&over), ["429"]);
    assert!(over.contains("retry-after: 1\r\n"));
    conns.drain(..5);
    assert_eq!(
        statuses(&talk(&mut open(&origin, 12), at(0), get)),
        ["404"],
        "dropped ones free their place"
    );
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let life = || {
        let origin = origin(NoFaults);
        let mut conn = open(&origin, 1);
        let mut text = talk(&mut conn, at(1), http_register().as_bytes());
        let header = format!("X-Device-Token: {}\r\n", session(&origin));
        let renew = http_post("/api/device/oc-1/renew-session/", &header, RENEWAL);
        text += &talk(&mut conn, at(60), renew.as_bytes());
        (text, origin.borrow_mut().get_mut::<Cloud>().take_journal())
    };
    assert_eq!(life(), life());
}

/// Three virtual hours of polls and updates on one connection.
#[test]
fn three_hours_of_requests_cost_little() {
    let recorder = Recorder::default();
    let origin = origin(recorder.clone());
    let mut conn = open(&origin, 1);
    talk(&mut conn, at(0), http_register().as_bytes());
    let mut answered = 0;
    for n in 1..=2300u64 {
        let now = Instant::from_millis(n * 4700);
        let header = format!("X-Device-Token: {}\r\n", session(&origin));
        let text = match n % 500 {
            0 => http_post("/api/device/oc-1/renew-session/", &header, RENEWAL),
            _ if n % 13 == 0 => http_post("/api/device/oc-1/update/", &header, REPORT),
            _ => format!("GET /api/device/oc-1/commands/?ack=0 HTTP/1.1\r\nHost: c\r\n{header}\r\n"),
        };
        answered += usize::from(talk(&mut conn, now, text.as_bytes()).starts_with("HTTP/1.1 200 OK"));
    }
    assert_eq!(answered, 2300);
    let reached = recorder.reached.borrow();
    let done = reached.iter().filter(|r| r.1 == Phase::AfterReply).count();
    assert_eq!(done, 2301);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever comes, however it is cut: no panic, and it is answered as in one piece. (How soon hyper gives up on a
    /// chunk that is none depends on the pieces.)
    #[test]
    fn any_bytes_in_any_pieces(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            prop::collection::vec(prop::sample::select(FRAGMENTS.to_vec()), 0..12).prop_map(|f| f.concat()),
        ],
        cuts in prop::collection::vec(1usize..20, 1..8),
    ) {
        let whole = open_and_feed(&bytes, &[usize::MAX]);
        let pieces = open_and_feed(&bytes, &cuts);
        if !String::from_utf8_lossy(&whole.0).contains(" 400 Bad Request") {
            prop_assert_eq!(pieces, whole);
        }
    }
}

const FRAGMENTS: &[&[u8]] = &[
    b"GET / HTTP/1.1\r\n",
    b"POST /api/device/register/ HTTP/1.1\r\n",
    b"Host: c\r\n",
    b"Content-Length: 3\r\n",
    b"Content-Length: 4\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Expect: 100-continue\r\n",
    b"\r\n",
    b"\n",
    b"abc",
    b"3\r\nabc\r\n0\r\n\r\n",
    b" HTTP/9.9",
];

fn open_and_feed(bytes: &[u8], cuts: &[usize]) -> (Vec<u8>, bool) {
    let origin = origin(NoFaults);
    let mut conn = open(&origin, 1);
    let (mut rest, mut out) = (bytes, Vec::new());
    for cut in cuts.iter().cycle() {
        let (piece, left) = rest.split_at((*cut).min(rest.len()));
        conn.receive(at(0), piece);
        conn.poll(at(0));
        out.extend(conn.take_output());
        rest = left;
        if rest.is_empty() {
            break;
        }
    }
    let closed = conn.is_closed();
    conn.eof(at(1));
    conn.poll(at(1));
    (out, closed)
}

#[test]
fn a_long_header_line_does_not_confuse_the_count_of_requests() {
    let origin = origin(NoFaults);
    let mut conn = open(&origin, 1);
    let text = format!("GET / HTTP/1.1\r\nHost: c\r\nX: {}\r\n\r\n", "a".repeat(15_000));
    assert_eq!(statuses(&talk(&mut conn, at(0), text.as_bytes())), ["404"]);
    assert_eq!(
        statuses(&talk(&mut conn, at(31), b"")),
        [""; 0],
        "nothing is late"
    );
    assert_eq!(statuses(&talk(&mut conn, at(32), text.as_bytes())), ["404"]);
}
