//! Times of occurrences and of near misses, as messages list them.

use sim::Instant;

/// Greatest number of times that a message lists.
const LISTED: usize = 8;

/// Times of occurrences: all are counted, the first ones are kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times {
    pub(crate) count: u64,
    first: Vec<Instant>,
}

impl Times {
    pub(crate) fn push(&mut self, at: Instant) {
        self.count += 1;
        if self.first.len() < LISTED {
            self.first.push(at);
        }
    }

    /// Time of the first occurrence.
    pub(crate) fn first(&self) -> Option<Instant> {
        self.first.first().copied()
    }

    /// `, at 0:00:01.000, 0:00:02.000, …`, or an empty text.
    pub(crate) fn list(&self) -> String {
        if self.first.is_empty() {
            return String::new();
        }
        let times: Vec<String> = self.first.iter().map(Instant::to_string).collect();
        let more = if self.count > LISTED as u64 { ", …" } else { "" };
        format!(", at {}{more}", times.join(", "))
    }
}

/// `once`, `2 times`.
pub(crate) fn times(count: u64) -> String {
    if count == 1 {
        "once".to_owned()
    } else {
        format!("{count} times")
    }
}

/// Occurrences that only a filter kept from being counted, with what they had in its place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Misses {
    count: u64,
    first: Vec<(Instant, String)>,
}

impl Misses {
    pub(crate) fn push(&mut self, at: Instant, instead: String) {
        self.count += 1;
        if self.first.len() < LISTED {
            self.first.push((at, instead));
        }
    }

    /// ` (lost once, with reason 4, at 0:05:00.000)`, or an empty text. `verb` names the occurrences.
    pub(crate) fn told(&self, verb: &str) -> String {
        let Some((_, one)) = self.first.first() else {
            return String::new();
        };
        let more = if self.count > LISTED as u64 { ", …" } else { "" };
        let how_often = times(self.count);
        if self.first.iter().all(|(_, instead)| instead == one) {
            let at: Vec<String> = self.first.iter().map(|(at, _)| at.to_string()).collect();
            return format!(" ({verb} {how_often}, {one}, at {}{more})", at.join(", "));
        }
        let each: Vec<String> = self
            .first
            .iter()
            .map(|(at, instead)| format!("{instead} at {at}"))
            .collect();
        format!(" ({verb} {how_often}: {}{more})", each.join(", "))
    }
}
