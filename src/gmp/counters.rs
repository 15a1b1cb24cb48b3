//! Counters of each scheduler path, one set a P: written by its owner alone, read by anybody.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that one thread counts up and others may read.
#[repr(transparent)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Owner: adds `n`.
    #[inline(always)]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// The number.
    #[inline(always)]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Calls of C by who had no P, inside another call.
pub static FFI_CALLS_WITHOUT_P: AtomicU64 = AtomicU64::new(0);

/// Calls of C so far: `/cgo/go-to-c-calls:calls`.
#[cfg(not(loom))]
pub fn ffi_calls() -> u64 {
    let mut calls = FFI_CALLS_WITHOUT_P.load(Relaxed);
    super::SCHED.for_each_p(|p| calls += p.counters.ffi_calls.get());
    calls
}

/// One set of counters. All zero bytes are a set of zeros.
#[repr(C)]
pub struct Counters {
    /// Goroutines made.
    pub created: Counter,
    /// Goroutines that ended.
    pub finished: Counter,
    /// Goroutines taken from other Ps' rings.
    pub stolen: Counter,
    /// Goroutines taken from other Ps' runnext.
    pub stolen_runnext: Counter,
    /// Times a full ring gave half to the global queue.
    pub overflowed: Counter,
    /// Batches taken from the global queue.
    pub global_batches: Counter,
    /// Times fresh spawns were published for thieves.
    pub published: Counter,
    /// Times `go` ran the child first.
    pub child_first: Counter,
    /// Switches through g0.
    pub through_g0: Counter,
    /// Calls injected into goroutines.
    pub injected: Counter,
    /// Of these, how many found registers of each class in use (`arch::preempt::CLASSES`).
    pub injected_classes: [Counter; 6],
    /// Of these, how many went on on another M.
    pub migrated: Counter,
    /// Goroutines that gave way at a call of the runtime, because they were asked to.
    pub gave_way: Counter,
    /// Goroutines that used up a slice of 10 ms.
    pub slices_spent: Counter,
    /// Timers run.
    pub timers_run: Counter,
    /// System calls whose goroutine gave its P away.
    pub handed_off: Counter,
    /// System calls whose P was taken from them, since they lasted and somebody waited. By the taker.
    pub retaken: Counter,
    /// Calls of C.
    pub ffi_calls: Counter,
}
