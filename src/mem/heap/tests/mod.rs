//! The heap as a whole, on heaps of their own: what is written stays, what is freed is found again, what is refused is survived.

mod accounts;
mod described;
mod layouts;
mod refusal;
mod storm;

use super::cache::Cache;
use super::{Heap, Stats};
use crate::arch::tls;
use crate::base::NoPreempt;
use crate::base::rng::Rng;
use std::alloc::Layout;
use std::boxed::Box;
use std::ptr;

/// A heap that nobody else uses. It stays to the end of the test process.
fn new_heap() -> &'static Heap {
    Box::leak(Box::new(Heap::new()))
}

/// Runs `work` as an M does that has a P, and flushes the P's cache at the end.
fn with_p<T>(heap: &Heap, work: impl FnOnce() -> T) -> T {
    let mut cache = Cache::new();
    // SAFETY: the cache lives until it is taken away again below.
    unsafe { tls::set_p(ptr::null_mut(), (&raw mut cache).cast()) };
    let result = work();
    let _guard = NoPreempt::new();
    // SAFETY: as above.
    unsafe { tls::set_p(ptr::null_mut(), ptr::null_mut()) };
    cache.flush_to(heap);
    result
}

/// Gives everything back that is free.
fn settle(heap: &Heap) -> Stats {
    heap.release(0, || true);
    heap.ledger.stats()
}

/// A block in use, marked so that any overlap with another one is seen: by a word at both ends and every 512 bytes.
struct Held {
    block: *mut u8,
    layout: Layout,
    mark: u8,
}

// SAFETY: whoever has it may use the block.
unsafe impl Send for Held {}

impl Held {
    fn new(heap: &Heap, layout: Layout, mark: u8) -> Held {
        Held::try_new(heap, layout, mark).expect("no memory")
    }

    fn try_new(heap: &Heap, layout: Layout, mark: u8) -> Option<Held> {
        let block = heap.alloc(layout);
        if block.is_null() {
            return None;
        }
        assert_eq!(block.addr() % layout.align(), 0, "{layout:?}");
        let held = Held { block, layout, mark };
        held.write();
        Some(held)
    }

    fn places(&self) -> impl Iterator<Item = usize> + use<> {
        let (size, mark) = (self.layout.size(), usize::from(self.mark));
        (0..size.min(16)).chain((16..size).step_by(512).map(move |at| (at + mark % 512).min(size - 1))).chain(size.saturating_sub(16)..size)
    }

    fn write(&self) {
        // SAFETY: places in a block of ours.
        self.places().for_each(|at| unsafe { self.block.add(at).write(self.mark) });
    }

    fn check(&self) {
        // SAFETY: as in `write`.
        self.places().for_each(|at| assert_eq!(unsafe { self.block.add(at).read() }, self.mark, "byte {at} of {:?} at {:p}", self.layout, self.block));
    }

    /// Changes its size. False, and nothing changed, if there is no memory.
    fn resize(&mut self, heap: &Heap, size: usize) -> bool {
        let kept: std::vec::Vec<usize> = self.places().filter(|&at| at < size).collect();
        // SAFETY: a block of ours with its layout.
        let block = unsafe { heap.realloc(self.block, self.layout, size) };
        if block.is_null() {
            return false;
        }
        (self.block, self.layout) = (block, Layout::from_size_align(size, self.layout.align()).unwrap());
        assert_eq!(block.addr() % self.layout.align(), 0, "{:?}", self.layout);
        // SAFETY: as in `write`.
        kept.iter().for_each(|&at| assert_eq!(unsafe { block.add(at).read() }, self.mark, "byte {at} of {:?} after a move", self.layout));
        self.write();
        true
    }

    fn free(self, heap: &Heap) {
        self.check();
        // SAFETY: a block of ours with its layout, not used afterwards.
        unsafe { heap.dealloc(self.block, self.layout) };
    }
}

/// A size up to `most`, small ones as likely as large ones.
fn some_size(rng: &Rng, most: usize) -> usize {
    let log = rng.below(most.ilog2() + 1);
    ((1 << log) + rng.below(1 << log) as usize).min(most)
}

/// A layout of up to 2 MiB, aligned to up to 64 KiB, mostly to little.
fn some_layout(rng: &Rng) -> Layout {
    let align = if rng.below(4) == 0 { 1 << rng.below(17) } else { 1 << rng.below(5) };
    Layout::from_size_align(some_size(rng, 2 << 20), align).unwrap()
}
