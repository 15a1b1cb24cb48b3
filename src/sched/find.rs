//! On g0: finding the next goroutine for this M, or sleeping until there is one. The loop that an M spends its life in.

use super::pick::{local, wanted};
use super::{idle, queue, steal, wake};
use crate::arch::switch::switch;
use crate::arch::tls;
use crate::base::NoPreempt;
use crate::base::tune::{GLOBAL_TICKS, RING_SLOTS};
use crate::gmp::sched::{SPINNING_M, STOPPING, idle_ps, spinning_ms};
use crate::gmp::{G, M, P, SCHED, Status};
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

/// The M's loop: does what the last goroutine left for g0, finds the next one, runs it. The M holds a P as it enters.
pub fn run(m: &'static M) -> ! {
    let nopreempt = NoPreempt::new();
    loop {
        if let Some((call, g)) = m.call.take() {
            // SAFETY: R3: `g` has left its stack; who set the call knew what it wants.
            unsafe { call(g) };
        }
        let g = find(&nopreempt, m);
        P::current(&nopreempt).counters.through_g0.add(1);
        // SAFETY: R3: `find` gives a runnable goroutine that is ours alone.
        unsafe {
            (*g).set_status(Status::Running);
            switch(tls::g(), g.cast(), super::park::no_commit(&nopreempt));
        }
    }
}

/// The next goroutine. Sleeps while there is none.
fn find(nopreempt: &NoPreempt, m: &'static M) -> *mut G {
    loop {
        let p: &'static P = SCHED.p(P::current(nopreempt).id);
        if SCHED.idle.0.load(Acquire) & STOPPING != 0 {
            idle::stop_for_world(nopreempt, m, p);
            continue;
        }
        let mut g = from_queues(p);
        if g.is_null() && may_spin(m) {
            g = steal::steal(p);
        }
        if !g.is_null() {
            found(m);
            return g;
        }
        if SCHED.global_len.load(Relaxed) == 0 {
            idle::go_idle(nopreempt, m, p);
        }
    }
}

/// From this P's own queues and the global one.
fn from_queues(p: &P) -> *mut G {
    if wanted(p) {
        queue::publish(p);
        wake::one_more();
    }
    if p.tick.load(Relaxed).is_multiple_of(GLOBAL_TICKS) {
        let g = first_in_line(p);
        if !g.is_null() {
            return g;
        }
    }
    let g = local(p);
    if !g.is_null() {
        return g;
    }
    if SCHED.global_len.load(Relaxed) == 0 {
        return g;
    }
    queue::take_global(&mut SCHED.locked.lock(), p, RING_SLOTS / 2)
}

/// Every 61st tick: who has waited longest, in the global queue, in the ring, among the fresh.
fn first_in_line(p: &P) -> *mut G {
    if SCHED.global_len.load(Relaxed) != 0 {
        let g = queue::take_global(&mut SCHED.locked.lock(), p, 1);
        if !g.is_null() {
            return g;
        }
    }
    let g = p.ring.pop();
    if g.is_null() { p.fresh.pop_oldest() } else { g }
}

/// May this M look for work at others? At most half as many as there are busy Ps do. Counts it as spinning.
fn may_spin(m: &M) -> bool {
    if m.spinning.get() {
        return true;
    }
    let (word, procs) = (SCHED.idle.0.load(Acquire), SCHED.procs.load(Relaxed));
    if procs == 1 || 2 * spinning_ms(word) >= procs.saturating_sub(idle_ps(word)) {
        return false;
    }
    m.spinning.set(true);
    SCHED.idle.0.fetch_add(SPINNING_M, AcqRel);
    true
}

/// This M has found work: it spins no more, and if it was the last, one more is woken: there may be more work than it took.
fn found(m: &M) {
    m.just_woken.set(false);
    if m.spinning.replace(false) {
        let before = SCHED.idle.0.fetch_sub(SPINNING_M, AcqRel);
        if spinning_ms(before) == 1 {
            wake::one_more();
        }
    }
}

/// Is there work in some ring, or in the global queue? The look after the last spinner has left.
pub fn work_in_sight() -> bool {
    if SCHED.global_len.load(Acquire) != 0 {
        return true;
    }
    (0..SCHED.procs.load(Acquire)).any(|id| !SCHED.idle_mask().has(id) && !SCHED.p(id).ring.is_empty())
}
