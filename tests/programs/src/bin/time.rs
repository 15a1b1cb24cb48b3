//! `time`: what the documentation of Go's timers and tickers says, and the bugs that they once had.

#![no_std]
#![no_main]

extern crate alloc;

#[path = "../scenario.rs"]
mod scenario;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use gort::__private::{heap, tick_from};
use gort::debug;
use gort::prelude::*;
use gort::runtime::{gosched, num_goroutine};
use gort::time::{AfterFunc, Duration, Instant, Ticker, Timer, after, after_func, sleep, tick};
use scenario::{number, until};

gort::main!(main);

const MS: Duration = Duration::from_millis(1);
const US: Duration = Duration::from_micros(1);
const NS: Duration = Duration::from_nanos(1);
const HOUR: Duration = Duration::from_secs(3600);

fn main() {
    let scenario = scenario::begin();
    match scenario {
        "sleeps" => sleeps(),
        "chain" => chain(),
        "ticker_stress" => ticker_stress(),
        "after" => afters(),
        "after_stop" => after_stop(),
        "queuing" => queuing(),
        "sleep_zero" => sleep_zero(),
        "reset" => resets(),
        "overflow" => overflow(),
        "earlier" => earlier(),
        "adjust" => adjust(),
        "multi_wakeup" => multi_wakeup(number(3)),
        "stop_result" => stop_result(number(3)),
        "zero" => zero(number(3)),
        "ticker" => ticker(),
        "teardown" => teardown(),
        "long_adjust" => long_adjust(number(3)),
        "freed" => freed(number(3) as usize),
        "times" => times(),
        "channel" => channel(),
        "new_ticker_of_zero" => drop(Ticker::new(Duration::ZERO)),
        "reset_to_zero" => Ticker::new(HOUR).reset(Duration::ZERO),
        other => panic!("no scenario {other:?}"),
    }
    println!("{scenario} done");
}

/// What must hold whatever the machine's load, tried with longer and longer times.
fn in_some_time(what: &str, mut holds: impl FnMut(Duration) -> bool) {
    assert!((0..12).any(|n| holds(MS * (1 << n))), "{what}");
}

/// A timer by `after_func`, whose call sends on a channel: as those of channels, on another way.
struct CallTimer {
    call: AfterFunc,
    c: Chan<Instant>,
}

impl CallTimer {
    fn new(duration: Duration) -> CallTimer {
        let c = chan::make(1);
        let call = after_func(duration, {
            let c = c.clone();
            move || c.send(Instant::now())
        });
        CallTimer { call, c }
    }
}

fn sleeps() {
    for d in [Duration::ZERO, NS, 10 * US, MS, 30 * MS] {
        for _ in 0..10 {
            let start = Instant::now();
            sleep(d);
            assert!(start.elapsed() >= d, "it has slept for {:?} of {d:?}", start.elapsed());
        }
    }
    // Many at a time, on whatever thread.
    let wait = WaitGroup::new();
    for n in 0..2000 {
        wait.go(move || {
            let (start, d) = (Instant::now(), US * (n * 37 % 20_000));
            sleep(d);
            assert!(start.elapsed() >= d);
        });
    }
    wait.wait();
}

/// A call that starts the next one, each time at once; each takes its time.
fn chain() {
    static LEFT: AtomicU32 = AtomicU32::new(10);
    fn next(c: &Sender<bool>) {
        if LEFT.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok() {
            after_func(Duration::ZERO, {
                let c = c.clone();
                move || next(&c)
            });
            sleep(1000 * MS);
        } else {
            c.send(true);
        }
    }
    let c = chan::make(0);
    after_func(Duration::ZERO, {
        let c = c.sender();
        move || next(&c)
    });
    assert_eq!(c.recv(), Some(true));
}

/// Tickers of a nanosecond, received from by one and by many, while the world stops again and again.
fn ticker_stress() {
    static STOP: AtomicBool = AtomicBool::new(false);
    let stops = gort::spawn(|| {
        while !STOP.load(SeqCst) {
            drop(debug::leaks()); // stops the world
            sleep(NS);
        }
    });
    let ticker = Ticker::new(NS);
    (0..100).for_each(|_| assert!(ticker.recv().is_some()));
    let ticker = Arc::new(ticker);
    let wait = WaitGroup::new();
    for _ in 0..10 {
        let ticker = ticker.clone();
        wait.go(move || (0..100).for_each(|_| assert!(ticker.recv().is_some())));
    }
    wait.wait();
    ticker.stop();
    STOP.store(true, SeqCst);
    stops.join().unwrap();
    assert!(ticker.try_recv().is_err());
}

fn afters() {
    for d in [NS, MS, 20 * MS] {
        let start = Instant::now();
        let timer = after(d);
        let fired = timer.recv().unwrap();
        assert!(start.elapsed() >= d && fired >= start + d && fired <= Instant::now());
        // Once.
        assert!(timer.try_recv() == Err(chan::TryRecvError::Empty));
    }
    // Ten of them take ten times as long.
    let start = Instant::now();
    (0..10).for_each(|_| assert!(after(10 * MS).recv().is_some()));
    assert!(start.elapsed() >= 100 * MS);
}

/// Who is stopped in time does not fire, and says so once. Too late on a busy machine: then with longer times.
fn after_stop() {
    in_some_time("a timer was not stopped in time, or fired all the same", |d| {
        let _before = after_func(2 * d, || ());
        let (by_channel, by_call) = (Timer::new(d), CallTimer::new(d));
        let (c, called) = (after(4 * d), chan::make::<()>(1));
        let call = after_func(3 * d, {
            let called = called.clone();
            move || called.send(())
        });
        if !(by_channel.stop() && by_call.call.stop() && call.stop()) {
            return false; // late
        }
        c.recv();
        assert!(by_channel.try_recv().is_err() && by_call.c.try_recv().is_err() && called.try_recv().is_err(), "stopped, and it has fired");
        assert!(!by_channel.stop() && !by_call.call.stop() && !call.stop(), "stopped twice");
        true
    });
}

/// Whatever their order of beginning, they fire in the order of their times.
fn queuing() {
    const SLOTS: [u32; 13] = [5, 3, 6, 6, 6, 1, 1, 2, 7, 9, 4, 8, 0];
    for by_call in [false, true] {
        in_some_time("timers fire out of order", |d| {
            let result = chan::make(SLOTS.len());
            let start = Instant::now();
            for slot in SLOTS {
                let result = result.clone();
                let (timer, call) = if by_call { (None, Some(CallTimer::new(slot * d))) } else { (Some(after(slot * d)), None) };
                go(move || {
                    let fired = match (&timer, &call) {
                        (Some(timer), _) => timer.recv(),
                        (_, Some(call)) => call.c.recv(),
                        _ => None,
                    };
                    result.send((slot, fired.unwrap()));
                });
            }
            let got: Vec<(u32, Instant)> = (0..SLOTS.len()).filter_map(|_| result.recv()).collect();
            assert!(got.iter().all(|&(slot, fired)| fired >= start + slot * d), "early");
            got.is_sorted_by_key(|&(slot, _)| slot)
        });
    }
}

/// Sleeps of nothing between stops of the world.
fn sleep_zero() {
    let stops = gort::spawn(|| (0..100).for_each(|_| drop(debug::leaks())));
    for _ in 0..1000 {
        sleep(Duration::ZERO);
        let c = chan::make::<bool>(1);
        c.send(true);
        assert_eq!(c.recv(), Some(true));
    }
    stops.join().unwrap();
}

fn resets() {
    in_some_time("a timer that was reset is early or late", |d| {
        let timer = Timer::new(2 * d);
        sleep(d);
        if !timer.reset(3 * d) {
            return false; // it has fired already: late
        }
        sleep(2 * d);
        if timer.try_recv().is_ok() {
            return false;
        }
        sleep(2 * d);
        let fired = timer.try_recv().is_ok();
        fired && !timer.reset(50 * MS)
    });
    // A ticker that is reset forgets its old period, from whichever side.
    let ticker = Ticker::new(HOUR);
    let start = Instant::now();
    ticker.reset(2 * MS);
    (1..=3).for_each(|n| assert!(ticker.recv().is_some() && start.elapsed() >= n * 2 * MS));
    ticker.reset(HOUR);
    assert!(ticker.recv_timeout(20 * MS).is_err());
    ticker.stop();
    ticker.reset(MS);
    assert!(ticker.recv().is_some());
}

/// Times that the clock has no room for.
fn overflow() {
    static WOKE: AtomicBool = AtomicBool::new(false);
    let huge = [Duration::MAX, Duration::from_nanos(u64::MAX), Duration::from_nanos(i64::MAX as u64), Duration::from_secs(u64::MAX)];
    for d in huge {
        go(move || {
            sleep(d);
            WOKE.store(true, SeqCst);
        });
        after_func(d, || WOKE.store(true, SeqCst));
        let (timer, ticker) = (after(d), Ticker::new(d));
        select! {
            recv(timer) => panic!("{d:?} are over"),
            recv(ticker) => panic!("{d:?} are over"),
            recv(after(10 * MS)) => {}
        }
        // They can be stopped, brought forward, put off again.
        assert!(timer.stop() && !timer.reset(d) && timer.reset(d) && timer.reset(MS));
        assert!(timer.recv().is_some() && !timer.reset(d));
        ticker.reset(MS);
        assert!(ticker.recv().is_some());
        ticker.reset(d);
        assert!(ticker.recv_timeout(5 * MS).is_err());
    }
    // A period that ends beyond the clock, after a tick that comes at once: that one, and no other; and other timers go on.
    for d in huge {
        for first in [Duration::ZERO, NS, MS] {
            let ticker = tick_from(first, d);
            assert!(ticker.recv().is_some());
            assert!(ticker.recv_timeout(5 * MS).is_err(), "a tick {d:?} after the first");
            assert!(after(MS).recv().is_some());
            ticker.reset(MS);
            assert!(ticker.recv().is_some());
        }
    }
    // In the past, and now: at once.
    sleep(Duration::ZERO);
    assert!(after(Duration::ZERO).recv_timeout(Duration::from_secs(60)).is_ok());
    assert!(CallTimer::new(Duration::ZERO).c.recv_timeout(Duration::from_secs(60)).is_ok());
    let timer = Timer::new(HOUR);
    assert!(timer.reset(Duration::ZERO));
    assert!(timer.recv_timeout(Duration::from_secs(60)).is_ok());
    assert!(!WOKE.load(SeqCst));
}

/// Timers that are brought forward again and again fire, and soon.
fn earlier() {
    for round in 0..1000 {
        let timer = CallTimer::new(HOUR);
        for _ in 0..10 {
            if !timer.call.stop() {
                timer.c.recv();
            }
            timer.call.reset(Duration::ZERO);
        }
        let by_channel = Timer::new(HOUR);
        (0..10).for_each(|n| _ = by_channel.reset(US * (10 - n)));
        for c in [&timer.c.receiver(), by_channel.chan()] {
            assert!(c.recv_timeout(Duration::from_secs(60)).is_ok(), "round {round}: it was lost");
        }
    }
}

/// A hundred timers moved forward and back by chance: what is due comes.
fn adjust() {
    let mut x = 1u64;
    let mut random = move |below: usize| {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (x >> 33) as usize % below
    };
    let mut timers: Vec<(CallTimer, u32)> = (0..100).map(|_| (CallTimer::new(Duration::ZERO), 0)).collect();
    let minute = Duration::from_secs(60);
    while !timers.is_empty() {
        let n = random(timers.len());
        let (timer, state) = &mut timers[n];
        *state += 1;
        let at_once = |timer: &CallTimer| assert!(timer.c.recv_timeout(minute).is_ok(), "lost");
        match *state {
            1 | 9 => at_once(timer),
            2 => assert!(!timer.call.reset(60 * minute), "it was idle"),
            4 => assert!(!timer.call.reset(180 * minute), "it was idle"),
            6 => assert!(!timer.call.reset(120 * minute), "it was idle"),
            3 | 5 | 7 => assert!(timer.call.stop(), "it was armed, for long"),
            8 => assert!(!timer.call.reset(Duration::ZERO), "it was idle"),
            _ => drop(timers.swap_remove(n)),
        }
    }
}

/// One ticker, one timer, and many who wake by them.
fn multi_wakeup(rounds: u32) {
    let ticker = Arc::new(Ticker::new(US));
    let timer = Arc::new(Timer::new(NS));
    let wait = WaitGroup::new();
    for _ in 0..8 {
        let (ticker, timer) = (ticker.clone(), timer.clone());
        wait.go(move || {
            for _ in 0..rounds {
                select! {
                    recv(*ticker) => {}
                    recv(after(MS)) => {}
                }
            }
            for _ in 0..rounds {
                select! {
                    recv(*timer) => {}
                    default => {}
                }
                timer.reset(NS);
            }
        });
    }
    wait.wait();
    timer.reset(HOUR);
    assert!(timer.try_recv().is_err(), "a stale value");
}

/// Two timers of the same time, one of them received: the other was stopped, or its value is there.
fn stop_result(rounds: u32) {
    for stops in [true, false] {
        let start = chan::make::<()>(0);
        let wait = WaitGroup::new();
        for _ in 0..100 {
            let start = start.receiver();
            wait.go(move || {
                start.recv();
                for _ in 0..rounds {
                    let (one, other) = (Timer::new(MS), Timer::new(MS));
                    let left = select! {
                        recv(one) => &other,
                        recv(other) => &one,
                    };
                    let is_active = if stops { left.stop() } else { left.reset(HOUR) };
                    assert!(is_active, "neither stopped nor received");
                    assert!(left.try_recv().is_err(), "a stale value");
                }
            });
        }
        start.close();
        wait.wait();
    }
}

/// Timers of no time are not missed.
fn zero(rounds: u32) {
    let again = CallTimer::new(HOUR);
    for n in 0..rounds {
        let fired = match n % 3 {
            0 => Timer::new(Duration::ZERO).recv_timeout(Duration::from_secs(60)),
            1 => CallTimer::new(Duration::ZERO).c.recv_timeout(Duration::from_secs(60)),
            _ => {
                again.call.reset(Duration::ZERO);
                again.c.recv_timeout(Duration::from_secs(60))
            }
        };
        assert!(fired.is_ok(), "round {n}");
    }
}

fn ticker() {
    // As long as expected, and not much longer, if the machine lets it.
    in_some_time("a ticker's pace", |d| {
        let d = d.max(4 * MS);
        let start = Instant::now();
        let ticker = Ticker::new(d);
        (0..5).for_each(|_| _ = ticker.recv());
        ticker.reset(2 * d);
        (0..5).for_each(|_| _ = ticker.recv());
        ticker.stop();
        let took = start.elapsed();
        assert!(took >= 15 * d, "ten ticks in {took:?}");
        sleep(2 * d);
        assert!(ticker.try_recv().is_err(), "it ticks though it was stopped");
        took <= 20 * d
    });
    // Missed ticks are missed, and the rhythm stays.
    let start = Instant::now();
    let ticker = Ticker::new(10 * MS);
    sleep(35 * MS);
    let waited = ticker.recv().unwrap();
    assert!(waited >= start + 10 * MS);
    let next = ticker.recv().unwrap();
    assert!(next > waited && next - start >= 40 * MS, "a missed tick came later");
    assert!(tick(Duration::ZERO).is_none());
    let again = tick(MS).unwrap();
    let times: Vec<Instant> = again.iter().take(5).collect();
    assert!(times.is_sorted() && times.len() == 5);
}

/// Tickers that are stopped with a tick that nobody has received, dropped while they tick, stopped by another goroutine: nobody hangs.
fn teardown() {
    for n in 0..200 {
        let ticker = Ticker::new(US * (n % 50 + 1));
        match n % 4 {
            0 => drop(ticker.recv()),
            1 => sleep(100 * US),
            _ => {}
        }
        ticker.stop();
        if n % 3 == 0 {
            ticker.stop();
            ticker.reset(US);
        }
    }
    for _ in 0..100 {
        let ticker = Arc::new(Ticker::new(US));
        let other = gort::spawn({
            let ticker = ticker.clone();
            move || (0..20).for_each(|_| ticker.stop())
        });
        (0..20).for_each(|_| ticker.reset(US));
        other.join().unwrap();
        ticker.reset(US);
        assert!(ticker.recv().is_some());
    }
    // Who waits when it is dropped is told.
    let ticker = Ticker::new(HOUR);
    let c = ticker.chan().clone();
    let waits = gort::spawn(move || c.recv());
    sleep(MS);
    drop(ticker);
    assert_eq!(waits.join().unwrap(), None);
}

/// A heap of very many timers, and goroutines that go through the scheduler meanwhile: neither stalls.
fn long_adjust(rounds: u32) {
    let wait = WaitGroup::new();
    for _ in 0..5000 {
        wait.go(|| sleep(10 * US));
    }
    (0..5000).for_each(|_| sleep(US));
    // Sixty thousand that are far away, and are moved now and then.
    let far: Vec<Timer> = (0..60_000).map(|n| Timer::new(HOUR + US * n)).collect();
    let (to, from) = (chan::make::<u32>(0), chan::make::<u32>(0));
    wait.go({
        let (to, from) = (to.clone(), from.clone());
        move || {
            let mut queue = alloc::collections::VecDeque::new();
            loop {
                let first = queue.front().copied();
                let sends = first.map(|_| from.clone());
                select! {
                    send(sends, first.unwrap_or(0)) => _ = queue.pop_front(),
                    recv(to) -> value => match value {
                        Some(value) => queue.push_back(value),
                        None => return,
                    },
                }
            }
        }
    });
    for round in 0..rounds {
        (0..20).for_each(|n| to.send(n));
        for n in 0..20 {
            select! {
                recv(from) -> value => assert_eq!(value, Some(n)),
                recv(after(Duration::from_secs(60))) => panic!("round {round}: nothing for a minute"),
            }
        }
        let timer = &far[(round as usize * 7919) % far.len()];
        assert!(timer.reset(HOUR * (round % 3)) || round % 3 == 0 || timer.try_recv().is_err());
    }
    // All of them, to and fro.
    far.iter().for_each(|timer| _ = timer.reset(2 * HOUR));
    far.iter().for_each(|timer| _ = timer.reset(HOUR));
    far.iter().for_each(|timer| _ = timer.reset(NS));
    far.iter().for_each(|timer| assert!(timer.recv().is_some()));
    to.close();
    wait.wait();
}

/// What was dropped or stopped before its time leaves nothing behind.
fn freed(count: usize) {
    type Round = fn();
    let kinds: [(&str, Round); 9] = [
        ("after", || drop(after(HOUR))),
        ("tick", || drop(tick(HOUR))),
        ("Timer::new", || drop(Timer::new(HOUR))),
        ("Ticker::new", || drop(Ticker::new(HOUR))),
        ("Timer::stop", || _ = Timer::new(HOUR).stop()),
        ("Ticker::stop", || Ticker::new(HOUR).stop()),
        ("a far timer that was brought forward", || {
            let timer = Timer::new(HOUR);
            timer.reset(Duration::ZERO);
            timer.recv();
        }),
        ("after_func that was stopped", || assert!(after_func(HOUR, || ()).stop())),
        ("after in a select", || {
            let c = chan::make::<()>(1);
            c.send(());
            select! { recv(c) => {}, recv(after(HOUR)) => {} }
        }),
    ];
    for (what, once) in kinds {
        // What a user made is dropped by a goroutine, whose turn comes when we wait.
        let rounds = || {
            (0..count).for_each(|_| once());
            until("goroutines that drop are done", || num_goroutine() == 1);
            heap::live_and_idle().0
        };
        let (before, after) = (rounds(), rounds());
        // Each has 300 bytes or more. Caches, and what was stopped last, are a few hundred KiB.
        assert!(after < before + 40 * count, "{what}: {count} have left {} bytes", after - before);
    }
    // What a call holds is dropped with it.
    let held = Arc::new(());
    for _ in 0..count {
        let held = held.clone();
        assert!(after_func(HOUR, move || drop(held.clone())).stop());
    }
    // Very many at once do not take as many goroutines.
    let calls: Vec<AfterFunc> = (0..2 * count)
        .map(|_| {
            let held = held.clone();
            after_func(HOUR, move || drop(held.clone()))
        })
        .collect();
    let mut most = 0;
    for call in calls {
        assert!(call.stop());
        most = most.max(num_goroutine());
    }
    assert!(most < 200, "{most} goroutines to drop {count} closures");
    // A goroutine drops what users made. What was stopped last stays, 64 in the heap of each P.
    until("goroutines that drop are done", || num_goroutine() == 1);
    let left = Arc::strong_count(&held);
    assert!(left < 1000, "{left} of {count} are held by calls that were stopped");
}

/// The time that is received is that at which it fired.
fn times() {
    let close = |what: &str, timer: &dyn Fn() -> Instant| {
        let holds = (0..10).any(|_| {
            let start = Instant::now();
            let fired = timer();
            assert!(fired >= start + 10 * MS);
            fired - start < 200 * MS
        });
        assert!(holds, "{what}: the time of the receive, ten times");
    };
    close("after", &|| {
        let timer = after(10 * MS);
        sleep(300 * MS);
        timer.recv().unwrap()
    });
    close("tick", &|| {
        let ticker = tick(10 * MS).unwrap();
        sleep(300 * MS);
        ticker.recv().unwrap()
    });
}

/// A timer's channel, as it is stopped and reset, with and without goroutines that wait on it: Go 1.23's rules.
fn channel() {
    let wait_for = |c: &Receiver<Instant>| assert!(c.recv_timeout(Duration::from_secs(60)).is_ok(), "a tick is missing");
    for is_ticker in [false, true] {
        let (timer, ticker) = (Timer::new(HOUR), Ticker::new(HOUR));
        let c = if is_ticker { ticker.chan() } else { timer.chan() };
        let stop = || if is_ticker { ticker.stop() } else { _ = timer.stop() };
        let reset = |d| if is_ticker { ticker.reset(d) } else { _ = timer.reset(d) };
        let none = |what: &str| assert!(c.try_recv() == Err(chan::TryRecvError::Empty), "{what}: a stale value, is_ticker: {is_ticker}");
        stop();
        none("stopped");
        reset(HOUR);
        none("far away");
        reset(NS);
        wait_for(c);
        // A ticker has a value again by now. It is not received after a reset.
        sleep(2 * MS);
        reset(HOUR);
        none("reset");
        // A goroutine waits: far away, farther, now.
        let waits = gort::spawn({
            let c = c.clone();
            move || c.recv().is_some()
        });
        sleep(2 * MS);
        reset(2 * HOUR);
        sleep(2 * MS);
        assert!(!waits.is_finished());
        reset(NS);
        assert!(waits.join().unwrap());
        stop();
        none("stopped while one waited");
        // Two wait in a select, one of them goes on.
        reset(HOUR);
        let quit = chan::make::<()>(0);
        let two: Vec<_> = (0..2)
            .map(|_| {
                let (c, quit) = (c.clone(), quit.receiver());
                gort::spawn(move || select! { recv(c) => 1, recv(quit) => 0 })
            })
            .collect();
        sleep(2 * MS);
        reset(MS);
        if is_ticker {
            // Each gets a tick.
            assert_eq!(two.into_iter().map(|one| one.join().unwrap()).sum::<u32>(), 2);
        } else {
            until("one of them has it", || two.iter().any(|one| one.is_finished()));
            quit.close();
            assert_eq!(two.into_iter().map(|one| one.join().unwrap()).sum::<u32>(), 1);
        }
        stop();
        none("stopped after two");
        // A value that nobody has received counts as active, and is gone.
        for _ in 0..20 {
            reset(NS);
            until("it has fired", || !c.is_empty());
            if !is_ticker {
                assert!(timer.stop());
            }
            stop();
            none("stopped with a value");
            reset(NS);
            until("it has fired", || !c.is_empty());
            if !is_ticker {
                assert!(timer.reset(HOUR));
            }
            reset(HOUR);
            none("reset with a value");
        }
    }
    // Each who stops a timer that others reset sees no value of before.
    let timer = Arc::new(Timer::new(HOUR));
    static STOP: AtomicBool = AtomicBool::new(false);
    static SEEN: AtomicU64 = AtomicU64::new(0);
    let receives = gort::spawn({
        let timer = timer.clone();
        move || {
            while !STOP.load(SeqCst) {
                if timer.try_recv().is_ok() {
                    SEEN.fetch_add(1, Relaxed);
                }
                gosched();
            }
        }
    });
    for n in 0..3000 {
        let start = Instant::now();
        timer.reset(US * (n % 20));
        (0..n % 7).for_each(|_| gosched());
        timer.reset(50 * US);
        if let Ok(fired) = timer.try_recv() {
            assert!(fired >= start + 50 * US, "round {n}: a value of the time before");
        }
    }
    STOP.store(true, SeqCst);
    receives.join().unwrap();
}
