//! The soft cap: so many blocking calls at a time, the others wait their turn. Off by default.
//!
//! 1. `inside` counts the calls that were let in, from then until their goroutine runs again. Who leaves lets the first waiter in, in its place.
//! 2. First in, first out: nobody is let in while somebody waits.
//! 3. A call inside a call is not counted: it has no P to wait with.
//! 4. A call that began while there was no cap has no ticket, and is not counted. With the cap gone nobody waits.
//!
//! | a call           | counted in `inside` | left by                                                                  |
//! |------------------|---------------------|--------------------------------------------------------------------------|
//! | waits            | no                  | a place gets free, the cap is raised or goes: `leave`, `set`             |
//! | let in           | yes                 | its end: `leave`                                                         |
//!
//! Rejected: to count the Ms that are in calls (each return and each retake would count, in programs without a cap too).

use super::park::park;
use super::ready::{ready_last, ready_queue};
use super::waitq::{WaitQueue, Waiter};
use crate::arch::switch::Commit;
use crate::arch::tls;
use crate::base::NoPreempt;
use crate::base::lock::{FREE, Rank, RawLock};
use crate::gmp::WaitReason;
use crate::gmp::sched::GQueue;
use core::cell::Cell;
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// How many waiters `set` lets in under one lock.
const AT_ONCE: u32 = 256;

struct Gate {
    /// 0: there is none. Changed under the lock.
    cap: AtomicU32,
    lock: RawLock,
    inside: Cell<u32>,
    waiters: WaitQueue,
}

// SAFETY: what is not atomic is used under the lock.
unsafe impl Sync for Gate {}

static GATE: Gate = Gate { cap: AtomicU32::new(0), lock: RawLock::new(), inside: Cell::new(0), waiters: WaitQueue::new() };

/// What a call holds that is counted.
#[must_use]
pub struct Ticket(());

/// Before a call, with a P or inside another call. Waits for its turn, if there is a cap.
#[inline(always)]
pub fn enter() -> Option<Ticket> {
    if GATE.cap.load(Relaxed) == 0 { None } else { enter_capped() }
}

#[cold]
#[inline(never)]
fn enter_capped() -> Option<Ticket> {
    let nopreempt = NoPreempt::new();
    if tls::p().is_null() {
        return None; // invariant 3
    }
    GATE.lock.lock_raw(Rank::Sync);
    let (cap, inside) = (GATE.cap.load(Relaxed), GATE.inside.get());
    if cap == 0 {
        GATE.lock.unlock_raw(Rank::Sync);
        return None;
    }
    if inside < cap && GATE.waiters.is_empty() {
        GATE.inside.set(inside + 1);
        GATE.lock.unlock_raw(Rank::Sync);
        return Some(Ticket(()));
    }
    let mut waiter = Waiter::new(ptr::null_mut());
    // SAFETY: the lock is held; the waiter stays here until it has been taken out, for this goroutine parks. The commit frees the lock.
    unsafe {
        GATE.waiters.push(&raw mut waiter);
        park(&nopreempt, WaitReason::CallTurn, Commit::store(GATE.lock.hand_to_commit(Rank::Sync), FREE));
    }
    Some(Ticket(()))
}

/// After the call, once its goroutine has a P again.
#[inline(always)]
pub fn leave(ticket: Option<Ticket>) {
    if let Some(ticket) = ticket {
        leave_capped(ticket);
    }
}

#[cold]
#[inline(never)]
fn leave_capped(_: Ticket) {
    let nopreempt = NoPreempt::new();
    GATE.lock.lock_raw(Rank::Sync);
    // Has the cap gone down meanwhile? Then there is no place to pass on.
    let next = if GATE.inside.get() > GATE.cap.load(Relaxed) {
        ptr::null_mut()
    } else {
        // SAFETY: the lock is held.
        unsafe { GATE.waiters.pop() }
    };
    if next.is_null() {
        GATE.inside.set(GATE.inside.get() - 1);
        return GATE.lock.unlock_raw(Rank::Sync);
    }
    // SAFETY: it was in the queue whose lock we hold.
    let g = unsafe { (*next).g() };
    GATE.lock.unlock_raw(Rank::Sync);
    // SAFETY: R3: we took it out of the queue, so it has left its stack.
    unsafe { ready_last(&nopreempt, g) };
}

/// Sets the cap, 0 for none, and returns the one before.
pub fn set(cap: u32) -> u32 {
    let mut before = None;
    loop {
        let nopreempt = NoPreempt::new();
        let mut let_in = GQueue::new();
        GATE.lock.lock_raw(Rank::Sync);
        // Once: somebody else may set it between two pieces.
        before = before.or_else(|| Some(GATE.cap.swap(cap, Relaxed)));
        let cap = GATE.cap.load(Relaxed);
        while (cap == 0 || GATE.inside.get() < cap) && let_in.len() < AT_ONCE {
            // SAFETY: the lock is held; R3: who is taken out has left its stack, and is ours.
            unsafe {
                let Some(waiter) = GATE.waiters.pop().as_ref() else { break };
                let_in.push(waiter.g());
            }
            GATE.inside.set(GATE.inside.get() + 1);
        }
        GATE.lock.unlock_raw(Rank::Sync);
        let done = let_in.len() < AT_ONCE;
        // SAFETY: as above.
        unsafe { ready_queue(&nopreempt, let_in) };
        if done {
            return before.unwrap_or(0);
        }
    }
}
