//! The file format of insta (crate `insta` 1.x, `Snapshot::from_file` and `save`): a YAML header between lines
//! of three dashes, then the text.
//!
//! The simulated times of the lines are in the header's `info`, which insta keeps when a snapshot is accepted
//! and ignores in its comparison: a run that differs only in its times is equal.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use sim::Instant;

use crate::SnapshotError;
use crate::log::Log;

const FENCE: &str = "---";
/// First word of the list of times; with it YAML reads a list of one time as text and not as a number.
const TIMES_MARK: &str = "ms36";
const RADIX: u64 = 36;
/// The last moment that there is, milliseconds.
const LAST_MS: u64 = u64::MAX / 1_000_000;

/// A serial log stored as a snapshot file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Path of the scenario, in insta's field `source`.
    pub source: String,
    /// Description of the text, in insta's field `expression`.
    pub expression: String,
    /// The stored lines.
    pub log: Log,
}

impl Snapshot {
    /// Reads a snapshot.
    ///
    /// # Errors
    /// [`SnapshotError`] if the file cannot be read or is not a snapshot.
    pub fn read(path: &Path) -> Result<Snapshot, SnapshotError> {
        let text = report::input::read_text(path).map_err(io("read", path))?;
        Snapshot::parse(&text).map_err(|why| SnapshotError::Format {
            path: path.to_owned(),
            why,
        })
    }

    fn parse(text: &str) -> Result<Snapshot, &'static str> {
        let text = report::input::without_mark(text).replace("\r\n", "\n");
        if text.trim().is_empty() {
            return Err("it is empty");
        }
        // Conflict markers of an unfinished merge: `<<<<<<< HEAD`, `>>>>>>> branch`.
        let marked = |mark: &str| text.lines().any(|line| line.starts_with(mark));
        if marked("<<<<<<< ") && marked(">>>>>>> ") {
            return Err("it holds the conflict markers of an unfinished merge");
        }
        let mut rest = text
            .strip_prefix(FENCE)
            .and_then(|t| t.strip_prefix('\n'))
            .ok_or("it has no header")?;
        let (mut source, mut expression, mut times) = (String::new(), String::new(), None);
        loop {
            let (line, after) = rest.split_once('\n').ok_or("its header does not end")?;
            rest = after;
            if line.trim_end() == FENCE {
                break;
            }
            // Only the keys of `info` are indented; the other keys of this format are not.
            match line
                .split_once(':')
                .map(|(key, value)| (key, scalar(value.trim())))
            {
                Some(("source", value)) => source = value,
                Some(("expression", value)) => expression = value,
                Some((key, value)) if key.trim() == "times" => times = Some(value),
                _ => {}
            }
        }
        let mut log = Log::from_text(rest);
        if let Some(times) = times {
            let mut at_ms = 0_u64;
            let deltas = times
                .strip_prefix(TIMES_MARK)
                .unwrap_or("")
                .split_ascii_whitespace();
            for (line, delta) in log.lines.iter_mut().zip(deltas) {
                let Some(sum) = u64::from_str_radix(delta, RADIX as u32)
                    .ok()
                    .and_then(|delta| at_ms.checked_add(delta))
                    .filter(|ms| *ms <= LAST_MS)
                else {
                    break;
                };
                at_ms = sum;
                line.at = Some(Instant::from_millis(at_ms));
            }
        }
        Ok(Snapshot {
            source,
            expression,
            log,
        })
    }

    /// Writes the snapshot; equal snapshots give equal bytes.
    ///
    /// # Errors
    /// [`SnapshotError::Io`] if the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), SnapshotError> {
        fs::write(path, self.to_text()).map_err(io("write", path))
    }

    fn to_text(&self) -> String {
        let mut out = format!(
            "{FENCE}\nsource: {}\nexpression: {}\n",
            quoted(&self.source),
            quoted(&self.expression)
        );
        let mut times = TIMES_MARK.to_owned();
        let mut last_ms = 0;
        // If some lines have no time, times cannot be assigned to lines, so none are written.
        let all = !self.log.lines.is_empty() && self.log.lines.iter().all(|line| line.at.is_some());
        for at in self.log.lines.iter().filter_map(|line| line.at) {
            let _ = write!(times, " {}", base36(at.as_millis().saturating_sub(last_ms)));
            last_ms = at.as_millis();
        }
        if all {
            let _ = writeln!(out, "info:\n  times: {times}");
        }
        let _ = writeln!(out, "{FENCE}\n{}", self.log.text().trim_end());
        out
    }
}

pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> SnapshotError {
    move |source| SnapshotError::Io {
        what,
        path: path.to_owned(),
        source,
    }
}

fn base36(mut n: u64) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(char::from_digit((n % RADIX) as u32, RADIX as u32).expect("a digit below the radix"));
        n /= RADIX;
        if n == 0 {
            return digits.iter().rev().collect();
        }
    }
}

/// A YAML scalar that is read as the text it is: JSON's form, which is YAML's double-quoted one.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Reads a scalar as insta or this crate writes it: plain, single-quoted or double-quoted.
fn scalar(text: &str) -> String {
    if let Some(inner) = text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')) {
        return inner.replace("''", "'");
    }
    let Some(inner) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) else {
        return text.to_owned();
    };
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (c, false) => out.push(c),
            (_, true) => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some(u @ ('u' | 'x')) => {
                    let hex: String = chars.by_ref().take(if u == 'u' { 4 } else { 2 }).collect();
                    out.extend(u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32));
                }
                Some(c) => out.push(c),
                None => {}
            },
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Line;

    fn sample() -> Snapshot {
        let line = |ms, text: &str| Line {
            at: Some(Instant::from_millis(ms)),
            text: text.into(),
        };
        let log = Log {
            lines: vec![
                line(120, "# Boot"),
                line(130, "---"),
                line(2_700_000, "  indented: x"),
            ],
        };
        Snapshot {
            source: "scenarios/a \"b\".yaml".into(),
            expression: "serial log of a".into(),
            log,
        }
    }

    #[test]
    fn the_bytes_are_those_of_insta() {
        let want = "---\nsource: \"scenarios/a \\\"b\\\".yaml\"\nexpression: \"serial log of a\"\ninfo:\n  \
                    times: ms36 3c a 1lv8e\n---\n# Boot\n---\n  indented: x\n";
        assert_eq!(sample().to_text(), want);
        assert_eq!(Snapshot::parse(want), Ok(sample()));
    }

    #[test]
    fn what_insta_or_a_person_wrote_is_read_too() {
        let text = "---\nsource: scenarios/a.yaml\nassertion_line: 3\nexpression: 'it''s'\ninfo:\n  times: \"ms36 1\"\n\
                    snapshot_kind: text\n---\none\ntwo\n";
        let snapshot = Snapshot::parse(text).unwrap();
        assert_eq!(
            (snapshot.source.as_str(), snapshot.expression.as_str()),
            ("scenarios/a.yaml", "it's")
        );
        let times: Vec<_> = snapshot.log.lines.iter().map(|l| l.at).collect();
        assert_eq!(times, [Some(Instant::from_millis(1)), None]);
        assert_eq!(Snapshot::parse(&text.replace('\n', "\r\n")).unwrap(), snapshot);
    }

    #[test]
    fn a_byte_order_mark_is_skipped_and_times_that_overflow_are_left_out() {
        let text = sample().to_text();
        assert_eq!(Snapshot::parse(&format!("\u{feff}{text}")), Ok(sample()));
        for times in ["zzzzzzzzzzzzz", "3w5e11264sgsf 1", "zzzzzzzzzz zzzzzzzzzz"] {
            let text = text.replace("3c a 1lv8e", times);
            let read = Snapshot::parse(&text).unwrap();
            assert_eq!(read.log.lines.len(), 3, "{times}");
        }
    }

    #[test]
    fn other_files_are_refused() {
        assert_eq!(Snapshot::parse(""), Err("it is empty"));
        let merge = "---\nsource: a\n---\n<<<<<<< HEAD\na\n=======\nb\n>>>>>>> other\n";
        assert!(Snapshot::parse(merge).unwrap_err().contains("conflict markers"));
        assert!(Snapshot::parse("hello").is_err());
        assert!(Snapshot::parse("---\nsource: x\n").is_err());
    }
}
