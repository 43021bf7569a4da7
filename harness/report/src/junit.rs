//! The verdicts of a run as JUnit XML, in the form that Jenkins, GitLab and the like read.

use std::fmt::Write as _;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestRerun, TestSuite};
use vocabulary::Kind;

use crate::{Outcome, Quarantine, ReportError, Run, serial, terminal};

/// A report in the making: a run can be forgotten once it is added.
#[derive(Debug)]
pub struct Junit(TestSuite);

impl Default for Junit {
    fn default() -> Junit {
        Junit(TestSuite::new("oceanrig"))
    }
}

impl Junit {
    /// Adds a run, whose events should be redacted. A failed expectation is a `<failure>`; a bench that broke is
    /// an `<error>` whose type is the kind of the trouble, because it says nothing about the firmware; a scenario
    /// that the backend cannot run is `<skipped>`, and so is a failure that is quarantined. Earlier attempts are
    /// `<flakyError>` or `<rerunError>`, and properties.
    pub fn add(&mut self, run: &Run) {
        self.0.add_test_case(case(run));
    }

    /// The XML; `wall` is the time of the whole run.
    ///
    /// # Errors
    /// [`ReportError::Junit`] when the XML cannot be written.
    pub fn finish(mut self, wall: Duration) -> Result<String, ReportError> {
        self.0.set_time(wall);
        let mut report = Report::new("oceanrig");
        report.set_time(wall);
        report.add_test_suite(self.0);
        Ok(report.to_string()?)
    }
}

/// The report of `runs` at once.
///
/// # Errors
/// [`ReportError::Junit`] when the XML cannot be written.
pub fn render(runs: &[&Run], wall: Duration) -> Result<String, ReportError> {
    let mut junit = Junit::default();
    runs.iter().for_each(|run| junit.add(run));
    junit.finish(wall)
}

fn case(run: &Run) -> TestCase {
    let mut case = TestCase::new(run.name.as_str(), status(run));
    case.set_classname(run.path.as_str());
    case.set_time(run.wall);
    case.set_assertions(run.expectations().count());
    if let Some(Kind::ScenarioStarted {
        seed,
        firmware_sha256,
        ..
    }) = run.events.first().map(|e| &e.kind)
    {
        case.add_property(("seed", seed.to_string().as_str()));
        case.add_property(("firmware-sha256", firmware_sha256.as_str()));
    }
    case.add_property(("backend", run.backend.as_str()));
    case.add_property(("time-scale", run.time_scale.to_string().as_str()));
    case.add_property(("virtual-time", run.ended().to_string().as_str()));
    case.add_property(("repeat", run.repeat.as_str()));
    let mut out = String::new();
    for (i, attempt) in run.attempts.iter().enumerate() {
        // Also here: what is skipped has no place for attempts, and not every reader shows those of others.
        let text = format!("{}: {}", attempt.kind.phrase(), attempt.message);
        case.add_property((format!("attempt-{}", i + 1).as_str(), text.as_str()));
    }
    if let Some(quarantine) = &run.quarantine {
        case.add_property(("quarantine", quarantine.text().as_str()));
        if let Some(note) = run.quarantine_note() {
            case.add_property(("quarantine-note", note.as_str()));
        }
    }
    if let Some(name) = &run.must_fail {
        case.add_property(("must-fail", name.as_str()));
        let _ = writeln!(out, "{}\n", negative_control(run, name));
    }
    let mut log = Vec::new();
    for event in &run.events {
        serial::write_timed(&mut log, event).expect("memory takes every line");
    }
    out.push_str(&String::from_utf8_lossy(&log));
    case.set_system_out(out);
    case
}

/// What a negative control is, and how this one went, in one sentence.
pub fn negative_control(run: &Run, name: &str) -> String {
    let went = match &run.outcome {
        Outcome::Passed => "it failed, as it must",
        Outcome::Failed { .. } => "it did not fail alone",
        Outcome::Infrastructure { .. } => "the bench broke before that could be told",
        Outcome::Skipped { .. } => "it did not run",
    };
    format!(
        "Negative control: the firmware is defective on purpose, and `{name}` must fail and nothing else; {went}."
    )
}

fn status(run: &Run) -> TestCaseStatus {
    let mut status = verdict(run);
    for attempt in &run.attempts {
        let mut rerun = TestRerun::new(NonSuccessKind::Error);
        rerun
            .set_type(attempt.kind.name())
            .set_message(attempt.message.as_str())
            .set_time(Duration::from_millis(attempt.wall_ms));
        status.add_rerun(rerun);
    }
    status
}

fn verdict(run: &Run) -> TestCaseStatus {
    let (kind, message, ty) = match &run.outcome {
        Outcome::Passed => return TestCaseStatus::success(),
        Outcome::Skipped { reason } => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(reason.as_str());
            return status;
        }
        Outcome::Failed { reasons } if run.is_quarantined() => {
            let known = run.quarantine.as_ref().map_or_else(String::new, Quarantine::text);
            let mut status = TestCaseStatus::skipped();
            status
                .set_message(format!("quarantined: {known}; it failed: {}", reasons.join("; ")))
                .set_type("quarantined")
                .set_description(terminal::failure(run));
            return status;
        }
        Outcome::Failed { reasons } => (NonSuccessKind::Failure, reasons.join("; "), "expectation"),
        Outcome::Infrastructure { kind, message, .. } => {
            (NonSuccessKind::Error, message.clone(), kind.name())
        }
    };
    let mut status = TestCaseStatus::non_success(kind);
    status
        .set_message(message)
        .set_type(ty)
        .set_description(terminal::failure(run));
    status
}

#[cfg(test)]
mod tests {
    use vocabulary::Trouble;

    use super::*;
    use crate::synthetic::{self, Shape};

    fn run(outcome: Outcome, must_fail: Option<&str>) -> Run {
        let mut run = synthetic::run(&Shape {
            name: "a <b> & \"c\"".into(),
            ..Shape::short()
        });
        run.outcome = outcome;
        run.must_fail = must_fail.map(str::to_owned);
        run
    }

    #[test]
    fn failures_and_broken_benches_are_kept_apart() {
        let passed = run(Outcome::Passed, Some("renews in time"));
        let failed = run(
            Outcome::Failed {
                reasons: vec!["`x` failed".into()],
            },
            None,
        );
        let mut broken = run(
            Outcome::Infrastructure {
                kind: Trouble::Flashing,
                message: "no flash \u{1}".into(),
                next_step: Some("hold BOOT".into()),
            },
            None,
        );
        broken.backend = "board:desk".into();
        broken.time_scale = 60;
        let skipped = run(
            Outcome::Skipped {
                reason: "no access point".into(),
            },
            None,
        );
        let xml = render(
            &[&passed, &failed, &broken, &skipped],
            Duration::from_millis(1500),
        )
        .unwrap();
        assert!(
            xml.contains(r#"tests="4" skipped="1" failures="1" errors="1""#),
            "{xml}"
        );
        assert!(
            xml.contains(r#"<failure message="`x` failed" type="expectation">"#),
            "{xml}"
        );
        assert!(
            xml.contains(r#"<error message="no flash " type="flashing">"#),
            "{xml}"
        );
        assert!(xml.contains("next step: hold BOOT"), "{xml}");
        assert!(xml.contains(r#"<skipped message="no access point"/>"#), "{xml}");
        for (name, value) in [
            ("backend", "emulator"),
            ("backend", "board:desk"),
            ("time-scale", "1"),
            ("time-scale", "60"),
        ] {
            let property = format!(r#"<property name="{name}" value="{value}"/>"#);
            assert!(xml.contains(&property), "{property} in {xml}");
        }
        assert!(xml.contains(r#"name="a &lt;b&gt; &amp; &quot;c&quot;""#), "{xml}");
        assert!(xml.contains(r#"<property name="seed" value="7"/>"#), "{xml}");
        assert!(
            xml.contains("`renews in time` must fail and nothing else; it failed, as it must"),
            "{xml}"
        );
        assert!(!xml.contains('\u{1b}'), "no terminal colours");
        assert!(xml.contains("OceanicRemote v5.0 - ESP32"), "the log is attached");
    }

    #[test]
    fn attempts_and_quarantine_are_visible_and_not_red() {
        let mut known = run(
            Outcome::Failed {
                reasons: vec!["`x` failed".into()],
            },
            None,
        );
        known.quarantine = Some(Quarantine {
            reason: "lost lines".into(),
            until: Some("2026-12-31".into()),
            expired: false,
        });
        let mut late = known.clone();
        late.quarantine.as_mut().unwrap().expired = true;
        let mut again = run(Outcome::Passed, None);
        again.attempts.push(crate::Attempt {
            kind: Trouble::PortLost,
            message: "ttyACM0 went away".into(),
            next_step: None,
            wall_ms: 1500,
        });
        again.quarantine = known.quarantine.clone();
        let xml = render(&[&known, &late, &again], Duration::ZERO).unwrap();
        for part in [
            r#"tests="3" skipped="1" failures="1" errors="0""#,
            r#"<skipped message="quarantined: lost lines (until 2026-12-31); it failed: `x` failed" type="quarantined">"#,
            r#"<property name="quarantine-note" value="its quarantine ended on 2026-12-31"/>"#,
            r#"<flakyError time="1.500" message="ttyACM0 went away" type="port-lost">"#,
            r#"<property name="attempt-1" value="the port vanished: ttyACM0 went away"/>"#,
            r#"value="passes again: take it off the quarantine list"/>"#,
        ] {
            assert!(xml.contains(part), "{part} in {xml}");
        }
    }
}
