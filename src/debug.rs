//! What Go's package runtime/debug offers: limits that a running program may change. And who is leaked.

use crate::gmp::require_runtime;
use crate::observe::{crash, stall};
use crate::sched::{leaks as search, soft_cap, thread};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

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

/// Has goroutines that stall others reported on standard error, from `limit` on, once each time; `None`, as at first: none. Returns the limit before.
///
/// A goroutine stalls others if it was asked to give way and runs on for so long: preemption is off (`GODEBUG=asyncpreemptoff=1`) and it makes no calls, or it keeps preemption disabled.
/// Who computes while nobody waits does not, nor does who is in a system call or in C: others have the P. Reported as well is a goroutine that has been first in the global queue, or in the
/// queue of a P, for so long: all Ps are busy with others, or the kernel does not run their threads. The first 256 Ps are watched. While somebody waits they are looked at each 2 ms, else each 10 ms.
///
/// ```text
/// gort: stall: goroutine 7 has run for 120 ms on P 0 without giving way, asked to 100 ms ago; 3 goroutines wait
///
/// goroutine 7 [running]:
/// server::checksum(...)
///         0x20b80e +0x2f
/// created by server::main in goroutine 1
///         0x20d6a0 +0x13d0
/// ```
///
/// The stack of who runs on is that of a moment for which its thread is stopped by a signal, also with `GODEBUG=asyncpreemptoff=1`. Where signals are
/// refused, or the thread does not come within 20 ms, there is the header alone.
///
/// `GODEBUG=stall=MS` sets it as the program begins.
///
/// Source: beyond Go.
///
/// ```no_run
/// # fn main() {
/// gort::debug::set_stall_limit(Some(gort::time::Duration::from_millis(100)));
/// # }
/// ```
pub fn set_stall_limit(limit: Option<Duration>) -> Option<Duration> {
    require_runtime();
    let ns = limit.map_or(0, |limit| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX / 2).clamp(1, u64::MAX / 2));
    Some(stall::set_limit(ns)).filter(|&before| before != 0).map(Duration::from_nanos)
}

/// A goroutine that waits for what nobody will ever do: see [`leaks`]. It prints as its trace: `goroutine 7 [chan receive (leaked)]:`, where it waits, who made it.
pub struct Leak {
    leaked: search::Leaked,
}

impl Leak {
    /// What it waits for, as in tracebacks: `chan receive`, `chan send`, `sync.Mutex.Lock`, …
    pub fn state(&self) -> &'static str {
        self.leaked.reason.text()
    }
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: R9: it waits for ever, so nobody changes its descriptor.
        let g = unsafe { &*(self.leaked.g as *const crate::gmp::G) };
        let mut memory = [0; 4096];
        let state = alloc::format!("{} (leaked)", self.state());
        f.write_str(core::str::from_utf8(crash::write_other(g, &state, &mut memory)).unwrap_or("").trim_end())
    }
}

impl fmt::Debug for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why [`leaks`] cannot say who is leaked: something that it needs is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaksUnknown {
    trouble: search::Trouble,
}

impl fmt::Display for LeaksUnknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "leaked goroutines cannot be found: {}: {}", self.trouble.what, self.trouble.errno)
    }
}

impl core::error::Error for LeaksUnknown {}

/// The goroutines that wait on a channel, a mutex, a wait group, a scope or a join which nobody else can reach: nobody will ever wake them.
///
/// Who is named is leaked, without exception: no goroutine that runs, may run, sleeps or could be woken by one of these can get at what it waits for, by way of anything in
/// memory. (A handle that is not an address in memory is not seen: written to a file, given to the kernel alone, or turned into another number.) The converse does not hold: memory
/// is looked at word by word, and an old or accidental word that looks like an address hides a leak, as do blocks above 512 KiB, which count as reachable.
///
/// It stops the world for as long as it looks at the memory in use: measured, some 3 ms for a megabyte of small blocks, and 6 µs for each goroutine that waits. Goroutines in system calls and in C are held still by a signal: their calls
/// may end with EINTR. It needs `/proc/self/maps` and the system call `process_vm_readv`; without them, or if a thread in C blocks SIGURG, it is an error. With `GODEBUG=asyncpreemptoff=1` it waits, as
/// whoever stops the world does, for loops that make no calls.
///
/// Source: beyond Go's package runtime/debug; Go has a profile of leaked goroutines.
///
/// ```no_run
/// # fn main() {
/// use gort::{chan, debug};
/// gort::spawn(|| {
///     let (tx, rx) = chan::channel::<u32>(0);
///     core::mem::forget(tx);
///     gort::go(move || rx.recv());
/// })
/// .join()
/// .unwrap();
/// gort::runtime::gosched();
/// for leak in debug::leaks().unwrap() {
///     gort::println!("{leak}");
/// }
/// # }
/// ```
pub fn leaks() -> Result<Vec<Leak>, LeaksUnknown> {
    require_runtime();
    let leaked = search::find().map_err(|trouble| LeaksUnknown { trouble })?;
    Ok(leaked.into_iter().map(|leaked| Leak { leaked }).collect())
}

/// Asks for more to be printed when the program dies: `"none"`, `"single"`, `"all"`, `"system"`, `"crash"` or a number, as `GOTRACEBACK` of the environment
/// has it. It can add to the environment's value, never take away from it.
///
/// Source: Go package runtime/debug, SetTraceback.
pub fn set_traceback(level: &str) {
    crate::observe::level::set(level.as_bytes());
}

/// The trace of the calling goroutine, as [`runtime::stack`](crate::runtime::stack) has it.
///
/// Source: Go package runtime/debug, Stack.
#[inline(never)]
pub fn stack() -> Vec<u8> {
    let mut buffer = vec![0; 1024];
    loop {
        let n = crate::runtime::stack(&mut buffer, false);
        if n < buffer.len() {
            buffer.truncate(n);
            return buffer;
        }
        buffer = vec![0; 2 * buffer.len()];
    }
}

/// Prints the trace of the calling goroutine to standard error.
///
/// Source: Go package runtime/debug, PrintStack.
#[inline(never)]
pub fn print_stack() {
    crate::eprint!("{}", alloc::string::String::from_utf8_lossy(&stack()));
}
