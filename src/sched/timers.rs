//! Timers and the scheduler: who runs what is due, and who sleeps until then.
//!
//! 1. A P that passes through g0 runs what is due in its own heap; a spinner what is due at busy Ps; a preempted P everybody's (R7).
//! 2. If all Ms would sleep, one of them sleeps only until the first time: the keeper. An M that goes idle becomes it if it knows of an earlier
//!    time than the present one.
//! 3. A keeper that is woken for other work hands the time to sysmon.
//! 4. Goroutines that come out of a heap go to the ring if some P is idle, or nothing may be hidden, else to the P's woken ones.

use super::group::Ticket;
use super::{procs, queue, spawn, sysmon, wake};
use crate::base::NoPreempt;
use crate::base::tune::STACK_CLASS_DEFAULT;
use crate::gmp::p::PStatus;
use crate::gmp::sched::{GQueue, HIDE_NOTHING, idle_ps};
use crate::gmp::{G, M, P, SCHED, WaitReason};
use crate::sys::alarm::NEVER;
use crate::sys::clock::monotonic_ns;
use crate::timer::{self, Fire, Node};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed};

/// Until when the keeper sleeps; `NEVER` if there is none.
static KEEPER_UNTIL: AtomicU64 = AtomicU64::new(NEVER);

/// On g0: runs what is due in the heap of `p`, which this M holds. False: it ran sysmon's errands, and may hold another P now.
#[inline]
#[must_use]
pub fn run_own(nopreempt: &NoPreempt, p: &P) -> bool {
    if p.errands.load(Relaxed) {
        p.errands.store(false, Relaxed);
        run_everybodys(nopreempt, p, monotonic_ns());
        procs::change_if_wanted(nopreempt);
        return false;
    }
    let next = p.next_timer_ns.load(Relaxed);
    if next != NEVER {
        let now = monotonic_ns();
        if next <= now {
            run_of(nopreempt, p, p, now);
        }
    }
    true
}

/// Runs what is due in the heap of `owner`; `p` is the caller's. True if there was something.
#[inline(never)]
pub fn run_of(nopreempt: &NoPreempt, owner: &P, p: &P, now: u64) -> bool {
    let mut out = GQueue::new();
    // What firing makes ready comes out of runnext; what lies there already stays.
    let runnext = super::pick::take_runnext(p);
    let count = timer::run_due(owner, p, now, &mut out);
    let fired = super::pick::take_runnext(p);
    if !fired.is_null() {
        // SAFETY: R3: it was in our runnext, so it is runnable and ours.
        unsafe { out.push(fired) };
    }
    if !runnext.is_null() {
        p.runnext.0.store(runnext, core::sync::atomic::Ordering::Release);
    }
    p.counters.timers_run.add(count as u64);
    deliver(nopreempt, p, out);
    count != 0
}

/// Invariant 4.
fn deliver(_: &NoPreempt, p: &P, mut goroutines: GQueue) {
    if goroutines.is_empty() {
        return;
    }
    super::ready::sample(p, &goroutines);
    let idle = SCHED.idle.0.load(Acquire);
    if idle_ps(idle) == 0 && idle & HIDE_NOTHING == 0 {
        return p.woken.append(goroutines);
    }
    p.ring_is_urgent.set(true);
    loop {
        let g = goroutines.pop();
        if g.is_null() {
            break;
        }
        queue::push(p, g);
    }
    wake::one_more();
}

/// Runs what is due in all heaps, that of `p`, which the caller holds, first.
#[inline(never)]
pub fn run_everybodys(nopreempt: &NoPreempt, p: &P, now: u64) {
    run_of(nopreempt, p, p, now);
    SCHED.for_each_p(|other| {
        if other.next_timer_ns.load(Acquire) <= now && other.id != p.id {
            run_of(nopreempt, other, p, now);
        }
    });
}

/// The running goroutine sleeps until `when_ns`.
pub fn sleep_until(when_ns: u64) {
    let nopreempt = NoPreempt::new();
    let p = P::current(&nopreempt);
    let g = G::current();
    // SAFETY: it parks below, and the heap is locked until it has left its stack.
    let timers = unsafe { timer::put_sleeper(p, g.as_ptr(), when_ns) };
    let word = timers.hand_to_commit();
    if sysmon::is_running() && p.runnable() != 0 {
        // The slice goes on with another goroutine. Else this P begins a new one, or goes idle, and looks at its timers then.
        sysmon::arm(when_ns);
    }
    // SAFETY: R3: the entry is its only waker; the commit frees the heap's lock, which a plain store does.
    unsafe { super::park(&nopreempt, WaitReason::Sleep, crate::arch::switch::Commit::store(word, crate::base::lock::FREE)) };
}

/// Arms `node` for `when_ns` and each `period_ns` (0: once) after that. True if it was armed.
pub fn arm<T: Fire>(node: &Arc<Node<T>>, when_ns: u64, period_ns: u64) -> bool {
    // Whoever sets a timer and then computes needs somebody who looks at the clock.
    sysmon::ensure();
    let nopreempt = NoPreempt::new();
    let mut state = node.lock();
    let was_armed = state.when_ns != 0;
    if node.arm(&mut state, P::current(&nopreempt), when_ns, period_ns) {
        sysmon::arm(when_ns);
    }
    was_armed
}

/// Disarms `node`. True if it was armed.
pub fn disarm<T: Fire>(node: &Node<T>) -> bool {
    let (was_armed, owner) = {
        let mut state = node.lock();
        (node.disarm(&mut state), Node::<T>::owner(&state))
    };
    if was_armed {
        timer::clean(owner);
    }
    was_armed
}

/// Puts a new goroutine into `out`, which calls `f`: for a timer that fires.
pub fn goroutine<F: FnOnce() + Send + 'static>(f: F, group: Ticket, out: &mut GQueue) {
    let nopreempt = NoPreempt::new();
    let p = P::current(&nopreempt);
    // SAFETY: `'static`: what `f` holds is there for as long as the goroutine runs.
    let g = unsafe { spawn::make(p, STACK_CLASS_DEFAULT, 0, f) }.unwrap_or_else(|error| spawn::no_stack(error));
    // SAFETY: it is new, runnable and ours.
    unsafe {
        group.hand_on(&*g);
        out.push(g);
    }
}

/// Starts a goroutine from where nothing may switch: it goes behind all others of this P.
pub fn start<F: FnOnce() + Send + 'static>(f: F) {
    let nopreempt = NoPreempt::new();
    let mut out = GQueue::new();
    goroutine(f, Ticket::take(), &mut out);
    queue::push(P::current(&nopreempt), out.pop());
    wake::one_more();
}

/// Has an M run sysmon's errands, if some P is idle. False: none is.
pub fn run_errands() -> bool {
    let (m, p) = {
        let mut locked = SCHED.locked.lock();
        let Some(p) = super::idle::take_p(&mut locked) else { return false };
        (super::idle::take_m(&mut locked), p)
    };
    wake::run_errands(m, p);
    true
}

/// How `m`, which holds no P and is in the idle list, is to sleep: until the time that is returned, as the keeper, or for as long as it takes.
pub fn become_keeper(m: &M) -> Option<u64> {
    let first = timer::earliest();
    if first == NEVER || KEEPER_UNTIL.fetch_min(first, AcqRel) <= first {
        return None;
    }
    if !m.exact_timeouts.replace(true) {
        crate::sys::thread::exact_timeouts();
    }
    Some(first)
}

/// Does a keeper sleep until the first time of all, or before? Then nobody else has to.
pub fn are_kept() -> bool {
    let first = timer::earliest();
    first == NEVER || keeper_until() <= first
}

/// The keeper until `until` sleeps no more. If its time has not come, somebody else is to look at the clock for the Ps that nobody holds.
pub fn resign(until: u64, time_came: bool) {
    let was_keeper = KEEPER_UNTIL.compare_exchange(until, NEVER, AcqRel, Relaxed).is_ok();
    if was_keeper && !time_came && sysmon::is_running() {
        let mut first = NEVER;
        SCHED.for_each_p(|p| {
            if p.status.load(Relaxed) != PStatus::Running as u8 {
                first = first.min(p.next_timer_ns.load(Acquire));
            }
        });
        sysmon::arm(first);
    }
}

/// Is something due in the heap of `p`?
#[inline]
pub fn due(p: &P, now: u64) -> bool {
    p.next_timer_ns.load(Acquire) <= now
}

/// Until when the keeper sleeps; `NEVER` if there is none.
pub fn keeper_until() -> u64 {
    KEEPER_UNTIL.load(Acquire)
}
