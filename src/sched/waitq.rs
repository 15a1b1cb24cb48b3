//! Wait queues: goroutines that wait for the same thing, linked through a `Waiter` on each one's stack. First in first out.
//!
//! 1. A queue is used under the lock of what it belongs to. A waiter is in one from before its goroutine parks until somebody takes it out.
//! 2. Who takes a waiter out owns its goroutine, and makes it ready once; after that the waiter may be gone.
//! 3. The goroutines are linked in the same order as their waiters, so a whole queue becomes a run queue in constant time.

use crate::gmp::G;
use crate::gmp::sched::GQueue;
use core::cell::Cell;
use core::ptr;

/// A place in a wait queue, on the stack of the goroutine that waits.
pub struct Waiter {
    g: *mut G,
    next: Cell<*mut Waiter>,
    previous: Cell<*mut Waiter>,
    /// Where a value is to be put, or taken from.
    pub slot: *mut u8,
    /// Has a value been put or taken? Else the channel was closed.
    pub served: Cell<bool>,
}

impl Waiter {
    /// A place for the running goroutine, for a value at `slot`.
    #[inline(always)]
    pub fn new(slot: *mut u8) -> Waiter {
        Waiter { g: G::current().as_ptr(), next: Cell::new(ptr::null_mut()), previous: Cell::new(ptr::null_mut()), slot, served: Cell::new(false) }
    }

    /// The goroutine that waits.
    #[inline(always)]
    pub fn g(&self) -> *mut G {
        self.g
    }
}

/// See the head of this file. All zero bytes are an empty queue.
pub struct WaitQueue {
    head: Cell<*mut Waiter>,
    tail: Cell<*mut Waiter>,
    len: Cell<u32>,
}

// SAFETY: invariant 1: a lock orders all use.
unsafe impl Send for WaitQueue {}

impl WaitQueue {
    /// An empty queue.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> WaitQueue {
        WaitQueue { head: Cell::new(ptr::null_mut()), tail: Cell::new(ptr::null_mut()), len: Cell::new(0) }
    }

    /// Is nobody in it?
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.head.get().is_null()
    }

    /// Puts `waiter` at the end.
    ///
    /// # Safety
    /// The lock is held. `waiter` stays where it is until it has been taken out.
    #[inline]
    pub unsafe fn push(&self, waiter: *mut Waiter) {
        // SAFETY: the caller's contract; the tail is in the queue (invariant 1).
        unsafe {
            (*waiter).previous.set(self.tail.get());
            (*(*waiter).g).set_link(ptr::null_mut());
            match self.tail.get().as_ref() {
                None => self.head.set(waiter),
                Some(tail) => {
                    tail.next.set(waiter);
                    (*tail.g).set_link((*waiter).g);
                }
            }
        }
        self.tail.set(waiter);
        self.len.set(self.len.get() + 1);
    }

    /// Puts `waiter` at the head: it has waited before.
    ///
    /// # Safety
    /// As for `push`.
    pub unsafe fn push_front(&self, waiter: *mut Waiter) {
        // SAFETY: the caller's contract; the head is in the queue (invariant 1).
        unsafe {
            let Some(head) = self.head.get().as_ref() else { return self.push(waiter) };
            (*waiter).next.set(self.head.get());
            (*(*waiter).g).set_link(head.g);
            head.previous.set(waiter);
        }
        self.head.set(waiter);
        self.len.set(self.len.get() + 1);
    }

    /// Takes the first out; null if there is none.
    ///
    /// # Safety
    /// The lock is held.
    #[inline]
    pub unsafe fn pop(&self) -> *mut Waiter {
        let first = self.head.get();
        // SAFETY: the caller's contract and invariant 1.
        if let Some(waiter) = unsafe { first.as_ref() } {
            self.head.set(waiter.next.get());
            // SAFETY: as above.
            match unsafe { waiter.next.get().as_ref() } {
                None => self.tail.set(ptr::null_mut()),
                Some(next) => next.previous.set(ptr::null_mut()),
            }
            self.len.set(self.len.get() - 1);
        }
        first
    }

    /// Takes `waiter` out, which is in here.
    ///
    /// # Safety
    /// The lock is held.
    pub unsafe fn remove(&self, waiter: &Waiter) {
        let (previous, next) = (waiter.previous.get(), waiter.next.get());
        // SAFETY: its neighbours are in the queue (invariant 1).
        unsafe {
            match previous.as_ref() {
                None => self.head.set(next),
                Some(previous) => {
                    previous.next.set(next);
                    (*previous.g).set_link(next.as_ref().map_or(ptr::null_mut(), |next| next.g)); // invariant 3
                }
            }
            match next.as_ref() {
                None => self.tail.set(previous),
                Some(next) => next.previous.set(previous),
            }
        }
        self.len.set(self.len.get() - 1);
    }

    /// Takes all out at once, as a queue of goroutines to be made ready.
    ///
    /// # Safety
    /// The lock is held.
    pub unsafe fn take_all(&self) -> GQueue {
        let (head, tail) = (self.head.replace(ptr::null_mut()), self.tail.replace(ptr::null_mut()));
        let len = self.len.replace(0);
        if head.is_null() {
            return GQueue::new();
        }
        // SAFETY: invariants 1 and 3.
        unsafe { GQueue::of_linked((*head).g, (*tail).g, len) }
    }
}
