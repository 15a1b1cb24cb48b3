//! Giving way: `gosched`, and the cheap poll of calls that might never schedule otherwise.

use super::park::{call_on_g0, leave};
use super::{pick, queue};
use crate::arch::header::NOTHING_PENDING;
use crate::arch::tls;
use crate::base::NoPreempt;
use crate::gmp::p::{GIVE_WAY, LOCKED};
use crate::gmp::sched::STOPPING;
use crate::gmp::{G, P, SCHED, Status, sampling};
use core::ptr;
use core::sync::atomic::Ordering::Relaxed;

/// Lets other runnable goroutines run. The caller goes to the end of its P's ring; alone, it goes on at once.
pub fn gosched() {
    let nopreempt = NoPreempt::new();
    let p = P::current(&nopreempt);
    if p.request.load(Relaxed) == LOCKED && p.runnable() == 0 && SCHED.global_len.load(Relaxed) == 0 {
        return; // alone: its M would only go a long way to run it again
    }
    let mut next = ptr::null_mut();
    // On a tick, or if somebody wants something of this P, g0 chooses; it takes the ring's oldest before the caller, who goes to its end.
    if !pick::tick(p) && !pick::wanted(p) {
        // The next one first, so that the ring has room for this one.
        next = pick::on_any_m(p, pick::local(p));
        if next.is_null() && p.resume.load(Relaxed).is_null() {
            if SCHED.global_len.load(Relaxed) != 0 {
                through_g0(&nopreempt);
            }
            return;
        }
    }
    if next.is_null() {
        // Else an empty ring would have nobody but the caller, and be the oldest's turn: it would go on before those that it gives way to.
        queue::publish(p);
    }
    let g = G::current();
    let commit = queue::stage(p, g);
    // SAFETY: R3: the ring's tail, moved by the commit, publishes the goroutine once it has left; `next` came out of our queues, or is null.
    unsafe {
        g.as_ref().set_status(Status::Runnable);
        sampling::runnable(p, g.as_ptr());
        leave(&nopreempt, g, next, commit);
    }
}

/// By way of g0, behind a share of the global queue. Not behind all of it: a close may just have put a million there.
#[cold]
pub(super) fn through_g0(nopreempt: &NoPreempt) {
    // SAFETY: the goroutine runs and is ours; `requeue` makes it runnable once it has left its stack.
    unsafe {
        G::current().as_ref().set_status(Status::Runnable);
        sampling::runnable(P::current(nopreempt), G::current().as_ptr());
        call_on_g0(nopreempt, requeue);
    }
}

/// On g0: `g`, which has left its stack and is runnable.
unsafe fn requeue(g: *mut G) {
    let nopreempt = NoPreempt::new();
    queue::push_behind_global(P::current(&nopreempt), g);
}

/// Gives way if the world is to stop, or somebody wants this P: for calls that a loop could make for ever without scheduling.
#[inline(always)]
pub fn poll() {
    // SAFETY: Ps are never freed; if this goroutine has just moved, another P's word is as good. Inside a system call there is none.
    let Some(p) = (unsafe { tls::p().cast::<P>().as_ref() }) else { return };
    if p.request.load(Relaxed) & GIVE_WAY != 0 || SCHED.idle.0.load(Relaxed) & STOPPING != 0 {
        gosched_if_free();
    }
}

/// `gosched`, unless preemption is disabled: on g0, or under a runtime lock.
#[cold]
pub fn gosched_if_free() {
    // SAFETY: R1: the running goroutine's own word.
    let raises = unsafe { G::current().as_ref() }.header.nopreempt.get() & !NOTHING_PENDING;
    if raises == 0 {
        gosched();
    }
}
