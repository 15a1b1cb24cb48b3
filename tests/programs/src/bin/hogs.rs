//! Goroutines that never call the runtime, and others beside them.

#![no_std]
#![no_main]

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use gort::prelude::*;
use gort::time::{Duration, Instant, sleep};
use gort::{go, os};

gort::main!(main);

static STOP: AtomicBool = AtomicBool::new(false);
static COUNTS: [AtomicU64; 64] = [const { AtomicU64::new(0) }; 64];

fn hog(n: usize) {
    let mut x = n as u64;
    while !STOP.load(Relaxed) {
        for _ in 0..1000 {
            x = core::hint::black_box(x.wrapping_mul(6364136223846793005).wrapping_add(1));
        }
        COUNTS[n].store(COUNTS[n].load(Relaxed) + 1, Relaxed);
    }
}

fn main() {
    match os::args().nth(1) {
        Some("starve") => starve(),
        Some("later") => later(),
        _ => lateness(),
    }
}

/// A hog beside main: does main run again? The hog gives up after two seconds. It asks the kernel's clock: gort's is a call of the runtime.
fn starve() {
    let now = || rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    gort::runtime::gomaxprocs(1);
    go(move || {
        let end = now().tv_sec + 3;
        while !STOP.load(Relaxed) && now().tv_sec < end {
            core::hint::spin_loop();
        }
    });
    let start = Instant::now();
    gort::runtime::gosched();
    println!("main ran again after {} ms", start.elapsed().as_millis());
    STOP.store(true, Relaxed);
}

/// Goroutines made while no P is idle, and again as many as run the child first, behind which main then computes: the P that becomes idle later runs them.
fn later() {
    static HOG: AtomicBool = AtomicBool::new(false);
    static RAN: AtomicU64 = AtomicU64::new(0);
    gort::runtime::gomaxprocs(2);
    let wait = |until: &dyn Fn() -> bool| {
        while !until() {
            core::hint::spin_loop();
        }
    };
    for crowd in [1, 5, 1000] {
        RAN.store(0, Relaxed);
        STOP.store(false, Relaxed);
        go(|| {
            HOG.store(true, Relaxed);
            hog(0);
            HOG.store(false, Relaxed);
        });
        while !HOG.load(Relaxed) {
            gort::runtime::gosched();
        }
        for n in 0..crowd {
            go(move || {
                RAN.fetch_add(1, Relaxed);
                // The last one to be made waits for the others, wherever they are.
                while n + 1 == crowd && RAN.load(Relaxed) < crowd {
                    core::hint::spin_loop();
                }
            });
        }
        STOP.store(true, Relaxed);
        wait(&|| RAN.load(Relaxed) == crowd);
    }
    println!("all ran");
}

/// Four hogs and a sleeper of 1 ms: how late it is.
fn lateness() {
    for n in 0..4 {
        go(move || hog(n));
    }
    let mut late = [0u64; 1000];
    let start = Instant::now();
    for late in &mut late {
        let before = Instant::now();
        sleep(Duration::from_millis(1));
        *late = (before.elapsed().as_nanos() as u64).saturating_sub(1_000_000);
    }
    STOP.store(true, Relaxed);
    late.sort();
    println!(
        "p50 {} us, p90 {} us, p99 {} us, max {} us, wall {} ms",
        late[500] / 1000,
        late[900] / 1000,
        late[990] / 1000,
        late[999] / 1000,
        start.elapsed().as_millis()
    );
    let counts: [u64; 4] = core::array::from_fn(|n| COUNTS[n].load(Relaxed));
    println!("hogs {counts:?}");
    let signals = &gort::__private::preempt::SIGNALS;
    println!(
        "sent {} stale {} refused {} foreign {}",
        signals.sent.load(Relaxed),
        signals.stale.load(Relaxed),
        signals.refused.load(Relaxed),
        signals.foreign.load(Relaxed)
    );
    let mut sums = [0u64; 12];
    gort::__private::SCHED.for_each_p(|p| {
        let c = &p.counters;
        sums[0] += c.injected.get();
        sums[1] += c.migrated.get();
        sums[2] += c.gave_way.get();
        sums[3] += c.slices_spent.get();
        for (n, class) in c.injected_classes.iter().enumerate() {
            sums[4 + n] += class.get();
        }
    });
    println!(
        "injected {} migrated {} gave way {} slices spent {}; classes {:?}; passes {}",
        sums[0],
        sums[1],
        sums[2],
        sums[3],
        &sums[4..10],
        gort::__private::sysmon::passes()
    );
}
