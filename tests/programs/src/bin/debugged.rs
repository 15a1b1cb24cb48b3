//! A program to look at in a debugger: goroutines in states that are known, and as many more of them as the first argument says.
//!
//! It goes on for ever, or with a second argument `ends` until it has said `ready`, or
//! with `fresh` until it has made one goroutine.

#![no_std]
#![no_main]

use core::hint::black_box;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use gort::prelude::*;
use gort::sync::{Mutex, WaitGroup};
use gort::time::{Duration, sleep};
use gort::{os, runtime, syscall};

gort::main!(main);

static TURNS: AtomicU64 = AtomicU64::new(0);
static BEGUN: AtomicU32 = AtomicU32::new(0);

fn begin() {
    BEGUN.fetch_add(1, Relaxed);
}

#[inline(never)]
fn receives_outer(depth: u32, rx: &chan::Receiver<u32>) -> u32 {
    black_box(receives_middle(black_box(depth), rx)) + 1
}

#[inline(never)]
fn receives_middle(depth: u32, rx: &chan::Receiver<u32>) -> u32 {
    if depth > 0 {
        return black_box(receives_middle(depth - 1, rx)) + 1;
    }
    black_box(receives_inner(rx)) + 1
}

#[inline(never)]
fn receives_inner(rx: &chan::Receiver<u32>) -> u32 {
    begin();
    black_box(rx.recv()).unwrap_or(0)
}

#[inline(never)]
fn sends(tx: &chan::Sender<u32>) {
    begin();
    tx.send(1);
    black_box(tx);
}

#[inline(never)]
fn sleeps_long() {
    begin();
    sleep(black_box(Duration::from_secs(3600)));
    black_box(());
}

/// Never calls the runtime: it runs, or was preempted here.
#[inline(never)]
fn computes() {
    begin();
    loop {
        computes_inner(black_box(1000));
    }
}

#[inline(never)]
fn computes_inner(n: u64) {
    for i in 0..n {
        TURNS.fetch_add(black_box(i), Relaxed);
    }
}

#[inline(never)]
fn reads_for_ever(fd: rustix::fd::BorrowedFd) {
    begin();
    let mut byte = [0];
    let _ = black_box(syscall::blocking(|| rustix::io::read(fd, &mut byte)));
}

#[inline(never)]
fn waits_locked(rx: &chan::Receiver<u32>) {
    runtime::lock_os_thread();
    begin();
    let _ = black_box(rx.recv());
}

#[inline(never)]
fn waits_for_mutex(mutex: &Mutex<u32>) {
    begin();
    *mutex.lock() += 1;
    black_box(mutex);
}

/// A breakpoint: the goroutine that was made last has hardly begun.
#[inline(never)]
fn one_is_made() {
    black_box(());
}

#[inline(never)]
fn one_of_the_crowd(rx: &chan::Receiver<u32>) {
    begin();
    let _ = black_box(rx.recv());
}

fn main() {
    let crowd: u32 = os::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    if os::args().nth(2) == Some("fresh") {
        go(sleeps_long);
        one_is_made();
        return;
    }
    // Two Ps and three that compute: at each moment one of them at least is preempted.
    runtime::gomaxprocs(2);
    static MUTEX: Mutex<u32> = Mutex::new(0);
    let held = MUTEX.lock();
    // What nobody sends on, and nobody receives from.
    let (tx, rx) = chan::channel::<u32>(0);
    let (full, full_rx) = chan::channel::<u32>(0);
    let (read, write) = rustix::pipe::pipe().unwrap();
    let (mine, locked) = (rx.clone(), rx.clone());
    go(move || receives_outer(2, &mine));
    go(move || sends(&full));
    go(sleeps_long);
    go(move || reads_for_ever(rustix::fd::AsFd::as_fd(&read)));
    go(move || waits_locked(&locked));
    go(|| waits_for_mutex(&MUTEX));
    for _ in 0..crowd {
        let rx = rx.clone();
        go(move || one_of_the_crowd(&rx));
    }
    while BEGUN.load(Relaxed) < 6 + crowd {
        sleep(Duration::from_millis(1));
    }
    // What has ended is not shown.
    runtime::spawn(|| black_box(7)).join().unwrap();
    for _ in 0..3 {
        go(computes);
    }
    while BEGUN.load(Relaxed) < 9 + crowd {
        sleep(Duration::from_millis(1));
    }
    if os::args().nth(2) == Some("ends") {
        return println!("ready");
    }
    // Main waits for ever by then, and whoever says so has ended by the time that somebody looks.
    go(|| {
        sleep(Duration::from_millis(200));
        println!("ready");
    });
    let forever = WaitGroup::new();
    forever.add(1);
    forever.wait();
    drop((held, tx, full_rx, write));
}
