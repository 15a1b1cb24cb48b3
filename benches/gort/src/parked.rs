//! The workload parked: how much a goroutine that waits costs, to make, to keep and to wake.

use crate::report::Report;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use core::time::Duration;
use gort::runtime::gosched;
use gort::sync::WaitGroup;
use gort::time::{Instant, sleep};
use rustix::fs::{Mode, OFlags, open};

pub fn parked(report: &Report, n: usize) {
    let (gate, all, started) = (gort::chan::make::<()>(0), WaitGroup::new(), Arc::new(AtomicUsize::new(0)));
    let (before, start) = (resident_bytes(), Instant::now());
    for _ in 0..n {
        let (gate, started) = (gate.clone(), started.clone());
        all.go(move || {
            started.fetch_add(1, Relaxed);
            gate.recv();
        });
    }
    while started.load(Relaxed) < n {
        gosched();
    }
    let spawned = start.elapsed();
    // The last goroutines reach the channel.
    sleep(Duration::from_millis(50));
    report.out("rss", (resident_bytes() - before) / n as f64, "B");
    report.ns_each("spawn", spawned, n);
    let start = Instant::now();
    gate.close();
    all.wait();
    report.ns_each("wake", start.elapsed(), n);
}

/// What the kernel counts as resident.
fn resident_bytes() -> f64 {
    let status = open("/proc/self/status", OFlags::RDONLY, Mode::empty()).expect("/proc/self/status opens");
    let mut text = [0; 4096];
    let length = rustix::io::read(&status, &mut text).expect("/proc/self/status reads");
    let text = core::str::from_utf8(&text[..length]).expect("/proc/self/status is text");
    let line = text.lines().find_map(|l| l.strip_prefix("VmRSS:")).expect("/proc/self/status has VmRSS");
    line.trim_end_matches("kB").trim().parse::<f64>().expect("VmRSS is a number") * 1024.0
}
