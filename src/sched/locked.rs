//! Goroutines that are locked to their thread: `lock_os_thread`.
//!
//! 1. A locked goroutine runs on its own M only, and its M runs nobody else. The pair holds from the first `lock` to the `unlock` that undoes it, or
//!    to the goroutine's end.
//! 2. While one runs, `P::request` has `LOCKED` set, so that it never switches directly to another goroutine: g0 gives the P away. A locked goroutine
//!    in a queue is never switched to directly either (`pick::on_any_m`): whoever finds it hands its P to the goroutine's M.
//! 3. An M whose locked goroutine has ended ends its thread: nobody knows what was done to it. The initial thread sleeps for ever instead: a
//!    process whose first thread is gone is a zombie to /proc.
//! 4. No thread is made from one that has a locked goroutine: see `template`.
//!
//! | M with a locked goroutine | its P                     | left by                                                            |
//! |---------------------------|---------------------------|--------------------------------------------------------------------|
//! | runs it                   | its own                   | the goroutine waits or gives way: the P goes to another M          |
//! | waits for its turn        | none                      | `hand_over`, by the M that found the goroutine, with that M's P    |
//! | in a system call          | as any other              | `syscalls`                                                         |
//! | ends                      | none                      | the thread's end                                                   |
//!
//! Rejected: a queue of its own for each locked M (two places to look at for each ready); to look at the lock in `ready` (a branch on the hot path).
//!
//! Source: Go package runtime, LockOSThread.

use super::{deadlock, idle, pick, reap, syscalls, sysmon, template, thread, timers, wake};
use crate::arch::cpu;
use crate::base::NoPreempt;
use crate::base::throw;
use crate::base::tune::LOCKED_SPIN_NS;
use crate::gmp::p::LOCKED;
use crate::gmp::sched::STOPPING;
use crate::gmp::{G, M, P, SCHED};
use crate::sys::alarm::NEVER;
use crate::sys::clock::monotonic_ns;
use crate::timer;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

/// What g0 needs of this file: `wait_for_turn` and `hand_over`. Set by the first `lock`, so that a program that never locks does not carry them.
struct Ways {
    wait_for_turn: fn(&NoPreempt, &'static M) -> *mut G,
    hand_over: fn(&NoPreempt, &'static M, *mut G),
}

static WAYS: AtomicPtr<Ways> = AtomicPtr::new(ptr::null_mut());

fn ways() -> &'static Ways {
    // SAFETY: only `lock` writes the word, with a static.
    unsafe { WAYS.load(Acquire).as_ref() }.unwrap_or_else(|| throw!("locked: a goroutine is locked, and nobody has locked one"))
}

/// `wait_for_turn`, for g0.
pub fn turn(nopreempt: &NoPreempt, m: &'static M) -> *mut G {
    (ways().wait_for_turn)(nopreempt, m)
}

/// `hand_over`, for g0.
pub fn found_for_another(nopreempt: &NoPreempt, m: &'static M, g: *mut G) {
    (ways().hand_over)(nopreempt, m, g);
}

/// Locks the running goroutine to its M, once more if it is. False: more often than can be counted.
#[must_use]
pub fn lock() -> bool {
    prepare();
    let nopreempt = NoPreempt::new();
    let g = G::current();
    // SAFETY: R1: the running goroutine is ours.
    let Some(locks) = unsafe { g.as_ref() }.locks.get().checked_add(1) else { return false };
    // SAFETY: as above.
    unsafe { g.as_ref() }.locks.set(locks);
    if locks == 1 {
        lock_to_this_m(&nopreempt);
    }
    true
}

/// C calls back: the running goroutine stays on this M, whose stack C's frames are on, until `callback_ends`, however often it calls `unlock`.
pub fn callback_begins(nopreempt: &NoPreempt) {
    prepare();
    // SAFETY: R1: the running goroutine is ours.
    let g = unsafe { G::current().as_ref() };
    g.callbacks.set(g.callbacks.get() + 1);
    lock_to_this_m(nopreempt);
}

/// The last callback's end lets go of the M, unless the goroutine has called `lock` more often than `unlock`.
pub fn callback_ends(nopreempt: &NoPreempt) {
    // SAFETY: R1: the running goroutine is ours.
    let g = unsafe { G::current().as_ref() };
    g.callbacks.set(g.callbacks.get() - 1);
    if g.callbacks.get() == 0 && g.locks.get() == 0 {
        unlock_from_this_m(nopreempt, g);
    }
}

/// Before a goroutine is locked.
fn prepare() {
    static REAL: Ways = Ways { wait_for_turn, hand_over };
    WAYS.store((&raw const REAL).cast_mut(), Release);
    // Somebody must look after the timers of a P that is given away while everybody else sleeps.
    sysmon::ensure();
    template::ensure();
    reap::begin();
}

/// Makes the pair of the running goroutine and its M, if it is not there.
fn lock_to_this_m(nopreempt: &NoPreempt) {
    let g = G::current();
    // SAFETY: R1: the running goroutine is ours.
    if !unsafe { g.as_ref() }.locked.get() {
        tie(g.as_ptr(), G::current_m(nopreempt));
        P::current(nopreempt).request.fetch_or(LOCKED, Relaxed);
    }
}

fn unlock_from_this_m(nopreempt: &NoPreempt, g: &G) {
    untie(g, G::current_m(nopreempt));
    P::current(nopreempt).request.fetch_and(!LOCKED, Relaxed);
}

/// Makes the pair.
fn tie(g: *mut G, m: &M) {
    // SAFETY: the goroutine is the caller's: it runs, or nobody has seen it yet.
    let goroutine = unsafe { &*g };
    goroutine.locked_m.set(m);
    goroutine.locked.set(true);
    m.locked_g.set(g);
}

/// Undoes one `lock`. Without one it does nothing.
pub fn unlock() {
    let nopreempt = NoPreempt::new();
    // SAFETY: R1: the running goroutine is ours.
    let g = unsafe { G::current().as_ref() };
    match g.locks.get() {
        0 => {}
        1 if g.callbacks.get() == 0 => unlock_from_this_m(&nopreempt, g),
        more => g.locks.set(more - 1),
    }
}

fn untie(g: &G, m: &M) {
    g.locks.set(0);
    g.locked.set(false);
    g.locked_m.set(ptr::null());
    m.locked_g.set(ptr::null_mut());
}

/// `g`, which runs on `m`, ends while it is locked: invariant 3. The caller goes to g0 next, since `LOCKED` is still set.
#[cold]
pub fn ended(g: &G, m: &M) {
    untie(g, m);
    m.ends.set(true);
}

/// On g0: the locked goroutine of `m` has left its stack. Gives the P away, and returns the goroutine when it is to go on, with a P. If the goroutine
/// has ended, so does the thread.
fn wait_for_turn(nopreempt: &NoPreempt, m: &'static M) -> *mut G {
    loop {
        let p = SCHED.p(P::current(nopreempt).id);
        if m.ends.get() {
            end(m, p);
        }
        let g = m.locked_g.get();
        if is_alone(p, g) {
            return g;
        }
        match next_if_locked(p, m) {
            // Two locked goroutines that talk: no third thread comes between them.
            Some(next) => pass_on(p, next, None),
            None => give_away(p),
        }
        if wait(nopreempt, m) {
            return g;
        }
    }
}

/// Is `g` the only one here that could run? Then it is taken out of its queue: it gave way, or its time has come, and there is nobody for whom to
/// give the P away.
fn is_alone(p: &P, g: *mut G) -> bool {
    let somebody_else = p.runnable() != 1 || SCHED.global_len.load(Relaxed) != 0 || SCHED.in_line.load(Relaxed) != 0;
    if somebody_else || SCHED.idle.0.load(Acquire) & STOPPING != 0 || timers::due(p, monotonic_ns()) {
        return false;
    }
    let mut next = p.take_resume();
    if next.is_null() {
        next = p.woken.pop();
    }
    if next.is_null() {
        next = pick::local(p);
    }
    if !ptr::eq(next, g) {
        p.resume_used_ns.set(0);
        p.resume.store(next, Relaxed);
    }
    ptr::eq(next, g)
}

/// Takes the goroutine that would run next on `p`, if it is locked to another M than `m`.
fn next_if_locked(p: &P, m: &M) -> Option<*mut G> {
    if p.woken.len() != 0 || SCHED.in_line.load(Relaxed) != 0 || SCHED.idle.0.load(Acquire) & STOPPING != 0 {
        return None;
    }
    let preempted = p.resume.load(Relaxed);
    let next = if preempted.is_null() { pick::take_runnext(p) } else { p.take_resume() };
    if next.is_null() {
        return None;
    }
    // SAFETY: R3: it came out of our queues.
    let locked_m = unsafe { (*next).locked_m.get() };
    if locked_m.is_null() || ptr::eq(locked_m, m) {
        // The place that it goes back to is free: this M owns the P, and nobody else puts anything there.
        if preempted.is_null() {
            p.runnext.0.store(next, Release)
        } else {
            p.resume.store(next, Relaxed)
        }
        return None;
    }
    Some(next)
}

/// Gives `p`, which this M holds, to others.
fn give_away(p: &'static P) {
    idle::release();
    if !sysmon::is_running() && timer::earliest() != NEVER {
        // Nobody would look at the clock: an M that holds the P becomes the keeper, or this one if there is none.
        p.m.store(ptr::null_mut(), Relaxed);
        return wake::start_for(p);
    }
    syscalls::hand_off(p);
}

/// Gives `p`, which this M holds, to the M of `g`, a locked goroutine that the caller took out of a queue. `idle`: this M, if it becomes idle by that.
#[inline(never)]
fn pass_on(p: &'static P, g: *mut G, idle: Option<&M>) {
    // SAFETY: R3: the goroutine is ours. Its M lives as long as the pair does.
    let m = unsafe { &*(*g).locked_m.get() };
    {
        let mut locked = SCHED.locked.lock();
        idle::release();
        if m.waits_for_turn.replace(false) {
            locked.locked_m_count -= 1;
        }
        p.m.store(ptr::from_ref(m).cast_mut(), Relaxed);
        m.next_p.store(ptr::from_ref(p).cast_mut(), Relaxed);
        // In the same step: else all might seem to sleep, or the other gives its P away before there is an M for it.
        if let Some(idle) = idle {
            idle::put_m(&mut locked, idle);
        }
    }
    m.note.wake();
}

/// On g0: this M has found `g`, which is locked to another one. Gives it the P, and sleeps until there is work; returns with a P.
fn hand_over(nopreempt: &NoPreempt, m: &'static M, g: *mut G) {
    let p = SCHED.p(P::current(nopreempt).id);
    pass_on(p, g, Some(m));
    idle::sleep(nopreempt, m);
}

/// Sleeps until somebody hands over a P with which the locked goroutine of `m` is to run: true. False: a timer was due, nobody else looks at the clock,
/// and this M has a P with which it has run everybody's.
fn wait(nopreempt: &NoPreempt, m: &'static M) -> bool {
    {
        let mut locked = SCHED.locked.lock();
        if m.next_p.load(Relaxed).is_null() {
            m.waits_for_turn.set(true);
            locked.locked_m_count += 1;
            if locked.all_asleep() && !timer::any_armed() {
                drop(locked);
                deadlock::report();
            }
        }
    }
    if SCHED.cpus.load(Relaxed) > 1 {
        let until = monotonic_ns() + LOCKED_SPIN_NS;
        while !m.note.is_woken() && monotonic_ns() < until {
            (0..16).for_each(|_| cpu::pause());
        }
    }
    // Without a sysmon it is the keeper, if nobody else is.
    let woken = if sysmon::is_running() {
        m.note.sleep();
        true
    } else {
        idle::sleep_on_note(m)
    };
    if !woken {
        timers::run_everybodys(nopreempt, P::current(nopreempt), monotonic_ns());
        return false;
    }
    m.note.clear();
    let p = m.next_p.swap(ptr::null_mut(), Acquire);
    // SAFETY: Ps are never freed.
    let Some(p) = (unsafe { p.as_ref() }) else { throw!("locked: M{} was woken without a P", m.id) };
    idle::acquire(m, p);
    true
}

/// Invariant 3.
fn end(m: &'static M, p: &'static P) -> ! {
    give_away(p);
    let mut locked = SCHED.locked.lock();
    // It counts as one that sleeps for ever; the others may be asleep already, and nobody else would notice.
    locked.locked_m_count += 1;
    if locked.all_asleep() && !timer::any_armed() {
        drop(locked);
        deadlock::report();
    }
    if m.id != 0 {
        locked.locked_m_count -= 1;
        thread::end(locked, m);
    }
    drop(locked);
    loop {
        m.note.sleep();
    }
}
