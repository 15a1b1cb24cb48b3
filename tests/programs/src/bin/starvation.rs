//! Everybody beside those who take all they can get: how long a sleeper and an ordinary goroutine wait.
//!
//! `starvation LOAD [MILLISECONDS] [COUNT]`, and `starvation share`: what 1 000 sleepers leave to those who compute. The milliseconds are of CPU time, for
//! each P and CPU. And how long somebody waits is measured twice: by the clock, and by the CPU time that this process has got meanwhile. The latter is
//! what others of it took: a machine that gives the CPUs to other processes does not count.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use core::hint::black_box;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use gort::chan::make;
use gort::prelude::*;
use gort::sync::WaitGroup;
use gort::time::{Duration, sleep};
use gort::{go, os, runtime, syscall};
use rustix::thread::nanosleep;
use rustix::time::{ClockId, Timespec, clock_gettime};

gort::main!(main);

const MS: Duration = Duration::from_millis(1);
const GETPPID: u32 = 110;

static STOP: AtomicBool = AtomicBool::new(false);
static COUNTS: [AtomicU64; 16] = [const { AtomicU64::new(0) }; 16];

fn stopped() -> bool {
    STOP.load(Relaxed)
}

fn number(n: usize, otherwise: u64) -> u64 {
    os::args().nth(n).and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn main() {
    let load = os::args().nth(1);
    if load == Some("share") {
        return share();
    }
    let duration = Duration::from_millis(number(2, 1000)) * cpus();
    let wait = WaitGroup::new();
    match load {
        Some("hogs") => (0..4).for_each(|n| start(&wait, move || hog(n))),
        Some("yielders") => (0..100).for_each(|_| {
            start(&wait, || {
                while !stopped() {
                    runtime::gosched();
                }
            })
        }),
        Some("pingpong") => (0..4).for_each(|_| pingpong(&wait)),
        Some("timers") => (0..1000).for_each(|_| {
            start(&wait, || {
                while !stopped() {
                    sleep(Duration::from_micros(100));
                }
            })
        }),
        Some("calls") => (0..32).for_each(|n| start(&wait, move || calls(n % 4 != 0))),
        Some("spawns") => (0..4).for_each(|_| start(&wait, spawns)),
        Some("close") => close(&wait, number(3, 100_000), duration / 2),
        other => panic!("no load {other:?}"),
    }
    // An ordinary goroutine: how long is it away when it gives way?
    let turns = make::<(u64, [u64; 2])>(1);
    let sender = turns.sender();
    start(&wait, move || {
        let (mut count, mut worst) = (0u64, [0; 2]);
        while !stopped() {
            let [wall, cpu] = times();
            runtime::gosched();
            let after = times();
            worst = [worst[0].max(after[0] - wall), worst[1].max(after[1] - cpu)];
            count += 1;
        }
        sender.send((count, worst));
    });
    let (mut late, mut beside) = (Vec::with_capacity(100_000), Vec::with_capacity(100_000));
    let end = times()[1] + duration.as_micros() as u64;
    while times()[1] < end {
        let [wall, cpu] = times();
        sleep(MS);
        let after = times();
        late.push(after[0] - wall - 1000);
        beside.push(after[1] - cpu);
    }
    STOP.store(true, Relaxed);
    let (count, [gap, gap_cpu]) = turns.recv().expect("open");
    wait.wait();
    println!("sleeps {} turns {count} gap_us {gap} gap_cpu_us {gap_cpu}", late.len());
    for (name, mut values) in [("late", late), ("cpu", beside)] {
        values.sort_unstable();
        let at = |percent: usize| values[(values.len() - 1) * percent / 100];
        println!("{name}_p50_us {} {name}_p90_us {} {name}_p99_us {} {name}_max_us {}", at(50), at(90), at(99), at(100));
    }
}

/// How many CPUs this process can use at once.
fn cpus() -> u32 {
    runtime::gomaxprocs(0).min(runtime::num_cpu()) as u32
}

/// Microseconds by the clock, and of CPU time that this process has got.
fn times() -> [u64; 2] {
    [ClockId::Monotonic, ClockId::ProcessCPUTime].map(|clock| {
        let time = clock_gettime(clock);
        time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1000
    })
}

fn start(wait: &WaitGroup, f: impl FnOnce() + Send + 'static) {
    wait.add(1);
    let wait = wait.clone();
    go(move || {
        f();
        wait.done();
    });
}

fn hog(n: usize) {
    let mut x = n as u64;
    while !stopped() {
        for _ in 0..1000 {
            x = black_box(x.wrapping_mul(6364136223846793005).wrapping_add(1));
        }
        COUNTS[n].store(COUNTS[n].load(Relaxed) + 1, Relaxed);
    }
}

fn pingpong(wait: &WaitGroup) {
    let (there, back) = (make::<bool>(0), make::<bool>(0));
    let (from, to) = (there.clone(), back.sender());
    start(wait, move || {
        while from.recv() == Some(true) {
            to.send(true);
        }
    });
    start(wait, move || {
        while !stopped() {
            there.send(true);
            back.recv();
        }
        there.send(false);
    });
}

/// Calls that block and calls that do not.
fn calls(block: bool) {
    while !stopped() {
        if block {
            let _ = syscall::blocking(|| nanosleep(&Timespec { tv_sec: 0, tv_nsec: 100_000 }));
        } else {
            // SAFETY: getppid touches nothing.
            let _ = unsafe { syscall::raw(GETPPID, &[]) };
        }
    }
}

fn spawns() {
    while !stopped() {
        let wait = WaitGroup::new();
        (0..200).for_each(|n| {
            start(&wait, move || {
                black_box(n);
            })
        });
        wait.wait();
    }
}

/// `count` goroutines wait for one channel, which is closed after `after`.
fn close(wait: &WaitGroup, count: u64, after: Duration) {
    let c = make::<()>(0);
    for _ in 0..count {
        let c = c.clone();
        start(wait, move || _ = c.recv());
    }
    start(wait, move || {
        sleep(after);
        c.close();
    });
}

/// Hogs alone, then beside 1 000 sleepers of 100 us: what they keep, and how alike they are. Two a P or more, so that it is not the kernel who shares.
fn share() {
    let wait = WaitGroup::new();
    let hogs = (2 * runtime::gomaxprocs(0) as usize).clamp(4, 16);
    (0..hogs).for_each(|n| start(&wait, move || hog(n)));
    let during = |duration: Duration| {
        let (before, [_, start]) = (counts(), times());
        while times()[1] - start < duration.as_micros() as u64 {
            sleep(5 * MS);
        }
        let got = times()[1] - start;
        let after = counts();
        (0..hogs).map(|n| (after[n] - before[n]) as f64 / got as f64).collect::<Vec<f64>>()
    };
    let piece = Duration::from_millis(number(2, 1000)) * cpus() * (hogs / 4) as u32;
    let alone = during(piece);
    for _ in 0..1000 {
        start(&wait, || {
            while !stopped() {
                sleep(Duration::from_micros(100));
            }
        });
    }
    let beside = during(piece);
    STOP.store(true, Relaxed);
    wait.wait();
    let ratio = |rates: &[f64]| rates.iter().copied().fold(f64::MAX, f64::min) / rates.iter().copied().fold(0.0, f64::max);
    let kept = beside.iter().sum::<f64>() / alone.iter().sum::<f64>();
    println!("kept_percent {:.0} alone_percent {:.0} beside_percent {:.0}", kept * 100.0, ratio(&alone) * 100.0, ratio(&beside) * 100.0);
}

fn counts() -> [u64; 16] {
    COUNTS.each_ref().map(|n| n.load(Relaxed))
}
