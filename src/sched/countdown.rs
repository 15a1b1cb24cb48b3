//! A countdown: goroutines wait until a number that others add to and take from is zero. Below wait groups, scopes and joins.
//!
//! 1. Who brings the number to zero and sees no `WAITING` never touches the countdown again: it may lie on the stack of one who waits.
//! 2. Who sees `WAITING` knows that somebody is parked, or about to be under the lock, and stays so until made ready.
//!
//! | `word`                | meaning                                   |
//! |-----------------------|-------------------------------------------|
//! | `2 n`                 | n to go, nobody waits                     |
//! | `2 n + WAITING`       | n to go, somebody waits                   |
//! | `WAITING`             | none to go, who waits is about to go on   |
//!
//! Rejected: a lock around the number (two more atomic steps for each goroutine that ends).

use super::park::park;
use super::ready::ready_queue;
use super::waitq::{WaitQueue, Waiter};
use crate::arch::switch::Commit;
use crate::base::NoPreempt;
use crate::base::atomic::AtomicU32;
use crate::base::lock::{FREE, Rank, RawLock};
use crate::gmp::WaitReason;
use core::ptr;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

const WAITING: u32 = 1;
const ONE: u32 = 2;

/// Why something cannot be added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddError {
    /// It is more than the word holds.
    TooMuch,
    /// The number has just become zero, and they who wait for that have not gone on yet.
    Waited,
}

/// See the head of this file.
pub struct Countdown {
    word: AtomicU32,
    lock: RawLock,
    waiters: WaitQueue,
}

// SAFETY: the queue is used under the lock.
unsafe impl Sync for Countdown {}

impl Countdown {
    /// `n` to go.
    #[cfg(loom)]
    pub fn new(n: u32) -> Countdown {
        Countdown { word: AtomicU32::new(n * ONE), lock: RawLock::new(), waiters: WaitQueue::new() }
    }

    /// `n` to go.
    #[cfg(not(loom))]
    pub const fn new(n: u32) -> Countdown {
        Countdown { word: AtomicU32::new(n * ONE), lock: RawLock::new(), waiters: WaitQueue::new() }
    }

    /// `n` more to go. If it cannot be, the number is as before.
    #[inline]
    pub fn add(&self, n: u32) -> Result<(), AddError> {
        let before = self.word.fetch_add(n.wrapping_mul(ONE), Relaxed);
        let is_too_much = u64::from(before) + u64::from(n) * u64::from(ONE) > u32::MAX.into();
        if is_too_much || before == WAITING && n != 0 {
            self.word.fetch_sub(n.wrapping_mul(ONE), Relaxed);
            return Err(if is_too_much { AddError::TooMuch } else { AddError::Waited });
        }
        Ok(())
    }

    /// How many are to go.
    pub fn count(&self) -> u32 {
        self.word.load(Acquire) / ONE
    }

    /// One less to go. False, and nothing changed, if there was none.
    #[inline]
    #[must_use]
    pub fn done(&self) -> bool {
        let before = self.word.fetch_sub(ONE, AcqRel);
        if before < ONE {
            self.word.fetch_add(ONE, Relaxed);
            return false;
        }
        if before == ONE + WAITING {
            self.release();
        }
        true
    }

    /// The last one is done, and somebody waits.
    fn release(&self) {
        let nopreempt = NoPreempt::new();
        self.lock.lock_raw(Rank::Sync);
        self.word.fetch_and(!WAITING, Relaxed);
        // SAFETY: the lock is held.
        let waiters = unsafe { self.waiters.take_all() };
        self.lock.unlock_raw(Rank::Sync);
        // SAFETY: R3: they were in the queue whose lock we held, so each has left its stack.
        unsafe { ready_queue(&nopreempt, waiters) };
    }

    /// Waits until nothing is to go. True if that was not so already.
    pub fn wait(&self, reason: WaitReason) -> bool {
        if self.word.load(Acquire) < ONE {
            return false;
        }
        let nopreempt = NoPreempt::new();
        self.lock.lock_raw(Rank::Sync);
        if self.word.fetch_update(AcqRel, Acquire, |word| (word >= ONE).then_some(word | WAITING)).is_err() {
            self.lock.unlock_raw(Rank::Sync);
            return false;
        }
        let mut waiter = Waiter::new(ptr::null_mut());
        // SAFETY: the lock is held; the waiter stays here until `release` has taken it out, for this goroutine parks. The commit frees the lock.
        unsafe {
            self.waiters.push(&raw mut waiter);
            park(&nopreempt, reason, Commit::store(self.lock.hand_to_commit(Rank::Sync), FREE));
        }
        true
    }
}
