//! Guards below stacks: an access faults, so an overflow dies loudly instead of writing into a neighbour.
//!
//! | mode       | until                                                                                       |
//! |------------|---------------------------------------------------------------------------------------------|
//! | `Advise`   | `MADV_GUARD_INSTALL` is refused (Linux before 6.13: EINVAL; a sandbox: ENOSYS, EPERM)       |
//! | `Protect`  | `PROTECTED_GUARDS_MAX` guards, or the kernel's limit of VMAs                                |
//! | `None`     | for ever: stacks work, an overflow is not caught; `guards()` counts them                    |
//!
//! Rejected: to die without guards (a program of 100 000 goroutines on an old kernel would not run at all).

use crate::base::tune::{GUARD_BYTES, PROTECTED_GUARDS_MAX};
use crate::sys::memory;
use core::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};

const ADVISE: u8 = 0;
const PROTECT: u8 = 1;
const NONE: u8 = 2;

static MODE: AtomicU8 = AtomicU8::new(ADVISE);
static ADVISED: AtomicU32 = AtomicU32::new(0);
static PROTECTED: AtomicU32 = AtomicU32::new(0);
static MISSING: AtomicU32 = AtomicU32::new(0);

/// How many stacks, of all that were ever touched, have which guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guards {
    /// By `MADV_GUARD_INSTALL`: no VMA is split.
    pub advised: u32,
    /// By `mprotect`.
    pub protected: u32,
    /// None.
    pub missing: u32,
}

/// The counts so far.
pub fn guards() -> Guards {
    Guards { advised: ADVISED.load(Relaxed), protected: PROTECTED.load(Relaxed), missing: MISSING.load(Relaxed) }
}

/// Guards `[base, base + GUARD_BYTES)` as well as this kernel can. True if it did.
///
/// # Safety
/// Nobody needs what is in the range.
pub unsafe fn install(base: usize) -> bool {
    let base = base as *mut u8;
    if MODE.load(Relaxed) == ADVISE {
        // SAFETY: the caller's contract.
        match unsafe { memory::guard(base, GUARD_BYTES) } {
            Ok(()) => {
                ADVISED.fetch_add(1, Relaxed);
                return true;
            }
            // The kernel is short of memory for a page table now; the next stack may have more luck.
            Err(memory::NO_MEMORY | memory::AGAIN) => {
                MISSING.fetch_add(1, Relaxed);
                return false;
            }
            Err(_) => drop(MODE.compare_exchange(ADVISE, PROTECT, Relaxed, Relaxed)),
        }
    }
    if MODE.load(Relaxed) == PROTECT {
        // SAFETY: the caller's contract.
        if PROTECTED.load(Relaxed) < PROTECTED_GUARDS_MAX && unsafe { memory::protect(base, GUARD_BYTES) }.is_ok() {
            PROTECTED.fetch_add(1, Relaxed);
            return true;
        }
        MODE.store(NONE, Relaxed);
    }
    MISSING.fetch_add(1, Relaxed);
    false
}
