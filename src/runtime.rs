//! The runtime's public face: goroutines, and what Go's package runtime offers about them.

use crate::arch::here::here;
use crate::base::tune::STACK_CLASS_DEFAULT;
use crate::gmp::{SCHED, require_runtime};
use crate::mem::stack;
use crate::sched::join::{self, JoinHandle};
use crate::sched::{exit, locked, procs, spawn as spawning, yielding};
use alloc::boxed::Box;
use core::fmt;
use core::sync::atomic::Ordering::Relaxed;

/// Starts a goroutine that calls `f`; its result is dropped. Never waits.
///
/// Source: the Go specification, Go statements.
#[inline(always)]
pub fn go<F, R>(f: F)
where
    F: FnOnce() -> R + Send + 'static,
{
    go_at(here(), f);
}

#[inline]
fn go_at<F, R>(made_at: usize, f: F)
where
    F: FnOnce() -> R + Send + 'static,
{
    require_runtime();
    spawning::go(made_at, f);
}

/// Starts a goroutine that calls `f`; the handle waits for its result.
#[inline(always)]
pub fn spawn<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    spawn_at(here(), f)
}

pub(crate) fn spawn_at<F, T>(made_at: usize, f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let (handle, run) = join::handle(f);
    go_at(made_at, run);
    handle
}

/// Starts goroutines with a stack of another size.
#[derive(Clone, Copy, Debug, Default)]
pub struct Builder {
    stack_bytes: Option<usize>,
}

/// No stack can be that large: 1 GiB is the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackTooLarge(pub usize);

impl fmt::Display for StackTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a goroutine's stack cannot have {} bytes; 1 GiB is the most", self.0)
    }
}

impl core::error::Error for StackTooLarge {}

impl Builder {
    /// As `spawn` does it.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// At least so many bytes of stack. Memory is used page by page as the stack grows; this bounds it.
    pub fn stack_size(self, bytes: usize) -> Builder {
        Builder { stack_bytes: Some(bytes) }
    }

    /// Starts a goroutine that calls `f`; the handle waits for its result.
    #[inline(always)]
    pub fn spawn<F, T>(self, f: F) -> Result<JoinHandle<T>, StackTooLarge>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.spawn_at(here(), f)
    }

    fn spawn_at<F, T>(self, made_at: usize, f: F) -> Result<JoinHandle<T>, StackTooLarge>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        require_runtime();
        let bytes = self.stack_bytes.unwrap_or(stack::usable_bytes(STACK_CLASS_DEFAULT));
        let class = stack::class_for(bytes).ok_or(StackTooLarge(bytes))?;
        let (handle, run) = join::handle(f);
        spawning::spawn(class, made_at, Box::new(run)).unwrap_or_else(|error| spawning::no_stack(error));
        Ok(handle)
    }
}

/// Lets other goroutines run. Alone, it returns at once.
///
/// Source: Go package runtime, Gosched.
pub fn gosched() {
    require_runtime();
    yielding::gosched();
}

/// Ends the calling goroutine, after its deferred calls and after the goroutines of its scopes. No other goroutine is affected.
///
/// Nothing unwinds: destructors of what is on its stack do not run, and the stack is kept, for somebody may still use what is on it. On
/// main's goroutine the others run on; when none is left, the program is deadlocked.
///
/// Source: Go package runtime, Goexit.
pub fn goexit() -> ! {
    require_runtime();
    exit::goexit()
}

/// Locks the calling goroutine to its thread: it runs on no other, and no other goroutine runs there, until it has called
/// [`unlock_os_thread`] as often as this.
///
/// For what belongs to a thread: namespaces, credentials, affinity, a signal mask, libraries with thread-local state. If the goroutine ends while it
/// is locked, its thread ends, so that no other goroutine meets what was done to it; the initial thread sleeps for ever instead. New threads are
/// never made from a locked one. Hand-offs to and from a locked goroutine take two thread switches.
///
/// Panics if it was called 2³² - 1 times more often than `unlock_os_thread`.
///
/// Source: Go package runtime, LockOSThread.
#[track_caller]
pub fn lock_os_thread() {
    require_runtime();
    assert!(locked::lock(), "LockOSThread nesting overflow");
}

/// Undoes one [`lock_os_thread`]; the last one lets the goroutine run on any thread again. Without a lock it does nothing.
///
/// What was changed about the thread is the caller's to undo before.
///
/// Source: Go package runtime, UnlockOSThread.
pub fn unlock_os_thread() {
    require_runtime();
    locked::unlock();
}

/// Sets how many Ps can run goroutines at once, and returns the number before.
///
/// With `n < 1` nothing changes. Goroutines on a P that goes away move to the others; nothing is lost. The world stops for the change:
/// microseconds, more with many Ps. A number above 1 048 576 counts as that.
///
/// The first value is `GOMAXPROCS` of the environment, if that is a positive number below 2³¹; else what `num_cpu` says. Later changes of affinity
/// or quota have no effect, unless `GODEBUG` has `updatemaxprocs=1`: then, until the first call with `n` above 0, and if the environment gives no
/// value, a running program looks at them again about once a second, and GOMAXPROCS follows.
///
/// Source: Go package runtime, GOMAXPROCS. Go follows by default, and rounds a quota below 2 CPUs up to 2.
pub fn gomaxprocs(n: i32) -> i32 {
    require_runtime();
    match u32::try_from(n) {
        Ok(n) if n > 0 => procs::set(n) as i32,
        _ => SCHED.procs.load(Relaxed) as i32,
    }
}

/// How many CPUs this process could use when it started: those that its affinity allows, or, if that is less, the CPU quota of its cgroup (v1 or v2)
/// or of one above it that can be seen from here, the tightest of them, rounded up. One at least. Later changes do not count.
///
/// A quota whose files are missing or make no sense is none. If `GOMAXPROCS` of the environment counts, a start reads no files: the quota is then that of
/// the first call.
///
/// Source: Go package runtime, NumCPU. Go's leaves quotas out.
pub fn num_cpu() -> i32 {
    procs::num_cpu() as i32
}

/// How many goroutines exist.
///
/// Source: Go package runtime, NumGoroutine.
pub fn num_goroutine() -> usize {
    SCHED.goroutines() as usize
}

mod managed;

pub use managed::{Cleanup, Managed, add_cleanup, clear_finalizer, keep_alive, set_finalizer};

/// Writes a trace of the calling goroutine into `buffer`, and if `all` one of each other goroutine, for which the world is stopped. Returns how many bytes
/// were written: what does not fit is cut off.
///
/// A trace has no frames of the runtime, whatever `GOTRACEBACK` says. The names of functions are those of the program's symbol table, which is read from its
/// file at the first trace; a program without one has `??` and addresses, for `addr2line -e program`.
///
/// Source: Go package runtime, Stack.
pub fn stack(buffer: &mut [u8], all: bool) -> usize {
    require_runtime();
    crate::observe::crash::write_into(buffer, all)
}

/// Ends the process with `status` (its low 8 bits), whatever goroutines are running.
pub fn exit(status: i32) -> ! {
    crate::sys::process::exit_group(status)
}
