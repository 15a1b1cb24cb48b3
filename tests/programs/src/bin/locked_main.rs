//! Main locked to the initial thread from its start.

#![no_std]
#![no_main]

use gort::prelude::*;
use gort::runtime::{gosched, unlock_os_thread};
use gort::syscall::gettid;
use gort::time::{Duration, sleep};

gort::main!(main, lock_os_thread);

fn main() {
    let pid = rustix::process::getpid().as_raw_nonzero().get() as u32;
    for n in 0..500 {
        go(|| (0..10).for_each(|_| gosched()));
        if n % 3 == 0 {
            sleep(Duration::from_micros(50))
        } else {
            gosched()
        }
        assert_eq!(gettid(), pid, "main has left the initial thread");
    }
    unlock_os_thread();
    println!("stayed on the initial thread");
}
