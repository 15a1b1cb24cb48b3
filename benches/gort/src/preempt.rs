//! The workload preempt: a goroutine that sleeps beside more of them that never give way than there are Ps.

use crate::compute::xorshift;
use crate::report::Report;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use core::time::Duration;
use gort::runtime::gomaxprocs;
use gort::time::{Instant, sleep};

const PERIOD: Duration = Duration::from_millis(1);

pub fn preempt(report: &Report, ms: usize) {
    gomaxprocs(2);
    let (stop, mut late, mut turns) = (AtomicBool::new(false), Vec::new(), [0; 4]);
    let end = Instant::now() + Duration::from_millis(ms as u64);
    gort::scope(|s| {
        for (i, turns) in turns.iter_mut().enumerate() {
            let stop = &stop;
            s.go(move || *turns = spin(i as u64 + 1, stop));
        }
        s.go(|| {
            while Instant::now() < end {
                let start = Instant::now();
                sleep(PERIOD);
                late.push(start.elapsed().checked_sub(PERIOD).expect("a sleep never ends early"));
            }
            stop.store(true, Relaxed);
        });
    });
    report.out("samples", late.len() as f64, "count");
    report.late(late);
    let (least, most) = turns.iter().fold((u64::MAX, 0), |(least, most), &turns| (least.min(turns), most.max(turns)));
    report.out("spin_min_over_max", least as f64 / most as f64, "ratio");
}

/// How often it could compute until it was stopped. Nothing in here calls into gort.
fn spin(mut x: u64, stop: &AtomicBool) -> u64 {
    let mut turns = 0;
    while !stop.load(Relaxed) {
        x = xorshift(x, 1000);
        turns += 1;
    }
    assert_ne!(x, 0);
    turns
}
