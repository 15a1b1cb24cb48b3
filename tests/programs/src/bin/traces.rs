//! Prints traces, or dies with one, in the way that its argument names.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::string::String;
use alloc::vec::Vec;
use core::hint::black_box;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use gort::prelude::*;
use gort::time::{Duration, sleep};

gort::main!(main);

#[inline(never)]
fn outer(f: fn()) {
    middle(black_box(f));
    black_box(());
}

#[inline(never)]
fn middle(f: fn()) {
    inner(black_box(f));
    black_box(());
}

#[inline(never)]
fn inner(f: fn()) {
    f();
    black_box(());
}

#[inline(never)]
fn worker(from: &chan::Receiver<()>) {
    from.recv();
    black_box(());
}

#[inline(never)]
fn hog() {
    static TURNS: AtomicU64 = AtomicU64::new(0);
    loop {
        TURNS.fetch_add(1, Relaxed);
    }
}

#[inline(never)]
fn sleeper() {
    sleep(Duration::from_secs(1_000_000));
    black_box(());
}

#[inline(never)]
fn caller() {
    use rustix::{thread::nanosleep, time::Timespec};
    gort::syscall::blocking(|| drop(nanosleep(&Timespec { tv_sec: 1_000_000, tv_nsec: 0 })));
    black_box(());
}

#[inline(never)]
fn deep(n: u32) -> u32 {
    let below = if n == 0 {
        print!("{}", trace(false));
        0
    } else {
        deep(black_box(n - 1))
    };
    black_box(below + 1)
}

#[inline(never)]
fn segv() {
    // SAFETY: none: the fault is what is asked for.
    unsafe { black_box(8 as *mut u8).write(1) }
}

#[inline(always)]
fn inlined_inner(f: fn()) {
    black_box(f)(); // line: inlined_inner
    black_box(());
}

#[inline(always)]
fn inlined_outer(f: fn()) {
    inlined_inner(black_box(f)); // line: inlined_outer
    black_box(());
}

#[inline(never)]
fn around(f: fn()) {
    inlined_outer(black_box(f)); // line: around
    black_box(());
}

#[inline(never)]
fn dies() {
    panic!("deep"); // line: dies
}

#[inline(never)]
fn faults() {
    // SAFETY: none: the fault is what is asked for.
    unsafe { core::arch::asm!("mov qword ptr [{}], 0", in(reg) 8usize) } // line: faults
}

#[inline(never)]
fn tells() {
    print!("{}", trace(false)); // line: tells
}

/// Writes over the frames of its callers, and faults.
#[inline(never)]
fn smash() {
    let mut here = 0usize;
    let at = black_box(&mut here as *mut usize);
    for n in 0..64 {
        // SAFETY: none: the callers' frames are what is to be broken.
        unsafe { at.add(n).write_volatile(0x4141_4141_4141_4141) };
    }
    segv();
}

/// Writes over blocks of the heap that are free, and over their neighbours.
fn smash_heap() {
    let blocks: Vec<Vec<u8>> = (0..2000).map(|n| alloc::vec![7; 16 + n % 500]).collect();
    let places: Vec<usize> = blocks.iter().map(|block| block.as_ptr() as usize).collect();
    drop(blocks);
    for place in places {
        // SAFETY: none: the heap is what is to be broken.
        unsafe { (place as *mut u8).write_bytes(0xff, 16) };
    }
}

fn trace(all: bool) -> String {
    let mut buffer = alloc::vec![0; 1 << 20];
    let n = runtime::stack(&mut buffer, all);
    buffer.truncate(n);
    String::from_utf8(buffer).unwrap()
}

/// One goroutine in each state; returns when they are in it.
fn zoo() {
    let nothing = chan::make::<()>(0);
    let from = nothing.receiver();
    go(move || worker(&from));
    core::mem::forget(nothing);
    go(sleeper);
    go(caller);
    go(|| {
        runtime::lock_os_thread();
        sleeper();
    });
    go(hog);
    loop {
        let all = trace(true);
        if ["[chan receive]:", "[sleep]:", "[syscall]:", "[sleep, locked to thread]:", "traces::hog("].iter().all(|state| all.contains(state)) {
            break;
        }
        sleep(Duration::from_millis(10));
    }
    go(never_run);
}

#[inline(never)]
fn never_run() {
    black_box(());
}

fn ancestors(depth: u32) {
    if depth == 0 {
        print!("{}", trace(false));
        runtime::exit(0);
    }
    grandchild(depth);
}

#[inline(never)]
fn grandchild(depth: u32) {
    go(move || ancestors(depth - 1));
    black_box(());
}

fn main() {
    let mut args = gort::os::args().skip(1);
    let what = args.next().unwrap();
    let n: u32 = args.next().map_or(0, |n| n.parse().unwrap());
    match what {
        "panic" => outer(|| panic!("deep")),
        "segv" => outer(segv),
        "inlined_panic" => around(dies),
        "inlined_fault" => around(faults),
        "inlined_stack" => around(tells),
        "inlined_made" => {
            go(|| around(tells)); // line: made
            sleep(Duration::from_millis(100));
        }
        "inlined_smash_heap" => {
            smash_heap();
            around(dies);
        }
        "smash" => outer(smash),
        "smash_heap" => {
            smash_heap();
            outer(|| panic!("with a broken heap"))
        }
        // SAFETY: none: a jump to nowhere is what is asked for.
        "null" => outer(|| unsafe { core::mem::transmute::<usize, fn()>(black_box(n_zero()))() }),
        "abort" => outer(|| {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::ABORT);
        }),
        "trap" => outer(|| {
            // SAFETY: the trap is what is asked for.
            unsafe { core::arch::asm!("int3") }
        }),
        "set" => {
            gort::debug::set_traceback(args.next().unwrap());
            go(sleeper);
            runtime::gosched();
            outer(|| panic!("deep"))
        }
        "two" => {
            go(sleeper);
            sleep(Duration::from_millis(10));
            outer(|| panic!("deep"))
        }
        "print" => outer(gort::debug::print_stack),
        "stack" => {
            static TEXT: AtomicU32 = AtomicU32::new(0);
            outer(|| {
                let whole = gort::debug::stack();
                for length in 0..whole.len() + 10 {
                    let mut buffer = alloc::vec![0; length];
                    let n = runtime::stack(&mut buffer, false);
                    // The headers are alike; an offset in here is not.
                    assert_eq!(n, length.min(n), "{length}");
                    assert!(n == length || n > 50, "{length} {n}");
                    TEXT.fetch_add(n as u32, Relaxed);
                }
                print!("{}", String::from_utf8(whole).unwrap());
            });
        }
        "zoo" => {
            zoo();
            print!("{}", trace(true));
        }
        "zoo_dies" => {
            zoo();
            segv();
        }
        // Each on a P of its own, for ever; then whatever signal comes.
        "hogs" => {
            static BEGUN: AtomicU32 = AtomicU32::new(0);
            runtime::gomaxprocs(n as i32 + 1);
            for _ in 0..n {
                go(|| {
                    BEGUN.fetch_add(1, Relaxed);
                    hog()
                });
            }
            while BEGUN.load(Relaxed) < n {
                runtime::gosched();
            }
            println!("ready");
            sleeper();
        }
        // Traces of all, while others come out of system calls and go into them.
        "calls" => {
            static DONE: AtomicBool = AtomicBool::new(false);
            static CALLS: AtomicU64 = AtomicU64::new(0);
            runtime::gomaxprocs(100);
            let all = WaitGroup::new();
            for _ in 0..4 {
                all.go(|| {
                    while !DONE.load(Relaxed) {
                        gort::syscall::blocking(rustix::process::getppid);
                        CALLS.fetch_add(1, Relaxed);
                    }
                });
            }
            let (mut traces, mut buffer) = (0, alloc::vec![0; 1 << 16]);
            while traces < n {
                let used = runtime::stack(&mut buffer, true);
                assert!(buffer[..used].starts_with(b"goroutine 1 [running]:\n"));
                let headers = buffer[..used].windows(12).filter(|line| line.starts_with(b"\n\ngoroutine ")).count();
                assert_eq!(headers, 4);
                traces += 1;
                runtime::gosched();
            }
            DONE.store(true, Relaxed);
            all.wait();
            assert!(CALLS.load(Relaxed) > 0);
            println!("{traces}");
        }
        "deep" => assert_eq!(deep(n), n + 1),
        "ancestors" => {
            ancestors(3);
            sleeper();
        }
        // Goroutines that wait, and then whatever signal comes.
        "crowd" | "crowd_dies" | "crowd_is_read" => {
            let nothing = chan::make::<()>(0);
            for _ in 0..n {
                let from = nothing.receiver();
                go(move || worker(&from));
            }
            while runtime::num_goroutine() <= n as usize {
                runtime::gosched();
            }
            (0..10).for_each(|_| runtime::gosched());
            match what {
                "crowd_dies" => panic!("with a crowd"),
                "crowd_is_read" => {
                    let mut buffer = alloc::vec![0; n as usize * 400];
                    let n = runtime::stack(&mut buffer, true);
                    println!("{}", buffer[..n].windows(10).filter(|line| line == b"\ngoroutine").count());
                }
                _ => {
                    println!("ready");
                    sleeper();
                }
            }
        }
        // Traces of all, while goroutines are preempted between any two instructions, come and go, and call each other.
        "torture" => {
            gort::__private::hooks::storm_preemptions(300_000);
            static DONE: AtomicBool = AtomicBool::new(false);
            static ROUNDS: AtomicU64 = AtomicU64::new(0);
            let all = WaitGroup::new();
            for k in 0..8u32 {
                all.go(move || {
                    while !DONE.load(Relaxed) {
                        match k % 4 {
                            0 => drop((0..100).map(|n| alloc::format!("{n}")).collect::<Vec<_>>()),
                            1 => drop(gort::spawn(move || recurse(k * 8)).join()),
                            2 => sleep(Duration::from_micros(100)),
                            _ => drop(black_box((0..10_000u64).fold(0, |sum, n| sum ^ black_box(n)))),
                        }
                        ROUNDS.fetch_add(1, Relaxed);
                    }
                });
            }
            let (mut traces, mut buffer) = (0, alloc::vec![0; 1 << 16]);
            while traces < n {
                let used = runtime::stack(&mut buffer, true);
                assert!(buffer[..used].starts_with(b"goroutine 1 [running]:\n"));
                traces += 1;
                sleep(Duration::from_millis(1));
            }
            DONE.store(true, Relaxed);
            all.wait();
            assert!(ROUNDS.load(Relaxed) > 0);
            println!("{traces}");
        }
        other => panic!("no trace is called {other}"),
    }
}

fn n_zero() -> usize {
    black_box(0)
}

#[inline(never)]
fn recurse(n: u32) -> u32 {
    if n == 0 { black_box(0) } else { recurse(black_box(n - 1)) + 1 }
}
