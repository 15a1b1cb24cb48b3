//! Time: the clocks, sleeping, timers and tickers. `Duration` is core's.

#![deny(unsafe_code)]

mod clock;
mod func;
mod ticker;
mod timer;
mod within;

pub use clock::{Instant, SystemTime, SystemTimeError, UNIX_EPOCH};
pub use core::time::Duration;
pub use func::{AfterFunc, after_func};
#[doc(hidden)]
pub use ticker::tick_from;
pub use ticker::{Ticker, tick};
pub use timer::{Timer, after};

use crate::sched::timers;
use crate::sys::clock::monotonic_ns;

/// The end of time: 292 years after the machine's start. What waits until then waits for ever.
const FOREVER_NS: u64 = i64::MAX as u64;

/// The monotonic time that is `duration` from now.
pub(crate) fn from_now(duration: Duration) -> u64 {
    let ns = u64::try_from(duration.as_nanos()).unwrap_or(FOREVER_NS);
    monotonic_ns().saturating_add(ns).min(FOREVER_NS)
}

/// The time that is `duration` from now, or the end of time.
pub(crate) fn end_of(duration: Duration) -> Instant {
    Instant { ns: from_now(duration) }
}

/// Lets the calling goroutine sleep for at least `duration`; not at all if that is zero. No thread is blocked.
///
/// Source: Go package time, Sleep.
pub fn sleep(duration: Duration) {
    crate::gmp::require_runtime();
    if !duration.is_zero() {
        timers::sleep_until(from_now(duration));
    }
}
