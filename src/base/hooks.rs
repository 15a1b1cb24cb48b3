//! The upcalls: how a low floor reaches what only a high floor can do (R16).
//!
//! 1. Set once, by `entry`, before a second thread exists. Before that `FATAL` prints its message and ends the process.
//! 2. `YIELD` is called by whoever lowers the preemption counter to zero with a request pending; it may switch goroutines.
//! 3. `FATAL` never returns. It may be called from any stack, with any lock held: it takes none.

use super::printer::Stderr;
use crate::sys::process;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

/// Ends the process with a fatal error.
pub type Fatal = fn(fmt::Arguments) -> !;
/// Lets the scheduler run.
pub type Yield = fn();

static FATAL: AtomicPtr<()> = AtomicPtr::new(early_fatal as *mut ());
static YIELD: AtomicPtr<()> = AtomicPtr::new(no_yield as *mut ());

/// Fills the table.
pub fn set(fatal: Fatal, yield_now: Yield) {
    FATAL.store(fatal as *mut (), Relaxed);
    YIELD.store(yield_now as *mut (), Relaxed);
}

/// `fatal error: …`, the goroutines, exit status 2 (R11). Usually through [`throw!`].
#[cold]
pub fn fatal(message: fmt::Arguments) -> ! {
    // SAFETY: only `set` writes the word, and only with a `Fatal`.
    let hook: Fatal = unsafe { core::mem::transmute(FATAL.load(Relaxed)) };
    hook(message)
}

/// A preemption request was pending as the counter reached zero.
#[cold]
pub fn yield_now() {
    // SAFETY: only `set` writes the word, and only with a `Yield`.
    let hook: Yield = unsafe { core::mem::transmute(YIELD.load(Relaxed)) };
    hook();
}

/// Before `set`; under `cfg(test)` always, and there it must not end the test process.
fn early_fatal(message: fmt::Arguments) -> ! {
    if cfg!(test) {
        panic!("fatal error: {message}");
    }
    let _ = writeln!(Stderr::new(), "fatal error: {message}");
    process::exit_group(2)
}

fn no_yield() {}

/// Ends the process because an invariant is broken: says who found it, what was found and what was expected.
macro_rules! throw {
    ($($arg:tt)*) => { $crate::base::hooks::fatal(core::format_args!($($arg)*)) };
}
pub(crate) use throw;
