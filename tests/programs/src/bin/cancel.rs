//! Cancelling system calls that block: `cancellable`.

#![no_std]
#![no_main]

extern crate alloc;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed, Ordering::SeqCst};
use gort::__private::{hooks, sysmon};
use gort::prelude::*;
use gort::runtime::num_goroutine;
use gort::sync::WaitGroup;
use gort::syscall::{Cancel, Canceled, blocking, cancellable, raw};
use gort::time::{Duration, Instant, sleep};
use gort::{debug, os};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::thread::futex;
use rustix::time::Timespec;

gort::main!(main);

const READ: u32 = 0;
const NANOSLEEP: u32 = 35;

fn main() {
    match os::args().nth(1) {
        Some("before") => before(),
        Some("running") => running(),
        Some("window") => window(argument(2)),
        Some("after") => after(),
        Some("many") => many(),
        Some("queued") => queued(),
        Some("dropped") => dropped(),
        Some("allocates") => allocates(),
        Some("instruction") => instruction(),
        Some("silent") => silent(),
        Some("storm") => storm(argument(2), argument(3), false),
        Some("capped_storm") => storm(argument(2), argument(3), true),
        other => panic!("no scenario {other:?}"),
    }
}

fn argument(n: usize) -> u32 {
    os::args().nth(n).and_then(|n| n.parse().ok()).expect("a number")
}

/// Something to block on, in one of several ways.
#[derive(Clone)]
struct Place {
    pipe: Arc<(OwnedFd, OwnedFd)>,
    word: Arc<AtomicU32>,
}

/// A call: its result, if it ended by itself.
type Outcome = Result<Result<(), Errno>, Canceled>;

const KINDS: u32 = 5;

impl Place {
    fn new() -> Place {
        Place { pipe: Arc::new(rustix::pipe::pipe().unwrap()), word: Arc::new(AtomicU32::new(0)) }
    }

    /// Blocks until `release`, or, if it sleeps, for `time`. `first` comes between the beginning and the system call.
    fn call(&self, kind: u32, cancel: &Cancel, time: Timespec, first: impl FnOnce()) -> Outcome {
        let mut byte = [0; 1];
        let words = [time.tv_sec as usize, time.tv_nsec as usize];
        match kind {
            0 => cancellable(cancel, || {
                first();
                rustix::io::read(&self.pipe.0, &mut byte).map(drop)
            }),
            1 => cancellable(cancel, || {
                first();
                rustix::thread::nanosleep(&time).into_result()
            }),
            2 => cancellable(cancel, || {
                first();
                match futex::wait(&self.word, futex::Flags::PRIVATE, 0, None) {
                    Err(Errno::AGAIN) => Ok(()),
                    other => other,
                }
            }),
            3 => cancellable(cancel, || {
                first();
                // SAFETY: it reads into the byte.
                unsafe { raw(READ, &[rustix::fd::AsRawFd::as_raw_fd(&self.pipe.0) as usize, byte.as_mut_ptr() as usize, 1]) }.map(drop)
            }),
            _ => cancellable(cancel, || {
                first();
                // SAFETY: it reads the two words.
                unsafe { raw(NANOSLEEP, &[words.as_ptr() as usize, 0]) }.map(drop)
            }),
        }
    }

    fn release(&self) {
        self.word.store(1, SeqCst);
        let _ = futex::wake(&self.word, futex::Flags::PRIVATE, 100);
        rustix::io::write(&self.pipe.1, &[1]).unwrap();
    }
}

trait IntoResult {
    fn into_result(self) -> Result<(), Errno>;
}

impl IntoResult for rustix::thread::NanosleepRelativeResult {
    fn into_result(self) -> Result<(), Errno> {
        match self {
            rustix::thread::NanosleepRelativeResult::Ok => Ok(()),
            rustix::thread::NanosleepRelativeResult::Interrupted(_) => Err(Errno::INTR),
            rustix::thread::NanosleepRelativeResult::Err(error) => Err(error),
        }
    }
}

const HOUR: Timespec = Timespec { tv_sec: 3600, tv_nsec: 0 };

/// A short sleep that a signal would end, and the runtime would not begin anew.
fn witness(ns: i64) -> bool {
    blocking(|| rustix::thread::nanosleep(&Timespec { tv_sec: 0, tv_nsec: ns })).into_result().is_ok()
}

fn before() {
    let cancel = Cancel::new();
    assert!(!cancel.is_canceled());
    cancel.cancel();
    cancel.cancel();
    assert!(cancel.is_canceled());
    assert_eq!(cancellable(&cancel, || panic!("the call was made")), Err::<(), _>(Canceled));
    println!("not made");
}

/// Each kind of call, blocked for long before somebody cancels it.
fn running() {
    for kind in 0..KINDS {
        let (cancel, place) = (Cancel::new(), Place::new());
        let call = gort::spawn({
            let (cancel, place) = (cancel.clone(), place.clone());
            move || place.call(kind, &cancel, HOUR, || {})
        });
        sleep(Duration::from_millis(20));
        cancel.cancel();
        assert_eq!(call.join().unwrap(), Ok(Err(Errno::INTR)), "kind {kind}");
    }
    println!("ended");
}

/// The signal lands while the goroutine is on its way to the system call, and would be lost if no other came.
fn window(rounds: u32) {
    for n in 0..rounds {
        let (cancel, place, there) = (Cancel::new(), Place::new(), Arc::new(AtomicBool::new(false)));
        let call = gort::spawn({
            let (cancel, place, there) = (cancel.clone(), place.clone(), there.clone());
            move || {
                place.call(n % KINDS, &cancel, HOUR, || {
                    there.store(true, SeqCst);
                    while !cancel.is_canceled() {
                        core::hint::spin_loop();
                    }
                    let until = Instant::now() + Duration::from_micros(u64::from(n % 7) * 30);
                    while Instant::now() < until {}
                })
            }
        });
        while !there.load(SeqCst) {
            sleep(Duration::from_micros(20));
        }
        cancel.cancel();
        assert_eq!(call.join().unwrap(), Ok(Err(Errno::INTR)), "round {n}");
    }
    println!("ended");
}

/// A cancel after the call has returned is nobody's business, and so are the calls of the same thread after one that was cancelled.
fn after() {
    let place = Place::new();
    for n in 0..300 {
        let cancel = Cancel::new();
        let (c, go_on) = (cancel.clone(), Arc::new(AtomicBool::new(n % 2 == 0)));
        let canceller = gort::spawn({
            let go_on = go_on.clone();
            move || {
                while !go_on.load(SeqCst) {
                    sleep(Duration::from_micros(10));
                }
                c.cancel();
            }
        });
        // Some come to their own end, some do not.
        let outcome = place.call(n % 2 * 3 + 1, &cancel, Timespec { tv_sec: 0, tv_nsec: 40_000 }, || {});
        assert!(n % 2 == 0 || outcome == Ok(Ok(())), "round {n}: {outcome:?}");
        go_on.store(true, SeqCst);
        for _ in 0..3 {
            assert!(witness(20_000), "round {n}: a signal has ended a later call");
        }
        canceller.join().unwrap();
        // With another one all is as new.
        assert_eq!(place.call(1, &Cancel::new(), Timespec { tv_sec: 0, tv_nsec: 1000 }, || {}), Ok(Ok(())));
    }
    println!("undisturbed");
}

/// Several cancel a hundred calls at once.
fn many() {
    let (cancel, place, wait) = (Cancel::new(), Place::new(), WaitGroup::new());
    static ENDED: AtomicU32 = AtomicU32::new(0);
    for n in 0..100 {
        let (cancel, place) = (cancel.clone(), place.clone());
        wait.go(move || {
            let outcome = place.call(n % KINDS, &cancel, HOUR, || {});
            assert!(matches!(outcome, Ok(Err(Errno::INTR)) | Err(Canceled)), "{outcome:?}");
            ENDED.fetch_add(u32::from(outcome.is_ok()), Relaxed);
        });
    }
    sleep(Duration::from_millis(200));
    (0..4).for_each(|_| {
        let cancel = cancel.clone();
        wait.go(move || cancel.cancel());
    });
    wait.wait();
    println!("ended {}", ENDED.load(Relaxed));
}

/// Under a cap of one: those that wait for their turn are turned away by their cancel while the call before them goes on; the others keep their order.
fn queued() {
    const AT_ONCE: u32 = 256; // as in `soft_cap`
    static TURNED_AWAY: AtomicU32 = AtomicU32::new(0);
    static MADE: AtomicU32 = AtomicU32::new(0);
    debug::set_thread_soft_cap(Some(1));
    let first = Place::new();
    let running = gort::spawn({
        let first = first.clone();
        move || blocking(|| rustix::io::read(&first.pipe.0, &mut [0u8; 1]).map(drop))
    });
    sleep(Duration::from_millis(50));
    let (one, other, wait) = (Cancel::new(), Cancel::new(), WaitGroup::new());
    let in_turn = |wait: &WaitGroup, n: u32| {
        wait.go(move || {
            blocking(|| ());
            assert_eq!(MADE.fetch_add(1, SeqCst), n, "out of turn");
        });
        sleep(Duration::from_millis(5));
    };
    in_turn(&wait, 0);
    for n in 0..2 * AT_ONCE + 10 {
        let cancel = if n % 50 == 49 { other.clone() } else { one.clone() };
        wait.go(move || {
            assert_eq!(cancellable(&cancel, || unreachable!("it was not its turn")), Err::<(), _>(Canceled));
            TURNED_AWAY.fetch_add(1, SeqCst);
        });
        if n == AT_ONCE {
            in_turn(&wait, 1);
        }
    }
    in_turn(&wait, 2);
    let mut left = 2 * AT_ONCE + 10;
    let of_other = left / 50;
    for (cancel, of_it) in [(one, left - of_other), (other, of_other)] {
        assert_eq!(TURNED_AWAY.load(SeqCst), 2 * AT_ONCE + 10 - left);
        cancel.cancel();
        left -= of_it;
        let start = Instant::now();
        while TURNED_AWAY.load(SeqCst) != 2 * AT_ONCE + 10 - left {
            assert!(start.elapsed().as_secs() < 20, "{} of {} were turned away", TURNED_AWAY.load(SeqCst), 2 * AT_ONCE + 10);
            sleep(Duration::from_millis(1));
        }
        // Cancelled before: it does not even wait.
        assert_eq!(cancellable(&cancel, || ()), Err(Canceled));
    }
    assert_eq!(MADE.load(SeqCst), 0, "somebody came in before the first was done");
    first.release();
    running.join().unwrap().unwrap();
    wait.wait();
    println!("turned away {}, made {}", TURNED_AWAY.load(SeqCst), MADE.load(SeqCst));
}

fn dropped() {
    let cancel = Cancel::new();
    let place = Place::new();
    let call = gort::spawn({
        let (cancel, place) = (cancel.clone(), place.clone());
        move || place.call(0, &cancel, HOUR, || {})
    });
    sleep(Duration::from_millis(20));
    drop(cancel);
    sleep(Duration::from_millis(20));
    place.release();
    assert_eq!(call.join().unwrap(), Ok(Ok(())));
    println!("went on");
}

/// What the runtime itself calls meanwhile is not cut: memory comes and goes.
fn allocates() {
    for _ in 0..4 {
        let (cancel, place) = (Cancel::new(), Place::new());
        let call = gort::spawn({
            let (cancel, place) = (cancel.clone(), place.clone());
            move || {
                place.call(0, &cancel, HOUR, || {
                    while !cancel.is_canceled() {}
                    for n in 0..50 {
                        // Large enough for a mapping of its own.
                        let bytes = alloc::vec![n as u8; (6 << 20) + n * 4096];
                        assert!(bytes[bytes.len() - 1] == n as u8);
                    }
                })
            }
        });
        sleep(Duration::from_millis(1));
        cancel.cancel();
        assert_eq!(call.join().unwrap(), Ok(Err(Errno::INTR)));
    }
    println!("ended");
}

/// The signal comes as the thread is at a `syscall` instruction: it is blocked until it is pending, and let in by a system call that is followed by
/// nothing but the next one. That one is not made, unless it is the runtime's own.
fn instruction() {
    const BLOCK: usize = 0;
    const RT_SIGPROCMASK: u32 = 14;
    const RT_SIGPENDING: u32 = 127;
    let sigurg = 1u64 << 22;
    for is_runtimes in [false, true] {
        let (cancel, there) = (Cancel::new(), Arc::new(AtomicBool::new(false)));
        let call = gort::spawn({
            let (cancel, there) = (cancel.clone(), there.clone());
            move || {
                cancellable(&cancel, || {
                    // SAFETY: the calls read and write the sets.
                    unsafe {
                        raw(RT_SIGPROCMASK, &[BLOCK, &raw const sigurg as usize, 0, 8]).unwrap();
                        there.store(true, SeqCst);
                        let mut pending = 0u64;
                        while pending & sigurg == 0 {
                            raw(RT_SIGPENDING, &[&raw mut pending as usize, 8]).unwrap();
                        }
                        // As the runtime would hold a lock.
                        let _held = is_runtimes.then(|| gort::__private::SCHED.locked.lock());
                        unblock_and_read(&sigurg)
                    }
                })
            }
        });
        while !there.load(SeqCst) {
            sleep(Duration::from_micros(100));
        }
        cancel.cancel();
        let result = call.join().unwrap().unwrap();
        assert_eq!(result == -4, !is_runtimes, "the runtime's own: {is_runtimes}, the result: {result}");
    }
    println!("not made");
}

/// `rt_sigprocmask(SIG_UNBLOCK, set, 0, 8)`, and at once, since its result is the number of `read`, `read(1, set, 0)`.
///
fn unblock_and_read(set: &u64) -> isize {
    let result: isize;
    // SAFETY: the kernel reads the set.
    unsafe {
        core::arch::asm!("syscall", "syscall", inlateout("rax") 14usize => result, in("rdi") 1, in("rsi") set, in("rdx") 0, in("r10") 8, lateout("rcx") _,
            lateout("r11") _, options(nostack));
    }
    result
}

/// Once the last cancelled call has ended, sysmon has nothing to do any more.
fn silent() {
    many();
    sleep(Duration::from_millis(500));
    let before = sysmon::passes();
    sleep(Duration::from_secs(2));
    println!("passes {}", sysmon::passes() - before);
}

/// Cancels race with beginnings and ends of calls, of each kind, and with the soft cap (`with_caps`); beside them others make calls that nobody cancels.
fn storm(rounds: u32, preemptions_ns: u32, with_caps: bool) {
    static LEFT: AtomicU32 = AtomicU32::new(0);
    static STOP: AtomicBool = AtomicBool::new(false);
    static COUNTS: [AtomicU32; 3] = [const { AtomicU32::new(0) }; 3];
    static DISTURBED: AtomicU32 = AtomicU32::new(0);
    static QUIET: AtomicU32 = AtomicU32::new(0);
    hooks::storm_preemptions(preemptions_ns.into());
    let (calls, others) = (WaitGroup::new(), WaitGroup::new());
    LEFT.store(rounds, Relaxed);
    if with_caps {
        others.go(|| {
            for n in (0..).take_while(|_| !STOP.load(Relaxed)) {
                debug::set_thread_soft_cap([Some(2), None, Some(5), Some(1), Some(7)][n % 5]);
                sleep(Duration::from_micros(300));
            }
            debug::set_thread_soft_cap(None);
        });
    }
    for n in 0..4 {
        others.go(move || {
            let words = [0usize, 30_000 + n * 10_000];
            while !STOP.load(Relaxed) {
                // SAFETY: it reads the two words.
                assert_eq!(unsafe { raw(NANOSLEEP, &[words.as_ptr() as usize, 0]) }, Ok(0), "a call that nobody has cancelled");
                if preemptions_ns == 0 {
                    assert!(witness(30_000), "a call that nobody has cancelled");
                }
                QUIET.fetch_add(1, Relaxed);
            }
        });
    }
    for worker in 0..8u32 {
        calls.go(move || {
            let mut x = worker + 1;
            while LEFT.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
                x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let (cancel, place) = (Cancel::new(), Place::new());
                let (after_us, ends, kind) = (u64::from(x >> 8) % 200, x >> 20 & 1 == 0, (x >> 24) % KINDS);
                let done = WaitGroup::new();
                done.go({
                    let cancel = cancel.clone();
                    move || {
                        sleep(Duration::from_micros(after_us));
                        cancel.cancel();
                    }
                });
                if ends {
                    let place = place.clone();
                    done.go(move || {
                        sleep(Duration::from_micros(after_us));
                        place.release();
                    });
                }
                let time = if ends { Timespec { tv_sec: 0, tv_nsec: after_us as i64 * 1000 } } else { HOUR };
                match place.call(kind, &cancel, time, || {}) {
                    Err(Canceled) => COUNTS[0].fetch_add(1, Relaxed),
                    Ok(Err(Errno::INTR)) => {
                        // A preemption signal that has slipped through ends no call that can be begun anew, but may end this kind.
                        assert!(cancel.is_canceled() || kind == 1 && preemptions_ns != 0, "kind {kind}: EINTR before the cancel");
                        COUNTS[1].fetch_add(1, Relaxed)
                    }
                    Ok(Ok(())) => {
                        assert!(ends, "kind {kind} has ended by itself");
                        COUNTS[2].fetch_add(1, Relaxed)
                    }
                    other => panic!("{other:?}"),
                };
                // The same thread, as a rule, at once.
                DISTURBED.fetch_add(u32::from(!witness(5_000)), Relaxed);
                done.wait();
            }
        });
    }
    calls.wait();
    STOP.store(true, Relaxed);
    others.wait();
    hooks::storm_preemptions(0);
    while num_goroutine() > 1 {
        sleep(Duration::from_millis(1));
    }
    let [not_made, cut, returned] = COUNTS.each_ref().map(|count| count.load(Relaxed));
    println!("not_made {not_made} cut {cut} returned {returned} disturbed {} quiet {}", DISTURBED.load(Relaxed), QUIET.load(Relaxed));
}
