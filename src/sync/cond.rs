//! `Cond`: goroutines wait for something to be announced. Unsafe code is allowed here: who waits lies on its goroutine's stack.
//!
//! 1. Who waits is in the list before it lets go of its lock: a signal after that is for it.
//! 2. The list is used under `lock`. Whoever takes a place out of it counts its `signal` down, once, and touches it no more: it may be gone then.
//! 3. `first` alone is looked at without the lock. Who has changed what others wait for under their lock sees who waited before.

#![allow(unsafe_code)]

use super::{MutexGuard, RwMutexReadGuard, RwMutexWriteGuard};
use crate::base::NoPreempt;
use crate::base::lock::{Rank, RawLock};
use crate::gmp::{WaitReason, require_runtime};
use crate::sched::countdown::Countdown;
use crate::sched::poll;
use core::cell::Cell;
use core::fmt;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

/// A condition variable: goroutines wait until others announce that something may have changed.
///
/// What they wait for is a value under a lock, which is held to look at it and to change it. Waiting lets go of the lock and takes it again.
///
/// ```no_run
/// # use gort::prelude::*;
/// # use gort::sync::Cond;
/// # fn main() {
/// static READY: Mutex<bool> = Mutex::new(false);
/// static CHANGED: Cond = Cond::new();
/// go(|| {
///     *READY.lock() = true;
///     CHANGED.signal();
/// });
/// let mut ready = READY.lock();
/// while !*ready {
///     CHANGED.wait(&mut ready);
/// }
/// # }
/// ```
///
/// Source: Go package sync, Cond.
pub struct Cond {
    lock: RawLock,
    first: AtomicPtr<Place>,
    last: Cell<*const Place>,
}

// SAFETY: invariant 2.
unsafe impl Sync for Cond {}
// SAFETY: as above; it does not move while somebody waits, for they borrow it.
unsafe impl Send for Cond {}

/// On the stack of who waits.
struct Place {
    next: Cell<*mut Place>,
    signal: Countdown,
}

/// The guards that [`Cond::wait`] lets go of: those of `Mutex` and `RwMutex`.
pub trait CondGuard: sealed::Relock {}

mod sealed {
    pub trait Relock {
        fn unlock(&mut self);
        fn lock(&mut self);
    }
}

macro_rules! relock {
    ($($guard:ident, $unlock:ident, $lock:ident;)*) => { $(
        impl<T: ?Sized> CondGuard for $guard<'_, T> {}
        impl<T: ?Sized> sealed::Relock for $guard<'_, T> {
            fn unlock(&mut self) {
                self.raw().$unlock();
            }
            fn lock(&mut self) {
                self.raw().$lock();
            }
        }
    )* };
}

relock! {
    MutexGuard, unlock, lock;
    RwMutexReadGuard, unlock_read, read;
    RwMutexWriteGuard, unlock_write, write;
}

impl Cond {
    /// One that nobody waits for.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Cond {
        Cond { lock: RawLock::new(), first: AtomicPtr::new(ptr::null_mut()), last: Cell::new(ptr::null()) }
    }

    /// Lets go of the lock, waits for a `signal` or `broadcast` that comes after that, and takes the lock again. It does not return without one.
    ///
    /// What was announced may be over when it returns, for others may have had the lock in between: so it is called in a loop that looks.
    pub fn wait<G: CondGuard>(&self, guard: &mut G) {
        require_runtime();
        let mut place = Place { next: Cell::new(ptr::null_mut()), signal: Countdown::new(1) };
        self.put(&raw mut place);
        guard.unlock();
        place.signal.wait(WaitReason::CondWait);
        guard.lock();
    }

    /// Waits for as long as `condition` holds.
    pub fn wait_while<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>, mut condition: impl FnMut(&mut T) -> bool) {
        while condition(guard) {
            self.wait(guard);
        }
    }

    /// Wakes the one that has waited for longest, if somebody waits. The lock need not be held.
    pub fn signal(&self) {
        if !self.first.load(Relaxed).is_null() {
            self.wake_first();
        }
        poll();
    }

    /// Wakes all who wait. The lock need not be held.
    pub fn broadcast(&self) {
        if !self.first.load(Relaxed).is_null() {
            self.wake_all();
        }
        poll();
    }

    fn put(&self, place: *mut Place) {
        let _nopreempt = NoPreempt::new();
        self.lock.lock_raw(Rank::Sync);
        // SAFETY: invariant 2: the last one is in the list, so it is there.
        match unsafe { self.last.replace(place).as_ref() } {
            None => self.first.store(place, Relaxed),
            Some(last) => last.next.set(place),
        }
        self.lock.unlock_raw(Rank::Sync);
    }

    #[cold]
    fn wake_first(&self) {
        let _nopreempt = NoPreempt::new();
        self.lock.lock_raw(Rank::Sync);
        let first = self.first.load(Relaxed);
        // SAFETY: invariant 2: it is in the list, so it is there.
        if let Some(first) = unsafe { first.as_ref() } {
            let next = first.next.get();
            self.first.store(next, Relaxed);
            if next.is_null() {
                self.last.set(ptr::null());
            }
        }
        self.lock.unlock_raw(Rank::Sync);
        // SAFETY: invariant 2: we have taken it out.
        unsafe { wake(first) };
    }

    #[cold]
    fn wake_all(&self) {
        let mut next = {
            let _nopreempt = NoPreempt::new();
            self.lock.lock_raw(Rank::Sync);
            let first = self.first.swap(ptr::null_mut(), Relaxed);
            self.last.set(ptr::null());
            self.lock.unlock_raw(Rank::Sync);
            first
        };
        // SAFETY: invariant 2: we have taken them out, and each is there until it is woken.
        while let Some(place) = unsafe { next.as_ref() } {
            next = place.next.get();
            // SAFETY: as above.
            unsafe { wake(place) };
        }
    }
}

/// # Safety
/// `place` is null, or the caller has taken it out of its list.
unsafe fn wake(place: *const Place) {
    // SAFETY: the caller's contract.
    if let Some(place) = unsafe { place.as_ref() }
        && !place.signal.done()
    {
        crate::base::throw!("cond: somebody was woken twice");
    }
}

impl fmt::Debug for Cond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cond")
    }
}
