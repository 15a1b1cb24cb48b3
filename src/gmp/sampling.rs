//! Sampling how long goroutines are runnable before they run: `/sched/latencies:seconds` of `observe::metrics`.
//!
//! 1. Off until somebody asks for it. Then a place where a goroutine becomes runnable costs one load and a branch, and so does each switch to one.
//! 2. On, each P counts its goroutines that become runnable, and samples one of 8, as Go does: two looks at the clock. Where samples of a P come
//!    faster than one in `LATENCY_SAMPLE_NS` it samples one of 16, 32, … up to 512: for a loop that yields each 10 ns a clock each 8 would be most of
//!    it. A sample counts for as many eighths as it stands for, so that slow and fast phases weigh alike.
//! 3. `sampled` and `ready_ns` belong to whoever owns the goroutine (`G`, invariant 2).
//!
//! Measured: a yield of 9.3 ns takes 9.5 off and on; with the countdown behind a call it took 10.6.
//!
//! Rejected: a countdown in each goroutine (Go; a branch and a byte more at each park); a look at the clock at each switch (25 ns of 9).

use super::{G, P, SCHED};
use crate::base::tune::{LATENCY_PERIOD, LATENCY_PERIOD_DOUBLINGS, LATENCY_SAMPLE_NS};
use crate::sys::clock::monotonic_ns;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

/// Is told that a goroutine was runnable for `ns`, and that it stands for so many samples.
pub type Record = fn(ns: u64, samples: u64);

/// What only programs that sample carry.
struct Ways {
    count: fn(&P, &G),
    end: fn(&G),
}

static WAYS: AtomicPtr<Ways> = AtomicPtr::new(ptr::null_mut());
static RECORD: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

/// From now on. Once more does nothing.
pub fn begin(record: Record) {
    static REAL: Ways = Ways { count, end };
    if WAYS.load(Acquire).is_null() {
        RECORD.store(record as *mut (), Relaxed);
        WAYS.store((&raw const REAL).cast_mut(), Release);
        // Ps that are made later begin with `first_countdown`: they are made while the world is stopped, so after this or before it.
        SCHED.for_each_p(|p| p.sample_left.store(LATENCY_PERIOD, Relaxed));
    }
}

/// What a new P begins with.
pub fn first_countdown() -> u32 {
    if WAYS.load(Acquire).is_null() { 0 } else { LATENCY_PERIOD }
}

/// `g`, the caller's, becomes runnable; before anybody else sees it. The caller holds `p`.
#[inline(always)]
pub fn runnable(p: &P, g: *mut G) {
    match p.sample_left.load(Relaxed) {
        0 => {}
        1 => counted(p, g),
        left => p.sample_left.store(left - 1, Relaxed),
    }
}

#[cold]
#[inline(never)]
fn counted(p: &P, g: *mut G) {
    // SAFETY: only `begin` writes the word, with a static; R3: the goroutine is the caller's.
    if let (Some(ways), g) = unsafe { (WAYS.load(Acquire).as_ref(), &*g) } {
        (ways.count)(p, g);
    }
}

/// `g`, the caller's, is about to run.
#[inline(always)]
pub fn runs(g: &G) {
    if g.sampled.get() != 0 {
        ended(g);
    }
}

#[cold]
#[inline(never)]
fn ended(g: &G) {
    // SAFETY: as in `counted`.
    if let Some(ways) = unsafe { WAYS.load(Acquire).as_ref() } {
        (ways.end)(g);
    }
}

/// `g`, which runs, has waited for `p` since `since_ns` without having been in a queue.
#[cold]
pub fn waited(p: &P, g: &G, since_ns: u64) {
    runnable(p, ptr::from_ref(g).cast_mut());
    if g.sampled.get() != 0 {
        g.ready_ns.set(since_ns);
        ended(g);
    }
}

/// Invariant 2: `g` is the one of so many.
fn count(p: &P, g: &G) {
    let (now, doublings) = (monotonic_ns(), p.sample_doublings.get());
    g.ready_ns.set(now);
    g.sampled.set(doublings + 1);
    let next = next_doublings(doublings, now.saturating_sub(p.sample_last_ns.replace(now)));
    p.sample_doublings.set(next);
    p.sample_left.store(LATENCY_PERIOD << next, Relaxed);
}

/// How often the period is to be doubled, after so long a one.
fn next_doublings(doublings: u8, took_ns: u64) -> u8 {
    if took_ns < LATENCY_SAMPLE_NS {
        (doublings + 1).min(LATENCY_PERIOD_DOUBLINGS)
    } else if took_ns > 4 * LATENCY_SAMPLE_NS {
        // Twice as slow, and more: down at once, as far as it goes.
        doublings.saturating_sub((took_ns / LATENCY_SAMPLE_NS).ilog2() as u8)
    } else {
        doublings
    }
}

fn end(g: &G) {
    let samples = 1 << (g.sampled.replace(0) - 1);
    let record = RECORD.load(Relaxed);
    // SAFETY: only `begin` writes the word, and only with a `Record`.
    let record: Record = unsafe { core::mem::transmute(record) };
    record(monotonic_ns().saturating_sub(g.ready_ns.get()), samples);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_period_follows_the_pace_and_stays_within_its_bounds() {
        let mut doublings = 0;
        for _ in 0..20 {
            doublings = next_doublings(doublings, LATENCY_SAMPLE_NS - 1);
        }
        assert_eq!(doublings, LATENCY_PERIOD_DOUBLINGS);
        assert_eq!(LATENCY_PERIOD << doublings, 512);
        assert_eq!(next_doublings(3, LATENCY_SAMPLE_NS), 3);
        assert_eq!(next_doublings(3, 4 * LATENCY_SAMPLE_NS), 3);
        assert_eq!(next_doublings(3, 5 * LATENCY_SAMPLE_NS), 1);
        assert_eq!(next_doublings(6, 1_000_000_000), 0);
        assert_eq!(next_doublings(0, u64::MAX), 0);
    }
}
