//! Search for the log line that is most similar to an expected text.

use std::collections::VecDeque;

use scenario::Pattern;
use sim::Instant;
use vocabulary::text::{one_line, without_escapes};

/// Greatest size of the lines that are kept, bytes.
const MAX_BYTES: usize = 4 << 20;

/// Least similarity of a line that is reported, percent.
const MIN_SIMILAR: usize = 40;

/// The lines of the console without escape sequences, with the times at which they ended; the oldest are
/// dropped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    lines: VecDeque<(Instant, String)>,
    bytes: usize,
}

impl Log {
    pub(crate) fn push(&mut self, at: Instant, line: &str) {
        let line = without_escapes(line).into_owned();
        self.bytes += line.len();
        self.lines.push_back((at, line));
        while self.bytes > MAX_BYTES {
            let Some((_, old)) = self.lines.pop_front() else {
                break;
            };
            self.bytes -= old.len();
        }
    }
}

/// Text with which lines are compared.
#[derive(Clone, Debug)]
pub(crate) enum Near {
    /// Lines are not compared.
    Nothing,
    /// Compared with this text; `literal` is true if a line contains it as it is.
    Text { text: String, literal: bool },
}

impl Near {
    pub(crate) fn new(pattern: Pattern<'_>) -> Near {
        match pattern {
            Pattern::Text(text) => Near::Text {
                text: text.to_owned(),
                literal: true,
            },
            // A regular expression without its operators is mostly the text that it searches.
            Pattern::Regex(regex) => Near::Text {
                text: letters(regex),
                literal: false,
            },
        }
    }

    /// The most similar line; of several equal ones the first.
    pub(crate) fn similar(&self, log: &Log) -> Option<String> {
        let Near::Text { text, .. } = self else {
            return None;
        };
        let wanted = trigrams(text);
        if wanted.is_empty() {
            return None;
        }
        let score = |line: &str| {
            let found = trigrams(line);
            let common = wanted.iter().filter(|t| found.binary_search(t).is_ok()).count();
            common * 100 / wanted.len()
        };
        let mut best: Option<(usize, &(Instant, String))> = None;
        for entry in &log.lines {
            let score = score(&entry.1);
            if score >= MIN_SIMILAR && best.is_none_or(|(s, _)| score > s) {
                best = Some((score, entry));
            }
        }
        best.map(|(_, (at, line))| format!("{at} {}", one_line(line)))
    }

    /// The line that contains the pattern and ended at `at`.
    pub(crate) fn line_at(&self, log: &Log, at: Instant) -> Option<String> {
        let Near::Text { text, literal } = self else {
            return None;
        };
        let from = log.lines.partition_point(|(ended, _)| *ended < at);
        let shows = |line: &str| !literal || line.contains(text.as_str());
        let (ended, line) = log.lines.range(from..).find(|(_, line)| shows(line))?;
        Some(format!("{ended} {}", one_line(line)))
    }
}

/// The letters and digits of a regular expression, with a space for each sequence of other characters.
fn letters(regex: &str) -> String {
    let mut out = String::new();
    let mut chars = regex.chars().peekable();
    while let Some(c) = chars.next() {
        // `\d`, `\w` and the like are not letters; `\[` is the character itself.
        let sign = if c == '\\' {
            chars.next().filter(|c| !c.is_alphanumeric())
        } else {
            Some(c)
        };
        match sign {
            Some(c) if c.is_alphanumeric() || c == '_' => out.push(c),
            _ if !out.ends_with(' ') => out.push(' '),
            _ => {}
        }
    }
    out.trim().to_owned()
}

/// All sequences of three letters, in lower case, sorted. A shorter text is one sequence.
fn trigrams(text: &str) -> Vec<[char; 3]> {
    let chars: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
    let mut pieces: Vec<[char; 3]> = chars.windows(3).map(|w| [w[0], w[1], w[2]]).collect();
    pieces.sort_unstable();
    pieces.dedup();
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> Log {
        let mut log = Log::default();
        for (s, line) in [
            (1, "boot"),
            (2, "[UPDATE] Session renewd"),
            (3, "[UPDATE] Using session: 12"),
            (4, "ready"),
        ] {
            log.push(Instant::from_secs(s), line);
        }
        log
    }

    #[test]
    fn the_most_similar_line_is_found_with_its_time() {
        let near = Near::new(Pattern::Text("[UPDATE] Session renewed"));
        assert_eq!(
            near.similar(&log()).unwrap(),
            "0:00:02.000 [UPDATE] Session renewd"
        );
        let near = Near::new(Pattern::Regex(
            &scenario::Regex::new(r"^\[UPDATE\] Using sesion: [0-9a-f]{32}$").unwrap(),
        ));
        assert_eq!(
            near.similar(&log()).unwrap(),
            "0:00:03.000 [UPDATE] Using session: 12"
        );
        assert_eq!(Near::new(Pattern::Text("Guru Meditation")).similar(&log()), None);
        assert_eq!(Near::new(Pattern::Text("x")).similar(&log()), None);
    }

    #[test]
    fn old_lines_make_room() {
        let mut log = Log::default();
        let line = "x".repeat(MAX_BYTES / 4);
        for s in 0..10 {
            log.push(Instant::from_secs(s), &line);
        }
        assert_eq!(log.lines.len(), 4);
        assert_eq!(log.lines[0].0, Instant::from_secs(6));
    }
}
