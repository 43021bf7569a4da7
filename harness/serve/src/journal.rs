//! The last events, numbered; the oldest go first.

use std::collections::VecDeque;
use std::rc::Rc;

use vocabulary::{Endpoint, Event, Kind, Phase};

/// Events kept at most.
pub(crate) const MOST_EVENTS: usize = 10_000;
/// Bytes of JSON kept at most.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// What a wait looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) phase: Phase,
    pub(crate) status: Option<u16>,
}

/// An event with its number.
#[derive(Clone, Debug)]
pub(crate) struct Numbered {
    /// From 1.
    pub(crate) seq: u64,
    /// The event as one line of JSON, without a line end.
    pub(crate) line: Rc<str>,
    /// For requests.
    pub(crate) asked: Option<Asked>,
}

/// The last events.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: VecDeque<Numbered>,
    bytes: usize,
    last: u64,
}

impl Journal {
    pub(crate) fn push(&mut self, event: &Event) {
        self.last += 1;
        let seq = self.last;
        // Our own types without maps or foreign keys: they become JSON.
        let json = serde_json::to_string(event).unwrap_or_else(|why| format!("{{\"unwritable\":\"{why}\"}}"));
        let line: Rc<str> = format!("{{\"seq\":{seq},{}", &json[1..]).into();
        let asked = if let Kind::Request { phase, exchange } = &event.kind {
            Some(Asked {
                endpoint: exchange.endpoint.clone(),
                phase: *phase,
                status: exchange.status,
            })
        } else {
            None
        };
        self.bytes += line.len();
        self.entries.push_back(Numbered { seq, line, asked });
        while self.entries.len() > MOST_EVENTS || (self.bytes > MOST_BYTES && self.entries.len() > 1) {
            if let Some(oldest) = self.entries.pop_front() {
                self.bytes -= oldest.line.len();
            }
        }
    }

    /// The number of the last event; 0 before the first.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// The number of the oldest event that is kept; one more than the last when there is none.
    pub(crate) fn first(&self) -> u64 {
        self.entries.front().map_or(self.last + 1, |e| e.seq)
    }

    /// The events that are kept with a number above `after`.
    pub(crate) fn after(&self, after: u64) -> impl Iterator<Item = &Numbered> {
        let skip = after.saturating_add(1).saturating_sub(self.first());
        self.entries
            .iter()
            .skip(usize::try_from(skip).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim::Instant;

    fn note(text: &str) -> Event {
        Event {
            at: Instant::from_secs(1),
            kind: Kind::Note {
                text: text.to_owned(),
            },
        }
    }

    #[test]
    fn events_are_numbered_lines() {
        let mut journal = Journal::default();
        assert_eq!((journal.first(), journal.last()), (1, 0));
        journal.push(&note("a"));
        journal.push(&note("b"));
        let lines: Vec<String> = journal.after(1).map(|e| e.line.to_string()).collect();
        assert_eq!(
            lines,
            [r#"{"seq":2,"at_ns":1000000000,"event":{"note":{"text":"b"}}}"#]
        );
        assert_eq!(journal.after(2).count(), 0);
        assert_eq!(journal.after(u64::MAX).count(), 0);
        assert_eq!(journal.after(0).count(), 2);
    }

    #[test]
    fn the_oldest_go_by_count_and_by_size() {
        let mut journal = Journal::default();
        for _ in 0..MOST_EVENTS + 3 {
            journal.push(&note("x"));
        }
        assert_eq!((journal.first(), journal.last()), (4, MOST_EVENTS as u64 + 3));
        assert_eq!(journal.after(0).count(), MOST_EVENTS);
        let mut journal = Journal::default();
        for _ in 0..20 {
            journal.push(&note(&"y".repeat(1024 * 1024)));
        }
        assert_eq!(
            journal.after(0).count(),
            7,
            "7 of a little more than 1 MiB fit in 8 MiB"
        );
        assert!(journal.bytes <= MOST_BYTES);
    }
}
