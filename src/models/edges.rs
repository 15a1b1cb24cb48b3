//! Edges of the memory model (`docs/memory-model.md`) that no other model shows: a cell that an edge alone guards is written before it, and read after it.
//!
//! The channel is the real one, over the doubles of `park` and `ready`. The way of a new goroutine through `runnext` is copied, and could drift: `sched::ready::ready`,
//! `sched::pick::take_runnext`, `sched::steal::steal_runnext`; that through the ring is in `models::ring`.

use super::explore;
use crate::base::atomic::{AtomicPtr, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use crate::chan::raw::Raw;
use core::ptr;
use loom::cell::UnsafeCell;
use loom::thread;
use std::sync::Arc;

/// Plain memory.
struct Cells<const N: usize>([UnsafeCell<usize>; N]);

// SAFETY: loom checks the use of the cells.
unsafe impl<const N: usize> Sync for Cells<N> {}
// SAFETY: as above.
unsafe impl<const N: usize> Send for Cells<N> {}

impl<const N: usize> Cells<N> {
    fn new() -> Cells<N> {
        Cells(core::array::from_fn(|_| UnsafeCell::new(0)))
    }

    fn write(&self, n: usize) {
        // SAFETY: loom checks that nobody else is at it.
        self.0[n].with_mut(|cell| unsafe { *cell = n + 100 });
    }

    fn check(&self, n: usize) {
        // SAFETY: as above.
        self.0[n].with(|cell| unsafe { assert_eq!(*cell, n + 100) });
    }
}

struct Both {
    channel: Raw<usize>,
    back: Cells<3>,
}

/// The receiver writes cell k before the k-th receive; the sender reads it after the (k+C)-th send.
fn receives_come_before(capacity: usize, sends: usize, preemptions: usize) {
    explore(preemptions, move || {
        let both = Arc::new(Both { channel: Raw::new(capacity).unwrap(), back: Cells::new() });
        let receiver = {
            let both = both.clone();
            thread::spawn(move || {
                for n in 0..sends {
                    both.back.write(n);
                    assert_eq!(both.channel.recv(), Some(n));
                }
            })
        };
        for n in 0..sends {
            assert_eq!(both.channel.send(n), Ok(()));
            if n >= capacity {
                both.back.check(n - capacity);
            }
        }
        receiver.join().unwrap();
    });
}

#[test]
fn a_receive_comes_before_the_end_of_its_send_without_a_buffer() {
    receives_come_before(0, 2, 6);
}

#[test]
fn the_kth_receive_comes_before_the_end_of_the_send_that_takes_its_place() {
    receives_come_before(1, 3, 5);
    receives_come_before(2, 3, 5);
}

/// `P::runnext`, and goroutines as numbers.
struct Runnext {
    next: AtomicPtr<u8>,
    made: Cells<3>,
}

impl Runnext {
    /// `ready`, where `runnext` was empty. Who makes a goroutine has written its closure.
    fn put(&self, n: usize) {
        self.made.write(n);
        if self.next.load(Relaxed).is_null() {
            return self.next.store(ptr::without_provenance_mut(n), Release);
        }
        let before = self.next.swap(ptr::without_provenance_mut(n), AcqRel);
        if !before.is_null() {
            self.run(before);
        }
    }

    /// `pick::take_runnext`, `steal::steal_runnext`.
    fn take(&self) -> usize {
        let next = self.next.load(Acquire);
        if next.is_null() || self.next.compare_exchange(next, ptr::null_mut(), AcqRel, Relaxed).is_err() {
            return 0;
        }
        self.run(next)
    }

    /// Reads the closure, and changes it: so loom sees who runs it twice.
    fn run(&self, g: *mut u8) -> usize {
        self.made.check(g.addr());
        // SAFETY: loom checks that nobody else is at it.
        self.made.0[g.addr()].with_mut(|cell| unsafe { *cell = 0 });
        g.addr()
    }
}

#[test]
fn a_goroutine_that_is_to_run_next_begins_with_its_closure_wherever_it_runs() {
    explore(6, || {
        let runnext = Arc::new(Runnext { next: AtomicPtr::new(ptr::null_mut()), made: Cells::new() });
        let thief = {
            let runnext = runnext.clone();
            thread::spawn(move || runnext.take())
        };
        runnext.put(1);
        runnext.put(2);
        runnext.take();
        thief.join().unwrap();
        runnext.take();
        // SAFETY: as above.
        (1..3).for_each(|n| runnext.made.0[n].with(|cell| unsafe { assert_eq!(*cell, 0, "goroutine {n} was not run") }));
    });
}
