//! The central lists: for each class, batches of free blocks that Ps exchange, and the spans behind them.
//!
//! 1. One lock a class, of rank `HeapClass`. It guards the pile, the list of partial spans, and the records of all spans of the class. The
//!    lock of the page heap (`HeapPages`) may be taken under it.
//! 2. A batch is laid down and taken up in constant time. Only beyond `HEAP_CENTRAL_BYTES` of them, or for the scavenger, a batch is
//!    dissolved: its blocks go back to their spans, and a span without blocks in use goes back to the page heap.
//! 3. Nothing here is longer than a batch: 32 blocks at most, some microseconds when every one is a cache miss.
//!
//! Rejected: blocks straight into their spans (a producer and a consumer paid two cache misses a block); a lock-free pile (its pop needs
//! a counter against reuse, and the lock is taken once in 32 blocks).

use super::block::{Batch, Block, Pile};
use super::class::Class;
use super::ledger::Ledger;
use super::list::List;
use super::pages::Pages;
use super::segment::Segment;
use super::span::{Partial, Span, Supply};
use crate::base::lock::Lock;
use crate::base::tune::HEAP_CENTRAL_BYTES;

/// What a class has centrally. See the head of this file.
pub struct Central {
    pile: Pile,
    partial: List<Span, Partial>,
}

// SAFETY: invariant 1: what it points to is touched under its lock only.
unsafe impl Send for Central {}

impl Central {
    /// Nothing.
    pub const fn new() -> Central {
        Central { pile: Pile::new(), partial: List::new() }
    }

    /// Takes some blocks, a batch of the class at most. None: the page heap must grow first.
    pub fn take(&mut self, class: Class, pages: &Lock<Pages>, ledger: &Ledger) -> Option<Supply> {
        if let Some(batch) = self.pile.pop() {
            ledger.left_pile(class, batch.count);
            ledger.refilled(class);
            return Some(Supply::Linked(batch));
        }
        self.take_from_span(class, class.batch(), pages, ledger)
    }

    /// Takes one block, for an M without a P.
    pub fn take_one(&mut self, class: Class, pages: &Lock<Pages>, ledger: &Ledger) -> Option<*mut Block> {
        if let Some(batch) = self.pile.pop() {
            // SAFETY: the blocks on the pile are ours.
            unsafe {
                let (block, rest) = batch.split_first();
                if let Some(rest) = rest {
                    self.pile.push(rest);
                }
                ledger.left_pile(class, 1);
                return Some(block);
            }
        }
        let (Supply::Linked(batch) | Supply::Fresh(batch)) = self.take_from_span(class, 1, pages, ledger)?;
        Some(batch.head)
    }

    /// Takes back a batch.
    ///
    /// # Safety
    /// Its blocks are of `class`, and the caller's to give.
    pub unsafe fn give(&mut self, class: Class, batch: Batch, pages: &Lock<Pages>, ledger: &Ledger) {
        // SAFETY: the caller's contract.
        unsafe {
            if (ledger.piled(class) + batch.count) as usize * class.bytes() > HEAP_CENTRAL_BYTES {
                self.dissolve(class, batch, pages, ledger);
            } else {
                self.pile.push(batch);
                ledger.joined_pile(class, batch.count);
            }
        }
    }

    /// Takes back one block, from an M without a P.
    ///
    /// # Safety
    /// It is of `class`, and the caller's to give.
    pub unsafe fn give_one(&mut self, class: Class, block: *mut Block, pages: &Lock<Pages>, ledger: &Ledger) {
        // SAFETY: the caller's contract.
        unsafe {
            if (ledger.piled(class) + 1) as usize * class.bytes() > HEAP_CENTRAL_BYTES {
                self.give_to_span(class, block, pages, ledger);
            } else {
                self.pile.add(block, class.batch());
                ledger.joined_pile(class, 1);
            }
        }
    }

    /// Dissolves the batch on top of the pile. False: there is none.
    pub fn dissolve_one(&mut self, class: Class, pages: &Lock<Pages>, ledger: &Ledger) -> bool {
        let Some(batch) = self.pile.pop() else { return false };
        ledger.left_pile(class, batch.count);
        // SAFETY: the blocks on the pile are ours, and of this class.
        unsafe { self.dissolve(class, batch, pages, ledger) };
        true
    }

    fn take_from_span(&mut self, class: Class, want: u32, pages: &Lock<Pages>, ledger: &Ledger) -> Option<Supply> {
        let span = self.partial_span(class, pages, ledger)?;
        // SAFETY: invariant 1; spans in the list have blocks to give.
        let supply = unsafe {
            let supply = Span::take(span, class, want);
            if (*span).is_full() {
                self.partial.remove(span);
            }
            supply
        };
        let (Supply::Linked(batch) | Supply::Fresh(batch)) = &supply;
        ledger.left_span(class, batch.count);
        ledger.refilled(class);
        Some(supply)
    }

    fn partial_span(&mut self, class: Class, pages: &Lock<Pages>, ledger: &Ledger) -> Option<*mut Span> {
        if !self.partial.first().is_null() {
            return Some(self.partial.first());
        }
        let units = class.span_units();
        let run = pages.lock().take(units, class.span_align(), ledger)?;
        // SAFETY: the run is ours since just now.
        unsafe {
            let span = Segment::make_span(Segment::of(run.start), Segment::unit_of(run.start), units);
            (*span).init(class);
            self.partial.push_front(span);
            Some(span)
        }
    }

    unsafe fn dissolve(&mut self, class: Class, batch: Batch, pages: &Lock<Pages>, ledger: &Ledger) {
        let mut block = batch.head;
        for _ in 0..batch.count {
            // SAFETY: the caller's contract; the next one is read before this one is given away.
            unsafe {
                let next = (*block).next;
                self.give_to_span(class, block, pages, ledger);
                block = next;
            }
        }
    }

    unsafe fn give_to_span(&mut self, class: Class, block: *mut Block, pages: &Lock<Pages>, ledger: &Ledger) {
        ledger.joined_span(class, 1);
        // SAFETY: the caller's contract; invariant 1.
        unsafe {
            let span = Segment::span_of(block);
            if (*span).give(block, class) {
                self.partial.push_front(span);
            }
            if (*span).is_free() {
                self.partial.remove(span);
                (*span).retire();
                pages.lock().give(Segment::unit_address(span), class.span_units(), ledger);
            }
        }
    }
}
