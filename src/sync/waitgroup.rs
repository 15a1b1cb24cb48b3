//! `WaitGroup`: goroutines wait until a counter is zero. Unsafe code is allowed here, for one hand-over of a reference count.

#![allow(unsafe_code)]

use crate::arch::here::here;
use crate::gmp::{WaitReason, require_runtime};
use crate::sched::countdown::{AddError, Countdown};
use crate::sched::exit::OnGoexit;
use crate::sched::group;
use crate::sched::poll;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// A counter that goroutines wait on until it is zero. Clones are handles of the same counter.
///
/// Source: Go package sync, WaitGroup.
#[derive(Clone)]
pub struct WaitGroup {
    counter: Arc<Counter>,
}

/// The counter, and the bubble that it belongs to while it is above zero; 0: none.
struct Counter {
    to_go: Countdown,
    bubble: AtomicU32,
}

impl Counter {
    /// Before the counter changes: all changes are made in one bubble, or outside of all.
    #[inline(always)]
    #[track_caller]
    fn check(&self, is_done: bool) {
        if group::LAST_BUBBLE.load(Relaxed) != 0 {
            self.associate(group::bubble_id(), is_done);
        }
    }

    #[cold]
    #[track_caller]
    #[inline(never)]
    fn associate(&self, mine: u32, is_done: bool) {
        const BOTH: &str = "sync: WaitGroup.Add called from inside and outside synctest bubble";
        if mine == 0 {
            assert!(self.bubble.load(Relaxed) == 0, "{BOTH}");
            return;
        }
        match self.bubble.compare_exchange(0, mine, Relaxed, Relaxed) {
            Ok(_) if self.to_go.count() != 0 => {
                self.bubble.store(0, Relaxed);
                panic!("{BOTH}");
            }
            Err(its) if its != mine => panic!("sync: WaitGroup.Add called from multiple synctest bubbles"),
            _ => {}
        }
        if is_done && self.to_go.count() == 1 {
            self.bubble.store(0, Relaxed); // before who waits goes on
        }
    }

    /// At zero it belongs to no bubble: another may use it then. No add comes meanwhile, by the rules of wait groups.
    fn leave_bubble(&self, mine: u32) {
        let _ = self.bubble.compare_exchange(mine, 0, Relaxed, Relaxed);
    }

    #[inline(always)]
    #[track_caller]
    fn done(&self) {
        self.check(true);
        assert!(self.to_go.done(), "sync: negative WaitGroup counter");
    }
}

impl WaitGroup {
    /// A counter of zero.
    #[allow(clippy::new_without_default)]
    pub fn new() -> WaitGroup {
        require_runtime();
        WaitGroup { counter: Arc::new(Counter { to_go: Countdown::new(0), bubble: AtomicU32::new(0) }) }
    }

    /// Adds `n` to the counter. Where it is zero, this comes before the waits for it.
    ///
    /// Panics if the counter cannot hold that (2³¹ - 1), and where it has just become zero and who waits for that is about to go on:
    /// `sync: WaitGroup misuse: Add called concurrently with Wait`, as in Go.
    #[track_caller]
    pub fn add(&self, n: u32) {
        self.counter.check(false);
        match self.counter.to_go.add(n) {
            Ok(()) => {}
            Err(AddError::TooMuch) => panic!("sync: WaitGroup counter overflow"),
            Err(AddError::Waited) => panic!("sync: WaitGroup misuse: Add called concurrently with Wait"),
        }
    }

    /// Takes one from the counter; at zero all who wait go on. Panics if it was zero: `sync: negative WaitGroup counter`, as in Go.
    #[inline]
    #[track_caller]
    pub fn done(&self) {
        self.counter.done();
        poll();
    }

    /// Waits until the counter is zero.
    ///
    /// Panics if somebody has added to it again before this goes on: `sync: WaitGroup is reused before previous Wait has returned`, as in Go.
    #[track_caller]
    pub fn wait(&self) {
        let (mine, its) = (group::bubble_id(), self.counter.bubble.load(Relaxed));
        let is_durable = its != 0 && its == mine;
        let waited = self.counter.to_go.wait(if is_durable { WaitReason::WaitGroupWaitDurable } else { WaitReason::WaitGroupWait });
        let is_zero = self.counter.to_go.count() == 0;
        if waited && !is_zero {
            panic!("sync: WaitGroup is reused before previous Wait has returned");
        }
        if is_durable && is_zero {
            self.counter.leave_bubble(mine);
        }
    }

    /// Adds one, and starts a goroutine that calls `f` and then takes it away again, also if `f` ends by `goexit`.
    #[inline(always)]
    pub fn go<R>(&self, f: impl FnOnce() -> R + Send + 'static) {
        self.go_at(here(), f);
    }

    fn go_at<F: FnOnce() -> R + Send + 'static, R>(&self, made_at: usize, f: F) {
        self.add(1);
        let word = Word(Arc::into_raw(self.counter.clone()));
        crate::sched::spawn::go(made_at, move || {
            let word = word;
            // SAFETY: the word is one count of the `Arc`, given back by `finish`, once: here, or at a goexit.
            unsafe {
                OnGoexit::guard(finish, word.0.cast(), || drop(f()));
                finish(word.0.cast());
            }
        });
    }
}

struct Word(*const Counter);
// SAFETY: a countdown is made for sharing.
unsafe impl Send for Word {}

/// Counts down, and gives up a reference count.
unsafe fn finish(word: *const ()) {
    // SAFETY: the callers' contract.
    let counter = unsafe { Arc::from_raw(word.cast::<Counter>()) };
    counter.done();
}
