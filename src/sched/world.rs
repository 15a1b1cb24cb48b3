//! Stopping the world: every other M lets go of its P, and holds still until the world goes on.
//!
//! 1. One at a time: who stops the world is its `Owner`. Others wait for it in order.
//! 2. An M stops at its next call into the scheduler; `poll` makes channel operations and locks such calls too. Loops that make none are preempted,
//!    unless that is turned off.
//! 3. The caller, a goroutine or g0, keeps its M and its P, which counts as stopped, and runs on with preemption disabled.

use super::waitq::{WaitQueue, Waiter};
use super::{idle, park, poll, preempt, ready_last, syscalls, sysmon, timers, wake};
use crate::arch::switch::Commit;
use crate::base::NoPreempt;
use crate::base::lock::{FREE, Lock, Rank};
use crate::base::tune::ASK_AGAIN_NS;
use crate::gmp::p::PStatus;
use crate::gmp::sched::STOPPING;
use crate::gmp::{M, P, SCHED, WaitReason};
use crate::sys::clock::monotonic_ns;
use crate::timer;
use core::ptr;
use core::sync::atomic::Ordering::{AcqRel, Relaxed};

/// Who may stop the world, and who waits for that.
struct Turn {
    taken: bool,
    waiters: WaitQueue,
}

static TURN: Lock<Turn> = Lock::new(Rank::Sync, Turn { taken: false, waiters: WaitQueue::new() });

/// The world is the caller's to stop while this is alive.
#[must_use]
pub struct Owner(());

/// Waits until nobody else owns the world.
pub fn own() -> Owner {
    let nopreempt = NoPreempt::new();
    let mut turn = TURN.lock();
    if turn.taken {
        let mut waiter = Waiter::new(ptr::null_mut());
        // SAFETY: the lock is held; the waiter stays here until the owner has taken it out and made us the owner, for this goroutine parks. The
        // commit frees the lock.
        unsafe {
            turn.waiters.push(&raw mut waiter);
            park(&nopreempt, WaitReason::StopTheWorld, Commit::store(turn.hand_to_commit(), FREE));
        }
    } else {
        turn.taken = true;
    }
    Owner(())
}

/// The same for who cannot wait: none if somebody else owns the world.
pub fn try_own() -> Option<Owner> {
    let mut turn = TURN.lock();
    // Not `then_some`: an owner that is made in vain would give back, as it is dropped, what is another's; and wait for this lock.
    (!core::mem::replace(&mut turn.taken, true)).then(|| Owner(()))
}

impl Drop for Owner {
    fn drop(&mut self) {
        {
            let nopreempt = NoPreempt::new();
            let mut turn = TURN.lock();
            // SAFETY: the lock is held.
            let first = unsafe { turn.waiters.pop() };
            turn.taken = !first.is_null();
            // SAFETY: it was in the queue until now, so it is there.
            let g = unsafe { first.as_ref() }.map(Waiter::g);
            drop(turn);
            if let Some(g) = g {
                // SAFETY: R3: it came out of the queue under its lock.
                unsafe { ready_last(&nopreempt, g) };
            }
        }
        poll();
    }
}

/// Stops all others. Returns once they have.
pub fn stop(nopreempt: &NoPreempt) {
    let waits = {
        let mut locked = SCHED.locked.lock();
        SCHED.idle.0.fetch_or(STOPPING, AcqRel);
        P::current(nopreempt).status.store(PStatus::Stopped as u8, Relaxed);
        locked.stop_wait = SCHED.procs.load(Relaxed) - 1;
        while let Some(p) = idle::take_p(&mut locked) {
            p.status.store(PStatus::Stopped as u8, Relaxed);
            locked.stop_wait -= 1;
        }
        locked.stop_wait > 0
    };

    if waits {
        ask_all();
        while !SCHED.stop_note.sleep_until(monotonic_ns() + ASK_AGAIN_NS) {
            ask_all();
        }
        SCHED.stop_note.clear();
    }
}

/// Wants the goroutines of all other Ps to give way.
fn ask_all() {
    let mut first = 0;
    loop {
        let mut targets = [None; 32];
        let next = {
            let mut locked = SCHED.locked.lock();
            let ids = first..SCHED.procs.load(Relaxed);
            let running = ids.map(|id| SCHED.p(id)).filter(|p| p.status.load(Relaxed) == PStatus::Running as u8);
            let mut next = None;
            for (n, p) in running.enumerate() {
                if n == targets.len() {
                    next = Some(p.id);
                    break;
                }
                if syscalls::take(&locked, p) {
                    idle::stopped(&mut locked, p);
                } else {
                    targets[n] = preempt::ask(&locked, p);
                }
            }
            next
        };
        targets.iter().flatten().for_each(|target| preempt::send(*target));
        match next {
            Some(id) => first = id,
            None => return,
        }
    }
}

/// Lets the world go on, with the Ps that there are now.
pub fn start(nopreempt: &NoPreempt) {
    let own = P::current(nopreempt);
    let mut busy: *mut P = ptr::null_mut();
    let mut line: *mut M;
    {
        let mut locked = SCHED.locked.lock();
        let ps = || (0..SCHED.procs.load(Relaxed)).rev().map(|id| SCHED.p(id)).filter(|&p| !ptr::eq(p, own));
        own.status.store(PStatus::Running as u8, Relaxed);
        ps().filter(|p| p.runnable() > 0).for_each(|p| p.status.store(PStatus::Running as u8, Relaxed));
        line = idle::reunite(&mut locked);
        for p in ps() {
            if p.status.load(Relaxed) != PStatus::Running as u8 {
                // Those who came back from system calls meanwhile wait in line.
                if let Some(m) = idle::give_or_idle(&mut locked, p) {
                    m.idle_next.set(line);
                    line = ptr::from_ref(m).cast_mut();
                }
            } else if p.m.load(Relaxed).is_null() {
                p.idle_link.set(busy);
                busy = ptr::from_ref(p).cast_mut();
            }
        }
        SCHED.idle.0.fetch_and(!STOPPING, AcqRel);
    }
    // SAFETY: Ps are never freed; those in this list are running without an M, so nobody else links them.
    while let Some(p) = unsafe { busy.as_ref() } {
        busy = p.idle_link.get();
        wake::start_for(p);
    }
    // SAFETY: they sleep until they are woken here.
    while let Some(m) = unsafe { line.as_ref() } {
        line = m.idle_next.get();
        m.note.wake();
    }
    wake::one_more();
    // A keeper whose time came while the world stood still found no P, and sleeps on.
    if sysmon::is_running() && !timers::are_kept() {
        sysmon::arm(timer::earliest());
    }
}
