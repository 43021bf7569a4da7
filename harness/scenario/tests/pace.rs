//! What a time scale and a tolerance make of a scenario.

use std::time::Duration;

use scenario::{ExpectationKind, Format, Pace, Scenario, TimeSpan, Trigger};

/// The format with the service of these tests.
const FORMAT: Format = Format::new(&[&oceanremote::SPEC]);

const FILE: &str = "
name: pace
version: 1
bench:
  duration: 3h
  cloud: { permanent-token-lifetime: 90d }
  device: { claimed: true, permanent-token-age: 2159h }
faults:
  - name: drop
    when: 44m
    do: access-point-gone
    for: 30s
  - name: later
    when: { after: { trigger: { serial: up }, delay: 20m } }
    do: { ntp: silent }
    for: 2h
  - name: short
    when: 1h
    do: { ntp: silent }
    for: 4s
expect:
  - liveness: { within: 2m }
  - interval: { from: { serial: a }, to: { serial: b }, min: 44m, max: 46m }
  - no-serial: { text: x, after: 1h, within: 10m }
  - rate: { of: { request: { endpoint: register } }, max: 2, per: 1m }
";

fn secs(s: u64) -> TimeSpan {
    TimeSpan::from_secs(s)
}

fn at(scale: u32, tolerance_s: u64) -> Scenario {
    let pace = Pace {
        scale,
        tolerance: Duration::from_secs(tolerance_s),
    };
    FORMAT.parse("pace.yaml", FILE).unwrap().at_pace(pace).unwrap()
}

#[test]
fn a_scale_divides_the_schedule_on_both_sides() {
    let s = at(60, 5);
    // Three hours, and what the short faults could not be divided by: 10 s less half a second, 4 s less 4 s / 60.
    assert_eq!(
        s.duration(),
        TimeSpan(180_000_000_000 + 9_500_000_000 + 3_933_333_334)
    );
    assert_eq!(s.bench.cloud.session_lifetime.value, secs(60));
    let entries = s.bench.provisioning_entries();
    let value = |key| entries.iter().find(|(k, _)| *k == key).map(|(_, v)| v.as_str());
    assert_eq!(value("interval.renew_ms"), Some("45000"));
    assert_eq!(value("interval.update_ms"), Some("1000"));
    // 5 s / 60 and 1 h / 240 would be less than the firmware takes.
    assert_eq!(value("interval.poll_ms"), Some("100"));
    assert_eq!(value("interval.ntp_ms"), Some("60000"));
    // One hour of the permanent token is left, which becomes a minute.
    assert_eq!(s.bench.device.permanent_token_age, secs(90 * 86_400 - 60));
}

#[test]
fn faults_come_at_their_place_in_the_session_and_stay_long_enough_to_be_noticed() {
    let s = at(60, 5);
    assert_eq!(s.faults[0].when.value, Trigger::Time(secs(44)));
    assert_eq!(s.faults[0].lasts.unwrap().value, secs(10));
    assert!(matches!(&s.faults[1].when.value, Trigger::After(a) if a.delay == secs(20)));
    assert_eq!(s.faults[1].lasts.unwrap().value, secs(120));
    assert_eq!(s.faults[2].lasts.unwrap().value, secs(4));
}

#[test]
fn windows_are_divided_and_get_the_tolerance_where_it_helps_nobody_to_cheat() {
    let s = at(60, 5);
    let kinds: Vec<_> = s.expect.into_iter().map(|e| e.kind).collect();
    assert!(
        matches!(&kinds[0], ExpectationKind::Service(e) if e.args.duration("within") == Some(secs(7).duration()))
    );
    assert!(
        matches!(&kinds[1], ExpectationKind::Interval(e) if e.min.unwrap().value == secs(39)
            && e.max.unwrap().value == secs(51))
    );
    assert!(matches!(&kinds[2], ExpectationKind::NoSerial(e) if e.within.unwrap().value == secs(10)));
    assert!(matches!(&kinds[3], ExpectationKind::Rate(e) if e.per.value == TimeSpan::from_millis(900)));
}

#[test]
fn the_scale_one_changes_windows_only() {
    let s = at(1, 2);
    assert_eq!(s.bench, FORMAT.parse("pace.yaml", FILE).unwrap().bench);
    assert!(
        matches!(&s.expect[0].kind, ExpectationKind::Service(e) if e.args.duration("within") == Some(secs(122).duration()))
    );
}

#[test]
fn a_scale_that_leaves_no_session_is_refused_with_the_most_that_goes() {
    let pace = Pace {
        scale: 200,
        tolerance: Duration::ZERO,
    };
    let error = FORMAT
        .parse("pace.yaml", FILE)
        .unwrap()
        .at_pace(pace)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "a time scale of 200 makes the session of 1h last 18s, which is less than the 20s that a device needs; for \
         this scenario 180 is the most"
    );
}
