//! Time: the clocks, sleeping, timers and tickers. `Duration` is core's.

#![deny(unsafe_code)]

mod armed;
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

use crate::sched::{group, timers};
use crate::sys::clock::monotonic_ns;

/// The end of time: 292 years after the machine's start. What waits until then waits for ever.
const FOREVER_NS: u64 = i64::MAX as u64;

/// The time that is `duration` from `now_ns`.
fn after_ns(now_ns: u64, duration: Duration) -> u64 {
    let ns = u64::try_from(duration.as_nanos()).unwrap_or(FOREVER_NS);
    now_ns.saturating_add(ns).min(FOREVER_NS)
}

/// The time of the machine's clock that is `duration` from now, in a bubble too.
pub(crate) fn from_now(duration: Duration) -> u64 {
    after_ns(monotonic_ns(), duration)
}

/// The time that is `duration` from now, or the end of time.
pub(crate) fn end_of(duration: Duration) -> Instant {
    Instant { ns: after_ns(Instant::now().ns, duration) }
}

/// Lets the calling goroutine sleep for at least `duration`; not at all if that is zero. No thread is blocked.
///
/// Source: Go package time, Sleep.
pub fn sleep(duration: Duration) {
    crate::gmp::require_runtime();
    if duration.is_zero() {
        return;
    }
    match group::bubble() {
        None => timers::sleep_until(after_ns(monotonic_ns(), duration)),
        Some(bubble) => bubble.sleep_until(after_ns(bubble.now_ns(), duration)),
    }
}
