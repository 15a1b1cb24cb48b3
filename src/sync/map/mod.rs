//! `Map`: a map that many goroutines read and change at once.
//!
//! 1. It has shards, chosen by the high bits of the hash. A shard is a table under a runtime lock, which is held for a few dozen instructions: a reader takes it to
//!    clone the `Arc` of an entry, no more.
//! 2. Entries never change: a new value is a new entry. Who has an entry's `Arc` compares, clones and drops without any lock.
//! 3. Who changes a shard holds its `writer`, a mutex of users, meanwhile: so it decides by keys and values that nobody else changes, and calls user code doing so.
//! 4. No user code runs under a runtime lock or with preemption disabled: not `Hash`, `Eq`, `PartialEq`, `Clone` or `Drop`.
//!
//! Rejected: reads without a lock, as Go's, which need a collector or its like. Read-copy-update would do, with preemption disabled for the read side and a scheduling point
//! of each P for the end of a grace period; but who reads in a system call has no P, and an entry's count, which costs as much as the lock on a hot key, would
//! stay: user code clones the value, so the entry must outlive the read side. A read-write lock a shard: its count of readers is the same cache line to fight for.

mod hash;

pub use hash::{RandomHasher, RandomState};

use super::{Mutex, MutexGuard};
use crate::base::hash_table::Table;
use crate::base::lock::{Lock, Rank};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::borrow::Borrow;
use core::fmt;
use core::hash::{BuildHasher, Hash};

/// A power of two: with as many Ps as one machine has, two seldom meet.
const SHARDS: usize = 32;

struct Entry<K, V> {
    key: K,
    value: V,
}

#[repr(align(128))]
struct Shard<K, V> {
    table: Lock<Table<Arc<Entry<K, V>>>>,
    writer: Mutex<()>,
}

impl<K: Eq, V> Shard<K, V> {
    /// The entry of `key`. The caller holds `writer`.
    fn find<Q: Eq + ?Sized>(&self, hash: u64, key: &Q) -> Option<Arc<Entry<K, V>>>
    where
        K: Borrow<Q>,
    {
        let mut skipped = 0;
        loop {
            let entry = self.table.lock().find(hash, skipped).cloned()?;
            if entry.key.borrow() == key {
                return Some(entry);
            }
            skipped += 1;
        }
    }
}

/// A key of a shard that nobody else changes. What it drops last is user code's, with the writer's lock free.
struct Writing<'a, K, V> {
    shard: &'a Shard<K, V>,
    hash: u64,
    writer: MutexGuard<'a, ()>,
    /// The key's entry.
    old: Option<Arc<Entry<K, V>>>,
}

impl<K, V> Writing<'_, K, V> {
    /// Stores, and returns what was there.
    fn store(self, key: K, value: V) -> Option<Arc<Entry<K, V>>> {
        let entry = Arc::new(Entry { key, value });
        match &self.old {
            Some(old) => drop(self.shard.table.lock().replace(self.hash, entry, |other| Arc::ptr_eq(old, other))),
            None => self.shard.table.lock().insert(self.hash, entry),
        }
        self.end()
    }

    /// Deletes, and returns what was there.
    fn delete(self) -> Option<Arc<Entry<K, V>>> {
        if let Some(old) = &self.old {
            drop(self.shard.table.lock().remove(self.hash, |other| Arc::ptr_eq(old, other)));
        }
        self.end()
    }

    fn end(self) -> Option<Arc<Entry<K, V>>> {
        drop(self.writer);
        self.old
    }

    /// Is the key's value equal to `value`?
    fn is(&self, value: &V) -> bool
    where
        V: PartialEq,
    {
        self.old.as_ref().is_some_and(|old| old.value == *value)
    }
}

/// The value of an entry: itself, if the entry has left the table and nobody else has it.
fn value_of<K, V: Clone>(entry: Arc<Entry<K, V>>) -> V {
    Arc::try_unwrap(entry).map_or_else(|entry| entry.value.clone(), |entry| entry.value)
}

/// A map that goroutines use at once, without a lock around it. Reads do not wait for writes, nor for each other.
///
/// Values come out as clones: put large ones into an `Arc`. The `Hash`, `Eq` and `PartialEq` of keys and values must not use the map that they are in.
///
/// As in Go, most programs are better off with a map under a [`Mutex`]: it can keep several keys consistent. This one is for keys that are written once
/// and read often, or that each goroutine has its own set of.
///
/// Source: Go package sync, Map.
pub struct Map<K, V, S = RandomState> {
    shards: [Shard<K, V>; SHARDS],
    hasher: S,
}

impl<K, V> Map<K, V> {
    /// An empty map. It allocates nothing until something is stored.
    pub const fn new() -> Map<K, V> {
        Map::with_hasher(RandomState::new())
    }
}

impl<K, V, S> Map<K, V, S> {
    /// An empty map that hashes by `hasher`.
    pub const fn with_hasher(hasher: S) -> Map<K, V, S> {
        Map { shards: [const { Shard { table: Lock::new(Rank::Sync, Table::new()), writer: Mutex::new(()) } }; SHARDS], hasher }
    }

    /// Calls `f` with each key and value, until it returns false. No key is met twice, and each that is there all the time is met. What is stored or deleted meanwhile may be met or
    /// not. `f` may use the map. The order is none.
    ///
    /// Source: Go package sync, Map.Range.
    pub fn range(&self, mut f: impl FnMut(&K, &V) -> bool) {
        let mut found = Vec::new();
        for shard in &self.shards {
            let mut next = Some(0);
            while let Some(from) = next {
                next = shard.table.lock().walk(from, &mut found);
                for entry in found.drain(..) {
                    if !f(&entry.key, &entry.value) {
                        return;
                    }
                }
            }
        }
    }

    /// Deletes all keys. Those that are stored meanwhile may stay.
    ///
    /// Source: Go package sync, Map.Clear.
    pub fn clear(&self) {
        for shard in &self.shards {
            let writer = shard.writer.lock();
            let table = core::mem::replace(&mut *shard.table.lock(), Table::new());
            drop(writer);
            drop(table);
        }
    }
}

impl<K: Hash + Eq, V, S: BuildHasher> Map<K, V, S> {
    fn place<Q: Hash + ?Sized>(&self, key: &Q) -> (u64, &Shard<K, V>) {
        let hash = self.hasher.hash_one(key);
        (hash, &self.shards[(hash >> (u64::BITS - SHARDS.trailing_zeros())) as usize])
    }

    fn find<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<Arc<Entry<K, V>>>
    where
        K: Borrow<Q>,
    {
        let (hash, shard) = self.place(key);
        let entry = shard.table.lock().find(hash, 0).cloned()?;
        if entry.key.borrow() == key {
            return Some(entry);
        }
        drop(entry);
        // Another key has the same hash: whoever looks through them keeps writers out.
        let _writer = shard.writer.lock();
        shard.find(hash, key)
    }

    /// Invariant 3.
    fn write<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Writing<'_, K, V>
    where
        K: Borrow<Q>,
    {
        let (hash, shard) = self.place(key);
        let writer = shard.writer.lock();
        let old = shard.find(hash, key);
        Writing { shard, hash, writer, old }
    }

    /// Stores `value` for `key`; the value before is dropped.
    ///
    /// Source: Go package sync, Map.Store.
    pub fn store(&self, key: K, value: V) {
        drop(self.write(&key).store(key, value));
    }

    /// Deletes `key`, if it is there.
    ///
    /// Source: Go package sync, Map.Delete.
    pub fn delete<Q: Hash + Eq + ?Sized>(&self, key: &Q)
    where
        K: Borrow<Q>,
    {
        drop(self.write(key).delete());
    }

    /// Stores `new` for `key` if its value is equal to `old`. True: it was.
    ///
    /// Source: Go package sync, Map.CompareAndSwap.
    pub fn compare_and_swap(&self, key: K, old: &V, new: V) -> bool
    where
        V: PartialEq,
    {
        let writing = self.write(&key);
        if !writing.is(old) {
            drop(writing.end());
            return false;
        }
        drop(writing.store(key, new));
        true
    }

    /// Deletes `key` if its value is equal to `old`. True: it was.
    ///
    /// Source: Go package sync, Map.CompareAndDelete.
    pub fn compare_and_delete<Q: Hash + Eq + ?Sized>(&self, key: &Q, old: &V) -> bool
    where
        K: Borrow<Q>,
        V: PartialEq,
    {
        let writing = self.write(key);
        if !writing.is(old) {
            drop(writing.end());
            return false;
        }
        drop(writing.delete());
        true
    }
}

impl<K: Hash + Eq, V: Clone, S: BuildHasher> Map<K, V, S> {
    /// The value of `key`; none if it is not there.
    ///
    /// Source: Go package sync, Map.Load.
    pub fn load<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.find(key).map(value_of)
    }

    /// The value of `key`, if it is there, and true. Else stores `value`, and returns it and false.
    ///
    /// Source: Go package sync, Map.LoadOrStore.
    pub fn load_or_store(&self, key: K, value: V) -> (V, bool) {
        if let Some(entry) = self.find(&key) {
            return (value_of(entry), true);
        }
        let stored = value.clone();
        let writing = self.write(&key);
        if writing.old.is_none() {
            writing.store(key, value);
            return (stored, false);
        }
        (writing.end().map_or(stored, value_of), true)
    }

    /// Deletes `key`, and returns the value that it had.
    ///
    /// Source: Go package sync, Map.LoadAndDelete.
    pub fn load_and_delete<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.write(key).delete().map(value_of)
    }

    /// Stores `value` for `key`, and returns the value that it had.
    ///
    /// Source: Go package sync, Map.Swap.
    pub fn swap(&self, key: K, value: V) -> Option<V> {
        self.write(&key).store(key, value).map(value_of)
    }
}

impl<K, V, S: Default> Default for Map<K, V, S> {
    fn default() -> Map<K, V, S> {
        Map::with_hasher(S::default())
    }
}

impl<K: fmt::Debug, V: fmt::Debug, S> fmt::Debug for Map<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        self.range(|key, value| {
            map.entry(key, value);
            true
        });
        map.finish()
    }
}
