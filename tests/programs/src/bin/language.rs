//! What the Go specification and the memory model promise about goroutines, in scenarios; `tests/language.rs` runs them.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::hint::spin_loop;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering::Acquire, Ordering::Release, Ordering::SeqCst};
use gort::__private::hooks;
use gort::prelude::*;
use gort::runtime::{gomaxprocs, gosched, lock_os_thread};
use gort::syscall::{blocking, gettid};
use gort::time::{Duration, Instant, sleep};
use rustix::thread::nanosleep;
use rustix::time::Timespec;

gort::main!(main);

fn main() {
    match gort::os::args().nth(1) {
        Some("begins") => begins(),
        Some("spins") => spins(),
        Some("values") => values(),
        Some("bound") => bound(),
        Some("alone") => (0..100_000).for_each(|_| gosched()),
        Some("moves") => moves(),
        Some("edges") => edges(),
        other => panic!("no scenario {other:?}"),
    }
    println!("done");
}

/// On one P and without preemption: `go` returns before its goroutine begins, though that will not end before its maker goes on. What the closure
/// takes along is made by the caller, who alone is late for it.
fn begins() {
    static MADE: AtomicBool = AtomicBool::new(false);
    static BEGUN: AtomicBool = AtomicBool::new(false);
    static STOP: AtomicBool = AtomicBool::new(false);
    let (ended, meanwhile) = (WaitGroup::new(), Arc::new(AtomicU32::new(0)));
    let other = meanwhile.clone();
    ended.go(move || {
        while !MADE.load(SeqCst) {
            other.fetch_add(1, SeqCst);
            sleep(Duration::from_millis(1));
        }
    });
    ended.go({
        sleep(Duration::from_millis(20));
        MADE.store(true, SeqCst);
        let taken = 7;
        move || {
            assert_eq!(taken, 7);
            BEGUN.store(true, SeqCst);
            while !STOP.load(SeqCst) {
                spin_loop();
            }
        }
    });
    assert!(MADE.load(SeqCst) && !BEGUN.load(SeqCst));
    assert!(meanwhile.load(SeqCst) >= 2, "the others stood still while the argument was made");
    STOP.store(true, SeqCst);
    ended.wait();
    assert!(BEGUN.load(SeqCst));
}

/// From 32 runnable spawns on the child runs first: it does not keep its maker from going on either, if it never gives way.
fn spins() {
    static STOP: AtomicBool = AtomicBool::new(false);
    let ended = WaitGroup::new();
    for _ in 0..40 {
        ended.go(|| {
            while !STOP.load(SeqCst) {
                spin_loop();
            }
        });
    }
    STOP.store(true, SeqCst);
    ended.wait();
}

struct CountsDrops(Arc<AtomicU32>);
impl Drop for CountsDrops {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// What a goroutine returns is dropped once; each iteration of a loop gives its own value along; all see the same memory.
fn values() {
    let drops = Arc::new(AtomicU32::new(0));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let on_heap = Arc::new(AtomicU32::new(0));
    let address = Arc::as_ptr(&on_heap) as usize;
    let held = Arc::strong_count(&drops);
    for n in 0..100u32 {
        let (returned, seen, on_heap) = (CountsDrops(drops.clone()), seen.clone(), on_heap.clone());
        go(move || {
            seen.lock().push(n);
            assert_eq!(Arc::as_ptr(&on_heap) as usize, address);
            on_heap.fetch_add(1, SeqCst);
            returned
        });
    }
    let start = Instant::now();
    while runtime::num_goroutine() > 1 || Arc::strong_count(&drops) > held {
        assert!(start.elapsed() < Duration::from_secs(60), "{} results are not dropped", Arc::strong_count(&drops) - held);
        gosched();
    }
    assert_eq!((drops.load(SeqCst), on_heap.load(SeqCst)), (100, 100));
    let mut seen = seen.lock().clone();
    seen.sort();
    assert!(seen.into_iter().eq(0..100));
}

/// How many are in a region at once, and were at most.
struct Gauge(AtomicI32, AtomicI32);

impl Gauge {
    fn through<T>(&self, f: impl FnOnce() -> T) -> T {
        self.1.fetch_max(self.0.fetch_add(1, SeqCst) + 1, SeqCst);
        let result = f();
        self.0.fetch_sub(1, SeqCst);
        result
    }

    fn most(&self) -> i32 {
        self.1.load(SeqCst)
    }
}

/// Without preemption, so that who is in a region that makes no call has a P: as many as GOMAXPROCS says are there at once, and never more; goroutines in
/// blocking calls do not count.
fn bound() {
    for n in 1..=3 {
        gomaxprocs(n);
        let [run, block] = [const { Gauge(AtomicI32::new(0), AtomicI32::new(0)) }; 2];
        let start = Instant::now();
        let goes_on = |turns: u32| turns < 300 || (run.most() < n || block.most() <= n) && start.elapsed() < Duration::from_secs(60);
        let compute = || run.through(|| (0..500).for_each(|_| spin_loop()));
        scope(|s| {
            for _ in 0..6 {
                s.go(|| {
                    for turn in 0.. {
                        compute();
                        gosched();
                        if !goes_on(turn) {
                            break;
                        }
                    }
                });
            }
            for _ in 0..10 {
                s.go(|| {
                    for turn in 0.. {
                        let _ = blocking(|| block.through(|| nanosleep(&Timespec { tv_sec: 0, tv_nsec: 300_000 })));
                        compute();
                        if !goes_on(turn) {
                            break;
                        }
                    }
                });
            }
        });
        assert_eq!(run.most(), n);
        assert!(block.most() > n, "{} in calls at once, with GOMAXPROCS {n}", block.most());
    }
}

/// A goroutine that is not locked meets more than one thread sooner or later.
fn moves() {
    static MOVED: AtomicBool = AtomicBool::new(false);
    gomaxprocs(4);
    hooks::storm_preemptions(50_000);
    let start = Instant::now();
    scope(|s| {
        for _ in 0..8 {
            s.go(|| {
                let first = gettid();
                while !MOVED.load(SeqCst) {
                    assert!(start.elapsed() < Duration::from_secs(60), "eight goroutines have each stayed where they were");
                    (0..1000).for_each(|_| spin_loop());
                    gosched();
                    if gettid() != first {
                        MOVED.store(true, SeqCst);
                    }
                }
            });
        }
    });
}

/// A word that is read and written as any other: nothing but the order of what happens keeps two from it.
struct Plain(UnsafeCell<u64>);

// SAFETY: none: that nobody reads it too early is what is to be shown.
unsafe impl Sync for Plain {}
// SAFETY: as above.
unsafe impl Send for Plain {}

impl Plain {
    fn new() -> Arc<Plain> {
        Arc::new(Plain(UnsafeCell::new(0)))
    }

    fn set(&self, n: u64) {
        // SAFETY: the caller's edge.
        unsafe { *self.0.get() = n };
    }

    fn get(&self) -> u64 {
        // SAFETY: the caller's edge.
        unsafe { *self.0.get() }
    }
}

/// A goroutine that calls `f`, every other time on a thread that it is locked to.
fn other<T: Send + 'static>(n: u64, f: impl FnOnce() -> T + Send + 'static) -> gort::JoinHandle<T> {
    spawn(move || {
        if n.is_multiple_of(2) {
            lock_os_thread();
        }
        f()
    })
}

fn edges() {
    hooks::storm_preemptions(100_000);
    for n in 1..=200 {
        by_creation_and_join(n);
        by_an_unbuffered_channel(n);
        by_a_buffered_channel(n);
        by_close(n);
        by_a_wait_group(n);
        by_atomics(n);
    }
    by_a_mutex();
}

fn by_creation_and_join(n: u64) {
    let (there, back) = (Plain::new(), Plain::new());
    there.set(n);
    let handle = other(n, {
        let (there, back) = (there.clone(), back.clone());
        move || back.set(there.get() + 1)
    });
    handle.join().unwrap();
    assert_eq!(back.get(), n + 1);
}

/// What was done before a send is seen after its receive; and what was done before the receive, after the send.
fn by_an_unbuffered_channel(n: u64) {
    by_a_channel(n, 0);
}

/// What was done before the k-th receive is seen after the (k + C)-th send, C being the capacity.
fn by_a_buffered_channel(n: u64) {
    by_a_channel(n, 2);
}

fn by_a_channel(n: u64, capacity: usize) {
    let (there, back, channel) = (Plain::new(), Plain::new(), chan::make::<()>(capacity));
    let receiver = other(n, {
        let (there, back, channel) = (there.clone(), back.clone(), channel.clone());
        move || {
            back.set(n + 1);
            channel.recv();
            assert_eq!(there.get(), n);
        }
    });
    there.set(n);
    (0..=capacity).for_each(|_| channel.send(()));
    assert_eq!(back.get(), n + 1);
    receiver.join().unwrap();
}

fn by_close(n: u64) {
    let (there, channel) = (Plain::new(), chan::make::<()>(0));
    let receiver = other(n, {
        let (there, channel) = (there.clone(), channel.clone());
        move || {
            assert_eq!(channel.recv(), None);
            assert_eq!(there.get(), n);
        }
    });
    there.set(n);
    channel.close();
    receiver.join().unwrap();
}

fn by_a_wait_group(n: u64) {
    let (cells, all) = ([0; 4].map(|_| Plain::new()), WaitGroup::new());
    all.add(4);
    for (k, cell) in cells.iter().cloned().enumerate() {
        let all = all.clone();
        drop(other(n + k as u64, move || {
            cell.set(n + k as u64);
            all.done();
        }));
    }
    all.wait();
    cells.iter().enumerate().for_each(|(k, cell)| assert_eq!(cell.get(), n + k as u64));
}

fn by_atomics(n: u64) {
    let (there, flag) = (Plain::new(), Arc::new(AtomicBool::new(false)));
    let reader = other(n, {
        let (there, flag) = (there.clone(), flag.clone());
        move || {
            while !flag.load(Acquire) {
                gosched();
            }
            assert_eq!(there.get(), n);
        }
    });
    there.set(n);
    flag.store(true, Release);
    reader.join().unwrap();
}

fn by_a_mutex() {
    const TURNS: u64 = 2000;
    let (count, lock) = (Plain::new(), Arc::new(Mutex::new(())));
    let all: Vec<_> = (0..4)
        .map(|n| {
            let (count, lock) = (count.clone(), lock.clone());
            other(n, move || {
                for _ in 0..TURNS {
                    let _guard = lock.lock();
                    count.set(count.get() + 1);
                }
            })
        })
        .collect();
    all.into_iter().for_each(|one| one.join().unwrap());
    assert_eq!(count.get(), 4 * TURNS);
}
