//! Goroutines locked to their threads: what `lock_os_thread` promises.

#![no_std]
#![no_main]

extern crate alloc;
use alloc::format;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use gort::__private::hooks;
use gort::prelude::*;
use gort::runtime::{goexit, gomaxprocs, gosched, lock_os_thread, num_goroutine, unlock_os_thread};
use gort::syscall::{blocking, gettid};
use gort::time::{Duration, Instant, sleep};
use rustix::thread::nanosleep;
use rustix::time::Timespec;

gort::main!(main);

const MS: Duration = Duration::from_millis(1);

fn main() {
    match gort::os::args().nth(1) {
        Some("wired") => wired(),
        Some("nesting") => nesting(),
        Some("ends") => ends(),
        Some("main_ends") => main_ends(),
        Some("taint") => taint(),
        Some("deadlock") => deadlock(),
        Some("last_ends") => last_ends(),
        Some("sleeps") => sleeps(),
        Some("pingpong") => pingpong(),
        Some("first") => first(),
        Some("storm") => storm(gort::os::args().nth(2).and_then(|n| n.parse().ok()).unwrap_or(1)),
        other => panic!("no scenario {other:?}"),
    }
}

fn nap(ns: i64) {
    let time = Timespec { tv_sec: 0, tv_nsec: ns };
    let _ = blocking(|| nanosleep(&time));
}

/// Is there a thread with this id?
fn exists(tid: u32) -> bool {
    rustix::fs::access(&*format!("/proc/self/task/{tid}/stat"), rustix::fs::Access::EXISTS).is_ok()
}

/// Waits for something that must come true soon.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed().as_secs() < 20, "not so after 20 s: {what}");
        sleep(MS);
    }
}

/// Four locked goroutines stay where they are, whatever they do; nobody else comes there.
fn wired() {
    static TIDS: [AtomicU32; 4] = [const { AtomicU32::new(0) }; 4];
    static LEFT: AtomicU32 = AtomicU32::new(4);
    hooks::storm_preemptions(100_000);
    let there = chan::make::<u64>(0);
    for slot in &TIDS {
        let there = there.clone();
        go(move || {
            lock_os_thread();
            let tid = gettid();
            slot.store(tid, SeqCst);
            until("all four are locked", || TIDS.iter().all(|tid| tid.load(SeqCst) != 0));
            let mut x = u64::from(tid);
            for n in 0..2000u64 {
                match n % 5 {
                    0 => gosched(),
                    1 => there.send(n),
                    2 if n % 20 == 2 => sleep(Duration::from_micros(50)),
                    3 if n % 20 == 3 => nap(20_000),
                    _ => (0..2000).for_each(|_| x = core::hint::black_box(x.wrapping_mul(6364136223846793005).wrapping_add(1))),
                }
                assert_eq!(gettid(), tid, "a locked goroutine has moved");
            }
            slot.store(1, SeqCst); // no thread's id but init's: others may come from now on
            unlock_os_thread();
            LEFT.fetch_sub(1, SeqCst);
        });
    }
    for n in 0..8u32 {
        go(move || {
            while LEFT.load(SeqCst) != 0 {
                let before: [u32; 4] = core::array::from_fn(|n| TIDS[n].load(SeqCst));
                let here = gettid();
                // Locked before we looked where we are, and still after.
                let locked = TIDS.iter().zip(before).any(|(tid, before)| before == here && tid.load(SeqCst) == here);
                assert!(!locked, "goroutine {n} runs on a locked thread");
                if n % 2 == 0 { gosched() } else { sleep(Duration::from_micros(30)) }
            }
        });
    }
    let received = there.clone();
    go(move || while received.recv().is_some() {});
    until("the locked ones are done", || LEFT.load(SeqCst) == 0);
    there.close();
    until("all are done", || num_goroutine() == 1);
    println!("stayed");
}

fn nesting() {
    gort::spawn(|| {
        unlock_os_thread(); // no lock: nothing
        (0..3).for_each(|_| lock_os_thread());
        let tid = gettid();
        for left in (0..3).rev() {
            for _ in 0..50 {
                gosched();
                sleep(Duration::from_micros(20));
                assert_eq!(gettid(), tid, "moved with {} locks left", left + 1);
            }
            unlock_os_thread();
        }
        unlock_os_thread();
        // Free again: in a storm it changes threads sooner or later.
        hooks::storm_preemptions(50_000);
        (0..4).for_each(|_| go(|| (0..2000).for_each(|_| gosched())));
        let start = Instant::now();
        while gettid() == tid && gomaxprocs(0) > 1 {
            assert!(start.elapsed().as_secs() < 20, "still wired after the last unlock");
            gosched();
            nap(50_000);
        }
        hooks::storm_preemptions(0);
    })
    .join()
    .unwrap();
    println!("nested");
}

/// Whoever ends while locked takes the thread along; whoever has unlocked does not.
fn ends() {
    for kind in 0..3 {
        let tid = Arc::new(AtomicU32::new(0));
        let seen = tid.clone();
        go(move || {
            lock_os_thread();
            lock_os_thread();
            seen.store(gettid(), SeqCst);
            // Somewhere else than main's: the initial thread never ends.
            match kind {
                0 => {}
                1 => goexit(),
                _ => (0..2).for_each(|_| unlock_os_thread()),
            }
        });
        until("it ran", || tid.load(SeqCst) != 0);
        let tid = tid.load(SeqCst);
        let initial = tid == rustix::process::getpid().as_raw_nonzero().get() as u32;
        match kind {
            0 | 1 if !initial => until("its thread has ended", || !exists(tid)),
            _ => {
                sleep(20 * MS);
                assert!(exists(tid), "the thread has ended");
            }
        }
    }
    println!("ended");
}

/// Main ends while it is locked to the initial thread: others go on, and /proc still shows the process.
fn main_ends() {
    lock_os_thread();
    let pid = rustix::process::getpid().as_raw_nonzero().get() as u32;
    let tid = gettid();
    go(move || {
        sleep(30 * MS);
        assert!(exists(tid));
        if tid == pid {
            assert!(rustix::fs::access("/proc/self/exe", rustix::fs::Access::EXISTS).is_ok(), "/proc is broken");
        }
        println!("went on");
        gort::runtime::exit(0)
    });
    goexit()
}

/// What a locked goroutine does to its thread stays there: threads made meanwhile know nothing of it.
fn taint() {
    use rustix::thread::{CpuSet, UnshareFlags, sched_getaffinity, sched_setaffinity};
    let cpus = sched_getaffinity(None).unwrap().count();
    static MOST: AtomicU32 = AtomicU32::new(0);
    let before = gort::__private::SCHED.locked.lock().m_count;
    let started = Arc::new(AtomicU32::new(0));
    let wait = WaitGroup::new();
    gort::spawn({
        let (started, wait) = (started.clone(), wait.clone());
        move || {
            lock_os_thread();
            let mut one = CpuSet::new();
            one.set(0);
            sched_setaffinity(None, &one).unwrap();
            // SAFETY: it unshares the working directory, which nobody else on this thread uses.
            unsafe { rustix::thread::unshare_unsafe(UnshareFlags::FS) }.unwrap();
            rustix::process::chdir("/proc").unwrap();
            block(12); // SIGUSR2
            for _ in 0..20 {
                let started = started.clone();
                wait.go(move || {
                    // 20 at once, so that threads must be made while this goroutine runs.
                    started.fetch_add(1, SeqCst);
                    blocking(|| {
                        while started.load(SeqCst) < 20 {
                            let _ = nanosleep(&Timespec { tv_sec: 0, tv_nsec: 1_000_000 });
                        }
                        MOST.fetch_max(gort::__private::SCHED.locked.lock().m_count, SeqCst);
                    });
                    assert_eq!(sched_getaffinity(None).unwrap().count(), cpus, "a thread has inherited the affinity");
                    assert!(!directory().starts_with(b"/proc\0"), "a thread has inherited the directory");
                    assert_eq!(block(0) >> 11 & 1, 0, "a thread has inherited the mask");
                });
                gosched();
            }
            wait.wait();
        }
    })
    .join()
    .unwrap();
    let most = MOST.load(SeqCst);
    assert!(most >= before + 18, "{before} threads before, {most} at most: the test made none");
    println!("untainted");
}

/// This thread's working directory.
fn directory() -> [u8; 4096] {
    let mut buffer = [0; 4096];
    // SAFETY: getcwd writes into the buffer.
    unsafe { gort::syscall::raw(79, &[buffer.as_mut_ptr() as usize, buffer.len()]) }.unwrap();
    buffer
}

/// Adds signal number `signal` (0: none) to this thread's mask, and returns the mask.
fn block(signal: u32) -> u64 {
    let (set, mut old) = (if signal == 0 { 0u64 } else { 1 << (signal - 1) }, 0u64);
    // SAFETY: rt_sigprocmask(SIG_BLOCK) reads one word and writes another.
    unsafe { gort::syscall::raw(14, &[0, &raw const set as usize, &raw mut old as usize, 8]) }.unwrap();
    old
}

fn deadlock() {
    for _ in 0..3 {
        go(|| {
            lock_os_thread();
            chan::make::<()>(0).recv();
        });
    }
    lock_os_thread();
    sleep(10 * MS);
    chan::make::<()>(0).recv();
}

/// The last goroutine that could do something ends with its thread, main waits for ever.
fn last_ends() {
    go(|| {
        lock_os_thread();
        sleep(20 * MS);
    });
    chan::make::<()>(0).recv();
}

/// A locked goroutine alone in the program sleeps, and wakes.
fn sleeps() {
    lock_os_thread();
    let start = Instant::now();
    for _ in 0..20 {
        sleep(MS);
    }
    assert!(start.elapsed() >= 20 * MS);
    println!("woke");
}

/// Many lock themselves at once for the first time in the program, and each waits at once.
fn first() {
    hooks::storm_preemptions(50_000);
    go(|| sleep(20 * MS)); // sysmon is there, and storms
    sleep(100 * MS);
    let wait = WaitGroup::new();
    for _ in 0..8 {
        wait.go(|| {
            lock_os_thread();
            (0..20).for_each(|_| sleep(Duration::from_micros(100)));
        });
    }
    wait.wait();
    println!("first");
}

/// Two locked goroutines talk.
fn pingpong() {
    let (there, back) = (chan::make::<u32>(0), chan::make::<u32>(0));
    {
        let (there, back) = (there.clone(), back.clone());
        go(move || {
            lock_os_thread();
            while let Some(n) = there.recv() {
                back.send(n + 1);
            }
        });
    }
    lock_os_thread();
    const N: u32 = 20_000;
    let start = Instant::now();
    for n in 0..N {
        there.send(n);
        assert_eq!(back.recv(), Some(n + 1));
    }
    println!("round trip {} ns", start.elapsed().as_nanos() / u128::from(N));
}

/// All of it at once, with preemptions and changes of GOMAXPROCS.
fn storm(seconds: u64) {
    static STOP: AtomicBool = AtomicBool::new(false);
    static ENDED: AtomicU64 = AtomicU64::new(0);
    hooks::storm_preemptions(100_000);
    let shared = chan::make::<u64>(2);
    for worker in 0..6u64 {
        let shared = shared.clone();
        go(move || {
            let mut n = worker;
            while !STOP.load(Relaxed) {
                n += 1;
                let shared = shared.clone();
                let end = gort::spawn(move || {
                    for _ in 0..n % 3 + 1 {
                        lock_os_thread();
                    }
                    let tid = gettid();
                    for step in 0..20 {
                        match (step + n) % 6 {
                            0 => gosched(),
                            1 => sleep(Duration::from_micros(n % 100)),
                            2 => nap(n as i64 % 50_000),
                            3 => _ = shared.try_send(n),
                            4 => _ = shared.try_recv(),
                            _ => go(|| ENDED.fetch_add(1, Relaxed)),
                        }
                        assert_eq!(gettid(), tid, "a locked goroutine has moved");
                    }
                    if n.is_multiple_of(2) {
                        (0..n % 3 + 1).for_each(|_| unlock_os_thread());
                    }
                });
                end.join().unwrap();
                ENDED.fetch_add(1, Relaxed);
            }
        });
    }
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut n = 0;
    while Instant::now() < end {
        gomaxprocs([1, 3, 8, 2][n % 4]);
        n += 1;
        sleep(MS);
    }
    STOP.store(true, Relaxed);
    hooks::storm_preemptions(0);
    until("all are done", || num_goroutine() == 1);
    println!("storm: {} ended", ENDED.load(Relaxed));
}
