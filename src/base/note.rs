//! A note: one M sleeps until another wakes it, once.
//!
//! 1. One sleeper at most, one wake-up at most, then `clear` before the next use. A second wake-up is fatal (R11).
//! 2. A wake-up before, during or after `sleep` counts; none is lost.
//! 3. It blocks the M, not the G: call it on g0, or with preemption disabled and no P held.
//!
//! | word       | meaning                       | changed by                                   |
//! |------------|-------------------------------|----------------------------------------------|
//! | `CLEAR`    | nobody has woken it           | `wake` to `WOKEN`, `sleep` to `SLEEPING`     |
//! | `SLEEPING` | the sleeper is in the kernel  | `wake` to `WOKEN`, and a futex wake; the end of a timed sleep to `CLEAR` |
//! | `WOKEN`    | the wake-up is waiting        | `clear` to `CLEAR`                           |
//!
//! Rejected: a counting semaphore (hides a double wake-up, which is always a bug here); an eventfd (one descriptor an M); two states
//! (the waker would make a system call for a sleeper that is not asleep yet).

use super::atomic::{AtomicU32, Ordering};
#[cfg(loom)]
use super::model::futex;
use super::throw;
use crate::sys::Errno;
use crate::sys::clock::monotonic_ns;
#[cfg(not(loom))]
use crate::sys::futex;

const CLEAR: u32 = 0;
const SLEEPING: u32 = 1;
const WOKEN: u32 = 2;

/// See the head of this file.
pub struct Note {
    word: AtomicU32,
}

impl Note {
    /// A note that nobody has woken.
    #[cfg(not(loom))]
    pub const fn new() -> Note {
        Note { word: AtomicU32::new(CLEAR) }
    }

    /// A note that nobody has woken.
    #[cfg(loom)]
    pub fn new() -> Note {
        Note { word: AtomicU32::new(CLEAR) }
    }

    /// Blocks this M until `wake`.
    #[inline(never)]
    pub fn sleep(&self) {
        if self.word.compare_exchange(CLEAR, SLEEPING, Ordering::Acquire, Ordering::Acquire).is_err() {
            return; // woken already
        }
        while self.word.load(Ordering::Acquire) != WOKEN {
            // A signal, a spurious return or a changed word: the loop looks again.
            look_again(futex::wait(&self.word, SLEEPING, None));
        }
    }

    /// Blocks this M until `wake`, or until `deadline_ns` of the monotonic clock. False: the time came, and the note is as it was.
    pub fn sleep_until(&self, deadline_ns: u64) -> bool {
        if self.word.compare_exchange(CLEAR, SLEEPING, Ordering::Acquire, Ordering::Acquire).is_err() {
            return true;
        }
        while self.word.load(Ordering::Acquire) != WOKEN {
            let result = futex::wait_until(&self.word, SLEEPING, deadline_ns);
            // Who is interrupted all the time looks at the clock.
            if result == Err(Errno::TIMEDOUT) || look_again(result) && monotonic_ns() >= deadline_ns {
                return self.word.compare_exchange(SLEEPING, CLEAR, Ordering::Acquire, Ordering::Acquire).is_err();
            }
        }
        true
    }

    /// Wakes the sleeper, or lets its next `sleep` return at once.
    pub fn wake(&self) {
        match self.word.swap(WOKEN, Ordering::AcqRel) {
            CLEAR => {}
            SLEEPING => self.rouse(),
            word => woken_twice(word),
        }
    }

    #[inline(never)]
    fn rouse(&self) {
        if let Err(error) = futex::wake(&self.word, 1) {
            refused("wake", error);
        }
    }

    /// Has it been woken and not yet cleared?
    pub fn is_woken(&self) -> bool {
        self.word.load(Ordering::Acquire) == WOKEN
    }

    /// Makes it ready for the next use. Only the sleeper calls this, after it woke.
    pub fn clear(&self) {
        self.word.store(CLEAR, Ordering::Relaxed);
    }
}

/// The loop may look again after a wake-up, a signal, a change of the word: was it one of the latter two? Any other answer (a sandbox's) would come for ever.
#[inline]
fn look_again(result: Result<(), Errno>) -> bool {
    match result {
        Ok(()) => false,
        Err(Errno::INTR | Errno::AGAIN) => true,
        Err(error) => refused("sleep", error),
    }
}

#[cold]
#[inline(never)]
fn woken_twice(word: u32) -> ! {
    throw!("note: woken twice (word {word})")
}

/// A sandbox has no futex. The sleeper would sleep for ever, or burn its CPU and forget the time.
#[cold]
#[inline(never)]
fn refused(what: &str, error: Errno) -> ! {
    throw!("note: cannot {what}: {error}")
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_wake_up_before_the_sleep_counts() {
        let note = Note::new();
        note.wake();
        note.sleep();
        assert!(note.is_woken());
    }

    #[test]
    fn a_sleeper_is_woken_many_times_in_turn() {
        static NOTES: [Note; 2] = [Note::new(), Note::new()];
        let other = std::thread::spawn(|| {
            for _ in 0..10_000 {
                NOTES[0].sleep();
                NOTES[0].clear();
                NOTES[1].wake();
            }
        });
        for _ in 0..10_000 {
            NOTES[0].wake();
            NOTES[1].sleep();
            NOTES[1].clear();
        }
        other.join().unwrap();
    }

    #[test]
    #[should_panic = "woken twice"]
    fn a_second_wake_up_is_fatal() {
        let note = Note::new();
        note.wake();
        note.wake();
    }
}
