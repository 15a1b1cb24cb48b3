//! The shared run queue of a P against thieves: the real `base::ring`.

use super::explore;
use crate::base::atomic::commit;
use crate::base::ring::{HALF, Ring, SLOTS};
use core::ptr;
use loom::thread;
use std::sync::Arc;
use std::vec::Vec;

/// Goroutines are numbers here, and cells: whoever takes one out of the ring changes it, after its pusher did.
struct Work {
    ring: Ring<u8>,
    cells: Vec<loom::cell::UnsafeCell<u32>>,
}

// SAFETY: loom checks the use of the cells.
unsafe impl Sync for Work {}

impl Work {
    fn new(count: usize) -> Arc<Work> {
        Arc::new(Work { ring: Ring::new(), cells: (0..=count).map(|_| loom::cell::UnsafeCell::new(0)).collect() })
    }

    /// Makes goroutine `n`, as its pusher does before the push.
    fn made(&self, n: usize) -> *mut u8 {
        // SAFETY: loom checks that nobody else is at it.
        self.cells[n].with_mut(|state| unsafe { *state += 1 });
        ptr::without_provenance_mut(n)
    }

    /// Runs what was taken.
    fn run(&self, item: *mut u8) -> usize {
        assert!(!item.is_null(), "a slot was read before it was written");
        // SAFETY: as above.
        self.cells[item.addr()].with_mut(|state| unsafe {
            *state += 1;
            assert_eq!(*state, 2, "goroutine {} was taken twice", item.addr());
        });
        item.addr()
    }

    fn steal(&self) -> Vec<usize> {
        let mut out = [ptr::null_mut(); HALF];
        let count = self.ring.take_half(&mut out);
        out[..count].iter().map(|&item| self.run(item)).collect()
    }
}

fn all_taken(mut taken: Vec<usize>, count: usize) {
    taken.sort();
    assert!(taken.iter().copied().eq(1..=count), "taken: {taken:?} of 1 to {count}");
}

#[test]
fn owner_and_two_thieves_take_each_goroutine_once() {
    explore(2, || {
        let work = Work::new(3);
        let thieves: Vec<_> = (0..2)
            .map(|_| {
                let work = work.clone();
                thread::spawn(move || work.steal())
            })
            .collect();
        let mut taken = Vec::new();
        (1..=3).for_each(|n| assert!(work.ring.push(work.made(n))));
        let item = work.ring.pop();
        if !item.is_null() {
            taken.push(work.run(item));
        }
        thieves.into_iter().for_each(|thief| taken.extend(thief.join().unwrap()));
        loop {
            let item = work.ring.pop();
            if item.is_null() {
                break;
            }
            taken.push(work.run(item));
        }
        all_taken(taken, 3);
    });
}

#[test]
fn a_slot_is_not_overwritten_before_a_thief_has_left_it() {
    explore(5, || {
        let count = SLOTS as usize + 2;
        let work = Work::new(count);
        (1..=SLOTS as usize).for_each(|n| assert!(work.ring.push(work.made(n))));
        let thief = {
            let work = work.clone();
            thread::spawn(move || work.steal())
        };
        // The owner goes round the ring: each slot that it frees is used again.
        let mut taken = Vec::new();
        for n in SLOTS as usize + 1..=count {
            let item = work.made(n);
            while !work.ring.push(item) {
                taken.push(work.run(work.ring.pop()));
            }
        }
        taken.extend(thief.join().unwrap());
        while !work.ring.is_empty() {
            taken.push(work.run(work.ring.pop()));
        }
        all_taken(taken, count);
    });
}

#[test]
fn what_yields_is_seen_only_after_it_has_left_its_stack() {
    explore(3, || {
        let work = Work::new(1);
        let thief = {
            let work = work.clone();
            thread::spawn(move || work.steal())
        };
        // `gosched`: into the slot, then off the stack, then the commit.
        let (word, value) = work.ring.stage(ptr::without_provenance_mut(1)).unwrap();
        work.made(1);
        // SAFETY: the word is the ring's tail.
        unsafe { commit(word, value) };
        let mut taken = thief.join().unwrap();
        if taken.is_empty() {
            taken.push(work.run(work.ring.pop()));
        }
        all_taken(taken, 1);
    });
}
