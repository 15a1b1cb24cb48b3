//! Stages about goroutines that would keep others waiting: loops, blocking system calls; and about timers, which must not wait for them.

use crate::{child, mix, read};
use alloc::collections::BTreeSet;
use alloc::ffi::CString;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hint::black_box;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use gort::prelude::*;
use gort::syscall::{blocking, gettid};
use gort::time::{Duration, Instant, after_func, sleep};
use rustix::thread::{NanosleepRelativeResult as Slept, nanosleep};
use rustix::time::Timespec;

const MS: Duration = Duration::from_millis(1);

/// Latenesses in one line: the median, the 99th percentile, the worst.
fn quantiles(late: &mut [u64]) -> String {
    late.sort_unstable();
    let ms = |i: usize| late.get(i).map_or(f64::NAN, |&ns| ns as f64 / 1e6);
    format!("p50 {:.3} ms, p99 {:.3} ms, max {:.3} ms", ms(late.len() / 2), ms(late.len() * 99 / 100), ms(late.len() - 1))
}

/// Naps of 1 ms beside hogs.
struct Naps {
    late: Vec<u64>,
    /// How many ended while each P had a hog.
    between: usize,
}

/// Takes naps until the first hog is done; every P has one. A hog computes for a second or so, and never calls into gort.
fn naps_beside_hogs() -> Naps {
    let ps = runtime::gomaxprocs(0) as usize;
    let start = Instant::now();
    (0..200).for_each(|n| _ = black_box(mix(n)));
    let rounds_a_second = (200.0 / start.elapsed().as_secs_f64()) as u64;
    // More Ps than CPUs share them.
    let rounds = (rounds_a_second * runtime::num_cpu() as u64 / ps as u64).clamp(1, rounds_a_second);
    let (started, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let mut naps = Naps { late: Vec::with_capacity(10_000), between: 0 };
    scope(|s| {
        for _ in 0..ps {
            s.go(|| {
                started.fetch_add(1, Relaxed);
                black_box((0..rounds).fold(1, |x, _| mix(x)));
                done.fetch_add(1, Relaxed);
            });
        }
        while done.load(Relaxed) == 0 {
            let start = Instant::now();
            sleep(MS);
            naps.late.push((start.elapsed() - MS).as_nanos() as u64);
            // All have begun and none is done: this goroutine runs on a P that was taken from a hog.
            naps.between += usize::from(started.load(Relaxed) == ps && done.load(Relaxed) == 0);
        }
    });
    naps
}

pub fn preempt() -> Result<(), String> {
    let ps = runtime::gomaxprocs(0);
    let off = gort::os::var("GODEBUG").is_some_and(|list| list.split(',').any(|setting| setting == "asyncpreemptoff=1"));
    let mut naps = naps_beside_hogs();
    println!("   {ps} Ps with a hog each; naps of 1 ms until the first was done: {}, that took a P from a hog: {}", naps.late.len(), naps.between);
    println!("   late by {}", quantiles(&mut naps.late));
    if off {
        check!(naps.between == 0, "a hog gave way, although GODEBUG=asyncpreemptoff=1");
        return Ok(());
    }
    check!(naps.between >= 10, "only {} naps ended while all hogs ran", naps.between);
    println!("   without preemption (GODEBUG=asyncpreemptoff=1 tour preempt):");
    let procs = CString::new(format!("GOMAXPROCS={ps}")).map_err(|e| format!("{e}"))?;
    let (text, status) = child::run(c"preempt", &[c"GODEBUG=asyncpreemptoff=1", &procs]).map_err(|e| format!("no second process: {e}"))?;
    text.lines().filter(|line| line.starts_with("   ")).for_each(|line| println!("   {line}"));
    check!(status.exit_status() == Some(0), "it failed: {text}");
    check!(text.contains("that took a P from a hog: 0\n"), "it did not say how it went: {text}");
    Ok(())
}

/// The kernel's nanosleep, which blocks the thread.
fn block_for_1_ms() {
    let mut left = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    while let Slept::Interrupted(rest) = nanosleep(&left) {
        left = rest;
    }
}

pub fn calls() -> Result<(), String> {
    const CALLERS: usize = 64;
    const CALLS: usize = 200;
    let ps = runtime::gomaxprocs(0) as usize;
    let (stop, work) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (made, threads) = (AtomicUsize::new(0), Mutex::new(BTreeSet::new()));
    let (mut wall, mut kept_percent) = (Duration::ZERO, 0);
    scope(|s| {
        for n in 0..ps as u64 {
            let (stop, work) = (&stop, &work);
            s.go(move || {
                let mut x = n + 1;
                while !stop.load(Relaxed) {
                    x = mix(x);
                    work.fetch_add(1, Relaxed);
                }
                black_box(x);
            });
        }
        sleep(50 * MS);
        let rate = |before: usize, time: Duration| (work.load(Relaxed) - before) as f64 / time.as_secs_f64();
        let (before, start) = (work.load(Relaxed), Instant::now());
        sleep(1000 * MS);
        let alone = rate(before, start.elapsed());
        let (before, start) = (work.load(Relaxed), Instant::now());
        scope(|s| {
            for _ in 0..CALLERS {
                s.go(|| {
                    // Its own list: whoever waited for a lock after each call would wait behind those who compute.
                    let made_by = [(); CALLS].map(|()| {
                        made.fetch_add(1, Relaxed);
                        blocking(|| {
                            block_for_1_ms();
                            gettid()
                        })
                    });
                    threads.lock().extend(made_by);
                });
            }
        });
        wall = start.elapsed();
        kept_percent = (rate(before, wall) / alone * 100.0) as u64;
        stop.store(true, Relaxed);
    });
    let (made, threads) = (made.load(Relaxed), threads.lock().len());
    println!("   {made} calls of 1 ms by {CALLERS} goroutines in {} ms; {threads} threads made them, beside {ps} Ps", wall.as_millis());
    println!("   {ps} goroutines that compute kept {kept_percent} % of their pace beside them");
    check!(made == CALLERS * CALLS, "only {made} calls were made");
    check!(threads > (ps + 2).min(CALLERS / 2), "the calls kept their Ps: only {threads} threads made them");
    check!(kept_percent > 0, "the calls left nothing for those who compute");
    Ok(())
}

/// What the timers of a stage share.
struct Fired {
    /// By how much each was late, in nanoseconds; `NOT_YET` until it fires.
    late: Vec<AtomicU64>,
    early: AtomicUsize,
    twice: AtomicUsize,
    all: WaitGroup,
}

const NOT_YET: u64 = u64::MAX;

impl Fired {
    fn at(&self, n: usize, due: Instant) {
        let now = Instant::now();
        self.early.fetch_add(usize::from(now < due), Relaxed);
        if self.late[n].swap((now - due).as_nanos() as u64, Relaxed) != NOT_YET {
            self.twice.fetch_add(1, Relaxed);
        }
        self.all.done();
    }
}

pub fn timers() -> Result<(), String> {
    // Some 200 B each; leave half of what is free to others.
    let wanted = 1_000_000;
    let available = read("/proc/meminfo").lines().find_map(|l| l.strip_prefix("MemAvailable:")?.split_whitespace().next()?.parse::<usize>().ok());
    let count = available.map_or(wanted, |kib| wanted.min(kib / 2 * 1024 / 200));
    if count < wanted {
        println!("   memory allows {count} of {wanted}");
    }
    let late = (0..count).map(|_| AtomicU64::new(NOT_YET)).collect();
    let fired = Arc::new(Fired { late, early: AtomicUsize::new(0), twice: AtomicUsize::new(0), all: WaitGroup::new() });
    fired.all.add(count as u32);
    let start = Instant::now();
    for n in 0..count {
        // In an order that is none, spread over a second.
        let due = start + 1000 * MS + Duration::from_nanos((n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) % 1_000_000_000);
        let fired = fired.clone();
        drop(after_func(due - Instant::now(), move || fired.at(n, due)));
    }
    let armed = start.elapsed();
    fired.all.wait();
    let mut late: Vec<u64> = fired.late.iter().map(|late| late.load(Relaxed)).collect();
    println!("   {count} timers armed in {} ms, all fired after {} ms", armed.as_millis(), start.elapsed().as_millis());
    println!("   late by {}", quantiles(&mut late));
    let (early, twice) = (fired.early.load(Relaxed), fired.twice.load(Relaxed));
    check!(early == 0, "{early} fired early");
    check!(twice == 0 && late.last() != Some(&NOT_YET), "{twice} fired twice, and as many never");
    Ok(())
}
