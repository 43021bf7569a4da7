//! The verdicts of a run as JUnit XML, in the form that Jenkins, GitLab and the like read.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestRerun, TestSuite};
use vocabulary::Kind;
use vocabulary::text::{one_line, without_escapes};

use crate::reporter::{Reporter, Session};
use crate::spool::{Spool, replace};
use crate::{Outcome, Quarantine, ReportError, Run, serial, terminal};

/// A report in the making. Of a run that was added only its verdict stays in memory.
#[derive(Debug)]
pub struct Junit {
    /// Of each run, by place: its verdict, for the counts, and where its case is.
    runs: BTreeMap<usize, (TestCaseStatus, Range<u64>)>,
    /// The cases as XML.
    cases: Spool,
}

impl Default for Junit {
    fn default() -> Junit {
        Junit::kept_in(Spool::default())
    }
}

/// What the XML of the cases stands between.
const CASES_BEGIN: &str = "<testcase ";
const CASES_END: &str = "</testsuite>";

impl Junit {
    /// A report whose cases wait in `cases`.
    pub fn kept_in(cases: Spool) -> Junit {
        Junit {
            runs: BTreeMap::new(),
            cases,
        }
    }

    /// Adds the run at `place`, whose events should be redacted. A failed expectation is a `<failure>`; a bench that broke is
    /// an `<error>` whose type is the kind of the trouble, because it says nothing about the firmware; a scenario
    /// that the backend cannot run is `<skipped>`, and so is a failure that is quarantined. Earlier attempts are
    /// `<flakyError>` or `<rerunError>`, and properties.
    ///
    /// # Errors
    /// [`ReportError`] when the XML cannot be made or kept.
    pub fn add(&mut self, place: usize, run: &Run) -> Result<(), ReportError> {
        let mut alone = TestSuite::new("oceanrig");
        alone.add_test_case(case(run));
        let xml = in_a_report(alone, Duration::ZERO)?;
        let (from, to) = cases_in(&xml).unwrap_or((0, 0));
        let range = self
            .cases
            .add(&xml.as_bytes()[from..to])
            .map_err(ReportError::io("write", "the cases of junit.xml"))?;
        self.runs.insert(place, (verdict_alone(run), range));
        Ok(())
    }

    /// Writes the XML; `wall` is the time of the whole run.
    ///
    /// # Errors
    /// [`ReportError::Junit`] when the XML cannot be made, and those of `out`.
    pub fn write(&mut self, wall: Duration, out: &mut dyn io::Write) -> Result<(), ReportError> {
        let mut suite = TestSuite::new("oceanrig");
        suite.set_time(wall);
        for (status, _) in self.runs.values() {
            suite.add_test_case(TestCase::new("", status.clone()));
        }
        let xml = in_a_report(suite, wall)?;
        let (from, to) = cases_in(&xml).unwrap_or((xml.len(), xml.len()));
        let mut write = || {
            out.write_all(&xml.as_bytes()[..from])?;
            for (_, range) in self.runs.values() {
                self.cases.copy(range.clone(), out)?;
            }
            out.write_all(&xml.as_bytes()[to..])
        };
        write().map_err(ReportError::io("write", FILE))
    }
}

/// Name of the file.
pub const FILE: &str = "junit.xml";

/// Keeps a report in a directory.
#[derive(Debug)]
pub struct JunitFile {
    path: PathBuf,
    junit: Junit,
}

impl JunitFile {
    /// The report of `dir`, to be written at the end.
    ///
    /// # Errors
    /// [`ReportError::Io`] when nothing can be written there.
    pub fn in_dir(dir: &Path) -> Result<JunitFile, ReportError> {
        let path = dir.join(FILE);
        let cases = Spool::beside(&path).map_err(ReportError::io("write", &path))?;
        Ok(JunitFile {
            path,
            junit: Junit::kept_in(cases),
        })
    }
}

impl Reporter for JunitFile {
    fn run_done(&mut self, place: usize, run: &Run) -> Result<(), ReportError> {
        self.junit.add(place, run)
    }

    fn run_lost(&mut self, _place: usize) -> Result<(), ReportError> {
        Ok(())
    }

    fn session_done(&mut self, session: &Session<'_>) -> Result<(), ReportError> {
        let JunitFile { path, junit } = self;
        let mut failed = Ok(());
        let replaced = replace(path, |out| {
            failed = junit.write(session.wall, out);
            // The cause is kept; what is half written is thrown away.
            if failed.is_ok() {
                Ok(())
            } else {
                Err(io::ErrorKind::Other.into())
            }
        });
        failed.and(replaced.map_err(ReportError::io("write", &*path)))
    }
}

fn in_a_report(suite: TestSuite, wall: Duration) -> Result<String, ReportError> {
    let mut report = Report::new("oceanrig");
    report.set_time(wall);
    report.add_test_suite(suite);
    Ok(report.to_string()?)
}

/// Where the cases stand in a report of ours; text in them cannot hold the marks, because it is escaped.
fn cases_in(xml: &str) -> Option<(usize, usize)> {
    let from = xml.find(CASES_BEGIN)?;
    let line = xml[..from].rfind('\n').map_or(from, |i| i + 1);
    let to = xml.rfind(CASES_END)?;
    let to = xml[..to].rfind('\n').map_or(to, |i| i + 1);
    Some((line, to))
}

/// The report of `runs` at once.
///
/// # Errors
/// [`ReportError::Junit`] when the XML cannot be made.
pub fn render(runs: &[&Run], wall: Duration) -> Result<String, ReportError> {
    let mut junit = Junit::default();
    for (place, run) in runs.iter().enumerate() {
        junit.add(place, run)?;
    }
    let mut out = Vec::new();
    junit.write(wall, &mut out)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// `text` as XML 1.0 can hold it (section 2.2, `Char`): without terminal escape sequences, and with U+FFFD for what
/// no document may contain.
fn xml(text: &str) -> String {
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}');
    let plain = without_escapes(text);
    plain
        .chars()
        .map(|c| {
            if allowed(c) {
                c
            } else {
                char::REPLACEMENT_CHARACTER
            }
        })
        .collect()
}

fn case(run: &Run) -> TestCase {
    let mut case = TestCase::new(xml(&one_line(&run.name)), status(run));
    case.set_classname(xml(&one_line(&run.path)));
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
    case.add_property(("backend", xml(&run.backend).as_str()));
    case.add_property(("time-scale", run.time_scale.to_string().as_str()));
    case.add_property(("virtual-time", run.ended().to_string().as_str()));
    case.add_property(("repeat", xml(&run.repeat).as_str()));
    let mut out = String::new();
    for (i, attempt) in run.attempts.iter().enumerate() {
        // Also here: what is skipped has no place for attempts, and not every reader shows those of others.
        let text = format!("{}: {}", attempt.kind.phrase(), attempt.message);
        case.add_property((format!("attempt-{}", i + 1).as_str(), xml(&text).as_str()));
    }
    if let Some(quarantine) = &run.quarantine {
        case.add_property(("quarantine", xml(&quarantine.text()).as_str()));
        if let Some(note) = run.quarantine_note() {
            case.add_property(("quarantine-note", xml(&note).as_str()));
        }
    }
    if let Some(name) = &run.must_fail {
        case.add_property(("must-fail", xml(name).as_str()));
        let _ = writeln!(out, "{}\n", negative_control(run, name));
    }
    let mut log = Vec::new();
    for event in &run.events {
        serial::write_timed(&mut log, event).expect("memory takes every line");
    }
    out.push_str(&String::from_utf8_lossy(&log));
    case.set_system_out(xml(&out));
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
            .set_message(xml(&attempt.message))
            .set_time(Duration::from_millis(attempt.wall_ms));
        status.add_rerun(rerun);
    }
    status
}

/// The kind of the verdict, for the counts of the report.
fn verdict_alone(run: &Run) -> TestCaseStatus {
    match &run.outcome {
        Outcome::Passed => TestCaseStatus::success(),
        Outcome::Skipped { .. } => TestCaseStatus::skipped(),
        Outcome::Failed { .. } if run.is_quarantined() => TestCaseStatus::skipped(),
        Outcome::Failed { .. } => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Outcome::Infrastructure { .. } => TestCaseStatus::non_success(NonSuccessKind::Error),
    }
}

fn verdict(run: &Run) -> TestCaseStatus {
    let (kind, message, ty) = match &run.outcome {
        Outcome::Passed => return TestCaseStatus::success(),
        Outcome::Skipped { reason } => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(xml(reason));
            return status;
        }
        Outcome::Failed { reasons } if run.is_quarantined() => {
            let known = run.quarantine.as_ref().map_or_else(String::new, Quarantine::text);
            let mut status = TestCaseStatus::skipped();
            status
                .set_message(xml(&format!(
                    "quarantined: {known}; it failed: {}",
                    reasons.join("; ")
                )))
                .set_type("quarantined")
                .set_description(xml(&terminal::failure(run)));
            return status;
        }
        Outcome::Failed { reasons } => (NonSuccessKind::Failure, reasons.join("; "), "expectation"),
        Outcome::Infrastructure { kind, message, .. } => {
            (NonSuccessKind::Error, message.clone(), kind.name())
        }
    };
    let mut status = TestCaseStatus::non_success(kind);
    status
        .set_message(xml(&message))
        .set_type(ty)
        .set_description(xml(&terminal::failure(run)));
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
            xml.contains(r#"<error message="no flash �" type="flashing">"#),
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
    fn what_xml_cannot_hold_is_replaced_everywhere() {
        let odd = "a\u{fffe}b\u{ffff}c\u{1}d\u{0}e\u{7f}f\u{1b}[31mg\u{1b}]0;t\u{7}h\u{1fffe}";
        let mut run = run(
            Outcome::Failed {
                reasons: vec![odd.into()],
            },
            None,
        );
        run.name = odd.into();
        run.path = odd.into();
        run.repeat = odd.into();
        run.must_fail = Some(odd.into());
        run.backend = odd.into();
        run.quarantine = Some(Quarantine {
            reason: odd.into(),
            until: None,
            expired: true,
        });
        run.attempts.push(crate::Attempt {
            kind: Trouble::PortLost,
            message: odd.into(),
            next_step: None,
            wall_ms: 1,
        });
        for event in &mut run.events {
            if let Kind::SerialLine { text, .. } = &mut event.kind {
                *text = odd.into();
            }
        }
        let mut skipped = run.clone();
        skipped.outcome = Outcome::Skipped { reason: odd.into() };
        let mut broken = run.clone();
        broken.outcome = Outcome::broken(odd);
        let mut known = run.clone();
        known.quarantine.as_mut().unwrap().expired = false;
        let xml = render(&[&run, &skipped, &broken, &known], Duration::ZERO).unwrap();
        let allowed =
            |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}');
        assert_eq!(xml.chars().find(|c| !allowed(*c)), None);
        let (_, log) = xml.split_once("<system-out>").unwrap();
        let (log, _) = log.split_once("</system-out>").unwrap();
        let (_, log) = log.split_once("0:00:").unwrap();
        assert!(
            !log.contains("[31m") && !log.contains("]0;t"),
            "escape sequences go whole"
        );
        assert!(xml.contains("c\u{fffd}d"), "{xml}");
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
