//! The lock of the runtime: it spins, it is never slept on, and it has a rank (R3, R12).
//!
//! 1. Held means preemption disabled: a goroutine that holds one stays on its M until it lets go.
//! 2. Locks are taken in the order of their ranks; debug builds check it, by a mask of held ranks in the goroutine's header.
//! 3. What is held is held briefly: no system call but `madvise` and `mmap` of the arenas, no user code, no allocation under the scheduler's.
//! 4. It may be released by the commit of a switch: one plain store of `FREE` after the goroutine has left its stack.
//!
//! | word   | meaning         | changed by                        |
//! |--------|-----------------|-----------------------------------|
//! | `FREE` | nobody holds it | `lock`: exchange to `HELD`        |
//! | `HELD` | somebody does   | `unlock` or a commit: store `FREE`|
//!
//! Rejected: a three-state futex lock (the commit's plain store forgets its sleepers: it hung); a ticket lock (its release is not one
//! store of a constant, and a descheduled waiter stops the queue). `sync::Mutex` is for users; this one is not.

use super::NoPreempt;
use super::atomic::{AtomicU32, Ordering, word};
use super::tune::{LOCK_SPINS_BEFORE_YIELD, LOCK_SPINS_MAX};
use crate::arch::{cpu, tls};
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};

/// The word of a lock that nobody holds: what a commit stores.
pub const FREE: u32 = 0;
const HELD: u32 = 1;

/// The order in which locks are taken: one of a rank may be taken only while all that are held have a lower one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Rank {
    /// A timer that a user holds: under it its channel is used.
    Timer,
    /// Of a channel, mutex, wait group: what users park on.
    Sync,
    /// The timers of a P.
    Timers,
    /// The system calls that were cancelled and have not ended.
    Broken,
    /// The scheduler's: idle Ps and Ms, the global queue, the number of Ms.
    Sched,
    /// A stack class: arenas and free stacks.
    Stacks,
    /// A size class of the allocator.
    HeapClass,
    /// The allocator's pages.
    HeapPages,
}

/// A lock word without data, for structures that lay out their own.
pub struct RawLock {
    word: AtomicU32,
}

impl RawLock {
    /// A free lock.
    #[cfg(not(loom))]
    pub const fn new() -> RawLock {
        RawLock { word: AtomicU32::new(FREE) }
    }

    /// A free lock.
    #[cfg(loom)]
    pub fn new() -> RawLock {
        RawLock { word: AtomicU32::new(FREE) }
    }

    /// Takes the lock, if it is free.
    #[inline(always)]
    pub fn try_lock_raw(&self) -> bool {
        #[cfg(not(loom))]
        return self.word.swap(HELD, Ordering::Acquire) == FREE;
        // loom would let the exchange that fails, which stores what was there, come after the `FREE` that it did not see.
        #[cfg(loom)]
        return self.word.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_ok();
    }

    /// Takes the lock. The caller has raised the counter, and keeps it so until the lock is released.
    #[inline(always)]
    pub fn lock_raw(&self, rank: Rank) {
        check_order(rank);
        if !self.try_lock_raw() {
            self.lock_contended();
        }
        note_held(rank);
    }

    /// Takes the lock, while others of the same rank are held: the caller takes all of them in one order, that of their addresses.
    pub fn lock_another_raw(&self, rank: Rank) {
        if !self.try_lock_raw() {
            self.lock_contended();
        }
        note_held(rank);
    }

    /// Lets go of the lock. The caller holds it.
    #[inline(always)]
    pub fn unlock_raw(&self, rank: Rank) {
        #[cfg(loom)]
        if tls::has_failed() {
            return;
        }
        note_released(rank);
        self.word.store(FREE, Ordering::Release);
        #[cfg(loom)]
        super::model::spin::stored(&self.word);
    }

    /// Hands the lock to the commit of a switch: the word that the commit sets to `FREE`.
    #[inline(always)]
    pub fn hand_to_commit(&self, rank: Rank) -> *mut u32 {
        note_released(rank);
        word(&self.word)
    }

    #[cfg(loom)]
    fn lock_contended(&self) {
        super::model::spin::wait(&self.word);
        while !self.try_lock_raw() {
            super::model::spin::wait(&self.word);
        }
    }

    #[cfg(not(loom))]
    #[cold]
    fn lock_contended(&self) {
        let (mut pauses, mut spun) = (8, 0u32);
        loop {
            for _ in 0..pauses {
                cpu::pause();
            }
            spun += pauses;
            if self.word.load(Ordering::Relaxed) == FREE && self.try_lock_raw() {
                return;
            }
            if pauses < LOCK_SPINS_MAX {
                pauses *= 2;
            }
            if spun >= LOCK_SPINS_BEFORE_YIELD {
                // The holder's thread has been descheduled: let it run.
                spun = 0;
                crate::sys::cpu::sched_yield();
            }
        }
    }
}

/// A lock with the data it protects.
pub struct Lock<T> {
    raw: RawLock,
    /// Only where it is checked: without it a lock that nobody holds is zeros, and costs no byte of the program's file.
    #[cfg(debug_assertions)]
    rank: Rank,
    data: UnsafeCell<T>,
}

// SAFETY: R12: the lock gives out one reference at a time.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    /// A free lock around `data`.
    #[cfg(not(loom))]
    #[cfg_attr(not(debug_assertions), allow(unused_variables))]
    pub const fn new(rank: Rank, data: T) -> Lock<T> {
        Lock {
            raw: RawLock::new(),
            #[cfg(debug_assertions)]
            rank,
            data: UnsafeCell::new(data),
        }
    }

    /// A free lock around `data`.
    #[cfg(loom)]
    #[cfg_attr(not(debug_assertions), allow(unused_variables))]
    pub fn new(rank: Rank, data: T) -> Lock<T> {
        Lock {
            raw: RawLock::new(),
            #[cfg(debug_assertions)]
            rank,
            data: UnsafeCell::new(data),
        }
    }

    #[inline(always)]
    fn rank(&self) -> Rank {
        #[cfg(debug_assertions)]
        return self.rank;
        // Nobody looks.
        #[cfg(not(debug_assertions))]
        return Rank::Timer;
    }

    /// Takes the lock; preemption is disabled until the guard drops.
    #[inline]
    pub fn lock(&self) -> LockGuard<'_, T> {
        let nopreempt = NoPreempt::new();
        self.raw.lock_raw(self.rank());
        LockGuard { lock: self, _nopreempt: nopreempt }
    }

    /// Takes the lock if it is free: for those who may wait for nobody.
    pub fn try_lock(&self) -> Option<LockGuard<'_, T>> {
        let nopreempt = NoPreempt::new();
        if !self.raw.try_lock_raw() {
            return None;
        }
        note_held(self.rank());
        Some(LockGuard { lock: self, _nopreempt: nopreempt })
    }
}

impl<T> LockGuard<'_, T> {
    /// Hands the lock to the commit of a switch, as `RawLock::hand_to_commit`. The caller has a raise of its own open.
    pub fn hand_to_commit(self) -> *mut u32 {
        let guard = core::mem::ManuallyDrop::new(self);
        let word = guard.lock.raw.hand_to_commit(guard.lock.rank());
        // SAFETY: the guard is not used again, and its own drop does not run.
        drop(unsafe { core::ptr::read(&guard._nopreempt) });
        word
    }
}

/// The lock is held while this is alive.
#[must_use]
pub struct LockGuard<'a, T> {
    lock: &'a Lock<T>,
    _nopreempt: NoPreempt,
}

impl<T> Deref for LockGuard<'_, T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: R12: the guard holds the lock.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T> DerefMut for LockGuard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: R12: the guard holds the lock, and is borrowed for writing.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T> Drop for LockGuard<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.lock.raw.unlock_raw(self.lock.rank());
        // `_nopreempt` drops after this: the lock is free before anybody may switch.
    }
}

/// Throws if a lock of this rank or a higher one is held.
#[inline(always)]
fn check_order(rank: Rank) {
    if cfg!(debug_assertions) {
        // SAFETY: R1: the running goroutine's own header.
        let held = unsafe { (*tls::g()).ranks.get() };
        if held >> rank as u32 != 0 {
            super::throw!("lock: {rank:?} taken while ranks {held:#b} are held");
        }
    }
}

#[inline(always)]
fn note_held(rank: Rank) {
    if cfg!(debug_assertions) {
        // SAFETY: R1: the running goroutine's own header; the caller has raised its counter.
        let ranks = unsafe { &(*tls::g()).ranks };
        ranks.set(ranks.get() | 1 << rank as u32);
    }
}

#[inline(always)]
fn note_released(rank: Rank) {
    if cfg!(debug_assertions) {
        // SAFETY: as in `note_held`.
        let ranks = unsafe { &(*tls::g()).ranks };
        ranks.set(ranks.get() & !(1 << rank as u32));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::vec::Vec;

    #[test]
    fn counts_under_the_lock_are_exact() {
        let lock = Arc::new(Lock::new(Rank::Sched, 0u32));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                std::thread::spawn({
                    let lock = lock.clone();
                    move || {
                        for _ in 0..20_000 {
                            *lock.lock() += 1
                        }
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|t| t.join().unwrap());
        assert_eq!(*lock.lock(), 80_000);
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic = "taken while ranks"]
    fn a_lower_rank_under_a_higher_one_is_fatal() {
        let (low, high) = (Lock::new(Rank::Sync, ()), Lock::new(Rank::Sched, ()));
        let _high = high.lock();
        let _low = low.lock();
    }

    #[test]
    fn try_lock_fails_while_held() {
        let lock = Lock::new(Rank::Sched, ());
        let held = lock.lock();
        assert!(lock.try_lock().is_none());
        drop(held);
        assert!(lock.try_lock().is_some());
    }
}
