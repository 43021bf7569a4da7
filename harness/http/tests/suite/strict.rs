//! What RFC 9112 and public servers refuse is refused, before the service sees it.

use http_service::NoFaults;
use sim::Instant;

use crate::echo::{Echo, open, talk};

/// Raw request, status, and the section of RFC 9112 (or the server) that says so.
const CASES: &[(&str, &str, &str)] = &[
    // What is right passes.
    ("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n", "200", "3"),
    ("GET /echo HTTP/1.1\r\nHost: a:80\r\n\r\n", "200", "3.2"),
    ("GET /echo HTTP/1.1\r\nhOsT:a\r\n\r\n", "200", "5"),
    (
        "GET /echo HTTP/1.1\nHost: a\n\n",
        "200",
        "2.2: a single LF may be taken",
    ),
    (
        "\r\n\r\nGET /echo HTTP/1.1\r\nHost: a\r\n\r\n",
        "200",
        "2.2: empty lines before are skipped",
    ),
    ("GET /echo HTTP/1.0\r\n\r\n", "200", "HTTP/1.0 has no Host"),
    ("GET http://a/echo HTTP/1.1\r\nHost: a\r\n\r\n", "200", "3.2.2"),
    ("GET http://a:80/echo HTTP/1.1\r\nHost: a\r\n\r\n", "200", "3.2.2"),
    ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "200", "3.2.4"),
    (
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
        "200",
        "6.2",
    ),
    (
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "200",
        "7.1",
    ),
    (
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;x=\"y\"\r\nhi\r\n0\r\nT: 1\r\n\r\n",
        "200",
        "7.1.2",
    ),
    (
        "GET /a%20b?c=%zz HTTP/1.1\r\nHost: a\r\n\r\n",
        "200",
        "the query is the service's",
    ),
    // Host.
    ("GET /echo HTTP/1.1\r\n\r\n", "400", "3.2: no Host"),
    (
        "GET /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "400",
        "3.2: two",
    ),
    (
        "GET /echo HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "400",
        "3.2: two of the same",
    ),
    (
        "GET /echo HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
        "400",
        "3.2: two, in HTTP/1.0 as well",
    ),
    ("GET /echo HTTP/1.1\r\nHost:\r\n\r\n", "400", "nginx: empty"),
    ("GET /echo HTTP/1.1\r\nHost: a b\r\n\r\n", "400", "3.2: invalid"),
    ("GET /echo HTTP/1.1\r\nHost: a/b\r\n\r\n", "400", "3.2: invalid"),
    (
        "GET /echo HTTP/1.1\r\nHost: http://a\r\n\r\n",
        "400",
        "3.2: a URL",
    ),
    ("GET /echo HTTP/1.1\r\nHost: a:http\r\n\r\n", "400", "3.2: port"),
    (
        "GET /echo HTTP/1.1\r\nHost: u@a\r\n\r\n",
        "400",
        "3.2: user information",
    ),
    (
        "GET http://b/echo HTTP/1.1\r\nHost: a\r\n\r\n",
        "400",
        "HAProxy: contradiction",
    ),
    // Length.
    (
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
        "400",
        "nginx: twice",
    ),
    (
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi!",
        "400",
        "6.3: contradiction",
    ),
    (
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2, 2\r\n\r\nhi",
        "400",
        "nginx: a list",
    ),
    (
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\nhi",
        "400",
        "6.3",
    ),
    (
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -2\r\n\r\nhi",
        "400",
        "6.3",
    ),
    (
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0x2\r\n\r\nhi",
        "400",
        "6.3",
    ),
    (
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
        "400",
        "6.3",
    ),
    (
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        "400",
        "6.3",
    ),
    (
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "400",
        "6.3 and nginx: both",
    ),
    (
        "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "400",
        "nginx: HTTP/1.0",
    ),
    (
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "501",
        "6.1",
    ),
    (
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
        "501",
        "6.1",
    ),
    (
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "400",
        "nginx: twice",
    ),
    (
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "400",
        "7.1",
    ),
    (
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        "400",
        "7.1",
    ),
    (
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n11111111111111111\r\n",
        "400",
        "7.1",
    ),
    // Fields.
    (
        "GET /echo HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
        "400",
        "5.1: space before the colon",
    ),
    (
        "GET /echo HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n",
        "400",
        "5.2: folded",
    ),
    (
        "GET /echo HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n",
        "400",
        "2.2: space before the first field",
    ),
    ("GET /echo HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", "400", "5: no colon"),
    (
        "GET /echo HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n",
        "400",
        "5: no name",
    ),
    (
        "GET /echo HTTP/1.1\r\nHost: a\r\nX(): y\r\n\r\n",
        "400",
        "5: name",
    ),
    (
        "GET /echo HTTP/1.1\r\nHost: a\r\nX: y\rz\r\n\r\n",
        "400",
        "2.2: bare CR",
    ),
    (
        "GET /echo HTTP/1.1\r\nHost: a\r\nX: y\0z\r\n\r\n",
        "400",
        "5.5 of RFC 9110: NUL",
    ),
    (
        "GET /echo HTTP/1.1\r\nHost: a\r\nX: y\x7fz\r\n\r\n",
        "400",
        "5.5 of RFC 9110: DEL",
    ),
    (
        "GET /echo HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n",
        "417",
        "10.1.1 of RFC 9110",
    ),
    // The request line.
    ("GET /echo\r\n", "400", "HTTP/0.9"),
    ("GET\r\n", "400", "3"),
    ("GET  /echo HTTP/1.1\r\n", "400", "3: two spaces"),
    ("GET /echo  HTTP/1.1\r\n", "400", "3: two spaces"),
    ("GET /echo HTTP/1.1 \r\n", "400", "3: space behind"),
    (" GET /echo HTTP/1.1\r\n", "400", "3: space before"),
    ("GET /ec ho HTTP/1.1\r\n", "400", "3.2: space in the target"),
    ("GET /ec\tho HTTP/1.1\r\n", "400", "3.2: control byte"),
    ("GET /ec\x01ho HTTP/1.1\r\n", "400", "3.2: control byte"),
    ("GET /ec\x7fho HTTP/1.1\r\n", "400", "3.2: control byte"),
    ("GET /echö HTTP/1.1\r\n", "400", "3.2: not ASCII"),
    ("GET /echo#x HTTP/1.1\r\n", "400", "3.2: fragment"),
    ("GET /ec%zzho HTTP/1.1\r\n", "400", "nginx: percent-encoding"),
    ("GET /ec%00ho HTTP/1.1\r\n", "400", "nginx: NUL"),
    ("GET echo HTTP/1.1\r\n", "400", "3.2"),
    ("GET * HTTP/1.1\r\n", "400", "3.2.4: OPTIONS only"),
    ("GET ftp://a/echo HTTP/1.1\r\n", "400", "3.2.2"),
    ("GET http:///echo HTTP/1.1\r\n", "400", "3.2.2: no host"),
    ("CONNECT a:443 HTTP/1.1\r\n", "405", "9.3.6 of RFC 9110: no proxy"),
    ("get /echo HTTP/1.1\r\n", "400", "nginx: method"),
    ("G(T /echo HTTP/1.1\r\n", "400", "3.1: method"),
    ("GET /echo HTTP/2.0\r\n", "505", "15.6.6 of RFC 9110"),
    (
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "505",
        "HTTP/2 with prior knowledge",
    ),
    ("GET /echo HTTP/1.x\r\n", "400", "2.3"),
    ("GET /echo http/1.1\r\n", "400", "2.3"),
    ("\x16\x03\x01\x02\x00\x01\x00\n", "400", "TLS on the plain port"),
];

fn status(reply: &str) -> &str {
    reply.get(9..12).unwrap_or(reply)
}

#[test]
fn every_raw_request_has_its_status() {
    let mut wrong = Vec::new();
    for (raw, want, why) in CASES {
        let (origin, mut conn) = open(NoFaults);
        let reply = talk(&mut conn, Instant::ZERO, raw.as_bytes());
        let served = origin.borrow().get::<Echo>().served;
        let refused = *want != "200";
        if status(&reply) != *want || served != u32::from(!refused) {
            wrong.push(format!(
                "{raw:?} ({why}): wanted {want}, got {reply:?}, served {served}"
            ));
        } else if refused && (!reply.contains("connection: close\r\n") || !conn.is_closed()) {
            wrong.push(format!("{raw:?} ({why}): the connection stays open"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_raw_request_has_its_status_in_single_bytes() {
    for (raw, want, why) in CASES {
        let (_, mut conn) = open(NoFaults);
        let reply: String = raw
            .bytes()
            .map(|byte| talk(&mut conn, Instant::ZERO, &[byte]))
            .collect();
        assert_eq!(status(&reply), *want, "{raw:?} ({why})");
    }
}

#[test]
fn sizes_are_bounded() {
    for (raw, want) in [
        (
            format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(8_000)),
            "200",
        ),
        (
            format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(8_200)),
            "414",
        ),
        (format!("GET /{}", "x".repeat(8_200)), "414"),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(16_000)),
            "200",
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(16_400)),
            "431",
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(99)),
            "200",
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(100)),
            "431",
        ),
    ] {
        let (_, mut conn) = open(NoFaults);
        let reply = talk(&mut conn, Instant::ZERO, raw.as_bytes());
        assert_eq!(status(&reply), want, "{} bytes", raw.len());
    }
}

#[test]
fn a_refusal_keeps_its_place_and_ends_the_connection() {
    let (origin, mut conn) = open(NoFaults);
    let good = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
    let bad = "HEAD /echo HTTP/1.1\r\n\r\n";
    let replies = talk(&mut conn, Instant::ZERO, format!("{good}{bad}{good}").as_bytes());
    let statuses: Vec<&str> = replies.split("HTTP/1.1 ").skip(1).map(|r| &r[..3]).collect();
    assert_eq!(statuses, ["200", "400"], "{replies}");
    assert!(
        replies.ends_with("\r\n\r\n"),
        "a reply to HEAD has no body: {replies}"
    );
    assert!(conn.is_closed());
    assert_eq!(origin.borrow().get::<Echo>().served, 1);
}
