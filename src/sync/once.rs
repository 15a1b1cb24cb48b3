//! `Once`: something is done once for all, and everybody waits until it is.
//!
//! | word      | meaning                                     | left by                                                        |
//! |-----------|---------------------------------------------|----------------------------------------------------------------|
//! | `NEW`     | nobody has begun                            | who begins, to `RUNS`                                          |
//! | `RUNS`    | somebody does it                            | `end`, to `DONE` or `NEW`; the first who waits, to `AWAITED`   |
//! | `AWAITED` | somebody does it, and others wait           | `end`, to `DONE` or `NEW`: it wakes them all                   |
//! | `DONE`    | it is done                                  |                                                                |
//!
//! 1. Who waits says so under the lock of its queue (`sched::table`), and is in the queue before `end` can have it.
//! 2. Who is woken looks again.

use crate::base::NoPreempt;
use crate::base::atomic::{AtomicU32, Ordering};
use crate::gmp::{WaitReason, require_runtime};
use crate::sched::defer::defer_scope;
use crate::sched::table;
use core::cell::Cell;
use core::fmt;
use core::ptr;

const NEW: u32 = 0;
const RUNS: u32 = 1;
const AWAITED: u32 = 2;
const DONE: u32 = 3;

/// Does something once, whoever comes first.
///
/// Source: Go package sync, Once.
pub struct Once {
    word: AtomicU32,
}

impl Once {
    /// One that has done nothing yet.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Once {
        Once { word: AtomicU32::new(NEW) }
    }

    /// One that has done it.
    pub(super) const fn completed() -> Once {
        Once { word: AtomicU32::new(DONE) }
    }

    /// Calls `f`, if this is the first call. Returns when the first call's `f` has ended, whoever makes it; so `f` must not come back here, or it waits for
    /// ever.
    ///
    /// If `f` ends its goroutine (`goexit`) it counts as done, and later calls return at once. So do calls from deferred calls that run after a panic of `f`.
    /// Go's `Do`.
    #[inline]
    pub fn call_once(&self, f: impl FnOnce()) {
        if !self.is_completed() {
            self.call_slow(f);
        }
    }

    /// Has the first call's function ended?
    #[inline]
    pub fn is_completed(&self) -> bool {
        self.word.load(Ordering::Acquire) == DONE
    }

    #[cold]
    fn call_slow(&self, f: impl FnOnce()) {
        let finished = Cell::new(true);
        self.run(&finished, f);
    }

    /// Calls `f` if nobody has done it; else waits until somebody has. If `finished` is not set as `f` ends, by whatever, the next one does it.
    pub(super) fn run(&self, finished: &Cell<bool>, f: impl FnOnce()) {
        if self.begin() {
            defer_scope(|d| {
                // Deferred, for `f` may end the goroutine or panic.
                d.defer(|| self.end(if finished.get() { DONE } else { NEW }));
                f();
            });
        }
    }

    /// True if it is the caller's to do; false once it is done.
    fn begin(&self) -> bool {
        require_runtime();
        loop {
            match self.word.compare_exchange(NEW, RUNS, Ordering::Acquire, Ordering::Acquire) {
                Ok(_) => return true,
                Err(DONE) => return false,
                Err(_) => self.wait(),
            }
        }
    }

    fn address(&self) -> usize {
        ptr::from_ref(&self.word).addr()
    }

    fn wait(&self) {
        let nopreempt = NoPreempt::new();
        let row = table::lock(&nopreempt, self.address());
        // Invariant 1.
        let word = self.word.compare_exchange(RUNS, AWAITED, Ordering::Relaxed, Ordering::Relaxed);
        if matches!(word, Ok(_) | Err(AWAITED)) {
            row.announce();
            // As in Go, whose `Once` has a mutex.
            row.wait(WaitReason::MutexLock, false);
        }
    }

    fn end(&self, word: u32) {
        if self.word.swap(word, Ordering::AcqRel) == AWAITED {
            table::wake_all(self.address());
        }
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").field("is_completed", &self.is_completed()).finish()
    }
}
