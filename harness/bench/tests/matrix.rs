//! Every action on requests at every phase, triggered and lasting: a fault that is reported as fired has changed what
//! crossed the air, one that changed nothing is not reported as fired, and what cannot be is refused by the check.

use bench::{Limits, Progress};
use dut::{DutFactory as _, DutOptions, Firmware};
use emulator::EmulatorFactory;
use netsim::CapturedFrame;
use sim::Instant;
use vocabulary::{Event, FaultState, Kind};

/// Actions on requests, each so that it changes a poll of the firmware under test and its reply.
const ACTIONS: [&str; 22] = [
    "{respond: 503}",
    "{delay: 2s}",
    "{wrong-content-length: 10}",
    "malformed-json",
    "{missing-field: success}",
    "html",
    "gzip",
    "redirect-to-https",
    "{slow-body: {bytes: 1, every: 100ms}}",
    "{dribble: {bytes: 5, every: 50ms}}",
    "duplicate-reply",
    "{raw-reply: nonsense}",
    "{lose-reply: {then: silence}}",
    "{lose-reply: {then: reset}}",
    "close-connection",
    "half-open",
    "reset-connection",
    "{reset-connection: {after-byte: 40}}",
    "{reset-connection: {after-byte: 40, of: request}}",
    "{truncate: {after-byte: 40}}",
    "{truncate: {after-byte: 40, of: request}}",
    "blackhole",
];

const PHASES: [&str; 4] = ["first-byte", "before-effect", "after-effect", "after-reply"];

#[derive(Default)]
struct Kept {
    frames: Vec<CapturedFrame>,
    fired: usize,
    without_effect: usize,
}

impl Progress for Kept {
    fn at(&mut self, _: Instant) -> bool {
        true
    }

    fn event(&mut self, event: Event) {
        match event.kind {
            Kind::Fault {
                state: FaultState::Fired,
                ..
            } => self.fired += 1,
            Kind::Fault {
                state: FaultState::WithoutEffect,
                ..
            } => self.without_effect += 1,
            // No request came in its time: the run says so and fails, as for a fault without effect.
            Kind::Fault {
                state: FaultState::NeverFired,
                ..
            } => self.without_effect += 1,
            _ => {}
        }
    }

    fn frame(&mut self, frame: CapturedFrame) {
        self.frames.push(frame);
    }
}

/// Twenty seconds with this fault; `None` if the check refuses it.
fn run(source: &dyn dut::DutSource, fault: &str) -> Option<Kept> {
    let text = format!(
        "name: a\nversion: 1\nbench: {{duration: 20s}}\nexpect: [{{serial: OceanicRemote}}]\n{fault}"
    );
    let scenario = faults::FORMAT.parse("f", &text).ok()?;
    let firmware = Firmware {
        file: include_bytes!("../../../fixtures/oceanremote-device.elf.gz"),
        sha256: "",
    };
    let limits = Limits {
        capture: true,
        ..Limits::default()
    };
    let mut kept = Kept::default();
    bench::run(source, &scenario, firmware, limits, &mut kept).expect("the bench works");
    Some(kept)
}

#[test]
fn what_fired_has_changed_something_and_what_changed_nothing_has_not_fired() {
    let source = EmulatorFactory.open(None, &DutOptions::default()).unwrap();
    let healthy = run(&*source, "").expect("no fault").frames;
    let mut wrong = Vec::new();
    let mut ran = 0;
    for action in ACTIONS {
        let mut cells: Vec<(String, String)> = PHASES
            .into_iter()
            .flat_map(|phase| {
                let when = format!("when: {{request: {{endpoint: commands, nth: 2, at: {phase}}}}}");
                [
                    (format!("at {phase}"), when.clone()),
                    (format!("at {phase}, for"), format!("{when}, for: 3s")),
                ]
            })
            .collect();
        cells.push((
            "for".to_owned(),
            "when: 8s, endpoint: commands, for: 5s".to_owned(),
        ));
        for (cell, when) in cells {
            let fault = format!("faults: [{{name: f, {when}, do: {action}}}]\n");
            let Some(kept) = run(&*source, &fault) else {
                continue;
            };
            ran += 1;
            let changed = kept.frames != healthy;
            if changed != (kept.fired > 0) || (kept.fired == 0) != (kept.without_effect > 0) {
                wrong.push(format!(
                    "{action} {cell}: fired {}, without effect {}, changed: {changed}",
                    kept.fired, kept.without_effect
                ));
            }
        }
    }
    assert!(ran > 80, "{ran} cells ran");
    assert!(wrong.is_empty(), "of {ran} cells:\n{}", wrong.join("\n"));
}
