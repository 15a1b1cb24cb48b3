//! `main` returns nothing while goroutines compute that never give way, more than there are Ps. Its deferred calls run.
#![no_std]
#![no_main]

use core::hint::spin_loop;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use gort::prelude::*;
use gort::{defer, go};

gort::main!(main);

static STARTED: AtomicU32 = AtomicU32::new(0);

fn main() {
    let hogs = 2 * runtime::gomaxprocs(0) as u32;
    defer(|| println!("main has returned"));
    for _ in 0..hogs {
        go(|| {
            STARTED.fetch_add(1, Relaxed);
            loop {
                spin_loop();
            }
        });
    }
    while STARTED.load(Relaxed) < hogs {
        runtime::gosched();
    }
    println!("{hogs} goroutines compute");
}
