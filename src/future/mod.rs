//! Futures and goroutines: a goroutine waits for any future, so crates for async code without std can be used; and goroutines are futures for such code.
//!
//! There is no executor: a goroutine that waits for a future polls it, and parks in between. [`JoinHandle`] and
//! [`ScopedJoinHandle`](crate::ScopedJoinHandle) are futures, so whatever blocks a goroutine (a channel, a lock, a call) can be awaited:
//! `spawn(move || receiver.recv()).await`.
//!
//! Source: none in Go, which has no futures.

#![deny(unsafe_code)]

mod sleep;

pub use sleep::{Sleep, sleep};

use crate::arch::here::here;
use crate::gmp::require_runtime;
use crate::runtime;
use crate::sched::join::JoinHandle;
use crate::sched::waker;

/// Waits until `future` is ready, and returns its value. Only the goroutine waits, no thread.
///
/// The future is polled once, and then each time it was woken, on this goroutine; it need not be [`Send`]. It may be polled without being woken, as any future may. A future
/// that wakes itself as it is polled lets others run first. What is called by `poll` may block the goroutine, and may call `block_on` again.
///
/// Its waker is two words without a count: cloning and dropping it is free, and it may be called from anywhere, also after the future has ended and its goroutine
/// has. A future that nobody ever wakes is waited for for ever; if all goroutines wait, the program is deadlocked.
///
/// ```no_run
/// # fn main() {
/// use gort::future::block_on;
/// let double = async |n: u32| 2 * n;
/// let sum = gort::spawn(|| 3);
/// println!("{}", block_on(async { double(4).await + sum.await.unwrap() }));
/// # }
/// ```
pub fn block_on<F: Future>(future: F) -> F::Output {
    require_runtime();
    waker::block_on(future)
}

/// Starts a goroutine that waits for `future`; the handle waits for its value, by [`join`](JoinHandle::join) or as a future.
///
/// Dropping the handle does not end the future: it runs on.
#[inline(always)]
pub fn spawn_future<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    runtime::spawn_at(here(), move || waker::block_on(future))
}
