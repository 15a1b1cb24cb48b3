//! Channels: what Go's runtime tests of them show, sizes and their limits, and who is left with what when the other side goes. `tests/channels.rs` runs the scenarios.

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
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use gort::__private::stack;
use gort::chan::{Chan, SendError, TryRecvError, TrySendError};
use gort::prelude::*;
use gort::runtime::gosched;
use gort::time::{Duration, Instant, sleep};
use scenario::number;

gort::main!(main);

const MS: Duration = Duration::from_millis(1);

fn main() {
    let scenario = scenario::begin();
    match scenario {
        "each_capacity" => each_capacity(number(3)),
        "recv_race" => recv_race(number(3)),
        "select_race" => select_race(number(3)),
        "self_select" => self_select(),
        "select_stress" => select_stress(number(3)),
        "objects" => objects(),
        "random_send" => random_send(),
        "many_consumers" => many_consumers(number(3)),
        "deep_stacks" => deep_stacks(),
        "slots" => slots(),
        "requests" => requests(number(3)),
        "twice_in_a_queue" => twice_in_a_queue(),
        "sizes" => sizes(),
        "capacities" => capacities(),
        "left" => left(),
        "in_slot" => in_slot(),
        "close_races" => close_races(number(3)),
        "dropped_receivers" => dropped_receivers(number(3)),
        "too_large" => drop(chan::make::<u64>(1 << 45)),
        "too_many" => drop(chan::channel::<()>(usize::MAX)),
        "overflows" => drop(chan::make::<[u64; 2]>(usize::MAX / 8)),
        "send_closed" => {
            let c = chan::make::<u32>(1);
            c.close();
            c.send(1);
        }
        "send_closed_meanwhile" => {
            let c = chan::make::<u32>(0);
            let closer = c.clone();
            go(move || {
                sleep(10 * MS);
                closer.close();
            });
            c.send(1);
        }
        "close_closed" => {
            let (tx, _rx) = chan::channel::<u32>(0);
            tx.close();
            tx.close();
        }
        "close_nil" => chan::Sender::<u32>::nil().close(),
        other => panic!("no scenario {other:?}"),
    }
    assert_eq!(ALIVE.load(SeqCst), 0, "values were lost, or dropped twice");
    println!("{scenario} done");
}

/// Sends and receives that wait, that must not wait, close, order, many on both sides, len and cap, for each capacity up to `capacities`.
fn each_capacity(capacities: u32) {
    for capacity in 0..capacities as usize {
        empty_waits(capacity);
        full_waits(capacity);
        closed_is_drained(capacity);
        in_order(capacity);
        many_to_many(capacity);
    }
}

fn empty_waits(capacity: usize) {
    let c = chan::make::<Counted>(capacity);
    let went_on = Arc::new(AtomicU32::new(0));
    let receivers = [(); 2].map(|()| {
        let (c, went_on) = (c.clone(), went_on.clone());
        gort::spawn(move || {
            let value = c.recv();
            went_on.fetch_add(1, SeqCst);
            value.unwrap().0
        })
    });
    sleep(MS);
    assert_eq!(went_on.load(SeqCst), 0, "[{capacity}]: received from an empty channel");
    assert_eq!(c.try_recv().unwrap_err(), TryRecvError::Empty);
    assert!(select! { recv(c) => false, default => true });
    c.send(Counted::new(1));
    c.send(Counted::new(2));
    let sum: u64 = receivers.into_iter().map(|receiver| receiver.join().unwrap()).sum();
    assert_eq!(sum, 3);
    let waits = gort::spawn({
        let c = c.clone();
        move || c.recv().is_none()
    });
    sleep(MS);
    c.close();
    assert!(waits.join().unwrap(), "[{capacity}]: a value from a closed channel");
}

fn full_waits(capacity: usize) {
    let c = chan::make::<Counted>(capacity);
    assert_eq!((c.len(), c.cap()), (0, capacity));
    for n in 0..capacity {
        c.send(Counted::new(n as u64));
    }
    assert_eq!((c.len(), c.cap()), (capacity, capacity));
    let sent = Arc::new(AtomicBool::new(false));
    let sender = gort::spawn({
        let (c, sent) = (c.clone(), sent.clone());
        move || {
            c.send(Counted::new(77));
            sent.store(true, SeqCst);
        }
    });
    sleep(MS);
    assert!(!sent.load(SeqCst), "[{capacity}]: sent to a full channel");
    // Who waits is not in the way of one that must not.
    assert!(matches!(c.try_send(Counted::new(78)), Err(TrySendError::Full(Counted(78)))));
    assert!(select! { send(c, Counted::new(79)) => false, default => true });
    for n in (0..capacity as u64).chain([77]) {
        assert_eq!(c.recv().unwrap().0, n);
    }
    sender.join().unwrap();
    assert!(c.is_empty());
}

fn closed_is_drained(capacity: usize) {
    let c = chan::make::<Counted>(capacity);
    for n in 0..capacity {
        c.send(Counted::new(n as u64));
    }
    c.close();
    assert_eq!((c.len(), c.cap()), (capacity, capacity));
    assert!(matches!(c.send_or(Counted::new(5)), Err(SendError(Counted(5)))));
    assert!(matches!(c.try_send(Counted::new(6)), Err(TrySendError::Closed(Counted(6)))));
    let mut values = c.iter();
    for n in 0..capacity {
        assert_eq!(values.next().unwrap().0, n as u64, "[{capacity}]");
    }
    assert!(values.next().is_none() && values.next().is_none() && c.recv().is_none());
    assert_eq!(c.try_recv().unwrap_err(), TryRecvError::Closed);
}

fn in_order(capacity: usize) {
    let c = chan::make::<u64>(capacity);
    for _ in 0..2 {
        let sender = c.sender();
        go(move || (0..100).for_each(|n| sender.send(n)));
        assert!((0..100).all(|n| c.recv() == Some(n)), "[{capacity}]: out of order");
    }
}

fn many_to_many(capacity: usize) {
    const SIDES: usize = 4;
    const EACH: usize = 250;
    let c = chan::make::<usize>(capacity);
    let counts = chan::make::<Vec<u8>>(0);
    for _ in 0..SIDES {
        let (sender, receiver, counts) = (c.sender(), c.receiver(), counts.clone());
        go(move || (0..EACH).for_each(|n| sender.send(n)));
        go(move || {
            let mut seen = vec![0; EACH];
            receiver.iter().take(EACH).for_each(|n| seen[n] += 1);
            counts.send(seen);
        });
    }
    let mut seen = vec![0; EACH];
    for counts in counts.iter().take(SIDES) {
        seen.iter_mut().zip(counts).for_each(|(all, one)| *all += one);
    }
    assert!(seen.iter().all(|&n| usize::from(n) == SIDES), "[{capacity}]: {seen:?}");
}

/// A receive that must not wait, from a channel that is being closed with a value in it: one of two gets the value, the other sees the end; nobody finds it empty.
fn recv_race(rounds: u32) {
    for round in 0..rounds {
        let c = chan::make::<Counted>(1);
        c.send(Counted::new(1));
        let other = gort::spawn({
            let c = c.clone();
            move || match c.try_recv() {
                Err(TryRecvError::Empty) => panic!("round {round}: it was neither full nor closed"),
                result => u32::from(result.is_ok()),
            }
        });
        if round % 2 == 0 {
            gosched();
        }
        c.close();
        let got = u32::from(c.recv().is_some());
        assert_eq!(got + other.join().unwrap(), 1, "round {round}");
    }
}

/// At each moment one of two channels can be received from: a select never finds none. The second one has a value, or is closed.
fn select_race(rounds: u32) {
    let done = chan::make::<bool>(1);
    for round in 0..rounds {
        let (first, second) = (chan::make::<u32>(1), chan::make::<u32>(round as usize % 2));
        first.send(1);
        let (a, b, report) = (first.clone(), second.clone(), done.clone());
        go(move || {
            report.send(select! {
                recv(a) => true,
                recv(b) => true,
                default => false,
            })
        });
        if round % 2 == 1 {
            second.send(1)
        } else {
            second.close()
        }
        let _ = first.try_recv();
        assert_eq!(done.recv(), Some(true), "round {round}: no channel was ready");
    }
}

/// Both directions of one channel in one select, by two goroutines: without a buffer nobody gets what is its own.
fn self_select() {
    for capacity in [0, 10] {
        let c = chan::make::<u32>(capacity);
        let wait = WaitGroup::new();
        for me in 0..2 {
            let c = c.clone();
            wait.go(move || {
                for round in 0..1000 {
                    let check = |value: Option<u32>| assert!(capacity > 0 || value != Some(me), "it has received its own");
                    if me == 0 || round % 2 == 0 {
                        select! { send(c, me) => {}, recv(c) -> value => check(value) }
                    } else {
                        select! { recv(c) -> value => check(value), send(c, me) => {} }
                    }
                }
            });
        }
        wait.wait();
    }
}

/// Four channels; on each, one sends and one receives `each` values; one select sends as many on all of them, one receives as many.
fn select_stress(each: u32) {
    let channels: [Chan<Counted>; 4] = [0, 0, 2, 3].map(chan::make);
    let wait = WaitGroup::new();
    for c in &channels {
        let (sender, receiver) = (c.sender(), c.receiver());
        wait.go(move || (0..each).for_each(|n| sender.send(Counted::new(n.into()))));
        wait.go(move || (0..each).for_each(|_| drop(receiver.recv().unwrap())));
    }
    let (senders, receivers) = (channels.clone(), channels);
    wait.go(move || {
        let (mut on, mut sent) = (senders.map(Some), [0; 4]);
        for n in 0..4 * u64::from(each) {
            let [a, b, c, d] = &on;
            let chosen = select! {
                send(d, Counted::new(n)) => 3,
                send(c, Counted::new(n)) => 2,
                send(a, Counted::new(n)) => 0,
                send(b, Counted::new(n)) => 1,
            };
            sent[chosen] += 1;
            on[chosen] = on[chosen].take().filter(|_| sent[chosen] < each);
        }
        assert_eq!(sent, [each; 4]);
    });
    wait.go(move || {
        let (mut on, mut got) = (receivers.map(Some), [0; 4]);
        for _ in 0..4 * each {
            let [a, b, c, d] = &on;
            let chosen = select! {
                recv(a) -> value => value.map(|_| 0),
                recv(b) -> value => value.map(|_| 1),
                recv(c) -> value => value.map(|_| 2),
                recv(d) -> value => value.map(|_| 3),
            };
            let chosen = chosen.expect("nobody closes them");
            got[chosen] += 1;
            on[chosen] = on[chosen].take().filter(|_| got[chosen] < each);
        }
        assert_eq!(got, [each; 4]);
    });
    wait.wait();
}

trait Says: Send {
    fn says(&self) -> u64;
}

impl Says for Counted {
    fn says(&self) -> u64 {
        self.0
    }
}

impl Says for &'static str {
    fn says(&self) -> u64 {
        self.len() as u64
    }
}

/// Values known by what they can do: boxed, and of several types through one channel.
fn objects() {
    let c = chan::make::<Box<dyn Says>>(1);
    c.send(Box::new(Counted::new(40)));
    assert!(select! { send(c, Box::new("full")) => false, default => true });
    assert!(select! { send(c, Box::new(Counted::new(1))) => false, send(c, Box::new("full")) => false, default => true });
    assert_eq!(c.recv().map(|value| value.says()), Some(40));
    let mut chosen = [false; 2];
    while chosen != [true; 2] {
        let n = select! { send(c, Box::new(Counted::new(41))) => 0, send(c, Box::new("forty two")) => 1, default => unreachable!() };
        assert_eq!(c.recv().unwrap().says(), [41, 9][n]);
        chosen[n] = true;
    }
    let functions = chan::make::<Box<dyn FnOnce() -> u64 + Send>>(0);
    let (sender, value) = (functions.clone(), Counted::new(5));
    go(move || sender.send(Box::new(move || value.0)));
    assert_eq!(functions.recv().map(|f| f()), Some(5));
}

/// Of two sends on one channel, to a receiver who comes now and then, or into a buffer, each goes on often enough: chance, not order.
fn random_send() {
    const SENDS: u64 = 300;
    // Without a buffer it waits, and then the one that is first in the queue is served.
    for capacity in [0, SENDS as usize] {
        let c = chan::make::<u64>(capacity);
        let receiver = c.clone();
        let ones = gort::spawn(move || {
            (0..SENDS)
                .map(|_| {
                    gosched();
                    receiver.recv().unwrap()
                })
                .sum::<u64>()
        });
        for _ in 0..SENDS {
            select! { send(c, 1) => {}, send(c, 0) => {} }
        }
        let ones = ones.join().unwrap();
        // 150 with a deviation of 8.7: more than eleven of them away means no chance.
        assert!((50..250).contains(&ones), "capacity {capacity}: {ones} of {SENDS}");
    }
}

/// Many take from one channel and pass on to another, until the first one is closed.
fn many_consumers(values: u32) {
    const WORKERS: usize = 23;
    const NUMBERS: [u64; 10] = [2, 3, 7, 11, 13, 17, 19, 23, 27, 31];
    let (work, results) = (chan::make::<Counted>(WORKERS * 3), chan::make::<Counted>(WORKERS * 3));
    let workers = WaitGroup::new();
    for worker in 0..WORKERS {
        let (work, results) = (work.receiver(), results.sender());
        workers.go(move || {
            for value in work {
                if NUMBERS[worker % NUMBERS.len()] == value.0 {
                    gosched();
                }
                results.send(value);
            }
        });
    }
    let numbers = move || NUMBERS.into_iter().cycle().take(values as usize);
    let end = results.clone();
    go(move || {
        numbers().for_each(|n| work.send(Counted::new(n)));
        work.close();
        workers.wait();
        end.close();
    });
    let (count, sum) = results.iter().fold((0, 0), |(count, sum), value| (count + 1, sum + value.0));
    assert_eq!((count, sum), (values, numbers().sum()));
}

/// Uses `levels` KiB of stack, and says so by a sum that must be right.
#[inline(never)]
fn dig(levels: u32) -> u64 {
    let mut page = [levels as u8; 1024];
    core::hint::black_box(&mut page);
    let below = if levels == 0 { 0 } else { dig(levels - 1) };
    core::hint::black_box(&page);
    below + u64::from(page[1023])
}

/// A goroutine's stack grows far and becomes small again between sends for which it waits, while free stacks are given back to the kernel all the time.
fn deep_stacks() {
    const LEVELS: u32 = 150;
    let stop = Arc::new(AtomicBool::new(false));
    let cleaner = gort::spawn({
        let stop = stop.clone();
        move || {
            while !stop.load(Relaxed) {
                // Stacks that were used and are free now, for it to take.
                scope(|s| (0..8).for_each(|_| s.go(|| dig(50))));
                stack::scavenge();
                gosched();
            }
        }
    });
    for round in 0..40 {
        let (c, done) = (chan::make::<[u64; 32]>(0), chan::make::<u64>(0));
        let (sender, report) = (c.sender(), done.sender());
        go(move || {
            let mut sum = 0;
            for n in 0..10 {
                sender.send([n; 32]);
                sum += dig(LEVELS);
            }
            report.send(sum);
        });
        for n in 0..10 {
            assert_eq!(c.recv(), Some([n; 32]), "round {round}");
            // So that the sender waits at its shallow depth.
            if n % 3 == 0 {
                sleep(Duration::from_micros(100));
            }
        }
        assert_eq!(done.recv(), Some(10 * (0..=u64::from(LEVELS)).sum::<u64>()));
    }
    stop.store(true, Relaxed);
    cleaner.join().unwrap();
}

/// Values for a select that waits land where it looks for them, and what it has on its stack is as it was; whoever is chosen, and with a channel there twice.
fn slots() {
    let (c, d) = (chan::make::<&'static AtomicU32>(0), chan::make::<&'static AtomicU32>(0));
    static SHARED: AtomicU32 = AtomicU32::new(0);
    for round in 0..200 {
        let ready = chan::make::<()>(0);
        let wait = WaitGroup::new();
        for twice in [false, true] {
            let (c, d, ready) = (c.receiver(), d.receiver(), ready.clone());
            let (c2, d2) = (twice.then(|| c.clone()), twice.then(|| d.clone()));
            wait.go(move || {
                dig(10);
                ready.send(());
                let mine = [round; 64];
                let got = select! {
                    recv(c) -> value => value,
                    recv(c2) -> value => value,
                    recv(d) -> value => value,
                    recv(d2) -> value => value,
                };
                got.expect("nobody closes them").fetch_add(1, SeqCst);
                assert!(core::hint::black_box(mine) == [round; 64], "its stack was written to");
            });
        }
        ready.recv();
        ready.recv();
        if round % 4 == 0 {
            sleep(Duration::from_micros(100));
        }
        stack::scavenge();
        for _ in 0..2 {
            select! { send(c, &SHARED) => {}, send(d, &SHARED) => {} }
        }
        wait.wait();
    }
    assert_eq!(SHARED.load(SeqCst), 400);
}

/// Goroutines that ask others, by a channel of the moment whose sender may still be at it when the asker has gone on; garbage in between.
fn requests(each: u32) {
    struct Answer(Result<Counted, Counted>);
    for with_select in [false, true] {
        scope(|s| {
            for asker in 0..32 {
                s.go(move || {
                    for n in 0..u64::from(each) {
                        let (answers, done) = (chan::make::<Box<Answer>>(0), chan::make::<()>(0));
                        let answer = answers.sender();
                        go(move || {
                            let value = Box::new(Answer(Err(Counted::new(asker << 32 | n))));
                            if with_select {
                                select! { send(answer, value) => {}, recv(done) => unreachable!() }
                            } else {
                                answer.send(value);
                            }
                        });
                        let answer = answers.recv().unwrap();
                        gosched();
                        assert!(matches!(answer.0, Err(Counted(value)) if value == asker << 32 | n));
                        drop(core::hint::black_box(vec![n as u8; 1 << 10]));
                    }
                });
            }
        });
    }
}

/// A select waits twice in one queue, another goroutine behind it; it goes on by another channel, and the one behind it is next.
fn twice_in_a_queue() {
    for _ in 0..50 {
        let (c, d, e) = (chan::make::<u32>(0), chan::make::<u32>(0), chan::make::<u32>(0));
        let (c1, d1, e1) = (c.clone(), d.clone(), e.clone());
        go(move || {
            select! { recv(c1) => unreachable!(), recv(c1) => unreachable!(), recv(d1) => {} }
            e1.send(9);
        });
        sleep(Duration::from_micros(200));
        let (c2, e2) = (c.clone(), e.clone());
        go(move || e2.send(c2.recv().unwrap()));
        sleep(Duration::from_micros(200));
        d.send(7);
        assert_eq!(e.recv(), Some(9));
        c.send(8);
        assert_eq!(e.recv(), Some(8));
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
#[repr(align(256))]
struct Aligned(u64);

/// Elements of all sizes: none, large, strictly aligned; handed over, buffered, selected.
fn sizes() {
    fn passes<T: Copy + PartialEq + core::fmt::Debug + Send + 'static>(values: &[T]) {
        for capacity in [0, 1, 3] {
            let c = chan::make::<T>(capacity);
            let (sender, sent) = (c.sender(), values.to_vec());
            let other = gort::spawn(move || {
                for (n, value) in sent.into_iter().enumerate() {
                    if n % 2 == 0 {
                        sender.send(value)
                    } else {
                        select! { send(sender, value) => {} }
                    }
                }
                sender.close();
            });
            for (n, value) in values.iter().enumerate() {
                let got = if n % 3 == 0 {
                    select! { recv(c) -> got => got }
                } else {
                    c.recv()
                };
                assert!(got == Some(*value), "capacity {capacity}, value {n}");
            }
            assert!(c.recv().is_none());
            other.join().unwrap();
        }
    }
    passes(&[(); 20]);
    passes(&[[0u64; 0]; 20]);
    passes(&core::array::from_fn::<u8, 20, _>(|n| n as u8));
    passes(&core::array::from_fn::<_, 20, _>(|n| Aligned(n as u64)));
    passes(&core::array::from_fn::<_, 6, _>(|n| [n as u64; 256]));
    // By way of boxes there is no limit.
    let c = chan::make::<Box<[u64; 1 << 16]>>(2);
    let sender = c.clone();
    go(move || (0..5u64).for_each(|n| sender.send(vec![n; 1 << 16].into_boxed_slice().try_into().unwrap())));
    assert!((0..5).all(|n| c.recv().is_some_and(|value| value.iter().all(|&word| word == n))));
    // Two channels of nothing are two channels.
    let (a, b) = (chan::make::<()>(1), chan::make::<()>(1));
    assert!(a != b && a == a.clone());
    a.send(());
    assert!((a.len(), b.len()) == (1, 0) && b.try_recv().is_err());
}

/// len and cap, and capacities that only a channel of nothing can have.
fn capacities() {
    let c = chan::make::<u32>(10);
    assert_eq!((c.len(), c.cap(), c.is_empty()), (0, 10, true));
    (0..3).for_each(|n| c.send(n));
    assert_eq!((c.len(), c.cap(), c.capacity()), (3, 10, 10));
    assert_eq!((c.sender().len(), c.receiver().cap()), (3, 10));
    assert_eq!((chan::make::<u32>(0).len(), chan::make::<u32>(0).cap()), (0, 0));
    assert_eq!((Chan::<u32>::nil().len(), Chan::<u32>::nil().cap()), (0, 0));
    // At once: nothing is done for each place.
    let start = Instant::now();
    for capacity in [1 << 40, isize::MAX as usize] {
        let c = chan::make::<()>(capacity);
        assert_eq!(c.cap(), capacity);
        (0..1000).for_each(|_| c.send(()));
        assert_eq!((c.len(), c.recv()), (1000, Some(())));
    }
    assert!(start.elapsed() < Duration::from_secs(10));
    let c = chan::make::<u64>(1 << 24);
    c.send(7);
    assert_eq!((c.cap(), c.recv()), (1 << 24, Some(7)));
}

/// What is left in a channel goes when its last handle does, whichever that is, and not before; dropping closes nothing.
fn left() {
    let alive = || ALIVE.load(SeqCst);
    let (tx, rx) = chan::channel(4);
    (0..3).for_each(|n| tx.send(Counted::new(n)));
    drop(tx);
    assert!(rx.recv().unwrap().0 == 0 && alive() == 2);
    drop(rx);
    assert_eq!(alive(), 0);
    let (tx, rx) = chan::channel(4);
    drop(rx);
    (0..4).for_each(|n| tx.send(Counted::new(n)));
    assert_eq!(tx.try_send(Counted::new(4)).unwrap_err().into_inner().0, 4);
    assert_eq!(alive(), 4);
    let again = tx.clone();
    drop(tx);
    assert_eq!(alive(), 4);
    again.close();
    assert_eq!(alive(), 4, "what is buffered in a closed channel is still there");
    drop(again);
    assert_eq!(alive(), 0);
    // The last sender goes: the receiver goes on waiting, for nothing was closed.
    let (tx, rx) = chan::channel::<Counted>(0);
    drop(tx);
    assert_eq!(rx.try_recv().unwrap_err(), TryRecvError::Empty);
    assert!(rx.recv_timeout(MS).is_err());
    // A channel in a channel, and the values in it.
    let outer = chan::make::<Chan<Counted>>(2);
    let inner = chan::make(2);
    inner.send(Counted::new(1));
    outer.send(inner);
    assert_eq!(alive(), 1);
    drop(outer);
    assert_eq!(alive(), 0);
    // A value whose destructor uses the channel that it was in.
    struct Tells(chan::Sender<u32>, u32);
    impl Drop for Tells {
        fn drop(&mut self) {
            self.0.send(self.1);
        }
    }
    let told = chan::make(8);
    let c = chan::make(2);
    c.send(Tells(told.sender(), 1));
    c.send(Tells(told.sender(), 2));
    assert!(c.try_send(Tells(told.sender(), 3)).is_err());
    select! { send(c, Tells(told.sender(), 4)) => unreachable!(), default => {} }
    drop(c);
    assert_eq!(told.iter().take(4).collect::<Vec<_>>(), [3, 4, 1, 2]);
}

/// A value offered out of a slot stays there until somebody takes it.
fn in_slot() {
    let (c, other) = (chan::make::<Counted>(0), chan::make::<u32>(1));
    let mut slot = Some(Counted::new(1));
    other.send(5);
    for _ in 0..10 {
        let got = select! { send(c, in slot) => 0, recv(other) -> n => n.unwrap() };
        assert!(got == 5 && slot.as_ref().is_some_and(|value| value.0 == 1));
        assert!(select! { send(c, in slot) => false, default => slot.is_some() });
        other.send(5);
    }
    // Somebody takes it: the slot is empty, and then its case never goes on.
    let receiver = c.clone();
    let taken = gort::spawn(move || receiver.recv().unwrap().0);
    other.recv();
    select! { send(c, in slot) => {}, recv(other) => unreachable!() }
    assert!(taken.join().unwrap() == 1 && slot.is_none());
    let receiver = c.clone();
    let receives = gort::spawn(move || receiver.recv_timeout(5 * MS).is_ok());
    sleep(MS);
    assert!(select! { send(c, in slot) => false, default => true });
    assert!(!receives.join().unwrap());
    // Closed meanwhile: the value comes back to whoever asks for it.
    slot = Some(Counted::new(2));
    let closer = c.clone();
    go(move || {
        sleep(MS);
        closer.close();
    });
    let back = select! { send(c, in slot) -> result => result.unwrap_err().0.0, recv(other) => unreachable!() };
    assert!(back == 2 && slot.is_none());
    // A slot that is a field, of a nil channel, and in a select put together at run time.
    struct Holds {
        pending: Option<Counted>,
    }
    let mut holds = Holds { pending: Some(Counted::new(3)) };
    assert!(select! { send(Chan::<Counted>::nil(), in holds.pending) => false, default => true });
    let nobody = chan::make::<Counted>(0);
    let mut select = chan::Select::new();
    select.send_in(&nobody, &mut holds.pending, |_| true);
    select.default(|| false);
    assert!(!select.run() && holds.pending.as_ref().is_some_and(|value| value.0 == 3));
    // One slot after the other, until all of them are gone: each value once, in spite of all the others that come between.
    let (to, ticks) = (chan::make::<Counted>(0), chan::make::<()>(0));
    let sum = gort::spawn({
        let (from, ticks) = (to.receiver(), ticks.sender());
        move || {
            let mut sum = 0;
            for n in 0..500 {
                if n % 3 != 0 {
                    ticks.send(());
                }
                sum += from.recv().unwrap().0;
            }
            sum
        }
    });
    for n in 0..500 {
        let mut value = Some(Counted::new(n));
        while value.is_some() {
            select! { send(to, in value) => {}, recv(ticks) => {} }
        }
    }
    assert_eq!(sum.join().unwrap(), (0..500).sum());
}

/// Channels in a row, one for each race, which two sides go through at once.
const ROW: u32 = 64;

/// Now the one side is ahead and now the other.
fn jitter(n: u32) {
    let x = n.wrapping_mul(0x9e37_79b9);
    (0..x >> 27).for_each(|_| core::hint::spin_loop());
    if x & 0xf00 == 0 {
        gosched();
    }
}

/// Runs `races` of them: `left` and `right` get the channel of each, at about the same time.
fn races(races: u32, capacity: usize, left: impl Fn(&Chan<Counted>, u32) + Sync, right: impl Fn(&Chan<Counted>, u32) + Sync) {
    let mut done = 0;
    while done < races {
        let row: Vec<Chan<Counted>> = (0..ROW).map(|_| chan::make(capacity)).collect();
        let meet = AtomicU32::new(0);
        let start = || {
            meet.fetch_add(1, SeqCst);
            while meet.load(SeqCst) < 2 {
                gosched();
            }
        };
        scope(|s| {
            s.go(|| {
                start();
                row.iter().zip(done..).for_each(|(c, n)| {
                    jitter(n);
                    left(c, n);
                });
            });
            s.go(|| {
                start();
                row.iter().zip(done..).for_each(|(c, n)| {
                    jitter(n.reverse_bits() | 1);
                    right(c, n);
                });
            });
        });
        drop(row);
        assert_eq!(ALIVE.load(SeqCst), 0, "after {done} races");
        done += ROW;
    }
}

/// Selects that send and receive, against a close.
fn close_races(each: u32) {
    static SENT: AtomicU64 = AtomicU64::new(0);
    static BACK: AtomicU64 = AtomicU64::new(0);
    static GOT: AtomicU64 = AtomicU64::new(0);
    static ENDED: AtomicU64 = AtomicU64::new(0);
    let other = chan::make::<Counted>(0);
    let selects = |c: &Chan<Counted>, n: u32| match n % 3 {
        // It sends: into the buffer, to who drains it, or not at all.
        0 => select! {
            send(c, Counted::new(n.into())) -> result => _ = if result.is_ok() { SENT.fetch_add(1, SeqCst) } else { BACK.fetch_add(1, SeqCst) },
            recv(other) => unreachable!(),
        },
        1 => {
            let mut slot = Some(Counted::new(n.into()));
            while slot.is_some() {
                select! {
                    send(c, in slot) -> result => _ = if result.is_ok() { SENT.fetch_add(1, SeqCst) } else { BACK.fetch_add(1, SeqCst) },
                    default => gosched(),
                }
            }
        }
        // It receives, until the end.
        _ => loop {
            select! {
                recv(c) -> value => if value.is_some() { GOT.fetch_add(1, SeqCst); } else { ENDED.fetch_add(1, SeqCst); break },
                recv(other) => unreachable!(),
            }
        },
    };
    let closes = |c: &Chan<Counted>, n: u32| {
        match n % 3 {
            2 if n.is_multiple_of(2) && c.try_send(Counted::new(0)).is_ok() => _ = SENT.fetch_add(1, SeqCst),
            0 | 1 if n.is_multiple_of(4) && c.try_recv().is_ok() => _ = GOT.fetch_add(1, SeqCst),
            _ => {}
        }
        c.close();
        GOT.fetch_add(c.iter().count() as u64, SeqCst);
    };
    // Without a buffer, and with one.
    races(each / 2, 0, selects, closes);
    races(each / 2, 1, selects, closes);
    let [sent, back, got, ended] = [&SENT, &BACK, &GOT, &ENDED].map(|n| n.load(SeqCst));
    // Whoever receives gets what was sent; the select that receives may get what its own channel's closer would have drained, never both.
    assert_eq!(sent, got, "back {back} ended {ended}");
    println!("races {} sent {sent} back {back} ended {ended}", each / 2 / ROW * ROW * 2);
}

/// Sends against receivers that are dropped while values are under way: nobody but the channel has them then, and it drops them.
fn dropped_receivers(each: u32) {
    static SENT: AtomicU64 = AtomicU64::new(0);
    static KEPT: AtomicU64 = AtomicU64::new(0);
    static GOT: AtomicU64 = AtomicU64::new(0);
    let mut done = 0;
    while done < each {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..ROW).map(|n| chan::channel::<Counted>(n as usize % 3)).unzip();
        let meet = Arc::new(AtomicU32::new(0));
        let start = |meet: &AtomicU32| {
            meet.fetch_add(1, SeqCst);
            while meet.load(SeqCst) < 2 {
                gosched();
            }
        };
        let other = gort::spawn({
            let meet = meet.clone();
            move || {
                start(&meet);
                for (n, rx) in receivers.into_iter().enumerate() {
                    jitter(done + n as u32);
                    if n % 2 == 0 && rx.try_recv().is_ok() {
                        GOT.fetch_add(1, SeqCst);
                    }
                    drop(rx);
                }
            }
        });
        start(&meet);
        for (n, tx) in senders.into_iter().enumerate() {
            jitter((done + n as u32).reverse_bits() | 1);
            // What must not wait, what waits for so long, and what is offered out of a slot.
            let sent = match n % 5 {
                0 => tx.send_timeout(Counted::new(1), Duration::ZERO).is_ok(),
                1 => select! { send(tx, Counted::new(2)) => true, default => false },
                2 => {
                    let mut slot = Some(Counted::new(3));
                    select! { send(tx, in slot) => true, default => slot.is_none() }
                }
                _ => tx.try_send(Counted::new(4)).is_ok(),
            };
            if sent { &SENT } else { &KEPT }.fetch_add(1, SeqCst);
        }
        other.join().unwrap();
        assert_eq!(ALIVE.load(SeqCst), 0, "after {done} races: a value is lost with its channel");
        done += ROW;
    }
    let [sent, kept, got] = [&SENT, &KEPT, &GOT].map(|n| n.load(SeqCst));
    assert!(got <= sent);
    println!("races {done} sent {sent} kept {kept} got {got}");
}
