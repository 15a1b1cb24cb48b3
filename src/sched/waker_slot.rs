//! A place for the waker of whoever has polled something last: who ends what is waited for takes it out and wakes.
//!
//! 1. Who polls puts its waker in, and then looks again whether the end has come. Who ends says so first, by an atomic read-modify-write, and then takes the waker out.
//!    One of them sees the other: by the lock, or where the slot was never used by full fences (`fence_of_rmw`).
//! 2. Wakers are user code: they are cloned, dropped and called without the lock. That two are the same is found by comparing their words.

use crate::base::atomic::{AtomicBool, Ordering, fence_of_rmw};
use crate::base::lock::{Lock, Rank};
use core::task::Waker;

/// See the head of this file.
pub struct WakerSlot {
    /// Has there ever been one? Without, the end of what nobody polls is one load dearer.
    used: AtomicBool,
    waker: Lock<Option<Waker>>,
}

impl WakerSlot {
    /// An empty one.
    #[allow(clippy::new_without_default)]
    pub fn new() -> WakerSlot {
        WakerSlot { used: AtomicBool::new(false), waker: Lock::new(Rank::Sync, None) }
    }

    /// Who polls: `waker` is the one to be called, and no other any more.
    pub fn set(&self, waker: &Waker) {
        if self.waker.lock().as_ref().is_some_and(|old| old.will_wake(waker)) {
            return;
        }
        let waker = waker.clone();
        let old = self.waker.lock().replace(waker);
        self.used.swap(true, Ordering::SeqCst);
        fence_of_rmw();
        drop(old);
    }

    /// Takes out what is in it. The end has been told before, by a read-modify-write.
    #[inline]
    pub fn take(&self) -> Option<Waker> {
        fence_of_rmw();
        if !self.used.load(Ordering::Relaxed) {
            return None;
        }
        self.take_used()
    }

    #[cold]
    #[inline(never)]
    fn take_used(&self) -> Option<Waker> {
        self.waker.lock().take()
    }
}
