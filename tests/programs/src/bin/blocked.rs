//! What an operation costs beside many goroutines that wait on the same channel: `blocked HOW PREEMPTIONS_NS GOROUTINES ROUNDS` prints ns of CPU time an operation,
//! the least of all rounds.

#![no_std]
#![no_main]

extern crate alloc;
use alloc::vec::Vec;
use gort::__private::hooks;
use gort::chan::{Chan, Select};
use gort::os;
use gort::prelude::*;
use gort::runtime::{gosched, num_goroutine};
use gort::time::{Duration, Instant, sleep};

gort::main!(main);

/// What the process has had of its CPUs: time that others have had on a busy machine does not count.
struct Spent(u64);

impl Spent {
    fn now() -> Spent {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Spent(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
    }

    fn each(self, operations: usize) -> u64 {
        (Spent::now().0 - self.0) / operations as u64
    }
}

fn number(n: usize) -> usize {
    os::args().nth(n).and_then(|n| n.parse().ok()).unwrap_or(0)
}

fn main() {
    hooks::storm_preemptions(number(2) as u64);
    let (how, goroutines, rounds) = (os::args().nth(1).unwrap_or_default(), number(3), number(4));
    let least = match how {
        "select" => selects(goroutines, rounds),
        "receive" => receives(goroutines, rounds),
        "close" => (0..rounds).map(|_| closes(goroutines)).min(),
        "cases" => cases(goroutines, rounds),
        other => panic!("no {other:?}"),
    };
    println!("{how} {goroutines} ns {}\n{how} done", least.expect("at least one round").max(1));
}

const SWEEPS: usize = 6;

fn until_left(goroutines: usize) {
    let start = Instant::now();
    while num_goroutine() > goroutines + 1 {
        assert!(start.elapsed().as_secs() < 60, "{} goroutines are left", num_goroutine());
        sleep(Duration::from_millis(1));
    }
}

/// Each waits on a channel of all and on one of its own, is woken by its own, so it leaves the middle of the other's queue, and waits again.
fn selects(goroutines: usize, rounds: usize) -> Option<u64> {
    let all = chan::make::<()>(0);
    let own: Vec<Chan<()>> = (0..goroutines).map(|_| chan::make(0)).collect();
    for own in &own {
        let (all, own) = (all.receiver(), own.receiver());
        go(move || {
            loop {
                select! {
                    recv(all) -> more => if more.is_none() { return },
                    recv(own) -> _ => {}
                }
            }
        });
    }
    gosched();
    // Some sweeps, so that what the last one has woken and not waited for is the smaller part.
    let sweeps = || {
        let start = Spent::now();
        for _ in 0..SWEEPS / 2 {
            own.iter().chain(own.iter().rev()).for_each(|own| own.send(()));
        }
        start.each(SWEEPS * goroutines)
    };
    // The first round waits for all to begin.
    sweeps();
    let least = (0..rounds).map(|_| sweeps()).min();
    all.close();
    until_left(0);
    least
}

/// All wait to receive from one channel; each is woken by a send, says so, and waits again at the end of the queue.
fn receives(goroutines: usize, rounds: usize) -> Option<u64> {
    let (c, answers) = (chan::make::<()>(0), chan::make::<()>(1));
    for _ in 0..goroutines {
        let (c, answers) = (c.receiver(), answers.sender());
        go(move || c.iter().for_each(|()| answers.send(())));
    }
    let round = || {
        let start = Spent::now();
        for _ in 0..goroutines {
            c.send(());
            answers.recv();
        }
        start.each(goroutines)
    };
    round();
    let least = (0..rounds).map(|_| round()).min();
    c.close();
    until_left(0);
    least
}

/// All wait in a select; a close wakes them.
fn closes(goroutines: usize) -> u64 {
    let (c, begun) = (chan::make::<()>(0), WaitGroup::new());
    let (other, ended) = (chan::make::<()>(0), WaitGroup::new());
    begun.add(goroutines as u32);
    for _ in 0..goroutines {
        let (c, other, begun) = (c.receiver(), other.receiver(), begun.clone());
        ended.go(move || {
            begun.done();
            select! { recv(c) -> value => assert!(value.is_none()), recv(other) => unreachable!() }
        });
    }
    begun.wait();
    gosched();
    let start = Spent::now();
    c.close();
    ended.wait();
    let took = start.each(goroutines);
    until_left(0);
    took
}

/// One select of as many cases: what a case costs, when it waits, and when the last one is ready.
fn cases(cases: usize, rounds: usize) -> Option<u64> {
    let channels: Vec<Chan<usize>> = (0..cases).map(|_| chan::make(1)).collect();
    let one = |n: usize| {
        let chosen = (n * 7919) % cases;
        let sender = channels[chosen].clone();
        let waits = n.is_multiple_of(2);
        if !waits {
            sender.send(chosen);
        }
        let start = Spent::now();
        let mut select = Select::new();
        for channel in &channels {
            select.recv(channel, |value| value);
        }
        if waits {
            go(move || sender.send(chosen));
        }
        assert_eq!(select.run(), Some(chosen));
        start.each(cases)
    };
    // Of both kinds the dearer one.
    let least = |kind: usize| (0..rounds).map(|n| one(2 * n + kind)).min();
    least(0).max(least(1))
}
