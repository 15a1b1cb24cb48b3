//! The mutex's word and queue. Unsafe code is allowed here: waiters lie on their goroutines' stacks.
//!
//! | bit        | meaning                                                                                              |
//! |------------|------------------------------------------------------------------------------------------------------|
//! | `LOCKED`   | somebody holds it                                                                                    |
//! | `WAITERS`  | the queue is not empty; set and cleared under the queue's lock                                       |
//! | `WOKEN`    | one was woken and has not tried yet: nobody else need be                                             |
//! | `STARVING` | the first in the queue has waited for more than 1 ms: the next unlock hands the mutex to it          |
//!
//! 1. Who comes while it is free takes it, though others wait: the fastest way with a hot lock. Who was woken and lost goes to the head of
//!    the queue.
//! 2. After 1 ms of waiting that ends: unlock leaves `LOCKED` set and hands over, so nobody starves.
//! 3. A waiter sets `WAITERS` before it looks at `LOCKED` for the last time; unlock clears `LOCKED` and looks at `WAITERS` in one step.
//!
//! Source: Go package sync, Mutex (its two modes).

#![allow(unsafe_code)]

use crate::arch::switch::Commit;
use crate::base::atomic::{AtomicU32, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use crate::base::lock::{FREE, Rank, RawLock};
use crate::base::{NoPreempt, throw};
use crate::gmp::WaitReason;
use crate::sched::waitq::{WaitQueue, Waiter};
use crate::sched::{park, poll, ready, ready_last};
use core::ptr;

const LOCKED: u32 = 1;
const WAITERS: u32 = 2;
const WOKEN: u32 = 4;
const STARVING: u32 = 8;

pub struct RawMutex {
    word: AtomicU32,
    lock: RawLock,
    queue: WaitQueue,
}

// SAFETY: the queue is used under its lock.
unsafe impl Sync for RawMutex {}

impl RawMutex {
    #[cfg(loom)]
    pub fn new() -> RawMutex {
        RawMutex { word: AtomicU32::new(0), lock: RawLock::new(), queue: WaitQueue::new() }
    }

    #[cfg(not(loom))]
    pub const fn new() -> RawMutex {
        RawMutex { word: AtomicU32::new(0), lock: RawLock::new(), queue: WaitQueue::new() }
    }

    #[inline]
    pub fn lock(&self) {
        if self.word.compare_exchange(0, LOCKED, Acquire, Relaxed).is_err() {
            self.lock_slow();
        }
    }

    #[inline]
    pub fn try_lock(&self) -> bool {
        let word = self.word.load(Relaxed);
        word & (LOCKED | STARVING) == 0 && self.word.compare_exchange(word, word | LOCKED, Acquire, Relaxed).is_ok()
    }

    /// Spins for as long as the holder is likely to be running: other Ps exist.
    #[cfg(not(loom))]
    fn spin(&self) -> bool {
        use crate::base::tune::MUTEX_SPINS;
        if crate::gmp::SCHED.procs.load(Relaxed) == 1 {
            return self.try_lock();
        }
        let mut pauses = 4;
        let mut spun = 0;
        while spun < MUTEX_SPINS {
            if self.try_lock() {
                return true;
            }
            if self.word.load(Relaxed) & STARVING != 0 {
                return false;
            }
            (0..pauses).for_each(|_| crate::arch::cpu::pause());
            spun += pauses;
            pauses = (pauses * 2).min(64);
        }
        false
    }

    #[cfg(loom)]
    fn spin(&self) -> bool {
        self.try_lock()
    }

    #[cold]
    fn lock_slow(&self) {
        crate::gmp::require_runtime();
        if self.spin() {
            return;
        }
        let start = Start::now();
        let mut again = false;
        loop {
            let nopreempt = NoPreempt::new();
            self.lock.lock_raw(Rank::Sync);
            let starving = again && start.is_long_ago();
            self.word.fetch_or(if starving { WAITERS | STARVING } else { WAITERS }, AcqRel);
            // Invariant 3: the last look.
            if self.take_if_free() {
                if self.queue.is_empty() {
                    self.word.fetch_and(!(WAITERS | STARVING), Relaxed);
                }
                self.lock.unlock_raw(Rank::Sync);
                return;
            }
            let mut waiter = Waiter::new(ptr::null_mut());
            // SAFETY: the queue's lock is held; the waiter stays here until it has been taken out; the commit frees the lock.
            unsafe {
                if again {
                    self.queue.push_front(&raw mut waiter)
                } else {
                    self.queue.push(&raw mut waiter)
                }
                park(&nopreempt, WaitReason::MutexLock, Commit::store(self.lock.hand_to_commit(Rank::Sync), FREE));
            }
            drop(nopreempt);
            if waiter.served.get() {
                return; // handed over, still locked
            }
            self.word.fetch_and(!WOKEN, Relaxed);
            if self.spin() {
                return;
            }
            again = true;
        }
    }

    fn take_if_free(&self) -> bool {
        self.word.fetch_update(Acquire, Relaxed, |word| (word & LOCKED == 0).then_some(word | LOCKED)).is_ok()
    }

    /// The caller holds the mutex.
    #[inline]
    pub fn unlock(&self) {
        if self.word.compare_exchange(LOCKED, 0, Release, Relaxed).is_err() {
            self.unlock_slow();
        }
        poll();
    }

    /// The caller holds the mutex: whoever waits for longest gets it.
    #[cfg(any(feature = "lock_api", loom))]
    pub fn unlock_fair(&self) {
        if let Err(word) = self.word.compare_exchange(LOCKED, 0, Release, Relaxed) {
            if word & LOCKED == 0 {
                throw!("sync: fair unlock of unlocked mutex");
            }
            self.hand_over();
        }
        poll();
    }

    /// Does somebody hold it?
    #[cfg(feature = "lock_api")]
    pub fn is_locked(&self) -> bool {
        self.word.load(Relaxed) & LOCKED != 0
    }

    #[cold]
    fn unlock_slow(&self) {
        // One step: free it, unless it is to be handed over.
        let result = self.word.fetch_update(AcqRel, Acquire, |word| (word & STARVING == 0).then_some(word & !LOCKED));
        match result {
            Ok(word) if word & LOCKED == 0 => throw!("sync: unlock of unlocked mutex"),
            Ok(word) if word & WAITERS == 0 || word & WOKEN != 0 => {}
            Ok(_) => self.wake_first(),
            Err(_) => self.hand_over(),
        }
    }

    fn wake_first(&self) {
        let nopreempt = NoPreempt::new();
        self.lock.lock_raw(Rank::Sync);
        // Somebody else holds it by now, or was woken: their unlock, or their turn, looks after the queue.
        if self.word.load(Acquire) & (LOCKED | WOKEN) != 0 {
            return self.lock.unlock_raw(Rank::Sync);
        }
        // SAFETY: the queue's lock is held.
        let first = unsafe { self.queue.pop() };
        self.update_bits(if first.is_null() { 0 } else { WOKEN });
        // SAFETY: it is in the queue until now, so it lives.
        let g = (!first.is_null()).then(|| unsafe { (*first).g() });
        self.lock.unlock_raw(Rank::Sync);
        if let Some(g) = g {
            // SAFETY: R3: it came out of the queue under its lock.
            unsafe { ready_last(&nopreempt, g) };
        }
    }

    fn hand_over(&self) {
        let nopreempt = NoPreempt::new();
        self.lock.lock_raw(Rank::Sync);
        // SAFETY: the queue's lock is held.
        let first = unsafe { self.queue.pop() };
        self.word.fetch_and(!STARVING, Relaxed);
        self.update_bits(0);
        if first.is_null() {
            // Who was starving got it otherwise.
            self.lock.unlock_raw(Rank::Sync);
            drop(nopreempt);
            return self.unlock_slow();
        }
        // SAFETY: it is in the queue until now, so it lives.
        let g = unsafe {
            (*first).served.set(true);
            (*first).g()
        };
        self.lock.unlock_raw(Rank::Sync);
        // SAFETY: R3: it came out of the queue under its lock.
        unsafe { ready(&nopreempt, g) };
    }

    /// Queue's lock held: sets `set`, and clears `WAITERS` if nobody waits any more.
    fn update_bits(&self, set: u32) {
        if self.queue.is_empty() {
            self.word.fetch_and(!WAITERS, Relaxed);
        }
        self.word.fetch_or(set, Relaxed);
    }
}

/// When somebody began to wait.
#[cfg(not(loom))]
struct Start(u64);

#[cfg(not(loom))]
impl Start {
    fn now() -> Start {
        Start(crate::sys::clock::monotonic_ns())
    }

    fn is_long_ago(&self) -> bool {
        Start::now().0 - self.0 > crate::base::tune::MUTEX_STARVES_NS
    }
}

/// In a model whoever has waited once has waited for long: the time may not depend on the run.
#[cfg(loom)]
struct Start;

#[cfg(loom)]
impl Start {
    fn now() -> Start {
        Start
    }

    fn is_long_ago(&self) -> bool {
        true
    }
}
