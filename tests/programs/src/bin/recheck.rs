//! Forces the look after the last spinner has left: work appears after it has looked everywhere, while it still counts as spinning. With `reap` its M is chosen to
//! end before that look: it finds what it can take no P for.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use gort::__private::hooks;
use gort::prelude::*;
use gort::time::Instant;

gort::main!(main);

/// The spinner has found nothing, and is about to become idle.
static LEAVING: AtomicBool = AtomicBool::new(false);
/// Work is in a ring.
static PUSHED: AtomicBool = AtomicBool::new(false);
static RAN: AtomicU32 = AtomicU32::new(0);
/// Ms that were to end as they looked.
static REAPED: AtomicU32 = AtomicU32::new(0);

fn hook() {
    if !PUSHED.load(SeqCst) {
        LEAVING.store(true, SeqCst);
        let start = Instant::now();
        while !PUSHED.load(SeqCst) && start.elapsed().as_secs() < 5 {
            core::hint::spin_loop();
        }
    }
}

fn reap() {
    if LEAVING.load(SeqCst) && PUSHED.load(SeqCst) && hooks::reap_this_m() {
        REAPED.fetch_add(1, SeqCst);
    }
}

fn main() {
    runtime::gomaxprocs(2);
    if gort::os::args().nth(1) == Some("reap") {
        hooks::set_before_last_look(Some(reap));
    }
    let mut forced = 0;
    for _ in 0..200 {
        LEAVING.store(false, SeqCst);
        PUSHED.store(false, SeqCst);
        hooks::set_before_idle(Some(hook));
        // Wakes the other M, which finds nothing more after this goroutine, spins, and gives up.
        gort::spawn(|| ()).join().unwrap();
        let start = Instant::now();
        while !LEAVING.load(SeqCst) && start.elapsed().as_millis() < 100 {
            core::hint::spin_loop();
        }
        let before = hooks::rechecks_that_found_work();
        let ran = RAN.load(SeqCst);
        let leaving = LEAVING.load(SeqCst);
        (0..2).for_each(|_| go(|| RAN.fetch_add(1, SeqCst)));
        hooks::set_before_idle(None);
        PUSHED.store(true, SeqCst);
        // This goroutine makes no call: only the other M can run what was pushed.
        let start = Instant::now();
        while leaving && RAN.load(SeqCst) < ran + 2 && start.elapsed().as_secs() < 20 {
            core::hint::spin_loop();
        }
        assert!(!leaving || RAN.load(SeqCst) == ran + 2, "what was pushed was not run");
        forced += hooks::rechecks_that_found_work() - before;
        while runtime::num_goroutine() > 1 {
            runtime::gosched();
        }
    }
    println!("forced {forced} reaped {}", REAPED.load(SeqCst));
}
