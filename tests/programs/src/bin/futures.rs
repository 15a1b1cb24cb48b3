//! Futures: `block_on`, its wakers, goroutines as futures, and crates for async code without std.

#![no_std]
#![no_main]

extern crate alloc;

#[path = "../alive.rs"]
mod alive;
#[path = "../scenario.rs"]
mod scenario;

use alive::{ALIVE, Counted};
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::task::Wake;
use alloc::vec::Vec;
use core::cell::Cell;
use core::future::{pending, poll_fn, ready};
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst};
use core::task::{Context, Poll, Waker};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt, join, select_biased};
use gort::future::{block_on, sleep, spawn_future};
use gort::prelude::*;
use gort::runtime::{goexit, gosched, lock_os_thread};
use gort::time::{self, Duration, Instant};
use gort::{JoinError, JoinHandle, debug, defer, syscall};
use scenario::{number, until};

gort::main!(main);

const MS: Duration = Duration::from_millis(1);

fn main() {
    let scenario = scenario::begin();
    match scenario {
        "values" => values(),
        "before" => before(),
        "wakers" => wakers(),
        "late" => late(),
        "spurious" => spurious(),
        "nested" => nested(),
        "gives_way" => gives_way(),
        "joins" => joins(),
        "counts" => counts(),
        "sleeps" => sleeps(),
        "crates" => crates(),
        "race" => race(number(3)),
        "storm" => storm(number(3)),
        "leaked" => leaked(),
        "pending" => block_on(pending()),
        "pending_elsewhere" => spawn_future(pending::<()>()).join().unwrap(),
        "polled_again" => {
            let mut handle = spawn(|| 1);
            assert_eq!(block_on(&mut handle), Ok(1));
            _ = block_on(&mut handle);
        }
        "joined_again" => {
            let mut handle = spawn(|| 1);
            assert_eq!(block_on(&mut handle), Ok(1));
            _ = handle.join();
        }
        "goexit" => {
            go(|| sleep_now(20 * MS));
            block_on(poll_fn(|_| -> Poll<()> { goexit() }));
        }
        other => panic!("no scenario {other:?}"),
    }
    println!("{scenario} done");
}

fn sleep_now(duration: Duration) {
    time::sleep(duration);
}

/// A future that is ready once it was opened, and counts how often it was polled.
#[derive(Default)]
struct Gate {
    is_open: AtomicBool,
    polls: AtomicU32,
    waker: Mutex<Option<Waker>>,
}

impl Gate {
    fn poll(&self, context: &mut Context) -> Poll<()> {
        self.polls.fetch_add(1, SeqCst);
        *self.waker.lock() = Some(context.waker().clone());
        if self.is_open.load(SeqCst) { Poll::Ready(()) } else { Poll::Pending }
    }

    fn wait(&self) -> impl Future<Output = ()> {
        poll_fn(|context| self.poll(context))
    }

    /// Opens it. Whoever has the waker wakes.
    fn open(&self) -> Waker {
        self.is_open.store(true, SeqCst);
        self.waker.lock().clone().expect("nobody has polled")
    }

    fn has_waiter(&self) -> bool {
        self.waker.lock().is_some()
    }
}

/// Values come out, futures need not be `Send`, and are dropped once.
fn values() {
    assert_eq!(block_on(ready(7)), 7);
    assert_eq!(block_on(async { ready(3).await + 4 }), 7);
    let local = Rc::new(Cell::new(0));
    let seen = local.clone();
    block_on(async move {
        for _ in 0..3 {
            sleep(MS).await;
            seen.set(seen.get() + 1);
        }
    });
    assert_eq!(local.get(), 3);
    let value = Counted::new(5);
    let handle = spawn_future(async move {
        sleep(MS).await;
        (Counted::new(value.0 + 1), value)
    });
    let (a, b) = handle.join().unwrap();
    assert_eq!((a.0, b.0), (6, 5));
    drop((a, b));
    // The value of a goroutine whose handle is gone.
    drop(spawn_future(async { Counted::new(1) }));
    drop(spawn(|| Counted::new(1)));
    // A large one, whose goroutine has it in the heap.
    let large = [1u8; 20_000];
    let sum = spawn_future(async move {
        sleep(MS).await;
        large.iter().map(|&n| u32::from(n)).sum::<u32>()
    });
    assert_eq!(sum.join(), Ok(20_000));
    until("all were dropped", || ALIVE.load(SeqCst) == 0);
}

/// Woken before it parks: by its own poll, and by another goroutine while it polls.
fn before() {
    let mut left = 1000;
    block_on(poll_fn(|context| {
        left -= 1;
        context.waker().wake_by_ref();
        if left == 0 { Poll::Ready(()) } else { Poll::Pending }
    }));
    assert_eq!(left, 0);
    for _ in 0..300 {
        let mut polls = 0;
        block_on(poll_fn(|context| {
            polls += 1;
            if polls == 2 {
                return Poll::Ready(());
            }
            let waker = context.waker().clone();
            spawn(move || waker.wake()).join().unwrap();
            Poll::Pending
        }));
    }
}

/// Woken from everywhere that code can be.
fn wakers() {
    struct WakesAsItDrops(Option<Waker>);
    impl Drop for WakesAsItDrops {
        fn drop(&mut self) {
            self.0.take().unwrap().wake();
        }
    }
    type Way = fn(Waker);
    let ways: [(&str, Way); 10] = [
        ("a goroutine", |waker| go(move || waker.wake())),
        ("by reference", |waker| go(move || waker.wake_by_ref())),
        ("a clone", |waker| go(move || (0..10).fold(waker, |waker, _| waker.clone()).wake())),
        ("a blocking call", |waker| go(move || syscall::blocking(|| waker.wake()))),
        ("a call inside a call", |waker| go(move || syscall::blocking(|| syscall::blocking(|| waker.wake_by_ref())))),
        ("another thread", |waker| {
            go(move || {
                lock_os_thread();
                waker.wake();
            })
        }),
        ("a timer", |waker| drop(time::after_func(MS, move || waker.wake_by_ref()))),
        ("a destructor", |waker| go(move || drop(WakesAsItDrops(Some(waker))))),
        ("a deferred call", |waker| {
            go(move || {
                defer(move || waker.wake());
                goexit()
            })
        }),
        ("a finalizer", |waker| {
            let object = gort::runtime::Managed::new(0);
            gort::runtime::set_finalizer(&object, move |_| waker.wake_by_ref());
        }),
    ];
    for round in 0..30 {
        for (name, way) in &ways {
            let gate = Arc::new(Gate::default());
            let waiting = spawn_future({
                let gate = gate.clone();
                async move { gate.wait().await }
            });
            until(name, || gate.has_waiter());
            if round % 2 == 0 {
                sleep_now(Duration::from_micros(200));
            }
            way(gate.open());
            waiting.join().unwrap();
            let polls = gate.polls.load(SeqCst);
            assert!((1..=2).contains(&polls), "{name}: {polls} polls");
        }
    }
    // The destructor of the future itself.
    block_on(async {
        let waker = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
        let _wakes = WakesAsItDrops(Some(waker));
        sleep(MS).await;
    });
}

/// Wakers that outlive the future, its goroutine, and others on the same stack.
fn late() {
    let take = || poll_fn(|context: &mut Context| Poll::Ready(context.waker().clone()));
    let old: Vec<Waker> = (0..200).map(|_| spawn_future(take()).join().unwrap()).collect();
    old.iter().for_each(Waker::wake_by_ref);
    let mine = block_on(take());
    mine.wake_by_ref();
    assert!(mine.will_wake(&block_on(take())), "one goroutine, one waker");
    let stop = Arc::new(AtomicBool::new(false));
    let storm = spawn({
        let (stop, old, mine) = (stop.clone(), old.clone(), mine.clone());
        move || {
            while !stop.load(SeqCst) {
                old.iter().for_each(Waker::wake_by_ref);
                mine.wake_by_ref();
                gosched();
            }
        }
    });
    for round in 0..40 {
        let gates: Vec<_> = (0..100).map(|_| Arc::new(Gate::default())).collect();
        let waiting: Vec<_> = gates.iter().cloned().map(|gate| spawn_future(async move { gate.wait().await })).collect();
        gates.iter().for_each(|gate| until("it waits", || gate.has_waiter()));
        // Goroutines on the same stacks that wait for something else are let alone by old wakers.
        let (sender, receiver) = chan::channel(0);
        let others: Vec<_> = (0..50)
            .map(|_| {
                spawn({
                    let receiver = receiver.clone();
                    move || receiver.recv()
                })
            })
            .collect();
        (0..50).for_each(|n| sender.send(n + round));
        let sum: u32 = others.into_iter().map(|other| other.join().unwrap().unwrap()).sum();
        assert_eq!(sum, (0..50).sum::<u32>() + 50 * round);
        gates.iter().for_each(|gate| gate.open().wake());
        waiting.into_iter().for_each(|waiting| waiting.join().unwrap());
    }
    stop.store(true, SeqCst);
    storm.join().unwrap();
    drop(old);
}

/// Each wake-up is a poll, as far as none comes before it; a waker says that it is the same.
fn spurious() {
    let gate = Arc::new(Gate::default());
    let waiting = spawn_future({
        let gate = gate.clone();
        async move { gate.wait().await }
    });
    until("it waits", || gate.has_waiter());
    let first = gate.waker.lock().clone().unwrap();
    for n in 1..=200 {
        let before = gate.polls.load(SeqCst);
        gate.waker.lock().as_ref().unwrap().wake_by_ref();
        until("it was polled", || gate.polls.load(SeqCst) > before);
        assert_eq!(gate.polls.load(SeqCst), n + 1, "one poll each");
        assert!(gate.waker.lock().as_ref().unwrap().will_wake(&first) && !waiting.is_finished());
    }
    // Many at once are one, or a few.
    let wakers: Vec<_> = (0..8)
        .map(|_| {
            spawn({
                let first = first.clone();
                move || (0..1000).for_each(|_| first.wake_by_ref())
            })
        })
        .collect();
    wakers.into_iter().for_each(|waker| waker.join().unwrap());
    gate.open().wake();
    waiting.join().unwrap();
    let polls = gate.polls.load(SeqCst);
    assert!((202..=8202).contains(&polls), "{polls}");
}

/// Futures that wait for futures: what wakes one does not get lost, or poll another.
fn nested() {
    fn deep(depth: u32) -> u32 {
        if depth == 0 {
            block_on(sleep(MS));
            return 0;
        }
        let inner = spawn_future(async move { sleep(MS).await });
        block_on(async move {
            let below = deep(depth - 1);
            inner.await.unwrap();
            below + 1
        })
    }
    for depth in [1, 2, 7, 8, 9, 20] {
        assert_eq!(deep(depth), depth);
    }
    let (outer, inner) = (Arc::new(Gate::default()), Arc::new(Gate::default()));
    let inner_polls = Arc::new(AtomicU32::new(0));
    let waiting = spawn({
        let (outer, inner, inner_polls) = (outer.clone(), inner.clone(), inner_polls.clone());
        move || {
            let mut is_first = true;
            block_on(poll_fn(|context| {
                let poll = outer.poll(context);
                if core::mem::take(&mut is_first) {
                    block_on(inner.wait());
                    inner_polls.store(inner.polls.load(SeqCst), SeqCst);
                }
                poll
            }));
        }
    });
    until("the inner one waits", || inner.has_waiter());
    // The outer one's turn comes when the inner one is done.
    let early = outer.open();
    for _ in 0..100 {
        early.wake_by_ref();
        gosched();
    }
    sleep_now(2 * MS);
    assert!(!waiting.is_finished());
    inner.open().wake();
    waiting.join().unwrap();
    assert_eq!((inner_polls.load(SeqCst), outer.polls.load(SeqCst)), (2, 2), "no poll by another's wake-up, and none lost");
}

/// A future that wakes itself lets others run: two that wait for each other so go on, without preemption too.
fn gives_way() {
    let turn = Arc::new(AtomicU32::new(0));
    let wait = WaitGroup::new();
    for me in 0..2 {
        let turn = turn.clone();
        wait.go(move || {
            for round in 0..500 {
                block_on(poll_fn(|context| {
                    if turn.load(SeqCst) == 2 * round + me {
                        return Poll::Ready(());
                    }
                    context.waker().wake_by_ref();
                    Poll::Pending
                }));
                turn.fetch_add(1, SeqCst);
            }
        });
    }
    wait.wait();
    assert_eq!(turn.load(SeqCst), 1000);
}

/// Goroutines as futures.
fn joins() {
    // Polled several times, by one and by another, then joined.
    let go_on = chan::make::<()>(0);
    let mut handle = spawn({
        let go_on = go_on.clone();
        move || {
            go_on.recv();
            Counted::new(3)
        }
    });
    for _ in 0..3 {
        assert!(block_on(poll_fn(|context| Poll::Ready(Pin::new(&mut handle).poll(context).is_pending()))));
    }
    let handle = spawn(move || {
        assert!(block_on(poll_fn(|context| Poll::Ready(Pin::new(&mut handle).poll(context).is_pending()))));
        handle
    });
    let handle: JoinHandle<Counted> = handle.join().unwrap();
    assert!(!handle.is_finished());
    go_on.send(());
    assert_eq!(handle.join().unwrap().0, 3);
    // Awaited while it runs, and after it has ended.
    for pause in [0, 1] {
        let handle = spawn(move || {
            sleep_now(2 * MS * (1 - pause));
            Counted::new(4)
        });
        sleep_now(2 * MS * pause);
        assert_eq!(block_on(async { handle.await.unwrap().0 }), 4);
    }
    // One that ends by goexit, with somebody who awaits it and without.
    for pause in [0, 1] {
        let handle: JoinHandle<u32> = spawn(move || {
            sleep_now(2 * MS * (1 - pause));
            goexit()
        });
        sleep_now(2 * MS * pause);
        assert_eq!(block_on(handle), Err(JoinError));
    }
    // Polled, then dropped.
    for _ in 0..100 {
        let mut handle = spawn(|| {
            gosched();
            Counted::new(5)
        });
        block_on(poll_fn(|context| {
            _ = Pin::new(&mut handle).poll(context).map(drop);
            Poll::Ready(())
        }));
    }
    // Those of a scope borrow.
    let numbers: Vec<u64> = (0..100).collect();
    let sum = scope(|s| {
        let halves = numbers.chunks(50).map(|half| s.spawn(move || half.iter().sum::<u64>()));
        let halves: FuturesUnordered<_> = halves.collect();
        block_on(halves.map(Result::unwrap).fold(0, async |sum, n| sum + n))
    });
    assert_eq!(sum, 4950);
    until("all were dropped", || ALIVE.load(SeqCst) == 0);
}

/// A waker that counts itself, its clones and its calls.
struct Foreign {
    calls: Arc<AtomicU32>,
    _alive: Counted,
}

impl Wake for Foreign {
    fn wake(self: Arc<Foreign>) {
        self.calls.fetch_add(1, SeqCst);
    }
}

/// Wakers that are not ours are cloned, replaced, called and dropped as they should be.
fn counts() {
    let calls = Arc::new(AtomicU32::new(0));
    let waker = || Waker::from(Arc::new(Foreign { calls: calls.clone(), _alive: Counted::new(0) }));
    let poll = |future: Pin<&mut dyn Future<Output = ()>>, waker: &Waker| future.poll(&mut Context::from_waker(waker)).is_ready();
    // A join handle: the last waker is called, once.
    for how in ["ends", "goexits", "is dropped"] {
        let go_on = chan::make::<()>(0);
        let goroutine = spawn({
            let go_on = go_on.clone();
            move || {
                go_on.recv();
                if how == "goexits" {
                    goexit()
                }
            }
        });
        let mut joined = Box::pin(async { _ = goroutine.await });
        let last = waker();
        for _ in 0..10 {
            assert!(!poll(joined.as_mut(), &waker()), "replaced by the next");
        }
        assert_eq!(ALIVE.load(SeqCst), 2, "the last one that polled, and `last`");
        assert!(!poll(joined.as_mut(), &last) && !poll(joined.as_mut(), &last));
        assert_eq!(ALIVE.load(SeqCst), 1, "the one before was dropped");
        if how == "is dropped" {
            drop(joined);
            drop(last);
            assert_eq!(ALIVE.load(SeqCst), 0, "a handle takes its waker with it");
            go_on.send(());
        } else {
            go_on.send(());
            until("it was called", || calls.load(SeqCst) == 1);
            assert!(poll(joined.as_mut(), &last));
            drop((joined, last));
        }
        until("all were dropped", || ALIVE.load(SeqCst) == 0);
        assert_eq!(calls.swap(0, SeqCst), u32::from(how != "is dropped"), "{how}");
    }
    // A sleep.
    let mut slept = Box::pin(sleep(20 * MS));
    let last = waker();
    assert!(!poll(slept.as_mut(), &waker()) && !poll(slept.as_mut(), &last));
    assert_eq!(ALIVE.load(SeqCst), 1);
    until("it was called", || calls.load(SeqCst) == 1);
    assert!(poll(slept.as_mut(), &last));
    drop((slept, last));
    until("all were dropped", || ALIVE.load(SeqCst) == 0);
    let mut slept = Box::pin(sleep(10_000 * MS));
    assert!(!poll(slept.as_mut(), &waker()));
    assert_eq!(ALIVE.load(SeqCst), 1);
    drop(slept);
    assert_eq!((ALIVE.load(SeqCst), calls.load(SeqCst)), (0, 1), "a sleep takes its waker with it");
}

fn sleeps() {
    let start = Instant::now();
    block_on(sleep(Duration::ZERO));
    block_on(async {
        let (a, b) = (sleep(5 * MS), sleep(10 * MS));
        sleep(3 * MS).await;
        a.await;
        assert!(start.elapsed() >= 5 * MS);
        b.await;
        assert!(start.elapsed() >= 10 * MS && start.elapsed() < 10_000 * MS, "all from the call of sleep on");
    });
    // Not polled at all, polled and dropped, for ever.
    drop(sleep(MS));
    block_on(async {
        select_biased! {
            () = sleep(Duration::MAX).fuse() => unreachable!(),
            () = sleep(MS).fuse() => {}
        }
    });
    let sleepers: Vec<_> = (0..1000u32).map(|n| spawn_future(sleep(Duration::from_micros((n * 7919 % 5000).into())))).collect();
    sleepers.into_iter().for_each(|sleeper| sleeper.join().unwrap());
}

/// futures-util and async-channel, as they come.
fn crates() {
    let (a, b, c) = block_on(async {
        join!(
            ready(1),
            async {
                sleep(MS).await;
                2
            },
            spawn(|| 3)
        )
    });
    assert_eq!((a, b, c), (1, 2, Ok(3)));
    let unordered: FuturesUnordered<_> = (0..200u64).map(|n| spawn(move || Counted::new(n))).collect();
    let sum = block_on(unordered.fold(0, async |sum, value| sum + value.unwrap().0));
    assert_eq!(sum, 199 * 100);
    let (sender, receiver) = async_channel::bounded(3);
    let senders: Vec<_> = (0..4u64)
        .map(|me| {
            let sender = sender.clone();
            spawn_future(async move {
                for n in 0..250 {
                    sender.send(Counted::new(me * 250 + n)).await.unwrap();
                }
            })
        })
        .collect();
    drop(sender);
    let receivers: Vec<_> = (0..3)
        .map(|_| {
            let receiver = receiver.clone();
            spawn(move || {
                let mut sum = 0;
                block_on(async {
                    while let Ok(value) = receiver.recv().await {
                        sum += value.0;
                    }
                });
                sum
            })
        })
        .collect();
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    assert_eq!(receivers.into_iter().map(|receiver| receiver.join().unwrap()).sum::<u64>(), 999 * 500);
    // A select over a goroutine, a channel and a time: who is not chosen goes on.
    let slow = chan::make::<u32>(0);
    let mut goroutine = spawn({
        let slow = slow.clone();
        move || slow.recv()
    })
    .fuse();
    let mut timeouts = 0;
    let got = block_on(async {
        loop {
            select_biased! {
                got = goroutine => break got,
                _ = receiver.recv().fuse() => timeouts += 0,
                () = sleep(MS).fuse() => unreachable!("the channel is closed, which is no reason to wait"),
            }
            timeouts += 1;
            if timeouts == 5 {
                slow.send(8);
            }
        }
    });
    assert_eq!((got, timeouts >= 5), (Ok(Some(8)), true));
    until("all were dropped", || ALIVE.load(SeqCst) == 0);
}

/// A future that is made ready while its goroutine is about to park.
fn race(rounds: u32) {
    let (gates, done) = (chan::make::<Arc<Gate>>(0), chan::make::<()>(0));
    go({
        let (gates, done) = (gates.clone(), done.clone());
        move || {
            for gate in gates {
                let mut spun = 0u32;
                let waker = loop {
                    if let Some(waker) = gate.waker.try_lock().and_then(|waker| waker.clone()) {
                        break waker;
                    }
                    spun += 1;
                    if spun.is_multiple_of(100) {
                        gosched();
                    }
                };
                gate.is_open.store(true, SeqCst);
                waker.wake();
                done.send(());
            }
        }
    });
    let mut parked = 0;
    for _ in 0..rounds {
        let gate = Arc::new(Gate::default());
        gates.send(gate.clone());
        block_on(gate.wait());
        done.recv();
        parked += u32::from(gate.polls.load(SeqCst) > 1);
    }
    gates.close();
    println!("waited {parked} of {rounds}");
}

/// Rings of futures that pass a number on by wakers, with wakers in vain all over.
fn storm(seconds: u32) {
    const RINGS: usize = 4;
    const PLACES: usize = 16;
    const END: u64 = 1 << 62;
    struct Place {
        value: AtomicU64,
        waker: Mutex<Option<Waker>>,
    }
    static STOP: AtomicBool = AtomicBool::new(false);
    static PASSED: AtomicU64 = AtomicU64::new(0);
    let all: Arc<Vec<Vec<Place>>> =
        Arc::new((0..RINGS).map(|_| (0..PLACES).map(|_| Place { value: AtomicU64::new(0), waker: Mutex::new(None) }).collect()).collect());
    let put = |place: &Place, value: u64| {
        assert_eq!(place.value.swap(value, SeqCst), 0, "one is lost");
        let waker = place.waker.lock().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    };
    let wait = WaitGroup::new();
    for ring in 0..RINGS {
        for me in 0..PLACES {
            let all = all.clone();
            wait.go(move || {
                loop {
                    let place = &all[ring][me];
                    let got = block_on(poll_fn(|context| {
                        *place.waker.lock() = Some(context.waker().clone());
                        match place.value.swap(0, SeqCst) {
                            0 => Poll::Pending,
                            value => Poll::Ready(value),
                        }
                    }));
                    PASSED.fetch_add(1, SeqCst);
                    let next = &all[ring][(me + 1) % PLACES];
                    let ending = got.checked_sub(END);
                    if ending.is_none() && !STOP.load(SeqCst) {
                        put(next, got + 1);
                        continue;
                    }
                    // The end goes round once: so many are left.
                    let left = ending.unwrap_or(PLACES as u64 - 1);
                    if left != 0 {
                        put(next, END + left - 1);
                    }
                    return;
                }
            });
        }
    }
    let start = Instant::now();
    all.iter().for_each(|ring| put(&ring[0], 1));
    let mut vain = pin!(poll_fn(|context: &mut Context| {
        all.iter().flatten().for_each(|place| {
            if let Some(waker) = place.waker.try_lock().and_then(|waker| waker.clone()) {
                waker.wake();
            }
        });
        if start.elapsed().as_secs() >= seconds.into() {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }));
    block_on(vain.as_mut());
    STOP.store(true, SeqCst);
    wait.wait();
    println!("passed {}", PASSED.load(SeqCst));
}

/// Who waits for a future that nobody can wake is leaked; who has a waker somewhere is not.
fn leaked() {
    static KEPT: Mutex<Option<Arc<Gate>>> = Mutex::new(None);
    go(|| block_on(pending::<()>()));
    let gate = Arc::new(Gate::default());
    *KEPT.lock() = Some(gate.clone());
    let waiting = spawn(move || block_on(gate.wait()));
    until("it waits", || KEPT.lock().as_ref().unwrap().has_waiter());
    go(|| block_on(sleep(3_600_000 * MS)));
    let handle = spawn(|| block_on(pending::<()>()));
    go(move || block_on(handle));
    sleep_now(20 * MS);
    let leaks = debug::leaks().unwrap();
    leaks.iter().for_each(|leak| println!("{leak}"));
    KEPT.lock().as_ref().unwrap().open().wake();
    waiting.join().unwrap();
}
