//! The three kinds of token: how long each lives, what it may do, and what it is answered after its end.

use http_service::Request;
use oceanremote::*;
use sim::Instant;

use crate::fixture::*;

#[test]
fn a_session_lives_3600_seconds() {
    let (mut fixture, permanent, session) = Fixture::registered(config());
    assert_eq!(
        fixture.poll(Instant::from_millis(3_599_999), &session, "").status,
        200
    );
    assert_error(&fixture.poll(at(3600), &session, ""), 401, "Session expired");
    assert_error(&fixture.update(at(3600), &session), 401, "Session expired");
    assert_error(&fixture.renew(at(3600), &session), 401, "Session expired");
    assert_error(&fixture.state(at(3600), &session), 401, "Session expired");
    let recovery = fixture.renew(at(3601), &permanent);
    assert_eq!(recovery.status, 200);
    assert_eq!(
        fixture.poll(at(7200), &field(&recovery, "session"), "").status,
        200
    );
    assert_eq!(
        fixture.poll(at(7201), &field(&recovery, "session"), "").status,
        401
    );
}

#[test]
fn rotation_ends_the_old_session_at_once() {
    let (mut fixture, _, first) = Fixture::registered(config());
    let second = field(&fixture.renew(at(2700), &first), "session");
    assert_error(&fixture.poll(at(2700), &first, ""), 401, "Session expired");
    // The lost reply: the device tries the old session again.
    assert_error(&fixture.renew(at(2701), &first), 401, "Session expired");
    assert_eq!(fixture.poll(at(2701), &second, "").status, 200);
}

#[test]
fn a_session_that_is_long_over_is_an_unknown_token() {
    let (mut fixture, _, first) = Fixture::registered(config());
    let mut session = first.clone();
    for n in 1..=32 {
        session = field(&fixture.renew(at(n), &session), "session");
    }
    assert_error(&fixture.poll(at(40), &first, ""), 401, "Session expired");
    session = field(&fixture.renew(at(41), &session), "session");
    assert_error(&fixture.poll(at(42), &first, ""), 401, "Invalid token");
    assert_eq!(fixture.poll(at(42), &session, "").status, 200);
}

#[test]
fn a_permanent_token_is_bound_to_its_mac() {
    let (mut fixture, permanent, session) = Fixture::registered(config());
    let other = r#"{"mac_address":"02-00-00-00-00-02"}"#;
    for token in [&permanent, &session] {
        let reply = fixture.post(at(1), "/api/device/oc-1/renew-session/", Some(token), other);
        assert_error(&reply, 401, "MAC mismatch");
    }
    let same = r#"{"mac_address":"020000000001"}"#;
    assert_eq!(
        fixture
            .post(at(2), "/api/device/oc-1/renew-session/", Some(&permanent), same)
            .status,
        200
    );
}

#[test]
fn a_claimed_device_without_mac_is_bound_to_the_first_one() {
    let device = DeviceConfig {
        mac: None,
        ..DeviceConfig::claimed("oc-1", "oc_perm_a", MAC)
    };
    let mut fixture = Fixture::new(CloudConfig {
        devices: vec![device],
        ..config()
    });
    assert_eq!(fixture.renew(at(1), "oc_perm_a").status, 200);
    let other = r#"{"mac_address":"02:00:00:00:00:02"}"#;
    let reply = fixture.post(at(2), "/api/device/oc-1/renew-session/", Some("oc_perm_a"), other);
    assert_error(&reply, 401, "MAC mismatch");
}

#[test]
fn a_token_only_speaks_where_it_belongs() {
    let devices = vec![
        DeviceConfig::pending("oc-1", "oc_reg_test"),
        DeviceConfig::pending("oc-2", "oc_reg_2"),
    ];
    let (mut fixture, permanent, session) = Fixture::registered(CloudConfig { devices, ..config() });
    let other = field(&fixture.register(at(0), "oc_reg_2", "oc-2"), "session");
    for token in ["", "nonsense", "oc_reg_test", &permanent, &other] {
        assert_error(&fixture.poll(at(1), token, ""), 401, "Invalid token");
        assert_error(&fixture.update(at(1), token), 401, "Invalid token");
    }
    assert_error(&fixture.renew(at(1), &other), 401, "Invalid token");
    assert_error(&fixture.state(at(1), "oc_reg_test"), 401, "Invalid token");
    assert_error(
        &fixture.post(at(1), "/api/device/oc-1/update/", None, REPORT),
        401,
        "Invalid token",
    );
    let bare = Request::new("GET", "/api/device/state/", PEER);
    assert_error(&fixture.cloud.handle(at(1), &bare), 401, "Invalid token");
    assert_eq!(fixture.poll(at(1), &session, "").status, 200);
}

#[test]
fn a_registration_token_is_good_once_and_for_24_hours() {
    for (spent, status, error) in [
        (SpentStatus::Unauthorized, 401, "Token already used or expired"),
        (SpentStatus::Gone, 410, "Registration token already used"),
    ] {
        let mut fixture = switched(Switches {
            spent_registration_token: spent,
            ..Switches::default()
        });
        assert_eq!(fixture.register(at(86_399), "oc_reg_test", "oc-1").status, 200);
        assert_error(
            &fixture.register(at(86_399), "oc_reg_test", "oc-1"),
            status,
            error,
        );
        let mut fixture = switched(Switches {
            spent_registration_token: spent,
            ..Switches::default()
        });
        let late = fixture.register(at(86_400), "oc_reg_test", "oc-1");
        assert_error(&late, 401, "Token already used or expired");
    }
}

#[test]
fn a_revoked_token_answers_by_the_switch() {
    for (revoked_token, status) in [
        (RevokedStatus::Unauthorized, 401),
        (RevokedStatus::Forbidden, 403),
    ] {
        let switches = Switches {
            revoked_token,
            ..Switches::default()
        };
        let (mut fixture, permanent, session) = Fixture::registered(CloudConfig { switches, ..config() });
        fixture
            .cloud
            .revoke_permanent(at(1), "oc-1")
            .expect("it has a token");
        assert_error(&fixture.renew(at(2), &permanent), status, "Token revoked");
        assert_error(&fixture.state(at(2), &permanent), status, "Token revoked");
        assert_error(&fixture.poll(at(2), &session, ""), 401, "Session expired");
    }
}

#[test]
fn a_revocation_may_leave_the_session_to_its_end() {
    let switches = Switches {
        revocation: Revocation::LeavesSession,
        ..Switches::default()
    };
    let (mut fixture, _, session) = Fixture::registered(CloudConfig { switches, ..config() });
    fixture
        .cloud
        .revoke_permanent(at(1), "oc-1")
        .expect("it has a token");
    assert_eq!(
        fixture.poll(at(3599), &session, "").status,
        200,
        "works for exactly one hour"
    );
    assert_error(&fixture.renew(at(3599), &session), 403, "Token revoked");
    assert_error(&fixture.poll(at(3600), &session, ""), 401, "Session expired");
}

#[test]
fn a_permanent_token_may_have_a_lifetime() {
    let day = std::time::Duration::from_secs(86_400);
    let device = |days: u32| DeviceConfig {
        permanent_token_age: day * days,
        ..DeviceConfig::claimed("oc-1", "oc_perm_a", MAC)
    };
    for (days, status) in [(89, 200), (90, 403)] {
        let permanent_lifetime = Some(day * 90);
        let mut fixture = Fixture::new(CloudConfig {
            devices: vec![device(days)],
            permanent_lifetime,
            ..config()
        });
        assert_eq!(fixture.renew(at(1), "oc_perm_a").status, status, "{days} days");
    }
    let mut fixture = Fixture::new(CloudConfig {
        devices: vec![device(9000)],
        ..config()
    });
    assert_eq!(
        fixture.renew(at(1), "oc_perm_a").status,
        200,
        "without one it lives until revoked"
    );
}

#[test]
fn permanent_tokens_come_with_or_without_prefix() {
    let switches = Switches {
        permanent_prefix: PermanentPrefix::None,
        ..Switches::default()
    };
    let (_, permanent, _) = Fixture::registered(CloudConfig { switches, ..config() });
    assert_eq!(permanent.len(), 32);
    assert!(permanent.bytes().all(|b| b.is_ascii_hexdigit()));
}
