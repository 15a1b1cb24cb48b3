//! Metrics against what the program really does: `readings CASE`. It checks by itself, and prints what it found.
#![no_std]
#![no_main]

extern crate alloc;

use core::hint::{black_box, spin_loop};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use gort::metrics::{self, Sample, Value, ValueKind};
use gort::prelude::*;
use gort::sync::WaitGroup;
use gort::time::{Duration, Instant, sleep};
use gort::{os, syscall};
use rustix::time::Timespec;

gort::main!(main);

const LATENCIES: &str = "/sched/latencies:seconds";

fn main() {
    match os::args().nth(1).expect("a case") {
        "snippet" => snippet(),
        "all" => all(),
        "counts" => counts(),
        "latencies" => latencies(),
        "off" => off(),
        "rates" => rates(),
        "preemptions" => preemptions(),
        "calls" => calls(),
        "late_p" => late_p(),
        "storm" => storm(),
        other => panic!("{other}?"),
    }
}

/// The specification's.
fn snippet() {
    let mut samples = [Sample::new("/sched/gomaxprocs:threads"), Sample::new("/sched/goroutines:goroutines")];
    metrics::read(&mut samples);
    for s in &samples {
        println!("{} {}", s.name, s.value.uint64());
    }
}

fn number(name: &str) -> u64 {
    let mut samples = [Sample::new(name)];
    metrics::read(&mut samples);
    samples[0].value.uint64()
}

/// Every metric can be read, and has the kind that it says; whatever has none of these names is bad, also where something was read before.
fn all() {
    for description in metrics::all() {
        let mut samples = [Sample::new(description.name)];
        for _ in 0..2 {
            metrics::read(&mut samples);
            assert_eq!(samples[0].value.kind(), description.kind, "{}", description.name);
        }
        if let Value::Float64Histogram(histogram) = &samples[0].value {
            assert_eq!(histogram.counts.len() + 1, histogram.buckets.len());
            let memory = histogram.counts.as_ptr();
            metrics::read(&mut samples);
            assert_eq!(samples[0].value.float64_histogram().counts.as_ptr(), memory, "the memory is used again");
        }
        for name in ["", "/", "/sched/gomaxprocs", "/sched/gomaxprocs:threads ", "/gc/heap/allocs:bytes", "\0"] {
            samples[0].name = name;
            metrics::read(&mut samples);
            assert_eq!((&samples[0].value, samples[0].value.kind()), (&Value::Bad, ValueKind::Bad), "{name:?}");
        }
    }
    metrics::read(&mut []);
    println!("{} metrics", metrics::all().len());
}

fn total(name: &str) -> u64 {
    let mut samples = [Sample::new(name)];
    metrics::read(&mut samples);
    samples[0].value.float64_histogram().counts.iter().sum()
}

/// Goroutines, Ps, stacks, the heap, timers.
fn counts() {
    assert_eq!(number("/sched/goroutines:goroutines"), 1);
    let (created, gate) = (number("/gort/goroutines/created:goroutines"), chan::make::<()>(0));
    for _ in 0..500 {
        let gate = gate.clone();
        go(move || gate.recv());
    }
    assert_eq!(number("/sched/goroutines:goroutines"), 501);
    assert_eq!(number("/sched/goroutines:goroutines"), runtime::num_goroutine() as u64);
    assert_eq!(number("/gort/goroutines/created:goroutines"), created + 500);
    gate.close();
    while runtime::num_goroutine() > 1 {
        runtime::gosched();
    }
    assert_eq!(number("/sched/goroutines:goroutines"), 1);
    // Many of them waited at a time, so each of these had a stack.
    assert!((100..=520).contains(&number("/gort/stacks:stacks")), "{} stacks", number("/gort/stacks:stacks"));
    assert_eq!(number("/gort/stacks/memory:bytes"), 4096 * number("/gort/stacks:stacks"));
    assert_eq!(number("/gort/stacks/unguarded:stacks"), 0);
    for procs in [3, 1, 5, 2] {
        runtime::gomaxprocs(procs);
        assert_eq!(number("/sched/gomaxprocs:threads"), procs as u64);
        assert!(number("/gort/procs/idle:threads") < procs as u64);
    }
    go(|| runtime::goexit());
    while runtime::num_goroutine() > 1 {
        runtime::gosched();
    }
    assert_eq!(number("/gort/stacks/kept:stacks"), 1);
    let in_use = number("/gort/heap/in-use:bytes");
    let block = black_box(alloc::vec![1u8; 10 << 20]);
    assert!(number("/gort/heap/in-use:bytes") - in_use >= 10 << 20);
    assert!(number("/gort/heap/mapped:bytes") >= number("/gort/heap/in-use:bytes"));
    drop(block);
    assert!(number("/gort/heap/in-use:bytes") < in_use + (1 << 20));
    let timers = number("/gort/timers/run:timers");
    (0..10).for_each(|_| sleep(Duration::from_micros(10)));
    assert_eq!(number("/gort/timers/run:timers") - timers, 10);
    assert_eq!(number("/cgo/go-to-c-calls:calls"), 0);
    assert_eq!(total("/sched/pauses/total/gc:seconds"), 0);
    runtime::gomaxprocs(1);
    (0..7).for_each(|_| go(|| ()));
    assert_eq!(number("/gort/goroutines/runnable:goroutines"), 7);
    println!("counts are right");
}

/// How many latencies there were, and how many of at least `ns`.
fn measured(samples: &mut [Sample; 1], least: f64) -> (u64, u64) {
    metrics::read(samples);
    let histogram = samples[0].value.float64_histogram();
    let late = histogram.counts.iter().zip(histogram.buckets).filter(|(_, from)| **from >= least);
    (histogram.counts.iter().sum(), late.map(|(count, _)| count).sum())
}

/// GOMAXPROCS=1: goroutines that wait for 10 ms each time, since main computes for 20.
fn latencies() {
    let mut samples = [Sample::new(LATENCIES)];
    assert_eq!(measured(&mut samples, 0.0), (0, 0), "not measured before it is asked for");
    let (rounds, each) = (10, 64);
    for _ in 0..rounds {
        let done = WaitGroup::new();
        done.add(each);
        for _ in 0..each {
            let done = done.clone();
            // Not in the fresh queue, which would have main wait in their place.
            go(move || {
                runtime::gosched();
                done.done();
            });
        }
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(20) {
            spin_loop();
        }
        done.wait();
    }
    let (all, late) = measured(&mut samples, 0.008);
    // One of eight of those who waited while main computed: 10 ms at least, until it had spent its slice.
    assert!(late >= rounds * each as u64 / 8 / 2, "{late} of {all} were runnable for long: {:?}", samples[0].value);
    assert!(all >= rounds * each as u64 / 8, "{all} samples of {} goroutines", rounds * each as u64);
    assert!(late <= all * 3 / 4, "those who gave way to each other are not late: {late} of {all}");
    println!("{late} of {all} samples are late");
}

/// Who asks for anything else switches no sampling on.
fn off() {
    for description in metrics::all().iter().filter(|description| description.name != LATENCIES) {
        metrics::read(&mut [Sample::new(description.name)]);
    }
    (0..1000).for_each(|_| spawn(|| ()).join().unwrap());
    assert_eq!(total(LATENCIES), 0);
    (0..1000).for_each(|_| spawn(|| ()).join().unwrap());
    assert!(total(LATENCIES) > 0);
    println!("on when it is asked for");
}

/// Samples stand for transitions: one of eight, however fast they come. GOMAXPROCS=1.
fn rates() {
    let mut samples = [Sample::new(LATENCIES)];
    measured(&mut samples, 0.0);
    for (count, pause_us) in [(2_000_000u64, 0), (4_000, 20)] {
        let before = measured(&mut samples, 0.0).0;
        let other = spawn(move || (0..count / 2).for_each(|_| give_way(pause_us)));
        (0..count / 2).for_each(|_| give_way(pause_us));
        other.join().unwrap();
        let sampled = measured(&mut samples, 0.0).0 - before;
        assert!((count / 16..count / 4).contains(&sampled), "{sampled} samples of {count} transitions, {pause_us} us each");
        println!("{sampled} of {count}");
    }
}

fn give_way(pause_us: u64) {
    let start = Instant::now();
    while pause_us != 0 && start.elapsed() < Duration::from_micros(pause_us) {
        spin_loop();
    }
    runtime::gosched();
}

/// Hogs beside each other.
fn preemptions() {
    static STOP: AtomicBool = AtomicBool::new(false);
    let names =
        ["/gort/preemptions:preemptions", "/gort/preemptions/injected:preemptions", "/gort/preemptions/signals:signals", "/gort/preemptions/slices:slices"];
    let before = names.map(number);
    runtime::gomaxprocs(1);
    let hogs = [(); 3].map(|()| {
        spawn(|| {
            while !STOP.load(SeqCst) {
                spin_loop();
            }
        })
    });
    sleep(Duration::from_millis(300));
    STOP.store(true, SeqCst);
    hogs.into_iter().for_each(|hog| hog.join().unwrap());
    let [all, injected, signals, slices] = core::array::from_fn(|n| number(names[n]) - before[n]);
    assert!(all >= injected && injected >= 3 && signals >= injected && slices >= 2, "{all} {injected} {signals} {slices}");
    println!("{all} preemptions, {injected} injected, {signals} signals, {slices} slices");
}

/// Blocking calls: their Ps are given away, threads come to be, and calls that are not known to block are retaken.
fn calls() {
    const NANOSLEEP: u32 = 35;
    let pause = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
    let (handed_off, retaken) = (number("/gort/handoffs:calls"), number("/gort/retakes:calls"));
    scope(|s| {
        for _ in 0..20 {
            s.go(|| drop(syscall::blocking(|| rustix::thread::nanosleep(&pause))));
        }
        sleep(Duration::from_millis(10));
        let threads = number("/gort/threads:threads");
        assert!(threads >= 10, "{threads} threads, twenty calls");
    });
    // The first calls may be made before there is anybody to give a P to.
    assert!((15..=20).contains(&(number("/gort/handoffs:calls") - handed_off)), "{}", number("/gort/handoffs:calls") - handed_off);
    let (all, idle) = (number("/gort/threads:threads"), number("/gort/threads/idle:threads"));
    assert!(idle < all, "{idle} idle of {all}");
    runtime::gomaxprocs(1);
    let other = spawn(|| {
        for _ in 0..50 {
            runtime::gosched();
        }
    });
    for _ in 0..3 {
        // SAFETY: nanosleep reads the words.
        let _ = unsafe { syscall::raw(NANOSLEEP, &[&raw const pause as usize, 0]) };
    }
    other.join().unwrap();
    assert!(number("/gort/retakes:calls") > retaken, "nobody has taken the P of a call that lasted");
    println!("calls are counted");
}

/// Ps that are made after sampling began sample too.
fn late_p() {
    runtime::gomaxprocs(1);
    let mut samples = [Sample::new(LATENCIES)];
    measured(&mut samples, 0.0);
    runtime::gomaxprocs(4);
    static STOP: AtomicBool = AtomicBool::new(false);
    static ON: AtomicU32 = AtomicU32::new(0);
    // Three on Ps of their own, which do nothing; whatever is sampled then is main's P's or theirs as they give way to a partner.
    let pairs = [(); 3].map(|()| {
        spawn(|| {
            ON.fetch_add(1, SeqCst);
            while !STOP.load(SeqCst) {
                runtime::gosched();
                (0..100).for_each(|_| spawn(|| ()).join().unwrap());
            }
        })
    });
    while ON.load(SeqCst) < 3 {
        runtime::gosched();
    }
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(50) {
        spin_loop();
    }
    STOP.store(true, SeqCst);
    pairs.into_iter().for_each(|pair| pair.join().unwrap());
    let mut sampling = 0;
    gort::__private::SCHED.for_each_p(|p| sampling += u32::from(p.sample_left.load(SeqCst) != 0));
    assert_eq!(sampling, 4, "Ps that sample");
    assert!(measured(&mut samples, 0.0).0 > 0);
    println!("all Ps sample");
}

/// Read each millisecond while goroutines churn: what only grows never falls, and what is counted under one lock fits together.
fn storm() {
    static STOP: AtomicBool = AtomicBool::new(false);
    let seconds: u64 = os::args().nth(2).unwrap().parse().unwrap();
    let churn = [(); 4].map(|()| {
        spawn(|| {
            let mut made = 0u64;
            while !STOP.load(SeqCst) {
                let (tx, rx) = chan::channel(2);
                let handles: [_; 20] = core::array::from_fn(|n| {
                    let tx = tx.clone();
                    spawn(move || {
                        tx.send(alloc::vec![n; 100]);
                        sleep(Duration::from_micros(n as u64 * 10));
                    })
                });
                assert_eq!(rx.iter().take(20).map(|v| v[99]).sum::<usize>(), 190);
                drop(tx);
                handles.into_iter().for_each(|handle| handle.join().unwrap());
                made += 20;
            }
            made
        })
    });
    let procs = spawn(|| {
        let mut n = 1;
        while !STOP.load(SeqCst) {
            runtime::gomaxprocs(n % 5 + 1);
            n += 1;
            sleep(Duration::from_millis(3));
        }
    });
    let mut samples: [Sample; 32] = core::array::from_fn(|n| Sample::new(metrics::all().get(n).map_or("none", |metric| metric.name)));
    assert!(metrics::all().len() < samples.len());
    metrics::read(&mut samples);
    let (mut reads, start) = (0, Instant::now());
    while start.elapsed() < Duration::from_secs(seconds) {
        let before = samples.clone();
        metrics::read(&mut samples);
        reads += 1;
        for (description, (before, now)) in metrics::all().iter().zip(before.iter().zip(&samples)) {
            match (&before.value, &now.value) {
                (Value::Uint64(before), Value::Uint64(now)) => assert!(!description.cumulative || before <= now, "{}: {before}, then {now}", description.name),
                (Value::Float64Histogram(before), Value::Float64Histogram(now)) => {
                    assert!(before.counts.iter().zip(&now.counts).all(|(before, now)| before <= now), "{before:?}, then {now:?}");
                }
                other => panic!("{}: {other:?}", description.name),
            }
        }
        let of = |name: &str| samples.iter().find(|sample| sample.name == name).unwrap().value.uint64();
        assert!((1..=5).contains(&of("/sched/gomaxprocs:threads")));
        // Main, five that last, 80 that churn, and those that were joined and have a few instructions left: no more than there are threads.
        let most = 6 + 4 * 20 + of("/gort/threads:threads");
        assert!((1..=most).contains(&of("/sched/goroutines:goroutines")), "{} goroutines", of("/sched/goroutines:goroutines"));
        assert!(of("/gort/threads/idle:threads") + of("/gort/threads/spinning:threads") <= of("/gort/threads:threads"));
        sleep(Duration::from_millis(1));
    }
    STOP.store(true, SeqCst);
    let made: u64 = churn.into_iter().map(|churn| churn.join().unwrap()).sum();
    procs.join().unwrap();
    assert_eq!(number("/gort/goroutines/created:goroutines"), made + 1 + 4 + 1);
    assert_eq!(number("/sched/goroutines:goroutines"), 1);
    let sampled = total(LATENCIES);
    assert!(sampled > made / 8, "{sampled} samples, {made} goroutines");
    println!("{reads} reads, {made} goroutines, {sampled} samples");
}
