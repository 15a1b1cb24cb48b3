//! All goroutines but main's have stacks of a size of their own. They must be preempted, and give their Ps away in system calls, as any other.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicBool, Ordering::SeqCst};
use gort::prelude::*;
use gort::syscall;
use gort::time::{Duration, Instant};
use rustix::time::Timespec;

gort::main!(main);

static STOP: AtomicBool = AtomicBool::new(false);
static RAN: AtomicBool = AtomicBool::new(false);

fn main() {
    runtime::gomaxprocs(1);
    let start = Instant::now();
    drop(gort::Builder::new().stack_size(64 << 10).spawn(|| RAN.store(true, SeqCst)).unwrap());
    // The other one runs meanwhile.
    syscall::blocking(|| drop(rustix::thread::nanosleep(&Timespec { tv_sec: 0, tv_nsec: 300_000_000 })));
    println!("ran during the call: {}", RAN.load(SeqCst));
    let hog = gort::Builder::new().stack_size(64 << 10).spawn(move || {
        while !STOP.load(SeqCst) && start.elapsed() < Duration::from_secs(5) {
            core::hint::spin_loop();
        }
        STOP.load(SeqCst)
    });
    runtime::gosched();
    STOP.store(true, SeqCst);
    println!("was preempted: {}", hog.unwrap().join().unwrap());
}
