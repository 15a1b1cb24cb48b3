//! What Go's package runtime/debug offers: limits that a running program may change.

use crate::gmp::require_runtime;
use crate::sched::thread;

/// Sets how many threads may run goroutines, and returns the number before: 10 000 at first.
///
/// A thread counts from when it is made until it ends: whether it runs a goroutine, is in a system call, is locked to a goroutine or idle. The two threads
/// that the runtime keeps for itself (`gort-sysmon`, `gort-template`) do not count.
///
/// At the limit the program goes on with the threads that it has, and goroutines wait until one is free. It dies if all of them stay in system calls, or
/// locked to goroutines that wait, for a second while goroutines are runnable; so the limit finds the program that makes ever more threads before
/// the kernel's limits do.
///
/// If more threads than `n` exist now, the program dies at once: `fatal error: program exceeds n-thread limit: …`, exit status 2.
///
/// Source: Go package runtime/debug, SetMaxThreads. Go dies as soon as one more thread is needed.
pub fn set_max_threads(n: u32) -> u32 {
    require_runtime();
    thread::set_limit(n)
}
