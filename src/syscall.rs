//! System calls of the program's own: what Go's package syscall is for. While one blocks, other goroutines run on its P.

use crate::arch::syscall::restartable;
use crate::context::{self, Context};
use crate::gmp::require_runtime;
use crate::sched::syscalls::{Site, call};
use crate::sched::{cancel, soft_cap};
use crate::sys::Errno;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::panic::Location;

/// Calls `f`, which makes a system call that may block. Other goroutines run meanwhile; the calling thread belongs to the goroutine until `f` returns.
///
/// `f` is not a place for goroutines: a channel, a lock of `gort::sync`, `go` or `sleep` in there is a fatal error if it has to schedule. Allocation is
/// slower there. A call can end with EINTR, as always.
///
/// A call that returns at once again and again, at the same place in the program, is not taken for one that blocks any more.
///
/// Each call that blocks has a thread of its own. [`debug::set_thread_soft_cap`](crate::debug::set_thread_soft_cap) bounds how many there are at a time.
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
    let ticket = soft_cap::enter();
    let result = call(Site::new(core::ptr::from_ref(Location::caller()) as usize, true), f);
    soft_cap::leave(ticket);
    result
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

/// A handle by which system calls that block can be ended: those of [`cancellable`]. Clones are handles of the same cancel.
///
/// It is cancelled once and for all. Dropping handles cancels nothing.
#[derive(Clone)]
pub struct Cancel {
    shared: Arc<cancel::Cancel>,
}

/// The call was not made: it was cancelled before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Canceled;

impl fmt::Display for Canceled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the system call was cancelled before it began")
    }
}

impl core::error::Error for Canceled {}

impl Cancel {
    /// A handle that nobody has cancelled.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Cancel {
        require_runtime();
        Cancel { shared: Arc::new(cancel::Cancel::new()) }
    }

    /// Ends the calls that are running with this cancel, on whatever threads, and lets none begin any more. It does not wait for them to end. From the second
    /// time on it does nothing.
    ///
    /// A call may just have come to its own end: then it returns what it has done.
    pub fn cancel(&self) {
        self.shared.cancel();
    }

    /// Has it been cancelled?
    pub fn is_canceled(&self) -> bool {
        self.shared.is_canceled()
    }

    /// Cancels when `ctx` is done, on the goroutine that has cancelled that: it takes a moment, and waits for nobody.
    #[inline(never)]
    fn at_end_of(&self, ctx: &Context) -> context::StopFunc {
        let shared = self.shared.clone();
        context::tell(ctx, Box::new(move || shared.cancel()))
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancel").field("is_canceled", &self.is_canceled()).finish()
    }
}

/// As [`blocking`], but the call can be cancelled: it then ends with EINTR. Returns what `f` returned; `Err(Canceled)`, and `f` was not called, if
/// `cancel` had been cancelled before.
///
/// `f` makes one system call, the one that may block, and returns when that ends with EINTR. From the cancel until `f` returns, each system call that it
/// makes ends with EINTR, or is not made and has EINTR as its result, whatever the call; a loop that makes it again never ends. A signal (SIGURG) does it, sent
/// again until `f` returns, so that it does not matter how far `f` has come. The calls that others make see nothing of it, nor the later ones of this thread. A call
/// that the kernel lets no signal end (a read of a file on disk) goes on to its own end, and so does all on a thread that blocks SIGURG, or where a sandbox refuses the signal.
///
/// Under a cap of threads a call that waits for its turn does so no more when it is cancelled, and is not made: `Err(Canceled)`.
///
/// EINTR without a cancel is possible, as always: look at [`Cancel::is_canceled`].
///
/// ```no_run
/// # fn main() {
/// # use core::time::Duration;
/// # struct Pipe; impl Pipe { fn read(&self) -> Result<u8, u32> { Ok(0) } } let pipe = Pipe;
/// use gort::syscall::{Cancel, cancellable};
/// let cancel = Cancel::new();
/// let _timer = gort::time::after_func(gort::time::Duration::from_secs(1), { let cancel = cancel.clone(); move || cancel.cancel() });
/// match cancellable(&cancel, || pipe.read()) {
///     Ok(Ok(byte)) => gort::println!("{byte}"),
///     Ok(Err(error)) => gort::println!("{error}, cancelled: {}", cancel.is_canceled()),
///     Err(canceled) => gort::println!("{canceled}"),
/// }
/// # }
/// ```
// Inlined for the reason that `blocking` is.
#[track_caller]
#[inline(always)]
pub fn cancellable<T>(cancel: &Cancel, f: impl FnOnce() -> T) -> Result<T, Canceled> {
    require_runtime();
    if cancel.is_canceled() {
        return Err(Canceled);
    }
    let Ok(ticket) = cancel.shared.wait_for_turn() else { return Err(Canceled) };
    let result = call(Site::new(core::ptr::from_ref(Location::caller()) as usize, true), || cancel.shared.run(f));
    soft_cap::leave(ticket);
    result.ok_or(Canceled)
}

/// As [`cancellable`], by a context: when `ctx` is done, the call ends with EINTR. Returns what `f` returned; why the context is done, and `f` was not called,
/// if it was done before the call began.
///
/// What is said of `f` and its call there holds here. EINTR without a cancel is possible, as always: look at [`Context::err`]. With a context that can never be done it is
/// [`blocking`].
///
/// ```no_run
/// # fn main() {
/// # struct Pipe; impl Pipe { fn read(&self) -> Result<u8, u32> { Ok(0) } } let pipe = Pipe;
/// use gort::context::{background, with_timeout};
/// use gort::time::Duration;
/// let (ctx, cancel) = with_timeout(&background(), Duration::from_secs(1));
/// let _cancel = cancel.on_drop();
/// match gort::syscall::with_context(&ctx, || pipe.read()) {
///     Ok(Ok(byte)) => gort::println!("{byte}"),
///     Ok(Err(error)) => gort::println!("{error}, {:?}", ctx.err()),
///     Err(done) => gort::println!("{done}"),
/// }
/// # }
/// ```
// Inlined for the reason that `blocking` is.
#[track_caller]
#[inline(always)]
pub fn with_context<T>(ctx: &Context, f: impl FnOnce() -> T) -> Result<T, context::Error> {
    if ctx.done().is_nil() {
        return Ok(blocking(f));
    }
    ctx.check()?;
    let cancel = Cancel::new();
    let end = cancel.at_end_of(ctx);
    let result = cancellable(&cancel, f);
    end.stop();
    result.map_err(|Canceled| ctx.err().unwrap_or(context::Error::Canceled))
}

/// The id of the thread that the goroutine runs on just now. It may run on another one in the next moment.
///
/// Source: gettid(2); Go package syscall, Gettid.
pub fn gettid() -> u32 {
    crate::sys::thread::gettid()
}
