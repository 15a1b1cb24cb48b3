//! The central store of each stack class, behind its lock: where a P's own list comes from and goes to.

use super::arena::{self, Arena, State};
use super::{DESCRIPTOR_BYTES, StackList, guard, usable_bytes};
use crate::arch::GHeader;
use crate::base::lock::{Lock, Rank};
use crate::base::tune::{ARENA_MAX_BYTES, ARENA_MIN_BYTES, GUARD_BYTES, STACK_CLASSES};
use crate::sys::Errno;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// What is free of one class.
pub struct Central {
    /// Free, with pages.
    pub dirty: StackList,
    /// The first free slot without pages, plus one; 0 for none.
    pub clean: u32,
    /// The arena whose slots are being used for the first time, and the next of them.
    fresh: Option<(&'static Arena, u32)>,
    /// 0: none was mapped yet. (Zeros cost no byte of the program's file.)
    last_arena_bytes: usize,
}

/// One a class.
pub static CENTRAL: [Lock<Central>; STACK_CLASSES] =
    [const { Lock::new(Rank::Stacks, Central { dirty: StackList::new(), clean: 0, fresh: None, last_arena_bytes: 0 }) }; STACK_CLASSES];

/// How many slots have pages.
pub(super) static WITH_PAGES: AtomicU32 = AtomicU32::new(0);

/// How many stacks have pages: those of goroutines that live, and free ones whose memory has not gone back to the kernel.
pub fn with_pages() -> u32 {
    WITH_PAGES.load(Relaxed)
}

/// The smallest class whose stacks have `bytes` usable bytes; none if no class has.
pub fn class_for(bytes: usize) -> Option<usize> {
    (0..STACK_CLASSES).find(|&class| usable_bytes(class) >= bytes)
}

/// A stack of `class` that nobody has, its header set up. What follows the header reads as zeros, or as the last goroutine left it.
pub fn alloc(class: usize) -> Result<*mut GHeader, Errno> {
    let (arena, index) = {
        let mut central = CENTRAL[class].lock();
        let dirty = central.dirty.pop();
        if !dirty.is_null() {
            return Ok(dirty);
        }
        central.take_without_pages(class)?
    };
    Ok(set_up(arena, index))
}

/// Moves up to `want` free stacks that have their pages from the central list to `list`.
pub fn take_free(class: usize, want: u32, list: &mut StackList) {
    let mut central = CENTRAL[class].lock();
    let rest = central.dirty.split_off(want);
    let taken = core::mem::replace(&mut central.dirty, rest);
    list.append(taken);
}

/// Gives a list of free stacks of `class` to the central one: constant time.
pub fn release(class: usize, list: StackList) {
    CENTRAL[class].lock().dirty.append(list);
}

/// Gives one free stack back. The caller does not stand on it.
///
/// # Safety
/// Nobody else has it.
pub unsafe fn free(header: *mut GHeader) {
    let mut list = StackList::new();
    // SAFETY: the caller's contract.
    let class = unsafe {
        list.push(header);
        (*header).class
    };
    release(class.into(), list);
}

impl Central {
    fn take_without_pages(&mut self, class: usize) -> Result<(&'static Arena, u32), Errno> {
        if self.clean != 0 {
            let (arena, index) = arena::named(self.clean - 1);
            self.clean = arena.row(index).next_clean.load(Relaxed);
            return Ok((arena, index));
        }
        let (arena, index) = match self.fresh {
            Some(next) => next,
            None => {
                let bytes = (self.last_arena_bytes * 2).clamp(ARENA_MIN_BYTES, ARENA_MAX_BYTES);
                let arena = Arena::map(class, bytes)?;
                self.last_arena_bytes = bytes;
                (arena, 0)
            }
        };
        self.fresh = (index + 1 < arena.slots).then_some((arena, index + 1));
        Ok((arena, index))
    }
}

/// Guards a slot that has no pages, and writes its header: the page fault of a new goroutine.
fn set_up(arena: &'static Arena, index: u32) -> *mut GHeader {
    let (base, header, row) = (arena.slot_base(index), arena.header(index), arena.row(index));
    if row.guarded.load(Relaxed) == 0 {
        // SAFETY: R9: the slot is ours and empty.
        row.guarded.store(unsafe { guard::install(base) }.into(), Relaxed);
    }
    let mut new = GHeader::new(base, base + GUARD_BYTES, header as usize);
    new.slot = arena.name(index);
    new.class = arena.class;
    // SAFETY: R9: the slot is ours; the descriptor lies in it.
    unsafe { header.write(new) };
    arena.set_state(index, State::Dirty);
    WITH_PAGES.fetch_add(1, Relaxed);
    header
}

static_assertions::const_assert!(size_of::<GHeader>() <= DESCRIPTOR_BYTES);
