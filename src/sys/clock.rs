//! Clocks, read through the vDSO: no system call.

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds since some fixed point of this boot; never goes back (CLOCK_MONOTONIC).
#[inline]
pub fn monotonic_ns() -> u64 {
    let t = clock_gettime(ClockId::Monotonic);
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}
