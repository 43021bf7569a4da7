//! Writes the files of two made-up three-hour runs, one healthy and one broken, below a directory: material
//! for the browser test and for readers of the other formats.

use std::error::Error;
use std::path::PathBuf;

use report::files::ScenarioFiles;
use report::redact::{Redactor, Rules, Scope};
use report::synthetic::{self, Shape};
use report::{Attempt, Outcome, Quarantine, Run, Trouble};

fn main() -> Result<(), Box<dyn Error>> {
    let dir = PathBuf::from(std::env::args().nth(1).ok_or("usage: synthetic DIR")?);
    let mut runs = Vec::new();
    for shape in [Shape::long(), Shape::broken()] {
        let run = synthetic::run(&shape);
        let mut files = ScenarioFiles::create(&dir.join(&shape.name), &run.path)?;
        let mut redactor = Redactor::new(&Rules::built_in(), Scope::Secrets);
        for event in &run.events {
            let seen = redactor.event(event);
            files.event(event, &seen, &mut redactor)?;
        }
        files.finish(&run, None, &mut redactor)?;
        runs.push(run.redacted(&mut redactor));
    }
    let all: Vec<_> = runs.iter().collect();
    std::fs::write(
        dir.join("junit.xml"),
        report::junit::render(&all, std::time::Duration::from_secs(2))?,
    )?;
    std::fs::write(
        dir.join("report.html"),
        report::html::render(&all, "oceanrig report"),
    )?;
    std::fs::write(
        dir.join("single.html"),
        report::html::render(&all[1..], "oceanrig report"),
    )?;
    let verdicts = verdicts();
    let all: Vec<_> = verdicts.iter().collect();
    std::fs::write(
        dir.join("verdicts.html"),
        report::html::render(&all, "oceanrig report"),
    )?;
    Ok(())
}

/// A run for each verdict that the two long ones do not have, as a board would give them.
fn verdicts() -> Vec<Run> {
    let run = |name: &str, outcome: Outcome| {
        let mut run = synthetic::run(&Shape {
            name: name.to_owned(),
            ..Shape::short()
        });
        run.outcome = outcome;
        run.backend = "board:desk".to_owned();
        run.time_scale = 60;
        run
    };
    let failed = || Outcome::Failed {
        reasons: vec!["`renews on time` failed".to_owned()],
    };
    let mut known = run("known", failed());
    known.quarantine = Some(Quarantine {
        reason: "the access point restarts by itself".to_owned(),
        until: Some("2027-01-31".to_owned()),
        expired: false,
    });
    let mut late = run("late", failed());
    late.quarantine = known
        .quarantine
        .clone()
        .map(|q| Quarantine { expired: true, ..q });
    let mut again = run("again", Outcome::Passed);
    again.attempts.push(Attempt {
        kind: Trouble::Flashing,
        message: "the chip does not answer".to_owned(),
        next_step: None,
        wall_ms: 900,
    });
    let mut lost = run(
        "lost",
        Outcome::Infrastructure {
            kind: Trouble::PortLost,
            message: "/dev/ttyACM0 vanished".to_owned(),
            next_step: Some("check the cable".to_owned()),
        },
    );
    lost.events.truncate(40);
    let mut skipped = run(
        "skipped",
        Outcome::Skipped {
            reason: "needs an access point that can be switched".to_owned(),
        },
    );
    skipped.events.clear();
    vec![known, late, again, lost, skipped]
}
