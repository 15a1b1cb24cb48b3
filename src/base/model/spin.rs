//! Spinning in a model: who waits for a word sleeps until it is stored to. loom would explore two who spin in turn for ever.
//!
//! 1. No step of loom's lies between an attempt that failed and `wait`, nor between a store and `stored`: no wake-up is lost.
//! 2. Who is woken has seen what its waker had: so an order that is missing is found where the lock is taken at once, not where it was waited for.

use super::super::atomic::AtomicU32;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::vec::Vec;

struct Spinner {
    thread: loom::thread::Thread,
    go_on: Rc<core::cell::Cell<bool>>,
}

std::thread_local! {
    /// The threads of a model share one of std's.
    static SPINNERS: RefCell<HashMap<usize, Vec<Spinner>>> = RefCell::default();
}

fn address(word: &AtomicU32) -> usize {
    core::ptr::from_ref(word).addr()
}

/// Waits until somebody has stored to `word`.
pub fn wait(word: &AtomicU32) {
    let go_on = Rc::<core::cell::Cell<bool>>::default();
    let me = Spinner { thread: loom::thread::current(), go_on: go_on.clone() };
    SPINNERS.with_borrow_mut(|spinners| spinners.entry(address(word)).or_default().push(me));
    while !go_on.get() {
        loom::thread::park();
    }
}

/// `word` has just been stored to.
pub fn stored(word: &AtomicU32) {
    for spinner in SPINNERS.with_borrow_mut(|spinners| spinners.remove(&address(word))).into_iter().flatten() {
        spinner.go_on.set(true);
        spinner.thread.unpark();
    }
}

/// A new order begins: whoever waited in the last one is gone.
pub fn forget() {
    SPINNERS.with_borrow_mut(HashMap::clear);
}
