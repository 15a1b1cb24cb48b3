//! Requests to give way that come at the worst moment: each is sent here, by hand, to the thread that runs.
//!
//! `requests SCENARIO`. GOMAXPROCS is 1 unless the scenario says otherwise.

#![no_std]
#![no_main]

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use gort::__private::{SCHED, hooks, injection, preempt};
use gort::prelude::*;
use gort::time::{Duration, Instant, sleep};
use gort::{chan, go, os, runtime, syscall};

gort::main!(main);

const MS: Duration = Duration::from_millis(1);
const NANOSLEEP: u32 = 35;
const TGKILL: u32 = 234;
const GETPID: u32 = 39;
const SIGURG: usize = 23;
/// How long a scenario waits for what must come.
const PATIENCE_TICKS: u64 = 20_000_000_000;

static OTHER: AtomicU64 = AtomicU64::new(0);
static STOP: AtomicBool = AtomicBool::new(false);

fn main() {
    let scenario = os::args().nth(1);
    if scenario != Some("call") {
        runtime::gomaxprocs(1);
    }
    // The first goroutine starts sysmon, and with it the handler.
    go(|| OTHER.store(0, Relaxed));
    runtime::gosched();
    match scenario {
        Some("refused") => refused(),
        Some("tail") => tail(),
        Some("again") => again(),
        Some("stale_mark") => stale_mark(),
        Some("entry") => entry(),
        Some("tiles") => tiles(),
        Some("call") => call(),
        Some("world") => world(),
        Some("sixty_first") => sixty_first(),
        other => panic!("no scenario {other:?}"),
    }
    println!("{} holds", scenario.unwrap_or_default());
}

fn gave_way() -> u64 {
    let mut sum = 0;
    SCHED.for_each_p(|p| sum += p.counters.gave_way.get());
    sum
}

fn injected() -> u64 {
    let mut sum = 0;
    SCHED.for_each_p(|p| sum += p.counters.injected.get());
    sum
}

fn refusals() -> u64 {
    preempt::SIGNALS.refused.load(Relaxed)
}

fn ticks() -> u64 {
    // SAFETY: every x86-64 CPU has it.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Waits for `what`, without a call of the runtime: `Instant::now` is one.
fn spin_until(what: impl Fn() -> bool) -> bool {
    let start = ticks();
    while !what() {
        if ticks() - start > PATIENCE_TICKS {
            return false;
        }
        core::hint::spin_loop();
    }
    true
}

/// Asks the running goroutine to give way while it holds a runtime lock: refused. It has spent its 10 ms, so it will go on behind everybody.
fn ask_oneself() {
    let (refused, p) = (refusals(), SCHED.p(0));
    let locked = SCHED.locked.lock();
    p.slice_used_ns.store(10_000_000, Relaxed);
    let target = preempt::ask(&locked, p).expect("this thread can be asked");
    preempt::send(target);
    assert!(spin_until(|| refusals() > refused), "the signal was not refused under a lock");
}

/// A request that comes while a runtime lock is held is refused; as the lock is let go the goroutine gives way, and not 2 ms later.
fn refused() {
    go(|| OTHER.fetch_add(1, Relaxed));
    let before = gave_way();
    ask_oneself();
    assert_eq!(gave_way(), before + 1, "the mark was not seen as the lock was let go");
    assert_eq!(OTHER.load(Relaxed), 1, "the other goroutine did not run");
}

/// A request that comes as a goroutine goes on after it has given way, its counter still raised: it gives way once more, at once.
fn tail() {
    static BEFORE: AtomicU64 = AtomicU64::new(0);
    go(|| {
        while !STOP.load(Relaxed) {
            OTHER.fetch_add(1, Relaxed);
            runtime::gosched();
        }
    });
    hooks::set_going_on(Some(|| {
        hooks::set_going_on(None);
        BEFORE.store(OTHER.load(Relaxed), Relaxed);
        ask_oneself();
    }));
    ask_oneself();
    let (before, after) = (BEFORE.load(Relaxed), OTHER.load(Relaxed));
    assert!(before > 0, "the goroutine has not given way");
    assert!(after > before, "a request that came as it went on was not heeded");
    STOP.store(true, Relaxed);
}

/// A request that is refused where nobody looks at the mark is sent again.
fn again() {
    const SSE: u64 = 1 << 1; // always in use
    go(|| OTHER.fetch_add(1, Relaxed));
    let (before, sent) = (refusals(), preempt::SIGNALS.sent.load(Relaxed));
    injection::set_tiles(SSE);
    assert!(spin_until(|| refusals() > before), "sysmon never asked");
    injection::set_tiles(0);
    // From here on no call of the runtime is made, so nobody sees the mark.
    assert!(spin_until(|| OTHER.load(Relaxed) != 0), "the request was lost");
    assert!(preempt::SIGNALS.sent.load(Relaxed) > sent + 1);
}

/// A mark of its last run is void as a goroutine goes on.
fn stale_mark() {
    let (c, done) = (chan::make::<()>(0), chan::make::<u64>(1));
    let (receiver, sender) = (c.clone(), done.sender());
    go(move || {
        receiver.recv();
        sender.send(gave_way());
    });
    runtime::gosched(); // it waits now
    let before = gave_way();
    c.send(());
    let next = SCHED.p(0).runnext.0.load(Relaxed);
    assert!(!next.is_null(), "the receiver is not the next to run");
    // SAFETY: it is runnable and suspended, and there is one P, which is ours: nobody else looks at it. One raise is open, and now a request is marked.
    unsafe { (*next).header.nopreempt.set(1) };
    assert_eq!(done.recv(), Some(before), "it gave way to a request for a slice that is over");
}

/// A debugger marks the new goroutine before its first instruction (`tests/preemption.rs`): it gives way as it begins.
fn entry() {
    let before = gave_way();
    let done = chan::make::<u64>(1);
    let sender = done.sender();
    go_marked(move || sender.send(gave_way()));
    let seen = done.recv().expect("open");
    println!("gave way {} times before its first instruction", seen - before);
}

/// Where the debugger stops first.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn requests_before_entry() {
    core::hint::black_box(());
}

fn go_marked(f: impl FnOnce() + Send + 'static) {
    requests_before_entry();
    go(f);
}

/// A goroutine with live tiles (AVX stands for them) is not injected; it gives way at its next call of the runtime.
fn tiles() {
    use core::arch::x86_64::{_mm256_set1_epi64x, _mm256_storeu_si256, _mm256_xor_si256};
    #[target_feature(enable = "avx2")]
    fn with_avx(until: impl Fn() -> bool) -> bool {
        // The upper halves stay in use: values live over the loop.
        let (mut value, one, start) = (_mm256_set1_epi64x(5), _mm256_set1_epi64x(1), ticks());
        let mut out = [0u64; 4];
        while !until() {
            for _ in 0..1000 {
                value = core::hint::black_box(_mm256_xor_si256(value, one));
            }
            if ticks() - start > PATIENCE_TICKS {
                return false;
            }
        }
        // SAFETY: `out` has room for the 32 bytes.
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), value) };
        core::hint::black_box(out);
        true
    }
    injection::set_tiles(1 << 2);
    go(|| {
        while !STOP.load(Relaxed) {
            OTHER.fetch_add(1, Relaxed);
            sleep(MS);
        }
    });
    sleep(5 * MS);
    assert!(OTHER.load(Relaxed) > 0, "the sleeper sleeps");
    let (refused, calls_in) = (refusals(), injected());
    let before = OTHER.load(Relaxed);
    // SAFETY: the test starts this on a CPU with AVX2.
    assert!(unsafe { with_avx(|| refusals() >= refused + 3) }, "asked {} times only", refusals() - refused);
    assert_eq!((injected(), OTHER.load(Relaxed)), (calls_in, before), "injected although tiles were in use");
    // The next call: no more than a lock taken and let go.
    let given = gave_way();
    drop(SCHED.locked.lock());
    assert_eq!(gave_way(), given + 1, "it did not give way at its next call");
    // And without tiles it is injected again.
    injection::set_tiles(3 << 17);
    assert!(spin_until(|| injected() > calls_in), "not injected any more");
    assert!(spin_until(|| OTHER.load(Relaxed) > before), "the sleeper did not run");
    STOP.store(true, Relaxed);
}

/// A signal of ours that lands in a system call: the call is made again.
fn call() {
    static TID: AtomicU64 = AtomicU64::new(0);
    let done = chan::make::<u64>(1);
    let sender = done.sender();
    go(move || {
        let (time, start) = ([0usize, 300_000_000], Instant::now());
        TID.store(u64::from(syscall::gettid()), SeqCst);
        // SAFETY: nanosleep reads the two words.
        unsafe { syscall::raw(NANOSLEEP, &[time.as_ptr() as usize, 0]) }.expect("a signal of ours has ended it");
        sender.send(start.elapsed().as_millis() as u64);
    });
    while TID.load(SeqCst) == 0 {
        sleep(MS);
    }
    sleep(20 * MS);
    // SAFETY: the calls touch no memory.
    unsafe {
        let pid = syscall::raw(GETPID, &[]).expect("never fails");
        for _ in 0..5 {
            syscall::raw(TGKILL, &[pid, TID.load(SeqCst) as usize, SIGURG]).expect("the thread is there");
            sleep(20 * MS);
        }
    }
    let wall = done.recv().expect("open");
    // Each time it began anew: the last signal came after some 100 ms.
    assert!(wall >= 380, "{wall} ms: no signal has hit the call");
}

/// Who stops the world and then computes is watched by sysmon as before, also if that looked just as the world stood still.
fn world() {
    go(|| {
        while !STOP.load(Relaxed) {
            OTHER.fetch_add(1, Relaxed);
            runtime::gosched();
        }
    });
    hooks::storm_preemptions(5_000);
    for round in 0..100 {
        for _ in 0..100 {
            runtime::gomaxprocs(2);
            runtime::gomaxprocs(1);
        }
        let (before, passes, signals) = (OTHER.load(Relaxed), gort::__private::sysmon::passes(), &preempt::SIGNALS);
        if !spin_until(|| OTHER.load(Relaxed) != before) {
            let passes = gort::__private::sysmon::passes() - passes;
            let p = SCHED.p(0);
            panic!(
                "round {round}: the other goroutine never ran again; passes {passes} sent {} stale {} refused {} foreign {} request {} runnable {} global {} idle {:x} status {}",
                signals.sent.load(Relaxed),
                signals.stale.load(Relaxed),
                signals.refused.load(Relaxed),
                signals.foreign.load(Relaxed),
                p.request.load(Relaxed),
                p.runnable(),
                SCHED.global_len.load(Relaxed),
                SCHED.idle.0.load(Relaxed),
                p.status.load(Relaxed)
            );
        }
    }
    hooks::storm_preemptions(0);
    STOP.store(true, Relaxed);
}

/// Two goroutines that make no calls, on a P whose tick stands on a multiple of 61, when the global queue comes first.
fn sixty_first() {
    go(|| {
        while !STOP.load(Relaxed) {
            OTHER.store(OTHER.load(Relaxed) + 1, Relaxed);
        }
    });
    SCHED.p(0).tick.store(61, Relaxed);
    assert!(spin_until(|| OTHER.load(Relaxed) != 0), "the other goroutine never ran");
    STOP.store(true, Relaxed);
}
