//! Choosing the next goroutine of this P on the spot, without g0: the direct switch (R4).
//!
//! Order: runnext, then those that were made ready here (in the ring too, if it has some), then fresh spawns, then the ring: who has a stack already
//! may end and give it back. Through g0 instead (null is returned) on every 61st tick, for fairness; when the world is to stop; when some P wants work and there is some here to share; when sysmon wants something of this P, or goroutines wait here that have
//! waited for a time.

use crate::base::idle_word::is_wanting;
use crate::base::tune::GLOBAL_TICKS;
use crate::gmp::sched::STOPPING;
use crate::gmp::{G, P, SCHED};
use core::ptr;
use core::sync::atomic::Ordering::{AcqRel, Relaxed};

/// Counts a scheduler tick. True on every 61st, when the global queue and the oldest come first.
#[inline(always)]
pub fn tick(p: &P) -> bool {
    let tick = p.tick.load(Relaxed).wrapping_add(1);
    p.tick.store(tick, Relaxed);
    tick.is_multiple_of(GLOBAL_TICKS)
}

/// Does anybody want something of this P that only g0 can do: stop, or share its work?
#[inline(always)]
pub fn wanted(p: &P) -> bool {
    let (idle, request) = (SCHED.idle.0.load(Relaxed), p.request.load(Relaxed));
    request != 0 || idle != 0 && somebody_else_could(p, idle)
}

/// The world is to stop, or there is something here for a P that has nothing: to be shown, or to wake somebody for.
#[inline(always)]
fn somebody_else_could(p: &P, idle: u64) -> bool {
    if idle & STOPPING != 0 {
        return true;
    }
    if p.ring.is_empty() { !p.fresh.is_empty() || p.started.len() != 0 } else { is_wanting(idle) }
}

/// The next goroutine to run on this P, or null: ask g0.
#[inline(always)]
pub fn pick(p: &P) -> *mut G {
    if tick(p) || wanted(p) {
        return ptr::null_mut();
    }
    on_any_m(p, local(p))
}

/// `g`, unless it is locked to an M: then null, and g0 finds it first.
#[inline(always)]
pub fn on_any_m(p: &P, g: *mut G) -> *mut G {
    // SAFETY: R3: it came out of our queues, so it is runnable and ours.
    if !g.is_null() && unsafe { (*g).locked.get() } {
        return leave_to_g0(p, g);
    }
    g
}

#[cold]
fn leave_to_g0(p: &P, g: *mut G) -> *mut G {
    // Nobody was preempted here, else `request` would have led to g0 before: the place is free.
    if !p.resume.load(Relaxed).is_null() {
        crate::base::throw!("pick: P{} has a preempted goroutine, and no request", p.id);
    }
    p.resume_used_ns.set(0);
    p.resume.store(g, Relaxed);
    ptr::null_mut()
}

/// The next goroutine of this P's queues; null if they are empty.
#[inline(always)]
pub fn local(p: &P) -> *mut G {
    let next = take_runnext(p);
    if !next.is_null() {
        return next;
    }
    let started = p.started.pop();
    if !started.is_null() {
        return started;
    }
    if p.ring_is_urgent.get() {
        let g = p.ring.pop();
        if !g.is_null() {
            return g;
        }
        p.ring_is_urgent.set(false);
    }
    let fresh = p.fresh.pop();
    if !fresh.is_null() {
        return fresh;
    }
    p.ring.pop()
}

/// Owner: takes runnext; null if there is none, or a thief was faster.
#[inline(always)]
pub fn take_runnext(p: &P) -> *mut G {
    let next = p.runnext.0.load(Relaxed);
    if next.is_null() {
        return next;
    }
    if SCHED.procs.load(Relaxed) == 1 {
        // There is no thief: the number of Ps changes only while the world is stopped.
        p.runnext.0.store(ptr::null_mut(), Relaxed);
        return next;
    }
    if p.runnext.0.compare_exchange(next, ptr::null_mut(), AcqRel, Relaxed).is_ok() {
        return next;
    }
    ptr::null_mut()
}
