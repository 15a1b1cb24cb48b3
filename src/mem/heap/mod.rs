//! The global allocator: a cache of free blocks a P, central lists a size class, a heap of pages (R10).
//!
//! ```text
//!   Allocator ── Cache of the P ── Central of the class ── Pages ── the kernel
//!   (allocator)     no lock,          a lock a class,      one lock,    no lock held
//!               preemption disabled   batches and spans    segments
//!        └──────────── an M without a P ──┘      │
//!        └──────────── up to 512 KiB ────────────┘
//!        └──────────── larger: a mapping each, some kept (large) ───────┘
//! ```
//!
//! 1. Never blocks with anything held, never calls user code, is never entered from a signal handler. It works on g0 and without a P.
//! 2. Locks: `HeapClass`, then `HeapPages`, both spinning, both held for a few microseconds at most. No system call is made under either.
//! 3. A small program stays small: one mapping at first, one page a class in use, one for the segment's header. Nothing is set up at start: all of it
//!    is constant.
//! 4. What is free goes back to the kernel when the program falls idle (`scavenge`), not while it runs.
//! 5. Memory is in one place: with a program (away, in use or in a P's cache), on a pile, in a span, in the page heap, or with the kernel. The
//!    `ledger` has the sums; the tests let everything go and find nothing mapped.
//!
//! A freed block is not cleared, and its links lie in it bare: an overrun corrupts the heap as it does under other fast allocators. What is freed with
//! a wrong layout, or more often than its span has blocks in use, is found when it comes back to the span, and is fatal; debug builds find
//! a block that is freed twice in a row at once.
//!
//! Rejected: talc behind a lock (19 ns a pair with one thread, 60 to 110 with two, against 6 and 6); a cache a thread (with 10 000 Ms most
//! of it would lie idle; and a goroutine changes threads).

mod allocator;
mod backing;
mod block;
mod cache;
mod central;
mod class;
mod describe;
mod large;
mod ledger;
mod list;
mod pages;
mod scavenge;
mod segment;
mod span;
#[cfg(test)]
mod tests;
mod trace;

pub use allocator::Allocator;
pub use cache::Cache;
pub use describe::{SEGMENT_BYTES, SegmentMap};
pub use ledger::Stats;
pub use scavenge::{scavenge, scavenge_while};
pub use trace::{Event, trace};

use crate::base::lock::{Lock, Rank};
use block::Batch;
use central::Central;
use class::{CLASSES, Class};
use large::Kept;
use ledger::Ledger;
use pages::Pages;

/// A heap. A program has one, `HEAP`; tests make their own.
struct Heap {
    centrals: [Apart<Lock<Central>>; CLASSES],
    pages: Lock<Pages>,
    kept: Lock<Kept>,
    ledger: Ledger,
}

/// On a cache line of its own.
#[repr(align(64))]
struct Apart<T>(T);

static HEAP: Heap = Heap::new();

impl Heap {
    const fn new() -> Heap {
        Heap {
            centrals: [const { Apart(Lock::new(Rank::HeapClass, Central::new())) }; CLASSES],
            pages: Lock::new(Rank::HeapPages, Pages::new()),
            kept: Lock::new(Rank::HeapPages, Kept::new()),
            ledger: Ledger::new(),
        }
    }

    fn central(&self, class: Class) -> &Lock<Central> {
        &self.centrals[class.number()].0
    }

    /// # Safety
    /// The blocks are of `class`, and the caller's to give.
    unsafe fn give(&self, class: Class, batch: Batch) {
        // SAFETY: the caller's contract.
        unsafe { self.central(class).lock().give(class, batch, &self.pages, &self.ledger) }
    }
}

/// Bytes of blocks in use, and of free memory that the kernel backs: `Stats::in_use` and `Stats::idle`.
pub fn live_and_idle() -> (usize, usize) {
    (HEAP.ledger.in_use_bytes(), HEAP.ledger.idle_bytes())
}

/// What the heap has now. Takes no lock.
pub fn stats() -> Stats {
    HEAP.ledger.stats()
}
