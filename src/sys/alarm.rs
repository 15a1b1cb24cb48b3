//! An alarm clock for one thread that waits: others may set it, and never wake the thread to do so.
//!
//! 1. A timerfd of the monotonic clock, absolute. `wait` returns when it has gone off, or for no reason: the caller looks at its clock.
//! 2. Where the kernel or a sandbox has no timerfd, or somebody closed the descriptor, a futex does the same; then `set` wakes the waiter.
//! 3. `set` replaces what was set before; from several threads at once any of the calls may be the last.
//! 4. A waiter that sleeps in a read as the timerfd goes out of use (closed by a program that closes all it does not know, or refused by a sandbox) may
//!    sleep for ever: nobody else can end its read. `set` says so once, and whoever called it sees to another waiter; the old one is told if it ever returns.
//!
//! | `reader`  | the waiter                     | left by                                                  |
//! |-----------|--------------------------------|----------------------------------------------------------|
//! | `LOOKING` | in no read                     | `wait` to `READING`                                      |
//! | `READING` | in a read                      | `wait` to `LOOKING`; `set`, without a timerfd, to `LOST` |
//! | `LOST`    | in a read that may never end   | nobody: there is no timerfd any more                     |
//!
//! Rejected: a futex alone (each earlier alarm wakes the thread to tell it a time); a POSIX timer (a signal, which nobody else sees if the kernel
//! has descheduled its thread).

use super::{Errno, futex};
use core::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release, Ordering::SeqCst};
use rustix::fd::{BorrowedFd, IntoRawFd};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};

/// Not set.
pub const NEVER: u64 = u64::MAX;
/// There is no timerfd.
const NONE: i32 = -1;

const LOOKING: u32 = 0;
const READING: u32 = 1;
const LOST: u32 = 2;

/// See the head of this file.
pub struct Alarm {
    fd: AtomicI32,
    /// Without a timerfd: when, and a word that changes with it.
    at: AtomicU64,
    changes: AtomicU32,
    reader: AtomicU32,
}

impl Alarm {
    /// One that has no timerfd yet.
    pub const fn new() -> Alarm {
        Alarm { fd: AtomicI32::new(NONE), at: AtomicU64::new(NEVER), changes: AtomicU32::new(0), reader: AtomicU32::new(LOOKING) }
    }

    /// Opens the timerfd. Without one the alarm works all the same.
    pub fn open(&self) {
        if let Ok(fd) = rustix::time::timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC) {
            self.fd.store(fd.into_raw_fd(), Release);
        }
    }

    /// Has it a timerfd?
    #[cfg(test)]
    pub fn has_timerfd(&self) -> bool {
        self.fd.load(Relaxed) != NONE
    }

    /// Goes off at `at_ns` of the monotonic clock, and not at what was set before. True: the waiter may sleep for ever (invariant 4).
    #[must_use]
    pub fn set(&self, at_ns: u64) -> bool {
        let fd = self.fd.load(Acquire);
        if fd != NONE {
            let value = Timespec { tv_sec: (at_ns / 1_000_000_000) as i64, tv_nsec: (at_ns % 1_000_000_000).max(1) as i64 };
            let timer = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
            // SAFETY: a descriptor that somebody closed makes the call fail.
            if rustix::time::timerfd_settime(unsafe { BorrowedFd::borrow_raw(fd) }, TimerfdTimerFlags::ABSTIME, &timer).is_ok() {
                return false;
            }
            self.fd.store(NONE, SeqCst);
        }
        self.at.store(at_ns, Relaxed);
        self.changes.fetch_add(1, Release);
        let _ = futex::wake(&self.changes, 1);
        self.reader.compare_exchange(READING, LOST, SeqCst, Relaxed).is_ok()
    }

    /// Blocks until the alarm goes off; perhaps less long. False: another thread waits in this one's place by now.
    pub fn wait(&self) -> bool {
        if self.fd.load(Acquire) != NONE {
            self.reader.store(READING, SeqCst);
            // Who takes it away now sees us reading; or we see that it has gone.
            let fd = self.fd.load(SeqCst);
            if fd != NONE {
                let mut expirations = [0; 8];
                // SAFETY: as in `set`.
                match rustix::io::read(unsafe { BorrowedFd::borrow_raw(fd) }, &mut expirations) {
                    Ok(8) | Err(Errno::INTR) => {}
                    // Closed, or somebody else's by now.
                    _ => self.fd.store(NONE, Relaxed),
                }
            }
            if self.reader.compare_exchange(READING, LOOKING, SeqCst, Relaxed).is_err() {
                return false;
            }
            if fd != NONE {
                return true;
            }
        }
        let changes = self.changes.load(Acquire);
        match self.at.load(Relaxed) {
            NEVER => drop(futex::wait(&self.changes, changes, None)),
            at => {
                if futex::wait_until(&self.changes, changes, at) == Err(Errno::TIMEDOUT) {
                    let _ = self.at.compare_exchange(at, NEVER, Relaxed, Relaxed);
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock::monotonic_ns;
    use std::os::fd::IntoRawFd as _;
    use std::sync::Arc;

    fn goes_off_when_set_by_another_thread(alarm: Arc<Alarm>) {
        for far in [NEVER / 4, 1_000_000] {
            let (at, setter) = (monotonic_ns() + 20_000_000, alarm.clone());
            assert!(!alarm.set(monotonic_ns() + far));
            assert!(!std::thread::spawn(move || setter.set(at)).join().unwrap());
            while monotonic_ns() < at {
                assert!(alarm.wait());
            }
        }
    }

    #[test]
    fn it_goes_off_by_timerfd() {
        let alarm = Arc::new(Alarm::new());
        alarm.open();
        assert!(alarm.has_timerfd());
        goes_off_when_set_by_another_thread(alarm);
    }

    #[test]
    fn it_goes_off_by_futex_too() {
        goes_off_when_set_by_another_thread(Arc::new(Alarm::new()));
    }

    #[test]
    fn it_goes_on_by_futex_when_the_descriptor_is_no_timerfd_any_more() {
        let alarm = Arc::new(Alarm::new());
        // What a program gets that closed our descriptor and opened another file.
        alarm.fd.store(std::fs::File::open("/dev/null").unwrap().into_raw_fd(), Relaxed);
        assert!(alarm.wait());
        assert!(!alarm.has_timerfd());
        goes_off_when_set_by_another_thread(alarm);
    }

    #[test]
    fn a_waiter_whose_read_nobody_can_end_is_replaced_and_told_if_it_returns() {
        let alarm = Arc::new(Alarm::new());
        alarm.open();
        let timerfd = alarm.fd.load(Relaxed);
        let old = std::thread::spawn({
            let alarm = alarm.clone();
            move || alarm.wait()
        });
        while alarm.reader.load(SeqCst) != READING {
            std::thread::yield_now();
        }
        // What a sandbox says, or a closed descriptor: this one takes no time. The file of the read stays.
        alarm.fd.store(std::fs::File::open("/dev/null").unwrap().into_raw_fd(), SeqCst);
        assert!(alarm.set(monotonic_ns() + 1_000_000), "nobody waits for it");
        goes_off_when_set_by_another_thread(alarm.clone());
        // It goes off after all.
        let timer = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: Timespec { tv_sec: 0, tv_nsec: 1 } };
        // SAFETY: it is open.
        rustix::time::timerfd_settime(unsafe { BorrowedFd::borrow_raw(timerfd) }, TimerfdTimerFlags::empty(), &timer).unwrap();
        assert!(!old.join().unwrap());
    }
}
