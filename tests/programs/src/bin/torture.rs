//! Preemption at every instruction, with every register in use: nothing may change.
//!
//! `torture SECONDS STORM_US [MIN_INJECTIONS]`: workers hold patterns in registers while sysmon asks them to give way all the time; others allocate,
//! talk over channels, and change GOMAXPROCS.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use core::arch::global_asm;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use gort::__private::{SCHED, hooks, injection, preempt};
use gort::chan::make;
use gort::prelude::*;
use gort::sync::WaitGroup;
use gort::time::{Duration, Instant};
use gort::{go, os, runtime};

gort::main!(main);

global_asm!(include_str!("torture.s"));

unsafe extern "C" {
    fn torture_integers(seed: u64, loops: u64) -> u64;
    fn torture_sse(input: *const u8, output: *mut u8, loops: u64) -> u32;
    fn torture_avx(input: *const u8, output: *mut u8, loops: u64);
    fn torture_avx512(input: *const u8, output: *mut u8, loops: u64);
    fn torture_x87(input: *const f64, output: *mut f64, loops: u64) -> u32;
}

static ROUNDS: [AtomicU64; 5] = [const { AtomicU64::new(0) }; 5];
const LOOPS: u64 = 20_000;

fn number(n: usize) -> Option<u64> {
    os::args().nth(n).and_then(|text| text.parse().ok())
}

fn main() {
    let end = Instant::now() + Duration::from_secs(number(1).unwrap_or(1));
    let (storm_us, least) = (number(2).unwrap_or(50), number(3).unwrap_or(100));
    let features = features();
    let wait = WaitGroup::new();
    for worker in 0..12u64 {
        start(&wait, move || work(worker, features, end));
    }
    start(&wait, move || allocate(end));
    start(&wait, move || block(end));
    talk(&wait, end);
    start(&wait, move || change(end));
    hooks::storm_preemptions(storm_us * 1000);
    wait.wait();
    hooks::storm_preemptions(0);
    report(features, least);
}

fn start(wait: &WaitGroup, f: impl FnOnce() + Send + 'static) {
    wait.add(1);
    let wait = wait.clone();
    go(move || {
        f();
        wait.done();
    });
}

/// AVX, AVX-512: does the CPU have them, and does the kernel keep their registers?
fn features() -> [bool; 2] {
    use core::arch::x86_64::{__cpuid, __cpuid_count};
    let leaf1 = __cpuid(1);
    if leaf1.ecx >> 27 & 1 == 0 {
        return [false; 2];
    }
    let low: u32;
    // SAFETY: OSXSAVE.
    unsafe { core::arch::asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") _, options(nomem, nostack)) };
    let avx512 = __cpuid_count(7, 0).ebx >> 16 & 1 != 0;
    [leaf1.ecx >> 28 & 1 != 0 && low & 6 == 6, avx512 && low & 0xe6 == 0xe6]
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        self.0 ^ self.0 >> 29
    }
}

/// Bytes at a multiple of 64.
#[repr(align(64))]
struct Buffer([u8; 2048 + 16]);

fn work(worker: u64, [avx, avx512]: [bool; 2], end: Instant) {
    let mut random = Random(worker + 1);
    let (mut input, mut output) = (Buffer([0; 2064]), Buffer([0; 2064]));
    while Instant::now() < end {
        input.0.iter_mut().for_each(|byte| *byte = random.next() as u8);
        output.0.fill(0);
        let (from, to) = (input.0.as_ptr(), output.0.as_mut_ptr());
        let kind = (random.next() % 5) as usize;
        let mut used = 0;
        // SAFETY: the buffers are as large as each routine wants them, and the CPU has what it uses.
        unsafe {
            match kind {
                0 => match torture_integers(random.next(), LOOPS) {
                    0 => {}
                    what => panic!("integers: check {what} failed"),
                },
                1 => {
                    used = 256;
                    assert_eq!(torture_sse(from, to, LOOPS) & !0x3f, 0x5f80, "MXCSR");
                }
                2 if avx => {
                    used = 512;
                    torture_avx(from, to, LOOPS);
                }
                3 if avx512 => {
                    used = 2048;
                    torture_avx512(from, to, LOOPS);
                    assert_eq!(input.0[2050..2064], output.0[2050..2064], "masks");
                }
                _ => {
                    let values: [f64; 8] = core::array::from_fn(|_| random.next() as f64 / 3.0);
                    let mut got = [0.0; 8];
                    assert_eq!(torture_x87(values.as_ptr(), got.as_mut_ptr(), LOOPS), 0x0b7f, "x87 control word");
                    assert_eq!(values, got, "x87 registers");
                }
            }
        }
        assert!(input.0[..used] == output.0[..used], "vector registers of kind {kind} changed");
        ROUNDS[kind].fetch_add(1, Relaxed);
    }
}

/// Allocations of all sizes, filled and looked at.
fn allocate(end: Instant) {
    let mut random = Random(99);
    let mut held: Vec<(u8, Vec<u8>)> = Vec::new();
    while Instant::now() < end {
        let (byte, len) = (random.next() as u8, (random.next() % 5000) as usize);
        held.push((byte, alloc::vec![byte; len]));
        if held.len() > 200 {
            let (byte, bytes) = held.swap_remove((random.next() % 200) as usize);
            assert!(bytes.iter().all(|&b| b == byte), "the heap's blocks overlap");
        }
    }
}

/// System calls that give their P away.
fn block(end: Instant) {
    while Instant::now() < end {
        let time = rustix::time::Timespec { tv_sec: 0, tv_nsec: 100_000 };
        let _ = gort::syscall::blocking(|| rustix::thread::nanosleep(&time));
    }
}

/// Pairs that talk over channels, buffered and not; every value arrives, in order.
fn talk(wait: &WaitGroup, end: Instant) {
    for capacity in [0, 1, 16] {
        let c = make::<u64>(capacity);
        let sender = c.clone();
        start(wait, move || {
            let mut n = 0;
            while Instant::now() < end {
                sender.send(n);
                n += 1;
            }
            sender.send(u64::MAX);
        });
        start(wait, move || {
            for n in 0.. {
                match c.recv() {
                    Some(u64::MAX) => return,
                    got => assert_eq!(got, Some(n), "a value was lost or came twice"),
                }
            }
        });
    }
}

fn change(end: Instant) {
    let mut random = Random(7);
    while Instant::now() < end {
        runtime::gomaxprocs((random.next() % 8 + 1) as i32);
        gort::time::sleep(Duration::from_millis(random.next() % 20));
    }
}

fn report([avx, avx512]: [bool; 2], least: u64) {
    let (mut injected, mut migrated, mut gave_way, mut handed_off, mut classes) = (0, 0, 0, 0, [0u64; 6]);
    SCHED.for_each_p(|p| {
        injected += p.counters.injected.get();
        migrated += p.counters.migrated.get();
        gave_way += p.counters.gave_way.get();
        handed_off += p.counters.handed_off.get();
        for (sum, counter) in classes.iter_mut().zip(&p.counters.injected_classes) {
            *sum += counter.get();
        }
    });
    let signals = &preempt::SIGNALS;
    println!("kind {:?}", injection::kind());
    println!(
        "injected {injected} migrated {migrated} gave way {gave_way} handed off {handed_off} refused {} stale {}",
        signals.refused.load(Relaxed),
        signals.stale.load(Relaxed)
    );
    for ((_, name), count) in injection::CLASSES.iter().zip(classes) {
        println!("  {name}: {count}");
    }
    println!("rounds {:?}", ROUNDS.each_ref().map(|n| n.load(Relaxed)));
    assert!(injected >= least, "{injected} injections, fewer than {least}");
    assert!(handed_off > 0, "no P was handed off");
    assert!(migrated >= least / 1000, "{migrated} migrations in {injected} injections");
    let in_use = |class: usize| classes[class] != 0;
    assert!(in_use(0) && in_use(1), "x87 and SSE were in use");
    assert!(!avx || in_use(2), "AVX was in use");
    assert!(!avx512 || in_use(3) && in_use(4) && in_use(5), "AVX-512 was in use");
    println!("nothing changed");
}
