//! `ready`: a waiting goroutine becomes runnable. The only way there (R3).
//!
//! 1. The caller owns the goroutine: it took it out of its wait queue, whose lock says that the goroutine has left its stack.
//! 2. After `ready` the goroutine may be running, or gone: nobody touches it, nor anything that lives on its stack.

use super::{group, queue, wake};
use crate::base::NoPreempt;
use crate::base::tune::SAMPLED_AT_ONCE;
use crate::gmp::sched::GQueue;
use crate::gmp::{G, P, Status, sampling};
use core::sync::atomic::Ordering::{AcqRel, Relaxed, Release};

#[inline(always)]
fn make_runnable(g: *mut G) {
    // SAFETY: invariant 1.
    let g = unsafe { &*g };
    if g.status() != Status::Waiting {
        crate::base::throw!("ready: goroutine {} is {:?}, not Waiting", g.id(), g.status());
    }
    g.set_status(Status::Runnable);
    if !g.group.get().is_null() {
        group::made_ready(g);
    }
}

/// Makes `g` runnable, to run next on this P. What was to run next goes behind those that were made ready here before; into the ring, if somebody
/// looks for work.
///
/// # Safety
/// Invariant 1.
#[inline(always)]
pub unsafe fn ready(nopreempt: &NoPreempt, g: *mut G) {
    make_runnable(g);
    let p = P::current(nopreempt);
    sampling::runnable(p, g);
    // Only the owner puts something in, so what is null stays null: no exchange on the way of a hand-off.
    if p.runnext.0.load(Relaxed).is_null() {
        p.runnext.0.store(g, Release);
        return wake::after_handoff(p);
    }
    let before = p.runnext.0.swap(g, AcqRel);
    if !before.is_null() {
        queue::push_started(p, before);
    }
    wake::one_more();
}

/// Makes `g` runnable, behind all others of this P: for a waker that goes on working.
///
/// # Safety
/// Invariant 1.
pub unsafe fn ready_last(nopreempt: &NoPreempt, g: *mut G) {
    make_runnable(g);
    let p = P::current(nopreempt);
    sampling::runnable(p, g);
    queue::push_started(p, g);
    wake::one_more();
}

/// Makes `g` runnable from wherever the caller is: inside a system call too, where there is no P.
///
/// # Safety
/// Invariant 1.
pub unsafe fn ready_anywhere(nopreempt: &NoPreempt, g: *mut G) {
    if P::current_or_none(nopreempt).is_some() {
        // SAFETY: the caller's contract.
        return unsafe { ready(nopreempt, g) };
    }
    let mut goroutines = GQueue::new();
    // SAFETY: the caller's contract. In the global queue a goroutine may still say that it waits (`ready_queue`).
    unsafe { goroutines.push(g) };
    queue::push_global(goroutines);
    wake::one_more();
}

/// Makes all goroutines of a queue runnable: the first ones here, the others, in constant time, through the global queue.
///
/// # Safety
/// Invariant 1, for each; their status is `Waiting` and becomes `Runnable` as they are run.
pub unsafe fn ready_queue(nopreempt: &NoPreempt, goroutines: GQueue) {
    match goroutines.len() {
        0 => {}
        1 => {
            let mut goroutines = goroutines;
            let g = goroutines.pop();
            // SAFETY: the caller's contract.
            unsafe { ready(nopreempt, g) }
        }
        _ => {
            sample(P::current(nopreempt), &goroutines);
            group::all_made_ready(&goroutines);
            queue::push_global(goroutines);
            wake::one_more();
        }
    }
}

/// All of a list become runnable at once: the first ones are counted.
#[inline]
pub(super) fn sample(p: &P, goroutines: &GQueue) {
    if p.sample_left.load(Relaxed) != 0 {
        goroutines.first(SAMPLED_AT_ONCE, &mut |g| sampling::runnable(p, g));
    }
}
