//! Writes the files of two made-up three-hour runs, one healthy and one broken, below a directory: material
//! for the browser test and for readers of the other formats.

use std::error::Error;
use std::path::PathBuf;

use report::files::ScenarioFiles;
use report::redact::{Rules, Scope};
use report::synthetic::{self, Shape};

fn main() -> Result<(), Box<dyn Error>> {
    let dir = PathBuf::from(std::env::args().nth(1).ok_or("usage: synthetic DIR")?);
    let mut runs = Vec::new();
    for shape in [Shape::long(), Shape::broken()] {
        let run = synthetic::run(&shape);
        let mut files = ScenarioFiles::create(&dir.join(&shape.name), &Rules::built_in(), Scope::Secrets)?;
        for event in &run.events {
            files.event(event)?;
        }
        let (_, mut redactor) = files.finish(&run, None)?;
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
    Ok(())
}
