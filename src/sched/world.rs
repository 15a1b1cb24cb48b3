//! Stopping the world: every other M lets go of its P, and holds still until the world goes on.
//!
//! 1. One at a time: callers hold the world's lock (`runtime`).
//! 2. Cooperative: an M stops at its next call into the scheduler. `poll` makes channel operations and locks such calls too.
//! 3. The caller keeps its M and its P, which counts as stopped, and runs on with preemption disabled.

use super::{idle, wake};
use crate::base::NoPreempt;
use crate::gmp::p::PStatus;
use crate::gmp::sched::{IDLE_P, STOPPING};
use crate::gmp::{P, SCHED};
use core::ptr;
use core::sync::atomic::Ordering::{AcqRel, Relaxed};

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
        SCHED.stop_note.sleep();
        SCHED.stop_note.clear();
    }
}

/// Lets the world go on, with the Ps that there are now.
pub fn start(nopreempt: &NoPreempt) {
    let own = P::current(nopreempt);
    let mut busy: *mut P = ptr::null_mut();
    {
        let mut locked = SCHED.locked.lock();
        for id in (0..SCHED.procs.load(Relaxed)).rev() {
            let p = SCHED.p(id);
            if ptr::eq(p, own) {
                p.status.store(PStatus::Running as u8, Relaxed);
            } else if p.runnable() > 0 {
                p.status.store(PStatus::Running as u8, Relaxed);
                p.idle_link.set(busy);
                busy = ptr::from_ref(p).cast_mut();
            } else {
                idle::put_p(&mut locked, p);
                SCHED.idle.0.fetch_add(IDLE_P, AcqRel);
            }
        }
        SCHED.idle.0.fetch_and(!STOPPING, AcqRel);
    }
    // SAFETY: Ps are never freed; those in this list are running without an M, so nobody else links them.
    while let Some(p) = unsafe { busy.as_ref() } {
        busy = p.idle_link.get();
        wake::start_for(p);
    }
    wake::one_more();
}
