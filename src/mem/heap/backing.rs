//! What lies behind the heap: address space from the kernel, taken and given back, and entered into the ledger.
//!
//! 1. Called with no lock held: a call may wait for another thread's page fault.
//! 2. A refusal is an answer: `map` returns none, and who cannot unmap discards the pages instead.

use super::ledger::Ledger;
use crate::base::tune::HEAP_UNMAP_BYTES;
use crate::sys::memory;
use core::ptr::NonNull;

#[cfg(test)]
std::thread_local! {
    /// Tests: after so many more mappings of this thread that succeed,
    pub static MAPS_BEFORE_FAILURE: std::cell::Cell<u32> = const { std::cell::Cell::new(u32::MAX) };
    /// so many are refused.
    pub static FAILURES: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// Maps `len` bytes, a multiple of the page, that read as zeros.
pub fn map(len: usize, ledger: &Ledger) -> Option<*mut u8> {
    #[cfg(test)]
    if refuse() {
        return None;
    }
    let base = memory::map(len).ok()?;
    ledger.mapped(len);
    Some(base.as_ptr())
}

/// Unmaps a range, from its end and in pieces: between two of them a goroutine can be preempted. Returns whether all of it went.
///
/// # Safety
/// It is mapped, and nobody uses it any more.
pub unsafe fn unmap(base: *mut u8, len: usize, ledger: &Ledger) -> bool {
    let mut rest = len;
    while rest != 0 {
        let piece = (rest - 1) % HEAP_UNMAP_BYTES + 1;
        // SAFETY: the caller's contract.
        let Ok(()) = (unsafe { memory::unmap(NonNull::new_unchecked(base.add(rest - piece)), piece) }) else { return false };
        rest -= piece;
        ledger.unmapped(piece);
    }
    true
}

/// Unmaps a range that nothing else remembers. Where the kernel refuses (it would have to split a VMA and has too many), the pages go and
/// the address space is lost: it stays in `Stats::mapped`.
///
/// # Safety
/// As `unmap`.
pub unsafe fn abandon(base: *mut u8, len: usize, ledger: &Ledger) {
    // SAFETY: the caller's contract; what was unmapped of it before the refusal is at its end, and `discard` skips holes.
    unsafe {
        if !unmap(base, len, ledger) {
            discard(base, len, ledger);
        }
    }
}

/// Gives back the pages of a range, which reads as zeros afterwards. False if the kernel refuses: they may be locked in memory.
///
/// # Safety
/// Nobody needs what is in it.
pub unsafe fn discard(base: *mut u8, len: usize, ledger: &Ledger) -> bool {
    // SAFETY: the caller's contract.
    let done = unsafe { memory::discard(base, len) }.is_ok();
    if done {
        ledger.discarded();
    }
    done
}

/// Changes the length of a mapping, moving it if need be. None, and nothing done, if the kernel refuses.
///
/// # Safety
/// It is a mapping of `old` bytes, the caller's; nobody uses the old address afterwards.
pub unsafe fn remap(base: *mut u8, old: usize, new: usize, ledger: &Ledger) -> Option<*mut u8> {
    #[cfg(test)]
    if refuse() {
        return None;
    }
    // SAFETY: the caller's contract.
    let base = unsafe { memory::remap(NonNull::new_unchecked(base), old, new) }.ok()?;
    ledger.remapped(old, new);
    Some(base.as_ptr())
}

#[cfg(test)]
fn refuse() -> bool {
    let before = MAPS_BEFORE_FAILURE.get();
    if before != 0 {
        MAPS_BEFORE_FAILURE.set(before.saturating_sub(u32::from(before != u32::MAX)));
        return false;
    }
    let left = FAILURES.get();
    FAILURES.set(left.saturating_sub(1));
    if left == 0 {
        MAPS_BEFORE_FAILURE.set(u32::MAX);
    }
    left != 0
}
