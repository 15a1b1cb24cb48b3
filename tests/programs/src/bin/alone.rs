//! A goroutine that computes alone on the only P, while another one sleeps for longer than a slice: when the slice is over sysmon looks, nobody
//! waits, and the sleeper's time has yet to come.
//!
//! How long does it compute after that time? It counts that itself, by the CPU's counter, and leaves out the times when the kernel ran somebody else.

#![no_std]
#![no_main]

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use gort::prelude::*;
use gort::time::{Duration, Instant, sleep};

gort::main!(main);

static STOP: AtomicBool = AtomicBool::new(false);
/// When the sleeper is due, in ticks.
static DUE: AtomicU64 = AtomicU64::new(u64::MAX);
/// Ticks of computing after that.
static BEYOND: AtomicU64 = AtomicU64::new(0);

fn ticks() -> u64 {
    // SAFETY: every x86-64 CPU has it.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Ticks in a microsecond.
fn rate() -> u64 {
    let (start, from) = (Instant::now(), ticks());
    while start.elapsed() < Duration::from_millis(20) {}
    (ticks() - from) / start.elapsed().as_micros() as u64
}

fn main() {
    const NAP: Duration = Duration::from_millis(11);
    runtime::gomaxprocs(1);
    let rate = rate();
    go(move || {
        let (mut last, away) = (ticks(), 20 * rate);
        while !STOP.load(Relaxed) {
            let now = ticks();
            let step = now - last;
            last = now;
            if now > DUE.load(Relaxed) && step < away {
                BEYOND.store(BEYOND.load(Relaxed) + step, Relaxed);
            }
        }
    });
    let mut beyond = [(); 31].map(|()| {
        BEYOND.store(0, Relaxed);
        DUE.store(ticks() + NAP.as_micros() as u64 * rate, Relaxed);
        sleep(NAP);
        DUE.store(u64::MAX, Relaxed);
        BEYOND.load(Relaxed) / rate
    });
    STOP.store(true, Relaxed);
    beyond.sort();
    println!("median {} us of {beyond:?}", beyond[15]);
}
