//! Who keeps others waiting, and who does not: `stalls SCENARIO`.
#![no_std]
#![no_main]

use core::hint::spin_loop;
use core::sync::atomic::{AtomicBool, Ordering::SeqCst};
use gort::prelude::*;
use gort::time::{Duration, Instant, sleep};
use gort::{debug, ffi, os, syscall};

gort::main!(main);

#[inline(never)]
fn compute(ms: u64) {
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(ms) {
        for _ in 0..1000 {
            spin_loop();
        }
    }
}

fn main() {
    let before = debug::set_stall_limit(Some(Duration::from_millis(60)));
    assert_eq!(before, None);
    runtime::gomaxprocs(1);
    static DONE: AtomicBool = AtomicBool::new(false);
    let waits = || {
        gort::go(|| {
            DONE.store(true, SeqCst);
        })
    };
    match os::args().nth(1).unwrap_or("") {
        // It cannot be made to give way, if preemption is off; else it gives way.
        "hog" => {
            waits();
            compute(400);
            runtime::gosched();
            assert!(DONE.load(SeqCst));
        }
        // Twice, with a pause: two events.
        "twice" => {
            for _ in 0..2 {
                waits();
                compute(300);
                sleep(Duration::from_millis(5));
            }
        }
        "alone" => compute(400),
        "call" => {
            waits();
            syscall::blocking(|| compute(400));
        }
        "c" => {
            waits();
            unsafe { ffi::call(|| compute(400)) };
        }
        "off" => {
            assert_eq!(debug::set_stall_limit(None), Some(Duration::from_millis(60)));
            waits();
            compute(400);
        }
        // Made ready all at once: they are in the global queue.
        "queue" => {
            let gate = chan::make::<()>(0);
            for _ in 0..100 {
                let gate = gate.clone();
                gort::go(move || gate.recv());
            }
            sleep(Duration::from_millis(5));
            gate.close();
            compute(400);
        }
        _ => println!("which scenario?"),
    }
    println!("end");
}
