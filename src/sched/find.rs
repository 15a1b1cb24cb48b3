//! On g0: finding the next goroutine for this M, or sleeping until there is one. The loop that an M spends its life in.

use super::pick::local;
use super::{idle, locked, queue, steal, sysmon, timers, wake};
use crate::arch::switch::switch;
use crate::arch::tls;
use crate::base::tune::{GLOBAL_TICKS, OLDEST_EACH_NS, RING_SLOTS};
use crate::base::{NoPreempt, deadline};
use crate::gmp::p::{GIVE_WAY, LOCKED};
use crate::gmp::sched::{SPINNING_M, STOPPING, idle_ps, spinning_ms};
use crate::gmp::{G, M, P, SCHED, since};
use crate::sys::clock::monotonic_ns;
use core::ptr;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

/// The M's loop: does what the last goroutine left for g0, finds the next one, runs it. The M holds a P as it enters. `first`: the goroutine to begin
/// with, runnable and in no queue; or null.
pub fn run(m: &'static M, first: *mut G) -> ! {
    let nopreempt = NoPreempt::new();
    if !first.is_null() {
        begin_slice(m, P::current(&nopreempt), 0);
        // SAFETY: R3: the caller's goroutine.
        unsafe {
            super::park::start_running(first);
            switch(tls::g(), first.cast(), super::park::no_commit(&nopreempt));
        }
    }
    loop {
        if let Some((call, g)) = m.call.take() {
            // SAFETY: R3: `g` has left its stack; who set the call knew what it wants.
            unsafe { call(g) };
        }
        let next = if m.is_tainted() { Next { g: locked::turn(&nopreempt, m), used_ns: 0 } } else { find(&nopreempt, m) };
        let Next { g, used_ns } = next;
        // SAFETY: R3: it is runnable and ours alone.
        if unsafe { (*g).locked.get() && !ptr::eq((*g).locked_m.get(), m) } {
            locked::found_for_another(&nopreempt, m, g);
            continue;
        }
        let p = P::current(&nopreempt);
        p.counters.through_g0.add(1);
        begin_slice(m, p, used_ns);
        // SAFETY: R3: `find` gives a runnable goroutine that is ours alone.
        unsafe {
            super::park::start_running(g);
            switch(tls::g(), g.cast(), super::park::no_commit(&nopreempt));
        }
    }
}

/// Who runs next, and what it has used of its 10 ms.
struct Next {
    g: *mut G,
    used_ns: u64,
}

/// A chain of goroutines begins that switch to each other directly, until the next one that comes from g0 (`sysmon`).
pub fn begin_slice(m: &M, p: &P, used_ns: u64) {
    let others_first = p.woken.len() != 0 || !p.resume.load(Relaxed).is_null() || SCHED.in_line.load(Relaxed) != 0;
    let locked = !m.locked_g.get().is_null();
    p.request.store(u32::from(others_first) * GIVE_WAY + u32::from(locked) * LOCKED, Relaxed);
    if !sysmon::is_running() {
        return;
    }
    let now = monotonic_ns();
    since::looked(now);
    p.slice_start_ns.store(now, Relaxed);
    p.slice_used_ns.store(used_ns, Relaxed);
    // Invariant 2 of `sysmon`: the full fence between what is published and the look at the deadline.
    deadline::publish(&p.slice);
    sysmon::arm(sysmon::look_at(p, now));
}

/// The next goroutine. Sleeps while there is none.
fn find(nopreempt: &NoPreempt, m: &'static M) -> Next {
    loop {
        let p: &'static P = SCHED.p(P::current(nopreempt).id);
        if SCHED.idle.0.load(Acquire) & STOPPING != 0 {
            idle::stop_for_world(nopreempt, m, p);
            continue;
        }
        if !timers::run_own(nopreempt, p) {
            continue;
        }
        if SCHED.in_line.load(Relaxed) != 0 && lines_turn(p) && idle::give_way_to_line(nopreempt, m, p) {
            continue;
        }
        let mut next = from_queues(p);
        if next.g.is_null() && may_spin(m) {
            next.g = steal::steal(nopreempt, p);
        }
        if !next.g.is_null() {
            found(m);
            return next;
        }
        if SCHED.global_len.load(Relaxed) == 0 {
            idle::go_idle(nopreempt, m, p);
        }
    }
}

/// From this P's own queues and the global one. First a batch of those who waited for a time, then one who did not (R7).
fn from_queues(p: &P) -> Next {
    // Not for a runnext alone: a hand-off is left to the adaptive wake (`wake`).
    if SCHED.idle.0.load(Relaxed) != 0 && (p.hides_work() || !p.ring.is_empty()) {
        queue::publish(p);
        wake::one_more();
    }
    if !p.normals_turn.get() {
        if p.batch.get() == 0 {
            p.batch.set(p.woken.len());
        }
        let g = p.woken.pop();
        if !g.is_null() {
            p.batch.set(p.batch.get().saturating_sub(1));
            p.normals_turn.set(p.batch.get() == 0);
            return Next { g, used_ns: 0 };
        }
    }
    p.normals_turn.set(false);
    let g = p.take_resume();
    if !g.is_null() {
        return Next { g, used_ns: p.resume_used_ns.get() };
    }
    let mut g = normal(p);
    if g.is_null() {
        g = p.woken.pop();
    }
    Next { g, used_ns: 0 }
}

/// Within a batch the woken ones and the line take turns: who makes one call after the other is back in line before the batch is over.
pub fn wokens_turn(p: &P) -> bool {
    p.batch.get() % 2 == 1 && p.woken.len() != 0
}

/// Is it the turn of those who waited, for a time or for a P? They come in batches, as `from_queues` has it.
fn lines_turn(p: &P) -> bool {
    if p.normals_turn.get() {
        return false;
    }
    if p.batch.get() == 0 {
        p.batch.set(p.woken.len() + SCHED.in_line.load(Relaxed));
    }
    if wokens_turn(p) {
        return false;
    }
    p.batch.set(p.batch.get().saturating_sub(1));
    p.normals_turn.set(p.batch.get() == 0);
    true
}

fn normal(p: &P) -> *mut G {
    if p.tick.load(Relaxed).is_multiple_of(GLOBAL_TICKS) {
        let g = longest_waiting(p);
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

/// On a 61st tick: who has waited longest in the global queue, in the ring, or among the fresh; each of them comes first every third time. Not more
/// often than every 100 µs: the oldest of a tree of spawns is the root of its largest branch.
#[inline(never)]
fn longest_waiting(p: &P) -> *mut G {
    let now = monotonic_ns();
    if now < p.oldest_next_ns.get() {
        return core::ptr::null_mut();
    }
    p.oldest_next_ns.set(now + OLDEST_EACH_NS);
    let turn = p.oldest_turn.get();
    p.oldest_turn.set((turn + 1) % 3);
    for n in turn..turn + 3 {
        let g = match n % 3 {
            0 if SCHED.global_len.load(Relaxed) != 0 => queue::take_global(&mut SCHED.locked.lock(), p, 1),
            1 => p.ring.pop(),
            2 => p.fresh.pop_oldest(),
            _ => continue,
        };
        if !g.is_null() {
            return g;
        }
    }
    core::ptr::null_mut()
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
    if m.spinning.replace(false) && SCHED.idle.0.stop_spinning() {
        wake::one_more();
    }
}

/// Is there work in some ring, or in the global queue? The look after the last spinner has left.
pub fn work_in_sight() -> bool {
    if SCHED.global_len.load(Acquire) != 0 {
        return true;
    }
    (0..SCHED.procs.load(Acquire)).any(|id| !SCHED.idle_mask().has(id) && !SCHED.p(id).ring.is_empty())
}
