//! Goroutines in blocking system calls, and others that compute beside them.

#![no_std]
#![no_main]

extern crate alloc;

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use gort::prelude::*;
use gort::sync::WaitGroup;
use gort::syscall;
use gort::time::{Duration, Instant, sleep};
use gort::{go, os};
use rustix::thread::nanosleep;
use rustix::time::Timespec;

gort::main!(main);

static STOP: AtomicBool = AtomicBool::new(false);
static WORK: AtomicU64 = AtomicU64::new(0);
static CALLS: AtomicU64 = AtomicU64::new(0);

const MS: Timespec = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
const NANOSLEEP: u32 = 35;
const GETPPID: u32 = 110;

fn hog() {
    let mut x = 1u64;
    while !STOP.load(Relaxed) {
        for _ in 0..1000 {
            x = core::hint::black_box(x.wrapping_mul(6364136223846793005).wrapping_add(1));
        }
        WORK.fetch_add(1, Relaxed);
    }
}

fn main() {
    match os::args().nth(1) {
        Some("blocking") => many(|| drop(syscall::blocking(|| nanosleep(&MS)))),
        Some("raw") => many(|| {
            let time = [0usize, 1_000_000];
            // SAFETY: nanosleep reads the two words.
            unsafe { syscall::raw(NANOSLEEP, &[time.as_ptr() as usize, 0]) }.expect("never ends early");
        }),
        Some("quick") => quick(),
        Some("change") => change(32, 4),
        // Fewer than Ps, so that a P that is given away goes idle.
        Some("few") => change(3, 1),
        Some("nested") => {
            go(|| {});
            // SAFETY: getppid touches nothing.
            let inner = || syscall::blocking(|| unsafe { syscall::raw(GETPPID, &[]) }.unwrap());
            let (mutex, channel) = (gort::sync::Mutex::new(0), gort::chan::make(1));
            for n in 0..1000 {
                syscall::blocking(|| {
                    *mutex.lock() += 1;
                    assert!(channel.try_send(n).is_ok() && channel.try_recv() == Ok(n));
                });
                // SAFETY: as above.
                assert_eq!(syscall::blocking(inner), unsafe { syscall::raw(GETPPID, &[]) }.unwrap());
            }
            assert_eq!(mutex.into_inner(), 1000);
            println!("nested calls are calls");
        }
        Some("misuse") => {
            go(|| {});
            syscall::blocking(|| sleep(Duration::from_millis(1)));
        }
        Some("allocate") => allocate(),
        Some("panic") => {
            go(|| {});
            syscall::blocking(|| panic!("inside a call"));
        }
        Some("alive") => alive(),
        Some("changes") => changes(),
        other => panic!("no scenario {other:?}"),
    }
    let counters = sums();
    println!("handed_off {} injected {} slices {}", counters[0], counters[1], counters[2]);
}

fn sums() -> [u64; 3] {
    let mut sums = [0; 3];
    gort::__private::SCHED.for_each_p(|p| {
        sums[0] += p.counters.handed_off.get();
        sums[1] += p.counters.injected.get();
        sums[2] += p.counters.slices_spent.get();
    });
    sums
}

/// 64 goroutines make 100 calls of 1 ms each; two others compute.
fn many(call_once: fn()) {
    let alone = {
        (0..2).for_each(|_| go(hog));
        let start = Instant::now();
        sleep(Duration::from_millis(300));
        let rate = WORK.load(Relaxed) as f64 / start.elapsed().as_secs_f64();
        WORK.store(0, Relaxed);
        rate
    };
    let start = Instant::now();
    let wait = WaitGroup::new();
    wait.add(64);
    for _ in 0..64 {
        let wait = wait.clone();
        go(move || {
            for _ in 0..100 {
                call_once();
                CALLS.fetch_add(1, Relaxed);
            }
            wait.done();
        });
    }
    wait.wait();
    let wall = start.elapsed();
    let rate = WORK.load(Relaxed) as f64 / wall.as_secs_f64();
    STOP.store(true, Relaxed);
    println!("calls {} wall {} ms compute kept {:.2}", CALLS.load(Relaxed), wall.as_millis(), rate / alone);
}

/// Goroutines make short calls of so many kinds, known to block and learned, for some seconds, while GOMAXPROCS changes all the time.
fn change(workers: u32, kinds: i64) {
    let seconds = os::args().nth(2).and_then(|n| n.parse().ok()).unwrap_or(1);
    let end = Instant::now() + Duration::from_secs(seconds);
    let wait = WaitGroup::new();
    wait.add(workers + 1);
    for n in 0..i64::from(workers) {
        let wait = wait.clone();
        go(move || {
            let mut time = Timespec { tv_sec: 0, tv_nsec: 1 };
            while Instant::now() < end {
                time.tv_nsec = (time.tv_nsec * 7919 + n) % if kinds == 1 { 20_000 } else { 200_000 };
                match n % kinds {
                    0 => drop(syscall::blocking(|| nanosleep(&time))),
                    // SAFETY: nanosleep reads two words.
                    1 => drop(unsafe { syscall::raw(NANOSLEEP, &[&raw const time as usize, 0]) }),
                    // SAFETY: getppid touches nothing.
                    2 => drop(unsafe { syscall::raw(GETPPID, &[]) }),
                    _ => runtime::gosched(),
                }
                CALLS.fetch_add(1, Relaxed);
            }
            wait.done();
        });
    }
    let changer = wait.clone();
    go(move || {
        let (mut changes, mut longest) = (0, Duration::ZERO);
        while Instant::now() < end {
            let start = Instant::now();
            runtime::gomaxprocs([2, 5, 1, 8, 3][changes % 5]);
            longest = longest.max(start.elapsed());
            changes += 1;
        }
        println!("changes {changes} longest {} ms", longest.as_millis());
        changer.done();
    });
    wait.wait();
    println!("calls {}", CALLS.load(Relaxed));
}

/// What a call costs that does not block.
fn quick() {
    go(|| {});
    const N: u32 = 1_000_000;
    let start = Instant::now();
    for _ in 0..N {
        // SAFETY: getppid touches nothing.
        let _ = unsafe { syscall::raw(GETPPID, &[]) };
    }
    let raw = start.elapsed().as_nanos() as f64 / f64::from(N);
    let start = Instant::now();
    for _ in 0..N {
        syscall::blocking(|| core::hint::black_box(rustix::process::getppid()));
    }
    let blocking = start.elapsed().as_nanos() as f64 / f64::from(N);
    let start = Instant::now();
    for _ in 0..N {
        core::hint::black_box(rustix::process::getppid());
    }
    println!("getppid: bare {:.1} ns, raw {raw:.1} ns, blocking {blocking:.1} ns", start.elapsed().as_nanos() as f64 / f64::from(N));
}

/// The heap in a call: without a P it has no cache.
fn allocate() {
    let wait = WaitGroup::new();
    wait.add(16);
    for n in 0..16u8 {
        let wait = wait.clone();
        go(move || {
            for size in 0..2000 {
                let kept = syscall::blocking(|| {
                    let bytes = alloc::vec![n; size];
                    let _ = nanosleep(&Timespec { tv_sec: 0, tv_nsec: 1000 });
                    bytes
                });
                assert!(kept.iter().all(|&byte| byte == n));
            }
            wait.done();
        });
    }
    wait.wait();
}

/// Everybody waits for a goroutine that is in a call: no deadlock.
fn alive() {
    let c = gort::chan::make::<u32>(0);
    let sender = c.sender();
    go(move || {
        let _ = syscall::blocking(|| nanosleep(&Timespec { tv_sec: 0, tv_nsec: 300_000_000 }));
        sender.send(7);
    });
    assert_eq!(c.recv(), Some(7));
}

/// 64 goroutines in calls of all kinds, hogs, requests to give way all the time, and GOMAXPROCS changes.
fn changes() {
    let seconds = os::args().nth(2).and_then(|n| n.parse().ok()).unwrap_or(1);
    let end = Instant::now() + Duration::from_secs(seconds);
    gort::__private::hooks::storm_preemptions(200_000);
    let wait = WaitGroup::new();
    wait.add(65);
    (0..2).for_each(|_| go(hog));
    for n in 0..64u32 {
        let wait = wait.clone();
        go(move || {
            let time = [0usize, 50_000 + n as usize * 5_000];
            while Instant::now() < end {
                // SAFETY: nanosleep reads the two words; getppid touches nothing.
                match n % 3 {
                    0 => unsafe { syscall::raw(NANOSLEEP, &[time.as_ptr() as usize, 0]) }.map(drop).expect("a signal of ours has ended it"),
                    1 => drop(syscall::blocking(|| nanosleep(&MS))),
                    _ => drop(unsafe { syscall::raw(GETPPID, &[]) }),
                }
                CALLS.fetch_add(1, Relaxed);
            }
            wait.done();
        });
    }
    let waits = wait.clone();
    go(move || {
        let mut changes = 0;
        while Instant::now() < end {
            gort::runtime::gomaxprocs([1, 8, 2, 4][changes % 4]);
            changes += 1;
            sleep(Duration::from_micros(500));
        }
        println!("changes {changes}");
        waits.done();
    });
    wait.wait();
    STOP.store(true, Relaxed);
    gort::__private::hooks::storm_preemptions(0);
    println!("calls {} compute {}", CALLS.load(Relaxed), WORK.load(Relaxed));
}
