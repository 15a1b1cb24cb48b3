//! Stealing: a spinning M looks through the other Ps' queues (R8, R19).
//!
//! 1. Passes over all busy Ps in a random order that meets each once (a stride coprime to their number). Half of the first ring that has
//!    something is taken; what is taken goes to the thief's own ring, but for the oldest, which runs.
//! 2. Only after the rings were found empty is a runnext taken, and only one whose P has not scheduled for some microseconds: a pair that
//!    hands off faster is better left alone.
//! 3. The spinner looks for some 30 µs, then gives up.

use super::{pick, queue, timers, wake};
use crate::arch::cpu;
use crate::base::NoPreempt;
use crate::base::order::Order;
use crate::base::ring::HALF;
use crate::base::tune::{RUNNEXT_GRACE_NS, SPIN_NS, STEAL_PASSES};
use crate::gmp::sched::STOPPING;
use crate::gmp::{G, P, SCHED};
use crate::sys::alarm::NEVER;
use crate::sys::clock::monotonic_ns;
use core::ptr;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

/// Looks for work until there is some, the world stops, or the time is over. The goroutine to run, or null: look again at the global queue and
/// at whether to stop, or give up.
#[inline(never)]
pub fn steal(nopreempt: &NoPreempt, p: &P) -> *mut G {
    let deadline = monotonic_ns() + SPIN_NS;
    loop {
        for pass in 0..STEAL_PASSES {
            let g = one_pass(nopreempt, p, pass + 1 == STEAL_PASSES);
            if !g.is_null() {
                return g;
            }
            if must_stop() {
                return ptr::null_mut();
            }
            (0..32).for_each(|_| cpu::pause());
        }
        let now = monotonic_ns();
        if now >= deadline || timers::due(p, now) {
            return ptr::null_mut();
        }
    }
}

/// The spinner should look elsewhere: the world stops, or the global queue has something.
fn must_stop() -> bool {
    SCHED.idle.0.load(Relaxed) & STOPPING != 0 || SCHED.global_len.load(Relaxed) != 0
}

fn one_pass(nopreempt: &NoPreempt, p: &P, last: bool) -> *mut G {
    for victim in Order::new(&p.rng, SCHED.procs.load(Relaxed)) {
        if victim == p.id {
            continue;
        }
        let is_idle = SCHED.idle_mask().has(victim);
        let victim = SCHED.p(victim);
        // Its timers are work too, whoever holds it.
        if last && victim.next_timer_ns.load(Relaxed) != NEVER {
            let now = monotonic_ns();
            if timers::due(victim, now) && timers::run_of(nopreempt, victim, p, now) {
                let g = p.woken.pop();
                return if g.is_null() { pick::local(p) } else { g };
            }
        }
        if is_idle {
            continue;
        }
        let g = steal_from(p, victim);
        if !g.is_null() {
            return g;
        }
        if last {
            let g = steal_runnext(p, victim);
            if !g.is_null() {
                return g;
            }
        }
    }
    ptr::null_mut()
}

fn steal_from(p: &P, victim: &P) -> *mut G {
    let mut batch = [ptr::null_mut(); HALF];
    let taken = victim.ring.take_half(&mut batch);
    if taken == 0 {
        return ptr::null_mut();
    }
    p.counters.stolen.add(taken as u64);
    for &g in &batch[1..taken] {
        queue::push(p, g);
    }
    batch[0]
}

/// Invariant 2.
fn steal_runnext(p: &P, victim: &P) -> *mut G {
    let next = victim.runnext.0.load(Acquire);
    if next.is_null() {
        return next;
    }
    let tick = victim.tick.load(Acquire);
    let until = monotonic_ns() + RUNNEXT_GRACE_NS;
    while monotonic_ns() < until {
        (0..16).for_each(|_| cpu::pause());
    }
    if victim.tick.load(Acquire) != tick || victim.runnext.0.compare_exchange(next, ptr::null_mut(), AcqRel, Relaxed).is_err() {
        return ptr::null_mut();
    }
    wake::handoff_was_stolen();
    p.counters.stolen_runnext.add(1);
    next
}
