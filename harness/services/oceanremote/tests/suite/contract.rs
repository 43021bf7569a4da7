//! Every endpoint and every row of the contract's table of errors, by literal value.

use http_service::Request;
use oceanremote::*;
use sim::Instant;

use crate::fixture::*;

#[test]
fn register_answers_as_the_contract_says() {
    let (mut fixture, permanent, session) = Fixture::registered(config());
    assert_eq!((permanent.len(), &permanent[..8]), (40, "oc_perm_"));
    assert_eq!(session.len(), 32);
    for token in [&permanent[8..], &session] {
        assert!(
            token
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)),
            "{token}"
        );
    }
    let device = fixture.cloud.device("oc-1").expect("it is known");
    assert_eq!((device.claimed, device.mac), (true, Some(MAC)));
    assert_eq!(device.telemetry.ip.as_deref(), Some("192.168.4.2"));
    let events = fixture.events();
    assert_eq!(
        events[0],
        Fact::RegistrationSpent {
            device: "oc-1".into(),
            token: "oc_reg_test".into()
        }
    );
    assert_eq!(
        events[1],
        Fact::DeviceClaimed {
            device: "oc-1".into()
        }
    );
    assert_eq!(
        events[2],
        Fact::PermanentIssued {
            device: "oc-1".into(),
            token: permanent
        }
    );
    let origin = SessionOrigin::Registration;
    assert_eq!(
        events[3],
        Fact::SessionIssued {
            device: "oc-1".into(),
            session,
            origin
        }
    );
}

#[test]
fn register_replies_word_for_word() {
    let mut fixture = Fixture::new(config());
    let reply = fixture.register(Instant::from_millis(90_999), "oc_reg_test", "oc-1");
    let (permanent, session) = (field(&reply, "permanent_token"), field(&reply, "session"));
    assert_eq!(
        text(&reply),
        format!(
            r#"{{"success":true,"device_id":"oc-1","permanent_token":"{permanent}","session":"{session}","expires_in":3600,"server_time":1767225690}}"#
        )
    );
}

#[test]
fn update_poll_renew_and_state_answer_word_for_word() {
    let (mut fixture, permanent, session) = Fixture::registered(config());
    assert_eq!(
        text(&fixture.update(at(5), &session)),
        r#"{"success":true,"server_time":1767225605}"#
    );
    assert_eq!(
        text(&fixture.poll(at(6), &session, "")),
        r#"{"success":true,"commands":[],"server_time":1767225606}"#
    );
    let renewal = fixture.renew(at(2700), &session);
    let second = field(&renewal, "session");
    assert_ne!(second, session);
    assert_eq!(
        text(&renewal),
        format!(r#"{{"success":true,"session":"{second}","expires_in":3600,"server_time":1767228300}}"#)
    );
    for token in [&permanent, &second] {
        assert_eq!(
            text(&fixture.state(at(2701), token)),
            r#"{"success":true,"relay1":true,"relay2":false,"temperature":22.4,"humidity":null}"#
        );
    }
}

#[test]
fn state_shows_what_was_reported_last() {
    let (mut fixture, _, session) = Fixture::registered(config());
    assert_eq!(
        text(&fixture.state(at(1), &session)),
        r#"{"success":true,"relay1":false,"relay2":false,"temperature":null,"humidity":null}"#
    );
    let report = r#"{"temperature":23.5,"humidity":62.0,"rssi":-60,"relays":[false,true,true]}"#;
    fixture.post(at(2), "/api/device/oc-1/update/", Some(&session), report);
    let want =
        r#"{"success":true,"relay1":false,"relay2":true,"relay3":true,"temperature":23.5,"humidity":62.0}"#;
    assert_eq!(text(&fixture.state(at(3), &session)), want);
    // A report without humidity keeps the last one.
    fixture.update(at(4), &session);
    assert!(text(&fixture.state(at(5), &session)).contains(r#""humidity":62.0"#));
    assert_eq!(
        fixture.cloud.device("oc-1").expect("it is known").telemetry.rssi,
        Some(-52)
    );
}

#[test]
fn commands_come_with_each_poll_until_acknowledged() {
    let (mut fixture, _, session) = Fixture::registered(config());
    assert_eq!(fixture.cloud.command_relay(at(1), "oc-1", 1, true), Ok(1));
    assert_eq!(fixture.cloud.command_relay(at(1), "oc-1", 2, false), Ok(2));
    let both = r#"{"success":true,"commands":[{"id":1,"relay":1,"on":true},{"id":2,"relay":2,"on":false}],"server_time":1767225602}"#;
    // An acknowledgement of what no poll has carried yet loses nothing.
    assert_eq!(text(&fixture.poll(at(2), &session, "?ack=99")), both);
    assert_eq!(text(&fixture.poll(at(2), &session, "")), both);
    fixture.events();
    let rest = r#"{"success":true,"commands":[{"id":2,"relay":2,"on":false}],"server_time":1767225603}"#;
    assert_eq!(text(&fixture.poll(at(3), &session, "?ack=1")), rest);
    assert_eq!(
        fixture.events(),
        [Fact::CommandAcknowledged {
            device: "oc-1".into(),
            id: 1
        }]
    );
    let none = r#"{"success":true,"commands":[],"server_time":1767225604}"#;
    assert_eq!(text(&fixture.poll(at(4), &session, "?ack=2")), none);
    assert_eq!(
        fixture.cloud.command_relay(at(5), "oc-1", 1, false),
        Ok(3),
        "ids go on"
    );
}

#[test]
fn head_has_no_effect() {
    let (mut fixture, _, session) = Fixture::registered(config());
    fixture
        .cloud
        .command_relay(at(1), "oc-1", 1, true)
        .expect("a known device");
    fixture.poll(at(2), &session, "");
    let head = Request::new("HEAD", "/api/device/oc-1/commands/?ack=1", PEER);
    assert_eq!(
        fixture
            .cloud
            .handle(at(100), &head.with_header("x-device-token", &session))
            .status,
        200
    );
    assert_eq!(
        fixture.cloud.device("oc-1").expect("it is known").commands.len(),
        1
    );
    assert_eq!(
        fixture.cloud.status("oc-1", at(100)),
        Some(DeviceStatus::Away),
        "not a sign of life"
    );
}

#[test]
fn clocks_may_differ_by_300_seconds() {
    let (mut fixture, permanent, session) = Fixture::registered(config());
    let now = at(1000);
    let mut with_time = |method: &str, path: &str, token: &str, skew_s: i64| {
        let device_time = (EPOCH_S + 1000 + skew_s).to_string();
        let request = Request::new(method, path, PEER)
            .with_header("X-Device-Token", token)
            .with_header("X-Device-Time", &device_time)
            .with_body(RENEWAL);
        fixture.cloud.handle(now, &request)
    };
    for skew_s in [-300, -299, 0, 299, 300] {
        assert_eq!(
            with_time("GET", "/api/device/oc-1/commands/", &session, skew_s).status,
            200,
            "{skew_s}"
        );
    }
    for skew_s in [-301, 301, -1_767_226_600] {
        let poll = with_time("GET", "/api/device/oc-1/commands/", &session, skew_s);
        assert_error(&poll, 401, "Clock skew too large");
        let renewal = with_time("POST", "/api/device/oc-1/renew-session/", &permanent, skew_s);
        assert_error(&renewal, 401, "Clock skew too large");
    }
    let mut fixture = Fixture::new(config());
    let mut register = |skew_s: i64| {
        let body = registration("oc_reg_test", "oc-1", "02:00:00:00:00:01");
        let request = Request::new("POST", "/api/device/register/", PEER).with_body(body);
        fixture.cloud.handle(
            now,
            &request.with_header("x-device-time", &(EPOCH_S + 1000 + skew_s).to_string()),
        )
    };
    assert_error(&register(301), 401, "Clock skew too large");
    assert_eq!(register(299).status, 200, "the failure did not spend the token");
}

#[test]
fn unknown_devices_are_404_or_created_by_the_switch() {
    let mut fixture = Fixture::new(config());
    assert_error(
        &fixture.register(at(0), "oc_reg_new", "oc-9"),
        404,
        "Device not found",
    );
    for path in ["renew-session", "update"] {
        let reply = fixture.post(at(0), &format!("/api/device/oc-9/{path}/"), Some("x"), RENEWAL);
        assert_error(&reply, 404, "Device not found");
    }
    let poll = Request::new("GET", "/api/device/oc-9/commands/", PEER);
    assert_error(&fixture.cloud.handle(at(0), &poll), 404, "Device not found");
    assert_error(
        &fixture.register(at(0), "oc_reg_new", "oc-1"),
        401,
        "Invalid token",
    );

    let mut fixture = switched(Switches {
        registration: Registration::Open,
        ..Switches::default()
    });
    assert_error(
        &fixture.register(at(0), "something", "oc-9"),
        401,
        "Invalid token",
    );
    assert_eq!(fixture.register(at(0), "oc_reg_new", "oc-9").status, 200);
    assert_error(
        &fixture.register(at(0), "oc_reg_new", "oc-9"),
        401,
        "Token already used or expired",
    );
    assert_error(
        &fixture.register(at(0), "oc_reg_new", "oc-8"),
        401,
        "Token already used or expired",
    );
    assert_error(
        &fixture.register(at(0), "oc_reg_wrong", "oc-1"),
        401,
        "Invalid token",
    );
}

#[test]
fn malformed_requests_say_what_is_wrong() {
    let (mut fixture, _, session) = Fixture::registered(config());
    let register =
        |fixture: &mut Fixture, body: &str| fixture.post(at(1), "/api/device/register/", None, body);
    assert_error(
        &register(&mut fixture, ""),
        400,
        "EOF while parsing a value at line 1 column 0",
    );
    assert_error(
        &register(&mut fixture, "{}"),
        400,
        "missing field `token` at line 1 column 2",
    );
    let body = registration("t", "oc 1", "02:00:00:00:00:01");
    assert_error(
        &register(&mut fixture, &body),
        400,
        "device_id is not 1 to 32 of A-Z a-z 0-9 _ -",
    );
    let body = registration("t", "oc-1", "02:00:00:00:00");
    assert_error(
        &register(&mut fixture, &body),
        400,
        "mac_address is not a MAC address",
    );
    let body = registration("t", "oc-1", "02:00:00:00:00:01").replace("192.168.4.2", "here");
    assert_error(&register(&mut fixture, &body), 400, "ip is not an IP address");
    let renewal = fixture.post(at(1), "/api/device/oc-1/renew-session/", Some(&session), "{}");
    assert_error(&renewal, 400, "missing field `mac_address` at line 1 column 2");
    let update = |fixture: &mut Fixture, body: &str| {
        fixture
            .post(at(1), "/api/device/oc-1/update/", Some(&session), body)
            .status
    };
    assert_eq!(
        update(&mut fixture, r#"{"temperature":"warm","rssi":-1,"relays":[]}"#),
        400
    );
    assert_eq!(
        update(&mut fixture, r#"{"temperature":1e999,"rssi":-1,"relays":[]}"#),
        400
    );
    assert_eq!(
        update(&mut fixture, r#"{"temperature":1,"rssi":-1.5,"relays":[]}"#),
        400
    );
    let relays = vec!["true"; 17].join(",");
    assert_eq!(
        update(
            &mut fixture,
            &format!(r#"{{"temperature":1,"rssi":-1,"relays":[{relays}]}}"#)
        ),
        400
    );
    assert_eq!(
        update(
            &mut fixture,
            r#"{"temperature":1,"rssi":-1,"relays":[],"new":{}}"#
        ),
        200
    );
    assert_error(
        &fixture.poll(at(1), &session, "?ack=-1"),
        400,
        "ack is not a number",
    );
    let request = Request::new("GET", "/api/device/oc-1/commands/", PEER)
        .with_header("x-device-token", &session)
        .with_header("x-device-time", "noon");
    assert_error(
        &fixture.cloud.handle(at(1), &request),
        400,
        "X-Device-Time is not a number",
    );
}

#[test]
fn other_paths_and_methods_are_refused() {
    let mut fixture = Fixture::new(config());
    for path in [
        "/",
        "/api/device/register",
        "/api/device/oc-1/",
        "/API/device/register/",
    ] {
        assert_error(&fixture.post(at(0), path, None, ""), 404, "Not found");
    }
    for (method, path, allow) in [
        ("GET", "/api/device/register/", "POST"),
        ("PUT", "/api/device/oc-1/update/", "POST"),
        ("OPTIONS", "/api/device/oc-1/renew-session/", "POST"),
        ("POST", "/api/device/oc-1/commands/", "GET, HEAD"),
        ("DELETE", "/api/device/state/", "GET, HEAD"),
    ] {
        let reply = fixture.cloud.handle(at(0), &Request::new(method, path, PEER));
        assert_error(&reply, 405, "Method not allowed");
        assert_eq!(reply.header("allow"), Some(allow));
    }
}

#[test]
fn plain_http_is_served_or_redirected() {
    let switches = Switches {
        plain_http: PlainHttp::Redirected,
        ..Switches::default()
    };
    let (mut fixture, _) = (switched(switches), ());
    let request = Request::new("GET", "/api/device/state/?token=x", PEER);
    let reply = fixture.cloud.handle(at(0), &request);
    assert_eq!(reply.status, 301);
    assert_eq!(
        reply.header("location"),
        Some("https://cloud.oceanremote.test/api/device/state/?token=x")
    );
    let reply = fixture.cloud.handle(
        at(0),
        &Request {
            secure: true,
            ..request
        },
    );
    assert_error(&reply, 401, "Invalid token");
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let life = |seed| {
        let (mut fixture, permanent, session) = Fixture::registered(CloudConfig { seed, ..config() });
        let renewed = fixture.renew(at(2700), &session);
        (permanent, session, renewed, fixture.cloud.take_journal())
    };
    assert_eq!(life(7), life(7));
    assert_ne!(life(7).1, life(8).1);
}

#[test]
fn configurations_that_cannot_be_are_refused() {
    let with = |devices: Vec<DeviceConfig>| Cloud::new(CloudConfig { devices, ..config() }).err();
    let a = DeviceConfig::pending("a", "oc_reg_a");
    assert_eq!(
        with(vec![a.clone(), a.clone()]),
        Some(CloudError::DuplicateDevice("a".into()))
    );
    let b = DeviceConfig::pending("b", "oc_reg_a");
    assert_eq!(
        with(vec![a.clone(), b]),
        Some(CloudError::DuplicateToken("oc_reg_a".into()))
    );
    assert_eq!(
        with(vec![DeviceConfig::pending("a b", "x")]),
        Some(CloudError::InvalidDeviceId("a b".into()))
    );
    assert_eq!(
        with(vec![DeviceConfig::pending("a", "x\ny")]),
        Some(CloudError::InvalidToken("x\ny".into()))
    );
    assert_eq!(with(vec![a]), None);
    let drawn = DeviceConfig {
        id: "a".into(),
        ..DeviceConfig::default()
    };
    let cloud = Cloud::new(CloudConfig {
        devices: vec![drawn],
        ..config()
    })
    .expect("a valid configuration");
    let token = cloud.registration_token("a").expect("one was drawn");
    assert_eq!((token.len(), &token[..7]), (31, "oc_reg_"));
}

#[test]
fn switches_read_as_they_are_documented() {
    let text = r#"{"spent-registration-token":"gone","revoked-token":"unauthorized","permanent-prefix":"none",
        "plain-http":"redirected","registration":"open","revocation":"leaves-session","dashboard-renewal":"rotates"}"#;
    let switches: Switches = serde_json::from_str(text).expect("all names are known");
    let want = Switches {
        spent_registration_token: SpentStatus::Gone,
        revoked_token: RevokedStatus::Unauthorized,
        permanent_prefix: PermanentPrefix::None,
        plain_http: PlainHttp::Redirected,
        registration: Registration::Open,
        revocation: Revocation::LeavesSession,
        dashboard_renewal: DashboardRenewal::Rotates,
    };
    assert_eq!(switches, want);
    assert_eq!(
        serde_json::from_str::<Switches>("{}").expect("all have defaults"),
        Switches::default()
    );
    assert!(serde_json::from_str::<Switches>(r#"{"revoked":"gone"}"#).is_err());
    let limits: Limits = serde_json::from_str(r#"{"api":null,"registration":{"count":1,"window-s":9}}"#)
        .expect("limits can be switched off");
    assert_eq!(
        (limits.api, limits.registration),
        (
            None,
            Some(RateLimit {
                count: 1,
                window_s: 9
            })
        )
    );
}
