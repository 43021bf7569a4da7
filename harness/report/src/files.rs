//! The files that a run leaves behind, written as it goes on.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sim::Instant;
use vocabulary::{Event, Kind};

use crate::lines::{EventLog, LineWriter};
use crate::redact::Redactor;
use crate::serial::{self, RawLog};
use crate::{Attempt, Outcome, Quarantine, ReportError, Run, capture, vcd};

/// Version of the manifest.
pub const MANIFEST_VERSION: u32 = 2;

const fn unscaled() -> u32 {
    1
}

/// Name of the manifest.
pub const MANIFEST: &str = "manifest.json";
/// Name of the event file.
pub const EVENTS: &str = "events.jsonl";

/// The files of one scenario.
const FILES: [(&str, &str); 5] = [
    ("serial.log", "the console's bytes as they came"),
    ("serial-timed.log", "each console line behind its virtual time"),
    (EVENTS, "every event as a JSON line"),
    ("pins.vcd", "the pins as a value change dump"),
    ("capture.pcapng", "every frame on the air"),
];

/// What a directory of files holds, and their hashes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`MANIFEST_VERSION`] of the writer.
    pub version: u32,
    /// The scenario's name.
    pub scenario: String,
    /// Its file.
    pub path: String,
    /// The command that runs it again.
    pub repeat: String,
    /// Seed of all randomness.
    pub seed: Option<u64>,
    /// SHA-256 of the firmware ELF.
    pub firmware_sha256: Option<String>,
    /// What ran it.
    pub backend: Option<String>,
    /// By how much the contract's intervals were divided; 1 is real time.
    #[serde(default = "unscaled")]
    pub time_scale: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// The expectation that must fail, for a negative control.
    pub must_fail: Option<String>,
    /// The attempts before this one that came to nothing by the bench's fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// What is known of a failure of this scenario.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<Quarantine>,
    /// SHA-256 of the scenario file.
    #[serde(default)]
    pub scenario_sha256: String,
    /// When it ended, milliseconds since 1970.
    #[serde(default)]
    pub finished_unix_ms: u64,
    /// How long it took.
    #[serde(default)]
    pub wall_ms: u64,
    /// Length in virtual nanoseconds.
    pub ended_ns: Instant,
    /// Whether secrets were replaced.
    pub redacted: bool,
    /// The files, in the order of their names.
    pub files: Vec<FileEntry>,
}

/// A file in a [`Manifest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Name within the directory.
    pub name: String,
    /// What it is.
    pub what: String,
    /// Length.
    pub bytes: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

/// Writes the files of one scenario while it runs. Whenever it ends, however it ends, what is there is whole
/// lines; the manifest comes last and says that all is there.
#[derive(Debug)]
pub struct ScenarioFiles {
    dir: PathBuf,
    /// The scenario's file as the user wrote it, with a colon. Positions in the event file hold its name alone, so
    /// that the way to it makes no difference.
    position: String,
    raw: RawLog<File>,
    timed: LineWriter<File>,
    log: EventLog<File>,
    pins: Vec<vcd::Change>,
}

impl ScenarioFiles {
    /// Makes `dir`, empties it of what an earlier run left, and opens the files. `scenario` is the scenario's file
    /// as the user wrote it.
    ///
    /// # Errors
    /// [`ReportError::Io`].
    pub fn create(dir: &Path, scenario: &str) -> Result<ScenarioFiles, ReportError> {
        fs::create_dir_all(dir).map_err(ReportError::io("create", dir))?;
        // The manifest first: without it, what is left says of itself that it is not whole.
        for name in [MANIFEST].into_iter().chain(FILES.iter().map(|(name, _)| *name)) {
            let path = dir.join(name);
            if path.exists() {
                fs::remove_file(&path).map_err(ReportError::io("replace", path))?;
            }
        }
        let open = |name: &str| {
            let path = dir.join(name);
            File::create(&path).map_err(ReportError::io("write", path))
        };
        Ok(ScenarioFiles {
            dir: dir.to_owned(),
            position: format!("{scenario}:"),
            raw: RawLog::new(open(FILES[0].0)?),
            timed: LineWriter::new(open(FILES[1].0)?),
            log: EventLog::new(open(EVENTS)?),
            pins: Vec::new(),
        })
    }

    /// Adds what `event` has for each file. `redacted` is the same with placeholders; raw bytes are redacted here,
    /// line by line.
    ///
    /// # Errors
    /// [`ReportError::Io`].
    pub fn event(
        &mut self,
        event: &Event,
        redacted: &Event,
        redactor: &mut Redactor,
    ) -> Result<(), ReportError> {
        let failed = ReportError::io("write", &self.dir);
        if let Kind::SerialChunk { .. } = event.kind {
            return self.raw.event(event, redactor).map_err(failed);
        }
        self.pins.extend(vcd::Change::of(event));
        let mut add = || {
            if let Kind::SerialLine { .. } = redacted.kind {
                self.timed
                    .add(|batch| serial::write_timed(batch, redacted).expect("memory takes every line"))?;
            }
            // The files stay together: whoever reads one of a killed run finds the others as far.
            let handed_on = match with_short_position(redacted, &self.position) {
                Some(short) => self.log.event(&short)?,
                None => self.log.event(redacted)?,
            };
            if handed_on {
                self.raw.flush()?;
                self.timed.flush()?;
            }
            Ok(())
        };
        add().map_err(failed)
    }

    /// Hands on what is gathered: before a pause, or once a second with a device in wall time.
    ///
    /// # Errors
    /// [`ReportError::Io`].
    pub fn flush(&mut self) -> Result<(), ReportError> {
        self.raw
            .flush()
            .and_then(|()| self.timed.flush())
            .and_then(|()| self.log.flush())
            .map_err(ReportError::io("write", &self.dir))
    }

    /// Writes the rest: open lines, pins, the capture (a pcapng, if there is one) and the manifest. `run` needs
    /// its events no more than [`Run::ended`] and its first one do.
    ///
    /// # Errors
    /// [`ReportError::Io`].
    pub fn finish(
        mut self,
        run: &Run,
        pcapng: Option<Vec<u8>>,
        redactor: &mut Redactor,
    ) -> Result<Manifest, ReportError> {
        self.flush()?;
        let ScenarioFiles {
            dir,
            position: _,
            raw,
            timed,
            log,
            pins,
        } = self;
        raw.finish(redactor).map_err(ReportError::io("write", &dir))?;
        drop((timed, log));
        let mut dump = Vec::new();
        vcd::write(&mut dump, &pins, run.ended()).expect("memory takes every line");
        write(&dir.join(FILES[3].0), &dump)?;
        if let Some(mut pcapng) = pcapng {
            capture::mask(&mut pcapng, redactor);
            write(&dir.join(FILES[4].0), &pcapng)?;
        }
        write_manifest(&dir, run, redactor)
    }
}

/// `event` with the name of the scenario's file in place of the way to it, which `position` is with a colon; `None`
/// where it holds none.
fn with_short_position(event: &Event, position: &str) -> Option<Event> {
    let Kind::Expectation(result) = &event.kind else {
        return None;
    };
    let rest = result.position.strip_prefix(position)?;
    let mut result = result.clone();
    result.position = format!("{}:{rest}", file_name(position.trim_end_matches(':')));
    Some(Event {
        at: event.at,
        kind: Kind::Expectation(result),
    })
}

/// The last part of a path, whichever system wrote it.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// Writes the manifest of what is in `dir`: after a run that the bench cut short, or that never began.
///
/// # Errors
/// [`ReportError::Io`].
pub fn write_manifest(dir: &Path, run: &Run, redactor: &mut Redactor) -> Result<Manifest, ReportError> {
    let mut manifest = manifest(dir, run)?;
    manifest.redacted = redactor.is_active();
    manifest.outcome = manifest.outcome.redacted(redactor);
    for attempt in &mut manifest.attempts {
        attempt.message = redactor.text(&attempt.message).into_owned();
    }
    let mut json = serde_json::to_vec_pretty(&manifest).expect("a manifest is text, numbers and lists");
    json.push(b'\n');
    write(&dir.join(MANIFEST), &json)?;
    Ok(manifest)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    let write = || File::create(path)?.write_all(bytes);
    write().map_err(ReportError::io("write", path))
}

/// What differs between the files beside the manifest in `dir` and what it says of them, one line each.
pub fn differences(dir: &Path, manifest: &Manifest) -> Vec<String> {
    let mut out = Vec::new();
    for FileEntry {
        name,
        what: _,
        bytes,
        sha256,
    } in &manifest.files
    {
        // A name leads nowhere else, whatever the manifest says.
        let path = dir.join(file_name(name));
        match fs::read(&path) {
            Err(error) => out.push(format!("{name} cannot be read: {error}")),
            Ok(read) if (read.len() as u64) < *bytes => {
                out.push(format!("{name} is cut off: {} of {bytes} bytes", read.len()));
            }
            Ok(read) if hex(&Sha256::digest(&read)) != *sha256 => {
                out.push(format!(
                    "{name} was changed after the run: its SHA-256 is another one"
                ));
            }
            Ok(_) => {}
        }
    }
    out
}

fn manifest(dir: &Path, run: &Run) -> Result<Manifest, ReportError> {
    let mut files = Vec::new();
    for (name, what) in FILES {
        let path = dir.join(name);
        if path.exists() {
            let bytes = fs::read(&path).map_err(ReportError::io("read", path))?;
            files.push(FileEntry {
                name: name.to_owned(),
                what: what.to_owned(),
                bytes: bytes.len() as u64,
                sha256: hex(&Sha256::digest(&bytes)),
            });
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let (seed, firmware_sha256) = if let Some(Kind::ScenarioStarted {
        seed,
        firmware_sha256,
        ..
    }) = run.events.first().map(|e| &e.kind)
    {
        (Some(*seed), Some(firmware_sha256.clone()))
    } else {
        (None, None)
    };
    Ok(Manifest {
        version: MANIFEST_VERSION,
        scenario: run.name.clone(),
        path: run.path.clone(),
        repeat: run.repeat.clone(),
        seed,
        firmware_sha256,
        backend: Some(run.backend.clone()).filter(|b| !b.is_empty()),
        time_scale: run.time_scale,
        outcome: run.outcome.clone(),
        must_fail: run.must_fail.clone(),
        attempts: run.attempts.clone(),
        quarantine: run.quarantine.clone(),
        scenario_sha256: run.scenario_sha256.clone(),
        finished_unix_ms: run.finished_unix_ms,
        wall_ms: u64::try_from(run.wall.as_millis()).unwrap_or(u64::MAX),
        ended_ns: run.ended(),
        redacted: false,
        files,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// A directory name for each scenario, in order: letters, digits, `.`, `_` and `-`, and no two alike even
/// where upper and lower case are the same.
pub fn dir_names(scenarios: &[&str]) -> Vec<String> {
    let mut taken = std::collections::BTreeSet::new();
    let mut out = Vec::with_capacity(scenarios.len());
    for name in scenarios {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let mut slug: String = name
            .chars()
            .map(|c| if plain(c) { c } else { '-' })
            .take(100)
            .collect();
        if slug.trim_matches(['.', '-']).is_empty() {
            slug = "scenario".to_owned();
        }
        let slug = slug.trim_start_matches('.').to_owned();
        let mut unique = slug.clone();
        let mut n = 1;
        while !taken.insert(unique.to_ascii_lowercase()) {
            n += 1;
            unique = format!("{slug}-{n}");
        }
        out.push(unique);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::{Rules, Scope};
    use crate::synthetic::{self, Shape};

    fn written(scope: Scope) -> (tempfile::TempDir, Manifest) {
        let dir = tempfile::tempdir().unwrap();
        let run = synthetic::run(&Shape::short());
        let rules = Rules::built_in().with_value("wifi-password", "correct horse");
        let mut redactor = Redactor::new(&rules, scope);
        let mut files = ScenarioFiles::create(dir.path(), "a/b.yaml").unwrap();
        for event in &run.events {
            let redacted = redactor.event(event);
            files.event(event, &redacted, &mut redactor).unwrap();
        }
        let capture = Some(b"not a capture".to_vec());
        let manifest = files.finish(&run, capture, &mut redactor).unwrap();
        (dir, manifest)
    }

    #[test]
    fn the_manifest_lists_what_is_there() {
        let (dir, manifest) = written(Scope::Secrets);
        let names: Vec<&str> = manifest.files.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "capture.pcapng",
                "events.jsonl",
                "pins.vcd",
                "serial-timed.log",
                "serial.log"
            ]
        );
        let read: Manifest = serde_json::from_slice(&fs::read(dir.path().join(MANIFEST)).unwrap()).unwrap();
        assert_eq!(read, manifest);
        for file in &manifest.files {
            let bytes = fs::read(dir.path().join(&file.name)).unwrap();
            assert_eq!(
                (bytes.len() as u64, hex(&Sha256::digest(&bytes))),
                (file.bytes, file.sha256.clone())
            );
        }
    }

    #[test]
    fn no_file_holds_a_secret_unless_they_are_kept() {
        let secrets: Vec<String> = {
            let run = synthetic::run(&Shape::short());
            let mut redactor = Redactor::new(&Rules::built_in(), Scope::Secrets);
            run.events.iter().for_each(|e| drop(redactor.event(e)));
            redactor.secrets().keys().cloned().collect()
        };
        assert!(
            secrets.len() >= 3,
            "a session, a permanent and a registration token: {secrets:?}"
        );
        let holds = |scope| {
            let (dir, manifest) = written(scope);
            let all: Vec<u8> = manifest
                .files
                .iter()
                .flat_map(|f| fs::read(dir.path().join(&f.name)).unwrap())
                .collect();
            let all = String::from_utf8_lossy(&all).into_owned();
            secrets.iter().filter(|s| all.contains(s.as_str())).count()
        };
        assert_eq!(holds(Scope::Secrets), 0);
        assert_eq!(holds(Scope::Nothing), secrets.len());
    }

    #[test]
    fn the_same_run_gives_the_same_files() {
        assert_eq!(written(Scope::Secrets).1.files, written(Scope::Secrets).1.files);
    }

    #[test]
    fn a_run_that_is_killed_leaves_whole_lines_and_no_manifest() {
        let dir = tempfile::tempdir().unwrap();
        let run = synthetic::run(&Shape::short());
        let mut redactor = Redactor::new(&Rules::built_in(), Scope::Secrets);
        let mut files = ScenarioFiles::create(dir.path(), "a.yaml").unwrap();
        for event in &run.events[..run.events.len() / 2] {
            let redacted = redactor.event(event);
            files.event(event, &redacted, &mut redactor).unwrap();
        }
        // As a killed process would leave them: nothing is flushed, nothing is dropped.
        std::mem::forget(files);
        let log = fs::read(dir.path().join(EVENTS)).unwrap();
        assert!(log.len() > 4096 && log.ends_with(b"\n"));
        let file = crate::lines::read_events(&dir.path().join(EVENTS)).unwrap();
        assert!(!file.torn && file.runs[0].len() > 20);
        let serial = fs::read(dir.path().join(FILES[0].0)).unwrap();
        assert!(
            serial.starts_with(b"# OceanicRemote v5.0") && serial.ends_with(b"\n"),
            "as far as the events"
        );
        assert!(!dir.path().join(MANIFEST).exists());
    }

    #[test]
    fn the_way_to_the_scenario_is_not_in_its_event_file() {
        let written = |path: &str| {
            let dir = tempfile::tempdir().unwrap();
            let mut run = synthetic::run(&Shape::broken());
            for event in &mut run.events {
                if let Kind::Expectation(result) = &mut event.kind {
                    result.position = format!("{path}:3:5");
                }
            }
            let mut redactor = Redactor::new(&Rules::built_in(), Scope::Nothing);
            let mut files = ScenarioFiles::create(dir.path(), path).unwrap();
            for event in &run.events {
                files.event(event, event, &mut redactor).unwrap();
            }
            run.path = path.to_owned();
            let manifest = files.finish(&run, None, &mut redactor).unwrap();
            let read = crate::load::runs(&dir.path().join(EVENTS))
                .unwrap()
                .runs
                .remove(0);
            let (_, result) = read.expectations().next().unwrap();
            assert_eq!(
                result.position,
                format!("{path}:3:5"),
                "read back with the way of the manifest"
            );
            manifest
                .files
                .iter()
                .find(|f| f.name == EVENTS)
                .unwrap()
                .sha256
                .clone()
        };
        assert_eq!(written("one.yaml"), written("/somewhere/else/one.yaml"));
    }

    #[test]
    fn names_become_directories_that_never_clash() {
        let names = dir_names(&["a/b", "A-b", "..", "", "ä"]);
        assert_eq!(names, ["a-b", "A-b-2", "scenario", "scenario-2", "scenario-3"]);
    }
}
