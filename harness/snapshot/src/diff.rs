//! Differences between two logs: lines, words within a line, and blocks that moved.

use sim::Instant;
use similar::{Algorithm, ChangeTag, DiffOp, DiffTag, TextDiff, capture_diff_slices};

use crate::log::Line;

/// Unchanged lines shown around a difference.
const CONTEXT: usize = 3;
/// Least similarity of two lines that count as one changed line; less similar ones are a removed and an added
/// line.
const ALIKE: f32 = 0.5;
/// Least length of a single moved line, characters: short lines such as `ok` repeat often.
const MOVED_LINE_CHARS: usize = 8;
/// Greatest number of pairs of removed and added lines for which moved blocks are searched.
const MAX_MOVE_PAIRS: usize = 4_000_000;

/// Differences between two logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff {
    /// The main log first, then each kind of lines that may interleave, if they differ.
    pub sections: Vec<Section>,
}

/// The differences of one stream of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Name of the stream; `None` for the main log.
    pub title: Option<String>,
    /// Groups of rows, each with its context.
    pub hunks: Vec<Vec<Row>>,
}

/// Parts of a line, each with a flag: true if this part differs.
pub type Words = Vec<(bool, String)>;

/// A row of a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// A line that both logs have.
    Same {
        /// Time of the line in the snapshot.
        old_at: Option<Instant>,
        /// Time of the line in this run.
        new_at: Option<Instant>,
        /// Text of the line.
        text: String,
    },
    /// A line that only the snapshot has.
    Removed {
        /// Time of the line in the snapshot.
        at: Option<Instant>,
        /// Parts of the line.
        words: Words,
    },
    /// A line that only this run has.
    Added {
        /// Time of the line in this run.
        at: Option<Instant>,
        /// Parts of the line.
        words: Words,
    },
    /// A block of the snapshot at this place, which this run has elsewhere.
    MovedAway {
        /// Time of its first line in the snapshot.
        at: Option<Instant>,
        /// Time of its first line in this run.
        to: Option<Instant>,
        /// Text of its lines.
        lines: Vec<String>,
    },
    /// A block of this run at this place, which the snapshot has elsewhere.
    MovedHere {
        /// Time of its first line in this run.
        at: Option<Instant>,
        /// Time of its first line in the snapshot.
        from: Option<Instant>,
        /// Text of its lines.
        lines: Vec<String>,
    },
}

/// A block of `len` lines at line `old` of the snapshot and line `new` of this run.
#[derive(Clone, Copy)]
struct Move {
    old: usize,
    new: usize,
    len: usize,
}

/// The differences between two streams of lines.
pub(crate) fn section(title: Option<String>, old: &[Line], new: &[Line]) -> Section {
    let (a, b): (Vec<&str>, Vec<&str>) = (
        old.iter().map(|l| l.text.as_str()).collect(),
        new.iter().map(|l| l.text.as_str()).collect(),
    );
    let ops = capture_diff_slices(Algorithm::Patience, &a, &b);
    let moves = moves(&ops, &a, &b);
    let builder = Builder { old, new, moves };
    let hunks = similar::group_diff_ops(ops, CONTEXT)
        .iter()
        .map(|group| builder.hunk(group))
        .collect();
    Section { title, hunks }
}

/// Finds blocks that are removed at one place and added, equal, at another; the longest first.
fn moves(ops: &[DiffOp], a: &[&str], b: &[&str]) -> Vec<Move> {
    let not_equal = || ops.iter().filter(|op| op.tag() != DiffTag::Equal);
    let removed: Vec<usize> = not_equal().flat_map(DiffOp::old_range).collect();
    let added: Vec<usize> = not_equal().flat_map(DiffOp::new_range).collect();
    if removed.len().saturating_mul(added.len()) > MAX_MOVE_PAIRS {
        return Vec::new();
    }
    let (mut free_a, mut free_b) = (vec![false; a.len()], vec![false; b.len()]);
    removed.iter().for_each(|&i| free_a[i] = true);
    added.iter().for_each(|&j| free_b[j] = true);
    let mut candidates: Vec<Move> = Vec::new();
    for &old in &removed {
        for &new in added.iter().filter(|&&j| b[j] == a[old]) {
            // Only the first line of a block is a candidate; the others are part of it.
            let inner = old > 0 && new > 0 && free_a[old - 1] && free_b[new - 1] && a[old - 1] == b[new - 1];
            if !inner {
                let fits = |k: &usize| {
                    let (i, j) = (old + k, new + k);
                    i < a.len() && j < b.len() && free_a[i] && free_b[j] && a[i] == b[j]
                };
                candidates.push(Move {
                    old,
                    new,
                    len: (0..).take_while(fits).count(),
                });
            }
        }
    }
    candidates.sort_by_key(|m| (std::cmp::Reverse(m.len), m.old, m.new));
    let mut out: Vec<Move> = Vec::new();
    for m in candidates {
        let whole = (0..m.len).all(|k| free_a[m.old + k] && free_b[m.new + k]);
        let text = a[m.old];
        let alone = |lines: &[&str]| lines.iter().filter(|l| **l == text).count() == 1;
        if whole && (m.len > 1 || text.chars().count() >= MOVED_LINE_CHARS && alone(a) && alone(b)) {
            (0..m.len).for_each(|k| (free_a[m.old + k], free_b[m.new + k]) = (false, false));
            out.push(m);
        }
    }
    out
}

struct Builder<'a> {
    old: &'a [Line],
    new: &'a [Line],
    moves: Vec<Move>,
}

impl Builder<'_> {
    fn hunk(&self, group: &[DiffOp]) -> Vec<Row> {
        let mut rows = Vec::new();
        for op in group {
            if op.tag() == DiffTag::Equal {
                rows.extend(op.old_range().zip(op.new_range()).map(|(i, j)| Row::Same {
                    old_at: self.old[i].at,
                    new_at: self.new[j].at,
                    text: self.new[j].text.clone(),
                }));
            } else {
                self.change(op, &mut rows);
            }
        }
        rows
    }

    fn change(&self, op: &DiffOp, rows: &mut Vec<Row>) {
        let away = |i: usize| self.moves.iter().find(|m| (m.old..m.old + m.len).contains(&i));
        let here = |j: usize| self.moves.iter().find(|m| (m.new..m.new + m.len).contains(&j));
        let removed: Vec<usize> = op.old_range().filter(|&i| away(i).is_none()).collect();
        let added: Vec<usize> = op.new_range().filter(|&j| here(j).is_none()).collect();
        // Lines that changed in place have the same order on both sides.
        let mut pairs: Vec<(usize, usize, TextDiff<'_, '_, str>)> = Vec::new();
        for &i in &removed {
            let after = pairs.last().map_or(0, |(_, j, _)| j + 1);
            let alike = added.iter().filter(|&&j| j >= after).find_map(|&j| {
                let diff = TextDiff::from_words(self.old[i].text.as_str(), self.new[j].text.as_str());
                (diff.ratio() >= ALIKE).then_some((i, j, diff))
            });
            pairs.extend(alike);
        }
        let words = |pair: Option<&(usize, usize, TextDiff<'_, '_, str>)>, keep: ChangeTag, whole: &str| {
            let Some((.., diff)) = pair else {
                return vec![(false, whole.to_owned())];
            };
            let mut out: Words = Vec::new();
            for change in diff
                .iter_all_changes()
                .filter(|c| c.tag() == ChangeTag::Equal || c.tag() == keep)
            {
                let differs = change.tag() == keep;
                match out.last_mut() {
                    Some((last, text)) if *last == differs => text.push_str(change.value()),
                    _ => out.push((differs, change.value().to_owned())),
                }
            }
            out
        };
        for i in op.old_range() {
            match away(i) {
                Some(m) if m.old == i => rows.push(Row::MovedAway {
                    at: self.old[i].at,
                    to: self.new[m.new].at,
                    lines: self.old[i..i + m.len].iter().map(|l| l.text.clone()).collect(),
                }),
                Some(_) => {}
                None => {
                    let pair = pairs.iter().find(|p| p.0 == i);
                    let words = words(pair, ChangeTag::Delete, &self.old[i].text);
                    rows.push(Row::Removed {
                        at: self.old[i].at,
                        words,
                    });
                }
            }
        }
        for j in op.new_range() {
            match here(j) {
                Some(m) if m.new == j => rows.push(Row::MovedHere {
                    at: self.new[j].at,
                    from: self.old[m.old].at,
                    lines: self.new[j..j + m.len].iter().map(|l| l.text.clone()).collect(),
                }),
                Some(_) => {}
                None => {
                    let pair = pairs.iter().find(|p| p.1 == j);
                    let words = words(pair, ChangeTag::Insert, &self.new[j].text);
                    rows.push(Row::Added {
                        at: self.new[j].at,
                        words,
                    });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log with one line per second.
    fn lines(text: &str) -> Vec<Line> {
        let line = |(i, text): (usize, &str)| Line {
            at: Some(Instant::from_secs(i as u64)),
            text: text.to_owned(),
        };
        text.lines().enumerate().map(line).collect()
    }

    fn rows(old: &str, new: &str) -> Vec<Row> {
        let section = section(None, &lines(old), &lines(new));
        section
            .hunks
            .concat()
            .into_iter()
            .filter(|r| !matches!(r, Row::Same { .. }))
            .collect()
    }

    fn s(n: u64) -> Option<Instant> {
        Some(Instant::from_secs(n))
    }

    #[test]
    fn the_words_that_changed_are_marked_with_both_times() {
        let got = rows(
            "a\nSession renewed after 2700 s\nb",
            "a\nSession renewed after 3600 s\nb",
        );
        let part = |number: &str| {
            vec![
                (false, "Session renewed after ".into()),
                (true, number.to_owned()),
                (false, " s".into()),
            ]
        };
        let want = [
            Row::Removed {
                at: s(1),
                words: part("2700"),
            },
            Row::Added {
                at: s(1),
                words: part("3600"),
            },
        ];
        assert_eq!(got, want);
    }

    #[test]
    fn lines_with_nothing_in_common_are_two_lines() {
        let got = rows("a\nrelay on\nb", "a\nWiFi lost, reason 200\nb");
        let whole = |text: &str| vec![(false, text.to_owned())];
        let want = [
            Row::Removed {
                at: s(1),
                words: whole("relay on"),
            },
            Row::Added {
                at: s(1),
                words: whole("WiFi lost, reason 200"),
            },
        ];
        assert_eq!(got, want);
    }

    #[test]
    fn a_block_that_moved_is_shown_as_moved() {
        let got = rows("1\nx one\nx two\n2\n3\n4\n5", "1\n2\n3\n4\nx one\nx two\n5");
        let block = vec!["x one".to_owned(), "x two".to_owned()];
        let want = [
            Row::MovedAway {
                at: s(1),
                to: s(4),
                lines: block.clone(),
            },
            Row::MovedHere {
                at: s(4),
                from: s(1),
                lines: block,
            },
        ];
        assert_eq!(got, want);
    }

    #[test]
    fn a_short_line_does_not_move() {
        let got = rows("ok\n1\n2\n3", "1\n2\n3\nok");
        assert!(
            matches!(got[..], [Row::Removed { .. }, Row::Added { .. }]),
            "{got:?}"
        );
    }

    #[test]
    fn context_stands_around_and_far_lines_are_left_out() {
        let old: String = (0..100).map(|i| format!("line {i}\n")).collect();
        let new = old.replace("line 50\n", "line fifty\n").replace("line 90\n", "");
        let section = section(None, &lines(&old), &lines(&new));
        assert_eq!(section.hunks.len(), 2);
        assert_eq!(section.hunks[0].len(), 8);
    }
}
