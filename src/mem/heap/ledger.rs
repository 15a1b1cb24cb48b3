//! The ledger: what the heap has and where it is, in words that anybody may read at any time.
//!
//! 1. Each word is written under one lock (named below), or by an atomic addition where it is rare: writing costs a plain store. Reading takes none.
//! 2. A reader sees each word as it was at some moment, not all at the same: sums are as of now, give or take what is under way. When
//!    nobody allocates they are exact.
//! 3. Blocks that lie in the caches of Ps count as in use: a P's cache is nobody else's to look at.

use super::class::{CLASSES, Class};
use super::segment::UNIT;
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

/// See the head of this file.
pub struct Ledger {
    /// Under the class's lock: blocks that are away from their spans.
    away: [AtomicU32; CLASSES],
    /// Under the class's lock: those of them that lie in the central batches.
    piled: [AtomicU32; CLASSES],
    /// Under the class's lock: how often a batch was taken.
    refills: [AtomicU32; CLASSES],
    /// Under the lock of the page heap: free units that have been touched.
    dirty_units: AtomicUsize,
    /// Under the lock of the page heap: bytes of runs that are blocks.
    run_bytes: AtomicUsize,
    /// Under the lock of the kept mappings: bytes of mappings that are blocks.
    mapping_bytes: AtomicUsize,
    /// Under the lock of the kept mappings: bytes of those.
    kept_bytes: AtomicUsize,
    /// Bytes of address space that the kernel gave and that were not unmapped.
    mapped_bytes: AtomicUsize,
    /// Bytes given back so far.
    released_bytes: AtomicU64,
    /// Calls of mmap and mremap.
    maps: AtomicU64,
    /// Calls of munmap and madvise.
    releases: AtomicU64,
}

/// What the heap has: a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Bytes of address space from the kernel, touched or not.
    pub mapped: usize,
    /// Bytes of blocks in use, rounded up to their classes, and with what lies in the caches of Ps.
    pub in_use: usize,
    /// Bytes of free memory that the kernel still backs, as far as whole units and batches go: what `scavenge` could give back.
    pub idle: usize,
    /// Bytes that have been given back to the kernel so far.
    pub released: u64,
    /// Calls of mmap and mremap so far.
    pub maps: u64,
    /// Calls of munmap and madvise so far.
    pub releases: u64,
    /// Batches of blocks that went from central lists to Ps so far.
    pub refills: u64,
}

/// Adds under a lock: nobody else writes meanwhile.
fn add(word: &AtomicU32, more: u32) {
    word.store(word.load(Relaxed).wrapping_add(more), Relaxed);
}

/// The same of a larger number.
fn change(word: &AtomicUsize, from: usize, to: usize) {
    word.store(word.load(Relaxed).wrapping_add(to).wrapping_sub(from), Relaxed);
}

impl Ledger {
    /// An empty one.
    pub const fn new() -> Ledger {
        Ledger {
            away: [const { AtomicU32::new(0) }; CLASSES],
            piled: [const { AtomicU32::new(0) }; CLASSES],
            refills: [const { AtomicU32::new(0) }; CLASSES],
            dirty_units: AtomicUsize::new(0),
            run_bytes: AtomicUsize::new(0),
            mapping_bytes: AtomicUsize::new(0),
            kept_bytes: AtomicUsize::new(0),
            mapped_bytes: AtomicUsize::new(0),
            released_bytes: AtomicU64::new(0),
            maps: AtomicU64::new(0),
            releases: AtomicU64::new(0),
        }
    }

    /// Under the class's lock: blocks left their span.
    pub fn left_span(&self, class: Class, blocks: u32) {
        add(&self.away[class.number()], blocks);
    }

    /// Under the class's lock: blocks came back to their spans.
    pub fn joined_span(&self, class: Class, blocks: u32) {
        add(&self.away[class.number()], blocks.wrapping_neg());
    }

    /// Under the class's lock: blocks were laid on the pile. Returns how many are there now.
    pub fn joined_pile(&self, class: Class, blocks: u32) -> u32 {
        add(&self.piled[class.number()], blocks);
        self.piled[class.number()].load(Relaxed)
    }

    /// Under the class's lock: blocks were taken off the pile.
    pub fn left_pile(&self, class: Class, blocks: u32) {
        add(&self.piled[class.number()], blocks.wrapping_neg());
    }

    /// How many blocks lie on the pile of a class.
    pub fn piled(&self, class: Class) -> u32 {
        self.piled[class.number()].load(Relaxed)
    }

    /// Under the lock of the page heap: touched units became free.
    pub fn units_dirtied(&self, units: u32) {
        change(&self.dirty_units, 0, units as usize);
    }

    /// Under the lock of the page heap: free touched units were taken.
    pub fn units_cleaned(&self, units: u32) {
        change(&self.dirty_units, units as usize, 0);
    }

    /// Bytes of free units that have been touched.
    pub fn dirty_bytes(&self) -> usize {
        self.dirty_units.load(Relaxed) * UNIT
    }

    /// Under the lock of the page heap: a block that is a run changes its size, from 0 if it is new, to 0 if it is freed.
    pub fn run_changes(&self, from: usize, to: usize) {
        change(&self.run_bytes, from, to);
    }

    /// Under the lock of the kept mappings: the same of a block that is a mapping.
    pub fn mapping_changes(&self, from: usize, to: usize) {
        change(&self.mapping_bytes, from, to);
    }

    /// Under the lock of the kept mappings: one comes and one goes.
    pub fn kept_changes(&self, gone: usize, come: usize) {
        change(&self.kept_bytes, gone, come);
    }

    /// The kernel gave address space.
    pub fn mapped(&self, bytes: usize) {
        self.mapped_bytes.fetch_add(bytes, Relaxed);
        self.maps.fetch_add(1, Relaxed);
    }

    /// It has it again.
    pub fn unmapped(&self, bytes: usize) {
        self.mapped_bytes.fetch_sub(bytes, Relaxed);
        self.releases.fetch_add(1, Relaxed);
    }

    /// A mapping changed its length.
    pub fn remapped(&self, old: usize, new: usize) {
        self.mapped_bytes.fetch_add(new.wrapping_sub(old), Relaxed);
        self.maps.fetch_add(1, Relaxed);
    }

    /// The kernel has pages again; their address space stays.
    pub fn discarded(&self) {
        self.releases.fetch_add(1, Relaxed);
    }

    /// So many bytes of memory went with the last calls.
    pub fn released(&self, bytes: usize) {
        self.released_bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// Under the class's lock: a batch was taken.
    pub fn refilled(&self, class: Class) {
        add(&self.refills[class.number()], 1);
    }

    /// Bytes of free memory that could go back to the kernel. Four cache lines are read.
    pub fn idle_bytes(&self) -> usize {
        let piles: usize = (0..CLASSES).map(|n| self.piled[n].load(Relaxed) as usize * Class::nth(n).bytes()).sum();
        piles + self.dirty_bytes() + self.kept_bytes.load(Relaxed)
    }

    /// Bytes of blocks in use, as `Stats::in_use` has them.
    #[cold]
    #[inline(never)]
    pub fn in_use_bytes(&self) -> usize {
        let mut sum = self.run_bytes.load(Relaxed) + self.mapping_bytes.load(Relaxed);
        // Opaque, or the loop would be unrolled: a hundred bytes in place of a thousand.
        for n in 0..core::hint::black_box(CLASSES) {
            sum += self.away[n].load(Relaxed).saturating_sub(self.piled[n].load(Relaxed)) as usize * Class::nth(n).bytes();
        }
        sum
    }

    /// All of it.
    pub fn stats(&self) -> Stats {
        Stats {
            mapped: self.mapped_bytes.load(Relaxed),
            in_use: self.in_use_bytes(),
            idle: self.idle_bytes(),
            released: self.released_bytes.load(Relaxed),
            maps: self.maps.load(Relaxed),
            releases: self.releases.load(Relaxed),
            refills: self.refills.iter().map(|n| u64::from(n.load(Relaxed))).sum(),
        }
    }
}
