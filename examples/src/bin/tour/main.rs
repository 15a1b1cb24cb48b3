//! A tour of the runtime: each stage shows a part of it, and checks itself. A wrong result makes the program exit with status 1.
#![no_std]
#![no_main]

extern crate alloc;

/// Ends the stage with a sentence unless the condition holds.
macro_rules! check {
    ($condition:expr, $($why:tt)*) => { if !$condition { return Err(alloc::format!($($why)*)) } };
}

mod child;
mod hogs;

use alloc::string::String;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use gort::prelude::*;
use gort::time::Instant;
use rustix::fs::{Mode, OFlags};

gort::main!(main);

type Stage = fn() -> Result<(), String>;

const STAGES: &[(&str, &str, Stage)] = &[
    ("kernel", "what this kernel offers, and what gort uses of it", kernel),
    ("million", "a million goroutines: spawned, parked, counted, joined", million),
    ("sieve", "the first 1000 primes, by a chain of goroutines", sieve),
    ("preempt", "a sleeper beside hogs on every P, with and without preemption", hogs::preempt),
    ("calls", "64 goroutines in blocking system calls while others compute", hogs::calls),
    ("timers", "a million timers: none early, none lost, and how late they are", hogs::timers),
    ("forkjoin", "one computation on one P and on all", forkjoin),
    ("process", "what /proc says about this process", process),
];

fn main() -> i32 {
    let arguments: Vec<&str> = gort::os::args().skip(1).collect();
    let chosen: Vec<_> = match arguments[..] {
        [] => STAGES.iter().collect(),
        ["--help"] => {
            println!("usage: tour [STAGE | --list | --help]\nWithout an argument all stages run, in order.");
            return 0;
        }
        ["--list"] => {
            STAGES.iter().for_each(|(name, what, _)| println!("{name:10} {what}"));
            return 0;
        }
        [name] => match STAGES.iter().find(|stage| stage.0 == name) {
            Some(stage) => alloc::vec![stage],
            None => {
                eprintln!("tour: no stage is called {name}; `tour --list` shows them");
                return 2;
            }
        },
        _ => {
            eprintln!("tour: one stage at most; `tour --help` shows how it is called");
            return 2;
        }
    };
    let mut failed = 0;
    for (name, what, stage) in chosen {
        println!("== {name}: {what}");
        let start = Instant::now();
        match stage() {
            Ok(()) => println!("   ok, {:.2} s\n", start.elapsed().as_secs_f64()),
            Err(why) => {
                failed += 1;
                println!("   FAILED: {why}\n");
            }
        }
    }
    if failed == 0 {
        println!("all stages ok");
    }
    (failed != 0).into()
}

/// A file of /proc, whole; empty if it cannot be read.
fn read(path: &str) -> String {
    let mut bytes = Vec::new();
    if let Ok(file) = rustix::fs::open(path, OFlags::RDONLY, Mode::empty()) {
        let mut part = [0u8; 4096];
        while let Ok(n @ 1..) = rustix::io::read(&file, &mut part) {
            bytes.extend_from_slice(&part[..n]);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A line `NAME: 12345 kB` of /proc/self/status.
fn status(name: &str) -> usize {
    let text = read("/proc/self/status");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn kernel() -> Result<(), String> {
    let name = rustix::system::uname();
    println!("   Linux {}, {} CPUs, GOMAXPROCS {}", name.release().to_string_lossy(), runtime::num_cpu(), runtime::gomaxprocs(0));
    // The first goroutine made here has started a thread, if there is more than one P.
    gort::spawn(|| ()).join().map_err(|e| alloc::format!("{e}"))?;
    println!("   threads by {}", if gort::__private::clone3_missing() { "clone (clone3 is refused)" } else { "clone3" });
    let guards = gort::__private::stack::guards();
    println!("   guards below stacks by {}", if guards.advised > 0 { "madvise(MADV_GUARD_INSTALL)" } else { "mprotect, as far as it goes" });
    check!(runtime::num_cpu() >= 1 && runtime::gomaxprocs(0) >= 1, "no CPU, or no P");
    Ok(())
}

fn million() -> Result<(), String> {
    // Some 4.7 KiB each, page tables included; leave half of what is free to others.
    let available = read("/proc/meminfo").lines().find_map(|l| l.strip_prefix("MemAvailable:")?.split_whitespace().next()?.parse::<usize>().ok());
    let wanted = 1_000_000;
    let count = available.map_or(wanted, |kib| wanted.min(kib / 2 * 1024 / 4800));
    if count < wanted {
        println!("   memory allows {count} of {wanted}");
    }
    let before = status("VmRSS");
    let up = alloc::sync::Arc::new(AtomicUsize::new(0));
    let gate = chan::make::<()>(0);
    let all = WaitGroup::new();
    let start = Instant::now();
    for _ in 0..count {
        let (up, gate) = (up.clone(), gate.receiver());
        all.go(move || {
            up.fetch_add(1, Relaxed);
            gate.recv();
        });
    }
    while up.load(Relaxed) < count {
        runtime::gosched();
    }
    let spawned = start.elapsed();
    let each = (status("VmRSS") - before) * 1024 / count;
    let (goroutines, vmas) = (runtime::num_goroutine(), read("/proc/self/maps").lines().count());
    let tables = status("VmPTE");
    let start = Instant::now();
    gate.close();
    all.wait();
    let woken = start.elapsed();
    let guards = gort::__private::stack::guards();
    println!("   {goroutines} goroutines, {each} B each resident, page tables {tables} KiB, {vmas} VMAs");
    println!("   guarded stacks: {} by madvise, {} by mprotect, {} without", guards.advised, guards.protected, guards.missing);
    let per = |time: gort::time::Duration| time.as_nanos() as usize / count;
    println!("   {} ns to spawn and park one, {} ns to wake and end one", per(spawned), per(woken));
    check!(goroutines > count, "only {goroutines} goroutines exist");
    check!(up.load(Relaxed) == count, "{} started", up.load(Relaxed));
    check!(each <= 4600, "{each} B each");
    check!(guards.advised == 0 || vmas < 100, "{vmas} VMAs");
    Ok(())
}

fn sieve() -> Result<(), String> {
    let (tx, mut numbers) = chan::channel(0);
    let first = tx.clone();
    go(move || {
        for n in 2u32.. {
            if tx.send_or(n).is_err() {
                return;
            }
        }
    });
    let (mut prime, mut all) = (0, Vec::from([first]));
    for _ in 0..1000 {
        prime = numbers.recv().unwrap_or(0);
        let (next, filtered) = chan::channel(0);
        all.push(next.clone());
        let input = core::mem::replace(&mut numbers, filtered);
        go(move || input.iter().filter(|n| n % prime != 0).map(|n| next.send_or(n)).take_while(Result::is_ok).for_each(drop));
    }
    all.iter().for_each(|channel| channel.close());
    println!("   prime number 1000 is {prime}");
    check!(prime == 7919, "it should be 7919");
    Ok(())
}

fn mix(mut x: u64) -> u64 {
    for _ in 0..20_000 {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    x
}

/// The sum of `mix` over a range, split until it is short.
fn sum(from: u64, to: u64) -> u64 {
    if to - from <= 8 {
        return (from..to).fold(0, |sum, n| sum.wrapping_add(mix(n)));
    }
    let middle = from + (to - from) / 2;
    let (mut a, mut b) = (0, 0);
    scope(|s| {
        s.go(|| a = sum(from, middle));
        b = sum(middle, to);
    });
    a.wrapping_add(b)
}

fn forkjoin() -> Result<(), String> {
    let all = runtime::gomaxprocs(1);
    let start = Instant::now();
    let one_p = sum(1, 20_001);
    let slow = start.elapsed();
    runtime::gomaxprocs(all);
    let start = Instant::now();
    let all_ps = sum(1, 20_001);
    let fast = start.elapsed();
    println!("   1 P: {} ms, {all} Ps: {} ms, {:.2} times as fast", slow.as_millis(), fast.as_millis(), slow.as_secs_f64() / fast.as_secs_f64());
    check!(one_p == all_ps, "the sums differ");
    Ok(())
}

fn process() -> Result<(), String> {
    let maps = read("/proc/self/maps");
    let libraries = maps.lines().filter(|line| line.contains(".so")).count();
    println!("   {} threads, {} VMAs, {} KiB resident, {libraries} libraries mapped", status("Threads"), maps.lines().count(), status("VmRSS"));
    check!(libraries == 0, "a library is mapped");
    check!(status("Threads") >= 1, "no threads in /proc/self/status");
    Ok(())
}
