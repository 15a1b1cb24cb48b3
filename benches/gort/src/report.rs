//! What a workload prints: `WORKLOAD METRIC VALUE UNIT`, a line a metric.

use alloc::vec::Vec;
use core::time::Duration;

/// The printer of one workload.
pub struct Report {
    pub workload: &'static str,
}

impl Report {
    pub fn out(&self, metric: &str, value: f64, unit: &str) {
        gort::println!("{} {metric} {value:.3} {unit}", self.workload);
    }

    /// Nanoseconds for each of `n`.
    pub fn ns_each(&self, metric: &str, time: Duration, n: usize) {
        self.out(metric, time.as_nanos() as f64 / n as f64, "ns");
    }

    pub fn ms(&self, metric: &str, time: Duration) {
        self.out(metric, time.as_nanos() as f64 / 1e6, "ms");
    }

    /// How much later than asked sleepers woke: the median, the 99th percentile and the worst.
    pub fn late(&self, mut times: Vec<Duration>) {
        times.sort_unstable();
        let us = |i: usize| times[i].as_nanos() as f64 / 1e3;
        self.out("late_p50", us(times.len() / 2), "us");
        self.out("late_p99", us(times.len() * 99 / 100), "us");
        self.out("late_max", us(times.len() - 1), "us");
    }
}
