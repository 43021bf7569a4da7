//! Files that people write: what is read, and what is said about mistakes.

use scenario::{ExpectVerdict, ExpectationKind, Scenario, StepKind, Trigger};

#[test]
fn debug() {
    for text in [
        "name: a\nversion: 1\nexpct: []\n",
        "name: a\nversion: 1\nbench:\n  netwrk: {}\nexpect: []\n",
        "name: a\nversion: 1\nbench:\n  duration: 3x\n  network:\n    channel: abc\nexpect: []\n",
        "name: a\nversion: 1\nexpect:\n  - serial: {txt: b}\n",
        "name: a\nversion: 1\nexpect:\n  - serial: hello\n  - serial: {text: b, count: 4, after: 20m}\n  - requests: {endpoint: renew-sesion}\n",
        "name: a\nversion: 1\nexpect:\n  - serial: {text: b, after: {wifi: {state: lst}}}\n",
        "name: a\nversion: 1\nfaults:\n  - name: x\n    when: {request: {endpoint: renew-session}}\n    do: acess-point-gone\nexpect: [{serial: x}]\n",
        "name: a\nversion: 1\nfaults:\n  - name: x\n    when: {wifi: lst}\n    do: access-point-gone\nexpect: [{serial: x}]\n",
        "name: a\nname: b\nversion: 1\n",
        "name: a\nversion: 1\nsteps:\n  - delay: 500\n",
        "name: a\nversion: 1\nsteps:\n  - delay: 500ms\n    name: foo\n  - take-screenshot: {part-id: lcd}\n  - expect-pin: {part-id: esp, pin: D4, value: 1}\n  - wait-serial: 'x'\n  - set-control: {part-id: btn1, control: pressed, value: 1}\n",
        "name: a\nversion: 1\nexpect:\n  - no-serial: {regex: 'a(b|'}\n",
        "name: a\nversion: 1\nexpect: [\n",
        "name: a\nversion: 1\nbench: {duration: 10s}\nexpect:\n  - pin: {gpio: 22, level: high, at: 20m}\n  - pin: {gpio: 4, always: high, never: low}\n",
        "name: a\nversion: 1\nmatrix:\n  skew: [-301s, 301s]\nbench: {cloud: {clock-offset: ${skew}}}\nexpect:\n  - serial: '${skew}'\n    name: 12345\n  - serial: {text: x, count: {min: 4, max: 3}}\n",
        "version: 1\n",
        "name: a\nversion: 1\nbench:\n  provisioning:\n    wifi: {ssid: x, password: short}\n    device: {id: 'a b'}\nexpect: [{serial: x}]\n",
        "name: a\nversion: 1\nexpect:\n  - backoff: {of: {request: {}}, factor: 1.5, up-to: 5m}\n",
        "&a [*a]",
        "a: &a [1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c]\n",
    ] {
        match Scenario::parse_all("f.yaml", text) {
            Ok(s) => println!(
                "OK {:?}\n",
                s.iter()
                    .map(|s| (
                        s.case_name(),
                        &s.bench.cloud.clock_offset,
                        s.expect.iter().map(|e| e.title()).collect::<Vec<_>>()
                    ))
                    .collect::<Vec<_>>()
            ),
            Err(e) => println!("{}\n{e}", e.render(false, 100)),
        }
    }
}
