//! The metrics: names, descriptions, and where each is counted.
//!
//! 1. Sorted by name, each once; `find` relies on it.
//! 2. Numbers that belong together are read together, once a `read`: those under the scheduler's lock in one piece, those of Ps in one pass. Nothing is
//!    allocated under the lock.

use super::{Description, Float64Histogram, Value, ValueKind};
use crate::base::histogram::{BOUNDS, BUCKETS, Times};
use crate::gmp::counters::{Counters, ffi_calls};
use crate::gmp::sched::{idle_ps, spinning_ms};
use crate::gmp::{SCHED, sampling};
use crate::mem::{heap, stack};
use crate::sched::preempt::SIGNALS;
use crate::sys::memory::PAGE;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

static LATENCIES: Times = Times::new();

/// What one `read` has found out so far.
#[derive(Default)]
pub struct Facts {
    threads: Option<Threads>,
    heap: Option<heap::Stats>,
}

/// What is read together under the scheduler's lock.
#[derive(Clone, Copy)]
struct Threads {
    all: u32,
    idle: u32,
    spinning: u32,
    idle_procs: u32,
}

impl Facts {
    fn threads(&mut self) -> Threads {
        *self.threads.get_or_insert_with(|| {
            let locked = SCHED.locked.lock();
            let word = SCHED.idle.0.load(Relaxed);
            Threads { all: locked.m_count, idle: locked.idle_m_count, spinning: spinning_ms(word), idle_procs: idle_ps(word) }
        })
    }

    fn heap(&mut self) -> heap::Stats {
        *self.heap.get_or_insert_with(heap::stats)
    }
}

/// Where a number comes from.
enum Source {
    /// Added up over all Ps that there have been.
    Ps(fn(&Counters) -> u64),
    /// One place.
    One(fn(&mut Facts) -> u64),
    /// The distribution of latencies.
    Latencies,
    /// A distribution of nothing.
    Nothing,
}

use Source::{Latencies, Nothing, One, Ps};

macro_rules! metrics {
    ($($name:literal $cumulative:literal $source:expr, $description:literal;)*) => {
        const COUNT: usize = [$($name),*].len();
        static SOURCES: [Source; COUNT] = [$($source),*];
        /// See `all`.
        pub static DESCRIPTIONS: [Description; COUNT] =
            [$(Description { name: $name, description: $description, kind: kind(&$source), cumulative: $cumulative }),*];
    };
}

const fn kind(source: &Source) -> ValueKind {
    match source {
        Ps(_) | One(_) => ValueKind::Uint64,
        Latencies | Nothing => ValueKind::Float64Histogram,
    }
}

metrics! {
    "/cgo/go-to-c-calls:calls" true One(|_| ffi_calls()),
        "Count of calls made from goroutines to C (`ffi::call`).";
    "/gort/goroutines/created:goroutines" true Ps(|c| c.created.get()),
        "gort's own. Count of goroutines made, main's included.";
    "/gort/goroutines/runnable:goroutines" false One(|_| runnable()),
        "gort's own. Goroutines that are ready to run and do not run, in the queues of all Ps and the global one.";
    "/gort/handoffs:calls" true Ps(|c| c.handed_off.get()),
        "gort's own. Count of system calls that gave their P to others before they began.";
    "/gort/heap/idle:bytes" false One(|facts| facts.heap().idle as u64),
        "gort's own. Free memory of the heap that the kernel still backs.";
    "/gort/heap/in-use:bytes" false One(|facts| facts.heap().in_use as u64),
        "gort's own. Memory of blocks in use, rounded up to their size classes, with what lies in the caches of Ps.";
    "/gort/heap/mapped:bytes" false One(|facts| facts.heap().mapped as u64),
        "gort's own. Address space of the heap, touched or not.";
    "/gort/heap/released:bytes" true One(|facts| facts.heap().released),
        "gort's own. Memory of the heap that has been given back to the kernel so far.";
    "/gort/preemptions/injected:preemptions" true Ps(|c| c.injected.get()),
        "gort's own. Count of goroutines that were made to give way in mid-loop, by a signal. Some of /gort/preemptions:preemptions.";
    "/gort/preemptions/signals:signals" true One(|_| SIGNALS.sent.load(Relaxed)),
        "gort's own. Count of signals (SIGURG) sent to make goroutines give way.";
    "/gort/preemptions/slices:slices" true Ps(|c| c.slices_spent.get()),
        "gort's own. Count of goroutines that were made to give way after 10 ms, and went behind all others.";
    "/gort/preemptions:preemptions" true Ps(|c| c.injected.get() + c.gave_way.get()),
        "gort's own. Count of goroutines that were made to give way.";
    "/gort/procs/idle:threads" false One(|facts| facts.threads().idle_procs.into()),
        "gort's own. Of /sched/gomaxprocs:threads those that have nothing to run.";
    "/gort/retakes:calls" true Ps(|c| c.retaken.get()),
        "gort's own. Count of system calls whose P was taken from them, because they lasted and somebody waited.";
    "/gort/stacks/kept:stacks" false One(|_| SCHED.kept_stacks.load(Relaxed).into()),
        "gort's own. Stacks that are never used again, since their goroutines ended by goexit: somebody may still borrow from them.";
    "/gort/stacks/memory:bytes" false One(|_| u64::from(stack::with_pages()) * PAGE as u64),
        "gort's own. Memory of stacks, as if each that has any had one page: the least that it can be.";
    "/gort/stacks/unguarded:stacks" false One(|_| stack::guards().missing.into()),
        "gort's own. Stacks below which there is no guard, of all that were ever used: their overflow is not caught.";
    "/gort/stacks:stacks" false One(|_| stack::with_pages().into()),
        "gort's own. Stacks that have memory: of goroutines that exist, and free ones whose memory was not given back.";
    "/gort/steals:goroutines" true Ps(|c| c.stolen.get() + c.stolen_runnext.get()),
        "gort's own. Count of goroutines that a P took from another one's queue.";
    "/gort/threads/idle:threads" false One(|facts| facts.threads().idle.into()),
        "gort's own. Of /gort/threads:threads those that sleep since there is nothing to run.";
    "/gort/threads/spinning:threads" false One(|facts| facts.threads().spinning.into()),
        "gort's own. Of /gort/threads:threads those that look for something to run.";
    "/gort/threads:threads" false One(|facts| facts.threads().all.into()),
        "gort's own. Threads that run goroutines, are in system calls for them, or are idle. The runtime's own (gort-sysmon, gort-template) do not count.";
    "/gort/timers/run:timers" true Ps(|c| c.timers_run.get()),
        "gort's own. Count of timers and sleeps whose time has come.";
    "/sched/gomaxprocs:threads" false One(|_| SCHED.procs.load(Relaxed).into()),
        "The current runtime::gomaxprocs setting: how many threads can run goroutines at a time.";
    "/sched/goroutines:goroutines" false One(|_| SCHED.goroutines()),
        "Count of goroutines that exist: what runtime::num_goroutine says.";
    "/sched/latencies:seconds" true Latencies,
        "Distribution of the time that goroutines have been runnable before they ran. Samples, from the first reading of this metric on; counts only grow.";
    "/sched/pauses/total/gc:seconds" true Nothing,
        "Distribution of the times that the world was stopped for a garbage collector. There is none, so it stays empty.";
}

/// Goroutines in queues.
fn runnable() -> u64 {
    let mut sum = SCHED.global_len.load(Relaxed).into();
    SCHED.for_each_p(|p| sum += u64::from(p.runnable()));
    sum
}

/// Reads the metric `name` into `value`.
pub fn read(name: &str, facts: &mut Facts, value: &mut Value) {
    let Ok(place) = DESCRIPTIONS.binary_search_by(|description| description.name.cmp(name)) else {
        *value = Value::Bad;
        return;
    };
    match &SOURCES[place] {
        One(read) => *value = Value::Uint64(read(facts)),
        Ps(read) => {
            let mut sum = 0;
            SCHED.for_each_p(|p| sum += read(&p.counters));
            *value = Value::Uint64(sum);
        }
        Latencies => {
            sampling::begin(|ns, samples| LATENCIES.add(ns, samples));
            counts_of(value).extend(LATENCIES.counts());
        }
        Nothing => counts_of(value).resize(BUCKETS, 0),
    }
}

/// The counts of `value`, a histogram from now on, without any; in the memory that it has.
fn counts_of(value: &mut Value) -> &mut Vec<u64> {
    if !matches!(value, Value::Float64Histogram(_)) {
        *value = Value::Float64Histogram(Box::new(Float64Histogram { counts: Vec::with_capacity(BUCKETS), buckets: &BOUNDS }));
    }
    let Value::Float64Histogram(histogram) = value else { unreachable!() };
    histogram.counts.clear();
    histogram.buckets = &BOUNDS;
    &mut histogram.counts
}
