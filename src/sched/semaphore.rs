//! Semaphores: a word is a number of permits; who wants one and finds none waits in the table (`sched::table`). Nothing but the word belongs to one.
//!
//! 1. Who waits has announced itself and then found no permit; who gives one back adds it and then looks for somebody: one of them sees the other.
//! 2. A permit that is granted is taken out of the word again, under the lock of the queue, for who is first there: nobody comes in between.
//! 3. Nobody is woken for a permit that somebody else has taken meanwhile.
//!
//! Source: Go package runtime, sema.go.

use super::table;
use super::{gosched_if_free, ready, ready_last, ready_queue};
use crate::base::NoPreempt;
use crate::base::atomic::{AtomicU32, Ordering};
use crate::base::tune::CLOSE_AT_ONCE;
use crate::gmp::WaitReason;
use crate::gmp::sched::GQueue;
use core::ptr;

fn address(word: &AtomicU32) -> usize {
    ptr::from_ref(word).addr()
}

/// Takes a permit, if there is one.
#[inline]
pub fn try_acquire(word: &AtomicU32) -> bool {
    word.fetch_update(Ordering::Acquire, Ordering::Relaxed, |permits| permits.checked_sub(1)).is_ok()
}

/// Takes a permit; waits for one behind all others, or with `lifo` before them.
#[inline]
pub fn acquire(word: &AtomicU32, lifo: bool, reason: WaitReason) {
    if !try_acquire(word) {
        wait_for_one(word, lifo, reason);
    }
}

#[cold]
fn wait_for_one(word: &AtomicU32, lifo: bool, reason: WaitReason) {
    loop {
        let nopreempt = NoPreempt::new();
        let row = table::lock(&nopreempt, address(word));
        row.announce();
        // Invariant 1: the last look.
        if try_acquire(word) {
            return row.withdraw();
        }
        let granted = row.wait(reason, lifo);
        drop(nopreempt);
        if granted || try_acquire(word) {
            return;
        }
    }
}

/// Gives a permit back, and wakes who is first. With `hand_off` the permit is theirs, and they run at once, in the caller's place; without, whoever
/// comes first takes it, and who was woken in vain waits again.
pub fn release(word: &AtomicU32, hand_off: bool) {
    word.fetch_add(1, Ordering::SeqCst);
    if !table::sleeps(address(word)) {
        return;
    }
    let nopreempt = NoPreempt::new();
    let (g, granted) = {
        let row = table::lock(&nopreempt, address(word));
        let granted = hand_off && !row.is_empty() && try_acquire(word);
        // Invariant 3.
        let is_there = granted || word.load(Ordering::Relaxed) != 0;
        (if is_there { row.pop(granted) } else { ptr::null_mut() }, granted)
    };
    if g.is_null() {
        return;
    }
    if !granted {
        // SAFETY: R3: it came out of the queue under its lock.
        return unsafe { ready_last(&nopreempt, g) };
    }
    // SAFETY: as above.
    unsafe { ready(&nopreempt, g) };
    drop(nopreempt);
    gosched_if_free();
}

/// Gives `permits` back, and grants them to those who are first.
pub fn grant(word: &AtomicU32, permits: u32) {
    word.fetch_add(permits, Ordering::SeqCst);
    if permits == 0 || !table::sleeps(address(word)) {
        return;
    }
    let mut left = permits;
    while left != 0 {
        let nopreempt = NoPreempt::new();
        let mut granted = GQueue::new();
        {
            let row = table::lock(&nopreempt, address(word));
            while left != 0 && granted.len() < CLOSE_AT_ONCE {
                if row.is_empty() || !try_acquire(word) {
                    left = 0;
                    break;
                }
                left -= 1;
                // SAFETY: R3: it came out of the queue under its lock, and has left its stack.
                unsafe { granted.push(row.pop(true)) };
            }
        }
        // SAFETY: as above.
        unsafe { ready_queue(&nopreempt, granted) };
    }
}
