//! A queue of goroutines, linked through them: first in first out, no memory of its own.
//!
//! 1. What is in a queue belongs to it, and it to one owner.

use super::G;
use core::ptr;

/// See the head of this file.
pub struct GQueue {
    head: *mut G,
    tail: *mut G,
    len: u32,
}

impl GQueue {
    /// An empty queue.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> GQueue {
        GQueue { head: ptr::null_mut(), tail: ptr::null_mut(), len: 0 }
    }

    /// A queue of `len` goroutines that are linked already.
    ///
    /// # Safety
    /// They are linked from `head` to `tail`, and the caller owns them.
    pub const unsafe fn of_linked(head: *mut G, tail: *mut G, len: u32) -> GQueue {
        GQueue { head, tail, len }
    }

    /// How many are in it.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// The oldest, which stays in it; null if there is none.
    pub fn oldest(&self) -> *mut G {
        if self.len == 0 { ptr::null_mut() } else { self.head }
    }

    /// Calls `visit` with each.
    pub fn for_each(&self, mut visit: impl FnMut(*mut G)) {
        let mut next = self.oldest();
        for n in 0..self.len {
            visit(next);
            // SAFETY: what is in the queue is ours.
            next = if n + 1 == self.len { next } else { unsafe { (*next).link() } };
        }
    }

    /// Is nothing in it?
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts `g` at the end.
    ///
    /// # Safety
    /// `g` is a runnable goroutine that the caller owns.
    pub unsafe fn push(&mut self, g: *mut G) {
        // SAFETY: the caller's contract; the tail is in this queue, so it is ours.
        unsafe {
            (*g).set_link(ptr::null_mut());
            if self.head.is_null() {
                self.head = g;
            } else {
                (*self.tail).set_link(g);
            }
        }
        self.tail = g;
        self.len += 1;
    }

    /// Takes the oldest; null if there is none.
    pub fn pop(&mut self) -> *mut G {
        let g = self.head;
        if !g.is_null() {
            self.len -= 1;
            // SAFETY: what is in the queue is ours.
            self.head = if self.len == 0 { ptr::null_mut() } else { unsafe { (*g).link() } };
        }
        g
    }

    /// Calls `visit` with the first `most`.
    #[cold]
    #[inline(never)]
    pub fn first(&self, most: u32, visit: &mut dyn FnMut(*mut G)) {
        let mut at = self.head;
        for _ in 0..self.len.min(most) {
            visit(at);
            // SAFETY: what is in the queue is ours.
            at = unsafe { (*at).link() };
        }
    }

    /// Moves all of `other` to the end of this one, in constant time.
    pub fn append(&mut self, other: GQueue) {
        if other.head.is_null() {
            return;
        }
        if self.head.is_null() {
            self.head = other.head;
        } else {
            // SAFETY: the tail is in this queue.
            unsafe { (*self.tail).set_link(other.head) };
        }
        self.tail = other.tail;
        self.len += other.len;
    }
}

// SAFETY: a queue owns its goroutines.
unsafe impl Send for GQueue {}
