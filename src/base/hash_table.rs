//! A hash table that grows and shrinks by one bucket at a time, so that no step takes long: linear hashing. It knows hashes, not keys: which of the entries of one hash
//! is meant is for the caller to find out, who may do so without the table's lock.
//!
//! 1. There are `2^bits + split` buckets. An entry is in the bucket of the low `bits` bits of its hash; if that is below `split`, in that of the low `bits + 1` bits.
//! 2. Growing splits bucket `split` in two; shrinking takes the last bucket back into the one that it was split from.
//! 3. In the order of their hashes read backwards, from the lowest bit on, the entries of a bucket are together, and a split parts them without moving them past others. So who walks
//!    in that order, and remembers how far he is, meets each once, however the table grows and shrinks meanwhile.

use alloc::vec;
use alloc::vec::Vec;

/// Buckets are allocated so many at a time; a table's first ones, as they come.
const SEGMENT: usize = 64;
/// So many entries a bucket on average, and one is split.
const FULL: usize = 2;
/// So many buckets at most are given up for each entry that goes: one more than it takes to keep up.
const SHRINKS: usize = 3;

type Bucket<E> = Vec<(u64, E)>;

/// See the head of this file.
pub struct Table<E> {
    segments: Vec<Vec<Bucket<E>>>,
    bits: u32,
    split: usize,
    len: usize,
}

impl<E: Clone> Table<E> {
    /// An empty one, without any bucket.
    pub const fn new() -> Table<E> {
        Table { segments: Vec::new(), bits: 0, split: 0, len: 0 }
    }

    fn buckets(&self) -> usize {
        if self.segments.is_empty() { 0 } else { (1 << self.bits) + self.split }
    }

    /// Invariant 1: the bucket of a hash, and how many of its low bits chose it.
    fn place(&self, hash: u64) -> (usize, u32) {
        let low = |bits: u32| (hash & ((1 << bits) - 1)) as usize;
        let bucket = low(self.bits);
        if bucket < self.split { (low(self.bits + 1), self.bits + 1) } else { (bucket, self.bits) }
    }

    fn bucket(&self, hash: u64) -> &[(u64, E)] {
        if self.segments.is_empty() {
            return &[];
        }
        let (n, _) = self.place(hash);
        &self.segments[n / SEGMENT][n % SEGMENT]
    }

    fn nth(&mut self, n: usize) -> &mut Bucket<E> {
        &mut self.segments[n / SEGMENT][n % SEGMENT]
    }

    /// Of the entries of this hash the one after `skipped` others.
    #[inline]
    pub fn find(&self, hash: u64, skipped: usize) -> Option<&E> {
        self.bucket(hash).iter().filter(|entry| entry.0 == hash).nth(skipped).map(|entry| &entry.1)
    }

    /// Puts one more in.
    pub fn insert(&mut self, hash: u64, entry: E) {
        if self.len >= FULL * self.buckets() {
            self.grow();
        }
        let (n, _) = self.place(hash);
        self.nth(n).push((hash, entry));
        self.len += 1;
    }

    /// Puts `entry` in the place of the one that `is_old` tells, which is in here, and returns that.
    pub fn replace(&mut self, hash: u64, entry: E, is_old: impl Fn(&E) -> bool) -> E {
        let (n, _) = self.place(hash);
        let at = self.nth(n).iter_mut().find(|entry| is_old(&entry.1)).expect("what is replaced is in the table");
        core::mem::replace(&mut at.1, entry)
    }

    /// Takes out the one that `is_old` tells, which is in here.
    pub fn remove(&mut self, hash: u64, is_old: impl Fn(&E) -> bool) -> E {
        let (n, _) = self.place(hash);
        let bucket = self.nth(n);
        let at = bucket.iter().position(|entry| is_old(&entry.1)).expect("what is removed is in the table");
        let (_, entry) = bucket.swap_remove(at);
        if bucket.is_empty() {
            *bucket = Vec::new();
        }
        self.len -= 1;
        // Less than a quarter full: not where the next `insert` would grow it again. That is two buckets an entry.
        for _ in 0..SHRINKS {
            if self.buckets() > 1 && self.len < FULL * self.buckets() / 4 {
                self.shrink();
            }
        }
        entry
    }

    fn grow(&mut self) {
        if self.segments.is_empty() {
            return self.segments.push(vec![Vec::new()]);
        }
        let bit = 1 << self.bits;
        let from = self.nth(self.split);
        let (mut stay, mut moved) = (Vec::new(), Vec::new());
        for entry in from.drain(..) {
            if entry.0 & bit == 0 { &mut stay } else { &mut moved }.push(entry);
        }
        *from = stay;
        match self.segments.last_mut() {
            Some(last) if last.len() < SEGMENT => last.push(moved),
            _ => {
                let mut segment = Vec::with_capacity(SEGMENT);
                segment.push(moved);
                self.segments.push(segment);
            }
        }
        self.split += 1;
        if self.split == 1 << self.bits {
            (self.bits, self.split) = (self.bits + 1, 0);
        }
    }

    fn shrink(&mut self) {
        if self.split == 0 {
            self.bits -= 1;
            self.split = 1 << self.bits;
        }
        self.split -= 1;
        let Some(last) = self.segments.last_mut() else { return };
        let mut back = last.pop().unwrap_or_default();
        if last.is_empty() {
            self.segments.pop();
        }
        let split = self.split;
        self.nth(split).append(&mut back);
    }

    /// Appends clones of the entries from `from` on, in the order of invariant 3, to `found`: those of some buckets. Returns from where on to go on.
    pub fn walk(&self, from: u64, found: &mut Vec<E>) -> Option<u64> {
        const BUCKETS: usize = 64;
        let mut from = from;
        for _ in 0..BUCKETS {
            if self.segments.is_empty() {
                return None;
            }
            let (n, bits) = self.place(from.reverse_bits());
            let bucket = &self.segments[n / SEGMENT][n % SEGMENT];
            found.extend(bucket.iter().filter(|entry| entry.0.reverse_bits() >= from).map(|entry| entry.1.clone()));
            from = (from | u64::MAX.checked_shr(bits).unwrap_or(0)).checked_add(1)?;
        }
        Some(from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// What a table has is what a map of std's has, after any steps; and a walk during them meets what is there all the time, and nothing twice.
    fn behaves(steps: &[(u16, bool)], spread: impl Fn(u16) -> u64) {
        let (mut table, mut model) = (Table::new(), BTreeMap::new());
        let (mut from, mut met) = (Some(0), Vec::new());
        let always: BTreeSet<u16> = (50_000..50_200).collect();
        for &key in &always {
            table.insert(spread(key), (key, 0));
        }
        for (n, &(key, puts)) in steps.iter().enumerate() {
            let (key, hash) = (key % 20_000, spread(key % 20_000));
            let is_key = |entry: &(u16, usize)| entry.0 == key;
            match (puts, model.contains_key(&key)) {
                (true, true) => assert_eq!(Some(table.replace(hash, (key, n), is_key)), model.insert(key, (key, n))),
                (true, false) => {
                    table.insert(hash, (key, n));
                    model.insert(key, (key, n));
                }
                (false, true) => assert_eq!(Some(table.remove(hash, is_key)), model.remove(&key)),
                (false, false) => {
                    // Another key may have the same hash.
                    let mut others = (0..).map_while(|skipped| table.find(hash, skipped));
                    assert!(others.all(|entry| entry.0 != key));
                }
            }
            assert_eq!(table.len, model.len() + always.len());
            if n % 8 == 0
                && let Some(at) = from
            {
                from = table.walk(at, &mut met);
            }
        }
        while let Some(at) = from {
            from = table.walk(at, &mut met);
        }
        let once: BTreeSet<u16> = met.iter().map(|entry| entry.0).collect();
        assert_eq!(once.len(), met.len(), "met twice");
        assert!(once.is_superset(&always));
        for (&key, entry) in &model {
            assert!((0..).map_while(|skipped| table.find(spread(key), skipped)).any(|found| found == entry));
        }
        for &key in &always {
            table.remove(spread(key), |entry| entry.0 == key);
        }
        for &key in model.keys() {
            table.remove(spread(key), |entry| entry.0 == key);
        }
        assert_eq!((table.len, table.buckets()), (0, 1), "it shrinks as it empties");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn it_is_a_map_and_can_be_walked_while_it_changes(steps in proptest::collection::vec((any::<u16>(), prop::bool::weighted(0.6)), 0..6000)) {
            behaves(&steps, |key| u64::from(key).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        }

        #[test]
        fn hashes_that_fall_together_cost_time_only(steps in proptest::collection::vec((0u16..300, any::<bool>()), 0..600)) {
            behaves(&steps, |key| u64::from(key % 3) << 60);
        }
    }
}
