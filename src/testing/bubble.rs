//! Bubbles: tests whose time is virtual.

use crate::arch::here::here;
use crate::gmp::require_runtime;
use crate::observe::crash;
use crate::sched::bubble::{self, Ending, Refused};
use crate::sched::{exit, group};
use crate::time::Duration;
use alloc::string::String;
use alloc::vec;

/// Traces of the goroutines of a deadlocked bubble are cut off behind so much.
const TRACES_BYTES: usize = 64 << 10;

/// Calls `f` in a bubble: a goroutine with a clock of its own, and so are those that it starts, and those that they start. Returns when all of them have ended.
///
/// Within a bubble `time` goes by that clock: [`Instant::now`](crate::time::Instant::now), [`SystemTime::now`](crate::time::SystemTime::now), `sleep`, timers, tickers,
/// timeouts. It begins at midnight UTC 2000-01-01, and stands still while a goroutine of the bubble can run. When all of them are *durably blocked* it jumps to
/// the next time that somebody waits for: so a test of hours takes no time, and what happens in it happens at exact times. An `Instant` of a bubble means nothing outside, and the
/// other way round. What is due at the same time comes in an order by chance.
///
/// Durably blocked is a goroutine that only others of its bubble can wake, or its clock:
///
/// - that sends or receives on a channel made in the bubble, or selects among such channels only, or waits on nil ones;
/// - that sleeps;
/// - in `WaitGroup::wait`, if `add` or `go` was called in the bubble;
/// - at the end of a scope, in `join` of a goroutine started in the bubble, in [`wait`].
///
/// All else is not: locks, system calls, channels and wait groups from outside. While a goroutine waits so, time stands still.
///
/// When all are durably blocked: [`wait`] returns, if somebody has called it; else time goes on, if `f` has not returned and somebody waits for a time; else the bubble is deadlocked. That is a panic of the
/// caller: `deadlock: all goroutines in bubble are blocked`, or, behind the return of `f`, `deadlock: main bubble goroutine has exited but blocked goroutines remain`; what
/// those goroutines are doing is printed before. Timers that `f` leaves behind never fire.
///
/// Channels, timers and tickers made in a bubble are its own: whoever uses them elsewhere panics, as with `receive on synctest channel from outside bubble`. A wait group is the bubble's from the
/// first `add` or `go` in there until it is at zero; meanwhile `add`, `go` and `done` elsewhere panic, as does `add` in a bubble to one that counts outside.
/// Finalizers run outside of all bubbles.
///
/// `f` may borrow. If it ends by `goexit`, or, in a test, by a panic, a test ends here too, as by `goexit`; another program goes on.
///
/// Panics: at a deadlock, see above; in a bubble: `synctest.Run called from within a synctest bubble`.
///
/// ```no_run
/// # fn main() {
/// use gort::testing;
/// use gort::time::{self, Duration, Instant};
/// testing::bubble(|| {
///     let start = Instant::now();
///     let timeout = time::after(Duration::from_secs(3600));
///     timeout.recv();
///     assert_eq!(start.elapsed(), Duration::from_secs(3600));
/// });
/// # }
/// ```
///
/// Source: Go package testing/synctest, Test. Where Go's dies of a fatal error for misuse, this panics: one test fails, and others go on.
#[inline(always)]
#[track_caller]
pub fn bubble(f: impl FnOnce() + Send) {
    bubble_at(here(), f);
}

#[track_caller]
fn bubble_at(made_at: usize, f: impl FnOnce() + Send) {
    require_runtime();
    match bubble::run(made_at, f) {
        Ending::Nested => panic!("synctest.Run called from within a synctest bubble"),
        Ending::Done { finished: true } => {}
        // As Go's `FailNow` behind the bubble: what the function has failed at is written down.
        Ending::Done { finished: false } | Ending::Deadlock { finished: false, main_has_ended: true, .. } if group::trial().is_some() => exit::goexit(),
        Ending::Done { finished: false } => {}
        Ending::Deadlock { main_has_ended, bubble, .. } => {
            let mut traces = vec![0; TRACES_BYTES];
            let used = crash::write_bubble(&mut traces, bubble);
            crate::eprintln!(
                "the goroutines that are left in synctest bubble {bubble}:{}{}",
                if used == 0 { "" } else { "\n" },
                String::from_utf8_lossy(&traces[..used])
            );
            drop(traces);
            match main_has_ended {
                true => panic!("deadlock: main bubble goroutine has exited but blocked goroutines remain"),
                false => panic!("deadlock: all goroutines in bubble are blocked"),
            }
        }
    }
}

/// Waits until all other goroutines of the bubble are durably blocked: see [`bubble`].
///
/// Panics outside of a bubble (`goroutine is not in a bubble`), and if another goroutine of the bubble does so already (`wait already in progress`).
///
/// Source: Go package testing/synctest, Wait.
#[track_caller]
pub fn wait() {
    require_runtime();
    match bubble::wait() {
        Ok(()) => {}
        Err(Refused::Outside) => panic!("goroutine is not in a bubble"),
        Err(Refused::Twice) => panic!("wait already in progress"),
    }
}

/// Sleeps for `duration`, then waits until all others of the bubble are durably blocked: so what they do at the end of the same time is done.
///
/// Panics as [`wait`] does.
///
/// Source: Go package testing/synctest, Sleep.
#[track_caller]
pub fn sleep(duration: Duration) {
    crate::time::sleep(duration);
    wait();
}
