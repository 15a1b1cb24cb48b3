//! The cache of a P: for each class two short lists of free blocks that only the P's owner touches.
//!
//! 1. Who uses it has preemption disabled, so the M keeps its P (R1). `arch::tls::cache` points to it; null on an M without a P.
//! 2. All zero bytes are an empty cache. A class is `active` from its first use to the next flush; in a class that is not, `room` is 0 and
//!    both lists are empty, so that the first `push` and the first `pop` take the slow way.
//! 3. `top` has at most a batch of blocks, `spare` has none or exactly a batch: an owner who allocates and frees by turns at any boundary
//!    goes to the central list at most once a batch.
//! 4. `push` and `pop` touch one line of the cache and the block itself. `room` counts down, so a full list is one that has reached zero,
//!    without a look at the size of the class's batches.

use super::Heap;
use super::block::{Batch, Block};
use super::class::{CLASSES, Class};
use crate::base::throw;
use core::ptr;

/// See the head of this file.
#[repr(C, align(64))]
pub struct Cache {
    tops: [Top; CLASSES],
    spares: [*mut Block; CLASSES],
    active: u64,
}

#[repr(C)]
struct Top {
    head: *mut Block,
    /// How many more blocks fit.
    room: u32,
}

static_assertions::const_assert!(size_of::<Cache>() <= 1024);
static_assertions::const_assert!(CLASSES <= u64::BITS as usize);

impl Cache {
    /// An empty one: all zero bytes.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Cache {
        Cache { tops: [const { Top { head: ptr::null_mut(), room: 0 } }; CLASSES], spares: [ptr::null_mut(); CLASSES], active: 0 }
    }

    /// Takes a block; null if there is none on top.
    #[inline(always)]
    pub(super) fn pop(&mut self, class: Class) -> *mut Block {
        let top = &mut self.tops[class.number()];
        let head = top.head;
        if !head.is_null() {
            // SAFETY: what is in the list is ours.
            top.head = unsafe { (*head).next };
            top.room += 1;
        }
        head
    }

    /// Puts a block back. False, and nothing done, if the top list is full.
    ///
    /// # Safety
    /// The block is of `class`, and the caller's to give.
    #[inline(always)]
    pub(super) unsafe fn push(&mut self, class: Class, block: *mut Block) -> bool {
        let top = &mut self.tops[class.number()];
        if top.room == 0 {
            return false;
        }
        if cfg!(debug_assertions) && top.head == block {
            throw!("heap: {block:p} freed twice in a row");
        }
        // SAFETY: the caller's contract.
        unsafe { (*block).next = top.head };
        top.head = block;
        top.room -= 1;
        true
    }

    /// Takes a block when the top list is empty. Null: the heap must grow first.
    #[inline(never)]
    pub(super) fn pop_slow(&mut self, heap: &Heap, class: Class) -> *mut Block {
        let number = class.number();
        let spare = core::mem::replace(&mut self.spares[number], ptr::null_mut());
        let batch = if spare.is_null() {
            let Some(supply) = heap.central(class).lock().take(class, &heap.pages, &heap.ledger) else { return ptr::null_mut() };
            // SAFETY: just taken.
            unsafe { supply.link(class) }
        } else {
            Batch { head: spare, count: class.batch() }
        };
        self.active |= 1 << number;
        self.tops[number] = Top { head: batch.head, room: class.batch() - batch.count };
        self.pop(class)
    }

    /// Puts a block back when the top list is full, or the class not active.
    ///
    /// # Safety
    /// As `push`.
    pub(super) unsafe fn push_slow(&mut self, heap: &Heap, class: Class, block: *mut Block) {
        let number = class.number();
        if self.active & (1 << number) != 0 {
            let full = core::mem::replace(&mut self.spares[number], self.tops[number].head);
            if !full.is_null() {
                // SAFETY: invariant 3: a batch of blocks of this class.
                unsafe { heap.give(class, Batch { head: full, count: class.batch() }) };
            }
        }
        self.active |= 1 << number;
        self.tops[number] = Top { head: ptr::null_mut(), room: class.batch() };
        // SAFETY: the caller's contract.
        if !unsafe { self.push(class, block) } {
            throw!("heap: the cache has no room for {} bytes after making some", class.bytes());
        }
    }

    /// Gives everything to the central lists: constant time for a class that was used since the last flush, none for the others.
    ///
    /// The P's owner calls it, or whoever holds the P when it has none, with preemption disabled.
    pub fn flush(&mut self) {
        self.flush_to(&super::HEAP);
    }

    pub(super) fn flush_to(&mut self, heap: &Heap) {
        let mut active = core::mem::replace(&mut self.active, 0);
        while active != 0 {
            let number = active.trailing_zeros() as usize;
            active &= active - 1;
            let class = Class::nth(number);
            let top = core::mem::replace(&mut self.tops[number], Top { head: ptr::null_mut(), room: 0 });
            let spare = core::mem::replace(&mut self.spares[number], ptr::null_mut());
            for (head, count) in [(spare, class.batch()), (top.head, class.batch() - top.room)] {
                if !head.is_null() {
                    // SAFETY: the blocks of our lists, of this class.
                    unsafe { heap.give(class, Batch { head, count }) };
                }
            }
        }
    }
}
