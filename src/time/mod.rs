//! Time: the monotonic clock. `Duration` is core's.

#![deny(unsafe_code)]

use crate::sched::timers;
use crate::sys::clock::monotonic_ns;
pub use core::time::Duration;

/// The end of time: 292 years after the machine's start. What sleeps until then sleeps for ever.
const FOREVER_NS: u64 = i64::MAX as u64;

/// Lets the calling goroutine sleep for at least `duration`; not at all if that is zero. No thread is blocked.
///
/// Source: Go package time, Sleep.
pub fn sleep(duration: Duration) {
    crate::gmp::require_runtime();
    let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    if ns != 0 {
        timers::sleep_until(monotonic_ns().saturating_add(ns).min(FOREVER_NS));
    }
}

/// A point in time of the monotonic clock; read through the vDSO, without a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant {
    ns: u64,
}

impl Instant {
    /// Now.
    #[inline]
    pub fn now() -> Instant {
        // Raised, so that a loop that only looks at the clock can be preempted: nothing is injected into the vDSO.
        let _nopreempt = crate::base::NoPreempt::new();
        Instant { ns: monotonic_ns() }
    }

    /// How long ago this was.
    pub fn elapsed(self) -> Duration {
        Instant::now().duration_since(self)
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn duration_since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.ns.saturating_sub(earlier.ns))
    }
}
