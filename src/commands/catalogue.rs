//! `oceanrig catalogue`

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use scenario::{ExpectVerdict, Scenario};

use crate::cli::CatalogueArgs;
use crate::commands::check;
use crate::error::{CliError, stdout_failed};
use crate::exit::Exit;

/// What the name of a counterpart adds to that of its scenario.
const COUNTERPART: &str = "-caught";

const INTRODUCTION: &str = "\
# The catalogue of failures

Find what you see in the first column, and run the scenario against your own firmware:

    oceanrig run --firmware my-device.elf scenarios/oceanremote -k 'NAME*'

A name stands for one case or, where the scenario has a matrix, for several. Each scenario exists twice: the shipped
firmware passes it, and its counterpart `NAME-caught` runs the same course of events on a firmware with a
[named defect](defects.md), which must be caught by exactly the expectation that the last column names.

This page is made from the scenario files; after a change of them, `UPDATE=1 cargo test --test catalogue` writes it anew.
";

/// A scenario of the catalogue and its counterpart.
struct Row<'s> {
    stem: String,
    scenario: &'s Scenario,
    cases: usize,
    counterpart: &'s Scenario,
    counterpart_cases: usize,
    defect: &'s str,
    caught_by: &'s str,
}

/// Prints the catalogue of the scenarios under the paths as Markdown.
///
/// # Errors
/// When a file cannot be read or is not valid, or a scenario lacks its counterpart or a part of its header.
pub(crate) fn catalogue(args: &CatalogueArgs) -> Result<Exit, CliError> {
    let scenarios = check::read(&args.paths)?;
    let rows = rows(&scenarios).map_err(|problems| CliError::Catalogue(problems.join("\n  ")))?;
    std::io::stdout()
        .write_all(page(&rows).as_bytes())
        .map_err(stdout_failed)?;
    Ok(Exit::Passed)
}

/// The rows in the order of the files, or all that is wrong with them.
fn rows(scenarios: &[Scenario]) -> Result<Vec<Row<'_>>, Vec<String>> {
    // The first case stands for a file: header and verdict are the same in all.
    let mut files: BTreeMap<&str, (&Scenario, usize)> = BTreeMap::new();
    for scenario in scenarios {
        files
            .entry(without_extension(scenario.path()))
            .or_insert((scenario, 0))
            .1 += 1;
    }
    let mut problems = Vec::new();
    let mut rows = Vec::new();
    for (path, (scenario, cases)) in &files {
        if let Some(original) = path.strip_suffix(COUNTERPART) {
            if !files.contains_key(original) {
                problems.push(format!(
                    "{}: there is no scenario that it is the counterpart of",
                    scenario.path()
                ));
            }
            continue;
        }
        let Some((counterpart, counterpart_cases)) = files.get(format!("{path}{COUNTERPART}").as_str())
        else {
            problems.push(format!(
                "{}: its counterpart {path}{COUNTERPART}.yaml is missing",
                scenario.path()
            ));
            continue;
        };
        match (complete(scenario, false), complete(counterpart, true)) {
            (Ok((one, _)), Ok((other, _))) if one != other => {
                problems.push(format!(
                    "{}: it has the defect `{other}`, its scenario `{one}`",
                    counterpart.path()
                ));
            }
            (Ok(_), Ok((defect, caught_by))) => rows.push(Row {
                stem: path.rsplit('/').next().unwrap_or(path).to_owned(),
                scenario,
                cases: *cases,
                counterpart,
                counterpart_cases: *counterpart_cases,
                defect,
                caught_by,
            }),
            (one, other) => problems.extend([one.err(), other.err()].into_iter().flatten()),
        }
    }
    if problems.is_empty() {
        Ok(rows)
    } else {
        Err(problems)
    }
}

fn without_extension(path: &str) -> &str {
    path.strip_suffix(".yaml")
        .or_else(|| path.strip_suffix(".yml"))
        .unwrap_or(path)
}

/// Checks one file of a pair. Returns its defect and, of a counterpart, the expectation that catches it.
fn complete(scenario: &Scenario, is_counterpart: bool) -> Result<(&str, &str), String> {
    let lacks = |what: &str| format!("{}: {what}", scenario.path());
    let header = scenario
        .catalogue
        .as_ref()
        .ok_or_else(|| lacks("it has no `catalogue`"))?;
    let entries = [
        ("symptom", &header.symptom),
        ("cause", &header.cause),
        ("good-firmware", &header.good_firmware),
        ("guide", &header.guide),
    ];
    for (key, value) in entries {
        if value.as_deref().is_none_or(|text| text.trim().is_empty()) {
            return Err(lacks(&format!("its `catalogue` has no `{key}`")));
        }
    }
    let defect = header
        .defect
        .as_ref()
        .ok_or_else(|| lacks("its `catalogue` has no `defect`"))?
        .value
        .as_str();
    let switched_on = &scenario.bench.provisioning.defects;
    match (&scenario.expect_verdict, is_counterpart) {
        (ExpectVerdict::Pass, false) if switched_on.is_empty() => Ok((defect, "")),
        (ExpectVerdict::Pass, false) => Err(lacks("the shipped firmware has no defects switched on")),
        (ExpectVerdict::Fail(_), false) => Err(lacks(
            "the shipped firmware must pass it: remove `expect-verdict`",
        )),
        (ExpectVerdict::Fail(name), true) if switched_on.iter().any(|d| d.value == defect) => {
            Ok((defect, &name.value))
        }
        (ExpectVerdict::Fail(_), true) => Err(lacks(&format!("it does not switch on `{defect}`"))),
        (ExpectVerdict::Pass, true) => Err(lacks("it must fail: add `expect-verdict: {fail: …}`")),
    }
}

fn page(rows: &[Row<'_>]) -> String {
    let mut out = INTRODUCTION.to_owned();
    let cases: usize = rows.iter().map(|r| r.cases).sum();
    let counterparts: usize = rows.iter().map(|r| r.counterpart_cases).sum();
    let _ = write!(
        out,
        "\n{} scenarios with {cases} cases, and as many counterparts with {counterparts} cases.\n\n\
         ## From what you see to what it is\n\n\
         | what you see | why | scenario | what good firmware does | guide | defect caught | by the expectation |\n\
         |---|---|---|---|---|---|---|\n",
        rows.len()
    );
    let mut rows: Vec<&Row<'_>> = rows.iter().collect();
    rows.sort_by_key(|r| (text(r.scenario, |c| &c.symptom), r.stem.clone()));
    for row in &rows {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} |",
            text(row.scenario, |c| &c.symptom),
            text(row.scenario, |c| &c.cause),
            link(&row.stem, row.scenario, row.cases),
            text(row.scenario, |c| &c.good_firmware),
            text(row.scenario, |c| &c.guide),
            link(row.defect, row.counterpart, row.counterpart_cases),
            cell(row.caught_by),
        );
    }
    out.push_str("\n## From a defect to what catches it\n\n| defect | caught by |\n|---|---|\n");
    let mut defects: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for row in &rows {
        let catcher = format!("{}: {}", row.stem, cell(row.caught_by));
        defects.entry(row.defect).or_default().push(catcher);
    }
    for (defect, mut catchers) in defects {
        catchers.sort();
        let _ = writeln!(out, "| `{defect}` | {} |", catchers.join("<br>"));
    }
    out
}

/// A link from `docs/` to a scenario's file, with the number of its cases where there are several.
fn link(label: &str, scenario: &Scenario, cases: usize) -> String {
    let path = Path::new(scenario.path())
        .display()
        .to_string()
        .replace('\\', "/");
    let number = if cases == 1 {
        String::new()
    } else {
        format!(" ({cases} cases)")
    };
    format!("[{label}](../{path}){number}")
}

fn text(scenario: &Scenario, of: impl Fn(&scenario::Catalogue) -> &Option<String>) -> String {
    scenario
        .catalogue
        .as_ref()
        .and_then(|c| of(c).as_deref())
        .map(cell)
        .unwrap_or_default()
}

/// Text for a cell of a Markdown table.
fn cell(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}
