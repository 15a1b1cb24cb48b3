//! A list of free stacks, linked through their descriptors: last in first out, and spliced whole in constant time.

use crate::arch::GHeader;
use core::ptr;

/// See the head of this file. All zero bytes are an empty list.
pub struct StackList {
    head: *mut GHeader,
    last: *mut GHeader,
    /// How many stacks are in it.
    pub count: u32,
}

// SAFETY: the list owns its free stacks; nobody else touches them.
unsafe impl Send for StackList {}

impl StackList {
    /// An empty list.
    pub const fn new() -> StackList {
        StackList { head: ptr::null_mut(), last: ptr::null_mut(), count: 0 }
    }

    /// How many stacks are in it.
    #[inline]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Puts a stack on top.
    ///
    /// # Safety
    /// `header` is that of a free dirty stack which nobody else has, or of the one that the caller stands on and is about to leave (R4).
    #[inline]
    pub unsafe fn push(&mut self, header: *mut GHeader) {
        // SAFETY: the caller's contract.
        unsafe { (*header).link.set(self.head) };
        if self.head.is_null() {
            self.last = header;
        }
        self.head = header;
        self.count += 1;
    }

    /// Takes the one on top; null if the list is empty.
    #[inline]
    pub fn pop(&mut self) -> *mut GHeader {
        let header = self.head;
        if !header.is_null() {
            // SAFETY: what is in the list is ours.
            self.head = unsafe { (*header).link.get() };
            self.count -= 1;
        }
        header
    }

    /// Puts all of `other` below this list's stacks.
    pub fn append(&mut self, other: StackList) {
        if other.head.is_null() {
            return;
        }
        if self.head.is_null() {
            *self = other;
            return;
        }
        // SAFETY: `last` is the last of this list, which is ours.
        unsafe { (*self.last).link.set(other.head) };
        self.last = other.last;
        self.count += other.count;
    }

    /// Splits off all but the `keep` on top. Walks them: `keep` is small.
    pub fn split_off(&mut self, keep: u32) -> StackList {
        if self.count <= keep {
            return StackList::new();
        }
        if keep == 0 {
            return core::mem::take(self);
        }
        let mut at = self.head;
        for _ in 1..keep {
            // SAFETY: the list is longer than `keep`.
            at = unsafe { (*at).link.get() };
        }
        // SAFETY: as above.
        let rest = StackList { head: unsafe { (*at).link.get() }, last: self.last, count: self.count - keep };
        // SAFETY: as above.
        unsafe { (*at).link.set(ptr::null_mut()) };
        self.last = at;
        self.count = keep;
        rest
    }
}

impl Default for StackList {
    fn default() -> StackList {
        StackList::new()
    }
}
