//! Something that sysmon is to do at a time: free memory to give back, threads to end, a program to find exhausted.
//!
//! 1. Whoever makes one sets sysmon's alarm; sysmon asks each as it looks, and sets its alarm to the first of those that are left.
//! 2. One that is kept is over. An idle program has none left after a while (R8).

use super::sysmon;
use crate::sys::alarm::NEVER;
use crate::sys::clock::monotonic_ns;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// See the head of this file.
pub struct Appointment {
    at_ns: AtomicU64,
}

impl Appointment {
    /// None.
    pub const fn new() -> Appointment {
        Appointment { at_ns: AtomicU64::new(NEVER) }
    }

    /// In `after_ns`, whatever was before.
    pub fn make(&self, after_ns: u64) {
        let at = monotonic_ns() + after_ns;
        self.at_ns.store(at, Relaxed);
        sysmon::arm(at);
    }

    /// In `after_ns`, unless there is one.
    #[inline]
    pub fn make_if_none(&self, after_ns: u64) {
        if self.at_ns.load(Relaxed) == NEVER {
            self.make(after_ns);
        }
    }

    /// On sysmon: is it time? Then it is over. Else: when it will be.
    pub fn keep(&self, now: u64) -> Result<(), u64> {
        let at = self.at_ns.load(Relaxed);
        if now < at {
            return Err(at);
        }
        // Who moves it in this moment sets the alarm as well.
        self.at_ns.compare_exchange(at, NEVER, Relaxed, Relaxed).map(drop).map_err(|_| NEVER)
    }
}
