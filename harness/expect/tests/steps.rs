//! Tests of steps in the format of Wokwi.

use expect::{Command, Moments, StepRunner};
use scenario::{Format, TimeSpan, Trigger};
use sim::Instant;
use vocabulary::{Event, Kind, SerialPort, StepState};

/// The format with the service of these tests.
const FORMAT: Format = Format::new(&[&oceanremote::SPEC]);

fn runner(steps: &str) -> StepRunner {
    let text = format!("name: t\nversion: 1\nbench: {{wiring: {{btn1: {{gpio: 9}}}}}}\nsteps:\n{steps}");
    StepRunner::new(&FORMAT.parse("t.yaml", &text).unwrap_or_else(|e| panic!("{e}")))
}

fn serial(ms: u64, text: &str) -> Event {
    let kind = Kind::SerialChunk {
        port: SerialPort::Uart0,
        bytes: text.as_bytes().to_vec(),
    };
    Event {
        at: Instant::from_millis(ms),
        kind,
    }
}

const fn ms(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

#[test]
fn the_example_of_the_documentation_runs() {
    let mut r = runner(
        "  - set-control:\n      part-id: btn1\n      control: pressed\n      value: 1\n  - delay: 500ms\n  \
         - wait-serial: 'Button 1 pressed'\n  - write-serial: [104, 105]\n",
    );
    assert_eq!(
        r.poll(ms(0)),
        [Command::SetPin {
            gpio: 9,
            level: false
        }]
    );
    assert_eq!(r.next_deadline(), Some(ms(500)));
    // Text received during the delay is found after it.
    r.observe(&serial(200, "Button 1 pre"));
    assert_eq!(r.poll(ms(499)), []);
    assert_eq!(r.poll(ms(500)), []);
    assert_eq!(r.next_deadline(), None);
    r.observe(&serial(600, "ssed\r\n"));
    assert_eq!(r.poll(ms(600)), [Command::WriteSerial(b"hi".to_vec())]);
    assert!(r.is_done() && !r.failed());
    let states: Vec<usize> = r
        .take_states()
        .into_iter()
        .filter(|(_, s)| *s == StepState::Done)
        .map(|(i, _)| i)
        .collect();
    assert_eq!(states, [0, 1, 2, 3]);
    assert_eq!(r.finish(ms(700)), []);
}

#[test]
fn each_wait_goes_on_where_the_last_one_stopped() {
    let mut r = runner("  - wait-serial: 'ab'\n  - wait-serial: 'ab'\n  - wait-serial: \"b\\nc\"\n");
    r.observe(&serial(1, "xab"));
    r.poll(ms(1));
    assert!(!r.is_done());
    r.observe(&serial(2, "a"));
    r.observe(&serial(3, "b"));
    r.poll(ms(3));
    r.observe(&serial(4, "b\n"));
    r.observe(&serial(5, "c"));
    r.poll(ms(5));
    assert!(r.is_done());
}

#[test]
fn a_delay_starts_when_the_step_before_it_was_done() {
    let mut r = runner("  - delay: 1s\n  - delay: 1s\n  - wait-serial: x\n  - delay: 1s\n");
    r.poll(ms(0));
    r.poll(ms(1500));
    assert_eq!(r.next_deadline(), Some(ms(2000)));
    r.observe(&serial(2500, "x"));
    r.poll(ms(2700));
    assert_eq!(r.next_deadline(), Some(ms(3500)));
}

#[test]
fn a_wrong_pin_fails_and_ends_the_steps() {
    let steps =
        "  - delay: 10ms\n  - expect-pin: {part-id: esp, pin: GPIO4, value: 1}\n  - write-serial: x\n";
    let mut r = runner(steps);
    r.poll(ms(10));
    assert!(r.failed() && !r.is_done());
    let failed = StepState::Failed {
        message: "GPIO4 is 0, expected 1".to_owned(),
    };
    assert_eq!(r.take_states().last(), Some(&(1, failed)));
    let mut r = runner(steps);
    r.observe(&Event {
        at: ms(5),
        kind: Kind::Pin {
            gpio: 4,
            level: Some(true),
        },
    });
    assert_eq!(r.poll(ms(10)), [Command::WriteSerial(b"x".to_vec())]);
}

#[test]
fn the_end_of_the_run_fails_what_waits() {
    let mut r = runner("  - wait-serial: 'Session renewed'\n");
    r.observe(&serial(1000, "Session renewd\n"));
    r.poll(ms(1000));
    let message = "wait-serial \"Session renewed\" was not done when the run ended at 0:00:30.000; the most similar \
                   line: 0:00:01.000 Session renewd";
    let states = r.finish(ms(30_000));
    assert_eq!(
        states.last(),
        Some(&(
            0,
            StepState::Failed {
                message: message.to_owned()
            }
        ))
    );
    assert!(r.failed());
}

fn trigger(yaml: &str) -> Trigger {
    let text = format!(
        "name: t\nversion: 1\nbench: {{duration: 1h}}\nfaults:\n  - {{name: f, when: {yaml}, do: reset}}\nexpect: [{{serial: x}}]\n"
    );
    FORMAT
        .parse("t", &text)
        .unwrap_or_else(|e| panic!("{e}"))
        .faults
        .remove(0)
        .when
        .value
}

#[test]
fn moments_by_the_clock_repeat() {
    let mut m = Moments::new(&trigger("10s"), Some(TimeSpan::from_secs(5)));
    assert_eq!(m.next_due(), Some(ms(10_000)));
    assert_eq!(m.advance(ms(9_999)), 0);
    assert_eq!(m.advance(ms(10_000)), 1);
    assert_eq!(m.advance(ms(20_000)), 2);
    assert_eq!(m.next_due(), Some(ms(25_000)));
}

#[test]
fn moments_follow_other_moments() {
    let mut m = Moments::new(
        &trigger("{after: {trigger: {serial: {text: go, nth: 2}}, delay: 3s}}"),
        None,
    );
    assert_eq!(m.next_due(), None);
    assert_eq!(m.observe(&serial(1000, "go\n")), 0);
    assert_eq!(m.next_due(), None);
    assert_eq!(m.observe(&serial(2000, "go\ngo\n")), 0);
    assert_eq!(m.next_due(), Some(ms(5000)));
    assert_eq!((m.advance(ms(5000)), m.next_due()), (1, None));
}

#[test]
fn moments_count_every_occurrence() {
    let mut m = Moments::new(&trigger("{serial: {text: go, nth: 3}}"), None);
    assert_eq!(m.observe(&serial(1, "go\ngo\ng")), 2);
    assert_eq!(m.observe(&serial(2, "o")), 1);
    let mut m = Moments::new(&trigger("{pin: {gpio: 4, level: high}}"), None);
    let pin = |level| Event {
        at: ms(1),
        kind: Kind::Pin { gpio: 4, level },
    };
    let seen: Vec<u32> = [Some(true), Some(true), Some(false), Some(true)]
        .map(|level| m.observe(&pin(level)))
        .to_vec();
    assert_eq!(seen, [1, 0, 0, 1]);
}
