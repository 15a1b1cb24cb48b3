//! `park`: the running goroutine waits. The only way to wait (R3).

use super::group;
use super::pick::pick;
use crate::arch::header::NOTHING_PENDING;
use crate::arch::switch::{Commit, switch};
use crate::base::NoPreempt;
use crate::gmp::g::GPtr;
use crate::gmp::m::G0Call;
use crate::gmp::{G, P, Status, WaitReason, sampling, since};

/// Makes the running goroutine wait, and runs another. Returns once somebody has made it ready again; perhaps on another M.
///
/// The commit is what lets a waker find it: it unlocks the lock of the queue that the goroutine has put itself into.
///
/// # Safety
/// Exactly one waker will own the goroutine once the commit is made. No runtime lock is held but the one that the commit releases.
#[inline(always)]
pub unsafe fn park(nopreempt: &NoPreempt, reason: WaitReason, commit: Commit) {
    // SAFETY: the caller's contract.
    unsafe { park_at(nopreempt, reason, commit.address(), commit) };
}

/// `park`, where the lock that the commit releases is not that of the thing waited for: that is at the address `at`.
///
/// # Safety
/// As for `park`.
#[inline(always)]
pub unsafe fn park_at(nopreempt: &NoPreempt, reason: WaitReason, at: usize, commit: Commit) {
    let g = G::current();
    // SAFETY: a G that runs is valid, and ours.
    unsafe {
        g.as_ref().at.set(at);
        g.as_ref().set_reason(reason);
        g.as_ref().waits_since.set(since::now());
        g.as_ref().set_status(Status::Waiting);
    }
    // SAFETY: as above.
    let by_way_of_g0 = !unsafe { g.as_ref() }.group.get().is_null() && group::parks(nopreempt, g, reason);
    let next = if by_way_of_g0 { core::ptr::null_mut() } else { pick(P::current(nopreempt)) };
    // SAFETY: the caller's contract.
    unsafe { leave(nopreempt, g, next, commit) };
}

/// Switches from `g`, which runs, to `next`, or to g0 if that is null.
///
/// # Safety
/// `next` is a runnable goroutine that the caller owns. The commit publishes `g`, or nothing does and g0 has been told what to do.
#[inline(always)]
pub unsafe fn leave(nopreempt: &NoPreempt, g: GPtr, next: *mut G, commit: Commit) {
    // SAFETY: R3, R4: `next` is ours; g0 is suspended in its loop, since this M runs `g`.
    unsafe {
        let to = if next.is_null() {
            &raw const G::current_m(nopreempt).g0.header
        } else {
            start_running(next);
            &raw const (*next).header
        };
        switch(g.as_ptr().cast(), to.cast_mut(), commit);
    }
}

/// `g` is about to be switched to: a request to give way that was for its last run is void (R5).
///
/// # Safety
/// `g` is runnable and the caller's.
#[inline(always)]
pub unsafe fn start_running(g: *mut G) {
    // SAFETY: the caller's contract; no signal handler looks at it before it runs.
    let g = unsafe { &*g };
    debug_assert!(matches!(g.status(), Status::Runnable | Status::Waiting), "goroutine {} is run while {:?}", g.id(), g.status());
    g.set_status(Status::Running);
    sampling::runs(g);
    debug_assert_eq!(g.header.nopreempt.get() & !NOTHING_PENDING, 1, "a suspended goroutine has one raise open");
    // A store, not a read and a write: what the goroutine does next need not wait for what it did last.
    g.header.nopreempt.set(NOTHING_PENDING | 1);
}

/// Leaves the running goroutine's stack and has g0 call `call` with it, then find something else to run. For what one store cannot commit.
///
/// # Safety
/// The goroutine's status is what it will be; `call`, or who it hands the goroutine to, makes it run again.
pub unsafe fn call_on_g0(nopreempt: &NoPreempt, call: G0Call) {
    let m = G::current_m(nopreempt);
    let g = G::current();
    m.call.set(Some((call, g.as_ptr())));
    // SAFETY: the commit's word is this M's own, and means nothing; the rest is the caller's contract.
    unsafe { leave(nopreempt, g, core::ptr::null_mut(), no_commit(nopreempt)) };
}

/// A commit that commits nothing.
#[inline(always)]
pub fn no_commit(nopreempt: &NoPreempt) -> Commit {
    // SAFETY: the word is this M's own scratch.
    unsafe { Commit::store(G::current_m(nopreempt).scratch.as_ptr(), 0) }
}
