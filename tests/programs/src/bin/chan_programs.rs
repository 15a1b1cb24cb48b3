//! Whole programs about channels, select and goroutines, with the meaning of those in Go's own `test/`; `tests/chan_programs.rs` runs them.

#![no_std]
#![no_main]

extern crate alloc;

#[path = "../scenario.rs"]
mod scenario;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Debug;
use core::hint::black_box;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use gort::__private::stack;
use gort::chan::{Chan, Receiver, Sender, TryRecvError, TrySendError};
use gort::metrics::{self, Sample};
use gort::prelude::*;
use gort::runtime::{gosched, num_goroutine};
use gort::time::{Duration, sleep};
use scenario::{number, until};

gort::main!(main);

fn main() {
    let scenario = scenario::begin();
    match scenario {
        "fifo" => fifo(),
        "nonblock" => nonblock(),
        "memory" => memory(),
        "patterns" => patterns(),
        "breaks" => breaks(),
        "expressions" => expressions(),
        "evaluation" => evaluation(),
        "mux" => mux(number(3)),
        "sieve" => sieve(number(3) as usize),
        "matrix" => matrix(),
        "peano" => peano(number(3) as usize),
        "values" => values(),
        "child_signal" => child_signal(),
        other => panic!("no scenario {other:?}"),
    }
    println!("{scenario} done");
}

/// How many goroutines a trace of all says to be in `state`.
fn in_state(state: &str) -> usize {
    let mut trace = vec![0; 256 << 10];
    let len = gort::runtime::stack(&mut trace, true);
    core::str::from_utf8(&trace[..len]).unwrap().matches(state).count()
}

/// A buffer is first in first out. So are those who wait to receive: a daisy chain of goroutines gets the values in its own order.
fn fifo() {
    const N: u32 = 30;
    let c = chan::make(N as usize);
    (0..N).for_each(|n| c.send(n));
    assert!((0..N).all(|n| c.recv() == Some(n)));
    for capacity in [0, 3] {
        let values = chan::make::<u32>(capacity);
        let start = chan::make::<()>(0);
        let end = (0..N).fold(start.receiver(), |before, n| {
            let (after, my_turn_is_over) = (chan::make(0), values.receiver());
            let tell = after.sender();
            go(move || {
                before.recv();
                assert_eq!(my_turn_is_over.recv(), Some(n));
                tell.send(());
            });
            after.receiver()
        });
        start.send(());
        (0..N).for_each(|n| values.send(n));
        end.recv();
    }
    // Who waits for longest is served first, receivers and senders.
    let (c, order) = (chan::make::<u32>(0), Arc::new(Mutex::new(Vec::new())));
    let wait = WaitGroup::new();
    for n in 0..N {
        let (c, order) = (c.receiver(), order.clone());
        wait.go(move || {
            let got = c.recv().unwrap();
            order.lock().push((n, got));
        });
        until("it waits", || in_state("[chan receive]") == n as usize + 1);
    }
    (0..N).for_each(|n| c.send(n));
    wait.wait();
    order.lock().iter().for_each(|(waiter, got)| assert_eq!(waiter, got));
}

/// What does not wait: on values of several types, buffered or not, with nobody at the other side, or somebody who waits there.
fn nonblock() {
    fn each<T: Clone + PartialEq + Debug + Send + 'static>(value: T) {
        for capacity in [0, 1] {
            let c = chan::make::<T>(capacity);
            assert_eq!(c.try_recv(), Err(TryRecvError::Empty));
            assert!(select! { recv(c) => false, default => true });
            let done = chan::make::<Option<T>>(0);
            // A receiver waits.
            let (receiver, report) = (c.receiver(), done.sender());
            go(move || report.send(receiver.recv()));
            until("somebody receives", || match c.try_send(value.clone()) {
                Ok(()) => true,
                Err(TrySendError::Full(back)) => {
                    assert_eq!(back, value);
                    false
                }
                Err(TrySendError::Closed(_)) => unreachable!("nobody closes it"),
            });
            assert_eq!(done.recv(), Some(Some(value.clone())));
            // A sender waits, or has put it into the buffer.
            let (sender, report, sent) = (c.sender(), done.sender(), value.clone());
            go(move || {
                sender.send(sent);
                report.send(None);
            });
            until("somebody sends", || match select! { recv(c) -> got => got, default => None } {
                Some(got) => {
                    assert_eq!(got, value);
                    true
                }
                None => false,
            });
            done.recv();
            // Full, and nobody there.
            for n in 0..2 {
                assert_eq!(c.try_send(value.clone()).is_ok(), n < capacity);
            }
            assert!(select! { send(c, value.clone()) => false, default => true });
        }
    }
    each(123i32);
    each(-123_456_789_012_i64);
    each(true);
    each(String::from("hello"));
    each(());
    each([7u64; 100]);
    each(Some(Box::new(1.5f64)));
}

fn heap_in_use() -> u64 {
    let mut samples = [Sample::new("/gort/heap/in-use:bytes")];
    metrics::read(&mut samples);
    samples[0].value.uint64()
}

/// Selects take no memory that they do not give back.
fn memory() {
    const SELECTS: u32 = 100_000;
    let (c, never) = (chan::make::<u32>(0), chan::make::<u32>(0));
    let others: Vec<Chan<u32>> = (0..40).map(|_| chan::make(0)).collect();
    let round = || {
        let sender = c.sender();
        let other = gort::spawn(move || (0..SELECTS).for_each(|n| sender.send(n)));
        for n in 0..SELECTS {
            if n % 100 == 0 {
                // More than fit on its stack.
                let mut select = chan::Select::new();
                others.iter().for_each(|never| select.recv(never, |_| unreachable!()));
                select.recv(&c, |value| assert_eq!(value, Some(n)));
                select.run();
            } else {
                select! { recv(c) -> value => assert_eq!(value, Some(n)), recv(never) => unreachable!() }
            }
        }
        other.join().unwrap();
    };
    round();
    let before = heap_in_use();
    (0..3).for_each(|_| round());
    let more = heap_in_use().saturating_sub(before);
    assert!(more < 110_000, "{more} bytes more are in use after {} selects", 3 * SELECTS);
}

/// A pattern belongs to its case: what it takes apart, and where that goes, is looked at only if the case goes on.
fn patterns() {
    struct Point {
        x: u32,
        y: u32,
    }
    static CALLED: AtomicU32 = AtomicU32::new(0);
    fn place(places: &mut [u32; 3]) -> &mut u32 {
        CALLED.fetch_add(1, SeqCst);
        &mut places[2]
    }
    let (c, c1) = (chan::make::<Point>(1), chan::make::<u32>(0));
    let mut places = [0; 3];
    for n in 1..=20 {
        c.send(Point { x: n, y: 2 * n });
        select! {
            recv(c1) -> value => *place(&mut places) = value.unwrap(),
            recv(c) -> ref point => {
                let Some(Point { x, y }) = point else { unreachable!("nobody closes it") };
                (places[0], places[1]) = (*x, *y);
            }
            recv(c1) -> mut value => { value = None; *place(&mut places) = value.unwrap_or(1) }
        }
        assert_eq!((places, CALLED.load(SeqCst)), ([n, 2 * n, 0], 0));
    }
}

/// Whatever leaves a body leaves it at once: with one case, two, three; by `break` out of a block or a loop, `continue`, `return`, `?`.
fn breaks() {
    let c = chan::make::<u32>(0);
    let sender = c.sender();
    let stop = chan::make::<()>(0);
    let stopped = stop.receiver();
    let other = gort::spawn(move || {
        loop {
            select! { send(sender, 5) => {}, recv(stopped) => break }
        }
    });
    let mut left = 0;
    'one: {
        select! { recv(c) => { left += 1; if left > 0 { break 'one } unreachable!() } }
    }
    'one: {
        select! { default => { left += 1; if left > 0 { break 'one } unreachable!() } }
    }
    'one: {
        select! {
            recv(c) => { left += 1; if left > 0 { break 'one } unreachable!() }
            default => { left += 1; if left > 0 { break 'one } unreachable!() }
        }
    }
    'one: {
        select! {
            recv(c) => { left += 1; if left > 0 { break 'one } unreachable!() }
            send(Chan::<u32>::nil(), 10) => unreachable!(),
            default => { left += 1; if left > 0 { break 'one } unreachable!() }
        }
    }
    assert_eq!(left, 4);
    let mut turns = 0;
    let five = loop {
        turns += 1;
        select! {
            recv(c) -> value => match turns {
                1..4 => continue,
                _ => break value,
            },
        }
    };
    assert_eq!((turns, five), (4, Some(5)));
    fn returns(c: &Chan<u32>) -> Result<u32, u32> {
        for n in 0.. {
            select! {
                recv(c) -> value => _ = match n {
                    0..2 => 0,
                    2 => value.ok_or(0u32)?,
                    _ => value.map_or(Ok(0), Err)?,
                },
            }
        }
        Ok(0)
    }
    assert_eq!(returns(&c), Err(5));
    stop.close();
    other.join().unwrap();
}

/// Operands are expressions of any kind, and end where their parentheses do.
fn expressions() {
    // A channel that comes out of a channel.
    let (channels, c) = (chan::make::<Chan<u32>>(1), chan::make::<u32>(1));
    channels.send(c.clone());
    select! { send(channels.recv().unwrap(), 2) => {}, default => unreachable!() }
    assert_eq!(c.recv(), Some(2));
    // Operators, closures, macros, blocks, commas at the end.
    let (b, no, n) = (chan::make::<bool>(1), black_box(false), 7);
    select! { send(b, no || n == 7) => {} }
    assert_eq!(b.recv(), Some(true));
    let (one, many) = (chan::make::<u32>(1), [chan::make::<u32>(1), chan::make::<u32>(1)]);
    let pick = |n: usize| &many[n];
    select! {
        send(pick(if n > 5 { 1 } else { 0 }), match n { 7 => 1 + 2 * 3, _ => 0 },) => {}
        recv({ &one },) -> _ => unreachable!(),
    }
    assert_eq!(many[1].recv(), Some(7));
    select! { send(&&one, vec![3, 4].into_iter().map(|n| n * 2).sum::<u32>()) -> Ok(()) | Err(_) => {}, recv(many[0]) => {} }
    assert_eq!(one.recv(), Some(14));
    // Names in it are its own: what the macro calls something is not seen, nor does it see what the user calls so.
    let (done, case, order) = (chan::make::<u32>(1), 3, 4);
    let sum = select! { send(done, case + order) => case + order, recv(one) -> done => done.unwrap_or(case) };
    assert_eq!((sum, done.recv()), (7, Some(7)));
    // A select in a body, in an operand, and as an operand of another expression.
    let inner = 1 + select! {
        send(one, select! { default => 20 }) => select! { recv(one) -> n => n.unwrap(), default => 0 },
        recv(done) => 0,
    };
    assert_eq!(inner, 21);
    // The same value moved into several bodies, of which one runs.
    let text = String::from("moved");
    let text = select! { recv(one) => text, recv(done) => text, default => text + " once" };
    assert_eq!(text, "moved once");
}

/// Disabled cases are evaluated too, each time; how often says how often the select was.
fn evaluation() {
    static VALUES: AtomicU32 = AtomicU32::new(0);
    fn fill(a: Option<&Chan<u32>>, b: Option<&Chan<u32>>) -> u32 {
        let (mut a, mut b, mut sent) = (a, b, 0);
        let value = |sent: u32| {
            VALUES.fetch_add(1, SeqCst);
            1 << sent
        };
        loop {
            select! {
                send(a, value(sent)) => a = None,
                send(b, value(sent)) => b = None,
                default => return sent,
            }
            sent += 1;
        }
    }
    let (a, b) = (chan::make(1), chan::make(1));
    assert_eq!(fill(Some(&a), Some(&b)), 2);
    assert_eq!(a.recv().unwrap() | b.recv().unwrap(), 3);
    assert_eq!(fill(Some(&a), None), 1);
    assert_eq!(VALUES.load(SeqCst), 10);
}

/// Each value goes out on one of four channels, and comes together again once.
fn mux(values: u32) {
    let [a, b, c, d] = [(); 4].map(|()| chan::make::<u32>(0));
    let out = chan::make::<u32>(0);
    let muxes = WaitGroup::new();
    for input in [&a, &b, &c, &d].map(Chan::receiver) {
        let out = out.sender();
        muxes.go(move || input.iter().for_each(|value| out.send(value)));
    }
    go(move || {
        for n in 0..values {
            select! { send(a, n) => {}, send(b, n) => {}, send(c, n) => {}, send(d, n) => {} }
        }
        [a, b, c, d].iter().for_each(Chan::close);
    });
    let closer = out.sender();
    go(move || {
        muxes.wait();
        closer.close();
    });
    let mut seen = vec![false; values as usize];
    for value in out {
        assert!(!core::mem::replace(&mut seen[value as usize], true), "{value} came twice");
    }
    assert!(seen.iter().all(|&seen| seen), "a value is lost");
}

/// The first `count` primes, by a chain of filters that grows by one with each.
fn sieve(count: usize) {
    fn generate(out: &Sender<u32>, stop: &Receiver<()>) {
        for n in 2.. {
            select! { send(out, n) => {}, recv(stop) => return }
        }
    }
    let (primes, stop) = (chan::make::<u32>(0), chan::make::<()>(0));
    let (found, stopped) = (primes.sender(), stop.receiver());
    go(move || {
        let (tx, mut numbers) = chan::channel(0);
        let end = stopped.clone();
        go(move || generate(&tx, &end));
        loop {
            let prime: u32 = select! { recv(numbers) -> n => n.unwrap(), recv(stopped) => return };
            select! { send(found, prime) => {}, recv(stopped) => return }
            let (tx, rx) = chan::channel(0);
            let (from, end) = (core::mem::replace(&mut numbers, rx), stopped.clone());
            go(move || {
                loop {
                    let n = select! { recv(from) -> n => n.unwrap(), recv(end) => return };
                    if n % prime != 0 {
                        select! { send(tx, n) => {}, recv(end) => return }
                    }
                }
            });
        }
    });
    let got: Vec<u32> = primes.iter().take(count).collect();
    let is_prime = |n: &u32| (2..*n).take_while(|d| d * d <= *n).all(|d| !n.is_multiple_of(d));
    assert_eq!(got, (2..).filter(is_prime).take(count).collect::<Vec<u32>>());
    stop.close();
    until("all filters have ended", || num_goroutine() == 1);
}

const SENT_EACH: u32 = 76;
static SENT: AtomicU32 = AtomicU32::new(0);
static RECEIVED: AtomicU32 = AtomicU32::new(0);

/// Direct sends and selects that send, against direct receives and selects that receive, with four buffers: each message is counted once, in its channel's order.
fn matrix() {
    let mut x = 1u64;
    let mut yields = move |most: u64| {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (0..=(x >> 33) % most).for_each(|_| gosched());
    };
    let send = move |c: Sender<u32>, first: u32| {
        for n in first..first + SENT_EACH {
            yields(10);
            c.send(n);
            SENT.fetch_add(1, SeqCst);
        }
    };
    let receive = move |c: Receiver<u32>, first: u32| {
        for n in first..first + SENT_EACH {
            yields(10);
            assert_eq!(c.recv(), Some(n));
            RECEIVED.fetch_add(1, SeqCst);
        }
    };
    let select_sends = move |channels: [Sender<u32>; 4]| {
        let (mut on, mut next) = (channels.map(Some), FIRSTS);
        while on.iter().any(Option::is_some) {
            yields(5);
            let [a, b, c, d] = &on;
            let n = select! {
                send(a, next[0]) => 0,
                send(b, next[1]) => 1,
                send(c, next[2]) => 2,
                send(d, next[3]) => 3,
            };
            SENT.fetch_add(1, SeqCst);
            next[n] += 1;
            if next[n] == FIRSTS[n] + SENT_EACH {
                on[n] = None;
            }
        }
    };
    let select_receives = move |channels: [Receiver<u32>; 4]| {
        let [a, b, c, d] = channels;
        let mut next = FIRSTS;
        for _ in 0..4 * SENT_EACH {
            yields(5);
            let (n, value) = select! {
                recv(a) -> value => (0, value),
                recv(b) -> value => (1, value),
                recv(c) -> value => (2, value),
                recv(d) -> value => (3, value),
            };
            assert_eq!(value, Some(next[n]));
            next[n] += 1;
            RECEIVED.fetch_add(1, SeqCst);
        }
        assert_eq!(next, FIRSTS.map(|first| first + SENT_EACH));
    };
    const FIRSTS: [u32; 4] = [100, 200, 300, 400];
    for capacity in [0, 1, 10, 100] {
        for (sends_by_select, receives_by_select) in [(false, false), (false, true), (true, false), (true, true)] {
            let channels: [Chan<u32>; 4] = core::array::from_fn(|_| chan::make(capacity));
            let (senders, receivers) = (channels.each_ref().map(Chan::sender), channels.each_ref().map(Chan::receiver));
            let wait = WaitGroup::new();
            if sends_by_select {
                let mut f = select_sends;
                wait.go(move || f(senders));
            } else {
                for (c, first) in senders.into_iter().zip(FIRSTS) {
                    let mut f = send;
                    wait.go(move || f(c, first));
                }
            }
            if receives_by_select {
                let mut f = select_receives;
                wait.go(move || f(receivers));
            } else {
                for (c, first) in receivers.into_iter().zip(FIRSTS) {
                    let mut f = receive;
                    wait.go(move || f(c, first));
                }
            }
            wait.wait();
            assert!(channels.iter().all(Chan::is_empty));
        }
    }
    let all = 4 * 4 * 4 * SENT_EACH;
    assert_eq!((SENT.load(SeqCst), RECEIVED.load(SeqCst)), (all, all));
}

/// A number of Peano's: one more than what is in it.
struct Peano(Option<Box<Peano>>);

impl Peano {
    const ZERO: Peano = Peano(None);

    fn plus_one(self) -> Peano {
        Peano(Some(Box::new(self)))
    }

    #[inline(never)]
    fn of(n: usize) -> Peano {
        if n == 0 { Peano::ZERO } else { black_box(Peano::of(n - 1)).plus_one() }
    }

    #[inline(never)]
    fn count(&self) -> usize {
        self.0.as_ref().map_or(0, |less| black_box(less.count()) + 1)
    }

    #[inline(never)]
    fn plus(self, other: &Peano) -> Peano {
        match &other.0 {
            None => self,
            Some(less) => black_box(self.plus_one().plus(less)),
        }
    }

    #[inline(never)]
    fn times(&self, other: &Peano) -> Peano {
        match (&self.0, &other.0) {
            (None, _) | (_, None) => Peano::ZERO,
            (_, Some(less)) => black_box(self.times(less)).plus(self),
        }
    }

    #[inline(never)]
    fn factorial(&self) -> Peano {
        match &self.0 {
            None => Peano::ZERO.plus_one(),
            Some(less) => black_box(less.factorial()).times(self),
        }
    }
}

/// Recursion to a depth of n!, on main's stack and on one that was asked for; and what a goroutine has by default.
fn peano(n: usize) {
    fn check(n: usize) {
        assert_eq!(Peano::of(3).plus(&Peano::of(4)).count(), 7);
        assert_eq!(Peano::of(3).times(&Peano::of(4)).count(), 12);
        assert_eq!(Peano::of(0).times(&Peano::of(4)).count(), 0);
        let mut expected = 1;
        for n in 0..=n {
            expected *= n.max(1);
            assert_eq!(Peano::of(n).factorial().count(), expected, "{n}!");
        }
    }
    check(n.min(8));
    let others: Vec<_> = (0..4).map(|_| gort::Builder::new().stack_size(64 << 20).spawn(move || check(n)).unwrap()).collect();
    gort::spawn(|| check(6)).join().unwrap();
    others.into_iter().for_each(|other| other.join().unwrap());
}

/// A type whose values many goroutines change at once, each its own, in every place where a value can be.
trait Changes: Clone + PartialEq + Debug + Send + 'static {
    fn first() -> Self;
    fn next(&self) -> Self;
}

macro_rules! changes {
    ($($type:ty: $first:expr, $value:ident => $next:expr;)*) => {$(
        impl Changes for $type {
            fn first() -> Self { $first }
            fn next(&self) -> Self { let $value = self; $next }
        }
    )*};
}

#[derive(Clone, PartialEq, Debug)]
struct Mixed(String, Box<u32>, [u16; 3]);

changes! {
    bool: false, v => !v;
    u8: 1, v => v.wrapping_mul(3);
    u16: 1, v => v.wrapping_mul(3);
    u32: 1, v => v.wrapping_mul(3);
    u64: 1, v => v.wrapping_mul(3);
    u128: 1, v => v.wrapping_mul(3);
    i8: 1, v => v.wrapping_mul(-3);
    i16: 1, v => v.wrapping_mul(-3);
    i32: 1, v => v.wrapping_mul(-3);
    i64: 1, v => v.wrapping_mul(-3);
    f32: 1.01, v => v * 1.01;
    f64: 1.01, v => v * 1.01;
    char: 'a', v => if *v < 'z' { (*v as u8 + 1) as char } else { 'ß' };
    String: String::from("a"), v => v.clone() + "é";
    Vec<u64>: vec![1], v => v.iter().chain([&7]).map(|n| n * 3).collect();
    Mixed: Mixed(String::new(), Box::new(1), [1, 2, 3]), v => Mixed(v.0.clone() + "x", Box::new(*v.1 + 1), v.2.map(|n| n.wrapping_mul(5)));
}

const CHANGES: usize = 8;

/// The `n`th value, computed by nobody but the caller.
fn nth<T: Changes>(n: usize) -> T {
    (0..n).fold(T::first(), |value, _| value.next())
}

fn in_each_place<T: Changes>(wait: &WaitGroup) {
    let last = nth::<T>(CHANGES);
    let change = |value: &mut T| {
        *value = value.next();
        gosched();
    };
    wait.go({
        let last = last.clone();
        move || {
            let mut value = T::first();
            (0..CHANGES).for_each(|_| change(&mut value));
            assert_eq!(value, last);
        }
    });
    wait.go({
        let last = last.clone();
        move || {
            let mut value = Box::new(T::first());
            (0..CHANGES).for_each(|_| change(&mut value));
            assert_eq!(*value, last);
        }
    });
    wait.go({
        let last = last.clone();
        move || {
            let mut values: [T; 9] = core::array::from_fn(|_| T::first());
            (0..CHANGES).for_each(|_| values.iter_mut().for_each(change));
            assert!(values.iter().all(|value| *value == last));
        }
    });
    wait.go({
        let last = last.clone();
        move || {
            let mut values = vec![T::first(); 9];
            (0..CHANGES).for_each(|_| values.iter_mut().for_each(change));
            assert!(values.iter().all(|value| *value == last));
        }
    });
    wait.go({
        let last = last.clone();
        move || {
            let mut values = BTreeMap::new();
            for n in 0..9 {
                values.insert(n, T::first());
                gosched();
            }
            (0..CHANGES).for_each(|_| values.values_mut().for_each(change));
            assert!(values.values().all(|value| *value == last));
        }
    });
    wait.go({
        let last = last.clone();
        move || {
            let shared = Arc::new(Mutex::new(T::first()));
            for _ in 0..CHANGES {
                let shared = shared.clone();
                gort::spawn(move || change(&mut shared.lock())).join().unwrap();
            }
            assert_eq!(*shared.lock(), last);
        }
    });
    wait.go({
        let last = last.clone();
        move || {
            let c = chan::make::<T>(0);
            let mut value = T::first();
            for _ in 0..CHANGES {
                let (sender, sent) = (c.sender(), value.next());
                go(move || sender.send(sent));
                value = select! { recv(c) -> value => value.unwrap() };
                gosched();
            }
            assert_eq!(value, last);
        }
    });
    wait.go(move || {
        let mut value: Box<dyn core::any::Any + Send> = Box::new(T::first());
        for _ in 0..CHANGES {
            value = Box::new(value.downcast_ref::<T>().unwrap().next());
            gosched();
        }
        assert_eq!(value.downcast_ref::<T>(), Some(&last));
    });
}

/// Values of all kinds in all places, changed by goroutines that share nothing, while memory is given back and they are preempted.
fn values() {
    let wait = WaitGroup::new();
    static DONE: AtomicU64 = AtomicU64::new(0);
    let cleaner = gort::spawn(|| {
        while DONE.load(SeqCst) == 0 {
            stack::scavenge();
            gosched();
        }
    });
    for _ in 0..8 {
        for _ in 0..4 {
            in_each_place::<bool>(&wait);
            in_each_place::<u8>(&wait);
            in_each_place::<u16>(&wait);
            in_each_place::<u32>(&wait);
            in_each_place::<u64>(&wait);
            in_each_place::<u128>(&wait);
            in_each_place::<i8>(&wait);
            in_each_place::<i16>(&wait);
            in_each_place::<i32>(&wait);
            in_each_place::<i64>(&wait);
            in_each_place::<f32>(&wait);
            in_each_place::<f64>(&wait);
            in_each_place::<char>(&wait);
            in_each_place::<String>(&wait);
            in_each_place::<Vec<u64>>(&wait);
            in_each_place::<Mixed>(&wait);
        }
        wait.wait();
    }
    DONE.store(1, SeqCst);
    cleaner.join().unwrap();
}

/// SIGCHLD does nothing to a program that has no child: neither while it runs nor while it waits.
fn child_signal() {
    use rustix::process::{Signal, getpid, kill_process};
    for _ in 0..20 {
        kill_process(getpid(), Signal::CHILD).unwrap();
        sleep(Duration::from_micros(100));
    }
}
