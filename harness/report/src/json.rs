//! One JSON object a line for each scenario, for programs (`docs/reports.md`).

use serde_json::{Value, json};
use vocabulary::Kind;

use crate::reporter::{InOrder, Output, Reporter, Session};
use crate::{Outcome, ReportError, Run};

/// Prints objects; the summary is a remark.
#[derive(Debug)]
pub struct JsonLines<O> {
    order: InOrder<O>,
    quiet: bool,
}

impl<O: Output> JsonLines<O> {
    /// Prints to `out`; `quiet` leaves out what passed.
    pub fn new(out: O, quiet: bool) -> JsonLines<O> {
        JsonLines {
            order: InOrder::to(out),
            quiet,
        }
    }
}

impl<O: Output> Reporter for JsonLines<O> {
    fn run_done(&mut self, place: usize, run: &Run) -> Result<(), ReportError> {
        let text = if self.quiet && run.leaves_nothing_to_do() {
            String::new()
        } else {
            format!("{}\n", object(run))
        };
        self.order.put(place, text)
    }

    fn run_lost(&mut self, place: usize) -> Result<(), ReportError> {
        self.order.put(place, String::new())
    }

    fn session_done(&mut self, session: &Session<'_>) -> Result<(), ReportError> {
        let mut printed = Ok(());
        for name in session.not_run {
            let object = json!({ "name": name, "verdict": "not-run" });
            printed = printed.and(self.order.print(&format!("{object}\n")));
        }
        self.order.out.note(&session.summary());
        self.order.not_run(session);
        printed
    }
}

/// A run as a JSON object.
pub fn object(run: &Run) -> Value {
    let (kind, next_step) = match &run.outcome {
        Outcome::Infrastructure { kind, next_step, .. } => (Some(kind.name()), next_step.as_ref()),
        Outcome::Passed | Outcome::Failed { .. } | Outcome::Skipped { .. } => (None, None),
    };
    let expectations: Vec<Value> = run
        .expectations()
        .map(|(at, r)| {
            json!({
                "name": r.name, "held": r.held, "at_ns": at, "position": r.position, "message": r.message,
                "nearest": r.nearest,
            })
        })
        .collect();
    let started = if let Some(Kind::ScenarioStarted {
        seed,
        firmware_sha256,
        ..
    }) = run.events.first().map(|e| &e.kind)
    {
        Some((seed, firmware_sha256))
    } else {
        None
    };
    let (instructions, unmodelled) = run.counts();
    json!({
        "name": run.name,
        "path": run.path,
        "verdict": run.outcome.name(),
        "error_kind": kind,
        "reasons": run.outcome.reasons(),
        "next_step": next_step,
        "must_fail": run.must_fail,
        "attempts": run.attempts,
        "quarantine": run.quarantine,
        "quarantined": run.is_quarantined(),
        "troubles": run.troubles,
        "expectations": expectations,
        "snapshot": run.snapshot.as_ref().map(|s| s.state.name()),
        "seed": started.map(|s| s.0),
        "firmware_sha256": started.map(|s| s.1),
        "backend": run.backend,
        "time_scale": run.time_scale,
        "virtual_ns": run.ended(),
        "wall_ms": u64::try_from(run.wall.as_millis()).unwrap_or(u64::MAX),
        "instructions": instructions,
        "unmodelled": unmodelled,
        "repeat": run.repeat,
    })
}
