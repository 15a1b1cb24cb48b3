//! Time: the monotonic clock. `Duration` is core's.

#![deny(unsafe_code)]

use crate::sys::clock::monotonic_ns;
pub use core::time::Duration;

/// A point in time of the monotonic clock; read through the vDSO, without a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant {
    ns: u64,
}

impl Instant {
    /// Now.
    #[inline]
    pub fn now() -> Instant {
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
