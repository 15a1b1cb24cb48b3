//! A heap of times: 4-ary, smallest first. What the timers of a P lie in.
//!
//! 1. An entry is a time and a word, 16 bytes; the four children of an entry share a cache line or two. Nothing behind the word is touched by moving it.
//! 2. No entry knows its place, so none is removed from the middle; who is cancelled stays as a zombie until it comes up, or until `retain`.
//!
//! Rejected: a binary heap (twice the levels, each a miss); places kept in the timers (each level of a sift is then a miss in a timer as well);
//! a wheel (exact order and nanoseconds are lost, or it has as many levels).

use alloc::vec::Vec;

/// A time, and what is due then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// When.
    pub when: u64,
    /// What.
    pub word: usize,
}

/// See the head of this file.
pub struct TimeHeap {
    entries: Vec<Entry>,
}

const ARITY: usize = 4;

impl TimeHeap {
    /// An empty heap.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> TimeHeap {
        TimeHeap { entries: Vec::new() }
    }

    /// How many entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The first time; none if it is empty.
    #[inline]
    pub fn first(&self) -> Option<u64> {
        self.entries.first().map(|entry| entry.when)
    }

    /// Puts an entry in.
    pub fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
        let mut at = self.entries.len() - 1;
        while at > 0 {
            let parent = (at - 1) / ARITY;
            if self.entries[parent].when <= entry.when {
                break;
            }
            self.entries[at] = self.entries[parent];
            at = parent;
        }
        self.entries[at] = entry;
    }

    /// Takes the first out, if its time is `now` or before.
    #[inline]
    pub fn pop_due(&mut self, now: u64) -> Option<Entry> {
        let first = *self.entries.first()?;
        if first.when > now {
            return None;
        }
        let last = self.entries.pop()?;
        if !self.entries.is_empty() {
            self.sift_down(0, last);
        }
        Some(first)
    }

    /// Puts `entry` at `at` or below, where it belongs; what is at `at` is overwritten.
    fn sift_down(&mut self, mut at: usize, entry: Entry) {
        loop {
            let first_child = at * ARITY + 1;
            let children = self.entries.get(first_child..).unwrap_or_default();
            let Some((n, least)) = children.iter().take(ARITY).enumerate().min_by_key(|(_, child)| child.when) else { break };
            if least.when >= entry.when {
                break;
            }
            self.entries[at] = *least;
            at = first_child + n;
        }
        self.entries[at] = entry;
    }

    /// Keeps only what `keep` says.
    pub fn retain(&mut self, keep: impl FnMut(&Entry) -> bool) {
        self.entries.retain(keep);
        for at in (0..self.entries.len().div_ceil(ARITY)).rev() {
            self.sift_down(at, self.entries[at]);
        }
    }

    /// Gives the memory of what is not in use any more back.
    pub fn shrink(&mut self) {
        if self.entries.capacity() > 64 && self.entries.len() < self.entries.capacity() / 4 {
            self.entries.shrink_to(self.entries.len() * 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn entries_come_out_in_the_order_of_their_times(times in proptest::collection::vec(0u64..1000, 0..300), dropped in 1u64..5) {
            let mut heap = TimeHeap::new();
            for (word, &when) in times.iter().enumerate() {
                heap.push(Entry { when, word });
            }
            heap.retain(|entry| entry.when % dropped == 0);
            let mut want: Vec<u64> = times.iter().copied().filter(|when| when % dropped == 0).collect();
            want.sort();
            let mut got = Vec::new();
            for now in 0..1000 {
                while let Some(entry) = heap.pop_due(now) {
                    prop_assert!(entry.when == now && times[entry.word] == now);
                    got.push(entry.when);
                }
                prop_assert!(heap.first().is_none_or(|first| first > now));
            }
            prop_assert_eq!(got, want);
            prop_assert_eq!(heap.len(), 0);
        }

        #[test]
        fn pushes_and_pops_may_come_in_any_order(steps in proptest::collection::vec(proptest::option::weighted(0.6, 0u64..100), 0..400)) {
            let (mut heap, mut model) = (TimeHeap::new(), Vec::new());
            for step in steps {
                match step {
                    Some(when) => {
                        heap.push(Entry { when, word: 0 });
                        model.push(when);
                        model.sort();
                    }
                    None => prop_assert_eq!(heap.pop_due(u64::MAX).map(|entry| entry.when), (!model.is_empty()).then(|| model.remove(0))),
                }
                prop_assert_eq!(heap.first(), model.first().copied());
            }
        }
    }
}
