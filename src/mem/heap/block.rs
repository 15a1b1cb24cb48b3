//! Free blocks, batches of them, and piles of batches: all linked through the blocks themselves.
//!
//! ```text
//!   pile -> [block | below] -> next batch down
//!              | next
//!           [block] -> [block] -> …   `count` blocks: one batch
//! ```
//!
//! 1. A free block is written in its first 16 bytes only: `next` in every one, `below` in the first of a batch that lies in a pile.
//! 2. `below` holds the count of the batch below in its upper 16 bits: user addresses have 47.
//! 3. Pushing and popping a whole batch is constant time, whatever its length: what crosses from P to P is not walked.

use core::ptr;

/// The first words of a free block.
#[repr(C)]
pub struct Block {
    /// The next one of its list; null at the end.
    pub next: *mut Block,
    below: *mut Block,
}

/// A list of `count` blocks, at least one.
#[derive(Clone, Copy)]
pub struct Batch {
    /// The first.
    pub head: *mut Block,
    /// How many.
    pub count: u32,
}

const COUNT_SHIFT: u32 = 48;

impl Batch {
    fn tag(self) -> *mut Block {
        self.head.map_addr(|addr| addr | (self.count as usize) << COUNT_SHIFT)
    }

    fn untag(tagged: *mut Block) -> Option<Batch> {
        let count = (tagged.addr() >> COUNT_SHIFT) as u32;
        (count != 0).then(|| Batch { head: tagged.map_addr(|addr| addr & !(usize::MAX << COUNT_SHIFT)), count })
    }

    /// Its first block, and the rest.
    ///
    /// # Safety
    /// The blocks are the caller's.
    pub unsafe fn split_first(self) -> (*mut Block, Option<Batch>) {
        // SAFETY: the caller's contract.
        let rest = Batch { head: unsafe { (*self.head).next }, count: self.count - 1 };
        (self.head, (rest.count != 0).then_some(rest))
    }
}

/// A stack of batches. All zero bytes are an empty one. It owns its blocks.
pub struct Pile {
    top: *mut Block,
}

// SAFETY: a pile owns its blocks; nobody else touches them.
unsafe impl Send for Pile {}

impl Pile {
    /// An empty one.
    pub const fn new() -> Pile {
        Pile { top: ptr::null_mut() }
    }

    /// Lays a batch on top.
    ///
    /// # Safety
    /// Its blocks are the caller's to give, and there are as many as it says.
    pub unsafe fn push(&mut self, batch: Batch) {
        // SAFETY: the caller's contract.
        unsafe { (*batch.head).below = self.top };
        self.top = batch.tag();
    }

    /// Takes the batch on top.
    pub fn pop(&mut self) -> Option<Batch> {
        let batch = Batch::untag(self.top)?;
        // SAFETY: invariant 1: it lies in this pile.
        self.top = unsafe { (*batch.head).below };
        Some(batch)
    }

    /// Adds one block: to the batch on top if that has fewer than `full`, else as a batch of its own.
    ///
    /// # Safety
    /// The block is the caller's to give.
    pub unsafe fn add(&mut self, block: *mut Block, full: u32) {
        // SAFETY: the caller's contract.
        unsafe {
            match Batch::untag(self.top) {
                Some(batch) if batch.count < full => {
                    let below = (*batch.head).below;
                    block.write(Block { next: batch.head, below });
                    self.top = Batch { head: block, count: batch.count + 1 }.tag();
                }
                _ => {
                    (*block).next = ptr::null_mut();
                    self.push(Batch { head: block, count: 1 });
                }
            }
        }
    }
}
