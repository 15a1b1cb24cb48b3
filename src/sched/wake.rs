//! Waking: when there is work and an idle P, one more M starts to look for it; never more than one at a time (R8).
//!
//! A futex wake across cores costs 25 µs, so it is not done lightly:
//!
//! 1. One M is woken if a P is idle and no M spins. It spins; when it finds work and was the last spinner, it wakes the next.
//! 2. A spinner that gives up becomes idle in one atomic step, then looks once more at everything (`idle`). A pusher that comes before the step
//!    is seen by that look; one that comes after sees an idle P and no spinner. A push without a fence before its look at `idle` may miss an M that becomes idle in that very moment, and then
//!    the next tick of this P sees the idle P (`pick::wanted`). Nothing is lost, since this P runs its own ring.
//! 3. A hand-off (a goroutine made ready while its waker goes on, nothing else to run) usually ends at once: the waker parks, and the other
//!    runs on the same P. Waking somebody for it costs more than the whole hand-off. But if the waker computes instead, the other one
//!    waits. So the first hand-offs wake; a spinner that was woken and found nothing doubles the number of hand-offs that pass before the next
//!    attempt; one that did take a runnext sets it to zero.
//!
//! Rejected: to wake at every hand-off (Go: a context switch a hop, pingpong2 twice as slow); never to (a pipeline of two on one P for ever).

use super::{exhaustion, idle, queue, thread};
use crate::base::tune::{RUNNEXT_WAKE_BACKOFF_MAX, RUNNEXT_WAKE_BACKOFF_MIN};
use crate::gmp::sched::{SPINNING_M, STOPPING};
use crate::gmp::{M, P, SCHED};
use core::sync::atomic::Ordering::{AcqRel, Relaxed};

/// There is work in a ring, or in the global queue: wakes one M if a P is idle and nobody looks for work.
#[inline(always)]
pub fn one_more() {
    if SCHED.idle.0.wants_one_more() {
        wake();
    }
}

/// `p` has just handed off to an empty runnext.
#[inline(always)]
pub fn after_handoff(p: &P) {
    if SCHED.idle.0.wants_one_more() {
        let skip = p.handoffs_to_skip.get();
        if skip != 0 {
            p.handoffs_to_skip.set(skip - 1);
        } else {
            p.handoffs_to_skip.set(SCHED.handoff_backoff.load(Relaxed));
            wake();
        }
    }
}

/// A spinner was woken and found nothing.
pub fn in_vain() {
    let backoff = SCHED.handoff_backoff.load(Relaxed);
    SCHED.handoff_backoff.store((backoff * 2).clamp(RUNNEXT_WAKE_BACKOFF_MIN, RUNNEXT_WAKE_BACKOFF_MAX), Relaxed);
}

/// A spinner took the runnext of `p`.
pub fn handoff_was_stolen() {
    SCHED.handoff_backoff.store(0, Relaxed);
}

#[cold]
fn wake() {
    // The spinner is counted before it exists: nobody else starts another one.
    if SCHED.idle.0.count_spinner() {
        start_spinner();
    }
}

/// Gives an idle P to an M that will spin; the spinner has been counted. Without an idle P, or an M, the count goes back.
pub fn start_spinner() {
    let mut locked = SCHED.locked.lock();
    let stopping = SCHED.idle.0.load(Relaxed) & STOPPING != 0;
    let Some(p) = (if stopping { None } else { idle::take_p(&mut locked) }) else {
        drop(locked);
        SCHED.idle.0.fetch_sub(SPINNING_M, AcqRel);
        return;
    };
    if let Some(m) = idle::take_m(&mut locked) {
        drop(locked);
        hand_over(m, p, true);
        return;
    }
    drop(locked);
    if thread::start(p, true).is_err() {
        // Fewer threads than Ps: the program goes on with those it has (R8).
        give_back(p, true);
    }
}

/// Starts an M for a P that has work in its queues, or gives its work to the others.
pub fn start_for(p: &'static P) {
    let idle_m = idle::take_m(&mut SCHED.locked.lock());
    match idle_m {
        Some(m) => hand_over(m, p, false),
        None if thread::start(p, false).is_err() => give_back(p, false),
        None => {}
    }
}

/// Has `m`, or a new M, run sysmon's errands as the holder of `p`.
pub fn run_errands(m: Option<&'static M>, p: &'static P) {
    p.errands.store(true, Relaxed);
    match m {
        Some(m) => hand_over(m, p, false),
        None if thread::start(p, false).is_err() => give_back(p, false),
        None => {}
    }
}

/// Wakes `m`, which sleeps or is about to, with `p`.
fn hand_over(m: &M, p: &'static P, spinning: bool) {
    m.spinning.set(spinning);
    m.just_woken.set(spinning);
    m.next_p.store(core::ptr::from_ref(p).cast_mut(), Relaxed);
    m.note.wake();
}

/// Puts a P that found no M back to the idle ones, its work into the global queue: for the next M that comes back from a call. `spinning`: its M
/// would have spun, and was counted.
pub(super) fn give_back(p: &'static P, spinning: bool) {
    let (next, exhausted) = {
        let mut locked = SCHED.locked.lock();
        queue::drain(p, &mut locked);
        let next = idle::put_away(&mut locked, p);
        (next, exhaustion::all_are_blocked(&locked))
    };
    if let Some(m) = next {
        m.note.wake();
    } else if exhausted {
        exhaustion::look_soon();
    }
    if spinning {
        SCHED.idle.0.fetch_sub(SPINNING_M, AcqRel);
    }
}
