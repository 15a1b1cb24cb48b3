//! Calling C, and being called by it.
//!
//! C knows nothing of goroutines: it wants a large stack, a thread that stays the same, and time. [`call`] gives it these: the C stack of the thread, 8 MiB
//! of it, on which it runs until it returns, while other goroutines run on the P. [`callback`] is the way back, for functions that C is given to call.
//!
//! `docs/ffi.md` has the whole of it: linking, threads, what C may not do.
//!
//! Source: Go's cgo.
//!
//! Unsafe code is allowed here: whether a C function may be called so, only its caller knows.

use crate::gmp::require_runtime;
use crate::sched::{cgocheck, foreign};
use crate::sys::Errno;
use core::fmt;
use core::panic::Location;

/// There is no memory for a C stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoStack(Errno);

impl NoStack {
    /// What the kernel said.
    pub fn errno(self) -> Errno {
        self.0
    }
}

impl fmt::Display for NoStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "out of memory: no C stack: {}", self.0)
    }
}

impl core::error::Error for NoStack {}

/// Calls `f`, which calls C, on the C stack of this thread.
///
/// The goroutine stays on its thread until `f` returns, and is not preempted. Other goroutines run on its P as soon as they need it; a call that turned
/// out to last gives it away at once the next time, at this place in the program. As in [`syscall::blocking`](crate::syscall::blocking), a channel, a lock of
/// `gort::sync`, `go` or `sleep` in `f` is a fatal error if it has to schedule: those belong into a [`callback`].
///
/// The stack has 8 MiB and a guard of 1 MiB; memory is used page by page. It is made with a thread's first call, and goes when the thread ends. An overflow is a
/// fatal error that names it, unless one frame of C jumps over the guard. If the kernel has no address space for it, the program dies: `fatal error: out of memory: no C
/// stack`; [`try_call`] returns that instead.
///
/// A call inside `f` is a plain call. `/cgo/go-to-c-calls:calls` counts calls.
///
/// # Safety
/// That of the functions that `f` calls. They return, or end the process: what leaves by `longjmp` past `f` leaves the runtime in between. They leave the
/// signals SIGURG, SIGSEGV, SIGBUS, SIGFPE, SIGILL and the alternate stack to gort, and `fs` as it is.
///
/// Source: Go's cgo.
///
/// ```no_run
/// # fn main() {
/// # unsafe extern "C" fn square(n: i64) -> i64 { n * n }
/// // SAFETY: `square` touches nothing but its argument.
/// let n = unsafe { gort::ffi::call(|| square(12)) };
/// assert_eq!(n, 144);
/// # }
/// ```
#[track_caller]
#[inline]
pub unsafe fn call<T>(f: impl FnOnce() -> T) -> T {
    require_runtime();
    foreign::call(site(), f).unwrap_or_else(|error| no_stack(error))
}

/// As [`call`]; an error, and `f` is not called, if there is no memory for the C stack of this thread.
///
/// # Safety
/// That of [`call`].
#[track_caller]
#[inline]
pub unsafe fn try_call<T>(f: impl FnOnce() -> T) -> Result<T, NoStack> {
    require_runtime();
    foreign::call(site(), f).map_err(NoStack)
}

/// As [`call`], for C that is given `pointers`: they are looked at before.
///
/// One that is wrong is a fatal error, as `GODEBUG=cgocheck` says. `1`, as at first: one into a frame of this goroutine that has returned. `2`: also one into
/// another goroutine's stack (C would see it change, or go), one that has ended, and into what no goroutine has. `0`: nothing is looked at. What a scope's goroutine borrows from its
/// parent's stack is another goroutine's, too: with `2`, give C a copy, or a place on the heap.
///
/// # Safety
/// That of [`call`].
///
/// Source: Go package runtime, environment variables.
///
/// ```no_run
/// # fn main() {
/// # unsafe extern "C" fn fill(p: *mut u8, n: usize) { for i in 0..n { unsafe { *p.add(i) = i as u8 } } }
/// let mut bytes = [0; 4];
/// let at = bytes.as_mut_ptr();
/// // SAFETY: `fill` writes what it is told to, and keeps no pointer.
/// unsafe { gort::ffi::call_with(&[at.cast()], || fill(at, 4)) };
/// assert_eq!(bytes, [0, 1, 2, 3]);
/// # }
/// ```
#[track_caller]
#[inline]
pub unsafe fn call_with<T>(pointers: &[*const ()], f: impl FnOnce() -> T) -> T {
    require_runtime();
    cgocheck::check(pointers);
    foreign::call(site(), f).unwrap_or_else(|error| no_stack(error))
}

/// For a function that C calls: calls `f` as the goroutine that has called C, which may do in there all that a goroutine may: wait, start others, call C
/// again.
///
/// It stays on its thread until the outermost C has returned, as if by [`lock_os_thread`](crate::runtime::lock_os_thread), for C's frames are there. A panic ends
/// the process, as anywhere. `goexit` would have to leave C's frames out: it is a fatal error.
///
/// On a goroutine's own stack, where no C is in between, it just calls `f`. Inside `syscall::blocking`, and on threads that are not gort's (C has started none: there is no
/// libc that could), it is a fatal error.
///
/// Source: Go's cgo, exported functions.
///
/// ```no_run
/// # fn main() {
/// # unsafe extern "C" fn for_each(n: i32, f: extern "C" fn(i32)) { for i in 0..n { f(i) } }
/// use gort::{chan, ffi};
/// static VALUES: gort::sync::Mutex<Option<chan::Sender<i32>>> = gort::sync::Mutex::new(None);
///
/// extern "C" fn each(value: i32) {
///     ffi::callback(|| VALUES.lock().as_ref().unwrap().send(value));
/// }
///
/// let (tx, rx) = chan::channel(0);
/// *VALUES.lock() = Some(tx);
/// let sum = gort::spawn(move || rx.iter().sum::<i32>());
/// // SAFETY: `for_each` calls its argument, and returns.
/// unsafe { ffi::call(|| for_each(4, each)) };
/// *VALUES.lock() = None;
/// assert_eq!(sum.join(), Ok(6));
/// # }
/// ```
pub fn callback<T>(f: impl FnOnce() -> T) -> T {
    require_runtime();
    foreign::callback(f)
}

#[track_caller]
#[inline(always)]
fn site() -> usize {
    core::ptr::from_ref(Location::caller()) as usize
}

#[cold]
fn no_stack(error: Errno) -> ! {
    crate::base::throw!("out of memory: no C stack: {error}")
}
