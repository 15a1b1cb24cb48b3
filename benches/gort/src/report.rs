//! What a workload prints: `WORKLOAD METRIC VALUE UNIT`, a line a metric.

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
}
