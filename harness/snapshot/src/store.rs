//! The snapshot files beside the scenarios: `foo.yaml` has `foo.snap`, a case of its matrix `foo@case.snap`.
//! A new version that waits for a decision has the ending `.snap.new`, as in insta.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::file::{Snapshot, io};
use crate::log::Log;
use crate::{Comparison, SnapshotError, Tolerance, compare};

const STORED: &str = ".snap";
const PENDING: &str = ".snap.new";

/// Permission of a check to write files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A log that is new or differs is written as pending.
    Write,
    /// No file is written (`--ci`).
    ReadOnly,
}

/// Result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Result of the comparison with the stored log.
    pub comparison: Comparison,
    /// Path of the snapshot, whether it exists or not.
    pub path: PathBuf,
}

impl Checked {
    /// True if a person has to accept or reject the log.
    pub fn is_pending(&self) -> bool {
        self.comparison != Comparison::Same
    }
}

/// Path of the snapshot of the scenario file `scenario`, for one case of its matrix.
pub fn path_for(scenario: &Path, case: Option<&str>) -> PathBuf {
    let stem = scenario
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || "-_.=,+".contains(c) {
            c
        } else {
            '-'
        }
    };
    let case = case.map_or_else(String::new, |case| {
        format!("@{}", case.chars().map(plain).collect::<String>())
    });
    scenario.with_file_name(format!("{stem}{case}{STORED}"))
}

/// Path of the pending version of the snapshot `stored`.
pub fn pending_path(stored: &Path) -> PathBuf {
    let mut name = stored.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

/// Compares `log` with the snapshot at `path`. In [`Mode::Write`] a log that is new or differs is written as
/// pending, and a pending version that is out of date is removed.
///
/// # Errors
/// [`SnapshotError`] when a file cannot be read or written, or is no snapshot.
pub fn check(
    path: &Path,
    log: &Log,
    tolerance: &Tolerance,
    source: &str,
    expression: &str,
    mode: Mode,
) -> Result<Checked, SnapshotError> {
    let stored = if path.exists() {
        Some(Snapshot::read(path)?)
    } else {
        None
    };
    let comparison = compare(log, stored.as_ref().map(|s| &s.log), tolerance);
    let pending = pending_path(path);
    match (mode, &comparison) {
        (Mode::ReadOnly, _) => {}
        (Mode::Write, Comparison::Same) => {
            if pending.exists() {
                fs::remove_file(&pending).map_err(io("remove", &pending))?;
            }
        }
        (Mode::Write, Comparison::New | Comparison::Different(_)) => {
            let snapshot = Snapshot {
                source: source.to_owned(),
                expression: expression.to_owned(),
                log: log.clone(),
            };
            snapshot.write(&pending)?;
        }
    }
    Ok(Checked {
        comparison,
        path: path.to_owned(),
    })
}

/// The snapshots under `root` that have a pending version, in order.
///
/// # Errors
/// [`SnapshotError::Io`] if a directory cannot be read.
pub fn pending(root: &Path) -> Result<Vec<PathBuf>, SnapshotError> {
    let strip = |path: PathBuf| {
        let text = path.to_string_lossy();
        text.strip_suffix(".new")
            .filter(|_| text.ends_with(PENDING))
            .map(PathBuf::from)
    };
    Ok(walk(root)?.into_iter().filter_map(strip).collect())
}

/// The snapshots under `root` that no scenario uses: `used` are the paths that scenarios have ([`path_for`]),
/// relative to the same directory as `root`.
///
/// # Errors
/// [`SnapshotError::Io`] if a directory cannot be read.
pub fn unreferenced(root: &Path, used: &BTreeSet<PathBuf>) -> Result<Vec<PathBuf>, SnapshotError> {
    let whole = |p: &Path| fs::canonicalize(p).unwrap_or_else(|_| p.to_owned());
    let used: BTreeSet<PathBuf> = used.iter().map(|p| whole(p)).collect();
    let stored = |path: &PathBuf| path.to_string_lossy().ends_with(STORED) && !used.contains(&whole(path));
    Ok(walk(root)?.into_iter().filter(stored).collect())
}

/// Replaces the snapshot `stored` by its pending version.
///
/// # Errors
/// [`SnapshotError`] if there is none, or it cannot be moved.
pub fn accept(stored: &Path) -> Result<(), SnapshotError> {
    let pending = pending_path(stored);
    // The pending file must be a snapshot: a half-written file must not replace a good one.
    Snapshot::read(&pending)?;
    fs::rename(&pending, stored).map_err(io("accept", &pending))
}

/// Removes the pending version of `stored`.
///
/// # Errors
/// [`SnapshotError::Io`] if there is none, or it cannot be removed.
pub fn reject(stored: &Path) -> Result<(), SnapshotError> {
    let pending = pending_path(stored);
    fs::remove_file(&pending).map_err(io("reject", &pending))
}

/// All files under `root`, sorted; hidden directories and build output are skipped.
fn walk(root: &Path) -> Result<Vec<PathBuf>, SnapshotError> {
    let mut files = Vec::new();
    if !root.is_dir() {
        files.push(root.to_owned());
        return Ok(files);
    }
    let list = || {
        fs::read_dir(root)?
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<Vec<_>>>()
    };
    let mut entries = list().map_err(io("read", root))?;
    entries.sort();
    for path in entries {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.starts_with('.') || name == "target" || name == "node_modules" {
            continue;
        }
        if path.is_dir() && !path.is_symlink() {
            files.extend(walk(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bench {
        dir: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Bench {
            Bench {
                dir: tempfile::tempdir().unwrap(),
            }
        }

        fn path(&self) -> PathBuf {
            path_for(&self.dir.path().join("a.yaml"), None)
        }

        fn check(&self, text: &str, mode: Mode) -> Checked {
            let tolerance = Tolerance::default();
            check(
                &self.path(),
                &Log::from_text(text),
                &tolerance,
                "a.yaml",
                "serial log",
                mode,
            )
            .unwrap()
        }
    }

    #[test]
    fn a_new_log_waits_is_accepted_and_is_the_same_then() {
        let bench = Bench::new();
        assert_eq!(bench.check("one", Mode::Write).comparison, Comparison::New);
        assert_eq!(pending(bench.dir.path()).unwrap(), [bench.path()]);
        accept(&bench.path()).unwrap();
        assert_eq!(pending(bench.dir.path()).unwrap(), [] as [PathBuf; 0]);
        assert!(!bench.check("one", Mode::Write).is_pending());
    }

    #[test]
    fn a_changed_log_is_rejected_and_the_old_one_stays() {
        let bench = Bench::new();
        bench.check("one", Mode::Write);
        accept(&bench.path()).unwrap();
        assert!(matches!(
            bench.check("two", Mode::Write).comparison,
            Comparison::Different(_)
        ));
        reject(&bench.path()).unwrap();
        assert_eq!(Snapshot::read(&bench.path()).unwrap().log, Log::from_text("one"));
        assert!(reject(&bench.path()).is_err(), "there is nothing left to reject");
    }

    #[test]
    fn a_log_that_is_right_again_leaves_nothing_pending() {
        let bench = Bench::new();
        bench.check("one", Mode::Write);
        accept(&bench.path()).unwrap();
        bench.check("two", Mode::Write);
        bench.check("one", Mode::Write);
        assert!(!pending_path(&bench.path()).exists());
    }

    #[test]
    fn in_ci_nothing_is_written() {
        let bench = Bench::new();
        assert!(bench.check("one", Mode::ReadOnly).is_pending());
        assert_eq!(fs::read_dir(bench.dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_no_scenario_uses_is_found() {
        let bench = Bench::new();
        for name in ["a.snap", "a@x=1.snap", "gone.snap", "gone.txt"] {
            fs::write(bench.dir.path().join(name), "---\n---\n").unwrap();
        }
        let scenario = bench.dir.path().join("a.yaml");
        let used = BTreeSet::from([path_for(&scenario, None), path_for(&scenario, Some("x=1"))]);
        let found = unreferenced(bench.dir.path(), &used).unwrap();
        assert_eq!(found, [bench.dir.path().join("gone.snap")]);
    }

    #[test]
    fn a_torn_pending_file_is_not_accepted() {
        let bench = Bench::new();
        bench.check("one", Mode::Write);
        accept(&bench.path()).unwrap();
        fs::write(pending_path(&bench.path()), "---\nsource: x").unwrap();
        assert!(accept(&bench.path()).is_err());
        assert_eq!(Snapshot::read(&bench.path()).unwrap().log, Log::from_text("one"));
    }

    #[test]
    fn a_case_has_a_file_of_its_own() {
        let path = path_for(Path::new("scenarios/skew.yaml"), Some("skew=-301s a/b"));
        assert_eq!(path, Path::new("scenarios/skew@skew=-301s-a-b.snap"));
    }
}
