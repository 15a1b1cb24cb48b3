//! `spawn`: a goroutine with a handle that waits for its result.
//!
//! 1. The result travels in a packet that both hold. The goroutine writes it before it counts down, the handle reads it after.
//! 2. A goroutine that ends by `goexit` counts down without a result. A panic ends the process, so a result is all there can be else.

use super::countdown::Countdown;
use super::exit::OnGoexit;
use crate::gmp::WaitReason;
use alloc::sync::Arc;
use core::cell::UnsafeCell;
use core::fmt;

/// What the goroutine and its handle share.
pub(super) struct Packet<T> {
    done: Countdown,
    result: UnsafeCell<Option<T>>,
}

// SAFETY: invariant 1: the two sides never use the result at the same time.
unsafe impl<T: Send> Sync for Packet<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Packet<T> {}

/// The goroutine ended by `goexit`, so it has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinError;

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the goroutine ended by goexit, without a result")
    }
}

impl core::error::Error for JoinError {}

/// The handle of a goroutine. Dropping it lets the goroutine run on, its result unseen.
#[must_use = "use `go` for a goroutine that nobody waits for"]
pub struct JoinHandle<T> {
    packet: Arc<Packet<T>>,
}

impl<T> JoinHandle<T> {
    /// Waits until the goroutine has ended, and returns its result. An error if it ended by [`goexit`](crate::runtime::goexit).
    pub fn join(self) -> Result<T, JoinError> {
        wait(self.packet)
    }

    /// Has the goroutine ended? Then `join` does not wait.
    pub fn is_finished(&self) -> bool {
        self.packet.done.count() == 0
    }
}

/// A handle, and what its goroutine has to do.
pub fn handle<T, F: FnOnce() -> T>(f: F) -> (JoinHandle<T>, impl FnOnce() + use<T, F>) {
    let (packet, run) = packet(f);
    (JoinHandle { packet }, run)
}

/// A packet, and what its goroutine has to do.
pub(super) fn packet<T, F: FnOnce() -> T>(f: F) -> (Arc<Packet<T>>, impl FnOnce() + use<T, F>) {
    let packet = Arc::new(Packet { done: Countdown::new(1), result: UnsafeCell::new(None) });
    let word = Word(Arc::into_raw(packet.clone()));
    let run = move || {
        let word = word;
        // SAFETY: invariant 1: this side holds a count of the packet until `finish` has taken it back, here or at a `goexit`.
        unsafe {
            let result = OnGoexit::guard(finish::<T>, word.0.cast(), f);
            *(*word.0).result.get() = Some(result);
            finish::<T>(word.0.cast());
        }
    };
    (packet, run)
}

/// Waits for the packet's goroutine.
pub(super) fn wait<T>(packet: Arc<Packet<T>>) -> Result<T, JoinError> {
    packet.done.wait(WaitReason::Join);
    // SAFETY: invariant 1: the goroutine has counted down, so it has written the result or never will.
    unsafe { (*packet.result.get()).take() }.ok_or(JoinError)
}

/// Counts the packet down and gives up the goroutine's hold on it.
unsafe fn finish<T>(word: *const ()) {
    // SAFETY: `word` came from `Arc::into_raw`, and is used once.
    let packet = unsafe { Arc::from_raw(word.cast::<Packet<T>>()) };
    if !packet.done.done() {
        crate::base::throw!("join: a goroutine ended twice");
    }
}

struct Word<T>(*const Packet<T>);
// SAFETY: it carries one count of an `Arc` to the goroutine; what is behind it is `Sync` where `T` is `Send`.
unsafe impl<T: Send> Send for Word<T> {}
