//! What a request costs on the host: the state machine alone, and with HTTP around it on a kept connection.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use criterion::{Criterion, criterion_group, criterion_main};
use http_service::{Connection, NoFaults, Origin, Request};
use oceanremote::{Cloud, CloudConfig, DeviceConfig, Limits};
use sim::Instant;

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 4, 2));
const REGISTRATION: &str =
    r#"{"token":"oc_reg_test","device_id":"oc-1","mac_address":"02:00:00:00:00:01","ip":"192.168.4.2"}"#;

/// A cloud with the device registered, and its session.
fn registered() -> (Cloud, String) {
    let config = CloudConfig {
        devices: vec![DeviceConfig::pending("oc-1", "oc_reg_test")],
        session_lifetime: std::time::Duration::from_secs(u32::MAX.into()),
        limits: Limits::OFF,
        ..CloudConfig::default()
    };
    let mut cloud = Cloud::new(config).expect("a valid configuration");
    let request = Request::new("POST", "/api/device/register/", PEER).with_body(REGISTRATION);
    assert_eq!(cloud.handle(Instant::ZERO, &request).status, 200);
    let session = cloud
        .device("oc-1")
        .and_then(|d| d.session)
        .expect("it is registered");
    (cloud, session)
}

fn benchmarks(c: &mut Criterion) {
    let (mut cloud, session) = registered();
    let poll = Request::new("GET", "/api/device/oc-1/commands/?ack=0", PEER);
    let poll = poll.with_header("x-device-token", &session);
    let mut second = 0;
    c.bench_function("poll, state machine", |b| {
        b.iter(|| {
            second += 5;
            assert_eq!(
                cloud.handle(Instant::from_secs(second), black_box(&poll)).status,
                200
            );
            cloud.take_journal()
        });
    });

    let (cloud, session) = registered();
    let origin = Origin::shared(cloud, NoFaults);
    let mut conn = Connection::new(&origin, Instant::ZERO, 1, PEER, false);
    let text = format!(
        "GET /api/device/oc-1/commands/?ack=0 HTTP/1.1\r\nHost: cloud\r\nX-Device-Token: {session}\r\n\
         X-Device-Time: 1767225600\r\n\r\n"
    );
    let mut ns = 0;
    c.bench_function("poll, HTTP on a kept connection", |b| {
        b.iter(|| {
            // Slow enough to stay within the allowed skew.
            ns += 1;
            conn.receive(Instant::from_nanos(ns), black_box(text.as_bytes()));
            conn.poll(Instant::from_nanos(ns));
            let reply = conn.take_output();
            assert!(reply.starts_with(b"HTTP/1.1 200"));
            (reply, origin.borrow_mut().get_mut::<Cloud>().take_journal())
        });
    });
}

criterion_group!(benches, benchmarks);
criterion_main!(benches);
