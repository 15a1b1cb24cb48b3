//! The double of `sys::futex` in a model: a waiter and a waker meet under one lock, as they do in the kernel's hash bucket.
//!
//! 1. `wait` looks at the word under the lock: a wake-up that was made before sees no sleeper, and then its change of the word is seen here.
//! 2. A sleeper that nobody wakes stays asleep, and loom reports the deadlock: a wake-up that is lost is found.
//! 3. A time-out comes when the model says so (`time_is_up`), before, during or after the sleep.
//!
//! What it leaves out: spurious returns, signals, and wake-ups meant for another word at the same address.

use super::super::atomic::{AtomicU32, Ordering};
use crate::sys::Errno;
use core::time::Duration;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::vec::Vec;

#[derive(Clone)]
struct Sleeper {
    thread: loom::thread::Thread,
    woken: Arc<AtomicBool>,
    timed: bool,
    timed_out: Arc<AtomicBool>,
}

#[derive(Default)]
struct Bucket {
    sleepers: HashMap<usize, Vec<Sleeper>>,
    time_is_up: bool,
}

loom::lazy_static! {
    static ref BUCKET: loom::sync::Mutex<Bucket> = loom::sync::Mutex::new(Bucket::default());
}

fn address(word: &AtomicU32) -> usize {
    core::ptr::from_ref(word).addr()
}

fn sleep(word: &AtomicU32, expected: u32, timed: bool) -> Result<(), Errno> {
    let me = Sleeper { thread: loom::thread::current(), woken: Arc::default(), timed, timed_out: Arc::default() };
    {
        let mut bucket = BUCKET.lock().unwrap();
        if word.load(Ordering::SeqCst) != expected {
            return Err(Errno::AGAIN);
        }
        if timed && bucket.time_is_up {
            return Err(Errno::TIMEDOUT);
        }
        bucket.sleepers.entry(address(word)).or_default().push(me.clone());
    }
    while !me.woken.load(SeqCst) {
        loom::thread::park();
    }
    if me.timed_out.load(SeqCst) { Err(Errno::TIMEDOUT) } else { Ok(()) }
}

fn rouse(sleeper: &Sleeper) {
    sleeper.woken.store(true, SeqCst);
    sleeper.thread.unpark();
}

/// As the real one.
pub fn wait(word: &AtomicU32, expected: u32, _: Option<Duration>) -> Result<(), Errno> {
    sleep(word, expected, false)
}

/// As the real one; `time_is_up` ends it.
pub fn wait_until(word: &AtomicU32, expected: u32, _: u64) -> Result<(), Errno> {
    sleep(word, expected, true)
}

/// As the real one.
pub fn wake(word: &AtomicU32, count: u32) -> Result<usize, Errno> {
    let mut bucket = BUCKET.lock().unwrap();
    let sleepers = bucket.sleepers.entry(address(word)).or_default();
    let count = sleepers.len().min(count as usize);
    sleepers.drain(..count).for_each(|sleeper| rouse(&sleeper));
    Ok(count)
}

/// The clock reaches every deadline.
pub fn time_is_up() {
    let mut bucket = BUCKET.lock().unwrap();
    bucket.time_is_up = true;
    for sleepers in bucket.sleepers.values_mut() {
        for sleeper in sleepers.extract_if(.., |sleeper| sleeper.timed) {
            sleeper.timed_out.store(true, SeqCst);
            rouse(&sleeper);
        }
    }
}
