//! Workloads of goroutines that share a processor or a variable: yield, mutex, rwmutex.

use crate::report::Report;
use gort::runtime::{gomaxprocs, gosched};
use gort::sync::{Mutex, RwMutex, WaitGroup};
use gort::time::Instant;

/// Two goroutines on one P make way for each other.
pub fn yields(report: &Report, n: usize) {
    gomaxprocs(1);
    let both = WaitGroup::new();
    let start = Instant::now();
    for _ in 0..2 {
        both.go(move || (0..n / 2).for_each(|_| gosched()));
    }
    both.wait();
    report.ns_each("per_switch", start.elapsed(), n);
}

/// Eight goroutines count under one lock.
pub fn mutex(report: &Report, n: usize) {
    let count = Mutex::new(0);
    let start = Instant::now();
    gort::scope(|s| {
        for _ in 0..8 {
            s.go(|| (0..n / 8).for_each(|_| *count.lock() += 1));
        }
    });
    let time = start.elapsed();
    assert_eq!(*count.lock(), n);
    report.ns_each("per_op", time, n);
}

/// Eight goroutines read one value under a lock, and each 100th time count it up.
pub fn rwmutex(report: &Report, n: usize) {
    let count = RwMutex::new(0);
    let start = Instant::now();
    gort::scope(|s| {
        for _ in 0..8 {
            s.go(|| {
                let mut last = 0;
                for i in 1..=n / 8 {
                    if i % 100 == 0 {
                        *count.write() += 1;
                        continue;
                    }
                    let now = *count.read();
                    assert!(last <= now);
                    last = now;
                }
            });
        }
    });
    let time = start.elapsed();
    assert_eq!(*count.read(), n / 8 / 100 * 8);
    report.ns_each("per_op", time, n);
}
