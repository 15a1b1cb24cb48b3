//! A gort program as process 1: goroutines on all Ps, channels, timers, system calls, preemption; then it turns the machine off.
//!
//! It acts as process 1 only. The kernel delivers to process 1 only signals that it has handlers for; SIGURG has one.

#![no_std]
#![no_main]

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use gort::prelude::*;
use gort::syscall;
use gort::time::{Duration, Instant, sleep};
use rustix::process::Pid;
use rustix::system::RebootCommand;

gort::main!(main);

const MS: Duration = Duration::from_millis(1);
const IOCTL: u32 = 16;
const TCSBRK: usize = 0x5409;

fn channels() -> bool {
    let (tx, rx) = chan::channel(4);
    let senders = WaitGroup::new();
    for n in 0..100 {
        let tx = tx.clone();
        senders.go(move || tx.send(n));
    }
    go(move || {
        senders.wait();
        tx.close();
    });
    rx.iter().sum::<i32>() == 4950
}

fn timers() -> bool {
    let start = Instant::now();
    let wait = WaitGroup::new();
    for n in 0..50 {
        wait.go(move || sleep(n * MS));
    }
    wait.wait();
    start.elapsed() >= 49 * MS
}

fn preemption() -> bool {
    static STOP: AtomicBool = AtomicBool::new(false);
    let before = runtime::gomaxprocs(1);
    go(|| {
        while !STOP.load(SeqCst) {
            core::hint::spin_loop();
        }
    });
    sleep(20 * MS);
    STOP.store(true, SeqCst);
    runtime::gomaxprocs(before);
    true
}

fn blocking() -> bool {
    let count = AtomicU32::new(0);
    scope(|s| {
        for _ in 0..20 {
            s.go(|| {
                let _ = syscall::blocking(|| rustix::thread::nanosleep(&rustix::time::Timespec { tv_sec: 0, tv_nsec: 5_000_000 }));
                count.fetch_add(1, SeqCst);
            });
        }
    });
    count.load(SeqCst) == 20
}

fn ten_thousand() -> bool {
    let count = AtomicU32::new(0);
    scope(|s| (0..10_000).for_each(|_| s.go(|| count.fetch_add(1, SeqCst))));
    count.load(SeqCst) == 10_000
}

type Check = fn() -> bool;
const CHECKS: [(&str, Check); 5] =
    [("channels", channels), ("timers", timers), ("preemption", preemption), ("blocking", blocking), ("ten_thousand", ten_thousand)];

fn main() -> i32 {
    if rustix::process::getpid() != Pid::INIT {
        eprintln!("pid_one: it turns the machine off, so it runs as process 1 of a guest only; ci/kernels starts one");
        return 2;
    }
    let (mut passed, mut failed) = (0, 0);
    for (name, check) in CHECKS {
        if check() {
            passed += 1;
            println!("ok {name}");
        } else {
            failed += 1;
            println!("FAIL {name}");
        }
    }
    println!("guest: {passed} passed, {failed} failed");
    // SAFETY: the call takes no pointer. It waits until the line above has left the machine.
    let _ = unsafe { syscall::raw(IOCTL, &[1, TCSBRK, 1]) };
    // From a goroutine, on whatever thread: the machine is turned off all the same.
    gort::spawn(|| panic!("the machine stays on: {:?}", rustix::system::reboot(RebootCommand::PowerOff))).join().unwrap()
}
