//! Workloads of threads: thread_create, call_handoff.

use crate::report::Report;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use core::time::Duration;
use gort::chan;
use gort::runtime::{gomaxprocs, gosched, lock_os_thread};
use gort::time::Instant;
use rustix::thread::nanosleep;
use rustix::time::Timespec;

/// One thread after another: a goroutine that ends while it is locked takes its thread along.
pub fn thread_create(report: &Report, n: usize) {
    let done = chan::make::<usize>(0);
    let start = Instant::now();
    for i in 0..n {
        gort::go({
            let done = done.clone();
            move || {
                lock_os_thread();
                done.send(i);
            }
        });
        assert_eq!(done.recv(), Some(i));
    }
    report.ns_each("per_thread", start.elapsed(), n);
}

/// On one P: from the moment before a call that blocks for 200 us until another goroutine runs.
pub fn call_handoff(report: &Report, n: usize) {
    static BEFORE_NS: AtomicU64 = AtomicU64::new(0);
    static END: AtomicBool = AtomicBool::new(false);
    gomaxprocs(1);
    let start = Instant::now();
    let blocks = gort::spawn(move || {
        for _ in 0..n {
            BEFORE_NS.store(start.elapsed().as_nanos() as u64, SeqCst);
            let _ = gort::syscall::blocking(|| nanosleep(&Timespec { tv_sec: 0, tv_nsec: 200_000 }));
            gosched();
        }
        END.store(true, SeqCst);
    });
    let mut times = Vec::with_capacity(n);
    let mut seen = 0;
    while !END.load(Relaxed) {
        let before = BEFORE_NS.load(SeqCst);
        if before != seen {
            seen = before;
            times.push(start.elapsed() - Duration::from_nanos(before));
        }
        gosched();
    }
    blocks.join().expect("it does not panic");
    assert!(times.len() > n / 2, "only {} of {n} calls let the other run", times.len());
    report.late(times);
}
