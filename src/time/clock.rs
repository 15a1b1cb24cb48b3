//! The two clocks: the monotonic one, and that of the wall. Both are read through the vDSO, without a system call.

use super::Duration;
use crate::base::NoPreempt;
use crate::sched::group;
use crate::sys::clock;
use core::fmt;
use core::ops::{Add, AddAssign, Sub, SubAssign};

/// A point in time of the monotonic clock, which never goes back (CLOCK_MONOTONIC).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant {
    pub(super) ns: u64,
}

impl Instant {
    /// Now.
    #[inline]
    pub fn now() -> Instant {
        if let Some(bubble) = group::bubble() {
            return Instant { ns: bubble.now_ns() };
        }
        // A loop that only looks at the clock is preempted here: nothing is injected into the vDSO.
        let _nopreempt = NoPreempt::new();
        Instant { ns: clock::monotonic_ns() }
    }

    /// How long ago this was; zero if it lies ahead.
    pub fn elapsed(self) -> Duration {
        Instant::now().duration_since(self)
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn duration_since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.ns.saturating_sub(earlier.ns))
    }

    /// This and `duration`; none if the clock has no such time.
    pub fn checked_add(self, duration: Duration) -> Option<Instant> {
        Some(Instant { ns: self.ns.checked_add(u64::try_from(duration.as_nanos()).ok()?)? })
    }

    /// This less `duration`; none if the clock has no such time.
    pub fn checked_sub(self, duration: Duration) -> Option<Instant> {
        Some(Instant { ns: self.ns.checked_sub(u64::try_from(duration.as_nanos()).ok()?)? })
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Instant({}.{:09}s)", self.ns / 1_000_000_000, self.ns % 1_000_000_000)
    }
}

impl Sub for Instant {
    type Output = Duration;
    fn sub(self, earlier: Instant) -> Duration {
        self.duration_since(earlier)
    }
}

/// A point in time of the wall's clock, which somebody may set (CLOCK_REALTIME).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SystemTime {
    /// Since 1970; may be before it.
    ns: i128,
}

/// 1970-01-01 00:00:00 UTC.
pub const UNIX_EPOCH: SystemTime = SystemTime { ns: 0 };

/// The other time was later, by this much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemTimeError(Duration);

impl SystemTimeError {
    /// By how much.
    pub fn duration(&self) -> Duration {
        self.0
    }
}

impl fmt::Display for SystemTimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the other time is later by {:?}", self.0)
    }
}

impl core::error::Error for SystemTimeError {}

fn duration(ns: u128) -> Duration {
    Duration::new(u64::try_from(ns / 1_000_000_000).unwrap_or(u64::MAX), (ns % 1_000_000_000) as u32)
}

impl SystemTime {
    /// Now.
    pub fn now() -> SystemTime {
        if let Some(bubble) = group::bubble() {
            return SystemTime { ns: bubble.now_ns().into() };
        }
        let _nopreempt = NoPreempt::new();
        SystemTime { ns: clock::realtime_ns() }
    }

    /// How long after `earlier` this is; an error with how long before it, if it is.
    pub fn duration_since(self, earlier: SystemTime) -> Result<Duration, SystemTimeError> {
        let ns = self.ns - earlier.ns;
        if ns < 0 { Err(SystemTimeError(duration(ns.unsigned_abs()))) } else { Ok(duration(ns.unsigned_abs())) }
    }

    /// How long ago this was; an error if it lies ahead.
    pub fn elapsed(self) -> Result<Duration, SystemTimeError> {
        SystemTime::now().duration_since(self)
    }
}

impl Add<Duration> for SystemTime {
    type Output = SystemTime;
    fn add(self, duration: Duration) -> SystemTime {
        SystemTime { ns: self.ns + duration.as_nanos() as i128 }
    }
}

impl Sub<Duration> for SystemTime {
    type Output = SystemTime;
    fn sub(self, duration: Duration) -> SystemTime {
        SystemTime { ns: self.ns - duration.as_nanos() as i128 }
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;
    /// Panics if the clock has no such time.
    fn add(self, duration: Duration) -> Instant {
        self.checked_add(duration).expect("overflow when adding a duration to an instant")
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;
    /// Panics if the clock has no such time.
    fn sub(self, duration: Duration) -> Instant {
        self.checked_sub(duration).expect("overflow when subtracting a duration from an instant")
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}
