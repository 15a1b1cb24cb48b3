//! The workload timers: a goroutine for each of many sleeps.

use crate::compute::splitmix;
use crate::report::Report;
use alloc::vec;
use core::time::Duration;
use gort::time::{Instant, sleep};
use rustix::time::{ClockId, clock_gettime};

pub fn timers(report: &Report, n: usize) {
    // Not zero, so that the pages are there before the clock starts.
    let mut late = vec![Duration::MAX; n];
    let (used, start) = (processor_time(), Instant::now());
    gort::scope(|s| {
        for (i, late) in late.iter_mut().enumerate() {
            s.go(move || {
                let asked = Duration::from_nanos(splitmix(i as u64) % 1_000_000_000);
                let start = Instant::now();
                sleep(asked);
                *late = start.elapsed().checked_sub(asked).expect("a sleep never ends early");
            });
        }
    });
    report.ms("wall", start.elapsed());
    report.out("cpu", (processor_time() - used).as_secs_f64(), "s");
    report.late(late);
}

/// What this process has used of the processors, in its own code and in the kernel.
fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).expect("it is not negative")
}
