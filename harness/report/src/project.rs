//! The project file `oceanrig.toml`: what holds for all scenarios of a project.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::ReportError;
use crate::redact::Rule;

/// Name of the file, looked for in the working directory.
pub const FILE: &str = "oceanrig.toml";

/// The file's content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Project {
    /// Redaction rules, `[[redact]]`.
    #[serde(default)]
    pub redact: Vec<Rule>,
}

impl Project {
    /// Reads the project file in `dir`; without one, nothing is set.
    ///
    /// # Errors
    /// [`ReportError`] when the file cannot be read or is not understood.
    pub fn load(dir: &Path) -> Result<Project, ReportError> {
        let path = dir.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Project::default()),
            Err(e) => return Err(ReportError::io("read", path)(e)),
        };
        toml::from_str(&text).map_err(|e| ReportError::Project {
            path,
            message: e.to_string().trim_end().to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_and_mistakes_are_placed() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Project::load(dir.path()).unwrap(), Project::default());
        let path = dir.path().join(FILE);
        fs::write(
            &path,
            "[[redact]]\nname = \"build\"\npattern = 'build (?P<value>\\w+)'\nnumbered = false\n",
        )
        .unwrap();
        let project = Project::load(dir.path()).unwrap();
        assert_eq!(project.redact[0].name, "build");
        assert!(!project.redact[0].secret && !project.redact[0].numbered);
        fs::write(&path, "[[redact]]\nnaem = \"x\"\n").unwrap();
        let message = Project::load(dir.path()).unwrap_err().to_string();
        assert!(
            message.contains("line 2") && message.contains("naem"),
            "{message}"
        );
    }
}
