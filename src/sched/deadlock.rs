//! A deadlock: every M is idle, so nothing is runnable and nothing will be (`idle`, invariant 1).
//!
//! What could still wake a goroutine from outside (a timer, a descriptor, a signal, a system call) holds an M busy or will be counted here.

use crate::base::throw;
use crate::gmp::SCHED;

/// Every M is idle: ends the process, in Go's words, unless a timer is armed. No lock is held.
#[cold]
pub fn check() {
    if crate::timer::any_armed() {
        return;
    }
    let main_exited = SCHED.locked.lock().main_exited;
    if main_exited {
        throw!("no goroutines (main called runtime.Goexit) - deadlock!");
    }
    throw!("all goroutines are asleep - deadlock!");
}
