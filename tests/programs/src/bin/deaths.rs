//! Dies in the way that its argument names.
#![no_std]
#![no_main]

extern crate alloc;

use core::hint::black_box;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use gort::prelude::*;

gort::main!(main);

/// Zero, unknown to the compiler.
fn n() -> usize {
    black_box(0)
}

fn recurse(n: usize) -> usize {
    let mut page = [n; 64];
    black_box(&mut page);
    if n == 0 { 0 } else { recurse(n - 1) + page[1] }
}

struct Failing;
impl core::fmt::Display for Failing {
    fn fmt(&self, _: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        panic!("while printing")
    }
}

fn main() {
    match gort::os::args().nth(1).unwrap() {
        "deadlock" => {
            let (_tx, rx) = chan::channel::<()>(0);
            let mutex = alloc::sync::Arc::new(Mutex::new(()));
            let _held = mutex.lock();
            let other = mutex.clone();
            go(move || drop(other.lock()));
            rx.recv();
        }
        "goexit_main" => {
            static DEFERRED: AtomicBool = AtomicBool::new(false);
            go(|| {
                gort::defer(|| println!("the other goroutine ends"));
                while !DEFERRED.load(Relaxed) {
                    runtime::gosched();
                }
                (0..100).for_each(|_| runtime::gosched());
            });
            gort::defer(|| {
                println!("deferred");
                DEFERRED.store(true, Relaxed);
            });
            runtime::goexit()
        }
        "panic" => {
            gort::defer(|| println!("deferred first"));
            gort::defer(|| println!("deferred last"));
            panic!("with {}", 42)
        }
        "panic_in_goroutine" => gort::spawn(|| panic!("in a goroutine")).join().unwrap(),
        "panic_in_panic" => panic!("{Failing}"),
        "eight_panics" => {
            for n in 0..8 {
                go(move || panic!("number {n}"));
            }
            loop {
                runtime::gosched();
            }
        }
        "overflow_main" => drop(black_box(recurse(1 << 30))),
        "overflow_goroutine" => drop(black_box(gort::spawn(|| recurse(1 << 30)).join())),
        // SAFETY: none: the fault is what is asked for.
        "segv" => unsafe { black_box(8 as *mut u8).write(1) },
        // SAFETY: none: the fault is what is asked for.
        "ill" => unsafe { core::arch::asm!("ud2") },
        // SAFETY: none: the fault is what is asked for.
        "fpe" => unsafe { core::arch::asm!("xor edx, edx", "xor ecx, ecx", "div ecx", out("eax") _, out("ecx") _, out("edx") _) },
        "oom" => drop(black_box(alloc::vec::Vec::<u8>::with_capacity((1 << 47) + n()))),
        "closed" => {
            let c = chan::make::<i32>(1);
            c.close();
            c.send(1);
        }
        "double_close" => {
            let c = chan::make::<i32>(1);
            c.close();
            c.close();
        }
        "negative" => WaitGroup::new().done(),
        "exit" => {
            go(|| runtime::exit(7));
            loop {
                runtime::gosched();
            }
        }
        other => panic!("no death is called {other}"),
    }
}
