//! Workloads of system calls: syscall, block_syscall.

use crate::compute::xorshift;
use crate::report::Report;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use core::time::Duration;
use gort::runtime::gomaxprocs;
use gort::time::{Instant, sleep};
use rustix::thread::{NanosleepRelativeResult as Slept, nanosleep};
use rustix::time::Timespec;

const GETPPID: u32 = 110;

/// A call that does not block, with and without the scheduler's knowledge.
pub fn syscall(report: &Report, n: usize) {
    // While a program has never had a second goroutine there is nobody who could take its P: both loops would be the same.
    gort::spawn(|| ()).join().expect("it does not panic");
    let start = Instant::now();
    for _ in 0..n {
        // SAFETY: getppid touches no memory.
        let parent = unsafe { gort::syscall::raw(GETPPID, &[]) };
        core::hint::black_box(&parent);
    }
    report.ns_each("syscall", start.elapsed(), n);
    let start = Instant::now();
    for _ in 0..n {
        core::hint::black_box(rustix::process::getppid());
    }
    report.ns_each("rawsyscall", start.elapsed(), n);
}

/// A counter on a cache line of its own.
#[repr(align(128))]
struct OwnLine(AtomicU64);

/// 64 goroutines in calls that block, beside two that compute.
pub fn block_syscall(report: &Report, n: usize) {
    gomaxprocs(2);
    let (stop, counts) = (AtomicBool::new(false), [const { OwnLine(AtomicU64::new(0)) }; 2]);
    let count = || counts.iter().map(|line| line.0.load(Relaxed)).sum::<u64>() as f64;
    gort::scope(|s| {
        for (i, OwnLine(count)) in counts.iter().enumerate() {
            let stop = &stop;
            s.go(move || {
                let mut x = i as u64 + 1;
                while !stop.load(Relaxed) {
                    x = xorshift(x, 1000);
                    count.fetch_add(1, Relaxed);
                }
                assert_ne!(x, 0);
            });
        }
        sleep(Duration::from_millis(100));
        let (before, start) = (count(), Instant::now());
        sleep(Duration::from_secs(1));
        let alone = (count() - before) / start.elapsed().as_secs_f64();
        let (before, start) = (count(), Instant::now());
        gort::scope(|s| (0..64).for_each(|_| s.go(|| (0..n).for_each(|_| block_for_1_ms()))));
        let wall = start.elapsed();
        report.ms("wall", wall);
        report.out("compute_retained", (count() - before) / wall.as_secs_f64() / alone, "ratio");
        stop.store(true, Relaxed);
    });
}

/// The kernel's nanosleep: it blocks the thread.
fn block_for_1_ms() {
    let mut left = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    while let Slept::Interrupted(rest) = gort::syscall::blocking(|| nanosleep(&left)) {
        left = rest;
    }
}
