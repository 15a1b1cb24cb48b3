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

/// Lets others run while it is printed.
struct Yielding;
impl core::fmt::Display for Yielding {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        runtime::gosched();
        f.write_str("it yields")
    }
}

/// More than is kept of a message.
struct Long;
impl core::fmt::Display for Long {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        (0..1000).try_for_each(|n| write!(f, "{n} "))
    }
}

fn tid() -> u32 {
    gort::syscall::gettid()
}

fn pid() -> u32 {
    rustix::process::getpid().as_raw_nonzero().get() as u32
}

fn sleep_in_the_kernel(seconds: i64, nanoseconds: i64) {
    use rustix::{thread::nanosleep, time::Timespec};
    gort::syscall::blocking(|| drop(nanosleep(&Timespec { tv_sec: seconds, tv_nsec: nanoseconds })));
}

/// Calls `f` on another thread than the first, which sleeps in the kernel for longer than anybody waits for this program.
fn elsewhere(f: fn()) {
    go(move || {
        while tid() == pid() {
            runtime::gosched();
        }
        f()
    });
    sleep_in_the_kernel(1_000_000, 0);
}

/// On g0: of the first M if `FIRST` says so, else of another.
fn overflow_g0() {
    if (tid() == pid()) == FIRST.load(core::sync::atomic::Ordering::Relaxed) {
        black_box(recurse(1 << 30));
    }
}

static FIRST: core::sync::atomic::AtomicBool = core::sync::atomic::AtomicBool::new(false);

/// Three goroutines call `f` at once, and a fourth is to run: with three threads at most, nobody is left for it.
fn three_of_three(f: fn()) {
    runtime::gomaxprocs(4);
    let all = WaitGroup::new();
    let inside = alloc::sync::Arc::new(core::sync::atomic::AtomicU32::new(0));
    for _ in 0..2 {
        let inside = inside.clone();
        all.go(move || {
            gort::syscall::blocking(|| inside.fetch_add(1, core::sync::atomic::Ordering::SeqCst));
            f()
        });
    }
    while inside.load(core::sync::atomic::Ordering::SeqCst) < 2 {
        runtime::gosched();
    }
    all.go(|| println!("it runs"));
    f();
    all.wait();
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
        "panic_of_lines" => panic!("one line\nand {}\n", "another"),
        "panic_in_goroutine" => gort::spawn(|| panic!("in a goroutine")).join().unwrap(),
        "panic_in_scope" => {
            let mut borrowed = [0u64; 1000];
            scope(|s| {
                s.go(|| {
                    for n in 0.. {
                        black_box(&mut borrowed).fill(n);
                        runtime::gosched();
                    }
                });
                runtime::gosched();
                panic!("in the body")
            })
        }
        "panic_in_panic" => panic!("{Failing}"),
        "panic_that_yields" => {
            // Whoever is let run takes all the time that it is given.
            go(|| {
                loop {
                    core::hint::spin_loop();
                }
            });
            panic!("{Yielding}")
        }
        "panic_in_deferred_call" => {
            gort::defer(|| println!("deferred first"));
            gort::defer(|| panic!("the third"));
            gort::defer(|| panic!("the second: {}", Long));
            panic!("the first")
        }
        "panic_after_goexit" => {
            gort::defer(|| panic!("hello"));
            runtime::goexit()
        }
        "goexit_in_panic" => {
            go(|| {
                gort::defer(|| println!("deferred first"));
                gort::defer(|| runtime::goexit());
                panic!("hello")
            });
            runtime::goexit()
        }
        "no_helpers" => {
            let object = runtime::Managed::new(7);
            runtime::set_finalizer(&object, |_| ());
            let call = gort::time::after_func(gort::time::Duration::from_secs(3600), || ());
            runtime::add_cleanup(&object, || ());
            // Whoever was started has begun by now.
            gort::time::sleep(gort::time::Duration::from_millis(10));
            black_box((&object, &call));
            panic!("oops")
        }
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
        "overflow_g0" | "overflow_g0_first" => {
            FIRST.store(gort::os::args().nth(1) == Some("overflow_g0_first"), core::sync::atomic::Ordering::Relaxed);
            gort::__private::hooks::set_before_idle(Some(overflow_g0));
            runtime::gomaxprocs(2);
            loop {
                gort::spawn(|| gort::time::sleep(gort::time::Duration::from_micros(100))).join().unwrap();
            }
        }
        "elsewhere_panic" => elsewhere(|| panic!("elsewhere")),
        "elsewhere_panic_in_panic" => elsewhere(|| panic!("{Failing}")),
        "elsewhere_overflow" => elsewhere(|| assert_eq!(black_box(recurse(1 << 30)), 0)),
        // SAFETY: none: the fault is what is asked for.
        "elsewhere_segv" => elsewhere(|| unsafe { black_box(8 as *mut u8).write(1) }),
        "elsewhere_throw" => elsewhere(|| gort::syscall::blocking(|| assert!(chan::make::<()>(0).recv().is_none()))),
        "elsewhere_exit" => elsewhere(|| runtime::exit(7)),
        "elsewhere_deadlock" => {
            let nothing = chan::make::<()>(0);
            let also = nothing.receiver();
            go(move || {
                while tid() == pid() {
                    runtime::gosched();
                }
                // Meanwhile the first thread falls asleep: this one is the last.
                sleep_in_the_kernel(0, 50_000_000);
                assert_ne!(tid(), pid());
                also.recv();
            });
            nothing.recv();
        }
        "sigbus" => {
            use rustix::{fs, mm};
            let file = fs::memfd_create("gort", fs::MemfdFlags::empty()).unwrap();
            fs::ftruncate(&file, 8192).unwrap();
            // SAFETY: a new mapping; what it maps ends with the next line, and the fault is what is asked for.
            unsafe {
                let map = mm::mmap(core::ptr::null_mut(), 8192, mm::ProtFlags::READ, mm::MapFlags::SHARED, &file, 0).unwrap();
                fs::ftruncate(&file, 4096).unwrap();
                println!("{:#x}", map as usize + 4096 + 24);
                black_box(map.cast::<u8>().add(4096 + 24).read());
            }
        }
        // The limit is the caller's, or gort's own.
        "blocked" => three_of_three(|| sleep_in_the_kernel(1_000_000, 0)),
        "blocked_for_a_while" => three_of_three(|| sleep_in_the_kernel(0, 100_000_000)),
        "thread_limit" => {
            gort::debug::set_max_threads(3);
            three_of_three(|| sleep_in_the_kernel(1_000_000, 0))
        }
        "thread_limit_for_a_while" => {
            gort::debug::set_max_threads(3);
            three_of_three(|| sleep_in_the_kernel(0, 100_000_000))
        }
        other => panic!("no death is called {other}"),
    }
}
