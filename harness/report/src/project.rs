//! The project file `oceanrig.toml`: what holds for all scenarios of a project.

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
    /// Failures that are known, `[[quarantine]]`.
    #[serde(default)]
    pub quarantine: Vec<QuarantineEntry>,
}

/// Scenarios whose failure is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct QuarantineEntry {
    /// Which: a glob (`*` any text, `?` any character) on the stable name, the path or the title.
    pub scenario: String,
    /// Why it is known, for whoever sees the line.
    pub reason: String,
    /// The last day, `YYYY-MM-DD` in UTC; without it, until somebody takes it off the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

impl QuarantineEntry {
    /// What is wrong with it.
    fn mistake(&self) -> Option<String> {
        if self.scenario.trim().is_empty() {
            return Some("`scenario` is empty: give a name or a glob such as \"wifi-*\"".to_owned());
        }
        if self.reason.trim().is_empty() {
            return Some(format!(
                "the entry for `{}` gives no reason: say why the failure is known",
                self.scenario
            ));
        }
        let day = self.until.as_deref().filter(|day| !is_a_day(day))?;
        Some(format!(
            "`until = \"{day}\"` for `{}` is no day: write it as \"2026-12-31\"",
            self.scenario
        ))
    }
}

/// Whether `text` is a day of the calendar, `YYYY-MM-DD`.
fn is_a_day(text: &str) -> bool {
    let number = |range: std::ops::Range<usize>| {
        text.get(range)
            .filter(|t| t.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|t| t.parse::<u32>().ok())
    };
    let dashes = text.len() == 10 && text.get(4..5) == Some("-") && text.get(7..8) == Some("-");
    let (Some(y), Some(m), Some(d)) = (number(0..4), number(5..7), number(8..10)) else {
        return false;
    };
    let leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
    let days = match m {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        1..=12 => 31,
        _ => 0,
    };
    dashes && (1..=days).contains(&d)
}

impl Project {
    /// Reads the project file in `dir`; without one, nothing is set.
    ///
    /// # Errors
    /// [`ReportError`] when the file cannot be read or is not understood.
    pub fn load(dir: &Path) -> Result<Project, ReportError> {
        let path = dir.join(FILE);
        let text = match crate::input::read_text(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Project::default()),
            Err(e) => return Err(ReportError::io("read", path)(e)),
        };
        let project: Project = toml::from_str(&text).map_err(|e| ReportError::Project {
            path: path.clone(),
            message: e.to_string().trim_end().to_owned(),
        })?;
        match project.quarantine.iter().find_map(QuarantineEntry::mistake) {
            Some(message) => Err(ReportError::Project { path, message }),
            None => Ok(project),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

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

    #[test]
    fn a_quarantine_has_a_glob_a_reason_and_a_day_that_exists() {
        let dir = tempfile::tempdir().unwrap();
        let load = |entry: &str| {
            fs::write(dir.path().join(FILE), format!("[[quarantine]]\n{entry}\n")).unwrap();
            Project::load(dir.path())
        };
        let good = load("scenario = \"wifi-*\"\nreason = \"lost lines\"\nuntil = \"2028-02-29\"").unwrap();
        assert_eq!(good.quarantine[0].until.as_deref(), Some("2028-02-29"));
        for (entry, says) in [
            ("scenario = \"\"\nreason = \"r\"", "`scenario` is empty"),
            ("scenario = \"a\"\nreason = \" \"", "gives no reason"),
            ("scenario = \"a\"", "reason"),
            (
                "scenario = \"a\"\nreason = \"r\"\nuntil = \"2027-02-29\"",
                "is no day",
            ),
            ("scenario = \"a\"\nreason = \"r\"\nuntil = \"soon\"", "is no day"),
            (
                "scenario = \"a\"\nreason = \"r\"\nuntill = \"2027-01-01\"",
                "untill",
            ),
        ] {
            let message = load(entry).unwrap_err().to_string();
            assert!(message.contains(says), "{message}");
        }
    }
}
