//! Calls of C on the C stack, and callbacks from there: `ffi SCENARIO`.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ffi::c_void;
use core::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering::SeqCst};
use gort::__private::{ffi_calls, hooks};
use gort::ffi;
use gort::prelude::*;
use gort::time::{Duration, Instant, sleep};
use gort::{os, syscall};

gort::main!(main);

unsafe extern "C" {
    fn count_on_this_thread() -> i64;
    fn calls_on_this_thread() -> i64;
    fn deep(depth: u64) -> u64;
    fn wait_for(word: *const AtomicI32);
    fn sort(values: *mut i64, n: i64, less: extern "C" fn(i64, i64, *mut c_void) -> i32, data: *mut c_void);
    fn around(f: extern "C" fn(i64, *mut c_void) -> i64, n: i64, data: *mut c_void) -> i64;
}

/// Frames of `deep` in so many bytes: a little more than 1 KiB each.
fn frames(bytes: u64) -> u64 {
    bytes / 1090
}

/// 6 MiB of C's stack, on several threads at once, while others compute.
fn deep_stacks() {
    scope(|s| {
        for _ in 0..8 {
            s.go(|| {
                for _ in 0..3 {
                    assert_eq!(unsafe { ffi::call(|| deep(frames(6 << 20))) }, frames(6 << 20));
                    runtime::gosched();
                }
            });
        }
    });
    println!("deep");
}

/// Each thread has its own of C's `__thread` variable: a goroutine that is locked sees its own calls alone, others those of their thread.
fn thread_variables() {
    let sum = AtomicU64::new(0);
    let gate = AtomicU32::new(0);
    scope(|s| {
        for _ in 0..4 {
            s.go(|| {
                runtime::lock_os_thread();
                let before = unsafe { ffi::call(|| calls_on_this_thread()) };
                gate.fetch_add(1, SeqCst);
                while gate.load(SeqCst) < 4 {
                    runtime::gosched();
                }
                for n in 1..=100 {
                    assert_eq!(unsafe { ffi::call(|| count_on_this_thread()) }, before + n);
                    runtime::gosched();
                }
                sum.fetch_add(100, SeqCst);
                runtime::unlock_os_thread();
            });
        }
    });
    println!("thread variables: {} calls", sum.load(SeqCst));
}

/// C runs until another goroutine of the only P says so.
fn long_call() {
    runtime::gomaxprocs(1);
    static WORD: AtomicI32 = AtomicI32::new(0);
    for _ in 0..5 {
        WORD.store(0, SeqCst);
        let other = gort::spawn(|| {
            sleep(Duration::from_millis(1));
            WORD.store(1, SeqCst);
        });
        unsafe { ffi::call(|| wait_for(&WORD)) };
        other.join().unwrap();
    }
    println!("long");
}

fn counter() {
    let before = ffi_calls();
    scope(|s| {
        for _ in 0..4 {
            s.go(|| {
                for _ in 0..250 {
                    unsafe { ffi::call(|| count_on_this_thread()) };
                }
            });
        }
    });
    assert_eq!(ffi_calls() - before, 1000);
    // Inside a blocking call, and a call inside a call.
    syscall::blocking(|| unsafe { ffi::call(|| ffi::call(|| count_on_this_thread())) });
    assert_eq!(ffi_calls() - before, 1002);
    println!("counted");
}

struct Order {
    asked: chan::Chan<(i64, i64, chan::Chan<bool>)>,
    calls: u64,
}

/// Compares by way of another goroutine.
extern "C" fn less(a: i64, b: i64, data: *mut c_void) -> i32 {
    let thread = syscall::gettid();
    let result = ffi::callback(|| {
        // SAFETY: the caller of `sort` waits for it, and nobody else has it.
        let order = unsafe { &mut *data.cast::<Order>() };
        order.calls += 1;
        let answer = chan::make(0);
        order.asked.send((a, b, answer.clone()));
        match order.calls % 4 {
            0 => runtime::gosched(),
            1 => assert!(gort::spawn(move || a < b).join().unwrap() == (a < b)),
            2 => (0..2000).for_each(|n| _ = core::hint::black_box(n)),
            _ => {}
        }
        answer.recv().unwrap()
    });
    assert_eq!(syscall::gettid(), thread, "C goes on on another thread");
    result.into()
}

fn sorted(seed: u64) -> u64 {
    let asked = chan::make::<(i64, i64, chan::Chan<bool>)>(0);
    let questions = asked.clone();
    gort::go(move || {
        for (a, b, answer) in &questions {
            answer.send(a < b);
        }
    });
    let mut order = Order { asked, calls: 0 };
    let mut x = seed | 1;
    let mut values: Vec<i64> = (0..24).map(|_| (x = x.wrapping_mul(6364136223846793005).wrapping_add(1), (x >> 40) as i64).1).collect();
    let mut expected = values.clone();
    expected.sort_unstable();
    unsafe { ffi::call(|| sort(values.as_mut_ptr(), values.len() as i64, less, (&raw mut order).cast())) };
    assert_eq!(values, expected);
    order.asked.close();
    order.calls
}

/// Callbacks that wait, start goroutines and compute, while everybody is asked to give way all the time.
fn storm() {
    let ms: u64 = os::args().nth(2).unwrap().parse().unwrap();
    gort::spawn(|| ()).join().unwrap();
    hooks::storm_preemptions(50_000);
    let (start, calls, rounds) = (Instant::now(), AtomicU64::new(0), AtomicU64::new(0));
    scope(|s| {
        for n in 0..6u64 {
            let (calls, rounds) = (&calls, &rounds);
            s.go(move || {
                let mut seed = n;
                while start.elapsed() < Duration::from_millis(ms) || seed < 100 {
                    calls.fetch_add(sorted(seed), SeqCst);
                    rounds.fetch_add(1, SeqCst);
                    seed += 100;
                }
            });
        }
    });
    let injected = {
        let mut injected = 0;
        gort::__private::SCHED.for_each_p(|p| injected += p.counters.injected.get());
        injected
    };
    println!("storm: calls {} rounds {} injected {}", calls.load(SeqCst), rounds.load(SeqCst), injected);
}

/// C calls back, which calls C, …
extern "C" fn nest(n: i64, data: *mut c_void) -> i64 {
    ffi::callback(|| {
        runtime::gosched();
        if n == 0 {
            return 0;
        }
        let deeper = unsafe { ffi::call(|| around(nest, n - 1, data)) };
        sleep(Duration::from_micros(50));
        // On the goroutine's own stack it is a plain call.
        deeper + ffi::callback(|| n)
    })
}

fn nested() {
    scope(|s| {
        for _ in 0..4 {
            s.go(|| {
                for depth in [1, 5, 40] {
                    let sum = unsafe { ffi::call(|| around(nest, depth, core::ptr::null_mut())) };
                    assert_eq!(sum, depth * (depth + 1) / 2);
                }
            });
        }
    });
    println!("nested");
}

extern "C" fn panics(n: i64, _: *mut c_void) -> i64 {
    ffi::callback(|| panic!("called back with {n}"))
}

extern "C" fn exits(_: i64, _: *mut c_void) -> i64 {
    ffi::callback(|| runtime::goexit())
}

extern "C" fn blocks(_: i64, _: *mut c_void) -> i64 {
    ffi::callback(|| chan::make::<i64>(0).recv().unwrap())
}

extern "C" fn overflows(_: i64, _: *mut c_void) -> i64 {
    #[allow(unconditional_recursion)]
    fn more(n: &mut [u8; 4096]) -> u8 {
        let mut own = [n[0]; 4096];
        more(&mut own) + core::hint::black_box(own[7])
    }
    ffi::callback(|| more(&mut [1; 4096])).into()
}

/// Unlocks more often than it locks: the goroutine stays where C is.
extern "C" fn unlocks(_: i64, _: *mut c_void) -> i64 {
    let thread = syscall::gettid();
    for round in 0..50 {
        ffi::callback(|| {
            runtime::unlock_os_thread();
            // Each second time nobody but the callback itself holds the thread.
            if round % 2 == 1 {
                runtime::lock_os_thread();
                runtime::unlock_os_thread();
                runtime::unlock_os_thread();
            }
            sleep(Duration::from_micros(20 * round));
            runtime::gosched();
            assert_eq!(syscall::gettid(), thread);
        });
    }
    0
}

/// Locks, and leaves it so: it stays locked after C has returned.
extern "C" fn locks(_: i64, _: *mut c_void) -> i64 {
    ffi::callback(runtime::lock_os_thread);
    0
}

fn locking() {
    scope(|s| {
        for _ in 0..4 {
            s.go(|| unsafe {
                ffi::call(|| around(unlocks, 0, core::ptr::null_mut()));
                ffi::call(|| around(locks, 0, core::ptr::null_mut()));
                let thread = syscall::gettid();
                for _ in 0..100 {
                    runtime::gosched();
                    assert_eq!(syscall::gettid(), thread);
                }
                runtime::unlock_os_thread();
            });
        }
    });
    println!("locked");
}

fn c_with(f: extern "C" fn(i64, *mut c_void) -> i64) {
    unsafe { ffi::call(|| around(f, 7, core::ptr::null_mut())) };
}

/// One thread with a C stack ends.
fn thread_ends() {
    let tid = syscall::gettid();
    loop {
        let ended = gort::spawn(move || {
            runtime::lock_os_thread();
            if syscall::gettid() == tid {
                // The initial thread does not end.
                sleep(Duration::from_millis(2));
                runtime::unlock_os_thread();
                return false;
            }
            unsafe { ffi::call(|| count_on_this_thread()) };
            unsafe { ffi::call(|| count_on_this_thread()) };
            true
        });
        let blocked = gort::spawn(|| syscall::blocking(|| drop(rustix::thread::nanosleep(&rustix::time::Timespec { tv_sec: 0, tv_nsec: 1_000_000 }))));
        let ended = ended.join().unwrap();
        blocked.join().unwrap();
        if ended {
            break;
        }
    }
    // For the thread to be gone.
    sleep(Duration::from_millis(50));
    println!("ended");
}

/// Pointers that C should not be given.
fn pointer(which: &str) {
    let own = 1u8;
    let heap = Box::new(2u8);
    static STATIC: u8 = 3;
    let good: [*const (); 4] = [(&raw const own).cast(), (&raw const *heap).cast(), (&raw const STATIC).cast(), core::ptr::null()];
    unsafe { ffi::call_with(&good, || count_on_this_thread()) };
    let (tx, rx) = chan::channel(0);
    let held = chan::make::<()>(0);
    let gate = held.clone();
    let goroutine = gort::spawn(move || {
        let local = core::hint::black_box(4u8);
        tx.send((&raw const local) as usize);
        if gate.recv().is_some() {
            core::hint::black_box(&local);
        }
    });
    let address = rx.recv().unwrap();
    let give = |address: usize| unsafe { ffi::call_with(&[(&raw const own).cast(), address as *const ()], || count_on_this_thread()) };
    match which {
        "other" => _ = give(address),
        "dead" => {
            held.close();
            goroutine.join().unwrap();
            runtime::gosched();
            give(address);
        }
        "own" => {
            #[inline(never)]
            fn gone() -> usize {
                let mut frame = [5u8; 4096];
                core::hint::black_box(&mut frame)[0..].as_ptr() as usize
            }
            give(gone());
        }
        _ => panic!("which?"),
    }
    println!("given");
}

fn main() {
    match os::args().nth(1).unwrap_or("") {
        "deep" => deep_stacks(),
        "once" => println!("{}", unsafe { ffi::call(|| count_on_this_thread()) + ffi::call(|| count_on_this_thread()) }),
        "alone" => println!("{}", unsafe { ffi::call(|| around(nest, 3, core::ptr::null_mut())) }),
        "overflow" => println!("{}", unsafe { ffi::call(|| deep(frames(10 << 20))) }),
        "thread" => thread_variables(),
        "long" => long_call(),
        "counter" => counter(),
        "storm" => storm(),
        "nested" => nested(),
        "panic" => c_with(panics),
        "panic_in_c" => unsafe { ffi::call(|| panic!("on the C stack")) },
        "goexit" => c_with(exits),
        "blocks" => c_with(blocks),
        "overflow_in_callback" => c_with(overflows),
        "misuse" => unsafe { ffi::call(|| gort::go(|| ())) },
        "in_blocking" => {
            // As long as there is nobody else, a blocking call keeps its P.
            gort::spawn(|| ()).join().unwrap();
            syscall::blocking(|| c_with(nest))
        }
        "locking" => locking(),
        "thread_ends" => thread_ends(),
        "no_memory" => match unsafe { ffi::try_call(|| count_on_this_thread()) } {
            Ok(_) => println!("there was memory"),
            Err(error) => {
                println!("{error}");
                unsafe { ffi::call(|| count_on_this_thread()) };
            }
        },
        "pointer" => pointer(os::args().nth(2).unwrap()),
        _ => println!("which scenario?"),
    }
}
