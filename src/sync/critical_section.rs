//! The implementation of the crate `critical-section`: one lock for the whole program, as crates without std ask for it. Unsafe code is allowed here: the
//! trait is unsafe.
//!
//! 1. A section belongs to a goroutine, whatever thread it is on, and however often it is preempted or waits in it: the others wait meanwhile.
//! 2. A goroutine that is in a section may begin another one: only its outermost takes and frees the lock. Ids of goroutines are never used again.
//!
//! Rejected: disabled preemption around the section and a lock that spins (what a section calls is a user's code, which may run for long, or wait).

#![allow(unsafe_code)]

use super::raw_mutex::RawMutex;
use crate::gmp::{G, require_runtime};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use critical_section::{Impl, RawRestoreState};

static LOCK: RawMutex = RawMutex::new();
/// Whose section it is; 0: nobody's.
static OWNER: AtomicU64 = AtomicU64::new(0);

struct Section;

critical_section::set_impl!(Section);

// SAFETY: invariants 1 and 2.
unsafe impl Impl for Section {
    /// True if the goroutine was in one before.
    unsafe fn acquire() -> RawRestoreState {
        require_runtime();
        // SAFETY: R1: the running goroutine is ours.
        let id = unsafe { G::current().as_ref() }.id();
        // Nobody else writes this goroutine's id.
        if OWNER.load(Relaxed) == id {
            return true;
        }
        LOCK.lock();
        OWNER.store(id, Relaxed);
        false
    }

    unsafe fn release(was_inside: RawRestoreState) {
        if !was_inside {
            OWNER.store(0, Relaxed);
            LOCK.unlock();
        }
    }
}
