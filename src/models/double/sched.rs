//! The double of `sched` in a model: `park` and `ready` as threads of loom's do them. The wait queue, the countdown, the soft cap and the wakers are the real files.
//!
//! 1. `park` leaves the stack, makes the commit, and waits; as `arch/x86_64/switch.s` does, the commit is the last step but the waiting.
//! 2. `ready` has its own thread go on with the stack at once: what a P does that takes the goroutine out of its queue at the earliest.
//!
//! Where it could drift: the order of the steps in `sched::park::park` and in the assembly; the check of the status in `sched::ready`.

#[path = "../../sched/countdown.rs"]
pub mod countdown;
#[path = "../../sched/semaphore.rs"]
pub mod semaphore;
#[path = "../../sched/soft_cap.rs"]
pub mod soft_cap;
#[path = "../../sched/table.rs"]
pub mod table;
#[path = "../../sched/waitq.rs"]
pub mod waitq;
#[path = "../../sched/waker.rs"]
pub mod waker;
#[path = "../../sched/waker_slot.rs"]
pub mod waker_slot;

pub use park::park;
pub use ready::{ready, ready as ready_anywhere, ready as ready_last, ready_queue};

pub mod group {
    //! As `sched::group`.

    /// As the real one: there are no bubbles.
    pub fn bubble_id() -> u32 {
        0
    }
}

pub mod park {
    //! As `sched::park`.
    use crate::arch::switch::Commit;
    use crate::base::{NoPreempt, atomic};
    use crate::gmp::{G, Status, WaitReason};

    /// As the real one.
    ///
    /// # Safety
    /// As the real one.
    pub unsafe fn park(_: &NoPreempt, reason: WaitReason, commit: Commit) {
        let g = G::current();
        // SAFETY: a goroutine that runs is valid, and ours.
        let g = unsafe { g.as_ref() };
        g.set_reason(reason);
        g.set_status(Status::Waiting);
        g.stop();
        g.touch_stack();
        let (word, value) = commit.parts();
        // SAFETY: the caller's contract.
        unsafe { atomic::commit(word, value) };
        g.wait_until_run();
        g.touch_stack();
    }

    /// As the real one.
    ///
    /// # Safety
    /// As the real one.
    pub unsafe fn park_at(nopreempt: &NoPreempt, reason: WaitReason, _: usize, commit: Commit) {
        // SAFETY: the caller's contract.
        unsafe { park(nopreempt, reason, commit) };
    }
}

pub mod ready {
    //! As `sched::ready`.
    use crate::base::NoPreempt;
    use crate::gmp::sched::GQueue;
    use crate::gmp::{G, Status};

    /// As the real one.
    ///
    /// # Safety
    /// As the real one.
    pub unsafe fn ready(_: &NoPreempt, g: *mut G) {
        // SAFETY: the caller's contract.
        let g = unsafe { &*g };
        if g.status() != Status::Waiting {
            panic!("ready: goroutine {} is {:?}, not Waiting", g.id(), g.status());
        }
        g.set_status(Status::Runnable);
        g.run();
    }

    /// As the real one: who goes on first is not the waker's to say here.
    ///
    /// # Safety
    /// As the real one.
    pub unsafe fn ready_last(nopreempt: &NoPreempt, g: *mut G) {
        // SAFETY: the caller's contract.
        unsafe { ready(nopreempt, g) };
    }

    /// As the real one.
    ///
    /// # Safety
    /// As the real one.
    pub unsafe fn ready_queue(nopreempt: &NoPreempt, mut goroutines: GQueue) {
        loop {
            let g = goroutines.pop();
            if g.is_null() {
                return;
            }
            // SAFETY: the caller's contract.
            unsafe { ready(nopreempt, g) };
        }
    }
}

pub mod yielding {
    //! As `sched::yielding`.

    /// As the real one.
    pub fn gosched() {
        loom::thread::yield_now();
    }
}

/// As the real one: nobody wants anything of a P here.
pub fn poll() {}

/// Giving way is what loom does of itself.
pub fn gosched_if_free() {}

/// The first: which one is chosen changes nothing for a model.
pub fn random_below(_: &crate::base::NoPreempt, _: u32) -> u32 {
    0
}

/// No model waits for ever.
pub fn park_for_ever(_: crate::gmp::WaitReason) -> ! {
    unreachable!("a model has no nil channels")
}
