//! A distribution of times: how it is counted, and how it is shown.
//!
//! The buckets are Go's: powers of two from 256 ns to 2⁴⁷ ns (a day and a half), each in four equal parts, four more below, and one each for what is less than
//! nothing (never) and for more. So a bucket is a quarter of its lower bound wide at most.
//!
//! Source: `timeHistogram` in histogram.go of Go 1.27.3.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

const MIN_BIT: u32 = 9;
const MAX_BIT: u32 = 48;
const SUB_BITS: u32 = 2;
const SUBS: usize = 1 << SUB_BITS;
const POWERS: usize = (MAX_BIT - MIN_BIT + 1) as usize;
/// How many buckets there are.
pub const BUCKETS: usize = POWERS * SUBS + 2;

/// Bounds of the buckets, in seconds.
pub static BOUNDS: [f64; BUCKETS + 1] = bounds();

const fn bounds() -> [f64; BUCKETS + 1] {
    let mut bounds = [0.0; BUCKETS + 1];
    bounds[0] = f64::NEG_INFINITY;
    let mut n = 0;
    while n < POWERS * SUBS {
        let (power, sub) = (n / SUBS, (n % SUBS) as u64);
        let shift = MIN_BIT - 1 - SUB_BITS + power.saturating_sub(1) as u32;
        let ns = if power == 0 { sub } else { SUBS as u64 + sub } << shift;
        bounds[n + 1] = ns as f64 / 1e9;
        n += 1;
    }
    bounds[BUCKETS - 1] = (1u64 << (MAX_BIT - 1)) as f64 / 1e9;
    bounds[BUCKETS] = f64::INFINITY;
    bounds
}

/// Counts, which anybody may add to and read.
pub struct Times([AtomicU64; BUCKETS]);

impl Times {
    /// None.
    pub const fn new() -> Times {
        Times([const { AtomicU64::new(0) }; BUCKETS])
    }

    /// Adds one of `ns`, so many times.
    pub fn add(&self, ns: u64, times: u64) {
        self.0[bucket(ns)].fetch_add(times, Relaxed);
    }

    /// The counts, each as of when it is read; none ever falls.
    pub fn counts(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|count| count.load(Relaxed))
    }
}

fn bucket(ns: u64) -> usize {
    let bits = (u64::BITS - ns.leading_zeros()).max(MIN_BIT - 1);
    let power = (bits - (MIN_BIT - 1)) as usize;
    if power >= POWERS {
        return BUCKETS - 1;
    }
    let shift = bits.max(MIN_BIT) - 1 - SUB_BITS;
    power * SUBS + (ns >> shift) as usize % SUBS + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Go 1.27.3 prints for the Buckets of /sched/latencies:seconds, the first and last of them.
    #[test]
    fn bounds_are_gos() {
        assert_eq!(BOUNDS.len(), 163);
        assert_eq!(BOUNDS[..10], [f64::NEG_INFINITY, 0.0, 6.4e-8, 1.28e-7, 1.92e-7, 2.56e-7, 3.2e-7, 3.84e-7, 4.48e-7, 5.12e-7]);
        assert_eq!(BOUNDS[158..], [87960.93022208, 105553.116266496, 123145.302310912, 140737.488355328, f64::INFINITY]);
        assert!(BOUNDS.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn a_time_is_counted_between_its_bounds() {
        let near =
            |n: u32| [(1u64 << n) - 1, 1 << n, (1 << n) + 1, (1 << n) + (1 << n) / 4, (1 << n) + (1 << n) / 2 - 1, (1 << n) + (1 << n) / 2 + (1 << n) / 4];
        for ns in (2..52).flat_map(near).chain([0, 63, 64, u64::MAX]) {
            let (n, seconds) = (bucket(ns), ns as f64 / 1e9);
            assert!(BOUNDS[n] <= seconds && seconds < BOUNDS[n + 1], "{ns} ns in bucket {n}");
        }
    }
}
