//! What Go's package runtime/debug offers: limits that a running program may change.

use crate::gmp::require_runtime;
use crate::sched::{soft_cap, thread};

/// Sets how many threads may run goroutines, and returns the number before: 10 000 at first.
///
/// A thread counts from when it is made until it ends: whether it runs a goroutine, is in a system call, is locked to a goroutine or idle. The two threads
/// that the runtime keeps for itself (`gort-sysmon`, `gort-template`) do not count.
///
/// At the limit the program goes on with the threads that it has, and goroutines wait until one is free. It dies if all of them stay in system calls, or
/// locked to goroutines that wait, for a second while goroutines are runnable; so the limit finds the program that makes ever more threads before
/// the kernel's limits do. To queue calls instead, see [`set_thread_soft_cap`].
///
/// If more threads than `n` exist now, the program dies at once: `fatal error: program exceeds n-thread limit: …`, exit status 2.
///
/// Source: Go package runtime/debug, SetMaxThreads. Go dies as soon as one more thread is needed.
pub fn set_max_threads(n: u32) -> u32 {
    require_runtime();
    thread::set_limit(n)
}

/// Lets so many blocking calls run at a time; the others wait their turn. `None`, as at first: no cap. Returns the one before.
///
/// What counts is a call of `syscall::blocking` or `syscall::cancellable`, whether it turns out to block or not, from when it is let in until its goroutine
/// goes on: it may keep a thread for as long. The next one parks its goroutine, and others run on the P; they are let in one by one, first in, first out, as
/// calls come back. So a program has about `cap` + GOMAXPROCS threads at most, and a few idle ones and the runtime's own, however many goroutines
/// make such calls. Not counted are `syscall::raw`, which as a rule does not block (and takes a thread if it does), a call inside a call, goroutines
/// that are locked to their threads, as long as they make no calls, and the calls that began while there was no cap.
///
/// A lower cap ends no call: it holds as soon as enough have come back. A program whose goroutines wait their turn is not taken for deadlocked while calls are
/// running: it hangs if those that run wait for what a waiting one would do (the other end of a pipe, say). So the cap is for calls that end by themselves.
///
/// Panics if the cap is 0, which would let no call in.
#[track_caller]
pub fn set_thread_soft_cap(cap: Option<u32>) -> Option<u32> {
    require_runtime();
    assert!(cap != Some(0), "a soft cap of 0 lets no blocking call in");
    Some(soft_cap::set(cap.unwrap_or(0))).filter(|&before| before != 0)
}
