//! Workloads of memory: memcpy and alloc. Their sources also run in a program of std, beside this one's peers of glibc and talc (../../host).

use crate::report::Report;
use crate::{allocation, memcpy};
use alloc::format;
use gort::runtime::{gomaxprocs, gosched};
use gort::sync::Mutex;
use gort::time::Instant;

/// Nanoseconds since the first call.
fn now_ns() -> u64 {
    static FIRST: Mutex<Option<Instant>> = Mutex::new(None);
    FIRST.lock().get_or_insert_with(Instant::now).elapsed().as_nanos() as u64
}

/// What a call of the memory routines costs.
pub fn copying(report: &Report, n: usize) {
    memcpy::run(n, now_ns, &mut |metric, value, unit| report.out(metric, value, unit));
}

/// What a block of the global allocator costs, to one goroutine and to two on two Ps.
pub fn allocating(report: &Report, n: usize) {
    gomaxprocs(2);
    allocation::run(&Goroutines { report }, n as u64);
}

struct Goroutines<'a> {
    report: &'a Report,
}

impl allocation::Host for Goroutines<'_> {
    fn now_ns(&self) -> u64 {
        now_ns()
    }

    fn both(&self, a: impl FnOnce() + Send, b: impl FnOnce() + Send) {
        gort::scope(|s| {
            s.go(a);
            b();
        });
    }

    fn wait(&self) {
        // A while, so that the other P has time to take the other side. Then that side may be on this very P, or on a thread that the
        // kernel has put aside.
        (0..64).for_each(|_| core::hint::spin_loop());
        gosched();
        rustix::thread::sched_yield();
    }

    /// `alloc_64` and `one ns` make `64_one`.
    fn report(&self, workload: &str, metric: &str, value: f64) {
        let metric = format!("{}_{}", workload.trim_start_matches("alloc_"), metric.trim_end_matches(" ns"));
        self.report.out(&metric, value, "ns");
    }
}
