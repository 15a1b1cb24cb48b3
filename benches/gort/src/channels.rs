//! Workloads of channels: pingpong1, pingpong2, locked_pingpong, ring, pipe, chan_mpmc, sieve.

use crate::compute::xorshift;
use crate::report::Report;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use gort::chan::{self, Chan};
use gort::runtime::{gomaxprocs, lock_os_thread};
use gort::sync::WaitGroup;
use gort::time::Instant;

pub fn pingpong1(report: &Report, n: usize) {
    pingpong(report, n, 1, || ());
}

pub fn pingpong2(report: &Report, n: usize) {
    pingpong(report, n, 2, || ());
}

/// Both goroutines are locked to their threads.
pub fn locked_pingpong(report: &Report, n: usize) {
    pingpong(report, n, 2, lock_os_thread);
}

/// Each side calls `first` before it begins.
fn pingpong(report: &Report, n: usize, procs: i32, first: fn()) {
    gomaxprocs(procs);
    first();
    let (there, back) = (chan::make(0), chan::make(0));
    gort::go({
        let (there, back) = (there.clone(), back.clone());
        move || {
            first();
            for v in &there {
                back.send(v);
            }
        }
    });
    let start = Instant::now();
    for i in 0..n {
        there.send(i);
        assert_eq!(back.recv(), Some(i));
    }
    report.ns_each("round_trip", start.elapsed(), n);
}

/// A token counts down from `n` around 1000 goroutines.
pub fn ring(report: &Report, n: usize) {
    let (first, done) = (chan::make::<usize>(0), chan::make::<()>(0));
    let mut left = first.clone();
    for i in 0..1000 {
        let right = if i == 999 { first.clone() } else { chan::make(0) };
        let (inbound, outbound, done) = (left, right.clone(), done.clone());
        gort::go(move || {
            for v in &inbound {
                if v == 0 {
                    done.close();
                    return;
                }
                outbound.send(v - 1);
            }
        });
        left = right;
    }
    let start = Instant::now();
    first.send(n);
    done.recv();
    report.ns_each("per_hop", start.elapsed(), n);
}

/// Both ends compute between the hand-offs: a pair that stays on one P takes twice as long.
pub fn pipe(report: &Report, n: usize) {
    const ROUNDS: usize = 40_000;
    let items = chan::make(0);
    let start = Instant::now();
    gort::go({
        let items = items.clone();
        move || {
            for i in 0..n {
                items.send(xorshift(i as u64 + 1, ROUNDS));
            }
            items.close();
        }
    });
    let mut received = 0;
    for v in &items {
        assert_ne!(xorshift(v, ROUNDS), 0);
        received += 1;
    }
    assert_eq!(received, n);
    report.out("per_item", start.elapsed().as_nanos() as f64 / n as f64 / 1e3, "us");
}

/// Four producers and four consumers on one buffered channel.
pub fn chan_mpmc(report: &Report, n: usize) {
    let messages = chan::make::<usize>(128);
    let (producers, consumers) = (WaitGroup::new(), WaitGroup::new());
    let sum = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    for _ in 0..4 {
        let to = messages.clone();
        producers.go(move || (0..n / 4).for_each(|i| to.send(i)));
        let (from, sum) = (messages.clone(), sum.clone());
        consumers.go(move || {
            sum.fetch_add(from.iter().sum(), Relaxed);
        });
    }
    producers.wait();
    messages.close();
    consumers.wait();
    let time = start.elapsed();
    assert_eq!(sum.load(Relaxed), (n / 4) * (n / 4 - 1) / 2 * 4);
    report.ns_each("per_msg", time, n);
}

/// Four producers, each on a channel of its own, and one that selects among them.
pub fn select4(report: &Report, n: usize) {
    let channels: [Chan<usize>; 4] = core::array::from_fn(|_| chan::make(0));
    for channel in &channels {
        let to = channel.clone();
        gort::go(move || (0..n / 4).for_each(|i| to.send(i)));
    }
    let ([a, b, c, d], mut sum) = (&channels, 0);
    let start = Instant::now();
    for _ in 0..n {
        sum += gort::select! {
            recv(a) -> v => v,
            recv(b) -> v => v,
            recv(c) -> v => v,
            recv(d) -> v => v,
        }
        .expect("nobody closes");
    }
    let time = start.elapsed();
    assert_eq!(sum, (n / 4) * (n / 4 - 1) / 2 * 4);
    report.ns_each("per_msg", time, n);
}

/// The pipeline of prime filters; it is left running.
pub fn sieve(report: &Report, n: usize) {
    let start = Instant::now();
    let mut numbers: Chan<usize> = chan::make(0);
    gort::go({
        let to = numbers.clone();
        move || {
            for i in 2.. {
                to.send(i);
            }
        }
    });
    let mut prime = 0;
    for _ in 0..n {
        prime = numbers.recv().expect("the pipeline runs on");
        let (from, rest) = (numbers, chan::make(0));
        numbers = rest.clone();
        gort::go(move || from.iter().filter(|v| v % prime != 0).for_each(|v| rest.send(v)));
    }
    let time = start.elapsed();
    assert!(n != 2500 || prime == 22307, "the 2500th prime is not {prime}");
    report.ms("total", time);
}
