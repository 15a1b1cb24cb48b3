//! Everybody beside those who take all they can get: how long a sleeper and an ordinary goroutine wait.
//!
//! `starvation LOAD [MILLISECONDS] [COUNT]`, and `starvation share`: what 1 000 sleepers leave to those who compute.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use core::hint::black_box;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use gort::chan::make;
use gort::prelude::*;
use gort::sync::WaitGroup;
use gort::time::{Duration, Instant, sleep};
use gort::{go, os, runtime, syscall};
use rustix::thread::nanosleep;
use rustix::time::Timespec;

gort::main!(main);

const MS: Duration = Duration::from_millis(1);
const GETPPID: u32 = 110;

static STOP: AtomicBool = AtomicBool::new(false);
static COUNTS: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];

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
    let duration = Duration::from_millis(number(2, 1000));
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
    let turns = make::<(u64, u64)>(1);
    let sender = turns.sender();
    start(&wait, move || {
        let (mut count, mut worst) = (0u64, 0);
        while !stopped() {
            let before = Instant::now();
            runtime::gosched();
            worst = worst.max(before.elapsed().as_micros() as u64);
            count += 1;
        }
        sender.send((count, worst));
    });
    let mut late: Vec<u64> = Vec::with_capacity(100_000);
    let start = Instant::now();
    while start.elapsed() < duration {
        let before = Instant::now();
        sleep(MS);
        late.push((before.elapsed() - MS).as_micros() as u64);
    }
    STOP.store(true, Relaxed);
    let (count, worst) = turns.recv().expect("open");
    wait.wait();
    late.sort_unstable();
    let at = |percent: usize| late[(late.len() - 1) * percent / 100];
    println!("sleeps {} p50_us {} p90_us {} p99_us {} max_us {} turns {count} gap_us {worst}", late.len(), at(50), at(90), at(99), at(100));
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

/// Hogs alone, then beside 1 000 sleepers of 100 us: what they keep, and how alike they are.
fn share() {
    let wait = WaitGroup::new();
    (0..4).for_each(|n| start(&wait, move || hog(n)));
    let during = |duration: Duration| {
        let (before, start) = (counts(), Instant::now());
        sleep(duration);
        let wall = start.elapsed().as_secs_f64();
        let after = counts();
        core::array::from_fn::<f64, 4, _>(|n| (after[n] - before[n]) as f64 / wall)
    };
    let piece = Duration::from_millis(number(2, 1000));
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
    let ratio = |rates: [f64; 4]| rates.iter().copied().fold(f64::MAX, f64::min) / rates.iter().copied().fold(0.0, f64::max);
    let kept = beside.iter().sum::<f64>() / alone.iter().sum::<f64>();
    println!("kept_percent {:.0} alone_percent {:.0} beside_percent {:.0}", kept * 100.0, ratio(alone) * 100.0, ratio(beside) * 100.0);
}

fn counts() -> [u64; 4] {
    COUNTS.each_ref().map(|n| n.load(Relaxed))
}
