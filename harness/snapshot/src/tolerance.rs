//! What a scenario declares about the order of its log. Nothing is tolerated that is not declared.

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::SnapshotError;
use crate::log::{Line, Log};

/// What lines may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum May {
    /// Stand anywhere among the other lines; their own order and number stay.
    Interleave,
    /// Come more than once, next to each other; once they must come.
    Repeat,
    /// Both: repeated with other lines in between.
    InterleaveAndRepeat,
    /// Come or not: what one backend prints and another does not, such as the greeting of the boot ROM.
    BeAbsent,
}

/// One declaration, as people write it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ToleranceRule {
    /// Which lines: a regular expression (crate `regex`) that matches somewhere in the redacted line.
    pub lines: String,
    /// What they may do.
    pub may: May,
}

/// The declarations of a scenario. A line belongs to the first that matches it.
#[derive(Clone, Debug, Default)]
pub struct Tolerance(Vec<(Regex, May)>);

/// Lines that are compared with each other.
pub(crate) struct Stream {
    /// Which lines these are; `None` for all that no declaration takes out.
    pub(crate) title: Option<String>,
    pub(crate) lines: Vec<Line>,
}

impl Stream {
    pub(crate) fn texts(&self) -> Vec<&str> {
        self.lines.iter().map(|line| line.text.as_str()).collect()
    }
}

impl Tolerance {
    /// From declarations.
    ///
    /// # Errors
    /// [`SnapshotError::Pattern`] for a pattern that is no regular expression.
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

    /// Takes the lines that may interleave out into streams of their own, and leaves out tolerated repetitions.
    /// The first stream is that of all other lines.
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
