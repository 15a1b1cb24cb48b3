//! Bubbles: virtual time, durable waits, what is not durable, ends and deadlocks.

#![no_std]
#![no_main]

extern crate alloc;

#[path = "../scenario.rs"]
mod scenario;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use gort::chan::{RecvTimeoutError, SendTimeoutError};
use gort::prelude::*;
use gort::runtime::{gosched, lock_os_thread, num_goroutine};
use gort::testing::{self, bubble, wait};
use gort::time::{self, Duration, Instant, SystemTime, Ticker, Timer, UNIX_EPOCH, after_func, sleep};
use scenario::{number, until};

gort::main!(main);

const NS: Duration = Duration::from_nanos(1);
const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);
/// Midnight UTC 2000-01-01.
const BEGIN: Duration = Duration::from_secs(946_684_800);

fn main() {
    let scenario = scenario::begin();
    match scenario {
        "now" => now(),
        "monotonic" => monotonic(),
        "waits" => waits(),
        "happens_before" => happens_before(),
        "timers" => timers(),
        "at_once" => at_once(),
        "in_the_past" => in_the_past(),
        "chance" => chance(),
        "after_funcs" => after_funcs(),
        "timeouts" => timeouts(),
        "tickers" => tickers(),
        "outside" => outside(),
        "not_durable" => not_durable(),
        "groups" => groups(),
        "conds" => conds(),
        "scopes_and_joins" => scopes_and_joins(),
        "ends" => ends(),
        "values" => values(),
        "many" => many(number(3)),
        "storm" => storm(number(3)),
        "locked" => locked(),
        "finalizer" => finalizer(),
        "handles_outlive_it" => handles_outlive_it(),
        // Misuse: each ends the program.
        "nested" => bubble(|| bubble(|| ())),
        "wait_outside" => wait(),
        "sleep_outside" => testing::sleep(NS),
        "wait_twice" => bubble(|| {
            go(wait);
            go(wait);
            // Not durable: so both come to wait.
            testing_spin();
        }),
        "deadlock_main" => bubble(|| select! {}),
        "deadlock_child" => bubble(|| {
            go(|| select! {});
        }),
        "deadlock_ticker" => bubble(|| {
            go(|| assert_eq!(time::tick(S).unwrap().recv(), None, "it ticks"));
        }),
        "deadlock_sleeper" => bubble(|| {
            go(|| sleep(S));
        }),
        "deadlock_channel" => bubble(|| {
            let channel = chan::make::<()>(0);
            go({
                let channel = channel.clone();
                move || channel.send(())
            });
            chan::make::<()>(0).recv();
        }),
        "process_deadlock" => {
            let mutex = Mutex::new(());
            let _held = mutex.lock();
            bubble(|| drop(mutex.lock()));
        }
        "receive_outside" => assert_eq!(moved_out().recv(), None),
        "try_receive_outside" => assert!(moved_out().try_recv().is_err()),
        "iterate_outside" => assert_eq!(moved_out().iter().next(), None),
        "send_outside" => moved_out().send(1),
        "try_send_outside" => assert!(moved_out().try_send(1).is_ok()),
        "close_outside" => moved_out().close(),
        "select_outside" => select! { recv(moved_out()) => {}, default => {} },
        "receive_in_another" => {
            let channel = moved_out();
            bubble(move || assert_eq!(channel.recv(), None));
        }
        "timer_stop_outside" => assert!(moved_timer().stop()),
        "timer_reset_outside" => assert!(moved_timer().reset(S)),
        "timer_receive_outside" => assert_eq!(moved_timer().chan().recv(), None),
        "ticker_reset_outside" => {
            let ticker = Mutex::new(None);
            bubble(|| *ticker.lock() = Some(Ticker::new(S)));
            ticker.lock().as_ref().unwrap().reset(S);
        }
        "func_stop_outside" => {
            let func = Mutex::new(None);
            bubble(|| *func.lock() = Some(after_func(S, || ())));
            func.lock().as_ref().unwrap().stop();
        }
        "group_moved_in" => {
            let group = WaitGroup::new();
            group.add(1);
            bubble(|| group.add(1));
        }
        "group_done_in" => {
            let group = WaitGroup::new();
            group.add(1);
            bubble(|| group.done());
        }
        "group_moved_out" => {
            let group = WaitGroup::new();
            bubble(|| group.add(1));
            group.add(1);
        }
        "group_moved_between" => {
            let group = WaitGroup::new();
            bubble(|| group.add(1));
            bubble(|| group.add(1));
        }
        other => panic!("no scenario {other:?}"),
    }
    println!("{scenario} done");
}

fn testing_spin() {
    loop {
        gosched();
    }
}

/// A channel that was made in a bubble which has ended.
fn moved_out() -> Chan<u32> {
    let out = chan::make(1);
    bubble(|| out.send(chan::make::<u32>(1)));
    out.recv().unwrap()
}

fn moved_timer() -> Timer {
    let out = chan::make(1);
    bubble(|| out.send(Timer::new(S)));
    out.recv().unwrap()
}

fn now() {
    let wall = SystemTime::now();
    bubble(|| {
        let start = Instant::now();
        assert_eq!(SystemTime::now().duration_since(UNIX_EPOCH), Ok(BEGIN));
        let child = spawn(move || assert_eq!(Instant::now(), start));
        sleep(S);
        child.join().unwrap();
        assert_eq!((start.elapsed(), SystemTime::now()), (S, UNIX_EPOCH + BEGIN + S));
        // A year, to the nanosecond.
        sleep(Duration::from_secs(365 * 86400) + NS);
        assert_eq!(start.elapsed(), Duration::from_secs(365 * 86400 + 1) + NS);
        // No time goes by for who computes.
        let before = Instant::now();
        (0..100_000u64).fold(0, |sum, n| core::hint::black_box(sum + n));
        assert_eq!(Instant::now(), before);
        sleep(Duration::ZERO);
        assert_eq!(Instant::now(), before);
    });
    // Outside it is as late as it was, more or less; and each bubble begins at the same time.
    assert!(wall.elapsed().unwrap() < Duration::from_secs(100));
    bubble(|| assert_eq!(SystemTime::now(), UNIX_EPOCH + BEGIN));
}

/// Times of the wall's clock from inside and outside can be compared, as in Go; those of bubbles do not go back.
fn monotonic() {
    let outside = SystemTime::now();
    bubble(|| {
        let here = SystemTime::now();
        sleep(outside.duration_since(here).unwrap());
        assert_eq!(SystemTime::now(), outside);
        sleep(S);
        assert_eq!(outside.elapsed(), Ok(S));
    });
    bubble(|| {
        let (last, group) = (Arc::new(Mutex::new(Instant::now())), WaitGroup::new());
        for n in 0..50u64 {
            let last = last.clone();
            group.go(move || {
                for k in 0..50 {
                    sleep(Duration::from_nanos(1 + n * 7919 % 101 + k % 3));
                    let mut last = last.lock();
                    let now = Instant::now();
                    assert!(now >= *last, "time went back");
                    *last = now;
                }
            });
        }
        group.wait();
    });
}

fn waits() {
    bubble(|| ());
    bubble(wait);
    bubble(|| {
        go(|| ());
        wait();
    });
    // A chain of a hundred goroutines, each started by the one before.
    bubble(|| {
        let done = Arc::new(AtomicBool::new(false));
        let channel = chan::make::<u32>(0);
        fn link(channel: Chan<u32>, done: Arc<AtomicBool>) {
            match channel.recv() {
                Some(0) => done.store(true, Relaxed),
                Some(n) => {
                    go({
                        let channel = channel.clone();
                        move || link(channel, done)
                    });
                    channel.send(n - 1);
                }
                None => unreachable!(),
            }
        }
        go({
            let (channel, done) = (channel.clone(), done.clone());
            move || link(channel, done)
        });
        channel.send(100);
        wait();
        assert!(done.load(Relaxed));
    });
    // It returns at once if all others wait; it moves no time; and again and again.
    bubble(|| {
        let start = Instant::now();
        let channel = chan::make::<u32>(0);
        let received = Arc::new(AtomicU32::new(0));
        let receiver = spawn({
            let (channel, received) = (channel.clone(), received.clone());
            move || channel.iter().for_each(|n| received.store(n, Relaxed))
        });
        let sleeper = spawn(|| sleep(S));
        for n in 1..100 {
            channel.send(n);
            wait();
            assert_eq!(received.load(Relaxed), n);
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        channel.close();
        receiver.join().unwrap();
        sleeper.join().unwrap();
    });
    // `testing::sleep` lets those that wake at the same time go first.
    bubble(|| {
        for _ in 0..100 {
            let done = Arc::new(AtomicU32::new(0));
            for _ in 0..3 {
                let done = done.clone();
                go(move || {
                    sleep(S);
                    done.fetch_add(1, Relaxed);
                });
            }
            testing::sleep(S);
            assert_eq!(done.load(Relaxed), 3);
        }
    });
}

/// What others did before they waited is seen behind `wait`, without any other order between them.
fn happens_before() {
    struct Plain(core::cell::UnsafeCell<[u64; 2]>);
    // SAFETY: that the accesses are ordered is what the test is about.
    unsafe impl Sync for Plain {}
    let words = Plain(core::cell::UnsafeCell::new([0; 2]));
    let words = &words;
    // SAFETY: as above.
    let add = move |n: usize, from: u64| unsafe {
        let words = words;
        let word = &raw mut (*words.0.get())[n];
        assert_eq!(word.read(), from, "of word {n}");
        word.write(from + 1);
    };
    for _ in 0..200 {
        for n in 0..2 {
            // SAFETY: nobody else runs.
            unsafe { (*words.0.get())[n] = 0 };
        }
        bubble(|| {
            scope(|s| {
                let both = |from: u64| (0..2).for_each(|n| add(n, from));
                both(0);
                for n in 0..2 {
                    s.go(move || add(n, 1));
                }
                wait();
                both(2);
                let channel = chan::make::<()>(0);
                for n in 0..2 {
                    let channel = channel.clone();
                    s.go(move || {
                        add(n, 3);
                        channel.recv();
                    });
                }
                wait();
                both(4);
                channel.close();
                for n in 0..2 {
                    s.go(move || {
                        sleep(S);
                        add(n, 5);
                    });
                }
                testing::sleep(S);
                both(6);
            });
        });
        (0..2).for_each(|n| add(n, 7));
    }
}

fn timers() {
    bubble(|| {
        let start = Instant::now();
        let timer = Timer::new(5 * S);
        assert_eq!((timer.chan().recv(), start.elapsed()), (Some(start + 5 * S), 5 * S));
        // Read long after: the time is the one that it fired at.
        let timer = Timer::new(S);
        let want = Instant::now() + S;
        sleep(2 * S);
        assert_eq!(timer.chan().recv(), Some(want));
        // Reset, fired and armed.
        let start = Instant::now();
        let timer = Timer::new(S);
        assert_eq!(timer.chan().recv(), Some(start + S));
        assert!(!timer.reset(2 * S));
        assert_eq!(timer.chan().recv(), Some(start + 3 * S));
        assert!(!timer.reset(3 * S));
        sleep(S);
        assert!(timer.reset(3 * S));
        assert_eq!(timer.chan().recv(), Some(start + 7 * S));
        // Stopped: nobody waits for it, and it never fires.
        let timer = Timer::new(S);
        assert!(timer.stop() && !timer.stop());
        let start = Instant::now();
        sleep(10 * S);
        assert!(timer.chan().try_recv().is_err() && start.elapsed() == 10 * S);
        // Stopped once it has fired, and before it was read.
        let timer = Timer::new(S);
        sleep(2 * S);
        assert!(timer.stop() && timer.chan().try_recv().is_err());
        // What waits for the end of time does not keep the clock from other times.
        let never = Timer::new(Duration::MAX);
        let start = Instant::now();
        sleep(S);
        assert_eq!(start.elapsed(), S);
        drop(never);
        // A thousand, in the order of their times.
        let start = Instant::now();
        let order = Arc::new(Mutex::new(Vec::new()));
        for n in 0..1000u32 {
            let order = order.clone();
            go(move || {
                sleep((n * 7919 % 1000 + 1) * MS);
                order.lock().push(Instant::now());
            });
        }
        testing::sleep(S);
        let order = order.lock();
        assert!(order.len() == 1000 && order.is_sorted() && order[0] == start + MS && order[999] == start + S);
    });
}

/// A timer whose time has come as it is armed fires then and there.
fn at_once() {
    bubble(|| {
        let start = Instant::now();
        let timer = Timer::new(Duration::ZERO);
        assert_eq!(timer.chan().try_recv(), Ok(start));
        assert!(!timer.reset(Duration::ZERO));
        assert_eq!(timer.chan().try_recv(), Ok(start));
        let called = Arc::new(AtomicBool::new(false));
        let func = after_func(Duration::ZERO, {
            let called = called.clone();
            move || called.store(true, SeqCst)
        });
        // Without waiting.
        while !called.load(SeqCst) {
            gosched();
        }
        assert!(!func.stop());
    });
    // Go's issue 76052: one that is waited for and reset to now.
    bubble(|| {
        let timer = Arc::new(Timer::new(Duration::ZERO));
        let end = chan::make::<()>(0);
        go({
            let (timer, end) = (timer.clone(), end.clone());
            move || loop {
                select! {
                    recv(end) => return,
                    recv(timer.chan()) => {}
                }
            }
        });
        wait();
        timer.reset(Duration::ZERO);
        wait();
        end.close();
        wait();
    });
}

fn in_the_past() {
    bubble(|| {
        let want = Instant::now() + S;
        let timer = Timer::new(S);
        sleep(2 * S);
        assert_eq!(timer.chan().try_recv(), Ok(want));
    });
}

/// What comes at the same time comes in an order by chance.
fn chance() {
    bubble(|| {
        let mut seen = [0; 2];
        for _ in 0..1000 {
            let (a, b) = (Timer::new(NS), Timer::new(NS));
            let first = select! { recv(a.chan()) => 0, recv(b.chan()) => 1 };
            seen[first] += 1;
            wait();
        }
        assert!(seen.iter().all(|&n| n > 0), "{seen:?}");
        let mut seen = [0; 2];
        for _ in 0..1000 {
            let first = Arc::new(AtomicU32::new(2));
            for n in 0..2 {
                let first = first.clone();
                go(move || {
                    sleep(NS);
                    let _ = first.compare_exchange(2, n, SeqCst, SeqCst);
                });
            }
            testing::sleep(NS);
            seen[first.load(SeqCst) as usize] += 1;
        }
        assert!(seen.iter().all(|&n| n > 0), "{seen:?}");
    });
}

fn after_funcs() {
    bubble(|| {
        let count = Arc::new(AtomicU32::new(0));
        let start = Instant::now();
        after_func(S, {
            let count = count.clone();
            move || {
                assert_eq!(start.elapsed(), S);
                count.fetch_add(1, SeqCst);
                // It is of the bubble, and so is what it starts.
                let count = count.clone();
                go(move || {
                    sleep(S);
                    count.fetch_add(1, SeqCst);
                });
            }
        });
        testing::sleep(3 * S);
        assert_eq!(count.load(SeqCst), 2);
        let func = after_func(S, {
            let count = count.clone();
            move || {
                count.fetch_add(10, SeqCst);
            }
        });
        assert!(func.stop() && !func.stop() && !func.reset(2 * S) && func.reset(3 * S));
        testing::sleep(2 * S);
        assert_eq!(count.load(SeqCst), 2);
        testing::sleep(S);
        assert_eq!(count.load(SeqCst), 12);
        // Timers that arm timers which are due at once, a hundred of them at the same time.
        for _ in 0..100 {
            let count = count.clone();
            after_func(S, move || {
                let count = count.clone();
                after_func(Duration::ZERO, move || {
                    count.fetch_add(1, SeqCst);
                });
            });
        }
        testing::sleep(2 * S);
        assert_eq!(count.load(SeqCst), 112);
    });
    // What is not due before the function returns is never called; the closure is dropped with the bubble.
    let (ran, alive) = (Arc::new(AtomicBool::new(false)), Arc::new(()));
    bubble(|| {
        let (ran, alive) = (ran.clone(), alive.clone());
        after_func(S, move || {
            let _ = &alive;
            ran.store(true, SeqCst);
        });
    });
    until("the closure is dropped", || Arc::strong_count(&alive) == 1);
    assert!(!ran.load(SeqCst));
}

fn timeouts() {
    bubble(|| {
        let channel = chan::make::<u32>(0);
        let start = Instant::now();
        assert_eq!(channel.recv_timeout(3600 * S), Err(RecvTimeoutError::Timeout));
        assert!(matches!(channel.send_timeout(7, 3600 * S), Err(SendTimeoutError::Timeout(7))));
        assert_eq!(start.elapsed(), 7200 * S);
        // One that comes in time, and one that is late by a nanosecond.
        for (late, want) in [(Duration::ZERO, Ok(1)), (NS, Err(RecvTimeoutError::Timeout))] {
            let channel = chan::make::<u32>(1);
            let sender = spawn({
                let channel = channel.clone();
                move || {
                    sleep(S - NS + late + late);
                    channel.send(1);
                }
            });
            assert_eq!(channel.recv_timeout(S), want);
            sender.join().unwrap();
        }
        // Hundreds of thousands that are not needed leave nothing behind.
        let channel = chan::make::<u32>(1);
        let before = Instant::now();
        for n in 0..20_000 {
            channel.send(n);
            assert_eq!(channel.recv_timeout(3600 * S), Ok(n));
            let timer = Timer::new(3600 * S);
            assert!(timer.reset(7200 * S));
        }
        assert_eq!(before.elapsed(), Duration::ZERO);
    });
}

fn tickers() {
    bubble(|| {
        let start = Instant::now();
        let ticker = Ticker::new(S);
        for n in 1..=100 {
            assert_eq!(ticker.chan().recv(), Some(start + n * S));
        }
        // Ticks that nobody takes are dropped.
        sleep(10 * S + MS);
        assert_eq!(ticker.chan().recv(), Some(start + 101 * S));
        assert_eq!(ticker.chan().recv(), Some(start + 111 * S));
        ticker.reset(7 * S);
        assert_eq!(ticker.chan().recv(), Some(start + 118 * S));
        ticker.stop();
        let before = Instant::now();
        sleep(100 * S);
        assert!(ticker.chan().try_recv().is_err() && before.elapsed() == 100 * S);
        let start = Instant::now();
        let ticks: Vec<_> = time::tick(S).unwrap().iter().take(3).collect();
        assert_eq!(ticks, [start + S, start + 2 * S, start + 3 * S]);
    });
}

/// Channels and timers from outside: they work, and who waits for them is not durably blocked.
fn outside() {
    type Half = fn(Chan<u32>);
    let never = chan::make::<u32>(0);
    let halves: [(Half, Half); 6] = [
        (|c| c.close(), |c| assert_eq!(c.recv(), None)),
        (|c| c.send(1), |c| assert_eq!(c.recv(), Some(1))),
        (|c| assert_eq!(c.recv(), Some(2)), |c| c.send(2)),
        (|c| c.close(), |c| select! { recv(c) -> value => assert_eq!(value, None), recv(Chan::<u32>::nil()) => {} }),
        (|c| c.close(), |c| select! { recv(c) -> value => assert_eq!(value, None), recv(chan::make::<u32>(0)) => {} }),
        (|c| c.send(3), |c| assert_eq!(c.iter().next(), Some(3))),
    ];
    for (there, here) in halves {
        let channel = chan::make::<u32>(0);
        let _later = after_func(MS, {
            let channel = channel.clone();
            move || there(channel.clone())
        });
        bubble(|| {
            let start = Instant::now();
            let sleeper = spawn(|| sleep(S));
            here(channel.clone());
            // Nobody was durably blocked but the one that sleeps.
            assert_eq!(start.elapsed(), Duration::ZERO);
            sleeper.join().unwrap();
        });
    }
    // A select among one from outside and one from inside is woken by either.
    bubble(|| {
        let mine = chan::make::<u32>(0);
        go({
            let mine = mine.clone();
            move || mine.send(4)
        });
        select! { recv(never) => unreachable!(), recv(mine) -> value => assert_eq!(value, Some(4)) }
    });
    // A timer from outside keeps to the real clock.
    let timer = Timer::new(10 * MS);
    bubble(|| {
        let start = Instant::now();
        assert!(timer.chan().recv().is_some());
        assert_eq!(start.elapsed(), Duration::ZERO);
        timer.reset(MS);
        timer.chan().recv();
    });
    assert!(!timer.stop());
}

/// Locks and system calls do not let time go on.
fn not_durable() {
    let mutex = Arc::new(Mutex::new(()));
    let held = mutex.lock();
    let seen = Arc::new(AtomicU64::new(u64::MAX));
    let done = spawn({
        let (mutex, seen) = (mutex.clone(), seen.clone());
        move || {
            bubble(|| {
                let start = Instant::now();
                go({
                    let (mutex, seen) = (mutex.clone(), seen.clone());
                    move || {
                        drop(mutex.lock());
                        seen.store(start.elapsed().as_secs(), SeqCst);
                    }
                });
                sleep(5 * S);
            })
        }
    });
    sleep(50 * MS);
    assert!(!done.is_finished(), "time went on");
    drop(held);
    done.join().unwrap();
    assert_eq!(seen.load(SeqCst), 0);
    bubble(|| {
        let start = Instant::now();
        let slept = spawn(|| sleep(S));
        let called = spawn(move || {
            gort::syscall::blocking(real_pause);
            start.elapsed()
        });
        assert_eq!(called.join(), Ok(Duration::ZERO));
        slept.join().unwrap();
        assert_eq!(start.elapsed(), S);
    });
}

/// Some milliseconds of the machine's clock.
fn real_pause() {
    let _ = rustix::thread::nanosleep(&rustix::thread::Timespec { tv_sec: 0, tv_nsec: 20_000_000 });
}

/// Who waits for a condition is durably blocked.
fn conds() {
    bubble(|| {
        let shared = Arc::new((Mutex::new(0), Cond::new()));
        let start = Instant::now();
        let waiting: Vec<_> = (1..=3)
            .map(|n| {
                let shared = shared.clone();
                spawn(move || {
                    let mut turn = shared.0.lock();
                    while *turn < n {
                        shared.1.wait(&mut turn);
                    }
                    start.elapsed()
                })
            })
            .collect();
        wait();
        assert_eq!(start.elapsed(), Duration::ZERO);
        for n in 1..=3 {
            sleep(S);
            *shared.0.lock() = n;
            if n == 1 {
                shared.1.broadcast()
            } else {
                (0..3).for_each(|_| shared.1.signal())
            }
            wait();
        }
        let times: Vec<_> = waiting.into_iter().map(|waits| waits.join().unwrap()).collect();
        assert_eq!(times, [S, 2 * S, 3 * S]);
    });
}

fn groups() {
    bubble(|| {
        let group = WaitGroup::new();
        group.add(1);
        let start = Instant::now();
        go({
            let group = group.clone();
            move || {
                sleep(S);
                group.done();
            }
        });
        group.wait();
        assert_eq!(start.elapsed(), S);
        // Adds that race.
        for _ in 0..100 {
            group.go(|| ());
        }
        group.wait();
    });
    // One that counts outside: to wait for it is not durable.
    let group = WaitGroup::new();
    group.add(1);
    let done = spawn({
        let group = group.clone();
        move || {
            bubble(|| {
                let start = Instant::now();
                let sleeper = spawn(|| sleep(S));
                group.wait();
                assert_eq!(start.elapsed(), Duration::ZERO);
                sleeper.join().unwrap();
            })
        }
    });
    sleep(20 * MS);
    assert!(!done.is_finished());
    group.done();
    done.join().unwrap();
    // At zero it is free for another bubble, and for none, however it came there.
    let group = WaitGroup::new();
    for _ in 0..3 {
        bubble(|| {
            group.add(1);
            group.done();
            group.wait();
        });
        bubble(|| {
            group.add(1);
            go({
                let group = group.clone();
                move || group.wait()
            });
            wait();
            group.done();
        });
        bubble(|| {
            for _ in 0..10 {
                group.go(|| sleep(S));
            }
            group.wait();
        });
        group.add(1);
        group.done();
        group.wait();
    }
}

fn scopes_and_joins() {
    bubble(|| {
        let start = Instant::now();
        let mut sum = 0;
        scope(|s| {
            s.go(|| {
                sleep(S);
                sum += 1;
            });
        });
        assert_eq!((sum, start.elapsed()), (1, S));
        let handle = spawn(|| {
            sleep(S);
            7
        });
        assert_eq!((handle.join(), start.elapsed()), (Ok(7), 2 * S));
        let left = spawn(|| {
            sleep(S);
            gort::runtime::goexit()
        });
        assert!(left.join().is_err());
        assert_eq!(start.elapsed(), 3 * S);
    });
    // A handle from outside: not durable.
    let (go_on, outside) = (chan::make::<()>(0), chan::make::<()>(0));
    let handle = spawn({
        let go_on = go_on.clone();
        move || assert_eq!(go_on.recv(), None)
    });
    let bubbled = spawn({
        let outside = outside.clone();
        move || {
            bubble(|| {
                let start = Instant::now();
                let sleeper = spawn(|| sleep(S));
                outside.send(());
                handle.join().unwrap();
                assert_eq!(start.elapsed(), Duration::ZERO);
                sleeper.join().unwrap();
            })
        }
    });
    outside.recv();
    sleep(20 * MS);
    assert!(!bubbled.is_finished());
    go_on.close();
    bubbled.join().unwrap();
}

/// A bubble returns when all of its goroutines have ended.
fn ends() {
    let count = AtomicU32::new(0);
    bubble(|| {
        let channel = chan::make::<()>(0);
        for _ in 0..10 {
            let channel = channel.clone();
            go(move || {
                channel.recv();
                (0..100).for_each(|_| gosched());
            });
        }
        count.fetch_add(1, SeqCst);
        gort::defer(move || channel.close());
    });
    assert_eq!(count.load(SeqCst), 1);
    until("they have ended", || num_goroutine() == 1);
    // By goexit too.
    bubble(|| {
        go(|| gort::runtime::goexit());
        gort::runtime::goexit();
    });
    // One after the other, and many at a time, each with its own clock.
    for _ in 0..100 {
        bubble(|| sleep(S));
    }
    let group = WaitGroup::new();
    for n in 0..50u32 {
        group.go(move || {
            bubble(|| {
                let (start, cancel, inner) = (Instant::now(), chan::make::<()>(0), WaitGroup::new());
                for _ in 0..20 {
                    let cancel = cancel.clone();
                    inner.go(move || cancel.recv());
                }
                sleep(n * S);
                wait();
                cancel.close();
                inner.wait();
                assert_eq!(start.elapsed(), n * S);
            });
        });
    }
    group.wait();
}

/// Values in channels and closures of bubbles are dropped once.
fn values() {
    static ALIVE: AtomicU64 = AtomicU64::new(0);
    struct Counted(u32);
    impl Counted {
        fn new(n: u32) -> Counted {
            ALIVE.fetch_add(1, SeqCst);
            Counted(n)
        }
    }
    impl Drop for Counted {
        fn drop(&mut self) {
            ALIVE.fetch_sub(1, SeqCst);
        }
    }
    let kept = Counted::new(0);
    let mut borrowed = 0;
    for _ in 0..20 {
        bubble(|| {
            let channel = chan::make(3);
            let (word, reference) = (Counted::new(1), &kept);
            let sender = spawn({
                let channel = channel.clone();
                move || (0..100).for_each(|n| channel.send(Counted::new(n)))
            });
            borrowed += channel.iter().take(100).map(|value| value.0).sum::<u32>() + word.0 + reference.0;
            sender.join().unwrap();
            channel.send(Counted::new(5));
            let value = Counted::new(6);
            after_func(S, move || assert_eq!(value.0, 6));
            let value = Counted::new(7);
            let func = after_func(S, move || assert_eq!(value.0, 7));
            func.stop();
            let slow = Counted::new(8);
            go(move || {
                sleep(S);
                drop(slow);
            });
            sleep(2 * S);
        });
    }
    assert_eq!(borrowed, 20 * 4951);
    drop(kept);
    until("all are dropped", || ALIVE.load(SeqCst) == 0);
}

fn many(n: u32) {
    let start = Instant::now();
    bubble(|| {
        let (count, begin) = (Arc::new(AtomicU32::new(0)), Instant::now());
        for k in 0..n {
            let count = count.clone();
            go(move || {
                sleep(Duration::from_secs(u64::from(k % 1000) + 1));
                count.fetch_add(1, Relaxed);
            });
        }
        testing::sleep(1000 * S);
        assert_eq!((count.load(Relaxed), begin.elapsed()), (n, 1000 * S));
        let gate = chan::make::<()>(0);
        for _ in 0..n {
            let (count, gate) = (count.clone(), gate.clone());
            go(move || {
                gate.recv();
                count.fetch_add(1, Relaxed);
            });
        }
        wait();
        gate.close();
        wait();
        assert_eq!(count.load(Relaxed), 2 * n);
    });
    println!("took_ms {}", start.elapsed().as_millis());
}

/// Bubbles of everything, beside goroutines that are in none, for so many seconds.
fn storm(seconds: u32) {
    let (start, rounds) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let end = Arc::new(AtomicBool::new(false));
    let noise = chan::make::<u64>(0);
    for _ in 0..2 {
        let (noise, end) = (noise.clone(), end.clone());
        go(move || {
            while !end.load(Relaxed) {
                for _ in 0..16 {
                    select! { send(noise, 1) => {}, recv(noise) => {} }
                }
                gosched(); // two that hand off to each other keep a P for its slice
            }
        });
    }
    scope(|s| {
        for worker in 0..4u32 {
            let rounds = rounds.clone();
            s.go(move || {
                let mut n = worker;
                while start.elapsed().as_secs() < seconds.into() {
                    n = n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    one_of_the_storm(n >> 8);
                    rounds.fetch_add(1, Relaxed);
                }
            });
        }
    });
    end.store(true, Relaxed);
    println!("rounds {}", rounds.load(Relaxed));
}

fn one_of_the_storm(n: u32) {
    let total = AtomicU32::new(0);
    bubble(|| {
        let begin = Instant::now();
        let (work, results) = (chan::make::<u32>((n % 3) as usize), chan::make::<u32>(0));
        let group = WaitGroup::new();
        let mutex = Arc::new(Mutex::new(0));
        for worker in 0..n % 5 + 1 {
            let (work, results, mutex) = (work.clone(), results.clone(), mutex.clone());
            group.go(move || {
                for item in &work {
                    *mutex.lock() += 1;
                    if item % 3 == 0 {
                        sleep((item + worker) * MS);
                    }
                    select! {
                        send(results, item) => {},
                        recv(time::after(3600 * S)) => unreachable!("somebody takes it"),
                    }
                }
            });
        }
        let closer = spawn({
            let results = results.clone();
            move || {
                group.wait();
                results.close();
            }
        });
        let items = n % 40;
        go(move || {
            (0..items).for_each(|item| work.send(item));
            work.close();
        });
        let sum: u32 = results.iter().sum();
        closer.join().unwrap();
        assert_eq!((sum, *mutex.lock()), (items * items.saturating_sub(1) / 2, items));
        testing::sleep(S);
        assert!(begin.elapsed() >= S);
        total.store(1, Relaxed);
    });
    assert_eq!(total.load(Relaxed), 1);
}

/// Goroutines that are locked to their threads are as good as others.
fn locked() {
    lock_os_thread();
    bubble(|| {
        let channel = chan::make::<u32>(0);
        let start = Instant::now();
        for n in 0..4 {
            let channel = channel.clone();
            go(move || {
                lock_os_thread();
                sleep(S);
                channel.send(n);
            });
        }
        lock_os_thread();
        let sum: u32 = channel.iter().take(4).sum();
        assert_eq!((sum, start.elapsed()), (6, S));
        wait();
    });
    gort::runtime::unlock_os_thread();
}

/// The finalizer goroutine is of no bubble, though a bubble was the first to need it.
fn finalizer() {
    static CALLED: AtomicU32 = AtomicU32::new(0);
    for n in 0..2 {
        bubble(|| {
            let object = gort::runtime::Managed::new(7);
            gort::runtime::set_finalizer(&object, |_| {
                // By the machine's clock.
                assert!(SystemTime::now() > UNIX_EPOCH + BEGIN + Duration::from_secs(86400));
                sleep(MS);
                CALLED.fetch_add(1, SeqCst);
            });
            drop(object);
            sleep(S);
        });
        until("the finalizer was called", || CALLED.load(SeqCst) == n + 1);
    }
}

/// Handles of channels, timers and goroutines that leave their bubble, and are only dropped there.
fn handles_outlive_it() {
    let out = Mutex::new(Vec::new());
    let joined = Mutex::new(None);
    bubble(|| {
        out.lock().push((chan::make::<u32>(1), Timer::new(S), Ticker::new(S), after_func(S, || unreachable!())));
        *joined.lock() = Some(spawn(|| 5));
    });
    let (channel, timer, ticker, func) = out.lock().pop().unwrap();
    assert_eq!((channel.len(), channel.capacity()), (0, 1));
    drop((channel, timer, ticker, func));
    assert_eq!(joined.lock().take().unwrap().join(), Ok(5));
    bubble(|| sleep(S));
}
