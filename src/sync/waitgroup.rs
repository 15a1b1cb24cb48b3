//! `WaitGroup`: goroutines wait until a counter is zero. Unsafe code is allowed here, for one hand-over of a reference count.

#![allow(unsafe_code)]

use crate::arch::here::here;
use crate::gmp::{WaitReason, require_runtime};
use crate::sched::countdown::{AddError, Countdown};
use crate::sched::exit::OnGoexit;
use crate::sched::poll;
use alloc::sync::Arc;

/// A counter that goroutines wait on until it is zero. Clones are handles of the same counter.
///
/// Source: Go package sync, WaitGroup.
#[derive(Clone)]
pub struct WaitGroup {
    counter: Arc<Countdown>,
}

impl WaitGroup {
    /// A counter of zero.
    #[allow(clippy::new_without_default)]
    pub fn new() -> WaitGroup {
        require_runtime();
        WaitGroup { counter: Arc::new(Countdown::new(0)) }
    }

    /// Adds `n` to the counter. Where it is zero, this comes before the waits for it.
    ///
    /// Panics if the counter cannot hold that (2³¹ - 1), and where it has just become zero and who waits for that is about to go on:
    /// `sync: WaitGroup misuse: Add called concurrently with Wait`, as in Go.
    #[track_caller]
    pub fn add(&self, n: u32) {
        match self.counter.add(n) {
            Ok(()) => {}
            Err(AddError::TooMuch) => panic!("sync: WaitGroup counter overflow"),
            Err(AddError::Waited) => panic!("sync: WaitGroup misuse: Add called concurrently with Wait"),
        }
    }

    /// Takes one from the counter; at zero all who wait go on. Panics if it was zero: `sync: negative WaitGroup counter`, as in Go.
    #[inline]
    #[track_caller]
    pub fn done(&self) {
        assert!(self.counter.done(), "sync: negative WaitGroup counter");
        poll();
    }

    /// Waits until the counter is zero.
    ///
    /// Panics if somebody has added to it again before this goes on: `sync: WaitGroup is reused before previous Wait has returned`, as in Go.
    #[track_caller]
    pub fn wait(&self) {
        if self.counter.wait(WaitReason::WaitGroupWait) && self.counter.count() != 0 {
            panic!("sync: WaitGroup is reused before previous Wait has returned");
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

struct Word(*const Countdown);
// SAFETY: a countdown is made for sharing.
unsafe impl Send for Word {}

/// Counts down, and gives up a reference count.
unsafe fn finish(word: *const ()) {
    // SAFETY: the callers' contract.
    let counter = unsafe { Arc::from_raw(word.cast::<Countdown>()) };
    assert!(counter.done(), "sync: negative WaitGroup counter");
}
