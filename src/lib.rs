//! Go's goroutine scheduler as a Rust library for Linux, with no libc under it.
//!
//! A program is one static file that makes only the system calls it shows: threads by `clone3`, goroutines on stacks of its own, channels,
//! locks. README.md shows how to make one; HACKING.md how it works inside.

#![no_std]
#![deny(unsafe_op_in_unsafe_fn)]
#![warn(missing_docs)]
// Much is used only where the scheduler runs, which is not in std's test harness.
#![cfg_attr(any(test, loom), allow(dead_code, unused_imports))]

extern crate alloc;
#[cfg(any(test, loom))]
extern crate std;

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
compile_error!("gort makes its system calls itself and knows those of Linux on x86_64 only");

mod arch;
mod base;
mod sys;

#[cfg(not(loom))]
mod mem;

#[cfg(not(loom))]
#[cfg_attr(test, allow(dead_code))]
mod gmp;

// What models run: the real files where they can, doubles of what needs a kernel or a stack of its own (`models`).
#[cfg(loom)]
mod chan;
#[cfg(loom)]
#[path = "models/double/gmp.rs"]
mod gmp;
#[cfg(loom)]
mod models;
#[cfg(loom)]
#[path = "models/double/sched.rs"]
mod sched;
#[cfg(loom)]
mod sync {
    pub mod raw_mutex;
    pub mod raw_rwmutex;
}
#[cfg(loom)]
mod timer;

#[cfg(not(any(test, loom)))]
mod macros;

macro_rules! in_programs {
    ($($item:item)*) => { $(#[cfg(not(any(test, loom)))] $item)* };
}

in_programs! {
    mod timer;
    mod sched;
    pub mod chan;
    pub mod sync;
    pub mod time;
    pub mod context;
    mod io;
    pub mod os;
    mod observe;
    pub mod debug;
    pub mod ffi;
    pub mod future;
    pub mod runtime;
    pub mod syscall;
    mod entry;
    pub mod testing;
    pub mod prelude;
    #[doc(inline)]
    pub use context::errgroup;
    pub use observe::metrics;
    pub use entry::Termination;
    pub use runtime::{Builder, go, spawn};
    pub use sched::defer::{DeferScope, defer, defer_scope};
    pub use sched::join::{JoinError, JoinHandle};
    pub use sched::scope::{Scope, ScopedJoinHandle, scope};

    /// For the macros, and for gort's own tests. Not part of the interface: it changes without notice.
    #[doc(hidden)]
    pub mod __private {
        #[cfg(feature = "static-pie")]
        pub use crate::arch::thread::gort_relocate as relocate;
        pub use crate::entry::{run_main, start};
        pub use crate::arch::mem;
        pub use crate::testing::{Entry, Test, main as run_tests, status_of};
        pub use crate::chan::select::{Operand as SelectOperand, nothing as select_nothing, run as select_run, sent as select_sent};
        pub use crate::context::child_count as context_children;
        pub use crate::io::print;
        pub use crate::mem::heap::{self, Allocator};
        pub use crate::mem::stack;
        pub use crate::observe::crash::{panic, stack_smashed};
        pub use crate::observe::knobs::begin as knobs;
        pub use crate::gmp::netdns;
        pub use crate::sched::{hooks, preempt, semaphore, sysmon, table};
        pub use crate::arch::preempt as injection;
        pub use crate::sys::contract;
        pub use crate::time::tick_from;
        pub use crate::sys::thread::clone3_missing;
        pub use crate::gmp::{SCHED, WaitReason};
        pub use crate::gmp::counters::ffi_calls;
    }
}
