//! Which scenarios run, and what they are called.

use std::collections::BTreeMap;
use std::path::Path;

use scenario::Scenario;
use wildmatch::WildMatch;

use crate::error::CliError;

/// A scenario and its stable name.
pub(crate) struct Selected {
    /// The file's name without extension and, where it has a matrix, the case: `skew[skew=-301s]`. Where two
    /// files of a selection are called alike, their directories come first.
    pub id: String,
    /// The scenario.
    pub scenario: Scenario,
}

impl Selected {
    /// Whether `glob` matches its stable name, its path or its title.
    pub(crate) fn is_called(&self, glob: &WildMatch) -> bool {
        glob.matches(&self.id)
            || glob.matches(self.scenario.path())
            || glob.matches(&self.scenario.case_name())
    }
}

/// Gives each scenario its stable name and keeps those that match one of `globs`; without globs, all.
///
/// A glob (`*` any text, `?` any character, nothing else is special) matches the stable name, the path, or the
/// scenario's title.
///
/// # Errors
/// When none is left.
pub(crate) fn select(scenarios: Vec<Scenario>, globs: &[String]) -> Result<Vec<Selected>, CliError> {
    let mut homes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for s in &scenarios {
        let paths = homes.entry(stem(s.path())).or_default();
        if !paths.iter().any(|p| p == s.path()) {
            paths.push(s.path().to_owned());
        }
    }
    let globs_text = globs.join(", ");
    let globs: Vec<WildMatch> = globs.iter().map(|g| WildMatch::new(g)).collect();
    let selected: Vec<Selected> = scenarios
        .into_iter()
        .map(|scenario| {
            let short = stem(scenario.path());
            let alone = homes.get(&short).is_none_or(|paths| paths.len() == 1);
            let base = if alone {
                short
            } else {
                Path::new(scenario.path())
                    .with_extension("")
                    .display()
                    .to_string()
            };
            Selected {
                id: with_case(&base, &scenario),
                scenario,
            }
        })
        .filter(|s| globs.is_empty() || globs.iter().any(|g| s.is_called(g)))
        .collect();
    if selected.is_empty() {
        Err(CliError::NothingSelected(globs_text))
    } else {
        Ok(selected)
    }
}

fn stem(path: &str) -> String {
    Path::new(path)
        .file_stem()
        .map_or_else(|| path.to_owned(), |s| s.to_string_lossy().into_owned())
}

fn with_case(base: &str, scenario: &Scenario) -> String {
    if scenario.parameters.is_empty() {
        return base.to_owned();
    }
    let values: Vec<String> = scenario
        .parameters
        .iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    format!("{base}[{}]", values.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenarios() -> Vec<Scenario> {
        let one = "name: One\nversion: 1\nexpect:\n  - serial: x\n";
        let two = "name: Two\nversion: 1\nmatrix: {skew: [-301s, 299s]}\n\
                   bench: {network: {ntp-offset: \"${skew}\"}}\nexpect:\n  - serial: x\n";
        let mut all = faults::FORMAT.parse_all("a/one.yaml", one).unwrap();
        all.extend(faults::FORMAT.parse_all("b/one.yaml", one).unwrap());
        all.extend(faults::FORMAT.parse_all("b/skew.yaml", two).unwrap());
        all
    }

    fn ids(globs: &[&str]) -> Vec<String> {
        let globs: Vec<String> = globs.iter().map(|g| (*g).to_owned()).collect();
        select(scenarios(), &globs).map_or_else(|_| Vec::new(), |s| s.into_iter().map(|s| s.id).collect())
    }

    #[test]
    fn names_are_stable_and_unlike() {
        assert_eq!(
            ids(&[]),
            ["a/one", "b/one", "skew[skew=-301s]", "skew[skew=299s]"]
        );
    }

    #[test]
    fn globs_choose_by_name_path_or_title() {
        assert_eq!(ids(&["skew[skew=-301s]"]), ["skew[skew=-301s]"]);
        assert_eq!(ids(&["b/*"]), ["b/one", "skew[skew=-301s]", "skew[skew=299s]"]);
        assert_eq!(ids(&["Two*", "a/*"]).len(), 3);
        assert!(ids(&["three"]).is_empty());
    }
}
