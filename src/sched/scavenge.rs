//! Free memory goes back to the kernel while the program is idle: stacks, heap.
//!
//! 1. By sysmon, some time after an M went idle, if everybody is idle then: whoever sleeps and wakes all the time must not fault it in again and again.
//! 2. Without a sysmon the M that goes idle does it, if at most one other P is busy.

use super::appointment::Appointment;
use super::chore::Chore;
use super::sysmon;
use crate::base::tune::SCAVENGE_AFTER_NS;
use crate::gmp::SCHED;
use crate::gmp::sched::idle_ps;
use crate::mem::{heap, stack};
use crate::sys::alarm::NEVER;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

static TIME: Appointment = Appointment::new();
/// Pools age when the program falls idle (`sync::pool`).
pub static POOLS: Chore = Chore::new();
static TRACED: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

/// An M goes idle.
pub fn soon() {
    if sysmon::is_running() {
        return TIME.make_if_none(SCAVENGE_AFTER_NS);
    }
    if idle_ps(SCHED.idle.0.load(Relaxed)) + 1 >= SCHED.procs.load(Relaxed) {
        cycle(|| true);
    }
}

/// Has `traced` make each cycle: `observe::gctrace`, which looks at what it does.
pub fn trace(traced: fn(go_on: fn() -> bool)) {
    TRACED.store(traced as *mut (), Relaxed);
}

fn cycle(go_on: fn() -> bool) {
    let traced = TRACED.load(Relaxed);
    if traced.is_null() {
        stack::scavenge();
        heap::scavenge_while(go_on);
    } else {
        // SAFETY: only `trace` writes the word, and only with such a function.
        let traced: fn(fn() -> bool) = unsafe { core::mem::transmute(traced) };
        traced(go_on);
    }
}

/// On sysmon: does it if it is time, and nobody is busy. Returns when it will be time.
#[inline(never)]
pub fn look(now: u64) -> u64 {
    if let Err(at) = TIME.keep(now) {
        return at;
    }
    let all_idle = || idle_ps(SCHED.idle.0.load(Relaxed)) == SCHED.procs.load(Relaxed);
    if all_idle() {
        // If that wakes somebody there is another time, when all are idle again.
        POOLS.look(now);
        cycle(all_idle);
    }
    NEVER
}
