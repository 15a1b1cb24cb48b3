//! The stack that C runs on: one an M that has called C, made at its first call, given back as its thread ends (R18).
//!
//! ```text
//!   one mapping
//!   +------------------+---------------------------------------------------+
//!   | guard, 1 MiB     | 8 MiB, untouched, …                     … , in use |
//!   +------------------+---------------------------------------------------+
//!   base                                                            sp     top
//! ```
//!
//! 1. `sp` is where the next call begins: the top, or, while C has called back, where that C stands.
//! 2. Its M's own; no other thread looks at it while it runs.
//!
//! Rejected: a stack a call out of a pool (C's frames would still be cold each time, and a callback needs the frames below it to stay); to run C on goroutines'
//! stacks (they are small, and C does not probe for the guard).

use crate::base::tune::{C_GUARD_BYTES, C_STACK_BYTES};
use crate::sys::{Errno, memory};
use core::cell::Cell;
use core::ptr::NonNull;

/// See the head of this file. All zero bytes are none.
pub struct CStack {
    base: Cell<usize>,
    sp: Cell<usize>,
}

impl CStack {
    /// None yet.
    pub const fn none() -> CStack {
        CStack { base: Cell::new(0), sp: Cell::new(0) }
    }

    /// Makes it, if there is none. An error: the kernel has no address space for it.
    #[inline]
    pub fn ensure(&self) -> Result<(), Errno> {
        if self.base.get() == 0 { self.make() } else { Ok(()) }
    }

    #[cold]
    #[inline(never)]
    fn make(&self) -> Result<(), Errno> {
        let base = memory::map(C_GUARD_BYTES + C_STACK_BYTES)?.as_ptr();
        // With huge pages only for those who ask, nothing is lost where this is refused.
        let _ = memory::no_huge_pages(base, C_GUARD_BYTES + C_STACK_BYTES);
        // SAFETY: the mapping is new. Without a guard (a limit of VMAs, a sandbox) it works all the same.
        unsafe { memory::guard(base, C_GUARD_BYTES).or_else(|_| memory::protect(base, C_GUARD_BYTES)) }.ok();
        self.base.set(base as usize);
        self.sp.set(base as usize + C_GUARD_BYTES + C_STACK_BYTES);
        Ok(())
    }

    /// Where the next call begins; `arch::foreign` stores it as C calls back.
    pub fn sp(&self) -> &Cell<usize> {
        &self.sp
    }

    /// What of it nobody uses: from the guard's begin to `sp`. Empty without a stack.
    pub fn unused(&self) -> (usize, usize) {
        (self.base.get(), self.sp.get())
    }

    /// Is this an address of the stack, its guard left out?
    #[inline]
    pub fn contains(&self, address: usize) -> bool {
        address.wrapping_sub(self.base.get() + C_GUARD_BYTES) <= C_STACK_BYTES && self.base.get() != 0
    }

    /// Is it one of its guard?
    pub fn guards(&self, address: usize) -> bool {
        address.wrapping_sub(self.base.get()) < C_GUARD_BYTES && self.base.get() != 0
    }

    /// Gives it back. Its thread ends.
    #[inline(always)]
    pub fn give_back(&self) {
        if let Some(base) = NonNull::new(self.base.replace(0) as *mut u8) {
            // SAFETY: invariant 2: nobody runs on it, since its thread runs on g0.
            let _ = unsafe { memory::unmap(base, C_GUARD_BYTES + C_STACK_BYTES) };
        }
    }
}
