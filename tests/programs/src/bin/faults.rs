//! Goes through all phases of a program, and answers some system calls with an error from the begin of one of them: `faults` or
//! `faults PHASE ERRNO CALL[:ARGUMENT=VALUE],… [ERRNO CALL…]`, numbers all; a value may be `block`, the length of a thread's block.
//!
//! PHASE is `start`, which runs the program anew under the filter, with descriptor 0 closed; `threads`, `steady`, `exit`; or `throw`, which is as `exit` but
//! dies of a fatal error. Each phase begins with a call of getppid, for whoever traces. What cannot be done without threads or preemption is not waited
//! for longer than a while, and what is printed is always the same.
#![no_std]
#![no_main]

extern crate alloc;

#[path = "../filter.rs"]
mod filter;

use alloc::ffi::CString;
use alloc::vec::Vec;
use core::ffi::c_char;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use filter::Denied;
use gort::__private::hooks;
use gort::prelude::*;
use gort::time::{Duration, Instant, sleep};
use gort::{os, syscall};
use rustix::time::Timespec;

gort::main!(main);

const CLOSE: u32 = 3;
const EXECVE: u32 = 59;

static INITIAL_THREAD: AtomicU32 = AtomicU32::new(0);

/// Usually a tracer's mark; in the phase that the program was asked for, the begin of the faults.
fn begin(phase: &str) {
    let _ = rustix::process::getppid();
    let asked_for = os::args().nth(1).unwrap_or("");
    if asked_for == phase || asked_for == "throw" && phase == "exit" {
        install();
    }
}

fn install() {
    let rest: Vec<&str> = os::args().skip(2).collect();
    for pair in rest.chunks(2) {
        filter::install(&filter::filter(pair[0].parse().unwrap(), pair[1].split(',').map(denied)));
    }
}

fn denied(call: &str) -> Denied {
    let Some((call, condition)) = call.split_once(':') else { return Denied { number: call.parse().unwrap(), condition: None } };
    let (argument, value) = condition.split_once('=').unwrap();
    let value = if value == "block" { hooks::thread_block_bytes() as u32 } else { value.parse().unwrap() };
    Denied { number: call.parse().unwrap(), condition: Some((argument.parse().unwrap(), value)) }
}

/// Runs this program anew, under the filter from its first instruction on.
fn start_anew() -> ! {
    // Alone: no other thread uses it.
    // SAFETY: nothing reads standard input.
    unsafe { syscall::raw(CLOSE, &[0]) }.unwrap();
    install();
    let path = CString::new(os::args().next().unwrap()).unwrap();
    let environment: Vec<CString> = os::environ().map(|line| CString::new(line).unwrap()).collect();
    let environment: Vec<*const c_char> = environment.iter().map(|line| line.as_ptr()).chain([core::ptr::null()]).collect();
    let arguments = [path.as_ptr(), core::ptr::null()];
    // SAFETY: all that the kernel reads lives through the call.
    let failed = unsafe { syscall::raw(EXECVE, &[path.as_ptr() as usize, arguments.as_ptr() as usize, environment.as_ptr() as usize]) };
    panic!("execve {path:?}: {failed:?}");
}

/// Blocks the thread.
fn block(microseconds: i64) {
    syscall::blocking(|| drop(rustix::thread::nanosleep(&Timespec { tv_sec: 0, tv_nsec: microseconds * 1000 })));
}

/// So many goroutines block their threads at once: so many Ms, if that is possible.
fn many_block(count: u32) -> u32 {
    let done = AtomicU32::new(0);
    scope(|s| {
        for _ in 0..count {
            s.go(|| {
                block(3000);
                done.fetch_add(1, SeqCst);
            });
        }
    });
    done.into_inner()
}

/// A goroutine that never calls, on the only P, and one whose time comes meanwhile: preemption, if the hog is not done before.
fn hog_and_sleeper() {
    static STOP: AtomicBool = AtomicBool::new(false);
    runtime::gomaxprocs(1);
    let start = Instant::now();
    let hog = gort::spawn(move || {
        while !STOP.load(SeqCst) && start.elapsed() < Duration::from_millis(500) {
            core::hint::spin_loop();
        }
    });
    sleep(Duration::from_millis(1));
    STOP.store(true, SeqCst);
    hog.join().unwrap();
    runtime::gomaxprocs(3);
}

/// A goroutine that ends while it is locked to its thread, which then ends. Not on the initial thread, which would sleep for ever and be missed.
fn end_a_thread() {
    for _ in 0..20 {
        let ends = gort::spawn(|| {
            runtime::lock_os_thread();
            let other = syscall::gettid() != INITIAL_THREAD.load(SeqCst);
            if !other {
                runtime::unlock_os_thread();
            }
            other
        });
        if ends.join().unwrap() {
            break;
        }
        // This goroutine keeps the initial thread, if it is on that, while it blocks.
        many_block(2);
    }
}

/// A large block, so large that it is a mapping of its own, which grows; and small ones.
fn allocate() -> usize {
    let mut large: Vec<u8> = Vec::with_capacity(5 << 20);
    large.push(1);
    large.resize(11 << 20, 2);
    let small: Vec<Vec<u8>> = (0..3000).map(|n| alloc::vec![1; 500 + n]).collect();
    large.len() + small.iter().map(Vec::len).sum::<usize>()
}

/// Goroutines that wait all at once: more stacks than the first arena has.
fn many_wait(count: u32) -> u32 {
    let (gate, passed) = (chan::make::<()>(0), AtomicU32::new(0));
    scope(|s| {
        for _ in 0..count {
            s.go(|| {
                gate.recv();
                passed.fetch_add(1, SeqCst);
            });
        }
        runtime::gosched();
        gate.close();
    });
    passed.into_inner()
}

fn main() {
    if os::args().nth(1) == Some("start") {
        start_anew();
    }
    INITIAL_THREAD.store(syscall::gettid(), SeqCst);
    begin("threads");
    let sum: u32 = (0..4).map(|n| gort::spawn(move || n).join().unwrap()).sum();
    sleep(Duration::from_millis(1));
    println!("threads: {sum}, {} blocked", many_block(3));
    begin("steady");
    runtime::gomaxprocs(6);
    let (blocked, waited) = (many_block(8), many_wait(100));
    hog_and_sleeper();
    end_a_thread();
    let bytes = allocate();
    // SAFETY: what it calls wants no more than a stack.
    unsafe { gort::ffi::call(|| core::hint::black_box(bytes)) };
    // Who is leaked, if that can be known.
    let _ = gort::debug::leaks();
    // Idle for long enough that free memory goes back.
    sleep(Duration::from_millis(130));
    println!("steady: {blocked} blocked, {waited} waited, {bytes} bytes");
    begin("exit");
    if os::args().nth(1) == Some("throw") {
        // A lock held for ever: nobody is there who could release it.
        let gate = chan::make::<()>(0);
        gate.recv();
    }
    println!("exit");
}
