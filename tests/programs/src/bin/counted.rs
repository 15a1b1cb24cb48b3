//! A program whose system calls are counted: `counted idle MS`, ten goroutines that wait and a timer; `counted busy MS`, four that compute and pairs that
//! hand something over.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use gort::prelude::*;
use gort::time::{Duration, sleep};

gort::main!(main);

static STOP: AtomicBool = AtomicBool::new(false);
static SUM: AtomicU64 = AtomicU64::new(0);

fn main() {
    let mut words = gort::os::args().skip(1);
    let (what, ms) = (words.next().unwrap(), words.next().unwrap().parse().unwrap());
    match what {
        "idle" => idle(),
        "busy" => busy(),
        _ => panic!("{what}?"),
    }
    sleep(Duration::from_millis(ms));
    STOP.store(true, Relaxed);
    println!("{what} for {ms} ms");
}

fn idle() {
    let never = chan::make::<()>(0);
    for _ in 0..10 {
        let never = never.clone();
        go(move || never.recv());
    }
}

fn busy() {
    for _ in 0..4 {
        go(|| {
            while !STOP.load(Relaxed) {
                SUM.fetch_add(1, Relaxed);
            }
        });
    }
    for _ in 0..2 {
        let (tx, rx) = chan::channel(0);
        go(move || {
            while !STOP.load(Relaxed) {
                tx.send(1u64);
            }
        });
        go(move || {
            for n in rx.iter() {
                SUM.fetch_add(n, Relaxed);
            }
        });
    }
}
