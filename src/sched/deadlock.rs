//! A deadlock: every M is idle, so nothing is runnable and nothing will be (`idle`, invariant 1).
//!
//! What could still wake a goroutine from outside: an armed timer, which `idle` asks for first; a system call, whose M is not idle.

use crate::base::throw;
use crate::gmp::SCHED;

/// Ends the process, in Go's words. No lock is held.
#[cold]
pub fn report() -> ! {
    let main_exited = SCHED.locked.lock().main_exited;
    if main_exited {
        throw!("no goroutines (main called runtime.Goexit) - deadlock!");
    }
    throw!("all goroutines are asleep - deadlock!");
}
