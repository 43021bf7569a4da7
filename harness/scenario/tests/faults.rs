//! Fault plans that are right, and what is said about those that are not.

use scenario::{Action, Format, RequestAction, Scenario};

/// The format with the service of these tests.
const FORMAT: Format = Format::new(&[&oceanremote::SPEC]);

fn plan(faults: &str) -> Result<Scenario, String> {
    let text =
        format!("name: a\nversion: 1\nbench: {{duration: 1h}}\nexpect: [{{serial: x}}]\nfaults:\n{faults}");
    FORMAT.parse("f", &text).map_err(|e| e.to_string())
}

#[test]
fn actions_read_in_short_and_in_long() {
    for (short, long) in [
        ("refuse", "{refuse: {}}"),
        ("reset", "{reset: {cause: pin}}"),
        ("{reset: brown-out}", "{reset: {cause: brown-out}}"),
        ("power-cut", "{power-cut: {}}"),
        ("{respond: 503}", "{respond: {status: 503}}"),
        (
            "{respond: {status: 429, retry-after: -5}}",
            "{respond: {status: 429, retry-after: {text: '-5'}}}",
        ),
        ("lose-reply", "{lose-reply: {then: silence}}"),
        ("{server-clock: {offset: 301s}}", "{server-clock: {offset: 5m1s}}"),
    ] {
        let read = |action: &str| {
            let fault = format!("  - {{name: f, when: {{request: {{endpoint: update}}}}, do: {action}}}\n");
            let action = plan(&fault)
                .unwrap_or_else(|e| panic!("{action}: {e}"))
                .faults
                .remove(0)
                .action
                .value;
            // Places differ, what is said does not.
            let text = format!("{action:?}");
            text.split("span: Span")
                .map(|part| part.split_once('}').map_or(part, |(_, rest)| rest).to_owned())
                .collect::<String>()
        };
        assert_eq!(read(short), read(long), "{short}");
    }
}

#[test]
fn a_lasting_fault_may_follow_another() {
    let followed = "  - {name: a, when: 1m, do: {dns: silent}, for: 1m}\n  - {name: b, when: 2m, do: {dns: {slow: 8s}}, for: 1m}\n";
    assert_eq!(plan(followed).unwrap().faults.len(), 2);
    let different = "  - {name: a, when: 1m, do: {dns: silent}, for: 5m}\n  - {name: b, when: 2m, do: {rssi: -80}, for: 1m}\n";
    assert!(plan(different).is_ok());
    let endpoints = "  - {name: a, when: 1m, do: {respond: 503}, endpoint: update, for: 5m}\n  - {name: b, when: 2m, do: {respond: 500}, endpoint: commands, for: 1m}\n";
    assert!(matches!(
        plan(endpoints).unwrap().faults[0].action.value,
        Action::Request(RequestAction::Respond(_))
    ));
}

#[test]
fn what_cannot_be_is_refused_with_its_place() {
    let one = |fault: &str| format!("  - {{name: f, {fault}}}\n");
    let two = |a: &str, b: &str| format!("  - {{name: a, {a}}}\n  - {{name: b, {b}}}\n");
    let by = |request: &str, action: &str| one(&format!("when: {{request: {{{request}}}}}, do: {action}"));
    let mut wrong = Vec::new();
    for (faults, message) in [
        // Names.
        (by("endpoint: renewal", "reset"), "6:42: `renewal` is no endpoint"),
        (
            one("when: 1m, do: acess-point-gone"),
            "6:29: `acess-point-gone` is not known here (did you mean `access-point-gone`?",
        ),
        (
            one("when: 1m, do: deauthenticate"),
            "6:29: `deauthenticate` needs a value; `oceanrig faults deauthenticate` shows an example",
        ),
        (
            one("when: 1m, do: {dns: silnt}, for: 1m"),
            "6:35: `silnt` is not known here (did you mean `silent`?",
        ),
        (
            one("when: 1m, do: {link: {loss: 5%, only: {host: cloud.test}}}"),
            "6:60: no host of the bench is called `cloud.test`",
        ),
        // Moments that never come.
        (
            one("when: 2h, do: reset"),
            "6:21: a moment at 2h is after the end of the run at 1h",
        ),
        (
            one("when: {after: {trigger: 50m, delay: 20m}}, do: reset"),
            "6:21: a moment at 1h10m is after the end of the run at 1h",
        ),
        (
            by("endpoint: update, nth: 0", "reset"),
            "6:21: the 0th never comes: occurrences count from 1",
        ),
        (
            by("status: 200", "reset"),
            "6:21: it can never come: in a fault, a request is meant before its effect, when no status is known (add `at: after-effect`)",
        ),
        (
            by("status: 200, at: before-effect", "reset"),
            "6:21: it can never come: the status is not known so early",
        ),
        (
            by("at: after-reply", "malformed-json"),
            "6:21: `malformed-json` comes too late: the reply has left (use `at: after-effect`)",
        ),
        (
            by("at: after-effect", "redirect-to-https"),
            "6:21: `redirect-to-https` comes too late: the request has taken effect",
        ),
        (
            two(
                "when: {fault: {name: b, state: ended}}, do: reset",
                "when: {fault: {name: a, state: fired}}, do: reset",
            ),
            "6:21: the fault can never fire: it waits for `b`, and so for itself",
        ),
        (
            two(
                "when: 1m, do: access-point-gone",
                "when: {fault: {name: a, state: ended}}, do: reset",
            ),
            "7:36: it can never come: `a` lasts to the end of the run (add `for` to `a`)",
        ),
        // Lengths.
        (
            one("when: 1m, do: half-open"),
            "how long requests are struck is missing: `half-open` is not triggered by one (add `for: 5m`, or let it be triggered by a `request`)",
        ),
        (
            one("when: 1m, do: {dns: silent}, repeat: {interval: 5m}"),
            "`dns` cannot begin again: it lasts to the end of the run (add `for: 30s`)",
        ),
        (
            one("when: 1m, do: {dns: silent}, for: 5m, repeat: {interval: 5m}"),
            "6:49: it begins again after 5m, while it still lasts 5m",
        ),
        (
            one("when: 1m, do: renew-session, for: 1m"),
            "6:49: `renew-session` happens once; it has no length (remove `for`)",
        ),
        (
            one("when: 1m, do: {server-clock: {step: 1m}}, for: 1m"),
            "6:62: `server-clock` happens once",
        ),
        (
            one("when: 1m, do: reset, endpoint: update"),
            "`reset` does not strike requests (remove `endpoint`)",
        ),
        // Contradictions.
        (
            two(
                "when: 1m, do: {dns: silent}, for: 5m",
                "when: 2m, do: captive-portal, for: 1m",
            ),
            "7:29: `b` contradicts `a`: both set what DNS answers at the same time",
        ),
        (
            two("when: 1m, do: {rssi: -80}", "when: 30m, do: {rssi: -60}, for: 1m"),
            "7:30: `b` contradicts `a`: both set the signal strength at the same time",
        ),
        (
            two(
                "when: {request: {endpoint: update}}, do: {respond: 500}",
                "when: {request: {endpoint: update, nth: 1}}, do: html",
            ),
            "`b` contradicts `a`: both set the reply at the same time",
        ),
        // Values.
        (
            one("when: 1m, do: {link: {only: {port: 80}}}, for: 1m"),
            "6:29: the link is as good as before",
        ),
        (
            one("when: 1m, do: {link: {bandwidth: 0}}, for: 1m"),
            "a link without bandwidth is no link",
        ),
        (
            one("when: 1m, do: {ntp: {kiss-of-death: rate}}, for: 1m"),
            "6:51: `rate` is no kiss code",
        ),
        (
            one("when: 1m, do: {corrupt-flash: {partition: token, offset: 0, bytes: 0g}}"),
            "6:82: `0g` is not a sequence of bytes",
        ),
        (
            one("when: 1m, do: {dhcp: {lease: 1500ms}}, for: 1m"),
            "6:44: a DHCP lease has whole seconds",
        ),
        (
            by("endpoint: update", "{respond: 99}"),
            "99 is no final HTTP status (200 to 599)",
        ),
        (
            by(
                "endpoint: update",
                "{respond: {status: 503, headers: {content-length: '3'}}}",
            ),
            "`content-length` is set by the server (use `wrong-content-length` or `raw-reply`)",
        ),
        (
            one("when: 1m, do: {wrong-password: salt-water}, for: 1m"),
            "6:46: this is the right password",
        ),
        (
            one("when: 1m, do: {channel: 15}"),
            "6:39: channel 15 is not from 1 to 14",
        ),
        (
            one("when: 1m, do: {reset: usb}"),
            "this cause of a reset cannot come from outside",
        ),
    ] {
        match plan(&faults) {
            Ok(_) => wrong.push(format!("not refused: {faults}")),
            Err(error) if error.contains(message) => {}
            Err(error) => wrong.push(format!("{faults}  found:  {error}\n  wanted: {message}\n")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
