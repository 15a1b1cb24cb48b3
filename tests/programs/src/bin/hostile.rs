//! Says what it was started with, and whether a goroutine that never calls gives way; `hostile bare` runs itself anew with no argument and no environment, `hostile closes` closes
//! all files that it does not know.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::ffi::CString;
use core::ffi::c_char;
use core::sync::atomic::{AtomicBool, Ordering::SeqCst};
use gort::prelude::*;
use gort::time::{Duration, Instant};
use gort::{os, syscall};

gort::main!(main);

const CLOSE: u32 = 3;
const EXECVE: u32 = 59;

fn main() {
    if os::args().nth(1) == Some("bare") {
        let path = CString::new(os::args().next().unwrap()).unwrap();
        let none: [*const c_char; 1] = [core::ptr::null()];
        // SAFETY: all that the kernel reads lives through the call; no goroutine was made.
        let failed = unsafe { syscall::raw(EXECVE, &[path.as_ptr() as usize, none.as_ptr() as usize, none.as_ptr() as usize]) };
        panic!("execve {path:?}: {failed:?}");
    }
    println!("arguments {}", os::args_os().count());
    println!("bytes {}", os::args_os().map(|argument| argument.len() + 1).sum::<usize>());
    println!("environment {}", os::environ().count());
    println!("user {} as {}", rustix::process::getuid().as_raw(), rustix::process::geteuid().as_raw());
    println!("gomaxprocs {}", runtime::gomaxprocs(1));
    if os::args().nth(1) == Some("closes") {
        close_all();
    }
    println!("preempted {}", is_preempted());
    let sum: u64 = (0..1000).map(|n| gort::spawn(move || n).join().unwrap()).sum();
    println!("sum {sum}");
}

/// Closes all files but 0 to 2, while sysmon sleeps without a time on one of them: nobody has a P.
fn close_all() {
    gort::spawn(|| ()).join().unwrap();
    syscall::blocking(|| {
        let _ = rustix::thread::nanosleep(&rustix::time::Timespec { tv_sec: 0, tv_nsec: 300_000_000 });
        for fd in 3..100 {
            // SAFETY: only these files are closed, and nobody here uses one.
            let _ = unsafe { syscall::raw(CLOSE, &[fd]) };
        }
    });
}

/// A goroutine that never calls, on the only P; main gives way to it, and runs again before the other one is done.
fn is_preempted() -> bool {
    static STOP: AtomicBool = AtomicBool::new(false);
    let start = Instant::now();
    let hog = gort::spawn(move || {
        while !STOP.load(SeqCst) && start.elapsed() < Duration::from_secs(5) {
            core::hint::spin_loop();
        }
        STOP.load(SeqCst)
    });
    runtime::gosched();
    STOP.store(true, SeqCst);
    hog.join().unwrap()
}
