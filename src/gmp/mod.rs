//! Floor 4: the data of the scheduler. G is a goroutine, M a thread, P the right to run goroutines; `SCHED` is what they share.
//!
//! Nothing here decides anything: `sched` does.

pub mod counters;
pub mod cpus;
pub mod env;
pub mod fresh;
pub mod g;
pub mod gqueue;
pub mod image;
pub mod m;
pub mod netdns;
pub mod p;
pub mod sampling;
pub mod sched;
pub mod since;

pub use g::{G, Status, WaitReason};
pub use m::M;
pub use p::P;
pub use sched::SCHED;

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

static STARTED: AtomicBool = AtomicBool::new(false);

/// `gort::main!` has set up TLS and the first M.
pub fn runtime_has_started() {
    STARTED.store(true, Relaxed);
}

/// Panics in a process that `gort::main!` did not start: `fs` points to somebody else's data there (R2).
#[inline(always)]
pub fn require_runtime() {
    if !STARTED.load(Relaxed) {
        no_runtime();
    }
}

#[cold]
#[inline(never)]
fn no_runtime() -> ! {
    panic!("gort: goroutines run only in a program that gort::main! started; this one was started by something else (std?)");
}
