//! Moving goroutines between queues: the ring's overflow, the global queue, publishing what is private.

use super::preempt;
use crate::arch::switch::Commit;
use crate::base::ring::HALF;
use crate::base::tune::{FRESH_SLOTS, RING_SLOTS};
use crate::gmp::g::GPtr;
use crate::gmp::sched::{GQueue, Locked};
use crate::gmp::{G, P, SCHED};
use core::ptr;
use core::sync::atomic::Ordering::Relaxed;

/// Puts a runnable goroutine at the end of the ring of the caller's P; if it is full, half of it goes to the global queue.
#[inline]
pub fn push(p: &P, g: *mut G) {
    if !p.ring.push(g) {
        overflow(p, g);
    }
}

/// Puts a goroutine that has run before behind those of its kind of the caller's P; where thieves see it, if somebody looks for work.
#[inline]
pub fn push_started(p: &P, g: *mut G) {
    if SCHED.idle.0.load(Relaxed) == 0 {
        // SAFETY: R3: it is runnable and the caller's.
        return unsafe { p.started.push(g) };
    }
    p.ring_is_urgent.set(true);
    push(p, g);
}

/// Moves the older half of a full ring, and `g` behind it, to the global queue in one batch.
#[cold]
#[inline(never)]
fn overflow(p: &P, g: *mut G) {
    let mut batch = [ptr::null_mut(); HALF];
    let taken = p.ring.take_half(&mut batch);
    let mut queue = GQueue::new();
    for &g in batch[..taken].iter().chain(&[g]) {
        if !g.is_null() {
            // SAFETY: R3: what was in our ring is runnable and, now that it is out of it, ours.
            unsafe { queue.push(g) };
        }
    }
    p.counters.overflowed.add(1);
    push_global(queue);
}

/// Writes the running goroutine behind the end of the ring; the commit that is returned makes it visible, once it has left its stack.
#[inline]
pub fn stage(p: &P, g: GPtr) -> Commit {
    let (tail, value) = p.ring.stage(g.as_ptr()).unwrap_or_else(|| {
        overflow(p, p.ring.pop());
        p.ring.stage(g.as_ptr()).unwrap_or_else(|| crate::base::throw!("stage: no room in the ring of P{}", p.id))
    });
    // SAFETY: the word is the ring's tail, which only this P's owner writes, and Ps are never freed.
    unsafe { Commit::store(tail, value) }
}

/// Appends runnable goroutines to the global queue.
#[inline(never)]
pub fn push_global(queue: GQueue) {
    let mut locked = SCHED.locked.lock();
    locked.global.append(queue);
    SCHED.global_len.store(locked.global.len(), Relaxed);
}

/// Takes a share of the global queue for `p`, at most `most`: the first to run at once, the others into its ring. Null if it is empty.
///
/// The ring has room for `most - 1`.
#[inline(never)]
pub fn take_global(locked: &mut Locked, p: &P, most: u32) -> *mut G {
    let share = share_of_global(locked, most);
    let first = locked.global.pop();
    refill(locked, p, share - 1);
    if !first.is_null() {
        p.counters.global_batches.add(1);
    }
    first
}

/// Puts `g` behind a share of the global queue, in the ring of `p`, which has nothing to run.
pub fn push_behind_global(p: &P, g: *mut G) {
    {
        let mut locked = SCHED.locked.lock();
        let share = share_of_global(&locked, RING_SLOTS / 2);
        refill(&mut locked, p, share);
        p.counters.global_batches.add(1);
    }
    push(p, g);
}

fn share_of_global(locked: &Locked, most: u32) -> u32 {
    (locked.global.len() / SCHED.procs.load(Relaxed) + 1).min(most)
}

/// Moves so many from the global queue into the ring of `p`, which has room for them.
fn refill(locked: &mut Locked, p: &P, count: u32) {
    for _ in 0..count {
        let g = locked.global.pop();
        if g.is_null() {
            break;
        }
        prefetch(g);
        if !p.ring.push(g) {
            crate::base::throw!("refill: no room in the ring of P{}", p.id);
        }
    }
    SCHED.global_len.store(locked.global.len(), Relaxed);
}

/// Brings the frame that a parked goroutine will wake up in towards the cache: with a million parked, each is a miss or two.
#[inline]
fn prefetch(g: *mut G) {
    // SAFETY: R3: a runnable goroutine that we took out of a queue; its stack is there. A prefetch reads nothing.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let sp = (*g).header.sp.get() as *const i8;
        _mm_prefetch(sp, _MM_HINT_T0);
        _mm_prefetch(sp.wrapping_add(64), _MM_HINT_T0);
    }
}

/// Makes room for two among the fresh spawns: if there is none, the older half moves to the ring.
#[inline]
pub fn make_room(p: &P) {
    if p.fresh.len() >= FRESH_SLOTS - 1 {
        (0..FRESH_SLOTS / 2).for_each(|_| push(p, p.fresh.pop_oldest()));
    }
}

/// Shows thieves what the caller's P hides: the woken goroutines and the preempted one, and while its ring is empty the older half of the fresh
/// spawns, or without any of those that were made ready here.
///
/// The newer half stays: a P that had to take its own spawns out of the ring would go across a tree of them, not down it, each live stack a
/// page fault. A thief that has emptied the ring gets the next half; the oldest spawns are the roots of the largest trees.
#[inline(never)]
pub fn publish(p: &P) {
    if !p.hides_work() {
        return;
    }
    let urgent = p.woken.len() != 0 || !p.resume.load(Relaxed).is_null();
    if urgent {
        p.ring_is_urgent.set(true);
    }
    loop {
        let g = p.woken.pop();
        if g.is_null() {
            break;
        }
        push(p, g);
    }
    let resume = p.take_resume();
    if !resume.is_null() {
        push(p, resume);
    }
    if !preempt::is_possible() {
        return publish_all(p);
    }
    if !p.ring.is_empty() {
        return;
    }
    p.counters.published.add(1);
    let fresh = p.fresh.len().div_ceil(2);
    if fresh != 0 {
        (0..fresh).for_each(|_| push(p, p.fresh.pop_oldest()));
    } else {
        p.ring_is_urgent.set(true);
        (0..p.started.len().div_ceil(2).min(RING_SLOTS / 2)).for_each(|_| push(p, p.started.pop()));
    }
}

/// Where no signal can make this P show more later: what it hides now it might hide for as long as its goroutine makes no calls.
#[cold]
fn publish_all(p: &P) {
    p.counters.published.add(1);
    p.ring_is_urgent.set(true);
    (0..p.fresh.len()).for_each(|_| push(p, p.fresh.pop_oldest()));
    (0..p.started.len()).for_each(|_| push(p, p.started.pop()));
}

/// Moves everything runnable of a P that nobody runs any more to the global queue.
#[cold]
pub fn drain(p: &P, locked: &mut Locked) {
    let next = p.runnext.0.swap(ptr::null_mut(), Relaxed);
    let mut take = |g: *mut G| {
        if !g.is_null() {
            // SAFETY: R3: it was in a queue of this P, which is ours.
            unsafe { locked.global.push(g) };
        }
        !g.is_null()
    };
    while take(p.woken.pop()) {}
    take(p.take_resume());
    take(next);
    while take(p.started.pop()) {}
    while take(p.fresh.pop_oldest()) {}
    while take(p.ring.pop()) {}
    SCHED.global_len.store(locked.global.len(), Relaxed);
}
