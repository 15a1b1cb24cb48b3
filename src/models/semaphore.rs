//! Semaphores: the real `sched::semaphore`, `sched::table` and `sched::waitq`, over the doubles of `park` and `ready`.
//!
//! All addresses are in one bucket here. Which of them is below which in its tree depends on their hashes, that is, on the run.

use super::explore;
use crate::base::atomic::AtomicU32;
use crate::gmp::WaitReason::Semacquire;
use crate::sched::semaphore::{acquire, grant, release, try_acquire};
use loom::thread;
use std::sync::Arc;

struct Guarded {
    permits: [AtomicU32; 2],
    held: [loom::cell::UnsafeCell<u32>; 2],
}

// SAFETY: loom checks the use of the cells.
unsafe impl Sync for Guarded {}

impl Guarded {
    fn new(permits: u32) -> Arc<Guarded> {
        let held = core::array::from_fn(|_| loom::cell::UnsafeCell::new(0));
        Arc::new(Guarded { permits: [AtomicU32::new(permits), AtomicU32::new(permits)], held })
    }

    /// With one permit nobody else is at it.
    fn exclusively(&self, n: usize, hand_off: bool) {
        acquire(&self.permits[n], false, Semacquire);
        // SAFETY: loom checks that nobody else is at it.
        self.held[n].with_mut(|held| unsafe { *held += 1 });
        release(&self.permits[n], hand_off);
    }
}

#[test]
fn a_permit_has_one_holder_and_nobody_is_forgotten() {
    for hand_off in [false, true] {
        explore(3, move || {
            let guarded = Guarded::new(1);
            let others = [0, 1].map(|_| {
                let guarded = guarded.clone();
                thread::spawn(move || guarded.exclusively(0, hand_off))
            });
            guarded.exclusively(0, hand_off);
            others.into_iter().for_each(|other| other.join().unwrap());
            assert!(try_acquire(&guarded.permits[0]) && !try_acquire(&guarded.permits[0]));
        });
    }
}

#[test]
fn who_waits_at_one_address_is_not_woken_for_another() {
    explore(4, || {
        let guarded = Guarded::new(0);
        let others = [0, 1].map(|n| {
            let guarded = guarded.clone();
            thread::spawn(move || {
                acquire(&guarded.permits[n], false, Semacquire);
                // SAFETY: loom checks that its release has come before.
                guarded.held[n].with(|held| assert_eq!(unsafe { *held }, 1));
            })
        });
        for n in [1, 0] {
            // SAFETY: loom checks that nobody else is at it.
            guarded.held[n].with_mut(|held| unsafe { *held = 1 });
            release(&guarded.permits[n], false);
        }
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}

#[test]
fn what_is_granted_reaches_each_who_waits_and_leaves_the_rest() {
    explore(4, || {
        let guarded = Guarded::new(0);
        let others = [0, 1].map(|_| {
            let guarded = guarded.clone();
            thread::spawn(move || acquire(&guarded.permits[0], false, Semacquire))
        });
        grant(&guarded.permits[0], 3);
        others.into_iter().for_each(|other| other.join().unwrap());
        assert!(try_acquire(&guarded.permits[0]) && !try_acquire(&guarded.permits[0]));
    });
}
