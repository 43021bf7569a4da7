//! What a person does at the dashboard, the device's status there, and the server's clock.

use std::time::Duration;

use http_service::{Connection, NoFaults, Operated, Operation, OperationError, Origin, Service, Turn};
use oceanremote::*;
use sim::Instant;
use vocabulary::spec::{Arg, Args};

use crate::fixture::*;

fn changed(from: Option<DeviceStatus>, to: DeviceStatus) -> Fact {
    Fact::DeviceStatusChanged {
        device: "oc-1".into(),
        from,
        to,
    }
}

#[test]
fn the_dashboard_follows_the_last_sign_of_life() {
    use DeviceStatus::{Away, Offline, Online};
    let (mut fixture, _, session) = Fixture::registered(config());
    let cloud = &mut fixture.cloud;
    assert_eq!(cloud.status("oc-1", at(9)), Some(Online));
    assert_eq!(cloud.status("oc-1", at(10)), Some(Away));
    assert_eq!(cloud.status("oc-1", at(300)), Some(Away));
    assert_eq!(
        cloud.status("oc-1", Instant::from_nanos(300_000_000_001)),
        Some(Offline)
    );
    assert_eq!(cloud.status("nobody", at(0)), None);
    assert_eq!(cloud.next_status_change("oc-1", at(0)), Some(at(10)));
    assert_eq!(cloud.next_due(at(0)), Some(at(10)));
    cloud.take_journal();

    // Late to the journal, but each change with its moment.
    cloud.advance(at(1000));
    let offline = Instant::from_nanos(300_000_000_001);
    let want = [
        Entry {
            at: at(10),
            fact: changed(Some(Online), Away),
        },
        Entry {
            at: offline,
            fact: changed(Some(Away), Offline),
        },
    ];
    assert_eq!(cloud.take_journal(), want);
    assert_eq!(cloud.next_due(at(1000)), Some(at(3600)), "the end of the session");
    fixture.poll(at(1001), &session, "");
    assert_eq!(fixture.events(), [changed(Some(Offline), Online)]);
}

#[test]
fn an_expiry_is_told_at_its_moment_and_once() {
    let (mut fixture, permanent, session) = Fixture::registered(config());
    fixture.events();
    fixture.poll(at(4000), &session, "");
    let journal = fixture.cloud.take_journal();
    let expired = Fact::SessionExpired {
        device: "oc-1".into(),
        session,
    };
    let told: Vec<&Entry> = journal.iter().filter(|e| e.fact == expired).collect();
    assert_eq!(
        told,
        [&Entry {
            at: at(3600),
            fact: expired.clone()
        }]
    );
    assert!(journal.is_sorted_by_key(|e| e.at));
    fixture.renew(at(4001), &permanent);
    let events = fixture.events();
    assert!(!events.contains(&expired));
    assert!(
        !events
            .iter()
            .any(|e| matches!(e, Fact::SessionInvalidated { .. })),
        "it had ended by itself"
    );
}

#[test]
fn an_expired_and_a_forgotten_session_answer_differently() {
    let (mut fixture, _, session) = Fixture::registered(config());
    fixture.cloud.expire_session(at(1), "oc-1").expect("it has one");
    assert_error(&fixture.poll(at(1), &session, ""), 401, "Session expired");
    assert_eq!(
        fixture.cloud.expire_session(at(1), "oc-1"),
        Err(CloudError::NoSession("oc-1".into()))
    );
    let (mut fixture, _, session) = Fixture::registered(config());
    fixture.events();
    fixture
        .cloud
        .invalidate_session(at(1), "oc-1")
        .expect("it has one");
    let reason = SessionEnd::Forgotten;
    let told = Fact::SessionInvalidated {
        device: "oc-1".into(),
        session: session.clone(),
        reason,
    };
    assert_eq!(fixture.events(), [told]);
    assert_error(&fixture.poll(at(1), &session, ""), 401, "Invalid token");
}

#[test]
fn a_deleted_device_is_not_found() {
    let (mut fixture, permanent, session) = Fixture::registered(config());
    fixture.cloud.delete_device(at(1), "oc-1").expect("it is known");
    assert_error(&fixture.poll(at(2), &session, ""), 404, "Device not found");
    assert_error(&fixture.renew(at(2), &permanent), 404, "Device not found");
    assert_error(&fixture.state(at(2), &permanent), 401, "Invalid token");
    assert_error(
        &fixture.register(at(2), "oc_reg_test", "oc-1"),
        401,
        "Token already used or expired",
    );
    assert_eq!(
        fixture.cloud.delete_device(at(3), "oc-1"),
        Err(CloudError::UnknownDevice("oc-1".into()))
    );
}

#[test]
fn a_new_registration_token_lets_a_device_in_again() {
    let (mut fixture, permanent, session) = Fixture::registered(config());
    let token = fixture
        .cloud
        .regenerate_registration_token(at(1), "oc-1")
        .expect("it is known");
    assert_eq!(fixture.cloud.registration_token("oc-1"), Some(&*token));
    let unused = token;
    let token = fixture
        .cloud
        .regenerate_registration_token(at(2), "oc-1")
        .expect("it is known");
    assert_error(&fixture.register(at(3), &unused, "oc-1"), 401, "Invalid token");
    assert_error(
        &fixture.register(at(3), "oc_reg_test", "oc-1"),
        401,
        "Token already used or expired",
    );
    let reply = fixture.register(at(4), &token, "oc-1");
    assert_eq!(reply.status, 200);
    assert_error(&fixture.renew(at(5), &permanent), 403, "Token revoked");
    assert_error(&fixture.poll(at(5), &session, ""), 401, "Session expired");
    assert_eq!(fixture.poll(at(5), &field(&reply, "session"), "").status, 200);
}

#[test]
fn the_dashboard_extends_or_rotates_a_session() {
    let (mut fixture, _, session) = Fixture::registered(config());
    assert_error(&fixture.poll(at(3600), &session, ""), 401, "Session expired");
    fixture
        .cloud
        .renew_by_dashboard(at(3700), "oc-1")
        .expect("it had a session");
    assert_eq!(
        fixture.poll(at(7299), &session, "").status,
        200,
        "manual renewal works"
    );
    assert_error(&fixture.poll(at(7300), &session, ""), 401, "Session expired");
    fixture
        .cloud
        .renew_by_dashboard(at(7400), "oc-1")
        .expect("it had a session");
    fixture
        .cloud
        .expire_session(at(7401), "oc-1")
        .expect("it has one");
    assert_error(&fixture.poll(at(7402), &session, ""), 401, "Session expired");
    fixture
        .cloud
        .renew_by_dashboard(at(7403), "oc-1")
        .expect("it had a session");
    assert_eq!(fixture.poll(at(7404), &session, "").status, 200);

    let switches = Switches {
        dashboard_renewal: DashboardRenewal::Rotates,
        ..Switches::default()
    };
    let (mut fixture, _, session) = Fixture::registered(CloudConfig { switches, ..config() });
    fixture
        .cloud
        .renew_by_dashboard(at(1), "oc-1")
        .expect("it has a session");
    assert_error(&fixture.poll(at(2), &session, ""), 401, "Session expired");

    let mut fixture = Fixture::new(config());
    assert_eq!(
        fixture.cloud.renew_by_dashboard(at(1), "oc-1"),
        Err(CloudError::NoSession("oc-1".into()))
    );
}

#[test]
fn sessions_live_by_the_server_s_clock() {
    let (mut fixture, _, session) = Fixture::registered(config());
    fixture.events();
    fixture.cloud.step_clock(at(60), 3_600_000_000_000);
    let events = fixture.events();
    assert!(events.contains(&Fact::ClockChanged {
        offset_ns: 3_600_000_000_000
    }));
    assert!(events.contains(&Fact::SessionExpired {
        device: "oc-1".into(),
        session: session.clone()
    }));
    assert_error(&fixture.poll(at(61), &session, ""), 401, "Session expired");
    // Set right again, the session is valid again.
    fixture.cloud.set_skew(at(62), 0);
    assert_eq!(fixture.poll(at(63), &session, "").status, 200);
    assert_eq!(fixture.cloud.next_due(at(400)), Some(at(3600)));
    assert_eq!(fixture.cloud.date(at(63)), "Thu, 01 Jan 2026 00:01:03 GMT");
    fixture.cloud.set_skew(at(64), -5_000_000_000);
    assert_eq!(fixture.cloud.date(at(64)), "Thu, 01 Jan 2026 00:00:59 GMT");
    assert_eq!(
        fixture.cloud.set_drift(at(64), -1_000_000),
        Err(CloudError::InvalidDrift(-1_000_000))
    );
    fixture.cloud.set_drift(at(64), 10_000).expect("a valid drift");
    assert_eq!(fixture.cloud.clock().offset_ns(at(164)), -4_000_000_000);
    // 60 min of a clock that gains 1 % are over early: 64 s + (3600 - 59) s / 1.01.
    fixture.cloud.advance(at(365));
    assert_eq!(
        fixture.cloud.next_due(at(365)),
        Some(Instant::from_nanos(3_569_940_594_060))
    );
}

#[test]
fn the_date_stays_within_what_http_can_say() {
    let early = CloudConfig {
        clock_offset_ns: i64::MIN,
        ..config()
    };
    assert_eq!(
        Fixture::new(early).cloud.date(at(0)),
        "Thu, 01 Jan 1970 00:00:00 GMT"
    );
}

#[test]
fn commands_have_limits() {
    let mut fixture = Fixture::new(config());
    for relay in [0, 17] {
        assert_eq!(
            fixture.cloud.command_relay(at(0), "oc-1", relay, true),
            Err(CloudError::InvalidRelay(relay))
        );
    }
    for n in 1..=256 {
        assert_eq!(fixture.cloud.command_relay(at(0), "oc-1", 16, true), Ok(n));
    }
    let full = fixture.cloud.command_relay(at(0), "oc-1", 16, true);
    assert_eq!(full, Err(CloudError::TooManyCommands("oc-1".into())));
    let nobody = fixture.cloud.command_relay(at(0), "oc-2", 1, true);
    assert_eq!(nobody, Err(CloudError::UnknownDevice("oc-2".into())));
}

#[test]
fn a_replaced_session_stays_good_for_the_grace_time_and_then_expires() {
    let renewal_grace = Duration::from_secs(60);
    let (mut fixture, _, old) = Fixture::registered(CloudConfig {
        renewal_grace,
        ..config()
    });
    fixture.events();
    let new = field(&fixture.renew(at(100), &old), "session");
    assert_eq!(fixture.poll(at(101), &old, "").status, 200, "in the grace time");
    assert_eq!(fixture.poll(at(159), &new, "").status, 200);
    assert_eq!(fixture.poll(at(159), &old, "").status, 200, "its last second");
    assert_error(&fixture.poll(at(160), &old, ""), 401, "Session expired");
    assert_eq!(fixture.poll(at(160), &new, "").status, 200);
    let events = fixture.events();
    let ended: Vec<&Fact> = events
        .iter()
        .filter(|f| matches!(f, Fact::SessionExpired { .. } | Fact::SessionInvalidated { .. }))
        .collect();
    let expired = Fact::SessionExpired {
        device: "oc-1".into(),
        session: old,
    };
    assert_eq!(ended, [&expired], "once, and as an expiry");
    assert_eq!(
        fixture.cloud.next_due(at(161)),
        Some(at(170)),
        "nothing is left of it"
    );
}

#[test]
fn a_revocation_ends_the_grace_time() {
    let renewal_grace = Duration::from_secs(60);
    let (mut fixture, _, old) = Fixture::registered(CloudConfig {
        renewal_grace,
        ..config()
    });
    fixture.renew(at(100), &old);
    fixture
        .cloud
        .revoke_permanent(at(110), "oc-1")
        .expect("it has one");
    assert_error(&fixture.poll(at(111), &old, ""), 401, "Session expired");
}

#[test]
fn without_a_grace_time_a_replaced_session_ends_at_once() {
    let (mut fixture, _, old) = Fixture::registered(config());
    fixture.renew(at(100), &old);
    assert_error(&fixture.poll(at(100), &old, ""), 401, "Session expired");
}

/// Carries out an operation by name.
fn operate(
    cloud: &mut Cloud,
    now: Instant,
    name: &str,
    args: &[(&str, Arg)],
    turn: Turn,
) -> Result<Operated, OperationError> {
    let args = Args(args.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect());
    let operation = Operation {
        name,
        args: &args,
        subject: "oc-1",
        turn,
        lasts: None,
    };
    cloud.operate(now, &operation)
}

#[test]
fn every_operation_of_the_description_is_known() {
    for operation in SPEC.operations {
        let (mut fixture, _, _) = Fixture::registered(config());
        let args = [
            ("relay", Arg::Integer(1)),
            ("on", Arg::Bool(true)),
            ("", Arg::Duration(Duration::from_secs(5))),
        ];
        let done = operate(&mut fixture.cloud, at(1), operation.name, &args, Turn::Begin);
        assert!(done.is_ok(), "{}: {done:?}", operation.name);
    }
    let (mut fixture, _, _) = Fixture::registered(config());
    let unknown = operate(&mut fixture.cloud, at(1), "explode", &[], Turn::Begin);
    assert_eq!(unknown, Err(OperationError::Unknown("explode".to_owned())));
    let lacking = operate(&mut fixture.cloud, at(1), "command-relay", &[], Turn::Begin);
    assert_eq!(
        lacking.map_err(|e| e.to_string()),
        Err("`command-relay` needs the parameter `relay`".to_owned())
    );
}

#[test]
fn a_ban_without_a_length_lasts_as_long_as_the_contract_says() {
    let (mut fixture, _, session) = Fixture::registered(config());
    operate(&mut fixture.cloud, at(1), "ban", &[], Turn::Begin).expect("it is known");
    let banned = fixture.poll(at(2), &session, "");
    assert_eq!(banned.header("retry-after"), Some("86399"));
    assert_eq!(
        fixture.poll(at(86_401), &session, "").status,
        401,
        "the session is over, the ban is, too"
    );
    operate(&mut fixture.cloud, at(86_402), "ban", &[], Turn::Begin).expect("it is known");
    operate(&mut fixture.cloud, at(86_403), "ban", &[], Turn::End).expect("it is known");
    assert_eq!(fixture.poll(at(86_404), &session, "").status, 401);
}

#[test]
fn an_idle_connection_is_closed_as_soon_as_the_operation_says() {
    let cloud = Cloud::new(config()).expect("a valid configuration");
    let origin = Origin::shared(cloud, NoFaults);
    let mut conn = Connection::new(&origin, at(0), 1, PEER, false);
    let idle = |turn| {
        let mut origin = origin.borrow_mut();
        let args = [("", Arg::Duration(Duration::from_secs(5)))];
        operate(origin.get_mut::<Cloud>(), at(0), "idle-timeout", &args, turn).expect("it is known");
    };
    assert_eq!(conn.next_due(), Some(at(75)));
    idle(Turn::Begin);
    assert_eq!(conn.next_due(), Some(at(5)));
    conn.receive(at(4), http_register().as_bytes());
    conn.poll(at(4));
    assert!(conn.take_output().starts_with(b"HTTP/1.1 200"));
    assert_eq!(conn.next_due(), Some(at(9)), "patience starts anew");
    idle(Turn::End);
    assert_eq!(conn.next_due(), Some(at(79)));
    idle(Turn::Begin);
    conn.poll(at(9));
    assert!(conn.is_closed());
}

/// Each fact of the cloud is one of the description, with its fields.
#[test]
fn facts_are_as_described() {
    let (mut fixture, _, session) = Fixture::registered(CloudConfig {
        limits: Limits::default(),
        ..config()
    });
    let cloud = &mut fixture.cloud;
    cloud.command_relay(at(1), "oc-1", 1, true).expect("a relay");
    fixture.poll(at(2), &session, "");
    fixture.poll(at(3), &session, "?ack=1");
    let cloud = &mut fixture.cloud;
    cloud
        .regenerate_registration_token(at(4), "oc-1")
        .expect("a device");
    cloud.spend_registration(at(4), "oc-1").expect("a device");
    cloud.expire_session(at(5), "oc-1").expect("a session");
    cloud.revoke_permanent(at(6), "oc-1").expect("a token");
    cloud.ban(at(7), PEER, BAN);
    cloud.unban(at(8), PEER);
    cloud.delete_device(at(9), "oc-1").expect("a device");
    for n in 0..21 {
        fixture.poll(at(10), &n.to_string(), "");
    }
    let facts = fixture.cloud.take_facts();
    let mut names = std::collections::BTreeSet::new();
    for (_, fact) in &facts {
        let spec = SPEC.facts.iter().find(|spec| spec.name == fact.name);
        let spec = spec.unwrap_or_else(|| panic!("{fact} is not described"));
        for field in spec.fields.iter().filter(|field| field.required) {
            assert!(
                fact.fields.contains_key(field.name),
                "{fact} lacks {}",
                field.name
            );
        }
        names.insert(spec.name);
    }
    assert_eq!(names.len(), SPEC.facts.len(), "{names:?}");
}
