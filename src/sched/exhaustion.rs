//! Exhaustion: something is runnable, every M is blocked in a call or waits for a goroutine that is locked to it, and no thread can be made (R8).
//!
//! 1. Who could make no thread and finds all blocked has sysmon look again in a second: calls return. Without a sysmon (no thread could be made even
//!    for it) the program waits for them.
//! 2. If they still are, sysmon tries once more to make a thread. Then it is fatal, and names the limit (R11).

use super::appointment::Appointment;
use super::{idle, thread};
use crate::base::throw;
use crate::base::tune::EXHAUSTION_NS;
use crate::gmp::SCHED;
use crate::gmp::sched::{Locked, STOPPING, idle_ps};
use crate::sys::alarm::NEVER;
use crate::sys::clock::sleep_ms;
use core::sync::atomic::Ordering::{Acquire, Relaxed};

static TIME: Appointment = Appointment::new();

/// All are blocked. Has sysmon see whether they are in a while.
pub fn look_soon() {
    TIME.make(EXHAUSTION_NS);
}

/// On sysmon. Returns when to look again.
#[inline(never)]
pub fn look(now: u64) -> u64 {
    match TIME.keep(now) {
        Ok(()) => {
            last_attempt();
            NEVER
        }
        Err(at) => at,
    }
}

/// Is something runnable, and nobody there to run it? No M holds a P or could take one: all are in system calls, or about to make one, or
/// wait for a goroutine that is locked to them.
pub fn all_are_blocked(locked: &Locked) -> bool {
    idle_ps(SCHED.idle.0.load(Acquire)) == SCHED.procs.load(Relaxed) && locked.idle_m_count == 0 && locked.line.0.is_null() && !locked.global.is_empty()
}

/// If all are still blocked: a last attempt to make a thread; then it is fatal (R8).
fn last_attempt() {
    let p = {
        let mut locked = SCHED.locked.lock();
        if !all_are_blocked(&locked) || SCHED.idle.0.load(Relaxed) & STOPPING != 0 {
            return;
        }
        idle::take_p(&mut locked)
    };
    let Some(p) = p else { return };
    if thread::start(p, false).is_ok() {
        return;
    }
    let next = idle::put_away(&mut SCHED.locked.lock(), p);
    if let Some(m) = next {
        return m.note.wake();
    }
    // Who has come back from a call in this very moment gets to its P.
    sleep_ms(10);
    let (count, limit) = {
        let locked = SCHED.locked.lock();
        if !all_are_blocked(&locked) {
            return;
        }
        (locked.m_count, SCHED.max_threads.load(Relaxed))
    };
    if count >= limit {
        throw!("program exceeds {limit}-thread limit: every thread is blocked in a system call or locked to another goroutine, and goroutines are runnable");
    }
    throw!(
        "cannot start a thread, and each of {count} is blocked in a system call or locked to another goroutine while goroutines are runnable; raise the limit (ulimit -u, pids cgroup)"
    );
}
