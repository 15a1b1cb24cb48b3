//! `spawn`: a goroutine with a handle that waits for its result, by parking or as a future.
//!
//! 1. The result travels in a packet that both hold. The goroutine writes it before it counts down, the handle reads it after, and takes it once.
//! 2. A goroutine that ends by `goexit` counts down without a result. A panic ends the process, so a result is all there can be else.
//! 3. Who polls leaves its waker in the packet, and looks again; the goroutine counts down, and takes the waker out (`waker_slot`). A handle that is dropped takes its waker with it.

use super::countdown::Countdown;
use super::exit::OnGoexit;
use super::group;
use super::waker_slot::WakerSlot;
use crate::gmp::WaitReason;
use alloc::sync::Arc;
use core::cell::UnsafeCell;
use core::fmt;
use core::mem::replace;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

/// What the goroutine and its handle share.
pub(super) struct Packet<T> {
    done: Countdown,
    /// The bubble that it was made in, as its goroutine; 0: none.
    bubble: u32,
    outcome: UnsafeCell<Outcome<T>>,
    waker: WakerSlot,
}

enum Outcome<T> {
    /// None yet, or none ever: invariant 2.
    Nothing,
    Result(T),
    Taken,
}

// SAFETY: invariant 1: the two sides never use the outcome at the same time.
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

/// The handle's side of a packet.
pub(super) struct Side<T>(Arc<Packet<T>>);

impl<T> Side<T> {
    /// Waits for the packet's goroutine.
    #[track_caller]
    pub(super) fn wait(self) -> Result<T, JoinError> {
        let is_durable = self.0.bubble != 0 && self.0.bubble == group::bubble_id();
        self.0.done.wait(if is_durable { WaitReason::JoinDurable } else { WaitReason::Join });
        self.take()
    }

    pub(super) fn is_finished(&self) -> bool {
        self.0.done.count() == 0
    }

    /// Invariant 3.
    #[track_caller]
    pub(super) fn poll(&self, waker: &Waker) -> Poll<Result<T, JoinError>> {
        if !self.is_finished() {
            self.0.waker.set(waker);
            if !self.is_finished() {
                return Poll::Pending;
            }
        }
        Poll::Ready(self.take())
    }

    /// The goroutine has counted down.
    #[track_caller]
    fn take(&self) -> Result<T, JoinError> {
        // SAFETY: invariant 1: it has written the result or never will, and there is one handle, which is no `Sync` way to here.
        match replace(unsafe { &mut *self.0.outcome.get() }, Outcome::Taken) {
            Outcome::Result(result) => Ok(result),
            Outcome::Nothing => Err(JoinError),
            Outcome::Taken => panic!("the result of the goroutine was taken already"),
        }
    }
}

impl<T> Drop for Side<T> {
    fn drop(&mut self) {
        drop(self.0.waker.take());
    }
}

/// The handle of a goroutine. Dropping it lets the goroutine run on, its result unseen.
///
/// It is a future too: `.await` gives what [`join`](JoinHandle::join) returns. Polling it after it was ready panics, and so does `join` then.
#[must_use = "use `go` for a goroutine that nobody waits for"]
pub struct JoinHandle<T> {
    side: Side<T>,
}

impl<T> JoinHandle<T> {
    /// Waits until the goroutine has ended, and returns its result. An error if it ended by [`goexit`](crate::runtime::goexit).
    ///
    /// Panics if the result was taken already, by polling the handle.
    #[track_caller]
    pub fn join(self) -> Result<T, JoinError> {
        self.side.wait()
    }

    /// Has the goroutine ended? Then `join` does not wait.
    pub fn is_finished(&self) -> bool {
        self.side.is_finished()
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        self.side.poll(context.waker())
    }
}

/// A handle, and what its goroutine has to do.
pub fn handle<T, F: FnOnce() -> T>(f: F) -> (JoinHandle<T>, impl FnOnce() + use<T, F>) {
    let (side, run) = packet(f);
    (JoinHandle { side }, run)
}

/// The two sides of a packet: the handle's, and what its goroutine has to do.
pub(super) fn packet<T, F: FnOnce() -> T>(f: F) -> (Side<T>, impl FnOnce() + use<T, F>) {
    let packet = Arc::new(Packet { done: Countdown::new(1), bubble: group::bubble_id(), outcome: UnsafeCell::new(Outcome::Nothing), waker: WakerSlot::new() });
    let word = Word(Arc::into_raw(packet.clone()));
    let run = move || {
        let word = word;
        // SAFETY: invariant 1: this side holds a count of the packet until `finish` has taken it back, here or at a `goexit`.
        unsafe {
            let result = OnGoexit::guard(finish::<T>, word.0.cast(), f);
            *(*word.0).outcome.get() = Outcome::Result(result);
            finish::<T>(word.0.cast());
        }
    };
    (Side(packet), run)
}

/// Counts the packet down, gives up the goroutine's hold on it, and wakes who polls.
unsafe fn finish<T>(word: *const ()) {
    // SAFETY: `word` came from `Arc::into_raw`, and is used once.
    let packet = unsafe { Arc::from_raw(word.cast::<Packet<T>>()) };
    if !packet.done.done() {
        crate::base::throw!("join: a goroutine ended twice");
    }
    if let Some(waker) = packet.waker.take() {
        drop(packet);
        waker.wake();
    }
}

struct Word<T>(*const Packet<T>);
// SAFETY: it carries one count of an `Arc` to the goroutine; what is behind it is `Sync` where `T` is `Send`.
unsafe impl<T: Send> Send for Word<T> {}
