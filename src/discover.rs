//! Finds scenario files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A path that cannot be searched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiscoverError {
    /// It is not there, or cannot be read.
    #[error("cannot read {}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// The scenario files under `paths`: files as they are named, directories searched for `*.yaml` and `*.yml` in
/// the order of their names. A file that is reached twice counts once. Hidden entries are left out.
///
/// # Errors
/// When a path does not exist or a directory cannot be read.
pub(crate) fn scenario_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, DiscoverError> {
    let mut found = Vec::new();
    for path in paths {
        let meta = fs::metadata(path).map_err(|source| DiscoverError::Io {
            path: path.clone(),
            source,
        })?;
        if meta.is_dir() {
            walk(path, &mut found)?;
        } else {
            found.push(path.clone());
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|p| seen.insert(fs::canonicalize(p).unwrap_or_else(|_| p.clone())));
    Ok(found)
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) -> Result<(), DiscoverError> {
    let io = |source| DiscoverError::Io {
        path: dir.to_owned(),
        source,
    };
    let mut entries: Vec<PathBuf> = fs::read_dir(dir)
        .map_err(io)?
        .map(|e| e.map(|e| e.path()))
        .collect::<Result<_, _>>()
        .map_err(io)?;
    entries.sort();
    for path in entries {
        if path
            .file_name()
            .is_some_and(|n| n.to_string_lossy().starts_with('.'))
        {
            continue;
        }
        // A link to a directory above would never end.
        if path.is_dir() && !path.is_symlink() {
            walk(&path, found)?;
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml") && path.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_searched_in_order_and_files_count_once() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.yaml", "a.yml", "notes.txt", ".hidden.yaml", "sub/c.yaml"] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found = scenario_files(&[dir.path().join("sub/c.yaml"), dir.path().to_owned()]).unwrap();
        let names: Vec<_> = found
            .iter()
            .map(|p| p.file_name().unwrap().to_str().unwrap())
            .collect();
        assert_eq!(names, ["c.yaml", "a.yml", "b.yaml"]);
    }

    #[test]
    fn a_path_that_is_not_there_is_named() {
        let error = scenario_files(&[PathBuf::from("no/such/dir")]).unwrap_err();
        assert_eq!(error.to_string(), "cannot read no/such/dir");
    }
}
