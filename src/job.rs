//! One scenario that is ready to run, and what it needs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use report::Quarantine;
use report::redact::{Rule, Rules, Scope};
use scenario::Scenario;
use sha2::{Digest as _, Sha256};

use crate::backend::{self, Backend};
use crate::cli::RunArgs;
use crate::commands::snapshot as snapshots;
use crate::error::CliError;
use crate::firmware::{Elf, Images};
use crate::output;
use crate::quarantine;
use crate::select::Selected;

/// A scenario that is ready to run.
pub(crate) struct Job {
    /// The scenario and its name.
    pub(crate) selected: Selected,
    /// Where its firmware lies; `None` is the built-in one.
    pub(crate) firmware_path: Option<PathBuf>,
    pub(crate) elf: Arc<Elf>,
    /// Why it cannot run at the pace that was asked for.
    pub(crate) impossible: Option<String>,
    /// What carries it out.
    pub(crate) backend: Arc<dyn Backend>,
    /// Where its files go.
    pub(crate) dir: Option<PathBuf>,
    /// What is replaced in what it leaves.
    pub(crate) rules: Rules,
    /// How much of that.
    pub(crate) scope: Scope,
    /// What is known of a failure of it.
    pub(crate) quarantine: Option<Quarantine>,
    /// SHA-256 of its file.
    pub(crate) scenario_sha256: String,
}

/// Makes the jobs of a selection.
///
/// # Errors
/// When a firmware or the project file cannot be used, or the directory of `--out` not be made.
pub(crate) fn prepare(selected: Vec<Selected>, args: &RunArgs) -> Result<Vec<Job>, CliError> {
    let mut images = Images::default();
    let backend: Arc<dyn Backend> = backend::open(args)?.into();
    let project = report::project::Project::load(Path::new(".")).map_err(CliError::Report)?;
    let names: Vec<&str> = selected.iter().map(|s| s.id.as_str()).collect();
    let dirs = report::files::dir_names(&names);
    // With globs or single files the rest of the list is meant for others.
    if args.select.is_empty() && args.paths.iter().any(|p| p.is_dir()) {
        for entry in quarantine::unmatched(&project.quarantine, &selected) {
            output::note(&format!(
                "{}: the quarantine entry `{}` matches no scenario: take it off the list",
                report::project::FILE,
                entry.scenario
            ));
        }
    }
    if args.snapshots {
        for one in &selected {
            snapshots::check_stored(&one.scenario)?;
        }
    }
    let now = output::unix_ms();
    let mut jobs = Vec::with_capacity(selected.len());
    for (mut selected, dir) in selected.into_iter().zip(dirs) {
        let scenario = &selected.scenario;
        let named = scenario
            .bench
            .firmware
            .as_ref()
            .map(|f| beside(scenario, &f.value));
        let firmware_path = args.firmware.clone().or(named);
        let mut elf = images.get(firmware_path.as_deref());
        if let Ok(read) = &elf
            && let Err(error) = backend.check(read)
        {
            elf = Err(error);
        }
        let elf = match &scenario.bench.firmware {
            Some(name) if args.firmware.is_none() => elf.map_err(|error| CliError::FirmwareOf {
                position: scenario.position(name.span),
                source: Box::new(error),
            }),
            _ => elf,
        }?;
        let mut impossible = None;
        if let Some(pace) = backend.pace() {
            match scenario.at_pace(pace) {
                Ok(paced) => selected.scenario = paced,
                Err(error) => impossible = Some(error.to_string()),
            }
        }
        let scenario = &selected.scenario;
        jobs.push(Job {
            elf,
            impossible,
            backend: backend.clone(),
            firmware_path,
            quarantine: quarantine::of(&project.quarantine, &selected, now),
            scenario_sha256: sha256_of(scenario.path()),
            dir: args.out.as_ref().map(|out| out.join(dir)),
            rules: backend
                .secrets()
                .iter()
                .fold(rules_of(scenario, &project.redact)?, |rules, (name, value)| {
                    rules.with_value(name, value)
                }),
            scope: if args.keep_secrets {
                Scope::Nothing
            } else {
                Scope::Secrets
            },
            selected,
        });
    }
    if let Some(out) = &args.out {
        fs::create_dir_all(out).map_err(|source| CliError::Write {
            path: out.clone(),
            source,
        })?;
    }
    Ok(jobs)
}

/// What is replaced in all that `scenario` leaves: its own rules, those of the project, and the secrets that the
/// bench knows by value, because nothing tells them from other text when a scenario chooses them.
///
/// # Errors
/// For a rule that cannot be used.
pub(crate) fn rules_of(scenario: &Scenario, project: &[Rule]) -> Result<Rules, CliError> {
    let own: Vec<Rule> = scenario
        .redact
        .iter()
        .map(|rule| Rule {
            name: rule.name.value.clone(),
            pattern: rule.pattern.value.clone(),
            secret: rule.secret,
            numbered: rule.numbered,
        })
        .collect();
    let bench = &scenario.bench;
    let rules = Rules::built_in()
        .with(project)
        .and_then(|rules| rules.with(&own))
        .map_err(|e| CliError::Report(e.into()))?
        .with_value("wifi-password", &bench.network.password)
        .with_value("registration-token", &bench.cloud.registration_token);
    Ok(match &bench.device.permanent_token {
        Some(token) => rules.with_value("permanent-token", token),
        None => rules,
    })
}

/// SHA-256 of the file at `path`, which was there a moment ago; empty where it is gone.
fn sha256_of(path: &str) -> String {
    let Ok(bytes) = fs::read(path) else {
        return String::new();
    };
    Sha256::digest(&bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// `file` as a scenario means it: relative to the scenario's own file.
fn beside(scenario: &Scenario, file: &str) -> PathBuf {
    Path::new(scenario.path())
        .parent()
        .unwrap_or(Path::new(""))
        .join(file)
}

impl Job {
    /// The command that runs just this scenario again, the same way.
    pub(crate) fn repeat(&self, args: &RunArgs) -> String {
        let quoted = |s: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+".contains(c);
            if s.chars().all(plain) {
                s.to_owned()
            } else {
                format!("'{}'", s.replace('\'', r"'\''"))
            }
        };
        let scenario = &self.selected.scenario;
        let mut command = format!("oceanrig run {}", quoted(scenario.path()));
        if !scenario.parameters.is_empty() {
            command += &format!(" -k {}", quoted(&self.selected.id));
        }
        command += &format!(" --seed {}", args.seed.unwrap_or(scenario.bench.seed));
        if let Some(firmware) = &args.firmware {
            command += &format!(" --firmware {}", quoted(&firmware.display().to_string()));
        }
        if !args.dut.is_default() {
            command += &format!(" --dut {}", quoted(&args.dut.to_string()));
            if let Some(boards) = &args.boards {
                command += &format!(" --boards {}", quoted(&boards.display().to_string()));
            }
            if args.time_scale != 1 {
                command += &format!(" --time-scale {}", args.time_scale);
            }
        }
        for (given, flag) in [
            (args.strict, " --strict"),
            (args.snapshots, " --snapshots"),
            (args.ci, " --ci"),
        ] {
            command += if given { flag } else { "" };
        }
        command
    }

    /// Whether one of the files in `changed` has a part in this scenario's verdict.
    pub(crate) fn depends_on(&self, changed: &BTreeMap<PathBuf, crate::watch::Stamp>) -> bool {
        self.inputs().iter().any(|path| changed.contains_key(path))
    }

    /// The files that have a part in this scenario's verdict.
    pub(crate) fn inputs(&self) -> Vec<PathBuf> {
        let scenario = &self.selected.scenario;
        let mut inputs = vec![
            PathBuf::from(scenario.path()),
            PathBuf::from(report::project::FILE),
            snapshots::stored_path(scenario),
        ];
        inputs.extend(self.firmware_path.clone());
        inputs
    }
}
