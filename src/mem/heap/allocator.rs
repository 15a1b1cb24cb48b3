//! The face: what `Box`, `Vec` and all others call.
//!
//! | layout                                      | block                        | taken from                              |
//! |---------------------------------------------|------------------------------|-----------------------------------------|
//! | up to 32 KiB, rounded up to its alignment   | a block of its class         | the P's cache; without one, the class   |
//! | up to 512 KiB, aligned to at most as much   | a run of units of 16 KiB     | the page heap                           |
//! | anything else                               | a mapping                    | the kept ones, the kernel               |
//!
//! 1. The layout says which, when a block comes and when it goes: nothing is looked up on the way to a cache.
//! 2. Preemption is disabled while a cache is used or a lock is held, and no longer: the kernel is called, memory is zeroed and copied with it
//!    enabled, unless the caller has disabled it.
//! 3. Null when the kernel refuses memory, after everything free has been given back to it once: `try_reserve` can answer, and for
//!    the others `handle_alloc_error` ends the program.
//!
//! Rejected: `Layout` rounded to a power of two for alignment (a 48-byte block of alignment 16 became 64).

use super::block::Block;
use super::cache::Cache;
use super::class::{Class, SMALL_MAX};
use super::pages::{Run, region_bytes};
use super::segment::UNIT;
use super::trace::{self, Event};
use super::{HEAP, Heap, backing, large};
use crate::arch::tls;
use crate::base::NoPreempt;
use core::alloc::{GlobalAlloc, Layout};
use core::ptr;

/// The global allocator of a program: `gort::main!` names it.
pub struct Allocator;

/// The largest run of units, and the largest alignment of one, in units.
const RUN_UNITS_MAX: usize = 32;

/// Where a block comes from: see the head of this file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Small(Class),
    Run { units: u32, align: u32 },
    Mapping { len: usize },
}

impl Kind {
    #[inline(always)]
    fn of(layout: Layout) -> Kind {
        // Up to an alignment of 16 this changes no class. A layout's size, rounded up to its alignment, does not overflow.
        let rounded = (layout.size() + layout.align() - 1) & !(layout.align() - 1);
        if rounded <= SMALL_MAX { Kind::Small(Class::of(rounded)) } else { Kind::of_large(layout) }
    }

    fn of_large(layout: Layout) -> Kind {
        let (units, align) = (layout.size().div_ceil(UNIT), layout.align().div_ceil(UNIT));
        if units <= RUN_UNITS_MAX && align <= RUN_UNITS_MAX {
            Kind::Run { units: units as u32, align: align as u32 }
        } else {
            Kind::Mapping { len: large::mapping_bytes(layout.size()) }
        }
    }
}

// SAFETY: blocks are disjoint, as large as their layout says and aligned to it, and stay until they are given back: the invariants of
// `class`, `span`, `pages` and `large`.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HEAP.alloc(layout)
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract.
        unsafe { HEAP.dealloc(block, layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        HEAP.alloc_zeroed(layout)
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { HEAP.realloc(block, layout, size) }
    }
}

impl Heap {
    #[inline(always)]
    pub(super) fn alloc(&self, layout: Layout) -> *mut u8 {
        let Kind::Small(class) = Kind::of(layout) else { return self.alloc_large(layout).start };
        {
            let _guard = NoPreempt::new();
            // SAFETY: R1: preemption is disabled, so the cache is this M's until the guard drops.
            if let Some(cache) = unsafe { tls::cache().cast::<Cache>().as_mut() } {
                let block = cache.pop(class);
                if !block.is_null() {
                    return block.cast();
                }
            }
        }
        self.alloc_slow(class, layout.size())
    }

    /// # Safety
    /// That of `GlobalAlloc::dealloc`.
    #[inline(always)]
    pub(super) unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract; R1 as in `alloc`.
        unsafe {
            let Kind::Small(class) = Kind::of(layout) else { return self.dealloc_large(block, layout) };
            {
                let _guard = NoPreempt::new();
                if let Some(cache) = tls::cache().cast::<Cache>().as_mut()
                    && cache.push(class, block.cast())
                {
                    return;
                }
            }
            self.dealloc_slow(class, block.cast(), layout.size())
        }
    }

    #[inline]
    pub(super) fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let (block, clean) = if let Kind::Small(_) = Kind::of(layout) {
            (self.alloc(layout), false)
        } else {
            let Run { start, clean } = self.alloc_large(layout);
            (start, clean)
        };
        if !block.is_null() && !clean {
            // SAFETY: the block is as large as the layout says.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    /// # Safety
    /// That of `GlobalAlloc::realloc`.
    pub(super) unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's contract: `size`, rounded up to the alignment, is at most `isize::MAX`.
        unsafe {
            let new_layout = Layout::from_size_align_unchecked(size, layout.align());
            let (old, new) = (Kind::of(layout), Kind::of(new_layout));
            if old == new {
                return block;
            }
            if let Some(resized) = self.resize(block, old, new, layout.align()) {
                trace::tell(Event::Freed, block, layout.size());
                trace::tell(Event::Allocated, resized, size);
                return resized;
            }
            let moved = self.alloc(new_layout);
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(block, layout.size().min(size));
                self.dealloc(block, layout);
            }
            moved
        }
    }

    #[cold]
    #[inline(never)]
    fn alloc_slow(&self, class: Class, size: usize) -> *mut u8 {
        let traces = trace::is_on();
        let attempt = || {
            let _guard = NoPreempt::new();
            // SAFETY: R1, as in `alloc`.
            let block = match unsafe { tls::cache().cast::<Cache>().as_mut() } {
                Some(cache) if !traces => {
                    // The P may be another one than a moment ago.
                    let block = cache.pop(class);
                    if block.is_null() { cache.pop_slow(self, class) } else { block }
                }
                _ => self.central(class).lock().take_one(class, &self.pages, &self.ledger).unwrap_or(ptr::null_mut()),
            };
            (!block.is_null()).then_some(block)
        };
        let block = self.with_growth(attempt).unwrap_or(ptr::null_mut()).cast();
        trace::tell(Event::Allocated, block, size);
        block
    }

    #[cold]
    #[inline(never)]
    unsafe fn dealloc_slow(&self, class: Class, block: *mut Block, size: usize) {
        trace::tell(Event::Freed, block.cast(), size);
        let _guard = NoPreempt::new();
        // SAFETY: the caller's contract; R1 as in `alloc`.
        unsafe {
            match tls::cache().cast::<Cache>().as_mut() {
                Some(cache) if !trace::is_on() => {
                    if !cache.push(class, block) {
                        cache.push_slow(self, class, block);
                    }
                }
                _ => self.central(class).lock().give_one(class, block, &self.pages, &self.ledger),
            }
        }
    }

    /// A run or a mapping; `start` is null if there is no memory.
    #[cold]
    #[inline(never)]
    fn alloc_large(&self, layout: Layout) -> Run {
        let run = match Kind::of_large(layout) {
            Kind::Run { units, align } => self.with_growth(|| {
                let mut pages = self.pages.lock();
                pages.take(units, align, &self.ledger).inspect(|_| self.ledger.run_changes(0, units as usize * UNIT))
            }),
            Kind::Mapping { len } => {
                let take = || large::take(&self.kept, len, layout.align(), &self.ledger);
                take().or_else(|| (self.release(0, || true) != 0).then(take)?)
            }
            Kind::Small(_) => unreachable!(),
        };
        let run = run.unwrap_or(Run { start: ptr::null_mut(), clean: false });
        trace::tell(Event::Allocated, run.start, layout.size());
        run
    }

    #[cold]
    #[inline(never)]
    unsafe fn dealloc_large(&self, block: *mut u8, layout: Layout) {
        trace::tell(Event::Freed, block, layout.size());
        // SAFETY: the caller's contract.
        unsafe {
            match Kind::of_large(layout) {
                Kind::Run { units, .. } => {
                    let mut pages = self.pages.lock();
                    pages.give(block, units, &self.ledger);
                    self.ledger.run_changes(units as usize * UNIT, 0);
                }
                Kind::Mapping { len } => large::give(&self.kept, block, len, &self.ledger),
                Kind::Small(_) => unreachable!(),
            }
        }
    }

    /// Makes a large block another size where it is, or lets the kernel move its pages. None: it must be copied.
    unsafe fn resize(&self, block: *mut u8, old: Kind, new: Kind, align: usize) -> Option<*mut u8> {
        // SAFETY: the caller's contract.
        unsafe {
            match (old, new) {
                (Kind::Run { units: old, .. }, Kind::Run { units: new, .. }) => {
                    let mut pages = self.pages.lock();
                    if new < old {
                        pages.give(block.add(new as usize * UNIT), old - new, &self.ledger);
                    } else if !pages.extend(block.add(old as usize * UNIT), new - old, &self.ledger) {
                        return None;
                    }
                    self.ledger.run_changes(old as usize * UNIT, new as usize * UNIT);
                    Some(block)
                }
                (Kind::Mapping { len: old }, Kind::Mapping { len: new }) if new < old || align <= crate::sys::memory::PAGE => {
                    let moved = backing::remap(block, old, new, &self.ledger)?;
                    large::resized(&self.kept, old, new, &self.ledger);
                    Some(moved)
                }
                _ => None,
            }
        }
    }

    /// Attempts, and lets the heap grow until the attempt succeeds. None: the kernel has no more, and nothing free is left.
    fn with_growth<T>(&self, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
        let mut gave_back = false;
        loop {
            if let Some(got) = attempt() {
                return Some(got);
            }
            if self.grow() {
                continue;
            }
            if gave_back {
                return None;
            }
            gave_back = true;
            self.release(0, || true);
        }
    }

    /// Gets a region for the page heap, a smaller one if the kernel refuses. True if it has one: ours, or what somebody else brought meanwhile.
    fn grow(&self) -> bool {
        let wanted = self.pages.lock().wanted_region();
        let Some(mut segments) = wanted else { return true };
        while segments != 0 {
            let len = region_bytes(segments);
            if let Some(base) = backing::map(len, &self.ledger) {
                let taken = self.pages.lock().add_region(base, len, segments);
                if !taken {
                    // SAFETY: nobody else knows of it.
                    unsafe { backing::abandon(base, len, &self.ledger) };
                }
                return true;
            }
            segments /= 2;
        }
        false
    }
}
