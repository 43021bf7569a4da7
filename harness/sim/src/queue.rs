//! A queue of items that are due at a moment.

use std::collections::BTreeMap;

use crate::Instant;

/// A queue of items by due time. Items due at the same moment come out in the order in which they were
/// pushed, so that two runs never differ.
#[derive(Clone, Debug)]
pub struct EventQueue<T> {
    items: BTreeMap<(Instant, u64), T>,
    next_seq: u64,
}

impl<T> Default for EventQueue<T> {
    fn default() -> Self {
        EventQueue {
            items: BTreeMap::new(),
            next_seq: 0,
        }
    }
}

impl<T> EventQueue<T> {
    /// An empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `item`, due at `at`.
    pub fn push(&mut self, at: Instant, item: T) {
        self.items.insert((at, self.next_seq), item);
        self.next_seq += 1;
    }

    /// The moment at which the next item is due.
    pub fn next_due(&self) -> Option<Instant> {
        self.items.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes the next item if it is due at `now` or earlier, with the moment it was due.
    pub fn pop_due(&mut self, now: Instant) -> Option<(Instant, T)> {
        if self.next_due()? > now {
            return None;
        }
        self.items.pop_first().map(|((at, _), item)| (at, item))
    }

    /// Drops the items for which `keep` is false.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.items.retain(|_, item| keep(item));
    }

    /// Number of items in the queue.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// True if the queue has no items.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_by_time_then_by_arrival() {
        let mut q = EventQueue::new();
        q.push(Instant::from_secs(2), "c");
        q.push(Instant::from_secs(1), "a");
        q.push(Instant::from_secs(1), "b");
        assert_eq!(q.pop_due(Instant::ZERO), None);
        let order: Vec<_> = std::iter::from_fn(|| q.pop_due(Instant::from_secs(2)))
            .map(|(_, x)| x)
            .collect();
        assert_eq!(order, ["a", "b", "c"]);
        assert!(q.is_empty());
    }
}
