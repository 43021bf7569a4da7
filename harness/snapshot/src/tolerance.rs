//! Tolerated differences in the order of a log, as a scenario declares them. All other differences count.

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::SnapshotError;
use crate::log::{Line, Log};

/// Tolerated behaviour of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum May {
    /// They may appear anywhere among the other lines; their own order and number must be equal.
    Interleave,
    /// They may be repeated next to each other; they must appear at least once.
    Repeat,
    /// They may be repeated, and other lines may come in between.
    InterleaveAndRepeat,
    /// They may be missing: lines that one backend prints and another does not, such as the boot ROM's
    /// banner.
    BeAbsent,
}

/// One declaration of a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ToleranceRule {
    /// The lines: a regular expression (crate `regex`) that matches somewhere in the redacted line.
    pub lines: String,
    /// Tolerated behaviour of these lines.
    pub may: May,
}

/// The declarations of a scenario. For each line the first declaration that matches it applies.
#[derive(Clone, Debug, Default)]
pub struct Tolerance(Vec<(Regex, May)>);

/// Lines that are compared with each other, in order.
pub(crate) struct Stream {
    /// Name of the stream; `None` for the lines without a declaration.
    pub(crate) title: Option<String>,
    pub(crate) lines: Vec<Line>,
}

impl Stream {
    pub(crate) fn texts(&self) -> Vec<&str> {
        self.lines.iter().map(|line| line.text.as_str()).collect()
    }
}

impl Tolerance {
    /// Compiles the declarations.
    ///
    /// # Errors
    /// [`SnapshotError::Pattern`] for a pattern that is not a regular expression.
    pub fn new(rules: &[ToleranceRule]) -> Result<Tolerance, SnapshotError> {
        let compile = |rule: &ToleranceRule| {
            let source = |source| SnapshotError::Pattern {
                pattern: rule.lines.clone(),
                source: Box::new(source),
            };
            Ok((Regex::new(&rule.lines).map_err(source)?, rule.may))
        };
        Ok(Tolerance(rules.iter().map(compile).collect::<Result<_, _>>()?))
    }

    /// Moves the lines that may interleave to streams of their own, and removes tolerated repetitions. The
    /// first stream has all other lines.
    pub(crate) fn split(&self, log: &Log) -> Vec<Stream> {
        let title = |(regex, may): &(Regex, May)| match may {
            May::Repeat | May::BeAbsent => None,
            May::Interleave | May::InterleaveAndRepeat => {
                Some(format!("lines like `{regex}`, which may interleave"))
            }
        };
        let mut streams = vec![Stream {
            title: None,
            lines: Vec::new(),
        }];
        streams.extend(self.0.iter().map(|rule| Stream {
            title: title(rule),
            lines: Vec::new(),
        }));
        for line in &log.lines {
            let rule = self.0.iter().position(|(regex, _)| regex.is_match(&line.text));
            let (stream, repeats) = match rule.map(|i| (i, self.0[i].1)) {
                None => (0, false),
                Some((_, May::BeAbsent)) => continue,
                Some((_, May::Repeat)) => (0, true),
                Some((i, May::Interleave)) => (i + 1, false),
                Some((i, May::InterleaveAndRepeat)) => (i + 1, true),
            };
            let lines = &mut streams[stream].lines;
            let again = lines.last().is_some_and(|last| last.text == line.text);
            if !(repeats && again) {
                lines.push(line.clone());
            }
        }
        streams
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_pattern_is_named() {
        let rule = ToleranceRule {
            lines: "(".into(),
            may: May::Repeat,
        };
        assert_eq!(
            Tolerance::new(&[rule]).unwrap_err().to_string(),
            "`(` is not a regular expression"
        );
    }

    #[test]
    fn what_may_be_absent_is_no_difference_and_the_rest_is() {
        let rule = ToleranceRule {
            lines: "^rst:".into(),
            may: May::BeAbsent,
        };
        let tolerance = Tolerance::new(&[rule]).unwrap();
        let with = Log::from_text("rst:0x1\nboot\nrst:0xc\nboot");
        let compared = |other| crate::compare(&with, Some(&Log::from_text(other)), &tolerance);
        assert_eq!(compared("boot\nboot"), crate::Comparison::Same);
        assert!(matches!(compared("boot"), crate::Comparison::Different(_)));
    }

    #[test]
    fn the_first_rule_that_matches_takes_the_line() {
        let rules = [
            ToleranceRule {
                lines: "^a".into(),
                may: May::Interleave,
            },
            ToleranceRule {
                lines: "b$".into(),
                may: May::Interleave,
            },
        ];
        let streams = Tolerance::new(&rules)
            .unwrap()
            .split(&Log::from_text("ab\nxb\nc"));
        let texts: Vec<_> = streams.iter().map(Stream::texts).collect();
        assert_eq!(texts, [vec!["c"], vec!["ab"], vec!["xb"]]);
    }
}
