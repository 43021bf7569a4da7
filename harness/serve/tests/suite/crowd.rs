//! A thousand idle connections and slow senders: service goes on, memory stays bounded.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::bench::*;

/// Resident memory of this process, KiB; the server is a thread of it.
fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| {
        line.strip_prefix("VmRSS:")?
            .trim()
            .strip_suffix(" kB")?
            .trim()
            .parse()
            .ok()
    })
}

fn crowd(addr: SocketAddr, count: usize, says: &str) -> Vec<TcpStream> {
    (0..count)
        .map(|_| {
            let mut stream = TcpStream::connect_timeout(&addr, Duration::from_secs(10)).expect("it accepts");
            // One that was made to give way does not hear this any more.
            let _ = stream.write_all(says.as_bytes());
            stream
        })
        .collect()
}

#[test]
fn a_thousand_idle_connections_on_each_port_and_slow_senders_stop_nobody() {
    let server = plain();
    let session = server.register();
    assert_eq!(server.get("/v1/clock").0, 200);
    let before = resident_kib();
    let idle_cloud = crowd(server.cloud, 500, "");
    let idle_control = crowd(server.control, 500, "");
    // These have begun to speak and never end: half a head, half a body.
    let slow_heads = crowd(server.cloud, 50, "GET /api/dev");
    let slow_control = crowd(server.control, 50, "GET /v1/");
    let half = "POST /v1/faults HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n{";
    let slow_bodies = crowd(server.control, 100, half);
    for _ in 0..5 {
        assert_eq!(server.poll(&session).0, 200, "the cloud serves");
        assert_eq!(server.get("/v1/clock").0, 200, "the control interface answers");
    }
    if let (Some(before), Some(after)) = (before, resident_kib()) {
        println!("resident: {before} KiB before, {after} KiB with 1,200 connections");
        // Both ends and the tests that run beside this one are in this figure.
        assert!(after < before + 64 * 1024, "{before} KiB grew to {after} KiB");
    }
    drop((idle_cloud, idle_control, slow_heads, slow_control, slow_bodies));
    assert_eq!(server.poll(&session).0, 200);
    assert_eq!(server.get("/v1/clock").0, 200);
}

#[test]
fn a_sender_that_stops_in_its_body_is_answered_408() {
    let server = plain();
    let mut slow = connect(server.control);
    write!(
        slow,
        "PUT /v1/clock HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n{{"
    )
    .expect("it reads");
    let mut reply = String::new();
    std::io::Read::read_to_string(&mut slow, &mut reply).expect("it answers");
    assert!(reply.starts_with("HTTP/1.1 408 "), "{reply}");
    assert_eq!(server.get("/v1/clock").0, 200);
}
