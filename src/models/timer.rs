//! Timers: add, stop and reset against expiry and against a thief who runs the timers of another P. The real `timer`, `base::heap` and `base::lock`;
//! the P is a double with the same fields.
//!
//! What it copies: the steps of `sched::timers::{arm, disarm}` that are not the scheduler's. In the end every heap is run empty: then a timer has
//! fired as often as it should, no entry is left, and the books about cancelled entries are even (`timer::any_armed` lives by them).

use super::explore;
use crate::base::atomic::{AtomicU32, Ordering::Relaxed};
use crate::gmp::sched::GQueue;
use crate::gmp::{P, SCHED};
use crate::timer::{self, Fire, Node};
use loom::thread;
use std::sync::Arc;

struct Counter {
    /// What firing does is a step of its own: loom may run others before it.
    fired: AtomicU32,
    state: loom::cell::UnsafeCell<u32>,
}

// SAFETY: loom checks the use of the cell.
unsafe impl Sync for Counter {}
// SAFETY: as above.
unsafe impl Send for Counter {}

impl Fire for Counter {
    fn fire(this: &Arc<Node<Self>>, _: u64, _: &mut GQueue) {
        // SAFETY: loom checks that nobody else is at it: it is under the node's lock.
        this.body.state.with_mut(|state| unsafe { *state += 1 });
        this.body.fired.fetch_add(1, Relaxed);
    }

    fn let_go(this: Arc<Node<Self>>) {
        drop(this);
    }
}

type Timer = Arc<Node<Counter>>;

fn timer() -> Timer {
    Node::new(Counter { fired: AtomicU32::new(0), state: loom::cell::UnsafeCell::new(0) })
}

fn fired(timer: &Timer) -> u32 {
    timer.body.fired.load(Relaxed)
}

/// As `sched::timers::arm`, by the holder of `p`. True if it was armed.
fn arm(timer: &Timer, p: &P, when_ns: u64, period_ns: u64) -> bool {
    let mut state = timer.lock();
    let was_armed = state.when_ns != 0;
    timer.arm(&mut state, p, when_ns, period_ns);
    was_armed
}

/// As `sched::timers::disarm`. True if it was armed.
fn stop(timer: &Timer) -> bool {
    let (was_armed, owner) = {
        let mut state = timer.lock();
        (timer.disarm(&mut state), Node::<Counter>::owner(&state))
    };
    if was_armed {
        timer::clean(owner);
    }
    was_armed
}

/// The holder of `p` runs what is due at `owner`'s.
fn expire(owner: u32, p: u32, now: u64) {
    timer::run_due(SCHED.p(owner), SCHED.p(p), now, &mut GQueue::new());
}

/// Time goes on for long: everything that is in a heap comes up.
fn run_empty(timer: &Timer) {
    for now in 100..104 {
        expire(0, 0, now);
        expire(1, 1, now);
    }
    for p in [SCHED.p(0), SCHED.p(1)] {
        let (entries, zombies) = (p.timer_count.load(Relaxed), p.zombies.load(Relaxed));
        assert_eq!((entries, zombies), (0, 0), "P{} has (entries, cancelled ones)", p.id);
    }
    assert_eq!(timer.lock().when_ns, 0);
    assert_eq!(Arc::strong_count(timer), 1, "an entry's hold on its timer is left, or was dropped twice");
}

#[test]
fn a_timer_that_was_stopped_has_fired_or_never_will() {
    for thief in [0, 1] {
        explore(8, move || {
            let timer = timer();
            arm(&timer, SCHED.p(0), 10, 0);
            let expiry = thread::spawn(move || expire(0, thief, 20));
            if stop(&timer) {
                expiry.join().unwrap();
                assert_eq!(fired(&timer), 0, "it fired after it had been stopped");
            } else {
                assert_eq!(fired(&timer), 1, "stop said that it had fired, and it had not");
                expiry.join().unwrap();
            }
            let before = fired(&timer);
            run_empty(&timer);
            assert_eq!(fired(&timer), before);
        });
    }
}

#[test]
fn a_ticker_that_was_stopped_ticks_no_more() {
    explore(8, || {
        let timer = timer();
        arm(&timer, SCHED.p(0), 10, 7);
        let expiry = thread::spawn(|| expire(0, 1, 20));
        assert!(stop(&timer));
        let before = fired(&timer);
        expiry.join().unwrap();
        assert_eq!(fired(&timer), before, "it ticked after it had been stopped");
        run_empty(&timer);
        assert_eq!(fired(&timer), before);
    });
}

#[test]
fn a_timer_that_was_reset_fires_once_for_each_time_it_was_armed() {
    for (holder, when_ns) in [(0, 5), (1, 5), (0, 30), (1, 30)] {
        explore(8, move || {
            let timer = timer();
            arm(&timer, SCHED.p(0), 10, 0);
            let expiry = thread::spawn(|| expire(0, 1, 20));
            let was_armed = arm(&timer, SCHED.p(holder), when_ns, 0);
            expiry.join().unwrap();
            run_empty(&timer);
            assert_eq!(fired(&timer), if was_armed { 1 } else { 2 }, "armed for {when_ns} again by P{holder}");
        });
    }
}

#[test]
fn two_who_run_the_same_heap_share_its_timers() {
    explore(4, || {
        let (one, two) = (timer(), timer());
        arm(&one, SCHED.p(0), 10, 0);
        arm(&two, SCHED.p(0), 11, 0);
        let thief = thread::spawn(|| expire(0, 1, 20));
        stop(&two);
        arm(&two, SCHED.p(0), 12, 0);
        expire(0, 0, 20);
        thief.join().unwrap();
        run_empty(&one);
        assert_eq!(fired(&one), 1);
        assert!(matches!(fired(&two), 1 | 2));
    });
}

/// Brought forward by another P and put off again to the very time that its cancelled entry has: two entries of one time, in two heaps.
#[test]
fn an_entry_that_was_left_behind_is_not_taken_for_the_one_that_counts() {
    explore(8, || {
        let timer = timer();
        arm(&timer, SCHED.p(0), 10, 0);
        arm(&timer, SCHED.p(1), 5, 0);
        let thief = thread::spawn(|| expire(1, 1, 6));
        let was_armed = arm(&timer, SCHED.p(1), 10, 0);
        thief.join().unwrap();
        run_empty(&timer);
        assert_eq!(fired(&timer), if was_armed { 1 } else { 2 });
    });
}
