//! The words by which wakers and a goroutine that waits for a future agree (`sched::waker`). They lie in the goroutine's descriptor.
//!
//! 1. Who wakes says so first (`NOTED`), and then looks whether the goroutine waits. The goroutine says first that it is about to wait, and then looks whether it was
//!    woken. Both have a full fence between: one of them sees the other, and no wake-up is lost.
//! 2. Who moves `waits` from `WAITING` to `AWAKE` owns the goroutine, and makes it ready once. Only the commit of the goroutine's park moves it there.
//! 3. A waker may come at any time: before the goroutine waits, after its future has ended, after the goroutine has. It may meet any value, that of another
//!    goroutine on the same stack or the zeros of a page that was given back; the worst of it is a wake-up in vain.
//! 4. A future may wait for another future by a `block_on` of its own. Each of these has a level, with bits of its own: a wake-up of one is not taken for that of
//!    another. There are `LEVELS`; what is deeper shares the last one, and who leaves that counts the one around it as woken.
//!
//! | `waits`   | the goroutine                    | left by                                                             |
//! |-----------|----------------------------------|---------------------------------------------------------------------|
//! | `AWAKE`   | runs, or is about to             | `begin_wait` to `LEAVING`                                           |
//! | `LEAVING` | is still on its stack            | the commit to `WAITING`; `begin_wait` to `AWAKE`, if it was woken   |
//! | `WAITING` | waits                            | `wake` to `AWAKE`                                                   |
//!
//! | `levels`   | meaning                                   | changed by                                                      |
//! |------------|-------------------------------------------|-----------------------------------------------------------------|
//! | bit n      | a `block_on` of level n is under way      | `open`, `close`                                                 |
//! | bit 8 + n  | `NOTED`: it was woken                     | `wake` sets it; `take` and `open` clear it                      |
//!
//! Rejected: a lock (a waker could hold that of a goroutine that is gone, while the page is given back); a counted allocation for each goroutine or each
//! call, as other executors have it: descriptors stay mapped for ever, so that nobody has to be counted.

use super::atomic::{self, AtomicU32, Ordering, fence_of_rmw};

const AWAKE: u32 = 0;
const LEAVING: u32 = 1;
/// What the commit of a park stores.
pub const WAITING: u32 = 2;

/// Levels that have bits of their own. A waker carries its level in the low bits of this word's address.
pub const LEVELS: u32 = 8;

const fn opened(level: u32) -> u32 {
    1 << level
}

const fn noted(level: u32) -> u32 {
    1 << (LEVELS + level)
}

/// See the head of this file. All zero bytes: no future is waited for. Aligned so that its address has room for a level.
#[repr(align(8))]
pub struct WakeWord {
    waits: AtomicU32,
    levels: AtomicU32,
}

static_assertions::const_assert!(align_of::<WakeWord>() >= LEVELS as usize);

/// A `block_on` that is under way: the goroutine's own.
#[derive(Clone, Copy)]
pub struct Level {
    /// Its number, below `LEVELS`.
    pub number: u32,
    is_shared: bool,
}

impl WakeWord {
    /// What a waker of `level` has: an address inside of this, which tells both.
    pub fn address(&self, level: Level) -> *const () {
        core::ptr::from_ref(self).cast::<()>().map_addr(|address| address | level.number as usize)
    }

    /// What `address` was made of.
    pub fn of_address(address: *const ()) -> (*const WakeWord, u32) {
        let level = address.addr() & (LEVELS as usize - 1);
        (address.map_addr(|address| address - level).cast(), level as u32)
    }

    /// No future is waited for.
    #[cfg(not(loom))]
    #[allow(clippy::new_without_default)]
    pub const fn new() -> WakeWord {
        WakeWord { waits: AtomicU32::new(AWAKE), levels: AtomicU32::new(0) }
    }

    /// No future is waited for.
    #[cfg(loom)]
    pub fn new() -> WakeWord {
        WakeWord { waits: AtomicU32::new(AWAKE), levels: AtomicU32::new(0) }
    }

    /// The goroutine: begins one more, inside of those that are under way.
    pub fn open(&self) -> Level {
        let number = self.levels.load(Ordering::Relaxed).trailing_ones();
        if number >= LEVELS {
            return Level { number: LEVELS - 1, is_shared: true };
        }
        // What an old waker has noted here means nothing.
        self.levels.fetch_and(!noted(number), Ordering::Relaxed);
        self.levels.fetch_or(opened(number), Ordering::Relaxed);
        Level { number, is_shared: false }
    }

    /// The goroutine: ends `level`, which is the innermost.
    pub fn close(&self, level: Level) {
        if level.is_shared {
            self.levels.fetch_or(noted(level.number), Ordering::Relaxed);
        } else {
            self.levels.fetch_and(!(opened(level.number) | noted(level.number)), Ordering::Relaxed);
        }
    }

    /// The goroutine: was it woken at `level` since it last asked? Then it sees all that its wakers did before.
    pub fn take(&self, level: Level) -> bool {
        self.levels.fetch_and(!noted(level.number), Ordering::Acquire) & noted(level.number) != 0
    }

    /// The goroutine: is about to park, by a commit that stores `WAITING` to the word that is returned. None: it was woken, and stays.
    pub fn begin_wait(&self, level: Level) -> Option<*mut u32> {
        self.waits.swap(LEAVING, Ordering::SeqCst);
        fence_of_rmw();
        if self.levels.load(Ordering::Relaxed) & noted(level.number) != 0 {
            self.waits.store(AWAKE, Ordering::Release);
            #[cfg(loom)]
            super::model::spin::stored(&self.waits);
            return None;
        }
        Some(atomic::word(&self.waits))
    }

    /// Anybody, preemption disabled: wakes `level`. True: the goroutine has left its stack, and is the caller's, who makes it ready.
    #[must_use]
    pub fn wake(&self, level: u32) -> bool {
        if self.levels.load(Ordering::Relaxed) & opened(level) == 0 {
            return false; // it is over; what may be a free page is not written
        }
        let before = self.levels.fetch_or(noted(level), Ordering::SeqCst);
        fence_of_rmw();
        if before & noted(level) != 0 {
            return false; // whoever has noted it before sees to it that the goroutine goes on
        }
        loop {
            match self.waits.compare_exchange(WAITING, AWAKE, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return true,
                Err(LEAVING) => self.spin(),
                Err(_) => return false,
            }
        }
    }

    /// Whoever leaves its stack holds no lock, and is done in a moment.
    #[cfg(loom)]
    fn spin(&self) {
        super::model::spin::wait(&self.waits);
    }

    /// As above.
    #[cfg(not(loom))]
    #[cold]
    fn spin(&self) {
        let mut spun = 0;
        while self.waits.load(Ordering::Relaxed) == LEAVING {
            crate::arch::cpu::pause();
            spun += 1;
            if spun % super::tune::LOCK_SPINS_BEFORE_YIELD == 0 {
                crate::sys::cpu::sched_yield();
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_wake_up_before_the_wait_counts_once() {
        let word = WakeWord::new();
        let level = word.open();
        assert!(!word.wake(level.number), "nobody waits yet");
        assert!(word.begin_wait(level).is_none() && word.take(level) && !word.take(level));
        assert!(word.begin_wait(level).is_some(), "it was taken");
    }

    #[test]
    fn who_waits_is_owned_by_one_waker() {
        let word = WakeWord::new();
        let level = word.open();
        let commit = word.begin_wait(level).unwrap();
        // SAFETY: the word is there; this is what a switch does.
        unsafe { commit.write(WAITING) };
        assert!(word.wake(level.number) && !word.wake(level.number));
        assert!(word.take(level));
    }

    #[test]
    fn levels_do_not_take_each_others_wake_ups() {
        let word = WakeWord::new();
        let (outer, inner) = (word.open(), word.open());
        assert_eq!((outer.number, inner.number), (0, 1));
        assert!(!word.wake(outer.number) && !word.take(inner));
        word.close(inner);
        assert!(word.take(outer));
        word.close(outer);
        assert!(!word.wake(0) && word.levels.load(Ordering::Relaxed) == 0, "an old waker changes nothing");
    }

    #[test]
    fn what_is_deeper_than_the_levels_wakes_what_is_around_it() {
        let word = WakeWord::new();
        let levels: [Level; LEVELS as usize] = core::array::from_fn(|_| word.open());
        let last = levels[LEVELS as usize - 1];
        let deeper = word.open();
        assert_eq!(deeper.number, last.number);
        assert!(!word.wake(last.number) && word.take(deeper), "one is taken for the other");
        word.close(deeper);
        assert!(word.take(last), "which is why the outer one is told");
        levels.into_iter().rev().for_each(|level| word.close(level));
        assert_eq!(word.open().number, 0);
    }
}
