//! How many threads there are: the limit, the cap, and the end of those that nobody needs.

#![no_std]
#![no_main]

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use gort::prelude::*;
use gort::runtime::gomaxprocs;
use gort::sync::WaitGroup;
use gort::syscall::blocking;
use gort::time::{Duration, Instant, sleep};
use gort::{debug, go, os};
use rustix::thread::nanosleep;
use rustix::time::Timespec;

gort::main!(main);

fn main() {
    match os::args().nth(1) {
        Some("limit") => {
            assert_eq!([debug::set_max_threads(500), debug::set_max_threads(u32::MAX), debug::set_max_threads(10_000)], [10_000, 500, u32::MAX]);
            together(20, 20);
            println!("20 calls at once");
        }
        Some("below") => {
            (0..5).for_each(|_| go(|| nap(1_000_000)));
            sleep(Duration::from_millis(100));
            println!("now {}", debug::set_max_threads(3));
        }
        Some("burst") => {
            together(64, 100);
            rest();
        }
        Some("bursts") => {
            for _ in 0..argument(2) {
                together(64, 2);
                sleep(Duration::from_millis(3));
            }
            println!("done");
        }
        Some("shrink") => {
            gomaxprocs(48);
            spread(48);
            gomaxprocs(1);
            rest();
        }
        Some("capped") => capped(),
        Some("turns") => turns(),
        Some("caps") => caps(argument(2)),
        Some("cap_of_none") => drop(debug::set_thread_soft_cap(Some(0))),
        other => panic!("no scenario {other:?}"),
    }
}

fn argument(n: usize) -> u32 {
    os::args().nth(n).and_then(|n| n.parse().ok()).expect("a number")
}

/// Blocks the thread.
fn nap(ms: i64) {
    let time = Timespec { tv_sec: ms / 1000, tv_nsec: ms % 1000 * 1_000_000 };
    let _ = blocking(|| nanosleep(&time));
}

/// So many goroutines block at once, for so long.
fn together(count: u32, ms: i64) {
    let wait = WaitGroup::new();
    (0..count).for_each(|_| wait.go(move || nap(ms)));
    wait.wait();
}

/// Runs on so many Ps at once.
fn spread(count: u32) {
    static THERE: AtomicU32 = AtomicU32::new(0);
    static ENOUGH: AtomicBool = AtomicBool::new(false);
    let wait = WaitGroup::new();
    (0..count).for_each(|_| {
        wait.go(|| {
            THERE.fetch_add(1, Relaxed);
            while !ENOUGH.load(Relaxed) {
                core::hint::spin_loop();
            }
        })
    });
    while THERE.load(Relaxed) < count {
        sleep(Duration::from_millis(1));
    }
    ENOUGH.store(true, Relaxed);
    wait.wait();
}

/// Is idle until somebody ends the process.
fn rest() {
    println!("idle");
    sleep(Duration::from_secs(1000));
}

/// 64 calls, 8 at a time, and somebody who computes.
fn capped() {
    static INSIDE: AtomicU32 = AtomicU32::new(0);
    static MOST: AtomicU32 = AtomicU32::new(0);
    static WORK: AtomicU32 = AtomicU32::new(0);
    assert_eq!([debug::set_thread_soft_cap(Some(100)), debug::set_thread_soft_cap(None), debug::set_thread_soft_cap(Some(8))], [None, Some(100), None]);
    go(|| {
        loop {
            WORK.fetch_add(1, Relaxed);
        }
    });
    let (wait, start) = (WaitGroup::new(), Instant::now());
    for _ in 0..64 {
        wait.go(|| {
            blocking(|| {
                MOST.fetch_max(INSIDE.fetch_add(1, Relaxed) + 1, Relaxed);
                // A call inside is no other one.
                nap(50);
                INSIDE.fetch_sub(1, Relaxed);
            })
        });
    }
    wait.wait();
    println!("most {} ms {} work {}", MOST.load(Relaxed), start.elapsed().as_millis(), WORK.load(Relaxed));
}

/// Who comes first is let in first. With one P and without preemption they come in the order of their numbers.
fn turns() {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    static BEGUN: AtomicU32 = AtomicU32::new(0);
    debug::set_thread_soft_cap(Some(1));
    let wait = WaitGroup::new();
    for _ in 0..100 {
        wait.go(|| {
            let number = NEXT.fetch_add(1, Relaxed);
            blocking(|| {
                assert_eq!(BEGUN.fetch_add(1, Relaxed), number, "not in its turn");
                nap(1);
            });
        });
    }
    wait.wait();
    println!("in turn");
}

/// The cap changes all the time, with more callers than it lets in; no place is lost or doubled, and the last one holds.
fn caps(seconds: u32) {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    static INSIDE: AtomicU32 = AtomicU32::new(0);
    static MOST: AtomicU32 = AtomicU32::new(0);
    static STOP: AtomicBool = AtomicBool::new(false);
    let wait = WaitGroup::new();
    for n in 0..64 {
        wait.go(move || {
            while !STOP.load(Relaxed) {
                blocking(|| {
                    MOST.fetch_max(INSIDE.fetch_add(1, Relaxed) + 1, Relaxed);
                    let _ = nanosleep(&Timespec { tv_sec: 0, tv_nsec: n * 3_000 });
                    INSIDE.fetch_sub(1, Relaxed);
                });
                CALLS.fetch_add(1, Relaxed);
            }
        });
    }
    let (mut changes, end) = (0u32, Instant::now() + Duration::from_secs(seconds.into()));
    while Instant::now() < end {
        debug::set_thread_soft_cap([Some(1), None, Some(64), Some(3), Some(4), None, Some(20), Some(2)][changes as usize % 8]);
        changes += 1;
        sleep(Duration::from_micros(u64::from(changes) * 7919 % 2000));
    }
    for cap in [None, Some(40), Some(3)] {
        debug::set_thread_soft_cap(cap);
        sleep(Duration::from_millis(300));
    }
    // Calls that began without a cap may last on a loaded machine, but not for ever.
    for _ in 0..60 {
        MOST.store(0, Relaxed);
        sleep(Duration::from_millis(300));
        if MOST.load(Relaxed) == 3 {
            break;
        }
    }
    assert_eq!(MOST.load(Relaxed), 3, "calls at a time, with a cap of 3");
    STOP.store(true, Relaxed);
    wait.wait();
    println!("calls {} changes {changes}", CALLS.load(Relaxed));
}
