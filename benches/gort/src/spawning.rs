//! Workloads of many short goroutines: spawn_join, skynet, fib, parmap.

use crate::compute::xorshift;
use crate::report::Report;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use core::time::Duration;
use gort::chan::{self, Chan};
use gort::runtime::gomaxprocs;
use gort::sync::WaitGroup;
use gort::time::Instant;

/// Batches of 1000 goroutines that only say they are done.
pub fn spawn_join(report: &Report, n: usize) {
    let start = Instant::now();
    for _ in 0..n / 1000 {
        let batch = WaitGroup::new();
        batch.add(1000);
        for _ in 0..1000 {
            let batch = batch.clone();
            gort::go(move || batch.done());
        }
        batch.wait();
    }
    report.ns_each("per_goroutine", start.elapsed(), n);
}

/// A tree of goroutines, ten children to a node, whose leaves send up their number.
pub fn skynet(report: &Report, n: usize) {
    let root = chan::make(0);
    let start = Instant::now();
    gort::go({
        let root = root.clone();
        move || node(root, 0, n)
    });
    let sum = root.recv();
    let time = start.elapsed();
    assert_eq!(sum, Some(n * (n - 1) / 2));
    report.ms("total", time);
}

fn node(parent: Chan<usize>, number: usize, leaves: usize) {
    if leaves == 1 {
        return parent.send(number);
    }
    let children = chan::make(0);
    for i in 0..10 {
        let children = children.clone();
        gort::go(move || node(children, number + i * (leaves / 10), leaves / 10));
    }
    parent.send(children.iter().take(10).sum());
}

pub fn fib(report: &Report, n: usize) {
    let start = Instant::now();
    let result = fibonacci(n);
    let time = start.elapsed();
    assert!(n != 27 || result == 196_418, "fib(27) is not {result}");
    report.ms("total", time);
}

/// Two goroutines for every number from 2 on, no cut-off.
fn fibonacci(n: usize) -> usize {
    if n < 2 {
        return n;
    }
    let (mut a, mut b) = (0, 0);
    gort::scope(|s| {
        s.go(|| a = fibonacci(n - 1));
        s.go(|| b = fibonacci(n - 2));
    });
    a + b
}

/// Some 5 us of computation a goroutine, on one P and on two.
pub fn parmap(report: &Report, n: usize) {
    let (one, two) = (map_all(n, 1), map_all(n, 2));
    report.ms("p1", one);
    report.ms("p2", two);
    report.out("speedup", one.as_secs_f64() / two.as_secs_f64(), "ratio");
}

fn map_all(n: usize, procs: i32) -> Duration {
    gomaxprocs(procs);
    let (all, computed) = (WaitGroup::new(), Arc::new(AtomicUsize::new(0)));
    let start = Instant::now();
    for i in 0..n {
        let computed = computed.clone();
        all.go(move || {
            if xorshift(i as u64 + 1, 2500) == 0 {
                computed.fetch_add(1, Relaxed);
            }
        });
    }
    all.wait();
    let time = start.elapsed();
    assert_eq!(computed.load(Relaxed), 0);
    time
}
