//! Idleness: the lists of idle Ps and Ms, and how an M goes to sleep and comes back.
//!
//! 1. A P goes idle only with empty queues. So when every M is idle nothing is runnable, and nothing ever will be: a deadlock.
//! 2. An M that gives up enters both lists under one lock, drops its spinning count in the same atomic step that counts its P as idle, and
//!    then looks at every queue once more. What it finds it must take a P for; if somebody has taken the M off the list meanwhile, it is
//!    being woken, and sleeps only for a moment.
//! 3. What a P caches (stacks, heap blocks) goes back before it becomes idle.
//!
//! | M           | in the list | left by                                                          |
//! |-------------|-------------|------------------------------------------------------------------|
//! | running     | no          | nothing found: enters the list, lets go of its P                 |
//! | rechecking  | yes         | work found: leaves the list by itself; nothing found: sleeps     |
//! | asleep      | yes         | `take_m` by a waker, who gives it a P and wakes its note         |
//! | asleep      | yes         | `reap`: it has not been needed for a while, and its thread ends  |

use super::{deadlock, find, hooks, reap, scavenge, thread, timers, wake};
use crate::arch::tls;
use crate::base::NoPreempt;
use crate::gmp::p::PStatus;
use crate::gmp::sched::{IDLE_P, Locked, SPINNING_M, STOPPING};
use crate::gmp::{M, P, SCHED, since};
use crate::mem::stack;
use crate::sys::clock::monotonic_ns;
use crate::timer;
use core::ptr;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, SeqCst};

/// Takes a P out of the idle list; the caller holds it from now on.
#[inline(never)]
pub fn take_p(locked: &mut Locked) -> Option<&'static P> {
    // SAFETY: what is in the list is a P, and Ps are never freed.
    let p = unsafe { locked.idle_ps.as_ref() }?;
    locked.idle_ps = p.idle_link.get();
    p.status.store(PStatus::Running as u8, Relaxed);
    SCHED.idle_mask().remove(p.id);
    SCHED.idle.0.fetch_sub(IDLE_P, AcqRel);
    Some(p)
}

/// Puts a P into the idle list. The caller counts it in `SCHED.idle`.
#[inline(never)]
pub fn put_p(locked: &mut Locked, p: &'static P) {
    p.status.store(PStatus::Idle as u8, Relaxed);
    p.m.store(ptr::null_mut(), Relaxed);
    p.idle_link.set(locked.idle_ps);
    locked.idle_ps = ptr::from_ref(p).cast_mut();
    SCHED.idle_mask().insert(p.id);
}

/// Takes `p` out of the idle list, if it is in there.
pub fn take_this_p(locked: &mut Locked, p: &'static P) -> Option<&'static P> {
    if p.status.load(Relaxed) != PStatus::Idle as u8 {
        return None;
    }
    let mut at = &raw mut locked.idle_ps;
    // SAFETY: the list holds Ps, and `p` is among them.
    unsafe {
        while !ptr::eq(*at, p) {
            at = (**at).idle_link.as_ptr();
        }
        *at = p.idle_link.get();
    }
    p.status.store(PStatus::Running as u8, Relaxed);
    SCHED.idle_mask().remove(p.id);
    SCHED.idle.0.fetch_sub(IDLE_P, AcqRel);
    Some(p)
}

/// `p`, which nobody holds, goes to an M that waits in line, whom the caller wakes; else to the idle ones. If the world is to stop, it stops.
#[inline(never)]
pub fn put_away(locked: &mut Locked, p: &'static P) -> Option<&'static M> {
    if SCHED.idle.0.load(Acquire) & STOPPING != 0 {
        // Who stops the world has counted it among those that run.
        stopped(locked, p);
        return None;
    }
    give_or_idle(locked, p)
}

/// `put_away`, for who starts the world.
pub fn give_or_idle(locked: &mut Locked, p: &'static P) -> Option<&'static M> {
    let m = locked.first_in_line(p);
    if m.is_none() {
        put_p(locked, p);
        SCHED.idle.0.fetch_add(IDLE_P, SeqCst);
    }
    m
}

/// `p`, which nobody holds, stops with the world.
pub fn stopped(locked: &mut Locked, p: &P) {
    p.m.store(ptr::null_mut(), Relaxed);
    p.status.store(PStatus::Stopped as u8, Relaxed);
    locked.stop_wait -= 1;
    if locked.stop_wait == 0 {
        SCHED.stop_note.wake();
    }
}

/// Takes an M out of the idle list; the caller will wake it.
#[inline(never)]
pub fn take_m(locked: &mut Locked) -> Option<&'static M> {
    // SAFETY: what is in the list is an M; it ends its thread only after it has left the list.
    let m = unsafe { locked.idle_ms.as_ref() }?;
    remove_m(locked, m);
    Some(m)
}

#[inline(never)]
pub(super) fn put_m(locked: &mut Locked, m: &M) {
    m.is_idle.set(true);
    m.idle_prev.set(ptr::null_mut());
    m.idle_next.set(locked.idle_ms);
    // SAFETY: as in `take_m`.
    if let Some(next) = unsafe { locked.idle_ms.as_ref() } {
        next.idle_prev.set(ptr::from_ref(m).cast_mut());
    }
    locked.idle_ms = ptr::from_ref(m).cast_mut();
    locked.idle_m_count += 1;
}

#[inline(never)]
pub(super) fn remove_m(locked: &mut Locked, m: &M) {
    m.is_idle.set(false);
    locked.idle_m_count -= 1;
    locked.idle_m_low = locked.idle_m_low.min(locked.idle_m_count);
    // SAFETY: its neighbours are in the list, so they are Ms.
    unsafe {
        match m.idle_prev.get().as_ref() {
            Some(previous) => previous.idle_next.set(m.idle_next.get()),
            None => locked.idle_ms = m.idle_next.get(),
        }
        if let Some(next) = m.idle_next.get().as_ref() {
            next.idle_prev.set(m.idle_prev.get());
        }
    }
}

/// Hands each P that has work back to the M that held it before the world stopped, if that one is idle, so that who computes stays on its thread.
/// Those Ms are out of the list then, linked to be woken; their Ps name them.
#[inline(never)]
pub fn reunite(locked: &mut Locked) -> *mut M {
    let (mut next, mut line) = (locked.idle_ms, ptr::null_mut());
    // SAFETY: as in `take_m`; the links are ours under the lock.
    while let Some(m) = unsafe { next.as_ref() } {
        next = m.idle_next.get();
        // SAFETY: Ps are never freed.
        if let Some(p) = unsafe { m.stopped_with.replace(ptr::null_mut()).as_ref() }
            && p.status.load(Relaxed) == PStatus::Running as u8
            && p.m.load(Relaxed).is_null()
        {
            remove_m(locked, m);
            p.m.store(ptr::from_ref(m).cast_mut(), Relaxed);
            m.next_p.store(ptr::from_ref(p).cast_mut(), Relaxed);
            m.idle_next.set(line);
            line = ptr::from_ref(m).cast_mut();
        }
    }
    line
}

/// This M holds `p` from now on.
pub fn acquire(m: &M, p: &'static P) {
    p.m.store(ptr::from_ref(m).cast_mut(), Relaxed);
    // SAFETY: R1: g0, or preemption disabled; the P was taken for this M under the scheduler's lock.
    unsafe { tls::set_p(ptr::from_ref(p).cast_mut().cast(), p.heap.get().cast()) };
}

/// This M holds no P from now on; who has it next is the caller's business.
pub fn release() {
    // SAFETY: R1: as in `acquire`.
    unsafe { tls::set_p(ptr::null_mut(), ptr::null_mut()) };
}

/// Gives back what `p` caches: stacks to their class, heap blocks to theirs.
#[inline(never)]
pub fn flush_caches(p: &P) {
    // SAFETY: the caller holds the P, or the world is stopped.
    unsafe {
        let list = core::mem::take(p.stacks());
        stack::release(crate::base::tune::STACK_CLASS_DEFAULT, list);
        (*p.heap.get()).flush();
    }
}

/// On g0: nothing was found for `p`. Sleeps until there is work; returns with a P, perhaps another one.
#[inline(never)]
pub fn go_idle(nopreempt: &NoPreempt, m: &'static M, p: &'static P) {
    let now = monotonic_ns();
    since::looked(now);
    if p.runnable() != 0 || timers::due(p, now) {
        return; // invariant 1: a timer fired, or is about to, while this M was stealing
    }
    flush_caches(p);
    let was_spinning = m.spinning.get();
    if was_spinning {
        hooks::before_idle();
    }
    {
        let mut locked = SCHED.locked.lock();
        if SCHED.idle.0.load(Acquire) & STOPPING != 0 || !locked.global.is_empty() || !locked.line.0.is_null() {
            return; // find again
        }
        release();
        put_p(&mut locked, p);
        put_m(&mut locked, m);
        m.spinning.set(false);
        // Invariant 2 of `wake`: one step from spinning to idle.
        SCHED.idle.0.go_idle(was_spinning);
    }
    if was_spinning {
        hooks::before_last_look();
        if m.just_woken.replace(false) {
            wake::in_vain();
        }
        if find::work_in_sight() {
            let mut locked = SCHED.locked.lock();
            if m.is_idle.get()
                && let Some(p) = take_p(&mut locked)
            {
                remove_m(&mut locked, m);
                m.spinning.set(true);
                SCHED.idle.0.fetch_add(SPINNING_M, AcqRel);
                acquire(m, p);
                hooks::recheck_found_work();
                return;
            }
            let ends = m.ends.get();
            drop(locked);
            if ends {
                wake::one_more(); // `reap`, invariant 6
            }
        }
    }
    scavenge::soon();
    sleep(nopreempt, m);
}

/// On g0: the world is being stopped. Lets go of `p`, and sleeps until it goes on.
#[inline(never)]
pub fn stop_for_world(nopreempt: &NoPreempt, m: &'static M, p: &'static P) {
    {
        let mut locked = SCHED.locked.lock();
        if SCHED.idle.0.load(Acquire) & STOPPING == 0 {
            return;
        }
        release();
        if m.spinning.replace(false) {
            SCHED.idle.0.fetch_sub(SPINNING_M, AcqRel);
        }
        put_m(&mut locked, m);
        m.stopped_with.set(ptr::from_ref(p).cast_mut());
        stopped(&mut locked, p);
    }
    sleep(nopreempt, m);
}

/// On g0: it is the line's turn. Gives `p` to the M that has waited for longest, and sleeps until there is work. False: nobody waits.
#[inline(never)]
pub fn give_way_to_line(nopreempt: &NoPreempt, m: &'static M, p: &'static P) -> bool {
    let next = {
        let mut locked = SCHED.locked.lock();
        let Some(next) = locked.first_in_line(p) else { return false };
        release();
        if m.spinning.replace(false) {
            SCHED.idle.0.fetch_sub(SPINNING_M, AcqRel);
        }
        put_m(&mut locked, m);
        next
    };
    next.note.wake();
    sleep(nopreempt, m);
    true
}

/// Sleeps on the M's note; returns with the P that the waker chose. The M is in the idle list, or being woken.
pub(super) fn sleep(nopreempt: &NoPreempt, m: &'static M) {
    let idle = {
        let locked = SCHED.locked.lock();
        if m.is_idle.get() && locked.all_asleep() && !timer::any_armed() {
            drop(locked);
            deadlock::report(); // invariant 1
        }
        locked.idle_m_count
    };
    reap::soon(idle);
    if !sleep_on_note(m) {
        return P::current(nopreempt).errands.store(true, Relaxed);
    }
    m.note.clear();
    if m.ends.get() {
        thread::leave(m); // `reap`, invariant 2
    }
    let p = m.next_p.swap(ptr::null_mut(), Acquire);
    // SAFETY: the waker stored a P that it took for us.
    acquire(m, unsafe { p.as_ref() }.unwrap_or_else(|| crate::base::throw!("idle: M{} was woken without a P", m.id)));
}

/// Until the M is woken: true, its note is to be cleared. False: it was the keeper, its time came, and it has taken a P by itself. It is in the idle list
/// or waits for its locked goroutine's turn (`locked`), or it is being woken.
pub(super) fn sleep_on_note(m: &'static M) -> bool {
    let Some(until) = timers::become_keeper(m) else {
        m.note.sleep();
        return true;
    };
    let woken = m.note.sleep_until(until);
    timers::resign(until, !woken);
    if woken {
        return true;
    }
    {
        let mut locked = SCHED.locked.lock();
        let waits_for_turn = m.waits_for_turn.get();
        if (waits_for_turn || m.is_idle.get())
            && let Some(p) = take_p(&mut locked)
        {
            if waits_for_turn {
                m.waits_for_turn.set(false);
                locked.locked_m_count -= 1;
            } else {
                remove_m(&mut locked, m);
            }
            acquire(m, p);
            return false;
        }
    }
    // All Ps are busy: each one, and sysmon, sees to what is due. Or somebody is waking this M just now.
    m.note.sleep();
    true
}
