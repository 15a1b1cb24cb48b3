//! Timers: what their contracts say, and many of them.

#![no_std]
#![no_main]

extern crate alloc;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use gort::chan::make;
use gort::prelude::*;
use gort::sync::WaitGroup;
use gort::time::{Duration, Instant, SystemTime, Ticker, Timer, UNIX_EPOCH, after, after_func, sleep, tick};
use gort::{go, os, runtime};

gort::main!(main);

const MS: Duration = Duration::from_millis(1);

fn main() {
    match os::args().nth(1) {
        Some("contracts") => contracts(),
        Some("million") => million(),
        Some("storm") => storm(os::args().nth(2).and_then(|n| n.parse().ok()).unwrap_or(1)),
        Some("forever") => forever(),
        Some("dead") => dead(),
        Some("short") => short(),
        Some("coalesce") => coalesce(),
        Some("idle") => idle(),
        Some("ticker") => ticker(),
        other => panic!("no scenario {other:?}"),
    }
}

fn contracts() {
    sleeping();
    one_shot();
    no_stale_values();
    ticking();
    calls();
    clocks();
    println!("contracts hold");
}

fn sleeping() {
    for d in [Duration::ZERO, Duration::from_micros(50), MS, 3 * MS] {
        let start = Instant::now();
        sleep(d);
        assert!(start.elapsed() >= d);
    }
    // In the order of their times, not of their starts; but for a machine that is so late that two are due at once, on two Ps.
    let sleepers = || {
        let c = make::<u64>(8);
        for n in [5, 1, 4, 2, 3] {
            let c = c.sender();
            go(move || {
                sleep(Duration::from_millis(20 * n));
                c.send(n);
            });
        }
        let order: Vec<u64> = (0..5).filter_map(|_| c.recv()).collect();
        assert_eq!(order.iter().sum::<u64>(), 15, "{order:?}");
        order.is_sorted()
    };
    assert!((0..5).any(|_| sleepers()), "out of order each time");
}

fn one_shot() {
    let start = Instant::now();
    let fired = after(2 * MS).recv().expect("after sends before it closes");
    assert!(fired - start >= 2 * MS);
    let timer = Timer::new(MS);
    assert!(timer.chan().recv().is_some());
    assert!(!timer.stop(), "it has fired, and the value was received");
    assert!(!timer.reset(MS));
    assert!(timer.chan().recv().is_some());
    let timer = Timer::new(3600 * 1000 * MS);
    assert!(timer.stop());
    assert!(!timer.stop());
    // Brought forward, put off.
    assert!(!timer.reset(3600 * 1000 * MS));
    assert!(timer.reset(MS));
    assert!(timer.chan().recv().is_some());
    let start = Instant::now();
    timer.reset(MS);
    timer.reset(30 * MS);
    timer.chan().recv();
    assert!(start.elapsed() >= 30 * MS);
    // Who drops it closes its channel.
    let timer = Timer::new(3600 * 1000 * MS);
    let c = timer.chan().clone();
    drop(timer);
    assert!(c.recv().is_none());
}

fn no_stale_values() {
    for n in 0..200 {
        let timer = Timer::new(Duration::from_micros(n * 5));
        sleep(Duration::from_micros(500));
        if n % 2 == 0 {
            assert!(timer.stop(), "fired, but nobody has received the value");
            assert!(timer.chan().try_recv().is_err(), "a stale value after stop");
        } else {
            let start = Instant::now();
            assert!(timer.reset(MS));
            let fired = timer.chan().recv().expect("open");
            assert!(fired - start >= MS, "a stale value after reset");
        }
    }
}

fn ticking() {
    let start = Instant::now();
    let ticker = Ticker::new(2 * MS);
    for n in 1..=5 {
        ticker.chan().recv();
        assert!(start.elapsed() >= 2 * n * MS);
    }
    // Ticks that nobody takes are dropped: at most one waits.
    sleep(20 * MS);
    ticker.chan().recv();
    ticker.stop();
    assert!(ticker.chan().try_recv().is_err());
    ticker.reset(MS);
    assert!(ticker.chan().recv().is_some());
    assert!(tick(Duration::ZERO).is_none());
    assert!(tick(MS).and_then(|c| c.recv()).is_some());
}

fn calls() {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let c = make::<()>(4);
    let sender = c.sender();
    let call = after_func(MS, move || {
        COUNT.fetch_add(1, Relaxed);
        sender.send(());
    });
    c.recv();
    assert!(!call.stop());
    assert!(!call.reset(MS));
    c.recv();
    assert!(!call.reset(3600 * 1000 * MS));
    assert!(call.stop());
    assert_eq!(COUNT.load(Relaxed), 2);
    // Its handle may go.
    let sender = c.sender();
    drop(after_func(MS, move || sender.send(())));
    c.recv();
    // It starts although its maker computes and never calls the runtime again.
    static STOP: AtomicBool = AtomicBool::new(false);
    runtime::gomaxprocs(1);
    after_func(5 * MS, || STOP.store(true, SeqCst));
    while !STOP.load(SeqCst) {
        core::hint::spin_loop();
    }
    runtime::gomaxprocs(runtime::num_cpu());
    // What it holds is dropped once, whatever became of it.
    let held = Arc::new(());
    for n in 0..1000 {
        let held = held.clone();
        let call = after_func(Duration::from_micros(n % 7 * 100), move || drop(held.clone()));
        if n % 3 == 0 {
            call.stop();
        }
    }
    let start = Instant::now();
    while Arc::strong_count(&held) != 1 {
        assert!(start.elapsed() < Duration::from_secs(20), "{} are still held", Arc::strong_count(&held));
        sleep(MS);
    }
}

fn clocks() {
    let (now, wall) = (Instant::now(), SystemTime::now());
    assert!(now + MS > now && (now + MS) - now == MS && now - (now + MS) == Duration::ZERO);
    assert!(now.checked_add(Duration::MAX).is_none());
    assert!(wall.duration_since(UNIX_EPOCH).is_ok_and(|d| d.as_secs() > 1_700_000_000));
    assert_eq!(UNIX_EPOCH.duration_since(UNIX_EPOCH + MS).unwrap_err().duration(), MS);
}

/// A million goroutines sleep until the same half second, spread over 100 ms.
fn million() {
    let count: u32 = os::args().nth(2).and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let wait = WaitGroup::new();
    let start = Instant::now();
    let late = Arc::new((AtomicU64::new(0), AtomicU64::new(0)));
    wait.add(count);
    for n in 0..count {
        let (wait, late) = (wait.clone(), late.clone());
        go(move || {
            let until = start + Duration::from_secs(4) + Duration::from_nanos(u64::from(n) * 100);
            sleep(until - Instant::now());
            let by = (Instant::now() - until).as_micros() as u64;
            late.0.fetch_max(by, Relaxed);
            late.1.fetch_add(1, Relaxed);
            wait.done();
        });
    }
    let spawned = start.elapsed();
    wait.wait();
    println!(
        "{} slept, spawned in {} ms, all awake after {} ms, latest {} us",
        late.1.load(Relaxed),
        spawned.as_millis(),
        start.elapsed().as_millis(),
        late.0.load(Relaxed)
    );
}

/// Timers of all kinds made, stopped, reset, fired by many goroutines while GOMAXPROCS changes.
fn storm(seconds: u64) {
    static FIRED: AtomicU64 = AtomicU64::new(0);
    static ARMED: AtomicU64 = AtomicU64::new(0);
    // Some kinds only, to narrow a failure down: bits 0 to 5; bit 6: GOMAXPROCS changes.
    let mask: u64 = os::args().nth(3).and_then(|n| n.parse().ok()).unwrap_or(127);
    let wait = WaitGroup::new();
    let end = Instant::now() + Duration::from_secs(seconds);
    wait.add(17);
    for worker in 0..16u64 {
        let wait = wait.clone();
        go(move || {
            let mut x = worker + 1;
            let mut random = move |below: u64| {
                x = x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (x >> 33) % below
            };
            let timers: Vec<Timer> = (0..20).map(|_| Timer::new(3600 * 1000 * MS)).collect();
            while Instant::now() < end {
                let kind = random(6);
                if mask >> kind & 1 == 0 {
                    continue;
                }
                match kind {
                    0 => sleep(Duration::from_micros(random(300))),
                    1 => {
                        let timer = &timers[random(20) as usize];
                        timer.reset(Duration::from_micros(random(400)));
                    }
                    2 => {
                        let timer = &timers[random(20) as usize];
                        timer.stop();
                        assert!(timer.chan().try_recv().is_err(), "stale");
                    }
                    3 => {
                        let timer = &timers[random(20) as usize];
                        let start = Instant::now();
                        timer.reset(Duration::from_micros(50));
                        let fired = timer.chan().recv().expect("open");
                        assert!(fired - start >= Duration::from_micros(50), "early or stale");
                    }
                    4 => {
                        ARMED.fetch_add(1, Relaxed);
                        let call = after_func(Duration::from_micros(random(500)), || _ = FIRED.fetch_add(1, Relaxed));
                        if random(2) == 0 && call.stop() {
                            ARMED.fetch_sub(1, Relaxed);
                        }
                    }
                    _ => {
                        after(Duration::from_micros(random(100))).recv();
                    }
                }
            }
            wait.done();
        });
    }
    {
        let wait = wait.clone();
        go(move || {
            let mut n = 0;
            while Instant::now() < end && mask & 64 != 0 {
                runtime::gomaxprocs([1, 2, 8, 3][n % 4]);
                n += 1;
                sleep(MS);
            }
            wait.done();
        });
    }
    wait.wait();
    let start = Instant::now();
    while FIRED.load(Relaxed) != ARMED.load(Relaxed) {
        assert!(start.elapsed() < Duration::from_secs(20), "armed {} fired {}", ARMED.load(Relaxed), FIRED.load(Relaxed));
        sleep(MS);
    }
    println!("storm: {} calls, none lost", FIRED.load(Relaxed));
}

/// Sleeps for ever: no deadlock, since a timer is armed.
fn forever() {
    println!("asleep");
    sleep(Duration::MAX);
}

/// All timers are stopped, and everybody waits: a deadlock, at once.
fn dead() {
    let timer = Timer::new(3600 * 1000 * MS);
    let ticker = Ticker::new(MS);
    timer.stop();
    ticker.stop();
    timer.chan().recv();
}

/// Goroutines that wait for what does not come, and one timer far ahead.
fn idle() {
    let c = make::<()>(0);
    for _ in 0..10 {
        let c = c.clone();
        go(move || c.recv());
    }
    println!("idle");
    sleep(Duration::from_secs(3600));
}

/// One tick a second.
fn ticker() {
    let c = make::<()>(0);
    go(move || c.recv());
    let ticker = Ticker::new(Duration::from_secs(1));
    println!("ticking");
    loop {
        ticker.chan().recv();
    }
}

/// Sleeps of 50 us, alone: what they take.
fn short() {
    let mut took: Vec<u64> = (0..1000)
        .map(|_| {
            let start = Instant::now();
            sleep(Duration::from_micros(50));
            start.elapsed().as_micros() as u64
        })
        .collect();
    took.sort_unstable();
    println!("p50_us {} p90_us {}", took[500], took[900]);
}

/// 1 000 goroutines sleep for less than a millisecond, again and again: what that costs sysmon.
fn coalesce() {
    static STOP: AtomicBool = AtomicBool::new(false);
    static SLEPT: AtomicU64 = AtomicU64::new(0);
    let wait = WaitGroup::new();
    wait.add(1000);
    for n in 0..1000u64 {
        let wait = wait.clone();
        go(move || {
            let mut x = n + 1;
            while !STOP.load(Relaxed) {
                x = x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                sleep(Duration::from_micros((x >> 33) % 1000));
                SLEPT.fetch_add(1, Relaxed);
            }
            wait.done();
        });
    }
    sleep(Duration::from_secs(1));
    STOP.store(true, Relaxed);
    wait.wait();
    println!("slept {} passes {}", SLEPT.load(Relaxed), gort::__private::sysmon::passes());
}
