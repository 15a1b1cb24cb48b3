//! Telling somebody of each block that comes and goes: `observe::alloctrace`.
//!
//! 1. Off, it costs nothing on the way to a cache: only the slow ways look here. Switched on while every cache is empty it sees every block, for
//!    as long as it is on no cache is filled, neither by who allocates nor by who frees.
//! 2. It tells before a block is freed and after it was allocated: whoever hears of both at one address hears of them in order. No lock is held.

use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

/// What became of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// It is in use from now on.
    Allocated,
    /// It is not.
    Freed,
}

/// Is told: what, the block, its size as it was asked for. It allocates nothing.
pub type Trace = fn(Event, *mut u8, usize);

static TRACE: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

/// From now on. Invariant 1: the caches that may have blocks are flushed next.
pub fn trace(trace: Trace) {
    TRACE.store(trace as *mut (), Relaxed);
}

/// Is anybody told?
#[inline]
pub(super) fn is_on() -> bool {
    !TRACE.load(Relaxed).is_null()
}

/// Tells of `block`, if it is one.
#[inline]
pub(super) fn tell(event: Event, block: *mut u8, bytes: usize) {
    if is_on() {
        tell_now(event, block, bytes);
    }
}

#[cold]
#[inline(never)]
fn tell_now(event: Event, block: *mut u8, bytes: usize) {
    if block.is_null() {
        return;
    }
    // SAFETY: only `trace` writes the word, and only with a `Trace`.
    let trace: Trace = unsafe { core::mem::transmute(TRACE.load(Relaxed)) };
    trace(event, block, bytes);
}
