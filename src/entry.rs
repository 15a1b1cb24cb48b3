//! From the kernel's first instruction to `main`, and from `main`'s return to the end of the process.
//!
//! Order: (relocation,) arguments, the first M and its TLS, the upcalls, descriptors 0 to 2, fault handlers, the scheduler, main's goroutine.

use crate::base::throw;
use crate::gmp::env;
use crate::observe::{crash, debugger, fault};
use crate::{gmp, sched, sys};
use core::fmt::Debug;

/// What `main` may return: nothing, an exit status, or a result whose error is printed and means status 1.
pub trait Termination {
    /// The exit status of the process.
    fn status(self) -> i32;
}

impl Termination for () {
    fn status(self) -> i32 {
        0
    }
}

impl Termination for i32 {
    fn status(self) -> i32 {
        self
    }
}

impl Termination for core::convert::Infallible {
    fn status(self) -> i32 {
        match self {}
    }
}

impl<T: Termination, E: Debug> Termination for Result<T, E> {
    fn status(self) -> i32 {
        match self {
            Ok(value) => value.status(),
            Err(error) => {
                crate::eprintln!("Error: {error:?}");
                1
            }
        }
    }
}

/// The first Rust function of the process, on the kernel's stack.
///
/// # Safety
/// `sp` is the stack pointer that the kernel started the process with.
pub unsafe fn start(sp: *const usize, main: fn() -> !) -> ! {
    // SAFETY: the caller's contract; this is the first thing the process does.
    unsafe {
        env::init(sp);
        if let Err(error) = sched::start::first_m() {
            throw!("out of memory: no first thread: {error}");
        }
    }
    crash::install();
    debugger::keep();
    gmp::runtime_has_started();
    sys::fd::open_standard();
    fault::install().unwrap_or_else(|error| throw!("start: no signal handlers: {error}"));
    sched::start::run(main)
}

/// The body of main's goroutine. `knobs` and `first` are called before `main`, on the initial thread.
pub fn run_main<T: Termination>(main: fn() -> T, first: fn(), knobs: fn()) -> ! {
    sched::start::this_is_main();
    knobs();
    first();
    let status = main().status();
    sched::defer::run_all();
    sys::process::exit_group(status)
}
