//! Every action of the reference once, through the binary, on the healthy firmware: its effect is seen, and the
//! device survives it. Without the fault the effect must not be seen, or the row would prove nothing.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::rig::Rig;

/// How a row's action comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// From the second minute on, for a minute.
    Lasting,
    /// The same, and the device has to associate anew meanwhile.
    Associating,
    /// From the seventh minute on, for a minute in which the device has to connect anew; by then it looks the name of
    /// the server up again.
    Connecting,
    /// For a minute on every poll.
    OnPolls,
    /// Once, in the second minute.
    Once,
    /// Once, in the second minute, and nothing that the device can do brings it back.
    Fatal,
    /// From the second minute on, for an hour.
    ForAnHour,
    /// From before the device's first word on, and it cannot register.
    FatalFromTheStart,
}

use How::{Associating, Connecting, Fatal, FatalFromTheStart, ForAnHour, Lasting, OnPolls, Once};

/// Behind how: the action, and the expectation that holds only if it had its effect.
#[rustfmt::skip]
const ROWS: &[(How, &str, &str)] = &[
    (Lasting, "access-point-gone", r#"serial: { text: "no access point found" }"#),
    (Once, "{ deauthenticate: { reason: 8 } }", r#"serial: { text: "[WIFI] Disconnected, reason 8" }"#),
    (Associating, "{ wrong-password: changed-password }", r#"serial: { regex: "authentication failed|handshake timeout" }"#),
    (Lasting, "{ rssi: -85 }", r#"requests: { endpoint: update, body: "\"rssi\":-85" }"#),
    (Lasting, "{ channel: 11 }", r#"serial: { text: "Disconnected, reason 200" }"#),

    (Lasting, "{ link: { loss: 100%, only: { protocol: ntp } } }", r#"serial: { text: "NTP failed: no answer" }"#),
    (Lasting, "{ link: { latency: 3s } }", r#"serial: { text: "no answer within 5 s" }"#),
    (Lasting, "{ link: { jitter: 20s, direction: to-device } }", r#"serial: { text: "no answer within 5 s" }"#),
    (Lasting, "{ link: { duplicate: 100%, direction: from-device, only: { protocol: ntp } } }", r#"event: { of: { sntp: {} }, after: 2m, within: 1m, count: { min: 6 } }"#),
    (Lasting, "{ link: { corrupt: 100%, only: { protocol: ntp } } }", r#"serial: { text: "NTP failed: no answer" }"#),
    (Lasting, "{ link: { reorder: 100%, reorder-by: 6s, direction: to-device, only: { protocol: ntp } } }", r#"serial: { text: "NTP failed: no answer" }"#),
    (Lasting, "{ link: { bandwidth: 100 } }", r#"serial: { text: "no answer within 5 s" }"#),

    (Associating, "{ dhcp: silent }", r#"serial: { text: "Associated, but no address from DHCP yet" }"#),
    (Associating, "{ dhcp: nak }", r#"event: { of: { dhcp: nak }, count: { min: 1 } }"#),
    (Associating, "{ dhcp: { lease: 20s } }", r#"event: { of: { dhcp: ack }, after: 2m, within: 1m, count: { min: 3 } }"#),
    (Connecting, "{ dns: silent }", r#"serial: { text: "Server name not found, using its last address" }"#),
    (Connecting, "{ dns: nxdomain }", r#"serial: { text: "Server name not found, using its last address" }"#),
    (Connecting, "{ dns: servfail }", r#"serial: { text: "Server name not found, using its last address" }"#),
    (Connecting, "{ dns: { slow: 8s } }", r#"serial: { text: "Server name not found, using its last address" }"#),
    (Connecting, "{ dns: { address: 203.0.113.99 } }", r#"serial: { regex: "no connection within 5 s|connection refused" }"#),
    (Lasting, "captive-portal", r#"serial: { text: "Redirected to " }"#),

    (Connecting, "refuse", r#"serial: { text: "Request failed: connection refused" }"#),
    (Lasting, "blackhole", r#"serial: { text: "no answer within 5 s" }"#),
    (OnPolls, "reset-connection", r#"serial: { text: "Request failed: connection closed" }"#),
    (OnPolls, "{ reset-connection: { after-byte: 40 } }", r#"serial: { text: "Request failed: connection closed" }"#),
    (OnPolls, "{ reset-connection: { after-byte: 40, of: request } }", r#"serial: { text: "Request failed: connection closed" }"#),
    (OnPolls, "close-connection", r#"serial: { text: "Request failed: connection closed" }"#),
    (OnPolls, "half-open", r#"serial: { text: "no answer within 5 s" }"#),
    (OnPolls, "{ truncate: { after-byte: 120 } }", r#"serial: { text: "Request failed: response cut short" }"#),
    (OnPolls, "{ truncate: { after-byte: 60, of: request } }", r#"serial: { text: "Request failed: connection closed" }"#),
    (OnPolls, "{ dribble: { bytes: 1, every: 500ms } }", r#"serial: { text: "no answer within 5 s" }"#),

    (OnPolls, "{ respond: { status: 503, retry-after: 10 } }", r#"serial: { text: "[UPDATE] Waiting 10 s before the next request (Retry-After)" }"#),
    (OnPolls, "{ delay: 8s }", r#"serial: { text: "no answer within 5 s" }"#),
    (OnPolls, "{ wrong-content-length: 10 }", r#"serial: { text: "no answer within 5 s" }"#),
    (OnPolls, "malformed-json", r#"serial: { text: "Malformed reply of " }"#),
    (OnPolls, "{ missing-field: commands }", r#"serial: { text: "Malformed reply of " }"#),
    (OnPolls, "html", r#"serial: { text: "Malformed reply of " }"#),
    (OnPolls, "gzip", r#"serial: { text: "Request failed: compressed body" }"#),
    (OnPolls, "redirect-to-https", r#"serial: { text: "Redirected to https://" }"#),
    (OnPolls, "{ slow-body: { bytes: 1, every: 1s } }", r#"serial: { text: "no answer within 5 s" }"#),
    (OnPolls, "{ raw-reply: \"SSH-2.0-OpenSSH_9.6\\r\\n\" }", r#"serial: { text: "Request failed: bad status line" }"#),
    (OnPolls, "lose-reply", r#"serial: { text: "no answer within 5 s" }"#),

    (Once, "{ command-relay: { relay: 1, on: true } }", r#"serial: { text: "[RELAY] Relay 1 ON" }"#),
    (Fatal, "revoke-permanent-token", r#"serial: { text: "Token already used or expired" }"#),
    (Once, "expire-session", r#"serial: { text: "Server says: Session expired" }"#),
    (Once, "invalidate-session", r#"serial: { text: "Server says: Invalid token" }"#),
    (Once, "renew-session", r#"event: { of: { session: renewed }, after: 2m, within: 10s }"#),
    (Fatal, "delete-device", r#"serial: { text: "HTTP Response: 404" }"#),
    (FatalFromTheStart, "spend-registration-token", r#"serial: { text: "Registration failed: Token already used or expired" }"#),
    (FatalFromTheStart, "regenerate-registration-token", r#"serial: { text: "[REG] Registration failed: " }"#),
    (Fatal, "mac-mismatch", r#"requests: { endpoint: renew-session, status: 401 }"#),
    // Banned for a day and more, it waits as long as it is told.
    (Fatal, "ban", r#"requests: { status: 429 }"#),
    (FatalFromTheStart, "ban", r#"requests: { endpoint: register, status: 429 }"#),
    (Lasting, "{ limits: { requests: 0 } }", r#"requests: { status: 429 }"#),

    (Lasting, "{ server-clock: { offset: 301s } }", r#"serial: { text: "The server rejects our clock" }"#),
    (Fatal, "{ server-clock: { step: 10m } }", r#"serial: { text: "The server rejects our clock" }"#),
    (ForAnHour, "{ server-clock: { drift-ppm: 100000 } }", r#"serial: { text: "The server rejects our clock" }"#),
    (Lasting, "{ ntp-clock: { offset: 301s } }", r#"serial: { text: "NTP differs from our clock by 30" }"#),
    (Lasting, "{ ntp: silent }", r#"serial: { text: "NTP failed: no answer" }"#),
    (Lasting, "{ ntp: { offset: -2h } }", r#"serial: { text: "NTP differs from our clock by 7" }"#),
    (Lasting, "{ ntp: { kiss-of-death: RATE } }", r#"serial: { text: "NTP failed: kiss-o'-death RATE" }"#),
    (Lasting, "{ ntp: { kiss-of-death: DENY } }", r#"serial: { text: "NTP failed: kiss-o'-death DENY" }"#),
    (Lasting, "{ ntp: stratum-16 }", r#"serial: { text: "NTP failed: server is not synchronised" }"#),
    (Lasting, "{ ntp: zero }", r#"serial: { text: "NTP failed: implausible time" }"#),
    (Lasting, "{ ntp: wrong-originate }", r#"serial: { text: "NTP failed: no answer" }"#),

    (Lasting, "power-cut", r##"serial: { text: "# OceanicRemote v5.0 - ESP32", count: 2 }"##),
    (Once, "{ reset: brown-out }", r#"serial: { text: "[BOOT] Reset reason: brown-out" }"#),
    (Lasting, "{ drive-pin: { gpio: 9, level: low } }", r#"serial: { text: "[BUTTON] Pressed" }"#),
];

/// Actions that are not in the table, and where they are.
const ELSEWHERE: &[(&str, &str)] = &[
    ("hidden", "`what_a_healthy_device_does_not_notice`"),
    ("duplicate-reply", "`what_a_healthy_device_does_not_notice`"),
    ("corrupt-flash", "`a_corrupted_token_is_seen_byte_by_byte`"),
    ("tls", "`tests/serve.rs`"),
    ("chunked", "`what_a_healthy_device_does_not_notice`"),
    ("interim", "`what_a_healthy_device_does_not_notice`"),
    ("idle-timeout", "`what_a_healthy_device_does_not_notice`"),
    ("renewal-grace", "`a_lost_renewal_is_no_loss_in_the_grace_time`"),
];

/// What a row needs beside its action.
fn faults(how: How, action: &str) -> String {
    let (at, lasts) = match how {
        Lasting | Associating => ("2m", "1m"),
        Connecting => ("7m", "1m"),
        OnPolls => ("2m", "1m, endpoint: commands"),
        Once | Fatal => ("2m", ""),
        ForAnHour => ("2m", "1h"),
        FatalFromTheStart => ("1ms", ""),
    };
    let lasts = if lasts.is_empty() {
        String::new()
    } else {
        format!(", for: {lasts}")
    };
    format!("  - {{ name: it, when: {at}, do: {action}{lasts} }}\n")
}

/// What makes the effect show, and has none of its own that would be taken for it.
fn beside(how: How) -> &'static str {
    match how {
        Associating => "  - { name: leaves, when: 2m1s, do: { deauthenticate: { reason: 8 } } }\n",
        Connecting => "  - { name: closes, when: 7m, do: close-connection, endpoint: commands, for: 20s }\n",
        _ => "",
    }
}

/// A scenario file of a row: with the fault, which must be seen and survived, or without it.
fn file(&(how, action, seen): &(How, &str, &str), with: bool) -> String {
    let duration = if how == ForAnHour { "2h30m" } else { "16m" };
    let mut text = format!(
        "name: One of many\nversion: 1\nbench: {{ duration: {duration}, seed: 1, strict: true, provisioning: \
         {{ interval: {{ renew: 3m, ntp: 15s }} }} }}\n"
    );
    let fault = if with { faults(how, action) } else { String::new() };
    let plan = fault + beside(how);
    if !plan.is_empty() {
        let _ = write!(text, "faults:\n{plan}");
    }
    let _ = write!(text, "expect:\n  - name: seen\n    {seen}\n");
    if !with {
        return text + "expect-verdict: { fail: seen }\n";
    }
    if !matches!(how, Fatal | FatalFromTheStart) {
        let within = if how == ForAnHour { "1h20m" } else { "5m" };
        let _ = write!(text, "  - name: lives\n    liveness: {{ within: {within} }}\n");
    }
    text + "  - no-serial: { regex: \"panicked|Exception\" }\n"
}

/// The name of an action as it is written.
fn name(action: &str) -> &str {
    action
        .trim_start_matches("{ ")
        .split([':', ' '])
        .next()
        .unwrap_or_default()
}

#[test]
fn every_action_has_its_effect_and_is_survived() {
    let rig = Rig::new();
    for (i, row) in ROWS.iter().enumerate() {
        let label = format!("{i:02}-{}", name(row.1));
        rig.write(&format!("{label}.yaml"), file(row, true).as_bytes());
        rig.write(&format!("{label}-without.yaml"), file(row, false).as_bytes());
    }
    let summary = format!("{} passed, 0 failed", 2 * ROWS.len());
    rig.oceanrig(&["run", "."]).exits(0).prints(&[&summary]);
}

#[test]
fn no_action_of_the_reference_is_left_out() {
    let listed = Rig::new().oceanrig(&["faults"]).exits(0).stdout;
    // An entry begins two columns in; the layers of actions come after the moments.
    let (_, actions) = listed.split_once("radio (`do:`)").expect("the first layer");
    let names: BTreeSet<&str> = actions
        .lines()
        .filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let tested = ROWS.iter().map(|row| name(row.1));
    let tested: BTreeSet<&str> = tested.chain(ELSEWHERE.iter().map(|(name, _)| *name)).collect();
    assert!(names.len() >= 47, "{names:?}");
    assert_eq!(names, tested);
}

/// How often `wanted` says yes to a window of four bytes of the capture.
fn in_capture(fault: &str, wanted: impl Fn(&[u8]) -> bool) -> usize {
    let plan = if fault.is_empty() { "" } else { "faults:\n" };
    let text = format!(
        "name: X\nversion: 1\nbench: {{duration: 4m, provisioning: {{interval: {{ntp: 15s}}}}}}\n{plan}{fault}expect:\n  \
         - liveness: {{within: 1m, after: 3m}}\n"
    );
    let rig = Rig::with(&[("x.yaml", &text)]);
    rig.oceanrig(&["run", "x.yaml", "--out", "out"]).exits(0);
    let capture = std::fs::read(rig.path("out/x/capture.pcapng")).unwrap();
    capture.windows(4).filter(|window| wanted(window)).count()
}

#[test]
fn what_a_healthy_device_does_not_notice() {
    let replies = |w: &[u8]| w == b" 200";
    let doubled = in_capture(
        "  - {name: it, when: 1m, do: duplicate-reply, endpoint: commands, for: 2m}\n",
        replies,
    );
    let usual = in_capture("", replies);
    assert!(
        (usual + 23..=usual + 25).contains(&doubled),
        "24 polls in 2 minutes: {doubled} replies instead of {usual}"
    );
    // Leap indicator 1 or 2 with version 4 and mode 4, stratum 2, and the precision that our server states.
    for (leap, first) in [("insert", 0x64), ("delete", 0xA4)] {
        let packets = |w: &[u8]| (w[0], w[1], w[3]) == (first, 2, 0xEC);
        let fault = format!("  - {{name: it, when: 1m, do: {{ntp: {{leap: {leap}}}}}, for: 1m}}\n");
        assert!((3..=5).contains(&in_capture(&fault, packets)), "{leap}");
        assert_eq!(in_capture("", packets), 0, "{leap}");
    }
    // Interim replies, chunks and trailers are part of HTTP/1.1.
    for (action, bytes) in [
        ("interim: 103", b" 103"),
        ("chunked: {size: 7, trailer: {x-check: sum}}", b"x-ch"),
    ] {
        let fault = format!("  - {{name: it, when: 1m, do: {{{action}}}, endpoint: commands, for: 2m}}\n");
        assert!(in_capture(&fault, |w| w == bytes) >= 23, "{action}");
        assert_eq!(in_capture("", |w| w == bytes), 0, "{action}");
    }
    // A connection that the server has closed in between is opened anew: a TCP header with options, SYN and no ACK.
    let is_syn = |w: &[u8]| w[0] & 0x0F == 0 && (0x60..=0xB0).contains(&w[0]) && w[1] == 0x02;
    let opened = |fault: &str| in_capture(fault, is_syn);
    let patient = opened("");
    let hasty = opened("  - {name: it, when: 1m, do: {idle-timeout: 1s}, for: 2m}\n");
    assert!(hasty >= patient + 20, "{hasty} connections instead of {patient}");
    // It knows the network by name.
    let hidden = "name: X\nversion: 1\nbench: {duration: 3m}\nfaults:\n  - {name: it, when: 1m, do: hidden}\n  \
                  - {name: leaves, when: 1m1s, do: {deauthenticate: {reason: 8}}}\nexpect:\n  \
                  - event: {of: {wifi: associated}, after: {fault: {name: leaves, state: fired}}, within: 20s}\n";
    Rig::with(&[("x.yaml", hidden)])
        .oceanrig(&["run", "x.yaml"])
        .exits(0);
}

#[test]
fn a_lost_renewal_is_no_loss_in_the_grace_time() {
    // The old session is used on when the reply to its renewal is lost; in its grace time that is not refused.
    let text = |grace: &str, count: &str| {
        format!(
            "name: X\nversion: 1\nbench: {{duration: 50m}}\nfaults:\n  - {{name: lost, when: {{request: {{endpoint: renew-session}}}}, do: lose-reply}}\n{grace}expect:\n  \
             - requests: {{status: 401, within: 30s, after: {{fault: {{name: lost, state: fired}}}}, count: {count}}}\n"
        )
    };
    let grace = "  - {name: grace, when: 1m, do: {renewal-grace: 10m}}\n";
    let rig = Rig::with(&[
        ("with.yaml", &text(grace, "0")),
        ("without.yaml", &text("", "{min: 1}")),
        (
            "bench.yaml",
            &text("", "0").replace("duration: 50m", "duration: 50m, cloud: {renewal-grace: 10m}"),
        ),
    ]);
    rig.oceanrig(&["run", "."])
        .exits(0)
        .prints(&["3 passed, 0 failed"]);
}

#[test]
fn a_corrupted_token_is_seen_byte_by_byte() {
    // Magic, length, sequence number, checksum, first and last byte of the token, commit marker.
    for (offset, why) in [
        (0, "no magic"),
        (1, "no magic"),
        (2, "bad checksum"),
        (3, "bad length"),
        (4, "bad checksum"),
        (8, "bad checksum"),
        (12, "bad checksum"),
        (51, "bad checksum"),
        (124, "not committed"),
        (127, "not committed"),
    ] {
        let text = |defects: &str, verdict: &str| {
            format!(
                "name: X\nversion: 1\nbench:\n  duration: 30s\n  device: {{claimed: true}}\n  \
                 provisioning: {{defects: [{defects}]}}\nfaults:\n  \
                 - {{name: bad, when: 10s, do: {{corrupt-flash: {{partition: token, offset: {offset}, bytes: \"2a\"}}}}}}\n  \
                 - {{name: again, when: 11s, do: reset}}\nexpect:\n  \
                 - {{name: seen, serial: {{text: \"[TOKEN] Slot A is damaged ({why}), ignored\", count: 1}}}}\n{verdict}"
            )
        };
        let rig = Rig::with(&[
            ("good.yaml", &text("", "")),
            (
                "blind.yaml",
                &text("ignores-token-checksum", "expect-verdict: {fail: seen}\n"),
            ),
        ]);
        rig.oceanrig(&["run", "."])
            .exits(0)
            .prints(&["2 passed, 0 failed"]);
    }
}

#[test]
fn a_fault_at_an_sntp_poll_strikes_that_poll() {
    let text = |nth: u32| {
        format!(
            "name: X\nversion: 1\nbench: {{duration: 40s, provisioning: {{interval: {{ntp: 15s}}}}}}\nfaults:\n  \
             - {{name: it, when: {{sntp: {{nth: {nth}}}}}, do: {{ntp: silent}}, for: 1s}}\nexpect:\n  \
             - {{serial: {{text: \"NTP failed: no answer\", count: 1}}}}\n  \
             - {{event: {{of: {{sntp: {{}}}}, count: {{min: 3}}}}}}\n"
        )
    };
    let rig = Rig::with(&[("first.yaml", &text(1)), ("second.yaml", &text(2))]);
    rig.oceanrig(&["run", "."])
        .exits(0)
        .prints(&["2 passed, 0 failed"]);
}

#[test]
fn the_rollovers_of_2036_and_2038_pass_unnoticed() {
    // The seconds of NTP start again from 0 at 06:28:16, those of a signed 32-bit clock end at 03:14:07.
    for (start, after) in [
        ("2036-02-07T06:25:00Z", "2036-02-07T06:3"),
        ("2038-01-19T03:11:00Z", "2038-01-19T03:1[5-9]"),
    ] {
        let text = format!(
            "name: X\nversion: 1\nbench: {{duration: 10m, start: \"{start}\", provisioning: {{interval: {{ntp: 1m}}}}}}\n\
             expect:\n  - serial: {{regex: \"Synced by NTP: {after}\", count: {{min: 1}}}}\n  \
             - requests: {{status: 401, count: 0}}\n  - no-serial: {{text: \"NTP failed\"}}\n  - status: {{always: online, after: 30s}}\n"
        );
        Rig::with(&[("x.yaml", &text)])
            .oceanrig(&["run", "x.yaml"])
            .exits(0);
    }
}
