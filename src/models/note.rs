//! A note: the real `base::note` over a model of the futex (`base::model::futex`), which never returns for no reason: a lost wake-up is a deadlock.

use super::explore;
use crate::base::model::futex::time_is_up;
use crate::base::note::Note;
use loom::thread;
use std::sync::Arc;

struct Told {
    note: Note,
    what: loom::cell::UnsafeCell<u32>,
}

// SAFETY: loom checks the use of the cell.
unsafe impl Sync for Told {}

fn told() -> Arc<Told> {
    Arc::new(Told { note: Note::new(), what: loom::cell::UnsafeCell::new(0) })
}

impl Told {
    fn say(&self, what: u32) {
        // SAFETY: loom checks that nobody else is at it.
        self.what.with_mut(|told| unsafe { *told = what });
        self.note.wake();
    }

    fn heard(&self) -> u32 {
        // SAFETY: as above.
        self.what.with(|told| unsafe { *told })
    }
}

#[test]
fn a_wake_up_is_never_lost_and_brings_what_came_before_it() {
    explore(4, || {
        let (to, from) = (told(), told());
        let other = {
            let (to, from) = (to.clone(), from.clone());
            thread::spawn(move || {
                for n in 1..=2 {
                    to.note.sleep();
                    assert_eq!(to.heard(), n);
                    to.note.clear();
                    from.say(n);
                }
            })
        };
        for n in 1..=2 {
            to.say(n);
            from.note.sleep();
            assert_eq!(from.heard(), n);
            from.note.clear();
        }
        other.join().unwrap();
    });
}

#[test]
fn a_timed_sleep_ends_by_the_wake_up_or_the_time_and_says_which() {
    explore(3, || {
        let told = told();
        let clock = thread::spawn(time_is_up);
        let waker = {
            let told = told.clone();
            thread::spawn(move || told.say(7))
        };
        if told.note.sleep_until(1) {
            assert_eq!(told.heard(), 7);
        } else {
            // The time came: the note is as it was, and the wake-up still counts.
            told.note.sleep();
            assert_eq!(told.heard(), 7);
        }
        told.note.clear();
        clock.join().unwrap();
        waker.join().unwrap();
    });
}
