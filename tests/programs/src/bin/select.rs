//! `select!` and `Select`: what the Go specification says of select statements, under storms too.

#![no_std]
#![no_main]

extern crate alloc;

#[path = "../alive.rs"]
mod alive;
#[path = "../scenario.rs"]
mod scenario;

use alive::{ALIVE, Counted};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use gort::__private::hooks;
use gort::chan::{Chan, RecvTimeoutError, Select, SendTimeoutError};
use gort::prelude::*;
use gort::runtime::{gomaxprocs, gosched, num_goroutine};
use gort::time::{self, Duration, Instant, sleep};
use scenario::{number, until};

gort::main!(main);

const MS: Duration = Duration::from_millis(1);

fn main() {
    let scenario = scenario::begin();
    match scenario {
        "ready" => ready(),
        "fair" => fair(),
        "default" => default(),
        "waits" => waits(),
        "same_channel" => same_channel(),
        "nil" => nil(),
        "closed" => closed(),
        "order" => order(),
        "arms" => arms(),
        "values" => values(),
        "dynamic" => dynamic(),
        "large" => large(),
        "timeouts" => timeouts(),
        "no_stale_waiters" => no_stale_waiters(),
        "snapshot" => snapshot(),
        "close_race" => close_race(number(3)),
        "timeout_race" => timeout_race(number(3)),
        "storm" => storm(number(3)),
        "nothing" => select! {},
        "nothing_but_nil" => select! { recv(Chan::<u32>::nil()) => {}, send(Chan::nil(), 1) => {} },
        "recv_nil" => drop(Chan::<u32>::nil().recv()),
        "send_nil" => Chan::<u32>::nil().send(1),
        "blocked" => select! { recv(chan::make::<u32>(0)) => {}, recv(chan::make::<u32>(0)) => {} },
        "send_closed" => {
            let c = chan::make::<u32>(0);
            c.close();
            select! { send(c, 1) => unreachable!() }
        }
        "send_closed_meanwhile" => {
            let (c, other) = (chan::make::<u32>(0), chan::make::<u32>(0));
            go({
                let c = c.clone();
                move || {
                    sleep(10 * MS);
                    c.close();
                }
            });
            select! { recv(other) => unreachable!(), send(c, 1) => unreachable!() }
        }
        "close_nil" => Chan::<u32>::nil().close(),
        "close_closed" => (0..2)
            .fold(chan::make::<u32>(0), |c, _| {
                c.close();
                c
            })
            .close(),
        other => panic!("no scenario {other:?}"),
    }
    println!("{scenario} done");
}

fn ready() {
    let (full, empty) = (chan::make(1), chan::make::<u32>(1));
    full.send(7);
    let got = select! {
        recv(full) -> value => value,
        recv(empty) -> value => value,
    };
    assert_eq!(got, Some(7));
    let sent = select! {
        recv(full) => false,
        send(empty, 8) => true,
    };
    assert!(sent && empty.recv() == Some(8));
}

/// Each of those that can go on is chosen as often as the others.
fn fair() {
    let channels: [Chan<usize>; 4] = core::array::from_fn(|_| chan::make(1));
    let mut counts = [0u32; 8];
    const ROUNDS: u32 = 40_000;
    for _ in 0..ROUNDS {
        // Two are empty, so they can be sent on; two are full.
        (0..2).for_each(|n| channels[n].send(n));
        let [a, b, c, d] = &channels;
        let chosen = select! {
            recv(a) -> v => v.unwrap(),
            recv(b) -> v => v.unwrap(),
            send(c, 2) => 2,
            send(d, 3) => 3,
        };
        counts[chosen] += 1;
        channels.iter().for_each(|channel| _ = channel.try_recv());
    }
    let share = ROUNDS / 4;
    assert!(counts[..4].iter().all(|&count| count.abs_diff(share) < share / 20), "{counts:?}");
    println!("shares {counts:?}");
}

fn default() {
    let c = chan::make::<u32>(0);
    for _ in 0..100 {
        let taken = select! {
            recv(c) => "received",
            send(c, 1) => "sent",
            default => "default",
        };
        assert_eq!(taken, "default");
    }
    assert!(select! { default => true });
    c.close();
    assert!(select! { recv(c) -> value => value.is_none(), default => false });
}

/// Whoever comes meanwhile, from each side and direction.
fn waits() {
    let (a, b, back) = (chan::make::<u32>(0), chan::make::<u32>(0), chan::make::<u32>(0));
    for round in 0..300 {
        let (a2, b2, back2) = (a.clone(), b.clone(), back.clone());
        let other = gort::spawn(move || match round % 3 {
            0 => a2.send(round),
            1 => b2.send(round),
            _ => assert_eq!(back2.recv(), Some(round)),
        });
        if round % 2 == 0 {
            sleep(Duration::from_micros(50));
        }
        let kind = select! {
            recv(a) -> value => { assert_eq!(value, Some(round)); 0 }
            recv(b) -> value => { assert_eq!(value, Some(round)); 1 }
            send(back, round) => 2,
        };
        assert_eq!(kind, round % 3);
        other.join().unwrap();
    }
}

/// The same channel in several cases and both directions: it never talks to itself.
fn same_channel() {
    let c = chan::make::<u64>(0);
    let wait = WaitGroup::new();
    static BALANCE: AtomicU64 = AtomicU64::new(0);
    for n in 0..4 {
        let c = c.clone();
        wait.go(move || {
            for round in 0..2000u64 {
                let value = n << 32 | round;
                select! {
                    recv(c) -> got => {
                        assert_ne!(got.unwrap() >> 32, n, "it has received what it sends itself");
                        BALANCE.fetch_add(1, Relaxed);
                    }
                    recv(c) -> got => {
                        assert_ne!(got.unwrap() >> 32, n);
                        BALANCE.fetch_add(1, Relaxed);
                    }
                    send(c, value) => { BALANCE.fetch_sub(1, Relaxed); }
                    recv(time::after(50 * MS)) => break, // the others are done
                }
            }
        });
    }
    wait.wait();
    assert_eq!(BALANCE.load(Relaxed), 0, "sends and receives differ");
}

fn nil() {
    let (some, none) = (chan::make(1), Chan::nil());
    some.send(1);
    for _ in 0..100 {
        let got = select! {
            recv(none) -> value => value.map(|value: u32| value + 100),
            send(none, 5) => None,
            recv(some) -> value => value,
        };
        assert_eq!(got, Some(1));
        some.send(1);
    }
    // What Go programs do: a channel that has ended is set to nil.
    let (a, b) = (chan::make::<u32>(0), chan::make::<u32>(0));
    for (c, count) in [(a.clone(), 10), (b.clone(), 20)] {
        go(move || {
            (0..count).for_each(|n| c.send(n));
            c.close();
        });
    }
    let (mut a, mut b, mut seen) = (Some(a), Some(b), 0);
    while a.is_some() || b.is_some() {
        select! {
            recv(a) -> value => if value.is_some() { seen += 1 } else { a = None },
            recv(b) -> value => if value.is_some() { seen += 1 } else { b = None },
        }
    }
    assert_eq!(seen, 30);
    assert!(Chan::<u32>::nil().is_nil() && Chan::<u32>::nil().is_empty() && Chan::<u32>::nil().capacity() == 0);
    assert!(Chan::<u32>::nil().try_recv() == Err(chan::TryRecvError::Empty));
    assert!(Chan::nil().try_send(1u32) == Err(chan::TrySendError::Full(1)));
    assert!(select! { recv(Chan::<u32>::nil()) => false, default => true });
}

fn closed() {
    let (c, quit) = (chan::make::<Counted>(2), chan::make::<()>(0));
    c.send(Counted::new(1));
    c.close();
    let next = || select! { recv(c) -> value => value.map(|value| value.0), recv(quit) => unreachable!() };
    assert_eq!((next(), next(), next()), (Some(1), None, None));
    // The value of a send that found the channel closed comes back.
    let back = select! { send(c, Counted::new(9)) -> result => result.unwrap_err().0.0 };
    assert_eq!(back, 9);
    assert_eq!(ALIVE.load(SeqCst), 0);
    // All that wait go on.
    let wait = WaitGroup::new();
    let waiting = Arc::new(AtomicU32::new(0));
    let other = chan::make::<()>(0);
    for n in 0..1000 {
        let (quit, other, waiting) = (quit.clone(), other.clone(), waiting.clone());
        wait.go(move || {
            waiting.fetch_add(1, Relaxed);
            match n % 3 {
                0 => assert_eq!(quit.recv(), None),
                _ => select! { recv(quit) -> value => assert_eq!(value, None), recv(other) => unreachable!() },
            }
        });
    }
    until("all wait", || waiting.load(Relaxed) == 1000);
    sleep(5 * MS);
    quit.close();
    wait.wait();
}

/// Channels and values are evaluated once, from the first to the last, whichever is chosen.
fn order() {
    let mut log = Vec::new();
    let c = chan::make::<u32>(1);
    for round in 0..50 {
        log.clear();
        let mut seen = |n: u32| {
            log.push(n);
            c.clone()
        };
        let mut values = Vec::new();
        let mut value = |n: u32| {
            values.push(n);
            n
        };
        select! {
            recv(seen(1)) => {}
            send(seen(2), value(20)) => {}
            recv(seen(3)) => {}
            send(seen(4), value(40)) => {}
            default => unreachable!(),
        }
        assert_eq!((&*log, &*values), (&[1, 2, 3, 4][..], &[20, 40][..]), "round {round}");
    }
}

/// What stands in a body belongs to what is around the select.
fn arms() {
    fn find(c: &Chan<u32>) -> Result<u32, &'static str> {
        let mut seen = 0;
        'outer: loop {
            select! {
                recv(c) -> value => {
                    match value.ok_or("closed")? {
                        0 => continue,
                        99 => break 'outer,
                        n if n > 100 => return Ok(n),
                        _ => seen += 1,
                    }
                }
                recv(time::after(Duration::from_secs(20))) -> _ => return Err("late"),
            }
        }
        Ok(seen)
    }
    let c = chan::make(10);
    [0, 5, 0, 6, 99, 7, 101].iter().for_each(|&n| c.send(n));
    c.close();
    assert_eq!((find(&c), find(&c), find(&c)), (Ok(2), Ok(101), Err("closed")));
    let moved = Box::new(5);
    let c = chan::make(1);
    // An owned value goes into the arm that is taken, whichever it is.
    let boxed = select! {
        send(c, 1) => moved,
        default => Box::new(*moved + 1),
    };
    assert_eq!(*boxed, 5);
    assert_eq!(select! { recv(c) -> value => { value } default => None }, Some(1));
}

/// Values with destructors: each is dropped once, sent or not.
fn values() {
    let (a, b) = (chan::make::<Counted>(1), chan::make::<Counted>(1));
    for n in 0..1000 {
        select! {
            send(a, Counted::new(n)) => {}
            send(b, Counted::new(n)) => {}
            default => {
                // None was sent: both are dropped by now.
                assert_eq!(ALIVE.load(SeqCst), 2);
                assert_eq!((a.recv().is_some(), b.recv().is_some()), (true, true));
                assert_eq!(ALIVE.load(SeqCst), 0);
            }
        }
        let buffered = (a.len() + b.len()) as u64;
        assert_eq!(ALIVE.load(SeqCst), buffered, "round {n}");
    }
    drop((a, b));
    assert_eq!(ALIVE.load(SeqCst), 0);
    // Large values and ones without a size.
    let (large, none) = (chan::make::<[u64; 512]>(0), chan::make::<()>(0));
    let sender = large.clone();
    go(move || select! { send(sender, [7; 512]) => {} });
    assert_eq!(select! { recv(large) -> value => value.unwrap()[511], recv(none) => 0 }, 7);
    let sender = none.clone();
    go(move || select! { send(sender, ()) => {} });
    assert!(select! { recv(none) -> value => value == Some(()), recv(large) => false });
}

fn dynamic() {
    let channels: Vec<Chan<Counted>> = (0..50).map(|_| chan::make(0)).collect();
    let wait = WaitGroup::new();
    for (n, channel) in channels.iter().enumerate() {
        let channel = channel.clone();
        wait.go(move || channel.send(Counted::new(n as u64)));
    }
    let mut seen = [false; 50];
    for _ in 0..50 {
        let name = alloc::string::String::from("a borrowed name");
        let mut select = Select::new();
        for (n, channel) in channels.iter().enumerate() {
            let name = &name;
            select.recv(channel, move |value| {
                assert_eq!(name.len(), 15);
                (n, value.unwrap())
            });
        }
        let (n, value) = select.run();
        assert!(value.0 == n as u64 && !core::mem::replace(&mut seen[n], true));
    }
    wait.wait();
    let mut select = Select::new();
    select.send(&channels[0], Counted::new(5), |result| result.is_ok());
    select.recv(&channels[1], |_| true);
    assert_eq!(alloc::format!("{select:?}"), "Select { cases: 2, default: false }");
    select.default(|| false);
    assert!(!select.run());
    channels[0].close();
    let mut select = Select::new();
    select.send(&channels[0], Counted::new(5), |result| result.map_err(|back| back.0.0));
    assert_eq!(select.run(), Err(5));
    assert_eq!(ALIVE.load(SeqCst), 0);
}

/// Ten thousand cases, of which one goes on; and again.
fn large() {
    let channels: Vec<Chan<usize>> = (0..10_000).map(|_| chan::make(0)).collect();
    for chosen in [0, 9_999, 5_000, 123] {
        let channel = channels[chosen].clone();
        go(move || channel.send(chosen));
        let mut select = Select::new();
        for channel in &channels {
            select.recv(channel, |value| value);
        }
        assert_eq!(select.run(), Some(chosen));
    }
    assert!(channels.iter().all(|channel| channel.try_send(0).is_err()), "a waiter was left behind");
}

fn timeouts() {
    let c = chan::make::<Counted>(0);
    let start = Instant::now();
    assert_eq!(c.recv_timeout(20 * MS).unwrap_err(), RecvTimeoutError::Timeout);
    assert!(start.elapsed() >= 20 * MS);
    assert!(matches!(c.send_timeout(Counted::new(1), 20 * MS), Err(SendTimeoutError::Timeout(Counted(1)))));
    assert_eq!(ALIVE.load(SeqCst), 0);
    let sender = c.clone();
    let other = gort::spawn(move || {
        sleep(5 * MS);
        sender.send(Counted::new(2));
    });
    assert_eq!(c.recv_timeout(Duration::from_secs(20)).unwrap().0, 2);
    other.join().unwrap();
    let receiver = c.clone();
    let other = gort::spawn(move || {
        sleep(5 * MS);
        receiver.recv().unwrap().0
    });
    c.send_timeout(Counted::new(3), Duration::from_secs(20)).unwrap();
    assert_eq!(other.join().unwrap(), 3);
    // A huge time is for ever, none is at once.
    assert_eq!(c.recv_timeout(Duration::ZERO).unwrap_err(), RecvTimeoutError::Timeout);
    let closer = c.clone();
    go(move || {
        sleep(5 * MS);
        closer.close();
    });
    assert_eq!(c.recv_timeout(Duration::MAX).unwrap_err(), RecvTimeoutError::Closed);
    assert!(matches!(c.send_timeout(Counted::new(4), MS), Err(SendTimeoutError::Closed(Counted(4)))));
    assert_eq!(ALIVE.load(SeqCst), 0);
}

/// A select that went on by one channel waits on no other any more.
fn no_stale_waiters() {
    let (a, b) = (chan::make::<u32>(0), chan::make::<u32>(0));
    for n in 0..1000 {
        let (a2, b2) = (a.clone(), b.clone());
        let other = gort::spawn(move || select! { recv(a2) -> value => value, recv(b2) -> value => value });
        if n % 3 == 0 {
            gosched();
        }
        if n % 2 == 0 {
            a.send(n)
        } else {
            b.send(n)
        }
        assert_eq!(other.join().unwrap(), Some(n));
        assert!(a.try_send(0).is_err() && b.try_send(0).is_err(), "round {n}: somebody still waits");
    }
}

/// A value goes to and fro between two channels, and at each moment is in one of them, or in both: a `default` never comes.
fn snapshot() {
    let (a, b) = (chan::make::<u32>(1), chan::make::<u32>(1));
    a.send(1);
    let stop = chan::make::<()>(0);
    let mover = gort::spawn({
        let (a, b, stop) = (a.clone(), b.clone(), stop.clone());
        move || {
            while stop.try_recv() == Err(chan::TryRecvError::Empty) {
                for (from, to) in [(&a, &b), (&b, &a)] {
                    to.send(1);
                    from.recv();
                }
            }
        }
    });
    // Sends that find both channels full: as long as it is so, each select here falls through; what is looked for is a moment at which both were empty.
    for round in 0..30_000 {
        let empty = select! {
            recv(a) -> value => { a.send(value.unwrap()); false }
            recv(b) -> value => { b.send(value.unwrap()); false }
            default => true,
        };
        assert!(!empty, "round {round}: both channels were found empty");
        if round % 64 == 0 {
            gosched();
        }
    }
    stop.close();
    mover.join().unwrap();
}

/// Selects against close, with values that must not get lost.
fn close_race(rounds: u32) {
    for round in 0..rounds {
        let (c, quit) = (chan::make::<Counted>(round as usize % 2), chan::make::<()>(0));
        let wait = WaitGroup::new();
        static SENT: AtomicU64 = AtomicU64::new(0);
        static BACK: AtomicU64 = AtomicU64::new(0);
        static GOT: AtomicU64 = AtomicU64::new(0);
        for n in 0..2 {
            let (to, end) = (c.clone(), quit.clone());
            wait.go(move || {
                select! {
                    send(to, Counted::new(n)) -> result => _ = if result.is_ok() { SENT.fetch_add(1, SeqCst) } else { BACK.fetch_add(1, SeqCst) },
                    recv(end) => _ = BACK.fetch_add(1, SeqCst),
                }
            });
            let (from, end) = (c.clone(), quit.clone());
            wait.go(move || {
                select! {
                    recv(from) -> value => _ = GOT.fetch_add(value.is_some().into(), SeqCst),
                    recv(end) => {}
                }
            });
        }
        if round % 3 == 0 {
            gosched();
        }
        // The one or the other first.
        if round % 2 == 0 {
            c.close()
        } else {
            quit.close()
        }
        if round % 5 == 0 {
            gosched();
        }
        if round % 2 == 0 {
            quit.close()
        } else {
            c.close()
        }
        wait.wait();
        let left = core::iter::from_fn(|| c.try_recv().ok()).count() as u64;
        let [sent, back, got] = [&SENT, &BACK, &GOT].map(|count| count.swap(0, SeqCst));
        assert_eq!((sent + back, got + left), (2, sent), "round {round}");
        assert_eq!(ALIVE.load(SeqCst), 0, "round {round}");
    }
}

/// `recv_timeout` against a sender who comes at just that time, `send_timeout` against a receiver.
fn timeout_race(rounds: u32) {
    static LEFT: AtomicU32 = AtomicU32::new(0);
    static COUNTS: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];
    LEFT.store(rounds, SeqCst);
    let wait = WaitGroup::new();
    for worker in 0..8u64 {
        wait.go(move || {
            let c = chan::make::<Counted>(0);
            let go_on = chan::make::<u64>(0);
            let other = gort::spawn({
                let (c, go_on) = (c.clone(), go_on.clone());
                move || {
                    let mut moved = 0u64;
                    for n in &go_on {
                        // Longer and shorter than the other side waits.
                        (0..n * 7 % 23).for_each(|_| gosched());
                        moved += u64::from(if n % 2 == 0 { c.try_send(Counted::new(n)).is_ok() } else { c.try_recv().is_ok() });
                    }
                    moved
                }
            });
            let (mut moved, mut n) = (0, worker);
            while LEFT.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok() {
                n += 1;
                go_on.send(n);
                let timeout = Duration::from_nanos(n * 131 % 9_000);
                if n % 2 == 0 {
                    let result = c.recv_timeout(timeout);
                    COUNTS[usize::from(result.is_ok())].fetch_add(1, Relaxed);
                    moved += u64::from(result.is_ok());
                } else {
                    let result = c.send_timeout(Counted::new(n), timeout);
                    COUNTS[2 + usize::from(result.is_ok())].fetch_add(1, Relaxed);
                    moved += u64::from(result.is_ok());
                }
            }
            go_on.close();
            assert_eq!(other.join().unwrap(), moved, "one side has moved more than the other");
        });
    }
    wait.wait();
    assert_eq!(ALIVE.load(SeqCst), 0);
    let [late, received, kept, sent] = COUNTS.each_ref().map(|count| count.load(Relaxed));
    println!("late {late} received {received} kept {kept} sent {sent}");
}

/// Selects of random channels against each other, while GOMAXPROCS changes: what is sent arrives, once.
fn storm(seconds: u32) {
    const WORKERS: u64 = 12;
    let channels: Arc<Vec<Chan<Counted>>> = Arc::new((0..6).map(|n| chan::make(n % 3)).collect());
    let quit = chan::make::<()>(0);
    static SENT: AtomicU64 = AtomicU64::new(0);
    static GOT: AtomicU64 = AtomicU64::new(0);
    let wait = WaitGroup::new();
    for worker in 0..WORKERS {
        let (channels, quit) = (channels.clone(), quit.clone());
        wait.go(move || {
            let mut x = worker + 1;
            loop {
                x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let pick = |shift: u32| &channels[(x >> shift) as usize % channels.len()];
                let (sum, done) = (x >> 40 & 0xffff, x >> 7 & 7);
                let send = |result: Result<(), _>| _ = SENT.fetch_add(if result.is_ok() { sum } else { 0 }, SeqCst);
                let receive = |value: Option<Counted>| _ = GOT.fetch_add(value.map_or(0, |value| value.0), SeqCst);
                match done {
                    0 => receive(pick(10).try_recv().ok()),
                    1 => send(pick(10).try_send(Counted::new(sum)).map_err(drop)),
                    2 => select! {
                        recv(pick(10)) -> value => receive(value),
                        send(pick(14), Counted::new(sum)) -> result => send(result.map_err(drop)),
                        default => gosched(),
                    },
                    3 => {
                        let mut select = Select::new();
                        (0..20).for_each(|shift| select.recv(pick(shift), receive));
                        select.send(pick(20), Counted::new(sum), |result| send(result.map_err(drop)));
                        select.recv(&quit, |_| ());
                        select.run();
                    }
                    _ => select! {
                        recv(pick(10)) -> value => receive(value),
                        send(pick(14), Counted::new(sum)) -> result => send(result.map_err(drop)),
                        recv(pick(18)) -> value => receive(value),
                        send(pick(10), Counted::new(sum)) -> result => send(result.map_err(drop)),
                        recv(quit) => return,
                    },
                }
                if quit.try_recv() == Err(chan::TryRecvError::Closed) {
                    return;
                }
            }
        });
    }
    let end = Instant::now() + Duration::from_secs(seconds.into());
    let mut n = 0;
    while Instant::now() < end {
        gomaxprocs([1, 3, 8, 2][n % 4]);
        n += 1;
        sleep(MS);
    }
    quit.close();
    wait.wait();
    hooks::storm_preemptions(0);
    let left: u64 = channels.iter().flat_map(|channel| core::iter::from_fn(|| channel.try_recv().ok())).map(|value| value.0).sum();
    assert_eq!(SENT.load(SeqCst), GOT.load(SeqCst) + left, "lost, or doubled");
    assert_eq!(ALIVE.load(SeqCst), 0);
    until("all are done", || num_goroutine() == 1);
    println!("moved {}", SENT.load(SeqCst));
}
