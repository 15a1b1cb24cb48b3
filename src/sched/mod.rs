//! Floor 6: the scheduler. Which goroutine runs where, and when.
//!
//! How a goroutine goes through these files: `spawn` makes it and puts it into its P's fresh spawns; `pick` (on the goroutine's own stack) or
//! `find` (on g0) chooses it; `park` lets it wait, `ready` makes it runnable again; `exit` ends it. Around them: `steal` and `wake`
//! share work among Ps, `idle` puts Ms to sleep, `thread` makes them, `world` stops everybody, `procs` changes GOMAXPROCS.
//!
//! 1. Only `ready` makes a waiting goroutine runnable, only `park` makes it wait, and what publishes the parked one happens after it has
//!    left its stack (R3).
//! 2. Every function here that takes `&NoPreempt` runs on whatever stack its caller has; those marked "on g0" run there.
//! 3. Nothing that is runnable stays hidden from an idle P for longer than until the next call into the scheduler of the P that hides it (R19).

pub mod ancestry;
pub mod appointment;
pub mod bubble;
pub mod cancel;
pub mod cgocheck;
pub mod chore;
pub mod countdown;
pub mod deadlock;
pub mod defer;
pub mod exhaustion;
pub mod exit;
pub mod extras;
pub mod finalizer;
pub mod find;
pub mod foreign;
pub mod freeze;
pub mod glance;
pub mod group;
pub mod hooks;
pub mod idle;
pub mod join;
pub mod leaks;
pub mod locked;
pub mod park;
pub mod pick;
pub mod preempt;
pub mod procs;
pub mod queue;
pub mod ready;
pub mod reap;
pub mod scavenge;
pub mod scope;
pub mod semaphore;
pub mod soft_cap;
pub mod spawn;
pub mod start;
pub mod steal;
pub mod syscalls;
pub mod sysmon;
pub mod table;
pub mod template;
pub mod thread;
pub mod timers;
pub mod waitq;
pub mod wake;
pub mod waker;
pub mod waker_slot;
pub mod world;
pub mod yielding;

pub use park::park;
pub use ready::{ready, ready_anywhere, ready_last, ready_queue};
pub use yielding::{gosched_if_free, poll};

/// A number in `0..n`, by chance.
#[inline(always)]
pub fn random_below(nopreempt: &crate::base::NoPreempt, n: u32) -> u32 {
    crate::gmp::P::current(nopreempt).rng.below(n)
}

/// The running goroutine waits for ever.
pub fn park_for_ever(reason: crate::gmp::WaitReason) -> ! {
    let nopreempt = crate::base::NoPreempt::new();
    // SAFETY: nobody will make it ready, so it has no waker at all.
    unsafe { park(&nopreempt, reason, park::no_commit(&nopreempt)) };
    unreachable!("nobody makes it ready")
}
