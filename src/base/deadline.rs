//! The time that an alarm is set to, as a word: whoever wants it earlier moves it, and the one who waits for it is never woken to be told (R7).
//!
//! 1. The waiter sets the word to `NEVER` first (`gone_off`), and looks at what others have published after. They publish first (`publish`), and
//!    read the word after. Both have a full fence between: the waiter sees what was published, or the publisher sees that it must set the alarm.
//! 2. Moving the word and setting the alarm are two steps. Whoever has set the alarm reads the word again: somebody with an earlier time may have
//!    set it just before. So the alarm goes off at the word's time or before, once all who move it are done.
//!
//! Rejected: a lock around the two steps (every P that begins a slice would take it, or wait behind a thread that is not running).

use super::atomic::{AtomicU32, AtomicU64, Ordering, fence_of_rmw};
use crate::sys::alarm::NEVER;

/// See the head of this file.
pub struct Deadline {
    word: AtomicU64,
}

impl Deadline {
    /// Not set.
    #[cfg(not(loom))]
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Deadline {
        Deadline { word: AtomicU64::new(NEVER) }
    }

    /// Not set.
    #[cfg(loom)]
    pub fn new() -> Deadline {
        Deadline { word: AtomicU64::new(NEVER) }
    }

    /// Must whoever wants a look at `at_ns` bring it forward? What it wants looked at has been published.
    #[inline(always)]
    pub fn is_after(&self, at_ns: u64) -> bool {
        at_ns < self.word.load(Ordering::SeqCst)
    }

    /// Sees to it that the alarm, which `set` sets, goes off at `at_ns` or before.
    #[inline]
    pub fn bring_forward(&self, at_ns: u64, set: impl Fn(u64)) {
        if self.word.fetch_min(at_ns, Ordering::SeqCst) <= at_ns {
            return;
        }
        let mut set_to = at_ns;
        loop {
            set(set_to);
            // Invariant 2.
            let deadline = self.word.load(Ordering::SeqCst);
            if deadline >= set_to {
                return;
            }
            set_to = deadline;
        }
    }

    /// The alarm, which `set` sets, has gone off: it is set to nothing now. Then looks at what has been published; `look` says when to look again.
    #[inline]
    pub fn gone_off(&self, look: impl FnOnce() -> u64, set: impl Fn(u64)) {
        self.word.swap(NEVER, Ordering::SeqCst);
        fence_of_rmw();
        let next = look();
        if self.is_after(next) {
            self.bring_forward(next, set);
        }
    }
}

/// What was stored before is published by a change of `count`; the look at the deadline comes after.
#[inline(always)]
pub fn publish(count: &AtomicU32) {
    count.fetch_add(1, Ordering::SeqCst);
    fence_of_rmw();
}
