//! The word that says who is idle and who looks for work: idle Ps, spinning Ms, and the request to stop the world (R8).
//!
//! 1. One atomic step moves an M from spinning to idle (`go_idle`), with a full fence: whoever looks at the queues after it sees what was pushed
//!    by those who still saw the M spin.
//! 2. Who wakes an M counts it as spinning before it exists (`count_spinner`): one at a time, and only while a P is idle.
//! 3. Who finds work as the last spinner (`stop_spinning`) wakes the next.
//! 4. Zero, as a rule (never with `HIDE_NOTHING`): one load tells a P that nobody wants anything of it.
//!
//! | bits     | meaning                     |
//! |----------|-----------------------------|
//! | 0 to 31  | idle Ps                     |
//! | 32 to 61 | spinning Ms                 |
//! | 62       | `HIDE_NOTHING`: no signal preempts, so who computes could never be asked to show what it has queued; nobody hides anything |
//! | 63       | `STOPPING`: the world is to stop, or has |
//!
//! Rejected: a word each (between the two steps a pusher sees a spinner that will look no more, or none and no idle P).

use super::atomic::{AtomicU64, Ordering, fence_of_rmw};
use core::ops::Deref;

/// One idle P.
pub const IDLE_P: u64 = 1;
/// One spinning M.
pub const SPINNING_M: u64 = 1 << 32;
/// What a P hides it might hide for ever: it shows everything at once. Set once, never cleared.
pub const HIDE_NOTHING: u64 = 1 << 62;
/// The world is being stopped, or is.
pub const STOPPING: u64 = 1 << 63;

/// Idle Ps of a value of the word.
#[inline(always)]
pub const fn idle_ps(word: u64) -> u32 {
    word as u32
}

/// Spinning Ms of a value of the word.
#[inline(always)]
pub const fn spinning_ms(word: u64) -> u32 {
    (word << 2 >> 34) as u32
}

/// Is there an idle P, and nobody who looks for work?
#[inline(always)]
pub const fn is_wanting(word: u64) -> bool {
    idle_ps(word) != 0 && spinning_ms(word) == 0 && word & STOPPING == 0
}

/// See the head of this file. What is no step of the protocol is used as an atomic.
pub struct IdleWord(AtomicU64);

impl IdleWord {
    /// Nobody is idle, nobody spins.
    #[cfg(not(loom))]
    #[allow(clippy::new_without_default)]
    pub const fn new() -> IdleWord {
        IdleWord(AtomicU64::new(0))
    }

    /// Nobody is idle, nobody spins.
    #[cfg(loom)]
    pub fn new() -> IdleWord {
        IdleWord(AtomicU64::new(0))
    }

    /// After a push: should one more M look for work?
    #[inline(always)]
    pub fn wants_one_more(&self) -> bool {
        is_wanting(self.0.load(Ordering::Acquire))
    }

    /// Counts the one who will look. False: somebody does already, or no P is idle.
    #[inline(always)]
    pub fn count_spinner(&self) -> bool {
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| is_wanting(word).then_some(word + SPINNING_M)).is_ok()
    }

    /// A P becomes idle, and the M that held it spins no more, if it did. The fence orders the look that follows.
    #[inline(always)]
    pub fn go_idle(&self, was_spinning: bool) {
        let change = if was_spinning { IDLE_P.wrapping_sub(SPINNING_M) } else { IDLE_P };
        self.0.fetch_add(change, Ordering::SeqCst);
        fence_of_rmw();
    }

    /// An M has found work, and spins no more. True: it was the last.
    #[inline(always)]
    pub fn stop_spinning(&self) -> bool {
        spinning_ms(self.0.fetch_sub(SPINNING_M, Ordering::AcqRel)) == 1
    }
}

impl Deref for IdleWord {
    type Target = AtomicU64;
    #[inline(always)]
    fn deref(&self) -> &AtomicU64 {
        &self.0
    }
}
