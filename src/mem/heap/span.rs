//! A span: a run of units cut into blocks of one class, and the record of which blocks are away.
//!
//! 1. The record lies in the header of the segment, never in the span: a block may fill its page.
//! 2. Every field is guarded by the lock of the span's class (`central`).
//! 3. Blocks are cut off as they are first needed, so pages are touched as they are first needed.
//!
//! | `live`              | meaning                                          | is in the class's list |
//! |---------------------|--------------------------------------------------|------------------------|
//! | 0                   | no block is away: the span goes back to `pages`  | no                     |
//! | 1 to `capacity - 1` | it has free blocks, or some that were never cut  | yes                    |
//! | `capacity`          | all blocks are away                              | no                     |

use super::block::{Batch, Block};
use super::class::{CLASSES, Class};
use super::list::{Linked, Links};
use super::segment::{Segment, UNIT};
use crate::base::throw;
use crate::sys::memory::PAGE;
use core::ptr;

/// `class` of a record that is not a span.
const NO_CLASS: u8 = u8::MAX;

/// See the head of this file.
#[repr(C)]
pub struct Span {
    free: *mut Block,
    links: Links<Span>,
    live: u16,
    cut: u16,
    capacity: u16,
    class: u8,
}

/// The role of a class's list of spans that have blocks to give.
pub struct Partial;

// SAFETY: always the field `links`.
unsafe impl Linked<Partial> for Span {
    unsafe fn links(this: *mut Span) -> *mut Links<Span> {
        // SAFETY: the caller's contract.
        unsafe { &raw mut (*this).links }
    }
}

/// What a span gave.
pub enum Supply {
    /// Linked blocks.
    Linked(Batch),
    /// Blocks that follow one another in memory and were never touched: the taker links them, outside of the lock.
    Fresh(Batch),
}

impl Span {
    /// Makes the record of a new span of `class`.
    pub fn init(&mut self, class: Class) {
        let capacity = (class.span_units() as usize * UNIT / class.bytes()) as u16;
        *self = Span { free: ptr::null_mut(), links: Links::new(), live: 0, cut: 0, capacity, class: class.number() as u8 };
    }

    /// The record is none any more: a block that is freed into it from now on is found out.
    pub fn retire(&mut self) {
        self.class = NO_CLASS;
    }

    /// The class of its blocks; none if the record is none.
    pub fn class(&self) -> Option<Class> {
        (self.capacity != 0 && usize::from(self.class) < CLASSES).then(|| Class::nth(self.class.into()))
    }

    /// Is no block away?
    pub fn is_free(&self) -> bool {
        self.live == 0
    }

    /// Are all blocks away?
    pub fn is_full(&self) -> bool {
        self.live == self.capacity
    }

    /// Takes up to `want` blocks: freed ones if there are any; else new ones, which lie together, and no more of them than a page holds. A
    /// program that wants one block of each class touches one page of each.
    ///
    /// # Safety
    /// `this` is the record of a span of `class` that is not full; the caller holds the lock of the class.
    pub unsafe fn take(this: *mut Span, class: Class, want: u32) -> Supply {
        // SAFETY: invariant 2.
        let span = unsafe { &mut *this };
        let free = span.free;
        if free.is_null() {
            let count = fresh_count(class, want).min(u32::from(span.capacity - span.cut));
            let offset = usize::from(span.cut) * class.bytes();
            span.cut += count as u16;
            span.live += count as u16;
            // SAFETY: blocks below `capacity` lie in the span.
            let head = unsafe { Segment::unit_address(this).add(offset) };
            return Supply::Fresh(Batch { head: head.cast(), count });
        }
        let (mut last, mut count) = (free, 1);
        // SAFETY: the free list is the span's own.
        unsafe {
            while count < want && !(*last).next.is_null() {
                last = (*last).next;
                count += 1;
            }
            span.free = ptr::replace(&raw mut (*last).next, ptr::null_mut());
        }
        span.live += count as u16;
        Supply::Linked(Batch { head: free, count })
    }

    /// Takes back one block. Returns whether the span was full before.
    ///
    /// # Safety
    /// The block is the caller's to give and lies in this span, if it is one of `class` at all; the caller holds the lock of the class.
    pub unsafe fn give(&mut self, block: *mut Block, class: Class) -> bool {
        if usize::from(self.class) != class.number() {
            throw!("heap: {block:p} freed as a block of {} bytes, but it is none", class.bytes());
        }
        if self.live == 0 {
            throw!("heap: {block:p} freed twice: no block of its span is in use");
        }
        let was_full = self.is_full();
        // SAFETY: the caller's contract.
        unsafe { (*block).next = self.free };
        self.free = block;
        self.live -= 1;
        was_full
    }
}

/// How many new blocks to cut at a time: in fours where several fit into a page, which is whole cache lines for every class, so that
/// those of two Ps share none.
fn fresh_count(class: Class, want: u32) -> u32 {
    let in_page = (PAGE / class.bytes()) as u32;
    want.min(if in_page >= 4 { in_page & !3 } else { in_page.max(1) })
}

impl Supply {
    /// Links the blocks.
    ///
    /// # Safety
    /// They are the caller's, of `class`, and nobody has linked them since they were taken.
    pub unsafe fn link(self, class: Class) -> Batch {
        let Supply::Fresh(batch) = self else {
            let Supply::Linked(batch) = self else { unreachable!() };
            return batch;
        };
        let mut block = batch.head;
        for _ in 1..batch.count {
            // SAFETY: the caller's contract.
            unsafe {
                let next = block.byte_add(class.bytes());
                (*block).next = next;
                block = next;
            }
        }
        // SAFETY: as above.
        unsafe { (*block).next = ptr::null_mut() };
        batch
    }
}
