//! Clocks, read through the vDSO: no system call.

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds since some fixed point of this boot; never goes back (CLOCK_MONOTONIC).
#[inline]
pub fn monotonic_ns() -> u64 {
    let t = clock_gettime(ClockId::Monotonic);
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

/// Nanoseconds since 1970 by the wall's clock (CLOCK_REALTIME).
pub fn realtime_ns() -> i128 {
    let t = clock_gettime(ClockId::Realtime);
    i128::from(t.tv_sec) * 1_000_000_000 + i128::from(t.tv_nsec)
}

/// Blocks this thread for about `ms` milliseconds; less if a signal comes.
pub fn sleep_ms(ms: u64) {
    let time = rustix::time::Timespec { tv_sec: (ms / 1000) as i64, tv_nsec: (ms % 1000 * 1_000_000) as i64 };
    let _ = rustix::thread::nanosleep(&time);
}
