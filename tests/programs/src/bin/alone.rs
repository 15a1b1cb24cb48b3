//! A goroutine that computes alone on the only P, while another one sleeps for longer than a slice: when the slice is over sysmon looks, nobody
//! waits, and the sleeper's time has yet to come.

#![no_std]
#![no_main]

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use gort::prelude::*;
use gort::time::{Duration, Instant, sleep};

gort::main!(main);

static STOP: AtomicBool = AtomicBool::new(false);

fn main() {
    const NAP: Duration = Duration::from_millis(11);
    runtime::gomaxprocs(1);
    go(|| {
        while !STOP.load(Relaxed) {
            core::hint::spin_loop();
        }
    });
    let mut late = [(); 31].map(|()| {
        let start = Instant::now();
        sleep(NAP);
        start.elapsed() - NAP
    });
    STOP.store(true, Relaxed);
    late.sort();
    println!("median {} us, lowest_tenth {} us of {late:?}", late[15].as_micros(), late[3].as_micros());
}
