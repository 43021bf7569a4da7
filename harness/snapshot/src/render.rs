//! A diff as text for a terminal: both simulated times, then the line.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use sim::Instant;

use crate::diff::{Diff, Row, Words};

const OLD: Style = AnsiColor::Red.on_default();
const OLD_WORD: Style = AnsiColor::Red.on_default().bold().underline();
const NEW: Style = AnsiColor::Green.on_default();
const NEW_WORD: Style = AnsiColor::Green.on_default().bold().underline();
const MOVED: Style = AnsiColor::Cyan.on_default();
const DIM: Style = Style::new().dimmed();

/// Width of a time: `0:00:00.000`, and room for hundreds of hours.
const TIME: usize = 12;
/// Greatest number of lines of a moved block that are shown.
const MOVED_LINES: usize = 4;

/// The text of `diff`, each line with its line feed. Lines of the snapshot are red with `-`, lines of this
/// run are green with `+`.
pub fn render(diff: &Diff) -> String {
    let mut out = String::new();
    for (i, section) in diff.sections.iter().enumerate() {
        if let Some(title) = &section.title {
            let _ = writeln!(out, "{}{DIM}{title}{DIM:#}", if i > 0 { "\n" } else { "" });
        }
        let _ = writeln!(out, "{DIM}{:>TIME$} {:>TIME$}{DIM:#}", "snapshot", "this run");
        for (n, hunk) in section.hunks.iter().enumerate() {
            if n > 0 {
                let _ = writeln!(out, "{DIM}{:>TIME$} {:>TIME$}   ⋮{DIM:#}", "", "");
            }
            hunk.iter().for_each(|r| row(&mut out, r));
        }
    }
    out
}

fn time(at: Option<Instant>) -> String {
    at.map_or_else(String::new, |at| at.to_string())
}

fn times(old: Option<Instant>, new: Option<Instant>) -> String {
    format!("{DIM}{:>TIME$} {:>TIME$}{DIM:#}", time(old), time(new))
}

fn row(out: &mut String, row: &Row) {
    let _ = match row {
        Row::Same { old_at, new_at, text } => writeln!(out, "{}   {text}", times(*old_at, *new_at)),
        Row::Removed { at, words } => {
            writeln!(
                out,
                "{} {OLD}-{OLD:#} {}",
                times(*at, None),
                line(words, OLD, OLD_WORD)
            )
        }
        Row::Added { at, words } => {
            writeln!(
                out,
                "{} {NEW}+{NEW:#} {}",
                times(None, *at),
                line(words, NEW, NEW_WORD)
            )
        }
        Row::MovedAway { at, to, lines } => {
            let what = format!("{} moved to {}", count(lines), time(*to));
            block(out, &times(*at, None), &what, '<', lines)
        }
        Row::MovedHere { at, from, lines } => {
            let what = format!("{} moved from {}", count(lines), time(*from));
            block(out, &times(None, *at), &what, '>', lines)
        }
    };
}

fn count(lines: &[String]) -> String {
    if lines.len() == 1 {
        "1 line".to_owned()
    } else {
        format!("{} lines", lines.len())
    }
}

fn block(out: &mut String, times: &str, what: &str, sign: char, lines: &[String]) -> std::fmt::Result {
    writeln!(out, "{times} {MOVED}{sign} {what}{MOVED:#}")?;
    let blank = format!("{:>TIME$} {:>TIME$}", "", "");
    for text in lines.iter().take(MOVED_LINES) {
        writeln!(out, "{blank} {MOVED}{sign}{MOVED:#}   {text}")?;
    }
    if lines.len() > MOVED_LINES {
        writeln!(
            out,
            "{blank} {MOVED}{sign}   … {} more{MOVED:#}",
            lines.len() - MOVED_LINES
        )?;
    }
    Ok(())
}

fn line(words: &Words, plain: Style, strong: Style) -> String {
    words.iter().fold(String::new(), |mut out, (differs, text)| {
        let style = if *differs { strong } else { plain };
        let _ = write!(out, "{style}{text}{style:#}");
        out
    })
}

#[cfg(test)]
mod tests {
    use crate::{Comparison, Log, Tolerance, compare};

    /// Removes the styles, so that the test can compare plain text.
    fn plain(styled: &str) -> String {
        let mut out = String::new();
        let mut rest = styled;
        while let Some(i) = rest.find('\u{1b}') {
            out.push_str(&rest[..i]);
            rest = &rest[i + rest[i..].find('m').unwrap() + 1..];
        }
        out + rest
    }

    #[test]
    fn a_diff_reads_with_both_times() {
        let mut logs = [
            "boot\nrenewed after 45 min\ndone",
            "boot\nrenewed after 60 min\ndone",
        ]
        .map(Log::from_text);
        for (i, log) in logs.iter_mut().enumerate() {
            for (n, line) in log.lines.iter_mut().enumerate() {
                line.at = Some(sim::Instant::from_millis((1000 * i + n) as u64));
            }
        }
        let Comparison::Different(diff) = compare(&logs[1], Some(&logs[0]), &Tolerance::default()) else {
            panic!("they differ")
        };
        let want = "    snapshot     this run
 0:00:00.000  0:00:01.000   boot
 0:00:00.001              - renewed after 45 min
              0:00:01.001 + renewed after 60 min
 0:00:00.002  0:00:01.002   done
";
        assert_eq!(plain(&super::render(&diff)), want);
    }
}
