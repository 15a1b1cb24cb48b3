//! The soft cap: so many calls at a time, and each that waits goes on once, let in or turned away. The real `sched::soft_cap` and `sched::waitq`, over the doubles of
//! `park` and `ready`.

use super::explore;
use crate::arch::tls;
use crate::sched::soft_cap::{self, Waiting};
use core::ptr;
use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Release};
use loom::thread;
use std::sync::Arc;

/// A goroutine that calls has a P.
fn with_p() {
    // SAFETY: nobody looks at what it points to.
    unsafe { tls::set_p(ptr::dangling_mut(), ptr::null_mut()) };
}

/// What one call at a time may use.
struct Kernel(UnsafeCell<u32>);

// SAFETY: loom checks the use of the cell.
unsafe impl Sync for Kernel {}
// SAFETY: as above.
unsafe impl Send for Kernel {}

impl Kernel {
    fn call(&self) {
        let ticket = soft_cap::enter();
        // SAFETY: loom checks that nobody else is at it.
        self.0.with_mut(|calls| unsafe { *calls += 1 });
        soft_cap::leave(ticket);
    }
}

/// With a cap of 1, who is let in now has not been counted in vain before: else it waits for ever.
fn assert_nobody_is_inside() {
    let ticket = soft_cap::enter();
    assert!(ticket.is_some());
    soft_cap::leave(ticket);
    assert_eq!(soft_cap::set(0), 1);
}

#[test]
fn one_call_at_a_time_and_each_is_made() {
    explore(3, || {
        with_p();
        assert_eq!(soft_cap::set(1), 0);
        let kernel = Arc::new(Kernel(UnsafeCell::new(0)));
        let callers = [0, 1].map(|_| {
            let kernel = kernel.clone();
            thread::spawn(move || {
                with_p();
                kernel.call();
            })
        });
        kernel.call();
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        // SAFETY: as above.
        kernel.0.with(|calls| unsafe { assert_eq!(*calls, 3) });
        assert_nobody_is_inside();
    });
}

#[test]
fn who_is_cancelled_as_its_turn_comes_has_it_or_is_turned_away() {
    explore(3, || {
        with_p();
        soft_cap::set(1);
        let mine = soft_cap::enter();
        let cancel = Arc::new((Waiting::new(), AtomicBool::new(false)));
        let caller = {
            let cancel = cancel.clone();
            thread::spawn(move || {
                with_p();
                if let Ok(ticket) = soft_cap::enter_unless(&cancel.0, || cancel.1.load(Acquire)) {
                    assert!(ticket.is_some());
                    soft_cap::leave(ticket);
                }
            })
        };
        let canceller = thread::spawn(move || {
            cancel.1.store(true, Release);
            soft_cap::turn_away(&cancel.0);
        });
        soft_cap::leave(mine);
        canceller.join().unwrap();
        caller.join().unwrap();
        assert_nobody_is_inside();
    });
}

#[test]
fn who_is_cancelled_does_not_wait_for_those_inside() {
    explore(3, || {
        with_p();
        soft_cap::set(1);
        let mine = soft_cap::enter();
        let cancel = Arc::new((Waiting::new(), AtomicBool::new(false)));
        let caller = {
            let cancel = cancel.clone();
            thread::spawn(move || {
                with_p();
                assert!(soft_cap::enter_unless(&cancel.0, || cancel.1.load(Acquire)).is_err(), "there is one place, and it is taken");
            })
        };
        cancel.1.store(true, Release);
        soft_cap::turn_away(&cancel.0);
        caller.join().unwrap();
        soft_cap::leave(mine);
        assert_nobody_is_inside();
    });
}

#[test]
fn a_cap_that_goes_lets_all_in_and_their_ends_are_counted() {
    explore(3, || {
        with_p();
        soft_cap::set(1);
        let mine = soft_cap::enter();
        let callers = [0, 1].map(|_| {
            thread::spawn(|| {
                with_p();
                let ticket = soft_cap::enter();
                soft_cap::leave(ticket);
            })
        });
        // Nobody leaves before: who waits now is let in by this.
        assert_eq!(soft_cap::set(0), 1);
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        soft_cap::leave(mine);
        assert_eq!(soft_cap::set(1), 0);
        assert_nobody_is_inside();
    });
}
