//! The meaning of Go's tests of its scheduler (`tests/go-tests.md`, group proc), in scenarios of our own; `tests/proc.rs` runs them.

#![no_std]
#![no_main]

extern crate alloc;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hint::{black_box, spin_loop};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use gort::prelude::*;
use gort::runtime::{gomaxprocs, gosched, lock_os_thread, num_goroutine, unlock_os_thread};
use gort::syscall::{blocking, gettid, raw};
use gort::time::{Duration, Instant, sleep};

gort::main!(main);

const WRITE: u32 = 1;
const NANOSLEEP: u32 = 35;

fn main() {
    match gort::os::args().nth(1) {
        Some("yield") => yields(false),
        Some("yield_locked") => yields(true),
        Some("yield_alone_locked") => yield_alone_locked(),
        Some("parallel") => parallel(),
        Some("block_locked") => block_locked(),
        Some("loops") => loops(false),
        Some("loops_and_stops") => loops(true),
        Some("stops_and_writers") => stops_and_writers(),
        Some("stops_and_dead_loops") => stops_and_dead_loops(),
        Some("count") => count(),
        Some("large_frames") => large_frames(),
        Some("after_calls") => after_calls(),
        Some("big") => big(),
        Some("stays_in_place") => stays_in_place(),
        Some("exits_and_stops") => exits_and_stops(),
        other => panic!("no scenario {other:?}"),
    }
    println!("done");
}

/// Stops the world once: GOMAXPROCS goes one up, and back.
fn stop_the_world_twice() {
    let procs = gomaxprocs(0);
    gomaxprocs(procs + 1);
    gomaxprocs(procs);
}

/// Two that only yield take turns: on one P nobody gets more than a few turns in a row.
fn yields(locked: bool) {
    const TURNS: u32 = 1000;
    static LAST: AtomicUsize = AtomicUsize::new(0);
    static ROW: AtomicU32 = AtomicU32::new(0);
    static LONGEST: AtomicU32 = AtomicU32::new(0);
    let one_p = gomaxprocs(0) == 1;
    let both = Arc::new(WaitGroup::new());
    let begun = Arc::new(AtomicU32::new(0));
    both.add(2);
    for n in 0..2 {
        let (both, begun) = (both.clone(), begun.clone());
        go(move || {
            if locked {
                lock_os_thread();
            }
            begun.fetch_add(1, SeqCst);
            while begun.load(SeqCst) != 2 {
                gosched();
            }
            for _ in 0..TURNS {
                if LAST.swap(n, SeqCst) == n {
                    LONGEST.fetch_max(ROW.fetch_add(1, SeqCst) + 1, SeqCst);
                } else {
                    ROW.store(0, SeqCst);
                }
                gosched();
            }
            if locked {
                unlock_os_thread();
            }
            both.done();
        });
    }
    both.wait();
    if one_p {
        let longest = LONGEST.load(SeqCst);
        assert!(longest < TURNS / 4, "one had {longest} turns in a row");
    }
}

fn yield_alone_locked() {
    let done = chan::make::<()>(0);
    let tell = done.clone();
    go(move || {
        lock_os_thread();
        let tid = gettid();
        for _ in 0..1000 {
            gosched();
            assert_eq!(gettid(), tid);
        }
        unlock_os_thread();
        tell.send(());
    });
    done.recv();
}

/// As many goroutines as Ps meet by spinning, again and again: all must run at once, or be preempted for each other where CPUs are fewer.
fn parallel() {
    let procs = gomaxprocs(0) as u32;
    for _ in 0..10 {
        let turn = Arc::new(AtomicU32::new(0));
        let done = chan::make::<()>(procs as usize);
        for n in 0..procs {
            let (turn, done) = (turn.clone(), done.clone());
            go(move || {
                for round in 0..3 {
                    let mine = n + round * procs;
                    while turn.load(SeqCst) != mine {
                        spin_loop();
                    }
                    turn.store(mine + 1, SeqCst);
                }
                done.send(());
            });
        }
        (0..procs).for_each(|_| assert_eq!(done.recv(), Some(())));
    }
}

fn block_locked() {
    let there = chan::make::<u32>(0);
    let to = there.clone();
    go(move || {
        lock_os_thread();
        (0..20).for_each(|n| to.send(n));
        unlock_os_thread();
    });
    (0..20).for_each(|n| assert_eq!(there.recv(), Some(n)));
}

/// Some that compute in a circle, each waiting for its turn by looking at one word: without preemption one P never gets round.
/// With `stops` the world is stopped meanwhile, which needs each of them to stop.
fn loops(stops: bool) {
    const HOGS: u32 = 5;
    const ROUNDS: u32 = 20;
    let turn = Arc::new(AtomicU32::new(0));
    let left = Arc::new(AtomicU32::new(HOGS));
    for n in 0..HOGS {
        let (turn, left) = (turn.clone(), left.clone());
        go(move || {
            for round in 0..ROUNDS {
                while turn.load(SeqCst) != round * HOGS + n {
                    black_box(step(black_box(3)));
                }
                turn.fetch_add(1, SeqCst);
            }
            left.fetch_sub(1, SeqCst);
        });
    }
    let mut stopped = 0;
    while left.load(SeqCst) != 0 {
        if stops {
            stop_the_world_twice();
            stopped += 2;
        } else {
            sleep(Duration::from_millis(1));
        }
    }
    assert_eq!(turn.load(SeqCst), HOGS * ROUNDS);
    assert!(!stops || stopped > 0);
}

#[inline(never)]
fn step(x: u64) -> u64 {
    (0..50).fold(x, |x, n| x.wrapping_mul(6364136223846793005).wrapping_add(n))
}

/// Goroutines that write to /dev/null in a loop, and one that yields in a loop, beside one that stops the world in a loop: main, who sleeps, comes back, and all have gone on.
fn stops_and_writers() {
    static TURNS: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];
    let fd = rustix::fs::open("/dev/null", rustix::fs::OFlags::WRONLY, rustix::fs::Mode::empty()).expect("/dev/null");
    let raw_fd = rustix::fd::AsRawFd::as_raw_fd(&fd) as usize;
    for turns in &TURNS[..2] {
        go(move || {
            loop {
                // SAFETY: one byte is read from a constant; the descriptor is open until the end of the process.
                let _ = unsafe { raw(WRITE, &[raw_fd, b".".as_ptr() as usize, 1]) };
                turns.fetch_add(1, Relaxed);
            }
        });
    }
    go(|| {
        loop {
            gosched();
            TURNS[2].fetch_add(1, Relaxed);
        }
    });
    go(|| {
        loop {
            stop_the_world_twice();
            TURNS[3].fetch_add(1, Relaxed);
        }
    });
    wait_for(&TURNS);
    core::mem::forget(fd);
}

/// Waits, asleep, until each of them has gone on.
fn wait_for(turns: &[AtomicU64]) {
    let start = Instant::now();
    while turns.iter().any(|turns| turns.load(Relaxed) < 10) {
        let seen: Vec<u64> = turns.iter().map(|turns| turns.load(Relaxed)).collect();
        assert!(start.elapsed() < Duration::from_secs(60), "somebody has not gone on: {seen:?}");
        sleep(Duration::from_millis(10));
    }
}

/// Dead loops, and one that stops the world: those who wait in line get their turn.
fn stops_and_dead_loops() {
    static COUNTS: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];
    for count in &COUNTS[..3] {
        go(move || {
            loop {
                count.fetch_add(1, Relaxed);
            }
        });
    }
    go(|| {
        loop {
            stop_the_world_twice();
            COUNTS[3].fetch_add(1, Relaxed);
        }
    });
    wait_for(&COUNTS);
}

/// The number of goroutines, then a deadlock, whose dump lists as many.
fn count() {
    for n in 0..17 {
        let never = chan::make::<u32>(0);
        go(move || if n % 2 == 0 { assert_eq!(never.recv(), None) } else { never.send(n) });
    }
    println!("goroutines {}", num_goroutine());
    chan::make::<()>(0).recv();
}

/// Preempted in functions whose frames are large, and deep below each other.
fn large_frames() {
    static STOP: AtomicBool = AtomicBool::new(false);
    #[inline(never)]
    fn frame(depth: u32, from: u8) -> u64 {
        let mut bytes = [from; 20_000];
        let start = Instant::now();
        if depth > 0 {
            return frame(depth - 1, from.wrapping_add(1)) + u64::from(black_box(&mut bytes)[19_999]);
        }
        let mut sum = 0u64;
        while !STOP.load(Relaxed) {
            for byte in black_box(&mut bytes) {
                *byte = byte.wrapping_mul(5).wrapping_add(1);
                sum = sum.wrapping_add(u64::from(*byte));
            }
            assert!(start.elapsed() < Duration::from_secs(60));
        }
        sum
    }
    let hogs: Vec<_> = (0..3u8).map(|n| spawn(move || _ = black_box(frame(5, n)))).collect();
    // Each sleep ends only because one of the three gives way.
    (0..50).for_each(|_| sleep(Duration::from_millis(1)));
    STOP.store(true, SeqCst);
    hogs.into_iter().for_each(|hog| hog.join().expect("it returned"));
}

/// After a system call of some length by the same goroutine, a loop that never calls is preempted as before.
fn after_calls() {
    for us in [10i64, 100, 1000] {
        static STOP: AtomicBool = AtomicBool::new(false);
        STOP.store(false, SeqCst);
        let hogs: Vec<_> = (0..gomaxprocs(0))
            .map(|n| {
                spawn(move || {
                    let time = [0i64, us * 1000];
                    let sleeps = || {
                        // SAFETY: it reads one timespec, which outlives the call.
                        let _ = unsafe { raw(NANOSLEEP, &[time.as_ptr() as usize, 0]) };
                    };
                    for _ in 0..20 {
                        if n % 2 == 0 {
                            sleeps()
                        } else {
                            blocking(sleeps)
                        };
                    }
                    while !STOP.load(Relaxed) {
                        spin_loop();
                    }
                })
            })
            .collect();
        sleep(Duration::from_millis(50));
        // Main runs again: it was not shut out by the loops.
        (0..20).for_each(|_| sleep(Duration::from_micros(500)));
        STOP.store(true, SeqCst);
        hogs.into_iter().for_each(|hog| hog.join().expect("it returned"));
    }
}

/// A large GOMAXPROCS works, and makes no thread that nothing needs.
fn big() {
    gomaxprocs(1024);
    assert_eq!(gomaxprocs(0), 1024);
    let done = Arc::new(WaitGroup::new());
    done.add(1024);
    for _ in 0..1024 {
        let done = done.clone();
        go(move || {
            black_box(step(black_box(1)));
            done.done();
        });
    }
    done.wait();
    let dir = rustix::fs::open("/proc/self/task", rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY, rustix::fs::Mode::empty()).expect("/proc");
    let mut space = [core::mem::MaybeUninit::<u8>::uninit(); 4096];
    let mut entries = rustix::fs::RawDir::new(&dir, &mut space);
    let mut threads = 0;
    while let Some(entry) = entries.next() {
        threads += u32::from(entry.expect("an entry").file_name().to_bytes()[0] != b'.');
    }
    println!("threads {threads}");
}

/// Two that compute stay on their threads while the world stops and goes on: a stop ends no slice.
fn stays_in_place() {
    const STOPS: u32 = 100;
    static STOP: AtomicBool = AtomicBool::new(false);
    static PLACES: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];
    gomaxprocs(3);
    let hogs: Vec<_> = PLACES
        .iter()
        .map(|place| {
            spawn(move || {
                while !STOP.load(Relaxed) {
                    place.store(gettid(), SeqCst);
                    black_box(step(black_box(1)));
                }
            })
        })
        .collect();
    while PLACES.iter().any(|place| place.load(SeqCst) == 0) {
        gosched();
    }
    let mut moved = 0;
    for _ in 0..STOPS {
        let places = || PLACES.each_ref().map(|place| place.swap(0, SeqCst));
        let settled = || {
            while PLACES.iter().any(|place| place.load(SeqCst) == 0) {
                spin_loop();
            }
        };
        settled();
        let before = places();
        stop_the_world_twice();
        settled();
        let after = places();
        moved += before.iter().zip(after).filter(|&(before, after)| *before != after).count();
    }
    STOP.store(true, SeqCst);
    hogs.into_iter().for_each(|hog| hog.join().expect("it returned"));
    println!("moved {moved} of {}", 2 * STOPS);
}

/// Threads end, since their locked goroutines end, while the world is stopped again and again.
fn exits_and_stops() {
    static ENDED: AtomicU32 = AtomicU32::new(0);
    static BEGUN: AtomicU32 = AtomicU32::new(0);
    let end = Instant::now() + Duration::from_millis(500);
    let mut stops = 0;
    while Instant::now() < end || ENDED.load(SeqCst) < 20 {
        if BEGUN.load(SeqCst) - ENDED.load(SeqCst) < 8 {
            BEGUN.fetch_add(1, SeqCst);
            go(|| {
                lock_os_thread();
                gosched();
                ENDED.fetch_add(1, SeqCst);
            });
        }
        stop_the_world_twice();
        stops += 2;
        assert!(end.elapsed() < Duration::from_secs(60), "only {} threads have ended", ENDED.load(SeqCst));
    }
    while num_goroutine() > 1 {
        gosched();
    }
    println!("stops {stops} exits {}", ENDED.load(SeqCst));
}
