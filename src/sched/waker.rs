//! `block_on`: a goroutine polls a future, and waits in between until a waker comes (R3).
//!
//! 1. A waker is the address of the word in the goroutine's descriptor, and in its low bits the level (`base::wake_word`, where the protocol is). Nothing is allocated,
//!    cloning copies, dropping does nothing; and it may outlive the future, its goroutine, and the next goroutines on that stack: descriptors stay mapped. It is not the
//!    descriptor's own address, which the runtime has in many places: so `leaks` sees who has a waker.
//! 2. Who waits is the waker's who moves its word, and nobody else's: no queue has it.
//! 3. User code (`poll`, destructors) runs with preemption as it was, and no lock held. A waker of ours takes no lock: it may be called anywhere, g0 included.

use super::{park, poll, ready_anywhere, yielding};
use crate::arch::switch::Commit;
use crate::base::NoPreempt;
use crate::base::wake_word::{Level, WAITING, WakeWord};
use crate::gmp::{G, WaitReason};
use core::mem::offset_of;
use core::pin::pin;
use core::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, forget);

/// Polls `future` until it is ready.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    // SAFETY: R1: the running goroutine is ours.
    let g = unsafe { &*G::current().as_ptr() };
    let level = g.wake_word.open();
    // SAFETY: invariant 1: the functions of the table are right for such an address, at any time, on any thread.
    let waker = unsafe { Waker::new(g.wake_word.address(level), &VTABLE) };
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            g.wake_word.close(level);
            return value;
        }
        wait(g, level);
    }
}

/// `g`, which runs, waits until it is woken at `level`.
fn wait(g: &G, level: Level) {
    if g.wake_word.take(level) {
        // Woken while it polled, as a rule by itself: it has something to do, but others first.
        return yielding::gosched();
    }
    loop {
        let nopreempt = NoPreempt::new();
        if let Some(word) = g.wake_word.begin_wait(level) {
            // SAFETY: R3: invariant 2: who moves the word on owns it, and does so only after the commit, which a plain store does.
            unsafe { park(&nopreempt, WaitReason::Future, Commit::store(word, WAITING)) };
        }
        drop(nopreempt);
        // Else it was woken at another level, which will be asked in its turn.
        if g.wake_word.take(level) {
            return;
        }
    }
}

/// Is it one of these? Then it may be called, cloned and dropped anywhere.
pub fn is_own(waker: &Waker) -> bool {
    core::ptr::eq(waker.vtable(), &VTABLE)
}

unsafe fn clone(data: *const ()) -> RawWaker {
    RawWaker::new(data, &VTABLE)
}

unsafe fn wake(data: *const ()) {
    let (word, level) = WakeWord::of_address(data);
    let nopreempt = NoPreempt::new();
    // SAFETY: invariant 1: the word of a descriptor, whoever's it is by now.
    if unsafe { (*word).wake(level) } {
        // SAFETY: R3: invariant 2: it has left its stack, and is ours; the word is that of its descriptor.
        unsafe { ready_anywhere(&nopreempt, word.byte_sub(offset_of!(G, wake_word)).cast_mut().cast()) };
    }
    drop(nopreempt);
    poll();
}

unsafe fn forget(_: *const ()) {}
