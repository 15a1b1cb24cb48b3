//! 20 000 goroutines that are runnable at once on 10 000 Ps: from the environment, or with the argument `call` by a call.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, Ordering::SeqCst};
use gort::prelude::*;

gort::main!(main);

const COUNT: u32 = 20_000;

fn main() {
    if gort::os::args().nth(1) == Some("call") {
        runtime::gomaxprocs(10_000);
    }
    assert_eq!(runtime::gomaxprocs(0), 10_000);
    let (turns, gate) = (AtomicU32::new(0), chan::make::<()>(0));
    scope(|s| {
        for _ in 0..COUNT {
            s.go(|| {
                gate.recv();
                for _ in 0..3 {
                    turns.fetch_add(1, SeqCst);
                    runtime::gosched();
                }
            });
        }
        assert!(runtime::num_goroutine() > COUNT as usize);
        // All that wait become runnable in one step; those that have not run yet are so already.
        gate.close();
    });
    println!("turns {}", turns.load(SeqCst));
}
