//! `serial-order` and `serial-all`: several texts, in this order or in any.

use sim::Instant;

use crate::happening::{Happening, Subject};
use crate::judge::{Failure, Judge};
use crate::nearest::{Log, Near};

/// One of the expected texts.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) subject: Subject,
    pub(crate) near: Near,
    seen: Option<Instant>,
}

impl Entry {
    pub(crate) fn new(name: String, subject: Subject, near: Near) -> Entry {
        Entry {
            name,
            subject,
            near,
            seen: None,
        }
    }
}

/// Expects each text after the one before it.
#[derive(Debug)]
pub(crate) struct Ordered {
    entries: Vec<Entry>,
    next: usize,
    last: Instant,
}

impl Ordered {
    pub(crate) fn new(entries: Vec<Entry>) -> Ordered {
        Ordered {
            entries,
            next: 0,
            last: Instant::ZERO,
        }
    }
}

impl Judge for Ordered {
    fn observe(&mut self, h: &Happening<'_>) {
        // Texts that are expected later, or were found already, are recorded for the message.
        for (i, entry) in self.entries.iter_mut().enumerate() {
            if let Some(at) = entry.subject.occurs(h).filter(|_| i != self.next) {
                entry.seen = Some(at);
            }
        }
        if let Some(entry) = self.entries.get(self.next)
            && let Some(at) = entry.subject.occurs(h)
        {
            self.last = at;
            self.next += 1;
        }
    }

    fn finish(&mut self, _end: Instant, log: &Log) -> Option<Failure> {
        let entry = self.entries.get(self.next)?;
        let after = match self.next.checked_sub(1).and_then(|i| self.entries.get(i)) {
            Some(before) => format!(" after {} at {}", before.name, self.last),
            None => String::new(),
        };
        let place = format!("{} of {}", self.next + 1, self.entries.len());
        let message = format!("awaited {} ({place}){after}; it did not come", entry.name);
        let nearest = match entry.seen {
            Some(at) => Some(format!("{} came before that, at {at}", entry.name)),
            None => entry.near.similar(log),
        };
        Some(Failure::new(message).near(nearest))
    }
}

/// Expects all texts in any order.
#[derive(Debug)]
pub(crate) struct Unordered(pub(crate) Vec<Entry>);

impl Judge for Unordered {
    fn observe(&mut self, h: &Happening<'_>) {
        for entry in self.0.iter_mut().filter(|e| e.seen.is_none()) {
            entry.seen = entry.subject.occurs(h);
        }
    }

    fn finish(&mut self, _end: Instant, log: &Log) -> Option<Failure> {
        let missing: Vec<&Entry> = self.0.iter().filter(|e| e.seen.is_none()).collect();
        let first = missing.first()?;
        let names: Vec<&str> = missing.iter().map(|e| e.name.as_str()).collect();
        let message = format!(
            "{} of {} texts did not come: {}",
            missing.len(),
            self.0.len(),
            names.join(", ")
        );
        Some(Failure::new(message).near(first.near.similar(log)))
    }
}
