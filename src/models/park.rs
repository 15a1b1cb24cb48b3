//! Park and ready: a goroutine that waits is run again once, and never before it has left its stack. The real `sched::countdown` and `sched::waitq`,
//! over the doubles of `park` and `ready`; `models::ring` has the other commit, that of a goroutine which yields.

use super::explore;
use crate::gmp::WaitReason;
use crate::sched::countdown::{AddError, Countdown};
use loom::thread;
use std::sync::Arc;

struct Joined {
    countdown: Countdown,
    result: loom::cell::UnsafeCell<u32>,
}

// SAFETY: loom checks the use of the cell.
unsafe impl Sync for Joined {}
// SAFETY: as above.
unsafe impl Send for Joined {}

fn joined(count: u32) -> Arc<Joined> {
    Arc::new(Joined { countdown: Countdown::new(count), result: loom::cell::UnsafeCell::new(0) })
}

impl Joined {
    fn wait(&self) {
        self.countdown.wait(WaitReason::Join);
        // SAFETY: loom checks that nobody else is changing it.
        self.result.with(|result| assert_eq!(unsafe { *result }, 1));
    }
}

#[test]
fn everybody_who_waits_goes_on_once_and_sees_what_was_done() {
    explore(4, || {
        let joined = joined(1);
        let waiters = [0, 1].map(|_| {
            let joined = joined.clone();
            thread::spawn(move || joined.wait())
        });
        // SAFETY: loom checks that nobody else is at it.
        joined.result.with_mut(|result| unsafe { *result = 1 });
        assert!(joined.countdown.done());
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
    });
}

#[test]
fn only_the_last_one_done_wakes() {
    explore(5, || {
        let joined = joined(2);
        let other = {
            let joined = joined.clone();
            thread::spawn(move || {
                // SAFETY: as above.
                joined.result.with_mut(|result| unsafe { *result = 1 });
                assert!(joined.countdown.done());
            })
        };
        let last = {
            let joined = joined.clone();
            thread::spawn(move || assert!(joined.countdown.done()))
        };
        joined.wait();
        other.join().unwrap();
        last.join().unwrap();
        assert!(!joined.countdown.done(), "there was one more to go");
    });
}

#[test]
fn who_adds_as_the_last_one_is_done_is_told_or_waited_for() {
    explore(4, || {
        let joined = joined(1);
        let waiter = {
            let joined = joined.clone();
            thread::spawn(move || joined.wait())
        };
        let adder = {
            let joined = joined.clone();
            thread::spawn(move || match joined.countdown.add(1) {
                Ok(()) => assert!(joined.countdown.done()),
                Err(error) => assert_eq!(error, AddError::Waited),
            })
        };
        // SAFETY: loom checks that nobody else is at it.
        joined.result.with_mut(|result| unsafe { *result = 1 });
        assert!(joined.countdown.done());
        waiter.join().unwrap();
        adder.join().unwrap();
        assert_eq!(joined.countdown.count(), 0);
    });
}
