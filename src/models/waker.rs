//! Wakers: the real `base::wake_word`, `sched::waker` and `sched::waker_slot`, over the doubles of `park` and `ready`.

use super::explore;
use crate::base::atomic::{AtomicU32, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed, Ordering::SeqCst};
use crate::base::wake_word::{WAITING, WakeWord};
use crate::sched::waker::block_on;
use crate::sched::waker_slot::WakerSlot;
use core::future::poll_fn;
use core::task::{Poll, Waker};
use loom::thread;
use std::sync::Arc;
use std::sync::Mutex as StdMutex;

/// Something to wait for: what is written before the wake-up is seen after it.
struct Event {
    /// Not loom's: it orders nothing.
    waker: StdMutex<Option<Waker>>,
    came: AtomicU32,
    value: loom::cell::UnsafeCell<u32>,
}

// SAFETY: loom checks the use of the cell.
unsafe impl Sync for Event {}
// SAFETY: as above.
unsafe impl Send for Event {}

fn event() -> Arc<Event> {
    Arc::new(Event { waker: StdMutex::new(None), came: AtomicU32::new(0), value: loom::cell::UnsafeCell::new(0) })
}

impl Event {
    fn wait(&self, started: impl Fn(&Waker)) -> u32 {
        let mut is_first = true;
        block_on(poll_fn(|context| {
            if core::mem::take(&mut is_first) {
                started(context.waker());
            }
            // A poll may come between the event and the wake-up.
            if self.came.load(Acquire) == 0 { Poll::Pending } else { Poll::Ready(()) }
        }));
        // SAFETY: loom checks that nobody else is changing it.
        self.value.with(|value| unsafe { *value })
    }
}

/// Another thread has it come, and calls the waker.
fn comes_elsewhere(event: &Arc<Event>, waker: &Waker) {
    let (event, waker) = (event.clone(), waker.clone());
    thread::spawn(move || {
        // SAFETY: loom checks that nobody else is at it.
        event.value.with_mut(|value| unsafe { *value = 7 });
        event.came.store(1, SeqCst);
        waker.wake();
    });
}

#[test]
fn a_wake_up_against_a_park_is_not_lost_and_comes_after_the_stack_was_left() {
    explore(4, || {
        let event = event();
        let handed = event.clone();
        assert_eq!(event.wait(|waker| comes_elsewhere(&handed, waker)), 7);
    });
}

#[test]
fn of_two_wakers_one_makes_ready_and_what_both_did_is_seen() {
    explore(3, || {
        let count = Arc::new(AtomicU32::new(0));
        let mut is_first = true;
        block_on(poll_fn(|context| {
            if core::mem::take(&mut is_first) {
                for _ in 0..2 {
                    let (count, waker) = (count.clone(), context.waker().clone());
                    thread::spawn(move || {
                        count.fetch_add(1, Relaxed);
                        waker.wake();
                    });
                }
            }
            // Relaxed: what a waker did before is seen by the poll that it causes.
            if count.load(Relaxed) == 2 { Poll::Ready(()) } else { Poll::Pending }
        }));
    });
}

#[test]
fn a_waker_of_before_wakes_nobody_else_and_loses_nothing() {
    explore(3, || {
        let old = block_on(poll_fn(|context| Poll::Ready(context.waker().clone())));
        thread::spawn(move || old.wake());
        let event = event();
        let handed = event.clone();
        assert_eq!(event.wait(|waker| comes_elsewhere(&handed, waker)), 7);
    });
}

#[test]
fn a_wake_up_of_the_outer_future_waits_for_its_turn() {
    explore(3, || {
        let (outer, inner) = (event(), event());
        let mut is_first = true;
        block_on(poll_fn(|context| {
            if core::mem::take(&mut is_first) {
                let (event, waker) = (outer.clone(), context.waker().clone());
                thread::spawn(move || {
                    event.came.store(1, SeqCst);
                    waker.wake();
                });
                let handed = inner.clone();
                inner.wait(|waker| {
                    let (event, waker) = (handed.clone(), waker.clone());
                    thread::spawn(move || {
                        event.came.store(1, SeqCst);
                        waker.wake();
                    });
                });
                return Poll::Pending;
            }
            if outer.came.load(Relaxed) == 0 { Poll::Pending } else { Poll::Ready(()) }
        }));
    });
}

#[test]
fn who_polls_and_who_ends_do_not_miss_each_other() {
    explore(4, || {
        let (slot, ended) = (Arc::new(WakerSlot::new()), Arc::new(AtomicU32::new(1)));
        thread::spawn({
            let (slot, ended) = (slot.clone(), ended.clone());
            move || {
                // As `Countdown::done`, in `sched::join`.
                ended.fetch_sub(1, AcqRel);
                if let Some(waker) = slot.take() {
                    waker.wake();
                }
            }
        });
        block_on(poll_fn(|context| {
            if ended.load(Acquire) != 0 {
                slot.set(context.waker());
                if ended.load(Acquire) != 0 {
                    return Poll::Pending;
                }
            }
            Poll::Ready(())
        }));
    });
}

/// The word alone: a goroutine that does not park is not owned by anybody.
#[test]
fn who_stays_is_nobodys() {
    explore(5, || {
        let word = Arc::new(WakeWord::new());
        let level = word.open();
        let waker = {
            let word = word.clone();
            thread::spawn(move || word.wake(0))
        };
        match word.begin_wait(level) {
            None => assert!(word.take(level) && !waker.join().unwrap()),
            Some(commit) => {
                // SAFETY: the word is there.
                unsafe { crate::base::atomic::commit(commit, WAITING) };
                assert!(waker.join().unwrap(), "it waits, so somebody must own it");
            }
        }
    });
}
