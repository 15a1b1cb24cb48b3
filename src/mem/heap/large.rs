//! Large blocks: each a mapping of its own, and a few freed ones kept for the next.
//!
//! 1. The length of a mapping follows from the size asked for, so nothing is recorded: eight lengths to a doubling. What is not touched
//!    costs address space only, equal lengths are reused, and a block grows within its length without a call.
//! 2. A kept mapping is not clean. At most `HEAP_LARGE_KEPT` are kept, none above `HEAP_LARGE_KEPT_BYTES`; the scavenger gives all back.
//! 3. Mapped, unmapped and moved outside of the lock.

use super::backing;
use super::ledger::Ledger;
use super::pages::Run;
use crate::base::lock::Lock;
use crate::base::tune::{HEAP_LARGE_KEPT, HEAP_LARGE_KEPT_BYTES};
use crate::sys::memory::PAGE;
use core::ptr;

/// The kept mappings. Behind a lock of rank `HeapPages`, which is never held together with the page heap's.
pub struct Kept {
    mappings: [Mapping; HEAP_LARGE_KEPT],
    /// Which one makes room when all are taken: the one put in longest ago.
    oldest: usize,
}

/// A freed mapping; of length 0, none.
#[derive(Clone, Copy)]
struct Mapping {
    base: *mut u8,
    len: usize,
}

const NONE: Mapping = Mapping { base: ptr::null_mut(), len: 0 };

// SAFETY: nobody uses what is kept.
unsafe impl Send for Kept {}

impl Kept {
    /// None.
    pub const fn new() -> Kept {
        Kept { mappings: [NONE; HEAP_LARGE_KEPT], oldest: 0 }
    }

    fn take(&mut self, len: usize) -> Option<*mut u8> {
        let found = self.mappings.iter_mut().find(|mapping| mapping.len == len)?;
        Some(core::mem::replace(found, NONE).base)
    }

    /// Keeps a mapping. Returns the one that must go instead, or `NONE`.
    fn put(&mut self, mapping: Mapping) -> Mapping {
        let free = self.mappings.iter().position(|mapping| mapping.len == 0);
        let at = free.unwrap_or(self.oldest);
        if free.is_none() {
            self.oldest = (self.oldest + 1) % HEAP_LARGE_KEPT;
        }
        core::mem::replace(&mut self.mappings[at], mapping)
    }

    fn take_any(&mut self) -> Option<Mapping> {
        let found = self.mappings.iter_mut().find(|mapping| mapping.len != 0)?;
        Some(core::mem::replace(found, NONE))
    }
}

/// The length of the mapping for a block of `bytes`.
#[inline]
pub const fn mapping_bytes(bytes: usize) -> usize {
    let step = if bytes <= 8 * PAGE { PAGE } else { 1 << ((bytes - 1).ilog2() - 3) };
    // Layouts end at `isize::MAX`, so this cannot overflow.
    bytes.next_multiple_of(step)
}

/// A mapping of `len` bytes at a multiple of `align`. None: the kernel has none.
pub fn take(kept: &Lock<Kept>, len: usize, align: usize, ledger: &Ledger) -> Option<Run> {
    if align <= PAGE && len <= HEAP_LARGE_KEPT_BYTES {
        let mut kept = kept.lock();
        if let Some(start) = kept.take(len) {
            ledger.kept_changes(len, 0);
            ledger.mapping_changes(0, len);
            return Some(Run { start, clean: false });
        }
    }
    let start = if align <= PAGE { backing::map(len, ledger)? } else { map_aligned(len, align, ledger)? };
    resized(kept, 0, len, ledger);
    Some(Run { start, clean: true })
}

/// Enters into the ledger that a block changed its length.
pub fn resized(kept: &Lock<Kept>, from: usize, to: usize, ledger: &Ledger) {
    let _guard = kept.lock();
    ledger.mapping_changes(from, to);
}

/// Takes a mapping back.
///
/// # Safety
/// It came from `take` with this length, and nobody uses it any more.
pub unsafe fn give(kept: &Lock<Kept>, base: *mut u8, len: usize, ledger: &Ledger) {
    let mut gone = Mapping { base, len };
    {
        let mut kept = kept.lock();
        ledger.mapping_changes(len, 0);
        if len <= HEAP_LARGE_KEPT_BYTES {
            gone = kept.put(gone);
            ledger.kept_changes(gone.len, len);
        }
    }
    if gone.len != 0 {
        // SAFETY: the caller's contract, this time's or that of the time when it was put in.
        unsafe { backing::abandon(gone.base, gone.len, ledger) };
    }
}

/// Gives one kept mapping back to the kernel. Returns its length; 0 if there is none.
pub fn release_one(kept: &Lock<Kept>, ledger: &Ledger) -> usize {
    let found = {
        let mut kept = kept.lock();
        kept.take_any().inspect(|gone| ledger.kept_changes(gone.len, 0))
    };
    let Some(Mapping { base, len }) = found else { return 0 };
    // SAFETY: nobody uses what is kept, and now it is not kept either.
    unsafe { backing::abandon(base, len, ledger) };
    len
}

/// Maps so much that an aligned part is in it, and unmaps the rest.
fn map_aligned(len: usize, align: usize, ledger: &Ledger) -> Option<*mut u8> {
    let base = backing::map(len + align - PAGE, ledger)?;
    let start = base.map_addr(|addr| addr.next_multiple_of(align));
    let (before, after) = (start.addr() - base.addr(), base.addr() + align - PAGE - start.addr());
    // SAFETY: parts of a mapping that nobody knows yet.
    unsafe {
        backing::abandon(base, before, ledger);
        backing::abandon(start.add(len), after, ledger);
    }
    Some(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_mapping_is_whole_pages_and_at_most_an_eighth_too_long(bytes in 1usize..=isize::MAX as usize) {
            let len = mapping_bytes(bytes);
            prop_assert!(len >= bytes && len.is_multiple_of(PAGE));
            prop_assert!(len - bytes < PAGE || (len - bytes) * 8 < bytes);
            prop_assert_eq!(mapping_bytes(len), len);
        }
    }
}
