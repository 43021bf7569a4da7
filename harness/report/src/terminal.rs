//! What a person reads on the terminal: one line for each scenario, the story of each failure, a summary.

use std::fmt::Write as _;

use sim::Instant;
use vocabulary::text::{one_line, printable};
use vocabulary::{FaultState, Kind, StepState};

use crate::around::{Moment, around};
use crate::paint::{BAD, DIM, GOOD, OTHER, WARN, paint};
use crate::reporter::{InOrder, Output, Reporter, Session};
use crate::{Outcome, ReportError, Run};

/// How many serial lines a failure shows, with all that lies between them.
const CONTEXT_LINES: usize = 12;
/// How many moments behind the failure it shows.
const CONTEXT_AFTER: usize = 4;

/// The line of one scenario: verdict, name, virtual and wall time.
pub fn line(run: &Run) -> String {
    let word = match run.outcome {
        Outcome::Passed => paint(GOOD, "PASS"),
        Outcome::Failed { .. } if run.is_quarantined() => paint(WARN, "QUARANTINED"),
        Outcome::Failed { .. } => paint(BAD, "FAIL"),
        Outcome::Infrastructure { .. } => paint(WARN, "ERROR"),
        Outcome::Skipped { .. } => paint(WARN, "SKIP"),
    };
    if let Outcome::Skipped { reason } = &run.outcome {
        return format!("{word}  {}  {}", one_line(&run.name), one_line(reason));
    }
    let trouble = match run.outcome {
        Outcome::Infrastructure { kind, .. } => paint(WARN, &format!("  {}", kind.phrase())),
        _ => String::new(),
    };
    let caught = match (&run.must_fail, &run.outcome) {
        (Some(name), Outcome::Passed) => paint(DIM, &format!("  caught by `{}`", one_line(name))),
        _ => String::new(),
    };
    let (_, unmodelled) = run.counts();
    let unmodelled = if unmodelled == 0 {
        String::new()
    } else {
        paint(WARN, &format!("  {unmodelled} unmodelled accesses"))
    };
    let place = match run.place() {
        place if place.is_empty() => "virtual".to_owned(),
        place => place,
    };
    format!(
        "{word}  {}{trouble}  {}{caught}{unmodelled}",
        one_line(&run.name),
        paint(
            DIM,
            &format!("{} {place} in {:.2} s", run.ended(), run.wall.as_secs_f64())
        ),
    )
}

/// What came before the verdict, and what is known of it: earlier attempts, and the quarantine. A line each.
pub fn remarks(run: &Run) -> String {
    let mut out = String::new();
    for (i, attempt) in run.attempts.iter().enumerate() {
        let head = format!("attempt {}: {}:", i + 1, attempt.kind.phrase());
        let _ = writeln!(out, "  {} {}", paint(WARN, &head), one_line(&attempt.message));
    }
    if run.is_quarantined()
        && let Some(quarantine) = &run.quarantine
    {
        let _ = writeln!(
            out,
            "  {} {}",
            paint(WARN, "known:"),
            one_line(&quarantine.text())
        );
    }
    if let Some(note) = run.quarantine_note() {
        let _ = writeln!(out, "  {} {note}", paint(WARN, "!"));
    }
    for trouble in &run.troubles {
        let _ = writeln!(out, "  {} {}", paint(WARN, "not written:"), one_line(trouble));
    }
    out
}

/// The story of a scenario that failed; empty for one that passed or did not run.
pub fn failure(run: &Run) -> String {
    let mut out = String::new();
    match &run.outcome {
        Outcome::Passed | Outcome::Skipped { .. } => return out,
        Outcome::Infrastructure {
            kind,
            message,
            next_step,
        } => {
            let head = paint(WARN, &format!("{}:", kind.phrase()));
            let _ = writeln!(out, "  {head} {}", one_line(message));
            if let Some(step) = next_step {
                let _ = writeln!(out, "  {} {}", paint(DIM, "next step:"), one_line(step));
            }
        }
        Outcome::Failed { reasons } => {
            // What is wrong with an expectation, a step or a fault is told below, with its place.
            for reason in reasons.iter().filter(|reason| !is_told_below(run, reason)) {
                let _ = writeln!(out, "  {} {}", paint(BAD, "×"), one_line(reason));
            }
        }
    }
    let mut shown_until = None;
    for (at, result) in run.expectations().filter(|(_, r)| !r.held) {
        let expected = run.must_fail.as_ref() == Some(&result.name);
        let mark = if expected {
            paint(GOOD, "✓ failed as declared:")
        } else {
            paint(BAD, "×")
        };
        let _ = writeln!(out, "  {mark} {}", one_line(&result.name));
        let _ = writeln!(out, "      at       {}", one_line(&result.position));
        if !result.message.is_empty() {
            let _ = writeln!(out, "      because  {}", one_line(&result.message));
        }
        if let Some(nearest) = &result.nearest {
            let _ = writeln!(out, "      nearest  {}", one_line(nearest));
        }
        shown_until = Some(shown_until.map_or(at, |t: Instant| t.min(at)));
    }
    for event in &run.events {
        if let Kind::Step {
            index,
            state: StepState::Failed { message },
        } = &event.kind
        {
            let text = step_reason(*index, message);
            let _ = writeln!(out, "  {} {}", paint(BAD, "×"), one_line(&text));
            shown_until = Some(shown_until.map_or(event.at, |t: Instant| t.min(event.at)));
        }
        if let Kind::Fault {
            name,
            state: FaultState::NeverFired,
        } = &event.kind
        {
            let _ = writeln!(out, "  {} {}", paint(WARN, "!"), one_line(&fault_reason(name)));
        }
        if let Kind::GuestFault { message, backtrace } = &event.kind {
            let _ = writeln!(
                out,
                "  {} guest fault at {}: {}",
                paint(BAD, "×"),
                event.at,
                one_line(message)
            );
            for frame in backtrace {
                let _ = writeln!(out, "      {}", one_line(frame));
            }
        }
    }
    story(&mut out, run, shown_until);
    let _ = writeln!(out, "  {} {}", paint(DIM, "repeat:"), one_line(&run.repeat));
    out
}

/// Whether a failed expectation, a failed step or a fault that never fired says the same as `reason`.
fn is_told_below(run: &Run, reason: &str) -> bool {
    run.events.iter().any(|event| {
        if let Kind::Expectation(result) = &event.kind {
            !result.held && reason == format!("`{}` failed", result.name)
        } else if let Kind::Step {
            index,
            state: StepState::Failed { message },
        } = &event.kind
        {
            reason == step_reason(*index, message)
        } else if let Kind::Fault {
            name,
            state: FaultState::NeverFired,
        } = &event.kind
        {
            reason == fault_reason(name)
        } else {
            false
        }
    })
}

/// Why a run failed by a step.
pub(crate) fn step_reason(index: usize, message: &str) -> String {
    format!("step {}: {message}", index + 1)
}

/// Why a run failed by a fault that never fired.
pub(crate) fn fault_reason(name: &str) -> String {
    format!("the fault `{name}` was planned and never fired")
}

/// What happened around the moment of the failure; without one, at the end.
fn story(out: &mut String, run: &Run, failed: Option<Instant>) {
    let (mut before, mut after) = around(
        &run.events,
        failed.unwrap_or(Instant::FAR_FUTURE),
        CONTEXT_LINES,
        CONTEXT_AFTER,
    );
    // The reasons of the failure are told above.
    let reasons = run.outcome.reasons();
    let is_new = |m: &Moment| m.kind != "note" || !reasons.iter().any(|reason| printable(reason) == m.text);
    before.retain(is_new);
    after.retain(is_new);
    if before.is_empty() && after.is_empty() {
        let _ = writeln!(out, "  {}", paint(DIM, "the serial log is empty"));
        return;
    }
    let _ = writeln!(out, "  {}", paint(DIM, "what happened around it:"));
    let row = |moment: &Moment| {
        let head = paint(DIM, &format!("{} {:>7} |", moment.at, moment.kind));
        let text = if moment.kind == "serial" {
            moment.text.clone()
        } else {
            paint(OTHER, &moment.text)
        };
        format!("    {head} {text}\n")
    };
    before.iter().for_each(|m| out.push_str(&row(m)));
    if let Some(at) = failed {
        let _ = writeln!(out, "    {}", paint(BAD, &format!("{at} {:>7} × here", "")));
        after.iter().for_each(|m| out.push_str(&row(m)));
    }
}

/// Everything about a run: its line, the remarks, and the story of a failure.
pub fn whole(run: &Run) -> String {
    let mut text = format!("{}\n{}", line(run), remarks(run));
    if run.only_snapshot {
        // The log is not what went wrong around some moment: the difference says it all.
        let _ = writeln!(text, "  repeat: {}", one_line(&run.repeat));
    } else {
        text.push_str(&failure(run));
    }
    if let Some(snapshot) = &run.snapshot {
        text.push_str(&snapshot.story);
    }
    text
}

/// Prints verdicts and stories for people.
#[derive(Debug)]
pub struct Terminal<O> {
    order: InOrder<O>,
    quiet: bool,
}

impl<O: Output> Terminal<O> {
    /// Prints to `out`; `quiet` leaves out what passed.
    pub fn new(out: O, quiet: bool) -> Terminal<O> {
        Terminal {
            order: InOrder::to(out),
            quiet,
        }
    }
}

impl<O: Output> Reporter for Terminal<O> {
    fn run_done(&mut self, place: usize, run: &Run) -> Result<(), ReportError> {
        let text = if self.quiet && run.leaves_nothing_to_do() {
            String::new()
        } else {
            whole(run)
        };
        self.order.put(place, text)
    }

    fn run_lost(&mut self, place: usize) -> Result<(), ReportError> {
        self.order.put(place, String::new())
    }

    fn session_done(&mut self, session: &Session<'_>) -> Result<(), ReportError> {
        self.order.summary(session)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use vocabulary::{Event, Trouble};

    use super::*;
    use crate::summary::summary;
    use crate::synthetic::{self, Shape};

    #[test]
    fn a_failure_tells_its_story_in_one_time_order() {
        let text = failure(&synthetic::run(&Shape::broken()));
        let places: Vec<usize> = [
            "recovers within a minute",
            "scenarios/wifi-lost-at-renewal.yaml:24:5",
            "wifi-drop-in-renewal begins",
            "[WIFI] Lost, reason 200",
            "reef-42 AWAY",
            "commands/?ack=4 → 401, 401 Session expired",
            "2:16:00.000         × here",
            "oceanrig run scenarios/wifi-lost-at-renewal.yaml --seed 7",
        ]
        .iter()
        .map(|part| text.find(part).unwrap_or_else(|| panic!("{part} in\n{text}")))
        .collect();
        assert!(places.is_sorted(), "{places:?}\n{text}");
    }

    /// `text` without its escape sequences.
    fn plain(text: &str) -> String {
        let mut out = String::new();
        for (i, part) in text.split('\u{1b}').enumerate() {
            out.push_str(if i == 0 {
                part
            } else {
                part.split_once('m').map_or("", |p| p.1)
            });
        }
        out
    }

    #[test]
    fn troubles_and_skips_are_named_and_never_counted_as_passed() {
        let mut lost = synthetic::run(&Shape::short());
        lost.outcome = Outcome::Infrastructure {
            kind: Trouble::PortLost,
            message: "/dev/ttyACM0 went away".into(),
            next_step: Some("check the cable".into()),
        };
        lost.backend = "board:desk".into();
        lost.time_scale = 60;
        let mut skipped = synthetic::run(&Shape::short());
        skipped.outcome = Outcome::Skipped {
            reason: "needs an access point".into(),
        };
        let head = plain(&line(&lost));
        assert!(
            head.starts_with("ERROR  one-minute  the port vanished  "),
            "{head}"
        );
        assert!(head.contains(" on board:desk, time scale 60 in "), "{head}");
        let text = plain(&failure(&lost));
        assert!(
            text.starts_with("  the port vanished: /dev/ttyACM0 went away\n  next step: check the cable\n"),
            "{text}"
        );
        assert_eq!(plain(&line(&skipped)), "SKIP  one-minute  needs an access point");
        assert_eq!(failure(&skipped), "");
        let end = plain(&summary(&[&lost, &skipped], 0, Duration::ZERO));
        assert!(
            end.starts_with("0 passed, 0 failed, 1 bench errors, 1 skipped ("),
            "{end}"
        );
    }

    #[test]
    fn a_known_failure_is_shown_and_counted_apart_until_its_day_is_over() {
        let mut run = synthetic::run(&Shape::short());
        run.outcome = Outcome::Failed {
            reasons: vec!["`x` failed".into()],
        };
        run.quarantine = Some(crate::Quarantine {
            reason: "lost lines".into(),
            until: Some("2026-12-31".into()),
            expired: false,
        });
        assert!(plain(&line(&run)).starts_with("QUARANTINED  one-minute  "));
        assert_eq!(plain(&remarks(&run)), "  known: lost lines (until 2026-12-31)\n");
        assert!(plain(&failure(&run)).contains("`x` failed"));
        assert!(
            plain(&summary(&[&run], 0, Duration::ZERO)).starts_with("0 passed, 0 failed, 1 quarantined (")
        );
        run.quarantine.as_mut().unwrap().expired = true;
        assert!(plain(&line(&run)).starts_with("FAIL  "));
        assert_eq!(plain(&remarks(&run)), "  ! its quarantine ended on 2026-12-31\n");
        run.outcome = Outcome::Passed;
        run.quarantine.as_mut().unwrap().expired = false;
        assert!(plain(&line(&run)).starts_with("PASS  "));
        assert_eq!(
            plain(&remarks(&run)),
            "  ! passes again: take it off the quarantine list\n"
        );
        run.outcome = Outcome::broken("x");
        assert!(!run.is_quarantined(), "only a failure is known");
    }

    #[test]
    fn a_failed_step_is_told_once_and_in_one_line() {
        let mut run = synthetic::run(&Shape::short());
        let message = "wait-serial \"a\\r\\n\" was not done";
        let kind = Kind::Step {
            index: 0,
            state: StepState::Failed {
                message: message.into(),
            },
        };
        run.events.push(Event {
            at: run.ended(),
            kind,
        });
        let others = [step_reason(0, message)];
        run.outcome = Outcome::judge(&vocabulary::Verdict::Fail, &[], None, &others);
        let text = plain(&failure(&run));
        assert_eq!(text.matches("wait-serial").count(), 1, "{text}");
        assert!(!text.contains("the scenario failed"), "{text}");
    }

    #[test]
    fn text_of_people_and_devices_stays_in_its_line() {
        let odd = "a\r\nb\u{1b}[2J\u{2028}c";
        let mut run = synthetic::run(&Shape::broken());
        run.name = odd.into();
        run.repeat = odd.into();
        run.outcome = Outcome::Failed {
            reasons: vec![odd.into()],
        };
        run.troubles = vec![odd.into()];
        run.attempts.push(crate::Attempt {
            kind: Trouble::Bench,
            message: odd.into(),
            next_step: None,
            wall_ms: 1,
        });
        for event in &mut run.events {
            match &mut event.kind {
                Kind::Expectation(result) => {
                    (result.name, result.message) = (odd.into(), odd.into());
                    (result.position, result.nearest) = (odd.into(), Some(odd.into()));
                }
                Kind::Fault { name, state } => (*name, *state) = (odd.into(), FaultState::NeverFired),
                Kind::SerialLine { text, .. } => *text = odd.into(),
                _ => {}
            }
        }
        let all = line(&run) + "\n" + &remarks(&run) + &failure(&run);
        let bare = anstyle_free(&all);
        assert!(!bare.contains(['\r', '\u{1b}', '\u{2028}']), "{bare:?}");
        assert!(bare.lines().all(|line| !line.starts_with('b')), "{bare}");
    }

    /// `text` without the styles of this module.
    fn anstyle_free(text: &str) -> String {
        let mut out = text.to_owned();
        for style in [GOOD, BAD, WARN, OTHER, DIM] {
            out = out
                .replace(&style.to_string(), "")
                .replace(&format!("{style:#}"), "");
        }
        out
    }

    #[test]
    fn a_pass_has_no_story() {
        assert_eq!(failure(&synthetic::run(&Shape::short())), "");
    }
}
