//! Rates, connections, bans.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use http_service::Request;
use oceanremote::*;
use sim::Instant;

use crate::fixture::*;

const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 4, 3));

fn limited() -> CloudConfig {
    CloudConfig {
        limits: Limits::default(),
        ..config()
    }
}

fn ms(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

#[test]
fn twenty_requests_in_a_second_are_let_in() {
    let (mut fixture, _, session) = Fixture::registered(limited());
    for n in 0..20 {
        assert_eq!(
            fixture.poll(ms(2000 + n), &session, "").status,
            200,
            "request {n}"
        );
    }
    fixture.events();
    let over = fixture.poll(ms(2020), &session, "");
    assert_error(&over, 429, "Too many requests");
    assert_eq!(over.header("retry-after"), Some("1"));
    let limited = Fact::RateLimited {
        peer: PEER,
        endpoint: Endpoint::Commands,
        retry_after_s: 1,
    };
    assert_eq!(fixture.events(), [limited]);
    assert_eq!(fixture.poll(ms(2999), &session, "").status, 429);
    assert_eq!(
        fixture.poll(ms(3000), &session, "").status,
        200,
        "the first of them has left the window"
    );
    assert_eq!(fixture.poll(ms(3000), &session, "").status, 429, "and only it");
    let other = Request {
        peer: OTHER,
        ..Request::new("GET", "/api/device/oc-1/commands/", OTHER)
    };
    assert_eq!(
        fixture.cloud.handle(ms(3000), &other).status,
        401,
        "another address has a window of its own"
    );
}

#[test]
fn two_registrations_in_a_minute_are_let_in() {
    let mut fixture = Fixture::new(limited());
    assert_eq!(fixture.register(at(0), "oc_reg_test", "oc-1").status, 200);
    assert_eq!(fixture.register(at(10), "oc_reg_test", "oc-1").status, 401);
    let over = fixture.register(ms(10_500), "oc_reg_test", "oc-1");
    assert_error(&over, 429, "Too many requests");
    assert_eq!(over.header("retry-after"), Some("50"), "49.5 s, rounded up");
    assert_eq!(fixture.register(ms(59_999), "oc_reg_test", "oc-1").status, 429);
    assert_eq!(fixture.register(at(60), "oc_reg_test", "oc-1").status, 401);
}

#[test]
fn each_limit_can_be_switched_off() {
    let limits = Limits {
        api: None,
        registration: None,
        ban_after_failures: None,
        ..Limits::default()
    };
    let mut fixture = Fixture::new(CloudConfig { limits, ..config() });
    for _ in 0..100 {
        assert_eq!(fixture.register(at(0), "oc_reg_wrong", "oc-1").status, 401);
    }
}

#[test]
fn a_limit_of_nothing_lets_nothing_in() {
    let limits = Limits {
        registration: Some(RateLimit {
            count: 0,
            window_s: 60,
        }),
        ..Limits::OFF
    };
    let mut fixture = Fixture::new(CloudConfig { limits, ..config() });
    assert_eq!(
        fixture
            .register(at(0), "oc_reg_test", "oc-1")
            .header("retry-after"),
        Some("60")
    );
}

#[test]
fn twenty_failures_ban_an_address_for_24_hours() {
    let (mut fixture, permanent, session) = Fixture::registered(limited());
    fixture
        .cloud
        .revoke_permanent(at(1), "oc-1")
        .expect("it has a token");
    fixture.events();
    // The ban spiral: a revoked token every 5 s.
    for n in 1..=20 {
        assert_error(&fixture.renew(at(5 * n), &permanent), 403, "Token revoked");
    }
    let until = at(100 + 86_400);
    let events = fixture.events();
    assert_eq!(events.last(), Some(&Fact::Banned { peer: PEER, until }));
    let failed = Fact::AuthFailed {
        endpoint: Endpoint::RenewSession,
        peer: PEER,
        device: Some("oc-1".into()),
        token: Some(permanent.clone()),
        refusal: Refusal::Revoked,
        failures: 20,
    };
    assert!(events.contains(&failed));
    let banned = fixture.renew(at(105), &permanent);
    assert_error(&banned, 429, "Too many failed attempts");
    assert_eq!(banned.header("retry-after"), Some("86395"));
    assert_eq!(
        fixture
            .poll(Instant::from_nanos(until.as_nanos() - 1), &session, "")
            .status,
        429
    );
    assert_error(&fixture.renew(until, &permanent), 403, "Token revoked");
}

#[test]
fn a_success_forgives_earlier_failures() {
    let (mut fixture, _, session) = Fixture::registered(limited());
    for n in 0..60 {
        let status = fixture
            .poll(at(n), if n % 20 == 19 { &session } else { "wrong" }, "")
            .status;
        assert_eq!(status, if n % 20 == 19 { 200 } else { 401 }, "request {n}");
    }
    // Not a failed attempt: what is malformed or unknown.
    for n in 100..140 {
        assert_eq!(
            fixture.post(at(n), "/api/device/oc-9/update/", None, "").status,
            404
        );
    }
    assert_eq!(fixture.poll(at(200), &session, "").status, 200);
}

#[test]
fn an_operator_bans_and_unbans() {
    let (mut fixture, _, session) = Fixture::registered(limited());
    fixture.cloud.ban(at(1), PEER, Duration::from_secs(60));
    assert_eq!(
        fixture.poll(at(2), &session, "").header("retry-after"),
        Some("59")
    );
    fixture.cloud.unban(at(3), PEER);
    assert_eq!(fixture.poll(at(4), &session, "").status, 200);
}

#[test]
fn ten_connections_of_an_address_are_let_in() {
    let (mut fixture, _, session) = Fixture::registered(limited());
    for conn in 1..=11 {
        assert_eq!(fixture.cloud.open_connection(at(0), conn, PEER), conn <= 10);
    }
    let poll = |conn, peer, cloud: &mut Cloud| {
        let request = Request::new("GET", "/api/device/oc-1/commands/", peer);
        let request = Request {
            conn,
            ..request.with_header("x-device-token", &session)
        };
        cloud.handle(at(1), &request).status
    };
    assert_eq!(poll(10, PEER, &mut fixture.cloud), 200);
    assert_eq!(poll(11, PEER, &mut fixture.cloud), 429);
    fixture.cloud.open_connection(at(1), 12, OTHER);
    assert_eq!(
        poll(12, OTHER, &mut fixture.cloud),
        200,
        "another address has ten of its own"
    );
    fixture.cloud.close_connection(3);
    fixture.cloud.close_connection(3);
    fixture.cloud.open_connection(at(1), 13, PEER);
    assert_eq!(poll(13, PEER, &mut fixture.cloud), 200, "the place of the third");
    fixture.cloud.open_connection(at(1), 14, PEER);
    assert_eq!(
        poll(14, PEER, &mut fixture.cloud),
        429,
        "which was one place, not two"
    );
}

#[test]
fn many_addresses_do_not_grow_the_memory_for_ever() {
    let mut fixture = Fixture::new(limited());
    for n in 0..20_000u32 {
        let peer = IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + n));
        let reply = fixture
            .cloud
            .handle(ms(u64::from(n)), &Request::new("GET", "/", peer));
        assert_eq!(reply.status, 404);
    }
    let size = format!("{:?}", fixture.cloud).len();
    assert!(size < 2_000_000, "{size} bytes when printed");
}
