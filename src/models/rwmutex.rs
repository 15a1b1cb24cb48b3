//! The reader-writer mutex: the real `sync::raw_rwmutex` and `sync::raw_mutex`, over the real semaphores and the doubles of `park` and `ready`.
//!
//! In a model a mutex' waiter is starving after its first turn (`sync::raw_mutex`, `Start`).

use super::explore;
use crate::sync::raw_rwmutex::RawRwMutex;
use loom::thread;
use std::sync::Arc;

struct Guarded {
    mutex: RawRwMutex,
    value: loom::cell::UnsafeCell<u32>,
}

// SAFETY: loom checks the use of the cell.
unsafe impl Sync for Guarded {}

impl Guarded {
    fn new() -> Arc<Guarded> {
        Arc::new(Guarded { mutex: RawRwMutex::new(), value: loom::cell::UnsafeCell::new(0) })
    }

    fn read(&self) -> u32 {
        self.mutex.read();
        let value = self.get();
        self.mutex.unlock_read();
        value
    }

    fn write(&self) {
        self.mutex.write();
        self.add_one();
        self.mutex.unlock_write();
    }

    fn get(&self) -> u32 {
        // SAFETY: loom checks that nobody changes it.
        self.value.with(|value| unsafe { *value })
    }

    fn add_one(&self) {
        // SAFETY: loom checks that nobody else is at it.
        self.value.with_mut(|value| unsafe { *value += 1 });
    }
}

#[test]
fn who_writes_is_alone_and_everybody_gets_in() {
    explore(3, || {
        let guarded = Guarded::new();
        let reader = {
            let guarded = guarded.clone();
            thread::spawn(move || assert!(guarded.read() <= 2))
        };
        let writer = {
            let guarded = guarded.clone();
            thread::spawn(move || guarded.write())
        };
        guarded.write();
        reader.join().unwrap();
        writer.join().unwrap();
        assert_eq!(guarded.read(), 2);
    });
}

#[test]
fn a_writer_waits_for_all_readers() {
    explore(3, || {
        let guarded = Guarded::new();
        let readers = [0, 1].map(|_| {
            let guarded = guarded.clone();
            thread::spawn(move || guarded.read())
        });
        guarded.write();
        readers.into_iter().for_each(|reader| assert!(reader.join().unwrap() <= 1));
    });
}

#[test]
fn an_attempt_waits_for_nobody_and_breaks_in_on_nobody() {
    explore(3, || {
        let guarded = Guarded::new();
        let tries = {
            let guarded = guarded.clone();
            thread::spawn(move || {
                if guarded.mutex.try_write() {
                    guarded.add_one();
                    guarded.mutex.unlock_write();
                }
                if guarded.mutex.try_read() {
                    guarded.get();
                    guarded.mutex.unlock_read();
                }
            })
        };
        let reader = {
            let guarded = guarded.clone();
            thread::spawn(move || guarded.read())
        };
        guarded.write();
        tries.join().unwrap();
        reader.join().unwrap();
        assert!(guarded.read() >= 1);
    });
}
