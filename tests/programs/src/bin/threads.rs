//! How many threads there are: the limit, and the end of those that nobody needs.

#![no_std]
#![no_main]

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use gort::prelude::*;
use gort::runtime::gomaxprocs;
use gort::sync::WaitGroup;
use gort::syscall::blocking;
use gort::time::{Duration, sleep};
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
