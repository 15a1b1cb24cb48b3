//! The finalizer goroutine: calls, one after the other, what was queued as the last handles of objects were dropped.
//!
//! 1. There is one, from the first `ensure` on: so calls never run beside each other, and in the order in which they were queued.
//! 2. It waits with nothing but the queue's lock to come for it: it is no reason not to be deadlocked, and keeps nobody from it (all Ms are idle then, or not).
//! 3. `queue` works without a P: a handle may be dropped inside a system call.
//! 4. A call that ends its goroutine by `goexit` ends only itself: another goroutine takes the place.
//!
//! Rejected: a goroutine a call (no order, and any number of stacks after the drop of a large tree); calls by who drops (it may hold what the call wants).
//!
//! Source: Go package runtime, SetFinalizer: a single goroutine runs all finalizers, sequentially.

use super::exit::OnGoexit;
use super::{group, park, ready_anywhere, ready_last, spawn};
use crate::arch::switch::Commit;
use crate::base::NoPreempt;
use crate::base::lock::{FREE, Lock, Rank};
use crate::gmp::{G, P, WaitReason};
use alloc::boxed::Box;
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// A call that is to be made.
pub type Call = Box<dyn FnOnce() + Send>;

struct Node {
    call: Call,
    next: *mut Node,
}

struct Queue {
    first: *mut Node,
    last: *mut Node,
    /// The goroutine, while it waits.
    waiting: *mut G,
}

// SAFETY: the queue owns its nodes; the goroutine is the waker's who takes it out.
unsafe impl Send for Queue {}

static QUEUE: Lock<Queue> = Lock::new(Rank::Sync, Queue { first: ptr::null_mut(), last: ptr::null_mut(), waiting: ptr::null_mut() });
static STARTED: AtomicBool = AtomicBool::new(false);

/// Starts the goroutine, if it is not there. With a P.
pub fn ensure() {
    if !STARTED.swap(true, Relaxed) {
        spawn::go(0, run);
    }
}

/// Queues a call. After `ensure`.
pub fn queue(call: Call) {
    let node = Box::into_raw(Box::new(Node { call, next: ptr::null_mut() }));
    let nopreempt = NoPreempt::new();
    let waiting = {
        let mut queue = QUEUE.lock();
        // SAFETY: what is in the queue is the queue's; the lock is held.
        match unsafe { queue.last.as_mut() } {
            Some(last) => last.next = node,
            None => queue.first = node,
        }
        queue.last = node;
        core::mem::replace(&mut queue.waiting, ptr::null_mut())
    };
    if waiting.is_null() {
        return;
    }
    if P::current_or_none(&nopreempt).is_some() {
        // SAFETY: R3: we took it out, so it has left its stack and is ours.
        return unsafe { ready_last(&nopreempt, waiting) };
    }
    // SAFETY: as above.
    unsafe { ready_anywhere(&nopreempt, waiting) };
}

/// The goroutine.
fn run() {
    // SAFETY: R1: the running goroutine is ours.
    let me = unsafe { G::current().as_ref() };
    me.is_finalizer.set(true);
    group::leave_all(me); // it serves all, whoever had need of it first
    loop {
        let call = next();
        // SAFETY: the word means nothing.
        unsafe { OnGoexit::guard(replace, ptr::null(), call) };
    }
}

/// Invariant 4.
unsafe fn replace(_: *const ()) {
    spawn::go(0, run);
}

/// The next call; waits for it.
fn next() -> Call {
    loop {
        let nopreempt = NoPreempt::new();
        let mut queue = QUEUE.lock();
        if !queue.first.is_null() {
            // SAFETY: it was made by `queue`, and is ours once it is out.
            let node = unsafe { Box::from_raw(queue.first) };
            queue.first = node.next;
            if queue.first.is_null() {
                queue.last = ptr::null_mut();
            }
            drop(queue);
            return node.call;
        }
        queue.waiting = G::current().as_ptr();
        // SAFETY: R3: who takes it out of the queue is its only waker; the commit frees the lock, which a plain store does.
        unsafe { park(&nopreempt, WaitReason::FinalizerWait, Commit::store(queue.hand_to_commit(), FREE)) };
    }
}
