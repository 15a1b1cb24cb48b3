//! System calls of the program's own: what Go's package syscall is for. While one blocks, other goroutines run on its P.

use crate::arch::syscall::restartable;
use crate::gmp::require_runtime;
use crate::sched::syscalls::{Site, call};
use crate::sys::Errno;
use core::panic::Location;

/// Calls `f`, which makes a system call that may block. Other goroutines run meanwhile; the calling thread belongs to the goroutine until `f` returns.
///
/// `f` is not a place for goroutines: a channel, a lock of `gort::sync`, `go` or `sleep` in there is a fatal error if it has to schedule. Allocation is
/// slower there. A call can end with EINTR, as always.
///
/// A call that returns at once again and again, at the same place in the program, is not taken for one that blocks any more.
///
/// Source: Go package syscall, Syscall.
///
/// ```no_run
/// # fn main() {
/// # struct Lock; impl Lock { fn wait(&self) -> u32 { 0 } } let lock = Lock;
/// let owner = gort::syscall::blocking(|| lock.wait());
/// # }
/// ```
// Inlined into a frame that stays: the first `ret` after a system call costs 50 ns (R6).
#[track_caller]
#[inline(always)]
pub fn blocking<T>(f: impl FnOnce() -> T) -> T {
    require_runtime();
    call(Site::new(core::ptr::from_ref(Location::caller()) as usize, true), f)
}

/// System call `nr` with up to six arguments; the rest are 0. If it blocks, other goroutines run after a while; from then on at once, at this
/// place in the program.
///
/// A preemption signal does not end it: the runtime makes the call again, with the same arguments. So a relative timeout may begin anew.
///
/// # Safety
/// That of the call: what it does to memory and to descriptors. Not for calls that do not return here (`rt_sigreturn`, `vfork`, a new thread).
///
/// Source: Go package syscall, Syscall6.
// Inlined into a frame that stays: the first `ret` after a system call costs 50 ns (R6).
#[track_caller]
#[inline(always)]
pub unsafe fn raw(nr: u32, args: &[usize]) -> Result<usize, Errno> {
    require_runtime();
    let mut six = [0; 6];
    six[..args.len()].copy_from_slice(args);
    let site = Site::new(core::ptr::from_ref(Location::caller()) as usize, false);
    // SAFETY: the caller's contract.
    let result = call(site, || unsafe { restartable(nr, six) });
    if (-4095..0).contains(&result) { Err(Errno::from_raw_os_error(-result as i32)) } else { Ok(result as usize) }
}

/// The id of the thread that the goroutine runs on just now. It may run on another one in the next moment.
///
/// Source: gettid(2); Go package syscall, Gettid.
pub fn gettid() -> u32 {
    crate::sys::thread::gettid()
}
